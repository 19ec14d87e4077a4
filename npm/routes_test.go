package npm

// Which paths are read, and as what.

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/npm/names"
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

// TestEveryPathParses has every spelling that was seen on the wire.
func TestEveryPathParses(t *testing.T) {
	demo := func(q Request) Request { q.Name = "@sc/demo"; return q }
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "", "npm.root", Request{}},
		{"GET", "/", "npm.root", Request{}},
		{"GET", "/demo", "npm.packument", Request{Name: "demo"}},
		{"HEAD", "/demo/", "npm.packument", Request{Name: "demo"}},
		{"GET", "/npm", "npm.packument", Request{Name: "npm"}},
		{"GET", "/@sc%2fdemo?write=true", "npm.packument", demo(Request{Write: true})},
		{"GET", "/@sc%2Fdemo", "npm.packument", demo(Request{})},
		{"GET", "/@sc/demo", "npm.packument", demo(Request{})},
		{"GET", "/%40sc%2Fdemo", "npm.packument", demo(Request{})},
		{"GET", "/%40sc/demo", "npm.packument", demo(Request{})},
		{"GET", "/JSONStream", "npm.packument", Request{Name: "JSONStream"}},
		{"GET", "/pnpm/10.34.9", "npm.version", Request{Name: "pnpm", Version: "10.34.9"}},
		{"GET", "/@sc/demo/latest", "npm.version", demo(Request{Version: "latest"})},
		{"GET", "/@sc%2fdemo/next%2Fx", "npm.version", demo(Request{Version: "next/x"})},
		{"GET", "/demo/-/demo-1.0.0.tgz", "npm.tarball", Request{Name: "demo", File: "demo-1.0.0.tgz"}},
		{"HEAD", "/@sc/demo/-/demo-1.0.0.tgz", "npm.tarball", demo(Request{File: "demo-1.0.0.tgz"})},
		{"GET", "/@sc%2fdemo/-/demo-1.0.0.tgz", "npm.tarball", demo(Request{File: "demo-1.0.0.tgz"})},
		{"GET", "/@sc/demo/-/@sc/demo-1.0.0.tgz", "npm.tarball", demo(Request{File: "demo-1.0.0.tgz"})},
		{"GET", "/@sc%2fdemo/-/@sc%2fdemo-1.0.0.tgz", "npm.tarball", demo(Request{File: "demo-1.0.0.tgz"})},
		{
			"GET", "/repository/npm-group/demo/-/demo-1.0.0.tgz", "npm.tarball",
			Request{Name: "demo", File: "demo-1.0.0.tgz"},
		},
		{
			"GET", "/artifactory/api/npm/npm/@sc/demo/-/@sc/demo-1.0.0.tgz", "npm.tarball",
			demo(Request{File: "demo-1.0.0.tgz"}),
		},
		{"GET", "/prefix/@sc%2fdemo/-/demo-1.0.0.tgz", "npm.tarball", demo(Request{File: "demo-1.0.0.tgz"})},
		{
			"GET", "/api/packages/x/npm/@sc%2Fdemo/-/1.0.0/demo-1.0.0.tgz", "npm.tarball.of",
			demo(Request{Version: "1.0.0", File: "demo-1.0.0.tgz"}),
		},
		{"GET", "/download/@sc/demo/1.0.0/0a1b", "npm.tarball.of", demo(Request{Version: "1.0.0", ID: "0a1b"})},
		{"GET", "/download/-/download-1.0.0.tgz", "npm.tarball", Request{Name: "download", File: "download-1.0.0.tgz"}},
		{"PUT", "/@sc%2fdemo", "npm.put", demo(Request{})},
		{"PUT", "/@sc%2fdemo/-rev/3-abc", "npm.put.rev", demo(Request{Rev: "3-abc"})},
		{"PUT", "/demo/-rev/undefined", "npm.put.rev", Request{Name: "demo", Rev: "undefined"}},
		{"DELETE", "/@sc%2fdemo/-rev/3-abc", "npm.unpublish", demo(Request{Rev: "3-abc"})},
		{
			"DELETE", "/demo/-/demo-1.0.0.tgz/-rev/3-abc", "npm.tarball.delete",
			Request{Name: "demo", File: "demo-1.0.0.tgz", Rev: "3-abc"},
		},
		{
			"DELETE", "/npm/@sc/demo/-/demo-1.0.0.tgz/-rev/3-abc", "npm.tarball.delete",
			demo(Request{File: "demo-1.0.0.tgz", Rev: "3-abc"}),
		},
		{
			"DELETE", "/larder/npm/@sc%2fdemo/-/demo-1.0.0.tgz/-rev/3-abc", "npm.tarball.delete",
			demo(Request{File: "demo-1.0.0.tgz", Rev: "3-abc"}),
		},
		{
			"DELETE", "/npm/demo/-/demo-1.0.0.tgz/-rev/3-abc", "npm.tarball.delete",
			Request{Name: "demo", File: "demo-1.0.0.tgz", Rev: "3-abc"},
		},
		{
			"DELETE", "/npm/-/npm-1.0.0.tgz/-rev/3-abc", "npm.tarball.delete",
			Request{Name: "npm", File: "npm-1.0.0.tgz", Rev: "3-abc"},
		},
		{"GET", "/-/ping?write=true", "npm.ping", Request{}},
		{"GET", "/-/whoami", "npm.whoami", Request{}},
		{"PUT", "/-/user/org.couchdb.user:ada", "npm.login", Request{User: "ada"}},
		{"PUT", "/-/user/org.couchdb.user:ada/-rev/1-x", "npm.login", Request{User: "ada", Rev: "1-x"}},
		{"GET", "/-/user/org.couchdb.user:ada?write=true", "npm.user", Request{User: "ada"}},
		{"DELETE", "/-/user/token/larder_x", "npm.logout", Request{ID: "larder_x"}},
		{"POST", "/-/v1/login", "npm.weblogin", Request{}},
		{"GET", "/-/v1/login/done/X", "npm.weblogin.done", Request{ID: "X"}},
		{"GET", "/-/npm/v1/tokens?perPage=10&page=2", "npm.tokens", Request{From: 2, Size: 10}},
		{"DELETE", "/-/npm/v1/tokens/token/abc", "npm.token.revoke", Request{ID: "abc"}},
		{"GET", "/-/package/@sc%2fdemo/dist-tags", "npm.tags", demo(Request{})},
		{"GET", "/-/package/@sc/demo/dist-tags", "npm.tags", demo(Request{})},
		{"PUT", "/-/package/demo/dist-tags/next%2Fx", "npm.tag.set", Request{Name: "demo", Tag: "next/x"}},
		{"DELETE", "/-/package/demo/dist-tags/beta", "npm.tag.delete", Request{Name: "demo", Tag: "beta"}},
		{"GET", "/-/v1/search?text=a+b&size=5&from=10", "npm.search", Request{Query: "a b", Size: 5, From: 10}},
		{"GET", "/-/v1/search?text=a&size=9999&quality=1", "npm.search", Request{Query: "a", Size: 250}},
		{"POST", "/-/npm/v1/security/advisories/bulk", "npm.audit.bulk", Request{}},
		{"POST", "/-/npm/v1/security/audits", "npm.audit.quick", Request{}},
		{"GET", "/-/npm/v1/keys", "npm.keys", Request{}},
		{"GET", "/downloads/point/last-week/demo", "npm.downloads", Request{Name: "demo", Period: "last-week"}},
		{
			"GET", "/downloads/range/2026-01-01:2026-02-01/@sc/demo", "npm.downloads.range",
			demo(Request{Period: "2026-01-01:2026-02-01"}),
		},
		{"GET", "/downloads/point/2026-01-01", "npm.downloads.all", Request{Period: "2026-01-01"}},
		{"GET", "/downloads/range/last-day", "npm.downloads.range.all", Request{Period: "last-day"}},
		{
			"GET", "/downloads/point/last-week/demo,@sc/demo", "npm.downloads.bulk",
			Request{Names: []string{"demo", "@sc/demo"}, Period: "last-week"},
		},
		{
			"GET", "/downloads/range/last-week/@sc%2Fdemo,demo", "npm.downloads.range.bulk",
			Request{Names: []string{"@sc/demo", "demo"}, Period: "last-week"},
		},
		{"GET", "/-/npm/v1/attestations/demo@1.0.0", "npm.attestations", Request{Name: "demo", Version: "1.0.0"}},
		{"GET", "/-/npm/v1/attestations/@sc%2fdemo@1.0.0", "npm.attestations", demo(Request{Version: "1.0.0"})},
		{"GET", "/-/npm/v1/attestations/@sc/demo@1.0.0", "npm.attestations", demo(Request{Version: "1.0.0"})},
		{"POST", "/-/package/@sc%2Fdemo/access", "npm.access.set", demo(Request{})},
		{"DELETE", "/-/package/@sc%2Fdemo/owners/bob", "npm.owner.remove", demo(Request{User: "bob"})},
		{"GET", "/-/user/ada/package", "npm.user.packages", Request{User: "ada"}},
		{"PUT", "/-/user/v1/star", "npm.star.ping", Request{}},
		{"PUT", "/-/user/package/@sc%2Fdemo/star", "npm.star", demo(Request{})},
		{"GET", "/-/_view/starredByUser?key=%22ada%22", "npm.starred", Request{Query: "ada"}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		if c.op == "npm.tokens" || c.op == "npm.search" {
			if c.want.Size == 0 {
				c.want.Size = defaultPageSize
			}
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

// TestPathAttacksReachNoHandler: what is not of the grammar never reaches a handler.
func TestPathAttacksReachNoHandler(t *testing.T) {
	for path, want := range map[string]error{
		"/../etc":                         problem.ErrBadPath,
		"/%2e%2e/x":                       problem.ErrBadPath,
		"/..%2fx":                         problem.ErrBadPath,
		"/a%2fb":                          problem.ErrBadPath,
		"/a%00b":                          problem.ErrBadPath,
		"/a%5cb":                          problem.ErrBadPath,
		"/a%zz":                           problem.ErrBadPath,
		"//a":                             problem.ErrBadPath,
		"/a//b":                           problem.ErrBadPath,
		"/.hidden":                        problem.ErrBadPath,
		"/node_modules":                   problem.ErrBadPath,
		"/favicon.ico":                    problem.ErrBadPath,
		"/@sc%2f..":                       problem.ErrBadPath,
		"/@sc%2f%2e%2e":                   problem.ErrBadPath,
		"/@sc%252fdemo":                   problem.ErrNoRoute,
		"/@%2fdemo":                       problem.ErrBadPath,
		"/@sc%2fa%2fb":                    problem.ErrBadPath,
		"/%C3%A9":                         problem.ErrBadPath,
		"/аcme":                           problem.ErrBadPath, // Cyrillic
		"/" + strings.Repeat("a", 215):    problem.ErrBadPath,
		"/demo/-/..%2f..%2fetc%2fpasswd":  problem.ErrBadPath,
		"/demo/-/a%2fb.tgz":               problem.ErrBadPath,
		"/@sc/demo/-/@other/demo-1.0.tgz": problem.ErrNoRoute,
		"/@sc":                            problem.ErrNoRoute,
		"/demo/1.0.0/x":                   problem.ErrNoRoute,
		"/-/all":                          problem.ErrNoRoute,
		"/-/npm/v1/hooks":                 problem.ErrNoRoute,
		"/-/stage":                        problem.ErrNoRoute,
		"/-/v1/search?text=" + strings.Repeat("a", maxQueryText+1): problem.ErrBadPath,
		"/-/v1/search?text=a&size=-1":                              problem.ErrBadPath,
		"/-/v1/search?text=a&from=99999999999":                     problem.ErrBadPath,
	} {
		if _, q, err := parseRaw(t, "GET", root+path); !errors.Is(err, want) {
			t.Errorf("%s: %+v %v, want %v", path, q, err, want)
		}
	}
	for _, path := range []string{"/npmx", "/np", "x"} {
		if _, _, err := parseRaw(t, "GET", path); !errors.Is(err, problem.ErrNoRoute) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for method, path := range map[string]string{
		"POST": "/demo", "DELETE": "/demo", "PATCH": "/-/ping", "PUT": "/demo/-/demo-1.0.0.tgz",
	} {
		if _, _, err := parseRaw(t, method, root+path); !errors.Is(err, problem.ErrMethod) {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
}

// TestDocTable: the table of the package comment is that of the routes.
func TestDocTable(t *testing.T) { wiretest.DocTable(t, (&server{}).routes()) }

// TestShortcutSaysWhatTheTableSays has every path of up to four components out of those that mean something anywhere.
func TestShortcutSaysWhatTheTableSays(t *testing.T) {
	check, taken := wiretest.Shortcut((&server{}).endpoint()), 0
	for _, path := range wiretest.Paths(root, 4, "", "a", "-", "@a", "@", "@a%2fa", "@a%2Fa%2fa", "a%2fa", "%2f", "..",
		".", "-rev", "package", "@a/-/@", "%2e", "a\x00") {
		if check(t, "GET", path) {
			taken++
		}
	}
	if taken < 40 {
		t.Errorf("the shortcut was taken %d times, want at least 40", taken)
	}
}

// TestShortcutIsForInstalls: it is taken for what nearly every request of an install asks.
func TestShortcutIsForInstalls(t *testing.T) {
	check := wiretest.Shortcut((&server{}).endpoint())
	for line, want := range map[string]bool{
		"GET /demo":                          true,
		"HEAD /demo":                         true,
		"GET /@sc/demo":                      true,
		"GET /@sc%2fdemo":                    true,
		"GET /@sc%2Fdemo":                    true,
		"GET /demo/-/demo-1.0.0.tgz":         true,
		"GET /@sc/demo/-/demo-1.0.0.tgz":     true,
		"GET /@sc%2fdemo/-/demo-1.0.0.tgz":   true,
		"GET /@sc/demo/-/@sc/demo-1.0.0.tgz": false,
		"GET /%40sc%2fdemo":                  false,
		"GET /@sc%252fdemo":                  false,
		"GET /@sc%2":                         false,
		"GET /demo/":                         false,
		"GET /demo/1.0.0":                    false,
		"GET /-/ping":                        false,
		"GET /":                              false,
		"GET ":                               false,
		"PUT /demo":                          false,
		"DELETE /demo/-/demo-1.0.0.tgz":      false,
	} {
		method, path, _ := strings.Cut(line, " ")
		if taken := check(t, method, root+path); taken != want {
			t.Errorf("%s: the shortcut is taken: %t, want %t", line, taken, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	wiretest.BenchmarkParse(b, (&server{}).endpoint(), map[string]string{
		"plain": root + "/demo", "scoped": root + "/@sc%2fdemo", "file": root + "/demo/-/demo-1.0.0.tgz",
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/npm/", "/npm/@sc%2fdemo", "/npm/@sc/demo/-/@sc/demo-1.0.0.tgz", "/npm/npm/@sc/demo/-/demo-1.0.0.tgz/-rev/1-a",
		"/npm/demo/-rev/2-b", "/npm/-/package/@sc%2fdemo/dist-tags/next%2Fx", "/npm/-/v1/search?text=a&size=3&from=4",
		"/npm/-/user/org.couchdb.user:ada/-rev/1-a", "/npm/-/npm/v1/attestations/@sc%2fdemo@1.0.0",
		"/npm/-/npm/v1/tokens?page=1&perPage=2", "/npm/-/user/token/larder_x", "/npm/..%2f", "/npm/a/%2e",
		"/npm/-/_view/starredByUser?key=%22a%22", "/npm/demo/latest?write=true", "/npm/-/user/package/a/star",
		"/npm/-/package/a/owners/b",
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
		if q.Name != "" && names.Check(q.Name) != nil {
			t.Fatalf("%s %q: operation %s on the illegal name %q", method, raw, op, q.Name)
		}
		op2, again, err := parseRaw(t, method, table.Link(op, q))
		if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s %q → %q:\n%+v\n%+v %v", method, raw, table.Link(op, q), q, again, err)
		}
	})
}
