package store

// This file gives back what a database that has shrunk still takes on disk.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// compactBatch is how many bytes of keys and values one transaction of a compaction writes.
const compactBatch = 16 << 20

// txBaseKey is the row of meta with what is added to bbolt's numbers of transactions: a compacted file begins to count
// anew, and generations must grow.
var txBaseKey = []byte("txbase")

// CompactReport has the sizes of the database in bytes.
type CompactReport struct {
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

// Compact writes the database of the folder dir, which no process may have open, into a new file without its free pages
// and lets that take its place. A crash leaves the old file or the new one. ErrLocked, ErrDatabase; ErrFull leaves the
// old one.
func Compact(ctx context.Context, dir string, o Options) (r CompactReport, err error) {
	o.AcceptMissingBlobs = true
	s, err := Open(dir, o)
	if err != nil {
		return r, err
	}
	// The lock is on the old file: it is held until the new one has its name.
	defer func() { err = errors.Join(err, s.Close()) }()
	if r.Before, err = s.sizeOf(dbName); err == nil {
		err = s.compact(ctx)
	}
	if err == nil {
		r.After, err = s.sizeOf(dbName)
	}
	if err != nil {
		return r, fmt.Errorf("compact %s: %w", dir, err)
	}
	return r, nil
}

func (tx *Tx) txBase() uint64 {
	if v := tx.get(bucketMeta, txBaseKey); len(v) == 8 {
		return seqOf(v)
	}
	return 0
}

func (s *Store) sizeOf(name string) (int64, error) {
	st, err := os.Stat(s.files.Path(name))
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (s *Store) compact(ctx context.Context) error {
	if err := s.files.Remove(newDBName); err != nil {
		return err
	}
	err := s.files.Step("create", newDBName, s.copyDB)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.files.CutFile(newDBName, usedBytes)
	}
	if err == nil {
		err = inspectFile(s.files.Path(newDBName), s.opt)
	}
	if err != nil {
		return errors.Join(err, s.files.Remove(newDBName))
	}
	if err := s.files.Rename(newDBName, dbName); err != nil {
		return err
	}
	return s.files.SyncDir(".")
}

// copyDB copies every row to the new file.
func (s *Store) copyDB() (err error) {
	o := boltOptions(s.opt)
	o.NoSync = true // it is synced whole, before it gets its name
	dst, err := bolt.Open(s.files.Path(newDBName), 0o600, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	last := s.txid()
	if err := s.guard(func() error { return bolt.Compact(dst, s.db, compactBatch) }); err != nil {
		return err
	}
	return dst.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put(txBaseKey, be64(last)) })
}

// usedBytes is how much of a database's file has pages: bbolt allocates ahead.
func usedBytes(r io.ReaderAt, size int64) (int64, error) {
	x := &inspector{r: r, size: size}
	_, _, err := x.meta()
	return int64(x.pages) * x.pageSize, err
}
