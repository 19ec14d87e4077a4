package store

// This file is a resumable upload: a body that comes in several requests. Package disk has its bytes; here it is bound
// to a package and a user, asks the policies, and becomes a blob with a record.

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

// Upload is a resumable upload while one request writes to it. One goroutine uses it; Release, Commit or Cancel ends
// its use.
type Upload struct {
	s    *Store
	kind Kind
	pkg  string
	disk *disk.Upload
}

// uploadKey is the secret that binds the ids of uploads to their owners. It is read when first needed.
func (s *Store) uploadKey(ctx context.Context) ([]byte, error) {
	if p := s.uploadSecret.Load(); p != nil {
		return *p, nil
	}
	key, err := s.Secret(ctx, "uploads", sha256.Size)
	if err != nil {
		return nil, err
	}
	s.uploadSecret.Store(&key)
	return key, nil
}

// uploadOwner is whom an upload of the context's user is bound to.
func uploadOwner(ctx context.Context, k Kind, pkg string) disk.Owner {
	return disk.Owner{Kind: string(k), Package: pkg, User: ActorFrom(ctx).User}
}

// StartUpload begins an upload that is bound to kind, package and the context's user, and returns its id, a UUID.
// ErrQuota when the user has too many unfinished ones, ErrReadOnly, ErrFull.
func (s *Store) StartUpload(ctx context.Context, k Kind, pkg string) (id string, err error) {
	err = checkName("package", pkg)
	if err == nil {
		err = s.writable()
	}
	if err == nil {
		err = s.Admit(ctx, k, pkg, 0)
	}
	var key []byte
	if err == nil {
		key, err = s.uploadKey(ctx)
	}
	if err == nil {
		id, err = s.files.StartUpload(key, uploadOwner(ctx, k, pkg))
	}
	if err != nil {
		return "", fmt.Errorf("start upload: %w", err)
	}
	return id, nil
}

// findUpload returns the upload id of this kind, package and user. Anybody else's looks absent.
func (s *Store) findUpload(ctx context.Context, k Kind, pkg, id string) (*disk.Session, error) {
	s.touch(k, pkg)
	key, err := s.uploadKey(ctx)
	if err != nil {
		return nil, err
	}
	return s.files.FindUpload(key, uploadOwner(ctx, k, pkg), id)
}

// UploadOffset is the number of bytes the upload has. ErrNotFound also for the id of another kind, package or user.
func (s *Store) UploadOffset(ctx context.Context, k Kind, pkg, id string) (n int64, err error) {
	u, err := s.findUpload(ctx, k, pkg, id)
	if err == nil {
		n, err = u.Offset()
	}
	if err != nil {
		return 0, fmt.Errorf("upload offset: %w", err)
	}
	return n, nil
}

// ResumeUpload takes the upload for one request. After a restart the bytes that are there are hashed first, once.
// ErrBusy while another request has it, ErrNotFound also for the id of another kind, package or user, ErrReadOnly.
func (s *Store) ResumeUpload(ctx context.Context, k Kind, pkg, id string) (*Upload, error) {
	found, err := s.findUpload(ctx, k, pkg, id)
	if err == nil {
		err = s.writable()
	}
	u := &Upload{s: s, kind: k, pkg: pkg}
	if err == nil {
		u.disk, err = found.Resume(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("resume upload: %w", err)
	}
	return u, nil
}

// ExpireUploads ends the sessions that nobody used for Options.UploadIdle and closes the files of those that rest. It
// is a job: call it every few minutes.
func (s *Store) ExpireUploads(ctx context.Context) error {
	if err := s.files.ExpireUploads(ctx, s.opt.UploadIdle); err != nil {
		return fmt.Errorf("expire uploads: %w", err)
	}
	return nil
}

// Offset is the number of bytes the upload has.
func (u *Upload) Offset() int64 { return u.disk.Offset() }

// Append adds all of r to the end and returns how many bytes were kept. at is the offset that the client sent, -1 for
// none: ErrOffset unless it is the upload's end. When r fails, or the disk is full (ErrFull), or a quota is reached,
// what arrived before stays and the upload can be continued at Offset.
func (u *Upload) Append(ctx context.Context, r io.Reader, at int64) (n int64, err error) {
	n, err = u.disk.Append(ctx, &admitted{ctx: ctx, u: u, r: r}, at)
	if err != nil {
		return n, fmt.Errorf("append to upload: %w", err)
	}
	return n, nil
}

// admitted asks the policies again while a body grows: its size may not have been announced.
type admitted struct {
	ctx   context.Context
	u     *Upload
	r     io.Reader
	start int64 // bytes the upload had before the body
	n     int64 // bytes read
	next  int64 // size at which to ask
}

// Read implements io.Reader.
func (a *admitted) Read(p []byte) (n int, err error) {
	if a.n == 0 {
		a.start = a.u.Offset()
	}
	if size := a.start + a.n; size >= a.next {
		if err := a.u.s.Admit(a.ctx, a.u.kind, a.u.pkg, size); err != nil {
			return 0, err
		}
		a.next = size + disk.SpaceStep
	}
	n, err = a.r.Read(p)
	a.n += int64(n)
	return n, err
}

// Commit makes the bytes a durable blob when they have the digest want, sha256 or sha512 (which is then hashed here,
// and becomes an alias). One transaction records the blob and runs link, which gives a package its hold. ErrDigest
// drops the session: the client starts anew. After any other error the session stays and Commit may be tried again.
func (u *Upload) Commit(ctx context.Context, want digest.Digest, link func(*Tx, Blob) error) (Blob, error) {
	b, err := u.commit(ctx, want, link)
	if err != nil {
		return Blob{}, fmt.Errorf("commit upload: %w", err)
	}
	return b, nil
}

func (u *Upload) commit(ctx context.Context, want digest.Digest, link func(*Tx, Blob) error) (Blob, error) {
	if err := u.disk.Err(); err != nil {
		return Blob{}, err
	}
	if _, err := ParseDigest(string(want)); err != nil {
		return Blob{}, err
	}
	if err := u.s.writable(); err != nil {
		return Blob{}, err
	}
	k, b, landed, err := u.disk.Finish(ctx, want)
	if err != nil {
		return Blob{}, err
	}
	whole := func(tx *Tx, b Blob) error {
		if err := tx.SetAlias(want, b); err != nil || link == nil {
			return err
		}
		return link(tx, b)
	}
	if landed {
		err = u.s.record(ctx, b, whole)
	} else {
		err = u.s.commitFile(ctx, k, b, whole)
		u.disk.Tried(b)
	}
	if err == nil {
		u.disk.Committed()
	}
	return b, err
}

// Cancel drops the upload and its bytes.
func (u *Upload) Cancel(ctx context.Context) error {
	if err := u.disk.Cancel(ctx); err != nil {
		return fmt.Errorf("cancel upload: %w", err)
	}
	return nil
}

// Release ends the use by this request; the hash state stays in memory for the next. It does nothing after Commit and
// Cancel.
func (u *Upload) Release() { u.disk.Release() }
