package store_test

// This file tests a publish whose durable steps fail, and commits that fail.

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

// TestPublishFaults breaks every durable step of a publish, before and after it happened. After the restart there is
// nothing or everything of the version, the old one is untouched, and publishing (again) works.
func TestPublishFaults(t *testing.T) {
	prepare := func(t *testing.T, s *store.Store) { publish(t, s, "a", ver("1", storetest.Put(t, s, "old bytes"))) }
	action := func(t *testing.T, s *store.Store) error {
		err := publishNew(t, s)
		if err != nil {
			still(t, s)
		}
		return err
	}
	storetest.BrokenAt(t, prepare, action, func(t *testing.T, dir string, err error) {
		s := storetest.Open(t, dir)
		storetest.Check(t, s)
		there := has(t, s, "a", "2")
		if err == nil && !there {
			t.Error("the publish was confirmed and is gone")
		}
		if !has(t, s, "a", "1") {
			t.Error("the old version is gone")
		}
		if again := publishNew(t, s); there != errors.Is(again, store.ErrExists) || (!there && again != nil) {
			t.Errorf("publishing again: %v; it was there: %v", again, there)
		}
	})
}

func publishNew(t *testing.T, s *store.Store) error {
	st, err := s.Stage(ctx, store.StageOptions{Size: -1})
	if err != nil {
		return err
	}
	defer st.Abort()
	if _, err := st.Write([]byte("new bytes")); err != nil {
		return err
	}
	b, err := st.Commit(ctx)
	if err != nil {
		return err
	}
	return npm(s).Update(ctx, "a", func(p *packageTx) error {
		if err := p.Publish(ver("2", b)); err != nil {
			return err
		}
		return p.SetTag("latest", "2", store.TagCond{})
	})
}

// still checks what a store promises after a failure: reads work, and writes either work or say why not.
func still(t *testing.T, s *store.Store) {
	t.Helper()
	if !has(t, s, "a", "1") {
		t.Error("the old version cannot be read")
	}
	if err := s.Update(ctx, func(*store.Tx) error { return nil }); err != nil {
		wantErr(t, err, store.ErrReadOnly)
		wantErr(t, s.Health(), store.ErrReadOnly)
	}
}

// TestCommitFaults breaks the commit itself: everyone in the group gets the error and the store turns read-only, unless
// the disk was merely full.
func TestCommitFaults(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "larder.db", Err: syscall.ENOSPC}
	for _, c := range []struct {
		what     string
		fault    *storetest.Fault
		want     error
		readOnly bool
		there    bool
	}{
		{"not persisted", &storetest.Fault{Op: "commit", Nth: 1, Before: true}, storetest.ErrFault, true, false},
		{"persisted", &storetest.Fault{Op: "commit", Nth: 1}, storetest.ErrFault, true, true},
		{"disk full", &storetest.Fault{Op: "commit", Nth: 1, Before: true, Err: full}, store.ErrFull, false, false},
		{
			"disk full at fsync", &storetest.Fault{Op: "commit", Nth: 1, Before: true, Err: syscall.ENOSPC},
			store.ErrFull, true, false,
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			s := storetest.Open(t, dir, storetest.WithFaults(c.fault.On()))
			before := s.Generation(store.NPM, "a")
			c.fault.Arm()
			hooked := false
			err := npm(s).Update(ctx, "a", func(p *packageTx) error {
				p.Tx().OnCommit(func() { hooked = true })
				return p.Publish(version{ID: "1"})
			})
			wantErr(t, err, c.want)
			if hooked {
				t.Error("OnCommit ran")
			}
			if s.Generation(store.NPM, "a") == before {
				t.Error("nobody knows what is on disk, so cached documents must go")
			}
			err = npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Publish(version{ID: "2"}) })
			if errors.Is(err, store.ErrReadOnly) != c.readOnly {
				t.Errorf("the next write: %v", err)
			}
			s.SetReadOnly("")
			if errors.Is(s.Health(), store.ErrReadOnly) != c.readOnly {
				t.Errorf("health: %v", s.Health())
			}
			must(t, s.Close())
			s = storetest.Open(t, dir)
			if has(t, s, "a", "1") != c.there || has(t, s, "a", "2") == c.readOnly {
				t.Error("the folder holds something else")
			}
		})
	}
}
