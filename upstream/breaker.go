package upstream

// This file keeps us from asking hosts that are down.

import (
	"sync"
	"time"
)

// breaker keeps us from asking one host that is down. It opens when at least minFailures requests, and half of all,
// failed within window; it then lets one probe through at a time, after a pause that doubles with each probe that
// fails.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex // guards what follows
	started  time.Time  // of the current window
	ok, bad  int
	open     bool
	until    time.Time     // open: no probe before
	pause    time.Duration // after which the next probe is due
	probe    time.Time     // when a probe left; zero without one
	gen      uint64        // results of requests that began before the last change do not count
	notUntil time.Time     // the host said when to come back (429, 503)
	last     error
}

const (
	window      = 30 * time.Second
	minFailures = 5
	firstPause  = 10 * time.Second
	longPause   = 5 * time.Minute
	probeLease  = 15 * time.Second // a probe that stalls does not keep the next one from leaving
	longNotice  = 10 * time.Minute // the longest Retry-After that is obeyed
)

// breakers are those of the hosts that a registry's documents name for its files: trouble with one of them is not the
// registry's.
type breakers struct {
	mu sync.Mutex // guards by
	by map[string]*breaker
}

// maxBreakers bounds what is remembered of hosts; beyond them it starts afresh.
const maxBreakers = 256

// of is the breaker of a host that is not the registry's own.
func (b *breakers) of(host string, now func() time.Time) *breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.by[host]
	if found == nil {
		if b.by == nil || len(b.by) >= maxBreakers {
			b.by = map[string]*breaker{}
		}
		found = &breaker{now: now}
		b.by[host] = found
	}
	return found
}

// close forgets all past failures.
func (b *breakers) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.by = nil
}

// ask returns the generation to report with, or how long to wait before asking again.
func (b *breaker) ask() (gen uint64, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if now.Before(b.notUntil) {
		return 0, b.notUntil.Sub(now)
	}
	if !b.open {
		return b.gen, 0
	}
	if now.Before(b.until) {
		return 0, b.until.Sub(now)
	}
	if !b.probe.IsZero() && now.Sub(b.probe) < probeLease {
		return 0, time.Second
	}
	b.probe = now
	b.gen++
	return b.gen, 0
}

// report tells how a request ended. err is trouble with the host, nil anything else, a 404 among them.
func (b *breaker) report(gen uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if gen != b.gen {
		return
	}
	now := b.now()
	if b.open {
		b.probe = time.Time{}
		if err == nil {
			b.reset(now)
			return
		}
		b.last = err
		b.pause = min(b.pause*2, longPause)
		b.until = now.Add(b.pause)
		return
	}
	if now.Sub(b.started) > window {
		b.started, b.ok, b.bad = now, 0, 0
	}
	if err == nil {
		b.ok++
		return
	}
	b.bad++
	b.last = err
	if b.bad >= minFailures && b.bad >= b.ok {
		b.open, b.pause = true, firstPause
		b.until = now.Add(b.pause)
		b.gen++
	}
}

// cancel gives a probe back whose result nobody will know.
func (b *breaker) cancel(gen uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if gen == b.gen && b.open {
		b.probe = time.Time{}
	}
}

// notice keeps everybody away until the host's own time.
func (b *breaker) notice(after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.now().Add(min(after, longNotice)); until.After(b.notUntil) {
		b.notUntil = until
	}
}

// reset closes the breaker; callers hold mu.
func (b *breaker) reset(now time.Time) {
	b.open, b.started, b.ok, b.bad, b.pause = false, now, 0, 0, 0
	b.until, b.notUntil, b.last = time.Time{}, time.Time{}, nil
	b.gen++
}

// close forgets everything: the operator says that the host is back.
func (b *breaker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probe = time.Time{}
	b.reset(b.now())
}

// state is for people.
func (b *breaker) state() (open bool, until time.Time, last error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until = b.until
	if b.notUntil.After(until) {
		until = b.notUntil
	}
	return b.open || b.now().Before(b.notUntil), until, b.last
}
