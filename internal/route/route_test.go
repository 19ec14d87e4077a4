package route_test

// The grammar of tables: what fits a row, what an answer to a misfit is, and that links lead back.

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/route"
)

// request is what the toy grammar reads.
type request struct {
	Name, Tag string
	N         int
}

func text(at func(*request) *string) route.Field[request] {
	return route.Field[request]{
		Set: func(q *request, v string) error {
			if v == "other" {
				return route.ErrOther
			}
			if v == "bad" {
				return problem.Errorf(problem.ErrBadPath, "bad is no name")
			}
			*at(q) = v
			return nil
		},
		Get:    func(q *request) string { return url.PathEscape(*at(q)) },
		Absent: "not found",
	}
}

func table(split route.Split, rows ...string) *route.Table[request] {
	var list []route.Row
	for _, r := range rows {
		f := strings.Fields(r)
		list = append(list, route.Row{Method: f[0], Path: f[1], Op: f[2]})
	}
	name, tag := text(func(q *request) *string { return &q.Name }), text(func(q *request) *string { return &q.Tag })
	tag.Absent = "tag not found"
	return route.New(route.Grammar[request]{
		Root: "/toy", Split: split, Start: request{N: -1},
		Fields: map[string]route.Field[request]{"name": name, "tag": tag},
		Queries: map[string]route.Query[request]{"list": {
			Parse:  func(q *request, v url.Values) (err error) { q.N, err = strconv.Atoi(v.Get("n")); return err },
			Format: func(q *request, v url.Values) { v.Set("n", strconv.Itoa(q.N)) },
		}},
	}, list)
}

var rows = []string{
	"GET / root", "GET /ping ping", "GET /list list", "GET /tags/{name...}/{tag} tag", "PUT /tags/{name...}/{tag} set",
	"GET /files/{name}.json file", "GET /{name...} show", "DELETE /{name...} delete",
}

func TestEveryRowReadsItsAddressAndLinksBack(t *testing.T) {
	toy := table(route.Split{}, rows...)
	for _, c := range []struct {
		method, path, query, op string
		want                    request
	}{
		{"GET", "/toy", "", "root", request{N: -1}},
		{"GET", "/toy/", "", "root", request{N: -1}},
		{"HEAD", "/toy/ping", "", "ping", request{N: -1}},
		{"GET", "/toy/list", "n=3", "list", request{N: 3}},
		{"GET", "/toy/tags/a/b/c", "", "tag", request{"a/b", "c", -1}},
		{"PUT", "/toy/tags/a/c%20d/", "", "set", request{"a", "c d", -1}},
		{"GET", "/toy/files/a.b.json", "", "file", request{"a.b", "", -1}},
		{"GET", "/toy/files/.json", "", "show", request{"files/.json", "", -1}},
		{"DELETE", "/toy/a/b", "", "delete", request{"a/b", "", -1}},
	} {
		v, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		i, q, err := toy.Parse(c.method, c.path, v)
		if err != nil || toy.Row(i).Op != c.op || q != c.want {
			t.Errorf("%s %s?%s: row %d, %+v, %v; want %s %+v", c.method, c.path, c.query, i, q, err, c.op, c.want)
			continue
		}
		path, query, _ := strings.Cut(toy.Link(c.op, q), "?")
		if v, err = url.ParseQuery(query); err != nil {
			t.Fatal(err)
		}
		if again, q2, err := toy.Parse(c.method, strings.ReplaceAll(path, "%2F", "/"), v); err != nil || again != i ||
			q2 != q {
			t.Errorf("%s %s links to %s: row %d, %+v, %v", c.method, c.path, path, again, q2, err)
		}
	}
}

func TestMisfitsAreToldApart(t *testing.T) {
	toy := table(route.Split{}, "GET /a/{name} get", "PUT /a/{name} put", "POST /b post")
	for path, want := range map[string]error{
		"/toy/c": problem.ErrNoRoute, "/toy/a": problem.ErrNoRoute, "/toyx/a/b": problem.ErrNoRoute, "/": problem.ErrNoRoute,
		"/toy/a/other": problem.ErrNoRoute, "/toy/a/bad": problem.ErrBadPath, "/toy/b": problem.ErrMethod,
		"/toy/a//b": problem.ErrBadPath, "/toy/a/%2e%2e": problem.ErrBadPath, "/toy/a/b%2Fc": problem.ErrBadPath,
		"/toy/a/%zz": problem.ErrBadPath, "/toy/a/b%00": problem.ErrBadPath, "/toy/a/b%5Cc": problem.ErrBadPath,
		"/toy/a/" + strings.Repeat("x", 1025): problem.ErrBadPath,
	} {
		if _, q, err := toy.Parse("GET", path, nil); !errors.Is(err, want) {
			t.Errorf("GET %s: %+v, %v; want %v", path, q, err, want)
		}
	}
	_, _, err := toy.Parse(http.MethodDelete, "/toy/a/x", nil)
	if problem.Allow(err) != "GET, HEAD, PUT" {
		t.Errorf("DELETE /toy/a/x allows %q, want GET, HEAD, PUT", problem.Allow(err))
	}
}

func TestSlashAtTheEnd(t *testing.T) {
	for _, c := range []struct {
		rule route.Slash
		path string
		op   string // "" for an error
	}{
		{route.SlashIgnored, "/toy/d/", "dir"}, {route.SlashIgnored, "/toy/d//", ""}, {route.SlashRefused, "/toy/d/", ""},
		{route.SlashRefused, "/toy/d", "dir"}, {route.SlashKept, "/toy/d", "dir"}, {route.SlashKept, "/toy/d/", "slash"},
		{route.SlashKept, "/toy/", "slash root"}, {route.SlashKept, "/toy", ""},
		{route.SlashOptional, "/toy/d", "dir"}, {route.SlashOptional, "/toy/d/", "slash"},
		{route.SlashOptional, "/toy/d//", ""}, {route.SlashOptional, "/toy/e", "other"},
		{route.SlashOptional, "/toy/e/", "other"}, {route.SlashOptional, "/toy", ""},
	} {
		rows := []string{"GET /d dir"}
		if c.rule == route.SlashKept || c.rule == route.SlashOptional {
			rows = []string{"GET /d/ slash", "GET /d dir", "GET / slash-root", "GET /e other"}
		}
		toy := table(route.Split{Slash: c.rule}, rows...)
		i, _, err := toy.Parse("GET", c.path, nil)
		got := ""
		if err == nil {
			got = toy.Row(i).Op
		}
		if got != strings.ReplaceAll(c.op, " ", "-") {
			t.Errorf("rule %d, %s: %q, %v; want %q", c.rule, c.path, got, err, c.op)
		}
	}
}

func TestBareRootIsTheRootWithASlash(t *testing.T) {
	toy := table(route.Split{Slash: route.SlashKept, BareRoot: true}, "GET / root")
	for _, path := range []string{"/toy", "/toy/"} {
		if i, _, err := toy.Parse("GET", path, nil); err != nil || toy.Row(i).Op != "root" {
			t.Errorf("%s: row %d, %v; want that of the root", path, i, err)
		}
	}
}

func TestLengthOfAPathIsThatOfItsDecodedBytes(t *testing.T) {
	toy := table(route.Split{MaxPath: 7}, "GET /{name...} show")
	for path, want := range map[string]error{
		"/toy/abc/def": nil, "/toy/%61b%63/d%65f": nil, "/toy/abc/defg": problem.ErrBadPath,
		"/toy/abc/d%65fg":               problem.ErrBadPath,
		"/toy/%61%61%61%61%61%61%61%61": problem.ErrBadPath,
	} {
		if _, q, err := toy.Parse("GET", path, nil); !errors.Is(err, want) ||
			err != nil && problem.Public(err) != "the path is too long" {
			t.Errorf("%s: %+v, %v; want %v", path, q, err, want)
		}
	}
}

func TestNotAllowedKnowsThePath(t *testing.T) {
	var asked []string
	g := route.Grammar[request]{Root: "/toy", NotAllowed: func(method, path string, allow []string) error {
		asked = append([]string{method, path}, allow...)
		return problem.ErrBadPath
	}}
	_, _, err := route.New(g, []route.Row{{Method: "GET", Path: "/a", Op: "a"}}).Parse("PUT", "/toy/a/", nil)
	if want := []string{"PUT", "/toy/a/", "GET", "HEAD"}; err != problem.ErrBadPath || !slices.Equal(asked, want) {
		t.Errorf("%v after %q was asked, want the error of the question %q", err, asked, want)
	}
}

func TestEscapedSlashes(t *testing.T) {
	for rule, want := range map[route.EscapedSlash]string{
		route.EscapeRefused: "", route.EscapeKept: "one a/b", route.EscapeCuts: "two a b",
	} {
		toy := table(route.Split{EscapedSlash: rule}, "GET /{name} one", "GET /{name}/{tag} two")
		i, q, err := toy.Parse("GET", "/toy/a%2Fb", nil)
		got := ""
		if err == nil {
			got = strings.TrimSpace(toy.Row(i).Op + " " + q.Name + " " + q.Tag)
		}
		if got != want {
			t.Errorf("rule %d: %q, %v; want %q", rule, got, err, want)
		}
	}
}

func TestSkippedEmptySegments(t *testing.T) {
	toy := table(route.Split{SkipEmpty: true}, "GET /a/{name} get")
	if _, q, err := toy.Parse("GET", "/toy//a///b/", nil); err != nil || q.Name != "b" {
		t.Errorf("%+v %v, want b", q, err)
	}
}

func TestAbsentTextIsTheLastFieldsOfTheRow(t *testing.T) {
	toy := table(route.Split{}, rows...)
	var texts []string
	for i := range rows {
		texts = append(texts, toy.Absent(i))
	}
	want := []string{"", "", "", "tag not found", "tag not found", "not found", "not found", "not found"}
	if !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
}

func TestUnknownFieldPanics(t *testing.T) {
	for _, path := range []string{"/{unknown}", "/{name...}/{tag...}"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", path)
				}
			}()
			table(route.Split{}, "GET "+path+" x")
		}()
	}
}

func BenchmarkParse(b *testing.B) {
	toy := table(route.Split{}, rows...)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := toy.Parse("GET", "/toy/demo", nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSeveralRoots: each counts only as it stands, and is the first segment of the rows.
func TestSeveralRoots(t *testing.T) {
	toy := route.New(route.Grammar[request]{
		Roots:  []string{"/v1", "/v2"},
		Fields: map[string]route.Field[request]{"name": text(func(q *request) *string { return &q.Name })},
	}, []route.Row{{Method: "GET", Path: "/v1/ping", Op: "ping"}, {Method: "GET", Path: "/{name}/list", Op: "list"}})
	for path, want := range map[string]string{
		"/v1/ping": "ping", "/v1/list": "list", "/v2/list": "list", "/v2/ping": "", "/v3/list": "", "/v22/list": "",
		"/%76%32/list": "", "/other/%zz": "",
	} {
		i, _, err := toy.Parse("GET", path, nil)
		got := ""
		if err == nil {
			got = toy.Row(i).Op
		}
		if got != want || err != nil && !errors.Is(err, problem.ErrNoRoute) {
			t.Errorf("GET %s: %q, %v; want %q", path, got, err, want)
		}
	}
	if link := toy.Link("list", request{Name: "v2"}); link != "/v2/list" {
		t.Errorf("the link is %s, want /v2/list", link)
	}
}

// TestFieldOfNoSegment says what is wrong with a name that is left out, where the address is plain otherwise.
func TestFieldOfNoSegment(t *testing.T) {
	missing := problem.Errorf(problem.ErrBadPath, "a name is missing")
	name := route.Field[request]{None: true, SetMany: func(q *request, segs []string) error {
		q.Name = strings.Join(segs, "/")
		if q.Name == "" {
			return missing
		}
		return nil
	}}
	toy := route.New(route.Grammar[request]{Root: "/toy", Fields: map[string]route.Field[request]{"name": name}},
		[]route.Row{{Method: "GET", Path: "/{name...}/tags/list", Op: "tags"}})
	for path, want := range map[string]error{
		"/toy/a/tags/list": nil, "/toy/a/b/tags/list": nil, "/toy/tags/list": missing, "/toy/list": problem.ErrNoRoute,
	} {
		if _, _, err := toy.Parse("GET", path, nil); !errors.Is(err, want) {
			t.Errorf("GET %s: %v, want %v", path, err, want)
		}
	}
}

func TestMethodsOfAnAddress(t *testing.T) {
	toy := table(route.Split{}, rows...)
	for path, want := range map[string][]string{
		"/toy/tags/a/b": {"GET", "PUT", "DELETE"}, "/toy/a": {"GET", "DELETE"}, "/toy/ping": {"GET", "DELETE"},
		"/toy/bad": nil, "/toy/%zz": nil,
	} {
		if got := toy.Methods(path); !slices.Equal(got, want) {
			t.Errorf("methods of %s: %q, want %q", path, got, want)
		}
	}
}
