package upstream

// Pieces of a file that is not kept.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"larder/store"
)

// ranged answers ranges of a body, and notes which were asked for.
type ranged struct {
	mu    sync.Mutex // guards what follows
	body  []byte
	etag  string
	asked []string
}

func (s *ranged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Header.Get("Range"))
	w.Header().Set("ETag", s.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.body))
}

// newParts is an opened file of n bytes, and the registry that has it.
func newParts(t *testing.T, n int) (*rig, *ranged, *Parts) {
	t.Helper()
	g := newRig(t)
	s := &ranged{body: noise(n), etag: `"one"`}
	g.origin.answer(s.ServeHTTP)
	p, err := g.set.Parts(t.Context(), Place{Upstream: g.set.list[0], Ref: "files/f"})
	if err != nil {
		t.Fatal(err)
	}
	return g, s, p
}

func TestPartsFetchTheEndFirst(t *testing.T) {
	_, s, p := newParts(t, 1<<20)
	if p.Size() != 1<<20 {
		t.Errorf("its size is %d, want %d", p.Size(), 1<<20)
	}
	b := make([]byte, 1000)
	for _, at := range []int64{1<<20 - 1000, 1<<20 - lastPart} {
		if n, err := p.ReadAt(b, at); n != 1000 || err != nil || !bytes.Equal(b, s.body[at:at+1000]) {
			t.Errorf("1000 bytes at %d: %d, %v", at, n, err)
		}
	}
	if got, want := fmt.Sprint(s.asked), fmt.Sprintf("[bytes=-%d]", lastPart); got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}

func TestPartsFetchWhatIsReadAndNoMore(t *testing.T) {
	_, s, p := newParts(t, 1<<20)
	b := make([]byte, 10)
	for _, at := range []int64{100, 500, somePart + 95} { // the last one lies across two pieces
		if n, err := p.ReadAt(b, at); n != 10 || err != nil || !bytes.Equal(b, s.body[at:at+10]) {
			t.Errorf("10 bytes at %d: %d, %v", at, n, err)
		}
	}
	want := fmt.Sprintf("[bytes=-%d bytes=100-%d bytes=%d-%d]", lastPart, 100+somePart-1, 100+somePart, 100+2*somePart-1)
	if got := fmt.Sprint(s.asked); got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}

func TestPartsEndWithTheFile(t *testing.T) {
	_, s, p := newParts(t, 1000)
	b := make([]byte, 100)
	if n, err := p.ReadAt(b, 950); n != 50 || err != io.EOF || !bytes.Equal(b[:n], s.body[950:]) {
		t.Errorf("100 bytes 50 before the end: %d, %v, want 50 and the end", n, err)
	}
	if n, err := p.ReadAt(b, 1000); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
	whole, err := io.ReadAll(io.NewSectionReader(p, 0, p.Size()))
	if err != nil || !bytes.Equal(whole, s.body) {
		t.Errorf("all of it: %d bytes, %v", len(whole), err)
	}
}

func TestPartsOfAFileThatChanges(t *testing.T) {
	for what, change := range map[string]func(s *ranged){
		"other validator": func(s *ranged) { s.etag = `"two"` },
		"other size":      func(s *ranged) { s.body = append(s.body, 'x') },
	} {
		_, s, p := newParts(t, 1<<20)
		s.mu.Lock()
		change(s)
		s.mu.Unlock()
		if n, err := p.ReadAt(make([]byte, 10), 0); !errors.Is(err, ErrNoParts) {
			t.Errorf("%s: %d, %v, want ErrNoParts", what, n, err)
		}
	}
}

func TestPartsOfRegistriesThatGiveNone(t *testing.T) {
	for what, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"the whole file":    {answers("whole"), ErrNoParts},
		"another length":    {status(206, "Content-Range", "bytes 0-9/8"), ErrNoParts},
		"no range":          {status(206), ErrNoParts},
		"a range backwards": {status(206, "Content-Range", "bytes 9-0/10"), ErrNoParts},
		"no such file":      {http.NotFound, store.ErrNotFound},
		"a refusal":         {status(403), ErrRefused},
	} {
		g := newRig(t)
		g.origin.answer(c.answer)
		if _, err := g.set.Parts(t.Context(), Place{Upstream: g.set.list[0], Ref: "files/f"}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	g := newRig(t)
	s := &ranged{body: noise(100)}
	g.origin.answer(s.ServeHTTP)
	if _, err := g.set.Parts(t.Context(), Place{Upstream: g.set.list[0], Ref: "files/f", Size: 99}); !errors.Is(err,
		ErrNoParts) {
		t.Errorf("another size than announced: %v, want ErrNoParts", err)
	}
	g.reg.SetOffline(true)
	if _, err := g.set.Parts(t.Context(), Place{Upstream: g.set.list[0], Ref: "files/f"}); !errors.Is(err, ErrOffline) {
		t.Errorf("offline: %v, want ErrOffline", err)
	}
}
