package store

// This file finds entries of the journal by package, user or operation without reading all of it.

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// indexBatch is how many entries get their index rows in one transaction. A publish writes none: that would cost it two
// more pages. The sequence of the index's bucket is the number of the entry up to which all have their rows; it moves
// in the transaction that writes them. What follows, a query reads itself, in 7 µs an entry: up to a batch, 4 ms, and
// what is written between two runs of IndexJournal, 30 ms after ten seconds of 400 publishes each.
const indexBatch = 500

// indexKeys are the rows of an entry: by kind and package, by user, by operation; the number stands last.
func indexKeys(e Entry) [][]byte {
	var keys [][]byte
	if e.Package != "" {
		keys = append(keys, prefix("package", string(e.Kind), e.Package))
	}
	if e.Actor.User != "" {
		keys = append(keys, prefix("user", e.Actor.User))
	}
	keys = append(keys, prefix("op", string(e.Op)))
	for i, k := range keys {
		keys[i] = append(k, be64(e.Seq)...)
	}
	return keys
}

// indexEntry writes the rows of an entry.
func (tx *Tx) indexEntry(e Entry) error {
	for _, k := range indexKeys(e) {
		if err := tx.put(bucketJournalIndex, k, []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// indexed is the number of the entry up to which all have their index rows.
func (tx *Tx) indexed() uint64 { return tx.bucket(bucketJournalIndex).Sequence() }

// IndexJournal gives index rows to the entries that have none, once there are many of them, in short transactions; what
// was done stays done. It is a job, to be run every few seconds: with few entries it only looks at two numbers.
// ErrReadOnly, ErrFull.
func (s *Store) IndexJournal(ctx context.Context) error { return s.indexJournal(ctx, indexBatch) }

// indexJournal is IndexJournal for so many entries or more.
func (s *Store) indexJournal(ctx context.Context, least uint64) error {
	for {
		behind := uint64(0)
		err := s.View(ctx, func(tx *Tx) error {
			behind = tx.bucket(bucketJournal).Sequence() - tx.indexed()
			return nil
		})
		if err == nil && behind >= least {
			err = s.Update(ctx, (*Tx).indexSome)
		}
		if err != nil {
			return fmt.Errorf("index the journal: %w", err)
		}
		if behind < least {
			return nil
		}
	}
}

// indexSome gives index rows to the next entries. One that cannot be read gets none: nothing is known of it to find it
// by, and Check names it.
func (tx *Tx) indexSome() error {
	done, n := tx.indexed(), 0
	for k, v := range tx.scan(bucketJournal, nil, be64(done)) {
		if n == indexBatch {
			break
		}
		done, n = seqOf(k), n+1
		var e Entry
		if decode(v, &e) != nil {
			continue
		}
		if err := tx.indexEntry(e); err != nil {
			return err
		}
	}
	if n < indexBatch {
		done = tx.bucket(bucketJournal).Sequence()
	}
	tx.writes++
	return tx.bucket(bucketJournalIndex).SetSequence(done)
}

// indexGapKey is the row of meta in which format 2 noted a range of entries without index rows, as two numbers: those
// after the first, up to the second.
var indexGapKey = []byte("journal.unindexed")

// indexLater is the migration of data folders whose index was written together with the entries, or that have none: the
// index counts as complete up to the first entry that may lack its rows. Rows of later ones stay, and are put again.
func indexLater(tx *bolt.Tx) error {
	index, err := tx.CreateBucketIfNotExists([]byte(bucketJournalIndex))
	if err != nil {
		return err
	}
	meta := tx.Bucket([]byte(bucketMeta))
	gap := meta.Get(indexGapKey)
	if len(gap) != 16 {
		return nil
	}
	if err := index.SetSequence(min(index.Sequence(), binary.BigEndian.Uint64(gap))); err != nil {
		return err
	}
	return meta.Delete(indexGapKey)
}

// EntryFilter selects entries of the journal; an empty field selects all. Package, User and Op are exact: with one of
// them only the entries it names are read.
type EntryFilter struct {
	Kind    Kind
	Package string
	User    string
	Op      Op
	Since   time.Time
	Until   time.Time        // before it; zero: no end
	Match   func(Entry) bool // nil: all
}

// Named narrows the filter to packages and users, "" for all. In both "*" stands for any run of characters; what has
// none is exact.
func (f EntryFilter) Named(pkg, user string) EntryFilter {
	if !strings.Contains(pkg, "*") {
		f.Package, pkg = pkg, ""
	}
	if !strings.Contains(user, "*") {
		f.User, user = user, ""
	}
	if match := f.Match; pkg+user != "" {
		f.Match = func(e Entry) bool {
			return (pkg == "" || Glob(pkg, e.Package)) && (user == "" || Glob(user, e.Actor.User)) && (match == nil || match(e))
		}
	}
	return f
}

// Selects reports whether the filter selects e.
func (f EntryFilter) Selects(e Entry) bool {
	return (f.Kind == "" || e.Kind == f.Kind) && (f.Package == "" || e.Package == f.Package) &&
		(f.User == "" || e.Actor.User == f.User) && (f.Op == "" || e.Op == f.Op) &&
		!e.Time.Before(f.Since) && (f.Until.IsZero() || e.Time.Before(f.Until)) && (f.Match == nil || f.Match(e))
}

// ranges are the prefixes of the index rows that lead to the entries; nil when the journal itself must be read.
func (f EntryFilter) ranges() [][]byte {
	switch {
	case f.Package != "" && f.Kind != "":
		return [][]byte{prefix("package", string(f.Kind), f.Package)}
	case f.User != "":
		return [][]byte{prefix("user", f.User)}
	case f.Package != "":
		var all [][]byte
		for _, k := range allKinds() {
			all = append(all, prefix("package", string(k), f.Package))
		}
		return all
	case f.Op != "":
		return [][]byte{prefix("op", string(f.Op))}
	}
	return nil
}

// queryBatch is how many entries one transaction of a query looks at.
const queryBatch = 1000

// Entries returns up to limit entries that f selects of those numbered after, oldest first, and the number up to which
// the journal was looked at.
func (s *Store) Entries(
	ctx context.Context, f EntryFilter, after uint64, limit int,
) (out []Entry, last uint64, err error) {
	last = after
	for done := false; !done && len(out) < limit && err == nil; {
		err = s.View(ctx, func(tx *Tx) (err error) {
			w := tx.walk(f)
			if !f.Since.IsZero() {
				last = max(last, tx.seqBefore(f.Since))
			}
			for range queryBatch {
				e, ok, err := w.after(last)
				if err != nil {
					return err
				}
				if !ok {
					last, done = max(last, tx.bucket(bucketJournal).Sequence()), true
					return nil
				}
				last = e.Seq
				if f.take(&out, e, limit) {
					return nil
				}
			}
			return nil
		})
	}
	return out, last, err
}

// take appends an entry that f selects, and reports whether it was the last one below the limit.
func (f EntryFilter) take(out *[]Entry, e Entry, limit int) (full bool) {
	if !f.Selects(e) {
		return false
	}
	*out = append(*out, e)
	return len(*out) == limit
}

// EntriesBefore returns up to limit entries that f selects of those numbered below before (0: of all), newest first.
func (s *Store) EntriesBefore(ctx context.Context, f EntryFilter, before uint64, limit int) (out []Entry, err error) {
	for done := false; !done && len(out) < limit && err == nil; {
		var more []Entry
		more, before, err = s.EntriesPage(ctx, f, before, limit-len(out), queryBatch)
		out, done = append(out, more...), before == 0
	}
	return out, err
}

// EntriesPage is EntriesBefore that looks at no more than the given number of entries, however few of them f selects:
// it goes on below next, which is 0 when there is nothing more.
func (s *Store) EntriesPage(
	ctx context.Context, f EntryFilter, before uint64, limit, look int,
) (out []Entry, next uint64, err error) {
	if before == 0 {
		before = 1 << 63
	}
	err = s.View(ctx, func(tx *Tx) error {
		out, next = nil, before
		w, least := tx.walk(f), uint64(0)
		if !f.Until.IsZero() {
			next = min(next, tx.seqBefore(f.Until)+1)
		}
		if !f.Since.IsZero() {
			least = tx.seqBefore(f.Since)
		}
		for range look {
			e, ok, err := w.before(next)
			if err != nil {
				return err
			}
			if !ok || e.Seq <= least {
				next = 0
				return nil
			}
			next = e.Seq
			if f.take(&out, e, limit) {
				return nil
			}
		}
		return nil
	})
	return out, next, err
}

// entryWalk goes through the entries that a filter may select: by the index as far as that has come, then by the
// journal itself.
type entryWalk struct {
	tx      *Tx
	ranges  [][]byte // of the index; nil: the journal itself
	indexed uint64
	journal *bolt.Cursor
	index   *bolt.Cursor
}

func (tx *Tx) walk(f EntryFilter) *entryWalk {
	w := &entryWalk{tx: tx, ranges: f.ranges(), journal: tx.bucket(bucketJournal).Cursor()}
	if w.ranges != nil {
		w.indexed, w.index = tx.indexed(), tx.bucket(bucketJournalIndex).Cursor()
	}
	return w
}

// after is the first entry numbered above seq; false when there is none.
func (w *entryWalk) after(seq uint64) (e Entry, ok bool, err error) {
	if seq < w.indexed {
		next := uint64(0)
		for _, r := range w.ranges {
			k, _ := w.index.Seek(append(slices.Clone(r), be64(seq+1)...))
			if hasPrefixLen(k, r, 8) && (next == 0 || seqOf(k) < next) {
				next = seqOf(k)
			}
		}
		if next != 0 && next <= w.indexed {
			return w.entry(next)
		}
		seq = w.indexed
	}
	return entryOf(w.journal.Seek(be64(seq + 1)))
}

// before is the last entry numbered below seq; false when there is none.
func (w *entryWalk) before(seq uint64) (e Entry, ok bool, err error) {
	if seq > w.indexed+1 {
		if k, v := seekBefore(w.journal, be64(seq)); k != nil && seqOf(k) > w.indexed {
			return entryOf(k, v)
		}
		seq = w.indexed + 1
	}
	next := uint64(0)
	for _, r := range w.ranges {
		k, _ := seekBefore(w.index, append(slices.Clone(r), be64(seq)...))
		if hasPrefixLen(k, r, 8) {
			next = max(next, seqOf(k))
		}
	}
	return w.entry(next)
}

func (w *entryWalk) entry(seq uint64) (Entry, bool, error) {
	if seq == 0 {
		return Entry{}, false, nil
	}
	k := be64(seq)
	v := w.tx.get(bucketJournal, k)
	if v == nil {
		return Entry{}, false, fmt.Errorf("journal %d has index rows and no entry: %w", seq, ErrFormat)
	}
	return entryOf(k, v)
}

// entryOf decodes a row of the journal; false at its end.
func entryOf(k, v []byte) (e Entry, ok bool, err error) {
	if k == nil {
		return e, false, nil
	}
	if err := decode(v, &e); err != nil {
		return e, false, fmt.Errorf("journal %q: %w", k, err)
	}
	return e, true, nil
}

// seekBefore moves to the last key less than k.
func seekBefore(c *bolt.Cursor, k []byte) ([]byte, []byte) {
	if got, _ := c.Seek(k); got == nil {
		return c.Last()
	}
	return c.Prev()
}

// seqBefore is the number of the last entry before t; 0 when there is none. Times grow with numbers, except around a
// clock that was set back, where one of the places is found.
func (tx *Tx) seqBefore(t time.Time) uint64 {
	c := tx.bucket(bucketJournal).Cursor()
	first, _ := c.First()
	if first == nil {
		return 0
	}
	lo, hi := seqOf(first)-1, tx.bucket(bucketJournal).Sequence()
	for lo < hi {
		mid := lo + (hi-lo+1)/2
		k, v := c.Seek(be64(mid))
		e, ok, err := entryOf(k, v)
		if ok && err == nil && e.Time.Before(t) && e.Seq >= mid {
			lo = e.Seq
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// entry checks an entry of the journal and that the index leads to it.
func (c *checker) entry(tx *Tx, k, v []byte) error {
	e, _, err := entryOf(k, v)
	if err != nil || e.Seq > tx.indexed() {
		return err
	}
	for _, row := range indexKeys(e) {
		if tx.get(bucketJournalIndex, row) == nil {
			c.report.Problems = append(c.report.Problems, Problem{What: fmt.Sprintf("journal %d is not in its index", e.Seq)})
			break
		}
	}
	return nil
}

// indexRow checks a row of the index.
func (c *checker) indexRow(tx *Tx, k, _ []byte) error {
	if len(k) < 9 {
		return fmt.Errorf("the key has no number: %w", ErrFormat)
	}
	seq := seqOf(k)
	e, ok, err := entryOf(be64(seq), tx.get(bucketJournal, be64(seq)))
	if err != nil {
		return nil // reported as the entry's
	}
	if !ok || !slices.ContainsFunc(indexKeys(e), func(own []byte) bool { return bytes.Equal(own, k) }) {
		c.report.Problems = append(
			c.report.Problems,
			Problem{
				What: fmt.Sprintf(
					"journal %d is indexed by %q, which it does not have", seq, strings.ReplaceAll(string(k[:len(k)-9]), "\x00", " "),
				),
			},
		)
	}
	return nil
}
