// Package storetest opens real stores for tests: in a temporary folder, checked in full when the test ends.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"larder/store"
)

// Option changes how New opens the store.
type Option func(*store.Options)

// WithOptions sets what f sets.
func WithOptions(f func(*store.Options)) Option { return f }

// WithClock makes the store take the time from c.
func WithClock(c *Clock) Option { return func(o *store.Options) { o.Now = c.Now } }

// WithFaults puts f between the store and the disk.
func WithFaults(f store.Faults) Option { return func(o *store.Options) { o.Faults = f } }

// WithPolicies asks p before changes.
func WithPolicies(p ...store.Policy) Option { return func(o *store.Options) { o.Policies = p } }

// New opens a store in a temporary folder. At the test's end it is checked, every blob hashed, and closed.
func New(t testing.TB, opts ...Option) *store.Store {
	t.Helper()
	return Open(t, t.TempDir(), opts...)
}

// Open is New with a folder of the caller's. A store that was closed meanwhile is not checked.
func Open(t testing.TB, dir string, opts ...Option) *store.Store {
	t.Helper()
	s, err := store.Open(dir, options(opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.JournalTail(context.Background(), 0); errors.Is(err, store.ErrClosed) {
			return
		}
		Check(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// options keeps a nearly full disk of the machine from failing tests.
func options(opts []Option) store.Options {
	o := store.Options{Reserve: 1}
	for _, f := range opts {
		f(&o)
	}
	return o
}

// Check fails the test when anything in s is inconsistent.
func Check(t testing.TB, s *store.Store) store.CheckReport {
	t.Helper()
	r, err := s.Check(context.Background(), store.CheckOptions{Deep: true})
	if err != nil {
		t.Errorf("check: %v", err)
	}
	for _, p := range r.Problems {
		t.Errorf("check: %s", p)
	}
	checkReferences(t, s)
	return r
}

// Put commits content as a blob.
func Put(t testing.TB, s *store.Store, content string) store.Blob {
	t.Helper()
	b, err := s.PutBytes(context.Background(), []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Clock is a clock that a test sets. The zero value is not useful; see NewClock.
type Clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

// NewClock returns a clock that stands at a fixed time.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// ErrFault is what injected faults return unless another error was asked for.
var ErrFault = errors.New("injected fault")

// Fault breaks one durable step: the Nth (from 1) call of Op, before it happened (not persisted) or after (persisted,
// but reported as failed). It passes everything until Arm.
type Fault struct {
	Op     string
	Nth    int
	Before bool
	Err    error // nil: ErrFault

	f faults
}

type faults struct {
	mu    sync.Mutex // guards the rest
	armed bool
	seen  int
	fired bool
	steps []string
}

// String names the fault in a table of tests.
func (f *Fault) String() string {
	flavour := "persisted"
	if f.Before {
		flavour = "not persisted"
	}
	return fmt.Sprintf("%s %d failed, %s", f.Op, f.Nth, flavour)
}

// On returns the hook for Options.Faults.
func (f *Fault) On() store.Faults { return hook{f} }

// Arm starts counting steps.
func (f *Fault) Arm() {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	f.f.armed = true
}

// Fired reports whether the fault has happened.
func (f *Fault) Fired() bool {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	return f.f.fired
}

// Steps returns the operations that were seen since Arm, in order.
func (f *Fault) Steps() []string {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	return append([]string(nil), f.f.steps...)
}

type hook struct{ *Fault }

// Before implements store.Faults.
func (h hook) Before(op, _ string) error {
	f := &h.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return nil
	}
	if op == "statfs" { // asked at most once a second, so at unpredictable places, and nothing durable
		return nil
	}
	f.steps = append(f.steps, op)
	if op != h.Op {
		return nil
	}
	f.seen++
	return h.strike(h.Fault.Before)
}

// After implements store.Faults.
func (h hook) After(op, _ string) error {
	f := &h.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || op != h.Op {
		return nil
	}
	return h.strike(!h.Fault.Before)
}

// strike is the fault's error when this is its moment; the caller holds the lock.
func (h hook) strike(now bool) error {
	if !now || h.f.fired || h.f.seen != h.Nth {
		return nil
	}
	h.f.fired = true
	if h.Err != nil {
		return h.Err
	}
	return ErrFault
}

// BrokenAt runs test once for each durable step that action takes and each of its two flavours. Action runs on a fresh
// store in dir whose fault is armed; its error is passed on to test together with the folder, from which the store has
// been closed. So test reopens it, as after a crash, and looks.
func BrokenAt(
	t *testing.T,
	prepare func(*testing.T, *store.Store),
	action func(*testing.T, *store.Store) error,
	test func(t *testing.T, dir string, err error),
) {
	t.Helper()
	for _, f := range table(t, prepare, action) {
		t.Run(f.String(), func(t *testing.T) {
			dir := t.TempDir()
			err := runBroken(t, dir, f, prepare, action)
			if !f.Fired() {
				t.Fatalf("the step was not reached; steps: %q", f.Steps())
			}
			test(t, dir, err)
		})
	}
}

// table runs action unharmed and makes two faults of each step it saw.
func table(
	t *testing.T, prepare func(*testing.T, *store.Store), action func(*testing.T, *store.Store) error,
) (all []*Fault) {
	t.Helper()
	probe := &Fault{}
	if err := runBroken(t, t.TempDir(), probe, prepare, action); err != nil {
		t.Fatalf("without faults: %v", err)
	}
	seen := map[string]int{}
	for _, op := range probe.Steps() {
		seen[op]++
		all = append(all, &Fault{Op: op, Nth: seen[op], Before: true}, &Fault{Op: op, Nth: seen[op]})
	}
	return all
}

func runBroken(
	t *testing.T, dir string, f *Fault,
	prepare func(*testing.T, *store.Store), action func(*testing.T, *store.Store) error,
) error {
	t.Helper()
	s, err := store.Open(dir, options([]Option{WithFaults(f.On())}))
	if err != nil {
		t.Fatal(err)
	}
	prepare(t, s)
	f.Arm()
	result := action(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return result
}
