package rubygems

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"larder/internal/ledger"
	"larder/store"
	"larder/upstream"
)

// remote is a registry on its way to a cache: what it is asked for is written down, and its answers can be changed.
type remote struct {
	*rig
	url string

	mu     sync.Mutex // guards the rest
	asked  []string
	tamper func(path, body string) string // nil: answers as they are
}

func newRemote(t *testing.T) *remote {
	o := &remote{rig: newRig(t)}
	srv := httptest.NewServer(http.HandlerFunc(o.answer))
	t.Cleanup(srv.Close)
	o.url = srv.URL + root
	return o
}

func (o *remote) answer(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, root)
	o.mu.Lock()
	o.asked = append(o.asked, path)
	tamper := o.tamper
	o.mu.Unlock()
	if tamper == nil {
		o.Handler.ServeHTTP(w, r)
		return
	}
	r = r.Clone(r.Context())
	r.Header = http.Header{} // the whole, as it is
	rec := httptest.NewRecorder()
	o.Handler.ServeHTTP(rec, r)
	w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
	w.WriteHeader(rec.Code)
	_, _ = w.Write([]byte(tamper(path, rec.Body.String())))
}

func (o *remote) set(tamper func(path, body string) string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tamper = tamper
}

// was says whether a path that holds part was asked for.
func (o *remote) was(part string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.asked, func(path string) bool { return strings.Contains(path, part) })
}

// cache opens a registry that keeps copies of o.
func (o *remote) cache(t *testing.T, claims ...string) *rig {
	t.Helper()
	up := upstream.Options{Upstreams: []upstream.Config{{Kind: store.RubyGems, Name: "main", URL: o.url}}, Claims: claims}
	return newRig(t, func(r *rigOptions) { r.Upstreams = &up })
}

// TestA10_Copies: every document and file of another registry, from there and then from here.
func TestA10_Copies(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "1.1-x86_64-linux")
	g := o.cache(t)
	for _, path := range []string{"/info/demo", "/gems/demo-1.0.gem", "/gems/demo-1.1-x86_64-linux.gem", "/quick/Marshal.4.8/demo-1.0.gemspec.rz"} {
		want := o.want(o.Do("GET", path, nil), 200, "")
		for _, from := range []string{"MISS", "HIT"} {
			if a := g.want(g.Do("GET", path, nil), 200, ""); a.Body != want.Body || a.Header.Get("X-Cache") != from && path != "/info/demo" {
				t.Errorf("%s %s: %v", path, from, a.Header)
			}
		}
	}
	// Theirs first, then ours; what comes to either is at the end.
	held := g.get("/versions").Body
	g.publish("mine", "1.0")
	a := g.want(g.Do("GET", "/versions", nil, header("Range", "bytes=1-", "If-None-Match", `"other"`)), 206, "mine 1.0 ")
	if now := g.get("/versions").Body; !strings.HasPrefix(now, held) || now[1:] != a.Body || a.Header.Get("ETag") != ledger.Tag([]byte(now)) {
		t.Errorf("%q, then %q", held, now)
	}
	if got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil)); !slices.Equal(got, []string{"demo 1.1 x86_64-linux", "demo 1.0 ruby", "mine 1.0 ruby"}) {
		t.Errorf("%q", got)
	}
	for _, missing := range []string{"/info/absent", "/gems/demo-9.0.gem", "/gems/absent-1.0.gem", "/quick/Marshal.4.8/demo-9.0.gemspec.rz"} {
		g.want(g.Do("GET", missing, nil), 404, "")
	}
}

// TestE_CVE_2020_36327_Confusion: a name that is ours is ours in every document, and the other registry does not hear
// of it (CVE-2013-0334 as well).
func TestE_CVE_2020_36327_Confusion(t *testing.T) {
	o := newRemote(t)
	o.publish("mine", "9.0")
	o.publish("Acme-x", "9.0")
	o.publish("other", "1.0")
	g := o.cache(t, "rubygems:mine", "rubygems:acme-*")
	g.publish("mine", "1.0", "1.1")
	g.want(g.yank("ada", "mine", "1.1", ""), 200, "")
	if a := g.get("/info/mine"); len(lines(a)) != 1 || !strings.HasPrefix(lines(a)[0], "1.0 ") {
		t.Errorf("%q", a.Body)
	}
	for _, path := range []string{"/gems/mine-9.0.gem", "/gems/mine-1.1.gem", "/quick/Marshal.4.8/mine-9.0.gemspec.rz", "/info/acme-x", "/info/Acme-x", "/info/ACME-X", "/info/acme-secret", "/info/Mine", "/gems/Acme-x-9.0.gem"} {
		g.want(g.Do("GET", path, nil), 404, "")
	}
	for _, path := range []string{"/versions", "/names"} {
		if a := g.get(path); strings.Contains(a.Body, "9.0") || strings.Contains(a.Body, "cme-") || strings.Contains(a.Body, "mine 9") {
			t.Errorf("%s: %q", path, a.Body)
		}
	}
	if got := lines(g.get("/names")); len(got) != 2 || !slices.Contains(got, "mine") || !slices.Contains(got, "other") {
		t.Errorf("%q", got)
	}
	if got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil)); len(got) != 2 || !slices.Contains(got, "mine 1.0 ruby") {
		t.Errorf("%q", got)
	}
	for _, name := range []string{"mine", "cme-"} {
		if o.was(name) {
			t.Errorf("the other registry was asked for %s: %q", name, o.asked)
		}
	}
	g.want(g.push("ada", newRelease("other", "2.0")), 409, "an administrator claims the name: larder claim rubygems other")
}

// TestE_HashPinning: a gem that is not what /info says is not served and not kept, whole or cut short.
func TestE_HashPinning(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "2.0")
	g := o.cache(t)
	for what, change := range map[string]func(string) string{
		"other bytes": func(b string) string { return b[:len(b)/4] + "!" + b[len(b)/4+1:] },
		"more bytes":  func(b string) string { return b + "x" },
		"fewer bytes": func(b string) string { return b[:len(b)/2] },
	} {
		o.set(func(path, body string) string {
			if strings.HasPrefix(path, "/gems/") {
				return change(body)
			}
			return body
		})
		for range 2 {
			if a := g.Do("GET", "/gems/demo-1.0.gem", nil); a.Status != 502 && a.Status != 503 {
				t.Errorf("%s: %v", what, a)
			}
		}
	}
	o.set(nil)
	if a := g.want(g.Do("GET", "/gems/demo-2.0.gem", nil), 200, ""); a.Body != o.Do("GET", "/gems/demo-2.0.gem", nil).Body {
		t.Error("other bytes")
	}
}

// TestE_RemotePaths: what an upstream calls gems and versions becomes names of files and text on terminals; lines that
// would lead elsewhere or be obeyed are left out, and the log says so.
func TestE_RemotePaths(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "2.0")
	evil := []string{"../../x 1.0 |checksum:00", "9.0/../x |checksum:00", `9.1\x |checksum:00`, "9.2\x1b[31m |checksum:00", "9.3 dep/../x:>= 0|checksum:00", "9.4\u009b |checksum:00", "9.5\x00 |checksum:00"}
	o.set(func(path, body string) string {
		switch path {
		case "/info/demo":
			return body + strings.Join(evil, "\n") + "\n"
		case "/versions":
			return body + "../../etc 1.0 00\nx\x1b[31m 1.0 00\na/b 1.0 00\n" + `c\d 1.0 00` + "\ndemo ../9.9 00\n"
		}
		return body
	})
	g := o.cache(t)
	if got := lines(g.get("/info/demo")); len(got) != 2 || !strings.HasPrefix(got[0], "1.0 ") || !strings.HasPrefix(got[1], "2.0 ") {
		t.Errorf("%q", got)
	}
	if got := lines(g.get("/versions")); len(got) != 2 {
		t.Errorf("%q", got)
	}
	if got := lines(g.get("/names")); !slices.Equal(got, []string{"demo"}) {
		t.Errorf("%q", got)
	}
	if got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil)); !slices.Equal(got, []string{"demo 2.0 ruby", "demo 1.0 ruby"}) {
		t.Errorf("%q", got)
	}
	if !strings.Contains(g.Log.String(), "an upstream's versions are left out") {
		t.Error("nothing in the log")
	}
}

// TestE_RemoteMarshal: nothing that is Marshal is read from an upstream: the indexes are made of the compact one, and a
// specification passes as the bytes it is.
func TestE_RemoteMarshal(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0")
	o.set(func(path, body string) string {
		if strings.HasPrefix(path, "/quick/") {
			return "\x04\bo:\x0bObject\x00"
		}
		return body
	})
	g := o.cache(t)
	for _, index := range []string{"specs", "latest_specs", "prerelease_specs"} {
		readTuples(t, g.Do("GET", "/"+index+".4.8.gz", nil))
	}
	if a := g.want(g.Do("GET", "/quick/Marshal.4.8/demo-1.0.gemspec.rz", nil), 200, ""); a.Body != "\x04\bo:\x0bObject\x00" {
		t.Errorf("%q", a.Body)
	}
	if o.was("specs.4.8") {
		t.Errorf("%q", o.asked)
	}
}
