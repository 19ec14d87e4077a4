package e2e

// This file looks at the pages for administrators with a browser: those of every kind of trouble that they show.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// adminPagesToSee are the pages for administrators.
func adminPagesToSee() []seenPage {
	return []seenPage{
		{name: "admin", path: "/-/admin"},
		{name: "admin-users", path: "/-/admin/users"},
		{name: "admin-tokens", path: "/-/admin/tokens"},
		{name: "admin-user", path: "/-/admin/users?user=admin"},
		{name: "admin-upstreams", path: "/-/admin/upstreams"},
		{name: "admin-who", path: "/-/admin/users?who=admin&kind=npm&name=pantry"},
		{name: "admin-storage", path: "/-/admin/storage"},
		{name: "admin-unused", path: "/-/admin/storage?unused=30"},
		{name: "admin-policy", path: "/-/admin/policy"},
		{name: "admin-why", path: "/-/admin/policy?kind=npm&name=left-pad@1.3.0&who=admin"},
		{name: "admin-ours", path: "/-/admin/policy?kind=npm&name=@acme/kit@1.0.0"},
		{name: "admin-audit", path: "/-/admin/audit"},
		{name: "admin-audit-none", path: "/-/admin/audit?package=nothing"},
	}
}

// login logs the browser in as the administrator.
func (b *browser) login() {
	b.t.Helper()
	b.open("/-/login?next=/-/admin")
	get(b, "name", chromedp.SendKeys(chromedp.CSS("#u"), "admin"))
	get(b, "password", chromedp.SendKeys(chromedp.CSS("#p"), crashPassword+"\r"))
	get(b, "the page for administrators", chromedp.WaitReady(chromedp.CSS(".figures")))
}

// TestBrowserPagesForAdministratorsFitAPhone has upstreams that are well, down and refusing, rules that withhold, and
// names that are long.
func TestBrowserPagesForAdministratorsFitAPhone(t *testing.T) {
	well := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if strings.HasPrefix(name, "pantry") || strings.HasPrefix(name, "secret") {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"name":%q,"dist-tags":{"latest":"1.3.0"},"versions":{"1.3.0":{"name":%q,"version":"1.3.0",`+
			`"dist":{"tarball":"http://%s/%s/-/x-1.3.0.tgz"}}}}`, name, name, r.Host, name)
	}))
	defer well.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer refusing.Close()
	b := newBrowserWith(t, fmt.Sprintf(`private: ["*:*:*secret*"]
blocked: ["npm:left-pad@1.3.0", "pypi:evil-*"]
claims: ["npm:@acme/*", "pypi:pantry", "maven:com.acme:*", "*:*secret*"]
min-age: 3d
policies:
  quotas:
  - {kind: npm, bytes: 100kB}
  - {user: "*", bytes: 10MB}
upstreams:
  - {kind: npm, name: public, url: %q}
  - {kind: pypi, name: down, url: "http://127.0.0.1:9/simple"}
  - {kind: maven, name: partner-with-a-rather-long-name-for-a-table, url: %q}
`, well.URL, refusing.URL))
	b.login()
	for _, path := range []string{
		"/npm/left-pad", "/npm/left-pad/-/left-pad-1.3.0.tgz", "/npm/" + strings.Repeat("long-name-", 12), "/npm/@acme/kit",
		"/pypi/simple/requests/", "/pypi/simple/evil-kit/", "/maven/com/partner/billing/1/billing-1.jar",
	} {
		resp, err := http.Get(b.base + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	b.api("POST", "users", map[string]any{
		"name": "ci-frontend", "password": "correct horse battery", "scopes": []string{"npm:package:@acme/*:read,create"},
	})
	b.api("POST", "users", map[string]any{"name": "old-jenkins", "password": "correct horse battery"})
	b.api("PATCH", "users/old-jenkins", map[string]any{"disabled": true})
	b.api("POST", "tokens", map[string]any{"user": "ci-frontend", "name": "nightly", "read_only": true})
	b.api("POST", "claims", map[string]any{"kind": "npm", "name": "ours-some-day"})
	b.open("/-/admin/storage")
	get(b, "count", chromedp.Click(chromedp.CSS(`form[action$="/storage/count"] button`)))
	get(b, "counted", chromedp.WaitReady(chromedp.CSS(".banner.ok")))
	b.look(adminPagesToSee())
}

// api asks the admin API as the administrator.
func (b *browser) api(method, path string, body any) {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequest(method, b.base+"/api/v1/"+path, strings.NewReader(string(text)))
	if err != nil {
		b.t.Fatal(err)
	}
	r.SetBasicAuth("admin", crashPassword)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		b.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}
