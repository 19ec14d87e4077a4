package maven

// Versions are announced: metadata, snapshots, retention, and deploys that are killed or run at once.

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/maven/names"
	"larder/store"
	"larder/store/storetest"
)

// client is a deployer with a connection and a name of its own. (Go's client gives a connection up when the machine is
// so busy that it does not learn of the end of its own writing in time; then the name has to do.)
type client struct {
	g     *rig
	agent option
	http  *http.Client
}

func (g *rig) client() *client {
	agent := wiretest.Header("User-Agent", fmt.Sprintf("Apache-Maven/3.8.7 (Java 17; %d)", rand.Int64()))
	return &client{
		g, agent,
		&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, MaxConnsPerHost: 1, DisableCompression: true}},
	}
}

func (c *client) do(method, path, body string) (int, string, error) {
	r, err := http.NewRequest(method, c.g.Base+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	c.g.As("ada")(r)
	c.agent(r)
	resp, err := c.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// deploy is what mvn does, with a pause between reading the metadata and writing it back.
func (c *client) deploy(artifact, version string, pause time.Duration) error {
	dir := "/com/acme/" + artifact + "/"
	put := func(path, body string) error {
		for _, s := range withSums(path, body, "sha1", "md5") {
			if status, text, err := c.do("PUT", s.path, s.body); err != nil || status != 201 {
				return fmt.Errorf("PUT %s: %d %s %w", s.path, status, text, err)
			}
		}
		return nil
	}
	file := dir + version + "/" + artifact + "-" + version
	if err := put(file+".jar", "jar "+version); err != nil {
		return err
	}
	if err := put(file+".pom", pomXML("com.acme", artifact, version)); err != nil {
		return err
	}
	status, text, err := c.do("GET", dir+metadataFile, "")
	if err != nil || status != 200 && status != 404 {
		return fmt.Errorf("GET metadata: %d %s %w", status, text, err)
	}
	var versions []string
	if status == 200 {
		versions = c.g.metadata(text).Versions
	}
	time.Sleep(pause)
	doc := "<metadata><groupId>com.acme</groupId><artifactId>" + artifact + "</artifactId><versioning><versions>"
	for _, v := range append(versions, version) {
		doc += "<version>" + v + "</version>"
	}
	return put(dir+metadataFile, doc+"</versions></versioning></metadata>")
}

// TestParallelDeploysLoseNoVersion: two deployers of different versions, fifty rounds, and readers that compare
// each document with its checksum: nothing is ever missing, and nothing ever disagrees.
func TestParallelDeploysLoseNoVersion(t *testing.T) {
	g := newRig(t)
	const rounds, deployers, readers = 50, 2, 2
	var wg, reading sync.WaitGroup
	stop := make(chan struct{})
	checked := make([]int, readers)
	for i := range readers {
		reading.Go(func() {
			c := g.client()
			for {
				select {
				case <-stop:
					return
				default:
				}
				status, text, err := c.do("GET", lib+metadataFile, "")
				if err != nil || status == 404 {
					continue
				}
				if status != 200 {
					t.Errorf("%d %s", status, text)
					return
				}
				for _, alg := range []string{"sha1", "md5", "sha256", "sha512"} {
					if _, sum, err := c.do("GET", lib+metadataFile+"."+alg, ""); err != nil || sum != sumsText(text)[alg] {
						t.Errorf("the %s of the document is %s, sent was %s %v", alg, sumsText(text)[alg], sum, err)
						return
					}
				}
				checked[i]++
			}
		})
	}
	for d := range deployers {
		wg.Go(func() {
			c := g.client()
			for round := range rounds {
				if err := c.deploy("lib", fmt.Sprintf("%d.%d", round, d), 2*time.Millisecond); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	reading.Wait()
	if got := g.versions("com.acme:lib"); len(got) != rounds*deployers {
		t.Errorf("%d of %d versions: %q", len(got), rounds*deployers, got)
	}
	t.Logf("%d documents compared with their checksums", checked[0]+checked[1])
}

// TestChecksumIsOfTheDocumentTheClientGot: the checksum is that of the document this client got, also when a
// deploy came between, on the same connection or, for a client that opens another, on the next one; and soon after,
// that of the present one.
func TestChecksumIsOfTheDocumentTheClientGot(t *testing.T) {
	g := newRig(t)
	g.deploy("com.acme:lib:0.1")
	for i := range 200 {
		c := g.client()
		_, text, err := c.do("GET", lib+metadataFile, "")
		if err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			g.deploy(fmt.Sprintf("com.acme:lib:1.%d", i))
		}
		if i%3 == 0 {
			c.http.CloseIdleConnections()
		}
		if _, sum, err := c.do("GET", lib+metadataFile+".sha1", ""); err != nil || sum != sumsText(text)["sha1"] {
			t.Fatalf("round %d: sha1 %s of %s %v", i, sum, text, err)
		}
	}
}

// TestMetadataListsVersionsInOrder: order, release and latest, and a time that grows with every change.
func TestMetadataListsVersionsInOrder(t *testing.T) {
	g := newRig(t)
	var last string
	check := func(latest, release string, versions ...string) {
		t.Helper()
		d := g.metadata(g.Want(g.Do("GET", lib+metadataFile, nil), 200, "").Body)
		if d.Latest != latest || d.Release != release || !slices.Equal(d.Versions, versions) || d.Group != "com.acme" ||
			d.Artifact != "lib" || d.Updated <= last {
			t.Errorf("%+v, want %s, %s, %q and a time after %s", d, latest, release, versions, last)
		}
		last = d.Updated
	}
	g.deploy("com.acme:lib:1.10")
	check("1.10", "1.10", "1.10")
	// A fix of an old line is neither latest nor release.
	g.deploy("com.acme:lib:1.9.1")
	check("1.10", "1.10", "1.9.1", "1.10")
	g.build("com.acme:lib:2.0-SNAPSHOT", "20261121.093001-1", contents{".jar": "s", ".pom": "p"})
	check("2.0-SNAPSHOT", "1.10", "1.9.1", "1.10", "2.0-SNAPSHOT")
	g.deploy("com.acme:lib:2.0-rc1")
	check("2.0-SNAPSHOT", "2.0-rc1", "1.9.1", "1.10", "2.0-rc1", "2.0-SNAPSHOT")
	// Deletions are in the document at once, the last one takes it away.
	g.Want(g.Ada("DELETE", lib+"2.0-SNAPSHOT/", nil), 204, "")
	check("2.0-rc1", "2.0-rc1", "1.9.1", "1.10", "2.0-rc1")
	g.Want(g.Ada("DELETE", lib+"2.0-rc1", nil), 204, "")
	check("1.10", "1.10", "1.9.1", "1.10")
	g.Want(g.Ada("DELETE", lib+"1.10/lib-1.10.pom", nil), 204, "")
	g.Want(g.Ada("DELETE", lib+"1.10/lib-1.10.jar.sha1", nil), 204, "")
	g.Want(g.Ada("DELETE", lib+"1.10/lib-1.10.jar", nil), 204, "")
	check("1.9.1", "1.9.1", "1.9.1")
	g.Want(g.Ada("DELETE", lib, nil), 204, "")
	g.Want(g.Do("GET", lib+metadataFile, nil), 404, "metadata not found")
	g.Want(g.Ada("DELETE", lib, nil), 404, "directory not found")
	g.Want(g.Ada("DELETE", "/com/acme/", nil), 404, "directory not found")
	// A version that was deleted may come again, and the time goes on.
	g.clock.Advance(time.Minute)
	g.deploy("com.acme:lib:1.10")
	check("1.10", "1.10", "1.10")
}

// TestSnapshotMetadataNamesTheNewestFiles: each kind of file has its newest build, plain names stand for it, older
// builds stay.
func TestSnapshotMetadataNamesTheNewestFiles(t *testing.T) {
	g := newRig(t)
	dir := lib + "2.0-SNAPSHOT/"
	lines := func() string {
		d := g.metadata(g.Want(g.Do("GET", dir+metadataFile, nil), 200, "").Body)
		out := d.Version + " " + d.Stamp + "-" + d.Number
		for _, f := range d.Files {
			out += " " + f.Classifier + ":" + f.Extension + "=" + strings.TrimPrefix(f.Value, "2.0-20261121.")
		}
		return out
	}
	g.Want(g.Do("GET", dir+metadataFile, nil), 404, "")
	g.build("com.acme:lib:2.0-SNAPSHOT", "20261121.093001-1", contents{
		".jar": "jar 1", ".pom": "pom 1", "-sources.jar": "sources 1", ".jar.asc": "asc 1",
	})
	g.build("com.acme:lib:2.0-SNAPSHOT", "20261121.093002-2", contents{".jar": "jar 2", ".pom": "pom 2"})
	want := "2.0-SNAPSHOT 20261121.093002-2 :jar=093002-2 :jar.asc=093001-1 :pom=093002-2 sources:jar=093001-1"
	if got := lines(); got != want {
		t.Errorf("%s\n%s", got, want)
	}
	for file, body := range map[string]string{
		"lib-2.0-SNAPSHOT.jar": "jar 2", "lib-2.0-SNAPSHOT.pom": "pom 2", "lib-2.0-SNAPSHOT-sources.jar": "sources 1",
		"lib-2.0-SNAPSHOT.jar.asc":      "asc 1",
		"lib-2.0-20261121.093001-1.jar": "jar 1", "lib-2.0-20261121.093002-2.jar": "jar 2",
	} {
		a := g.Want(g.Do("GET", dir+file, nil), 200, "")
		if a.Body != body {
			t.Errorf("%s: %q, want %q", file, a.Body, body)
		}
		if plain := strings.Contains(file, "SNAPSHOT"); plain == (a.Header.Get("Cache-Control") != "no-cache") {
			t.Errorf("%s: %v", file, a.Header)
		}
		g.Want(g.Do("GET", dir+file+".sha1", nil), 200, sumsText(body)["sha1"])
	}
	// A build that is only uploaded is not named; a plain name stands for an announced one.
	g.uploadBuild("com.acme:lib:2.0-SNAPSHOT", "20261121.093003-3", contents{".jar": "jar 3"})
	if got := lines(); got != want {
		t.Errorf("an open build is named: %s", got)
	}
	g.Want(g.Do("GET", dir+"lib-2.0-SNAPSHOT.jar", nil), 200, "jar 2")
	// A file that comes after the announcement is named at once.
	g.put(dir+"lib-2.0-20261121.093002-2-tests.jar", "tests 2")
	g.Want(g.Do("GET", dir+"lib-2.0-SNAPSHOT-tests.jar", nil), 200, "tests 2")
	// Without the newest build, or a file of it, the one before is.
	g.Want(g.Ada("DELETE", dir+"lib-2.0-20261121.093002-2.jar", nil), 204, "")
	g.Want(g.Do("GET", dir+"lib-2.0-SNAPSHOT.jar", nil), 200, "jar 1")
	for _, suffix := range []string{".pom", "-tests.jar"} {
		g.Want(g.Ada("DELETE", dir+"lib-2.0-20261121.093002-2"+suffix, nil), 204, "")
	}
	if got, want := lines(),
		"2.0-SNAPSHOT 20261121.093001-1 :jar=093001-1 :jar.asc=093001-1 :pom=093001-1 sources:jar=093001-1"; got != want {
		t.Errorf("%s\n%s", got, want)
	}
	g.Want(g.Do("GET", dir+"lib-2.0-SNAPSHOT-tests.jar", nil), 404, "")
}

// TestOldBuildsOfSnapshotsGo: of the builds some stay, the young ones stay, and those that are named stay.
func TestOldBuildsOfSnapshotsGo(t *testing.T) {
	g := newRig(t, withMaven(func(o *Options) { o.SnapshotBuilds, o.SnapshotAge = 2, aDay }))
	dir := lib + "1-SNAPSHOT/"
	there := func(want ...int) {
		t.Helper()
		var got []int
		for i := range 12 {
			if g.Do("GET", fmt.Sprintf("%slib-1-20261121.09%02d00-%d.jar", dir, i, i), nil).Status == 200 {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("builds %v, want %v", got, want)
		}
	}
	for i := range 6 {
		files := contents{".jar": fmt.Sprint("jar ", i)}
		if i == 1 {
			files["-linux.zip"] = "only in this build"
		}
		g.build("com.acme:lib:1-SNAPSHOT", fmt.Sprintf("20261121.09%02d00-%d", i, i), files)
		g.clock.Advance(time.Hour)
	}
	there(0, 1, 2, 3, 4, 5)
	g.clock.Advance(20 * time.Hour)
	g.settle()
	// 0 is a day old, 1 is named for its zip, 2 is a day old, 3 not yet.
	there(1, 3, 4, 5)
	g.clock.Advance(10 * time.Hour)
	g.settle()
	there(1, 4, 5)
	g.build("com.acme:lib:1-SNAPSHOT", "20261121.090600-6", contents{".jar": "jar 6"})
	there(1, 5, 6)
	g.Want(g.Do("GET", dir+"lib-1-SNAPSHOT-linux.zip", nil), 200, "only in this build")
	// Sweep: the bytes of the others are free.
	g.clock.Advance(10 * aDay)
	if r, err := g.Store.Sweep(t.Context(), store.SweepOptions{}); err != nil || r.Blobs == 0 {
		t.Errorf("sweeping frees %+v, %v; want the bytes of the builds that went", r, err)
	}
}

// TestSnapshotGoesAfterItsRelease: a snapshot whose release is out serves its time and goes, if the operator wants
// that.
func TestSnapshotGoesAfterItsRelease(t *testing.T) {
	g := newRig(t, withMaven(func(o *Options) { o.DropReleased = aDay }))
	for _, v := range []string{"1", "2"} {
		g.build("com.acme:lib:"+v+"-SNAPSHOT", "20261121.093001-1", contents{".jar": "jar"})
		g.put(lib+v+"-SNAPSHOT/lib-"+v+"-SNAPSHOT.zip", "plain")
		g.Want(g.announce("com.acme:lib:"+v+"-SNAPSHOT"), 201, "")
		g.deploy("com.acme:lib:" + v)
	}
	g.clock.Advance(23 * time.Hour)
	g.settle()
	g.wantVersions("com.acme:lib", "1-SNAPSHOT", "1", "2-SNAPSHOT", "2")
	// A release that was withdrawn keeps its snapshot.
	g.Want(g.Ada("DELETE", lib+"2/", nil), 204, "")
	g.clock.Advance(2 * time.Hour)
	g.settle()
	g.wantVersions("com.acme:lib", "1", "2-SNAPSHOT")
}

// TestPluginPrefixesComeFromJars: prefixes come from the jars, and only for the group they are in.
func TestPluginPrefixesComeFromJars(t *testing.T) {
	g := newRig(t)
	g.Want(g.Do("GET", "/com/acme/"+metadataFile, nil), 404, "")
	plugin := contents{".jar": jar(map[string]string{"META-INF/maven/plugin.xml": pluginXML})}
	g.upload("com.acme:hello-maven-plugin:1.0", plugin)
	g.Want(g.Do("GET", "/com/acme/"+metadataFile, nil), 404, "")
	g.deploy("com.acme:hello-maven-plugin:1.0", plugin)
	d := g.metadata(g.Want(g.Do("GET", "/com/acme/"+metadataFile, nil), 200, "").Body)
	wiretest.EqualList(t, "the plugins of com.acme", d.plugins(), "hello-maven-plugin")
	wiretest.Equal(t, "the plugin's prefix", d.Plugins[0].Prefix, "hello")
	wiretest.Equal(t, "the plugin's name", d.Plugins[0].Name, "Hello Plugin")
	wiretest.EqualList(t, "the versions of a group", d.Versions)
	// com/acme is also the artifact acme of the group com: one document has both.
	g.deploy("com:acme:3")
	d = g.metadata(g.Do("GET", "/com/acme/"+metadataFile, nil).Body)
	wiretest.EqualList(t, "the plugins of com.acme", d.plugins(), "hello-maven-plugin")
	wiretest.EqualList(t, "the versions of com:acme", d.Versions, "3")
	wiretest.Equal(t, "the coordinates of com:acme", d.Group+":"+d.Artifact, "com:acme")
	// Another name for the plugin is in the document at once.
	renamed := contents{".jar": jar(map[string]string{
		"META-INF/maven/plugin.xml": strings.Replace(pluginXML, ">hello<", ">hi<", 1),
	})}
	g.deploy("com.acme:hello-maven-plugin:1.1", renamed)
	d = g.metadata(g.Do("GET", "/com/acme/"+metadataFile, nil).Body)
	wiretest.Equal(t, "the prefix of a plugin that was renamed", d.Plugins[0].Prefix, "hi")
	// Deleting the artifact com:acme leaves the group's plugins, deleting the plugin takes its prefix along.
	g.Want(g.Ada("DELETE", "/com/acme/3/", nil), 204, "")
	d = g.metadata(g.Do("GET", "/com/acme/"+metadataFile, nil).Body)
	wiretest.EqualList(t, "the plugins after com:acme went", d.plugins(), "hello-maven-plugin")
	wiretest.EqualList(t, "the versions after com:acme went", d.Versions)
	g.Want(g.Ada("DELETE", "/com/acme/hello-maven-plugin/", nil), 204, "")
	g.Want(g.Do("GET", "/com/acme/"+metadataFile, nil), 404, "")
}

// TestPluginClaimsNoPrefixOfAnother: a jar that claims a prefix in another group, or another artifact's, gets none.
func TestPluginClaimsNoPrefixOfAnother(t *testing.T) {
	g := newRig(t)
	evil := contents{".jar": jar(map[string]string{
		"META-INF/maven/plugin.xml": strings.Replace(pluginXML, ">com.acme<", ">org.apache.maven.plugins<", 1),
	})}
	g.deploy("com.acme:hello-maven-plugin:1.0", evil)
	g.deploy("com.evil:hello-maven-plugin:1.0", contents{
		".jar": jar(map[string]string{"META-INF/maven/plugin.xml": pluginXML}),
	})
	for _, path := range []string{"/com/acme/", "/com/evil/", "/org/apache/maven/plugins/"} {
		g.Want(g.Do("GET", path+metadataFile, nil), 404, "")
	}
	// And a client's document claims nothing at all.
	g.put(
		"/org/apache/maven/plugins/"+metadataFile,
		`<metadata><plugins><plugin><name>x</name><prefix>deploy</prefix><artifactId>evil-maven-plugin</artifactId>`+
			`</plugin></plugins></metadata>`,
	)
	g.Want(g.Do("GET", "/org/apache/maven/plugins/"+metadataFile, nil), 404, "")
}

// TestModuleIsComparedWithItsFiles: Gradle's metadata is compared with the files it speaks of.
func TestModuleIsComparedWithItsFiles(t *testing.T) {
	g := newRig(t)
	module := func(sum string) string {
		return `{"formatVersion":"1.1","variants":[{"name":"api","files":[{"url":"lib-1.0.jar","sha1":"` + sum +
			`"},{"url":"elsewhere.jar","sha1":"00"}]}]}`
	}
	for version, sum := range map[string]string{"1.0": sumsText("jar")["sha1"], "1.1": sumsText("other")["sha1"]} {
		text := strings.ReplaceAll(module(sum), "lib-1.0", "lib-"+version)
		g.deploy("com.acme:lib:"+version, contents{".jar": "jar", ".module": text})
		d := g.Want(g.Do("GET", lib+version+"/", nil, wiretest.Header("Accept", "application/json")), 200, "").Object(t)
		warned := strings.Contains(wiretest.JSON(d), "Gradle's metadata has another sha1 of lib-1.1.jar")
		if warned != (version == "1.1") {
			t.Errorf("%s: warned %t", version, warned)
		}
		if body := g.Do("GET", lib+version+"/lib-"+version+".module", nil).Body; body != text {
			t.Error("the module is not what was sent")
		}
	}
}

// TestKilledDeployLeavesWholeVersions: a deploy that ends at any request, also in the middle of a body, and then
// the server: what is listed is the old state or the new one, and everything that is listed can be fetched and matches
// its checksums.
func TestKilledDeployLeavesWholeVersions(t *testing.T) {
	for name, c := range map[string]struct {
		gav   string
		steps []step
	}{
		"release":  {"com.acme:lib:1.0", sequences()["mvn release"].steps},
		"snapshot": {"com.acme:lib:2.0-SNAPSHOT", sequences()["mvn snapshot"].steps},
	} {
		_, _, version, _ := split(c.gav)
		announced := slices.IndexFunc(
			c.steps, func(s step) bool { return s.method == "PUT" && strings.HasSuffix(s.path, metadataFile) },
		)
		for end := range c.steps {
			t.Run(fmt.Sprint(name, " ", end), func(t *testing.T) {
				dir := t.TempDir()
				s := storetest.Open(t, dir)
				g := serve(t, s)
				g.User("ada", nil)
				g.deploy("com.acme:lib:0.9")
				g.replay(c.steps[:end], agentMaven)
				if c.steps[end].method == "PUT" {
					g.cut(c.steps[end])
				}
				g.Srv.CloseClientConnections()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				after := serve(t, storetest.Open(t, dir))
				after.KeepKeys(g.Rig)
				if err := after.s.settleDue(t.Context()); err != nil {
					t.Fatal(err)
				}
				want := []string{"0.9"}
				if end > announced {
					want = append(want, version)
				}
				after.wantVersions("com.acme:lib", want...)
				after.wholeVersions("com.acme:lib")
				after.checkRows()
				after.replay(c.steps, agentMaven)
				after.wantVersions("com.acme:lib", "0.9", version)
				after.wholeVersions("com.acme:lib")
			})
		}
	}
}

// cut sends half of a request's body and breaks the connection.
func (g *rig) cut(s step) {
	g.T.Helper()
	r, err := http.NewRequest(
		s.method, g.Base+s.path, io.MultiReader(strings.NewReader(s.body[:len(s.body)/2]), failing{}),
	)
	if err != nil {
		g.T.Fatal(err)
	}
	r.ContentLength = int64(len(s.body))
	g.As("ada")(r)
	if resp, err := g.Srv.Client().Do(r); err == nil {
		resp.Body.Close()
	}
}

// wholeVersions fetches all that the metadata names, as mvn -C does.
func (g *rig) wholeVersions(name string) {
	g.T.Helper()
	_, artifact := names.SplitName(name)
	fetch := func(path string) string {
		a := g.Want(g.Do("GET", path, nil), 200, "")
		for alg, sum := range sumsText(a.Body) {
			g.Want(g.Do("GET", path+"."+alg, nil), 200, sum)
		}
		return a.Body
	}
	for _, v := range g.versions(name) {
		dir := "/" + names.Dir(name, v)
		if !names.IsSnapshot(v) {
			fetch(dir + artifact + "-" + v + ".pom")
			fetch(dir + artifact + "-" + v + ".jar")
			continue
		}
		for _, f := range g.metadata(fetch(dir + metadataFile)).Files {
			fetch(dir + names.File{Version: f.Value, Classifier: f.Classifier, Ext: f.Extension}.Join(artifact))
		}
	}
}

// TestSettleRetries: what cannot be done now, because a rule forbids it, is tried again later and stands in nobody's
// way.
func TestSettleRetries(t *testing.T) {
	p := &forbid{}
	g := newRig(t, withPolicies(p))
	g.upload("com.acme:lib:1.0", usual("com.acme:lib:1.0"), agentIvy)
	g.upload("com.acme:other:1.0", usual("com.acme:other:1.0"), agentIvy)
	p.name = "com.acme:lib"
	g.clock.Advance(time.Minute)
	g.settle()
	g.wantVersions("com.acme:lib")
	g.wantVersions("com.acme:other", "1.0")
	p.name = ""
	g.clock.Advance(retryTime - time.Minute)
	g.settle()
	g.wantVersions("com.acme:lib")
	g.clock.Advance(2 * time.Minute)
	g.settle()
	g.wantVersions("com.acme:lib", "1.0")
}

type forbid struct{ name string }

func (f *forbid) Check(_ *store.Tx, c store.Change) error {
	if c.Package == f.name {
		return problem.Errorf(store.ErrImmutable, "not now")
	}
	return nil
}

// TestJournal: what happens to a version can be read in the journal.
func TestJournal(t *testing.T) {
	g := newRig(t)
	g.deploy("com.acme:lib:1.0")
	g.Want(g.Ada("DELETE", lib+"1.0/", nil), 204, "")
	entries, err := g.Store.Journal(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	got := map[store.Op]int{}
	for _, e := range entries {
		if e.Kind == store.Maven && e.Package == "com.acme:lib" && e.Actor.User == "ada" {
			got[e.Op]++
		}
	}
	if want := map[store.Op]int{
		store.OpPublish: 1, opAdd: 1, opList: 1, store.OpDelete: 1, store.OpDeletePackage: 1,
	}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
