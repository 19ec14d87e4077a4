package auth

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

func TestLimiterByUser(t *testing.T) {
	l, now := newLimiter(), testStart
	for i := range userBurst {
		if err := l.take(now, "ann", netip.Addr{}); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	var th *Throttled
	if err := l.take(now, "ann", netip.Addr{}); !errors.As(err, &th) || th.After != userInterval {
		t.Fatalf("after the burst: %v", err)
	}
	if err := l.take(now, "bob", netip.Addr{}); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if err := l.take(now.Add(userInterval/2), "ann", netip.Addr{}); !errors.As(err, &th) || th.After != userInterval/2 {
		t.Errorf("half an interval later: %v", err)
	}
	if err := l.take(now.Add(th.After+userInterval/2), "ann", netip.Addr{}); err != nil {
		t.Errorf("after the announced wait: %v", err)
	}
}

func TestLimiterByAddress(t *testing.T) {
	l, now := newLimiter(), testStart
	v6 := func(host int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8:1:2::%x", host)) }
	for i := range addrBurst {
		if err := l.take(now, fmt.Sprintf("user%d", i), v6(i+1)); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	var th *Throttled
	if err := l.take(now, "ann", v6(9999)); !errors.As(err, &th) || th.After <= 0 || th.After > addrInterval {
		t.Fatalf("another host of the same /64: %v", err)
	}
	if len(l.users.full) == 0 || !l.users.full["ann"].Equal(now) {
		t.Error("a try refused for its address was charged to the user")
	}
	if err := l.take(now, "ann", netip.MustParseAddr("2001:db8:1:3::1")); err != nil {
		t.Errorf("another /64: %v", err)
	}
	if a, b := addrKey(netip.MustParseAddr("::ffff:192.0.2.1")), addrKey(netip.MustParseAddr("192.0.2.1")); a != b {
		t.Errorf("%s and %s are one address", a, b)
	}
	if a, b := addrKey(netip.MustParseAddr("fe80::1%eth0")), addrKey(netip.MustParseAddr("fe80::2%eth1")); a != b || a == "" {
		t.Errorf("zones: %q and %q", a, b)
	}
}

func TestLimiterPaysBack(t *testing.T) {
	l, addr := newLimiter(), netip.MustParseAddr("192.0.2.1")
	for i := range 10 * addrBurst {
		if err := l.take(testStart, "ann", addr); err != nil {
			t.Fatalf("right password %d: %v", i, err)
		}
		l.give("ann", addr)
	}
}

func TestLimiterClockSetBack(t *testing.T) {
	l := newLimiter()
	for range userBurst {
		_ = l.take(testStart.Add(time.Hour), "ann", netip.Addr{})
	}
	var th *Throttled
	if err := l.take(testStart, "ann", netip.Addr{}); !errors.As(err, &th) || th.After > userInterval {
		t.Errorf("the clock went back an hour: %v", err)
	}
}

func TestLimiterParallel(t *testing.T) {
	l := newLimiter()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if l.take(testStart, "ann", netip.Addr{}) == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != userBurst {
		t.Errorf("%d of 100 parallel guesses passed, want %d", passed.Load(), userBurst)
	}
}

func TestLimiterBounded(t *testing.T) {
	l := newLimiter()
	for range userBurst {
		_ = l.take(testStart, "victim", netip.Addr{})
	}
	for i := range 2 * maxBuckets {
		_ = l.take(testStart, fmt.Sprintf("u%d", i), netip.Addr{})
	}
	if n := len(l.users.full); n > maxBuckets {
		t.Errorf("%d buckets", n)
	}
	if l.take(testStart, "victim", netip.Addr{}) == nil {
		t.Error("a flood of names reset the limit of another user")
	}
	_ = l.take(testStart.Add(time.Hour), "one more", netip.Addr{})
	if n := len(l.users.full); n != 1 {
		t.Errorf("%d buckets after all were full again", n)
	}
}

func TestThrottledText(t *testing.T) {
	th := &Throttled{After: 1500 * time.Millisecond}
	if got, want := th.Public(), "Too many failed logins. Try again in 2 seconds."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
