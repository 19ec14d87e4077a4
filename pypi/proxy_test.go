package pypi

// Copies of other indexes: what is shown and served, and what an upstream cannot do.

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/pypi/simple"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// newCache opens an index that keeps copies of others.
func newCache(t *testing.T, origins []string, change ...func(*upstream.Options)) *rig {
	t.Helper()
	var o upstream.Options
	for i, base := range origins {
		up := upstream.Config{Kind: store.PyPI, Name: fmt.Sprintf("up%d", i), URL: base + "/simple"}
		o.Upstreams = append(o.Upstreams, up)
	}
	for _, f := range change {
		f(&o)
	}
	return newRig(t, func(r *rigOptions) { r.Upstreams = &o })
}

// index is an upstream whose answers a test writes, path by path; what it does not know is absent.
type index struct {
	*httptest.Server
	asked atomic.Int64

	mu      sync.Mutex // guards answers
	answers map[string]http.HandlerFunc
}

func newIndex(t *testing.T) *index {
	i := &index{answers: map[string]http.HandlerFunc{}}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		h := i.answers[r.URL.Path]
		i.mu.Unlock()
		if h == nil {
			h = http.NotFound
		}
		h(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *index) at(path string, h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answers[path] = h
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
}

func fails(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// lists answers with a page of one file.
func lists(file, at, sha string, more ...string) http.HandlerFunc {
	const page = `{"meta":{"api-version":"1.1"},"name":"x","files":[{"filename":%q,"url":%q,"hashes":{"sha256":%q}%s}]}`
	return says(fmt.Sprintf(page, file, at, sha, strings.Join(more, "")))
}

func sumOf(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// TestCopiesHaveTheMetadataThatPagesPromise: whatever a copied page advertises is there too, cold, warm and with the
// origin gone, escaped as clients escape it, with the hash that was advertised.
func TestCopiesHaveTheMetadataThatPagesPromise(t *testing.T) {
	origin := newRig(t)
	origin.publish(
		demoWheel, "demo_pkg-1.1+local.2-py3-none-any.whl", "demo_pkg-1!2.0-py3-none-any.whl", "demo_pkg-1.0.tar.gz",
	)
	g := newCache(t, []string{origin.Base})
	for _, state := range []string{"cold", "warm", "alone"} {
		if state == "alone" {
			origin.Srv.Close()
		}
		all := entries(g.project("demo-pkg"))
		if len(all) != 4 {
			t.Fatalf("%s: %v", state, all)
		}
		for name, e := range all {
			at := g.url("demo-pkg", name)
			if strings.Contains(at, origin.Base) {
				t.Errorf("%s: %s leads past the copy", state, at)
			}
			for _, u := range []string{at, strings.NewReplacer("+", "%2B", "!", "%21").Replace(at)} {
				what := state + " " + u
				a := g.Do("GET", u, nil).WantStatus(t, 200)
				wiretest.Equal(t, what+": sum", any(sumOf([]byte(a.Body))), wiretest.At(e, "hashes", "sha256"))
				want, isWheel := wiretest.At(e, "core-metadata", "sha256").(string)
				wiretest.Equal(t, what+": metadata is promised", isWheel, strings.HasSuffix(name, ".whl"))
				side := g.Do("GET", u+".metadata", nil)
				switch {
				case isWheel:
					side.WantStatus(t, 200)
					wiretest.Equal(t, what+": sum of metadata", sumOf([]byte(side.Body)), want)
				case state != "alone":
					side.WantStatus(t, 404)
				}
			}
		}
	}
}

// TestHostedNamesHideThoseOfUpstreams: what is here under one spelling hides what an upstream has under another, in the
// page, by the file's own address and in the JSON API, and so it stays while the upstream is in trouble.
func TestHostedNamesHideThoseOfUpstreams(t *testing.T) {
	origin := newRig(t)
	origin.publish("foo.bar-99.0-py3-none-any.whl", "foo.bar-1.0-py3-none-any.whl")
	theirs := strings.TrimPrefix(origin.url("foo-bar", "foo.bar-99.0-py3-none-any.whl"), origin.Srv.URL)
	trouble := newIndex(t)
	trouble.at("/simple/foo-bar/", fails(http.StatusServiceUnavailable))
	for name, origins := range map[string][]string{"well": {origin.Base}, "in trouble": {trouble.URL, origin.Base}} {
		t.Run(name, func(t *testing.T) {
			g := newCache(t, origins, func(o *upstream.Options) { o.Claims = []string{"pypi:foo-bar"} })
			g.publish("Foo_Bar-1.0-py3-none-any.whl")
			wiretest.EqualJSON(t, "files", order(g.project("foo-bar")), []string{"Foo_Bar-1.0-py3-none-any.whl"})
			for _, at := range []string{theirs, theirs + ".metadata", "/pypi/foo-bar/99.0/json", "/pypi/foo.bar/99.0/json"} {
				if a := g.Do("GET", at, nil); a.Status != 404 && a.Status != 301 {
					t.Errorf("%s: %v", at, a)
				}
			}
			g.Want(g.Do("GET", "/pypi/foo-bar/json", nil), 200, "").WantNot(t, "99.0")
		})
	}
	if n := trouble.asked.Load(); n != 0 {
		t.Errorf("it was asked %d times for a name that is not its", n)
	}
}

// TestReleasesAreNeverMerged: a release's files are all from one place; an upstream's wheel, even one that suits more
// machines, never joins ours. Nor can a name be taken that an upstream has, unless an administrator claims it.
func TestReleasesAreNeverMerged(t *testing.T) {
	origin := newRig(t)
	g := newCache(t, []string{origin.Base})
	g.publish("mine-1.0-cp311-cp311-linux_x86_64.whl")
	origin.publish("mine-1.0-py3-none-any.whl", "theirs-1.0-py3-none-any.whl")
	wiretest.EqualJSON(t, "files of mine", order(g.project("mine")), []string{"mine-1.0-cp311-cp311-linux_x86_64.whl"})
	g.Want(g.put("ada", newUpload("Theirs-2.0-py3-none-any.whl")), 409, "claim")
	wiretest.EqualJSON(t, "files of theirs", order(g.project("theirs")), []string{"theirs-1.0-py3-none-any.whl"})
}

// TestReservedNamesAreNotAskedOfUpstreams: names that are reserved are asked of nobody, in whatever spelling, though
// there is no file yet; and an upstream in trouble does not lead to the next.
func TestReservedNamesAreNotAskedOfUpstreams(t *testing.T) {
	evil := newRig(t)
	evil.publish("acme-9.0.tar.gz", "acme_tools-9.0.tar.gz", "acmefoo-9.0.tar.gz", "demo_pkg-9.0.tar.gz")
	g := newCache(t, []string{evil.Base}, func(o *upstream.Options) { o.Claims = []string{"pypi:acme", "pypi:acme-*"} })
	for _, name := range []string{"acme", "acme-tools"} {
		g.Want(g.Do("GET", "/simple/"+name+"/", nil), 404, "")
		file := strings.ReplaceAll(name, "-", "_") + "-9.0.tar.gz"
		g.Want(g.Do("GET", strings.TrimPrefix(evil.url(name, file), evil.Srv.URL), nil), 404, "")
	}
	for _, name := range []string{"Acme.Tools", "acme__tools", "ACME"} {
		if a := g.Do("GET", "/simple/"+name+"/", nil); a.Status != 404 && a.Status != 301 {
			t.Errorf("%s: %v", name, a)
		}
	}
	g.Want(g.Do("GET", "/simple/acmefoo/", nil), 200, "acmefoo-9.0.tar.gz")

	trouble := newIndex(t)
	for status, want := range map[int]int{500: 503, 503: 503, 403: 403, 401: 403} {
		trouble.at("/simple/demo-pkg/", fails(status))
		g := newCache(t, []string{trouble.URL, evil.Base})
		a := g.Do("GET", "/simple/demo-pkg/", nil).WantNot(t, "9.0")
		if a.Status != want {
			t.Errorf("the upstream's %d became %v, want %d", status, a, want)
		}
	}
}

// TestLinksAreFollowedOnlyWhereAllowed: a page's links lead nowhere but to where its operator lets them: no other
// scheme, no address that is not public, not even after a redirect.
func TestLinksAreFollowedOnlyWhereAllowed(t *testing.T) {
	secret := newIndex(t)
	const file = "demo_pkg-1.0.tar.gz"
	content := newUpload(file).bytes()
	secret.at("/"+file, says(string(content)))
	inside := strings.Replace(secret.URL, "127.0.0.1", "localhost", 1) + "/" + file
	up := newIndex(t)
	up.at("/hop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside, http.StatusFound) })
	for _, link := range []string{
		inside, "../../hop", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://169.254.169.254/" + file,
		"http://10.0.0.1/" + file, "http://[::1]:1/" + file, "//localhost/x",
	} {
		up.at("/simple/demo-pkg/", lists(file, link, sumOf(content)))
		g := newCache(t, []string{up.URL})
		start := time.Now()
		a := g.Do("GET", "/pypi/files/"+sumOf(content)+"/"+file, nil)
		if a.Status < 400 {
			t.Errorf("%s was followed: %v", link, a)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v to be refused", link, took)
		}
	}
	if n := secret.asked.Load(); n != 0 {
		t.Errorf("what is inside was asked %d times", n)
	}
	// The same link is followed when the operator has named the host.
	up.at("/simple/demo-pkg/", lists(file, inside, sumOf(content)))
	g := newCache(t, []string{up.URL}, func(o *upstream.Options) {
		o.Upstreams[0].Hosts, o.Upstreams[0].Private = []string{"localhost"}, true
	})
	g.Want(g.Do("GET", "/pypi/files/"+sumOf(content)+"/"+file, nil), 200, string(content))
}

// TestBytesOfAnotherHashAreNotKept: bytes that are not those of the page's hash reach no client whole and are not kept;
// a file's name that later has another hash does not change what it means here.
func TestBytesOfAnotherHashAreNotKept(t *testing.T) {
	const file = "demo_pkg-1.0.tar.gz"
	good := newUpload(file).bytes()
	evil := newUpload(file, func(u *upload) { u.files["demo_pkg-1.0/evil.py"] = "x" }).bytes()
	up := newIndex(t)
	up.at("/simple/demo-pkg/", lists(file, "../../f/"+file, sumOf(good)))
	up.at("/f/"+file, says(string(evil)))
	clock := storetest.NewClock()
	g := newCache(t, []string{up.URL}, func(o *upstream.Options) { o.Upstreams[0].Fresh, o.Now = -1, clock.Now })
	at := "/pypi/files/" + sumOf(good) + "/" + file
	resp, err := g.Srv.Client().Get(g.Srv.URL + at)
	if err == nil {
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode == 200 || string(body) == string(evil) {
			t.Errorf("%v %v", resp, err)
		}
	}
	up.at("/f/"+file, says(string(good)))
	clock.Advance(time.Hour) // whatever was noted about the failure is over
	g.Want(g.Do("GET", at, nil), 200, string(good))
	up.at("/simple/demo-pkg/", lists(file, "../../f/"+file, sumOf(evil)))
	up.at("/f/"+file, says(string(evil)))
	g.Want(g.Do("GET", "/simple/demo-pkg/", nil), 200, "")
	g.Want(g.Do("GET", at, nil), 200, string(good))
	if a := g.Do("GET", "/pypi/files/"+sumOf(evil)+"/"+file, nil); a.Status < 400 {
		t.Error(a)
	}
}

// TestOnlyBytesOfUpstreamsAreRelayed (CVE-2019-20916): of what an upstream answers with a file, only the bytes reach a
// client; of a page, only what it says of files, and nothing of it is markup.
func TestOnlyBytesOfUpstreamsAreRelayed(t *testing.T) {
	const file, evil = "demo_pkg-1.0.tar.gz", `"><script>alert(1)</script>`
	content := newUpload(file).bytes()
	up := newIndex(t)
	bad := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for _, name := range []string{"Set-Cookie", "X-Evil", "Refresh", "Link", "Content-Disposition"} {
				w.Header().Set(name, `attachment; filename="../../evil"`)
			}
			w.Header().Set("Content-Type", "text/html")
			h(w, r)
		}
	}
	page := lists(file, "../../f/"+file, sumOf(content), fmt.Sprintf(`,"requires-python":%q,"yanked":%q`, evil, evil))
	up.at("/simple/demo-pkg/", bad(page))
	up.at("/f/"+file, bad(says(string(content))))
	g := newCache(t, []string{up.URL})
	for path, typ := range map[string]string{
		"/simple/demo-pkg/": simple.HTML, "/pypi/files/" + sumOf(content) + "/" + file: "application/octet-stream",
	} {
		a := g.Want(g.Do("GET", path, nil), 200, "")
		for _, name := range []string{"Set-Cookie", "X-Evil", "Refresh", "Link", "Content-Disposition"} {
			a.WantHeader(t, name, "")
		}
		a.WantHeader(t, "Content-Type", typ).WantHeader(t, "X-Content-Type-Options", "nosniff").WantNot(t, "<script")
	}
	wiretest.WantMembers(t, "the file", entries(g.project("demo-pkg"))[file], fields{
		"yanked": evil, "requires-python": evil,
	})
	// Nor is what stands where a hash should.
	up.at("/simple/hostile/", lists(file, "../../f/"+file, evil+strings.Repeat("a", 64-len(evil))))
	g.Want(g.Do("GET", "/simple/hostile/", nil), 200, "").WantNot(t, "<script", file)
	// A proxy's own page in place of the index's is no page.
	up.at("/simple/other/", says("<html><title>Please sign in</title></html>"))
	if a := g.Do("GET", "/simple/other/", nil).WantNot(t, "sign in"); a.Status < 500 {
		t.Errorf("a page of a proxy became %v, want an error", a)
	}
}

// TestYoungFilesAreRefusedByTheirAddressToo: what is too young is not in the page, and a lockfile's address of it is
// refused too, of the file and of its metadata.
func TestYoungFilesAreRefusedByTheirAddressToo(t *testing.T) {
	const file = "demo_pkg-1.0-py3-none-any.whl"
	u := newUpload(file)
	now := time.Now().UTC()
	up := newIndex(t)
	up.at("/f/"+file, says(string(u.bytes())))
	up.at("/f/"+file+".metadata", says(u.metadata()))
	core := fmt.Sprintf(`,"core-metadata":{"sha256":%q}`, sumOf([]byte(u.metadata())))
	for _, c := range []struct {
		age    time.Duration
		status int
	}{{time.Hour, 403}, {72 * time.Hour, 200}} {
		uploaded := `,"upload-time":"` + now.Add(-c.age).Format(simple.TimeForm) + `"`
		up.at("/simple/demo-pkg/", lists(file, "../../f/"+file, sumOf(u.bytes()), core, uploaded))
		g := newCache(t, []string{up.URL}, func(o *upstream.Options) {
			o.MinAge, o.Upstreams[0].Trusted = 48*time.Hour, true
		})
		if got := len(order(g.project("demo-pkg"))); (got == 1) != (c.status == 200) {
			t.Errorf("%v: %d files", c.age, got)
		}
		at := "/pypi/files/" + sumOf(u.bytes()) + "/" + file
		for _, path := range []string{at, at + ".metadata"} {
			if a := g.Do("GET", path, nil); a.Status != c.status {
				t.Errorf("%v %s: %v", c.age, path, a)
			}
		}
	}
}

// TestWrongHashHidesNothing: who asks for a file by a hash that nobody has makes us remember that, and nothing about
// the file of the same name.
func TestWrongHashHidesNothing(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo-1.0.0-py3-none-any.whl")
	g := newCache(t, []string{origin.Srv.URL})
	path := strings.TrimPrefix(origin.url("demo", "demo-1.0.0-py3-none-any.whl"), origin.Srv.URL)
	want := origin.Do("GET", path, nil)
	sha := strings.Split(path, "/")[3]
	for _, method := range []string{"GET", "HEAD"} {
		if a := g.Do(method, strings.Replace(path, sha, strings.Repeat("0", 64), 1), nil); a.Status != 404 {
			t.Errorf("%s by a hash that nobody has: %v", method, a)
		}
	}
	want.WantStatus(t, 200)
	a := g.Do("GET", path, nil).WantStatus(t, 200)
	wiretest.Equal(t, "the file", a.Body, want.Body)
}

// TestFileThatWasShownStays: a lock file names a release that the upstream's page has no more.
func TestFileThatWasShownStays(t *testing.T) {
	const file, next = "demo_pkg-1.0-py3-none-any.whl", "demo_pkg-2.0-py3-none-any.whl"
	body := string(newUpload(file).bytes())
	for at, link := range map[string]string{
		"/pypi/files/" + sumOf([]byte(body)) + "/" + file:               "#sha256=" + sumOf([]byte(body)),
		"/pypi/packages/demo-pkg/" + file:                               "",
		"/pypi/files/" + sumOf([]byte(body)) + "/" + file + ".metadata": "#sha256=" + sumOf([]byte(body)),
	} {
		up := newIndex(t)
		page := `<html><a href="../../f/` + next + `">` + next + `</a>`
		old := `<a data-core-metadata="true" href="../../f/` + file + link + `">` + file + `</a>`
		up.at("/simple/demo-pkg/", says(page+old))
		up.at("/f/"+file, says(body))
		up.at("/f/"+file+".metadata", says(body))
		wiretest.Forgotten{
			Kind: store.PyPI, Document: "/simple/demo-pkg/", File: at, Body: body,
			Open: func() *wiretest.Rig {
				return newCache(t, []string{up.URL}, func(o *upstream.Options) { o.Upstreams[0].Fresh = -1 }).Rig
			},
			Drop: func() { up.at("/simple/demo-pkg/", says(page)) },
			Gone: func() { up.at("/simple/demo-pkg/", fails(404)) },
		}.Run(t)
	}
}
