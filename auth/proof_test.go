package auth

// Passwords are checked once, at the same cost for everybody, and guessing is slowed.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// counting replaces bcrypt by itself with a counter.
func (w *world) counting() *atomic.Int64 {
	var n atomic.Int64
	w.compare = func(hash, password []byte) error {
		n.Add(1)
		return bcrypt.CompareHashAndPassword(hash, password)
	}
	return &n
}

func TestProofSparesBcrypt(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	n := w.counting()
	for range 5 {
		w.login("ann")
	}
	if n.Load() != 1 {
		t.Errorf("%d checks for 5 logins", n.Load())
	}
	w.clock.Advance(proofTime)
	w.login("ann")
	if n.Load() != 2 {
		t.Errorf("%d checks: a proof lasts five minutes and no longer", n.Load())
	}
	w.must(w.SetPassword(w.ctx, "ann", "another"))
	w.refused(Credentials{User: "ann", Password: "pw of ann"}, ErrCredentials, "")
	if n.Load() != 3 {
		t.Errorf("%d checks after the password changed", n.Load())
	}
}

func TestEqualLoginsShareOneCheck(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	var n atomic.Int64
	release := make(chan struct{})
	w.compare = func(hash, password []byte) error {
		n.Add(1)
		<-release
		return bcrypt.CompareHashAndPassword(hash, password)
	}
	var wg sync.WaitGroup
	var good atomic.Int64
	for range 100 {
		wg.Go(func() {
			c := Credentials{User: "ann", Password: "pw of ann", Addr: netip.MustParseAddr("192.0.2.1")}
			if id, err := w.Authenticate(w.ctx, c); err == nil && id.User == "ann" {
				good.Add(1)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // lets most of them pile up; the count holds for any number
	close(release)
	wg.Wait()
	if good.Load() != 100 || n.Load() != 1 {
		t.Errorf("%d of 100 passed with %d checks", good.Load(), n.Load())
	}
}

// TestFlightOutlivesItsFirst: the request that began a check may go away without harm to the others.
func TestFlightOutlivesItsFirst(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	begun, release := make(chan struct{}), make(chan struct{})
	w.compare = func(hash, password []byte) error {
		close(begun)
		<-release
		return bcrypt.CompareHashAndPassword(hash, password)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	c := Credentials{User: "ann", Password: "pw of ann"}
	first := make(chan error)
	go func() { _, err := w.Authenticate(ctx, c); first <- err }()
	<-begun
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	second := make(chan error)
	go func() { _, err := w.Authenticate(w.ctx, c); second <- err }()
	close(release)
	if err := <-second; err != nil {
		t.Error(err)
	}
}

// TestSameCostForUnknownUsers counts the work instead of timing it: one comparison at the same bcrypt cost.
func TestSameCostForUnknownUsers(t *testing.T) {
	w := newWorld(t, Options{Cost: 5})
	w.user("ann")
	var costs []int
	w.compare = func(hash, password []byte) error {
		cost, err := bcrypt.Cost(hash)
		if err != nil {
			t.Error(err)
		}
		costs = append(costs, cost)
		if len(password) != 43 {
			t.Errorf("bcrypt got %d bytes", len(password))
		}
		return bcrypt.CompareHashAndPassword(hash, password)
	}
	_, known := w.Authenticate(w.ctx, Credentials{User: "ann", Password: "guess"})
	_, unknown := w.Authenticate(w.ctx, Credentials{User: "eve", Password: "guess"})
	if len(costs) != 2 || costs[0] != 5 || costs[1] != 5 {
		t.Errorf("costs %v", costs)
	}
	if known == nil || unknown == nil || known.Error() != unknown.Error() {
		t.Errorf("%v for a known user, %v for an unknown one", known, unknown)
	}
}

// TestUnknownUserNeverPasses: not even if bcrypt says yes.
func TestUnknownUserNeverPasses(t *testing.T) {
	w := newWorld(t, Options{})
	w.compare = func([]byte, []byte) error { return nil }
	for range 2 {
		w.refused(Credentials{User: "eve", Password: "guess"}, ErrCredentials, "")
	}
}

// TestChangedDuringCheck: a password that was right when the check began does not pass after a change.
func TestChangedDuringCheck(t *testing.T) {
	for name, change := range map[string]func(*world) error{
		"password": func(w *world) error { return w.SetPassword(w.ctx, "ann", "new") },
		"disabled": func(w *world) error { return w.SetDisabled(w.ctx, "ann", true) },
		"removed":  func(w *world) error { return w.RemoveUser(w.ctx, "ann") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.user("ann")
			w.compare = func(hash, password []byte) error {
				w.must(change(w))
				return bcrypt.CompareHashAndPassword(hash, password)
			}
			w.refused(Credentials{User: "ann", Password: "pw of ann"}, ErrCredentials, "")
		})
	}
}

// TestGuessingSlowsThePair: who guesses waits, at their address, and nobody else does.
func TestGuessingSlowsThePair(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.user("bob")
	at := func(addr, password string) Credentials {
		return Credentials{User: "ann", Password: password, Addr: netip.MustParseAddr(addr)}
	}
	good, guess := at("192.0.2.1", "pw of ann"), at("192.0.2.1", "guess")
	for range pairBurst {
		w.refused(guess, ErrCredentials, "")
	}
	n := w.counting()
	var th *Throttled
	for _, c := range []Credentials{guess, good} {
		if _, err := w.Authenticate(w.ctx, c); !errors.As(err, &th) || th.After <= 0 || errors.Is(err, ErrCredentials) {
			t.Errorf("after %d guesses, with %q: %v, want to be throttled", pairBurst, c.Password, err)
		}
	}
	if n.Load() != 0 {
		t.Error("a throttled login reached bcrypt")
	}
	w.login("bob")
	if _, err := w.Authenticate(w.ctx, at("192.0.2.2", "pw of ann")); err != nil {
		t.Errorf("the user at another address: %v", err)
	}
	w.clock.Advance(th.After)
	if _, err := w.Authenticate(w.ctx, good); err != nil {
		t.Errorf("after the announced wait: %v", err)
	}
}

// TestKnownAddressIsNotHeldBack: where the right password came from before it passes whatever others guess there, until
// they have guessed a thousand times; the guesses themselves are slowed all the while.
func TestKnownAddressIsNotHeldBack(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	good := Credentials{User: "ann", Password: "pw of ann", Addr: netip.MustParseAddr("192.0.2.1")}
	if _, err := w.Authenticate(w.ctx, good); err != nil {
		t.Fatal(err)
	}
	n := w.counting()
	guess := func(times int) (throttled int) {
		var th *Throttled
		for i := range times {
			c := Credentials{User: "ann", Password: fmt.Sprint("guess ", i), Addr: good.Addr}
			_, err := w.Authenticate(w.ctx, c)
			if errors.As(err, &th) {
				throttled++
			} else if !errors.Is(err, ErrCredentials) {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		return throttled
	}
	if got := guess(100); got != 100-pairBurst || n.Load() != pairBurst {
		t.Errorf("%d of 100 guesses were slowed, and %d reached bcrypt", got, n.Load())
	}
	for _, wait := range []time.Duration{0, proofTime} {
		w.clock.Advance(wait)
		guess(pairBurst + int(wait/pairInterval))
		if _, err := w.Authenticate(w.ctx, good); err != nil {
			t.Errorf("the right password %s later: %v", wait, err)
		}
	}
	guess(2 * knownBurst)
	var th *Throttled
	if _, err := w.Authenticate(w.ctx, good); !errors.As(err, &th) {
		t.Errorf("after more than %d guesses: %v, want to be throttled as a stranger", knownBurst, err)
	}
}

// TestProofIsNoOracleElsewhere: while somebody is logged in, nobody at another address guesses any faster.
func TestProofIsNoOracleElsewhere(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	c := Credentials{User: "ann", Password: "pw of ann", Addr: netip.MustParseAddr("192.0.2.1")}
	if _, err := w.Authenticate(w.ctx, c); err != nil {
		t.Fatal(err)
	}
	c.Addr = netip.MustParseAddr("198.51.100.1")
	for range pairBurst {
		w.refused(Credentials{User: "ann", Password: "guess", Addr: c.Addr}, ErrCredentials, "")
	}
	var th *Throttled
	if _, err := w.Authenticate(w.ctx, c); !errors.As(err, &th) {
		t.Errorf("the right guess after %d wrong ones: %v, want to be throttled", pairBurst, err)
	}
}

func TestTokensAreNotThrottled(t *testing.T) {
	w := newWorld(t, Options{})
	for range 5 * addrBurst {
		w.refused(
			Credentials{User: "ann", Password: newSecret(), Addr: netip.MustParseAddr("192.0.2.1")}, ErrCredentials,
			"revoked",
		)
	}
}

func TestBrokenHashIsAFault(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.must(w.change(w.ctx, "ann", "test", "ann", func(u *userRow) { u.Hash = "no bcrypt" }))
	if _, err := w.Authenticate(w.ctx, Credentials{User: "ann", Password: "pw of ann"}); err == nil ||
		errors.Is(err, ErrCredentials) {
		t.Errorf("%v", err)
	}
}

func TestProofIsOfUserAddressAndPassword(t *testing.T) {
	p := newProofs()
	a, b := &account{generation: 1}, &account{generation: 2}
	seen := map[proof]string{}
	for name, q := range map[string]proof{
		"one": p.of("ann", a, "pw"), "two": p.of("ann", b, "pw"), "three": p.of("ann", a, "pw2"),
		"four": p.of("annp", a, "w"),
		"five": p.of("ann", nil, "pw"), "six": newProofs().of("ann", a, "pw"),
	} {
		if seen[q] != "" {
			t.Errorf("%s and %s have the same proof", name, seen[q])
		}
		seen[q] = name
	}
	if again := p.of("ann", a, "pw"); again != p.of("ann", a, "pw") {
		t.Error("a proof is not itself")
	}
	for i := range maxProofs + 10 {
		p.add(pair{user: fmt.Sprint(i)}, p.of("ann", a, "pw"), testStart)
	}
	last := pair{user: fmt.Sprint(maxProofs + 9)}
	right, wrong := p.of("ann", a, "pw"), p.of("ann", b, "pw")
	if len(p.by) > maxProofs || !p.has(last, right, testStart) || p.has(last, wrong, testStart) {
		t.Errorf("%d proofs", len(p.by))
	}
}

// TestProofsDropTheOldFirst: room is made of what was proved first.
func TestProofsDropTheOldFirst(t *testing.T) {
	p := newProofs()
	q := p.of("ann", nil, "pw")
	for i := range maxProofs {
		p.add(pair{user: fmt.Sprint(i)}, q, testStart.Add(time.Duration((i+1)%maxProofs)*time.Second))
	}
	p.add(pair{user: "eve"}, q, testStart)
	if known, _ := p.knows(pair{user: fmt.Sprint(maxProofs - 1)}, q); known || len(p.by) != maxProofs {
		t.Errorf("%d proofs, and the oldest is among them: %v", len(p.by), known)
	}
}

func TestProofsHoldNoPassword(t *testing.T) {
	p := newProofs()
	q := p.of("ann", &account{generation: 1}, "hunter2")
	if bytes.Contains(q[:], []byte("hunter2")) {
		t.Error("the password is in the proof")
	}
}
