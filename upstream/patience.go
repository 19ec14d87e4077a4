package upstream

// This file has where requests wait for their turn, and how long an answer may take.

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// gate admits so many at once.
type gate chan struct{}

func (g gate) leave() { <-g }

// lane is where requests of one sort wait. An index is hundreds of small files: requests that cost the host no
// connection each are let go in larger numbers.
type lane struct{ narrow, wide gate }

func newLane(n int) lane {
	return lane{make(gate, n), make(gate, 3*n)}
}

func (l lane) gate(shared bool) gate {
	if shared {
		return l.wide
	}
	return l.narrow
}

// enter takes a place for q, waiting in line for as long as that may take; the time is not the answer's. nil when there
// was none. A small file takes a place of either sort, and one of unknown size a place to find that out.
func (u *Upstream) enter(ctx context.Context, q request, b *budgeted) gate {
	first, second := u.docs, u.docs
	switch {
	case q.file && q.small:
		first = u.files
	case q.file && q.sizeless:
		first, second = u.files, u.sizes
	case q.file:
		first, second = u.files, u.files
	}
	shared := u.shared.Load()
	one, other := first.gate(shared), second.gate(shared)
	for _, g := range []gate{one, other} {
		select {
		case g <- struct{}{}:
			return g
		default:
		}
	}
	defer b.hold()()
	ctx, cancel := context.WithTimeout(ctx, maxLine)
	defer cancel()
	select {
	case one <- struct{}{}:
		return one
	case other <- struct{}{}:
		return other
	case <-ctx.Done():
		return nil
	}
}

// onlyForItsSize reports whether a place is for answers that turn out to be small, and resp is another: it is given up,
// and the file waits for its turn.
func (u *Upstream) onlyForItsSize(g gate, resp *http.Response) bool {
	return (g == u.sizes.narrow || g == u.sizes.wide) && resp.StatusCode == http.StatusOK &&
		(resp.ContentLength < 0 || resp.ContentLength > smallFile)
}

// budgeted is the time by which everything that one answer needs must be decided. It stands still while a request waits
// in line.
type budgeted struct {
	mu    sync.Mutex // guards what follows
	until time.Time
	held  int       // requests in line
	since time.Time // held > 0: when the first one came
}

// deadline is the time, as far as it is known now.
func (b *budgeted) deadline() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held > 0 {
		return b.until.Add(time.Since(b.since))
	}
	return b.until
}

// hold stops the time until the function it returns is called.
func (b *budgeted) hold() (resume func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held++; b.held == 1 {
		b.since = time.Now()
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.held--; b.held == 0 {
			b.until = b.until.Add(time.Since(b.since))
		}
	}
}

// budgetKey finds what is left of a budget.
type budgetKey struct{}

// withBudget gives ctx so much time from now, unless it has one already: a file that needs a document first has one
// for both.
func withBudget(ctx context.Context, whole time.Duration) context.Context {
	if _, ok := ctx.Value(budgetKey{}).(*budgeted); ok {
		return ctx
	}
	return newBudget(ctx, whole)
}

// newBudget gives ctx so much time from now, whatever it had.
func newBudget(ctx context.Context, whole time.Duration) context.Context {
	return context.WithValue(ctx, budgetKey{}, &budgeted{until: time.Now().Add(whole)})
}

// WithBudget is for answers that need several documents: all of them together get what one has otherwise.
func WithBudget(ctx context.Context) context.Context { return withBudget(ctx, Budget) }

// budgetOf is what ctx was given, or a new one.
func budgetOf(ctx context.Context) *budgeted {
	if b, ok := ctx.Value(budgetKey{}).(*budgeted); ok {
		return b
	}
	return &budgeted{until: time.Now().Add(Budget)}
}

func deadlineOf(ctx context.Context) time.Time { return budgetOf(ctx).deadline() }
