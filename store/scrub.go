package store

// This file reads every blob again from time to time, so that bytes that went bad are known before somebody needs them.

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
)

// ScrubOptions says how much to read. The zero value reads every blob once, as fast as the disk gives it.
type ScrubOptions struct {
	Period   time.Duration           // read what is due if each blob is read once in so long; 0: everything
	Rate     int64                   // bytes a second at most; 0: no limit
	Progress func(done, total int64) // bytes; called by one goroutine at a time; nil: silent
}

// ScrubReport counts what one call did.
type ScrubReport struct {
	Blobs    int64    `json:"blobs"`    // read
	Bytes    int64    `json:"bytes"`    // read
	Found    int64    `json:"found"`    // damaged, and not known to be so before
	Repaired int64    `json:"repaired"` // known to be damaged, and right by now
	Damages  []Damage `json:"damages"`  // all that are known
}

// scrubState is the row of meta by which a pass goes on after a restart.
type scrubState struct {
	After digest.Digest `json:"after,omitempty"` // read up to here, in the order of digests
	Began int64         `json:"began"`           // Unix seconds
}

var scrubKey = []byte("scrub")

const (
	scrubPage  = 256
	scrubSave  = 30 * time.Second // the state is written down so often
	scrubSlack = 10               // a pass takes 1/10 less than the period, so that a busy disk does not make it late
)

// scrubber is one run of Scrub.
type scrubber struct {
	s      *Store
	o      ScrubOptions
	state  scrubState
	stored scrubState // what the row says
	report ScrubReport
	total  int64
	began  time.Time // by the machine's clock: it paces reads
	saved  time.Time
}

// Scrub reads blobs, in the order of their digests, and compares them with their digests; what is wrong is remembered
// and not given out any more. With a period it goes on where the last call stopped, also in another process, and reads
// what is due; it is a job then. Damage that is known and whose file has changed is looked at first. The report counts
// what was done before an error.
func (s *Store) Scrub(ctx context.Context, o ScrubOptions) (ScrubReport, error) {
	w := &scrubber{s: s, o: o, began: time.Now(), saved: time.Now()}
	err := w.recheckKnown(ctx)
	if err == nil {
		err = w.resume(ctx)
	}
	if err == nil {
		err = w.run(ctx)
	}
	damages, failed := s.Damages(context.WithoutCancel(ctx))
	w.report.Damages = damages
	if err = errors.Join(err, failed); err != nil {
		return w.report, fmt.Errorf("scrub: %w", err)
	}
	return w.report, nil
}

// recheckKnown looks at the damaged files that have changed.
func (w *scrubber) recheckKnown(ctx context.Context) error {
	for _, d := range w.s.damages.list() {
		row, ok := w.s.damages.get(d)
		if ok && w.s.isRepaired(ctx, Blob{Digest: d, Size: row.Size}, row) {
			w.report.Repaired++
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// resume finds where to begin. A pass over everything begins at the beginning.
func (w *scrubber) resume(ctx context.Context) error {
	now := w.s.opt.Now().Unix()
	w.state = scrubState{Began: now}
	return w.s.View(ctx, func(tx *Tx) error {
		blobs, err := tx.counted(statBlobs)
		w.total = blobs.Bytes
		if err != nil || w.o.Period <= 0 {
			return err
		}
		if found, err := tx.row(bucketMeta, scrubKey, &w.state); !found || err != nil {
			return err
		}
		w.stored = w.state
		w.state.Began = min(w.state.Began, now) // a clock that was ahead must not stop the pass
		return nil
	})
}

// due is the share of all digests that must have been read by now, and more than 1 when that is all of them.
func (w *scrubber) due() float64 {
	if w.o.Period <= 0 {
		return 2
	}
	pass := w.o.Period - w.o.Period/scrubSlack
	return float64(w.s.opt.Now().Unix()-w.state.Began) / pass.Seconds()
}

// share is the part of all digests that are smaller than d: they are spread evenly.
func share(d digest.Digest) float64 {
	b, err := hex.DecodeString(d.Encoded())
	if err != nil || len(b) < 8 {
		return 0
	}
	return float64(binary.BigEndian.Uint64(b)) / (1 << 32) / (1 << 32)
}

func (w *scrubber) run(ctx context.Context) error {
	for {
		page, err := w.page(ctx)
		if err != nil {
			return err
		}
		for _, b := range page {
			if share(b.Digest) > w.due() {
				return w.save(ctx)
			}
			if err := w.scrubBlob(ctx, b); err != nil {
				return errors.Join(err, w.save(ctx))
			}
			w.state.After = b.Digest
			if time.Since(w.saved) >= scrubSave {
				if err := w.save(ctx); err != nil {
					return err
				}
			}
		}
		if len(page) < scrubPage {
			return w.finish(ctx)
		}
	}
}

// page is the next blobs to read.
func (w *scrubber) page(ctx context.Context) (page []Blob, err error) {
	err = w.s.View(ctx, func(tx *Tx) error {
		for k, v := range tx.scan(bucketBlob, nil, []byte(w.state.After)) {
			var row blobRow
			if err := decode(v, &row); err != nil {
				return fmt.Errorf("blob %s: %w", k, err)
			}
			if page = append(page, Blob{Digest: digest.Digest(k), Size: row.Size}); len(page) == scrubPage {
				return nil
			}
		}
		return nil
	})
	return page, err
}

// scrubBlob reads one blob. A file that changes under the reader is left for the next pass.
func (w *scrubber) scrubBlob(ctx context.Context, b Blob) error {
	known := w.s.damages.has(b.Digest)
	err := w.s.examine(ctx, b, func(n int) error { return w.throttle(ctx, n) })
	w.report.Blobs++
	switch {
	case errors.Is(err, ErrDamaged) && !known:
		w.report.Found++
		return nil
	case err == nil && known:
		w.report.Repaired++
		return nil
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrNotFound), errors.Is(err, ErrBusy):
		return nil
	}
	return err
}

// throttle counts n bytes that were read and waits until the next may be.
func (w *scrubber) throttle(ctx context.Context, n int) error {
	w.report.Bytes += int64(n)
	if w.o.Progress != nil {
		w.o.Progress(min(w.report.Bytes, w.total), w.total)
	}
	wait := delayFor(w.report.Bytes, w.o.Rate, time.Since(w.began))
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// delayFor is how long to wait after so many bytes in so long, at rate bytes a second (0: no limit).
func delayFor(bytes, rate int64, took time.Duration) time.Duration {
	if rate <= 0 {
		return 0
	}
	return max(time.Duration(float64(bytes)/float64(rate)*float64(time.Second))-took, 0)
}

// finish ends the pass; the next begins now.
func (w *scrubber) finish(ctx context.Context) error {
	if w.state.After != "" {
		w.state = scrubState{Began: w.s.opt.Now().Unix()}
	}
	return w.save(ctx)
}

// save writes down where the pass is. A store that takes no writes begins the pass again after a restart.
func (w *scrubber) save(ctx context.Context) error {
	w.saved = time.Now()
	state := w.state
	if state == w.stored || w.s.writable() != nil {
		return nil
	}
	w.stored = state
	return w.s.submit(context.WithoutCancel(ctx), func(tx *Tx) error { return tx.putRow(bucketMeta, scrubKey, state) })
}
