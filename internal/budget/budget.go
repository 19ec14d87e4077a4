// Package budget bounds what requests use of something scarce: the bytes they hold in memory, the searches that run at
// the same time. A Pool has a number of units. A request that wants some waits in line for a few seconds and then fails
// with a Busy, which is a 503 with Retry-After.
//
// A request that holds units never waits, so that no two requests can wait for each other: a Share that needs more than
// it has gets it at once or fails. An eighth of a pool is kept for that.
package budget

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"larder/internal/problem"
)

// Wait is how long a request waits in line; Retry is the Retry-After of one that waited in vain.
const (
	Wait  = 5 * time.Second
	Retry = 2 * time.Second
)

// Busy is the error of a request that got no units: too many are in use.
type Busy struct {
	// Reason is a sentence for the client's user.
	Reason string
	// After is when to try again; 0 if that is of no use, because the pool has fewer units than were asked for.
	After time.Duration
}

func (b *Busy) Error() string { return b.Reason }

// ErrBusy is what every Busy wraps.
var ErrBusy = problem.New(503, "no memory to spare", "the server is busy")

// Unwrap returns ErrBusy.
func (b *Busy) Unwrap() error { return ErrBusy }

// RetryAfter returns After.
func (b *Busy) RetryAfter() time.Duration { return b.After }

// Public returns the text for the client's user.
func (b *Busy) Public() string { return b.Reason }

// Pool is a number of units that requests share. It is safe for concurrent use. A nil Pool has no limit.
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

// NewPool returns a pool of limit units. busy is the sentence for the users of requests that got none within wait.
func NewPool(limit int64, wait time.Duration, busy string) *Pool {
	return &Pool{limit: limit, open: limit - limit/8, wait: wait, busy: busy}
}

// NewMemory returns a pool of bytes.
func NewMemory(limit int64) *Pool {
	return NewPool(limit, Wait, "The server's memory is in use by other requests; try again in a moment.")
}

// Acquire takes n units for a caller that holds none. It waits in line until the pool's wait is over or ctx ends.
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

// Try takes n more units for a caller that holds some, without waiting.
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

// Release gives n units back.
func (p *Pool) Release(n int64) {
	if p == nil || n <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= n
	p.serve()
}

// Limit returns the number of units, 0 for a nil Pool.
func (p *Pool) Limit() int64 {
	if p == nil {
		return 0
	}
	return p.limit
}

// Used returns how many units are taken now, and the most that ever were.
func (p *Pool) Used() (now, peak int64) {
	if p == nil {
		return 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used, p.peak
}

// fits reports whether n units are free, without those that are kept for callers that hold some already.
func (p *Pool) fits(n int64) bool { return p.used+n <= p.open || p.used == 0 }

func (p *Pool) take(n int64) {
	p.used += n
	p.peak = max(p.peak, p.used)
}

// serve gives the units that are free to those who wait, in their order.
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
