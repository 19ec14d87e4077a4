package storetest

// This file tests the rig: a fault that strikes elsewhere, or a damage that breaks nothing, would make many tests pass
// for nothing.

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"larder/store"
)

// TestFaultStrikesOnceAndWhereItShould: the Nth call of its step after Arm, before or after the step, and no other.
func TestFaultStrikesOnceAndWhereItShould(t *testing.T) {
	full := errors.New("full")
	for _, f := range []*Fault{
		{Op: "write", Nth: 2, Before: true},
		{Op: "write", Nth: 2},
		{Op: "write", Nth: 2, Before: true, Err: full},
	} {
		hook := f.On()
		step := func(op string) (before, after error) {
			if before = hook.Before(op, "x"); before == nil {
				after = hook.After(op, "x")
			}
			return before, after
		}
		for range 3 {
			if before, after := step("write"); before != nil || after != nil {
				t.Errorf("%s: it strikes before Arm: %v, %v", f, before, after)
			}
		}
		f.Arm()
		want := f.Err
		if want == nil {
			want = ErrFault
		}
		for i, op := range []string{"create", "write", "statfs", "fsync", "write", "write"} {
			before, after := step(op)
			got := before
			if !f.Before {
				got = after
			}
			if struck := i == 4; struck != errors.Is(got, want) || errors.Join(before, after) != nil && !struck {
				t.Errorf("%s: step %d (%s) ends with %v, %v; want it struck %t", f, i+1, op, before, after, struck)
			}
			if f.Fired() != (i >= 4) {
				t.Errorf("%s: after step %d it has fired: %t", f, i+1, f.Fired())
			}
		}
		// How often free space is asked for depends on the clock, so it is no step.
		if got, want := f.Steps(), []string{"create", "write", "fsync", "write", "write"}; !slices.Equal(got, want) {
			t.Errorf("%s: steps %q, want %q", f, got, want)
		}
	}
}

// TestBrokenAtReachesEveryStep of an action, in both flavours, and hands over the folder as it was left.
func TestBrokenAtReachesEveryStep(t *testing.T) {
	runs, failed := 0, 0
	put := func(t *testing.T, s *store.Store) error {
		_, err := s.PutBytes(context.Background(), []byte("x"))
		return err
	}
	BrokenAt(t, func(*testing.T, *store.Store) {}, put, func(t *testing.T, dir string, err error) {
		runs++
		if errors.Is(err, ErrFault) {
			failed++
		}
		Open(t, dir)
	})
	// create, write, fsync, close, rename, syncdir, commit
	if runs != 14 || failed != 14 {
		t.Errorf("%d runs, %d of them failed; want 14 of 14: seven steps in two flavours", runs, failed)
	}
}

// TestDamagesBreakFiles: after each of them a full check finds the blob.
func TestDamagesBreakFiles(t *testing.T) {
	for _, how := range Damages() {
		dir := t.TempDir()
		s, err := store.Open(dir, store.Options{Reserve: 1})
		if err != nil {
			t.Fatal(err)
		}
		b := Put(t, s, "content")
		Damage(t, dir, b.Digest, how)
		if _, err := os.Stat(BlobPath(dir, b.Digest)); (how == "missing") != errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the file: %v", how, err)
		}
		r, err := s.Check(context.Background(), store.CheckOptions{Deep: true})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Digest != string(b.Digest) {
			t.Errorf("%s: the check finds %v, %v; want the blob", how, r.Problems, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestClockStandsStill until it is advanced.
func TestClockStandsStill(t *testing.T) {
	c := NewClock()
	was := c.Now()
	if now := c.Now(); !now.Equal(was) {
		t.Errorf("it went from %v to %v", was, now)
	}
	if c.Advance(time.Hour); !c.Now().Equal(was.Add(time.Hour)) {
		t.Errorf("an hour after %v it is %v", was, c.Now())
	}
}
