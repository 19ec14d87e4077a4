package maven

// The grammar of paths: what is read, what is refused, and that links lead back.

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/maven/names"
)

// parseRaw reads a request line by the table. Wherever the shortcut reads it, too, they must agree.
func parseRaw(t testing.TB, method, raw string) (string, Request, error) {
	t.Helper()
	path, query, _ := strings.Cut(raw, "?")
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	i, q, err := table.Parse(method, path, v)
	op := ""
	if err == nil {
		op = table.Row(i).Op
	}
	if short, q2, ok := shortcut(method, path); ok && (err != nil || short != op || !reflect.DeepEqual(q2, q)) {
		t.Errorf("%s %s: the shortcut says %s %+v; want what the table says: %s %+v %v", method, raw, short, q2, op, q, err)
	}
	return op, q, err
}

// table is the routes, compiled.
var table = (&server{}).endpoint().Table()

// TestEveryPathIsReadAndLinkedTo has every form of path that was seen on the wire.
func TestEveryPathIsReadAndLinkedTo(t *testing.T) {
	lib := func(q Request) Request {
		q.Group, q.Artifact = "com.acme", "lib"
		return q
	}
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "", "maven.directory", Request{}},
		{"GET", "/", "maven.directory", Request{}},
		{"GET", "/com", "maven.directory", Request{Path: "com"}},
		{"GET", "/com/acme/", "maven.directory", Request{Path: "com/acme/"}},
		{"HEAD", "/com/acme/lib/1.0/", "maven.directory", Request{Path: "com/acme/lib/1.0/"}},
		{"DELETE", "/com/acme/lib/1.0/", "maven.directory.delete", Request{Path: "com/acme/lib/1.0/"}},
		{"DELETE", "/com/acme/lib", "maven.directory.delete", Request{Path: "com/acme/lib"}},
		{"POST", "/com/acme/lib/1.0/", "maven.commit", Request{Path: "com/acme/lib/1.0/"}},
		{"GET", "/com/acme/lib/1.0/lib-1.0.jar", "maven.file", lib(Request{
			Path: "com/acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar",
		})},
		{
			"HEAD", "/junit/junit/4.13/junit-4.13.pom", "maven.file",
			Request{
				Path: "junit/junit/4.13/junit-4.13.pom", Group: "junit", Artifact: "junit", Version: "4.13", File: "junit-4.13.pom",
			},
		},
		{"GET", "/com/acme/lib/1.0/lib-1.0.jar.sha1", "maven.sum", lib(Request{
			Path: "com/acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar", Sum: "sha1",
		})},
		{"GET", "/com/acme/lib/1.0/lib-1.0.jar.asc.sha512", "maven.sum", lib(Request{
			Path: "com/acme/lib/1.0/lib-1.0.jar.asc", Version: "1.0", File: "lib-1.0.jar.asc", Sum: "sha512",
		})},
		{"PUT", "/com/acme/lib/1.0+b1/lib-1.0+b1.jar", "maven.put", lib(Request{
			Path: "com/acme/lib/1.0+b1/lib-1.0+b1.jar", Version: "1.0+b1", File: "lib-1.0+b1.jar",
		})},
		{"PUT", "/com/acme/lib/1.0%2Bb1/lib-1.0%2bb1.jar", "maven.put", lib(Request{
			Path: "com/acme/lib/1.0+b1/lib-1.0+b1.jar", Version: "1.0+b1", File: "lib-1.0+b1.jar",
		})},
		{"POST", "/com/acme/lib/1.0/lib-1.0.jar", "maven.put", lib(Request{
			Path: "com/acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar",
		})},
		{"PUT", "/com/acme/lib/1.0/lib-1.0.module.sha256", "maven.sum.put", lib(Request{
			Path: "com/acme/lib/1.0/lib-1.0.module", Version: "1.0", File: "lib-1.0.module", Sum: "sha256",
		})},
		{"PUT", "/com/acme/lib/1.0/ivy-1.0.xml", "maven.put", lib(Request{
			Path: "com/acme/lib/1.0/ivy-1.0.xml", Version: "1.0", File: "ivy-1.0.xml",
		})},
		{
			"PUT", "/com/acme/sbt-x_2.12_1.0/1.0/sbt-x-1.0.jar", "maven.put",
			Request{
				Path: "com/acme/sbt-x_2.12_1.0/1.0/sbt-x-1.0.jar", Group: "com.acme", Artifact: "sbt-x_2.12_1.0", Version: "1.0",
				File: "sbt-x-1.0.jar",
			},
		},
		{"GET", "/com/acme/lib/%C3%BC/lib-%C3%BC.jar", "maven.file", lib(Request{
			Path: "com/acme/lib/ü/lib-ü.jar", Version: "ü", File: "lib-ü.jar",
		})},
		{"GET", "/com.acme/lib/1.0/lib-1.0.jar", "maven.file", lib(Request{
			Path: "com.acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar", Ivy: true,
		})},
		{"PUT", "/com.acme/lib/1.0/ivys/ivy.xml.sha1", "maven.sum.put", lib(Request{
			Path: "com.acme/lib/1.0/ivys/ivy.xml", Version: "1.0", File: "ivys/ivy.xml", Ivy: true, Sum: "sha1",
		})},
		{"DELETE", "/com/acme/lib/1.0/jars/lib.jar", "maven.delete", lib(Request{
			Path: "com/acme/lib/1.0/jars/lib.jar", Version: "1.0", File: "jars/lib.jar", Ivy: true,
		})},
		{"HEAD", "/com.acme/lib/scala_2.12/sbt_1.0/1.0/jars/lib.jar", "maven.file", lib(Request{
			Path: "com.acme/lib/scala_2.12/sbt_1.0/1.0/jars/lib.jar", Version: "1.0",
			File: "scala_2.12/sbt_1.0/jars/lib.jar", Ivy: true,
		})},
		{"POST", "/com.acme/lib/1.0%2Bb/docs/lib%2B.jar", "maven.put", lib(Request{
			Path: "com.acme/lib/1.0+b/docs/lib+.jar", Version: "1.0+b", File: "docs/lib+.jar", Ivy: true,
		})},
		{"DELETE", "/com/acme/lib/1.0/lib-1.0.jar", "maven.delete", lib(Request{
			Path: "com/acme/lib/1.0/lib-1.0.jar", Version: "1.0", File: "lib-1.0.jar",
		})},
		{"GET", "/com/acme/lib/maven-metadata.xml", "maven.metadata", lib(Request{Path: "com/acme/lib/maven-metadata.xml"})},
		{"GET", "/junit/maven-metadata.xml", "maven.metadata", Request{Path: "junit/maven-metadata.xml", Artifact: "junit"}},
		{"GET", "/com/acme/lib/maven-metadata.xml.sha1", "maven.metadata", lib(Request{
			Path: "com/acme/lib/maven-metadata.xml", Sum: "sha1",
		})},
		{"PUT", "/com/acme/lib/maven-metadata.xml.sha512", "maven.metadata.put", lib(Request{
			Path: "com/acme/lib/maven-metadata.xml", Sum: "sha512",
		})},
		{"GET", "/com/acme/lib/2.0-SNAPSHOT/maven-metadata.xml", "maven.snapshot", lib(Request{
			Path: "com/acme/lib/2.0-SNAPSHOT/maven-metadata.xml", Version: "2.0-SNAPSHOT",
		})},
		{"PUT", "/com/acme/lib/SNAPSHOT/maven-metadata.xml", "maven.snapshot.put", lib(Request{
			Path: "com/acme/lib/SNAPSHOT/maven-metadata.xml", Version: "SNAPSHOT",
		})},
		{"GET", "/.meta/prefixes.txt", "maven.prefixes", Request{}},
		{"GET", "/.meta/prefixes.txt.sha1", "maven.prefixes", Request{Sum: "sha1"}},
		{"GET", "/archetype-catalog.xml", "maven.archetypes", Request{}},
		{"GET", "/archetype-catalog.xml.md5", "maven.archetypes", Request{Sum: "md5"}},
		{
			"GET", "/solrsearch/select?q=g:a+AND+a:b&core=gav&rows=5&start=10&wt=xml", "maven.search",
			Request{Query: "g:a AND a:b", Core: "gav", Form: "xml", From: 10, Size: 5},
		},
		{"GET", "/solrsearch/select?q=x&rows=9999&wt=yaml", "maven.search", Request{Query: "x", Form: "json", Size: maxRows}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		if c.want.Artifact != "" {
			c.want.Name = names.PackageName(c.want.Group, c.want.Artifact)
		}
		if err != nil || op != c.op || !reflect.DeepEqual(q, c.want) {
			t.Errorf("%s %s: %s %+v %v, want %+v", c.method, c.path, op, q, err, c.want)
			continue
		}
		to := table.Link(op, q)
		if op2, again, err := parseRaw(t, c.method, to); err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Errorf("%s %s → %s: %s %+v %v", c.method, c.path, to, op2, again, err)
		}
	}
}

// TestPathsOutsideTheLayoutAreRefused (CVE-2024-4956): what is not of the grammar, or would be another path decoded
// twice, never reaches a handler.
func TestPathsOutsideTheLayoutAreRefused(t *testing.T) {
	for path, want := range map[string]error{
		"/%2F%2F..%2F..%2Fetc%2Fpasswd":                  problem.ErrBadPath,
		"/../etc/passwd":                                 problem.ErrBadPath,
		"/com/acme/lib/../../x":                          problem.ErrBadPath,
		"/com/acme/lib/%2e%2e/x":                         problem.ErrBadPath,
		"/com/acme/lib/1.0/..%5c..%5cx":                  problem.ErrBadPath,
		"/com/acme/lib/1.0/a%5cb":                        problem.ErrBadPath,
		"/com/acme/lib/1.0/a%00.jar":                     problem.ErrBadPath,
		"/com/acme/lib/1.0/a%0d%0ab":                     problem.ErrBadPath,
		"/com/acme/lib/1.0/a%zz":                         problem.ErrBadPath,
		"/com/acme/lib/1.0/a%252e":                       problem.ErrBadPath,
		"/com/acme/lib/1.0%2520x/lib.jar":                problem.ErrBadPath,
		"/com/acme/lib/1.0/%ff":                          problem.ErrBadPath,
		"/com/acme/lib/1.0/a:b":                          problem.ErrBadPath,
		"//com/acme":                                     problem.ErrBadPath,
		"//":                                             problem.ErrBadPath,
		"/com//acme/lib/1.0/x":                           problem.ErrBadPath,
		"/com/acme//":                                    problem.ErrBadPath,
		"/com/a.b/lib/1.0/lib-1.0.jar":                   problem.ErrBadPath,
		"/com..acme/lib/1.0/lib-1.0.jar":                 problem.ErrBadPath,
		"/com./lib/1.0/jars/lib.jar":                     problem.ErrBadPath,
		"/com.acme/lib/1.0/maven-metadata.xml":           problem.ErrBadPath,
		"/com.acme/lib/scala_2.12/sbt_1.0/lib.jar":       problem.ErrBadPath, // without a revision
		"/com.acme/lib/1.0/jars/../x.jar":                problem.ErrBadPath,
		"/com.acme/lib/1.0/jars/lib.jar.sha1.md5":        problem.ErrNoRoute,
		"/com.acme/lib/1.0/jars/.x":                      problem.ErrNoRoute,
		"/com.acme/lib/maven-metadata.xml":               problem.ErrBadPath,
		"/" + strings.Repeat("a", 256) + "/b":            problem.ErrBadPath,
		"/" + strings.Repeat("abcdefgh/", 300) + "1.0/x": problem.ErrBadPath,
		"/com/acme/lib/1.0/lib-1.0.jar.sha1.md5":         problem.ErrNoRoute,
		"/com/acme/lib/maven-metadata.xml.md5.sha1":      problem.ErrNoRoute,
		"/.meta/x": problem.ErrNoRoute,
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
		"/com/acme/": "PUT", "/.meta/prefixes.txt": "PUT", "/archetype-catalog.xml": "PUT", "/solrsearch/select": "POST",
		"/com/acme/lib/1.0/lib-1.0.jar":    "PATCH",
		"/com/acme/lib/maven-metadata.xml": "DELETE", "/com/acme/lib/1-SNAPSHOT/maven-metadata.xml": "DELETE",
		"/com/acme/lib/1.0/": "OPTIONS",
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

// TestShortcutTakesWhatResolvingAsksFor: what all clients ask for is read without the table; parseRaw compares.
func TestShortcutTakesWhatResolvingAsksFor(t *testing.T) {
	for path, want := range map[string]string{
		"/com/acme/lib/1.0/lib-1.0.jar": "maven.file", "/com/acme/lib/1.0/lib-1.0.jar.sha1": "maven.sum",
		"/com/acme/lib/maven-metadata.xml": "maven.metadata", "/junit/maven-metadata.xml.md5": "maven.metadata",
		"/com/acme/lib/2-SNAPSHOT/maven-metadata.xml": "maven.snapshot", "/a/2-SNAPSHOT/maven-metadata.xml": "maven.metadata",
		"/junit/junit/4/junit-4.pom": "maven.file", "/com/acme/lib/1.0/lib-1.0.jar.asc.sha512": "maven.sum",
	} {
		op, _, ok := shortcut("HEAD", root+path)
		if got, _, err := parseRaw(t, "HEAD", root+path); !ok || op != want || got != want || err != nil {
			t.Errorf("%s: %q %t, the table %q %v; want %s", path, op, ok, got, err, want)
		}
	}
}

// TestShortcutLeavesIvyLayoutsToTheTable: they have a dot in the group's directory, or a folder of a type.
func TestShortcutLeavesIvyLayoutsToTheTable(t *testing.T) {
	for _, path := range []string{
		"/com.acme/lib/1.0/lib-1.0.jar", "/com/acme/lib/1.0/jars/lib.jar", "/com/acme/lib/1/ivys/ivy.xml.sha1",
	} {
		if op, q, ok := shortcut("GET", root+path); ok {
			t.Errorf("%s: the shortcut says %s %+v", path, op, q)
		}
	}
}

// TestDocTable: the wire table of the package comment is that of the routes.
func TestDocTable(t *testing.T) { wiretest.DocTable(t, (&server{}).routes()) }

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/maven/", "/maven/com/acme/lib/1.0/lib-1.0.jar", "/maven/com/acme/lib/1.0/lib-1.0.jar.sha1",
		"/maven/com/acme/lib/maven-metadata.xml.md5",
		"/maven/com/acme/lib/2-SNAPSHOT/maven-metadata.xml", "/maven/com/acme/lib/1.0%2Bb/lib-1.0+b.tar.gz.asc",
		"/maven/.meta/prefixes.txt", "/maven/archetype-catalog.xml.sha1",
		"/maven/solrsearch/select?q=g:a&rows=3&start=4&core=gav&wt=xml", "/maven/com/", "/maven/%2F%2F..%2F..",
		"/maven/com.acme/lib/scala_2.12/sbt_1.0/1.0/jars/lib.jar", "/maven/com/acme/lib/1.0/ivys/ivy.xml.sha1",
		"/maven/a/%2e", "/maven/a/b/c/%C3%BC", "/maven/junit/maven-metadata.xml",
	} {
		for _, m := range []string{"GET", "PUT", "POST", "DELETE", "HEAD"} {
			f.Add(m, s)
		}
	}
	f.Fuzz(func(t *testing.T, method, raw string) {
		_, query, _ := strings.Cut(raw, "?")
		if _, err := url.ParseQuery(query); err != nil {
			return
		}
		op, q, err := parseRaw(t, method, raw)
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 404 && s != 405 {
				t.Fatalf("%s %q: %v is a %d", method, raw, err, s)
			}
			return
		}
		if strings.Contains(q.Path, "..") && strings.Contains("/"+q.Path+"/", "/../") || strings.HasPrefix(q.Path, "/") ||
			strings.ContainsAny(q.Path, "\\\x00%") {
			t.Fatalf("%s %q: path %q", method, raw, q.Path)
		}
		if q.Ivy && (q.Name != names.PackageName(q.Group, q.Artifact) || strings.Contains("."+q.Group+".", "..")) {
			t.Fatalf("%s %q: the name is %q", method, raw, q.Name)
		}
		// One path is one file: the path rebuilt from the coordinates is the path.
		if q.File != "" && !q.Ivy &&
			(names.Dir(q.Name, q.Version)+q.File != q.Path || q.key() != names.FileKey(q.Version, q.File)) {
			t.Fatalf("%s %q: %q is not %q", method, raw, names.Dir(q.Name, q.Version)+q.File, q.Path)
		}
		to := table.Link(op, q)
		op2, again, err := parseRaw(t, method, to)
		if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s %q → %q:\n%+v\n%+v %v", method, raw, to, q, again, err)
		}
	})
}
