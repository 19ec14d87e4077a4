package budget

// A share is what one request, or one piece of background work, holds of the memory.

import (
	"context"
	"errors"
	"sync"
)

// Free is how many bytes a share has without asking: what small requests need costs nothing and is never refused.
const Free = 64 << 10

// errEnded is a fault in the program: what outlives its request needs a share of its own.
var errEnded = errors.New("memory was asked for by a request that has ended")

// Share is what one request holds. The zero Share counts nothing; a Share must not be copied once it is used.
type Share struct {
	pool *Pool

	mu    sync.Mutex // guards the rest: what a request does may have goroutines
	total int64      // bytes, those that are free included
	ended bool
}

// NewShare holds nothing yet.
func NewShare(p *Pool) *Share { return &Share{pool: p} }

// Open makes a zero Share one of p.
func (s *Share) Open(p *Pool) { s.pool = p }

// Another is an empty share of the same memory, for work that outlives a request.
func (s *Share) Another() *Share {
	if s == nil {
		return nil
	}
	return NewShare(s.pool)
}

// Grow adds n bytes to what is held, before they are allocated. A share that holds no more than what is free waits for
// them in line; any other gets them at once or a Busy.
func (s *Share) Grow(ctx context.Context, n int64) error {
	if s == nil || s.pool == nil || n <= 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	more := paid(s.total+n) - paid(s.total)
	var err error
	switch {
	case s.ended:
		return errEnded
	case paid(s.total) == 0:
		err = s.pool.Acquire(ctx, more)
	default:
		err = s.pool.Try(more)
	}
	if err == nil {
		s.total += n
	}
	return err
}

// Shrink gives n bytes back that are garbage now.
func (s *Share) Shrink(n int64) {
	if s == nil || s.pool == nil || n <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.total)
	s.pool.Release(paid(s.total) - paid(s.total-n))
	s.total -= n
}

// Close gives everything back. A share that is closed gets nothing any more.
func (s *Share) Close() {
	if s == nil || s.pool == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool.Release(paid(s.total))
	s.total, s.ended = 0, true
}

// paid is what of n bytes is not free.
func paid(n int64) int64 { return max(n-Free, 0) }

// Key is where a context keeps the *Share of who runs with it.
type Key struct{}

// With is ctx for work whose memory is of s.
func With(ctx context.Context, s *Share) context.Context { return context.WithValue(ctx, Key{}, s) }

// From is the share of whoever runs with ctx; nil when nobody counts, which is a Share of its own kind.
func From(ctx context.Context) *Share {
	s, _ := ctx.Value(Key{}).(*Share)
	return s
}

// Take adds n bytes to the share of whoever runs with ctx. They are given back when its request ends, or with Give.
func Take(ctx context.Context, n int64) error { return From(ctx).Grow(ctx, n) }

// Give returns n bytes of Take early.
func Give(ctx context.Context, n int64) { From(ctx).Shrink(n) }

// During runs work that holds up to n bytes, and gives them back after it.
func During(ctx context.Context, n int64, work func() error) error {
	if err := Take(ctx, n); err != nil {
		return err
	}
	defer Give(ctx, n)
	return work()
}
