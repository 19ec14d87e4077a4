package store

// This file makes blobs of bytes: it syncs their file, moves it under its digest and records it.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

// StageOptions says what is known about a body before it arrives.
type StageOptions = disk.StageOptions

// Stage is a body that is being taken in: write it, inspect it, then Commit or Abort. One goroutine uses it. A small
// body stays in memory until Commit; a larger one is a file of uploads/ that a crash leaves for Reconcile.
type Stage struct {
	*disk.Stage // Write, ReadFrom; Size, Digest, Sum; ReadAt, Flush, Follow; Abort
	s           *Store
}

// Stage begins to take a body in. ErrReadOnly; ErrFull when the announced size does not fit; ErrTooLarge; ErrInvalid
// for an unknown sum. The caller must Abort (or Commit) it.
func (s *Store) Stage(ctx context.Context, o StageOptions) (*Stage, error) {
	err := s.writable()
	var st *disk.Stage
	if err == nil {
		st, err = s.files.NewStage(ctx, o)
	}
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	return &Stage{Stage: st, s: s}, nil
}

// Commit makes the bytes durable under their digest and gives them a record; a blob that exists already is not written
// again. Until a version or a hold refers to it the sweeper takes it back after the grace period. A second call returns
// the same blob. ErrInvalid when the size is not the announced one, ErrReadOnly, ErrFull; after an error the stage is
// aborted.
func (st *Stage) Commit(ctx context.Context) (Blob, error) {
	if b, ok := st.Committed(); ok {
		return b, nil
	}
	return st.CommitWith(ctx, nil)
}

// CommitWith is Commit with link run in the transaction that records the blob, so that a version and its only file cost
// one. An error of link is returned and aborts the stage.
func (st *Stage) CommitWith(ctx context.Context, link func(*Tx, Blob) error) (Blob, error) {
	b, err := st.commit(ctx, link)
	if err != nil {
		st.Abort()
		return Blob{}, fmt.Errorf("commit stage: %w", err)
	}
	disk.CommitStage(st.Stage, b)
	return b, nil
}

func (st *Stage) commit(ctx context.Context, link func(*Tx, Blob) error) (Blob, error) {
	k, small, err := disk.FinishStage(st.Stage)
	if err != nil {
		return Blob{}, err
	}
	if small != nil {
		return st.s.putBytes(ctx, k, small, link)
	}
	b := k.Blob()
	return b, st.s.commitFile(ctx, k, b, link)
}

// PutBytes stores p. Bytes that are there already, such as OCI's empty descriptor `{}`, cost a hash and a look at the
// record. The errors are Commit's.
func (s *Store) PutBytes(ctx context.Context, p []byte) (Blob, error) {
	return s.PutBytesWith(ctx, p, nil)
}

// PutBytesWith is PutBytes with link run in the transaction that records the blob. An error of link is returned.
func (s *Store) PutBytesWith(ctx context.Context, p []byte, link func(*Tx, Blob) error) (Blob, error) {
	err := s.writable()
	b := Blob{}
	if err == nil {
		b, err = s.putBytes(ctx, nil, p, link)
	}
	if err != nil {
		return Blob{}, fmt.Errorf("put %d bytes: %w", len(p), err)
	}
	return b, nil
}

// putBytes commits a body that is in memory, in as few system calls as durability allows. Its file is k's, or a new one
// when k is nil and one is needed.
func (s *Store) putBytes(ctx context.Context, k *disk.Sink, p []byte, link func(*Tx, Blob) error) (Blob, error) {
	h := sha256.Sum256(p)
	b := Blob{Digest: digest.NewDigestFromBytes(digest.SHA256, h[:]), Size: int64(len(p))}
	if ok, err := s.reuseWith(ctx, b, link); ok || err != nil {
		return b, err
	}
	if k == nil {
		var err error
		if k, err = s.files.NewSink(); err != nil {
			return b, err
		}
	}
	err := k.Fill(p)
	if err == nil {
		err = s.commitFile(ctx, k, b, link)
	}
	if err != nil {
		return b, errors.Join(err, k.Discard())
	}
	if b.Size <= cachedBlob {
		s.small.put(b.Digest, bytes.Clone(p), s.small.epoch.Load())
	}
	return b, nil
}

// reuse reports whether b is stored already and not known to be damaged, and if so keeps the sweeper away for a grace
// period. The stripe makes sure that it is not being swept at this moment.
func (s *Store) reuse(ctx context.Context, b Blob) (bool, error) {
	lock := s.stripe(b.Digest)
	lock.RLock()
	defer lock.RUnlock()
	return s.isStored(ctx, b)
}

// reuseWith is reuse with link run in a transaction of its own if the blob is there.
func (s *Store) reuseWith(ctx context.Context, b Blob, link func(*Tx, Blob) error) (bool, error) {
	if ok, err := s.reuseSound(ctx, b); !ok || err != nil {
		return false, err
	}
	lock := s.stripe(b.Digest)
	lock.RLock()
	defer lock.RUnlock()
	ok, err := s.isStored(ctx, b)
	if ok && err == nil && link != nil {
		err = s.record(ctx, b, link)
	}
	return ok, err
}

// reuseSound is reuse after reading the bytes that are there: those that came once more replace them when they are
// damaged.
func (s *Store) reuseSound(ctx context.Context, b Blob) (bool, error) {
	if ok, err := s.reuse(ctx, b); !ok || err != nil {
		return false, err
	}
	if err := s.recheck(ctx, b); err != nil {
		return false, err
	}
	return s.reuse(ctx, b)
}

func (s *Store) isStored(ctx context.Context, b Blob) (bool, error) {
	have, err := s.lookup(ctx, b.Digest)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case have.Size != b.Size, s.files.StatBlob(b) != nil, s.damages.has(b.Digest):
		return false, nil // damaged on disk: these bytes repair it
	}
	s.Touch(b.Digest)
	return true, nil
}

// commitFile makes k's bytes, known to be b, durable under their digest, then records b and runs link in one
// transaction. k's file is gone once it succeeded: it became the blob, or was dropped because the blob exists.
//
// The file is synced before the stripe is taken: nobody waits for another's bytes. Two commits of one digest may both
// rename; the second replaces the first with the same bytes.
func (s *Store) commitFile(ctx context.Context, k *disk.Sink, b Blob, link func(*Tx, Blob) error) error {
	if err := s.syncFile(ctx, k, b); err != nil {
		return err
	}
	lock := s.stripe(b.Digest)
	lock.RLock()
	defer lock.RUnlock()
	existed, err := s.placeFile(ctx, k, b)
	if err != nil || existed && link == nil {
		return err
	}
	return s.record(ctx, b, link)
}

// record gives b its row and asks the sweeper to look whether anybody came to hold it.
func (s *Store) record(ctx context.Context, b Blob, link func(*Tx, Blob) error) error {
	return s.Update(ctx, func(tx *Tx) error {
		if err := errors.Join(tx.putBlob(b), tx.forgetDamage(b.Digest)); err != nil {
			return err
		}
		if err := tx.queueReview(b.Digest); err != nil || link == nil {
			return err
		}
		return link(tx, b)
	})
}

// syncFile syncs and closes k's file, unless the blob exists and the file is not needed.
func (s *Store) syncFile(ctx context.Context, k *disk.Sink, b Blob) error {
	if err := s.writable(); err != nil {
		return err
	}
	if ok, err := s.reuseSound(ctx, b); ok || err != nil {
		return err
	}
	return k.Sync(b.Digest)
}

// placeFile moves the synced file under its digest; existed says that the blob was there and the file was dropped. A
// file that syncFile left alone because the blob existed is synced now when the sweeper took that blob in between.
func (s *Store) placeFile(ctx context.Context, k *disk.Sink, b Blob) (existed bool, err error) {
	if existed, err = s.isStored(ctx, b); err != nil {
		return false, err
	}
	if existed {
		return true, k.Discard()
	}
	s.Touch(b.Digest)
	return false, k.Place(b.Digest)
}
