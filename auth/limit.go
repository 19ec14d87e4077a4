package auth

// How fast passwords may be guessed.

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

// Failed logins: a burst, then one per interval.
const (
	pairBurst    = 10 // of a user at an address
	pairInterval = 10 * time.Second
	addrBurst    = 50 // at an address: more generous, as a whole site may stand behind one
	addrInterval = 2 * time.Second
	// Of a user at all addresses together that never sent the right password: what bounds guessing from many places. It
	// delays strangers only, so that nobody can lock a user out by guessing.
	userBurst    = 300
	userInterval = 5 * time.Second
	// Of a user at an address that did send the right password: beyond them the address counts as a stranger again.
	knownBurst    = 1000
	knownInterval = 90 * time.Second
	maxBuckets    = 8192 // of each sort; some 100 bytes each
)

// pair is a user at an address; see network.
type pair struct {
	user string
	at   netip.Prefix
}

// limiter counts failed logins. A try is charged before the password is checked and paid back when it was right, so
// that a thousand guesses in parallel are no cheaper than a thousand in a row.
type limiter struct {
	pairs *buckets[pair]
	addrs *buckets[netip.Prefix]
	users *buckets[string]
	known *buckets[pair]
}

func newLimiter() *limiter {
	return &limiter{
		pairs: newBuckets[pair](pairBurst, pairInterval),
		addrs: newBuckets[netip.Prefix](addrBurst, addrInterval),
		users: newBuckets[string](userBurst, userInterval),
		known: newBuckets[pair](knownBurst, knownInterval),
	}
}

// take charges one try; a *Throttled if there is none left, which charges nothing. known says that the right password
// came from there before. What has no address is counted by its user alone.
func (l *limiter) take(now time.Time, p pair, known bool) error {
	wait := l.pairs.take(now, p)
	if wait > 0 {
		return &Throttled{After: wait}
	}
	if p.at.IsValid() {
		if wait = l.addrs.take(now, p.at); wait > 0 {
			l.pairs.give(p)
			return &Throttled{After: wait}
		}
	}
	if !known {
		if wait = l.users.take(now, p.user); wait > 0 {
			l.pairs.give(p)
			l.addrs.give(p.at)
			return &Throttled{After: wait}
		}
	}
	return nil
}

// give pays the try back.
func (l *limiter) give(p pair, known bool) {
	l.pairs.give(p)
	l.addrs.give(p.at)
	if !known {
		l.users.give(p.user)
	}
}

// network is what counts as one address: an IPv4 address, or the /64 that every IPv6 host has to itself; invalid for
// none.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// buckets are token buckets, each kept as the time at which it will be full again: absent means full.
type buckets[K comparable] struct {
	burst    int
	interval time.Duration

	mu    sync.Mutex
	full  map[K]time.Time
	swept time.Time // when makeRoom looked at all of them
}

func newBuckets[K comparable](burst int, interval time.Duration) *buckets[K] {
	return &buckets[K]{burst: burst, interval: interval, full: map[K]time.Time{}}
}

// take removes one token and returns 0, or returns how long until there is one.
func (b *buckets[K]) take(now time.Time, key K) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	full, ok := b.full[key]
	if !ok || full.Before(now) {
		full = now
	}
	// Time may have been set back: no bucket is ever emptier than empty.
	if empty := now.Add(time.Duration(b.burst) * b.interval); full.After(empty) {
		full = empty
	}
	if wait := full.Sub(now) - time.Duration(b.burst-1)*b.interval; wait > 0 {
		return wait
	}
	if !ok {
		b.makeRoom(now)
	}
	b.full[key] = full.Add(b.interval)
	return 0
}

// give puts one token back.
func (b *buckets[K]) give(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if full, ok := b.full[key]; ok {
		b.full[key] = full.Add(-b.interval)
	}
}

// sample is how many buckets are looked at to find one that can go.
const sample = 64

// makeRoom forgets full buckets when there are too many, once in an interval all of them. If that is not enough it
// forgets the fullest of a sample: never that of somebody who guesses the most, and a flood pays for no look at all of
// them.
func (b *buckets[K]) makeRoom(now time.Time) {
	if len(b.full) < maxBuckets {
		return
	}
	if !now.Before(b.swept.Add(b.interval)) {
		b.swept = now
		maps.DeleteFunc(b.full, func(_ K, full time.Time) bool { return !full.After(now) })
	}
	if len(b.full) < maxBuckets {
		return
	}
	var fullest K
	var at time.Time
	seen := 0
	for key, full := range b.full { // in no order
		if at.IsZero() || full.Before(at) {
			fullest, at = key, full
		}
		if seen++; seen == sample {
			break
		}
	}
	delete(b.full, fullest)
}
