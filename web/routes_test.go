package web

import (
	"bufio"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wire"
)

// TestDocTable compares the wire table of doc.go with the grammar and the operations.
func TestDocTable(t *testing.T) {
	src, err := os.Open("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	row := regexp.MustCompile(`^//\t(GET|POST|PATCH|DELETE) +/(\S+) +(admin\.\S+)`)
	var documented []route
	for lines := bufio.NewScanner(src); lines.Scan(); {
		if m := row.FindStringSubmatch(lines.Text()); m != nil {
			path := strings.NewReplacer("NAME", "*", "ID", "*").Replace(m[2])
			documented = append(documented, route{m[1], path, m[3]})
		}
	}
	key := func(r route) string { return r.path + " " + r.method + " " + r.op }
	sorted := func(rs []route) (keys []string) {
		for _, r := range rs {
			keys = append(keys, key(r))
		}
		slices.Sort(keys)
		return keys
	}
	if got, want := sorted(documented), sorted(routes()); !slices.Equal(got, want) {
		t.Errorf("doc.go has\n%s\nroutes() has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOpsAndRoutesAgree(t *testing.T) {
	reachable := map[string]bool{}
	for _, rt := range routes() {
		reachable[rt.op] = true
	}
	for _, op := range new(api).ops() {
		if op.Need.Kind() != wire.Admin {
			t.Errorf("%s needs %v", op.Op, op.Need)
		}
		if !reachable[op.Op] {
			t.Errorf("%s has no route", op.Op)
		}
		delete(reachable, op.Op)
	}
	for name := range reachable {
		t.Errorf("%s is in no row of ops", name)
	}
}

func TestParse(t *testing.T) {
	for _, rt := range routes() {
		q := request{op: rt.op}
		if strings.Contains(rt.path, "*") {
			q.name = "a name/with%odd?parts"
		}
		method, path := link(q)
		op, got, err := parse(method, path, nil)
		if err != nil || op != rt.op || got.name != q.name {
			t.Errorf("%s %s parses to %s %+v, %v", method, path, op, got, err)
		}
	}
	for line, want := range map[string]error{
		"GET /api/v1":                     problem.ErrNoRoute,
		"GET /api/v1/":                    problem.ErrNoRoute,
		"GET /api/v1/nothing":             problem.ErrNoRoute,
		"GET /api/v1/users/":              problem.ErrBadPath,
		"DELETE /api/v1/users/..":         problem.ErrBadPath,
		"DELETE /api/v1/users/%2e%2e":     problem.ErrBadPath,
		"DELETE /api/v1/users/%zz":        problem.ErrBadPath,
		"GET /api/v1/users/a/b/c":         problem.ErrNoRoute,
		"PUT /api/v1/users":               problem.ErrMethod,
		"GET /api/v1/gc":                  problem.ErrMethod,
		"POST /api/v1/stats":              problem.ErrMethod,
		"GET /other/users":                problem.ErrNoRoute,
		"GET /api/v1/users/a/password":    problem.ErrMethod,
		"HEAD /api/v1/users":              nil,
		"POST /api/v1/users/ada/password": nil,
	} {
		method, path, _ := strings.Cut(line, " ")
		if _, _, err := parse(method, path, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", line, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, rt := range routes() {
		f.Add(rt.method, apiPrefix+"/"+strings.ReplaceAll(rt.path, "*", "a%2Fb"))
	}
	f.Add(http.MethodGet, "/api/v1//users")
	f.Fuzz(func(t *testing.T, method, path string) {
		op, q, err := parse(method, path, nil)
		if err != nil {
			if !errors.Is(err, problem.ErrBadPath) && !errors.Is(err, problem.ErrNoRoute) && !errors.Is(err, problem.ErrMethod) {
				t.Fatalf("%s %q: %v", method, path, err)
			}
			return
		}
		method, path = link(q)
		again, q2, err := parse(method, path, url.Values{})
		if err != nil || again != op || q2.name != q.name {
			t.Fatalf("%s %q parses to %s %q, %v; was %s %q", method, path, again, q2.name, err, op, q.name)
		}
	})
}
