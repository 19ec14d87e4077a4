package upstream

// Documents: how they are asked for, what of an answer is believed, and how long it is answered without asking.

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// always is a query that asks the upstream whatever is kept.
func always(name string) Query {
	return Query{Package: name, Key: "doc", Ref: name, Fresh: -1}
}

// answer is how the rig's set answers q.
func (g *rig) answer(q Query) (*Document, string, error) {
	d, err := g.set.Document(context.Background(), q)
	if err != nil {
		return nil, "", err
	}
	b, err := d.Bytes(context.Background())
	return d, string(b), err
}

// want fails the test unless q is answered with body, in the way cache.
func (g *rig) want(when string, q Query, body, cache string) *Document {
	g.t.Helper()
	d, got, err := g.answer(q)
	if err != nil {
		g.t.Errorf("%s: %v, want %q as %s", when, err, body, cache)
		return nil
	}
	if got != body || d.Cache != cache {
		g.t.Errorf("%s: %.40q as %s, want %q as %s", when, got, d.Cache, body, cache)
	}
	return d
}

func TestDocumentSaysWhatItsUpstreamSaid(t *testing.T) {
	g := newRig(t)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/registry/demo" {
			http.Redirect(w, r, "/registry/there", http.StatusFound)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/vnd.demo+json; charset=utf-8")
		h.Set("ETag", `"one"`)
		h.Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		h.Set("Link", `<page2>; rel="next"`)
		_, _ = io.WriteString(w, "{}") // a client that left fails its own check
	})
	d := g.want("the first time", always("demo"), "{}", "MISS")
	want := Document{
		Upstream: g.set.list[0], Digest: digest.FromString("{}"), Size: 2, URL: g.origin.URL + "/registry/there",
		Type: "application/vnd.demo+json; charset=utf-8", ETag: `"one"`, Modified: "Fri, 02 Jan 2026 03:04:05 GMT",
		Next: `<page2>; rel="next"`, Fetched: g.clock.Now(), Checked: g.clock.Now(), Cache: "MISS",
	}
	if got := *d; got.Upstream != want.Upstream || got.Digest != want.Digest || got.Size != want.Size ||
		got.URL != want.URL ||
		got.Type != want.Type || got.ETag != want.ETag || got.Modified != want.Modified || got.Next != want.Next ||
		!got.Fetched.Equal(want.Fetched) || !got.Checked.Equal(want.Checked) {
		t.Errorf("it says %+v, want %+v", got, want)
	}
}

// TestDocumentOutlivesARestart: after one it is asked for with its validators, and answered without when it is fresh.
func TestDocumentOutlivesARestart(t *testing.T) {
	g := newRig(t)
	var condition atomic.Value
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		condition.Store(r.Header.Get("If-None-Match") + " " + r.Header.Get("If-Modified-Since"))
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "body")
	})
	g.want("the first time", always("demo"), "body", "MISS")
	g.again(Options{Upstreams: []Config{npmAt("main", g.origin.URL+"/registry")}})
	asked := g.origin.asked.Load()
	q := always("demo")
	q.Fresh = time.Minute
	g.want("while it is fresh", q, "body", "HIT")
	if n := g.origin.asked.Load(); n != asked {
		t.Errorf("while it is fresh the upstream was asked %d times", n-asked)
	}
	g.want("later", always("demo"), "body", "HIT")
	if got, want := condition.Load(), `"one" Fri, 02 Jan 2026 03:04:05 GMT`; got != want {
		t.Errorf("it was asked for unless %q, want %q", got, want)
	}
}

func TestDocumentsAreDecoded(t *testing.T) {
	for _, c := range []struct {
		encoding, body string
		want           string // "" is trouble
	}{
		{"", "plain", "plain"},
		{"identity", "plain", "plain"},
		{"gzip", squeezed("squeezed"), "squeezed"},
		{"X-GZIP", squeezed("squeezed"), "squeezed"},
		{"gzip", "labelled by its name", "labelled by its name"},
		{"aws-chunked", "plain", "plain"},
		{"gzip, aws-chunked", squeezed("squeezed"), "squeezed"},
		{"gzip", squeezed("squeezed")[:20], ""},
		{"br", "squeezed otherwise", ""},
	} {
		t.Run(c.encoding, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Accept-Encoding"); got != "gzip" {
					t.Errorf("asked for the encodings %q, want gzip", got)
				}
				w.Header().Set("Content-Encoding", c.encoding)
				_, _ = io.WriteString(w, c.body) // a client that left fails its own check
			})
			if c.want != "" {
				g.want("encoded as "+c.encoding, always("demo"), c.want, "MISS")
			} else if _, got, err := g.answer(always("demo")); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errBody) {
				t.Errorf("%q, %v, want trouble with the body", got, err)
			}
		})
	}
}

// TestIndexThatIsCompressedItself: a server that tells the encoding from a name says gzip of what is to stay so.
func TestIndexThatIsCompressedItself(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	specs := squeezed("specs")
	for _, body := range []string{specs, squeezed(specs)} {
		g.origin.answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "x-gzip")
			_, _ = io.WriteString(w, body) // a client that left fails its own check
		})
		q := always("demo")
		q.Key, q.Ref = fmt.Sprint(len(body)), "specs.4.8.gz"
		g.want("specs.4.8.gz", q, specs, "MISS")
	}
}

func TestDocumentAboveItsLimitIsTrouble(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(answers(strings.Repeat("x", 1001)))
	q := always("demo")
	q.Limit = 1000
	if _, _, err := g.answer(q); !errors.Is(err, ErrUnavailable) ||
		!strings.Contains(err.Error(), "more than 1000 bytes") {
		t.Errorf("one byte above the limit: %v", err)
	}
	q.Limit = 1001
	g.want("at the limit", q, strings.Repeat("x", 1001), "MISS")
}

// TestUnzippedDocumentIsLimitedToo: what is small on the wire may be large.
func TestUnzippedDocumentIsLimitedToo(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 1<<20)) // a client that left fails its own check
		_ = z.Close()
	})
	q := always("demo")
	q.Limit = 64 << 10
	if _, _, err := g.answer(q); !errors.Is(err, ErrUnavailable) ||
		!strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("%v, want that it has more than 65536 bytes", err)
	}
}

func TestBodyThatBreaksOffIsAskedForAgain(t *testing.T) {
	g := newRig(t)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		if g.origin.asked.Load() == 1 {
			_, _ = io.WriteString(w, "wh") // and no more
			return
		}
		_, _ = io.WriteString(w, "whole")
	})
	g.want("the second time it is whole", always("demo"), "whole", "MISS")
	if n := g.origin.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

// TestBodyThatStopsIsNotWaitedFor: its header came, and then nothing.
func TestBodyThatStopsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	stopped := make(chan struct{})
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the beginning")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(stopped)
	})
	ctx := withBudget(context.Background(), 200*time.Millisecond)
	if _, err := g.set.Document(ctx, always("demo")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	<-stopped
}

func TestAbsenceIsRememberedForItsTime(t *testing.T) {
	for _, code := range []int{404, 410, 451} {
		g := newRig(t)
		g.origin.answer(status(code))
		q := Query{Package: "demo", Key: "doc", Ref: "demo", Absent: time.Hour}
		for range 2 {
			if _, _, err := g.answer(q); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a %d: %v, want ErrNotFound", code, err)
			}
		}
		g.clock.Advance(59 * time.Minute)
		if _, _, err := g.answer(q); !errors.Is(err, store.ErrNotFound) || g.origin.asked.Load() != 1 {
			t.Errorf("a %d within its time: %v, asked %d times, want once", code, err, g.origin.asked.Load())
		}
		g.clock.Advance(time.Minute)
		g.origin.says("there now", "")
		g.want("after its time", q, "there now", "MISS")
	}
}

// TestVanishedDocumentIsAnsweredForAWhile: registries lose things for hours; after a week it is believed.
func TestVanishedDocumentIsAnsweredForAWhile(t *testing.T) {
	g := newRig(t)
	g.origin.says("kept", "")
	g.want("at first", always("demo"), "kept", "MISS")
	g.origin.answer(http.NotFound)
	g.clock.Advance(goneFor)
	g.want("a week after it was there", always("demo"), "kept", "STALE")
	g.clock.Advance(time.Minute)
	if _, got, err := g.answer(always("demo")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after more than a week: %q, %v, want ErrNotFound", got, err)
	}
}

func TestFreshnessOfTheOperatorWins(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Upstreams[0].Fresh = time.Hour })
	g.origin.says("one", "")
	q := Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: time.Minute}
	g.want("at first", q, "one", "MISS")
	g.origin.says("two", "")
	g.clock.Advance(59 * time.Minute)
	g.want("within the operator's hour", q, "one", "HIT")
	g.want("a protocol that must know", always("demo"), "two", "MISS")
	g.origin.says("three", "")
	g.clock.Advance(time.Hour)
	g.want("after it", q, "three", "MISS")
}

// TestFailedRefreshIsNotRepeatedAtOnce: what is kept is answered for some seconds without asking.
func TestFailedRefreshIsNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	q := Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: time.Minute}
	g.origin.says("kept", "")
	g.want("at first", q, "kept", "MISS")
	g.origin.answer(status(403))
	g.clock.Advance(2 * time.Minute)
	g.want("stale", q, "kept", "STALE")
	g.reg.work.Wait()
	asked := g.origin.asked.Load()
	g.want("right after the refresh failed", q, "kept", "STALE")
	g.reg.work.Wait()
	if n := g.origin.asked.Load(); n != asked {
		t.Errorf("right after a refresh failed the upstream was asked %d times more", n-asked)
	}
	g.clock.Advance(retrySoon)
	g.origin.says("new", "")
	g.want("some seconds later", q, "new", "MISS")
}

func TestManyAskOnce(t *testing.T) {
	g := newRig(t)
	begun, hold := make(chan struct{}), make(chan struct{})
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-hold
		_, _ = io.WriteString(w, "one answer") // a client that left fails its own check
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			g.want("one of many", Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: time.Hour}, "one answer", "MISS")
		})
	}
	<-begun
	// One who leaves takes the answer from nobody.
	ctx, leave := context.WithCancel(context.Background())
	leave()
	if _, err := g.set.Document(ctx, Query{Package: "demo", Key: "doc", Ref: "demo"}); !errors.Is(err, context.Canceled) {
		t.Errorf("who left is told %v", err)
	}
	close(hold)
	all.Wait()
	if n := g.origin.asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times, want once", n)
	}
}

// TestTagIsConfirmedByItsDigest: registries count each GET of a manifest as a pull.
func TestTagIsConfirmedByItsDigest(t *testing.T) {
	g := newRig(t)
	body := "manifest one"
	var methods []string
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method)
		w.Header().Set("Docker-Content-Digest", digest.FromString(body).String())
		_, _ = io.WriteString(w, body) // a client that left fails its own check
	})
	q := always("demo")
	q.Head = true
	g.want("at first", q, "manifest one", "MISS")
	g.want("as before", q, "manifest one", "HIT")
	body = "manifest two"
	g.want("moved", q, "manifest two", "MISS")
	if got, want := fmt.Sprint(methods), "[GET HEAD HEAD GET]"; got != want {
		t.Errorf("it was asked for with %s, want %s", got, want)
	}
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			return // 200, and nothing said of a digest
		}
		_, _ = io.WriteString(w, "manifest three")
	})
	g.want("a registry that names no digest", q, "manifest three", "MISS")
}

// growing is a list that grows at its end and can be asked for in part.
type growing struct {
	body   string
	digest func(body string) string // of the header Repr-Digest
	ranges []string
}

func (l *growing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	spec := r.Header.Get("Range")
	l.ranges = append(l.ranges, spec)
	w.Header().Set("ETag", strconv.Quote(strconv.Itoa(len(l.body))))
	if l.digest != nil {
		w.Header().Set("Repr-Digest", l.digest(l.body))
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(l.body))
}

func reprDigest(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func TestGrownListIsAskedForItsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, then string
		digest     func(string) string
		ranges     string
	}{
		{"more at its end", "one\ntwo\n", reprDigest, "[ bytes=3-]"},
		{"another list", "ONE\ntwo\n", reprDigest, "[ bytes=3- ]"},
		{"another last byte", "one two\n", reprDigest, "[ bytes=3- ]"},
		{"no digest", "one\ntwo\n", nil, "[ bytes=3- ]"},
		{"the digest of something else", "one\ntwo\n", func(string) string { return reprDigest("x") }, "[ bytes=3- ]"},
		{"a shorter list", "1\n", reprDigest, "[ bytes=3- ]"},
	} {
		g := newRig(t)
		list := &growing{body: "one\n", digest: c.digest}
		g.origin.answer(list.ServeHTTP)
		q := always("list")
		q.Tail = true
		g.want(c.what+": at first", q, "one\n", "MISS")
		list.body = c.then
		g.want(c.what, q, c.then, "MISS")
		if got := fmt.Sprint(list.ranges); got != c.ranges {
			t.Errorf("%s: asked for %s, want %s", c.what, got, c.ranges)
		}
	}
}

func TestEachUpstreamIsAskedInItsOwnWords(t *testing.T) {
	second := newOrigin(t)
	second.says("second's", "")
	g := newRig(t, func(o *Options) { o.Upstreams = append(o.Upstreams, npmAt("second", second.URL)) })
	var paths atomic.Value
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		paths.Store(r.URL.Path)
		http.NotFound(w, r)
	})
	q := always("demo")
	q.For = func(u *Upstream) (ref, scope string) { return "of-" + u.Name(), "" }
	g.want("of the second one", q, "second's", "MISS")
	if got := paths.Load(); got != "/registry/of-main" {
		t.Errorf("the first one was asked for %v, want /registry/of-main", got)
	}
}

func TestDocumentFromOneUpstream(t *testing.T) {
	second := newOrigin(t)
	second.says("second's", "")
	g := newRig(t, func(o *Options) {
		o.Upstreams = append(o.Upstreams, Config{Kind: store.NPM, Name: "second", URL: second.URL,
			Exclude: []string{"inner-*"}})
	})
	g.origin.says("first's", "")
	two := g.set.Upstream("second")
	d, err := g.set.DocumentFrom(t.Context(), two, always("demo"))
	if err != nil || d.Digest != digest.FromString("second's") || d.Upstream != two {
		t.Errorf("%+v, %v, want the second one's although the first has it", d, err)
	}
	asked := second.asked.Load()
	if _, err := g.set.DocumentFrom(t.Context(), two, always("inner-x")); !errors.Is(err, store.ErrNotFound) ||
		second.asked.Load() != asked {
		t.Errorf("a name it is not for: %v, asked %d times, want ErrNotFound and none", err, second.asked.Load()-asked)
	}
}

func TestKnowsWhatIsKept(t *testing.T) {
	g := newRig(t)
	g.origin.says("body", "")
	q := always("demo")
	if g.set.Knows(t.Context(), q) {
		t.Error("it knows what was never asked for")
	}
	g.want("at first", q, "body", "MISS")
	g.clock.Advance(10_000 * time.Hour)
	if !g.set.Knows(t.Context(), q) {
		t.Error("it does not know what is kept, however old")
	}
	q.Key = "other form"
	if g.set.Knows(t.Context(), q) {
		t.Error("another form of the document counts as kept")
	}
}

// TestRenderedKeysChangeWithWhatMayBeShown: what is made of a document may be cached as long as its key is the same.
func TestRenderedKeysChangeWithWhatMayBeShown(t *testing.T) {
	g := newRig(t)
	g.origin.says("one", "")
	one := g.want("at first", always("demo"), "one", "MISS").Rendered("demo", "http://here", "full")
	again := g.want("again", always("demo"), "one", "MISS").Rendered("demo", "http://here", "full")
	if one != again {
		t.Errorf("the same bytes have the keys %+v and %+v", one, again)
	}
	if short := g.want("again", always("demo"), "one", "MISS").Rendered("demo", "http://here", "short"); short == one {
		t.Error("two forms of a document have one key")
	}
	g.origin.says("two", "")
	if two := g.want("changed", always("demo"), "two", "MISS").Rendered("demo", "http://here", "full"); two == one {
		t.Error("other bytes have the same key")
	}
	d := g.want("again", always("demo"), "two", "MISS")
	on := d.Rendered("demo", "http://here", "full")
	g.reg.SetOffline(true)
	if off := d.Rendered("demo", "http://here", "full"); off == on {
		t.Error("offline, where not everything can be shown, has the same key")
	}
}

// TestTrustedUpstreamsDatesCount for the age of versions; of others only when they were first seen.
func TestTrustedUpstreamsDatesCount(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		g := newRig(t, func(o *Options) { o.MinAge, o.Upstreams[0].Trusted = 72*time.Hour, trusted })
		g.origin.says("1.0.0", "")
		q := always("demo")
		q.Versions = func([]byte) map[string]time.Time {
			return map[string]time.Time{"1.0.0": g.clock.Now().Add(-time.Hour), "0.9.0": g.clock.Now().Add(-1000 * time.Hour)}
		}
		g.want("at first", q, "1.0.0", "MISS")
		err := g.set.Allowed(t.Context(), "demo", "1.0.0")
		if held := errors.Is(err, store.ErrDenied); held != trusted {
			t.Errorf("an hour old, there at the first look; its upstream is trusted: %t; held back: %v", trusted, err)
		}
		if err := g.set.Allowed(t.Context(), "demo", "0.9.0"); err != nil {
			t.Errorf("an old version, trusted %t: %v", trusted, err)
		}
	}
}

// TestDocumentIsAnsweredWhenItCannotBeKept: the store takes nothing, and clients are served all the same.
func TestDocumentIsAnsweredWhenItCannotBeKept(t *testing.T) {
	g := newRig(t)
	g.origin.says("body", "")
	g.store.SetReadOnly("a test")
	g.want("the store takes nothing", always("demo"), "body", "MISS")
	if g.set.Knows(t.Context(), always("demo")) {
		t.Error("it counts as kept")
	}
}

// TestWhatADocumentLacksIsAbsentOnlyIfItIsCurrent: otherwise whoever looks for it reads why that is not known.
func TestWhatADocumentLacksIsAbsentOnlyIfItIsCurrent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		when   string
		change func(g *rig)
		want   error
	}{
		{"current", func(*rig) {}, nil},
		{"gone", func(g *rig) { g.origin.answer(http.NotFound) }, nil},
		{"in trouble", func(g *rig) { g.origin.answer(status(500)) }, ErrUnavailable},
		{"refused", func(g *rig) { g.origin.answer(status(403)) }, ErrRefused},
		{"switched off", func(g *rig) { g.set.list[0].SetOffline(true) }, ErrOffline},
	} {
		g := newRig(t)
		g.origin.answer(answers("one"))
		if _, _, err := g.doc("demo"); err != nil {
			t.Fatal(err)
		}
		c.change(g)
		looked := 0
		found, err := g.set.Find(t.Context(), Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: time.Minute},
			func(*Document, []byte, bool) (bool, error) {
				looked++
				return false, nil
			})
		if found || looked != 2 || !errors.Is(err, c.want) {
			t.Errorf("%s: looked %d times, found %t, %v, want %v after two looks", c.when, looked, found, err, c.want)
		}
	}
}

// TestTroubleWithAnotherDocumentIsAskedAboutOnce: one that says where the document is has been asked for three times
// already, and asking for both again and again would take as long as an answer may.
func TestTroubleWithAnotherDocumentIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(func(http.ResponseWriter, *http.Request) {}) // an empty page
	q := always("demo")
	q.Locate = func(ctx context.Context, u *Upstream) (Location, error) {
		_, err := g.set.DocumentFrom(ctx, u, Query{Key: "root", Ref: "root", Check: func([]byte, string) error {
			return errors.New("not the root")
		}})
		return Location{Ref: "demo"}, err
	}
	if _, got, err := g.answer(q); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%q, %v, want trouble", got, err)
	}
	if n := g.origin.asked.Load(); n != maxTries {
		t.Errorf("the upstream was asked %d times, want %d", n, maxTries)
	}
}
