package upstream

// This file keeps us from asking hosts that are down.

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// breaker keeps us from asking one origin that is down. Two things open it: minFailures requests, and half of all,
// that got no connection within window; or a probe that fails, which is sent when minFailures different paths, and most
// of those asked within window, failed with a connection (5xx, no header in time). While it is open one probe leaves
// after a pause, which doubles with each that fails.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex // guards what follows
	started  time.Time  // of the current window
	ok, bad  int        // requests with and without a connection
	paths    []answer   // the last one of each path
	good     request    // the last one that brought what was asked for
	checking time.Time  // when a probe left because many paths failed; zero without one
	open     bool
	until    time.Time     // open: no probe before
	pause    time.Duration // after which the next probe is due
	probe    time.Time     // when a probe left; zero without one
	gen      uint64        // results of requests that began before the last change do not count
	notUntil time.Time     // the host said when to come back (429, 503)
	last     error
}

// answer is how the last request of one path ended.
type answer struct {
	path string
	at   time.Time
	bad  bool
}

// outcome is how one request ended, as far as it says something about the origin.
type outcome int

const (
	answered outcome = iota // with anything that is no trouble, a 404 among them
	failed                  // 5xx, 429, a reset, no header in time: the fault of the path or of the origin
	refused                 // no connection: the fault of the origin
)

const (
	window      = 30 * time.Second
	minFailures = 5
	maxPaths    = 64 // whose last answers are remembered
	firstPause  = 10 * time.Second
	longPause   = 5 * time.Minute
	probeLease  = 15 * time.Second // a probe that stalls does not keep the next one from leaving
	longNotice  = 10 * time.Minute // the longest Retry-After that is obeyed
)

// breakers are those of the origins that a registry's documents name for its files: trouble with one of them is not the
// registry's.
type breakers struct {
	mu sync.Mutex // guards by
	by map[string]*breaker
}

// maxBreakers bounds what is remembered of origins; beyond them it starts afresh.
const maxBreakers = 256

// of is the breaker of an origin that is not the registry's own.
func (b *breakers) of(origin string, now func() time.Time) *breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.by[origin]
	if found == nil {
		if b.by == nil || len(b.by) >= maxBreakers {
			b.by = map[string]*breaker{}
		}
		found = &breaker{now: now}
		b.by[origin] = found
	}
	return found
}

// close forgets all past failures.
func (b *breakers) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.by = nil
}

// pass is leave to ask: the generation to report with, and whether the request is the probe of an open breaker.
type pass struct {
	gen   uint64
	probe bool
}

// ask returns leave to ask, or how long to wait before asking again.
func (b *breaker) ask() (p pass, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if now.Before(b.notUntil) {
		return p, b.notUntil.Sub(now)
	}
	if !b.open {
		return pass{gen: b.gen}, 0
	}
	if now.Before(b.until) {
		return p, b.until.Sub(now)
	}
	if !b.probe.IsZero() && now.Sub(b.probe) < probeLease {
		return p, time.Second
	}
	b.probe = now
	b.gen++
	return pass{b.gen, true}, 0
}

// report tells how the request of path ended; err is its trouble. It reports whether a probe has to find out if the
// trouble is the whole origin's; its result goes to confirm.
func (b *breaker) report(p pass, path string, end outcome, err error) (doubt bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.gen != b.gen {
		return false
	}
	now := b.now()
	if b.open {
		b.probe = time.Time{}
		if end == answered {
			b.reset(now)
			return false
		}
		b.last = err
		b.pause = min(b.pause*2, longPause)
		b.until = now.Add(b.pause)
		return false
	}
	if now.Sub(b.started) > window {
		b.started, b.ok, b.bad = now, 0, 0
	}
	if end == refused {
		b.bad++
		b.last = err
		if b.bad >= minFailures && b.bad >= b.ok {
			b.trip(now)
		}
		return false
	}
	b.ok++
	b.note(answer{path, now, end == failed})
	if end == answered {
		return false
	}
	b.last = err
	if !b.doubtful(now) || now.Sub(b.checking) < probeLease {
		return false
	}
	b.checking = now
	return true
}

// note replaces what is remembered of a path.
func (b *breaker) note(a answer) {
	if i := slices.IndexFunc(b.paths, func(old answer) bool { return old.path == a.path }); i >= 0 {
		b.paths = slices.Delete(b.paths, i, i+1)
	} else if len(b.paths) == maxPaths {
		b.paths = slices.Delete(b.paths, 0, 1)
	}
	b.paths = append(b.paths, a)
}

// doubtful reports whether so many paths failed within the window that the origin may be in trouble. A path counts
// once, however often it was asked.
func (b *breaker) doubtful(now time.Time) bool {
	good, bad := 0, 0
	for _, a := range b.paths {
		switch {
		case now.Sub(a.at) > window:
		case a.bad:
			bad++
		default:
			good++
		}
	}
	return bad >= minFailures && bad > good
}

// worked remembers a request that brought what was asked for: probes ask for the same.
func (b *breaker) worked(q request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.good = q
}

// known is what a probe asks for; ref is "" when nothing was ever brought.
func (b *breaker) known() request {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.good
	h := http.Header{"Range": {"bytes=0-0"}}
	if accept := q.header.Get("Accept"); accept != "" {
		h.Set("Accept", accept)
	}
	q.header = h
	return q
}

// confirm tells how the probe ended that report wanted.
func (b *breaker) confirm(p pass, end outcome, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.checking = time.Time{}
	if p.gen != b.gen || b.open {
		return
	}
	b.paths = nil // a path that fails again counts again
	if end != answered {
		b.last = err
		b.trip(b.now())
	}
}

// trip opens the breaker; callers hold mu.
func (b *breaker) trip(now time.Time) {
	b.open, b.pause = true, firstPause
	b.until = now.Add(b.pause)
	b.gen++
}

// cancel gives back a leave to ask whose result nobody will know.
func (b *breaker) cancel(p pass) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.gen == b.gen && b.open {
		b.probe = time.Time{}
	}
}

// rest is for how long the host wants to be left alone from now on.
func (b *breaker) rest() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notUntil.Sub(b.now())
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
	b.open, b.started, b.ok, b.bad, b.pause, b.paths = false, now, 0, 0, 0, nil
	b.until, b.notUntil, b.last = time.Time{}, time.Time{}, nil
	b.gen++
}

// close forgets everything: the operator says that the host is back.
func (b *breaker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probe, b.checking = time.Time{}, time.Time{}
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
