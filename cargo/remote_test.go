package cargo

// Tests of crates of upstreams: odd indexes, every form of dl, and the JSON API.

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// newOrigin is a registry whose answers are given by path below it; HOST in them is its own URL.
func newOrigin(t *testing.T, answers map[string]string) string {
	t.Helper()
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, strings.ReplaceAll(body, "HOST", srv.URL))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func newCopy(t *testing.T, origin string, blocked ...string) *rig {
	t.Helper()
	return newRig(t, func(r *rigOptions) {
		r.Upstreams = &upstream.Options{
			Upstreams: []upstream.Config{{Kind: store.Cargo, Name: "main", URL: origin}}, Blocked: blocked,
		}
	})
}

func lineFor(name, vers, content string) string {
	return fmt.Sprintf(`{"name":%q,"vers":%q,"deps":[],"cksum":"%x","features":{},"yanked":false}`+"\n",
		name, vers, sha256.Sum256([]byte(content)))
}

// TestBrokenLinesCostThemselves: a line that is no JSON or lacks what makes it one is left out; those of a newer form
// are passed on as they are, for clients that know it.
func TestBrokenLinesCostThemselves(t *testing.T) {
	newer := strings.Replace(lineFor("demo", "2.0.0", "two"), `"yanked":false`, `"yanked":false,"v":9,"new":[1]`, 1)
	good := lineFor("demo", "1.0.0", "one") + newer
	origin := newOrigin(t, map[string]string{
		"/config.json": `{"dl":"HOST/dl"}`,
		"/de/mo/demo": "{\"name\":\"demo\",\n" + good + `{"vers":"3.0.0"}` + "\nnull\n" +
			`{"name":"demo","vers":"4.0.0","cksum":"short"}` + "\n",
		"/dl/demo/1.0.0/download": "one", "/br/ok/broken": "<html>\nsign in\n",
	})
	g := newCopy(t, origin)
	g.Do("GET", "/index/de/mo/demo", nil).WantStatus(t, 200).WantExactly(t, good)
	g.Want(g.Do("GET", "/api/v1/crates/demo/1.0.0/download", nil), 200, "one")
	g.Want(g.Do("GET", "/index/br/ok/broken", nil), 503, "")
	got := g.Want(g.Do("GET", "/api/v1/crates/demo/versions", nil), 200, "").Object(t)
	wiretest.EqualJSON(t, "number of versions", wiretest.At(got, "meta", "total"), 2)
}

// TestLineWithoutChecksumIsServed: what came first stays; a line's place cannot be checked otherwise.
func TestLineWithoutChecksumIsServed(t *testing.T) {
	line := `{"name":"demo","vers":"1.0.0","deps":[],"features":{},"yanked":false}` + "\n"
	answers := map[string]string{
		"/config.json": `{"dl":"HOST/dl"}`, "/de/mo/demo": line, "/dl/demo/1.0.0/download": "one",
	}
	g := newCopy(t, newOrigin(t, answers))
	g.Do("GET", "/index/de/mo/demo", nil).WantStatus(t, 200).WantExactly(t, line)
	g.Want(g.Do("GET", "/api/v1/crates/demo/1.0.0/download", nil), 200, "one")
	answers["/dl/demo/1.0.0/download"] = "two"
	g.Want(g.Do("GET", "/api/v1/crates/demo/1.0.0/download", nil), 200, "one")
}

// TestEveryFormOfDLIsExpanded (Cargo Book, Index Format): without a marker the classic path is added.
func TestEveryFormOfDLIsExpanded(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("one")))
	for dl, path := range map[string]string{
		"HOST/dl":                          "/dl/Demo/1.0.0+b/download",
		"HOST/{x}/dl":                      "/{x}/dl/Demo/1.0.0+b/download",
		"HOST/{crate}-{version}.crate":     "/Demo-1.0.0+b.crate",
		"HOST/{prefix}/{crate}/{version}":  "/De/mo/Demo/1.0.0+b",
		"HOST/{lowerprefix}/{crate}.crate": "/de/mo/Demo.crate",
		"HOST/{sha256-checksum}":           "/" + sum,
	} {
		g := newCopy(t, newOrigin(t, map[string]string{
			"/config.json": `{"dl":"` + dl + `"}`, "/de/mo/demo": lineFor("Demo", "1.0.0+b", "one"), path: "one",
		}))
		if a := g.Do("GET", "/api/v1/crates/Demo/1.0.0+b/download", nil); a.Status != 200 || a.Body != "one" {
			t.Errorf("dl %s: %v, want the crate at %s", dl, a, path)
		}
	}
}

// TestAPIOfCopiesIsTheUpstreams: tools read of a copy what they read at its origin, with addresses of ours; what is
// blocked is not the latest.
func TestAPIOfCopiesIsTheUpstreams(t *testing.T) {
	origin := newRig(t)
	for _, v := range []string{"1.0.0", "1.1.0", "2.0.0", "3.0.0-beta.1"} {
		origin.publish("demo", v)
	}
	g := newCopy(t, origin.Base+"/index", "cargo:demo@2.0.0")
	for _, path := range []string{
		"demo", "demo/versions", "demo/1.0.0", "demo/1.0.0/dependencies", "demo/downloads", "demo/1.0.0/downloads",
	} {
		g.Want(g.Do("GET", "/api/v1/crates/"+path, nil), 200, "").WantNot(t, origin.Srv.URL, `"unknown"`)
	}
	got := g.Do("GET", "/api/v1/crates/demo", nil).Object(t)
	want := origin.Do("GET", "/api/v1/crates/demo", nil).Object(t)
	for _, member := range []string{"description", "repository", "id", "name"} {
		wiretest.EqualJSON(t, member, wiretest.At(got, "crate", member), wiretest.At(want, "crate", member))
	}
	for member, v := range map[string]string{
		"max_version": "3.0.0-beta.1", "max_stable_version": "1.1.0", "default_version": "1.1.0",
	} {
		wiretest.EqualJSON(t, member, wiretest.At(got, "crate", member), v)
	}
	for _, path := range []string{"demo/2.0.0", "demo/2.0.0/dependencies", "demo/9.0.0", "other", "other/downloads"} {
		g.Want(g.Do("GET", "/api/v1/crates/"+path, nil), 404, "")
	}
}

// TestAPIOfCopiesInventsNothing: of an index without an API only what its lines say is answered.
func TestAPIOfCopiesInventsNothing(t *testing.T) {
	g := newCopy(t, newOrigin(t, map[string]string{
		"/config.json": `{"dl":"HOST/dl"}`, "/de/mo/demo": lineFor("demo", "1.0.0", "one") + lineFor("demo", "1.1.0", "two"),
	}))
	for path, text := range map[string]string{
		"demo": `"max_version":"1.1.0"`, "demo/versions": `"num":"1.0.0"`, "demo/1.1.0": `"num":"1.1.0"`,
		"demo/1.0.0/dependencies": `"dependencies":[]`,
	} {
		a := g.Want(g.Do("GET", "/api/v1/crates/"+path, nil), 200, text)
		a.WantNot(t, "license", "description", "0001-", "crate_size")
	}
}

// TestNewCrateIsPublishedWhileTheUpstreamIsDown: cargo publish reads the index first, and goes on after a 404. A build
// asks the same, so that a name of which nobody knows is trouble for all but those whose scope names the crate, until
// an administrator claims it.
func TestNewCrateIsPublishedWhileTheUpstreamIsDown(t *testing.T) {
	for what, status := range map[string]int{"in trouble": 500, "refuses": 403} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(srv.Close)
		g := newCopy(t, srv.URL)
		g.Scoped("all", "ada", "cargo:crate:*:create,read")
		g.Scoped("group", "ada", "cargo:crate:new-*:create,read")
		g.Scoped("reader", "ada", "cargo:crate:new-crate:read")
		g.Scoped("publisher", "ada", "cargo:crate:new-crate:create,read")
		want := 503
		if status == 403 {
			want = 403
		}
		for _, actor := range []string{"ada", "all", "group", "reader"} {
			a := g.Do("GET", "/private/index/ne/w-/new-crate", nil, g.As(actor))
			g.Want(a, want, "larder claim cargo new-crate")
		}
		g.Want(g.Do("GET", "/index/ne/w-/new-crate", nil), want, fmt.Sprint("main answered ", status))
		g.Want(g.Do("GET", "/private/index/ne/w-/new-crate", nil, g.As("publisher")), 404, "")
		if a := g.Do("GET", "/private/index/ne/w-/new-other", nil, g.As("publisher")); a.Status != want {
			t.Errorf("%s: another crate: got %v, want %d", what, a, want)
		}
		g.Want(g.put("publisher", newRelease("new-crate", "1.0.0")), 200, "not compared with the upstream registry main")
		g.Want(g.Do("GET", "/index/ne/w-/new-crate", nil), 200, `"vers":"1.0.0"`)
	}
}

// TestCrateThatWasShownStays: a lock file names a version that the upstream's index has no more.
func TestCrateThatWasShownStays(t *testing.T) {
	var old, gone atomic.Bool
	old.Store(true)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/config.json":
			fmt.Fprintf(w, `{"dl":"http://%s/dl/{crate}-{version}"}`, r.Host)
		case strings.HasPrefix(r.URL.Path, "/dl/"):
			fmt.Fprint(w, r.URL.Path)
		case r.URL.Path != "/de/mo/demo" || gone.Load():
			http.NotFound(w, r)
		case old.Load():
			fmt.Fprint(w, lineFor("Demo", "1.0.0", "/dl/Demo-1.0.0"), lineFor("Demo", "2.0.0", "/dl/Demo-2.0.0"))
		default:
			fmt.Fprint(w, lineFor("Demo", "2.0.0", "/dl/Demo-2.0.0"))
		}
	}))
	t.Cleanup(srv.Close)
	wiretest.Forgotten{
		Kind: store.Cargo, Document: "/index/de/mo/demo", Body: "/dl/Demo-1.0.0",
		File: fmt.Sprintf("/dl/%x/Demo-1.0.0.crate", sha256.Sum256([]byte("/dl/Demo-1.0.0"))),
		Open: func() *wiretest.Rig {
			return newRig(t, func(r *rigOptions) {
				r.Upstreams = &upstream.Options{
					Upstreams: []upstream.Config{{Kind: store.Cargo, Name: "main", URL: srv.URL, Fresh: -1}},
				}
			}).Rig
		},
		Drop: func() { old.Store(false) }, Gone: func() { gone.Store(true) },
	}.Run(t)
}

// TestDownloadsAreInEveryDocument: those of crates that are published here and of copies. A number that the upstream
// says stands.
func TestDownloadsAreInEveryDocument(t *testing.T) {
	index := lineFor("demo", "1.0.0", "one") + lineFor("demo", "1.1.0+b", "two")
	copied := newCopy(t, newOrigin(t, map[string]string{
		"/config.json": `{"dl":"HOST/dl/{version}"}`, "/de/mo/demo": index, "/dl/1.0.0": "one", "/dl/1.1.0+b": "two",
	}))
	clock := storetest.NewClock()
	hosted := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	hosted.publish("demo", "1.0.0", "1.1.0+b")
	for _, g := range []*rig{hosted, copied} {
		for _, v := range []string{"1.0.0", "1.1.0+b", "1.1.0+b"} {
			g.Want(g.Do("GET", "/api/v1/crates/demo/"+v+"/download", nil), 200, "")
		}
		got := g.Do("GET", "/api/v1/crates/demo", nil).Object(t)
		wiretest.EqualJSON(t, "downloads", wiretest.At(got, "crate", "downloads"), 3)
		got = g.Do("GET", "/api/v1/crates/demo/1.1.0+b", nil).Object(t)
		wiretest.EqualJSON(t, "of a version", wiretest.At(got, "version", "downloads"), 2)
		g.Want(g.Do("GET", "/api/v1/crates/demo/1.1.0+b/downloads", nil), 200, `"downloads":2`)
		got = g.Do("GET", "/api/v1/crates/demo/downloads", nil).Object(t)
		wiretest.Equal(t, "days of versions", len(got["version_downloads"].([]any)), 2)
		wiretest.EqualJSON(t, "days of others", wiretest.At(got, "meta", "extra_downloads"), []fields{})
		g.Want(g.Do("GET", "/api/v1/crates/demo/9.0.0/downloads", nil), 404, "")
	}
	hosted.Want(hosted.Do("GET", "/api/v1/crates?q=demo", nil), 200, `"downloads":3`)
	today := clock.Now().UTC().Format(time.DateOnly)
	id := wiretest.At(hosted.Do("GET", "/api/v1/crates/demo/1.0.0", nil).Object(t), "version", "id")
	hosted.Want(hosted.Ada("DELETE", "/api/v1/crates/demo/1.1.0+b", nil), 200, "")
	got := hosted.Do("GET", "/api/v1/crates/demo/downloads", nil).Object(t)
	wiretest.EqualJSON(t, "by day", got["version_downloads"], []fields{{"version": id, "downloads": 1, "date": today}})
	wiretest.EqualJSON(t, "of a deleted version", wiretest.At(got, "meta", "extra_downloads"),
		[]fields{{"downloads": 2, "date": today}})
	again := newCopy(t, hosted.Base+"/index")
	again.Want(again.Do("GET", "/api/v1/crates/demo/1.0.0/download", nil), 200, "")
	again.Want(again.Do("GET", "/api/v1/crates/demo", nil), 200, `"downloads":4`)
}
