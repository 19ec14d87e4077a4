package maven

// Layouts of Ivy, hosted and as copies: what holds for Maven's paths holds for theirs.

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

// ivyLib is the directory of com.acme:lib where the organisation is one directory, sbtLib that of a module which is
// built for versions of Scala and sbt.
const (
	ivyLib = "/com.acme/lib/"
	sbtLib = "/com.acme/plug/scala_2.12/sbt_1.0/"
)

// putIvy sends a file as ada, with a checksum.
func (g *rig) putIvy(path, body string, opts ...option) {
	g.T.Helper()
	g.Want(g.Ada("PUT", path, body, opts...), 201, "")
	g.Want(g.Ada("PUT", path+".sha1", sumsText(body)["sha1"], opts...), 201, "")
}

// TestIvyFilesAreServedAtEveryPathOfTheirs: organisation and module are group and artifact, and a file in a version is
// one file however the organisation is written.
func TestIvyFilesAreServedAtEveryPathOfTheirs(t *testing.T) {
	g := newRig(t)
	g.putIvy(ivyLib+"1.0/jars/lib.jar", "a jar", agentIvy)
	g.putIvy("/com/acme/lib/1.0/ivys/ivy.xml", "<ivy-module/>", agentIvy)
	g.putIvy(ivyLib+"1.0/lib-1.0.jar", "another jar", agentIvy)
	for path, want := range map[string]string{
		"/com/acme/lib/1.0/jars/lib.jar": "a jar", ivyLib + "1.0/ivys/ivy.xml": "<ivy-module/>",
		lib + "1.0/lib-1.0.jar": "another jar",
	} {
		g.Want(g.Do("GET", path, nil), 200, "").WantExactly(t, want)
		for alg, sum := range sumsText(want) {
			g.Want(g.Do("GET", path+"."+alg, nil), 200, "").WantExactly(t, sum)
		}
		if head := g.Do("HEAD", path, nil); head.Header.Get("X-Checksum-Sha1") != sumsText(want)["sha1"] {
			t.Errorf("HEAD %s: %v", path, head)
		}
	}
	g.Want(g.Ada("PUT", ivyLib+"1.0/jars/lib.jar", "a jar", agentIvy), 201, "")
	g.clock.Advance(time.Minute)
	g.settle()
	g.wantVersions("com.acme:lib", "1.0")
	g.Want(g.Ada("PUT", lib+"1.0/jars/lib.jar", "other bytes", agentIvy), 409, "is immutable")
	g.Want(g.Ada("PUT", ivyLib+"1.0/ivys/ivy.xml.sha1", strings.Repeat("0", 40)), 409, "does not match")
	g.Want(g.Do("GET", "/solrsearch/select?q=lib", nil), 200, `"numFound":1`)
	g.Want(g.Do("GET", ivyLib+"1.0/jars/absent.jar", nil), 404, "file not found")
}

// TestModuleBuiltForTwoVersionsOfScalaHasBoth: they are of one revision, and have files of one name.
func TestModuleBuiltForTwoVersionsOfScalaHasBoth(t *testing.T) {
	g := newRig(t)
	for scala, body := range map[string]string{"scala_2.12/sbt_1.0": "for 2.12", "scala_3/sbt_2": "for 3"} {
		g.putIvy("/com.acme/plug/"+scala+"/1.0/jars/plug.jar", body)
	}
	g.Want(g.Do("GET", sbtLib+"1.0/jars/plug.jar", nil), 200, "").WantExactly(t, "for 2.12")
	g.Want(g.Do("GET", "/com/acme/plug/scala_3/sbt_2/1.0/jars/plug.jar", nil), 200, "").WantExactly(t, "for 3")
	g.Want(g.Ada("POST", "/com.acme/plug/1.0/", nil), 201, "")
	g.putIvy("/com.acme/plug/scala_3/sbt_2/1.1/jars/plug.jar", "later")
	g.Want(g.Ada("POST", "/com.acme/plug/", nil), 201, "")
	g.wantVersions("com.acme:plug", "1.0", "1.1")
	for path, want := range map[string][]string{
		sbtLib: {"1.0/"}, sbtLib + "1.0/": {"jars/"}, sbtLib + "1.0/jars/": {"plug.jar"},
		"/com.acme/plug/1.0/scala_3/sbt_2/jars/": {"plug.jar"}, "/com.acme/plug/scala_3/sbt_2/": {"1.0/", "1.1/"},
	} {
		wiretest.EqualList(t, path, g.links(path), want...)
	}
}

// TestIvyPublishIsNotWaitedFor: no client ends it with metadata, not even one that does for Maven's layout, and
// whichever file comes last.
func TestIvyPublishIsNotWaitedFor(t *testing.T) {
	g := newRig(t)
	for version, files := range map[string][]string{
		"1.0": {"/com.acme/lib/1.0/jars/lib.jar", "/com.acme/lib/1.0/ivys/ivy.xml"},
		"1.1": {"/com.acme/lib/1.1/lib-1.1.jar", "/com.acme/lib/1.1/ivy-1.1.xml"},
		"1.2": {"/com/acme/lib/1.2/ivy-1.2.xml", "/com/acme/lib/1.2/lib-1.2.jar"},
	} {
		for _, path := range files {
			g.putIvy(path, version, agentGradle)
		}
	}
	g.wantVersions("com.acme:lib")
	g.clock.Advance(31 * time.Second)
	g.settle()
	g.wantVersions("com.acme:lib", "1.0", "1.1", "1.2")
}

// TestIvyDirectories: Ivy and Gradle find the revisions of a module there, and whoever deletes names them.
func TestIvyDirectories(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"maven:artifact:com.acme:secret"} })
	for _, path := range []string{
		ivyLib + "1.0/jars/lib.jar", ivyLib + "1.0/ivys/ivy.xml", ivyLib + "1.1/jars/lib.jar",
		"/com.acme/secret/1.0/jars/secret.jar", "/acme/lib/1.0/jars/lib.jar",
	} {
		g.putIvy(path, path)
	}
	for _, name := range []string{"/com.acme/lib/", "/com.acme/secret/", "/acme/lib/"} {
		g.Want(g.Ada("POST", name, nil), 201, "")
	}
	for path, want := range map[string][]string{
		"/com.acme/": {"lib/"}, ivyLib: {"1.0/", "1.1/"}, ivyLib + "1.0/": {"ivys/", "jars/"},
		ivyLib + "1.0/jars/": {"lib.jar"}, lib + "1.0/": {"ivys/", "jars/"}, lib + "1.0/jars/": {"lib.jar"},
		"/acme/lib/1.0/jars/": {"lib.jar"},
	} {
		wiretest.EqualList(t, path, g.links(path), want...)
	}
	g.Do("GET", ivyLib+"1.0/jars", nil).WantStatus(t, 301).WantHeader(t, "Location", "jars/")
	for _, path := range []string{"/com.acme/secret/", "/com.acme/secret/1.0/jars/", "/com.other/", ivyLib + "1.0/docs/"} {
		g.Want(g.Do("GET", path, nil), 404, "directory not found")
	}
	g.Want(g.Ada("DELETE", ivyLib+"1.0/jars/", nil), 404, "")
	g.Want(g.Ada("DELETE", ivyLib+"1.0/jars/lib.jar", nil), 204, "")
	g.Want(g.Do("GET", ivyLib+"1.0/jars/lib.jar", nil), 404, "")
	g.Want(g.Do("GET", ivyLib+"1.0/ivys/ivy.xml", nil), 200, "")
	g.Want(g.Ada("DELETE", ivyLib+"1.0/", nil), 204, "")
	g.wantVersions("com.acme:lib", "1.1")
	g.Want(g.Ada("DELETE", ivyLib, nil), 204, "")
	g.wantVersions("com.acme:lib")
}

// TestSnapshotOfAnIvyLayoutChanges: there its files have no names of builds.
func TestSnapshotOfAnIvyLayoutChanges(t *testing.T) {
	g := newRig(t)
	path := ivyLib + "2-SNAPSHOT/jars/lib.jar"
	for _, body := range []string{"first", "second"} {
		g.putIvy(path, body)
		a := g.Want(g.Do("GET", path, nil), 200, "").WantExactly(t, body)
		a.WantHeader(t, "Cache-Control", "no-cache")
		g.Want(g.Ada("POST", ivyLib+"2-SNAPSHOT/", nil), 201, "")
	}
}

// TestJournalNamesIvyPublishesByTheirModule as it does those of Maven's layout.
func TestJournalNamesIvyPublishesByTheirModule(t *testing.T) {
	g := newRig(t)
	g.putIvy(ivyLib+"1.0/jars/lib.jar", "a jar")
	g.putIvy(ivyLib+"1.0/ivys/ivy.xml", "<ivy-module/>")
	g.Want(g.Ada("POST", ivyLib+"1.0/", nil), 201, "")
	g.Want(g.Ada("DELETE", ivyLib+"1.0/", nil), 204, "")
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
		t.Errorf("the journal has %v, want %v", got, want)
	}
}

// TestCopiesOfIvyLayouts: a path is asked for as it is, whatever other paths mean the same here, compared with the
// checksum beside it, and kept.
func TestCopiesOfIvyLayouts(t *testing.T) {
	files := map[string]string{
		sbtLib + "1.0/jars/plug.jar": "for sbt", sbtLib + "1.0/ivys/ivy.xml": "<ivy-module/>",
		"/com/acme/plug/scala_2.12/sbt_1.0/1.0/jars/plug.jar": "another", "/com.acme/lib/1.0/lib-1.0.jar": "of Ivy",
		"/com/acme/lib/1.0/lib-1.0.jar": "of Maven", "/com.acme/lib/1.1/lib-1.1.jar": "broken",
	}
	up := maps.Clone(files)
	for path, body := range files {
		up[path+".sha1"] = sumsText(body)["sha1"]
	}
	up["/com.acme/lib/1.1/lib-1.1.jar.sha1"] = strings.Repeat("0", 40)
	delete(files, "/com.acme/lib/1.1/lib-1.1.jar")
	srv := static(t, up)
	g := cacheOf(t, upstream.Options{Upstreams: upstreams(srv.URL)})
	for path, body := range files {
		g.Want(g.Do("HEAD", path, nil), 200, "")
		g.Want(g.Do("GET", path, nil), 200, "").WantExactly(t, body)
		g.Want(g.Do("GET", path+".sha512", nil), 200, "").WantExactly(t, sumsText(body)["sha512"])
	}
	g.Want(g.Do("GET", "/com.acme/lib/1.1/lib-1.1.jar", nil), 503, "")
	g.Want(g.Do("GET", sbtLib+"1.0/jars/absent.jar", nil), 404, "")
	srv.Close()
	for path, body := range files {
		g.Want(g.Do("GET", path, nil), 200, "").WantExactly(t, body)
	}
}

// TestRulesHoldForCopiesOfIvyLayouts: those about names and versions are about organisation, module and revision.
func TestRulesHoldForCopiesOfIvyLayouts(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	srv := answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
		if strings.HasSuffix(r.URL.Path, ".jar") {
			io.WriteString(w, "theirs")
			return
		}
		http.NotFound(w, r)
	})
	g := cacheOf(t, upstream.Options{
		Upstreams: upstreams(srv.URL),
		Claims:    []string{"maven:com.ours:*", "maven:com.acme:shared"}, Shared: []string{"maven:com.acme:shared"},
		Blocked: []string{"maven:com.acme:bad", "maven:com.acme:plug@1.0"},
	})
	g.putIvy("/com.acme/shared/2.0/jars/shared.jar", "ours")
	mu.Lock()
	asked = nil
	mu.Unlock()
	for path, status := range map[string]int{
		"/com.ours/lib/1.0/jars/lib.jar": 404, "/com/ours/lib/1.0/jars/lib.jar": 404, "/com.ours/lib/1.0/lib.jar": 404,
		"/com.acme/bad/1.0/jars/bad.jar": 403, "/com/acme/bad/scala_3/1.0/jars/bad.jar": 403,
		sbtLib + "1.0/jars/plug.jar": 403, "/com.acme/plug/1.0/any/plug.jar": 403, "/com/acme/plug/1.0/jars/plug.jar": 403,
		sbtLib + "1.0.0/jars/plug.jar.sha1": 403, "/com.acme/shared/2.0/jars/other.jar": 404,
	} {
		g.Want(g.Do("GET", path, nil), status, "")
	}
	mu.Lock()
	wiretest.EqualList(t, "what the upstream was asked for", slices.Clone(asked))
	mu.Unlock()
	g.Want(g.Do("GET", sbtLib+"1.1/jars/plug.jar", nil), 200, "theirs")
	g.Want(g.Do("GET", "/com.acme/shared/1.0/jars/shared.jar", nil), 200, "theirs")
	g.Want(g.Do("GET", "/com.acme/shared/2.0/jars/shared.jar", nil), 200, "ours")
	// What is published here is not looked for elsewhere any more.
	g.putIvy("/com.acme/lib/1.0/jars/lib.jar", "ours")
	g.Want(g.Do("GET", "/com.acme/lib/1.1/jars/lib.jar", nil), 404, "")
}

// TestModuleOfAnUpstreamIsNotTakenByAccident: that an upstream has it only its directory says, which lists revisions.
func TestModuleOfAnUpstreamIsNotTakenByAccident(t *testing.T) {
	srv := static(t, map[string]string{
		ivyLib: `<a href="1.0/">1.0/</a>`, "/com/acme/tool/": `<a href="1.0/">1.0/</a>`, "/com.acme/page/": "welcome",
	})
	g := cacheOf(t, upstream.Options{Upstreams: upstreams(srv.URL)})
	for path, status := range map[string]int{
		ivyLib + "2.0/jars/lib.jar": 409, "/com/acme/tool/2.0/ivys/ivy.xml": 409, "/com.acme/page/2.0/jars/page.jar": 201,
		"/com.acme/new/2.0/jars/new.jar": 201,
	} {
		g.Want(g.Ada("PUT", path, "x"), status, "")
	}
	g.Want(g.Ada("PUT", ivyLib+"2.0/jars/lib.jar", "x"), 409, "larder claim maven com.acme:lib")
}

// TestRevisionsOfUpstreamsAreListed: whoever wants the newest one reads the module's directory. Listings link to
// folders in several ways; what a rule forbids is left out, and a page that lists nothing is trouble.
func TestRevisionsOfUpstreamsAreListed(t *testing.T) {
	var mu sync.Mutex
	pages := map[string]string{
		ivyLib: `<title>Index of /com.acme/lib</title><a href="../">..</a><a href="1.0/">1.0/</a>` +
			`<A class=x HREF='./1.1/'>1.1</A><a href="/com.acme/lib/1%2e2/">1.2/</a><a href="ivy.txt">a file</a>` +
			`<a href="?C=N">Name</a><a href="/other/1.9/">elsewhere</a>` +
			`<a href="http://other.example/com.acme/lib/2/">2</a>` +
			`<a href="1.3/jars/">below</a><a href=".hidden/">hidden</a>`,
		sbtLib:            `<a href="..">up</a><a href="1.0/">1.0</a>`,
		"/com.acme/plug/": `<a href="scala_2.12/">scala_2.12/</a>`,
		"/com.acme/none/": "<title>Index of /com.acme/none</title>", "/com.acme/login/": `<a href="/login.css">log in</a>`,
		"/com.ours/lib/": `<a href="1.0/">1.0</a>`, ivyLib + "1.0/ivys/ivy.xml": "<ivy-module/>",
	}
	srv := answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, body)
	})
	g := cacheOf(t, upstream.Options{
		Upstreams: upstreams(srv.URL), Blocked: []string{"maven:com.acme:lib@1.1"}, Claims: []string{"maven:com.ours:*"},
	})
	for path, want := range map[string][]string{
		ivyLib: {"1.0/", "1.2/"}, sbtLib: {"1.0/"}, "/com.acme/plug/": {"scala_2.12/"},
	} {
		wiretest.EqualList(t, path, g.links(path), want...)
	}
	for path, status := range map[string]int{
		"/com.acme/none/": 404, "/com.acme/other/": 404, "/com.ours/lib/": 404, "/com.acme/login/": 503,
	} {
		g.Want(g.Do("GET", path, nil), status, "")
	}
	g.Do("GET", "/com.acme/lib", nil).WantStatus(t, 301).WantHeader(t, "Location", "lib/")
	g.Want(g.Do("GET", ivyLib+"1.0/ivys/ivy.xml", nil), 200, "")
	srv.Close()
	wiretest.EqualList(t, "what is listed of an upstream in trouble", g.links(ivyLib), "1.0/", "1.2/")
	g.Deps.Upstreams.SetOffline(true)
	wiretest.EqualList(t, "what is listed offline", g.links(ivyLib), "1.0/")
}

// TestLaterComparisonAsksForModules in both forms of the directory: how an artifact was published is not known then.
func TestLaterComparisonAsksForModules(t *testing.T) {
	for name, want := range map[string][]string{
		"com.acme:lib": {"com.acme/lib/", "com/acme/lib/"}, "acme:lib": {"acme/lib/"},
	} {
		var got []string
		for _, q := range modulesOf(name) {
			if q.Package != name {
				t.Errorf("%s: the name %q is asked for", name, q.Package)
			}
			got = append(got, q.Ref)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q are asked for, want %q", name, got, want)
		}
	}
}

// TestIvyFilesWithoutAFolderForTheirRevision are of the revision in their names, hosted and as copies, and have the
// rights and rules of their module.
func TestIvyFilesWithoutAFolderForTheirRevision(t *testing.T) {
	files := map[string]string{
		"/com.acme/lib/jars/lib-1.0.jar": "a jar", "/com.acme/lib/ivys/ivy-1.0.xml": "<ivy-module/>",
		"/org/acme/tool/jars/tool-1.1.jar": "a tool",
	}
	up := newRig(t)
	for path, body := range files {
		up.putIvy(path, body)
		up.Want(up.Do("GET", path, nil), 200, "").WantExactly(t, body)
		up.Want(up.Do("GET", path+".md5", nil), 200, "").WantExactly(t, sumsText(body)["md5"])
	}
	up.Want(up.Do("GET", "/com.acme/lib/1.0/jars/lib-1.0.jar", nil), 200, "").WantExactly(t, "a jar")
	up.Want(up.Ada("PUT", "/com.acme/lib/jars/lib-1.0.jar", "other"), 409, "is immutable")
	up.Want(up.Ada("PUT", "/com.acme/lib/jars/other-1.0.jar", "x"), 400, "which revision it is of")
	up.Want(up.Ada("PUT", "/acme/lib/jars/other-1.0.jar", "x"), 400, "which revision it is of")
	up.clock.Advance(time.Minute)
	up.settle()
	up.wantVersions("com.acme:lib", "1.0")
	up.wantVersions("org.acme:tool", "1.1")
	o := upstream.Options{
		Upstreams: []upstream.Config{{Kind: store.Maven, Name: "main", URL: up.Srv.URL + root}},
		Blocked:   []string{"maven:org.acme:tool@1.1"},
	}
	g := newRig(t, func(r *rigOptions) { r.Upstreams = &o })
	for path, body := range files {
		if strings.Contains(path, "tool") {
			g.Want(g.Do("GET", path, nil), 403, "blocked")
			continue
		}
		g.Want(g.Do("GET", path, nil), 200, "").WantExactly(t, body)
	}
}
