package store

// This file is the rig of the tests that look inside this package: stores that are checked when the test ends, faults,
// a clock, and what is said to blobs, uploads and versions. Tests that need no look inside use rig_external_test.go.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

// The sizes at which package disk begins to treat a body otherwise: it goes to a file, through large buffers, and is
// written back early.
const (
	smallBuffer   = 32 << 10
	largeBuffer   = 1 << 20
	writebackStep = 8 << 20
)

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// openBytes opens a store whose test ends with the full check.
func openBytes(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	if o.Reserve == 0 {
		o.Reserve = -1
	}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeChecked(t, s) })
	return s
}

// closeChecked closes s, checks the folder as the next process would find it, and does nothing the second time.
func closeChecked(t testing.TB, s *Store) {
	t.Helper()
	if s.db.Path() == "" {
		return
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	mustBeSound(t, s.files.Dir())
}

func mustBeSound(t testing.TB, dir string) {
	t.Helper()
	s, err := Open(dir, Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rep, err := s.Check(context.Background(), CheckOptions{Deep: true})
	if err != nil {
		t.Error(err)
	}
	for _, p := range rep.Problems {
		t.Errorf("check: %v", p)
	}
}

// crash drops s the way a dead process does: nothing is flushed or removed, only the lock goes.
func crash(t testing.TB, s *Store) {
	t.Helper()
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// randomBytes is the same for the same seed.
func randomBytes(seed uint64, n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(p)
	return p
}

func mustPut(t testing.TB, s *Store, p []byte) Blob {
	t.Helper()
	b, err := s.PutBytes(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustHave(t testing.TB, s *Store, d digest.Digest, want []byte) {
	t.Helper()
	f, b, err := s.OpenBlob(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) || b.Size != int64(len(want)) {
		t.Fatalf("blob %s: %d bytes (record %d), error %v; want %d bytes", d, len(got), b.Size, err, len(want))
	}
}

func mustLack(t testing.TB, s *Store, d digest.Digest) {
	t.Helper()
	if _, err := s.StatBlob(context.Background(), d); !errors.Is(err, ErrNotFound) {
		t.Fatalf("blob %s: error %v, want ErrNotFound", d, err)
	}
	if d.Algorithm() == digest.SHA256 && !isGone(s, disk.BlobPath(d)) {
		t.Fatalf("blob %s: the file is still there", d)
	}
}

// isGone reports whether there is no file at path, which is relative to the data folder.
func isGone(s *Store, path string) bool {
	_, err := os.Lstat(s.files.Path(path))
	return errors.Is(err, os.ErrNotExist)
}

// inFlight lists uploads/.
func inFlight(t testing.TB, s *Store) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.files.Path(disk.UploadsDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

var errFault = errors.New("injected fault")

// fault fails the nth step of one kind once armed, before or after it was done.
type fault struct {
	op, prefix string
	after      bool
	err        error // default errFault

	mu    sync.Mutex
	armed bool
	skip  int
	hits  int
	steps []string // every step while armed, for tests of the sequence
}

func (f *fault) arm(skip int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.skip, f.hits, f.steps = true, skip, 0, nil
}

func (f *fault) disarm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
}

func (f *fault) hit(op, path string, after bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return nil
	}
	if !after && op != "statfs" {
		f.steps = append(f.steps, op)
	}
	if op != f.op || after != f.after || !strings.HasPrefix(path, f.prefix) {
		return nil
	}
	if f.skip--; f.skip >= 0 || f.hits > 0 {
		return nil
	}
	f.hits++
	if f.err != nil {
		return f.err
	}
	return errFault
}

func (f *fault) Before(op, path string) error { return f.hit(op, path, false) }
func (f *fault) After(op, path string) error  { return f.hit(op, path, true) }

// trickle hands out at most n bytes per read and ends with err.
type trickle struct {
	r   io.Reader
	n   int
	err error
}

func (r *trickle) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), r.n)])
	if err == io.EOF && r.err != nil {
		err = r.err
	}
	return n, err
}

// meta is the metadata of these tests' versions.
type meta struct {
	Note string `json:"note"`
}

func publish(ctx context.Context, s *Store, name, id string, b Blob) error {
	return NewRepo[meta](s, NPM).Update(ctx, name, func(p *PackageTx[meta]) error {
		return p.Publish(Version[meta]{ID: id, Files: []File{{Name: id + ".tgz", Digest: b.Digest, Size: b.Size}}})
	})
}

func unpublish(ctx context.Context, s *Store, name, id string) error {
	return NewRepo[meta](s, NPM).Update(ctx, name, func(p *PackageTx[meta]) error { return p.Delete(id, false) })
}

func mustSweep(t testing.TB, s *Store, o SweepOptions) SweepReport {
	t.Helper()
	rep, err := s.Sweep(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func mustStart(t testing.TB, s *Store) string {
	t.Helper()
	id, err := s.StartUpload(context.Background(), OCI, "app")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustResume(t testing.TB, s *Store, id string) *Upload {
	t.Helper()
	u, err := s.ResumeUpload(context.Background(), OCI, "app", id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Release)
	return u
}

func mustAppend(t testing.TB, s *Store, id string, p []byte, at int64) {
	t.Helper()
	u := mustResume(t, s, id)
	defer u.Release()
	if n, err := u.Append(context.Background(), bytes.NewReader(p), at); n != int64(len(p)) || err != nil {
		t.Fatalf("append: %d of %d bytes, %v", n, len(p), err)
	}
}

func mustOffset(t testing.TB, s *Store, id string, want int) {
	t.Helper()
	if n, err := s.UploadOffset(context.Background(), OCI, "app", id); n != int64(want) || err != nil {
		t.Fatalf("offset %d, %v; want %d", n, err, want)
	}
}

func mustCommit(t testing.TB, s *Store, id string, want digest.Digest) Blob {
	t.Helper()
	b, err := mustResume(t, s, id).Commit(context.Background(), want, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
