package upstream

// Files: how they are found, followed while they come, checked and kept.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// at is a query for the file called key at the rig's first upstream, with what change says of the place.
func (g *rig) at(key string, change ...func(*Place)) FileQuery {
	return FileQuery{Package: "demo", Version: "1.0.0", Key: key, Find: func(context.Context) (Place, error) {
		p := Place{Upstream: g.set.list[0], Ref: "files/" + key}
		for _, f := range change {
			f(&p)
		}
		return p, nil
	}}
}

// fetch is what q is answered with, whole.
func (g *rig) fetch(q FileQuery) (*File, string, error) {
	f, err := g.set.File(context.Background(), q)
	if err != nil {
		return nil, "", err
	}
	b, err := g.read(f)
	return f, string(b), err
}

func TestHeadOfAFileFetchesNothing(t *testing.T) {
	g := newRig(t)
	var methods atomic.Value
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		methods.Store(r.Method + " " + r.Header.Get("Accept") + " " + r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Length", "12345")
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
	})
	sum := sha([]byte("file"))
	q := g.at("f", func(p *Place) {
		p.Accept, p.Sums = "application/zip", map[string]string{"sha256": strings.ToUpper(sum)}
	})
	q.Head = true
	f, err := g.set.File(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if f.Size != 12345 || f.Type != "application/zip" || f.Cache != "MISS" || f.Digest.Encoded() != sum || f.Follows() ||
		!f.Modified.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("it is %+v, want what the header said and the sum that was announced", f)
	}
	if got, want := methods.Load(), "HEAD application/zip identity"; got != want {
		t.Errorf("the upstream was asked with %q, want %q", got, want)
	}
	if here, err := g.set.Here(t.Context(), "demo", "f"); here || err != nil {
		t.Errorf("the file is here: %t, %v", here, err)
	}
}

func TestHeadOfAFileOnItsWayWaitsForIt(t *testing.T) {
	g := newRig(t)
	body := noise(wholeBelow + 1)
	hold, begun := make(chan struct{}), make(chan struct{})
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		close(begun)
		<-hold
		_, _ = w.Write(body) // a client that left fails its own check
	})
	first, err := g.set.File(t.Context(), g.at("f"))
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	q := g.at("f")
	q.Head = true
	f, err := g.set.File(t.Context(), q)
	if err != nil || f.Size != int64(len(body)) {
		t.Errorf("%+v, %v, want the size of the file on its way", f, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	close(hold)
	if got, err := g.read(first); err != nil || !bytes.Equal(got, body) {
		t.Errorf("who began it got %d bytes, %v", len(got), err)
	}
	if n := g.origin.asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times, want once", n)
	}
}

func TestAbsentFileIsRememberedForItsTime(t *testing.T) {
	g := newRig(t)
	for _, head := range []bool{false, true} {
		q := g.at("f" + strconv.FormatBool(head))
		q.Absent, q.Head = time.Hour, head
		before := g.origin.asked.Load()
		for range 2 {
			if _, err := g.set.File(t.Context(), q); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("head %t: %v, want ErrNotFound", head, err)
			}
		}
		if n := g.origin.asked.Load() - before; n != 1 {
			t.Errorf("head %t: asked %d times, want once", head, n)
		}
		g.clock.Advance(time.Hour)
		if _, err := g.set.File(t.Context(), q); !errors.Is(err, store.ErrNotFound) || g.origin.asked.Load()-before != 2 {
			t.Errorf("head %t, an hour later: %v, asked %d times in all, want 2", head, err, g.origin.asked.Load()-before)
		}
	}
}

// TestPlacesAreAskedInTurn: only a real absence leads on to the next one.
func TestPlacesAreAskedInTurn(t *testing.T) {
	second := newOrigin(t)
	second.says("", "second's file")
	g := newRig(t, func(o *Options) { o.Upstreams = append(o.Upstreams, npmAt("second", second.URL)) })
	or := func(p *Place) { p.Or = []Place{{Upstream: g.set.list[1], Ref: "files/f"}} }
	for _, head := range []bool{true, false} {
		q := g.at("f", or)
		q.Head = head
		f, err := g.set.File(t.Context(), q)
		if err != nil || f.Size != int64(len("second's file")) {
			t.Errorf("head %t: %+v, %v, want the second place's", head, f, err)
		}
	}
	g.origin.answer(status(500))
	asked := second.asked.Load()
	for _, head := range []bool{true, false} {
		q := g.at("trouble"+strconv.FormatBool(head), or)
		q.Head = head
		if _, err := g.set.File(t.Context(), q); !errors.Is(err, ErrUnavailable) {
			t.Errorf("head %t, trouble with the first place: %v, want ErrUnavailable", head, err)
		}
	}
	if n := second.asked.Load() - asked; n != 0 {
		t.Errorf("in trouble with the first place the second was asked %d times", n)
	}
	second.answer(http.NotFound)
	g.origin.answer(http.NotFound)
	if _, err := g.set.File(t.Context(), g.at("absent", or)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody has it: %v, want ErrNotFound", err)
	}
}

func TestWrongFilesAreRefusedByEverySum(t *testing.T) {
	t.Parallel()
	body := []byte("the file")
	for alg := range sumsOf(body) {
		g := newRig(t)
		g.origin.says("", "another file")
		q := g.at("f", func(p *Place) { p.Sums = map[string]string{alg: sumsOf(body)[alg]} })
		if _, got, err := g.fetch(q); !errors.Is(err, ErrBroken) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %q, %v, want ErrBroken", alg, got, err)
		}
		if n := g.origin.asked.Load(); n != maxTries {
			t.Errorf("%s: asked %d times, want %d: a cache in between may have had a blip", alg, n, maxTries)
		}
		g.origin.says("", string(body))
		f, got, err := g.fetch(q)
		if err != nil || got != string(body) {
			t.Errorf("%s, right afterwards: %q, %v", alg, got, err)
		} else if sum := f.Sums[alg]; alg != "sha256" && sum != sumsOf(body)[alg] {
			t.Errorf("%s: %q is recorded, want the sum", alg, sum)
		}
	}
}

func TestFileOfAnotherSizeIsRefusedBeforeItComes(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.says("", "eight by")
	_, _, err := g.fetch(g.at("f", func(p *Place) { p.Size = 9 }))
	if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "8 bytes instead of 9") {
		t.Errorf("%v, want that it has 8 bytes instead of 9", err)
	}
	if n := g.set.list[0].Counts.Broken.Load(); n == 0 {
		t.Error("it does not count as broken")
	}
	if _, got, err := g.fetch(g.at("f", func(p *Place) { p.Size = 8 })); err != nil || got != "eight by" {
		t.Errorf("of the size announced: %q, %v", got, err)
	}
}

// TestVerifyDecidesWhatIsKept: a protocol's own check sees the header and every sum.
func TestVerifyDecidesWhatIsKept(t *testing.T) {
	g := newRig(t)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Checksum-Md5", sumsOf([]byte("file"))["md5"])
		_, _ = io.WriteString(w, "file") // a client that left fails its own check
	})
	verdict := error(ErrBroken)
	q := g.at("f", func(p *Place) {
		p.Keep = []string{"md5"}
		p.Verify = func(_ context.Context, u *Upstream, head http.Header, sum func(string) string) error {
			if sum("md5") != head.Get("X-Checksum-Md5") || sum("sha256") != sha([]byte("file")) || u != g.set.list[0] {
				t.Errorf("it is shown md5 %s and sha256 %s of %s", sum("md5"), sum("sha256"), u.Name())
			}
			return verdict
		}
	})
	if _, _, err := g.fetch(q); !errors.Is(err, ErrBroken) {
		t.Errorf("refused: %v, want ErrBroken", err)
	}
	verdict = store.ErrDenied
	if _, _, err := g.fetch(q); !errors.Is(err, store.ErrDenied) {
		t.Errorf("refused for a reason of its own: %v", err)
	}
	if here, err := g.set.Here(t.Context(), "demo", "f"); here || err != nil {
		t.Errorf("it is kept: %t, %v", here, err)
	}
	verdict = nil
	f, got, err := g.fetch(q)
	if err != nil || got != "file" || f.Sums["md5"] != sumsOf([]byte("file"))["md5"] {
		t.Errorf("accepted: %q, %+v, %v, want the file with its md5", got, f, err)
	}
}

func TestMadeFileIsKeptAndAsksNobody(t *testing.T) {
	g := newRig(t)
	made := 0
	q := g.at("f", func(p *Place) {
		p.Type = "application/demo"
		p.Make = func(context.Context) ([]byte, error) {
			made++
			return []byte("made here"), nil
		}
	})
	for _, cache := range []string{"MISS", "HIT"} {
		f, got, err := g.fetch(q)
		if err != nil || got != "made here" || f.Cache != cache || f.Type != "application/demo" {
			t.Errorf("%q, %+v, %v, want what was made as %s", got, f, err, cache)
		}
	}
	if made != 1 || g.origin.asked.Load() != 0 {
		t.Errorf("it was made %d times, the upstream asked %d times, want once and never", made, g.origin.asked.Load())
	}
	failed := errors.New("cannot be made")
	q = g.at("other", func(p *Place) { p.Make = func(context.Context) ([]byte, error) { return nil, failed } })
	if _, _, err := g.fetch(q); !errors.Is(err, failed) {
		t.Errorf("%v, want why it cannot be made", err)
	}
}

// TestLocalFileIsMadeOffline: what needs no upstream can be had without one.
func TestLocalFileIsMadeOffline(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Offline = true })
	q := g.at("f", func(p *Place) { p.Make = func(context.Context) ([]byte, error) { return []byte("made here"), nil } })
	if _, _, err := g.fetch(q); !errors.Is(err, ErrOffline) {
		t.Errorf("not known to be local: %v, want ErrOffline", err)
	}
	q.Local = true
	if _, got, err := g.fetch(q); err != nil || got != "made here" {
		t.Errorf("local: %q, %v", got, err)
	}
}

func TestTypeOfAFile(t *testing.T) {
	g := newRig(t)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x-upstream")
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		_, _ = io.WriteString(w, "file") // a client that left fails its own check
	})
	for key, want := range map[string]string{"theirs": "text/x-upstream", "ours": "application/ours"} {
		for _, cache := range []string{"MISS", "HIT"} {
			f, _, err := g.fetch(g.at(key, func(p *Place) {
				if key == "ours" {
					p.Type = want
				}
			}))
			if err != nil || f.Type != want || f.Cache != cache || f.Modified.Year() != 2026 {
				t.Errorf("%s as %s: %+v, %v, want the type %s and the upstream's date", key, cache, f, err, want)
			}
		}
	}
}

// TestDocumentKeptAsAFile: a manifest that a tag pointed at can be asked for by its digest without the upstream.
func TestDocumentKeptAsAFile(t *testing.T) {
	g := newRig(t)
	g.origin.says("manifest", "")
	d := g.want("the tag", always("demo"), "manifest", "MISS")
	for range 2 { // the second time it is kept already
		if err := g.set.KeepFile(t.Context(), "demo", d.Digest.String(), d); err != nil {
			t.Fatal(err)
		}
	}
	g.reg.SetOffline(true)
	f, got, err := g.fetch(g.at(d.Digest.String()))
	if err != nil || got != "manifest" || f.Cache != "HIT" || f.Digest != digest.FromString("manifest") {
		t.Errorf("by its digest: %q, %+v, %v, want the manifest as HIT", got, f, err)
	}
	if kept, err := g.set.Kept(t.Context(), "demo", d.Digest.String()); err != nil || kept == nil || kept.Size != 8 {
		t.Errorf("what is kept: %+v, %v, want 8 bytes", kept, err)
	}
}

// slowFile is a registry that gives out a body in steps: a test says how much has come.
type slowFile struct {
	body []byte
	step chan int // bytes to send next
}

func (s *slowFile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(len(s.body)))
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for at := 0; at < len(s.body); {
		select {
		case n := <-s.step:
			n = min(n, len(s.body)-at)
			_, _ = w.Write(s.body[at : at+n]) // a client that left ends the request
			w.(http.Flusher).Flush()
			at += n
		case <-r.Context().Done():
			return
		}
	}
}

// TestReaderFollowsAGrowingFile reads the middle while the end is not here, and gets the last bytes when all is right.
func TestReaderFollowsAGrowingFile(t *testing.T) {
	g := newRig(t)
	slow := &slowFile{body: noise(4 << 20), step: make(chan int, 2)}
	g.origin.answer(slow.ServeHTTP)
	slow.step <- 3 << 20
	f, err := g.set.File(t.Context(), g.at("f", func(p *Place) { p.Sums = map[string]string{"sha256": sha(slow.body)} }))
	if err != nil {
		t.Fatal(err)
	}
	if !f.Follows() || !f.Seekable() || f.Size != 4<<20 || f.Digest.Encoded() != sha(slow.body) {
		t.Errorf("on its way it is %+v, want its size and digest, to be followed", f)
	}
	var middle sliceWriter
	if err := f.Copy(t.Context(), &middle, 1000, 2000); err != nil || !bytes.Equal(middle, slow.body[1000:2000]) {
		t.Errorf("1000 bytes in the middle: %d, %v", len(middle), err)
	}
	slow.step <- 1 << 20
	blob, err := f.Wait(t.Context())
	if err != nil || blob.Digest.Encoded() != sha(slow.body) {
		t.Errorf("the whole file: %+v, %v", blob, err)
	}
	var end sliceWriter
	if err := f.Copy(t.Context(), &end, 4<<20-10, -1); err != nil || !bytes.Equal(end, slow.body[4<<20-10:]) {
		t.Errorf("its last 10 bytes: %d, %v", len(end), err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestReaderThatLeavesIsNotWaitedFor(t *testing.T) {
	g := newRig(t)
	slow := &slowFile{body: noise(2 << 20), step: make(chan int, 2)}
	g.origin.answer(slow.ServeHTTP)
	f, err := g.set.File(t.Context(), g.at("f"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if err := f.Copy(ctx, io.Discard, 0, -1); !errors.Is(err, context.Canceled) {
		t.Errorf("who left is told %v", err)
	}
	if _, err := f.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait any more is told %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	slow.step <- 2 << 20
	g.reg.work.Wait() // a fetch that is nearly done goes on for the next one's sake
	if here, err := g.set.Here(t.Context(), "demo", "f"); !here || err != nil {
		t.Errorf("the file is here: %t, %v, want true", here, err)
	}
}

// TestResumedFilesAreTheSame: what comes after a break must belong to what came before.
func TestResumedFilesAreTheSame(t *testing.T) {
	body := noise(wholeBelow + 100_000)
	half := len(body) / 2
	partial := func(w http.ResponseWriter, from, to int) {
		w.Header().Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(to-1)+"/"+strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(body[from:to]) // a client that left fails its own check
	}
	for what, c := range map[string]struct {
		etag string
		sums bool
		rest func(w http.ResponseWriter, from int)
		ok   bool
	}{
		"the rest": {`"one"`, false, func(w http.ResponseWriter, from int) { partial(w, from, len(body)) }, true},
		"the whole, with sums to tell": {"", true, func(w http.ResponseWriter, from int) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body)
		}, true},
		"the whole, and nothing to tell": {`"one"`, false, func(w http.ResponseWriter, from int) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body)
		}, false},
		"another part": {`"one"`, true, func(w http.ResponseWriter, from int) { partial(w, from-1, len(body)) }, false},
		"no part":      {`"one"`, true, func(w http.ResponseWriter, from int) { w.WriteHeader(http.StatusNotFound) }, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
				if c.etag != "" {
					w.Header().Set("ETag", c.etag)
				}
				if spec, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
					if got := r.Header.Get("If-Range"); got != c.etag {
						t.Errorf("the rest is asked for if it is still %q, want %q", got, c.etag)
					}
					from, err := strconv.Atoi(strings.TrimSuffix(spec, "-"))
					if err != nil || from < half {
						t.Errorf("asked for %q after %d bytes came", spec, half)
					}
					c.rest(w, from)
					return
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				_, _ = w.Write(body[:half]) // and no more
			})
			f, got, err := g.fetch(g.at("f", func(p *Place) {
				if c.sums {
					p.Sums = map[string]string{"sha256": sha(body)}
				}
			}))
			if c.ok && (err != nil || got != string(body)) {
				t.Errorf("%d bytes, %v, want the file", len(got), err)
			}
			if !c.ok && (err == nil || len(got) == len(body)) {
				t.Errorf("%d bytes of %d, %+v, no error", len(got), len(body), f)
			}
		})
	}
}

// TestSmallFileThatBreaksOffIsFetchedAnew: without sums nobody could say whether a rest belongs to it.
func TestSmallFileThatBreaksOffIsFetchedAnew(t *testing.T) {
	g := newRig(t)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if spec := r.Header.Get("Range"); spec != "" {
			t.Errorf("a part was asked for: %s", spec)
		}
		w.Header().Set("Content-Length", "5")
		if g.origin.asked.Load() == 1 {
			_, _ = io.WriteString(w, "wh") // and no more
			return
		}
		_, _ = io.WriteString(w, "whole")
	})
	if _, got, err := g.fetch(g.at("f")); err != nil || got != "whole" {
		t.Errorf("%q, %v, want the whole file of the second time", got, err)
	}
}

// TestFileIsPassedOnWhenItCannotBeKept: a store that takes nothing still serves, and never a complete wrong file.
func TestFileIsPassedOnWhenItCannotBeKept(t *testing.T) {
	g := newRig(t)
	body := noise(100_000)
	says := func(body []byte) {
		g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body) // a client that left fails its own check
		})
	}
	says(body)
	g.store.SetReadOnly("a test")
	right := func(p *Place) { p.Sums = map[string]string{"sha256": sha(body)} }
	f, err := g.set.File(t.Context(), g.at("f", right))
	if err != nil {
		t.Fatal(err)
	}
	if !f.Follows() || f.Seekable() || f.Size != int64(len(body)) {
		t.Errorf("it is %+v, want a file that can only be read from its beginning", f)
	}
	if _, err := f.Wait(t.Context()); !errors.Is(err, store.ErrFull) {
		t.Errorf("who needs all of it is told %v, want that it cannot be kept", err)
	}
	if got, err := g.read(f); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v, want all", len(got), err)
	}
	wrong := bytes.Clone(body)
	wrong[0] ^= 1
	says(wrong)
	f, err = g.set.File(t.Context(), g.at("f", right))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.read(f); !errors.Is(err, ErrBroken) || len(got) >= len(body) {
		t.Errorf("a wrong byte: %d bytes, %v, want fewer than all and ErrBroken", len(got), err)
	}
	g.origin.answer(http.NotFound)
	if _, err := g.set.File(t.Context(), g.at("g")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a file that is not there: %v, want ErrNotFound", err)
	}
}

// TestDesertedFetchPausesAndGoesOn: the connection of a large file that nobody waits for is given back, and whoever
// comes next gets what was fetched before.
func TestDesertedFetchPausesAndGoesOn(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	size := finishBelow + 8<<20
	body := noise(1 << 20)
	whole := bytes.Repeat(body, size/len(body))
	left, paused := make(chan struct{}), make(chan struct{})
	var rest atomic.Value
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		if spec := r.Header.Get("Range"); spec != "" {
			rest.Store(spec)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(whole))
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(whole[:2<<20])
		w.(http.Flusher).Flush()
		<-left
		_, _ = w.Write(whole[2<<20 : 2<<20+1]) // nobody may listen any more
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(paused)
	})
	q := g.at("f", func(p *Place) { p.Sums = map[string]string{"sha256": sha(whole)} })
	f, err := g.set.File(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	close(left)
	<-paused
	f, err = g.set.File(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.read(f); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("%d bytes of %d, %v", len(got), size, err)
	}
	spec, _ := rest.Load().(string)
	if spec == "" || spec == "bytes=0-" {
		t.Errorf("who came next made it ask for %q, want the rest only", spec)
	}
}
