package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"larder/internal/problem"

	"github.com/opencontainers/go-digest"
)

// StageOptions says what is known about a body before it arrives.
type StageOptions struct {
	Size  int64    // bytes announced, checked at Commit; 0 or -1 when unknown
	Limit int64    // bytes accepted: ErrTooLarge above; 0: no limit
	Sums  []string // computed beside sha256 while writing: "md5", "sha1", "sha512", "blake2b-256"
}

// Stage is a body on its way into the store: write it, inspect it, then Commit or Abort. One goroutine uses it. A small body stays
// in memory until Commit; a larger one is a file of uploads/ that a crash leaves for Reconcile.
type Stage struct {
	s    *Store
	ctx  context.Context
	opt  StageOptions
	k    *sink
	head *[]byte // the body while it is small
	n    int     // bytes in head
	end  error   // why the stage takes no more: committed, aborted, or the first failed write
	blob Blob    // what Commit returned
}

var (
	errCommitted = errors.New("the stage is committed")
	errAborted   = errors.New("the stage is aborted")
)

// Stage begins to take a body in. ErrReadOnly; ErrFull when the announced size does not fit; ErrTooLarge; ErrInvalid for an unknown sum.
// The caller must Abort (or Commit) it.
func (s *Store) Stage(ctx context.Context, o StageOptions) (*Stage, error) {
	st := &Stage{s: s, ctx: ctx, opt: o}
	err := s.writable()
	if err == nil {
		err = st.admit(max(o.Size, 0))
	}
	if err == nil {
		err = s.room(0, max(o.Size, 0))
	}
	if err == nil {
		st.k, err = s.newSink(stagePrefix+rand.Text(), o.Sums)
	}
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	st.head = s.smallBuffer()
	return st, nil
}

// stagePrefix tells files of stages from those of resumable uploads, which are called by their id.
const stagePrefix = "stage-"

func (s *Store) newSink(name string, extra []string) (*sink, error) {
	sums, err := newSums(extra)
	return &sink{files: s.files, path: uploadsDir + "/" + name, sums: sums}, err
}

// admit is ErrTooLarge when size is above the limit.
func (st *Stage) admit(size int64) error {
	if st.opt.Limit > 0 && size > st.opt.Limit {
		return problem.Errorf(ErrTooLarge, "the body is larger than %d bytes", st.opt.Limit)
	}
	return nil
}

// Size is the number of bytes taken in so far.
func (st *Stage) Size() int64 {
	if st.end == errCommitted {
		return st.blob.Size
	}
	n := st.k.size + int64(st.n)
	if p := st.k.pipe; p != nil && p.cur != nil {
		n += int64(p.cur.n)
	}
	return n
}

// Write takes p in, keeping nothing of it. ErrTooLarge, ErrFull, ErrReadOnly; after an error the stage can only be aborted.
func (st *Stage) Write(p []byte) (n int, err error) {
	if err = st.open(); err == nil {
		err = st.admit(st.Size() + int64(len(p)))
	}
	if err == nil && st.head != nil {
		if st.n+len(p) <= smallBuffer {
			st.n += copy((*st.head)[st.n:], p)
			return len(p), nil
		}
		err = st.spill()
	}
	if err == nil {
		n, err = st.k.writeAll(p)
	}
	return n, st.stop(err)
}

// ReadFrom takes in all of r. The errors are Write's and r's own.
func (st *Stage) ReadFrom(r io.Reader) (n int64, err error) {
	if err = st.open(); err != nil {
		return 0, st.stop(err)
	}
	start := st.Size()
	if st.opt.Limit > 0 {
		r = io.LimitReader(r, st.opt.Limit-start+1)
	}
	if st.head != nil {
		m, err := io.ReadFull(r, (*st.head)[st.n:])
		st.n += m
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return int64(m), st.stop(st.admit(st.Size()))
		}
		if err == nil {
			err = st.spill()
		}
		if err != nil {
			return int64(m), st.stop(err)
		}
	}
	_, err = st.k.readFrom(st.ctx, r)
	// Inspection may take long: the buffers are more useful elsewhere.
	err = joined(err, st.k.rest())
	if err == nil {
		err = st.admit(st.Size())
	}
	return st.Size() - start, st.stop(err)
}

// open says whether the stage still takes bytes.
func (st *Stage) open() error {
	if st.end != nil {
		return st.end
	}
	return st.ctx.Err()
}

// stop remembers the first error: what follows a failed write would have a hole before it.
func (st *Stage) stop(err error) error {
	if err == nil {
		return nil
	}
	if st.end == nil {
		st.end = err
	}
	return fmt.Errorf("stage: %w", err)
}

// spill moves a body that turns out to be large into its file.
func (st *Stage) spill() error {
	if err := st.k.make(); err != nil {
		return err
	}
	p := (*st.head)[:st.n]
	err := st.k.put(p)
	if err == nil {
		st.k.hash(p)
	}
	st.dropHead()
	return err
}

func (st *Stage) dropHead() {
	if st.head != nil {
		st.k.files.giveBack(st.head)
		st.head, st.n = nil, 0
	}
}

// make creates the file of a stage with the mode it will keep as a blob.
func (k *sink) make() (err error) {
	k.files.staging.Store(k.path, true)
	k.file, err = k.files.create(k.path, 0o440)
	k.made = true // also after an error: nobody knows
	return err
}

// settle brings file and sums up to date; a small body's sums are computed here, once.
func (st *Stage) settle() error {
	if st.end != nil && st.end != errCommitted {
		return st.end
	}
	if err := st.k.drain(); err != nil {
		return st.stop(err)
	}
	return nil
}

// Digest is the sha256 of the bytes taken in so far; "" after a failed write.
func (st *Stage) Digest() digest.Digest {
	switch {
	case st.settle() != nil:
		return ""
	case st.end == errCommitted:
		return st.blob.Digest
	case st.head != nil:
		return digest.FromBytes((*st.head)[:st.n])
	}
	return st.k.digest()
}

// Sum is the hex of one of the sums asked for (or of sha256), of the bytes taken in so far; "" for any other.
func (st *Stage) Sum(alg string) string {
	if st.settle() != nil {
		return ""
	}
	if st.head == nil {
		return st.k.sum(alg)
	}
	for _, s := range st.k.sums {
		if s.name == alg {
			s.Reset()
			s.Write((*st.head)[:st.n])
			p := hex.EncodeToString(s.Sum(nil))
			s.Reset()
			return p
		}
	}
	return ""
}

// ReadAt reads what was taken in so far, for inspection before Commit (archive/zip and friends want an io.ReaderAt).
func (st *Stage) ReadAt(p []byte, off int64) (int, error) {
	if err := st.settle(); err != nil {
		return 0, err
	}
	if st.head != nil {
		return bytes.NewReader((*st.head)[:st.n]).ReadAt(p, off)
	}
	if st.k.file == nil {
		return 0, fmt.Errorf("read stage: %w", fs.ErrClosed)
	}
	return st.k.file.ReadAt(p, off)
}

// Flush makes all that was taken in so far readable by followers, and returns how many bytes those are.
func (st *Stage) Flush() (int64, error) {
	if err := st.settle(); err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Follow opens the growing file for readers beside the writer: what Flush counted may be read at any time, also after Commit and
// Abort. It is nil while the body is small and in memory. The caller closes it.
func (st *Stage) Follow() (*os.File, error) {
	if err := st.settle(); err != nil || st.head != nil || st.k.file == nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(st.s.dir, filepath.FromSlash(st.k.path)))
	if err != nil {
		return nil, fmt.Errorf("follow stage: %w", err)
	}
	return f, nil
}

// Commit makes the bytes durable under their digest and gives them a record; a blob that exists already is not written again.
// Until a version or a hold refers to it the sweeper takes it back after the grace period. A second call returns the same blob.
// ErrInvalid when the size is not the announced one, ErrReadOnly, ErrFull; after an error the stage is aborted.
func (st *Stage) Commit(ctx context.Context) (Blob, error) {
	if st.end == errCommitted {
		return st.blob, nil
	}
	return st.CommitWith(ctx, nil)
}

// CommitWith is Commit with link run in the transaction that records the blob, so that a version and its only file cost one. An error
// of link is returned and aborts the stage.
func (st *Stage) CommitWith(ctx context.Context, link func(*Tx, Blob) error) (Blob, error) {
	b, err := st.commit(ctx, link)
	if err != nil {
		st.Abort()
		return Blob{}, fmt.Errorf("commit stage: %w", err)
	}
	st.end, st.blob = errCommitted, b
	return b, nil
}

func (st *Stage) commit(ctx context.Context, link func(*Tx, Blob) error) (Blob, error) {
	if err := st.settle(); err != nil {
		return Blob{}, err
	}
	if st.opt.Size > 0 && st.Size() != st.opt.Size {
		return Blob{}, problem.Errorf(ErrInvalid, "the body has %d bytes, %d were announced", st.Size(), st.opt.Size)
	}
	if st.head != nil {
		b, err := st.s.putBytes(ctx, st.k, (*st.head)[:st.n], link)
		// The sums of a small body are asked for lazily, also after the commit.
		if err == nil {
			st.k.hash((*st.head)[:st.n])
			st.dropHead()
		}
		return b, err
	}
	err := st.k.rest()
	b := Blob{Digest: st.k.digest(), Size: st.k.size}
	if err == nil {
		err = st.s.land(ctx, st.k, b, link)
	}
	return b, err
}

// Abort drops what was taken in. It is safe, and does nothing, after Commit and after Abort.
func (st *Stage) Abort() {
	if st.end == errCommitted || st.end == errAborted {
		return
	}
	st.end = errAborted
	st.dropHead()
	if err := st.k.discard(); err != nil {
		st.s.log.Warn("a temporary file stays until the next reconcile", "error", err)
	}
}

// PutBytes stores p. Bytes that are there already, such as OCI's empty descriptor `{}`, cost a hash and a look at the record. The
// errors are Commit's.
func (s *Store) PutBytes(ctx context.Context, p []byte) (Blob, error) {
	return s.PutBytesWith(ctx, p, nil)
}

// PutBytesWith is PutBytes with link run in the transaction that records the blob. An error of link is returned.
func (s *Store) PutBytesWith(ctx context.Context, p []byte, link func(*Tx, Blob) error) (Blob, error) {
	k, err := s.newSink(stagePrefix+rand.Text(), nil)
	if err == nil {
		err = s.writable()
	}
	b := Blob{}
	if err == nil {
		b, err = s.putBytes(ctx, k, p, link)
	}
	if err != nil {
		return Blob{}, fmt.Errorf("put %d bytes: %w", len(p), err)
	}
	return b, nil
}

// putBytes commits a body that is in memory, in as few system calls as durability allows.
func (s *Store) putBytes(ctx context.Context, k *sink, p []byte, link func(*Tx, Blob) error) (Blob, error) {
	h := sha256.Sum256(p)
	b := Blob{Digest: digest.NewDigestFromBytes(digest.SHA256, h[:]), Size: int64(len(p))}
	if ok, err := s.claimWith(ctx, b, link); ok || err != nil {
		return b, err
	}
	err := k.make()
	if err == nil {
		err = k.put(p)
	}
	if err == nil {
		err = s.land(ctx, k, b, link)
	}
	if err != nil {
		return b, joined(err, k.discard())
	}
	s.small.put(b.Digest, bytes.Clone(p), s.small.epoch.Load())
	return b, nil
}

// claim reports whether b is stored already and not known to be damaged, and if so keeps the sweeper away for a grace
// period. The stripe makes sure that it is not being swept at this moment.
func (s *Store) claim(ctx context.Context, b Blob) (bool, error) {
	lock := s.stripe(b.Digest)
	lock.RLock()
	defer lock.RUnlock()
	return s.claimed(ctx, b)
}

// claimWith is claim with link run in a transaction of its own if the blob is there.
func (s *Store) claimWith(ctx context.Context, b Blob, link func(*Tx, Blob) error) (bool, error) {
	if ok, err := s.claimSound(ctx, b); !ok || err != nil {
		return false, err
	}
	lock := s.stripe(b.Digest)
	lock.RLock()
	defer lock.RUnlock()
	ok, err := s.claimed(ctx, b)
	if ok && err == nil && link != nil {
		err = s.record(ctx, b, link)
	}
	return ok, err
}

// claimSound is claim after reading the bytes that are there: those that came once more replace them when they are
// damaged.
func (s *Store) claimSound(ctx context.Context, b Blob) (bool, error) {
	if ok, err := s.claim(ctx, b); !ok || err != nil {
		return false, err
	}
	if err := s.vet(ctx, b); err != nil {
		return false, err
	}
	return s.claim(ctx, b)
}

func (s *Store) claimed(ctx context.Context, b Blob) (bool, error) {
	have, err := s.lookup(ctx, b.Digest)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case have.Size != b.Size, !s.intact(b), s.damages.has(b.Digest):
		return false, nil // damaged on disk: these bytes repair it
	}
	s.Touch(b.Digest)
	return true, nil
}

// land makes k's bytes, known to be b, durable under their digest, then records b and runs link in one transaction. k's file is gone
// once it succeeded: it became the blob, or was dropped because the blob exists.
//
// The file is synced before the stripe is taken: nobody waits for another's bytes. Two commits of one digest may both rename; the
// second replaces the first with the same bytes.
func (s *Store) land(ctx context.Context, k *sink, b Blob, link func(*Tx, Blob) error) error {
	if err := s.settleFile(ctx, k, b); err != nil {
		return err
	}
	lock := s.stripe(b.Digest)
	lock.RLock()
	defer lock.RUnlock()
	existed, err := s.place(ctx, k, b)
	if err != nil || existed && link == nil {
		return err
	}
	return s.record(ctx, b, link)
}

// record gives b its row and asks the sweeper to look whether anybody came to hold it.
func (s *Store) record(ctx context.Context, b Blob, link func(*Tx, Blob) error) error {
	return s.Update(ctx, func(tx *Tx) error {
		if err := errors.Join(tx.putBlob(b), tx.healed(b.Digest)); err != nil {
			return err
		}
		if err := tx.queueReview(b.Digest); err != nil || link == nil {
			return err
		}
		return link(tx, b)
	})
}

// settleFile syncs and closes k's file, unless the blob exists and the file is not needed.
func (s *Store) settleFile(ctx context.Context, k *sink, b Blob) error {
	if err := k.rest(); err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	if ok, err := s.claimSound(ctx, b); ok || err != nil {
		return err
	}
	if err := s.dirFor(shardPath(b.Digest)).ready(); err != nil {
		return err
	}
	return k.seal()
}

// seal syncs and closes the file; the sink takes no more bytes.
func (k *sink) seal() error {
	if k.file == nil {
		return nil
	}
	if err := k.files.fsync(k.file, k.path); err != nil {
		return err
	}
	file := k.file
	k.file = nil
	return k.files.closeFile(file, k.path)
}

// place moves the sealed file under its digest; existed says that the blob was there and the file was dropped. A file that settleFile
// left open because the blob existed is sealed here when the sweeper took that blob in between.
func (s *Store) place(ctx context.Context, k *sink, b Blob) (existed bool, err error) {
	if existed, err = s.claimed(ctx, b); err != nil {
		return false, err
	}
	if existed {
		return true, k.discard()
	}
	if err := k.seal(); err != nil {
		return false, err
	}
	if err := s.rename(k.path, blobPath(b.Digest)); err != nil {
		return false, err
	}
	k.made = false
	s.staging.Delete(k.path)
	s.Touch(b.Digest)
	return false, s.syncDir(shardPath(b.Digest))
}
