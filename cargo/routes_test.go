package cargo

// Tests of the grammar: every path that clients send, and paths that must reach no handler.

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/cargo/names"
	"larder/cargo/version"
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

const someSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// TestEveryPathParses has every path that was seen on the wire.
func TestEveryPathParses(t *testing.T) {
	const api = "/api/v1/crates"
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "/index/config.json", "cargo.config", Request{}},
		{"GET", "/config.json", "cargo.config", Request{}},
		{"HEAD", "/private/index/config.json", "cargo.config", Request{Closed: true}},
		{"GET", "/private/config.json", "cargo.config", Request{Closed: true}},
		{"GET", "/index/1/a", "cargo.index", Request{Name: "a"}},
		{"GET", "/index/2/ab", "cargo.index", Request{Name: "ab"}},
		{"GET", "/index/3/a/abc", "cargo.index", Request{Name: "abc"}},
		{"GET", "/index/fo/o-/foo-bar", "cargo.index", Request{Name: "foo-bar"}},
		{"GET", "/my/_c/my_crate", "cargo.index", Request{Name: "my_crate"}},
		{"GET", "/index/dl/cr/dlcrate", "cargo.index", Request{Name: "dlcrate"}},
		{"GET", "/dl/cr/dlcrate", "cargo.index", Request{Name: "dlcrate"}},
		{"GET", "/private/index/se/rd/serde", "cargo.index", Request{Name: "serde", Closed: true}},
		{"GET", "/dl/" + someSum + "/foo-bar-1.0.0.crate", "cargo.download",
			Request{Name: "foo-bar", Version: "1.0.0", Digest: someSum}},
		{"GET", "/dl/" + someSum + "/foo-1-0.1.0-2.0.0+build.5.crate", "cargo.download",
			Request{Name: "foo-1", Version: "0.1.0-2.0.0+build.5", Digest: someSum}},
		{"GET", "/dl/" + someSum + "/a_1-1.0.0-rc-1.2.crate", "cargo.download",
			Request{Name: "a_1", Version: "1.0.0-rc-1.2", Digest: someSum}},
		{"GET", "/private/dl/" + someSum + "/A-1.0.0.crate", "cargo.download",
			Request{Name: "A", Version: "1.0.0", Digest: someSum, Closed: true}},
		{"GET", api + "/foo-bar/0.1.0+build.5/download", "cargo.download",
			Request{Name: "foo-bar", Version: "0.1.0+build.5"}},
		{"GET", api + "/foo-bar/0.1.0%2Bbuild.5/download", "cargo.download",
			Request{Name: "foo-bar", Version: "0.1.0+build.5"}},
		{"PUT", api + "/new", "cargo.publish", Request{}},
		{"GET", api + "/new", "cargo.crate", Request{Name: "new"}},
		{"DELETE", api + "/demo/1.0.0/yank", "cargo.yank", Request{Name: "demo", Version: "1.0.0"}},
		{"PUT", api + "/demo/1.0.0/unyank", "cargo.unyank", Request{Name: "demo", Version: "1.0.0"}},
		{"GET", api + "/demo/owners", "cargo.owners", Request{Name: "demo"}},
		{"GET", api + "/demo/owner_user", "cargo.owners", Request{Name: "demo"}},
		{"GET", api + "/demo/owner_team", "cargo.owners.team", Request{Name: "demo"}},
		{"PUT", api + "/demo/owners", "cargo.owners.add", Request{Name: "demo"}},
		{"DELETE", api + "/demo/owners", "cargo.owners.remove", Request{Name: "demo"}},
		{"GET", api + "?q=foo%20bar%2F%C3%A9&per_page=5", "cargo.search", Request{Query: "foo bar/é", Page: 1, Size: 5}},
		{"GET", api + "?q=a&per_page=1000&page=3", "cargo.search", Request{Query: "a", Page: 3, Size: 100}},
		{"GET", api, "cargo.search", Request{Page: 1, Size: 10}},
		{"GET", "/me", "cargo.me", Request{}},
		{"POST", "/me", "cargo.me.login", Request{}},
		{"GET", api + "/Demo", "cargo.crate", Request{Name: "Demo"}},
		{"PATCH", api + "/demo", "cargo.crate.set", Request{Name: "demo"}},
		{"DELETE", api + "/demo", "cargo.crate.delete", Request{Name: "demo"}},
		{"GET", api + "/demo/versions", "cargo.versions", Request{Name: "demo"}},
		{"GET", api + "/demo/reverse_dependencies?per_page=100", "cargo.dependents",
			Request{Name: "demo", Page: 1, Size: 100}},
		{"GET", api + "/demo/downloads", "cargo.downloads", Request{Name: "demo"}},
		{"GET", api + "/demo/1.0.0", "cargo.version", Request{Name: "demo", Version: "1.0.0"}},
		{"PATCH", api + "/demo/1.0.0", "cargo.version.set", Request{Name: "demo", Version: "1.0.0"}},
		{"DELETE", api + "/demo/1.0.0", "cargo.version.delete", Request{Name: "demo", Version: "1.0.0"}},
		{"GET", api + "/demo/1.0.0/readme", "cargo.readme", Request{Name: "demo", Version: "1.0.0"}},
		{"GET", api + "/demo/1.0.0/dependencies", "cargo.dependencies", Request{Name: "demo", Version: "1.0.0"}},
		{"GET", api + "/demo/1.0.0/downloads", "cargo.downloads", Request{Name: "demo", Version: "1.0.0"}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		if err != nil || op != c.op || q != c.want {
			t.Errorf("%s %s: %s %+v %v, want %+v", c.method, c.path, op, q, err, c.want)
			continue
		}
		if _, again, err := parseRaw(t, c.method, table.Link(op, q)); err != nil || again != q {
			t.Errorf("%s %s → %s: %+v %v", c.method, c.path, table.Link(op, q), again, err)
		}
	}
}

// TestOtherPathsAreRefused: what is not of the grammar never reaches a handler.
func TestOtherPathsAreRefused(t *testing.T) {
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
	for method, path := range map[string]string{
		"POST": api, "PUT": "/index/1/a", "DELETE": api + "/demo/1.0.0/readme", "PATCH": "/me",
	} {
		if _, _, err := parseRaw(t, method, root+path); !errors.Is(err, problem.ErrMethod) {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
}

// TestDocTable: the table of the package comment is that of the routes.
func TestDocTable(t *testing.T) { wiretest.DocTable(t, (&server{}).routes()) }

// TestPlainIndex: the short cut is the long way, for every spelling.
func TestPlainIndex(t *testing.T) {
	for _, path := range []string{
		"1/a", "2/ab", "3/a/abc", "ab/cd/abcd", "ab/c-/abc-", "1/A", "1/ab", "2/a", "3/b/abc", "3/abc", "ab/ce/abcd",
		"ab/cd/abcD", "AB/cd/ABcd", "", "a", "/a", "ab/cd/", "ab/cd/abc%64", "1/9", "ab/cd/abcd/", "x/ab/cd/abcd",
		"config.json",
	} {
		_, short, ok := plainIndex("GET", root+"/index/"+path)
		op, q, err := parseRaw(t, "GET", root+"/index/"+path)
		if long := err == nil && op == "cargo.index"; ok != (long && !strings.Contains(path, "%")) || ok && short != q {
			t.Errorf("%s: %+v %t, %+v %v", path, short, ok, q, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/cargo/index/config.json", "/cargo/private/index/se/rd/serde", "/cargo/1/a", "/cargo/3/a/abc",
		"/cargo/dl/" + someSum + "/foo-1-0.1.0-2.0.0+b.crate",
		"/cargo/api/v1/crates?q=a%20b&per_page=3&page=2", "/cargo/api/v1/crates/new", "/cargo/api/v1/crates/demo/1.0.0/yank",
		"/cargo/api/v1/crates/demo/owners",
		"/cargo/api/v1/crates/demo/1.0.0+b.1/download", "/cargo/me", "/cargo/index/..%2f", "/cargo/dl/cr/dlcrate",
		"/cargo/api/v1/crates/demo/reverse_dependencies",
	} {
		for _, m := range []string{"GET", "PUT", "PATCH", "DELETE", "HEAD"} {
			f.Add(m, s)
		}
	}
	f.Fuzz(func(t *testing.T, method, raw string) {
		path, query, _ := strings.Cut(raw, "?")
		if _, err := url.ParseQuery(query); err != nil {
			return
		}
		op, q, err := parseRaw(t, method, raw)
		if short, head, ok := plainIndex(method, path); ok && (err != nil || short != op || head != q) {
			t.Fatalf("%s %q: the short cut is %s %+v, the table %s %+v %v", method, raw, short, head, op, q, err)
		}
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 404 && s != 405 {
				t.Fatalf("%s %q: %v is a %d", method, raw, err, s)
			}
			return
		}
		if q.Name != "" && names.Check(q.Name) != nil || q.Version != "" && !version.Valid(q.Version) {
			t.Fatalf("%s %q: operation %s on the illegal %q %q", method, raw, op, q.Name, q.Version)
		}
		op2, again, err := parseRaw(t, method, table.Link(op, q))
		if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s %q → %q:\n%+v\n%+v %v", method, raw, table.Link(op, q), q, again, err)
		}
	})
}
