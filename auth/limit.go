package auth

import (
	"net/netip"
	"sync"
	"time"
)

// Failed logins: a burst, then one per interval. The address is more generous, as a whole site may stand behind one.
const (
	userBurst    = 10
	userInterval = 10 * time.Second
	addrBurst    = 50
	addrInterval = 2 * time.Second
	maxBuckets   = 8192 // of each sort; some 100 bytes each
)

// limiter counts failed logins by user and by address. A try is charged before the password is checked and paid back
// when it was right, so that a thousand guesses in parallel are no cheaper than a thousand in a row.
type limiter struct {
	users, addrs *buckets
}

func newLimiter() *limiter {
	return &limiter{
		users: &buckets{burst: userBurst, interval: userInterval, full: map[string]time.Time{}},
		addrs: &buckets{burst: addrBurst, interval: addrInterval, full: map[string]time.Time{}},
	}
}

// take charges one try; a *Throttled if there is none left. An empty user or invalid address is not counted.
func (l *limiter) take(now time.Time, user string, addr netip.Addr) error {
	if wait := l.users.take(now, user); wait > 0 {
		return &Throttled{After: wait}
	}
	if wait := l.addrs.take(now, addrKey(addr)); wait > 0 {
		l.users.give(user)
		return &Throttled{After: wait}
	}
	return nil
}

// give pays the try back.
func (l *limiter) give(user string, addr netip.Addr) {
	l.users.give(user)
	l.addrs.give(addrKey(addr))
}

// addrKey is what counts as one address: an IPv4 address, or the /64 that every IPv6 host has to itself.
func addrKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return ""
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return a.String()
	}
	return p.String()
}

// buckets are token buckets, each kept as the time at which it will be full again: absent means full.
type buckets struct {
	burst    int
	interval time.Duration

	mu   sync.Mutex
	full map[string]time.Time
}

// take removes one token and returns 0, or returns how long until there is one.
func (b *buckets) take(now time.Time, key string) time.Duration {
	if key == "" {
		return 0
	}
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
func (b *buckets) give(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if full, ok := b.full[key]; ok {
		b.full[key] = full.Add(-b.interval)
	}
}

// makeRoom forgets full buckets when there are too many, and the fullest one if none is full.
func (b *buckets) makeRoom(now time.Time) {
	if len(b.full) < maxBuckets {
		return
	}
	var fullest string
	for key, full := range b.full {
		if !full.After(now) {
			delete(b.full, key)
		} else if fullest == "" || full.Before(b.full[fullest]) {
			fullest = key
		}
	}
	if len(b.full) >= maxBuckets {
		delete(b.full, fullest)
	}
}
