package store

// This file tests blobs that no record knows: moved aside, brought back, and never removed at once.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

// stray puts content into the folder as a blob that no record knows.
func stray(t testing.TB, s *Store, content string) digest.Digest {
	t.Helper()
	d := digest.FromString(content)
	// The file gets its age before it gets its name: whoever moves old files may be at work already.
	f, err := os.CreateTemp(t.TempDir(), "stray")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(content)
	old := s.opt.Now().Add(-3 * time.Hour)
	err = errors.Join(err, f.Chmod(0o440), f.Close(), os.Chtimes(f.Name(), old, old))
	if err = errors.Join(err, os.Rename(f.Name(), s.files.Path(disk.BlobPath(d)))); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOrphansAreKeptForAWeek(t *testing.T) {
	c := newClock()
	s := openBytes(t, t.TempDir(), Options{Now: c.now})
	ctx := context.Background()
	d := stray(t, s, "orphan")
	for _, step := range []struct {
		wait          time.Duration
		blobs, aside  bool
		moved, remove int64
	}{
		{0, false, true, 1, 0},
		{6 * 24 * time.Hour, false, true, 0, 0},
		{25 * time.Hour, false, false, 0, 1},
	} {
		c.move(step.wait)
		if err := s.Reconcile(ctx); err != nil {
			t.Fatal(err)
		}
		here, aside := !isGone(s, disk.BlobPath(d)), !isGone(s, disk.OrphanPath(d))
		if here != step.blobs || aside != step.aside {
			t.Errorf("after %v more: in blobs %v, in orphans %v; want %v and %v", step.wait, here, aside, step.blobs, step.aside)
		}
		if r, err := s.Orphans(); err != nil || r.Moved != step.moved || r.Removed != step.remove {
			t.Errorf("after %v more: %+v, %v; want %d moved, %d removed", step.wait, r, err, step.moved, step.remove)
		}
	}
}

// TestTooManyOrphansWait: a hundred go aside; more than that, and more than one in a hundred, wait for a word.
func TestTooManyOrphansWait(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ctx := context.Background()
	for i := range 100 {
		stray(t, s, fmt.Sprint("a", i))
	}
	if err := s.Reconcile(ctx); err != nil {
		t.Fatalf("a hundred: %v", err)
	}
	var last digest.Digest
	for i := range 101 {
		last = stray(t, s, fmt.Sprint("b", i))
	}
	err := s.Reconcile(ctx)
	if !errors.Is(err, ErrOrphans) || !strings.Contains(err.Error(), "larder gc --orphans") {
		t.Errorf("a hundred and one: %v, want ErrOrphans with a way on", err)
	}
	if isGone(s, disk.BlobPath(last)) {
		t.Error("one was moved without a word")
	}
	if r, err := s.Orphans(); r.Waiting != 101 || r.Kept != 100 || !errors.Is(err, ErrOrphans) {
		t.Errorf("the report says %+v, %v; want 101 waiting, 100 kept", r, err)
	}
	if r, err := s.MoveOrphans(ctx); err != nil || r.Moved != 101 || r.Kept != 201 {
		t.Errorf("told to: %+v, %v; want 101 moved, 201 kept", r, err)
	}
	if err := s.Reconcile(ctx); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestOrphansComeBack: when the database that knows them returns, when a reconcile finds their record, and when the
// same bytes are pushed.
func TestOrphansComeBack(t *testing.T) {
	ctx := context.Background()
	dir := withBlobs(t, 3)
	db := filepath.Join(dir, dbName)
	copyFile(t, db, db+".bak")
	if err := os.Remove(db); err != nil {
		t.Fatal(err)
	}
	c := newClock()
	c.move(1000 * 24 * time.Hour)
	s, err := Open(dir, Options{Reserve: -1, AcceptNewDatabase: true, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.MoveOrphans(ctx); err != nil || r.Moved != 3 {
		t.Fatalf("%+v, %v; want 3 moved", r, err)
	}
	pushed := mustPut(t, s, []byte("content 0"))
	mustHave(t, s, pushed.Digest, []byte("content 0"))
	second := digest.FromString("content 1")
	err = s.Update(ctx, func(tx *Tx) error {
		return errors.Join(tx.putBlob(Blob{Digest: second, Size: 9}), tx.queueReview(second))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Orphans(); err != nil || r.Returned != 1 || r.Removed != 1 || r.Kept != 1 {
		t.Errorf("%+v, %v; want 1 returned, 1 removed because it was pushed, 1 kept", r, err)
	}
	mustHave(t, s, second, []byte("content 1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	copyFile(t, db+".bak", db)
	mustBeSound(t, dir)
}

// TestOrphansAndPushesOfTheSameBytes: whoever was told that a push succeeded finds the bytes, however often the files
// are moved aside meanwhile.
func TestOrphansAndPushesOfTheSameBytes(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{Grace: time.Nanosecond})
	ctx := context.Background()
	stop := make(chan struct{})
	var movers sync.WaitGroup
	movers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.MoveOrphans(ctx); err != nil {
				t.Errorf("move: %v", err)
				return
			}
		}
	})
	var pushers sync.WaitGroup
	for p := range 4 {
		pushers.Go(func() {
			for i := range 30 {
				content := fmt.Sprint("content ", i)
				if i%3 == p%3 {
					stray(t, s, content+" stray")
				}
				b, err := s.PutBytes(ctx, []byte(content))
				if err == nil {
					err = publish(ctx, s, fmt.Sprintf("p%d-%d", p, i), "1.0.0", b)
				}
				if err != nil {
					t.Errorf("push: %v", err)
					return
				}
				mustHave(t, s, b.Digest, []byte(content))
			}
		})
	}
	pushers.Wait()
	close(stop)
	movers.Wait()
}

// TestMoveOrphansIsCutOffAnywhere fails every durable step of moving a file aside and of bringing it back: the bytes
// are always in one of the two places.
func TestMoveOrphansIsCutOffAnywhere(t *testing.T) {
	ctx := context.Background()
	for _, back := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				h := &nth{n: n, after: after}
				dir := t.TempDir()
				s := openBytes(t, dir, Options{Faults: h})
				d := stray(t, s, "orphan")
				if back {
					if _, err := s.MoveOrphans(ctx); err != nil {
						t.Fatal(err)
					}
					err := s.Update(ctx, func(tx *Tx) error {
						return errors.Join(tx.putBlob(Blob{Digest: d, Size: 6}), tx.queueReview(d))
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				h.arm(true)
				_, err := s.MoveOrphans(ctx)
				h.arm(false)
				if isGone(s, disk.BlobPath(d)) && isGone(s, disk.OrphanPath(d)) {
					t.Fatalf("back %v: after a failed %s the bytes are gone", back, h.hit)
				}
				crash(t, s)
				mustBeSound(t, dir)
				if h.hit == "" {
					if err != nil {
						t.Fatalf("without a fault: %v", err)
					}
					break
				}
			}
		}
	}
}
