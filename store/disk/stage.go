package disk

// This file takes in a body that comes in one request.

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// StageOptions says what is known about a body before it arrives.
type StageOptions struct {
	Size  int64    // bytes announced, checked at Commit; 0 or -1 when unknown
	Limit int64    // bytes accepted: ErrTooLarge above; 0: no limit
	Sums  []string // computed beside sha256 while writing: "md5", "sha1", "sha224", "sha384", "sha512", "blake2b-256"
}

// Stage is a body that is being taken in. One goroutine uses it. A small body stays in memory until its commit; a
// larger one is a file of uploads/ that a crash leaves for RemoveLeftovers.
type Stage struct {
	ctx  context.Context
	opt  StageOptions
	k    *Sink
	head *[]byte // the body while it is small
	n    int     // bytes in head
	end  error   // why the stage takes no more: committed, aborted, or the first failed write
	blob Blob    // what was committed
}

var (
	errCommitted = errors.New("the stage is committed")
	errAborted   = errors.New("the stage is aborted")
)

// stagePrefix tells files of stages from those of resumable uploads, which are called by their id.
const stagePrefix = "stage-"

// NewStage begins to take a body in. ErrFull when the announced size does not fit; ErrTooLarge; ErrInvalid for an
// unknown sum. The caller ends it with Abort or CommitStage.
func (f *Folder) NewStage(ctx context.Context, o StageOptions) (*Stage, error) {
	st := &Stage{ctx: ctx, opt: o}
	err := st.admit(max(o.Size, 0))
	if err == nil {
		err = f.Room(0, max(o.Size, 0))
	}
	if err == nil {
		st.k, err = f.newSink(stagePrefix+rand.Text(), o.Sums)
	}
	if err != nil {
		return nil, err
	}
	st.head = f.smallBuffer()
	return st, nil
}

// NewSink is for a body that is in memory, and of which only the digest is wanted. The caller fills it, then places or
// discards it.
func (f *Folder) NewSink() (*Sink, error) { return f.newSink(stagePrefix+rand.Text(), nil) }

// admit is ErrTooLarge when size is above the limit.
func (st *Stage) admit(size int64) error {
	if st.opt.Limit > 0 && size > st.opt.Limit {
		return problem.Errorf(problem.ErrTooLarge, "the body is larger than %d bytes", st.opt.Limit)
	}
	return nil
}

// Size is the number of bytes taken in so far.
func (st *Stage) Size() int64 {
	if st.end == errCommitted {
		return st.blob.Size
	}
	return st.k.size + int64(st.n) + int64(st.k.pending())
}

// Write takes p in, keeping nothing of it. ErrTooLarge, ErrFull, ErrReadOnly; after an error the stage can only be
// aborted.
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
	err = errors.Join(err, st.k.rest())
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
		st.k.folder.GiveBack(st.head)
		st.head, st.n = nil, 0
	}
}

// settle brings file and sums up to date.
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

// Sum is the hex of a sum of the bytes taken in so far. One that was not asked for beforehand, but for sha256, is
// computed by reading the bytes once more, as long as they are not committed; "" for one that does not exist.
func (st *Stage) Sum(alg string) string {
	if st.settle() != nil {
		return ""
	}
	if st.head == nil {
		return cmp.Or(st.k.sum(alg), st.late(alg))
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
	return st.late(alg)
}

// late is a sum that was not asked for beforehand.
func (st *Stage) late(alg string) string {
	sums, err := newSums([]string{alg})
	if err != nil || alg == "sha256" {
		return ""
	}
	if _, err := io.Copy(sums[1], io.NewSectionReader(st, 0, st.Size())); err != nil {
		return ""
	}
	return hex.EncodeToString(sums[1].Sum(nil))
}

// ReadAt reads what was taken in so far, for inspection before Commit (archive/zip and others want an io.ReaderAt).
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

// Follow opens the growing file for readers beside the writer: what Flush counted may be read at any time, also after
// Commit and Abort. It is nil while the body is small and in memory. The caller closes it.
func (st *Stage) Follow() (*os.File, error) {
	if err := st.settle(); err != nil || st.head != nil || st.k.file == nil {
		return nil, err
	}
	f, err := os.Open(st.k.folder.Path(st.k.path))
	if err != nil {
		return nil, fmt.Errorf("follow stage: %w", err)
	}
	return f, nil
}

// Committed is what the stage became, if it has.
func (st *Stage) Committed() (Blob, bool) { return st.blob, st.end == errCommitted }

// FinishStage ends the taking in. small is the body if it is in memory, for Fill; else it is nil and the body is in the
// sink. ErrInvalid when the size is not the announced one.
func FinishStage(st *Stage) (k *Sink, small []byte, err error) {
	if err := st.settle(); err != nil {
		return nil, nil, err
	}
	if st.opt.Size > 0 && st.Size() != st.opt.Size {
		return nil, nil, problem.Errorf(problem.ErrInvalid,
			"the body has %d bytes, %d were announced", st.Size(), st.opt.Size)
	}
	if st.head != nil {
		return st.k, (*st.head)[:st.n], nil
	}
	return st.k, nil, st.k.rest()
}

// CommitStage says that the body became b. Digest, size and sums of the stage can still be asked for.
func CommitStage(st *Stage, b Blob) {
	if st.head != nil {
		// The sums of a small body are computed here, once.
		st.k.hash((*st.head)[:st.n])
		st.dropHead()
	}
	st.end, st.blob = errCommitted, b
}

// Abort drops what was taken in. It is safe, and does nothing, after Commit and after Abort.
func (st *Stage) Abort() {
	if st.end == errCommitted || st.end == errAborted {
		return
	}
	st.end = errAborted
	st.dropHead()
	if err := st.k.Discard(); err != nil {
		st.k.folder.log.Warn("a temporary file stays until the next reconcile", "error", err)
	}
}
