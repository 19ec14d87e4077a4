package server

// A lost database: what lies in the folder is published again, and clients get the bytes they got before.

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/store"
	"larder/web"
)

// mavenJar publishes a jar that says its coordinates, with its POM.
func mavenJar() specimen {
	const dir = "/maven/com/acme/demo"
	jar := string(wiretest.Zip(wiretest.Files{
		"META-INF/maven/com.acme/demo/pom.properties": "groupId=com.acme\nartifactId=demo\nversion=1.0\n",
		"noise": noise(4000),
	}))
	pom := `<project><modelVersion>4.0.0</modelVersion><groupId>com.acme</groupId><artifactId>demo</artifactId><version>` +
		`1.0</version></project>`
	return specimen{
		kind: store.Maven, meta: dir + "/1.0/demo-1.0.pom", file: dir + "/1.0/demo-1.0.jar",
		publish: func(t *testing.T, base string) {
			send(t, "PUT", base+dir+"/1.0/demo-1.0.jar", jar, "", 201)
			send(t, "PUT", base+dir+"/1.0/demo-1.0.pom", pom, "", 201)
			send(t, "POST", base+dir+"/1.0/", "", "", 201)
		},
	}
}

// loseDatabase ends l, removes its database, and starts on what is left.
func loseDatabase(t *testing.T, l *live) *live {
	t.Helper()
	if err := l.end(t); err != nil {
		t.Fatal(err)
	}
	cfg := l.cfg
	if err := os.Remove(filepath.Join(cfg.Data, "larder.db")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cfg.AddrFile); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	cfg.Store.AcceptNewDatabase = true
	return start(t, cfg, nil)
}

// publishFound has a rebuild publish and returns it as KIND NAME VERSION FILE → outcome: reason.
func publishFound(t *testing.T, l *live, choices ...string) map[string]string {
	t.Helper()
	list, err := l.rebuild(t.Context(), web.RebuildRequest{Publish: choices}, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range list {
		out[fmt.Sprintf("%s %s %s %s", r.Kind, r.Name, r.Version, r.Digest)] = strings.TrimSuffix(
			r.Outcome+": "+r.Reason, ": ",
		)
	}
	return out
}

// TestLostPackagesArePublishedAgain: of every kind a package is published, the database is lost, and after a rebuild
// clients get the same bytes at the same address; the journal names who published, and no token is left.
func TestLostPackagesArePublishedAgain(t *testing.T) {
	for _, sp := range specimens() {
		choice := string(sp.kind) + ":*demo"
		switch sp.kind {
		case store.Maven:
			sp = mavenJar()
		case store.OCI:
			choice = "oci:team/app"
		}
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			l := start(t, testConfig(t), nil)
			sp.publish(t, "http://"+l.addr)
			_, want, err := fetchURL(t, "http://"+l.addr+sp.file, sp.head)
			if err != nil {
				t.Fatal(err)
			}
			l = loseDatabase(t, l)
			base := "http://" + l.addr
			if resp, _, err := fetchURL(t, base+sp.file, sp.head); err != nil || resp.StatusCode/100 != 4 {
				t.Fatalf("%s without its record: %v %v, want a refusal", sp.file, resp, err)
			}
			outcomes := publishFound(t, l, choice)
			published := 0
			for what, outcome := range outcomes {
				if outcome == web.RebuildPublished {
					published++
				}
				if strings.HasPrefix(outcome, web.RebuildRefused) {
					t.Errorf("%s was %s", what, outcome)
				}
			}
			if published == 0 {
				t.Fatalf("nothing was published: %q", outcomes)
			}
			if resp, body, err := fetchURL(t, base+sp.file, sp.head); err != nil || resp.StatusCode != 200 || body != want {
				t.Errorf("%s after the rebuild: %v %v, want the published bytes", sp.file, resp, err)
			}
			meta := sp.meta
			if sp.kind == store.OCI {
				meta = ociByDigest(t, outcomes)
			}
			if resp, _, err := fetchURL(t, base+meta, sp.head); err != nil || resp.StatusCode != 200 {
				t.Errorf("%s after the rebuild: %v %v, want 200", meta, resp, err)
			}
			mustBeAdmins(t, l, sp.kind)
		})
	}
}

// ociByDigest is the address of the manifest that was published.
func ociByDigest(t *testing.T, outcomes map[string]string) string {
	t.Helper()
	for what, outcome := range outcomes {
		if f := strings.Fields(what); outcome == web.RebuildPublished && len(f) == 4 && f[1] == "team/app" {
			return "/v2/team/app/manifests/" + f[3]
		}
	}
	t.Fatalf("no manifest was published: %q", outcomes)
	return ""
}

// mustBeAdmins finds the publication in the journal, under the name of admin, and no token of it.
func mustBeAdmins(t *testing.T, l *live, kind store.Kind) {
	t.Helper()
	entries, err := l.store.Journal(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range entries {
		if e.Kind == kind && e.Op == store.OpPublish {
			found = true
			if e.Actor.User != "admin" {
				t.Errorf("the journal says that %s was published by %q, want admin", e.Package, e.Actor.User)
			}
		}
	}
	if !found {
		t.Errorf("the journal has no publication of kind %s: %+v", kind, entries)
	}
	if tokens, err := l.auth.Tokens(t.Context(), ""); err != nil || len(tokens) != 0 {
		t.Errorf("tokens after the rebuild: %+v %v, want none", tokens, err)
	}
}

// orphan puts a file into the folder that no record knows, and returns its digest.
func orphan(t *testing.T, data, body string) string {
	t.Helper()
	d := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	if err := os.WriteFile(filepath.Join(data, "orphans", d), []byte(body), 0o440); err != nil {
		t.Fatal(err)
	}
	return "sha256:" + d
}

func npmTarball(name, version, more string) string {
	return string(tarGzOf(map[string]string{
		"package/package.json": fmt.Sprintf(`{"name":%q,"version":%q}`, name, version), "package/more": more,
	}))
}

// TestRebuildPublishesWhatIsChosen: patterns choose, the newest finished version is the latest, a newer one that is
// here stays it, and each refusal says why.
func TestRebuildPublishesWhatIsChosen(t *testing.T) {
	l := start(t, testConfig(t), nil)
	base := "http://" + l.addr
	digests := map[string]string{}
	for what, body := range map[string]string{
		"a1": npmTarball("@acme/a", "1.9.0", ""), "a2": npmTarball("@acme/a", "1.10.0", ""),
		"a3": npmTarball("@acme/a", "2.0.0-beta.1", ""), "other": npmTarball("other", "1.0.0", ""),
		"twin1": npmTarball("@acme/twin", "1.0.0", "x"), "twin2": npmTarball("@acme/twin", "1.0.0", "y"),
		"old": npmTarball("@acme/b", "1.0.0", ""),
		"zip": string(wiretest.Zip(wiretest.Files{"x.class": "x"})), "noise": noise(100),
		"unversioned": string(wiretest.Zip(wiretest.Files{"composer.json": `{"name":"acme/c"}`})),
	} {
		digests[what] = orphan(t, l.cfg.Data, body)
	}
	newest := npmTarball("@acme/b", "3.0.0", "")
	send(t, "PUT", base+"/npm/@acme%2fb", fmt.Sprintf(`{"_id":"@acme/b","name":"@acme/b","dist-tags":{"latest":"3.0.0"},`+
		`"versions":{"3.0.0":{"name":"@acme/b","version":"3.0.0"}},"_attachments":{"@acme/b-3.0.0.tgz":{"length":%d,`+
		`"data":%q}}}`,
		len(newest), base64.StdEncoding.EncodeToString([]byte(newest))), "application/json", 201)
	got := publishFound(t, l, "npm:@acme/*", "composer:*")
	for key, want := range map[string]string{
		"npm @acme/a 1.9.0 " + digests["a1"]:         web.RebuildPublished,
		"npm @acme/a 1.10.0 " + digests["a2"]:        web.RebuildPublished,
		"npm @acme/a 2.0.0-beta.1 " + digests["a3"]:  web.RebuildPublished,
		"npm @acme/b 1.0.0 " + digests["old"]:        web.RebuildPublished,
		"npm other 1.0.0 " + digests["other"]:        "",
		"npm @acme/twin 1.0.0 " + digests["twin1"]:   "refused: 2 files say",
		"npm @acme/twin 1.0.0 " + digests["twin2"]:   "refused: 2 files say",
		"composer acme/c  " + digests["unversioned"]: "refused: its composer.json has no version",
		"   " + digests["zip"]:                       ": a ZIP archive",
		"   " + digests["noise"]:                     ": it does not say",
	} {
		if outcome, ok := got[key]; !ok || outcome != want && (want == "" || !strings.HasPrefix(outcome, want)) {
			t.Errorf("%s: %q, want %q; all: %q", key, outcome, want, got)
		}
	}
	for name, want := range map[string]string{"@acme%2fa": `{"latest":"1.10.0"}`, "@acme%2fb": `{"latest":"3.0.0"}`} {
		_, tags, err := fetchURL(t, base+"/npm/-/package/"+name+"/dist-tags", nil)
		if err != nil || strings.TrimSpace(tags) != want {
			t.Errorf("tags of %s: %s %v, want %s", name, tags, err, want)
		}
	}
	if again := publishFound(t, l, "npm:@acme/a"); again["npm @acme/a 1.9.0 "+digests["a1"]] != web.RebuildHere {
		t.Errorf("a second time: %q, want already there", again)
	}
}

// TestRebuildObeysTheUsersRights: who may not publish a name does not publish it this way, and a user who is not there,
// or nothing chosen, is an error.
func TestRebuildObeysTheUsersRights(t *testing.T) {
	l := start(t, testConfig(t), nil)
	d := orphan(t, l.cfg.Data, npmTarball("@acme/a", "1.0.0", ""))
	send(
		t, "POST", "http://"+l.addr+"/api/v1/users",
		`{"name":"ann","password":"quiet-lake-7","scopes":["npm:package:x:write"]}`, "application/json", 201,
	)
	list, err := l.rebuild(t.Context(), web.RebuildRequest{Publish: []string{"*"}, As: "ann"}, func(int64, int64) {})
	if err != nil || len(list) != 1 || list[0].Outcome != web.RebuildRefused || list[0].Reason == "" {
		t.Errorf("published by a user without the right, %s: %+v %v; want a refusal", d, list, err)
	}
	for _, q := range []web.RebuildRequest{
		{Publish: []string{"*"}, As: "nobody"}, {}, {Publish: []string{"oci:*"}}, {Publish: []string{"npm"}},
		{Publish: []string{"x:y"}},
	} {
		if list, err := l.rebuild(t.Context(), q, func(int64, int64) {}); err == nil {
			t.Errorf("%+v: %+v, want an error", q, list)
		}
	}
	if tokens, err := l.auth.Tokens(t.Context(), ""); err != nil || len(tokens) != 0 {
		t.Errorf("tokens after all: %+v %v, want none", tokens, err)
	}
}

// TestRefusedFilesStayWithoutRecord: what a handler refuses after it took the bytes is not left to the sweeper. Of this
// image the config is pushed, and then the manifest is refused because its layer is missing.
func TestRefusedFilesStayWithoutRecord(t *testing.T) {
	l := start(t, testConfig(t), nil)
	inPlace := func(body string) digest.Digest {
		d := digest.FromString(body)
		name := d.Encoded()
		path := filepath.Join(l.cfg.Data, "blobs", "sha256", name[:2], name)
		if err := os.WriteFile(path, []byte(body), 0o440); err != nil {
			t.Fatal(err)
		}
		return d
	}
	image := inPlace(`{"architecture":"amd64","os":"linux"}`)
	manifest := inPlace(fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":37},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":9}]}`,
		image, digest.FromString("not here!")))
	for what, outcome := range publishFound(t, l, "oci:team/app") {
		if !strings.HasPrefix(outcome, web.RebuildRefused) {
			t.Errorf("%s: %q, want a refusal", what, outcome)
		}
	}
	unknown, err := l.store.Unrecorded(t.Context())
	for _, d := range []digest.Digest{image, manifest} {
		if err != nil || !slices.Contains(unknown, d) {
			t.Errorf("files without a record after the refusal: %v %v, want %s among them", unknown, err, d)
		}
	}
}

// TestRebuildPushesIndexes: an index goes to the named repository with its manifests and their blobs, under the tag
// that an annotation has; without a repository it is refused, and one that lacks a blob says so.
func TestRebuildPushesIndexes(t *testing.T) {
	l := start(t, testConfig(t), nil)
	config, layer := `{}`, noise(2000)
	describe := func(typ, digest, body string) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, typ, digest, len(body))
	}
	const oci = "application/vnd.oci.image."
	image := func(layer, digest string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"mediaType":"%smanifest.v1+json","config":%s,"layers":[%s]}`, oci,
			describe(oci+"config.v1+json", orphan(t, l.cfg.Data, config), config), describe(oci+"layer.v1.tar", digest, layer))
	}
	whole := image(layer, orphan(t, l.cfg.Data, layer))
	missing := noise(300)
	broken := image(missing, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(missing))))
	wholeD, brokenD := orphan(t, l.cfg.Data, whole), orphan(t, l.cfg.Data, broken)
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"%sindex.v1+json","manifests":[%s],`+
		`"annotations":{"org.opencontainers.image.ref.name":"host.example.com/team/app:v7"}}`, oci,
		describe(oci+"manifest.v1+json", wholeD, whole))
	indexD := orphan(t, l.cfg.Data, index)
	if got := publishFound(t, l, "*"); !strings.Contains(
		fmt.Sprint(got), "refused: an image does not say its repository",
	) {
		t.Errorf("without a repository: %q", got)
	}
	list, err := l.rebuild(t.Context(), web.RebuildRequest{Publish: []string{"oci:team/app"}}, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		want := web.RebuildPublished
		if string(r.Digest) == brokenD {
			want = web.RebuildRefused
		}
		if r.Outcome != want || want == web.RebuildRefused && r.Reason == "" {
			t.Errorf("%+v, want %s", r, want)
		}
	}
	for path, want := range map[string]string{"manifests/v7": index, "manifests/" + indexD: index, "manifests/" +
		wholeD: whole} {
		resp, body, err := fetchURL(t, "http://"+l.addr+"/v2/team/app/"+path, nil)
		if err != nil || resp.StatusCode != 200 || body != want {
			t.Errorf("%s: %v %v, want the pushed bytes", path, resp, err)
		}
	}
}

// TestRebuiltCrateHasItsIndexLine: dependencies, features and the rest of a crate's line of the index are the same
// after a lost database as before it.
func TestRebuiltCrateHasItsIndexLine(t *testing.T) {
	l := start(t, testConfig(t), nil)
	crate := string(tarGzOf(map[string]string{
		"demo-1.0.0/Cargo.toml": "[package]\nname = \"demo\"\nversion = \"1.0.0\"\nedition = \"2021\"\nlinks = " +
			"\"z\"\nreadme = \"README.md\"\n" +
			"description = \"a demo\"\nlicense = \"MIT\"\nkeywords = [\"k\"]\n\n[dependencies.log]\nversion = " +
			"\"0.4\"\noptional = true\n" +
			"default-features = false\nfeatures = [\"std\"]\n\n[dependencies.renamed]\nversion = \"1\"\npackage = \"other\"\n" +
			"registry-index = " +
			"\"sparse+https://crates.example.com/index/\"\n\n[target.\"cfg(unix)\".dev-dependencies.c]\nversion = \"2\"\n\n" +
			"[features]\ndefault = [\"log\"]\n",
		"demo-1.0.0/src/lib.rs": "", "demo-1.0.0/README.md": "# Demo\n",
	}))
	const public = `"registry":"https://github.com/rust-lang/crates.io-index"`
	meta := `{"name":"demo","vers":"1.0.0","deps":[` +
		`{"name":"log","version_req":"^0.4","features":["std"],"optional":true,"default_features":false,"target":null,` +
		`"kind":"normal",` + public + `},` +
		`{"name":"other","version_req":"^1","features":[],"optional":false,"default_features":true,"target":null,` +
		`"kind":"normal",` +
		`"registry":"sparse+https://crates.example.com/index/","explicit_name_in_toml":"renamed"},` +
		`{"name":"c","version_req":"^2","features":[],"optional":false,"default_features":true,"target":"cfg(unix)",` +
		`"kind":"dev",` + public + `}],` +
		`"features":{"default":["log"]},"authors":[],"description":"a demo","readme":"# Demo\n","readme_file":"README.md",` +
		`"keywords":["k"],` +
		`"categories":[],"license":"MIT","badges":{},"links":"z"}`
	body := binary.LittleEndian.AppendUint32(nil, uint32(len(meta)))
	body = binary.LittleEndian.AppendUint32(append(body, meta...), uint32(len(crate)))
	send(t, "PUT", "http://"+l.addr+"/cargo/api/v1/crates/new", string(append(body, crate...)), "", 200)
	pages := []string{"/cargo/index/de/mo/demo", "/cargo/api/v1/crates/demo/1.0.0/readme"}
	want := map[string]string{}
	for _, path := range pages {
		_, want[path], _ = fetchURL(t, "http://"+l.addr+path, nil)
	}
	l = loseDatabase(t, l)
	if got := publishFound(t, l, "cargo:demo"); !strings.Contains(fmt.Sprint(got), web.RebuildPublished) {
		t.Fatalf("the crate was not published: %q", got)
	}
	for _, path := range pages {
		_, got, err := fetchURL(t, "http://"+l.addr+path, nil)
		if err != nil || sortedJSON(t, got) != sortedJSON(t, want[path]) {
			t.Errorf("%s after the rebuild: %s %v; before: %s", path, got, err, want[path])
		}
	}
}

// sortedJSON is a line of the index with its dependencies in order and no time; other texts stay as they are.
func sortedJSON(t *testing.T, s string) string {
	t.Helper()
	var line struct {
		Deps []json.RawMessage `json:"deps"`
	}
	if json.Unmarshal([]byte(s), &line) != nil {
		return s
	}
	var deps []string
	for _, d := range line.Deps {
		deps = append(deps, string(d))
		s = strings.Replace(s, string(d), "", 1)
	}
	slices.Sort(deps)
	s, _, _ = strings.Cut(s, `,"pubtime":`)
	return s + strings.Join(deps, "\n")
}
