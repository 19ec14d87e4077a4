package disk

// This file is what one request does to a resumable upload.

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// Upload is a resumable upload while one request writes to it. One goroutine uses it; Release, Committed or Cancel ends
// its use.
type Upload struct {
	u    *Session
	done bool
}

// Resume takes the upload for one request. After a restart the bytes that are there are hashed first, once. ErrBusy
// while another request has it, ErrNotFound when it has ended meanwhile, ErrReadOnly.
func (u *Session) Resume(ctx context.Context) (*Upload, error) {
	if !u.acquire() {
		return nil, problem.Errorf(ErrBusy, "another request is writing to this upload")
	}
	err := error(nil)
	if u.ended {
		err = errNoUpload()
	} else {
		err = u.unpark(ctx)
	}
	if err != nil {
		u.release()
		return nil, err
	}
	return &Upload{u: u}, nil
}

// Offset is the number of bytes the upload has.
func (u *Upload) Offset() int64 { return u.u.offset() }

// Append adds all of r to the end and returns how many bytes were kept. at is the offset that the client sent, -1 for
// none: ErrOffset unless it is the upload's end. When r fails, or the disk is full (ErrFull), what arrived before stays
// and the upload can be continued at Offset.
func (u *Upload) Append(ctx context.Context, r io.Reader, at int64) (n int64, err error) {
	switch {
	case u.done:
		err = errEnded()
	case at >= 0 && at != u.Offset():
		err = problem.Errorf(ErrOffset, "the upload has %d bytes, the chunk starts at %d", u.Offset(), at)
	case u.u.landed != nil:
		err = problem.Errorf(ErrOffset, "the upload is complete")
	default:
		err = u.u.unpark(ctx)
	}
	if err != nil {
		return 0, err
	}
	return u.append(ctx, r)
}

func errEnded() error { return problem.Errorf(problem.ErrNotFound, "the upload is finished") }

// append reads small bodies without a goroutine, the rest through the pipeline.
func (u *Upload) append(ctx context.Context, r io.Reader) (int64, error) {
	k := u.u.k
	start := k.size
	buf := k.folder.smallBuffer()
	n, err := readFull(r, *buf)
	if failed := k.putSmall((*buf)[:n]); failed != nil {
		err = failed
	}
	k.folder.GiveBack(buf)
	switch err {
	case nil:
		_, err = k.readFrom(ctx, r)
		err = errors.Join(err, k.rest())
	case io.EOF:
		err = nil
	}
	kept := k.size - start
	if k.torn { // the file decides what was kept
		err = errors.Join(err, u.u.park(), u.u.unpark(ctx))
	}
	return kept, err
}

// readFull fills p. Unlike io.ReadFull it returns the reader's own error when there is less: io.EOF is a clean end,
// io.ErrUnexpectedEOF a body that was cut off.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// Err is ErrNotFound when the use has ended.
func (u *Upload) Err() error {
	if u.done {
		return errEnded()
	}
	return nil
}

// Finish compares the bytes with want, sha256 or sha512 (which is then hashed here). landed says that they are a blob
// already: a commit before did not get to its record; else they are in the sink. ErrDigest drops the session: the
// client starts anew. After any other error the session stays and Finish may be tried again.
func (u *Upload) Finish(ctx context.Context, want digest.Digest) (k *Sink, b Blob, landed bool, err error) {
	if u.u.landed != nil {
		b, err := u.checkLanded(ctx, want)
		return nil, b, true, err
	}
	if err := u.u.unpark(ctx); err != nil {
		return nil, Blob{}, false, err
	}
	k = u.u.k
	b = k.Blob()
	got := b.Digest
	if alg := want.Algorithm(); alg != digest.SHA256 {
		if got, err = k.fileDigest(ctx, alg); err != nil {
			return nil, Blob{}, false, err
		}
	}
	if got != want {
		err = problem.Errorf(ErrDigest, "the bytes have digest %s", got)
		return nil, Blob{}, false, errors.Join(err, u.cancel())
	}
	return k, b, false, k.folder.chmod(k.file, k.path, 0o440)
}

// checkLanded is Finish for a commit that is tried again after its record failed.
func (u *Upload) checkLanded(ctx context.Context, want digest.Digest) (Blob, error) {
	b := *u.u.landed
	f, err := u.u.folder.OpenBlob(b)
	if err != nil {
		// Swept in the meantime: nothing is left to commit.
		return Blob{}, errors.Join(problem.Errorf(ErrDigest, "the bytes are gone, upload them again"), u.cancel())
	}
	defer f.Close()
	k := &Sink{folder: u.u.folder, path: u.u.path(), file: f, size: b.Size}
	got, err := k.fileDigest(ctx, want.Algorithm())
	if err == nil && got != want {
		err = errors.Join(problem.Errorf(ErrDigest, "the bytes have digest %s", got), u.cancel())
	}
	return b, err
}

// fileDigest hashes the whole file with another algorithm than the one kept up to date.
func (k *Sink) fileDigest(ctx context.Context, alg digest.Algorithm) (digest.Digest, error) {
	h := alg.Hash()
	buf := k.folder.Buffer()
	defer k.folder.GiveBack(buf)
	for off := int64(0); off < k.size; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := k.file.ReadAt((*buf)[:min(int64(len(*buf)), k.size-off)], off)
		h.Write((*buf)[:n])
		off += int64(n)
		if err != nil && off < k.size {
			return "", fmt.Errorf("read %s: %w", k.path, err)
		}
	}
	return digest.NewDigest(alg, h), nil
}

// Tried says that it was tried to make the sink's file the blob b. It remembers, when the record did not follow, that
// the file has become a blob; a file that did not is opened anew next time.
func (u *Upload) Tried(b Blob) {
	if !u.u.k.made {
		u.u.landed = &b
	}
	if u.u.k.file == nil {
		u.u.k = nil
	}
}

// Committed ends the upload, whose bytes are a blob with a record.
func (u *Upload) Committed() {
	u.u.forget()
	u.release()
}

// Cancel drops the upload and its bytes.
func (u *Upload) Cancel(ctx context.Context) error {
	if u.done {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return u.cancel()
}

func (u *Upload) cancel() error {
	err := u.u.end()
	if u.u.ended {
		u.release()
	}
	return err
}

// Release ends the use by this request; the hash state stays in memory for the next. It does nothing after Committed
// and Cancel.
func (u *Upload) Release() {
	if u.done {
		return
	}
	f := u.u.folder
	u.u.used = f.now()
	u.release()
	if err := f.parkCrowd(); err != nil {
		f.log.Warn("an idle upload could not be closed", "error", err)
	}
}

func (u *Upload) release() {
	u.done = true
	u.u.release()
}
