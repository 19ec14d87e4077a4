package store_test

// This file tests that a disk in trouble is a refusal with a sentence, at each step of each way of writing.

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/store"
	"larder/store/storetest"
)

// writePaths are the ways in which a store writes something new, which tag makes different from what was written
// before.
func writePaths() map[string]func(s *store.Store, tag string) error {
	large := func(tag string) string { return strings.Repeat("a large body "+tag, 10_000) }
	return map[string]func(*store.Store, string) error{
		"PutBytes": func(s *store.Store, tag string) error {
			_, err := s.PutBytes(ctx, []byte("new bytes "+tag))
			return err
		},
		"Stage": func(s *store.Store, tag string) error {
			st, err := s.Stage(ctx, store.StageOptions{})
			if err != nil {
				return err
			}
			defer st.Abort()
			if _, err := st.ReadFrom(strings.NewReader(large(tag))); err != nil {
				return err
			}
			_, err = st.Commit(ctx)
			return err
		},
		"Upload": func(s *store.Store, tag string) error {
			id, err := s.StartUpload(ctx, store.NPM, "a")
			if err != nil {
				return err
			}
			u, err := s.ResumeUpload(ctx, store.NPM, "a", id)
			if err != nil {
				return err
			}
			defer u.Release()
			if _, err := u.Append(ctx, strings.NewReader(large(tag)), -1); err != nil {
				return err
			}
			_, err = u.Commit(ctx, digest.FromString(large(tag)), nil)
			return err
		},
		"publish": func(s *store.Store, tag string) error {
			return npm(s).Update(ctx, "b", func(p *packageTx) error { return p.Publish(version{ID: tag}) })
		},
		"delete": func(s *store.Store, tag string) error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Delete(tag, false) })
		},
		"change of a user": func(s *store.Store, tag string) error {
			return s.Update(ctx, func(tx *store.Tx) error { return tx.Table("auth.users").Put([]byte("ada"), []byte(tag)) })
		},
	}
}

// TestTroubleOfTheDisk: at each step of each way in which a store writes, a file system that became read-only, a used
// up quota, a full disk and a failing disk are refusals with a sentence, never internal errors; what was stored before
// stays, and a store that no longer takes writes says so in its health.
func TestTroubleOfTheDisk(t *testing.T) {
	for name, write := range writePaths() {
		t.Run(name, func(t *testing.T) {
			dir, runs := t.TempDir(), 0
			run := func(f *storetest.Fault) (s *store.Store, tag string, err error) {
				runs++
				s, tag = storetest.Open(t, dir, storetest.WithFaults(f.On())), fmt.Sprint(runs)
				publish(t, s, "a", ver(tag, storetest.Put(t, s, "old bytes")))
				f.Arm()
				return s, tag, write(s, tag)
			}
			var probe *storetest.Fault
			for range 2 { // the first one makes what later ones find
				probe = &storetest.Fault{}
				s, _, err := run(probe)
				must(t, err)
				must(t, s.Close())
			}
			nth := map[string]int{}
			for _, op := range probe.Steps() {
				nth[op]++
				for _, number := range []syscall.Errno{syscall.EROFS, syscall.EIO, syscall.EDQUOT, syscall.ENOSPC} {
					s, tag, err := run(&storetest.Fault{Op: op, Nth: nth[op], Before: true, Err: asWrite(op, number)})
					testTrouble(t, op+" ends with "+number.Error(), s, op, number, err)
					if err != nil && !has(t, s, "a", tag) {
						t.Errorf("%s ends with %s: what was there before is gone", op, number)
					}
					must(t, s.Close())
				}
			}
			storetest.Open(t, dir) // and is checked
		})
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
