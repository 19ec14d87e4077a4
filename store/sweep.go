package store

// This file removes blobs that nobody holds any more.

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// SweepOptions says how to sweep; the zero value is the regular job.
type SweepOptions struct {
	Grace    *time.Duration          // instead of Options.Grace; 0 also takes blobs whose publish is under way
	DryRun   bool                    // only report
	Progress func(done, total int64) // called by one goroutine at a time, in review rows; nil: silent
}

// SweepReport counts what a sweep did, or with DryRun would have done.
type SweepReport struct {
	Reviewed  int64 `json:"reviewed"`  // blobs looked at
	Held      int64 `json:"held"`      // kept: a package holds them
	Postponed int64 `json:"postponed"` // kept: touched or created within the grace period
	Blobs     int64 `json:"blobs"`     // removed
	Bytes     int64 `json:"bytes"`     // of the removed
	Paused    bool  `json:"paused"`    // a backup is running: the rest is left for the next sweep
}

const (
	sweepPage    = 512
	sweepWorkers = 16 // their transactions share commits
)

var errPaused = errors.New("the sweeper is paused")

// gate lets a backup keep the sweeper away from the files it has promised to read.
type gate struct {
	mu     sync.RWMutex // held for reading by each unlink
	closed int          // backups running
}

// pauseSweep returns when no file is being removed; none will be until resume is called.
func (s *Store) pauseSweep() (resume func()) {
	add := func(n int) {
		s.gate.mu.Lock()
		defer s.gate.mu.Unlock()
		s.gate.closed += n
	}
	add(1)
	return sync.OnceFunc(func() { add(-1) })
}

// reviewResult is what a review found.
type reviewResult int

const (
	gone reviewResult = iota // there is no such blob
	held
	postponed
	swept
)

// sweeper is one run of Sweep.
type sweeper struct {
	s      *Store
	grace  time.Duration
	cutoff time.Time // whatever was touched or created after it stays
	due    int64     // Unix seconds: review rows up to here are looked at
	opt    SweepOptions

	mu     sync.Mutex
	report SweepReport
	done   int64
	total  int64
	err    error
}

func (s *Store) newSweeper(o SweepOptions) *sweeper {
	w := &sweeper{s: s, grace: s.opt.Grace, opt: o}
	if o.Grace != nil {
		w.grace = *o.Grace
	}
	now := s.opt.Now()
	w.cutoff = now.Add(-w.grace)
	w.due = now.Add(s.opt.Grace - w.grace).Unix()
	return w
}

// Sweep removes the blobs that nothing has held, and nobody has asked for, for the grace period. It looks only at the
// digests that were queued for review, each in a transaction of its own, while everything else goes on; a commit of the
// same digest waits for it and the other way round. ErrReadOnly, except for a dry run. On an error the report counts
// what was done before.
func (s *Store) Sweep(ctx context.Context, o SweepOptions) (SweepReport, error) {
	w := s.newSweeper(o)
	err := error(nil)
	if !o.DryRun {
		err = s.writable()
	}
	if err == nil {
		err = w.run(ctx)
	}
	if err == nil && !o.DryRun {
		s.touches.forget(s.opt.Now().Add(-max(s.opt.Grace, w.grace)))
	}
	if errors.Is(err, errPaused) {
		w.report.Paused, err = true, nil
	}
	if err != nil {
		return w.report, fmt.Errorf("sweep: %w", err)
	}
	return w.report, nil
}

// candidate is a digest and the review rows that ask for it.
type candidate struct {
	d    digest.Digest
	rows [][]byte
}

func (w *sweeper) run(ctx context.Context) error {
	if err := w.count(ctx); err != nil {
		return err
	}
	var after []byte
	seen := make(map[digest.Digest]bool) // within a dry run, whose rows stay
	for {
		page, last, err := w.page(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		after = last
		if w.opt.DryRun {
			err = w.dryRun(ctx, page, seen)
		} else {
			err = w.each(ctx, page)
		}
		if err != nil {
			return err
		}
	}
}

func (w *sweeper) count(ctx context.Context) error {
	if w.opt.Progress == nil {
		return nil
	}
	return w.s.View(ctx, func(tx *Tx) error {
		for range w.rows(tx, nil) {
			w.total++
		}
		return nil
	})
}

// rows yields the keys of the review rows that are due.
func (w *sweeper) rows(tx *Tx, after []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for k := range tx.scan(bucketReview, nil, after) {
			if len(k) < 9 || int64(binary.BigEndian.Uint64(k)) > w.due || !yield(k) {
				return
			}
		}
	}
}

func (w *sweeper) page(ctx context.Context, after []byte) (page []*candidate, last []byte, err error) {
	byDigest := make(map[digest.Digest]*candidate)
	n := 0
	err = w.s.View(ctx, func(tx *Tx) error {
		for k := range w.rows(tx, after) {
			last = bytes.Clone(k)
			d := digest.Digest(last[9:])
			c := byDigest[d]
			if c == nil {
				c = &candidate{d: d}
				byDigest[d], page = c, append(page, c)
			}
			c.rows = append(c.rows, last)
			if n++; n == sweepPage {
				break
			}
		}
		return nil
	})
	return page, last, err
}

// each reviews the candidates, several at once. It stops at the first error.
func (w *sweeper) each(ctx context.Context, page []*candidate) error {
	work := make(chan *candidate)
	var workers sync.WaitGroup
	for range min(sweepWorkers, len(page)) {
		workers.Go(func() {
			for c := range work {
				v, b, err := w.review(ctx, c)
				w.addResult(v, b, err, len(c.rows))
			}
		})
	}
	for _, c := range page {
		if w.failed(ctx) != nil {
			break
		}
		work <- c
	}
	close(work)
	workers.Wait()
	return w.failed(ctx)
}

func (w *sweeper) failed(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.err, ctx.Err())
}

// addResult adds the result of a review to the report.
func (w *sweeper) addResult(v reviewResult, b Blob, err error, rows int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return
	}
	w.report.Reviewed++
	switch v {
	case held:
		w.report.Held++
	case postponed:
		w.report.Postponed++
	case swept:
		w.report.Blobs++
		w.report.Bytes += b.Size
	}
	w.done += int64(rows)
	if w.opt.Progress != nil {
		w.opt.Progress(min(w.done, w.total), w.total)
	}
}

// review decides about one digest and, when nothing speaks for it, removes it: record first, then the file. A crash in
// between leaves a file without a record for Reconcile.
func (w *sweeper) review(ctx context.Context, c *candidate) (v reviewResult, b Blob, err error) {
	s := w.s
	s.gate.mu.RLock()
	defer s.gate.mu.RUnlock()
	if s.gate.closed > 0 {
		return gone, Blob{}, errPaused
	}
	lock := s.stripe(c.d)
	lock.Lock()
	defer lock.Unlock()
	err = s.Update(ctx, func(tx *Tx) error {
		for _, k := range c.rows {
			if err := tx.del(bucketReview, k); err != nil {
				return err
			}
		}
		var err error
		v, b, err = w.decide(tx, c.d)
		return err
	})
	if err != nil || v != swept {
		return v, b, err
	}
	s.small.drop(c.d)
	return v, b, s.files.RemoveBlob(c.d)
}

// decide is the transaction's part of review.
func (w *sweeper) decide(tx *Tx, d digest.Digest) (reviewResult, Blob, error) {
	b, seen, ok, err := w.blob(tx, d)
	if !ok || err != nil {
		return gone, b, err
	}
	if seen.After(w.cutoff) {
		return postponed, b, w.s.requeue(tx, d, seen)
	}
	// Holds count whole seconds: one more makes "at the cutoff" old enough.
	left, err := tx.expireLoose(d, w.cutoff.Add(time.Second))
	if err != nil || left > 0 {
		return held, b, err
	}
	if err := tx.dropAliases(d); err != nil {
		return gone, b, err
	}
	return swept, b, tx.deleteBlob(b)
}

// blob reads the record of d, and when the blob was last touched or made.
func (w *sweeper) blob(tx *Tx, d digest.Digest) (b Blob, seen time.Time, ok bool, err error) {
	var row blobRow
	if ok, err = tx.row(bucketBlob, []byte(d), &row); !ok || err != nil {
		return Blob{}, seen, ok, err
	}
	return Blob{Digest: d, Size: row.Size}, w.lastSeen(d, row), true, nil
}

// lastSeen is when d was last touched or made. The record knows whole seconds.
func (w *sweeper) lastSeen(d digest.Digest, row blobRow) time.Time {
	t := time.Unix(row.Created, 0)
	if seen := w.s.touches.at(d); seen.After(t) {
		return seen
	}
	return t
}

// requeue asks for another review one grace period after t.
func (s *Store) requeue(tx *Tx, d digest.Digest, t time.Time) error {
	due := t.Add(s.opt.Grace).Unix() + 1
	return tx.put(bucketReview, append(append(be64(uint64(due)), 0), d...), []byte{})
}

// dryRun is each for a dry run: it reads only.
func (w *sweeper) dryRun(ctx context.Context, page []*candidate, seen map[digest.Digest]bool) error {
	return w.s.View(ctx, func(tx *Tx) error {
		for _, c := range page {
			if seen[c.d] {
				continue
			}
			seen[c.d] = true
			v, b, err := w.decideDry(tx, c.d)
			if err != nil {
				return err
			}
			w.addResult(v, b, nil, len(c.rows))
		}
		return nil
	})
}

// decideDry is decide without the consequences.
func (w *sweeper) decideDry(tx *Tx, d digest.Digest) (reviewResult, Blob, error) {
	b, seen, ok, err := w.blob(tx, d)
	if !ok || err != nil {
		return gone, b, err
	}
	if seen.After(w.cutoff) {
		return postponed, b, nil
	}
	stays, err := w.heldBeyond(tx, d)
	if stays || err != nil {
		return held, b, err
	}
	return swept, b, nil
}

// heldBeyond reports whether a version, or a loose hold touched after the cutoff, holds d.
func (w *sweeper) heldBeyond(tx *Tx, d digest.Digest) (bool, error) {
	for k := range tx.scan(bucketHolder, prefix(string(d)), nil) {
		parts := splitKey(k)
		if len(parts) != 3 {
			return false, fmt.Errorf("holder %q: %w", k, ErrFormat)
		}
		for k, v := range tx.scan(bucketHold, prefix(parts[1], parts[2], string(d)), nil) {
			if lastPart(k) != "" {
				return true, nil
			}
			var row holdRow
			if err := decode(v, &row); err != nil {
				return false, fmt.Errorf("hold %q: %w", k, err)
			}
			if row.Touched > w.cutoff.Unix() {
				return true, nil
			}
		}
	}
	return false, nil
}
