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
	"larder/rubygems/naming"
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
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		method, path, op string
		want             Request
	}{
		{"GET", "", opRoot, Request{}},
		{"HEAD", "/", opRoot, Request{}},
		{"HEAD", "/versions", opVersions, Request{}},
		{"GET", "//versions", opVersions, Request{}},
		{"GET", "/names", opNames, Request{}},
		{"GET", "/info/rack", opInfo, Request{Name: "rack"}},
		{"GET", "/info/net-http%2Dpersistent", opInfo, Request{Name: "net-http-persistent"}},
		{"GET", "/info/RedCloth", opInfo, Request{Name: "RedCloth"}},
		{"GET", "/info/yank", opInfo, Request{Name: "yank"}},
		{"GET", "/specs.4.8.gz", opSpecs, Request{Index: "specs"}},
		{"GET", "/latest_specs.4.8.gz", opSpecs, Request{Index: "latest_specs"}},
		{"GET", "/prerelease_specs.4.8.gz", opSpecs, Request{Index: "prerelease_specs"}},
		{"GET", "/quick/Marshal.4.8/rack-3.1.0.gemspec.rz", opQuick, Request{Full: "rack-3.1.0"}},
		{"GET", "/quick/Marshal.4.8/a-1.0-x86_64-linux-musl.gemspec.rz", opQuick, Request{Full: "a-1.0-x86_64-linux-musl"}},
		{"GET", "/gems/foo-2-1.0.gem", opGem, Request{Full: "foo-2-1.0"}},
		{"HEAD", "//gems/rack-3.1.0.gem", opGem, Request{Full: "rack-3.1.0"}},
		{"GET", "/api/v1/dependencies?gems=a,b", opDependencies, Request{}},
		{"GET", "/api/v1/dependencies.json?gems=a,b", opDependencies, Request{Form: "json"}},
		{"POST", "/api/v1/gems", opPush, Request{}},
		{"POST", "//api/v1/gems", opPush, Request{}},
		{"POST", "/api/v1/gems/", opPush, Request{}},
		{"DELETE", "/api/v1/gems/yank", opYank, Request{}},
		{"PUT", "/api/v1/gems/unyank", opUnyank, Request{}},
		{"POST", "/api/v1/gems/restore", opRestore, Request{}},
		{"GET", "/api/v1/gems.json", opOwn, Request{}},
		{"GET", "/api/v1/gems/rack.json", opShow, Request{Name: "rack"}},
		{"GET", "/api/v1/gems/yank.json", opShow, Request{Name: "yank"}},
		{"GET", "/api/v1/gems/rack/owners.yaml", opOwners, Request{Name: "rack", Form: "yaml"}},
		{"GET", "/api/v1/gems/rack/owners.json", opOwners, Request{Name: "rack", Form: "json"}},
		{"POST", "/api/v1/gems/rack/owners", opOwnerAdd, Request{Name: "rack"}},
		{"DELETE", "//api/v1/gems/rack/owners", opOwnerRemove, Request{Name: "rack"}},
		{"PATCH", "/api/v1/gems/rack/owners", opOwnerChange, Request{Name: "rack"}},
		{"GET", "/api/v1/versions/rack.json", opReleases, Request{Name: "rack"}},
		{"GET", "/api/v1/versions/rack/latest.json", opLatest, Request{Name: "rack"}},
		{"GET", "/api/v2/rubygems/rack/versions/1.0.0.rc1.json?platform=java", opRelease, Request{Name: "rack", Version: "1.0.0.rc1", Platform: "java"}},
		{"GET", "/api/v1/search.json?query=a+b&page=2", opSearch, Request{Query: "a b", Page: 2}},
		{"GET", "/api/v1/search.json?q=x", opSearch, Request{Query: "x", Page: 1}},
		{"GET", "/api/v1/timeframe_versions.json?from=2026-01-01T00:00:00Z&to=2026-01-08T00:00:00Z&page=3", opTimeframe, Request{From: at(1), To: at(8), Page: 3}},
		{"GET", "/api/v1/timeframe_versions.json?from=2026-01-01T01:00:00%2B01:00", opTimeframe, Request{From: at(1), To: at(8), Page: 1}},
		{"GET", "/api/v1/activity/latest.json", opNewGems, Request{}},
		{"GET", "/api/v1/activity/just_updated.json", opUpdated, Request{}},
		{"GET", "/api/v1/attestations/rack-3.1.0.json", opAttestations, Request{Full: "rack-3.1.0"}},
		{"POST", "/api/v1/api_key", opKeyCreate, Request{}},
		{"PUT", "/api/v1/api_key", opKeyChange, Request{}},
		{"GET", "/api/v1/api_key", opKeyShow, Request{}},
		{"GET", "/api/v1/api_key.yaml", opKeyShow, Request{Form: "yaml"}},
		{"GET", "/api/v1/profile/me.yaml", opProfile, Request{Form: "yaml"}},
		{"POST", "/api/v1/webauthn_verification", opWebAuthn, Request{}},
		{"POST", "/api/v1/larder/compact", opCompact, Request{}},
	} {
		op, q, err := parseRaw(t, c.method, root+c.path)
		c.want.Op = c.op
		if err != nil || op != c.op || !reflect.DeepEqual(q, c.want) {
			t.Errorf("%s %s: %s %+v %v, want %s %+v", c.method, c.path, op, q, err, c.op, c.want)
			continue
		}
		method := c.method
		if again, q2, err := parseRaw(t, method, link(q)); err != nil || again != op || !reflect.DeepEqual(q, q2) {
			t.Errorf("%s %s → %s: %s %+v %v", c.method, c.path, link(q), again, q2, err)
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
	if _, _, err := parse("GET", "/rubygemsx/versions", nil); !errors.Is(err, problem.ErrNoRoute) {
		t.Error(err)
	}
}

// TestDocTable: doc.go's table and the operations are the same.
func TestDocTable(t *testing.T) {
	sample := strings.NewReplacer("/F.", "/rack-1.0.", "/N/", "/rack/", "/N.", "/rack.", "/N", "/rack", "/V.", "/1.0.", ".J", ".json", "timeframe_versions.json", "timeframe_versions.json?from=2026-01-01T00:00:00Z")
	ops := wiretest.OldDocTable(t, (&server{}).operations(), root, sample, parseRaw)
	for _, row := range table {
		if !ops[row.op] {
			t.Errorf("path %s has no operation", row.path)
		}
	}
}

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
		path, query, _ := strings.Cut(raw, "?")
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		op, q, err := parse(method, path, v)
		if err != nil {
			if s := status(wire.Failure{Err: err, Status: problem.Status(err)}); s != 400 && s != 404 && s != 405 && s != 422 {
				t.Fatalf("%s %q: %v is a %d", method, raw, err, s)
			}
			return
		}
		if q.Name != "" && naming.CheckName(q.Name) != nil || strings.ContainsAny(q.Full, "/\\\x00\n") {
			t.Fatalf("%s %q: operation %s on %+v", method, raw, op, q)
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
