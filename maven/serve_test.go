package maven

// Reading: files, checksums, ranges, directories, lists and search.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/store"
)

// stored lists the path of every file and document that can be fetched.
func (g *rig) stored() (paths []string) {
	g.T.Helper()
	packages, err := g.s.Repo.Packages(context.Background(), "", 0)
	if err != nil {
		g.T.Fatal(err)
	}
	for _, pkg := range packages {
		paths = append(paths, "/"+names.Dir(pkg.Name, "")+metadataFile)
		err := g.s.Repo.View(context.Background(), pkg.Name, func(p *store.PackageTx[Meta]) error {
			for v, err := range p.Versions("") {
				if err != nil {
					return err
				}
				for _, f := range v.Files {
					paths = append(paths, "/"+names.Dir(pkg.Name, "")+f.Name)
				}
			}
			for snapshot := range p.Index(indexBases).Scan(nil, nil) {
				paths = append(
					paths, "/"+names.Dir(pkg.Name, string(snapshot))+metadataFile,
					"/"+names.Dir(pkg.Name, string(snapshot))+"lib-"+string(snapshot)+".jar",
				)
			}
			return nil
		})
		if err != nil {
			g.T.Fatal(err)
		}
	}
	return paths
}

// fill deploys some of everything.
func (g *rig) fill() {
	g.T.Helper()
	large := strings.Repeat("0123456789abcdef", 8<<10) // larger than what is sent from memory
	g.deploy("com.acme:lib:1.0", contents{
		"-sources.jar": large, ".jar.asc": "asc", ".module": "{}", "-docs.html": "<script>alert(1)</script>",
	})
	for i := range 40 {
		g.deploy(fmt.Sprintf("com.acme:lib:1.%d.%d", i/10, i)) // enough for the document to be compressed
	}
	g.build("com.acme:lib:2.0-SNAPSHOT", "20261121.093001-1", contents{".jar": "snapshot", ".pom": "pom"})
}

// TestHeadGetAndChecksumsAgree: for every path GET and HEAD say the same, all checksums are those of what is sent,
// in headers and beside the file, and no encoding, condition or range gives other bytes.
func TestHeadGetAndChecksumsAgree(t *testing.T) {
	g := newRig(t)
	g.fill()
	for _, path := range g.stored() {
		get := g.Want(g.Do("GET", path, nil), 200, "")
		head := g.Want(g.Do("HEAD", path, nil), 200, "")
		if wiretest.JSON(get.Header) != wiretest.JSON(head.Header) || head.Body != "" ||
			get.Header.Get("Content-Length") != fmt.Sprint(len(get.Body)) {
			t.Errorf("%s:\n%v\n%v", path, get.Header, head.Header)
		}
		sums := sumsText(get.Body)
		for alg, sum := range sums {
			a := g.Want(g.Do("GET", path+"."+alg, nil), 200, "")
			h := g.Want(g.Do("HEAD", path+"."+alg, nil), 200, "")
			if a.Body != sum || a.Header.Get("Content-Type") != names.TypeText ||
				h.Header.Get("Content-Length") != fmt.Sprint(len(sum)) {
				t.Errorf("%s of %s: %v", alg, path, a)
			}
			if name := "X-Checksum-" + strings.ToUpper(alg[:1]) + alg[1:]; alg != "sha512" && get.Header.Get(name) != sum {
				t.Errorf("%s: %s is %s", path, name, get.Header.Get(name))
			}
			g.Want(g.Do("GET", path+"."+alg+".sha1", nil), 404, "")
		}
		if get.Header.Get("ETag") == "" || get.Header.Get("Last-Modified") == "" ||
			get.Header.Get("X-Content-Type-Options") != "nosniff" || get.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", path, get.Header)
		}
		g.Want(g.Do("GET", path, nil, wiretest.Header("If-None-Match", get.Header.Get("ETag"))), 304, "")
		g.Want(g.Do("GET", path, nil, wiretest.Header("If-Modified-Since", get.Header.Get("Last-Modified"))), 304, "")
		packed := g.Want(g.Do("GET", path, nil, wiretest.Header("Accept-Encoding", "gzip")), 200, "")
		if enc := packed.Header.Get("Content-Encoding"); enc != "" {
			if !strings.HasSuffix(path, metadataFile) || packed.Header.Get("ETag") == get.Header.Get("ETag") ||
				packed.Header.Get("X-Checksum-Sha1") != sums["sha1"] {
				t.Errorf("%s is encoded: %v", path, packed.Header)
			}
		}
	}
}

// TestDownloadsCanBeResumed: what the resolver sends to go on with a download, at every seventh byte.
func TestDownloadsCanBeResumed(t *testing.T) {
	g := newRig(t)
	g.deploy("com.acme:lib:1.0", contents{".jar": strings.Repeat("resume me ", 30)})
	g.build("com.acme:lib:2.0-SNAPSHOT", "20261121.093001-1", contents{".jar": "snapshot"})
	old := g.clock.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	for _, path := range []string{lib + "1.0/lib-1.0.jar", lib + metadataFile, lib + "2.0-SNAPSHOT/" + metadataFile} {
		whole := g.Do("GET", path, nil)
		for at := 0; at < len(whole.Body); at += 7 {
			conditions := func(since string) option {
				return wiretest.Header(
					"Range", fmt.Sprintf("bytes=%d-", at), "If-Unmodified-Since", since, "Accept-Encoding", "identity",
					"Cache-Control", "no-cache", "Pragma", "no-cache",
				)
			}
			a := g.Want(g.Do("GET", path, nil, conditions(whole.Header.Get("Last-Modified"))), 206, whole.Body[at:])
			if got, want := a.Header.Get("Content-Range"), fmt.Sprintf(
				"bytes %d-%d/%d", at, len(whole.Body)-1, len(whole.Body),
			); got != want || a.Header.Get("ETag") != whole.Header.Get("ETag") {
				t.Errorf("%s: %v, want %s", path, a.Header, want)
			}
			g.Want(g.Do("GET", path, nil, conditions(old)), 412, "")
		}
		a := g.Do("GET", path, nil, wiretest.Header("Range", fmt.Sprintf("bytes=%d-", len(whole.Body))))
		if a.Status != 416 || a.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", len(whole.Body)) {
			t.Errorf("%s: %v", path, a)
		}
	}
}

// TestBrowsersRunNoUploadedFile: media types, and that a browser runs nothing of what was uploaded
// (CVE-2024-36115).
func TestBrowsersRunNoUploadedFile(t *testing.T) {
	g := newRig(t)
	g.fill()
	for path, want := range map[string]string{
		lib + "1.0/lib-1.0.jar": "application/java-archive", lib + "1.0/lib-1.0.pom": names.TypeXML,
		lib + "1.0/lib-1.0.jar.asc": "application/pgp-signature",
		lib + "1.0/lib-1.0.module":  "application/vnd.org.gradle.module+json", lib + "1.0/lib-1.0-docs.html": "text/html",
		lib + metadataFile: names.TypeXML, lib + "1.0/lib-1.0.jar.sha1": names.TypeText,
	} {
		h := g.Want(g.Do("GET", path, nil), 200, "").Header
		if h.Get("Content-Type") != want {
			t.Errorf("%s: %v", path, h)
		}
		if active := want == names.TypeXML ||
			want == "text/html"; active && !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox;") {
			t.Errorf("%s: %v", path, h)
		}
		if want == "text/html" && h.Get("Content-Disposition") != "attachment" {
			t.Errorf("%s: %v", path, h)
		}
	}
	for file, want := range map[string]string{
		"a": names.TypeBinary, "a.so": names.TypeBinary, "a.xhtml": "application/xhtml+xml", "a.svg": "image/svg+xml",
		"ivy.xml": names.TypeXML,
	} {
		if got := names.MediaType(file); got != want {
			t.Errorf("%s: %s", file, got)
		}
	}
}

// TestRouterNeverRedirects: the router neither cleans nor redirects; a PUT that is sent elsewhere loses its
// checksums.
func TestRouterNeverRedirects(t *testing.T) {
	g := newRig(t)
	g.deploy("com.acme:lib:1.0")
	for _, path := range []string{
		"//com/acme/lib/1.0/lib-1.0.jar", "/com/acme/../acme/lib/1.0/lib-1.0.jar", "/com/acme/lib/1.0//lib-1.0.jar",
		"/com/acme/lib/./1.0/lib-1.0.jar",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
			if a := g.Ada(method, path, nil); a.Status != 400 && a.Status != 404 {
				t.Errorf("%s %s: %v", method, path, a)
			}
		}
	}
	for path, want := range map[string]string{"/com": "com/", "/com/acme/lib": "lib/", "/com/acme/lib/1.0": "1.0/"} {
		a := g.Do("GET", path, nil)
		if a.Status != 301 || a.Header.Get("Location") != want {
			t.Errorf("%s: %v", path, a)
		}
		if a := g.Ada("HEAD", path, nil); a.Status != 404 {
			t.Errorf("HEAD %s: %v", path, a)
		}
	}
	for _, method := range []string{"OPTIONS", "PATCH"} {
		if a := g.Do(method, "/com/acme/", nil); a.Status != 405 || a.Header.Get("Allow") == "" {
			t.Errorf("%s: %v", method, a)
		}
	}
}

// TestPrefixesAreForThoseWhoReadAll: the list names what is there, to who may read all of it, and is absent for
// anybody else.
func TestPrefixesAreForThoseWhoReadAll(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"maven:artifact:com.secret:*"} })
	g.Want(g.Do("GET", "/.meta/prefixes.txt", nil), 404, "no list of prefixes")
	for _, gav := range []string{
		"com.acme:lib:1.0", "com.acme.tools:x:1", "com.acme.tools:y:1", "junit:junit:4", "org.other:z:1",
	} {
		g.deploy(gav)
	}
	want := metadata.PrefixHeader + "\n/com/acme\n/junit\n/org/other\n"
	a := g.Want(g.Do("GET", "/.meta/prefixes.txt", nil), 200, "").WantHeader(t, "Content-Type", names.TypeText)
	wiretest.Equal(t, "the prefixes", a.Body, want)
	g.Want(g.Do("GET", "/.meta/prefixes.txt.sha1", nil), 200, sumsText(want)["sha1"])
	g.Want(g.Ada("DELETE", "/org/other/z/", nil), 204, "")
	g.Want(g.Ada("DELETE", "/com/acme/tools/x/", nil), 204, "")
	g.Want(g.Do("GET", "/.meta/prefixes.txt", nil), 200, metadata.PrefixHeader+"\n/com/acme\n/junit\n")
	g.deploy("com.secret:x:1")
	g.Want(g.Do("GET", "/.meta/prefixes.txt", nil), 404, "no list of prefixes")
	g.Want(g.Ada("GET", "/.meta/prefixes.txt", nil), 200, "/com/secret")
	g.Want(g.Do("GET", "/.index/nexus-maven-repository-index.properties", nil), 404, "no such address")
}

// TestCatalogListsReadableArchetypes: the catalog has what is one, by packaging or by content, and what whoever
// asks may read.
func TestCatalogListsReadableArchetypes(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"maven:artifact:com.secret:*"} })
	archetype := contents{".jar": jar(map[string]string{"META-INF/maven/archetype-metadata.xml": "<x/>"})}
	g.deploy("com.acme:start:1.0", archetype, contents{
		".pom": pomXML("com.acme", "start", "1.0", "<description>Begin</description>"),
	})
	g.deploy("com.acme:start:1.1", contents{
		".pom": pomXML("com.acme", "start", "1.1", "<packaging>maven-archetype</packaging>"),
	})
	g.deploy("com.secret:start:1", archetype)
	g.deploy("com.acme:lib:1.0")
	a := g.Want(g.Do("GET", "/archetype-catalog.xml", nil), 200, "<description>Begin</description>")
	a.WantNot(t, "secret")
	wiretest.Equal(t, "the archetypes that are listed", strings.Count(a.Body, "<archetype>"), 2)
	g.Want(g.Do("GET", "/archetype-catalog.xml.sha1", nil), 200, sumsText(a.Body)["sha1"])
	g.Want(g.Ada("GET", "/archetype-catalog.xml", nil), 200, "com.secret")
	g.Want(g.Ada("DELETE", "/com/acme/start/1.0/", nil), 204, "")
	a = g.Do("GET", "/archetype-catalog.xml", nil)
	wiretest.Equal(t, "the archetypes after one was deleted", strings.Count(a.Body, "<archetype>"), 1)
}

// TestDirectoriesListWhatIsAnnounced: plain links, escaped, of what is announced; and JSON for clients that accept
// it.
func TestDirectoriesListWhatIsAnnounced(t *testing.T) {
	g := newRig(t, func(o *rigOptions) {
		o.Auth.Private = []string{"maven:artifact:com.acme:secret", "maven:artifact:org.secret:*"}
	})
	for _, gav := range []string{
		"com.acme:lib:1.10", "com.acme:lib:1.9", "com.acme:secret:1", "com.acme.tools:x:1", "com.acme-inc:y:1",
		"com.acme0:z:1", "com:acme:3", "org.secret:x:1", "junit:junit:4",
	} {
		g.deploy(gav)
	}
	g.build("com.acme:lib:2-SNAPSHOT", "20261121.093001-1", contents{".jar": "x"})
	g.put(lib+"1.10/lib-1.10-a'b&c.jar", "odd")
	for path, want := range map[string][]string{
		"/": {"com/", "junit/"}, "/com/": {"acme-inc/", "acme/", "acme0/"},
		"/com/acme/": {"3/", "lib/", "maven-metadata.xml", "tools/"}, "/com/acme/tools/": {"x/"},
		lib:                 {"1.10/", "1.9/", "2-SNAPSHOT/", "maven-metadata.xml"},
		lib + "2-SNAPSHOT/": {"lib-2-20261121.093001-1.jar", "maven-metadata.xml"},
		lib + "1.10/":       {"lib-1.10-a%27b&amp;c.jar", "lib-1.10.jar", "lib-1.10.pom"},
		"/com/acme/3/":      {"acme-3.jar", "acme-3.pom"}, "/junit/": {"junit/"},
	} {
		if got := g.links(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := g.links("/com/acme/", g.As("ada")); !slices.Contains(got, "secret/") {
		t.Errorf("%q", got)
	}
	for _, path := range []string{"/org/", "/com/acme/secret/", "/com/acme/secret/1/", "/nothing/", lib + "9/"} {
		g.Want(g.Do("GET", path, nil), 404, "directory not found")
	}
	a := g.Do("GET", lib, nil)
	a.WantHeader(t, "Content-Type", "text/html; charset=utf-8").WantHeader(t, "Vary", "Accept")
	if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("%s: the policy %q forbids less than everything", lib, csp)
	}
	d := g.Want(g.Do("GET", lib, nil, wiretest.Header("Accept", "application/json")), 200, "").Object(t)
	wiretest.WantMembers(t, lib+" as JSON", d, wiretest.Fields{
		"artifact/versions": []string{"1.9", "1.10", "2-SNAPSHOT"}, "artifact/release": "1.10",
		"artifact/owners": []string{"ada"},
	})
}

// TestVersionShowsItsInheritedPOM: what a page is told of a version: its POM with what its parents say, its
// files, lines to copy.
func TestVersionShowsItsInheritedPOM(t *testing.T) {
	g := newRig(t)
	asJSON := wiretest.Header("Accept", "application/json")
	g.deploy("com.acme:base:1", contents{".pom": pomXML("com.acme", "base", "1", "<packaging>pom</packaging>"+
		"<url>https://example.com/${project.artifactId}</url><organization><name>Acme</name></organization><licenses>"+
		"<license><name>MIT</name></license></licenses>",
		"<properties><x.version>5</x.version><own>root</own></properties><dependencyManagement><dependencies><dependency>"+
			"<groupId>org.x</groupId><artifactId>y</artifactId><version>${x.version}</version></dependency></dependencies>"+
			"</dependencyManagement>")})
	parent := func(artifact string, version int) string {
		return fmt.Sprintf(
			"<parent><groupId>com.acme</groupId><artifactId>%s</artifactId><version>%d</version></parent>", artifact, version,
		)
	}
	g.deploy("com.acme:parent:2", contents{
		".pom": pomXML("com.acme", "parent", "2", "<packaging>pom</packaging>", parent("base", 1)),
	})
	g.deploy("com.acme:lib:1.0", contents{
		".pom": pomXML(
			"com.acme", "lib", "1.0", parent("parent", 2),
			"<name>${own} of ${project.groupId}</name><properties><own>lib</own></properties><dependencies><dependency>"+
				"<groupId>org.x</groupId><artifactId>y</artifactId></dependency></dependencies>",
		),
	})
	v := wiretest.At(g.Want(g.Do("GET", lib+"1.0/", nil, asJSON), 200, "").Object(t), "version")
	for path, want := range map[string]string{
		"project/name": `"lib of com.acme"`, "project/url": `"https://example.com/lib"`, "project/organization": `"Acme"`,
		"project/licenses": `[{"name":"MIT"}]`, "project/parents": `["com.acme:parent:2","com.acme:base:1"]`,
		"dependencies": `[{"artifact":"y","group":"org.x","version":"5"}]`,
		"managed":      `[{"artifact":"y","group":"org.x","version":"5"}]`, "pom/parent": `"com.acme:parent:2"`,
		"snippets/coursier": `"cs fetch com.acme:lib:1.0"`, "by": `"ada"`,
	} {
		if got := wiretest.JSON(wiretest.At(v, strings.Split(path, "/")...)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	// A parent that is not here is named; one that leads to itself ends.
	g.deploy("com.acme:orphan:1", contents{".pom": pomXML("com.acme", "orphan", "1", parent("gone", 9))})
	g.deploy("com.acme:loop:1", contents{".pom": pomXML("com.acme", "loop", "1", parent("loop", 1))})
	orphan := g.Do("GET", "/com/acme/orphan/1/", nil, asJSON).Object(t)
	wiretest.WantMembers(t, "a version without its parent", orphan, wiretest.Fields{
		"version/project/missing": "com.acme:gone:9",
	})
	loop := g.Do("GET", "/com/acme/loop/1/", nil, asJSON).Object(t)
	parents, _ := wiretest.At(loop, "version", "project", "parents").([]any)
	wiretest.Equal(t, "the parents of a version that is its own parent", len(parents), maxParents)
	bom := g.Want(g.Do("GET", "/com/acme/base/1/", nil, asJSON), 200, "").Object(t)
	wiretest.WantMembers(t, "a BOM", bom, wiretest.Fields{"version/pom/bom": true})
	snippet := fmt.Sprint(wiretest.At(bom, "version", "snippets", "maven"))
	if !strings.Contains(snippet, "<scope>import</scope>") {
		t.Errorf("a BOM: the lines to copy are %q, want some with the scope import", snippet)
	}
	g.build("com.acme:lib:2-SNAPSHOT", "20261121.093001-1", contents{
		".pom": pomXML("com.acme", "lib", "2-SNAPSHOT", "<name>Snap</name>"),
	})
	snap := g.Want(g.Do("GET", lib+"2-SNAPSHOT/", nil, asJSON), 200, "").Object(t)
	wiretest.WantMembers(t, "a snapshot", snap, wiretest.Fields{
		"version/build": "2-20261121.093001-1", "version/project/name": "Snap",
	})
}

// TestSearchFindsReadableArtifacts: by words, coordinates, version and checksum, in both forms, and only what may
// be read.
func TestSearchFindsReadableArtifacts(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"maven:artifact:com.secret:*"} })
	g.deploy("com.acme:lib:1.0", contents{
		".pom": pomXML("com.acme", "lib", "1.0", "<name>The Library</name>"+
			"<description>parses widgets quickly</description>"),
		"-sources.jar": "s",
	})
	g.deploy("com.acme:lib:1.1", contents{
		".pom": pomXML("com.acme", "lib", "1.1", "<description>parses widgets</description>"),
	})
	g.build("com.acme:snap:2-SNAPSHOT", "20261121.093001-1", contents{
		".jar": "snap", ".pom": pomXML("com.acme", "snap", "2-SNAPSHOT"),
	})
	g.deploy("org.other:lib-tools:3", contents{
		".pom": pomXML("org.other", "lib-tools", "3", "<packaging>maven-plugin</packaging>"),
	})
	g.deploy("com.secret:lib:1", contents{".jar": "secret jar"})
	for query, want := range map[string]string{
		"q=lib": "com.acme:lib org.other:lib-tools", "q=widgets": "com.acme:lib", "q=quickly": "",
		"q=g:com.acme": "com.acme:lib com.acme:snap", "q=g:com.acme+AND+a:lib": "com.acme:lib",
		"q=g:%22com.acme%22+AND+a:%22snap%22": "com.acme:snap",
		"q=a:lib*":                            "com.acme:lib org.other:lib-tools", "q=g:com.*": "com.acme:lib com.acme:snap",
		"q=p:maven-plugin": "org.other:lib-tools", "q=id:%22com.acme:lib%22": "com.acme:lib",
		"q=*:*&rows=1&start=1": "com.acme:snap", "q=fc:com.acme.Foo": "", "q=tags:x": "", "q=nothing": "",
		"q=g:com.acme&core=gav":                "com.acme:lib:1.1 com.acme:lib:1.0 com.acme:snap:2-SNAPSHOT",
		"q=g:com.acme&core=gav&rows=1&start=1": "com.acme:lib:1.0", "q=g:com.acme+AND+a:lib+AND+v:1.0": "com.acme:lib:1.0",
		"q=v:1.1": "com.acme:lib:1.1", "q=a:lib+AND+l:sources&core=gav": "com.acme:lib:1.0",
		"q=1:" + sumsText("jar of com.acme:lib:1.1")["sha1"]:          "com.acme:lib:1.1",
		"q=1:%22" + strings.ToUpper(sumsText("snap")["sha1"]) + "%22": "com.acme:snap:2-SNAPSHOT",
		"q=1:" + sumsText("secret jar")["sha1"]:                       "",
	} {
		a := g.Want(g.Do("GET", "/solrsearch/select?wt=json&"+query, nil), 200, `"responseHeader":{`).Object(t)
		var got []string
		for _, d := range wiretest.At(a, "response", "docs").([]any) {
			got = append(got, fmt.Sprint(wiretest.At(d, "id")))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", query, got, want)
		}
	}
	g.Ada("GET", "/solrsearch/select?q=1:"+sumsText("secret jar")["sha1"], nil).WantBody(t, "com.secret:lib:1")
	ga := g.Do("GET", "/solrsearch/select?q=a:lib", nil).Object(t)
	doc := wiretest.At(ga, "response", "docs").([]any)[0]
	for key, want := range map[string]string{
		"g": `"com.acme"`, "a": `"lib"`, "latestVersion": `"1.1"`, "versionCount": "2", "p": `"jar"`, "ec": `[".jar",".pom"]`,
	} {
		if got := wiretest.JSON(wiretest.At(doc, key)); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	x := g.Want(
		g.Do("GET", "/solrsearch/select?wt=xml&q=a:lib&core=gav", nil), 200, `<str name="id">com.acme:lib:1.1</str>`,
	)
	x.WantHeader(t, "Content-Type", names.TypeXML).WantBody(t, `numFound="2"`)
	g.Want(g.Do("GET", "/solrsearch/select?wt=xml&q=a:lib", nil), 200, `<int name="versionCount">2</int>`)
	g.Want(g.Ada("DELETE", lib, nil), 204, "")
	g.Do("GET", "/solrsearch/select?q=a:lib", nil).WantBody(t, `"numFound":0`)
}

// TestSearchByClassifierCountsItsVersions: pages and counts are those of the versions that have the classifier.
func TestSearchByClassifierCountsItsVersions(t *testing.T) {
	g := newRig(t)
	for i, files := range []contents{
		{"-sources.jar": "x"}, {}, {"-sources.jar": "y", "-sources.jar.asc": "z"}, {"-tests.jar": "x"},
	} {
		g.deploy(fmt.Sprintf("com.acme:lib:1.%d", i), files)
	}
	for query, want := range map[string]string{
		"start=0&rows=1": "1.2", "start=1&rows=1": "1.0", "start=0": "1.2 1.0", "start=2": "",
	} {
		d := g.Want(
			g.Do("GET", "/solrsearch/select?core=gav&q=a:lib+AND+l:sources&"+query, nil), 200, `"numFound":2,`,
		).Object(t)
		var got []string
		for _, doc := range wiretest.At(d, "response", "docs").([]any) {
			got = append(got, fmt.Sprint(wiretest.At(doc, "v")))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", query, got, want)
		}
	}
}

// TestNamesAreNeverMarkup (CVE-2025-11966): names and texts of strangers are never markup, in pages or anywhere else.
func TestNamesAreNeverMarkup(t *testing.T) {
	g := newRig(t)
	evil := `</title><script>alert("x")</script>`
	g.deploy("com.acme:lib:1.0", contents{
		"-a'b&quot;c.jar": "x",
		".pom": pomXML("com.acme", "lib", "1.0", "<name><![CDATA["+evil+"]]></name>"+
			"<url>javascript:alert(1)</url>"),
	})
	for _, path := range []string{lib + "1.0/", lib, "/"} {
		if body := g.Want(g.Do("GET", path, nil), 200, "").Body; strings.Contains(body, "<script>") ||
			strings.Contains(body, "&quot;c.jar") {
			t.Errorf("%s: %s", path, body)
		}
	}
	g.Want(g.Ada("PUT", lib+"1.0/%3Cscript%3E.jar", "x"), 400, "")
	d := g.Want(g.Do("GET", lib+"1.0/", nil, wiretest.Header("Accept", "application/json")), 200, "")
	d.WantHeader(t, "Content-Type", "application/json")
	wiretest.WantMembers(t, "a POM with strange texts", d.Object(t), wiretest.Fields{
		"version/project/url": nil, "version/project/name": evil,
	})
	x := g.Want(g.Do("GET", "/solrsearch/select?wt=xml&q=a:lib", nil), 200, "")
	x.WantNot(t, "<script>")
}

// TestSentMetadataIsNotEvaluated (CVE-2024-5082): what a client puts into metadata is neither evaluated nor shown to
// anybody.
func TestSentMetadataIsNotEvaluated(t *testing.T) {
	g := newRig(t)
	g.deploy("com.acme:lib:1.0")
	for _, text := range []string{"${7*7}", "{{.}}", "#set($x=1)", "9.9&lt;/version&gt;"} {
		g.put(
			lib+metadataFile,
			"<metadata><versioning><latest>"+text+"</latest><release>"+text+"</release><versions><version>"+text+"</version>"+
				"</versions></versioning></metadata>",
		)
	}
	d := g.metadata(g.Do("GET", lib+metadataFile, nil).Body)
	wiretest.Equal(t, "the latest version", d.Latest, "1.0")
	wiretest.Equal(t, "the release", d.Release, "1.0")
	wiretest.EqualList(t, "the versions", d.Versions, "1.0")
}

// TestQuotaIsAskedBeforeTheBody: a file that cannot be taken is refused before it is sent.
func TestQuotaIsAskedBeforeTheBody(t *testing.T) {
	for text, c := range map[string]struct {
		rule func(*rigOptions)
		size int
	}{
		"quota": {
			withPolicies(store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Kind: store.Maven, Bytes: 1000}}})), 2000,
		},
		"larger than": {withMaven(func(o *Options) { o.MaxFile = 1 << 20 }), 2 << 20},
	} {
		g := newRig(t, c.rule)
		conn, err := net.Dial("tcp", strings.TrimPrefix(g.Srv.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(
			conn,
			"PUT %s%s1.0/lib-1.0.jar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\n"+
				"Content-Length: %d\r\n\r\n",
			root, lib, g.Keys["ada"], c.size,
		)
		// The first answer: no "100 Continue" comes before it.
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 413 || !strings.Contains(string(body), text) {
			t.Errorf("%s: %d %s %v", text, resp.StatusCode, body, err)
		}
	}
}
