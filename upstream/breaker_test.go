package upstream

// This file drives breakers by a clock of its own, and by registries that fail.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"larder/store/storetest"
)

var errDown = errors.New("down")

// newBreaker is one on a clock of its own.
func newBreaker() (*breaker, *storetest.Clock) {
	clock := storetest.NewClock()
	return &breaker{now: clock.Now}, clock
}

// ends asks and reports results in turn.
func (b *breaker) ends(results ...error) {
	for _, err := range results {
		gen, _ := b.ask()
		b.report(gen, err)
	}
}

func TestBreakerOpensAfterFiveFailuresThatAreHalf(t *testing.T) {
	for _, c := range []struct {
		good, bad int
		open      bool
	}{{0, 4, false}, {0, 5, true}, {5, 5, true}, {6, 5, false}, {100, 50, false}} {
		b, _ := newBreaker()
		for range c.good {
			b.ends(nil)
		}
		for range c.bad {
			b.ends(errDown)
		}
		if open, _, _ := b.state(); open != c.open {
			t.Errorf("after %d successes and %d failures it is open: %t, want %t", c.good, c.bad, open, c.open)
		}
	}
}

func TestBreakerCountsWithinAWindow(t *testing.T) {
	b, clock := newBreaker()
	b.ends(errDown, errDown, errDown, errDown)
	clock.Advance(window + time.Second)
	b.ends(errDown)
	if open, _, _ := b.state(); open {
		t.Error("a failure long after four others opens it")
	}
}

func TestBreakerLetsOneProbeThrough(t *testing.T) {
	b, clock := newBreaker()
	b.ends(errDown, errDown, errDown, errDown, errDown)
	if _, wait := b.ask(); wait != firstPause {
		t.Errorf("it says to come back in %s, want %s", wait, firstPause)
	}
	clock.Advance(firstPause)
	gen, wait := b.ask()
	if wait != 0 {
		t.Fatalf("after the pause it says to wait %s", wait)
	}
	if _, wait := b.ask(); wait != time.Second {
		t.Errorf("while the probe is under way others wait %s, want 1s", wait)
	}
	b.report(gen, nil)
	if _, wait := b.ask(); wait != 0 {
		t.Errorf("after the probe succeeded others wait %s", wait)
	}
	if open, until, last := b.state(); open || !until.IsZero() || last != nil {
		t.Errorf("after the probe succeeded it is open %t until %s with %v", open, until, last)
	}
}

func TestBreakerPausesLongerAfterEachFailedProbe(t *testing.T) {
	b, clock := newBreaker()
	b.ends(errDown, errDown, errDown, errDown, errDown)
	var pauses []time.Duration
	for range 7 {
		_, wait := b.ask()
		pauses = append(pauses, wait)
		clock.Advance(wait)
		b.ends(errDown)
	}
	if got, want := fmt.Sprint(pauses), "[10s 20s 40s 1m20s 2m40s 5m0s 5m0s]"; got != want {
		t.Errorf("the pauses are %s, want %s", got, want)
	}
}

// TestBreakerDoesNotWaitForALostProbe: one that stalls, or whose client left, keeps the next one from leaving for a
// while at most.
func TestBreakerDoesNotWaitForALostProbe(t *testing.T) {
	b, clock := newBreaker()
	b.ends(errDown, errDown, errDown, errDown, errDown)
	clock.Advance(firstPause)
	stalled, _ := b.ask()
	clock.Advance(probeLease)
	second, wait := b.ask()
	if wait != 0 {
		t.Fatalf("the second probe waits %s for one that stalls", wait)
	}
	b.report(stalled, nil)
	if open, _, _ := b.state(); !open {
		t.Error("the result of a probe that another one has replaced closes it")
	}
	b.cancel(second)
	if _, wait := b.ask(); wait != 0 {
		t.Errorf("after the probe was given back the next one waits %s", wait)
	}
}

func TestBreakerIgnoresResultsOfBefore(t *testing.T) {
	b, _ := newBreaker()
	early, _ := b.ask()
	b.ends(errDown, errDown, errDown, errDown, errDown)
	b.report(early, nil)
	if open, _, last := b.state(); !open || last != errDown {
		t.Errorf("a success that began before it opened: open %t, last %v, want true and %v", open, last, errDown)
	}
	b.close()
	if _, wait := b.ask(); wait != 0 {
		t.Errorf("after an operator closed it, it says to wait %s", wait)
	}
}

func TestBreakerObeysRetryAfter(t *testing.T) {
	b, clock := newBreaker()
	b.notice(time.Minute)
	b.notice(time.Second) // a shorter one changes nothing
	if _, wait := b.ask(); wait != time.Minute {
		t.Errorf("it says to wait %s, want 1m", wait)
	}
	if open, until, _ := b.state(); !open || !until.Equal(clock.Now().Add(time.Minute)) {
		t.Errorf("people are told %t until %s, want true until the host's time", open, until)
	}
	clock.Advance(time.Minute)
	if _, wait := b.ask(); wait != 0 {
		t.Errorf("after that time it says to wait %s", wait)
	}
	b.notice(1000 * time.Hour)
	if _, wait := b.ask(); wait != longNotice {
		t.Errorf("a host that wants to be left alone for weeks is left alone for %s, want %s", wait, longNotice)
	}
}

func TestEachHostHasABreakerOfItsOwn(t *testing.T) {
	var all breakers
	_, clock := newBreaker()
	a := all.of("a.example.com", clock.Now)
	if all.of("a.example.com", clock.Now) != a || all.of("b.example.com", clock.Now) == a {
		t.Error("two hosts share a breaker, or one has two")
	}
	for i := range 3 * maxBreakers {
		all.of(strconv.Itoa(i)+".example.com", clock.Now)
		if len(all.by) > maxBreakers {
			t.Fatalf("after %d hosts %d are remembered, want at most %d", i, len(all.by), maxBreakers)
		}
	}
	a.ends(errDown, errDown, errDown, errDown, errDown)
	all.close()
	if open, _, _ := all.of("a.example.com", clock.Now).state(); open {
		t.Error("closing all has left one open")
	}
}

// TestDeadFileHostIsNotTheRegistry: documents of a registry name another host for files, or it redirects there, and
// that host is dead or answers 500: the registry is asked for other packages as before, and the dead host is left
// alone.
func TestDeadFileHostIsNotTheRegistry(t *testing.T) {
	t.Parallel()
	failing := newOrigin(t)
	failing.answer(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for what, host := range map[string]string{"dead": gone.URL, "failing": failing.URL} {
		for _, redirected := range []bool{false, true} {
			t.Run(what+" redirected "+strconv.FormatBool(redirected), func(t *testing.T) {
				g := newRig(t, func(o *Options) {
					o.Upstreams[0].Hosts = []string{strings.TrimPrefix(host, "http://")}
				})
				g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, "/files/") {
						http.Redirect(w, r, host+"/x", http.StatusFound)
						return
					}
					_, _ = w.Write([]byte("here")) // a client that left fails its own check
				})
				for i := range 3 {
					ref := host + "/" + strconv.Itoa(i)
					if redirected {
						ref = "files/" + strconv.Itoa(i)
					}
					q := FileQuery{Package: "demo", Version: "1.0.0", Key: ref, Find: func(context.Context) (Place, error) {
						return Place{Upstream: g.set.list[0], Ref: ref}, nil
					}}
					if _, err := g.set.File(t.Context(), q); err == nil {
						t.Fatalf("a file of the %s host: no error", what)
					}
				}
				if _, got, err := g.doc("another"); err != nil || got != "here" {
					t.Errorf("another package: %q %v, want the registry's answer", got, err)
				}
				if asked := failing.asked.Load(); !redirected && what == "failing" {
					q := FileQuery{Package: "demo", Version: "1.0.0", Key: "last", Find: func(context.Context) (Place, error) {
						return Place{Upstream: g.set.list[0], Ref: host + "/last"}, nil
					}}
					if _, err := g.set.File(t.Context(), q); err == nil || failing.asked.Load() != asked {
						t.Errorf("the failing host was asked %d times more (%v), want none", failing.asked.Load()-asked, err)
					}
				}
			})
		}
	}
}
