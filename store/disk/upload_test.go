package disk

// This file tests bodies that come in several requests.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// TestIdsBelongToTheirOwners: an id is worth nothing to another user, for another package or kind, with another key, or
// changed in any digit.
func TestIdsBelongToTheirOwners(t *testing.T) {
	f := newFolder(t)
	id := start(t, f, ada)
	_, err := f.FindUpload(key, ada, id)
	must(t, err)
	for what, owner := range map[string]Owner{
		"another user":    {Kind: "oci", Package: "app", User: "eve"},
		"nobody":          {Kind: "oci", Package: "app"},
		"another package": {Kind: "oci", Package: "app2", User: "ada"},
		"another kind":    {Kind: "npm", Package: "app", User: "ada"},
	} {
		_, err := f.FindUpload(key, owner, id)
		wantErr(t, what, err, problem.ErrNotFound)
	}
	apart := start(t, f, Owner{Kind: "oci", Package: "app", User: "ada x"})
	_, err = f.FindUpload(key, Owner{Kind: "oci", Package: "app ada", User: "x"}, apart)
	wantErr(t, "the same words, divided otherwise", err, problem.ErrNotFound)
	_, err = f.FindUpload([]byte("another key"), ada, id)
	wantErr(t, "another key", err, problem.ErrNotFound)
	for i := range id {
		forged := []byte(id)
		if forged[i]++; forged[i] == '9'+1 {
			forged[i] = 'a'
		}
		_, err := f.FindUpload(key, ada, string(forged))
		wantErr(t, "the id "+string(forged), err, problem.ErrNotFound)
	}
	for _, bad := range []string{"", "..", "../" + id, id + "0", strings.ToUpper(id), "stage-" + id[6:], id[:35] + "/"} {
		_, err := f.FindUpload(key, ada, bad)
		wantErr(t, "the id "+bad, err, problem.ErrNotFound)
	}
}

// TestIdsAreInOrderOfTime, so that a listing of uploads/ is.
func TestIdsAreInOrderOfTime(t *testing.T) {
	c := newClock()
	f := openFolder(t, t.TempDir(), Options{Now: c.now})
	last := ""
	for range 20 {
		c.move(time.Second)
		id := start(t, f, app)
		if id <= last {
			t.Errorf("id %s comes after %s", id, last)
		}
		last = id
	}
}

// TestUploadFindsOnlyFiles: what somebody put in the place of an upload's file is no upload.
func TestUploadFindsOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	id := start(t, openFolder(t, dir, Options{}), app)
	f := openFolder(t, dir, Options{}) // as after a restart
	must(t, os.Remove(f.Path(UploadsDir+"/"+id)))
	_, err := f.FindUpload(key, app, id)
	wantErr(t, "without a file", err, problem.ErrNotFound)
	must(t, os.Symlink("/dev/null", f.Path(UploadsDir+"/"+id)))
	_, err = f.FindUpload(key, app, id)
	wantErr(t, "with a link instead of it", err, problem.ErrNotFound)
}

// TestUploadOutlivesARestart: offset and bytes are where the last process left them.
func TestUploadOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	body := random(5, largeBuffer+smallBuffer)
	f := openFolder(t, dir, Options{})
	id := start(t, f, app)
	appendTo(t, f, id, body[:largeBuffer])
	f = openFolder(t, dir, Options{})
	wantOffset(t, f, id, largeBuffer)
	appendTo(t, f, id, body[largeBuffer:])
	f = openFolder(t, dir, Options{})
	wantBlob(t, f, commit(t, f, id, digest.FromBytes(body)), body)
	wantUploads(t, f)
}

// TestAppendSaysWhatWasKept: what came before the body broke off is kept, at each border, whatever the break is called.
func TestAppendSaysWhatWasKept(t *testing.T) {
	f := newFolder(t)
	cut := errors.New("connection reset")
	for _, n := range []int{0, 10, smallBuffer - 1, smallBuffer, smallBuffer + 1, largeBuffer + 77} {
		for _, how := range []error{nil, cut, io.ErrUnexpectedEOF} {
			body := random(uint64(n), n+1000)
			id := start(t, f, app)
			u := resume(t, f, app, id)
			got, err := u.Append(ctx, &trickle{bytes.NewReader(body[:n]), 4096, how}, -1)
			if got != int64(n) || !errors.Is(err, how) {
				t.Errorf("a body of %d bytes that ends with %v: kept %d, %v", n, how, got, err)
			}
			u.Release()
			wantOffset(t, f, id, n)
			appendTo(t, f, id, body[n:])
			wantBlob(t, f, commit(t, f, id, digest.FromBytes(body)), body)
		}
	}
}

// TestAppendRefuses: a chunk that does not continue the upload, and a use that has ended, take nothing.
func TestAppendRefuses(t *testing.T) {
	f := newFolder(t)
	id := start(t, f, app)
	appendTo(t, f, id, []byte("abc"))
	u := resume(t, f, app, id)
	for _, at := range []int64{0, 2, 4} {
		_, err := u.Append(ctx, strings.NewReader("x"), at)
		wantErr(t, "at another offset", err, ErrOffset)
	}
	must(t, u.Err())
	u.Release()
	_, err := u.Append(ctx, strings.NewReader("x"), 3)
	wantErr(t, "after Release", err, problem.ErrNotFound)
	wantErr(t, "Err after Release", u.Err(), problem.ErrNotFound)
	wantOffset(t, f, id, 3)
}

// TestOneRequestWrites: a second one is refused until the first has let go.
func TestOneRequestWrites(t *testing.T) {
	f := newFolder(t)
	id := start(t, f, app)
	u := resume(t, f, app, id)
	s, err := f.FindUpload(key, app, id)
	must(t, err)
	_, err = s.Resume(ctx)
	wantErr(t, "the second request", err, ErrBusy)
	u.Release()
	u.Release() // does nothing
	again, err := s.Resume(ctx)
	must(t, err)
	again.Release()
}

// TestCancelledUploadIsGone: the file and the id; an upload that ended while a request waited for it is gone for it.
func TestCancelledUploadIsGone(t *testing.T) {
	f := newFolder(t)
	id := start(t, f, app)
	s, err := f.FindUpload(key, app, id)
	must(t, err)
	u := resume(t, f, app, id)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	wantErr(t, "a request that is gone", u.Cancel(gone), context.Canceled)
	wantOffset(t, f, id, 0)
	must(t, u.Cancel(ctx))
	must(t, u.Cancel(ctx)) // does nothing
	wantUploads(t, f)
	_, err = f.FindUpload(key, app, id)
	wantErr(t, "FindUpload", err, problem.ErrNotFound)
	_, err = s.Resume(ctx)
	wantErr(t, "Resume of who found it before", err, problem.ErrNotFound)
}

// TestWrongDigestEndsTheUpload, in sha256 and sha512.
func TestWrongDigestEndsTheUpload(t *testing.T) {
	f := newFolder(t)
	for _, want := range []digest.Digest{digest.FromString("other"), digest.SHA512.FromString("other")} {
		id := start(t, f, app)
		appendTo(t, f, id, []byte("bytes"))
		_, _, _, err := resume(t, f, app, id).Finish(ctx, want)
		wantErr(t, "Finish", err, ErrDigest)
		_, err = f.FindUpload(key, app, id)
		wantErr(t, "FindUpload", err, problem.ErrNotFound)
	}
	wantUploads(t, f)
}

// TestUploadWhoseRecordFailed: the bytes are a blob already; the next request sees its offset, adds nothing, and ends
// it with the same digest only. A blob that was swept meanwhile has to be sent anew.
func TestUploadWhoseRecordFailed(t *testing.T) {
	body := []byte("layer")
	for what, c := range map[string]struct {
		want  digest.Digest
		swept bool
		err   error
	}{
		"the same digest":    {digest.FromBytes(body), false, nil},
		"its sha512":         {digest.SHA512.FromBytes(body), false, nil},
		"another digest":     {digest.FromString("other"), false, ErrDigest},
		"swept in between":   {digest.FromBytes(body), true, ErrDigest},
		"another, in sha512": {digest.SHA512.FromString("other"), false, ErrDigest},
	} {
		f := newFolder(t)
		id := start(t, f, app)
		appendTo(t, f, id, body)
		u := resume(t, f, app, id)
		k, b, _, err := u.Finish(ctx, digest.FromBytes(body))
		must(t, err)
		must(t, k.Sync(b.Digest))
		must(t, k.Place(b.Digest))
		u.Tried(b)
		u.Release()
		wantOffset(t, f, id, len(body))
		if c.swept {
			must(t, f.RemoveBlob(b.Digest))
		}
		u = resume(t, f, app, id)
		_, err = u.Append(ctx, strings.NewReader("x"), -1)
		wantErr(t, what+": Append", err, ErrOffset)
		_, again, landed, err := u.Finish(ctx, c.want)
		wantErr(t, what+": Finish", err, c.err)
		if err == nil && (again != b || !landed) {
			t.Errorf("%s: %v, a blob already: %t; want %v", what, again, landed, b)
		}
		if !c.swept {
			wantBlob(t, f, b, body)
		}
	}
}

// TestFailedCommitCanBeTriedAgain: whatever step of a commit fails, the bytes are there for the next try as long as the
// folder takes writes.
func TestFailedCommitCanBeTriedAgain(t *testing.T) {
	for _, op := range []string{"chmod", "close", "rename"} {
		for _, after := range []bool{false, true} {
			h := &fault{op: op, after: after}
			f := openFolder(t, t.TempDir(), Options{Faults: h})
			id := start(t, f, app)
			appendTo(t, f, id, []byte("layer"))
			want := digest.FromString("layer")
			u := resume(t, f, app, id)
			h.arm(true)
			k, b, _, err := u.Finish(ctx, want)
			if err == nil {
				if err = k.Sync(want); err == nil {
					err = k.Place(want)
				}
				u.Tried(b)
			}
			h.arm(false)
			wantErr(t, op+" fails", err, errFault)
			u.Release()
			wantOffset(t, f, id, map[bool]int{true: 0, false: 5}[op == "rename" && after])
			if op == "rename" && after {
				continue // the file has its place; its record would not follow, and the client sends it again
			}
			wantBlob(t, f, commit(t, f, id, want), []byte("layer"))
		}
	}
}

// TestUploadsExpire: what nobody used for the given time goes, from this process and from one before; what is in use or
// was used stays, and the file of one that rests is closed.
func TestUploadsExpire(t *testing.T) {
	const idle = 24 * time.Hour
	c := newClock()
	dir := t.TempDir()
	f := openFolder(t, dir, Options{Now: c.now})
	old, used, busy := start(t, f, app), start(t, f, app), start(t, f, app)
	appendTo(t, f, old, []byte("x"))
	appendTo(t, f, used, []byte("x"))
	u := resume(t, f, app, busy)
	c.move(20 * time.Hour)
	appendTo(t, f, used, []byte("y"))
	c.move(5 * time.Hour)
	must(t, f.ExpireUploads(ctx, idle))
	_, err := f.FindUpload(key, app, old)
	wantErr(t, "the idle upload", err, problem.ErrNotFound)
	wantOffset(t, f, used, 2)
	if f.sessions.get(used).k != nil {
		t.Error("the file of an upload that rests is still open")
	}
	if n, err := u.Append(ctx, strings.NewReader("z"), 0); n != 1 || err != nil {
		t.Errorf("the upload in use: %d bytes, %v", n, err)
	}
	u.Release()
	f.Close()
	// In a new process the file's time is the last use.
	must(t, os.Chtimes(f.Path(UploadsDir+"/"+used), c.now().Add(-5*time.Hour), c.now().Add(-5*time.Hour)))
	must(t, os.Chtimes(f.Path(UploadsDir+"/"+busy), c.now().Add(-25*time.Hour), c.now().Add(-25*time.Hour)))
	f = openFolder(t, dir, Options{Now: c.now})
	must(t, f.ExpireUploads(ctx, idle))
	wantUploads(t, f, used)
	c.move(25 * time.Hour)
	must(t, f.ExpireUploads(ctx, idle))
	wantUploads(t, f)
}

// TestClockThatWentBack: an upload whose file is of the future counts as used now, not for ever.
func TestClockThatWentBack(t *testing.T) {
	now := time.Now()
	if got := notAfter(now.Add(time.Hour), now); !got.Equal(now) {
		t.Errorf("a use in the future counts as of %v, want %v", got, now)
	}
	if got := notAfter(now.Add(-time.Hour), now); !got.Equal(now.Add(-time.Hour)) {
		t.Errorf("a use in the past counts as of %v", got)
	}
}

// TestExpiryEndsWithItsContext: a server that stops does not wait for it.
func TestExpiryEndsWithItsContext(t *testing.T) {
	c := newClock()
	f := openFolder(t, t.TempDir(), Options{Now: c.now})
	id := start(t, f, app)
	c.move(time.Hour)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	wantErr(t, "ExpireUploads", f.ExpireUploads(gone, time.Minute), context.Canceled)
	wantUploads(t, f, id)
}

// TestOldestUploadMakesRoom: abandoned uploads never stop a user from pushing. The one that rests longest goes first,
// one that is being written to never, and nobody else's.
func TestOldestUploadMakesRoom(t *testing.T) {
	c := newClock()
	f := openFolder(t, t.TempDir(), Options{Now: c.now})
	others := start(t, f, app)
	var ids []string
	for range maxUserUploads {
		c.move(time.Second)
		ids = append(ids, start(t, f, ada))
	}
	busy := resume(t, f, ada, ids[0])
	resume(t, f, ada, ids[1]).Release()
	for range 3 {
		start(t, f, ada) // above the limit
	}
	for i, id := range ids {
		_, err := f.FindUpload(key, ada, id)
		if gone := i >= 2 && i < 5; gone != errors.Is(err, problem.ErrNotFound) {
			t.Errorf("upload %d: %v; want the three that rest longest gone, and no other", i, err)
		}
	}
	wantOffset(t, f, others, 0)
	if n, err := busy.Append(ctx, strings.NewReader("x"), 0); n != 1 || err != nil {
		t.Errorf("the upload that is written to: %d bytes, %v; want it kept", n, err)
	}
}

// TestUploadsAllBusy: when a request writes to each of a user's uploads, nobody is cut off for another one, and the one
// too many leaves no file.
func TestUploadsAllBusy(t *testing.T) {
	f := newFolder(t)
	for range maxUserUploads {
		resume(t, f, ada, start(t, f, ada))
	}
	_, err := f.StartUpload(key, ada)
	wantErr(t, "one too many", err, ErrQuota)
	names, err := f.Uploads()
	if err != nil || len(names) != maxUserUploads {
		t.Errorf("%d uploads, %v; want %d", len(names), err, maxUserUploads)
	}
	start(t, f, app) // somebody else's
}

// TestOpenFilesAreBounded: the files of uploads that rest are closed when there are too many of them.
func TestOpenFilesAreBounded(t *testing.T) {
	f := newFolder(t)
	for range maxParked + 20 {
		appendTo(t, f, start(t, f, app), []byte("x"))
	}
	open := 0
	for _, u := range f.sessions.list() {
		if u.k != nil {
			open++
		}
	}
	if open > maxParked {
		t.Errorf("%d files are open, at most %d wanted", open, maxParked)
	}
}

// TestHousekeepingIsNoWriter: housekeeping and questions for the offset never make a client's request fail as a second
// writer.
func TestHousekeepingIsNoWriter(t *testing.T) {
	f := newFolder(t)
	id := start(t, f, app)
	stop := make(chan struct{})
	var others sync.WaitGroup
	for _, fn := range []func() error{
		func() error { return f.ExpireUploads(ctx, time.Hour) },
		f.parkCrowd,
		func() error {
			s, err := f.FindUpload(key, app, id)
			if err == nil {
				_, err = s.Offset()
			}
			return err
		},
	} {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := fn(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var want []byte
	for i := range 500 {
		appendTo(t, f, id, []byte{byte(i)})
		want = append(want, byte(i))
	}
	close(stop)
	others.Wait()
	wantBlob(t, f, commit(t, f, id, digest.FromBytes(want)), want)
}

// TestCloseLeavesUploads: the files are closed, and the next process goes on with them.
func TestCloseLeavesUploads(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir, Options{})
	id := start(t, f, app)
	appendTo(t, f, id, []byte("abc"))
	f.Close()
	if f.sessions.get(id).k != nil {
		t.Error("the file is open after Close")
	}
	wantOffset(t, openFolder(t, dir, Options{}), id, 3)
}
