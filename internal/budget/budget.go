// Package budget bounds what requests use of something scarce: the bytes they hold in memory, the searches that run at
// once. A Pool has so many units; who wants some waits in line for a few seconds and then fails with a Busy, which is a
// 503 with Retry-After.
//
// Nobody waits with units in hand, so that no two requests can wait for each other: a Share that holds some and needs
// more gets them at once or fails. An eighth of a pool is kept for that.
package budget

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"larder/internal/problem"
)

// Wait is how long a request stands in line for what others hold; Retry is when its client should come again.
const (
	Wait  = 5 * time.Second
	Retry = 2 * time.Second
)

// Busy is the error of a request that got nothing: too much is in use.
type Busy struct {
	// Reason is a sentence for the client's user.
	Reason string
	// After is when to try again; 0: it is of no use, what was asked for is more than there is.
	After time.Duration
}

func (b *Busy) Error() string { return b.Reason }

// ErrBusy is what every Busy wraps.
var ErrBusy = problem.New(503, "no memory to spare", "the server is busy")

// Unwrap returns ErrBusy.
func (b *Busy) Unwrap() error { return ErrBusy }

// RetryAfter is After.
func (b *Busy) RetryAfter() time.Duration { return b.After }

// Public is the text the client's user reads.
func (b *Busy) Public() string { return b.Reason }

// Pool is a number of units that requests share. Its methods may be called at once; a nil Pool has no limit.
type Pool struct {
	limit, open int64 // open is what those may have who hold nothing yet
	wait        time.Duration
	busy        string

	mu      sync.Mutex // guards the rest
	used    int64
	peak    int64
	waiting list.List // of *waiter, first come first served
}

type waiter struct {
	n     int64
	ready chan struct{} // closed once the units are the waiter's
}

// NewPool has limit units. Who gets none within wait reads busy, a sentence.
func NewPool(limit int64, wait time.Duration, busy string) *Pool {
	return &Pool{limit: limit, open: limit - limit/8, wait: wait, busy: busy}
}

// NewMemory is a Pool of bytes that requests hold.
func NewMemory(limit int64) *Pool {
	return NewPool(limit, Wait, "The server's memory is in use by other requests; try again in a moment.")
}

// Acquire takes n units for a caller who holds none. It waits in line for at most the pool's time, and ends with ctx.
func (p *Pool) Acquire(ctx context.Context, n int64) error {
	if p == nil || n <= 0 {
		return nil
	}
	if n > p.limit {
		return p.tooMuch(n)
	}
	p.mu.Lock()
	if p.waiting.Len() == 0 && p.fits(n) {
		p.take(n)
		p.mu.Unlock()
		return nil
	}
	w := &waiter{n, make(chan struct{})}
	e := p.waiting.PushBack(w)
	p.mu.Unlock()
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	var err error
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = &Busy{p.busy, Retry}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.ready: // in the same moment: the units go to whoever comes next
		p.used -= n
	default:
		p.waiting.Remove(e)
	}
	p.serve()
	return err
}

// Try takes n more units for a caller who holds some: at once, or not at all.
func (p *Pool) Try(n int64) error {
	if p == nil || n <= 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > p.limit {
		return p.tooMuch(n)
	}
	if p.used+n > p.limit {
		return &Busy{p.busy, Retry}
	}
	p.take(n)
	return nil
}

// Release gives units back.
func (p *Pool) Release(n int64) {
	if p == nil || n <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= n
	p.serve()
}

// Limit is how many units there are; 0 for a nil Pool.
func (p *Pool) Limit() int64 {
	if p == nil {
		return 0
	}
	return p.limit
}

// Used is how many units are taken now, Peak the most that ever were.
func (p *Pool) Used() (now, peak int64) {
	if p == nil {
		return 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used, p.peak
}

// fits leaves room for those who hold something, unless nobody does.
func (p *Pool) fits(n int64) bool { return p.used+n <= p.open || p.used == 0 }

func (p *Pool) take(n int64) {
	p.used += n
	p.peak = max(p.peak, p.used)
}

// serve gives the line what has become free, in its order.
func (p *Pool) serve() {
	for e := p.waiting.Front(); e != nil; e = p.waiting.Front() {
		w := e.Value.(*waiter)
		if !p.fits(w.n) {
			return
		}
		p.take(w.n)
		p.waiting.Remove(e)
		close(w.ready)
	}
}

func (p *Pool) tooMuch(n int64) error {
	return &Busy{
		Reason: fmt.Sprintf(
			"This request needs %d bytes of memory, more than the %d that the server's setting memory allows.", n, p.limit,
		),
	}
}
