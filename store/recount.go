package store

// This file counts anew what the counters say.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// slicer walks a bucket in several short read transactions, so that a long walk neither keeps old pages alive nor sees
// a half-written change in any of them.
type slicer struct {
	s       *Store
	ctx     context.Context
	outside bool // call back between the transactions, with copies of the rows: the callback is slow

	pinned bool   // stop with errMoved when something commits meanwhile
	at     int    // the transaction that was seen first, when pinned
	tx     *Tx    // walk in this one transaction instead
	last   []byte // where the walk is
}

// errMoved says that a pinned walk did not see one state.
var errMoved = errors.New("the store changed during the walk")

func (r *slicer) each(bucket string, fn rowCheck) error {
	if r.tx != nil {
		_, err := r.slice(r.tx, bucket, fn, 1<<62)
		return err
	}
	for r.last = nil; ; {
		more := false
		var rows [][2][]byte
		err := r.s.View(r.ctx, func(tx *Tx) (err error) {
			if r.at == 0 {
				r.at = tx.b.ID()
			}
			if r.pinned && tx.b.ID() != r.at {
				return errMoved
			}
			visit := fn
			if r.outside {
				visit = func(_ *Tx, k, v []byte) error {
					rows = append(rows, [2][]byte{slices.Clone(k), slices.Clone(v)})
					return nil
				}
			}
			more, err = r.slice(tx, bucket, visit, checkSlice)
			return err
		})
		for _, row := range rows {
			if err == nil {
				err = fn(nil, row[0], row[1])
			}
		}
		if err != nil || !more {
			return err
		}
	}
}

// slice visits up to n rows after r.last; more says that it stopped for n.
func (r *slicer) slice(tx *Tx, bucket string, fn rowCheck, n int) (more bool, err error) {
	for k, v := range tx.scan(bucket, nil, r.last) {
		if n--; n < 0 {
			return true, nil
		}
		if err := fn(tx, k, v); err != nil {
			return false, err
		}
		if r.tx == nil {
			r.last = append(r.last[:0:0], k...)
		}
	}
	return false, nil
}

// counters compares the counters with a recount of one state: found by luck in slices or, when the store is too busy
// for that, in one transaction.
func (c *checker) counters() error {
	for range 2 {
		n := newRecount(c)
		err := n.run(&slicer{s: c.s, ctx: c.ctx, pinned: true})
		if !errors.Is(err, errMoved) {
			c.addRecount(n)
			return err
		}
	}
	n := newRecount(c)
	err := c.s.View(c.ctx, func(tx *Tx) error { return n.run(&slicer{s: c.s, ctx: c.ctx, tx: tx}) })
	c.addRecount(n)
	return err
}

// addRecount takes a recount's result into the report.
func (c *checker) addRecount(n *recount) {
	c.report.Problems = append(c.report.Problems, n.problems...)
	blobs := n.stats[statBlobs]
	c.report.Blobs, c.report.Bytes = blobs.Blobs, blobs.Bytes
	for _, k := range allKinds() {
		c.report.Packages += n.stats[statKindKey(k)].Packages
		c.report.Versions += n.stats[statKindKey(k)].Versions
	}
}

// recount is every counter, computed from the rows that are counted.
type recount struct {
	c        *checker
	packages map[slot]counter
	stats    map[string]counter
	problems []Problem
}

func newRecount(c *checker) *recount {
	return &recount{c: c, packages: map[slot]counter{}, stats: map[string]counter{}}
}

// add counts d for the package whose key k starts with, and for its kind.
func (n *recount) add(kind, name string, d counter) {
	s := slot{Kind(kind), name}
	n.packages[s] = n.packages[s].plus(d)
	n.bump(statKindKey(s.kind), d)
}

func (n *recount) bump(row string, d counter) { n.stats[row] = n.stats[row].plus(d) }

func (n *recount) run(r *slicer) error {
	tables := []struct {
		bucket string
		count  rowCheck
	}{
		{bucketVersion, func(_ *Tx, k, _ []byte) error {
			parts := splitKey(k)
			n.add(parts[0], parts[1], counter{Versions: 1})
			return nil
		}},
		{bucketTag, func(_ *Tx, k, _ []byte) error {
			parts := splitKey(k)
			n.add(parts[0], parts[1], counter{Tags: 1})
			return nil
		}},
		{bucketHolder, n.holder},
		{bucketBlob, func(_ *Tx, _, v []byte) error {
			var row blobRow
			err := decode(v, &row)
			n.bump(statBlobs, counter{Blobs: 1, Bytes: row.Size})
			return err
		}},
		{bucketPackage, n.pkg},
		{bucketStat, n.stat},
	}
	for _, t := range tables {
		r.last = nil
		if err := r.each(t.bucket, n.c.readable(t.bucket, t.count)); err != nil {
			return fmt.Errorf("recount %s: %w", t.bucket, err)
		}
	}
	n.rest()
	return nil
}

func (n *recount) holder(_ *Tx, k, v []byte) error {
	var row holderRow
	if err := decode(v, &row); err != nil {
		return err
	}
	parts := splitKey(k)
	n.add(parts[1], parts[2], counter{Bytes: row.Size})
	if row.By != "" {
		n.bump(string(key(statUser, row.By)), counter{Bytes: row.Size})
	}
	return nil
}

// pkg compares a package's row with what was counted under its name.
func (n *recount) pkg(_ *Tx, k, v []byte) error {
	var row packageRow
	if err := decode(v, &row); err != nil {
		return err
	}
	parts := splitKey(k)
	s := slot{Kind(parts[0]), parts[1]}
	has := counter{Versions: int64(row.Versions), Tags: int64(row.Tags), Bytes: row.Bytes}
	if want := n.packages[s]; has != want {
		n.problem(s.kind, s.name, "the package counts %s, there are %s", has, want)
	}
	delete(n.packages, s)
	n.bump(statKindKey(s.kind), counter{Packages: listed(&row)})
	return nil
}

// stat compares a counter row with the recount.
func (n *recount) stat(_ *Tx, k, v []byte) error {
	var has counter
	if err := decode(v, &has); err != nil {
		return err
	}
	if want := n.stats[string(k)]; has != want {
		n.problem("", "", "counter %q says %s, there are %s", k, has, want)
	}
	n.stats["\x00seen"+string(k)] = counter{}
	return nil
}

// rest reports what was counted and has no row.
func (n *recount) rest() {
	for s, c := range n.packages {
		if c != (counter{}) {
			n.problem(s.kind, s.name, "the package has no row, but there are %s", c)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(n.stats)) {
		if _, seen := n.stats["\x00seen"+k]; !seen && n.stats[k] != (counter{}) {
			n.problem("", "", "counter %q is missing, there are %s", k, n.stats[k])
		}
	}
}

func (n *recount) problem(k Kind, name, format string, args ...any) {
	n.problems = append(n.problems, Problem{Kind: k, Package: name, What: fmt.Sprintf(format, args...)})
}

// String is the counter for a person.
func (c counter) String() string {
	return fmt.Sprintf("%d packages, %d versions, %d tags, %d blobs, %d bytes",
		c.Packages, c.Versions, c.Tags, c.Blobs, c.Bytes)
}
