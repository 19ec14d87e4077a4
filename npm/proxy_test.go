package npm

// Copies of upstreams.

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

// newCache opens a registry that keeps copies of another.
func newCache(t *testing.T, origin *rig, change ...func(*upstream.Options)) *rig {
	t.Helper()
	o := upstream.Options{Upstreams: []upstream.Config{{Kind: store.NPM, Name: "main", URL: origin.Base}}}
	for _, f := range change {
		f(&o)
	}
	return newRig(t, func(r *rigOptions) { r.Upstreams = &o })
}

func TestProxyPackumentAndTarball(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo", "1.0.0")
	origin.publish("demo", "1.1.0")
	g := newCache(t, origin)
	for _, accept := range []string{typeShort, "application/json"} {
		a := g.Do("GET", "/demo", nil, wiretest.Header("Accept", accept))
		if a.Status != 200 || strings.Contains(a.Body, origin.Base) ||
			!strings.Contains(a.Body, g.Base+"/demo/-/demo-1.1.0.tgz") {
			t.Fatalf("%s: %v", accept, a)
		}
		if got, want := a.Header.Get("X-Cache"), "MISS"; got != want {
			t.Errorf("%s: X-Cache %s", accept, got)
		}
	}
	want := origin.Do("GET", "/demo/-/demo-1.0.0.tgz", nil)
	for _, cache := range []string{"MISS", "HIT"} {
		a := g.Do("GET", "/demo/-/demo-1.0.0.tgz", nil)
		if a.Status != 200 || a.Body != want.Body || a.Header.Get("X-Cache") != cache {
			t.Fatalf("%s: %d %v", cache, a.Status, a.Header)
		}
	}
	origin.Srv.Close()
	if a := g.Do("GET", "/demo", nil, wiretest.Header("Accept", typeShort)); a.Status != 200 {
		t.Fatal(a)
	}
	if a := g.Do("GET", "/demo/-/demo-1.0.0.tgz", nil); a.Status != 200 {
		t.Fatal(a)
	}
	if a := g.Do("GET", "/demo/-/demo-1.1.0.tgz", nil); a.Status != 503 || a.Header.Get("Retry-After") == "" {
		t.Fatal(a)
	}
}

// TestTarballNeedsNoSecondPackument: in whichever form a client asked for the packument, its tarballs need no other.
func TestTarballNeedsNoSecondPackument(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo", "1.0.0")
	var asked []string
	way := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		origin.Srv.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(way.Close)
	for _, accept := range []string{typeShort, "application/json"} {
		asked = nil
		g := newCache(t, origin, func(o *upstream.Options) {
			o.Upstreams[0].URL = strings.Replace(origin.Base, origin.Srv.URL, way.URL, 1)
		})
		g.Want(g.Do("GET", "/demo", nil, wiretest.Header("Accept", accept)), 200, "demo-1.0.0.tgz")
		g.Want(g.Do("GET", "/demo/-/demo-1.0.0.tgz", nil), 200, "")
		if len(asked) != 2 || !strings.HasSuffix(asked[0], "/demo") || !strings.HasSuffix(asked[1], ".tgz") {
			t.Errorf("%s: %q", accept, asked)
		}
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
	a := g.Do("GET", "/demo", nil)
	if err := json.Unmarshal([]byte(a.Body), &doc); err != nil || len(doc.Versions) != 1 || doc.Versions["1.0.0"] == nil {
		t.Fatal(err, a)
	}
	if a := g.Do("GET", "/demo/-/demo-9.0.0.tgz", nil); a.Status != 404 {
		t.Fatal(a)
	}
}

func TestProxyFirstPublishOfATakenNameIsRefused(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo", "9.0.0")
	g := newCache(t, origin)
	if a := g.put("ada", newRelease("demo", "1.0.0")); a.Status != http.StatusForbidden ||
		!strings.Contains(a.Body, "claim") {
		t.Fatal(a)
	}
	if a := g.put("ada", newRelease("mine", "1.0.0")); a.Status != http.StatusCreated {
		t.Fatal(a)
	}
}

// listing is an upstream that has one packument and its tarballs, as its test writes them.
func listing(t *testing.T, versions string) *rig {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/odd" {
			_, _ = io.WriteString(w, `{"name":"odd","dist-tags":{"latest":"2.0.0"},"versions":`+
				strings.ReplaceAll(versions, "BASE", "http://"+r.Host)+`}`)
			return
		}
		_, _ = io.WriteString(w, "bytes of "+r.URL.Path)
	}))
	t.Cleanup(srv.Close)
	o := upstream.Options{
		Upstreams: []upstream.Config{{Kind: store.NPM, Name: "main", URL: srv.URL}}, Blocked: []string{"npm:odd@1.1.0"},
	}
	return newRig(t, func(r *rigOptions) { r.Upstreams = &o })
}

// TestTarballIsFoundByWhatWasListed: old packages have tarballs whose names do not follow from name and version. The
// rules about a version hold for it under every name of its file.
func TestTarballIsFoundByWhatWasListed(t *testing.T) {
	g := listing(t, `{"1.0.0":{"dist":{"tarball":"BASE/files/odd-v1.0.tgz"}},`+
		`"1.1.0":{"dist":{"tarball":"BASE/files/odd-v1.1.tgz"}}}`)
	for _, path := range []string{
		"/odd/-/odd-1.0.0.tgz", "/odd/-/odd-v1.0.tgz", "/repository/npm/odd/-/odd-v1.0.tgz", "/odd/-/1.0.0/any.tgz",
		"/download/odd/1.0.0/0a1b",
	} {
		g.Want(g.Do("GET", path, nil), 200, "bytes of /files/odd-v1.0.tgz")
	}
	for _, path := range []string{"/odd/-/odd-1.1.0.tgz", "/odd/-/odd-v1.1.tgz", "/odd/-/1.1.0/odd-1.0.0.tgz"} {
		g.Want(g.Do("GET", path, nil), 403, "")
	}
	g.Want(g.Do("GET", "/odd/-/odd-v2.0.tgz", nil), 404, "")
}

func TestBrokenVersionOfAPackumentIsLeftOut(t *testing.T) {
	g := listing(t,
		`{"1.0.0":{"version":"1.0.0","dist":{"tarball":"BASE/files/odd-1.0.0.tgz"}},"2.0.0":{"version":"2.0.0"},`+
			`"3.0.0":"nothing","4.0.0":{"dist":{"shasum":"00"}}}`)
	for _, accept := range []string{typeShort, "application/json"} {
		var doc struct {
			Tags     map[string]string          `json:"dist-tags"`
			Versions map[string]json.RawMessage `json:"versions"`
		}
		g.Do("GET", "/odd", nil, wiretest.Header("Accept", accept)).Decode(t, &doc)
		if len(doc.Versions) != 1 || doc.Versions["1.0.0"] == nil {
			t.Errorf("%s: the versions are %s, want 1.0.0 alone", accept, doc.Versions)
		}
		if doc.Tags["latest"] != "1.0.0" {
			t.Errorf("%s: latest is %q, want the version that is left", accept, doc.Tags["latest"])
		}
	}
	g.Want(g.Do("GET", "/odd/-/odd-2.0.0.tgz", nil), 404, "")
}

// TestTarballThatWasShownStays: a lock file names a version that the upstream's packument has no more.
func TestTarballThatWasShownStays(t *testing.T) {
	var old, gone atomic.Bool
	old.Store(true)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, ".tgz"):
			_, _ = io.WriteString(w, "bytes of "+r.URL.Path)
			return
		case r.URL.Path != "/demo" || gone.Load():
			http.NotFound(w, r)
			return
		}
		versions := `"2.0.0":{"dist":{"tarball":"http://` + r.Host + `/f/two.tgz"}}`
		if old.Load() {
			versions += `,"1.0.0":{"dist":{"tarball":"http://` + r.Host + `/f/one.tgz"}}`
		}
		_, _ = io.WriteString(w, `{"name":"demo","dist-tags":{"latest":"2.0.0"},"versions":{`+versions+`}}`)
	}))
	t.Cleanup(srv.Close)
	wiretest.Forgotten{
		Kind: store.NPM, Document: "/demo", File: "/demo/-/demo-1.0.0.tgz", Body: "bytes of /f/one.tgz",
		Open: func() *wiretest.Rig {
			return newRig(t, func(r *rigOptions) {
				r.Upstreams = &upstream.Options{
					Upstreams: []upstream.Config{{Kind: store.NPM, Name: "main", URL: srv.URL, Fresh: -1}},
				}
			}).Rig
		},
		Drop: func() { old.Store(false) }, Gone: func() { gone.Store(true) },
	}.Run(t)
}

// newCacheOf opens a registry that keeps copies of one that answers everything with body.
func newCacheOf(t *testing.T, body string) *rig {
	t.Helper()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, body) // a client that left fails its own check
	}))
	t.Cleanup(origin.Close)
	o := upstream.Options{Upstreams: []upstream.Config{{Kind: store.NPM, Name: "main", URL: origin.URL}}}
	return newRig(t, func(r *rigOptions) { r.Upstreams = &o })
}

// TestWholePackumentIsAbbreviated: an upstream may send everything to who asks for the abbreviated document. What
// clients install by stays: where the tarball is and what it must be.
func TestWholePackumentIsAbbreviated(t *testing.T) {
	g := newCacheOf(t, `{"_id": "demo", "name": "demo", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {`+
		`"_id": "demo@1.0.0", "name": "demo", "version": "1.0.0", "description": "a demo", "deprecated": "old", `+
		`"scripts": {"install": "make"}, "dependencies": {"a": "1"}, `+
		`"dist": {"shasum": "b", "integrity": "sha512-a", "tarball": "http://files.example/demo.tgz"}}}}`)
	got := g.Do("GET", "/demo", nil, wiretest.Header("Accept", typeShort)).WantStatus(t, 200).Body
	var doc struct{ Versions map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(got), &doc); err != nil {
		t.Fatal(err)
	}
	want := `{"name":"demo","version":"1.0.0","dependencies":{"a":"1"},"dist":{"shasum":"b","integrity":"sha512-a",` +
		`"tarball":"` + g.Base + `/demo/-/demo-1.0.0.tgz"},"deprecated":"old","hasInstallScript":true}`
	if wiretest.JSON(doc.Versions["1.0.0"]) != wiretest.JSON(json.RawMessage(want)) {
		t.Errorf("the abbreviated document has\n%s, want\n%s", doc.Versions["1.0.0"], want)
	}
}

// largePackumentOf is a packument of more bytes than are rewritten in memory, with the addresses of an upstream, or
// with ours when base is given.
func largePackumentOf(base string, versions int) string {
	var b strings.Builder
	b.WriteString(`{"name":"long", "versions":{`)
	for i := range versions {
		tarball, attestations := fmt.Sprintf("http://files.example/%d.tgz", i), "http://files.example/a"
		if base != "" {
			tarball = fmt.Sprintf("%s/long/-/long-1.0.%d.tgz", base, i)
			attestations = fmt.Sprintf("%s/-/npm/v1/attestations/long@1.0.%d", base, i)
		}
		fmt.Fprintf(&b, "%[1]s\n\"1.0.%[2]d\": "+`{"name":"long","version":"1.0.%[2]d","description":"\u003ctext\u003e",`+
			`"dist":{"shasum":"%040[2]x","tarball":%[3]q,"attestations":{"url":%[4]q}},"readme":%[5]q}`,
			strings.Repeat(",", min(i, 1)), i, tarball, attestations, strings.Repeat("text ", 300))
	}
	if base == "" && versions < 3000 {
		b.WriteString(`,"2.0.0":{"name":"long"}`)
	}
	latest := fmt.Sprintf("1.0.%d", versions-1)
	if base == "" && versions < 3000 {
		latest = "2.0.0"
	}
	fmt.Fprintf(&b, `}, "dist-tags":{"latest":%q,"old":"1.0.0"},"time":{"created":"2020-01-01T00:00:00.000Z",`+
		`"1.0.7":"2020-01-02T00:00:00.000Z"}}`, latest)
	return b.String()
}

// TestLargePackumentIsOurs: one that is rewritten as it is read is ours, and one of which the latest version is left
// out as well.
func TestLargePackumentIsOurs(t *testing.T) {
	for _, versions := range []int{3000, 2999} {
		g := newCacheOf(t, largePackumentOf("", versions))
		got, want := g.Do("GET", "/long", nil).WantStatus(t, 200).Body, largePackumentOf(g.Base, versions)
		if wiretest.JSON(json.RawMessage(got)) != wiretest.JSON(json.RawMessage(want)) {
			t.Errorf("of %d versions: %d bytes, want %d that say something else: %.600s", versions, len(got), len(want), got)
		}
	}
}

// TestLargePackumentSaysWhatItIs: what is read of it on its way to the disk is what is read of a small one, and a
// search finds it by that.
func TestLargePackumentSaysWhatItIs(t *testing.T) {
	about := `"name":"long","description":"ropes &amp; <b>","keywords":["hemp"],"license":"MIT",` +
		`"homepage":"https://ropes.example","repository":{"url":"git://ropes.example/x"},` +
		`"readme":"` + strings.Repeat("words ", 20_000) + `", `
	long := strings.Replace(largePackumentOf("", 3000), `"name":"long", `, about, 1)
	said, err := scanPackument(strings.NewReader(long))
	if err != nil {
		t.Fatal(err)
	}
	want, ok := aboutCopy("long", formFull, []byte(long))
	if !ok || !reflect.DeepEqual(*said.About, want) || len(want.Versions) != newestShown {
		t.Errorf("as a stream it says %+v, want %+v", *said.About, want)
	}
	g := newCacheOf(t, long)
	g.Do("GET", "/long", nil).WantStatus(t, 200)
	a := g.Want(g.Do("GET", "/-/v1/search?text=hemp", nil), 200, `"name":"long"`)
	if !strings.Contains(a.Body, "ropes") || !strings.Contains(a.Body, "MIT") {
		t.Errorf("the search says %.600s, want the description and the licence", a.Body)
	}
}

// TestLargeAnswerThatIsNoPackument is trouble, as a small one is.
func TestLargeAnswerThatIsNoPackument(t *testing.T) {
	long := largePackumentOf("", 3000)
	for what, body := range map[string]string{
		"a page":            "<!DOCTYPE html>" + strings.Repeat("<p>sign in</p>", 500_000),
		"broken in a value": strings.Replace(long, `"version":"1.0.2000"`, `"version":nope`, 1),
		"cut off":           long[:len(long)-10],
		"without a name":    strings.Replace(long, `"name":"long", `, "", 1),
		"a version twice":   strings.Replace(long, `"1.0.2001":`, `"1.0.2000":`, 1),
	} {
		if a := newCacheOf(t, body).Do("GET", "/long", nil); a.Status != 503 {
			t.Errorf("%s: %d %.200s, want 503", what, a.Status, a.Body)
		}
	}
}
