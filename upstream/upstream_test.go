package upstream

// This file asks for documents and files, with upstreams that work and that do not.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

func TestOldDocumentIsAskedForBeforeItIsAnswered(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	version := "one"
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+version+`"`)
		if r.Header.Get("If-None-Match") == `"`+version+`"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write([]byte(version))
	})
	ask := func(body, cache string, asked int64) {
		t.Helper()
		before := g.origin.asked.Load()
		d, got, err := g.doc("demo")
		if err != nil || got != body || d.Cache != cache {
			t.Fatalf("%v, %q %+v, want %q %s", err, got, d, body, cache)
		}
		if n := g.origin.asked.Load() - before; n != asked && asked >= 0 {
			t.Fatalf("asked %d times, want %d", n, asked)
		}
	}
	ask("one", "MISS", 1)
	ask("one", "HIT", 0)
	version = "two"
	g.clock.Advance(2 * time.Minute)
	ask("two", "MISS", 1)
	ask("two", "HIT", 0)
	g.clock.Advance(48 * time.Hour)
	ask("two", "HIT", 1) // confirmed by a 304
	g.clock.Advance(48 * time.Hour)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	ask("two", "STALE", -1)
	g.reg.SetOffline(true)
	ask("two", "HIT", 0)
}

func TestTroubleIsNeverNotFound(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) },
		"truncated": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.Write([]byte("x"))
		},
		"reset": func(w http.ResponseWriter, r *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.origin.answer(h)
			_, _, err := g.doc("demo")
			var u *Unavailable
			if !errors.As(err, &u) || errors.Is(err, store.ErrNotFound) || u.After < time.Second {
				t.Fatalf("%v", err)
			}
		})
	}
}

func TestAbsentDocumentIsRememberedForAMinute(t *testing.T) {
	g := newRig(t)
	for range 3 {
		if _, _, err := g.doc("demo"); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if n := g.origin.asked.Load(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	g.clock.Advance(2 * time.Minute)
	if _, _, err := g.doc("demo"); !errors.Is(err, store.ErrNotFound) || g.origin.asked.Load() != 2 {
		t.Fatal(err, g.origin.asked.Load())
	}
}

func TestOneFailedRequestIsNotNoticed(t *testing.T) {
	g := newRig(t)
	var once sync.Once
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		bad := false
		once.Do(func() { bad = true })
		if bad {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Write([]byte("fine"))
	})
	if _, got, err := g.doc("demo"); err != nil || got != "fine" {
		t.Fatal(got, err)
	}
}

func TestClaimedNamesAreNeverAsked(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Claims = []string{"npm:@acme/*"} })
	if _, _, err := g.doc("@acme/secret"); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := g.set.File(context.Background(), FileQuery{Package: "@acme/secret", Key: "x"}); !errors.Is(err,
		store.ErrNotFound) {
		t.Fatal(err)
	}
	if n := g.origin.asked.Load(); n != 0 {
		t.Fatalf("asked %d times", n)
	}
}

func TestFileIsFetchedOnceForAll(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	body := noise(3 << 20)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		for part := range slices.Chunk(body, 64<<10) {
			w.Write(part)
			w.(http.Flusher).Flush()
			time.Sleep(2 * time.Millisecond)
		}
	})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			f, err := g.file("big", body)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := g.read(f); err != nil || !bytes.Equal(got, body) {
				t.Error(len(got), err)
			}
		})
	}
	wg.Wait()
	if n := g.origin.asked.Load(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	f, err := g.file("big", body)
	if err != nil || f.Cache != "HIT" {
		t.Fatal(f, err)
	}
}

func TestFileWithAWrongByteIsNeverCompleted(t *testing.T) {
	g := newRig(t)
	body := noise(1 << 20)
	wrong := bytes.Clone(body)
	wrong[7] ^= 1
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) { w.Write(wrong) })
	for range 2 {
		f, err := g.file("big", body)
		if err == nil {
			var got []byte
			if got, err = g.read(f); err == nil || len(got) >= len(body) {
				t.Fatalf("a complete wrong body: %d bytes, %v", len(got), err)
			}
		}
		if !errors.Is(err, ErrBroken) {
			t.Fatal(err)
		}
	}
	if k, err := g.set.Kept(context.Background(), "demo", "big"); k != nil || err != nil {
		t.Fatal(k, err)
	}
}

func TestBrokenDownloadIsResumed(t *testing.T) {
	g := newRig(t)
	body := noise(1 << 20)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
			n, _ := strconv.Atoi(strings.TrimSuffix(from, "-"))
			w.Header().Set("Content-Range", "bytes "+strconv.Itoa(n)+"-"+strconv.Itoa(len(body)-1)+"/"+strconv.Itoa(len(body)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(body[n:])
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body[:len(body)/2])
	})
	f, err := g.file("big", body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.read(f); err != nil || !bytes.Equal(got, body) {
		t.Fatal(len(got), err)
	}
}

func TestHostThatFailsIsLeftAlone(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	for i := range minFailures {
		g.doc("demo" + strconv.Itoa(i))
	}
	g.settled(g.set.list[0].breaker)
	before := g.origin.asked.Load()
	start := time.Now()
	if _, _, err := g.doc("another"); !errors.Is(err, ErrUnavailable) || g.origin.asked.Load() != before ||
		time.Since(start) > 100*time.Millisecond {
		t.Fatal(err, g.origin.asked.Load()-before, time.Since(start))
	}
	g.clock.Advance(time.Minute)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("back")) })
	if _, got, err := g.doc("another"); err != nil || got != "back" {
		t.Fatal(got, err)
	}
}

func TestCredentialsStayHome(t *testing.T) {
	other := newOrigin(t)
	leaked := ""
	other.answer(func(w http.ResponseWriter, r *http.Request) {
		leaked += r.Header.Get("Authorization") + r.Header.Get("X-Key")
		w.Write([]byte("there"))
	})
	g := newRig(t, func(o *Options) {
		o.Upstreams[0].HeaderName, o.Upstreams[0].HeaderValue = "X-Key", "secret"
		o.Upstreams[0].Hosts = []string{strings.TrimPrefix(other.URL, "http://")}
	})
	home := ""
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		home = r.Header.Get("X-Key")
		http.Redirect(w, r, other.URL+"/x", http.StatusFound)
	})
	if _, got, err := g.doc("demo"); err != nil || got != "there" || home != "secret" || leaked != "" {
		t.Fatal(got, err, home, leaked)
	}
}

func TestAddressesOfNobodysBusinessAreNotAsked(t *testing.T) {
	g := newRig(t)
	for _, ref := range []string{"http://169.254.169.254/latest", "http://localhost:1/x", "http://127.0.0.1:22/",
		"http://[::1]:80/", "http://0.0.0.0/", "file:///etc/passwd", "gopher://x/"} {
		if _, err := g.set.list[0].do(context.Background(), request{ref: ref}); !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// slowDisk holds every change while it is shut.
type slowDisk struct{ gate sync.RWMutex }

func (d *slowDisk) Before(string, string) error {
	d.gate.RLock()
	defer d.gate.RUnlock()
	return nil
}

func (d *slowDisk) After(string, string) error { return nil }

// TestNewDocumentIsAnsweredBeforeItIsOnDisk: a document that is new is answered while the disk is busy, and nobody
// asks for it again meanwhile; a newer one that comes before it is stored is the one that stays. One that may be held
// back waits.
func TestNewDocumentIsAnsweredBeforeItIsOnDisk(t *testing.T) {
	t.Parallel()
	disk := &slowDisk{}
	g := newRig(t)
	g.store = storetest.New(t, storetest.WithClock(g.clock), storetest.WithFaults(disk))
	open := func(change ...func(*Options)) {
		o := Options{Upstreams: []Config{{Kind: store.NPM, Name: "main", URL: g.origin.URL}}, Now: g.clock.Now}
		for _, f := range change {
			f(&o)
		}
		reg, err := New(g.store, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		g.reg, g.set = reg, reg.Set(store.NPM, Protocol{})
	}
	open()
	body := atomic.Pointer[string]{}
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, *body.Load()) })
	want := func(text, cache string, asked int64) {
		t.Helper()
		d, err := g.set.Document(context.Background(), Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: time.Minute,
			Early: true})
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.Bytes(context.Background())
		if err != nil || string(b) != text || d.Cache != cache || g.origin.asked.Load() != asked {
			t.Errorf("%q %s after %d questions, %v; want %q %s after %d", b, d.Cache, g.origin.asked.Load(), err, text, cache,
				asked)
		}
	}
	disk.gate.Lock()
	for i, text := range []string{"one", "two", "three"} {
		body.Store(&text)
		want(text, "MISS", int64(i+1))
		want(text, "HIT", int64(i+1))
		g.clock.Advance(2 * time.Minute)
	}
	disk.gate.Unlock()
	g.reg.Close()
	open(func(o *Options) { o.Offline = true })
	want("three", "HIT", 3)
	g.reg.Close()

	open(func(o *Options) { o.MinAge = time.Hour })
	disk.gate.Lock()
	answered := make(chan error, 1)
	go func() {
		_, err := g.set.Document(context.Background(), Query{Package: "other", Key: "doc", Ref: "other", Fresh: time.Minute,
			Early: true})
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("the age gate judges by what is not written: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	disk.gate.Unlock()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	g.reg.Close()
}
