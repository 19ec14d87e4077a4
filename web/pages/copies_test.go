package pages

// Pages of packages that are copies: what is kept is shown, and no upstream is asked for a page.

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

func TestCopiesAreShownWithTheirUpstream(t *testing.T) {
	origin := newRig(t)
	origin.publish("npm", "demo", "1.0.0")
	origin.publish("npm", "demo", "1.1.0")
	var asked atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		origin.Handler.ServeHTTP(w, r)
	}))
	defer front.Close()
	g := newRig(t, func(o *wiretest.Options) {
		o.Upstreams = &upstream.Options{
			Upstreams: []upstream.Config{{Kind: store.NPM, Name: "origin", URL: front.URL + "/npm", Private: true}},
		}
	})
	g.Want(g.Do("GET", "/ui/npm/demo", nil, browser()), 404, "Not in this larder")
	g.Want(g.Do("GET", "/npm/demo/-/demo-1.0.0.tgz", nil), 200, "")
	before := asked.Load()
	for path, want := range map[string]string{
		"/": "demo", "/ui/npm/demo": "copy of", "/ui/npm/demo/-/versions": "1.0.0", "/ui/npm/demo/-/v/1.0.0": "demo-1.0.",
		"/ui/search?q=demo": "copy of", "/ui/search?q=dem": "copy of", "/ui/npm": "copy of",
		"/ui/npm?sort=updated": "copy of", "/ui/npm?filter=dem": "copy of",
	} {
		page := g.page("", path)
		g.has(page, want)
		g.lacks(strings.ReplaceAll(page, "1.1.0", ""), "tag hosted")
	}
	g.lacks(g.page("", "/ui/npm/demo/-/versions"), "1.1.0")
	if n := asked.Load() - before; n != 0 {
		t.Errorf("pages have asked the upstream %d times", n)
	}
}
