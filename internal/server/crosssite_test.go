package server

// What browsers send for pages of other sites, against the program as it runs: also where no operation answers.

import (
	"net/http"
	"strings"
	"testing"
)

const formType = "application/x-www-form-urlencoded"

// TestNoRouteTakesForeignForms: below every address of the program a form of another site is refused or reaches
// nothing, and this server's own forms arrive.
func TestNoRouteTakesForeignForms(t *testing.T) {
	s := start(t, testConfig(t), nil)
	base := "http://" + s.addr
	journal := func() uint64 {
		stats, err := s.store.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return uint64(stats.Journal)
	}
	before := journal()
	for _, path := range []string{
		"/", "/healthz", "/metrics", "/v2/", "/v2/a/blobs/uploads/", "/oci/a/blobs/uploads/", "/npm/-/v1/login", "/npm/a",
		"/pypi/legacy/", "/pypi/", "/simple/", "/RPC2", "/_/oidc/mint-token", "/cargo/me", "/maven/a/b/", "/composer/",
		"/composer/downloads/", "/rubygems/api/v1/gems", "/rubygems/api/v1/api_key", "/api/v1/gc", "/api/v1/users",
		"/api/v1/read-only",
	} {
		for _, typ := range []string{formType, "multipart/form-data; boundary=x", "text/plain"} {
			for _, site := range []string{"cross-site", "same-site", ""} {
				r, err := http.NewRequest("POST", base+path, strings.NewReader("a=b"))
				if err != nil {
					t.Fatal(err)
				}
				r.SetBasicAuth("admin", "correct-horse")
				r.Header.Set("Content-Type", typ)
				r.Header.Set("Origin", "https://evil.example")
				if site != "" {
					r.Header.Set("Sec-Fetch-Site", site)
				}
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				shown := resp.Header.Get("Access-Control-Allow-Origin") != ""
				if c := resp.StatusCode; c != 403 && c != 404 && c != 405 || shown {
					t.Errorf("POST %s as %s for a page of another site (%q): %s %v", path, typ, site, resp.Status, resp.Header)
				}
			}
		}
	}
	if after := journal(); after != before {
		t.Errorf("something has changed: %d entries of the journal, then %d", before, after)
	}
	const login = "user=admin&password=correct-horse"
	send(t, "POST", base+"/cargo/me", login, formType, 200, "Origin", base)
	send(t, "POST", base+"/cargo/me", login, formType, 200, "Sec-Fetch-Site", "same-origin", "Origin", base)
}
