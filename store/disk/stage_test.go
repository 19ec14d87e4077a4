package disk

// This file tests bodies that come in one request.

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"golang.org/x/crypto/blake2b"

	"larder/internal/problem"
)

// sizes are around every border: empty, small buffer, large buffer, all buffers of a stream, write-back.
var sizes = []int{
	0, 1, smallBuffer - 1, smallBuffer, smallBuffer + 1, largeBuffer - 1, largeBuffer, largeBuffer + 1,
	ringSize*largeBuffer + 17, writebackStep + 5,
}

// sumsOf are the sums that a stage computes.
func sumsOf(body []byte) map[string]string {
	m, a, b, c := md5.Sum(body), sha1.Sum(body), sha512.Sum512(body), blake2b.Sum256(body)
	return map[string]string{
		"md5": hex.EncodeToString(m[:]), "sha1": hex.EncodeToString(a[:]), "sha512": hex.EncodeToString(b[:]),
		"blake2b-256": hex.EncodeToString(c[:]), "sha256": digest.FromBytes(body).Encoded(), "crc32": "",
	}
}

// TestStageKnowsItsBody: at each size and however the body arrives, size, digest, sums and bytes can be asked for on
// the way, at the end and (but for the bytes) after the commit.
func TestStageKnowsItsBody(t *testing.T) {
	f := newFolder(t)
	feed := map[string]func(st *Stage, p []byte) error{
		"ReadFrom": func(st *Stage, p []byte) error {
			_, err := st.ReadFrom(bytes.NewReader(p))
			return err
		},
		"in small reads": func(st *Stage, p []byte) error {
			_, err := st.ReadFrom(&trickle{r: bytes.NewReader(p), n: 1000})
			return err
		},
		"Write": func(st *Stage, p []byte) error {
			for part := range slices.Chunk(p, 32<<10-7) {
				if _, err := st.Write(part); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for i, n := range sizes {
		for how, fill := range feed {
			t.Run(fmt.Sprintf("%d bytes/%s", n, how), func(t *testing.T) {
				body := random(uint64(i*7+len(how)), n)
				st, err := f.NewStage(ctx, StageOptions{Size: -1, Sums: []string{"md5", "sha1", "sha512", "blake2b-256"}})
				must(t, err)
				defer st.Abort()
				must(t, fill(st, body[:n/3]))
				wantStage(t, st, body[:n/3])
				must(t, fill(st, body[n/3:]))
				wantStage(t, st, body)
				b, err := file(t, st)
				must(t, err)
				wantBlob(t, f, b, body)
				if st.Size() != int64(n) || st.Digest() != b.Digest {
					t.Errorf("after the commit: %d bytes, %s; want %d, %s", st.Size(), st.Digest(), n, b.Digest)
				}
				wantSums(t, st, body)
			})
		}
	}
	wantUploads(t, f)
}

func wantStage(t *testing.T, st *Stage, body []byte) {
	t.Helper()
	if n, err := st.Flush(); n != int64(len(body)) || err != nil {
		t.Fatalf("Flush: %d bytes, %v; want %d", n, err, len(body))
	}
	if st.Size() != int64(len(body)) || st.Digest() != digest.FromBytes(body) {
		t.Fatalf("size %d, digest %s; want %d, %s", st.Size(), st.Digest(), len(body), digest.FromBytes(body))
	}
	got, err := io.ReadAll(io.NewSectionReader(st, 0, st.Size()))
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("ReadAt: %d bytes, %v; want %d", len(got), err, len(body))
	}
	wantSums(t, st, body)
}

func wantSums(t *testing.T, st *Stage, body []byte) {
	t.Helper()
	for alg, want := range sumsOf(body) {
		if got := st.Sum(alg); got != want {
			t.Errorf("Sum(%s) = %s, want %s", alg, got, want)
		}
	}
}

// TestSumsCanBeAskedForLater: while the bytes are here, also those that nobody wanted beforehand.
func TestSumsCanBeAskedForLater(t *testing.T) {
	f := newFolder(t)
	for _, n := range []int{0, 100, smallBuffer, 3*smallBuffer + 1} {
		body := random(uint64(n), n)
		st, err := f.NewStage(t.Context(), StageOptions{Sums: []string{"md5"}})
		must(t, err)
		_, err = st.ReadFrom(bytes.NewReader(body))
		must(t, err)
		wantSums(t, st, body)
		st.Abort()
		if s := st.Sum("sha512"); s != "" {
			t.Errorf("an aborted stage has the sum %s", s)
		}
	}
}

// TestStageRefuses: a body that is too large, of another size than announced, or cut off becomes no blob and leaves
// neither a file nor a borrowed buffer.
func TestStageRefuses(t *testing.T) {
	f := newFolder(t)
	big := random(1, 5*smallBuffer)
	cut := errors.New("connection reset")
	tests := []struct {
		name string
		opt  StageOptions
		body io.Reader
		want error
	}{
		{"announced above the limit", StageOptions{Size: 11, Limit: 10}, strings.NewReader(""), problem.ErrTooLarge},
		{"small above the limit", StageOptions{Limit: 10}, strings.NewReader("01234567890"), problem.ErrTooLarge},
		{"large above the limit", StageOptions{Limit: int64(len(big)) - 1}, bytes.NewReader(big), problem.ErrTooLarge},
		{"shorter than announced", StageOptions{Size: 11}, strings.NewReader("0123456789"), problem.ErrInvalid},
		{"longer than announced", StageOptions{Size: 9}, strings.NewReader("0123456789"), problem.ErrInvalid},
		{"large, longer than announced", StageOptions{Size: 9}, bytes.NewReader(big), problem.ErrInvalid},
		{"unknown sum", StageOptions{Sums: []string{"crc32"}}, strings.NewReader("x"), problem.ErrInvalid},
		{"reader fails early", StageOptions{}, &trickle{strings.NewReader("abc"), 2, cut}, cut},
		{"reader fails late", StageOptions{}, &trickle{bytes.NewReader(big), 1 << 20, cut}, cut},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, err := f.NewStage(ctx, tt.opt)
			if err == nil {
				defer st.Abort()
				if _, err = st.ReadFrom(tt.body); err == nil {
					_, err = file(t, st)
				} else if _, _, again := FinishStage(st); again == nil {
					t.Error("a stage whose ReadFrom failed can be finished")
				}
			}
			wantErr(t, "stage", err, tt.want)
		})
	}
	wantUploads(t, f)
	if lent := f.lent.Load(); lent != 0 {
		t.Errorf("%d bytes of buffers were not given back", lent)
	}
}

// TestStageRefusesByWrite: the limit holds for Write as for ReadFrom, and what follows a refused write is refused too.
func TestStageRefusesByWrite(t *testing.T) {
	f := newFolder(t)
	for _, limit := range []int{10, 3 * smallBuffer} {
		st, err := f.NewStage(ctx, StageOptions{Limit: int64(limit)})
		must(t, err)
		defer st.Abort()
		_, err = st.Write(make([]byte, limit))
		must(t, err)
		_, err = st.Write([]byte{0})
		wantErr(t, "one byte above the limit", err, problem.ErrTooLarge)
		_, err = st.Write(nil)
		wantErr(t, "the next write", err, problem.ErrTooLarge)
		if d := st.Digest(); d != "" {
			t.Errorf("a stage with a hole has digest %s", d)
		}
		if _, err := st.ReadAt(make([]byte, 1), 0); err == nil {
			t.Error("a stage with a hole can be read")
		}
		if s := st.Sum("sha256"); s != "" {
			t.Errorf("a stage with a hole has the sum %s", s)
		}
	}
}

// TestStageTakesExactlyItsLimit, announced or not.
func TestStageTakesExactlyItsLimit(t *testing.T) {
	f := newFolder(t)
	for _, n := range []int{10, 5 * smallBuffer} {
		st, err := f.NewStage(ctx, StageOptions{Size: int64(n), Limit: int64(n)})
		must(t, err)
		if m, err := st.ReadFrom(bytes.NewReader(make([]byte, n))); m != int64(n) || err != nil {
			t.Errorf("%d of %d bytes, %v", m, n, err)
		}
		_, err = file(t, st)
		must(t, err)
	}
}

// TestStageTakesNothingAfterItsEnd, be it a commit or an abort.
func TestStageTakesNothingAfterItsEnd(t *testing.T) {
	f := newFolder(t)
	for _, n := range []int{0, 2 * smallBuffer} {
		done, err := f.NewStage(ctx, StageOptions{})
		must(t, err)
		_, err = done.Write(make([]byte, n))
		must(t, err)
		b, err := file(t, done)
		must(t, err)
		done.Abort() // does nothing
		wantBlob(t, f, b, make([]byte, n))
		_, err = done.Write([]byte("x"))
		wantErr(t, "Write after the commit", err, errCommitted)
		_, err = done.ReadAt(make([]byte, 1), 0)
		wantErr(t, "ReadAt after the commit", err, fs.ErrClosed)
		if got, ok := done.Committed(); got != b || !ok {
			t.Errorf("Committed: %v, %t; want %v", got, ok, b)
		}

		gone, err := f.NewStage(ctx, StageOptions{})
		must(t, err)
		_, err = gone.Write(make([]byte, n))
		must(t, err)
		gone.Abort()
		gone.Abort() // does nothing
		_, err = gone.ReadFrom(strings.NewReader("x"))
		wantErr(t, "ReadFrom after Abort", err, errAborted)
		_, _, err = FinishStage(gone)
		wantErr(t, "FinishStage after Abort", err, errAborted)
		if _, ok := gone.Committed(); ok {
			t.Error("an aborted stage is committed")
		}
	}
	wantUploads(t, f)
}

// TestStageEndsWithItsContext: a request that is gone brings nothing more in.
func TestStageEndsWithItsContext(t *testing.T) {
	f := newFolder(t)
	gone, cancel := context.WithCancel(ctx)
	st, err := f.NewStage(gone, StageOptions{})
	must(t, err)
	defer st.Abort()
	_, err = st.ReadFrom(io.MultiReader(bytes.NewReader(make([]byte, 2*smallBuffer)), &cancelling{cancel}))
	wantErr(t, "ReadFrom", err, context.Canceled)
	_, err = st.Write([]byte("x"))
	wantErr(t, "Write", err, context.Canceled)
}

// cancelling is a body that never ends; its first read calls fn.
type cancelling struct{ fn func() }

// Read implements io.Reader.
func (c *cancelling) Read(p []byte) (int, error) {
	c.fn()
	return len(p), nil
}

// TestFollowersReadAlong: a large body can be read beside its writer up to what was flushed, also after it became a
// blob; a small one has no file to follow.
func TestFollowersReadAlong(t *testing.T) {
	f := newFolder(t)
	body := random(3, 3*smallBuffer)
	st, err := f.NewStage(ctx, StageOptions{})
	must(t, err)
	defer st.Abort()
	_, err = st.Write(body[:100])
	must(t, err)
	if r, err := st.Follow(); r != nil || err != nil {
		t.Fatalf("a small body is followed: %v, %v", r, err)
	}
	_, err = st.Write(body[100 : 2*smallBuffer])
	must(t, err)
	r, err := st.Follow()
	must(t, err)
	defer r.Close()
	for _, end := range []int{2 * smallBuffer, len(body)} {
		if end > int(st.Size()) {
			_, err = st.Write(body[st.Size():end])
			must(t, err)
		}
		n, err := st.Flush()
		must(t, err)
		got := make([]byte, n)
		if _, err := r.ReadAt(got, 0); err != nil || !bytes.Equal(got, body[:end]) {
			t.Errorf("the follower reads %d bytes, %v; want the first %d", n, err, end)
		}
	}
	_, err = file(t, st)
	must(t, err)
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Errorf("after the commit the follower reads %d bytes, %v; want %d", len(got), err, len(body))
	}
}

// TestFailedWriteLeavesTheFileAsItWas: a write that failed half-way is cut off again, so that a stage or upload goes on
// where it was.
func TestFailedWriteLeavesTheFileAsItWas(t *testing.T) {
	h := &fault{op: "write", after: true}
	dir := t.TempDir()
	f := openFolder(t, dir, Options{Faults: h})
	id := start(t, f, app)
	appendTo(t, f, id, []byte("first "))
	u := resume(t, f, app, id)
	h.arm(true)
	n, err := u.Append(ctx, strings.NewReader("lost"), 6)
	h.arm(false)
	if n != 0 || !errors.Is(err, errFault) || u.Offset() != 6 {
		t.Errorf("append with a failing write: %d bytes, %v, offset %d; want 0, the fault, 6", n, err, u.Offset())
	}
	u.Release()
	wantOffset(t, openFolder(t, dir, Options{}), id, 6) // in another process
	appendTo(t, f, id, []byte("second"))
	wantBlob(t, f, commit(t, f, id, digest.FromString("first second")), []byte("first second"))
}

// TestFileThatCannotBeRemovedIsLeftOver: an abort that cannot remove its file says so to nobody but the log, and the
// file goes with the leftovers.
func TestFileThatCannotBeRemovedIsLeftOver(t *testing.T) {
	h := &fault{op: "remove"}
	f := openFolder(t, t.TempDir(), Options{Faults: h})
	st, err := f.NewStage(ctx, StageOptions{})
	must(t, err)
	_, err = st.Write(make([]byte, 2*smallBuffer))
	must(t, err)
	h.arm(true)
	st.Abort()
	h.arm(false)
	must(t, f.RemoveLeftovers(ctx))
	wantUploads(t, f)
}
