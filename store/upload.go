package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"larder/internal/problem"

	"github.com/opencontainers/go-digest"
)

// Upload is a resumable upload while one request writes to it. One goroutine uses it; Release, Commit or Cancel ends its use.
type Upload struct {
	s    *Store
	u    *session
	done bool
}

// StartUpload begins an upload that is bound to kind, package and the context's user, and returns its id, a UUID. ErrQuota when the
// user has too many unfinished ones, ErrReadOnly, ErrFull.
func (s *Store) StartUpload(ctx context.Context, k Kind, pkg string) (id string, err error) {
	u := &session{owner: uploadOwner{Kind: k, Package: pkg, User: ActorFrom(ctx).User}, used: s.opt.Now()}
	err = checkName("package", pkg)
	if err == nil {
		err = s.writable()
	}
	if err == nil {
		err = s.Admit(ctx, k, pkg, 0)
	}
	for retry := err == nil; retry; {
		err = s.makeSession(ctx, u)
		retry = errors.Is(err, fs.ErrExist) // the id was in use
	}
	if err == nil {
		err = s.register(u)
	}
	if err != nil {
		return "", fmt.Errorf("start upload: %w", err)
	}
	return u.id, nil
}

// makeSession gives the session an id and its file, which is what of it survives a restart.
func (s *Store) makeSession(ctx context.Context, u *session) (err error) {
	if u.id, err = s.newUploadID(ctx, u.owner); err != nil {
		return err
	}
	if u.k, err = s.newSink(u.id, nil); err != nil {
		return err
	}
	u.k.file, err = s.create(u.k.path, 0o600)
	if u.k.made = !errors.Is(err, fs.ErrExist); err != nil && u.k.made {
		err = joined(err, u.k.discard())
	}
	return err
}

// register lets the session be found, if its user may have another one.
func (s *Store) register(u *session) error {
	for !s.sessions.add(u) {
		made, err := s.makeRoom(u.owner.User)
		if err == nil && !made {
			err = problem.Errorf(ErrQuota, "%d uploads are being written to at this moment, finish or cancel one", maxUserUploads)
		}
		if err != nil {
			return joined(err, u.k.discard())
		}
	}
	return s.parkCrowd()
}

// UploadOffset is the number of bytes the upload has. ErrNotFound also for the id of another kind, package or user.
func (s *Store) UploadOffset(ctx context.Context, k Kind, pkg, id string) (int64, error) {
	u, err := s.find(ctx, k, pkg, id)
	if err != nil {
		return 0, fmt.Errorf("upload offset: %w", err)
	}
	n := int64(-1)
	u.atRest(func() {
		if u.landed != nil || u.k != nil {
			n = u.offset()
		}
	})
	if n < 0 {
		n, err = s.fileSize(u.path())
	}
	if err != nil {
		return 0, fmt.Errorf("upload offset: %w", err)
	}
	return n, nil
}

// ResumeUpload takes the upload for one request. After a restart the bytes that are there are hashed first, once. ErrBusy while
// another request has it, ErrNotFound also for the id of another kind, package or user, ErrReadOnly.
func (s *Store) ResumeUpload(ctx context.Context, k Kind, pkg, id string) (*Upload, error) {
	u, err := s.find(ctx, k, pkg, id)
	if err == nil {
		err = s.writable()
	}
	if err == nil {
		err = u.take(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("resume upload: %w", err)
	}
	return &Upload{s: s, u: u}, nil
}

func (u *session) take(ctx context.Context, s *Store) error {
	if !u.acquire() {
		return problem.Errorf(ErrBusy, "another request is writing to this upload")
	}
	err := error(nil)
	if u.ended {
		err = problem.Errorf(ErrNotFound, "there is no such upload")
	} else {
		err = u.unpark(ctx, s)
	}
	if err != nil {
		u.release()
	}
	return err
}

// Offset is the number of bytes the upload has.
func (u *Upload) Offset() int64 { return u.u.offset() }

func (u *session) offset() int64 {
	switch {
	case u.landed != nil:
		return u.landed.Size
	case u.k != nil:
		return u.k.size
	}
	return 0
}

// Append adds all of r to the end and returns how many bytes were kept. at is where the client believes the end to be, -1 when it
// did not say: ErrOffset unless it is right. When r fails, or the disk is full (ErrFull), or a quota is reached, what arrived before
// stays and the upload can be continued at Offset.
func (u *Upload) Append(ctx context.Context, r io.Reader, at int64) (n int64, err error) {
	switch {
	case u.done:
		err = errEnded()
	case at >= 0 && at != u.Offset():
		err = problem.Errorf(ErrOffset, "the upload has %d bytes, the chunk starts at %d", u.Offset(), at)
	case u.u.landed != nil:
		err = problem.Errorf(ErrOffset, "the upload is complete")
	default:
		err = u.u.unpark(ctx, u.s)
	}
	if err == nil {
		n, err = u.append(ctx, r)
	}
	if err != nil {
		return n, fmt.Errorf("append to upload: %w", err)
	}
	return n, nil
}

func errEnded() error { return problem.Errorf(ErrNotFound, "the upload is finished") }

// append reads small bodies without a goroutine, the rest through the pipeline.
func (u *Upload) append(ctx context.Context, r io.Reader) (int64, error) {
	k := u.u.k
	start := k.size
	r = &admitted{ctx: ctx, u: u, r: r}
	buf := u.s.smallBuffer()
	n, err := io.ReadFull(r, *buf)
	if failed := k.appendSmall((*buf)[:n]); failed != nil {
		err = failed
	}
	u.s.giveBack(buf)
	switch err {
	case nil:
		_, err = k.readFrom(ctx, r)
		err = joined(err, k.rest())
	case io.EOF, io.ErrUnexpectedEOF:
		err = r.(*admitted).failed
	}
	n64 := k.size - start
	if k.torn { // the file decides what was kept
		err = joined(err, u.u.park())
		err = joined(err, u.u.unpark(ctx, u.s))
	}
	return n64, err
}

func (k *sink) appendSmall(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	err := k.put(p)
	if err == nil {
		k.hash(p)
	}
	return err
}

// admitted asks the policies again while a body grows: its size may not have been announced.
type admitted struct {
	ctx    context.Context
	u      *Upload
	r      io.Reader
	next   int64 // size at which to ask
	n      int64
	failed error // of r, when it is not a clean end
}

func (a *admitted) Read(p []byte) (n int, err error) {
	if size := a.u.Offset() + a.n; size >= a.next {
		if err := a.u.s.Admit(a.ctx, a.u.u.owner.Kind, a.u.u.owner.Package, size); err != nil {
			a.failed = err
			return 0, err
		}
		a.next = size + spaceStep
	}
	n, err = a.r.Read(p)
	a.n += int64(n)
	if err != nil && err != io.EOF {
		a.failed = err
	}
	return n, err
}

// Commit makes the bytes a durable blob when they have the digest want, sha256 or sha512 (which is then hashed here, and becomes an
// alias). One transaction records the blob and runs link, which gives a package its hold. ErrDigest drops the
// session: the client starts anew. After any other error the session stays and Commit may be tried again.
func (u *Upload) Commit(ctx context.Context, want digest.Digest, link func(*Tx, Blob) error) (Blob, error) {
	b, err := u.commit(ctx, want, link)
	if err != nil {
		return Blob{}, fmt.Errorf("commit upload: %w", err)
	}
	return b, nil
}

func (u *Upload) commit(ctx context.Context, want digest.Digest, link func(*Tx, Blob) error) (Blob, error) {
	if u.done {
		return Blob{}, errEnded()
	}
	if _, err := ParseDigest(string(want)); err != nil {
		return Blob{}, err
	}
	if err := u.s.writable(); err != nil {
		return Blob{}, err
	}
	b, err := u.check(ctx, want)
	if err != nil {
		return Blob{}, err
	}
	whole := func(tx *Tx, b Blob) error {
		if err := tx.SetAlias(want, b); err != nil || link == nil {
			return err
		}
		return link(tx, b)
	}
	if u.u.landed == nil {
		err = u.s.land(ctx, u.u.k, b, whole)
		u.settle(b)
	} else {
		err = u.s.record(ctx, b, whole)
	}
	if err == nil {
		u.s.forget(u.u)
		u.release()
	}
	return b, err
}

// settle remembers, when the transaction did not follow, that the file has become a blob; a file that did not is opened anew next time.
func (u *Upload) settle(b Blob) {
	if !u.u.k.made {
		u.u.landed = &b
	}
	if u.u.k.file == nil {
		u.u.k = nil
	}
}

// check compares the bytes with want. On a mismatch it ends the session.
func (u *Upload) check(ctx context.Context, want digest.Digest) (Blob, error) {
	if u.u.landed != nil {
		return u.checkLanded(ctx, want)
	}
	if err := u.u.unpark(ctx, u.s); err != nil {
		return Blob{}, err
	}
	k := u.u.k
	b := Blob{Digest: k.digest(), Size: k.size}
	got, err := b.Digest, error(nil)
	if alg := want.Algorithm(); alg != digest.SHA256 {
		if got, err = k.fileDigest(ctx, alg); err != nil {
			return Blob{}, err
		}
	}
	if got != want {
		err = problem.Errorf(ErrDigest, "the bytes have digest %s", got)
		return Blob{}, joined(err, u.cancel())
	}
	return b, k.files.chmod(k.file, k.path, 0o440)
}

// checkLanded is check for a Commit that is tried again after its transaction failed.
func (u *Upload) checkLanded(ctx context.Context, want digest.Digest) (Blob, error) {
	b := *u.u.landed
	f, err := u.s.openBytes(b)
	if err != nil {
		// Swept in the meantime: nothing is left to commit.
		return Blob{}, joined(problem.Errorf(ErrDigest, "the bytes are gone, upload them again"), u.cancel())
	}
	defer f.Close()
	k := &sink{files: u.s.files, path: u.u.path(), file: f, size: b.Size}
	got, err := k.fileDigest(ctx, want.Algorithm())
	if err == nil && got != want {
		err = joined(problem.Errorf(ErrDigest, "the bytes have digest %s", got), u.cancel())
	}
	return b, err
}

// Cancel drops the upload and its bytes.
func (u *Upload) Cancel(ctx context.Context) error {
	if u.done {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := u.cancel(); err != nil {
		return fmt.Errorf("cancel upload: %w", err)
	}
	return nil
}

func (u *Upload) cancel() error {
	err := u.s.end(u.u)
	if u.u.ended {
		u.release()
	}
	return err
}

// Release ends the use by this request; the hash state stays in memory for the next. It does nothing after Commit and Cancel.
func (u *Upload) Release() {
	if u.done {
		return
	}
	u.u.used = u.s.opt.Now()
	u.release()
	if err := u.s.parkCrowd(); err != nil {
		u.s.log.Warn("an idle upload could not be closed", "error", err)
	}
}

func (u *Upload) release() {
	u.done = true
	u.u.release()
}

// SetAlias makes the sha512 digest another name of b, for as long as the blob exists. A sha256 digest needs none.
func (tx *Tx) SetAlias(d digest.Digest, b Blob) error {
	if d.Algorithm() != digest.SHA512 {
		return nil
	}
	if err := tx.put(bucketAlias, []byte(d), []byte(b.Digest)); err != nil {
		return err
	}
	return tx.put(bucketAlias, aliasKey(b.Digest, d), []byte{})
}

// aliasKey is the row by which the sweeper finds the aliases of a blob: sha256 ␀ sha512.
func aliasKey(d, alias digest.Digest) []byte { return key(string(d), string(alias)) }

// dropAliases removes every other name of d.
func (tx *Tx) dropAliases(d digest.Digest) error {
	for k := range tx.scan(bucketAlias, prefix(string(d)), nil) {
		alias := []byte(lastPart(k))
		if err := tx.del(bucketAlias, aliasKey(d, digest.Digest(alias))); err != nil {
			return err
		}
		if err := tx.del(bucketAlias, alias); err != nil {
			return err
		}
	}
	return nil
}
