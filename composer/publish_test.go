package composer

// Uploads in every dialect, and what documents show of them.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"larder/composer/manifest"
	"larder/internal/registry"
	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

// form is a body as Nexus' uploads have it.
func form(parts ...string) (body string, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(parts); i += 2 {
		var p io.Writer
		var err error
		if parts[i] == "package" {
			p, err = w.CreateFormFile("package", "x.zip")
		} else {
			p, err = w.CreateFormField(parts[i])
		}
		if err != nil {
			panic(err)
		}
		if _, err := io.WriteString(p, parts[i+1]); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String(), w.FormDataContentType()
}

// TestEveryDialectOfUploads: every form in which archives come, each with its place for the version.
func TestEveryDialectOfUploads(t *testing.T) {
	g := newRig(t)
	own := func(v string) string {
		return string(newRelease("acme/demo", v, fields{"version": v}).archive())
	}
	bare := func(v string) string { return string(newRelease("acme/demo", v).archive()) }
	multi, kind := form(
		"src-type", "git", "package", bare("1.0.7"), "src-url", "https://git.example.com/a/b.git", "src-ref", "abc123",
	)
	versioned, kind2 := form("version", "1.0.8", "package", bare("1.0.8"))
	for _, c := range []struct {
		method, path, body, want, kind string
	}{
		{"PUT", "", own("1.0.0"), "1.0.0", ""},
		{"PUT", "/", own("1.0.1"), "1.0.1", ""},
		{"PUT", "?version=1.0.2", bare("1.0.2"), "1.0.2", ""},
		{"PUT", "/demo.zip?version=v1.0.3", own("1.0.3"), "1.0.3", "application/zip"},
		{"PUT", "/packages/upload/acme/demo/v1.0.4", own("1.0.4"), "v1.0.4", ""},
		{"PUT", "/packages/upload/Acme/Demo/dev-feature/x", bare("x"), "dev-feature/x", ""},
		{"PUT", "/packages/upload/acme/demo/dev-feature%2Fy", bare("y"), "dev-feature/y", ""},
		{"POST", "/packages/upload/acme/demo/1.0.7", multi, "1.0.7", kind},
		{"PUT", "/packages/upload/acme/demo/1.0.8", versioned, "1.0.8", kind2},
		{"PUT", "/acme/demo/demo-1.0.9.zip", bare("1.0.9"), "1.0.9", ""},
		{"PUT", "/acme/demo/acme-demo-1.1.0.zip?properties=composer.version=1.1.0", bare("1.1.0"), "1.1.0", ""},
		{"PUT", "/acme/demo/x.zip;composer.version=1.1.1", bare("1.1.1"), "1.1.1", ""},
		{"PUT", "/acme/demo/demo-latest.zip", own("1.1.2"), "1.1.2", ""},
	} {
		a := g.Want(
			g.Ada(c.method, c.path, c.body, wiretest.Header("Content-Type", c.kind)), 201, `"status":"success"`,
		).Object(t)
		wiretest.WantMembers(t, c.method+" "+c.path, a, fields{"version": c.want, "package": "acme/demo"})
	}
	if got := g.normals("acme/demo", ""); got != "1.1.2.0 1.1.1.0 1.1.0.0 1.0.9.0 1.0.8.0 1.0.7.0 1.0.4.0 1.0.3.0 "+
		"1.0.2.0 1.0.1.0 1.0.0.0" {
		t.Error(got)
	}
	if got := g.normals("acme/demo", "~dev"); got != "dev-feature/x dev-feature/y" {
		t.Error(got)
	}
	v := g.versions("", "acme/demo", "")[5]
	if wiretest.JSON(v["source"]) != `{"reference":"abc123","type":"git","url":"https://git.example.com/a/b.git"}` {
		t.Errorf("%v", v)
	}
	// A source in the address, and one in composer.json that the address replaces.
	r := newRelease("acme/demo", "2.0.0", fields{"source": fields{"type": "git", "url": "x", "reference": "y"}})
	g.Want(g.Ada("PUT", "?version=2.0.0&src-type=hg&src-url=https://hg.example.com&src-ref=77", r.archive()), 201, "")
	if v := g.versions("", "acme/demo", "")[0]; wiretest.At(v, "source", "type") != "hg" {
		t.Errorf("%v", v)
	}
}

// TestUploadsThatAreRefused: what an upload may not be, and that nothing of it stays.
func TestUploadsThatAreRefused(t *testing.T) {
	g := newRig(t)
	own := string(newRelease("acme/demo", "1.0.0", fields{"version": "1.0.0"}).archive())
	bare := string(newRelease("acme/demo", "1.0.0").archive())
	twice, kind := form("package", own, "package", own)
	none, kind2 := form("src-type", "git")
	long, kind3 := form("src-ref", strings.Repeat("x", 600), "package", own)
	many, kind4 := form(strings.Split(strings.Repeat("x,y,", 30)+"package,x", ",")...)
	for name, c := range map[string]struct {
		path, body, kind string
		status           int
		text             string
	}{
		"no version anywhere": {"", bare, "", 422, "has a version"},
		"no version":          {"?version=1.0.0-foo", bare, "", 422, "not a version"},
		"version of the author": {
			"", string(newRelease("acme/demo", "", fields{"version": "latest"}).archive()), "", 422, "not a version",
		},
		"branch out of place": {"?version=dev-a/../b", bare, "", 422, "not a version"},
		"versions differ": {
			"?version=1.0.1", own, "", 422, "about version 1.0.1, but the archive's composer.json about 1.0.0",
		},
		"path differs":     {"/packages/upload/acme/demo/1.0.1", own, "", 422, "about 1.0.0"},
		"property differs": {"/acme/demo/x.zip?properties=composer.version=2.0", own, "", 422, "about 1.0.0"},
		"name differs": {
			"/packages/upload/acme/other/1.0.0", own, "", 422,
			"about acme/other, but the archive's composer.json about acme/demo",
		},
		"name in artifact path": {"/acme/other/other-1.0.0.zip", own, "", 422, "about acme/other"},
		"no zip":                {"?version=1.0.0", "hello", "", 422, "not a ZIP archive"},
		"empty":                 {"?version=1.0.0", "", "", 422, "no archive"},
		"cut":                   {"?version=1.0.0", own[:len(own)-4], "", 422, "damaged"},
		"no composer.json": {
			"?version=1.0.0", string(wiretest.Zip(map[string]string{"a/b": "c", "d/e": "f"})), "", 422, "it has a, d",
		},
		"half a source":         {"?version=1.0.0&src-type=git", own, "", 422, "src-type, src-url and src-ref"},
		"option as source":      {"?version=1.0.0&src-type=git&src-url=--upload-pack%3Did&src-ref=x", own, "", 422, "hyphen"},
		"two archives":          {"/packages/upload/acme/demo/1.0.0", twice, kind, 422, "several files"},
		"form without archive":  {"/packages/upload/acme/demo/1.0.0", none, kind2, 422, "no archive"},
		"long part":             {"/packages/upload/acme/demo/1.0.0", long, kind3, 413, "more than 512 bytes"},
		"many parts":            {"/packages/upload/acme/demo/1.0.0", many, kind4, 413, "more than 20 fields"},
		"no form":               {"/packages/upload/acme/demo/1.0.0", own, "multipart/form-data; boundary=x", 422, "damaged"},
		"form without boundary": {"/packages/upload/acme/demo/1.0.0", own, "multipart/form-data", 415, "forms"},
		"cut form":              {"/packages/upload/acme/demo/1.0.0", twice[:len(twice)/3], kind, 422, ""},
		"name in path":          {"/packages/upload/acme/-/1.0.0", own, "", 400, "not a package name"},
	} {
		t.Run(name, func(t *testing.T) {
			g := g.in(t)
			before := g.Journal()
			g.Want(g.Ada("PUT", c.path, c.body, wiretest.Header("Content-Type", c.kind)), c.status, c.text)
			g.Want(g.Ada("GET", "/p2/acme/demo.json", nil), 404, "package not found")
			if g.Journal() != before {
				t.Error("something has changed")
			}
		})
	}
}

// TestSameBytesAgainChangeNothing: the same bytes again are a success that changes nothing; other bytes are a conflict
// for releases, and the new state of a branch.
func TestSameBytesAgainChangeNothing(t *testing.T) {
	g := newRig(t)
	first := newRelease("acme/demo", "1.0.0")
	g.Want(g.put("ada", first), 201, "")
	before := g.Journal()
	g.Want(g.put("ada", first), 200, `"status":"success"`)
	first.version = "v1.0.0.0"
	g.Want(g.put("ada", first), 200, "")
	if g.Journal() != before {
		t.Error("publishing the same again has changed something")
	}
	other := newRelease("acme/demo", "1.0", fields{"description": "other"})
	g.Want(g.put("ada", other), 409, "exists with other content, and releases never change")
	branch := newRelease("acme/demo", "dev-main")
	g.Want(g.put("ada", branch), 201, "")
	g.Want(g.put("ada", branch), 200, "")
	next := newRelease("acme/demo", "dev-main", fields{"description": "next"})
	g.Want(g.put("ada", next), 201, "")
	v := g.versions("", "acme/demo", "~dev")
	wiretest.Equal(t, "the number of branches", len(v), 1)
	wiretest.WantMembers(t, "the new state", v[0], fields{"dist/reference": next.reference()})
	// A lock file names the former state.
	for _, r := range []*release{branch, next} {
		path := distPath("acme/demo", "dev-main", r.reference(), "")
		g.Want(g.Do("GET", path, nil), 200, "").WantExactly(t, string(r.archive()))
	}
	// Back to it.
	g.Want(g.put("ada", branch), 201, "")
	v = g.versions("", "acme/demo", "~dev")
	wiretest.WantMembers(t, "the former state", v[0], fields{"dist/reference": branch.reference()})
	// Who may create, may not replace.
	g.Scoped("creator", "ada", "composer:package:*:read,create")
	g.Want(g.put("creator", newRelease("acme/demo", "dev-new")), 201, "")
	g.Want(g.put("creator", next), 403, "may create versions but not replace them")
	g.Want(g.put("creator", branch), 200, "")
	// The same archive as release and as branch is two versions with one blob.
	g.Want(g.Ada("PUT", "/packages/upload/acme/demo/3.0.0", next.archive()), 201, "")
}

// TestPrivatePackageIsSeenByItsOwners: a package can be private from its first version on, and none that everybody sees
// gets a private one.
func TestPrivatePackageIsSeenByItsOwners(t *testing.T) {
	g := newRig(t)
	r := newRelease("acme/closed", "1.0.0")
	g.Want(g.Ada("PUT", "/packages/upload/acme/closed/1.0.0?private=1", r.archive()), 201, "")
	g.publish("acme/closed", "1.1.0")
	g.Want(g.Ada("PUT", "/packages/upload/acme/closed/1.2.0?private=1", r.archive()), 201, "")
	g.Want(g.Do("GET", "/p2/acme/closed.json", nil), 404, "")
	if got := g.normals("acme/closed", ""); got != "1.2.0.0 1.1.0.0 1.0.0.0" {
		t.Error(got)
	}
	g.publish("acme/open", "1.0.0")
	g.Want(
		g.Ada("PUT", "/packages/upload/acme/open/2.0.0?private=1", newRelease("acme/open", "").archive()), 422,
		"is not private",
	)
	if got := g.normals("acme/open", ""); got != "1.0.0.0" {
		t.Error(got)
	}
}

// TestNameFromArchiveNeedsItsRight: an upload that does not name the package needs the right to the one its archive
// names.
func TestNameFromArchiveNeedsItsRight(t *testing.T) {
	g := newRig(t)
	g.Scoped("acme", "ada", "composer:package:acme/*:read,create,write")
	r := newRelease("acme/demo", "", fields{"version": "1.0.0"})
	g.Want(g.Do("PUT", "", r.archive(), g.As("acme")), 201, "")
	other := newRelease("other/demo", "", fields{"version": "1.0.0"})
	g.Want(g.Do("PUT", "", other.archive(), g.As("acme")), 403, "scopes do not allow")
	g.Want(g.Do("PUT", "", other.archive()), 401, "login")
	g.Want(g.Do("GET", "/p2/other/demo.json", nil), 404, "")
}

// TestDocumentsAreMinified: the document says minified and is. Without that, 1.0.0 would inherit what 2.0.0 requires.
func TestDocumentsAreMinified(t *testing.T) {
	g := newRig(t)
	g.Want(
		g.put("ada", newRelease("acme/demo", "2.0.0", fields{"require": fields{"acme/extra": "^1.0"}, "bin": []string{"x"}})),
		201, "",
	)
	g.Want(g.put("ada", newRelease("acme/demo", "1.0.0")), 201, "")
	g.Want(g.put("ada", newRelease("acme/demo", "1.5.0", fields{"require": fields{"acme/extra": "^1.0"}})), 201, "")
	a := g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 200, `"require":"__unset"`)
	for _, once := range []string{"acme/extra", `"name"`, `"bin":"__unset"`} {
		wiretest.Equal(t, "how often "+once+" is said", strings.Count(a.Body, once), 1)
	}
	v := g.versions("", "acme/demo", "")
	wiretest.WantMembers(t, "the second", v[1], fields{"bin": nil})
	wiretest.Equal(t, "what the second requires", wiretest.At(v[1], "require", "acme/extra"), any("^1.0"))
	wiretest.WantMembers(t, "the third", v[2], fields{"version": "1.0.0", "require": nil})
	// Two versions of one archive each have a dist of their own.
	r := newRelease("acme/twin", "1.0.0")
	g.Want(g.put("ada", r), 201, "")
	r.version = "1.0.1"
	g.Want(g.put("ada", r), 201, "")
	for _, v := range g.versions("", "acme/twin", "") {
		url := wiretest.At(v, "dist", "url").(string)
		if !strings.Contains(url, "/"+v["version_normalized"].(string)+"/") {
			t.Errorf("%v", v)
		}
		g.Want(g.Do("GET", url, nil), 200, "")
	}
}

// TestNormalFormsInDocuments: four numbers, pre-releases, branches: what libraries for Semantic Versioning refuse.
func TestNormalFormsInDocuments(t *testing.T) {
	g := newRig(t)
	g.publish(
		"acme/demo", "1.2.3.4", "1.0.0-beta.2", "dev-feature/x", "1.x-dev", "1.0.0", "dev-main", "v2.0.0-RC1", "2.0.0-dev",
		"20260102", "dev-Case", "2.0.x-dev",
	)
	if got := g.normals("acme/demo", ""); got != "20260102 2.0.0.0-RC1 1.2.3.4 1.0.0.0 1.0.0.0-beta2" {
		t.Error(got)
	}
	if got := g.normals("acme/demo", "~dev"); got != "dev-main 2.0.9999999.9999999-dev 2.0.0.0-dev "+
		"1.9999999.9999999.9999999-dev dev-Case dev-feature/x" {
		t.Error(got)
	}
	for _, v := range g.versions("", "acme/demo", "~dev") {
		if (v["default-branch"] == true) != (v["version"] == "dev-main") {
			t.Errorf("%v", v)
		}
	}
}

// TestPublishedTimeIsTheRegistrys: it is the registry's own, for every version, whatever composer.json says.
func TestPublishedTimeIsTheRegistrys(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	g.Want(
		g.put(
			"ada", newRelease("acme/demo", "1.0.0", fields{"published-time": "2001-01-01T00:00:00Z", "time": "2002-02-02"}),
		),
		201, "",
	)
	v := g.versions("", "acme/demo", "")[0]
	wiretest.WantMembers(t, "1.0.0", v, fields{
		"published-time": clock.Now().UTC().Format("2006-01-02T15:04:05Z07:00"), "time": "2002-02-02T00:00:00Z",
	})
	g.publish("acme/demo", "1.1.0", "dev-main")
	for _, suffix := range []string{"", "~dev"} {
		for _, v := range g.versions("", "acme/demo", suffix) {
			for _, key := range []string{"published-time", "time"} {
				if v[key] == nil {
					t.Errorf("%s: it has no %s", v["version"], key)
				}
			}
		}
	}
}

// TestArchiveIsNamedByItsBytes: a name, version and reference stand for the same bytes for ever, whoever tries to
// change them, and also when the version was deleted meanwhile.
func TestArchiveIsNamedByItsBytes(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	r, other := newRelease("acme/demo", "1.0.0"), newRelease("acme/demo", "1.0.0", fields{"description": "other"})
	g.Want(g.put("ada", r), 201, "")
	path := distPath("acme/demo", "1.0.0.0", r.reference(), "")
	for _, state := range []string{"published", "deleted", "package deleted", "purged"} {
		switch state {
		case "deleted":
			g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.0.0", nil), 204, "")
		case "package deleted":
			g.Want(g.put("ada", r), 201, "")
			g.Want(g.Ada("DELETE", "/packages/acme/demo", nil), 204, "")
		case "purged":
			g.Want(g.Ada("DELETE", "/packages/acme/demo?purge=1", nil), 204, "")
			g.Want(g.put("ada", r), 409, "deleted for good")
		}
		for _, actor := range []string{"ada", "root"} {
			g.Want(g.put(actor, other), 409, "")
		}
		g.Want(g.Do("GET", distPath("acme/demo", "1.0.0.0", other.reference(), ""), nil), 404, "")
		if a := g.Do("GET", path, nil); state == "purged" {
			a.WantStatus(t, 404)
		} else {
			a.WantExactly(t, string(r.archive()))
		}
	}
}

// TestUploadLimits: bodies beyond the limit are a 413, whether announced or not, and so are quotas.
func TestUploadLimits(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.composer.MaxArchive = 4 << 10 })
	g.Want(g.Ada("PUT", "?version=1.0.0", bytes.Repeat([]byte("x"), 8<<10)), 413, "")
	g.Want(g.Ada("PUT", "?version=1.0.0", io.Reader(strings.NewReader(strings.Repeat("x", 8<<10)))), 413, "")
	body, kind := form("package", strings.Repeat("x", 8<<10))
	g.Want(g.Ada("PUT", "/packages/upload/acme/demo/1.0", body, wiretest.Header("Content-Type", kind)), 413, "")
	g.Want(g.Ada("POST", "/downloads/", strings.Repeat(" ", maxSmallBody+1)), 413, "")
	quota := newRig(
		t, withPolicies(store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Kind: store.Composer, Bytes: 100}}})),
	)
	quota.Want(quota.put("ada", newRelease("acme/demo", "1.0.0")), 413, "")
}

// TestPolicies: what the operator's rules refuse is told in their own words.
func TestPolicies(t *testing.T) {
	rules := store.NewRules(store.RulesConfig{
		Protected: []store.Protected{{Kind: store.Composer, Package: "corp/*", Users: []string{"root"}}},
		Immutable: []store.Immutable{
			{Kind: store.Composer, Package: "fixed/*"}, {Kind: store.Composer, Package: "*", Tag: "dev-frozen"},
		},
	})
	g := newRig(t, withPolicies(rules))
	g.Want(g.put("ada", newRelease("corp/x", "1.0.0")), 403, "protected")
	g.publish("fixed/demo", "1.0.0")
	g.Want(g.Ada("DELETE", "/packages/fixed/demo?purge=1", nil), 409, "")
	g.publish("acme/demo", "dev-frozen", "1.0.0")
	g.Want(g.put("ada", newRelease("acme/demo", "dev-frozen", fields{"description": "x"})), 409, "")
	g.Store.SetReadOnly("maintenance")
	g.Want(g.put("ada", newRelease("acme/demo", "2.0.0")), 503, "read-only: maintenance")
	g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 200, "")
	g.Store.SetReadOnly("")
}

// TestLargeParts: a composer.json beyond 16 KiB lives in a blob and comes back whole, a large archive on disk.
func TestLargeParts(t *testing.T) {
	g := newRig(t)
	long := strings.Repeat("e", 20<<10)
	r := newRelease("acme/demo", "1.0.0", fields{"extra": fields{"x": long}})
	r.files["noise"] = string(noise(300_000))
	g.Want(g.put("ada", r), 201, "")
	g.publish("acme/demo", "1.1.0")
	v := g.versions("", "acme/demo", "")
	if wiretest.At(v[1], "extra", "x") != long || v[0]["extra"] != nil {
		t.Error("the entry is not whole")
	}
	path := distPath("acme/demo", "1.0.0.0", r.reference(), "")
	if a := g.Want(g.Do("GET", path, nil), 200, ""); a.Body != string(r.archive()) {
		t.Error("other bytes came back")
	}
	g.Want(g.Do("GET", path, nil, wiretest.Header("Range", "bytes=0-9")), 206, "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.1.0", nil), 204, "")
	g.Want(g.Do("GET", "/packages/acme/demo.json", nil), 200, long)
}

// noise does not get smaller when it is packed.
func noise(n int) []byte {
	p := make([]byte, n)
	x := uint32(1)
	for i := range p {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		p[i] = byte(x)
	}
	return p
}

// TestConcurrentPublishes: different versions at the same time all survive, of equal ones exactly one wins.
func TestConcurrentPublishes(t *testing.T) {
	g := newRig(t)
	const n = 8
	results := make(chan answer, 3*n)
	for i := range n {
		go func() { results <- g.put("ada", newRelease("acme/demo", fmt.Sprintf("1.0.%d", i))) }()
		go func() {
			results <- g.put("ada", newRelease("acme/one", "1.0.0", fields{"description": fmt.Sprint(i)}))
		}()
		go func() {
			results <- g.put("ada", newRelease("acme/branch", "dev-main", fields{"description": fmt.Sprint(i)}))
		}()
	}
	status := map[int]int{}
	for range 3 * n {
		status[(<-results).Status]++
	}
	if status[201] != 2*n+1 || status[409] != n-1 {
		t.Errorf("%v", status)
	}
	if v := g.versions("", "acme/demo", ""); len(v) != n {
		t.Errorf("%d versions", len(v))
	}
	if v := g.versions("", "acme/branch", "~dev"); len(v) != 1 {
		t.Errorf("%d branches", len(v))
	}
}

// TestPublishFaults: at each durable step "failed" and "failed, but persisted"; a second try always ends well.
func TestPublishFaults(t *testing.T) {
	r := newRelease("acme/demo", "1.0.0", fields{"extra": fields{"x": strings.Repeat("e", 20<<10)}})
	body := r.archive()
	publish := func(t *testing.T, s *store.Store) error {
		g := serve(t, s)
		if a := g.Do("PUT", "?version=1.0.0", body, wiretest.Basic("ada", "secret")); a.Status != 201 {
			return errors.New(a.String())
		}
		return nil
	}
	prepare := func(t *testing.T, s *store.Store) { serve(t, s).User("ada", nil) }
	storetest.BrokenAt(t, prepare, publish, func(t *testing.T, dir string, err error) {
		g := serve(t, storetest.Open(t, dir))
		there := g.Do("GET", "/p2/acme/demo.json", nil).Status
		if err == nil && there != 200 {
			t.Errorf("a publish that was confirmed is lost: %d", there)
		}
		if a := g.Do("PUT", "?version=1.0.0", body, wiretest.Basic("ada", "secret")); a.Status != 201 && a.Status != 200 {
			t.Errorf("the second try: %v", a)
		}
		if v := g.versions("", "acme/demo", ""); len(v) != 1 {
			t.Errorf("%v", v)
		}
		if a := g.Want(g.Do("GET", distPath("acme/demo", "1.0.0.0", r.reference(), ""), nil), 200,
			""); a.Body != string(body) {
			t.Error("other bytes came back")
		}
		g.checkRows()
	})
}

// fillPackage writes n versions without their archives' way through HTTP.
func fillPackage(t testing.TB, s *store.Store, name string, n int) {
	t.Helper()
	repo := store.NewRepo[Meta](s, store.Composer)
	storetest.FillWith(t, s, n, func(tx *store.Tx, i int, file store.Blob) error {
		return repo.In(tx, name, func(tx *store.PackageTx[Meta]) error {
			return fillVersion(tx, fmt.Sprintf("%d.%d.%d.0", i/400, i/20%20, i%20), i, file)
		})
	})
}

// fillVersion publishes one version, the ith.
func fillVersion(tx *store.PackageTx[Meta], id string, i int, file store.Blob) error {
	ref, require := fmt.Sprintf("%040x", i), fields{"php": fmt.Sprintf(">=7.%d", i/500)}
	for d := range 12 {
		require[fmt.Sprintf("acme/dependency-%d", d)] = "^1.2.3"
	}
	entry := wiretest.JSON(fields{
		"description": strings.Repeat("what it does ", 8), "type": "library", "license": []string{"MIT"},
		"require": require, "autoload": fields{"psr-4": fields{`Acme\`: "src/"}},
		"authors": []any{fields{"name": "Ada"}}, "extra": fields{"build": i},
	})
	v := store.Version[Meta]{
		ID: id, By: "ada", Files: []store.File{{Name: fileOf(id, ref, ""), Digest: file.Digest, Size: file.Size}},
	}
	v.Meta = Meta{
		Version: id, Reference: ref, Entry: registry.Part{JSON: json.RawMessage(entry)},
		Summary: manifest.Summary{Version: id, Type: manifest.TypeLibrary, Description: "what " + tx.Name() + " does"},
	}
	v.Published = tx.Tx().Now()
	if err := tx.Publish(v); err != nil {
		return err
	}
	return show(tx, id, v, true)
}

// TestPublishCost: what a publish allocates does not depend on how many versions there are.
func TestPublishCost(t *testing.T) {
	g := newRig(t)
	fillPackage(t, g.Store, "acme/small", 10)
	fillPackage(t, g.Store, "acme/large", 2000)
	i := 0
	cost := func(name string) float64 {
		return testing.AllocsPerRun(10, func() {
			i++
			g.Want(g.put("ada", newRelease(name, fmt.Sprintf("99.0.%d", i))), 201, "")
		})
	}
	cost("acme/small")
	if small, large := cost("acme/small"), cost("acme/large"); large > 2*small {
		t.Errorf("%.0f allocations with 10 versions, %.0f with 2000", small, large)
	}
}
