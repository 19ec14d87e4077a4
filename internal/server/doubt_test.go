package server

// This file asks for what a kept document does not name while its upstream cannot be asked, for every protocol.

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/store"
	"larder/upstream"
)

// unnamed are addresses of files and versions that the specimens' documents do not name.
var unnamed = map[store.Kind][]string{
	store.NPM:  {"/npm/demo/-/demo-9.0.0.tgz", "/npm/demo/-/other.tgz", "/npm/demo/9.0.0"},
	store.PyPI: {"/pypi/files/" + strings.Repeat("a", 64) + "/demo-9.0.0.tar.gz", "/pypi/demo/9.0.0/json"},
	store.Cargo: {
		"/cargo/api/v1/crates/demo/9.0.0/download", "/cargo/api/v1/crates/demo/9.0.0",
		"/cargo/api/v1/crates/demo/9.0.0/dependencies",
	},
	store.Maven:    {"/maven/com/acme/demo/9.0/demo-9.0.jar"},
	store.Composer: {"/composer/dists/acme/demo/9.0.0.0/" + strings.Repeat("a", 40) + ".zip"},
	store.RubyGems: {
		"/rubygems/gems/demo-9.0.0.gem", "/rubygems/quick/Marshal.4.8/demo-9.0.0.gemspec.rz",
		"/rubygems/api/v2/rubygems/demo/versions/9.0.0.json",
	},
	store.OCI: {"/v2/team/app/manifests/v9", "/v2/team/app/blobs/sha256:" + strings.Repeat("a", 64)},
}

// TestWhatCouldNotBeAskedForIsNotAbsent: while the upstream is in trouble, what its kept document does not
// name may have been published since.
func TestWhatCouldNotBeAskedForIsNotAbsent(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			for _, c := range []struct {
				when string
				code int // of the upstream; 0: it answers
				want []int
			}{
				{"the upstream answers", 0, []int{404, 401}}, // 401: a stranger is asked for a login
				{"the upstream is in trouble", 500, []int{503}},
			} {
				cache, way := newChainOf(t, o, func(u *upstream.Config) { u.Fresh = time.Nanosecond })
				if resp, body, err := fetchURL(t, cache+sp.meta, sp.head); err != nil || resp.StatusCode != 200 {
					t.Fatalf("the document: %v %.300s, %v, want 200", resp, body, err)
				}
				if c.code != 0 {
					way.inject(-1, anyRequest, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
						w.WriteHeader(c.code)
					})
				}
				for _, path := range unnamed[sp.kind] {
					resp, body, err := fetchURL(t, cache+path, sp.head)
					if err != nil || !slices.Contains(c.want, resp.StatusCode) {
						t.Errorf("%s: %s is %v %.300s, %v, want one of %v", c.when, path, resp, body, err, c.want)
						continue
					}
					later := resp.Header.Get("Retry-After")
					if resp.StatusCode == 503 && (later == "" || !strings.Contains(body, "The upstream registry origin ")) {
						t.Errorf("%s: %s says %.300s, Retry-After %q; want which upstream is in trouble", c.when, path, body, later)
					}
				}
			}
		})
	}
}
