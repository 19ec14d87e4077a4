package npm

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"larder/store"
	"larder/upstream"
)

// newCache opens a registry that keeps copies of another.
func newCache(t *testing.T, origin *rig, change ...func(*upstream.Options)) *rig {
	t.Helper()
	o := upstream.Options{Upstreams: []upstream.Config{{Kind: store.NPM, Name: "main", URL: origin.base}}}
	for _, f := range change {
		f(&o)
	}
	return newRig(t, func(r *rigOptions) { r.upstreams = &o })
}

func TestProxyPackumentAndTarball(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo", "1.0.0")
	origin.publish("demo", "1.1.0")
	g := newCache(t, origin)
	for _, accept := range []string{typeShort, "application/json"} {
		a := g.do("GET", "/demo", nil, header("Accept", accept))
		if a.status != 200 || strings.Contains(a.body, origin.base) || !strings.Contains(a.body, g.base+"/demo/-/demo-1.1.0.tgz") {
			t.Fatalf("%s: %v", accept, a)
		}
		if got, want := a.header.Get("X-Cache"), "MISS"; got != want {
			t.Errorf("%s: X-Cache %s", accept, got)
		}
	}
	want := origin.do("GET", "/demo/-/demo-1.0.0.tgz", nil)
	for _, cache := range []string{"MISS", "HIT"} {
		a := g.do("GET", "/demo/-/demo-1.0.0.tgz", nil)
		if a.status != 200 || a.body != want.body || a.header.Get("X-Cache") != cache {
			t.Fatalf("%s: %d %v", cache, a.status, a.header)
		}
	}
	origin.srv.Close()
	if a := g.do("GET", "/demo", nil, header("Accept", typeShort)); a.status != 200 {
		t.Fatal(a)
	}
	if a := g.do("GET", "/demo/-/demo-1.0.0.tgz", nil); a.status != 200 {
		t.Fatal(a)
	}
	if a := g.do("GET", "/demo/-/demo-1.1.0.tgz", nil); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Fatal(a)
	}
}

func TestProxyLocalNamesHideTheirs(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo", "9.0.0")
	g := newCache(t, origin, func(o *upstream.Options) { o.Claims = []string{"npm:demo"} })
	g.publish("demo", "1.0.0")
	var doc struct {
		Versions map[string]json.RawMessage `json:"versions"`
	}
	a := g.do("GET", "/demo", nil)
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil || len(doc.Versions) != 1 || doc.Versions["1.0.0"] == nil {
		t.Fatal(err, a)
	}
	if a := g.do("GET", "/demo/-/demo-9.0.0.tgz", nil); a.status != 404 {
		t.Fatal(a)
	}
}

func TestProxyFirstPublishOfATakenNameIsRefused(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo", "9.0.0")
	g := newCache(t, origin)
	if a := g.put("ada", newRelease("demo", "1.0.0")); a.status != http.StatusForbidden || !strings.Contains(a.body, "claim") {
		t.Fatal(a)
	}
	if a := g.put("ada", newRelease("mine", "1.0.0")); a.status != http.StatusCreated {
		t.Fatal(a)
	}
}
