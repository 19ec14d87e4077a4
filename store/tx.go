package store

// This file has transactions, and the tables that other packages keep in them.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Tx is one transaction. It is valid only inside the function it was given to, and only in that goroutine.
type Tx struct {
	s     *Store
	b     *bolt.Tx
	ctx   context.Context
	now   time.Time
	actor Actor

	buckets map[string]*bolt.Bucket
	writes  int      // puts and deletes so far; 0 means that dropping this function's share needs no rollback
	hooks   []func() // OnCommit
	touched []slot   // generations to move after the commit
	logged  bool     // the journal grew
	err     error    // of calls that cannot return one; fails the transaction
}

// View runs fn in a read transaction: a consistent snapshot that blocks nobody. fn must be quick, do no I/O and not
// call the store's own View or Update.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = s.recovered(p)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	b, err := s.db.Begin(false)
	if err != nil {
		return beginError(err)
	}
	defer rollback(b)
	return fn(s.newTx(ctx, b))
}

func beginError(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return fmt.Errorf("begin transaction: %w", err)
}

func (s *Store) newTx(ctx context.Context, b *bolt.Tx) *Tx {
	return &Tx{s: s, b: b, ctx: ctx, now: s.opt.Now().UTC(), actor: ActorFrom(ctx)}
}

// Now is the time of the transaction's begin in UTC, so that all stamps of one change agree.
func (tx *Tx) Now() time.Time { return tx.now }

// Actor is who asked for the change.
func (tx *Tx) Actor() Actor { return tx.actor }

// OnCommit runs fn once the transaction is durable, before Update returns. It is not run when the transaction fails.
func (tx *Tx) OnCommit(fn func()) { tx.hooks = append(tx.hooks, fn) }

// bucket returns nil when the bucket does not exist yet.
func (tx *Tx) bucket(name string) *bolt.Bucket {
	b := tx.buckets[name]
	if b == nil {
		if b = tx.b.Bucket([]byte(name)); b == nil {
			return nil
		}
		if tx.buckets == nil {
			tx.buckets = make(map[string]*bolt.Bucket, 8)
		}
		tx.buckets[name] = b
	}
	return b
}

// get returns nil when the row is absent; the bytes are valid until the next write of this transaction.
func (tx *Tx) get(bucket string, k []byte) []byte {
	b := tx.bucket(bucket)
	if b == nil {
		return nil
	}
	return b.Get(k)
}

// put keeps neither k nor v after the commit, but both must stay unchanged until then.
func (tx *Tx) put(bucket string, k, v []byte) error {
	b := tx.bucket(bucket)
	if b == nil {
		tx.writes++
		var err error
		if b, err = tx.b.CreateBucketIfNotExists([]byte(bucket)); err != nil {
			return fmt.Errorf("create bucket %s: %w", bucket, err)
		}
	}
	tx.writes++
	if err := b.Put(k, v); err != nil {
		return fmt.Errorf("put %s %q: %w", bucket, k, err)
	}
	return nil
}

// del is no error when the row is absent.
func (tx *Tx) del(bucket string, k []byte) error {
	b := tx.bucket(bucket)
	if b == nil {
		return nil
	}
	tx.writes++
	if err := b.Delete(k); err != nil {
		return fmt.Errorf("delete %s %q: %w", bucket, k, err)
	}
	return nil
}

// putRow stores v as a record.
func (tx *Tx) putRow(bucket string, k []byte, v any) error {
	b, err := encode(v)
	if err != nil {
		return fmt.Errorf("%s %q: %w", bucket, k, err)
	}
	return tx.put(bucket, k, b)
}

// row decodes a record into v; false when it is absent.
func (tx *Tx) row(bucket string, k []byte, v any) (bool, error) {
	b := tx.get(bucket, k)
	if b == nil {
		return false, nil
	}
	if err := decode(b, v); err != nil {
		return false, fmt.Errorf("%s %q: %w", bucket, k, err)
	}
	return true, nil
}

// scan yields the rows of bucket whose key starts with prefix and is greater than after (a whole key, or nil), in key
// order. The loop's body may write: the scan then seeks its place again.
func (tx *Tx) scan(bucket string, prefix, after []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		b := tx.bucket(bucket)
		if b == nil {
			return
		}
		c := b.Cursor()
		k, v := c.Seek(prefix)
		if bytes.Compare(after, prefix) >= 0 {
			k, v = seekAfter(c, after)
		}
		var last []byte
		for k != nil && bytes.HasPrefix(k, prefix) {
			writes := tx.writes
			if tx.b.Writable() {
				last = append(last[:0], k...)
			}
			if !yield(k, v) {
				return
			}
			if tx.writes != writes {
				k, v = seekAfter(c, last)
			} else {
				k, v = c.Next()
			}
		}
	}
}

// seekAfter moves to the first key greater than k.
func seekAfter(c *bolt.Cursor, k []byte) ([]byte, []byte) {
	got, v := c.Seek(k)
	if got != nil && bytes.Equal(got, k) {
		return c.Next()
	}
	return got, v
}

// Table is a set of rows: a top-level bucket of another package, or one protocol's rows below a package or kind.
type Table struct {
	tx      *Tx
	bucket  string
	prefix  []byte
	changed func()
}

// Table returns the top-level bucket called name, which contains a dot ("auth.users") and so cannot be one of the
// store's own. It is created by the first Put.
func (tx *Tx) Table(name string) Table {
	if !strings.Contains(name, ".") {
		name = "other." + name
	}
	return Table{tx: tx, bucket: name}
}

func (t Table) key(k []byte) []byte {
	return append(t.prefix[:len(t.prefix):len(t.prefix)], k...)
}

// Get returns nil when there is no such row. The bytes are valid until the transaction's next write, and must not be
// changed.
func (t Table) Get(key []byte) []byte { return t.tx.get(t.bucket, t.key(key)) }

// Put stores a row; the caller must not change v before the transaction ends.
func (t Table) Put(k, v []byte) error {
	if t.changed != nil {
		t.changed()
	}
	return t.tx.put(t.bucket, t.key(k), v)
}

// Delete removes a row; nil also when it is absent.
func (t Table) Delete(k []byte) error {
	if t.Get(k) == nil {
		return nil
	}
	if t.changed != nil {
		t.changed()
	}
	return t.tx.del(t.bucket, t.key(k))
}

// Scan yields the rows whose key starts with prefix and is greater than after (nil: from the first), in key order.
// The bytes are valid until the transaction's next write; the body may write to the table.
func (t Table) Scan(prefix, after []byte) iter.Seq2[[]byte, []byte] {
	from := after
	if from != nil {
		from = t.key(after)
	}
	return func(yield func([]byte, []byte) bool) {
		for k, v := range t.tx.scan(t.bucket, t.key(prefix), from) {
			if !yield(k[len(t.prefix):], v) {
				return
			}
		}
	}
}
