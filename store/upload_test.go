package store

// This file tests resumable uploads: pieces, restarts, wrong digests, full disks.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/quick"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store/disk"
)

func TestUploadInPieces(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	body := randomBytes(1, 2*largeBuffer+5)
	id := mustStart(t, s)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("id %q is not a version 8 UUID", id)
	}
	mustOffset(t, s, id, 0)
	cuts := []int{0, 0, 1, 100, smallBuffer, 2*smallBuffer + 1, largeBuffer + 3, len(body), len(body)}
	for i := range cuts[1:] {
		mustAppend(t, s, id, body[cuts[i]:cuts[i+1]], int64(cuts[i]))
		mustOffset(t, s, id, cuts[i+1])
	}
	b := mustCommit(t, s, id, digest.FromBytes(body))
	mustHave(t, s, b.Digest, body)
	if _, err := s.UploadOffset(context.Background(), OCI, "app", id); !errors.Is(err, ErrNotFound) {
		t.Errorf("the session outlived its commit: %v", err)
	}
}

func TestUploadRefusesStrangersAndMistakes(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ada := WithActor(context.Background(), Actor{User: "ada"})
	id, err := s.StartUpload(ada, OCI, "app")
	if err != nil {
		t.Fatal(err)
	}
	strangers := []struct {
		ctx     context.Context
		kind    Kind
		pkg, id string
	}{
		{context.Background(), OCI, "app", id},
		{WithActor(ada, Actor{User: "eve"}), OCI, "app", id},
		{ada, OCI, "app2", id},
		{ada, NPM, "app", id},
		{ada, OCI, "app", "../" + id},
		{ada, OCI, "app", ""},
	}
	for _, x := range strangers {
		if _, err := s.UploadOffset(x.ctx, x.kind, x.pkg, x.id); !errors.Is(err, ErrNotFound) {
			t.Errorf("UploadOffset(%v): %v", x, err)
		}
		if _, err := s.ResumeUpload(x.ctx, x.kind, x.pkg, x.id); !errors.Is(err, ErrNotFound) {
			t.Errorf("ResumeUpload(%v): %v", x, err)
		}
	}
	u, err := s.ResumeUpload(ada, OCI, "app", id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ResumeUpload(ada, OCI, "app", id); !errors.Is(err, ErrBusy) {
		t.Errorf("second writer: %v, want ErrBusy", err)
	}
	if _, err := u.Append(ada, bytes.NewReader([]byte("abc")), 7); !errors.Is(err, ErrOffset) {
		t.Errorf("wrong offset: %v, want ErrOffset", err)
	}
	if _, err := u.Commit(ada, "md5:00", nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("bad digest: %v, want ErrInvalid", err)
	}
	if err := u.Cancel(ada); err != nil {
		t.Error(err)
	}
	u.Release()
	if _, err := u.Append(ada, bytes.NewReader(nil), -1); !errors.Is(err, ErrNotFound) {
		t.Errorf("append after cancel: %v, want ErrNotFound", err)
	}
	if left := inFlight(t, s); len(left) != 0 {
		t.Errorf("left in uploads: %v", left)
	}
}

func TestWrongDigestDropsTheSession(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ctx := context.Background()
	for _, want := range []digest.Digest{digest.FromString("other"), digest.SHA512.FromString("other")} {
		id := mustStart(t, s)
		mustAppend(t, s, id, []byte("bytes"), 0)
		if _, err := mustResume(t, s, id).Commit(ctx, want, nil); !errors.Is(err, ErrDigest) {
			t.Errorf("Commit: %v, want ErrDigest", err)
		}
		if _, err := s.ResumeUpload(ctx, OCI, "app", id); !errors.Is(err, ErrNotFound) {
			t.Errorf("the session is still there: %v", err)
		}
	}
	mustLack(t, s, digest.FromString("bytes"))
	if left := inFlight(t, s); len(left) != 0 {
		t.Errorf("left in uploads: %v", left)
	}
}

func TestShortBodyIsKept(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	cut := errors.New("connection reset")
	for _, n := range []int{10, smallBuffer, smallBuffer + 1, largeBuffer + 77} {
		for _, how := range []error{cut, io.ErrUnexpectedEOF} {
			body := randomBytes(uint64(n), n+1000)
			id := mustStart(t, s)
			u := mustResume(t, s, id)
			got, err := u.Append(context.Background(), &trickle{bytes.NewReader(body[:n]), 4096, how}, -1)
			if got != int64(n) || !errors.Is(err, how) {
				t.Errorf("append: %d bytes, %v; want %d, %v", got, err, n, how)
			}
			u.Release()
			mustOffset(t, s, id, n)
			mustAppend(t, s, id, body[n:], int64(n))
			mustHave(t, s, mustCommit(t, s, id, digest.FromBytes(body)).Digest, body)
		}
	}
}

func TestCancelledRequestKeepsWhatArrived(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ctx, cancel := context.WithCancel(context.Background())
	body := randomBytes(4, 4*largeBuffer)
	id := mustStart(t, s)
	u := mustResume(t, s, id)
	r := &callAt{r: bytes.NewReader(body), at: 2 * largeBuffer, fn: cancel}
	n, err := u.Append(ctx, r, 0)
	if !errors.Is(err, context.Canceled) || n == 0 || n == int64(len(body)) {
		t.Fatalf("append: %d bytes, %v", n, err)
	}
	u.Release()
	mustAppend(t, s, id, body[n:], n)
	mustCommit(t, s, id, digest.FromBytes(body))
}

// callAt calls fn once so many bytes were read.
type callAt struct {
	r  io.Reader
	at int
	fn func()
}

func (r *callAt) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), 100<<10)])
	if r.at -= n; r.at <= 0 {
		r.fn()
	}
	return n, err
}

func TestUploadSurvivesACrash(t *testing.T) {
	dir := t.TempDir()
	body := randomBytes(5, largeBuffer+smallBuffer)
	s := openBytes(t, dir, Options{})
	id := mustStart(t, s)
	mustAppend(t, s, id, body[:largeBuffer], 0)
	empty := mustStart(t, s)
	crash(t, s)

	s = openBytes(t, dir, Options{})
	if err := s.Reconcile(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustOffset(t, s, empty, 0)
	mustOffset(t, s, id, largeBuffer)
	mustAppend(t, s, id, body[largeBuffer:], int64(largeBuffer))
	mustHave(t, s, mustCommit(t, s, id, digest.FromBytes(body)).Digest, body)
	mustCommit(t, s, empty, digest.FromString(""))
}

func TestSHA512IsASecondName(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	body := randomBytes(6, largeBuffer+1)
	id := mustStart(t, s)
	mustAppend(t, s, id, body, 0)
	alias := digest.SHA512.FromBytes(body)
	b := mustCommit(t, s, id, alias)
	if b.Digest != digest.FromBytes(body) {
		t.Errorf("blob %s is not the sha256", b.Digest)
	}
	mustHave(t, s, alias, body)
	mustHave(t, s, b.Digest, body)

	zero := time.Duration(0)
	if rep, err := s.Sweep(context.Background(), SweepOptions{Grace: &zero}); err != nil || rep.Blobs != 1 {
		t.Fatalf("sweep: %+v, %v", rep, err)
	}
	mustLack(t, s, alias)
	mustLack(t, s, b.Digest)
	rows := 0
	s.View(context.Background(), func(tx *Tx) error {
		for range tx.scan(bucketAlias, nil, nil) {
			rows++
		}
		return nil
	})
	if rows != 0 {
		t.Errorf("%d alias rows outlived the blob", rows)
	}
}

func TestCommitLinksInOneTransaction(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ctx := context.Background()
	body := []byte("layer")
	id := mustStart(t, s)
	mustAppend(t, s, id, body, 0)
	u := mustResume(t, s, id)
	refused := problem.Errorf(ErrQuota, "no")
	_, err := u.Commit(ctx, digest.FromBytes(body), func(*Tx, Blob) error { return refused })
	if !errors.Is(err, ErrQuota) {
		t.Fatalf("Commit: %v, want ErrQuota", err)
	}
	if _, err := s.StatBlob(ctx, digest.FromBytes(body)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the refused blob has a record: %v", err)
	}
	if u.Offset() != int64(len(body)) {
		t.Errorf("offset %d after a refused commit", u.Offset())
	}
	u.Release()
	mustOffset(t, s, id, len(body))
	u = mustResume(t, s, id)
	linked := Blob{}
	b, err := u.Commit(ctx, digest.FromBytes(body), func(_ *Tx, b Blob) error { linked = b; return nil })
	if err != nil || linked != b {
		t.Fatalf("second Commit: %v, linked %v, %v", b, linked, err)
	}
	mustHave(t, s, b.Digest, body)
}

// A full disk in the middle of a body keeps offset and hash in step with the file, whether or not the failing write
// left anything.
func TestFullDiskKeepsTheUpload(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, alsoTruncate := range []bool{false, true} {
			hook := &fault{op: "write", prefix: disk.UploadsDir, after: after}
			var hooks Faults = hook
			cut := &fault{op: "truncate"}
			if alsoTruncate {
				hooks = both{hook, cut}
			}
			s := openBytes(t, t.TempDir(), Options{Faults: hooks})
			body := randomBytes(8, 5*largeBuffer)
			id := mustStart(t, s)
			u := mustResume(t, s, id)
			hook.arm(2)
			cut.arm(0)
			n, err := u.Append(context.Background(), bytes.NewReader(body), 0)
			if !errors.Is(err, errFault) {
				t.Fatalf("append: %d, %v", n, err)
			}
			hook.disarm()
			cut.disarm()
			u.Release()
			u = mustResume(t, s, id)
			at := u.Offset()
			u.Release()
			if at < n || at >= int64(len(body)) {
				t.Fatalf("offset %d after %d bytes were kept", at, n)
			}
			mustAppend(t, s, id, body[at:], at)
			mustHave(t, s, mustCommit(t, s, id, digest.FromBytes(body)).Digest, body)
		}
	}
}

// both asks two hooks.
type both struct{ a, b Faults }

func (x both) Before(op, path string) error {
	return errors.Join(x.a.Before(op, path), x.b.Before(op, path))
}
func (x both) After(op, path string) error {
	return errors.Join(x.a.After(op, path), x.b.After(op, path))
}

// Any sequence of appends, wrong offsets, cut bodies, parks and crashes behaves like a byte slice.
func TestUploadBehavesLikeAByteSlice(t *testing.T) {
	model := func(seed uint64) bool {
		err := playUpload(t, rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			t.Log(err)
		}
		return err == nil
	}
	if err := quick.Check(model, &quick.Config{MaxCount: 25}); err != nil {
		t.Error(err)
	}
}

func playUpload(t *testing.T, r *rand.Rand) error {
	dir := t.TempDir()
	ctx := context.Background()
	c := newClock()
	s := openBytes(t, dir, Options{Now: c.now})
	id := mustStart(t, s)
	var want []byte
	for range 12 {
		p := randomBytes(r.Uint64(), r.IntN(1<<r.IntN(21)+1))
		switch r.IntN(7) {
		case 0:
			crash(t, s)
			s = openBytes(t, dir, Options{Now: c.now})
		case 1:
			c.move(time.Hour) // its file is closed
			if err := s.ExpireUploads(ctx); err != nil {
				return err
			}
		case 2:
			u := mustResume(t, s, id)
			at := int64(len(want)) + int64(r.IntN(20)+1)
			n, err := u.Append(ctx, bytes.NewReader(p), at)
			u.Release()
			if n != 0 || !errors.Is(err, ErrOffset) {
				return fmt.Errorf("append at %d of %d: %d, %v", at, len(want), n, err)
			}
		default:
			u := mustResume(t, s, id)
			at := []int64{-1, int64(len(want))}[r.IntN(2)]
			cut := []error{nil, io.ErrUnexpectedEOF}[r.IntN(2)]
			n, err := u.Append(ctx, &trickle{bytes.NewReader(p), r.IntN(100000) + 1, cut}, at)
			u.Release()
			if n != int64(len(p)) || !errors.Is(err, cut) {
				return fmt.Errorf("append of %d: %d, %v", len(p), n, err)
			}
			want = append(want, p...)
		}
		if n, err := s.UploadOffset(ctx, OCI, "app", id); err != nil || n != int64(len(want)) {
			return fmt.Errorf("offset %d, %v; want %d", n, err, len(want))
		}
	}
	alg := []digest.Algorithm{digest.SHA256, digest.SHA512}[r.IntN(2)]
	b, err := mustResume(t, s, id).Commit(ctx, alg.FromBytes(want), nil)
	if err == nil {
		mustHave(t, s, b.Digest, want)
	}
	return err
}

// askedFor is a policy that remembers the sizes of uploads it was asked about.
type askedFor struct {
	mu    sync.Mutex
	bytes []int64
}

// Check implements Policy.
func (p *askedFor) Check(_ *Tx, c Change) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.Op == OpUpload {
		p.bytes = append(p.bytes, c.Bytes)
	}
	return nil
}

// TestGrowingUploadCountsOnce: while a body grows, policies hear of the bytes that the upload has, not of more.
func TestGrowingUploadCountsOnce(t *testing.T) {
	asked := &askedFor{}
	s := openBytes(t, t.TempDir(), Options{Policies: []Policy{asked}})
	id := mustStart(t, s)
	u := mustResume(t, s, id)
	const size = 40 << 20
	for i, n := range []int64{1, size - 1} {
		if _, err := u.Append(context.Background(), io.LimitReader(zeros{}, n), -1); err != nil {
			t.Fatalf("chunk %d: %v", i, err)
		}
	}
	if want := []int64{0, 0, 1}; !slices.Equal(asked.bytes, want) {
		t.Errorf("an upload of %d bytes asked for %d, want %d", size, asked.bytes, want)
	}
	if err := u.Cancel(context.Background()); err != nil {
		t.Error(err)
	}
}

// zeros is a body that never ends.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
