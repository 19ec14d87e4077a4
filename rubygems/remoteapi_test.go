package rubygems

// The JSON APIs for gems of upstreams: with the upstream's own documents, and without them.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

// TestJSONOfCopiesIsTheUpstreams: what the origin says of a gem is said here, with addresses of ours.
func TestJSONOfCopiesIsTheUpstreams(t *testing.T) {
	o := newRemote(t)
	d := newRelease("demo", "2.0")
	d.deps = []string{"rack >= 2.0, < 4", "dev rake ~> 13.0"}
	d.more = "homepage: https://example.com/demo\n"
	o.want(o.push("ada", d), 200, "")
	o.publish("demo", "1.0", "1.0-java", "3.0.rc1")
	o.want(o.Do("GET", "/gems/demo-1.0.gem", nil), 200, "")
	g := o.cache(t)
	for _, path := range []string{
		"/api/v1/gems/demo.json", "/api/v1/versions/demo.json", "/api/v1/versions/demo/latest.json",
		"/api/v2/rubygems/demo/versions/2.0.json", "/api/v2/rubygems/demo/versions/3.0.rc1.json",
		"/api/v2/rubygems/demo/versions/1.0.json?platform=java", "/api/v1/attestations/demo-1.0.json",
	} {
		want := strings.ReplaceAll(o.want(o.Do("GET", path, nil), 200, "").Body, o.Base, g.Base)
		wiretest.Equal(t, path, g.want(g.Do("GET", path, nil), 200, "").Body, want)
	}
	g.wantAll(
		404, "", "/api/v1/gems/absent.json", "/api/v1/versions/absent.json", "/api/v2/rubygems/demo/versions/9.0.json",
		"/api/v2/rubygems/demo/versions/2.0.json?platform=java", "/api/v1/attestations/demo-9.0.json",
	)
	g.wantAll(200, `{"version":"unknown"}`, "/api/v1/versions/absent/latest.json")
}

// TestJSONOfCopiesInventsNothing: of an upstream without these APIs, what its indexes and specifications say is
// answered, and what they do not say is left out.
func TestJSONOfCopiesInventsNothing(t *testing.T) {
	o := newRemote(t)
	d := newRelease("demo", "2.0")
	d.deps = []string{"rack >= 2.0, < 4"}
	d.more = requirementOf("", "required_ruby_version", ">= 3.0, < 5")
	o.want(o.push("ada", d), 200, "")
	o.publish("demo", "1.0-java")
	gone := "/api/"
	static := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, gone) || strings.Contains(r.URL.Path, "demo-1.0-java.gemspec") {
			http.NotFound(w, r)
			return
		}
		o.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(static.Close)
	o.url = static.URL + root
	g := o.cache(t)
	path := "/api/v1/gems/demo.json"
	got := g.want(g.Do("GET", path, nil), 200, `"runtime":[{"name":"rack","requirements":"< 4, >= 2.0"}]`).Object(t)
	want := o.Do("GET", path, nil).Object(t)
	for _, member := range []string{"version", "authors", "info", "sha", "spec_sha", "licenses"} {
		wiretest.EqualJSON(t, member, got[member], want[member])
	}
	g.want(g.Do("GET", "/api/v2/rubygems/demo/versions/2.0.json", nil), 200, `"ruby_version":"< 5, >= 3.0"`)
	a := g.want(g.Do("GET", "/api/v2/rubygems/demo/versions/1.0.json", nil), 200, `"platform":"java"`)
	a.WantNot(t, `"authors"`, `"licenses"`, `"summary"`, `"homepage_uri"`, `"spec_sha"`, `"development"`)
	a = g.want(g.Do("GET", "/api/v1/versions/demo.json", nil), 200, `"number":"2.0"`)
	g.want(a, 200, `"number":"1.0"`).WantNot(t, `"authors"`, `"metadata"`, `"built_at"`)
	g.want(a, 200, `"ruby_version":"< 5, >= 3.0"`)
	g.wantAll(200, `{"version":"2.0"}`, "/api/v1/versions/demo/latest.json")
	g.wantAll(404, "", "/api/v1/attestations/demo-2.0.json")
}

// TestJSONOfCopiesKeepsTheRules: a version that is blocked is neither the latest nor found, and what is claimed is not
// asked for.
func TestJSONOfCopiesKeepsTheRules(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "2.0", "2.0-java")
	o.publish("acme-x", "1.0")
	up := upstream.Options{
		Upstreams: []upstream.Config{{Kind: store.RubyGems, Name: "main", URL: o.url}},
		Blocked:   []string{"rubygems:demo@2.0"}, Claims: []string{"rubygems:acme-*"},
	}
	g := newRig(t, func(r *rigOptions) { r.Upstreams = &up })
	g.wantAll(200, `"version":"1.0"`, "/api/v1/gems/demo.json", "/api/v1/versions/demo/latest.json")
	g.want(g.Do("GET", "/api/v1/versions/demo.json", nil), 200, `"number":"1.0"`).WantNot(t, `"2.0"`)
	g.wantAll(
		404, "", "/api/v2/rubygems/demo/versions/2.0.json", "/api/v2/rubygems/demo/versions/2.0.json?platform=java",
		"/api/v1/gems/acme-x.json", "/api/v1/versions/acme-x.json", "/api/v2/rubygems/acme-x/versions/1.0.json",
	)
	g.wantAll(403, "", "/api/v1/attestations/demo-2.0.json")
	g.wantAll(200, `"unknown"`, "/api/v1/versions/acme-x/latest.json")
	if o.was("acme") {
		t.Errorf("the upstream was asked for a name that is claimed: %q", o.asked)
	}
}

// TestDownloadsAreCounted: in every document that has such a number. An upstream's own number stands.
func TestDownloadsAreCounted(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "1.1")
	for range 2 {
		o.want(o.Do("GET", "/gems/demo-1.0.gem", nil), 200, "")
	}
	g := o.cache(t)
	g.want(g.Do("GET", "/gems/demo-1.1.gem", nil), 200, "") // one here, and one there
	for _, r := range []*rig{o.rig, g} {
		r.wantAll(200, `"downloads":3`, "/api/v1/gems/demo.json", "/api/v2/rubygems/demo/versions/1.0.json")
		r.wantAll(200, `"version_downloads":1`, "/api/v1/gems/demo.json")
		r.wantAll(200, `"version_downloads":2`, "/api/v2/rubygems/demo/versions/1.0.json")
		r.wantAll(200, `"downloads_count":2`, "/api/v1/versions/demo.json", "/api/v2/rubygems/demo/versions/1.0.json")
	}
	o.wantAll(200, `"downloads":3`, "/api/v1/search.json?query=demo")
	o.want(o.Do("GET", "/gems/demo-1.0.gem", nil), 200, "")
	o.wantAll(200, `"downloads":4`, "/api/v1/gems/demo.json")
}

// TestDownloadsOfVersions: those from here, of gems that were pushed and of copies. What a cache copies is pulled once
// from its upstream.
func TestDownloadsOfVersions(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "1.1", "1.1-java")
	for _, c := range []struct {
		r    *rig
		want [4]int // of demo-1.0, demo-1.1, demo-1.1-java and all
	}{{o.cache(t), [4]int{2, 0, 1, 3}}, {o.rig, [4]int{3, 0, 2, 5}}} {
		for _, full := range []string{"demo-1.0", "demo-1.0", "demo-1.1-java"} {
			c.r.want(c.r.Do("GET", "/gems/"+full+".gem", nil), 200, "")
		}
		for i, full := range []string{"demo-1.0", "demo-1.1", "demo-1.1-java"} {
			want := fmt.Sprintf(`{"total_downloads":%d,"version_downloads":%d}`, c.want[3], c.want[i])
			c.r.wantAll(200, want, "/api/v1/downloads/"+full+".json")
		}
		c.r.wantAll(200, fmt.Sprintf(`{"total":%d}`, c.want[3]), "/api/v1/downloads.json")
		c.r.wantAll(404, "", "/api/v1/downloads/demo-9.9.json", "/api/v1/downloads/absent-1.0.json")
	}
}
