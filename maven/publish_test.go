package maven

// Files come in: real sequences of requests of every client, checksums, limits, and what is refused.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/maven/names"
	"larder/store"
	"larder/store/storetest"
)

// step is one request of a recorded sequence: a body, a status.
type step struct {
	method, path, body string
	status             int
}

// withSums is a PUT followed by the checksums a client sends.
func withSums(path, body string, algs ...string) []step {
	steps := []step{{"PUT", path, body, 201}}
	for _, alg := range algs {
		steps = append(steps, step{"PUT", path + "." + alg, sumsText(body)[alg], 201})
	}
	return steps
}

func (g *rig) replay(steps []step, opts ...option) {
	g.T.Helper()
	for _, s := range steps {
		var body any
		if s.method == "PUT" {
			body = s.body
		}
		if a := g.Ada(s.method, s.path, body, opts...); a.Status != s.status &&
			(s.status != 0 || a.Status >= 300 && a.Status != 404) {
			g.T.Fatalf("%s %s: %v, want %d", s.method, s.path, a, s.status)
		}
	}
}

const lib = "/com/acme/lib/"

// sequences are what clients send, request by request, as it was recorded. Status 0 is 200 or 404.
func sequences() map[string]struct {
	agent option
	steps []step
} {
	meta := func(versions ...string) string {
		return `<?xml version="1.0" encoding="UTF-8"?><metadata><groupId>com.acme</groupId><artifactId>lib</artifactId>` +
			`<versioning><release>` + versions[len(versions)-1] +
			`</release><versions><version>` + strings.Join(
			versions, "</version><version>",
		) + `</version></versions><lastUpdated>20261121093001</lastUpdated></versioning></metadata>`
	}
	snapshotMeta := func(id string) string {
		return `<metadata modelVersion="1.1.0"><groupId>com.acme</groupId><artifactId>lib</artifactId><versioning>` +
			`<lastUpdated>20261121092957</lastUpdated><snapshot><timestamp>20261121.092957</timestamp>` +
			`<buildNumber>1</buildNumber></snapshot><snapshotVersions><snapshotVersion><extension>jar</extension><value>` +
			id +
			`</value><updated>20261121092957</updated></snapshotVersion></snapshotVersions></versioning>` +
			`<version>2.0-SNAPSHOT</version></metadata>`
	}
	pom := func(v string) string { return pomXML("com.acme", "lib", v) }
	all := []string{"sha1", "md5", "sha256", "sha512"}
	id := "2.0-20261121.092957-1"
	return map[string]struct {
		agent option
		steps []step
	}{
		"mvn release": {agentMaven, slices.Concat(
			withSums(lib+"1.0/lib-1.0.jar", "jar", "sha1", "md5"), withSums(lib+"1.0/lib-1.0.pom", pom("1.0"), "sha1", "md5"),
			withSums(lib+"1.0/lib-1.0-sources.jar", "sources", "sha1", "md5"),
			[]step{{"GET", lib + metadataFile, "", 0}}, withSums(lib+metadataFile, meta("1.0"), "sha1", "md5"),
		)},
		"mvn snapshot": {agentMaven, slices.Concat(
			[]step{{"GET", lib + "2.0-SNAPSHOT/" + metadataFile, "", 0}},
			withSums(lib+"2.0-SNAPSHOT/lib-"+id+".jar", "snapshot jar", "sha1", "md5"),
			withSums(lib+"2.0-SNAPSHOT/lib-"+id+".pom", pom("2.0-SNAPSHOT"), "sha1", "md5"),
			[]step{{"GET", lib + metadataFile, "", 0}},
			withSums(lib+"2.0-SNAPSHOT/"+metadataFile, snapshotMeta(id), "sha1", "md5"),
			withSums(lib+metadataFile, meta("2.0-SNAPSHOT"), "sha1", "md5"),
		)},
		"Gradle with module and signatures": {agentGradle, slices.Concat(
			withSums(lib+"1.1/lib-1.1.jar", "gradle jar", all...), withSums(lib+"1.1/lib-1.1.jar.asc", "asc", all...),
			withSums(lib+"1.1/lib-1.1.pom", pom("1.1"), all...),
			withSums(lib+"1.1/lib-1.1.module", `{"formatVersion":"1.1","variants":[]}`, all...),
			withSums(lib+"1.1/lib-1.1.module.asc", "asc", all...),
			[]step{{"GET", lib + metadataFile, "", 0}}, withSums(lib+metadataFile, meta("1.0", "1.1"), all...),
		)},
		"Maven 4 with build POM": {agentMaven, slices.Concat(
			withSums(lib+"1.2/lib-1.2.pom", pom("1.2"), "sha1"),
			withSums(lib+"1.2/lib-1.2-build.pom", "<project><modelVersion>4.1.0</modelVersion></project>", "sha1"),
			withSums(lib+"1.2/lib-1.2.jar", "4", "sha1"),
			withSums(lib+metadataFile, meta("1.2"), "sha1"),
		)},
		"Ivy": {agentIvy, slices.Concat(
			withSums(lib+"1.3/lib-1.3.jar", "ivy jar", "sha1", "md5"),
			withSums(lib+"1.3/lib-1.3.pom", pom("1.3"), "sha1", "md5"),
			withSums(lib+"1.3/ivy-1.3.xml", "<ivy-module/>", "sha1", "md5"),
		)},
		"sbt plugin": {agentIvy, slices.Concat(
			withSums("/com/acme/sbt-x_2.12_1.0/1.0/sbt-x-1.0.jar", "sbt jar", "sha1", "md5"),
			withSums("/com/acme/sbt-x_2.12_1.0/1.0/sbt-x-1.0.pom", pomXML("com.acme", "sbt-x", "1.0"), "sha1", "md5"),
			withSums("/com/acme/sbt-x_2.12_1.0/"+metadataFile, strings.Replace(meta("1.0"), ">lib<", ">sbt-x<", 1), "sha1"),
		)},
		"plus and plugin group": {agentMaven, slices.Concat(
			withSums(lib+"1.4+b1/lib-1.4+b1.jar", "plus", "sha1", "md5"),
			withSums(lib+"1.4+b1/lib-1.4+b1.pom", pom("1.4+b1"), "sha1", "md5"),
			withSums(lib+metadataFile, meta("1.4+b1"), "sha1"),
			[]step{{"GET", "/com/acme/" + metadataFile, "", 0}},
			withSums(
				"/com/acme/"+metadataFile,
				`<metadata><plugins><plugin><name>x</name><prefix>lib</prefix><artifactId>lib</artifactId></plugin></plugins>`+
					`</metadata>`,
				"sha1", "md5",
			),
		)},
	}
}

// TestDeploysOfEveryClientGoThroughTwice: what clients really send goes through, twice, and one changed byte of a
// release does not.
func TestDeploysOfEveryClientGoThroughTwice(t *testing.T) {
	g := newRig(t)
	for name, c := range sequences() {
		t.Run(name, func(t *testing.T) {
			g := g.in(t)
			for range 2 {
				g.replay(c.steps, c.agent)
			}
		})
	}
	g.clock.Advance(time.Minute)
	g.settle()
	g.wantVersions("com.acme:lib", "1.0", "1.1", "1.2", "1.3", "1.4+b1", "2.0-SNAPSHOT")
	g.wantVersions("com.acme:sbt-x_2.12_1.0", "1.0")
	g.Want(
		g.Ada("PUT", lib+"1.0/lib-1.0.jar", "jaR", agentMaven), 409,
		"Release com.acme:lib:1.0 is immutable: lib-1.0.jar is stored with sha1 "+sumsText("jar")["sha1"],
	)
	g.Want(g.Ada("PUT", lib+"1.3/ivy-1.3.xml", "other"), 409, "is immutable")
	g.Want(
		g.Ada("PUT", lib+"2.0-SNAPSHOT/lib-2.0-20261121.092957-1.jar", "other"), 409,
		"deploy again to get the next build number",
	)
	for _, path := range []string{
		lib + "1.0/lib-1.0.jar", lib + "2.0-SNAPSHOT/lib-2.0-SNAPSHOT.jar", "/com/acme/sbt-x_2.12_1.0/1.0/sbt-x-1.0.jar",
	} {
		g.Want(g.Do("GET", path, nil), 200, "jar")
	}
}

// TestFilesMayComeAllAtOnce: newer transports send five files at once, each with its checksums right behind it.
func TestFilesMayComeAllAtOnce(t *testing.T) {
	g := newRig(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			g.replay(withSums(fmt.Sprintf("%s1.0/lib-1.0-c%d.jar", lib, i), fmt.Sprint("file ", i), "sha1", "md5"), agentMaven)
		})
	}
	wg.Wait()
	g.deploy("com.acme:lib:1.0")
	g.wantVersions("com.acme:lib", "1.0")
	for i := range 20 {
		g.Want(g.Do("GET", fmt.Sprintf("%s1.0/lib-1.0-c%d.jar", lib, i), nil), 200, fmt.Sprint("file ", i))
	}
}

// TestOpenVersionIsServedAndNotListed: files can be fetched at once, and nothing lists their version before it is
// announced.
func TestOpenVersionIsServedAndNotListed(t *testing.T) {
	g := newRig(t)
	g.upload("com.acme:lib:1.0", usual("com.acme:lib:1.0"))
	a := g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "jar of")
	if a.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("an open version's file may be kept: %v", a)
	}
	g.wantVersions("com.acme:lib")
	g.Want(g.Do("GET", lib+metadataFile+".sha1", nil), 404, "metadata not found")
	if a := g.Do("GET", lib, nil); a.Status != 404 {
		t.Errorf("the directory lists it: %v", a)
	}
	if a := g.Want(g.Do("GET", "/solrsearch/select?q=lib", nil), 200, ""); !strings.Contains(a.Body, `"numFound":0`) {
		t.Errorf("search finds it: %v", a)
	}
	g.Want(g.announce("com.acme:lib:1.0"), 201, "")
	g.wantVersions("com.acme:lib", "1.0")
	g.Do("GET", lib+"1.0/lib-1.0.jar", nil).WantHeader(t, "Cache-Control", "public, max-age=31536000, immutable")
	// What is not there cannot be announced.
	g.Want(g.announce("com.acme:lib:9.9"), 201, "")
	g.wantVersions("com.acme:lib", "1.0")
}

// TestQuietVersionIsAnnounced: who never sends metadata has announced a version by being quiet; who always does
// has not.
func TestQuietVersionIsAnnounced(t *testing.T) {
	g := newRig(t)
	for _, v := range []string{"1.0", "1.1"} {
		agent := map[string]option{"1.0": agentIvy, "1.1": agentMaven}[v]
		g.upload("com.acme:lib:"+v, usual("com.acme:lib:"+v), agent)
	}
	g.Want(g.Ada("PUT", lib+"1.2/lib-1.2.pom", pomXML("com.acme", "lib", "1.2"), agentIvy), 201, "")
	g.clock.Advance(29 * time.Second)
	g.settle()
	g.wantVersions("com.acme:lib")
	g.clock.Advance(2 * time.Second)
	g.settle()
	g.wantVersions("com.acme:lib", "1.0")
	g.clock.Advance(time.Hour)
	g.settle()
	g.wantVersions("com.acme:lib", "1.0", "1.1")
	// 1.2 has no main file: it is kept for a while, and then given up.
	d := g.Want(g.Do("GET", lib, nil, wiretest.Header("Accept", "application/json")), 200, "").Object(t)
	if got := wiretest.JSON(wiretest.At(d, "artifact", "open")); !strings.Contains(got, `"name":"1.2"`) ||
		!strings.Contains(got, "its main file is missing") {
		t.Errorf("%s", got)
	}
	g.clock.Advance(13 * aDay)
	g.settle()
	g.Want(g.Do("GET", lib+"1.2/lib-1.2.pom", nil), 200, "")
	g.clock.Advance(aDay)
	g.settle()
	g.Want(g.Do("GET", lib+"1.2/lib-1.2.pom", nil), 404, "file not found")
	g.wantVersions("com.acme:lib", "1.0", "1.1")
}

// TestPostOfADirectoryAnnounces: a script need not wait.
func TestPostOfADirectoryAnnounces(t *testing.T) {
	g := newRig(t)
	g.upload("com.acme:lib:1.0", usual("com.acme:lib:1.0"), agentIvy)
	g.upload("com.acme:lib:1.1", usual("com.acme:lib:1.1"), agentIvy)
	g.Want(g.Ada("POST", lib+"1.0/", nil), 201, "")
	g.wantVersions("com.acme:lib", "1.0")
	g.Want(g.Ada("POST", lib, nil), 201, "")
	g.wantVersions("com.acme:lib", "1.0", "1.1")
	g.Want(g.Ada("POST", lib+"1.1/", nil), 201, "")
	g.Want(g.Ada("POST", lib+"9.9/", nil), 400, "")
	g.Want(g.Do("POST", lib, nil), 401, "")
}

// TestBrokenOffDeployCanBeDoneAgain: a deploy that broke off is done again, with the same bytes or, once nobody is
// at it, with others; what did not come again goes.
func TestBrokenOffDeployCanBeDoneAgain(t *testing.T) {
	g := newRig(t)
	first := contents{".jar": "first", ".pom": pomXML("com.acme", "lib", "1.0"), "-sources.jar": "first sources"}
	g.upload("com.acme:lib:1.0", first)
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", "second", agentMaven), 409, "is immutable")
	g.upload("com.acme:lib:1.0", first)
	g.clock.Advance(abandoned)
	second := contents{".jar": "second", ".pom": first[".pom"]}
	g.upload("com.acme:lib:1.0", second)
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", "third", agentMaven), 409, "is immutable")
	g.Want(g.announce("com.acme:lib:1.0"), 201, "")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "second")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.pom", nil), 200, "")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0-sources.jar", nil), 404, "")
	// Announced, it is final.
	g.clock.Advance(abandoned)
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", "third", agentMaven), 409, "is immutable")
	// A file of its own may come later.
	g.put(lib+"1.0/lib-1.0-javadoc.jar", "docs")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0-javadoc.jar.sha1", nil), 200, sumsText("docs")["sha1"])
}

// TestVersionIsNotTakenOverDuringAnUpload: nobody may take over a version while a file of it is on its way.
func TestVersionIsNotTakenOverDuringAnUpload(t *testing.T) {
	g := newRig(t)
	g.put(lib+"1.0/lib-1.0.pom", "first")
	slow, release := io.Pipe()
	done := make(chan answer)
	go func() { done <- g.Ada("PUT", lib+"1.0/lib-1.0.jar", io.Reader(slow), agentMaven) }()
	if _, err := release.Write([]byte("half ")); err != nil {
		t.Fatal(err)
	}
	g.clock.Advance(2 * abandoned)
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.pom", "second", agentMaven), 409, "")
	if _, err := release.Write([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	if err := release.Close(); err != nil {
		t.Fatal(err)
	}
	g.Want(<-done, 201, "")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "half whole")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.pom", nil), 200, "first")
}

// TestFirstSignatureStays: signing again gives other bytes; beside a file that has not changed the first signature
// stays.
func TestFirstSignatureStays(t *testing.T) {
	g := newRig(t)
	signed := func(p string) string {
		return "-----BEGIN PGP SIGNATURE-----\n\n" + p + "\n=abcd\n-----END PGP SIGNATURE-----\n"
	}
	g.deploy("com.acme:lib:1.0", contents{".jar.asc": signed("whQEAAEIAAoJEAECAwQFBgcIAACrzQ==")})
	before := g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar.asc", nil), 200, "").Body
	other := signed("whQEAAEIAAoJEAgHBgUEAwIBAACrzQ==")
	for _, agent := range []option{agentMaven, agentGradle} {
		g.replay(withSums(lib+"1.0/lib-1.0.jar.asc", other, "md5", "sha1", "sha256", "sha512"), agent)
	}
	if after := g.Do("GET", lib+"1.0/lib-1.0.jar.asc", nil).Body; after != before {
		t.Error("the signature was replaced")
	}
	g.put(lib+"1.0/lib-1.0.pom.sigstore.json", "{}")
	d := g.Want(g.Do("GET", lib+"1.0/", nil, wiretest.Header("Accept", "application/json")), 200, "").Object(t)
	key := wiretest.At(d, "version", "signed", "lib-1.0.jar.asc", "key")
	wiretest.Equal[any](t, "the key of lib-1.0.jar.asc", key, "0102030405060708")
}

// TestWrongChecksumTakesItsFileOut: a checksum that does not match is refused, takes its file out, and keeps its
// version from being announced.
func TestWrongChecksumTakesItsFileOut(t *testing.T) {
	g := newRig(t)
	files := usual("com.acme:lib:1.0")
	g.put(lib+"1.0/lib-1.0.pom", files[".pom"])
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", files[".jar"], agentMaven), 201, "")
	g.Want(
		g.Ada("PUT", lib+"1.0/lib-1.0.jar.sha1", strings.Repeat("0", 40), agentMaven), 409,
		"does not match its checksum: its sha1 is "+sumsText(files[".jar"])["sha1"]+", announced was 0000",
	)
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 404, "")
	g.Want(g.announce("com.acme:lib:1.0"), 409, "com.acme:lib:1.0 cannot be announced: deploy lib-1.0.jar again.")
	g.wantVersions("com.acme:lib")
	d := g.Want(g.Do("GET", lib, nil, wiretest.Header("Accept", "application/json")), 200, "").Object(t)
	if got := wiretest.JSON(wiretest.At(d, "artifact", "open")); !strings.Contains(got, `"state":"broken"`) {
		t.Errorf("%s", got)
	}
	g.upload("com.acme:lib:1.0", files)
	g.Want(g.announce("com.acme:lib:1.0"), 201, "")
	g.wantVersions("com.acme:lib", "1.0")
	// What is announced was right once: a wrong checksum is refused and takes nothing out.
	for alg, sum := range map[string]string{
		"md5": strings.Repeat("1", 32), "sha256": strings.Repeat("2", 64), "sha512": strings.Repeat("3", 128),
	} {
		g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar."+alg, sum, agentMaven), 409, alg)
	}
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "")
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar.md5", "no checksum", agentMaven), 400, "This is not a md5 checksum")
}

// TestChecksumMayComeBeforeItsFile: a checksum that came before its file is compared with it, and then the file
// itself is refused.
func TestChecksumMayComeBeforeItsFile(t *testing.T) {
	g := newRig(t)
	for alg, sum := range sumsText("jar") {
		g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar."+alg, sum), 201, "")
		g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar."+alg, nil), 404, "")
	}
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", "damaged"), 409, "does not match its checksum")
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", "jar"), 201, "")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar.sha512", nil), 200, sumsText("jar")["sha512"])
	g.Want(g.Ada("POST", lib, nil), 201, "")
}

// TestRefusedPublisherHarmsNoOther: two processes of one user put different bytes at one path; the one that is
// refused must not, by the checksums it still sends, take the other's file out.
func TestRefusedPublisherHarmsNoOther(t *testing.T) {
	g := newRig(t)
	path := lib + "2.0-SNAPSHOT/lib-2.0-20261121.095805-1.jar"
	g.Want(g.Ada("PUT", path, "one", agentMaven), 201, "")
	g.Want(g.Ada("PUT", path, "two", agentMaven), 409, "exists already")
	g.Want(g.Ada("PUT", path+".sha1", sumsText("two")["sha1"], agentMaven), 409, "refused")
	g.Want(g.Ada("PUT", path+".sha1", sumsText("one")["sha1"], agentMaven), 201, "")
	g.Want(g.Do("GET", path, nil), 200, "one")
	// Another user cannot either.
	g.User("bob", nil)
	g.Want(g.Do("PUT", path+".md5", strings.Repeat("0", 32), g.As("bob")), 409, "")
	g.Want(g.Do("GET", path, nil), 200, "one")
}

// TestRepositoryOfOneKindRefusesTheOther: a repository of one kind refuses the other with a 400.
func TestRepositoryOfOneKindRefusesTheOther(t *testing.T) {
	releases := newRig(t, withMaven(func(o *Options) { o.Versions = ReleasesOnly }))
	releases.deploy("com.acme:lib:1.0")
	releases.Want(releases.Ada("PUT", lib+"2-SNAPSHOT/lib-2-SNAPSHOT.jar", "x"), 400, "takes releases only")
	releases.Want(releases.Do("GET", lib+"2-SNAPSHOT/lib-2-SNAPSHOT.jar", nil), 404, "")
	snapshots := newRig(t, withMaven(func(o *Options) { o.Versions = SnapshotsOnly }))
	snapshots.Want(snapshots.Ada("PUT", lib+"1.0/lib-1.0.jar", "x"), 400, "takes snapshots only")
	snapshots.build("com.acme:lib:2-SNAPSHOT", "20261121.093001-1", contents{".jar": "x"})
}

// TestRedeployReplacesFilesOfReleases: where the operator allows it, whoever may write replaces files, and nothing
// says they are final.
func TestRedeployReplacesFilesOfReleases(t *testing.T) {
	g := newRig(t, withMaven(func(o *Options) { o.Redeploy = true }))
	g.deploy("com.acme:lib:1.0")
	g.Scoped("creator", "ada", "maven:artifact:*:read,create")
	g.Want(g.Do("PUT", lib+"1.0/lib-1.0.jar", "new", g.As("creator")), 403, "")
	first := g.Do("GET", lib+"1.0/lib-1.0.jar", nil).Header
	g.clock.Advance(time.Minute)
	g.put(lib+"1.0/lib-1.0.jar", "new")
	a := g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "new")
	a.WantHeader(t, "Cache-Control", "no-cache")
	if at := a.Header.Get("Last-Modified"); at == first.Get("Last-Modified") {
		t.Errorf("a file that was replaced has still the time %s", at)
	}
	tail, err := g.Store.JournalTail(context.Background(), 2)
	if err != nil || !slices.ContainsFunc(tail, func(e store.Entry) bool {
		return strings.Contains(e.Note, "lib-1.0.jar") && strings.Count(e.Note, "sha256:") == 2
	}) {
		t.Errorf("the journal has no old and new digest: %+v %v", tail, err)
	}
}

// TestPlainSnapshotFilesMayChange: files with the plain name may change, without metadata of a snapshot.
func TestPlainSnapshotFilesMayChange(t *testing.T) {
	g := newRig(t)
	for _, body := range []string{"one", "two"} {
		g.put(lib+"2-SNAPSHOT/lib-2-SNAPSHOT.jar", body)
		g.Want(g.announce("com.acme:lib:2-SNAPSHOT"), 201, "")
		g.Want(g.Do("GET", lib+"2-SNAPSHOT/lib-2-SNAPSHOT.jar", nil), 200, body)
		g.Want(g.Do("GET", lib+"2-SNAPSHOT/lib-2-SNAPSHOT.jar.sha1", nil), 200, sumsText(body)["sha1"])
	}
	g.Want(g.Do("GET", lib+"2-SNAPSHOT/"+metadataFile, nil), 404, "")
	g.wantVersions("com.acme:lib", "2-SNAPSHOT")
	g.Scoped("creator", "ada", "maven:artifact:*:read,create")
	g.Want(g.Do("PUT", lib+"2-SNAPSHOT/lib-2-SNAPSHOT.jar", "three", g.As("creator")), 403, "")
}

// TestOddPOMsAreKeptOrRefused: odd POMs are kept with a warning, or refused where the operator wants that.
func TestOddPOMsAreKeptOrRefused(t *testing.T) {
	g := newRig(t)
	strict := newRig(t, withMaven(func(o *Options) { o.StrictPOMs = true }))
	for body, want := range map[string]string{pomXML("com.other", "lib", "1.0"): "groupId", "rubbish": "cannot be read"} {
		version := fmt.Sprint(len(body))
		g.put(lib+version+"/lib-"+version+".pom", body)
		d := g.Want(g.Do("GET", lib+version+"/", nil, wiretest.Header("Accept", "application/json")), 200, "").Object(t)
		if got := wiretest.JSON(wiretest.At(d, "version", "warnings")); !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
		strict.Want(strict.Ada("PUT", lib+version+"/lib-"+version+".pom", body), 400, want)
	}
	strict.deploy("com.acme:lib:1.0")
}

// TestUploadsBeyondLimitsAreRefused: bodies beyond the limits, names beyond the rules, parts and encodings of files.
func TestUploadsBeyondLimitsAreRefused(t *testing.T) {
	g := newRig(t, withMaven(func(o *Options) { o.MaxFile = 1000 }))
	big := strings.Repeat("x", 1001)
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", big), 413, "larger than 1000 bytes")
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", io.Reader(strings.NewReader(big))), 413, "larger than 1000 bytes")
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar.sha1", strings.Repeat("0", maxSum+1)), 413, "")
	g.Want(g.Ada("PUT", lib+metadataFile, strings.Repeat("0", maxMetadata+1)), 413, "")
	g.Want(g.Ada("PUT", lib+metadataFile, "<html>"), 400, "This is not Maven metadata.")
	for path, text := range map[string]string{
		"/com/acme/li%20b/1.0/x.jar": "has a character other than", "/com/acme/lib/(1)/x.jar": "has a character other than",
		"/com/acme/lib/1.0/a%20b.jar":                  "has a space",
		"/com/acme/lib/1.0/%3Cx%3E.jar":                "has a space or one of",
		lib + "2-SNAPSHOT/lib-2-20269999.999999-1.jar": "is not a time",
		"/com/acme/lib/%C3%BC/x.jar":                   "has a character other than",
	} {
		g.Want(g.Ada("PUT", path, "x"), 400, text)
	}
	g.Want(
		g.Ada("PUT", lib+"1.0/lib-1.0.jar", "x", wiretest.Header("Content-Range", "bytes 0-0/2")), 400, "A part of a file",
	)
	g.Want(g.Ada("PUT", lib+"1.0/lib-1.0.jar", "x", wiretest.Header("Content-Encoding", "gzip")), 415, "")
	quota := newRig(t, withPolicies(store.NewRules(store.RulesConfig{
		Quotas: []store.Quota{{Kind: store.Maven, Bytes: 100}},
	})))
	quota.Want(quota.Ada("PUT", lib+"1.0/lib-1.0.jar", big), 413, "quota")
	anyScript := newRig(t, withMaven(func(o *Options) { o.AnyScript = true }))
	anyScript.deploy("com.acme:lib:ü1")
	anyScript.wantVersions("com.acme:lib", "ü1")
}

// TestTruncatedBodyLeavesNothing: a body that ends early leaves nothing.
func TestTruncatedBodyLeavesNothing(t *testing.T) {
	g := newRig(t)
	r, err := http.NewRequest("PUT", g.Base+lib+"1.0/lib-1.0.jar", io.MultiReader(strings.NewReader("half"), failing{}))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 100
	g.As("ada")(r)
	if resp, err := g.Srv.Client().Do(r); err == nil {
		resp.Body.Close()
		t.Errorf("%s", resp.Status)
	}
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 404, "")
	g.deploy("com.acme:lib:1.0")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the client breaks") }

// TestImmutableRuleForbidsRedeploy: operators' rules hold beside our own.
func TestImmutableRuleForbidsRedeploy(t *testing.T) {
	g := newRig(t, withPolicies(store.NewRules(store.RulesConfig{
		Immutable: []store.Immutable{{Kind: store.Maven, Package: "com.acme:lib"}},
		Protected: []store.Protected{{Kind: store.Maven, Package: "com.vip:*", Users: []string{"root"}}},
	})))
	g.deploy("com.acme:lib:1.0")
	g.Want(g.Ada("DELETE", lib+"1.0/", nil), 409, "cannot be changed")
	g.Want(g.Ada("DELETE", lib+"1.0/lib-1.0.jar", nil), 409, "cannot be changed")
	g.Want(g.Ada("PUT", "/com/vip/lib/1.0/lib-1.0.jar", "x"), 403, "protected")
}

// TestPublishFaults: at each durable step "failed" and "failed, but persisted"; a second try always ends well.
func TestPublishFaults(t *testing.T) {
	steps := slices.DeleteFunc(
		sequences()["mvn release"].steps,
		func(s step) bool { return strings.Contains(s.path, "sources") || strings.HasSuffix(s.path, "md5") },
	)
	publish := func(t *testing.T, s *store.Store) error {
		g := serve(t, s)
		for _, step := range steps {
			if step.method == "GET" {
				continue
			}
			if a := g.Do(
				step.method, step.path, step.body, wiretest.Basic("ada", "secret"), agentMaven,
			); a.Status != step.status {
				return errors.New(a.String())
			}
		}
		return nil
	}
	prepare := func(t *testing.T, s *store.Store) { serve(t, s).User("ada", nil) }
	storetest.BrokenAt(t, prepare, publish, func(t *testing.T, dir string, err error) {
		g := serve(t, storetest.Open(t, dir))
		g.checkRows()
		if there := g.versions("com.acme:lib"); err == nil && len(there) != 1 {
			t.Errorf("a deploy that was confirmed is lost: %q", there)
		}
		if err := publish(t, g.Store); err != nil {
			t.Errorf("the second try: %v", err)
		}
		g.wantVersions("com.acme:lib", "1.0")
		for _, suffix := range []string{".jar", ".pom"} {
			g.Want(g.Do("GET", lib+"1.0/lib-1.0"+suffix, nil), 200, "")
		}
		g.checkRows()
	})
}

// TestPublishCost: what deploying a build allocates does not depend on how many there are.
func TestPublishCost(t *testing.T) {
	g := newRig(t)
	fillSnapshot(t, g.s, "com.acme:small", 10)
	fillSnapshot(t, g.s, "com.acme:large", 1000)
	i := 0
	cost := func(name string) float64 {
		_, artifact := names.SplitName(name)
		return testing.AllocsPerRun(10, func() {
			i++
			g.build("com.acme:"+artifact+":1-SNAPSHOT", fmt.Sprintf("20261121.093001-%d", 5000+i), contents{
				".jar": fmt.Sprint("jar ", i), ".pom": pomXML("com.acme", artifact, "1-SNAPSHOT"),
			})
		})
	}
	cost("com.acme:small")
	if small, large := cost("com.acme:small"), cost("com.acme:large"); large > 1.2*small {
		t.Errorf("%.0f allocations with 10 builds, %.0f with 1000", small, large)
	}
}

// fillSnapshot writes n builds of 1-SNAPSHOT without their files' way through HTTP.
func fillSnapshot(t testing.TB, s *server, name string, n int) {
	t.Helper()
	_, artifact := names.SplitName(name)
	blob := storetest.Put(t, s.Store, "a jar of "+name)
	for from := 0; from < n; from += 100 {
		err := s.Repo.Update(context.Background(), name, func(p *store.PackageTx[Meta]) error {
			for i := from; i < min(n, from+100); i++ {
				if err := s.claim(p); err != nil {
					return err
				}
				v := store.Version[Meta]{ID: fmt.Sprintf("1-20260101.000000-%d", i+1), Meta: Meta{Base: "1-SNAPSHOT", Open: true}}
				for _, ext := range []string{"jar", "pom"} {
					v.Files = append(v.Files, store.File{
						Name: names.FileKey("1-SNAPSHOT", names.File{Version: v.ID, Ext: ext}.Join(artifact)), Digest: blob.Digest,
						Sums: sumsText("a jar of " + name),
					})
				}
				for _, f := range v.Files {
					if err := indexSHA1(p, f, f.Name, true); err != nil {
						return err
					}
				}
				if err := p.Publish(v); err != nil {
					return err
				}
				if err := s.list(p, v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
