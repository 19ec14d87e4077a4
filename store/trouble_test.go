package store_test

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/store"
	"larder/store/storetest"
)

// writePaths are the ways in which a store writes.
func writePaths() map[string]func(*store.Store) error {
	large := strings.Repeat("a large body ", 10_000)
	return map[string]func(*store.Store) error{
		"PutBytes": func(s *store.Store) error { _, err := s.PutBytes(ctx, []byte("new bytes")); return err },
		"Stage": func(s *store.Store) error {
			st, err := s.Stage(ctx, store.StageOptions{})
			if err != nil {
				return err
			}
			defer st.Abort()
			if _, err := st.ReadFrom(strings.NewReader(large)); err != nil {
				return err
			}
			_, err = st.Commit(ctx)
			return err
		},
		"Upload": func(s *store.Store) error {
			id, err := s.StartUpload(ctx, store.NPM, "a")
			if err != nil {
				return err
			}
			u, err := s.ResumeUpload(ctx, store.NPM, "a", id)
			if err != nil {
				return err
			}
			defer u.Release()
			if _, err := u.Append(ctx, strings.NewReader(large), -1); err != nil {
				return err
			}
			_, err = u.Commit(ctx, digestOf(large), nil)
			return err
		},
		"publish": func(s *store.Store) error {
			return npm(s).Update(ctx, "b", func(p *packageTx) error { return p.Publish(version{ID: "1"}) })
		},
		"delete": func(s *store.Store) error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Delete("1", false) })
		},
		"change of a user": func(s *store.Store) error {
			return s.Update(ctx, func(tx *store.Tx) error { return tx.Table("auth.users").Put([]byte("ada"), []byte("x")) })
		},
	}
}

// TestTroubleOfTheDisk: at each step of each way in which a store writes, a file system that became read-only, a used up
// quota, a full disk and a failing disk are refusals with a sentence, never internal errors; what was stored before stays,
// and a store that no longer takes writes says so in its health.
func TestTroubleOfTheDisk(t *testing.T) {
	for name, write := range writePaths() {
		probe := &storetest.Fault{}
		run := func(f *storetest.Fault) (*store.Store, string, error) {
			dir := t.TempDir()
			s := storetest.Open(t, dir, storetest.WithFaults(f.On()))
			publish(t, s, "a", ver("1", storetest.Put(t, s, "old bytes")))
			f.Arm()
			return s, dir, write(s)
		}
		if _, _, err := run(probe); err != nil {
			t.Fatalf("%s without trouble: %v", name, err)
		}
		nth := map[string]int{}
		for _, op := range probe.Steps() {
			nth[op]++
			for _, number := range []syscall.Errno{syscall.EROFS, syscall.EIO, syscall.EDQUOT, syscall.ENOSPC} {
				fault := &storetest.Fault{Op: op, Nth: nth[op], Before: true, Err: asWrite(op, number)}
				s, dir, err := run(fault)
				testTrouble(t, name+": "+op+" ends with "+number.Error(), s, op, number, err)
				if t.Failed() {
					return
				}
				must(t, s.Close())
				if s = storetest.Open(t, dir); !has(t, s, "a", "1") && name != "delete" {
					t.Errorf("%s: %s ends with %s: what was there before is gone", name, op, number)
				}
			}
		}
	}
}

// asWrite is a number as the step would have it: bbolt's writes are os.File's.
func asWrite(op string, number syscall.Errno) error {
	if op == "commit" {
		return &fs.PathError{Op: "write", Path: "larder.db", Err: number}
	}
	return number
}

func testTrouble(t *testing.T, what string, s *store.Store, op string, number syscall.Errno, err error) {
	t.Helper()
	if err == nil && (op == "remove" || op == "close") {
		return // tidying up after the bytes are durable
	}
	want := store.ErrReadOnly
	if number == syscall.EDQUOT || number == syscall.ENOSPC {
		want = store.ErrFull
	}
	var sentence interface{ Public() string }
	if !errors.Is(err, want) || !errors.As(err, &sentence) || sentence.Public() == "" {
		t.Errorf("%s: %v, want %v with a sentence", what, err, want)
	}
	broken := number == syscall.EIO || op == "fsync" || op == "syncdir"
	if health := s.Health(); errors.Is(health, store.ErrReadOnly) != broken {
		t.Errorf("%s: health says %v, want read-only %t", what, health, broken)
	}
}

// digestOf is the sha256 of a body.
func digestOf(body string) digest.Digest { return digest.FromString(body) }
