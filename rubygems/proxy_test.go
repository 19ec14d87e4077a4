package rubygems

// Copies of another registry: what is passed on, what is left out, and what is never asked for.

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"larder/internal/ledger"
	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

// remote is a registry that another one copies. It notes which paths it was asked for, and its answers can be changed.
type remote struct {
	*rig
	url   string
	close func()

	mu     sync.Mutex // guards the rest
	asked  []string
	tamper func(path, body string) string // nil: answers as they are
}

func newRemote(t *testing.T) *remote {
	o := &remote{rig: newRig(t)}
	srv := httptest.NewServer(http.HandlerFunc(o.answer))
	t.Cleanup(srv.Close)
	o.url, o.close = srv.URL+root, srv.Close
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
	r.Header = http.Header{} // the whole document, not encoded
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

// was reports whether a path that contains part was asked for.
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

func TestCopiesAreWhatTheUpstreamHas(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "1.1-x86_64-linux")
	g := o.cache(t)
	for _, path := range []string{
		"/gems/demo-1.0.gem", "/gems/demo-1.1-x86_64-linux.gem", "/quick/Marshal.4.8/demo-1.0.gemspec.rz",
	} {
		want := o.want(o.Do("GET", path, nil), 200, "")
		for _, from := range []string{"MISS", "HIT"} {
			a := g.want(g.Do("GET", path, nil), 200, "")
			wiretest.Equal(t, path, a.Body, want.Body)
			g.WantHeader(a, "X-Cache", from)
		}
	}
	want := o.want(o.Do("GET", "/info/demo", nil), 200, "")
	for range 2 {
		wiretest.Equal(t, "/info/demo", g.want(g.Do("GET", "/info/demo", nil), 200, "").Body, want.Body)
	}
	g.wantAll(
		404, "", "/info/absent", "/gems/demo-9.0.gem", "/gems/absent-1.0.gem",
		"/quick/Marshal.4.8/demo-9.0.gemspec.rz",
	)
}

func TestListsAreTheUpstreamsFollowedByOurs(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "1.1-x86_64-linux")
	g := o.cache(t)
	held := g.get("/versions").Body
	g.publish("mine", "1.0")
	rest := header("Range", "bytes=1-", "If-None-Match", `"other"`)
	a := g.want(g.Do("GET", "/versions", nil, rest), 206, "mine 1.0 ")
	now := g.get("/versions").Body
	if !strings.HasPrefix(now, held) {
		t.Errorf("the list was %q and is %q", held, now)
	}
	wiretest.Equal(t, "all but the first byte", a.Body, now[1:])
	g.WantHeader(a, "ETag", ledger.Tag([]byte(now)))
	got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil))
	wiretest.EqualList(t, "the index", got, "demo 1.1 x86_64-linux", "demo 1.0 ruby", "mine 1.0 ruby")
}

// CVE-2020-36327, CVE-2013-0334: a gem of the public registry in the place of a private one.
func TestNameThatIsOursIsOursInEveryDocument(t *testing.T) {
	o := newRemote(t)
	o.publish("mine", "9.0")
	o.publish("Acme-x", "9.0")
	o.publish("other", "1.0")
	g := o.cache(t, "rubygems:mine", "rubygems:acme-*")
	g.publish("mine", "1.0", "1.1")
	g.want(g.yank("ada", "mine", "1.1", ""), 200, "")
	if l := lines(g.get("/info/mine")); len(l) != 1 || !strings.HasPrefix(l[0], "1.0 ") {
		t.Errorf("/info/mine has %q, want the line of 1.0", l)
	}
	g.wantAll(
		404, "", "/gems/mine-9.0.gem", "/gems/mine-1.1.gem", "/quick/Marshal.4.8/mine-9.0.gemspec.rz", "/info/acme-x",
		"/info/Acme-x", "/info/ACME-X", "/info/acme-secret", "/info/Mine", "/gems/Acme-x-9.0.gem",
	)
	for _, path := range []string{"/versions", "/names"} {
		a := g.get(path)
		for _, theirs := range []string{"9.0", "cme-", "mine 9"} {
			if strings.Contains(a.Body, theirs) {
				t.Errorf("%s shows %s: %q", path, theirs, a.Body)
			}
		}
	}
	wiretest.EqualList(t, "names", slices.Sorted(slices.Values(lines(g.get("/names")))), "mine", "other")
	index := slices.Sorted(slices.Values(readTuples(t, g.Do("GET", "/specs.4.8.gz", nil))))
	wiretest.EqualList(t, "the index", index, "mine 1.0 ruby", "other 1.0 ruby")
	for _, name := range []string{"mine", "cme-"} {
		if o.was(name) {
			t.Errorf("the other registry was asked for %s: %q", name, o.asked)
		}
	}
	text := "an administrator claims the name: larder claim rubygems other"
	g.want(g.push("ada", newRelease("other", "2.0")), 409, text)
}

func TestGemWithAnotherChecksumIsNotServed(t *testing.T) {
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
		for range 2 { // nor is it kept
			if a := g.Do("GET", "/gems/demo-1.0.gem", nil); a.Status != 502 && a.Status != 503 {
				t.Errorf("%s: %v, want a 502 or 503", what, a)
			}
		}
	}
	o.set(nil)
	a := g.want(g.Do("GET", "/gems/demo-2.0.gem", nil), 200, "")
	wiretest.Equal(t, "the gem", a.Body, o.Do("GET", "/gems/demo-2.0.gem", nil).Body)
}

// Clients make names of files of what an upstream calls gems and versions, and print it on terminals.
func TestHarmfulLinesAreLeftOut(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0", "2.0")
	info := []string{
		"../../x 1.0 |checksum:00", "9.0/../x |checksum:00", `9.1\x |checksum:00`, "9.2\x1b[31m |checksum:00",
		"9.3 dep/../x:>= 0|checksum:00", "9.4\u009b |checksum:00", "9.5\x00 |checksum:00",
	}
	list := []string{"../../etc 1.0 00", "x\x1b[31m 1.0 00", "a/b 1.0 00", `c\d 1.0 00`, "demo ../9.9 00"}
	o.set(func(path, body string) string {
		switch path {
		case "/info/demo":
			return body + strings.Join(info, "\n") + "\n"
		case "/versions":
			return body + strings.Join(list, "\n") + "\n"
		}
		return body
	})
	g := o.cache(t)
	var ids []string
	for _, line := range lines(g.get("/info/demo")) {
		id, _, _ := strings.Cut(line, " ")
		ids = append(ids, id)
	}
	wiretest.EqualList(t, "/info/demo", ids, "1.0", "2.0")
	wiretest.Equal(t, "lines of /versions", len(lines(g.get("/versions"))), 2)
	wiretest.EqualList(t, "/names", lines(g.get("/names")), "demo")
	got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil))
	wiretest.EqualList(t, "the index", got, "demo 2.0 ruby", "demo 1.0 ruby")
	if want := "an upstream's versions are left out"; !strings.Contains(g.Log.String(), want) {
		t.Errorf("the log does not say that %s", want)
	}
}

// Indexes are made of the compact index of the upstream, and a specification is passed on as the bytes it is.
func TestNoMarshalOfAnUpstreamIsRead(t *testing.T) {
	const evil = "\x04\bo:\x0bObject\x00"
	o := newRemote(t)
	o.publish("demo", "1.0")
	o.set(func(path, body string) string {
		if strings.HasPrefix(path, "/quick/") {
			return evil
		}
		return body
	})
	g := o.cache(t)
	for _, index := range []string{"specs", "latest_specs", "prerelease_specs"} {
		readTuples(t, g.Do("GET", "/"+index+".4.8.gz", nil))
	}
	a := g.want(g.Do("GET", "/quick/Marshal.4.8/demo-1.0.gemspec.rz", nil), 200, "")
	wiretest.Equal(t, "the specification", a.Body, evil)
	if o.was("specs.4.8") {
		t.Errorf("an index of the upstream was asked for: %q", o.asked)
	}
}

// TestUpstreamWithoutCompactIndex: a static tree of gem generate_index has Ruby's own indexes and no other.
func TestUpstreamWithoutCompactIndex(t *testing.T) {
	o := newRemote(t)
	d := newRelease("demo", "1.1.pre")
	d.deps = append(d.deps, "dep >= 2")
	o.want(o.push("ada", d), 200, "")
	o.publish("demo", "1.0", "1.0-java")
	o.publish("lost", "1.0", "1.1")
	static := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, root)
		indexed := strings.HasSuffix(path, "specs.4.8.gz") || strings.HasSuffix(path, suffixGem)
		if !indexed && !strings.HasPrefix(path, "/quick/") || strings.Contains(path, "lost-1.1") {
			http.NotFound(w, r)
			return
		}
		o.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(static.Close)
	o.url = static.URL + root
	g := o.cache(t)
	if list := g.get("/versions").Body; !strings.Contains(list, "\ndemo 1.0,1.0-java,1.1.pre ") {
		t.Errorf("the list is %q, want all versions of demo", list)
	}
	wiretest.Equal(t, "/info/demo", g.get("/info/demo").Body,
		"---\n1.0 |\n1.0-java |\n1.1.pre dep:>= 2|\n")
	wiretest.Equal(t, "a version without specification is left out", g.get("/info/lost").Body, "---\n1.0 |\n")
	for _, path := range []string{"/gems/demo-1.0-java.gem", "/quick/Marshal.4.8/demo-1.0.gemspec.rz"} {
		wiretest.Equal(t, path, g.want(g.Do("GET", path, nil), 200, "").Body, o.want(o.Do("GET", path, nil), 200, "").Body)
	}
	g.want(g.Do("GET", "/specs.4.8.gz", nil), 200, "")
	g.wantAll(404, "", "/info/absent", "/gems/demo-9.0.gem")
}

// TestGemThatWasShownStays: a lock file names a version that the upstream's /info has no more.
func TestGemThatWasShownStays(t *testing.T) {
	for _, at := range []string{"/gems/demo-1.0-java.gem", "/quick/Marshal.4.8/demo-1.0-java.gemspec.rz"} {
		o := newRemote(t)
		o.publish("demo", "1.0-java", "2.0")
		body := o.want(o.Do("GET", at, nil), 200, "").Body
		var old, gone atomic.Bool
		old.Store(true)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			info := strings.HasSuffix(r.URL.Path, "/info/demo")
			switch {
			case info && gone.Load():
				http.NotFound(w, r)
			case info && !old.Load():
				_, _ = w.Write([]byte("---\n2.0 |\n"))
			default:
				o.Handler.ServeHTTP(w, r)
			}
		}))
		t.Cleanup(srv.Close)
		wiretest.Forgotten{
			Kind: store.RubyGems, Document: "/info/demo", File: at, Body: body,
			Open: func() *wiretest.Rig {
				return newRig(t, func(r *rigOptions) {
					r.Upstreams = &upstream.Options{
						Upstreams: []upstream.Config{{Kind: store.RubyGems, Name: "main", URL: srv.URL + root, Fresh: -1}},
					}
				}).Rig
			},
			Drop: func() { old.Store(false) }, Gone: func() { gone.Store(true) },
		}.Run(t)
	}
}
