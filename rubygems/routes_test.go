package rubygems

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/rubygems/names"
)

// table is the routes, compiled.
var table = (&server{}).endpoint().Table()

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

// TestA1_EveryPathParses has every spelling that was seen on the wire.
func TestA1_EveryPathParses(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "", "rubygems.root", Request{}},
		{"HEAD", "/", "rubygems.root", Request{}},
		{"HEAD", "/versions", "rubygems.versions", Request{}},
		{"GET", "//versions", "rubygems.versions", Request{}},
		{"GET", "/names", "rubygems.names", Request{}},
		{"GET", "/info/rack", "rubygems.info", Request{Name: "rack"}},
		{"GET", "/info/net-http%2Dpersistent", "rubygems.info", Request{Name: "net-http-persistent"}},
		{"GET", "/info/RedCloth", "rubygems.info", Request{Name: "RedCloth"}},
		{"GET", "/info/yank", "rubygems.info", Request{Name: "yank"}},
		{"GET", "/specs.4.8.gz", "rubygems.specs", Request{Index: "specs"}},
		{"GET", "/latest_specs.4.8.gz", "rubygems.specs", Request{Index: "latest_specs"}},
		{"GET", "/prerelease_specs.4.8.gz", "rubygems.specs", Request{Index: "prerelease_specs"}},
		{"GET", "/quick/Marshal.4.8/rack-3.1.0.gemspec.rz", "rubygems.gemspec", Request{Full: "rack-3.1.0"}},
		{"GET", "/quick/Marshal.4.8/a-1.0-x86_64-linux-musl.gemspec.rz", "rubygems.gemspec", Request{Full: "a-1.0-x86_64-linux-musl"}},
		{"GET", "/gems/foo-2-1.0.gem", "rubygems.download", Request{Full: "foo-2-1.0"}},
		{"HEAD", "//gems/rack-3.1.0.gem", "rubygems.download", Request{Full: "rack-3.1.0"}},
		{"GET", "/api/v1/dependencies?gems=a,b", "rubygems.dependencies", Request{}},
		{"GET", "/api/v1/dependencies.json?gems=a,b", "rubygems.dependencies", Request{Form: "json"}},
		{"POST", "/api/v1/gems", "rubygems.push", Request{}},
		{"POST", "//api/v1/gems", "rubygems.push", Request{}},
		{"POST", "/api/v1/gems/", "rubygems.push", Request{}},
		{"DELETE", "/api/v1/gems/yank", "rubygems.yank", Request{}},
		{"PUT", "/api/v1/gems/unyank", "rubygems.unyank", Request{}},
		{"POST", "/api/v1/gems/restore", "rubygems.restore", Request{}},
		{"GET", "/api/v1/gems.json", "rubygems.own", Request{}},
		{"GET", "/api/v1/gems/rack.json", "rubygems.show", Request{Name: "rack"}},
		{"GET", "/api/v1/gems/yank.json", "rubygems.show", Request{Name: "yank"}},
		{"GET", "/api/v1/gems/rack/owners.yaml", "rubygems.owners", Request{Name: "rack", Form: "yaml"}},
		{"GET", "/api/v1/gems/rack/owners.json", "rubygems.owners", Request{Name: "rack", Form: "json"}},
		{"POST", "/api/v1/gems/rack/owners", "rubygems.owner.add", Request{Name: "rack"}},
		{"DELETE", "//api/v1/gems/rack/owners", "rubygems.owner.remove", Request{Name: "rack"}},
		{"PATCH", "/api/v1/gems/rack/owners", "rubygems.owner.change", Request{Name: "rack"}},
		{"GET", "/api/v1/versions/rack.json", "rubygems.releases", Request{Name: "rack"}},
		{"GET", "/api/v1/versions/rack/latest.json", "rubygems.latest", Request{Name: "rack"}},
		{"GET", "/api/v2/rubygems/rack/versions/1.0.0.rc1.json?platform=java", "rubygems.release", Request{Name: "rack", Version: "1.0.0.rc1", Platform: "java"}},
		{"GET", "/api/v1/search.json?query=a+b&page=2", "rubygems.search", Request{Query: "a b", Page: 2}},
		{"GET", "/api/v1/search.json?q=x", "rubygems.search", Request{Query: "x", Page: 1}},
		{"GET", "/api/v1/timeframe_versions.json?from=2026-01-01T00:00:00Z&to=2026-01-08T00:00:00Z&page=3", "rubygems.timeframe", Request{From: at(1), To: at(8), Page: 3}},
		{"GET", "/api/v1/timeframe_versions.json?from=2026-01-01T01:00:00%2B01:00", "rubygems.timeframe", Request{From: at(1), To: at(8), Page: 1}},
		{"GET", "/api/v1/activity/latest.json", "rubygems.activity.latest", Request{}},
		{"GET", "/api/v1/activity/just_updated.json", "rubygems.activity.updated", Request{}},
		{"GET", "/api/v1/attestations/rack-3.1.0.json", "rubygems.attestations", Request{Full: "rack-3.1.0"}},
		{"POST", "/api/v1/api_key", "rubygems.key.create", Request{}},
		{"PUT", "/api/v1/api_key", "rubygems.key.change", Request{}},
		{"GET", "/api/v1/api_key", "rubygems.key", Request{}},
		{"GET", "/api/v1/api_key.yaml", "rubygems.key", Request{Form: "yaml"}},
		{"GET", "/api/v1/profile/me.yaml", "rubygems.profile", Request{Form: "yaml"}},
		{"POST", "/api/v1/webauthn_verification", "rubygems.webauthn", Request{}},
		{"POST", "/api/v1/larder/compact", "rubygems.compact", Request{}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		if err != nil || op != c.op || !reflect.DeepEqual(q, c.want) {
			t.Errorf("%s %s: %s %+v %v, want %s %+v", c.method, c.path, op, q, err, c.op, c.want)
			continue
		}
		link := table.Link(op, q)
		if again, q2, err := parseRaw(t, c.method, link); err != nil || again != op || !reflect.DeepEqual(q, q2) {
			t.Errorf("%s %s links to %s: %s %+v %v", c.method, c.path, link, again, q2, err)
		}
	}
}

// TestE_Paths: what leads elsewhere, or is no name, is no address; keys are not read from one.
func TestE_Paths(t *testing.T) {
	for raw, want := range map[string]error{
		"GET /info/..": problem.ErrBadPath, "GET /info/%2e%2e": problem.ErrBadPath, "GET /info/a%2fb": problem.ErrBadPath, "GET /info/a%5Cb": problem.ErrBadPath, "GET /info/a%00": problem.ErrBadPath, "GET /info/%zz": problem.ErrBadPath,
		"GET /./versions": problem.ErrBadPath, "GET /info/" + strings.Repeat("a", 2000): problem.ErrBadPath, "GET /info/a%0Ab": problem.ErrNoRoute, "GET /info/a b": problem.ErrNoRoute, "GET /info/": problem.ErrNoRoute,
		"GET /info/a.json": problem.ErrNoRoute, "GET /info/-a": problem.ErrNoRoute, "GET /gems/..gem": problem.ErrNoRoute, "GET /gems/rack.gem": problem.ErrNoRoute, "GET /gems/rack-1.0.gem.rz": problem.ErrNoRoute, "GET /quick/rack-1.0.gemspec.rz": problem.ErrNoRoute,
		"GET /specs.4.8": problem.ErrNoRoute, "GET /my_specs.4.8.gz": problem.ErrNoRoute, "GET /yaml": problem.ErrNoRoute, "GET /api/v2/rubygems/rack/versions/x.json": problem.ErrNoRoute, "GET /api/v1/gems/rack/owners.xml": problem.ErrNoRoute,
		"GET /api/v2/rubygems/rack/versions/1.json?platform=..": nil, "POST /versions": problem.ErrMethod, "PUT /api/v1/gems": problem.ErrMethod, "GET /api/v1/gems/yank": problem.ErrMethod, "OPTIONS /info/a": problem.ErrMethod,
		"GET /api/v1/search.json?query=" + strings.Repeat("a", 600): problem.ErrBadPath, "GET /api/v1/search.json?query=a&page=0": problem.ErrBadPath, "GET /api/v1/search.json?query=a&page=x": problem.ErrBadPath, "GET /api/v1/timeframe_versions.json": problem.ErrBadPath,
		"GET /api/v1/timeframe_versions.json?from=2026-01-01T00:00:00Z&to=2026-01-09T00:00:00Z": problem.ErrBadPath, "GET /api/v1/timeframe_versions.json?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": problem.ErrBadPath, "GET /api/v1/timeframe_versions.json?from=2026-01-02T00:00:00Z&to=x": problem.ErrBadPath,
	} {
		method, path, _ := strings.Cut(raw, " ")
		_, q, err := parseRaw(t, method, root+path)
		if want == nil && problem.Status(err) == 400 {
			continue
		}
		if !errors.Is(err, want) || want == nil {
			t.Errorf("%s: %+v %v, want %v", raw, q, err, want)
		}
	}
	if _, _, err := parseRaw(t, "GET", "/rubygemsx/versions"); !errors.Is(err, problem.ErrNoRoute) {
		t.Error(err)
	}
}

// TestDocTable: the table of the package comment is that of the routes.
func TestDocTable(t *testing.T) { wiretest.DocTable(t, (&server{}).routes()) }

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/rubygems/", "/rubygems//api/v1/gems", "/rubygems/info/rack", "/rubygems/quick/Marshal.4.8/a-1.0-x86_64-linux-musl.gemspec.rz", "/rubygems/gems/foo-2-1.0.gem",
		"/rubygems/api/v1/gems/rack/owners.yaml", "/rubygems/api/v2/rubygems/rack/versions/1.0.json?platform=java", "/rubygems/api/v1/search.json?query=a&page=2",
		"/rubygems/api/v1/timeframe_versions.json?from=2026-01-01T00:00:00.5Z", "/rubygems/specs.4.8.gz", "/rubygems/info/..%2f", "/rubygems/api/v1/profile/me.json", "/rubygems/api/v1/dependencies.yaml",
	} {
		for _, m := range []string{"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"} {
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
			s := status(wire.Failure{Err: err, Status: problem.Status(err)})
			if s != 400 && s != 404 && s != 405 && s != 422 {
				t.Fatalf("%s %q: %v is a %d", method, raw, err, s)
			}
			return
		}
		if q.Name != "" && names.Check(q.Name) != nil || strings.ContainsAny(q.Full, "/\\\x00\n") {
			t.Fatalf("%s %q: operation %s on %+v", method, raw, op, q)
		}
		link := table.Link(op, q)
		op2, again, err := parseRaw(t, method, link)
		if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s %q links to %q:\n%+v\n%+v %v", method, raw, link, q, again, err)
		}
	})
}
