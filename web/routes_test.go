package web

// The admin API's table: every row needs an administrator, reads its address and links back.

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/internal/wiretest"
)

// table is the routes, compiled.
var table = newAPI(Deps{}).endpoint().Table()

func TestDocTable(t *testing.T) {
	wiretest.DocTable(t, slices.Concat(new(api).routes(), routesOf(new(kindAPI).rows())))
}

// TestChangesNeedAnAdministrator: what is not an administrator's reads, and shows what pages show.
func TestChangesNeedAnAdministrator(t *testing.T) {
	for _, r := range new(api).routes() {
		if admin := strings.HasPrefix(r.Op, "admin."); admin != (r.Need == wire.Admin) || !admin && r.Method != "GET" {
			t.Errorf("%s %s needs %v", r.Method, r.Op, r.Need)
		}
	}
}

func TestEveryRouteReadsItsAddress(t *testing.T) {
	for _, r := range new(api).routes() {
		want := request{}
		if strings.Contains(r.Path, "{name}") {
			want.name = "a name/with%odd?parts"
		}
		path := table.Link(r.Op, want)
		i, got, err := table.Parse(r.Method, path, nil)
		if err != nil || table.Row(i).Op != r.Op || got != want {
			t.Errorf("%s %s: row %d, %+v, %v; want %s %+v", r.Method, path, i, got, err, r.Op, want)
		}
	}
}

func TestMisfitsAreToldApart(t *testing.T) {
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
		if _, _, err := table.Parse(method, path, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", line, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range new(api).routes() {
		f.Add(r.Method, apiPrefix+strings.ReplaceAll(r.Path, "{name}", "a%2Fb"))
	}
	f.Add(http.MethodGet, "/api/v1//users")
	f.Fuzz(func(t *testing.T, method, path string) {
		i, q, err := table.Parse(method, path, nil)
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 404 && s != 405 {
				t.Fatalf("%s %q: %v is a %d", method, path, err, s)
			}
			return
		}
		link := table.Link(table.Row(i).Op, q)
		again, q2, err := table.Parse(table.Row(i).Method, link, url.Values{})
		if err != nil || again != i || q2 != q {
			t.Fatalf("%s %q is row %d %+v; its link %s is row %d %+v, %v", method, path, i, q, link, again, q2, err)
		}
	})
}
