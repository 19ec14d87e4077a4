package cargo

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/cargo/crate"
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
	return parse(method, path, v)
}

const someSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// TestA1_EveryPathParses has every path that was seen on the wire.
func TestA1_EveryPathParses(t *testing.T) {
	const api = "/api/v1/crates"
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "/index/config.json", opConfig, Request{}},
		{"GET", "/config.json", opConfig, Request{}},
		{"HEAD", "/private/index/config.json", opConfig, Request{Closed: true}},
		{"GET", "/private/config.json", opConfig, Request{Closed: true}},
		{"GET", "/index/1/a", opIndex, Request{Name: "a"}},
		{"GET", "/index/2/ab", opIndex, Request{Name: "ab"}},
		{"GET", "/index/3/a/abc", opIndex, Request{Name: "abc"}},
		{"GET", "/index/fo/o-/foo-bar", opIndex, Request{Name: "foo-bar"}},
		{"GET", "/my/_c/my_crate", opIndex, Request{Name: "my_crate"}},
		{"GET", "/index/dl/cr/dlcrate", opIndex, Request{Name: "dlcrate"}},
		{"GET", "/dl/cr/dlcrate", opIndex, Request{Name: "dlcrate"}},
		{"GET", "/private/index/se/rd/serde", opIndex, Request{Name: "serde", Closed: true}},
		{"GET", "/dl/" + someSum + "/foo-bar-1.0.0.crate", opDownload, Request{Name: "foo-bar", Version: "1.0.0", Digest: someSum}},
		{"GET", "/dl/" + someSum + "/foo-1-0.1.0-2.0.0+build.5.crate", opDownload, Request{Name: "foo-1", Version: "0.1.0-2.0.0+build.5", Digest: someSum}},
		{"GET", "/dl/" + someSum + "/a_1-1.0.0-rc-1.2.crate", opDownload, Request{Name: "a_1", Version: "1.0.0-rc-1.2", Digest: someSum}},
		{"GET", "/private/dl/" + someSum + "/A-1.0.0.crate", opDownload, Request{Name: "A", Version: "1.0.0", Digest: someSum, Closed: true}},
		{"GET", api + "/foo-bar/0.1.0+build.5/download", opDownload, Request{Name: "foo-bar", Version: "0.1.0+build.5"}},
		{"GET", api + "/foo-bar/0.1.0%2Bbuild.5/download", opDownload, Request{Name: "foo-bar", Version: "0.1.0+build.5"}},
		{"PUT", api + "/new", opPublish, Request{}},
		{"GET", api + "/new", opCrate, Request{Name: "new"}},
		{"DELETE", api + "/demo/1.0.0/yank", opYank, Request{Name: "demo", Version: "1.0.0"}},
		{"PUT", api + "/demo/1.0.0/unyank", opUnyank, Request{Name: "demo", Version: "1.0.0"}},
		{"GET", api + "/demo/owners", opOwners, Request{Name: "demo"}},
		{"GET", api + "/demo/owner_user", opOwners, Request{Name: "demo"}},
		{"PUT", api + "/demo/owners", opOwnersAdd, Request{Name: "demo"}},
		{"DELETE", api + "/demo/owners", opOwnersRemove, Request{Name: "demo"}},
		{"GET", api + "?q=foo%20bar%2F%C3%A9&per_page=5", opSearch, Request{Query: "foo bar/é", Page: 1, Size: 5}},
		{"GET", api + "?q=a&per_page=1000&page=3", opSearch, Request{Query: "a", Page: 3, Size: 100}},
		{"GET", api, opSearch, Request{Page: 1, Size: 10}},
		{"GET", "/me", opMe, Request{}},
		{"POST", "/me", opMeLogin, Request{}},
		{"GET", api + "/Demo", opCrate, Request{Name: "Demo"}},
		{"PATCH", api + "/demo", opCrateSet, Request{Name: "demo"}},
		{"DELETE", api + "/demo", opCrateDelete, Request{Name: "demo"}},
		{"GET", api + "/demo/versions", opVersions, Request{Name: "demo"}},
		{"GET", api + "/demo/reverse_dependencies?per_page=100", opDependents, Request{Name: "demo", Page: 1, Size: 100}},
		{"GET", api + "/demo/downloads", opDownloads, Request{Name: "demo"}},
		{"GET", api + "/demo/1.0.0", opVersion, Request{Name: "demo", Version: "1.0.0"}},
		{"PATCH", api + "/demo/1.0.0", opVersionSet, Request{Name: "demo", Version: "1.0.0"}},
		{"DELETE", api + "/demo/1.0.0", opVersionDelete, Request{Name: "demo", Version: "1.0.0"}},
		{"GET", api + "/demo/1.0.0/readme", opReadme, Request{Name: "demo", Version: "1.0.0"}},
		{"GET", api + "/demo/1.0.0/dependencies", opDependencies, Request{Name: "demo", Version: "1.0.0"}},
		{"GET", api + "/demo/1.0.0/downloads", opDownloads, Request{Name: "demo", Version: "1.0.0"}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		c.want.Op = c.op
		if err != nil || op != c.op || q != c.want {
			t.Errorf("%s %s: %s %+v %v, want %+v", c.method, c.path, op, q, err, c.want)
			continue
		}
		if _, again, err := parseRaw(t, c.method, link(q)); err != nil || again != q {
			t.Errorf("%s %s → %s: %+v %v", c.method, c.path, link(q), again, err)
		}
	}
}

// TestE_NamesAsPaths: what is not of the grammar never reaches a handler.
func TestE_NamesAsPaths(t *testing.T) {
	const api = "/api/v1/crates"
	for path, want := range map[string]error{
		"/../etc":                               problem.ErrBadPath,
		"/%2e%2e/x":                             problem.ErrBadPath,
		"/index/..%2f..%2fx":                    problem.ErrBadPath,
		"/index/a%2fb/c":                        problem.ErrBadPath,
		"/index/ab/cd/ab%00cd":                  problem.ErrBadPath,
		"/index/ab/cd/ab%5ccd":                  problem.ErrBadPath,
		"/index/ab/%zz":                         problem.ErrBadPath,
		"//index/config.json":                   problem.ErrBadPath,
		"//api/v1/crates":                       problem.ErrBadPath,
		"/index//config.json":                   problem.ErrBadPath,
		"/index/1/A":                            problem.ErrNoRoute, // cargo asks in lower case
		"/index/2/a":                            problem.ErrNoRoute,
		"/index/3/b/abc":                        problem.ErrNoRoute,
		"/index/fo/ob/foobaz/x":                 problem.ErrNoRoute,
		"/index/fo/ba/foobar2x":                 problem.ErrNoRoute,
		"/index/foobar":                         problem.ErrNoRoute,
		"/index/fé/rr/férris":                   problem.ErrNoRoute,
		"/index":                                problem.ErrNoRoute,
		"":                                      problem.ErrNoRoute,
		"/private":                              problem.ErrNoRoute,
		"/private/private/config.json":          problem.ErrNoRoute,
		"/private/api/v1/crates":                problem.ErrNoRoute,
		"/dl/" + someSum + "/demo.crate":        problem.ErrNoRoute,
		"/dl/" + someSum + "/demo-1.crate":      problem.ErrNoRoute,
		"/dl/" + someSum + "/-1.0.0.crate":      problem.ErrNoRoute,
		"/dl/" + someSum + "/demo-1.0.0.tgz":    problem.ErrNoRoute,
		"/dl/" + someSum + "/demo-01.0.0.crate": problem.ErrNoRoute,
		"/dl/" + strings.ToUpper(someSum) + "/a-1.0.0.crate": problem.ErrNoRoute,
		"/dl/" + someSum[1:] + "/demo-1.0.0.crate":           problem.ErrNoRoute,
		api + "/1demo":                      problem.ErrBadPath,
		api + "/de mo":                      problem.ErrBadPath,
		api + "/" + strings.Repeat("a", 65): problem.ErrBadPath,
		api + "/demo/latest":                problem.ErrBadPath,
		api + "/demo/1.0/download":          problem.ErrBadPath,
		api + "/demo/1.0.0/x":               problem.ErrNoRoute,
		api + "/demo/" + "1.0.0-" + strings.Repeat("a", 150): problem.ErrBadPath,
		api + "?q=" + strings.Repeat("a", maxQueryText+1):    problem.ErrBadPath,
		api + "?per_page=-1": problem.ErrBadPath,
		api + "?page=0":      problem.ErrBadPath,
		"/api/v2/crates":     problem.ErrNoRoute,
	} {
		if _, q, err := parseRaw(t, "GET", root+path); !errors.Is(err, want) {
			t.Errorf("%s: %+v %v, want %v", path, q, err, want)
		}
	}
	for _, path := range []string{"/cargox", "/carg", "x"} {
		if _, _, err := parseRaw(t, "GET", path); !errors.Is(err, problem.ErrNoRoute) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for method, path := range map[string]string{"POST": api, "PUT": "/index/1/a", "DELETE": api + "/demo/1.0.0/readme", "PATCH": "/me"} {
		if _, _, err := parseRaw(t, method, root+path); !errors.Is(err, problem.ErrMethod) {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
}

// TestDocTable: the table of the package comment, the operations and the routes are the same.
func TestDocTable(t *testing.T) {
	sample := strings.NewReplacer("/index/P", "/index/se/rd/serde", "/D/F", "/"+someSum+"/serde-1.0.0.crate", "/N", "/serde", "/V", "/1.0.0")
	ops := wiretest.OldDocTable(t, (&server{}).operations(), root, sample, parseRaw)
	for _, row := range routes {
		if !ops[row.op] {
			t.Errorf("path %s has no operation", row.path)
		}
	}
}

// TestPlainIndex: the short cut is the long way, for every spelling.
func TestPlainIndex(t *testing.T) {
	for _, path := range []string{"1/a", "2/ab", "3/a/abc", "ab/cd/abcd", "ab/c-/abc-", "1/A", "1/ab", "2/a", "3/b/abc", "3/abc", "ab/ce/abcd", "ab/cd/abcD", "AB/cd/ABcd", "", "a", "/a", "ab/cd/", "ab/cd/abc%64", "1/9", "ab/cd/abcd/", "x/ab/cd/abcd", "config.json"} {
		name, ok := plainIndex(root + "/index/" + path)
		_, q, err := parse("HEAD", root+"/index/"+path, nil)
		if long := err == nil && q.Op == opIndex; ok != (long && !strings.Contains(path, "%")) || ok && name != q.Name {
			t.Errorf("%s: %q %t, %+v %v", path, name, ok, q, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/cargo/index/config.json", "/cargo/private/index/se/rd/serde", "/cargo/1/a", "/cargo/3/a/abc", "/cargo/dl/" + someSum + "/foo-1-0.1.0-2.0.0+b.crate",
		"/cargo/api/v1/crates?q=a%20b&per_page=3&page=2", "/cargo/api/v1/crates/new", "/cargo/api/v1/crates/demo/1.0.0/yank", "/cargo/api/v1/crates/demo/owners",
		"/cargo/api/v1/crates/demo/1.0.0+b.1/download", "/cargo/me", "/cargo/index/..%2f", "/cargo/dl/cr/dlcrate", "/cargo/api/v1/crates/demo/reverse_dependencies",
	} {
		for _, m := range []string{"GET", "PUT", "PATCH", "DELETE", "HEAD"} {
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
		if method == "GET" { // which has a short cut
			if other, head, err2 := parse("HEAD", path, v); other != op || head != q || (err == nil) != (err2 == nil) {
				t.Fatalf("%q: GET is %+v %v, HEAD %+v %v", raw, q, err, head, err2)
			}
		}
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 404 && s != 405 {
				t.Fatalf("%s %q: %v is a %d", method, raw, err, s)
			}
			return
		}
		if q.Name != "" && crate.CheckName(q.Name) != nil || q.Version != "" && !crate.IsVersion(q.Version) {
			t.Fatalf("%s %q: operation %s on the illegal %q %q", method, raw, op, q.Name, q.Version)
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
