package rubygems

// Paths and queries: which request each is, the link back, and what is no address.

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

// The paths have every spelling that was seen on the wire.
func TestEveryPathParsesAndLinksBack(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	rack, window := Request{Name: "rack"}, "/api/v1/timeframe_versions.json"
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "", "rubygems.root", Request{}},
		{"HEAD", "/", "rubygems.root", Request{}},
		{"HEAD", "/versions", "rubygems.versions", Request{}},
		{"GET", "//versions", "rubygems.versions", Request{}},
		{"GET", "/names", "rubygems.names", Request{}},
		{"GET", "/info/rack", "rubygems.info", rack},
		{"GET", "/info/net-http%2Dpersistent", "rubygems.info", Request{Name: "net-http-persistent"}},
		{"GET", "/info/RedCloth", "rubygems.info", Request{Name: "RedCloth"}},
		{"GET", "/info/yank", "rubygems.info", Request{Name: "yank"}},
		{"GET", "/specs.4.8.gz", "rubygems.specs", Request{Index: "specs"}},
		{"GET", "/latest_specs.4.8.gz", "rubygems.specs", Request{Index: "latest_specs"}},
		{"GET", "/prerelease_specs.4.8.gz", "rubygems.specs", Request{Index: "prerelease_specs"}},
		{"GET", "/quick/Marshal.4.8/rack-3.1.0.gemspec.rz", "rubygems.gemspec", Request{Full: "rack-3.1.0"}},
		{"GET", "/quick/Marshal.4.8/a-1.0-x86_64-linux-musl.gemspec.rz", "rubygems.gemspec",
			Request{Full: "a-1.0-x86_64-linux-musl"}},
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
		{"GET", "/api/v1/gems/rack.json", "rubygems.show", rack},
		{"GET", "/api/v1/gems/yank.json", "rubygems.show", Request{Name: "yank"}},
		{"GET", "/api/v1/gems/rack/owners.yaml", "rubygems.owners", Request{Name: "rack", Form: "yaml"}},
		{"GET", "/api/v1/gems/rack/owners.json", "rubygems.owners", Request{Name: "rack", Form: "json"}},
		{"POST", "/api/v1/gems/rack/owners", "rubygems.owner.add", rack},
		{"DELETE", "//api/v1/gems/rack/owners", "rubygems.owner.remove", rack},
		{"PATCH", "/api/v1/gems/rack/owners", "rubygems.owner.change", rack},
		{"GET", "/api/v1/versions/rack.json", "rubygems.releases", rack},
		{"GET", "/api/v1/versions/rack/latest.json", "rubygems.latest", rack},
		{"GET", "/api/v2/rubygems/rack/versions/1.0.0.rc1.json?platform=java", "rubygems.release",
			Request{Name: "rack", Version: "1.0.0.rc1", Platform: "java"}},
		{"GET", "/api/v1/search.json?query=a+b&page=2", "rubygems.search", Request{Query: "a b", Page: 2}},
		{"GET", "/api/v1/search.json?q=x", "rubygems.search", Request{Query: "x", Page: 1}},
		{"GET", window + "?from=2026-01-01T00:00:00Z&to=2026-01-08T00:00:00Z&page=3", "rubygems.timeframe",
			Request{From: at(1), To: at(8), Page: 3}},
		{"GET", window + "?from=2026-01-01T01:00:00%2B01:00", "rubygems.timeframe",
			Request{From: at(1), To: at(8), Page: 1}},
		{"GET", "/api/v1/activity/latest.json", "rubygems.activity.latest", Request{}},
		{"GET", "/api/v1/activity/just_updated.json", "rubygems.activity.updated", Request{}},
		{"GET", "/api/v1/downloads.json", "rubygems.downloads.all", Request{}},
		{"GET", "/api/v1/downloads/rack-3.1.0.json", "rubygems.downloads", Request{Full: "rack-3.1.0"}},
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
			t.Errorf("%s %s is %s %+v, %v; want %s %+v", c.method, c.path, op, q, err, c.op, c.want)
			continue
		}
		link := table.Link(op, q)
		if again, q2, err := parseRaw(t, c.method, link); err != nil || again != op || !reflect.DeepEqual(q, q2) {
			t.Errorf("%s %s links to %s, which is %s %+v, %v", c.method, c.path, link, again, q2, err)
		}
	}
}

func TestShortcutSaysWhatTheTableSays(t *testing.T) {
	for line, want := range map[string]bool{
		"GET /versions": true, "HEAD /versions": true, "POST /versions": false, "GET /versions/": false,
		"GET //versions": false, "GET /version%73": false, "GET /names": false, "GET /": false,
	} {
		method, path, _ := strings.Cut(line, " ")
		op, q, ok := shortcut(method, root+path)
		if ok != want {
			t.Errorf("%s has a shortcut: %t, want %t", line, ok, want)
		}
		if !ok {
			continue
		}
		if op2, q2, err := parseRaw(t, method, root+path); err != nil || op2 != op || !reflect.DeepEqual(q2, q) {
			t.Errorf("the shortcut of %s is %s %+v, and the table says %s %+v, %v", line, op, q, op2, q2, err)
		}
	}
}

// wantMisfits fails unless each request line, "GET /path", is refused with the error.
func wantMisfits(t *testing.T, want error, lines ...string) {
	t.Helper()
	for _, line := range lines {
		method, path, _ := strings.Cut(line, " ")
		if op, q, err := parseRaw(t, method, root+path); !errors.Is(err, want) {
			t.Errorf("%s is %s %+v, %v; want %v", line, op, q, err, want)
		}
	}
}

func TestPathThatLeadsElsewhereIsMalformed(t *testing.T) {
	wantMisfits(
		t, problem.ErrBadPath, "GET /info/..", "GET /info/%2e%2e", "GET /info/a%2fb", "GET /info/a%5Cb", "GET /info/a%00",
		"GET /info/%zz", "GET /./versions", "GET /info/"+strings.Repeat("a", 2000),
	)
}

func TestValueThatIsNoNameIsNoAddress(t *testing.T) {
	wantMisfits(
		t, problem.ErrNoRoute, "GET /info/a%0Ab", "GET /info/a b", "GET /info/", "GET /info/a.json", "GET /info/-a",
		"GET /gems/..gem", "GET /gems/rack.gem", "GET /gems/rack-1.0.gem.rz", "GET /quick/rack-1.0.gemspec.rz",
		"GET /specs.4.8", "GET /my_specs.4.8.gz", "GET /yaml", "GET /api/v2/rubygems/rack/versions/x.json",
		"GET /api/v1/gems/rack/owners.xml",
	)
	if _, _, err := parseRaw(t, "GET", "/rubygemsx/versions"); !errors.Is(err, problem.ErrNoRoute) {
		t.Errorf("an address beside the root gives %v, want %v", err, problem.ErrNoRoute)
	}
}

func TestAddressWithoutTheMethod(t *testing.T) {
	wantMisfits(
		t, problem.ErrMethod, "POST /versions", "PUT /api/v1/gems", "GET /api/v1/gems/yank", "OPTIONS /info/a",
	)
}

func TestQueryWithABadValueIsMalformed(t *testing.T) {
	const search, window = "GET /api/v1/search.json?query=", "GET /api/v1/timeframe_versions.json"
	wantMisfits(
		t, problem.ErrBadPath, search+strings.Repeat("a", 600), search+"a&page=0", search+"a&page=x",
		window, window+"?from=2026-01-01T00:00:00Z&to=2026-01-09T00:00:00Z",
		window+"?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", window+"?from=2026-01-02T00:00:00Z&to=x",
	)
	_, q, err := parseRaw(t, "GET", root+"/api/v2/rubygems/rack/versions/1.json?platform=..")
	if problem.Status(err) != 400 {
		t.Errorf("the platform .. is read as %+v, %v; want a 400", q, err)
	}
}

// TestDocTable: the table of the package comment is that of the routes.
func TestDocTable(t *testing.T) { wiretest.DocTable(t, (&server{}).routes()) }

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/", "//api/v1/gems", "/info/rack", "/quick/Marshal.4.8/a-1.0-x86_64-linux-musl.gemspec.rz", "/gems/foo-2-1.0.gem",
		"/api/v1/gems/rack/owners.yaml", "/api/v2/rubygems/rack/versions/1.0.json?platform=java",
		"/api/v1/search.json?query=a&page=2", "/api/v1/timeframe_versions.json?from=2026-01-01T00:00:00.5Z",
		"/specs.4.8.gz", "/info/..%2f", "/api/v1/profile/me.json", "/api/v1/dependencies.yaml",
	} {
		for _, m := range []string{"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"} {
			f.Add(m, root+s)
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
