package composer

// The grammar of paths and queries: every address, misfits, and that links lead back.

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/composer/names"
	"larder/internal/problem"
	"larder/internal/wiretest"
)

func parseRaw(t testing.TB, method, raw string) (string, Request, error) {
	t.Helper()
	path, query, _ := strings.Cut(raw, "?")
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	i, q, err := table.Parse(method, path, v)
	if err != nil {
		return "", q, err
	}
	return table.Row(i).Op, q, nil
}

// table is the routes, compiled.
var table = (&server{}).endpoint().Table()

// TestRoutes: every address, and that its link is one that is read the same.
func TestRoutes(t *testing.T) {
	demo := func(r Request) Request { r.Name = "acme/demo"; return r }
	ref := strings.Repeat("0a", 20)
	src := source{"git", "https://git.example.com/a/b.git", "abc"}
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "/packages.json", "composer.root", Request{}},
		{"GET", "", "composer.root", Request{}},
		{"HEAD", "/", "composer.root", Request{}},
		{"GET", "/p2/acme/demo.json", "composer.metadata", demo(Request{})},
		{"GET", "/p2/Acme%2FDemo.json", "composer.metadata", demo(Request{})},
		{"GET", "/p2/acme/demo~dev.json", "composer.metadata", demo(Request{Branches: true})},
		{"GET", "/p2/acme/demo%7Edev.json", "composer.metadata", demo(Request{Branches: true})},
		{
			"GET", "/dists/acme/demo/1.0.0.0/" + ref + ".zip", "composer.dist",
			demo(Request{Version: "1.0.0.0", Reference: ref}),
		},
		{
			"GET", "/dists/acme/demo/dev-feature/x+y/" + ref + ".zip", "composer.dist",
			demo(Request{Version: "dev-feature/x+y", Reference: ref}),
		},
		{
			"GET", "/dists/acme/demo/dev-feature%2Fx%2By/" + ref + ".zip", "composer.dist",
			demo(Request{Version: "dev-feature/x+y", Reference: ref}),
		},
		{"GET", "/packages/acme/demo/stats.json", "composer.stats", Request{Name: "acme/demo"}},
		{"GET", "/acme/demo/stats.json", "composer.stats", Request{Name: "acme/demo"}},
		{"GET", "/packages/acme/stats.json", "composer.info", Request{Name: "acme/stats"}},
		{"GET", "/list.json", "composer.list", Request{}},
		{
			"GET", "/list.json?filter=acme%2F*&vendor=Acme&type=library&fields%5B%5D=type&fields%5B%5D=abandoned",
			"composer.list", Request{Query: "acme/*", Vendor: "acme", Type: "library", Fields: []string{"type", "abandoned"}},
		},
		{"GET", "/search.json?q=a+b&type=", "composer.search", Request{Query: "a b"}},
		{
			"GET", "/search.json?q=&tags=x&tags%5B%5D=y&per_page=500&page=3", "composer.search",
			Request{Tags: []string{"x", "y"}, Page: 3, Size: 100},
		},
		{"GET", "/providers/psr/log-implementation.json", "composer.providers", Request{Name: "psr/log-implementation"}},
		{"GET", "/providers/ext-json.json", "composer.providers", Request{Name: "ext-json"}},
		{"POST", "/downloads/", "composer.notify", Request{}},
		{"POST", "/downloads", "composer.notify", Request{}},
		{"POST", "/api/security-advisories/", "composer.audit", Request{}},
		{
			"GET", "/api/security-advisories/?packages%5B%5D=a/b&packages%5B1%5D=c/d", "composer.audit",
			Request{Packages: []string{"a/b", "c/d"}},
		},
		{"GET", "/api/security-advisories?updatedSince=17", "composer.audit", Request{Since: 17}},
		{"GET", "/filter-summary.json", "composer.filter", Request{}},
		{"GET", "/metadata/changes.json", "composer.changes", Request{}},
		{"GET", "/metadata/changes.json?since=17990000000000", "composer.changes", Request{Since: 17990000000000}},
		{"GET", "/packages/acme/demo.json", "composer.info", demo(Request{})},
		{"PUT", "", "composer.put", Request{}},
		{"PUT", "/?version=1.0.3&private=true", "composer.put", Request{Version: "1.0.3", Private: true}},
		{
			"PUT", "/anything.zip?version=dev-main&src-type=git&src-url=https://git.example.com/a/b.git&src-ref=abc",
			"composer.put", Request{Version: "dev-main", Source: src},
		},
		{"PUT", "/packages/upload/acme/demo/1.0.0", "composer.upload", demo(Request{Version: "1.0.0"})},
		{"POST", "/packages/upload/acme/demo/dev-feature/x", "composer.upload", demo(Request{Version: "dev-feature/x"})},
		{"PUT", "/packages/upload/acme/demo/1.0.0?version=2.0.0", "composer.upload", demo(Request{Version: "1.0.0"})},
		{"PUT", "/acme/demo/demo-1.0.0.zip", "composer.upload", demo(Request{Version: "1.0.0"})},
		{"PUT", "/acme/demo/demo-1.0.0.tar.gz", "composer.upload", demo(Request{Version: "1.0.0"})},
		{"PUT", "/acme/demo/demo-1.0.0.tar", "composer.upload", demo(Request{Version: "1.0.0"})},
		{"PUT", "/anything.tgz", "composer.put", Request{}},
		{"PUT", "/acme/demo/acme-demo-1.0.0-beta2.zip", "composer.upload", demo(Request{Version: "1.0.0-beta2"})},
		{"PUT", "/acme/demo/demo-latest.zip", "composer.upload", demo(Request{})},
		{"PUT", "/acme/demo/anything.zip?version=1.0.1", "composer.upload", demo(Request{Version: "1.0.1"})},
		{
			"PUT", "/acme/demo/demo-1.0.0.zip?properties=composer.version=1.0.1", "composer.upload",
			demo(Request{Version: "1.0.1"}),
		},
		{
			"PUT", "/acme/demo/x.zip?properties=a%3Db%3Bcomposer.version%3Ddev-main", "composer.upload",
			demo(Request{Version: "dev-main"}),
		},
		{"PUT", "/acme/demo/x.zip;a=b;composer.version=1.0.2", "composer.upload", demo(Request{Version: "1.0.2"})},
		{"DELETE", "/packages/acme/demo/versions/v1.0.0", "composer.version.delete", demo(Request{Version: "v1.0.0"})},
		{
			"DELETE", "/packages/acme/demo/versions/dev-feature/x?purge=1", "composer.version.delete",
			demo(Request{Version: "dev-feature/x", Purge: true}),
		},
		{"DELETE", "/packages/acme/demo/v1.0.0", "composer.version.delete", demo(Request{Version: "v1.0.0"})},
		{
			"DELETE", "/packages/acme/demo/dev-feature/x?purge=1", "composer.version.delete",
			demo(Request{Version: "dev-feature/x", Purge: true}),
		},
		{"PUT", "/packages/acme/demo", "composer.upload", demo(Request{})},
		{"PUT", "/packages/acme/demo?version=1.0.0", "composer.upload", demo(Request{Version: "1.0.0"})},
		{"DELETE", "/packages/acme/demo?purge=0", "composer.package.delete", demo(Request{})},
		{"GET", "/packages/acme/demo/settings", "composer.settings", demo(Request{})},
		{"PUT", "/packages/acme/demo/settings", "composer.settings.set", demo(Request{})},
		{"GET", "/api/advisories", "composer.advisories", Request{}},
		{"PUT", "/api/advisories", "composer.advisories.set", Request{}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		if c.want.Since == 0 {
			c.want.Since = -1
		}
		if c.op == "composer.search" && c.want.Page == 0 {
			c.want.Page, c.want.Size = 1, defaultPageSize
		}
		if err != nil || op != c.op || !reflect.DeepEqual(q, c.want) {
			t.Errorf("%s %s: %s %+v %v, want %+v", c.method, c.path, op, q, err, c.want)
			continue
		}
		if _, again, err := parseRaw(t, c.method, table.Link(op, q)); err != nil || !reflect.DeepEqual(q, again) {
			t.Errorf("%s %s → %s: %+v %v", c.method, c.path, table.Link(op, q), again, err)
		}
	}
}

// TestPathsThatAreRefused: what is not of the grammar never reaches a handler, and what cannot be a package's metadata
// is just not here.
func TestPathsThatAreRefused(t *testing.T) {
	ref := "/" + strings.Repeat("0", 40) + ".zip"
	for path, want := range map[string]error{
		"/../etc":                                       problem.ErrBadPath,
		"/%2e%2e/x":                                     problem.ErrBadPath,
		"/p2/..%2f..%2fetc%2fpasswd.json":               problem.ErrBadPath,
		"/p2/acme/..%2fdemo.json":                       problem.ErrBadPath,
		"/p2/acme/a%00b.json":                           problem.ErrBadPath,
		"/p2/acme/a%5cb.json":                           problem.ErrBadPath,
		"/p2/acme/a%zz.json":                            problem.ErrBadPath,
		"/p2//demo.json":                                problem.ErrBadPath,
		"/p2/acme/.hidden.json":                         problem.ErrNoRoute,
		"/p2/acme/dem%C3%B6.json":                       problem.ErrNoRoute,
		"/p2/con/demo.json":                             problem.ErrNoRoute,
		"/p2/acme/nul.json":                             problem.ErrNoRoute,
		"/p2/acme/demo.json.json":                       problem.ErrNoRoute,
		"/p2/ext-json.json":                             problem.ErrNoRoute,
		"/p2/acme/demo":                                 problem.ErrNoRoute,
		"/p2/a/b/c.json":                                problem.ErrNoRoute,
		"/p2/" + strings.Repeat("a", 250) + "/b.json":   problem.ErrNoRoute,
		"/dists/acme/demo/1.0.0.0/..%2f" + ref:          problem.ErrBadPath,
		"/dists/acme/demo/1.0.0.0/%2e%2e" + ref:         problem.ErrBadPath,
		"/dists/acme/demo/1.0.0.0/x.zip":                problem.ErrNoRoute,
		"/dists/acme/demo/1.0.0.0/.zip":                 problem.ErrNoRoute,
		"/dists/acme/demo/1.0.0.0/00.exe":               problem.ErrNoRoute,
		"/dists/acme/demo" + ref:                        problem.ErrNoRoute,
		"/dists/acme/-x/1.0.0.0" + ref:                  problem.ErrBadPath,
		"/providers/a%20b.json":                         problem.ErrNoRoute,
		"/providers/x":                                  problem.ErrNoRoute,
		"/packages/acme":                                problem.ErrNoRoute,
		"/packages/-/demo.json":                         problem.ErrBadPath,
		"/p/acme/demo.json":                             problem.ErrNoRoute,
		"/search.json?q=" + strings.Repeat("a", 600):    problem.ErrBadPath,
		"/search.json?page=0":                           problem.ErrBadPath,
		"/search.json?page=-1":                          problem.ErrBadPath,
		"/search.json?per_page=x":                       problem.ErrBadPath,
		"/search.json?page=99999999999":                 problem.ErrBadPath,
		"/list.json?filter=" + strings.Repeat("a", 600): problem.ErrBadPath,
		"/metadata/changes.json?since=-1":               problem.ErrBadPath,
		"/metadata/changes.json?since=x":                problem.ErrBadPath,
		"/api/security-advisories?updatedSince=99999999999999999999": problem.ErrBadPath,
		"/" + strings.Repeat("a/", 2000) + "b":                       problem.ErrBadPath,
	} {
		if _, q, err := parseRaw(t, "GET", root+path); !errors.Is(err, want) {
			t.Errorf("%.80s: %+v %v, want %v", path, q, err, want)
		}
	}
	for _, path := range []string{"/composerx", "/comp", "x"} {
		if _, _, err := parseRaw(t, "GET", path); !errors.Is(err, problem.ErrNoRoute) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, method := range map[string]string{
		"/packages.json": "PUT", "/p2/acme/demo.json": "POST", "/downloads/": "GET", "/packages/acme/demo": "GET",
		"/packages/acme/demo/owners":     "GET",
		"/packages/upload/acme/demo/1.0": "GET", "/acme/demo/x.zip": "GET", "/x.zip": "GET", "": "DELETE",
	} {
		if _, _, err := parseRaw(t, method, root+path); !errors.Is(err, problem.ErrMethod) {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
	if _, _, err := parseRaw(t, "PUT", root+"?version="+strings.Repeat("1", 600)); !errors.Is(err, problem.ErrBadPath) {
		t.Error(err)
	}
}

// TestDocTable: the table of the package comment is that of the routes.
func TestDocTable(t *testing.T) { wiretest.DocTable(t, (&server{}).routes()) }

// TestShortcutSaysWhatTheTableSays has every path of up to four components out of those that mean something anywhere.
func TestShortcutSaysWhatTheTableSays(t *testing.T) {
	check, taken := wiretest.Shortcut((&server{}).endpoint()), 0
	for _, path := range wiretest.Paths(root, 4, "", "p2", "a", "a.json", "a~dev.json", "a.json~dev.json", "~dev.json",
		".json",
		"packages.json", "A", "..", "a%2fa.json", "nul.json", "con") {
		if check(t, "GET", path) {
			taken++
		}
	}
	if taken < 15 {
		t.Errorf("the shortcut was taken %d times, want at least 15", taken)
	}
}

// TestShortcutIsForInstalls: it is taken for what nearly every request of an install asks.
func TestShortcutIsForInstalls(t *testing.T) {
	check := wiretest.Shortcut((&server{}).endpoint())
	for line, want := range map[string]bool{
		"GET /p2/acme/demo.json":         true,
		"HEAD /p2/acme/demo.json":        true,
		"GET /p2/acme/demo~dev.json":     true,
		"GET /packages.json":             true,
		"GET /p2/Acme/demo.json":         false,
		"GET /p2/acme%2fdemo.json":       false,
		"GET /p2/acme/demo%7Edev.json":   false,
		"GET /p2/acme/demo~dev~dev.json": false,
		"GET /p2/acme/demo.json.json":    false,
		"GET /p2/acme/~dev.json":         false,
		"GET /p2/acme/demo.json/":        false,
		"GET /p2/a/b/c.json":             false,
		"GET /p2/nul/demo.json":          false,
		"GET /packages.json/":            false,
		"GET /":                          false,
		"GET ":                           false,
		"PUT /packages.json":             false,
		"POST /p2/acme/demo.json":        false,
	} {
		method, path, _ := strings.Cut(line, " ")
		if taken := check(t, method, root+path); taken != want {
			t.Errorf("%s: the shortcut is taken: %t, want %t", line, taken, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	wiretest.BenchmarkParse(b, (&server{}).endpoint(), map[string]string{
		"root": root + "/packages.json", "releases": root + "/p2/acme/demo.json", "branches": root + "/p2/acme/demo~dev.json",
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/composer/", "/composer/packages.json", "/composer/p2/acme/demo.json", "/composer/p2/acme/demo~dev.json",
		"/composer/dists/acme/demo/dev-a%2Fb/00ff.zip", "/composer/list.json?filter=a/*&fields[]=type",
		"/composer/search.json?q=a&page=2&per_page=3&tags[]=x", "/composer/providers/ext-json.json", "/composer/downloads/",
		"/composer/api/security-advisories/?packages[]=a/b&updatedSince=3", "/composer/metadata/changes.json?since=1",
		"/composer/packages/acme/demo.json", "/composer/packages/upload/acme/demo/dev-a/b?src-type=git&src-ref=x",
		"/composer/acme/demo/demo-1.0.zip;composer.version=2?properties=composer.version=3", "/composer/x.zip?version=1",
		"/composer/packages/acme/demo/versions/1.0?purge=1", "/composer/packages/acme/demo/settings", "/composer/..%2f",
		"/composer/p2/a/%2e", "/composer/api/advisories",
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
		if n, err := names.Parse(q.Name); q.Name != "" && op != "composer.providers" && (err != nil || n != q.Name) {
			t.Fatalf("%s %q: operation %s on the illegal name %q", method, raw, op, q.Name)
		}
		op2, again, err := parseRaw(t, method, table.Link(op, q))
		if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s %q → %q:\n%+v\n%+v %v", method, raw, table.Link(op, q), q, again, err)
		}
	})
}
