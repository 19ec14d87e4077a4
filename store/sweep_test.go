package store

// This file tests what the sweeper removes, what it leaves, and that it races with nobody.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

func TestSweepWaitsForTheGrace(t *testing.T) {
	c := newClock()
	s := openBytes(t, t.TempDir(), Options{Now: c.now})
	ctx := context.Background()
	loose, held, touched := mustPut(t, s, []byte("loose")), mustPut(t, s, []byte("held")), mustPut(t, s, []byte("touched"))
	if err := publish(ctx, s, "pkg", "1.0.0", held); err != nil {
		t.Fatal(err)
	}
	if rep := mustSweep(t, s, SweepOptions{}); rep != (SweepReport{}) {
		t.Errorf("a sweep at once: %+v, want nothing reviewed", rep)
	}
	c.move(40 * time.Minute)
	s.Touch(touched.Digest)
	c.move(30 * time.Minute)
	want := SweepReport{Reviewed: 3, Held: 1, Postponed: 1, Blobs: 1, Bytes: loose.Size}
	dry := mustSweep(t, s, SweepOptions{DryRun: true})
	if dry != want {
		t.Errorf("dry run: %+v, want %+v", dry, want)
	}
	mustHave(t, s, loose.Digest, []byte("loose"))
	var progress [2]int64
	rep := mustSweep(t, s, SweepOptions{Progress: func(done, total int64) { progress = [2]int64{done, total} }})
	if rep != want || progress[0] != progress[1] || progress[1] == 0 {
		t.Errorf("sweep: %+v, want %+v; progress %v", rep, want, progress)
	}
	mustLack(t, s, loose.Digest)
	c.move(2 * time.Hour)
	if rep := mustSweep(t, s, SweepOptions{}); rep.Blobs != 1 {
		t.Errorf("the sweep after the touch ran out: %+v, want one blob removed", rep)
	}
	mustLack(t, s, touched.Digest)
	mustHave(t, s, held.Digest, []byte("held"))
	if err := unpublish(ctx, s, "pkg", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	c.move(30 * time.Minute)
	mustSweep(t, s, SweepOptions{})
	mustHave(t, s, held.Digest, []byte("held"))
	c.move(2 * time.Hour)
	if rep := mustSweep(t, s, SweepOptions{}); rep.Blobs != 1 {
		t.Errorf("the sweep after the deletion: %+v, want one blob removed", rep)
	}
	mustLack(t, s, held.Digest)
}

func TestSweptBlobsLeaveTheMemory(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	b := mustPut(t, s, []byte("small"))
	if p, err := s.ReadBlob(context.Background(), b.Digest, 5); err != nil || string(p) != "small" {
		t.Fatalf("ReadBlob: %q, %v; want small", p, err)
	}
	if _, err := s.ReadBlob(context.Background(), b.Digest, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("ReadBlob above the limit: %v, want ErrTooLarge", err)
	}
	zero := time.Duration(0)
	mustSweep(t, s, SweepOptions{Grace: &zero})
	if _, err := s.ReadBlob(context.Background(), b.Digest, 5); !errors.Is(err, ErrNotFound) {
		t.Errorf("ReadBlob of a swept blob: %v, want ErrNotFound", err)
	}
	if s.small.get(b.Digest) != nil {
		t.Error("the bytes are still in memory")
	}
}

func TestSweepRefusesAndPauses(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	b := mustPut(t, s, []byte("x"))
	zero := time.Duration(0)
	resume := s.pauseSweep()
	if rep := mustSweep(t, s, SweepOptions{Grace: &zero}); !rep.Paused || rep.Blobs != 0 {
		t.Errorf("a paused sweep: %+v, want it to say so and remove nothing", rep)
	}
	mustHave(t, s, b.Digest, []byte("x"))
	resume()
	resume()
	s.SetReadOnly("test")
	if _, err := s.Sweep(context.Background(), SweepOptions{Grace: &zero}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a sweep of a read-only store: %v, want ErrReadOnly", err)
	}
	if rep := mustSweep(t, s, SweepOptions{Grace: &zero, DryRun: true}); rep.Blobs != 1 {
		t.Errorf("a dry run on a read-only store: %+v, want one blob", rep)
	}
	s.SetReadOnly("")
	if rep := mustSweep(t, s, SweepOptions{Grace: &zero}); rep.Blobs != 1 {
		t.Errorf("the sweep after that: %+v, want one blob removed", rep)
	}
}

func TestSweepGoesThroughManyPages(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	s.db.NoSync = true
	n := int64(2*sweepPage + 9)
	for i := range n {
		mustPut(t, s, fmt.Append(nil, i))
	}
	zero := time.Duration(0)
	if rep := mustSweep(t, s, SweepOptions{Grace: &zero, DryRun: true}); rep.Blobs != n {
		t.Errorf("the dry run: %+v, want %d blobs", rep, n)
	}
	if rep := mustSweep(t, s, SweepOptions{Grace: &zero}); rep.Blobs != n {
		t.Errorf("the sweep: %+v, want %d blobs", rep, n)
	}
	if rep := mustSweep(t, s, SweepOptions{Grace: &zero}); rep.Reviewed != 0 {
		t.Errorf("the second sweep: %+v, want nothing reviewed", rep)
	}
}

// Publishers and the sweeper, without any grace, fight over few digests: whoever is told that his publish worked can
// read his bytes.
func TestPublishedBytesAreNotSwept(t *testing.T) {
	c := newClock()
	s := openBytes(t, t.TempDir(), Options{Now: c.now, Grace: time.Second})
	s.db.NoSync = true
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	zero := time.Duration(0)
	var sweepers, writers sync.WaitGroup
	for range 2 {
		sweepers.Go(func() {
			for ctx.Err() == nil {
				c.move(2 * time.Second)
				if _, err := s.Sweep(context.Background(), SweepOptions{Grace: &zero}); err != nil {
					t.Error(err)
				}
				if err := s.Reconcile(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	published := make([]int, 4)
	for i := range published {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if fight(t, s, fmt.Sprintf("pkg%d", i), n) {
					published[i]++
				}
			}
		})
	}
	writers.Wait()
	sweepers.Wait()
	if slices.Max(published) == 0 {
		t.Error("nobody published anything: the race was not run")
	}
	t.Logf("publishes that won: %v", published)
}

// fight publishes one of three bodies, reads it and deletes it again; false when the sweeper took the blob first.
func fight(t *testing.T, s *Store, pkg string, n int) bool {
	ctx := context.Background()
	body := bytes.Repeat([]byte{byte(n % 3)}, []int{10, smallBuffer + 1, 70000}[n%3])
	var b Blob
	var err error
	if n%2 == 0 {
		b, err = s.PutBytes(ctx, body)
	} else {
		id, failed := s.StartUpload(ctx, NPM, pkg)
		if failed != nil {
			t.Error(failed)
			return false
		}
		u, failed := s.ResumeUpload(ctx, NPM, pkg, id)
		if failed != nil {
			t.Error(failed)
			return false
		}
		_, failed = u.Append(ctx, bytes.NewReader(body), 0)
		b, err = u.Commit(ctx, digest.FromBytes(body), nil)
		err = errors.Join(failed, err)
	}
	if err != nil {
		t.Error(err)
		return false
	}
	id := fmt.Sprint(n)
	if err := publish(ctx, s, pkg, id, b); err != nil {
		if !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		return false
	}
	f, _, err := s.OpenBlob(ctx, b.Digest)
	if err != nil {
		t.Errorf("a published blob is gone: %v", err)
		return false
	}
	f.Close()
	if err := unpublish(ctx, s, pkg, id); err != nil {
		t.Error(err)
	}
	return true
}

func TestReconcileRemovesWhatBelongsToNobody(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	s := openBytes(t, dir, Options{Now: c.now})
	ctx := context.Background()
	kept := mustPut(t, s, []byte("kept"))
	if err := publish(ctx, s, "pkg", "1.0.0", kept); err != nil {
		t.Fatal(err)
	}
	forgotten := mustPut(t, s, []byte("forgotten"))
	dropReviews(t, s)
	session := mustStart(t, s)
	mustAppend(t, s, session, []byte("half"), 0)
	live, err := s.Stage(ctx, StageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Abort()
	if _, err := live.Write(make([]byte, 2*smallBuffer)); err != nil {
		t.Fatal(err)
	}
	orphan := digest.FromString("orphan")
	stage, other := disk.UploadsDir+"/stage-OLD", disk.UploadsDir+"/0198f0a0-0000-7000-8000-000000000000"
	for _, path := range []string{disk.BlobPath(orphan), stage, other} {
		if err := os.WriteFile(s.files.Path(path), []byte("orphan"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reconcile := func() {
		t.Helper()
		if err := s.Reconcile(ctx); err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	if left := inFlight(t, s); len(left) != 2 {
		t.Errorf("in uploads: %v, want the live stage and the session", left)
	}
	if isGone(s, disk.BlobPath(orphan)) {
		t.Error("a young orphan was removed")
	}
	c.move(3 * time.Hour)
	reconcile()
	mustLack(t, s, orphan)
	mustLack(t, s, forgotten.Digest)
	mustHave(t, s, kept.Digest, []byte("kept"))
	mustOffset(t, s, session, 4)
}

// dropReviews is what a bug or a repaired database could have done.
func dropReviews(t *testing.T, s *Store) {
	t.Helper()
	err := s.Update(context.Background(), func(tx *Tx) error {
		for k := range tx.scan(bucketReview, nil, nil) {
			if err := tx.del(bucketReview, bytes.Clone(k)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamagedBlobIsRepairedByAPush(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ctx := context.Background()
	b := mustPut(t, s, []byte("whole"))
	for _, damage := range []func(path string) error{
		os.Remove,
		func(path string) error { return errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 2)) },
	} {
		if err := damage(s.files.Path(disk.BlobPath(b.Digest))); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.OpenBlob(ctx, b.Digest); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("OpenBlob of a damaged blob: %v, want an error, and not ErrNotFound", err)
		}
		mustPut(t, s, []byte("whole")) // pushing it again repairs it
		mustHave(t, s, b.Digest, []byte("whole"))
	}
}

func TestBlobCacheKeepsWhatIsUsed(t *testing.T) {
	var c blobCache
	c.init(10 * cost(make([]byte, 100)))
	d := func(i int) digest.Digest { return digest.FromString(fmt.Sprint(i)) }
	for i := range 20 {
		c.put(d(i), make([]byte, 100), 0)
		c.get(d(0))
	}
	if c.get(d(0)) == nil || c.get(d(1)) != nil || c.get(d(19)) == nil || c.used > c.budget {
		t.Errorf("kept: first %v, second %v, last %v; %d of %d bytes",
			c.get(d(0)) != nil, c.get(d(1)) != nil, c.get(d(19)) != nil, c.used, c.budget)
	}
	c.put(d(30), make([]byte, cachedBlob+1), 0)
	if c.get(d(30)) != nil {
		t.Error("a large blob was kept")
	}
	c.drop(d(0))
	c.put(d(0), make([]byte, 1), 0)
	if c.get(d(0)) != nil {
		t.Error("a reader that began before the sweep put the blob back")
	}
}

// TestDryRunForetellsTheSweep: for blobs in every state, with every grace, a dry run says what the sweep then does, and
// does nothing itself.
func TestDryRunForetellsTheSweep(t *testing.T) {
	for _, grace := range []time.Duration{0, 10 * time.Minute, time.Hour, 3 * time.Hour} {
		c := newClock()
		s := openBytes(t, t.TempDir(), Options{Now: c.now})
		ctx := context.Background()
		hold := func(b Blob) {
			t.Helper()
			err := NewRepo[meta](s, NPM).Update(ctx, "pkg", func(p *PackageTx[meta]) error { return p.Hold(b) })
			if err != nil {
				t.Fatal(err)
			}
		}
		old, held, loose, deleted := mustPut(t, s, []byte("old")), mustPut(t, s, []byte("held")),
			mustPut(t, s, []byte("loose")), mustPut(t, s, []byte("deleted"))
		for id, b := range map[string]Blob{"1": held, "2": deleted} {
			if err := publish(ctx, s, "pkg", id, b); err != nil {
				t.Fatal(err)
			}
		}
		hold(loose)
		if err := unpublish(ctx, s, "pkg", "2"); err != nil {
			t.Fatal(err)
		}
		c.move(90 * time.Minute)
		young, touched := mustPut(t, s, []byte("young")), mustPut(t, s, []byte("touched"))
		hold(young)
		s.Touch(touched.Digest)
		c.move(30 * time.Minute)
		dry := mustSweep(t, s, SweepOptions{DryRun: true, Grace: &grace})
		for _, b := range []Blob{old, held, loose, deleted, young, touched} {
			if _, err := s.StatBlob(ctx, b.Digest); err != nil {
				t.Errorf("grace %v: a dry run removed %s: %v", grace, b.Digest, err)
			}
		}
		if got := mustSweep(t, s, SweepOptions{Grace: &grace}); got != dry {
			t.Errorf("grace %v: the sweep did %+v, foretold was %+v", grace, got, dry)
		}
		mustHave(t, s, held.Digest, []byte("held"))
		if _, err := s.StatBlob(ctx, old.Digest); (grace <= time.Hour) != errors.Is(err, ErrNotFound) {
			t.Errorf("grace %v: the blob that nobody held for two hours: %v", grace, err)
		}
	}
}
