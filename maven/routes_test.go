package maven

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/maven/layout"
)

func parseRaw(t testing.TB, method, raw string) (string, Request, error) {
	t.Helper()
	path, query, _ := strings.Cut(raw, "?")
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return parse(method, path, v)
}

// TestA1_EveryPathParses has every form of path that was seen on the wire.
func TestA1_EveryPathParses(t *testing.T) {
	lib := func(q Request) Request {
		q.Group, q.Artifact = "com.acme", "lib"
		return q
	}
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "", opDirectory, Request{}},
		{"GET", "/", opDirectory, Request{}},
		{"GET", "/com", opDirectory, Request{Path: "com"}},
		{"GET", "/com/acme/", opDirectory, Request{Path: "com/acme/"}},
		{"HEAD", "/com/acme/lib/1.0/", opDirectory, Request{Path: "com/acme/lib/1.0/"}},
		{"DELETE", "/com/acme/lib/1.0/", opDirDelete, Request{Path: "com/acme/lib/1.0/"}},
		{"DELETE", "/com/acme/lib", opDirDelete, Request{Path: "com/acme/lib"}},
		{"POST", "/com/acme/lib/1.0/", opCommit, Request{Path: "com/acme/lib/1.0/"}},
		{"GET", "/com/acme/lib/1.0/lib-1.0.jar", opFile, lib(Request{Path: "com/acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar"})},
		{"HEAD", "/junit/junit/4.13/junit-4.13.pom", opFile, Request{Path: "junit/junit/4.13/junit-4.13.pom", Group: "junit", Artifact: "junit", Version: "4.13", File: "junit-4.13.pom"}},
		{"GET", "/com/acme/lib/1.0/lib-1.0.jar.sha1", opSum, lib(Request{Path: "com/acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar", Sum: "sha1"})},
		{"GET", "/com/acme/lib/1.0/lib-1.0.jar.asc.sha512", opSum, lib(Request{Path: "com/acme/lib/1.0/lib-1.0.jar.asc", Version: "1.0", File: "lib-1.0.jar.asc", Sum: "sha512"})},
		{"PUT", "/com/acme/lib/1.0+b1/lib-1.0+b1.jar", opPut, lib(Request{Path: "com/acme/lib/1.0+b1/lib-1.0+b1.jar", Version: "1.0+b1", File: "lib-1.0+b1.jar"})},
		{"PUT", "/com/acme/lib/1.0%2Bb1/lib-1.0%2bb1.jar", opPut, lib(Request{Path: "com/acme/lib/1.0+b1/lib-1.0+b1.jar", Version: "1.0+b1", File: "lib-1.0+b1.jar"})},
		{"POST", "/com/acme/lib/1.0/lib-1.0.jar", opPut, lib(Request{Path: "com/acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar"})},
		{"PUT", "/com/acme/lib/1.0/lib-1.0.module.sha256", opSumPut, lib(Request{Path: "com/acme/lib/1.0/lib-1.0.module", Version: "1.0", File: "lib-1.0.module", Sum: "sha256"})},
		{"PUT", "/com/acme/lib/1.0/ivy-1.0.xml", opPut, lib(Request{Path: "com/acme/lib/1.0/ivy-1.0.xml", Version: "1.0", File: "ivy-1.0.xml"})},
		{"PUT", "/com/acme/sbt-x_2.12_1.0/1.0/sbt-x-1.0.jar", opPut, Request{Path: "com/acme/sbt-x_2.12_1.0/1.0/sbt-x-1.0.jar", Group: "com.acme", Artifact: "sbt-x_2.12_1.0", Version: "1.0", File: "sbt-x-1.0.jar"}},
		{"GET", "/com/acme/lib/%C3%BC/lib-%C3%BC.jar", opFile, lib(Request{Path: "com/acme/lib/ü/lib-ü.jar", Version: "ü", File: "lib-ü.jar"})},
		{"DELETE", "/com/acme/lib/1.0/lib-1.0.jar", opDelete, lib(Request{Path: "com/acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar"})},
		{"GET", "/com/acme/lib/maven-metadata.xml", opMetadata, lib(Request{Path: "com/acme/lib/maven-metadata.xml"})},
		{"GET", "/junit/maven-metadata.xml", opMetadata, Request{Path: "junit/maven-metadata.xml", Artifact: "junit"}},
		{"GET", "/com/acme/lib/maven-metadata.xml.sha1", opMetadata, lib(Request{Path: "com/acme/lib/maven-metadata.xml", Sum: "sha1"})},
		{"PUT", "/com/acme/lib/maven-metadata.xml.sha512", opMetadataPut, lib(Request{Path: "com/acme/lib/maven-metadata.xml", Sum: "sha512"})},
		{"GET", "/com/acme/lib/2.0-SNAPSHOT/maven-metadata.xml", opSnapshot, lib(Request{Path: "com/acme/lib/2.0-SNAPSHOT/maven-metadata.xml", Version: "2.0-SNAPSHOT"})},
		{"PUT", "/com/acme/lib/SNAPSHOT/maven-metadata.xml", opSnapshotPut, lib(Request{Path: "com/acme/lib/SNAPSHOT/maven-metadata.xml", Version: "SNAPSHOT"})},
		{"GET", "/.meta/prefixes.txt", opPrefixes, Request{}},
		{"GET", "/.meta/prefixes.txt.sha1", opPrefixes, Request{Sum: "sha1"}},
		{"GET", "/archetype-catalog.xml", opArchetypes, Request{}},
		{"GET", "/archetype-catalog.xml.md5", opArchetypes, Request{Sum: "md5"}},
		{"GET", "/solrsearch/select?q=g:a+AND+a:b&core=gav&rows=5&start=10&wt=xml", opSearch, Request{Query: "g:a AND a:b", Core: "gav", Form: "xml", From: 10, Size: 5}},
		{"GET", "/solrsearch/select?q=x&rows=9999&wt=yaml", opSearch, Request{Query: "x", Form: "json", Size: maxRows}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		if c.want.Op = c.op; c.want.Artifact != "" {
			c.want.Name = layout.PackageName(c.want.Group, c.want.Artifact)
		}
		if err != nil || op != c.op || !reflect.DeepEqual(q, c.want) {
			t.Errorf("%s %s: %s %+v %v, want %+v", c.method, c.path, op, q, err, c.want)
			continue
		}
		if _, again, err := parseRaw(t, c.method, link(q)); err != nil || !reflect.DeepEqual(q, again) {
			t.Errorf("%s %s → %s: %+v %v", c.method, c.path, link(q), again, err)
		}
	}
}

// TestE_CVE_2024_4956_Paths: what is not of the grammar, or would be another path decoded twice, never reaches a handler.
func TestE_CVE_2024_4956_Paths(t *testing.T) {
	for path, want := range map[string]error{
		"/%2F%2F..%2F..%2Fetc%2Fpasswd":                          problem.ErrBadPath,
		"/../etc/passwd":                                         problem.ErrBadPath,
		"/com/acme/lib/../../x":                                  problem.ErrBadPath,
		"/com/acme/lib/%2e%2e/x":                                 problem.ErrBadPath,
		"/com/acme/lib/1.0/..%5c..%5cx":                          problem.ErrBadPath,
		"/com/acme/lib/1.0/a%5cb":                                problem.ErrBadPath,
		"/com/acme/lib/1.0/a%00.jar":                             problem.ErrBadPath,
		"/com/acme/lib/1.0/a%0d%0ab":                             problem.ErrBadPath,
		"/com/acme/lib/1.0/a%zz":                                 problem.ErrBadPath,
		"/com/acme/lib/1.0/a%252e":                               problem.ErrBadPath,
		"/com/acme/lib/1.0%2520x/lib.jar":                        problem.ErrBadPath,
		"/com/acme/lib/1.0/%ff":                                  problem.ErrBadPath,
		"/com/acme/lib/1.0/a:b":                                  problem.ErrBadPath,
		"//com/acme":                                             problem.ErrBadPath,
		"//":                                                     problem.ErrBadPath,
		"/com//acme/lib/1.0/x":                                   problem.ErrBadPath,
		"/com/acme//":                                            problem.ErrBadPath,
		"/com.acme/lib/1.0/lib-1.0.jar":                          problem.ErrBadPath, // com/acme spelled differently
		"/com/a.b/lib/1.0/lib-1.0.jar":                           problem.ErrBadPath,
		"/com.acme/lib/maven-metadata.xml":                       problem.ErrBadPath,
		"/" + strings.Repeat("a", 256) + "/b":                    problem.ErrBadPath,
		"/" + strings.Repeat("abcdefgh/", 300) + "1.0/x":         problem.ErrBadPath,
		"/com/acme/lib/1.0/lib-1.0.jar.sha1.md5":                 problem.ErrNoRoute,
		"/com/acme/lib/maven-metadata.xml.md5.sha1":              problem.ErrNoRoute,
		"/.meta/x":                                               problem.ErrNoRoute,
		"/.index/nexus-maven-repository-index.gz":                problem.ErrNoRoute,
		"/com/.git/lib/1.0/x":                                    problem.ErrNoRoute,
		"/com/acme/lib/1.0/.htaccess":                            problem.ErrNoRoute,
		"/solrsearch/select?q=" + strings.Repeat("a", 513):       problem.ErrBadPath,
		"/solrsearch/select?q=a&start=-1":                        problem.ErrBadPath,
		"/solrsearch/select?q=a&rows=x":                          problem.ErrBadPath,
		"/" + strings.Repeat("a/", 600) + "b/maven-metadata.xml": problem.ErrBadPath,
	} {
		if _, q, err := parseRaw(t, "GET", root+path); !errors.Is(err, want) {
			t.Errorf("%s: %+v %v, want %v", path, q, err, want)
		}
	}
	for _, path := range []string{"/mavenx", "/mav", "x"} {
		if _, _, err := parseRaw(t, "GET", path); !errors.Is(err, problem.ErrNoRoute) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, method := range map[string]string{
		"/com/acme/": "PUT", "/.meta/prefixes.txt": "PUT", "/archetype-catalog.xml": "PUT", "/solrsearch/select": "POST", "/com/acme/lib/1.0/lib-1.0.jar": "PATCH",
		"/com/acme/lib/maven-metadata.xml": "DELETE", "/com/acme/lib/1-SNAPSHOT/maven-metadata.xml": "DELETE", "/com/acme/lib/1.0/": "OPTIONS",
	} {
		if _, _, err := parseRaw(t, method, root+path); !errors.Is(err, problem.ErrMethod) {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
	// A 404 of a PUT makes mvn speak of a missing artifact.
	for _, path := range []string{"/x.jar", "/com/x.jar", "/com/acme/x.jar", "/.x/y/z/a", "/com/acme/lib/1.0/a.sha1.md5"} {
		if _, _, err := parseRaw(t, "PUT", root+path); !errors.Is(err, problem.ErrBadPath) {
			t.Errorf("PUT %s: %v", path, err)
		}
	}
}

// TestDocTable: the table of the package comment, the operations and the routes are the same.
func TestDocTable(t *testing.T) {
	sample := strings.NewReplacer("/G", "/com/acme", "/A/", "/lib/", "/V", "/1.0", "/F.S", "/lib-1.0.jar.sha1", "/F", "/lib-1.0.jar", "/D/", "/com/")
	wiretest.OldDocTable(t, (&server{}).operations(), root, sample, parseRaw)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/maven/", "/maven/com/acme/lib/1.0/lib-1.0.jar", "/maven/com/acme/lib/1.0/lib-1.0.jar.sha1", "/maven/com/acme/lib/maven-metadata.xml.md5",
		"/maven/com/acme/lib/2-SNAPSHOT/maven-metadata.xml", "/maven/com/acme/lib/1.0%2Bb/lib-1.0+b.tar.gz.asc", "/maven/.meta/prefixes.txt", "/maven/archetype-catalog.xml.sha1",
		"/maven/solrsearch/select?q=g:a&rows=3&start=4&core=gav&wt=xml", "/maven/com/", "/maven/%2F%2F..%2F..", "/maven/a/%2e", "/maven/a/b/c/%C3%BC", "/maven/junit/maven-metadata.xml",
	} {
		for _, m := range []string{"GET", "PUT", "POST", "DELETE", "HEAD"} {
			f.Add(m, s)
		}
	}
	f.Fuzz(func(t *testing.T, method, raw string) {
		path, query, _ := strings.Cut(raw, "?")
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		op, q, err := parse(method, path, v)
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 404 && s != 405 {
				t.Fatalf("%s %q: %v is a %d", method, raw, err, s)
			}
			return
		}
		if strings.Contains(q.Path, "..") && strings.Contains("/"+q.Path+"/", "/../") || strings.HasPrefix(q.Path, "/") || strings.ContainsAny(q.Path, "\\\x00%") {
			t.Fatalf("%s %q: path %q", method, raw, q.Path)
		}
		// One path is one file: the path rebuilt from the coordinates is the path.
		if q.File != "" && (layout.Dir(q.Name, q.Version)+q.File != q.Path || q.key() != layout.FileKey(q.Version, q.File)) {
			t.Fatalf("%s %q: %q is not %q", method, raw, layout.Dir(q.Name, q.Version)+q.File, q.Path)
		}
		p2, q2, _ := strings.Cut(link(q), "?")
		v2, err := url.ParseQuery(q2)
		if err != nil {
			t.Fatal(err)
		}
		op2, again, err := parse(method, p2, v2)
		if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s %q → %q:\n%+v\n%+v %v", method, raw, link(q), q, again, err)
		}
	})
}
