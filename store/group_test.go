package store_test

// This file tests that writers that share a commit do not share their errors.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

var errMine = errors.New("mine")

// TestWritersThatShareACommitFailAlone lets good, failing, panicking and cancelled writers meet. Each gets its own
// result, and exactly what the good ones wrote is there.
func TestWritersThatShareACommitFailAlone(t *testing.T) {
	s := storetest.New(t)
	const writers, rounds = 32, 8
	var hooks atomic.Int64
	var wg sync.WaitGroup
	write := func(w, n int) error {
		c, cancel := context.WithCancel(ctx)
		defer cancel()
		return s.Update(c, func(tx *store.Tx) error {
			key := fmt.Appendf(nil, "%03d-%03d", w, n)
			switch w % 8 {
			case 5: // refuses before it writes
				return errMine
			case 6: // refuses after it wrote
				must(t, tx.Table("test.t").Put(key, key))
				return errMine
			case 7:
				must(t, tx.Table("test.t").Put(key, key))
				panic("oops")
			}
			tx.OnCommit(func() { hooks.Add(1) })
			return tx.Table("test.t").Put(key, key)
		})
	}
	for w := range writers {
		wg.Go(func() {
			for n := range rounds {
				err := write(w, n)
				switch w % 8 {
				case 5, 6:
					if !errors.Is(err, errMine) {
						t.Errorf("writer %d, which refuses: %v, want its own error", w, err)
					}
				case 7:
					if err == nil || !strings.Contains(err.Error(), "oops") {
						t.Errorf("writer %d, which panics: %v, want an error with its panic", w, err)
					}
				default:
					if err != nil {
						t.Errorf("writer %d: %v, want success", w, err)
					}
				}
			}
		})
	}
	wg.Wait()
	rows := 0
	must(t, s.View(ctx, func(tx *store.Tx) error {
		for k := range tx.Table("test.t").Scan(nil, nil) {
			var w, n int
			if _, err := fmt.Sscanf(string(k), "%d-%d", &w, &n); err != nil || w%8 > 4 {
				t.Errorf("row %s of a writer that failed", k)
			}
			rows++
		}
		return nil
	}))
	if want := writers / 8 * 5 * rounds; rows != want || hooks.Load() != int64(want) {
		t.Errorf("%d rows and %d hooks, want %d", rows, hooks.Load(), want)
	}
}

// TestSharedCommitsCountOnce changes one row from many goroutines: a re-run must not count twice.
func TestSharedCommitsCountOnce(t *testing.T) {
	s := storetest.New(t)
	const writers = 64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			err := s.Update(ctx, func(tx *store.Tx) error {
				table := tx.Table("test.n")
				n := byte(0)
				if v := table.Get([]byte("n")); v != nil {
					n = v[0]
				}
				must(t, table.Put([]byte("n"), []byte{n + 1}))
				if w%4 == 0 {
					return errMine
				}
				return nil
			})
			if (w%4 == 0) != errors.Is(err, errMine) {
				t.Errorf("writer %d: %v, want its own error %t", w, err, w%4 == 0)
			}
		})
	}
	wg.Wait()
	must(t, s.View(ctx, func(tx *store.Tx) error {
		if n := tx.Table("test.n").Get([]byte("n"))[0]; n != writers*3/4 {
			t.Errorf("counted %d, want %d", n, writers*3/4)
		}
		return nil
	}))
}

func TestCancelledTransactionDoesNotRun(t *testing.T) {
	s := storetest.New(t)
	c, cancel := context.WithCancel(ctx)
	cancel()
	ran := false
	wantErr(t, s.Update(c, func(*store.Tx) error { ran = true; return nil }), context.Canceled)
	wantErr(t, s.View(c, func(*store.Tx) error { ran = true; return nil }), context.Canceled)
	if ran {
		t.Error("a cancelled transaction ran")
	}
}

// TestVisibleBeforeReturn checks the order of a commit: row, generation, hook, return.
func TestVisibleBeforeReturn(t *testing.T) {
	s := storetest.New(t)
	before := s.Generation(store.NPM, "a")
	kind := s.Generation(store.NPM, "")
	var inHook uint64
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		p.Tx().OnCommit(func() { inHook = s.Generation(store.NPM, "a") })
		return p.Publish(version{ID: "1"})
	}))
	if inHook <= before || s.Generation(store.NPM, "") <= kind {
		t.Errorf("generation %d, in the hook %d", before, inHook)
	}
}
