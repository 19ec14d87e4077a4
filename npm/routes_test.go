package npm

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/npm/naming"
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

// TestA1_EveryPathParses has every spelling that was seen on the wire.
func TestA1_EveryPathParses(t *testing.T) {
	demo := func(q Request) Request { q.Name = "@sc/demo"; return q }
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "", opRoot, Request{}},
		{"GET", "/", opRoot, Request{}},
		{"GET", "/demo", opPackument, Request{Name: "demo"}},
		{"HEAD", "/demo/", opPackument, Request{Name: "demo"}},
		{"GET", "/npm", opPackument, Request{Name: "npm"}},
		{"GET", "/@sc%2fdemo?write=true", opPackument, demo(Request{Write: true})},
		{"GET", "/@sc%2Fdemo", opPackument, demo(Request{})},
		{"GET", "/@sc/demo", opPackument, demo(Request{})},
		{"GET", "/%40sc%2Fdemo", opPackument, demo(Request{})},
		{"GET", "/%40sc/demo", opPackument, demo(Request{})},
		{"GET", "/JSONStream", opPackument, Request{Name: "JSONStream"}},
		{"GET", "/pnpm/10.34.9", opVersion, Request{Name: "pnpm", Version: "10.34.9"}},
		{"GET", "/@sc/demo/latest", opVersion, demo(Request{Version: "latest"})},
		{"GET", "/@sc%2fdemo/next%2Fx", opVersion, demo(Request{Version: "next/x"})},
		{"GET", "/demo/-/demo-1.0.0.tgz", opTarball, Request{Name: "demo", File: "demo-1.0.0.tgz"}},
		{"HEAD", "/@sc/demo/-/demo-1.0.0.tgz", opTarball, demo(Request{File: "demo-1.0.0.tgz"})},
		{"GET", "/@sc%2fdemo/-/demo-1.0.0.tgz", opTarball, demo(Request{File: "demo-1.0.0.tgz"})},
		{"GET", "/@sc/demo/-/@sc/demo-1.0.0.tgz", opTarball, demo(Request{File: "demo-1.0.0.tgz"})},
		{"GET", "/@sc%2fdemo/-/@sc%2fdemo-1.0.0.tgz", opTarball, demo(Request{File: "demo-1.0.0.tgz"})},
		{"PUT", "/@sc%2fdemo", opPut, demo(Request{})},
		{"PUT", "/@sc%2fdemo/-rev/3-abc", opPutRev, demo(Request{Rev: "3-abc"})},
		{"PUT", "/demo/-rev/undefined", opPutRev, Request{Name: "demo", Rev: "undefined"}},
		{"DELETE", "/@sc%2fdemo/-rev/3-abc", opUnpublish, demo(Request{Rev: "3-abc"})},
		{"DELETE", "/demo/-/demo-1.0.0.tgz/-rev/3-abc", opTarballDelete, Request{Name: "demo", File: "demo-1.0.0.tgz", Rev: "3-abc"}},
		{"DELETE", "/npm/@sc/demo/-/demo-1.0.0.tgz/-rev/3-abc", opTarballDelete, demo(Request{File: "demo-1.0.0.tgz", Rev: "3-abc"})},
		{"DELETE", "/larder/npm/@sc%2fdemo/-/demo-1.0.0.tgz/-rev/3-abc", opTarballDelete, demo(Request{File: "demo-1.0.0.tgz", Rev: "3-abc"})},
		{"DELETE", "/npm/demo/-/demo-1.0.0.tgz/-rev/3-abc", opTarballDelete, Request{Name: "demo", File: "demo-1.0.0.tgz", Rev: "3-abc"}},
		{"DELETE", "/npm/-/npm-1.0.0.tgz/-rev/3-abc", opTarballDelete, Request{Name: "npm", File: "npm-1.0.0.tgz", Rev: "3-abc"}},
		{"GET", "/-/ping?write=true", opPing, Request{}},
		{"GET", "/-/whoami", opWhoami, Request{}},
		{"PUT", "/-/user/org.couchdb.user:ada", opLogin, Request{User: "ada"}},
		{"PUT", "/-/user/org.couchdb.user:ada/-rev/1-x", opLogin, Request{User: "ada", Rev: "1-x"}},
		{"GET", "/-/user/org.couchdb.user:ada?write=true", opUser, Request{User: "ada"}},
		{"DELETE", "/-/user/token/larder_x", opLogout, Request{ID: "larder_x"}},
		{"POST", "/-/v1/login", opWebLogin, Request{}},
		{"GET", "/-/v1/login/done/X", opWebDone, Request{ID: "X"}},
		{"GET", "/-/npm/v1/tokens?perPage=10&page=2", opTokens, Request{From: 2, Size: 10}},
		{"DELETE", "/-/npm/v1/tokens/token/abc", opTokenRevoke, Request{ID: "abc"}},
		{"GET", "/-/package/@sc%2fdemo/dist-tags", opTags, demo(Request{})},
		{"GET", "/-/package/@sc/demo/dist-tags", opTags, demo(Request{})},
		{"PUT", "/-/package/demo/dist-tags/next%2Fx", opTagSet, Request{Name: "demo", Tag: "next/x"}},
		{"DELETE", "/-/package/demo/dist-tags/beta", opTagDelete, Request{Name: "demo", Tag: "beta"}},
		{"GET", "/-/v1/search?text=a+b&size=5&from=10", opSearch, Request{Query: "a b", Size: 5, From: 10}},
		{"GET", "/-/v1/search?text=a&size=9999&quality=1", opSearch, Request{Query: "a", Size: 250}},
		{"POST", "/-/npm/v1/security/advisories/bulk", opAuditBulk, Request{}},
		{"POST", "/-/npm/v1/security/audits", opAuditQuick, Request{}},
		{"GET", "/-/npm/v1/keys", opKeys, Request{}},
		{"GET", "/-/npm/v1/attestations/demo@1.0.0", opAttestations, Request{Name: "demo", Version: "1.0.0"}},
		{"GET", "/-/npm/v1/attestations/@sc%2fdemo@1.0.0", opAttestations, demo(Request{Version: "1.0.0"})},
		{"GET", "/-/npm/v1/attestations/@sc/demo@1.0.0", opAttestations, demo(Request{Version: "1.0.0"})},
		{"POST", "/-/package/@sc%2Fdemo/access", opAccessSet, demo(Request{})},
		{"DELETE", "/-/package/@sc%2Fdemo/owners/bob", opOwnerRemove, demo(Request{User: "bob"})},
		{"GET", "/-/user/ada/package", opUserPackages, Request{User: "ada"}},
		{"PUT", "/-/user/v1/star", opStarPing, Request{}},
		{"PUT", "/-/user/package/@sc%2Fdemo/star", opStar, demo(Request{})},
		{"GET", "/-/_view/starredByUser?key=%22ada%22", opStarred, Request{Query: "ada"}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		c.want.Op = c.op
		if c.op == opTokens || c.op == opSearch {
			if c.want.Size == 0 {
				c.want.Size = defaultPageSize
			}
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

// TestE_PathAttacks: what is not of the grammar never reaches a handler.
func TestE_PathAttacks(t *testing.T) {
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
		"/npm/demo/-/demo-1.0.0.tgz":      problem.ErrNoRoute, // doubled only for the last step of unpublish
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
	for method, path := range map[string]string{"POST": "/demo", "DELETE": "/demo", "PATCH": "/-/ping", "PUT": "/demo/-/demo-1.0.0.tgz"} {
		if _, _, err := parseRaw(t, method, root+path); !errors.Is(err, problem.ErrMethod) {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
}

// TestDocTable: the table of the package comment, the operations and the routes are the same.
func TestDocTable(t *testing.T) {
	sample := strings.NewReplacer("P@V", "@sc/demo@1.0.0", "/P", "/@sc%2fdemo", "/V", "/1.0.0", "/F", "/demo-1.0.0.tgz", "/R", "/1-a", ":U", ":ada", "/U", "/ada", "/T", "/beta", "/I", "/x")
	ops := wiretest.DocTable(t, (&server{}).operations(), root, sample, parseRaw)
	for _, row := range meta {
		if !ops[row.op] {
			t.Errorf("path %s has no operation", row.path)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/npm/", "/npm/@sc%2fdemo", "/npm/@sc/demo/-/@sc/demo-1.0.0.tgz", "/npm/npm/@sc/demo/-/demo-1.0.0.tgz/-rev/1-a", "/npm/demo/-rev/2-b",
		"/npm/-/package/@sc%2fdemo/dist-tags/next%2Fx", "/npm/-/v1/search?text=a&size=3&from=4", "/npm/-/user/org.couchdb.user:ada/-rev/1-a",
		"/npm/-/npm/v1/attestations/@sc%2fdemo@1.0.0", "/npm/-/npm/v1/tokens?page=1&perPage=2", "/npm/-/user/token/larder_x", "/npm/..%2f", "/npm/a/%2e",
		"/npm/-/_view/starredByUser?key=%22a%22", "/npm/demo/latest?write=true", "/npm/-/user/package/a/star", "/npm/-/package/a/owners/b",
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
		if q.Name != "" && naming.Check(q.Name) != nil {
			t.Fatalf("%s %q: operation %s on the illegal name %q", method, raw, op, q.Name)
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
