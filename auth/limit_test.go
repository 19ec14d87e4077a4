package auth

// How many wrong passwords are free, and whom more of them slow.

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var testStart = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// from is a user at an address; "" for none.
func from(user, addr string) pair {
	if addr == "" {
		return pair{user: user}
	}
	return pair{user, network(netip.MustParseAddr(addr))}
}

func TestLimiterByPair(t *testing.T) {
	for _, p := range []pair{from("ann", "192.0.2.1"), from("ann", "")} {
		l, now := newLimiter(), testStart
		for i := range pairBurst {
			if err := l.take(now, p, false); err != nil {
				t.Fatalf("try %d: %v", i, err)
			}
		}
		var th *Throttled
		if err := l.take(now, p, false); !errors.As(err, &th) || th.After != pairInterval {
			t.Fatalf("after the burst: %v", err)
		}
		for _, other := range []pair{from("bob", "192.0.2.1"), from("ann", "192.0.2.2")} {
			if err := l.take(now, other, false); err != nil {
				t.Errorf("%v: %v", other, err)
			}
		}
		if err := l.take(now.Add(pairInterval/2), p, false); !errors.As(err, &th) || th.After != pairInterval/2 {
			t.Errorf("half an interval later: %v", err)
		}
		if err := l.take(now.Add(th.After+pairInterval/2), p, false); err != nil {
			t.Errorf("after the announced wait: %v", err)
		}
	}
}

func TestLimiterByAddress(t *testing.T) {
	l, now := newLimiter(), testStart
	for i := range addrBurst {
		if err := l.take(now, from(fmt.Sprintf("user%d", i), fmt.Sprintf("2001:db8:1:2::%x", i+1)), false); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	var th *Throttled
	ann := from("ann", "2001:db8:1:2::9999")
	if err := l.take(now, ann, false); !errors.As(err, &th) || th.After <= 0 || th.After > addrInterval {
		t.Fatalf("another host of the same /64: %v", err)
	}
	if !l.pairs.full[ann].Equal(now) || len(l.users.full) != addrBurst {
		t.Error("a try refused for its address was charged to the user")
	}
	if err := l.take(now, from("ann", "2001:db8:1:3::1"), false); err != nil {
		t.Errorf("another /64: %v", err)
	}
	if a, b := network(netip.MustParseAddr("::ffff:192.0.2.1")), network(netip.MustParseAddr("192.0.2.1")); a != b {
		t.Errorf("%s and %s are one address", a, b)
	}
	a, b := network(netip.MustParseAddr("fe80::1%eth0")), network(netip.MustParseAddr("fe80::2%eth1"))
	if a != b || !a.IsValid() {
		t.Errorf("zones: %q and %q", a, b)
	}
}

// TestLimiterByUser: guessing from many places is bounded, and holds back nobody whose password was right before.
func TestLimiterByUser(t *testing.T) {
	l, n := newLimiter(), 0
	var th *Throttled
	for i := range 2 * userBurst {
		err := l.take(testStart, from("ann", fmt.Sprintf("10.0.%d.%d", i/250, i%250)), false)
		if err == nil {
			n++
		} else if !errors.As(err, &th) || th.After > userInterval {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	if n != userBurst {
		t.Errorf("%d strangers guessed, want %d", n, userBurst)
	}
	if err := l.take(testStart, from("ann", "192.0.2.1"), true); err != nil {
		t.Errorf("from where the right password came before: %v", err)
	}
	if err := l.take(testStart, from("bob", "10.0.0.1"), false); err != nil {
		t.Errorf("another user: %v", err)
	}
	if err := l.take(testStart.Add(th.After), from("ann", "192.0.2.2"), false); err != nil {
		t.Errorf("a stranger after the announced wait: %v", err)
	}
}

func TestLimiterPaysBack(t *testing.T) {
	for _, known := range []bool{false, true} {
		l, p := newLimiter(), from("ann", "192.0.2.1")
		for i := range 2 * userBurst {
			if err := l.take(testStart, p, known); err != nil {
				t.Fatalf("right password %d, known %v: %v", i, known, err)
			}
			l.give(p, known)
		}
	}
}

func TestLimiterClockSetBack(t *testing.T) {
	l := newLimiter()
	for range pairBurst {
		_ = l.take(testStart.Add(time.Hour), from("ann", ""), false)
	}
	var th *Throttled
	if err := l.take(testStart, from("ann", ""), false); !errors.As(err, &th) || th.After > pairInterval {
		t.Errorf("the clock went back an hour: %v", err)
	}
}

func TestLimiterCountsInParallel(t *testing.T) {
	l := newLimiter()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if l.take(testStart, from("ann", ""), false) == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != pairBurst {
		t.Errorf("%d of 100 parallel guesses passed, want %d", passed.Load(), pairBurst)
	}
}

func TestLimiterMemoryIsBounded(t *testing.T) {
	l := newLimiter()
	for range pairBurst {
		_ = l.take(testStart, from("victim", ""), false)
	}
	for i := range 2 * maxBuckets {
		_ = l.take(testStart, from(fmt.Sprintf("u%d", i), ""), false)
	}
	if p, u := len(l.pairs.full), len(l.users.full); p > maxBuckets || u > maxBuckets {
		t.Errorf("%d and %d buckets", p, u)
	}
	if l.take(testStart, from("victim", ""), false) == nil {
		t.Error("a flood of names reset the limit of another user")
	}
	_ = l.take(testStart.Add(time.Hour), from("one more", ""), false)
	if n := len(l.pairs.full); n != 1 {
		t.Errorf("%d buckets after all were full again", n)
	}
}

func TestThrottledSaysWhenToTryAgain(t *testing.T) {
	th := &Throttled{After: 1500 * time.Millisecond}
	if got, want := th.Public(), "Too many failed logins. Try again in 2 seconds."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
