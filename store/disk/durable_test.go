package disk

// This file tests the steps that make files durable, and what becomes of those that fail.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// slowSync makes fsyncs of folders overlap and counts those that began.
type slowSync struct {
	begun atomic.Int64
}

// Before implements Faults.
func (h *slowSync) Before(op, path string) error {
	if op == "syncdir" {
		h.begun.Add(1)
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// After implements Faults.
func (h *slowSync) After(string, string) error { return nil }

// TestSyncDirIsShared: whoever returns from SyncDir has had an fsync that began after its rename, and many share one.
func TestSyncDirIsShared(t *testing.T) {
	h := &slowSync{}
	f := openFolder(t, t.TempDir(), Options{Faults: h})
	h.begun.Store(0)
	const callers, rounds = 16, 20
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range rounds {
				before := h.begun.Load()
				if err := f.SyncDir(UploadsDir); err != nil {
					t.Error(err)
				}
				if h.begun.Load() == before {
					t.Error("SyncDir returned without an fsync that began after the call")
				}
			}
		})
	}
	wg.Wait()
	if n := h.begun.Load(); n > callers*rounds/2 {
		t.Errorf("%d fsyncs for %d calls: nothing was shared", n, callers*rounds)
	}
}

// TestFailedSyncIsFinal: after an fsync that failed, of a file or of a folder, the folder stays read-only.
func TestFailedSyncIsFinal(t *testing.T) {
	for _, op := range []string{"fsync", "syncdir"} {
		h := &fault{op: op}
		f := openFolder(t, t.TempDir(), Options{Faults: h})
		h.arm(true)
		err := f.ReplaceFile("note", 0o600, func(w io.Writer) error { _, err := w.Write([]byte("x")); return err })
		wantErr(t, "ReplaceFile with a failing "+op, err, ErrReadOnly)
		h.arm(false)
		wantErr(t, "Failure after a failed "+op, f.Failure(), ErrReadOnly)
		wantErr(t, "the cause after a failed "+op, f.Failure(), errFault)
	}
}

// TestWhatFailedStepsMean: each error of the system is the refusal that fits it, with a sentence for the client's user,
// and only those that leave the disk's state unknown make the folder read-only.
func TestWhatFailedStepsMean(t *testing.T) {
	for _, c := range []struct {
		op     string
		err    error
		want   error
		text   string
		broken bool
	}{
		{"write", syscall.ENOSPC, ErrFull, "the registry's disk is full", false},
		{"write", syscall.EDQUOT, ErrFull, "the registry has used up its disk quota", false},
		{"write", syscall.EROFS, ErrReadOnly, "the file system of the registry's data folder is read-only", false},
		{"write", syscall.EIO, ErrReadOnly, "the store is read-only because a disk write failed", true},
		{"write", syscall.EBADF, syscall.EBADF, problem.Internal, false},
		{"fsync", syscall.EBADF, ErrReadOnly, "the store is read-only because a disk write failed", true},
		{"fsync", syscall.ENOSPC, ErrFull, "the registry's disk is full", true},
		{"rename", syscall.EIO, ErrReadOnly, "the store is read-only because a disk write failed", true},
		{"close", syscall.EINTR, syscall.EINTR, problem.Internal, false},
	} {
		h := &fault{op: c.op, err: c.err}
		f := openFolder(t, t.TempDir(), Options{Faults: h})
		h.arm(true)
		err := f.ReplaceFile("note", 0o600, func(w io.Writer) error { _, err := w.Write([]byte("x")); return err })
		h.arm(false)
		what := c.op + " ends with " + c.err.Error()
		wantErr(t, what, err, c.want)
		wantErr(t, what, err, c.err)
		if got := problem.Public(err); got != c.text {
			t.Errorf("%s: the user reads %q, want %q", what, got, c.text)
		}
		if broken := f.Failure() != nil; broken != c.broken {
			t.Errorf("%s: read-only from now on: %t, want %t", what, broken, c.broken)
		}
	}
}

// TestReplaceFileIsWholeOrNotAtAll: whatever step fails, before or after it is done, there is the old file or the new
// one, and trying again works as long as the folder takes writes.
func TestReplaceFileIsWholeOrNotAtAll(t *testing.T) {
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	for _, op := range []string{"remove", "create", "write", "fsync", "close", "rename", "syncdir"} {
		for _, after := range []bool{false, true} {
			h := &fault{op: op, after: after}
			f := openFolder(t, t.TempDir(), Options{Faults: h})
			must(t, f.ReplaceFile("note", 0o600, text("old")))
			h.arm(true)
			err := f.ReplaceFile("note", 0o600, text("new"))
			h.arm(false)
			wantErr(t, op+" fails", err, errFault)
			got, err := os.ReadFile(f.Path("note"))
			if err != nil || string(got) != "old" && string(got) != "new" {
				t.Errorf("%s fails, done %t: the file is %q, %v", op, after, got, err)
			}
			if f.Failure() == nil {
				must(t, f.ReplaceFile("note", 0o600, text("third")))
			}
		}
	}
}

// TestNewFileNeverOverwrites: a file that is there stays as it is.
func TestNewFileNeverOverwrites(t *testing.T) {
	f := newFolder(t)
	must(t, os.WriteFile(f.Path("note"), []byte("old"), 0o600))
	err := f.NewFile("note", 0o600, func(w io.Writer) error { _, err := w.Write([]byte("new")); return err })
	wantErr(t, "NewFile", err, fs.ErrExist)
	if got, _ := os.ReadFile(f.Path("note")); string(got) != "old" {
		t.Errorf("the file is %q now", got)
	}
}

// TestCutFileShortens: the file ends where keep says; when keep refuses, it stays as it is.
func TestCutFileShortens(t *testing.T) {
	f := newFolder(t)
	must(t, os.WriteFile(f.Path("note"), []byte("0123456789"), 0o600))
	refused := errors.New("not a file of mine")
	err := f.CutFile("note", func(io.ReaderAt, int64) (int64, error) { return 0, refused })
	wantErr(t, "CutFile that is refused", err, refused)
	must(t, f.CutFile("note", func(r io.ReaderAt, size int64) (int64, error) {
		p := make([]byte, 1)
		if _, err := r.ReadAt(p, 4); err != nil || p[0] != '4' {
			t.Errorf("byte 4 is %q, %v", p, err)
		}
		return size - 3, nil
	}))
	if got, _ := os.ReadFile(f.Path("note")); string(got) != "0123456" {
		t.Errorf("the file is %q, want its first 7 bytes", got)
	}
}

// TestOpenMakesWhatIsMissing: a folder that lacks a part of its layout, or all of it, gets it; what is there stays.
func TestOpenMakesWhatIsMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	f := openFolder(t, dir, Options{})
	b := put(t, f, []byte("x"))
	f.Close()
	must(t, os.RemoveAll(filepath.Join(dir, BlobsDir, "7f")))
	must(t, os.RemoveAll(filepath.Join(dir, OrphansDir)))
	f = openFolder(t, dir, Options{})
	for i := range Shards {
		if _, err := f.ReadShard(i); err != nil {
			t.Errorf("shard %d: %v", i, err)
		}
	}
	_, err := f.ReadOrphans()
	must(t, err)
	wantBlob(t, f, b, []byte("x"))
}

// TestOpenReportsWhatFails: no step that makes a new folder may fail unseen.
func TestOpenReportsWhatFails(t *testing.T) {
	for _, op := range []string{"mkdir", "syncdir"} {
		h := &fault{op: op}
		h.arm(true)
		_, err := Open(filepath.Join(t.TempDir(), "new"), Options{Reserve: -1, Faults: h})
		wantErr(t, "Open when "+op+" fails", err, errFault)
	}
}

// TestBlobsAreReadOnlyFiles: nobody changes a blob by mistake.
func TestBlobsAreReadOnlyFiles(t *testing.T) {
	f := newFolder(t)
	id := start(t, f, app)
	appendTo(t, f, id, []byte("resumable"))
	blobs := []Blob{put(t, f, []byte("small")), commit(t, f, id, digest.FromString("resumable"))}
	for _, b := range blobs {
		st, err := os.Stat(f.Path(BlobPath(b.Digest)))
		must(t, err)
		if st.Mode().Perm()&0o222 != 0 {
			t.Errorf("blob %s has mode %v, want no w in it", b.Digest, st.Mode())
		}
	}
}

// TestStepsOfABlob: these are the sequences that the comment of durable.go promises.
func TestStepsOfABlob(t *testing.T) {
	h := &fault{}
	f := openFolder(t, t.TempDir(), Options{Faults: h})
	h.arm(true)
	b := put(t, f, []byte("small"))
	if got, want := h.seen(), "create write fsync close rename syncdir"; got != want {
		t.Errorf("a small blob: %s\nwant %s", got, want)
	}
	h.arm(true)
	id := start(t, f, app)
	appendTo(t, f, id, []byte("resumable"))
	commit(t, f, id, digest.FromString("resumable"))
	if got, want := h.seen(), "create write chmod fsync close rename syncdir"; got != want {
		t.Errorf("an upload: %s\nwant %s", got, want)
	}
	h.arm(true)
	must(t, f.MoveAside(b.Digest))
	must(t, f.SyncOrphans())
	must(t, f.BringBack(b.Digest))
	must(t, f.RemoveBlob(b.Digest))
	if got, want := h.seen(), "chtimes rename syncdir syncdir rename syncdir remove"; got != want {
		t.Errorf("aside, back and gone: %s\nwant %s", got, want)
	}
}

// TestWrongSizeIsNotServed: a file that is cut off, longer, a folder, or not there is no blob.
func TestWrongSizeIsNotServed(t *testing.T) {
	f := newFolder(t)
	body := []byte("0123456789")
	for what, damage := range map[string]func(path string) error{
		"cut off": func(path string) error { return os.WriteFile(path, body[:9], 0o400) },
		"longer":  func(path string) error { return os.WriteFile(path, append(bytes.Clone(body), 'x'), 0o400) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o700) },
		"missing": func(string) error { return nil },
	} {
		b := put(t, f, body)
		must(t, f.StatBlob(b))
		path := f.Path(BlobPath(b.Digest))
		must(t, os.Remove(path))
		must(t, damage(path))
		want := ErrWrongBytes
		if what == "missing" {
			want = fs.ErrNotExist
		}
		wantErr(t, what+": StatBlob", f.StatBlob(b), want)
		_, err := f.OpenBlob(b)
		wantErr(t, what+": OpenBlob", err, want)
		must(t, os.RemoveAll(path))
	}
}

// TestOrphansAreYoung: the time that a blob without a record is kept begins when it is moved aside.
func TestOrphansAreYoung(t *testing.T) {
	c := newClock()
	f := openFolder(t, t.TempDir(), Options{Now: c.now})
	b := put(t, f, []byte("orphan"))
	must(t, os.Chtimes(f.Path(BlobPath(b.Digest)), c.now().Add(-time.Hour*1000), c.now().Add(-time.Hour*1000)))
	must(t, f.MoveAside(b.Digest))
	entries, err := f.ReadOrphans()
	if err != nil || len(entries) != 1 || entries[0].Name() != b.Digest.Encoded() {
		t.Fatalf("orphans/ has %v, %v", entries, err)
	}
	if st, err := entries[0].Info(); err != nil || !st.ModTime().Equal(c.now()) {
		t.Errorf("it is of %v, want %v", st.ModTime(), c.now())
	}
	must(t, f.BringBack(b.Digest))
	wantBlob(t, f, b, []byte("orphan"))
	must(t, f.MoveAside(b.Digest))
	must(t, f.RemoveOrphan(b.Digest))
	must(t, f.RemoveOrphan(b.Digest)) // that it is gone is no error
	if entries, _ := f.ReadOrphans(); len(entries) != 0 {
		t.Errorf("orphans/ has %v", entries)
	}
}

// TestLeftoversGo: files that nobody writes to go; live stages, resumable uploads and folders stay.
func TestLeftoversGo(t *testing.T) {
	f := newFolder(t)
	live, err := f.NewStage(ctx, StageOptions{})
	must(t, err)
	defer live.Abort()
	_, err = live.Write(make([]byte, 2*smallBuffer))
	must(t, err)
	id := start(t, f, app)
	must(t, os.WriteFile(f.Path(UploadsDir+"/stage-OLD"), []byte("x"), 0o600))
	must(t, os.WriteFile(f.Path(UploadsDir+"/backup-OLD"), []byte("x"), 0o600))
	must(t, os.Mkdir(f.Path(UploadsDir+"/folder"), 0o700))
	must(t, f.RemoveLeftovers(ctx))
	wantUploads(t, f, id, "folder", filepath.Base(live.k.path))
}

// nth fails the nth durable step while it is armed, before or after it was done, and remembers which one that was.
type nth struct {
	n     int
	after bool

	mu    sync.Mutex // guards the rest
	armed bool
	count int
	hit   string
}

func (h *nth) arm(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed = on
}

// Before implements Faults.
func (h *nth) Before(op, _ string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.armed || op == "statfs" {
		return nil
	}
	if h.count++; h.count != h.n {
		return nil
	}
	h.hit = op
	if h.after {
		return nil
	}
	return errFault
}

// After implements Faults.
func (h *nth) After(op, _ string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.armed || !h.after || op == "statfs" || h.count != h.n {
		return nil
	}
	h.count++ // once
	return errFault
}

// bodies are the ways in which a body becomes a blob.
func bodies() map[string]func(t *testing.T, f *Folder, body []byte) error {
	return map[string]func(*testing.T, *Folder, []byte) error{
		"stage": func(t *testing.T, f *Folder, body []byte) error {
			st, err := f.NewStage(ctx, StageOptions{Size: int64(len(body)), Sums: []string{"md5"}})
			if err != nil {
				return err
			}
			defer st.Abort()
			if _, err := st.ReadFrom(bytes.NewReader(body)); err != nil {
				return err
			}
			_, err = file(t, st)
			return err
		},
		"upload": func(t *testing.T, f *Folder, body []byte) error {
			id, err := f.StartUpload(key, app)
			if err != nil {
				return err
			}
			for i, part := range [][]byte{body[:len(body)/2], body[len(body)/2:], nil} {
				s, err := f.FindUpload(key, app, id)
				if err != nil {
					return err
				}
				u, err := s.Resume(ctx)
				if err != nil {
					return err
				}
				defer u.Release()
				if i < 2 {
					_, err = u.Append(ctx, bytes.NewReader(part), -1)
					u.Release()
					if err != nil {
						return err
					}
					continue
				}
				k, b, _, err := u.Finish(ctx, digest.FromBytes(body))
				if err != nil {
					return err
				}
				if err = k.Sync(b.Digest); err == nil {
					err = k.Place(b.Digest)
				}
				u.Tried(b)
				if err != nil {
					return err
				}
				u.Committed()
			}
			return nil
		},
	}
}

// TestEveryFailedStepLeavesNothingBehind: whatever step fails, with or without its effect, the blob is whole or not
// there, housekeeping removes what is left, every buffer is given back, and the same body can be brought again as long
// as the folder takes writes.
func TestEveryFailedStepLeavesNothingBehind(t *testing.T) {
	for how, bring := range bodies() {
		for _, size := range []int{100, 3 * smallBuffer} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s of %d bytes/persisted=%t", how, size, after), func(t *testing.T) {
					t.Parallel()
					for n := 1; bringWithFault(t, &nth{n: n, after: after}, random(uint64(size), size), bring); n++ {
					}
				})
			}
		}
	}
}

// bringWithFault reports false when bringing the body takes fewer than h.n steps.
func bringWithFault(t *testing.T, h *nth, body []byte, bring func(*testing.T, *Folder, []byte) error) (more bool) {
	f := openFolder(t, t.TempDir(), Options{Faults: h})
	defer f.Close()
	h.arm(true)
	err := bring(t, f, body)
	h.arm(false)
	what := fmt.Sprintf("step %d (%s)", h.n, h.hit)
	b := Blob{Digest: digest.FromBytes(body), Size: int64(len(body))}
	if missing := f.StatBlob(b); missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		t.Errorf("%s: the blob is neither there nor not: %v", what, missing)
	}
	if lent := f.lent.Load(); lent != 0 {
		t.Errorf("%s: %d bytes of buffers were not given back", what, lent)
	}
	if final := h.hit == "fsync" || h.hit == "syncdir"; final != (f.Failure() != nil) {
		t.Errorf("%s: read-only from now on: %v, want %t", what, f.Failure(), final)
	}
	must(t, f.RemoveLeftovers(ctx))
	must(t, f.ExpireUploads(ctx, -1))
	wantUploads(t, f)
	if f.Failure() == nil {
		must(t, bring(t, f, body))
		wantBlob(t, f, b, body)
	}
	if h.hit == "" {
		must(t, err)
	}
	return h.hit != ""
}

// TestUploadOfAFailedCommitIsOpenedAgain: its file has lost the right to be written, and gets it back.
func TestUploadOfAFailedCommitIsOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir, Options{})
	id := start(t, f, app)
	appendTo(t, f, id, []byte("abc"))
	f.Close()
	path := UploadsDir + "/" + id
	must(t, os.Chmod(f.Path(path), 0o440))
	h := &fault{op: "open", err: fs.ErrPermission, once: true} // as for any user but root
	f = openFolder(t, dir, Options{Faults: h})
	h.arm(true)
	appendTo(t, f, id, []byte("def"))
	if got, want := h.seen(), "open chmod open write"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
	h.arm(false)
	if st, err := os.Stat(f.Path(path)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v; want 0600", st.Mode(), err)
	}
	wantBlob(t, f, commit(t, f, id, digest.FromString("abcdef")), []byte("abcdef"))
}
