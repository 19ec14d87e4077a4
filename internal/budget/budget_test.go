package budget

// Requests that share the memory: their order, their waits, and readers that take only what has arrived.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func used(t *testing.T, p *Pool, want int64) {
	t.Helper()
	if now, _ := p.Used(); now != want {
		t.Errorf("%d units are in use, want %d", now, want)
	}
}

func busy(err error) bool {
	var b *Busy
	return errors.As(err, &b)
}

func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(8, time.Minute, "full")
		if err := p.Acquire(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex // guards served
		var served []int
		var all sync.WaitGroup
		for i, n := range []int64{6, 1, 1} {
			all.Go(func() {
				if err := p.Acquire(t.Context(), n); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				served = append(served, i)
			})
			synctest.Wait()
		}
		used(t, p, 7)
		p.Release(7)
		synctest.Wait()
		used(t, p, 7)
		mu.Lock()
		if len(served) != 2 || slices.Contains(served, 2) {
			t.Errorf("%v were served while 7 units were in use, want the first two", served)
		}
		mu.Unlock()
		p.Release(6)
		all.Wait()
		used(t, p, 2)
	})
}

func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(8, Wait, "full")
		if err := p.Acquire(t.Context(), 8); err != nil {
			t.Fatalf("a pool that nobody uses: %v", err)
		}
		start := time.Now()
		if err := p.Acquire(t.Context(), 1); !busy(err) || err.Error() != "full" || time.Since(start) != Wait {
			t.Errorf("%v after %v, want a Busy after %v", err, time.Since(start), Wait)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Acquire(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v for a client that left", err)
		}
		p.Release(8)
		used(t, p, 0)
		if err := p.Acquire(t.Context(), 9); !busy(err) {
			t.Errorf("more than there is: %v", err)
		}
	})
}

// TestNobodyWaitsWithSomethingInHand: two that hold half each and want more fail at once, and both could go on.
func TestNobodyWaitsWithSomethingInHand(t *testing.T) {
	p := NewMemory(8 << 20)
	a, b := NewShare(p), NewShare(p)
	for _, s := range []*Share{a, b} {
		if err := s.Grow(t.Context(), 3<<20); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Grow(t.Context(), 4<<20); !busy(err) {
		t.Errorf("a: %v, want a Busy", err)
	}
	if err := b.Grow(t.Context(), 2<<20); err != nil {
		t.Errorf("b: %v, want the part that is kept for those who hold something", err)
	}
	b.Close()
	if err := b.Grow(t.Context(), 1); err == nil {
		t.Error("a closed share got something")
	}
	used(t, p, 3<<20-Free)
	a.Shrink(1 << 20)
	used(t, p, 2<<20-Free)
	a.Close()
	used(t, p, 0)
}

func TestSmallSharesAreNeverRefused(t *testing.T) {
	p := NewMemory(1 << 20)
	full := NewShare(p)
	if err := full.Grow(t.Context(), 1<<20); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := NewShare(p).Grow(t.Context(), Free); err != nil {
			t.Fatal(err)
		}
	}
	var none *Share
	if err := errors.Join(none.Grow(t.Context(), 1<<40), Take(t.Context(), 1<<40),
		new(Share).Grow(t.Context(), 1<<40)); err != nil {
		t.Errorf("where nobody counts: %v", err)
	}
}

// watched notes the most that is held while it is read.
type watched struct {
	io.Reader
	s    *Share
	sent int64
	most float64 // held bytes for each that was sent
}

func (w *watched) Read(b []byte) (int, error) {
	if w.sent > Free {
		w.most = max(w.most, float64(w.s.total)/float64(w.sent))
	}
	n, err := w.Reader.Read(b[:min(len(b), 1000)])
	w.sent += int64(n)
	return n, err
}

func TestReadHoldsWhatHasArrived(t *testing.T) {
	for _, hint := range []int64{-1, 3 << 20, 100 << 20} {
		p := NewMemory(64 << 20)
		s := NewShare(p)
		body := bytes.Repeat([]byte("x"), 3<<20)
		w := &watched{Reader: bytes.NewReader(body), s: s}
		got, err := Read(With(t.Context(), s), w, hint, 200<<20)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("hint %d: %d bytes, %v", hint, len(got), err)
		}
		if w.most > 2.1 {
			t.Errorf("hint %d: %.1f bytes were held for each that had arrived, want at most two", hint, w.most)
		}
		if now, _ := p.Used(); now < int64(len(body))-Free || now > 2*int64(len(body)) {
			t.Errorf("hint %d: %d bytes are counted for %d", hint, now, len(body))
		}
	}
}

func TestReadLimits(t *testing.T) {
	for _, c := range []struct {
		length, hint, limit int64
		want                error
	}{
		{0, 0, 0, nil}, {10, -1, 10, nil}, {11, -1, 10, ErrLimit}, {11, 4, 10, ErrLimit}, {5000, 5000, 5000, nil},
		{1 << 20, 10, 1 << 20, nil},
	} {
		got, err := Read(t.Context(), strings.NewReader(strings.Repeat("x", int(c.length))), c.hint, c.limit)
		if err != c.want || err == nil && int64(len(got)) != c.length {
			t.Errorf("%+v: %d bytes, %v", c, len(got), err)
		}
	}
	s := NewShare(NewMemory(1 << 20))
	if _, err := Read(With(t.Context(), s), strings.NewReader(strings.Repeat("x", 2<<20)), -1, 4<<20); !busy(err) {
		t.Errorf("more than the pool: %v, want a Busy", err)
	}
}
