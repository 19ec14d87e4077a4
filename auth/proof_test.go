package auth

import (
	"bytes"
	"context"
	"errors"
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

func TestSingleFlight(t *testing.T) {
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
			if id, err := w.Authenticate(w.ctx, Credentials{User: "ann", Password: "pw of ann", Addr: netip.MustParseAddr("192.0.2.1")}); err == nil && id.User == "ann" {
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

func TestLoginsThrottled(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.user("bob")
	addr := netip.MustParseAddr("192.0.2.1")
	good := Credentials{User: "ann", Password: "pw of ann", Addr: addr}
	guess := Credentials{User: "ann", Password: "guess", Addr: addr}
	for range userBurst {
		w.refused(guess, ErrCredentials, "")
	}
	n := w.counting()
	var th *Throttled
	for _, c := range []Credentials{guess, good} {
		if _, err := w.Authenticate(w.ctx, c); !errors.As(err, &th) || th.After <= 0 || errors.Is(err, ErrCredentials) {
			t.Errorf("%v", err)
		}
	}
	if n.Load() != 0 {
		t.Error("a throttled login reached bcrypt")
	}
	w.login("bob")
	w.clock.Advance(th.After)
	if _, err := w.Authenticate(w.ctx, good); err != nil {
		t.Errorf("after the announced wait: %v", err)
	}
	for range 3 * userBurst { // whoever has a proof is not locked out by somebody who guesses
		_, _ = w.Authenticate(w.ctx, guess)
	}
	if _, err := w.Authenticate(w.ctx, good); err != nil {
		t.Errorf("while another one guesses: %v", err)
	}
}

func TestTokensAreNotThrottled(t *testing.T) {
	w := newWorld(t, Options{})
	for range 5 * addrBurst {
		w.refused(Credentials{User: "ann", Password: newSecret(), Addr: netip.MustParseAddr("192.0.2.1")}, ErrCredentials, "revoked")
	}
}

func TestBrokenHashIsAFault(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.must(w.change(w.ctx, "ann", "test", "ann", func(u *userRow) { u.Hash = "no bcrypt" }))
	if _, err := w.Authenticate(w.ctx, Credentials{User: "ann", Password: "pw of ann"}); err == nil || errors.Is(err, ErrCredentials) {
		t.Errorf("%v", err)
	}
}

func TestProofs(t *testing.T) {
	p := newProofs()
	a, b := &account{generation: 1}, &account{generation: 2}
	seen := map[proof]string{}
	for name, q := range map[string]proof{
		"one": p.of("ann", a, "pw"), "two": p.of("ann", b, "pw"), "three": p.of("ann", a, "pw2"), "four": p.of("annp", a, "w"),
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
		p.add(p.of("ann", &account{generation: uint64(i)}, "pw"), testStart)
	}
	if len(p.until) > maxProofs || !p.has(p.of("ann", &account{generation: maxProofs + 9}, "pw"), testStart) {
		t.Errorf("%d proofs", len(p.until))
	}
}

// TestProofsDropTheOldFirst: room is made of what has ended, not of what is good.
func TestProofsDropTheOldFirst(t *testing.T) {
	p := newProofs()
	for i := range maxProofs {
		p.add(p.of("ann", &account{generation: uint64(i)}, "pw"), testStart.Add(time.Duration(i%2)*time.Minute))
	}
	p.add(p.of("eve", nil, "pw"), testStart.Add(proofTime))
	if len(p.until) != maxProofs/2+1 || !p.has(p.of("ann", &account{generation: 1}, "pw"), testStart.Add(proofTime)) {
		t.Errorf("%d proofs after half of them ended", len(p.until))
	}
}

func TestProofsHoldNoPassword(t *testing.T) {
	p := newProofs()
	q := p.of("ann", &account{generation: 1}, "hunter2")
	if bytes.Contains(q[:], []byte("hunter2")) {
		t.Error("the password is in the proof")
	}
}
