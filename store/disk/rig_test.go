package disk

// This file is the rig of this package's tests: folders, faults, a clock, and what is said to uploads.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// key signs the ids of uploads in these tests.
var key = []byte("0123456789abcdef0123456789abcdef")

var (
	app = Owner{Kind: "oci", Package: "app"}
	ada = Owner{Kind: "oci", Package: "app", User: "ada"}
)

var ctx = context.Background()

// openFolder opens dir without a reserve, and closes it when the test ends.
func openFolder(t testing.TB, dir string, o Options) *Folder {
	t.Helper()
	if o.Reserve == 0 {
		o.Reserve = -1
	}
	f, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func newFolder(t testing.TB) *Folder {
	t.Helper()
	return openFolder(t, t.TempDir(), Options{})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr fails the test unless err is want, nil for none.
func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// file makes the bytes of a finished stage a blob, as package store does around its record.
func file(t testing.TB, st *Stage) (Blob, error) {
	t.Helper()
	k, small, err := FinishStage(st)
	if err != nil {
		return Blob{}, err
	}
	b := k.Blob()
	if small != nil {
		b = Blob{Digest: digest.FromBytes(small), Size: int64(len(small))}
		err = k.Fill(small)
	}
	if err == nil {
		err = k.Sync(b.Digest)
	}
	if err == nil {
		err = k.Place(b.Digest)
	}
	if err == nil {
		CommitStage(st, b)
	}
	return b, err
}

// put makes p a blob.
func put(t testing.TB, f *Folder, p []byte) Blob {
	t.Helper()
	k, err := f.NewSink()
	must(t, err)
	must(t, k.Fill(p))
	b := Blob{Digest: digest.FromBytes(p), Size: int64(len(p))}
	must(t, k.Sync(b.Digest))
	must(t, k.Place(b.Digest))
	return b
}

// wantBlob fails the test unless the bytes of b are want.
func wantBlob(t testing.TB, f *Folder, b Blob, want []byte) {
	t.Helper()
	file, err := f.OpenBlob(b)
	must(t, err)
	defer file.Close()
	got, err := io.ReadAll(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("blob %s: %d bytes, error %v; want %d bytes", b.Digest, len(got), err, len(want))
	}
}

// wantUploads fails the test unless uploads/ has these files, in order.
func wantUploads(t testing.TB, f *Folder, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(f.Path(UploadsDir))
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("uploads/ has %q, want %q", got, want)
	}
}

func start(t testing.TB, f *Folder, owner Owner) string {
	t.Helper()
	id, err := f.StartUpload(key, owner)
	must(t, err)
	return id
}

// resume takes the upload; it is released when the test ends.
func resume(t testing.TB, f *Folder, owner Owner, id string) *Upload {
	t.Helper()
	s, err := f.FindUpload(key, owner, id)
	must(t, err)
	u, err := s.Resume(ctx)
	must(t, err)
	t.Cleanup(u.Release)
	return u
}

// appendTo is a request that adds p at the end.
func appendTo(t testing.TB, f *Folder, id string, p []byte) {
	t.Helper()
	u := resume(t, f, app, id)
	defer u.Release()
	if n, err := u.Append(ctx, bytes.NewReader(p), u.Offset()); n != int64(len(p)) || err != nil {
		t.Fatalf("append: %d of %d bytes, %v", n, len(p), err)
	}
}

func wantOffset(t testing.TB, f *Folder, id string, want int) {
	t.Helper()
	s, err := f.FindUpload(key, app, id)
	must(t, err)
	if n, err := s.Offset(); n != int64(want) || err != nil {
		t.Fatalf("offset %d, %v; want %d", n, err, want)
	}
}

// commit makes the upload the blob want, as package store does around its record.
func commit(t testing.TB, f *Folder, id string, want digest.Digest) Blob {
	t.Helper()
	u := resume(t, f, app, id)
	k, b, landed, err := u.Finish(ctx, want)
	must(t, err)
	if landed {
		t.Fatal("the upload is a blob before its commit")
	}
	must(t, k.Sync(b.Digest))
	must(t, k.Place(b.Digest))
	u.Tried(b)
	u.Committed()
	return b
}

// random is the same for the same seed.
func random(seed uint64, n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(p)
	return p
}

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

var errFault = errors.New("injected fault")

// fault fails every step op while it is armed, before or after it was done, and remembers the steps that it saw.
type fault struct {
	op    string
	after bool
	once  bool  // only the first one
	err   error // nil: errFault

	mu     sync.Mutex // guards the rest
	armed  bool
	struck bool
	steps  []string
}

func (h *fault) arm(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed, h.steps = on, nil
}

func (h *fault) seen() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.steps, " ")
}

func (h *fault) strike(op string, after bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.armed {
		return nil
	}
	if !after && op != "statfs" {
		h.steps = append(h.steps, op)
	}
	if op != h.op || after != h.after || h.struck && h.once {
		return nil
	}
	h.struck = true
	if h.err != nil {
		return h.err
	}
	return errFault
}

// Before implements Faults.
func (h *fault) Before(op, _ string) error { return h.strike(op, false) }

// After implements Faults.
func (h *fault) After(op, _ string) error { return h.strike(op, true) }

// trickle hands out at most n bytes a read and ends with err.
type trickle struct {
	r   io.Reader
	n   int
	err error
}

// Read implements io.Reader.
func (r *trickle) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), r.n)])
	if err == io.EOF && r.err != nil {
		err = r.err
	}
	return n, err
}
