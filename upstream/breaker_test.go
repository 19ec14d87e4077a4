package upstream

// This file drives breakers by a clock of its own, and by registries that fail.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// ends asks and reports results in turn; an error is one of connecting.
func (b *breaker) ends(results ...error) {
	for _, err := range results {
		p, _ := b.ask()
		end := answered
		if err != nil {
			end = refused
		}
		b.report(p, "/", end, err)
	}
}

// answers asks for each path, of which those that begin with "bad" fail, and reports whether a probe is wanted at last.
func (b *breaker) answers(paths ...string) (doubt bool) {
	for _, path := range paths {
		p, _ := b.ask()
		if strings.HasPrefix(path, "bad") {
			doubt = b.report(p, path, failed, errDown)
		} else {
			doubt = b.report(p, path, answered, nil)
		}
	}
	return doubt
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
	probe, wait := b.ask()
	if wait != 0 || !probe.probe {
		t.Fatalf("after the pause it says to wait %s, probe %t; want a probe at once", wait, probe.probe)
	}
	if _, wait := b.ask(); wait != time.Second {
		t.Errorf("while the probe is under way others wait %s, want 1s", wait)
	}
	b.report(probe, "/", answered, nil)
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
	b.report(stalled, "/", answered, nil)
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
	b.report(early, "/", answered, nil)
	if open, _, last := b.state(); !open || last != errDown {
		t.Errorf("a success that began before it opened: open %t, last %v, want true and %v", open, last, errDown)
	}
	b.close()
	if _, wait := b.ask(); wait != 0 {
		t.Errorf("after an operator closed it, it says to wait %s", wait)
	}
}

// TestBreakerDoubtsAnOriginOfWhichManyPathsFail: how often one path is asked for does not matter.
func TestBreakerDoubtsAnOriginOfWhichManyPathsFail(t *testing.T) {
	for _, c := range []struct {
		asked string
		doubt bool
	}{
		{strings.Repeat("bad ", 1000), false},
		{"bad1 bad2 bad3 bad4", false},
		{"bad1 bad2 bad3 bad4 " + strings.Repeat("bad4 ", 100), false},
		{"bad1 bad2 bad3 bad4 bad5", true},
		{"bad1 bad2 bad3 bad4 good bad5", true},
		{"good1 good2 good3 good4 good5 bad1 bad2 bad3 bad4 bad5", false},
		{"good1 bad1 good2 bad2 good3 bad3 good4 bad4 bad5", true},
	} {
		b, _ := newBreaker()
		if doubt := b.answers(strings.Fields(c.asked)...); doubt != c.doubt {
			t.Errorf("after %.60q it wants a probe: %t, want %t", c.asked, doubt, c.doubt)
		}
		if open, _, _ := b.state(); open {
			t.Errorf("after %.60q it is open before a probe has failed", c.asked)
		}
	}
}

func TestBreakerForgetsPathsAfterAWindow(t *testing.T) {
	b, clock := newBreaker()
	b.answers("bad1", "bad2", "bad3", "bad4")
	clock.Advance(window + time.Second)
	if b.answers("bad5") {
		t.Error("one path that fails long after four others makes it want a probe")
	}
}

func TestBreakerOpensWhenTheProbeFails(t *testing.T) {
	b, clock := newBreaker()
	five := []string{"bad1", "bad2", "bad3", "bad4", "bad5"}
	b.answers(five...)
	p, _ := b.ask()
	if b.answers("bad6") {
		t.Error("it wants a second probe while one is under way")
	}
	b.confirm(p, answered, nil)
	if _, wait := b.ask(); wait != 0 {
		t.Errorf("after a probe that was answered others wait %s", wait)
	}
	if !b.answers(five...) {
		t.Error("after a probe that was answered five more failures do not make it want another")
	}
	b.confirm(p, failed, errDown)
	if open, until, last := b.state(); !open || !until.Equal(clock.Now().Add(firstPause)) || last != errDown {
		t.Errorf("after a probe that failed: open %t until %s with %v, want %s and %v", open, until, last, firstPause,
			errDown)
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

func TestEachOriginHasABreakerOfItsOwn(t *testing.T) {
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
				for i := range minFailures {
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
				if !redirected && what == "failing" {
					failed, _ := url.Parse(host)
					g.settled(g.set.list[0].others.of(origin(failed), g.clock.Now))
					asked := failing.asked.Load()
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

// settled reports whether b is open, once no probe is under way any more that was sent to find out.
func (g *rig) settled(b *breaker) bool {
	for {
		b.mu.Lock()
		open, checking := b.open, !b.checking.IsZero()
		b.mu.Unlock()
		if !checking {
			return open
		}
		time.Sleep(time.Millisecond)
	}
}

// filesOf asks for files of the given names without sums and returns how many came.
func (g *rig) filesOf(names ...string) (came int) {
	for _, name := range names {
		if f, err := g.file(name, nil); err == nil {
			if _, err := g.read(f); err == nil {
				came++
			}
		}
	}
	return came
}

// TestOnePathThatFailsIsNotTheHost: a client that keeps asking for a path that answers 500, or is reset, takes nothing
// away from others, and the host is known to be up.
func TestOnePathThatFailsIsNotTheHost(t *testing.T) {
	t.Parallel()
	for what, fail := range map[string]http.HandlerFunc{
		"500":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"reset": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "broken") {
					fail(w, r)
					return
				}
				_, _ = w.Write([]byte("here"))
			})
			for i := range 4 {
				g.filesOf("broken")
				g.set.Forget("demo")
				if got := g.filesOf("good" + strconv.Itoa(i)); got != 1 {
					t.Errorf("file %d after the broken one was asked for: not served", i)
				}
			}
			if open, _, _ := g.set.list[0].breaker.state(); open {
				t.Error("the breaker is open")
			}
		})
	}
}

// TestFivePathsThatFailAreNotTheHost: before a host is left alone it is asked for what it has answered before.
func TestFivePathsThatFailAreNotTheHost(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var down atomic.Bool
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() || strings.Contains(r.URL.Path, "broken") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte("here"))
	})
	if got := g.filesOf("good"); got != 1 {
		t.Fatal("the first file is not served")
	}
	fail := func(what string) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { g.filesOf("broken" + what + strconv.Itoa(i)) })
		}
		all.Wait()
	}
	at := g.set.list[0].breaker
	fail("first")
	if g.settled(at) {
		t.Error("eight paths that fail open the breaker although others are answered")
	}
	down.Store(true)
	fail("second")
	if !g.settled(at) {
		t.Error("the breaker of a host that fails altogether is closed")
	}
	down.Store(false)
	g.clock.Advance(firstPause)
	asked := g.origin.asked.Load()
	if got := g.filesOf("another"); got != 1 {
		t.Error("after the pause a file of a host that is back is not served")
	}
	if n := g.origin.asked.Load() - asked; n != 2 {
		t.Errorf("the host was asked %d times for it, want a probe and the file", n)
	}
}
