package cargo

// Tests of reading: revalidation, downloads, readmes, yanked versions and searches.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"larder/internal/wiretest"
)

// TestIndexIsRevalidated: a strong ETag, a 304 for it alone and in each encoding, none after a change.
func TestIndexIsRevalidated(t *testing.T) {
	g := newRig(t)
	for i := range 20 { // enough for a compression to pay
		g.publish("demo", fmt.Sprintf("1.0.%d", i))
	}
	get := func(kv ...string) answer {
		return g.Do("GET", "/index/de/mo/demo", nil, wiretest.Header(kv...))
	}
	for _, encoding := range []string{"identity", "deflate, gzip", "zstd"} {
		a := g.Want(get("Accept-Encoding", encoding), 200, "")
		tag := a.Header.Get("ETag")
		if !strings.HasPrefix(tag, `"`) || a.Header.Get("Vary") != "Accept-Encoding" ||
			a.Header.Get("Cache-Control") != "no-cache" || a.Header.Get("Last-Modified") != "" {
			t.Errorf("%s: %v", encoding, a)
		}
		want := map[string]string{"deflate, gzip": "gzip", "zstd": "zstd"}[encoding]
		if got := a.Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %s: got the encoding %q, want %q", encoding, got, want)
		}
		for _, held := range []string{tag, "W/" + tag, `"x", ` + tag} {
			if a := get("Accept-Encoding", encoding, "If-None-Match", held); a.Status != 304 || a.Body != "" ||
				a.Header.Get("ETag") != tag {
				t.Errorf("%s %s: %v", encoding, held, a)
			}
		}
		g.Want(get("Accept-Encoding", encoding, "If-None-Match", `"x"`), 200, "")
	}
	before := get().Header.Get("ETag")
	for _, change := range []func(){
		func() { g.publish("demo", "2.0.0") },
		func() { g.Want(g.Ada("DELETE", "/api/v1/crates/demo/1.0.0/yank", nil), 200, "") },
		func() { g.Want(g.Ada("PUT", "/api/v1/crates/demo/1.0.0/unyank", nil), 200, "") },
		func() { g.Want(g.Ada("DELETE", "/api/v1/crates/demo/1.0.1", nil), 200, "") },
	} {
		change()
		a := g.Want(get("If-None-Match", before), 200, "")
		if before = a.Header.Get("ETag"); before == "" {
			t.Errorf("after a change: got %v, want an ETag", a)
		}
	}
	if a := g.Do("HEAD", "/index/de/mo/demo", nil); a.Status != 200 || a.Body != "" ||
		a.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD: got %v, want 200, a length and no body", a)
	}
}

// TestDownloadsAreThePublishedBytes: never encoded, without a redirect, and to be cached for a year.
// TestDownloadsAreCountedOnce: a HEAD and a 304 are none, and of a crate in parts the part with its first byte is one.
func TestDownloadsAreCountedOnce(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0.0")
	g.Want(g.put("ada", r), 200, "")
	g.Want(g.Do("GET", "/api/v1/crates/demo", nil), 200, `"downloads":0`)
	path := "/api/v1/crates/demo/1.0.0/download"
	etag := g.Want(g.Do("GET", path, nil), 200, "").Header.Get("ETag")
	g.Want(g.Do("HEAD", path, nil), 200, "")
	g.Want(g.Do("GET", path, nil, wiretest.Header("If-None-Match", etag)), 304, "")
	for _, part := range []string{"bytes=0-3", "bytes=4-7", "bytes=8-"} {
		g.Want(g.Do("GET", path, nil, wiretest.Header("Range", part)), 206, "")
	}
	g.Want(g.Do("GET", "/api/v1/crates/demo/9.0.0/download", nil), 404, "")
	var got struct {
		Crate struct {
			Downloads int `json:"downloads"`
			Recent    int `json:"recent_downloads"`
		} `json:"crate"`
		Versions []struct {
			Downloads int `json:"downloads"`
		} `json:"versions"`
	}
	g.Do("GET", "/api/v1/crates/demo", nil).Decode(t, &got)
	if got.Crate.Downloads != 2 || got.Crate.Recent != 2 || len(got.Versions) != 1 || got.Versions[0].Downloads != 2 {
		t.Errorf("the crate says %+v, want 2 downloads everywhere", got)
	}
}

func TestDownloadsAreThePublishedBytes(t *testing.T) {
	g := newRig(t)
	small, large := newRelease("demo", "1.0.0"), newRelease("demo", "2.0.0+b.1")
	var noise strings.Builder
	for i := range 30_000 {
		fmt.Fprint(&noise, i*i*7919)
	}
	large.files["noise"] = noise.String()
	for _, r := range []*release{small, large} {
		g.Want(g.put("ada", r), 200, "")
		for _, path := range []string{
			"/dl/" + sumOf(r.tarball) + "/demo-" + r.version + ".crate", "/api/v1/crates/demo/" + r.version + "/download",
		} {
			for _, encoding := range []string{"deflate, gzip", "identity", "zstd"} {
				a := g.Want(g.Do("GET", path, nil, wiretest.Header("Accept-Encoding", encoding)), 200, "")
				h := a.Header
				if a.Body != string(r.tarball) || h.Get("Content-Encoding") != "" ||
					h.Get("Content-Length") != fmt.Sprint(len(r.tarball)) || h.Get("Content-Type") != typeArchive {
					t.Errorf("%s: %v", path, h)
				}
				if h.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
					h.Get("ETag") != `"sha256:`+sumOf(r.tarball)+`"` {
					t.Errorf("%s: %v", path, h)
				}
			}
			h := g.Do("GET", path, nil, g.As("ada")).Header
			if h.Get("Cache-Control") != "private, max-age=31536000, immutable" {
				t.Errorf("%s as ada: got %v, want a private copy", path, h)
			}
			if a := g.Do("GET", path, nil, wiretest.Header("Range", "bytes=1-4")); a.Status != 206 ||
				a.Body != string(r.tarball[1:5]) {
				t.Errorf("%s, bytes 1 to 4: got %v, want 206 and those", path, a)
			}
		}
	}
	// What is yanked can still be downloaded; what is deleted cannot.
	g.Want(g.Ada("DELETE", "/api/v1/crates/demo/1.0.0/yank", nil), 200, "")
	g.Want(g.Do("GET", "/api/v1/crates/demo/1.0.0/download", nil), 200, "")
	g.Want(g.Ada("DELETE", "/api/v1/crates/demo/1.0.0", nil), 200, "")
	g.Want(g.Do("GET", "/api/v1/crates/demo/1.0.0/download", nil), 404, "")
}

// TestOtherSpellingsAreAbsent: cargo probes other spellings of a name; they cost nothing and are absent.
func TestOtherSpellingsAreAbsent(t *testing.T) {
	g := newRig(t)
	g.publish("dep-a", "1.0.0")
	g.Want(g.Do("GET", "/index/de/p-/dep-a", nil), 200, "")
	g.Want(g.Do("GET", "/index/de/p_/dep_a", nil), 404, "")
	g.Want(g.Do("GET", "/de/p-/dep-a", nil), 200, "")
	g.publish("A", "1.0.0")
	g.publish("Ab", "1.0.0")
	g.publish("aBc", "1.0.0")
	for path, name := range map[string]string{"/index/1/a": "A", "/index/2/ab": "Ab", "/index/3/a/abc": "aBc"} {
		g.Want(g.Do("GET", path, nil), 200, `"name":"`+name+`"`)
	}
}

// TestReadmeIsServedAsText: a readme is text, whatever is in it, and is never run.
func TestReadmeIsServedAsText(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0.0")
	r.json["readme"], r.json["description"] = "<script>alert(1)</script>", "<img src=x onerror=alert(1)>"
	g.Want(g.put("ada", r), 200, "")
	a := g.Want(g.Do("GET", "/api/v1/crates/demo/1.0.0/readme", nil), 200, "<script>")
	h := a.Header
	if h.Get("Content-Type") != typePlain || h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("a readme: got %v, want plain text in a sandbox", h)
	}
	g.publish("bare", "1.0.0")
	g.Want(g.Do("GET", "/api/v1/crates/bare/1.0.0/readme", nil), 404, "")
}

// TestYankChangesSearches: both ways, as often as it is asked, also with a reason, and what it does to searches.
func TestYankChangesSearches(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0", "2.0.0", "3.0.0-rc.1", "1.5.0+b")
	at := "/api/v1/crates/demo"
	shows := func(maxVersion, stable, newest string) {
		t.Helper()
		hit := g.Want(g.Do("GET", "/api/v1/crates?q=demo", nil), 200, `"total":1`).Object(t)["crates"].([]any)[0]
		for key, want := range map[string]any{
			"max_version": maxVersion, "max_stable_version": stable, "newest_version": newest,
		} {
			if want == "" {
				want = nil
			}
			if got := wiretest.At(hit, key); got != want {
				t.Errorf("%s is %v, want %v", key, got, want)
			}
		}
	}
	shows("2.0.0", "2.0.0", "1.5.0+b")
	for range 2 {
		g.Want(g.Ada("DELETE", at+"/2.0.0/yank", nil), 200, `{"ok":true}`)
		shows("1.5.0+b", "1.5.0+b", "1.5.0+b")
	}
	g.Want(g.Ada("DELETE", at+"/1.5.0/yank", nil), 404, "version not found")
	g.Want(g.Ada("DELETE", at+"/1.5.0+b/yank", nil), 200, "")
	g.Want(g.Ada("DELETE", at+"/1.0.0/yank", nil), 200, "")
	shows("3.0.0-rc.1", "", "1.5.0+b")
	g.Want(g.Ada("DELETE", at+"/3.0.0-rc.1/yank", nil), 200, "")
	shows("2.0.0", "", "1.5.0+b")
	if crate := g.Do("GET", at, nil).Object(t); wiretest.At(crate, "crate", "yanked") != true {
		t.Errorf("a crate without other versions: got %v, want yanked", crate["crate"])
	}
	for range 2 {
		g.Want(g.Ada("PUT", at+"/1.0.0/unyank", nil), 200, `{"ok":true}`)
		shows("1.0.0", "1.0.0", "1.5.0+b")
	}
	g.publish("demo", "0.1.0")
	shows("1.0.0", "1.0.0", "0.1.0")
	leaks := fields{"version": fields{"yanked": true, "yank_message": "leaks"}}
	a := g.Want(g.Ada("PATCH", at+"/1.0.0", leaks), 200, "").Object(t)
	if wiretest.At(a, "version", "yank_message") != "leaks" || wiretest.At(a, "version", "yanked") != true {
		t.Errorf("yanking with a reason: got %v, want the reason", a)
	}
	for body, want := range map[string]string{
		`{"version":{}}`: "says nothing", `{"version":{"yanked":false,"yank_message":"x"}}`: "has no yank_message",
		`[]`: "cannot be read",
	} {
		g.Want(g.Ada("PATCH", at+"/1.0.0", body), 400, want)
	}
	g.Want(g.Ada("PATCH", at+"/1.0.0", fields{"version": fields{"yanked": false}}), 200, "")
	shows("1.0.0", "1.0.0", "0.1.0")
	g.Want(g.Ada("DELETE", at+"/1.0.0", nil), 200, `{"ok":true}`)
	shows("0.1.0", "0.1.0", "0.1.0")
	g.Want(g.Ada("DELETE", at, nil), 200, `{"ok":true}`)
	g.Want(g.Do("GET", "/api/v1/crates?q=demo", nil), 200, `"total":0`)
}

// TestSearchPutsExactNamesFirst: exact names first, then beginnings, parts, keywords and descriptions; any text is
// tolerated.
func TestSearchPutsExactNamesFirst(t *testing.T) {
	g := newRig(t)
	for name, description := range map[string]string{
		"serde": "A serialization framework", "serde-json": "JSON for it", "my_serde_kit": "Helpers",
		"Unrelated": "works with serde", "other": "Nothing to find",
	} {
		r := newRelease(name, "1.0.0")
		r.json["description"] = description
		r.json["keywords"] = []string{"kw-" + strings.ToLower(name[:2])}
		g.Want(g.put("ada", r), 200, "")
	}
	names := func(query string) []string {
		t.Helper()
		var found struct {
			Crates []struct {
				Name       string
				MaxVersion string `json:"max_version"`
			}
			Meta struct{ Total int }
		}
		g.Want(g.Do("GET", "/api/v1/crates?"+query, nil), 200, "").Decode(t, &found)
		out := []string{}
		for _, c := range found.Crates {
			if c.MaxVersion != "1.0.0" {
				t.Errorf("%s: %+v", query, c)
			}
			out = append(out, c.Name)
		}
		if len(out) != min(found.Meta.Total, 10) && !strings.Contains(query, "page") {
			t.Errorf("%s: %d of %d", query, len(out), found.Meta.Total)
		}
		return out
	}
	for query, want := range map[string][]string{
		"q=serde": {"serde", "serde-json", "my_serde_kit", "Unrelated"}, "q=SERDE_JSON": {"serde-json"},
		"q=serde-j": {"serde-json"}, "q=my-serde-kit": {"my_serde_kit"},
		"q=kw-se": {"serde", "serde-json"}, "q=foo%20bar%2F%C3%A9": {}, "q=serialization%20framework": {"serde"},
		"q=%22%3C%5C": nil, "q=unrelated": {"Unrelated"},
		"per_page=2&page=2": nil, "q=": nil,
	} {
		got := names(query)
		if want != nil && !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if n := len(names("per_page=2&page=2")); n != 2 {
		t.Errorf("%d on the second page", n)
	}
	if n := len(names("per_page=2&page=9")); n != 0 {
		t.Errorf("%d on the ninth page", n)
	}
	g.Want(g.Do("GET", "/api/v1/crates?q=serde", nil), 200, `"exact_match":true`)
}

// TestRevalidationIsCheap: a 304 asks neither the database nor a renderer.
func TestRevalidationIsCheap(t *testing.T) {
	g := newRig(t)
	fillCrate(t, g.Store, "demo", 500)
	tag := g.Do("GET", "/index/de/mo/demo", nil).Header.Get("ETag")
	r, err := http.NewRequest("GET", "/cargo/index/de/mo/demo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("If-None-Match", tag)
	if n := testing.AllocsPerRun(100, func() { g.Handler.ServeHTTP(discard{http.Header{}}, r) }); n > 60 {
		t.Errorf("%.0f allocations", n)
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
