package budget

// This file counts what one request, or one piece of background work, holds of the memory.

import (
	"context"
	"errors"
	"sync"
)

// Free is the number of bytes that every share has without taking them from the pool: small requests never wait.
const Free = 64 << 10

// errEnded is a bug of the caller: work that outlives its request needs a share of its own (Another).
var errEnded = errors.New("memory was asked for by a request that has ended")

// Share is what one request holds. The zero Share counts nothing. It must not be copied after first use.
type Share struct {
	pool *Pool

	mu    sync.Mutex // guards the rest: what a request does may have goroutines
	total int64      // bytes, those that are free included
	ended bool
}

// NewShare returns a share of p that holds nothing.
func NewShare(p *Pool) *Share { return &Share{pool: p} }

// Open makes a zero Share a share of p.
func (s *Share) Open(p *Pool) { s.pool = p }

// Another returns an empty share of the same pool, for work that outlives a request.
func (s *Share) Another() *Share {
	if s == nil {
		return nil
	}
	return NewShare(s.pool)
}

// Grow adds n bytes to the share; call it before they are allocated. A share that holds no more than Free waits in
// line. Any other gets the bytes at once or a Busy.
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

// Shrink gives n bytes back, which must be garbage now.
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

// Close gives everything back. Afterwards Grow fails.
func (s *Share) Close() {
	if s == nil || s.pool == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool.Release(paid(s.total))
	s.total, s.ended = 0, true
}

// paid is how many of n bytes are taken from the pool.
func paid(n int64) int64 { return max(n-Free, 0) }

// Key is the context key of the *Share.
type Key struct{}

// With returns a context whose share is s.
func With(ctx context.Context, s *Share) context.Context { return context.WithValue(ctx, Key{}, s) }

// From returns the share of ctx. It is nil if there is none; the methods of a nil Share count nothing.
func From(ctx context.Context) *Share {
	s, _ := ctx.Value(Key{}).(*Share)
	return s
}

// Take adds n bytes to the share of ctx. They are given back by Give, or when the request ends.
func Take(ctx context.Context, n int64) error { return From(ctx).Grow(ctx, n) }

// Give gives n bytes of Take back.
func Give(ctx context.Context, n int64) { From(ctx).Shrink(n) }

// During takes n bytes, calls work and gives them back.
func During(ctx context.Context, n int64, work func() error) error {
	if err := Take(ctx, n); err != nil {
		return err
	}
	defer Give(ctx, n)
	return work()
}
