package store

// This file tests that each durable step can fail once, with and without its effect, and the folder stays sound.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

// nth fails the nth durable step of whatever runs while it is armed, and remembers which one that was.
type nth struct {
	n     int
	after bool

	mu    sync.Mutex
	armed bool
	count int
	hit   string
}

func (f *nth) Before(op, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || op == "statfs" {
		return nil
	}
	f.count++
	if f.count == f.n && !f.after {
		f.hit = op
		return errFault
	}
	return nil
}

func (f *nth) After(op, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || op == "statfs" || f.count != f.n || !f.after || f.hit != "" {
		return nil
	}
	f.hit = op
	return errFault
}

func (f *nth) arm(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = on
}

// scenario is something a user does to a store; it is run once for each step and flavour of fault.
type scenario struct {
	name string
	run  func(ctx context.Context, s *Store) error
	want []byte // blob that must be there when run succeeded
}

func scenarios() []scenario {
	small, large := []byte("small"), randomBytes(1, largeBuffer+10)
	return []scenario{
		{"put", func(ctx context.Context, s *Store) error {
			_, err := s.PutBytes(ctx, small)
			return err
		}, small},
		{"stage", func(ctx context.Context, s *Store) error { return stageAll(ctx, s, large) }, large},
		{"upload", func(ctx context.Context, s *Store) error { return uploadAll(ctx, s, large) }, large},
		{"publish", func(ctx context.Context, s *Store) error {
			b, err := s.PutBytes(ctx, small)
			if err != nil {
				return err
			}
			err = publish(ctx, s, "pkg", "1.0.0", b)
			if errors.Is(err, ErrExists) { // the try before was reported as failed and yet persisted
				return nil
			}
			return err
		}, small},
		{"sweep", func(ctx context.Context, s *Store) error {
			if _, err := s.PutBytes(ctx, small); err != nil {
				return err
			}
			zero := time.Duration(0)
			_, err := s.Sweep(ctx, SweepOptions{Grace: &zero})
			return err
		}, nil},
	}
}

func stageAll(ctx context.Context, s *Store, p []byte) error {
	st, err := s.Stage(ctx, StageOptions{Size: int64(len(p))})
	if err != nil {
		return err
	}
	defer st.Abort()
	if _, err := st.ReadFrom(bytes.NewReader(p)); err != nil {
		return err
	}
	_, err = st.Commit(ctx)
	return err
}

func uploadAll(ctx context.Context, s *Store, p []byte) error {
	id, err := s.StartUpload(ctx, OCI, "app")
	if err != nil {
		return err
	}
	for at := 0; at < len(p); at += len(p)/2 + 1 {
		u, err := s.ResumeUpload(ctx, OCI, "app", id)
		if err != nil {
			return err
		}
		_, err = u.Append(ctx, bytes.NewReader(p[at:min(at+len(p)/2+1, len(p))]), int64(at))
		u.Release()
		if err != nil {
			return err
		}
	}
	u, err := s.ResumeUpload(ctx, OCI, "app", id)
	if err != nil {
		return err
	}
	defer u.Release()
	_, err = u.Commit(ctx, digest.FromBytes(p), nil)
	return err
}

// TestEveryFailedStepLeavesASoundFolder: every durable step of every scenario fails once without and once with its
// effect. Afterwards the process dies, or goes on; in both cases the folder passes the full check, and the scenario can
// be run again to its end.
func TestEveryFailedStepLeavesASoundFolder(t *testing.T) {
	for _, st := range scenarios() {
		for _, after := range []bool{false, true} {
			for _, dies := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/persisted=%v/dies=%v", st.name, after, dies), func(t *testing.T) {
					t.Parallel()
					for n := 1; runWithFault(t, st, &nth{n: n, after: after}, dies); n++ {
					}
				})
			}
		}
	}
}

// runWithFault reports false when the scenario has fewer than h.n steps.
func runWithFault(t *testing.T, st scenario, h *nth, dies bool) (more bool) {
	t.Run(fmt.Sprint(h.n), func(t *testing.T) {
		dir := t.TempDir()
		ctx := context.Background()
		s := openBytes(t, dir, Options{Faults: h})
		h.arm(true)
		err := st.run(ctx, s)
		h.arm(false)
		if more = h.hit != ""; !more {
			if err != nil {
				t.Fatalf("without a fault: %v", err)
			}
			return
		}
		final := h.hit == "fsync" || h.hit == "syncdir" || h.hit == "commit"
		if err == nil && final {
			t.Errorf("a failed %s was not reported", h.hit)
		}
		if broken := errors.Is(s.Health(), ErrReadOnly); broken != final {
			t.Errorf("after a failed %s: read-only %v, want %v", h.hit, broken, final)
		}
		switch {
		case final && !dies:
			return // going on is refused, which is the same as dying
		case dies:
			crash(t, s)
			mustBeSound(t, dir)
			s = openBytes(t, dir, Options{})
		}
		if err := s.Reconcile(ctx); err != nil {
			t.Error(err)
		}
		if err := st.run(ctx, s); err != nil {
			t.Fatalf("after a failed %s it cannot be done again: %v", h.hit, err)
		}
		if st.want != nil {
			mustHave(t, s, digest.FromBytes(st.want), st.want)
		} else {
			mustLack(t, s, digest.FromBytes([]byte("small")))
		}
	})
	return more
}

func TestFailedFsyncIsFinal(t *testing.T) {
	for _, op := range []string{"fsync", "syncdir"} {
		h := &fault{op: op}
		s := openBytes(t, t.TempDir(), Options{Faults: h})
		ctx := context.Background()
		before := mustPut(t, s, []byte("before"))
		h.arm(0)
		if _, err := s.PutBytes(ctx, []byte("during")); !errors.Is(err, errFault) {
			t.Errorf("%s: %v", op, err)
		}
		h.disarm()
		if _, err := s.PutBytes(ctx, []byte("after")); !errors.Is(err, ErrReadOnly) {
			t.Errorf("after a failed %s: %v, want ErrReadOnly", op, err)
		}
		if _, err := s.Stage(ctx, StageOptions{}); !errors.Is(err, ErrReadOnly) {
			t.Errorf("Stage: %v", err)
		}
		if _, err := s.StartUpload(ctx, OCI, "app"); !errors.Is(err, ErrReadOnly) {
			t.Errorf("StartUpload: %v", err)
		}
		s.SetReadOnly("")
		if err := s.Health(); !errors.Is(err, ErrReadOnly) {
			t.Errorf("Health: %v", err)
		}
		mustHave(t, s, before.Digest, []byte("before"))
	}
}

func TestLayoutIsCompleted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := openBytes(t, dir, Options{})
	closeChecked(t, s)
	if err := os.Remove(filepath.Join(dir, disk.BlobsDir, "7f")); err != nil {
		t.Fatal(err)
	}
	s = openBytes(t, dir, Options{})
	shards, err := os.ReadDir(s.files.Path(disk.BlobsDir))
	if err != nil || len(shards) != 256 {
		t.Errorf("%d shard folders, %v", len(shards), err)
	}
	b := mustPut(t, s, []byte("x"))
	st, err := os.Stat(s.files.Path(disk.BlobPath(b.Digest)))
	if err != nil || st.Mode().Perm()&0o222 != 0 {
		t.Errorf("the blob's mode is %v, %v", st.Mode(), err)
	}
}

// TestDatabaseThatCannotGrow: bbolt keeps only the text of the system's error; a full disk is told from others by it,
// and loses nothing.
func TestDatabaseThatCannotGrow(t *testing.T) {
	for _, c := range []struct {
		err     error
		want    error
		refused bool
	}{
		{errors.New("file resize error: truncate larder.db: no space left on device"), syscall.ENOSPC, true},
		{errors.New("file resize error: truncate larder.db: disk quota exceeded"), syscall.EDQUOT, true},
		{errors.New("file resize error: truncate larder.db: read-only file system"), syscall.EROFS, true},
		{&fs.PathError{Op: "write", Path: "larder.db", Err: syscall.ENOSPC}, syscall.ENOSPC, true},
		{errors.New("file resize error: truncate larder.db: input/output error"), nil, false},
		{errors.New("no space left on device"), nil, false},
		{syscall.ENOSPC, syscall.ENOSPC, false}, // of an fsync: nobody knows what is on disk
		{nil, nil, false},
	} {
		got := growth(c.err)
		if c.want != nil && !errors.Is(got, c.want) || c.err != nil && !strings.Contains(got.Error(), c.err.Error()) {
			t.Errorf("growth(%v) is %v, want %v in it", c.err, got, c.want)
		}
		if refused := isRefusedWrite(got); refused != c.refused {
			t.Errorf("%v is a write that changed nothing: %t, want %t", got, refused, c.refused)
		}
	}
}
