package store

// This file tests bodies that become blobs: every size, a full disk, the same digest from many at once.

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
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
)

// sizes are around every border: empty, small buffer, large buffer, write-back step.
var sizes = []int{
	0, 1, 2, smallBuffer - 1, smallBuffer, smallBuffer + 1, largeBuffer, largeBuffer + 1, 3*largeBuffer + 17,
	writebackStep + 5,
}

func TestBodiesOfEverySizeBecomeBlobs(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ctx := context.Background()
	for i, n := range sizes {
		for _, how := range []string{"ReadFrom", "trickle", "Write", "mixed"} {
			t.Run(fmt.Sprintf("%d/%s", n, how), func(t *testing.T) {
				body := randomBytes(uint64(i*7+len(how)), n)
				st, err := s.Stage(ctx, StageOptions{Size: -1, Sums: []string{"md5", "sha1", "sha512"}})
				if err != nil {
					t.Fatal(err)
				}
				defer st.Abort()
				fillStage(t, st, body, how)
				checkStage(t, st, body)
				b, err := st.Commit(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := st.Commit(ctx); again != b || err != nil {
					t.Errorf("second Commit: %v, %v", again, err)
				}
				st.Abort()
				checkSums(t, st, body)
				mustHave(t, s, b.Digest, body)
			})
		}
	}
	if left := inFlight(t, s); len(left) != 0 {
		t.Errorf("left in uploads: %v", left)
	}
}

func fillStage(t *testing.T, st *Stage, body []byte, how string) {
	t.Helper()
	var err error
	half := len(body) / 3
	switch how {
	case "ReadFrom":
		_, err = st.ReadFrom(bytes.NewReader(body))
	case "trickle":
		_, err = st.ReadFrom(&trickle{r: bytes.NewReader(body), n: 1000})
	case "Write":
		for p := range slices.Chunk(body, 32<<10-7) {
			if _, err = st.Write(p); err != nil {
				break
			}
		}
	case "mixed":
		if _, err = st.Write(body[:half]); err == nil {
			checkStage(t, st, body[:half])
			_, err = st.ReadFrom(bytes.NewReader(body[half:]))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func checkStage(t *testing.T, st *Stage, body []byte) {
	t.Helper()
	if st.Size() != int64(len(body)) || st.Digest() != digest.FromBytes(body) {
		t.Fatalf("size %d, digest %s; want %d, %s", st.Size(), st.Digest(), len(body), digest.FromBytes(body))
	}
	got, err := io.ReadAll(io.NewSectionReader(st, 0, st.Size()))
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("ReadAt: %d bytes, %v", len(got), err)
	}
	checkSums(t, st, body)
}

func checkSums(t *testing.T, st *Stage, body []byte) {
	t.Helper()
	m, a, b := md5.Sum(body), sha1.Sum(body), sha512.Sum512(body)
	for alg, want := range map[string]string{
		"md5": hex.EncodeToString(m[:]), "sha1": hex.EncodeToString(a[:]), "sha512": hex.EncodeToString(b[:]),
		"sha256": digest.FromBytes(body).Encoded(), "crc32": "",
	} {
		if got := st.Sum(alg); got != want {
			t.Errorf("Sum(%s) = %s, want %s", alg, got, want)
		}
	}
}

func TestStageTakesNothingAfterAbort(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	st, err := s.Stage(context.Background(), StageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st.Abort()
	if _, err := st.Write([]byte("x")); err == nil {
		t.Error("Write after Abort succeeded")
	}
	if _, err := st.Commit(context.Background()); err == nil {
		t.Error("Commit after Abort succeeded")
	}
	if d := st.Digest(); d != "" {
		t.Errorf("Digest after Abort = %s", d)
	}
}

// The comment of durable.go promises this sequence.
func TestStepsOfABlobAndItsRecord(t *testing.T) {
	hook := &fault{}
	s := openBytes(t, t.TempDir(), Options{Faults: hook})
	ctx := context.Background()
	hook.arm(0)
	mustPut(t, s, []byte("small"))
	if got, want := strings.Join(hook.steps, " "), "create write fsync close rename syncdir commit"; got != want {
		t.Errorf("small blob: %s\nwant %s", got, want)
	}
	hook.arm(0)
	mustPut(t, s, []byte("small"))
	if len(hook.steps) != 0 {
		t.Errorf("a blob that exists costs %v", hook.steps)
	}
	mustStart(t, s) // the first one makes the secret that signs ids
	hook.arm(0)
	id, err := s.StartUpload(ctx, OCI, "app")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("resumable")
	u := mustResume(t, s, id)
	if _, err := u.Append(ctx, bytes.NewReader(body), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Commit(ctx, digest.FromBytes(body), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(hook.steps, " "), "create write chmod fsync close rename syncdir commit"; got != want {
		t.Errorf("upload: %s\nwant %s", got, want)
	}
}

func TestEmptyDescriptorIsFast(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	b := mustPut(t, s, []byte("{}"))
	if b.Digest != "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" || b.Size != 2 {
		t.Errorf("blob %v", b)
	}
	before := s.txid()
	for range 1000 {
		mustPut(t, s, []byte("{}"))
	}
	if n := s.txid() - before; n != 0 {
		t.Errorf("%d database writes for a blob that exists", n)
	}
}

func TestParallelCommitsOfOneDigestMakeOneBlob(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ctx := context.Background()
	body := randomBytes(3, 3*smallBuffer)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			if i%3 == 0 {
				if _, err := s.PutBytes(ctx, body); err != nil {
					t.Error(err)
				}
				return
			}
			st, err := s.Stage(ctx, StageOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := st.ReadFrom(bytes.NewReader(body)); err != nil {
				t.Error(err)
			}
			if _, err := st.Commit(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	mustHave(t, s, digest.FromBytes(body), body)
	if left := inFlight(t, s); len(left) != 0 {
		t.Errorf("left in uploads: %v", left)
	}
}

func TestFullDiskIsRefusedAtEachStep(t *testing.T) {
	for _, op := range []string{"create", "write", "fsync", "rename"} {
		hook := &fault{op: op, err: syscall.ENOSPC}
		s := openBytes(t, t.TempDir(), Options{Faults: hook})
		hook.arm(0)
		_, err := s.PutBytes(context.Background(), []byte("hello"))
		if !errors.Is(err, ErrFull) {
			t.Errorf("%s: %v, want ErrFull", op, err)
		}
		hook.disarm()
		_, err = s.PutBytes(context.Background(), []byte("hello"))
		if readOnly := errors.Is(err, ErrReadOnly); readOnly != (op == "fsync") {
			t.Errorf("after %s: %v", op, err)
		}
	}
}

func TestReserveRefusesBodies(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{Reserve: 1 << 60})
	if _, err := s.Stage(context.Background(), StageOptions{}); !errors.Is(err, ErrFull) {
		t.Errorf("Stage: %v, want ErrFull", err)
	}
	if _, err := s.PutBytes(context.Background(), []byte("x")); !errors.Is(err, ErrFull) {
		t.Errorf("PutBytes: %v, want ErrFull", err)
	}
	if left := inFlight(t, s); len(left) != 0 {
		t.Errorf("left in uploads: %v", left)
	}
}
