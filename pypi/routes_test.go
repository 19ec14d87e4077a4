package pypi

// The grammar of paths: every spelling that was seen on the wire, what is refused, where redirects lead, and that links
// lead back.

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/pypi/simple"
)

const sha = "50aa83ff220dc09b9fb3e9827307b8290761c661922580cec2173f41b950aca7"

// table is the routes, compiled.
var table = (&server{}).endpoint().Table()

// parseRaw reads a path with a query.
func parseRaw(t testing.TB, method, raw string) (op string, q Request, err error) {
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

func TestEveryPathParsesAndLinksBack(t *testing.T) {
	demo := Request{Name: "demo-pkg"}
	file := Request{Name: "demo-pkg", SHA: sha, File: "demo_pkg-1.0-py3-none-any.whl"}
	local := Request{Name: "demo-pkg", SHA: sha, File: "demo_pkg-1!1.0+a.1-py3-none-any.whl"}
	sdist := Request{Name: "demo-pkg", File: "demo_pkg-1.0.tar.gz"}
	provenance := Request{Name: "demo-pkg", Version: "1.0", File: "demo_pkg-1.0-py3-none-any.whl"}
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "/simple/", "pypi.simple", Request{Index: 1}},
		{"HEAD", "/pypi/simple/", "pypi.simple", Request{}},
		{"GET", "/pypi/legacy/+simple/", "pypi.simple", Request{Index: 2}},
		{"GET", "/simple/?format=" + url.QueryEscape(simple.JSON), "pypi.simple", Request{Index: 1, Format: simple.JSON}},
		{"GET", "/simple/demo-pkg/", "pypi.project", Request{Name: "demo-pkg", Index: 1}},
		{"GET", "/pypi/simple/demo-pkg/", "pypi.project", demo},
		{"GET", "/pypi/legacy/+simple/demo-pkg/", "pypi.project", Request{Name: "demo-pkg", Index: 2}},
		{"GET", "/pypi/+simple/demo-pkg/", "pypi.project", Request{Name: "demo-pkg", Index: 3}},
		{"GET", "/simple/+simple/demo-pkg/", "pypi.project", Request{Name: "demo-pkg", Index: 4}},
		{"GET", "/pypi/simple/+simple/demo-pkg/", "pypi.project", Request{Name: "demo-pkg", Index: 5}},
		{"GET", "/simple/json/", "pypi.project", Request{Name: "json", Index: 1}},
		{"GET", "/pypi/simple/json/", "pypi.project", Request{Name: "json"}},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1.0-py3-none-any.whl", "pypi.file", file},
		{"HEAD", "/pypi/files/" + sha + "/demo_pkg-1.0-py3-none-any.whl", "pypi.file", file},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1!1.0+a.1-py3-none-any.whl", "pypi.file", local},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1%211.0%2Ba.1-py3-none-any.whl", "pypi.file", local},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1%211.0%2Ba.1-py3-none-any.whl.metadata", "pypi.metadata", local},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1.0-py3-none-any.whl.asc", "pypi.signature", file},
		{"GET", "/pypi/integrity/demo-pkg/1.0/demo_pkg-1.0-py3-none-any.whl/provenance", "pypi.provenance", provenance},
		{"GET", "/pypi/integrity/Demo.Pkg/1.0/demo_pkg-1.0-py3-none-any.whl/provenance", "pypi.provenance", provenance},
		{"POST", "/pypi/legacy/", "pypi.upload", Request{}},
		{"POST", "/pypi/legacy", "pypi.upload", Request{}},
		{"POST", "/simple/", "pypi.upload", Request{}},
		{"POST", "/simple", "pypi.upload", Request{}},
		{"POST", "/pypi/simple/", "pypi.upload", Request{}},
		{"POST", "/pypi/", "pypi.post", Request{}},
		{"POST", "/pypi", "pypi.post", Request{}},
		{"POST", "/RPC2", "pypi.rpc", Request{}},
		{"POST", "/RPC2/", "pypi.rpc", Request{}},
		{"GET", "/pypi/demo-pkg/json", "pypi.json", demo},
		{"GET", "/pypi/demo-pkg/json/", "pypi.json", demo},
		{"GET", "/pypi/demo-pkg/1.0/json", "pypi.json.version", Request{Name: "demo-pkg", Version: "1.0"}},
		{"GET", "/pypi/demo-pkg/1.0%2Ba/json/", "pypi.json.version", Request{Name: "demo-pkg", Version: "1.0+a"}},
		{"GET", "/pypi/simple/json", "pypi.json", Request{Name: "simple"}},
		{"GET", "/pypi/files/json", "pypi.json", Request{Name: "files"}},
		{"GET", "/pypi/legacy/1.0/json", "pypi.json.version", Request{Name: "legacy", Version: "1.0"}},
		{"GET", "/_/oidc/audience", "pypi.oidc.audience", Request{}},
		{"POST", "/_/oidc/mint-token", "pypi.oidc.mint", Request{}},
		{"GET", "/.well-known/pytp?discover=%2Fpypi%2Flegacy%2F", "pypi.oidc.discover", Request{Path: "/pypi/legacy/"}},
		{"PUT", "/pypi/-/Demo.Pkg/1.0/yank", "pypi.yank", Request{Name: "demo-pkg", Version: "1.0"}},
		{"DELETE", "/pypi/-/demo-pkg/files/demo_pkg-1.0.tar.gz/yank", "pypi.unyank", sdist},
		{"DELETE", "/pypi/-/demo-pkg/files/demo_pkg-1.0.tar.gz", "pypi.delete.file", sdist},
		{"DELETE", "/pypi/-/demo-pkg/1.0", "pypi.delete.version", Request{Name: "demo-pkg", Version: "1.0"}},
		{"DELETE", "/pypi/-/demo-pkg", "pypi.delete", demo},
		{"PUT", "/pypi/-/demo-pkg/status", "pypi.status", demo},
		{"DELETE", "/pypi/-/demo-pkg/tombstones/demo_pkg-1.0.tar.gz", "pypi.forget", sdist},
	} {
		op, q, err := parseRaw(t, c.method, c.path)
		if err != nil || op != c.op || q != c.want {
			t.Errorf("%s %s: %q %+v %v, want %q %+v", c.method, c.path, op, q, err, c.op, c.want)
			continue
		}
		link := table.Link(op, q)
		if again, q2, err := parseRaw(t, c.method, link); err != nil || again != op || q2 != q {
			t.Errorf("%s %s links to %s: %q %+v %v, want %+v", c.method, c.path, link, again, q2, err, q)
		}
	}
}

// location is where a redirect leads; "" if the path is no redirect.
func location(t testing.TB, path string) string {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	i, q, err := table.Parse("GET", r.URL.EscapedPath(), r.URL.Query())
	if err != nil || table.Row(i).Op != "pypi.redirect" {
		t.Errorf("%s: row %d, %+v, %v; want a redirect", path, i, q, err)
		return ""
	}
	w := httptest.NewRecorder()
	if err := (&server{}).routes()[i].Serve(w, r, q); err != nil || w.Code != 301 {
		t.Errorf("%s: %d, %v; want 301", path, w.Code, err)
	}
	return w.Header().Get("Location")
}

func TestRedirectsLeadToTheOneSpelling(t *testing.T) {
	for path, want := range map[string]string{
		"/simple":                     "simple/",
		"/pypi/simple":                "simple/",
		"/simple?format=text%2Fhtml":  "simple/?format=text%2Fhtml",
		"/simple/demo-pkg":            "demo-pkg/",
		"/simple/Demo.Pkg":            "demo-pkg/",
		"/simple/Demo.Pkg/":           "../demo-pkg/",
		"/simple/demo_pkg/":           "../demo-pkg/",
		"/pypi/Demo.Pkg/json":         "../demo-pkg/json",
		"/pypi/Demo.Pkg/json/":        "../../demo-pkg/json/",
		"/pypi/Demo.Pkg/1.0%2Ba/json": "../../demo-pkg/1.0+a/json",
	} {
		if got := location(t, path); got != want {
			t.Errorf("%s leads to %q, want %q", path, got, want)
		}
	}
}

func TestMisfitsAreRefused(t *testing.T) {
	for _, c := range []struct {
		method string
		want   error
		paths  []string
	}{
		{"GET", problem.ErrBadPath, []string{
			"/simple//", "/simple/%2e%2e/", "/simple/%zz/", "/simple/a%2Fb/", "/simple/a%5Cb/", "/simple/../x/",
			"/pypi/files/" + sha + "/..%2f..%2fetc",
		}},
		{"GET", problem.ErrNoRoute, []string{
			"x", "/", "/simple/-a/", "/simple/%E2%84%AAeras/", "/simple/a/b/", "/other", "/pypi/files/" + sha,
			"/pypi/files/abc/demo-1.0.tar.gz", "/pypi/files/" + strings.ToUpper(sha) + "/demo-1.0.tar.gz",
			"/pypi/files/" + sha + "/demo", "/pypi/files/" + sha + "/demo-1.0.tar.gz.sig", "/pypi/demo", "/pypi/demo/1.0",
			"/pypi/-a/json", "/pypi/integrity/other/1.0/demo-1.0.tar.gz/provenance",
			"/pypi/integrity/demo/1.0/demo-1.0.tar.gz", "/_/oidc", "/_/x/y", "/.well-known/other", "/RPC2/x",
		}},
		{"GET", problem.ErrMethod, []string{
			"/pypi/legacy/", "/pypi/", "/RPC2", "/_/oidc/mint-token", "/pypi/-/demo/status", "/pypi/-/json",
		}},
		{"PUT", problem.ErrMethod, []string{
			"/simple/", "/pypi/-/demo/1.0",
		}},
		{"POST", problem.ErrMethod, []string{
			"/simple/demo/", "/pypi/legacy/+simple/", "/pypi/files/" + sha + "/demo-1.0.tar.gz", "/pypi/demo/json",
		}},
		{"DELETE", problem.ErrMethod, []string{
			"/simple/demo/",
		}},
		{"DELETE", problem.ErrNoRoute, []string{
			"/pypi/-", "/pypi/-/-x", "/pypi/-/demo/x", "/pypi/-/demo/files/other-1.0.tar.gz", "/pypi/-/demo/1.0/x",
		}},
	} {
		for _, path := range c.paths {
			if op, q, err := parseRaw(t, c.method, path); !errors.Is(err, c.want) {
				t.Errorf("%s %s: %q %+v %v, want %v", c.method, path, op, q, err, c.want)
			}
		}
	}
}

func TestDocTable(t *testing.T) { wiretest.DocTable(t, (&server{}).routes()) }

// FuzzParse: what is understood leads to the same request again, and no name leads out of anything.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"/simple/", "/simple/Demo/", "/pypi/files/" + sha + "/demo-1%2B1.0.tar.gz.metadata", "/pypi/demo/1.0/json",
		"/pypi/-/demo/files/demo-1.0.tar.gz/yank", "/pypi/legacy/+simple/a/", "/.well-known/pytp",
	} {
		f.Add("GET", seed, "format=x")
		f.Add("DELETE", seed, "discover=%2F")
	}
	f.Fuzz(func(t *testing.T, verb, path, query string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		i, q, err := table.Parse(verb, path, v)
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 404 && s != 405 {
				t.Fatalf("%s %s: %d %v", verb, path, s, err)
			}
			return
		}
		if strings.ContainsAny(q.File+q.Name+q.SHA, "/\\\x00") || q.File == ".." {
			t.Fatalf("%s %s: %+v has a part that leads elsewhere", verb, path, q)
		}
		op := table.Row(i).Op
		if op == "pypi.redirect" {
			for _, to := range []string{pageLocation(q, false), pageLocation(q, true), jsonLocation(q, true)} {
				if strings.HasPrefix(to, "/") || strings.Contains(to, "://") || strings.ContainsAny(to, "\r\n") {
					t.Fatalf("%s %s leads to %q", verb, path, to)
				}
			}
			return
		}
		link := table.Link(op, q)
		again, q2, err := parseRaw(t, verb, link)
		if err != nil || again != op || q2 != q {
			t.Fatalf("%s %s: %+v, but %s is %q %+v %v", verb, path, q, link, again, q2, err)
		}
	})
}
