package pypi

import (
	"errors"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/pypi/simple"
)

const sha = "50aa83ff220dc09b9fb3e9827307b8290761c661922580cec2173f41b950aca7"

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
	demo := Request{Name: "demo-pkg"}
	with := func(f func(*Request)) Request { q := demo; f(&q); return q }
	file := with(func(q *Request) { q.SHA, q.File = sha, "demo_pkg-1.0-py3-none-any.whl" })
	local := with(func(q *Request) { q.SHA, q.File = sha, "demo_pkg-1!1.0+a.1-py3-none-any.whl" })
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "/simple/", opSimple, Request{Alias: 1}},
		{"HEAD", "/pypi/simple/", opSimple, Request{}},
		{"GET", "/pypi/legacy/+simple/", opSimple, Request{Alias: 2}},
		{"GET", "/simple/?format=" + url.QueryEscape(simple.JSON), opSimple, Request{Alias: 1, Format: simple.JSON}},
		{"GET", "/simple", opRedirect, Request{Alias: 1, To: "simple/"}},
		{"GET", "/pypi/simple", opRedirect, Request{To: "simple/"}},
		{"GET", "/simple?format=text%2Fhtml", opRedirect, Request{Alias: 1, To: "simple/?format=text%2Fhtml"}},
		{"GET", "/simple/demo-pkg/", opProject, with(func(q *Request) { q.Alias = 1 })},
		{"GET", "/pypi/simple/demo-pkg/", opProject, demo},
		{"GET", "/pypi/legacy/+simple/demo-pkg/", opProject, with(func(q *Request) { q.Alias = 2 })},
		{"GET", "/pypi/+simple/demo-pkg/", opProject, with(func(q *Request) { q.Alias = 3 })},
		{"GET", "/simple/+simple/demo-pkg/", opProject, with(func(q *Request) { q.Alias = 4 })},
		{"GET", "/pypi/simple/+simple/demo-pkg/", opProject, with(func(q *Request) { q.Alias = 5 })},
		{"GET", "/simple/json/", opProject, Request{Name: "json", Alias: 1}},
		{"GET", "/pypi/simple/json/", opProject, Request{Name: "json"}},
		{"GET", "/simple/demo-pkg", opRedirect, Request{Alias: 1, To: "demo-pkg/"}},
		{"GET", "/simple/Demo.Pkg", opRedirect, Request{Alias: 1, To: "demo-pkg/"}},
		{"GET", "/simple/Demo.Pkg/", opRedirect, Request{Alias: 1, To: "../demo-pkg/"}},
		{"GET", "/simple/demo_pkg/", opRedirect, Request{Alias: 1, To: "../demo-pkg/"}},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1.0-py3-none-any.whl", opFile, file},
		{"HEAD", "/pypi/files/" + sha + "/demo_pkg-1.0-py3-none-any.whl", opFile, file},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1!1.0+a.1-py3-none-any.whl", opFile, local},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1%211.0%2Ba.1-py3-none-any.whl", opFile, local},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1%211.0%2Ba.1-py3-none-any.whl.metadata", opMetadata, local},
		{"GET", "/pypi/files/" + sha + "/demo_pkg-1.0-py3-none-any.whl.asc", opSignature, file},
		{"GET", "/pypi/integrity/demo-pkg/1.0/demo_pkg-1.0-py3-none-any.whl/provenance", opProvenance, with(func(q *Request) { q.Version, q.File = "1.0", "demo_pkg-1.0-py3-none-any.whl" })},
		{"GET", "/pypi/integrity/Demo.Pkg/1.0/demo_pkg-1.0-py3-none-any.whl/provenance", opProvenance, with(func(q *Request) { q.Version, q.File = "1.0", "demo_pkg-1.0-py3-none-any.whl" })},
		{"POST", "/pypi/legacy/", opUpload, Request{}},
		{"POST", "/pypi/legacy", opUpload, Request{}},
		{"POST", "/simple/", opUpload, Request{}},
		{"POST", "/simple", opUpload, Request{}},
		{"POST", "/pypi/simple/", opUpload, Request{}},
		{"POST", "/pypi/", opPost, Request{}},
		{"POST", "/pypi", opPost, Request{}},
		{"POST", "/RPC2", opRPC, Request{}},
		{"POST", "/RPC2/", opRPC, Request{}},
		{"GET", "/pypi/demo-pkg/json", opJSON, demo},
		{"GET", "/pypi/demo-pkg/json/", opJSON, demo},
		{"GET", "/pypi/demo-pkg/1.0/json", opVersionJSON, with(func(q *Request) { q.Version = "1.0" })},
		{"GET", "/pypi/demo-pkg/1.0%2Ba/json/", opVersionJSON, with(func(q *Request) { q.Version = "1.0+a" })},
		{"GET", "/pypi/simple/json", opJSON, Request{Name: "simple"}},
		{"GET", "/pypi/files/json", opJSON, Request{Name: "files"}},
		{"GET", "/pypi/legacy/1.0/json", opVersionJSON, Request{Name: "legacy", Version: "1.0"}},
		{"GET", "/pypi/Demo.Pkg/json", opRedirect, Request{To: "../demo-pkg/json"}},
		{"GET", "/pypi/Demo.Pkg/json/", opRedirect, Request{To: "../../demo-pkg/json/"}},
		{"GET", "/pypi/Demo.Pkg/1.0%2Ba/json", opRedirect, Request{To: "../../demo-pkg/1.0+a/json"}},
		{"GET", "/_/oidc/audience", opAudience, Request{}},
		{"POST", "/_/oidc/mint-token", opMint, Request{}},
		{"GET", "/.well-known/pytp?discover=%2Fpypi%2Flegacy%2F", opDiscover, Request{Path: "/pypi/legacy/"}},
		{"PUT", "/pypi/-/Demo.Pkg/1.0/yank", opYank, with(func(q *Request) { q.Version = "1.0" })},
		{"DELETE", "/pypi/-/demo-pkg/files/demo_pkg-1.0.tar.gz/yank", opUnyank, with(func(q *Request) { q.File = "demo_pkg-1.0.tar.gz" })},
		{"DELETE", "/pypi/-/demo-pkg/files/demo_pkg-1.0.tar.gz", opDeleteFile, with(func(q *Request) { q.File = "demo_pkg-1.0.tar.gz" })},
		{"DELETE", "/pypi/-/demo-pkg/1.0", opDeleteVersion, with(func(q *Request) { q.Version = "1.0" })},
		{"DELETE", "/pypi/-/demo-pkg", opDelete, demo},
		{"PUT", "/pypi/-/demo-pkg/status", opStatus, demo},
		{"DELETE", "/pypi/-/demo-pkg/tombstones/demo_pkg-1.0.tar.gz", opForget, with(func(q *Request) { q.File = "demo_pkg-1.0.tar.gz" })},
	} {
		c.want.Op = c.op
		op, q, err := parseRaw(t, c.method, c.path)
		if err != nil || op != c.op || !reflect.DeepEqual(q, c.want) {
			t.Errorf("%s %s: %q %+v %v, want %+v", c.method, c.path, op, q, err, c.want)
			continue
		}
		if op == opRedirect {
			continue
		}
		if _, again, err := parseRaw(t, method(op), link(q)); err != nil || !reflect.DeepEqual(again, q) {
			t.Errorf("%s %s: %s leads to %+v %v", c.method, c.path, link(q), again, err)
		}
	}
}

// method is one with which an operation is asked for.
func method(op string) string {
	switch op {
	case opUpload, opPost, opRPC, opMint:
		return http.MethodPost
	case opYank, opStatus:
		return http.MethodPut
	case opUnyank, opDeleteFile, opDeleteVersion, opDelete, opForget:
		return http.MethodDelete
	}
	return http.MethodGet
}

func TestRoutesRefuse(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         error
	}{
		{"GET", "/", problem.ErrBadPath}, {"GET", "/simple//", problem.ErrBadPath}, {"GET", "/simple/%2e%2e/", problem.ErrBadPath}, {"GET", "/simple/%zz/", problem.ErrBadPath},
		{"GET", "/simple/a%2Fb/", problem.ErrBadPath}, {"GET", "/simple/a%5Cb/", problem.ErrBadPath}, {"GET", "/simple/../x/", problem.ErrBadPath}, {"GET", "x", problem.ErrNoRoute},
		{"GET", "/simple/-a/", problem.ErrNoRoute}, {"GET", "/simple/%E2%84%AAeras/", problem.ErrNoRoute}, {"GET", "/simple/a/b/", problem.ErrNoRoute}, {"GET", "/other", problem.ErrNoRoute},
		{"GET", "/pypi/legacy/", problem.ErrMethod}, {"GET", "/pypi/", problem.ErrMethod}, {"PUT", "/simple/", problem.ErrMethod}, {"POST", "/simple/demo/", problem.ErrMethod}, {"DELETE", "/simple/demo/", problem.ErrMethod},
		{"POST", "/pypi/legacy/+simple/", problem.ErrMethod}, {"GET", "/RPC2", problem.ErrMethod}, {"GET", "/pypi/files/" + sha, problem.ErrNoRoute}, {"GET", "/pypi/files/abc/demo-1.0.tar.gz", problem.ErrNoRoute},
		{"GET", "/pypi/files/" + strings.ToUpper(sha) + "/demo-1.0.tar.gz", problem.ErrNoRoute}, {"GET", "/pypi/files/" + sha + "/..%2f..%2fetc", problem.ErrBadPath}, {"GET", "/pypi/files/" + sha + "/demo", problem.ErrNoRoute},
		{"GET", "/pypi/files/" + sha + "/demo-1.0.tar.gz.sig", problem.ErrNoRoute}, {"POST", "/pypi/files/" + sha + "/demo-1.0.tar.gz", problem.ErrMethod},
		{"GET", "/pypi/demo", problem.ErrNoRoute}, {"GET", "/pypi/demo/1.0", problem.ErrNoRoute}, {"GET", "/pypi/-a/json", problem.ErrNoRoute}, {"POST", "/pypi/demo/json", problem.ErrMethod},
		{"GET", "/pypi/integrity/other/1.0/demo-1.0.tar.gz/provenance", problem.ErrNoRoute}, {"GET", "/pypi/integrity/demo/1.0/demo-1.0.tar.gz", problem.ErrNoRoute},
		{"GET", "/_/oidc", problem.ErrNoRoute}, {"GET", "/_/oidc/mint-token", problem.ErrMethod}, {"GET", "/_/x/y", problem.ErrNoRoute}, {"GET", "/.well-known/other", problem.ErrNoRoute},
		{"DELETE", "/pypi/-", problem.ErrNoRoute}, {"DELETE", "/pypi/-/-x", problem.ErrNoRoute}, {"DELETE", "/pypi/-/demo/x", problem.ErrNoRoute}, {"PUT", "/pypi/-/demo/1.0", problem.ErrMethod}, {"GET", "/pypi/-/demo/status", problem.ErrMethod},
		{"DELETE", "/pypi/-/demo/files/other-1.0.tar.gz", problem.ErrNoRoute}, {"DELETE", "/pypi/-/demo/1.0/x", problem.ErrNoRoute}, {"GET", "/pypi/-/json", problem.ErrMethod}, {"GET", "/RPC2/x", problem.ErrNoRoute},
	} {
		if op, q, err := parseRaw(t, c.method, c.path); !errors.Is(err, c.want) {
			t.Errorf("%s %s: %q %+v %v, want %v", c.method, c.path, op, q, err, c.want)
		}
	}
}

// TestDocTable: the table of the package comment, the operations and the routes are the same.
func TestDocTable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var p comment.Parser
	table := ""
	for _, b := range p.Parse(file.Doc.Text()).Content {
		if code, ok := b.(*comment.Code); ok && strings.HasPrefix(code.Text, "GET") {
			table = code.Text
		}
	}
	seen := map[string]bool{}
	fill := strings.NewReplacer("/S", "/"+sha, "/P", "/demo", "/V", "/1.0", "/F", "/demo-1.0.tar.gz", ",", "")
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		op := f[2]
		if strings.HasSuffix(f[1], ",") {
			op = f[3]
		}
		got, _, err := parseRaw(t, f[0], fill.Replace(f[1]))
		if got != op {
			t.Errorf("doc.go: %s %s is %s %v, not %s", f[0], f[1], got, err, op)
		}
		seen[op] = true
	}
	ops := (&server{}).operations()
	for _, o := range ops {
		if !seen[o.Op] {
			t.Errorf("operation %s is not in doc.go", o.Op)
		}
	}
	if len(seen) != len(ops) {
		t.Errorf("%d operations in doc.go, %d in the table", len(seen), len(ops))
	}
}

// FuzzParse: what is understood leads to the same request again, and no name leads out of anything.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"/simple/", "/simple/Demo/", "/pypi/files/" + sha + "/demo-1%2B1.0.tar.gz.metadata", "/pypi/demo/1.0/json", "/pypi/-/demo/files/demo-1.0.tar.gz/yank", "/pypi/legacy/+simple/a/", "/.well-known/pytp",
	} {
		f.Add("GET", seed, "format=x")
		f.Add("DELETE", seed, "discover=%2F")
	}
	f.Fuzz(func(t *testing.T, verb, path, query string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		op, q, err := parse(verb, path, v)
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 404 && s != 405 {
				t.Fatalf("%s %s: %d %v", verb, path, s, err)
			}
			return
		}
		if strings.ContainsAny(q.File+q.Name+q.SHA, "/\\\x00") || q.File == ".." || strings.ContainsAny(q.To, "\r\n") {
			t.Fatalf("%s %s: %+v", verb, path, q)
		}
		if op == opRedirect {
			if strings.HasPrefix(q.To, "/") || strings.Contains(q.To, "://") || q.To == "" {
				t.Fatalf("%s %s: leads to %q", verb, path, q.To)
			}
			return
		}
		_, again, err := parseRaw(t, method(op), link(q))
		if err != nil || !reflect.DeepEqual(again, q) {
			t.Fatalf("%s %s: %+v, but %s leads to %+v %v", verb, path, q, link(q), again, err)
		}
	})
}
