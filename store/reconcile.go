package store

// This file compares the files of a folder with its records, and removes what belongs to nobody.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Reconcile compares files with records. It removes temporary files nobody writes to, and blobs and expired loose holds
// that no review row asks for; it moves blobs without a record aside, see orphans.go. It reads every record and folder
// once, in pages, and blocks nobody. It is a job: call it at start and then rarely. ErrReadOnly; ErrOrphans, with all
// else done, when so many blobs have no record that the database is more likely wrong than they.
func (s *Store) Reconcile(ctx context.Context) error {
	err := s.writable()
	var strange error
	orphans := func(ctx context.Context) error {
		_, err := s.moveOrphans(ctx, false)
		if errors.Is(err, ErrOrphans) {
			strange, err = err, nil
		}
		return err
	}
	for _, part := range []func(context.Context) error{s.files.RemoveLeftovers, orphans, s.queueForgotten} {
		if err == nil {
			err = part(ctx)
		}
	}
	if errors.Is(err, errPaused) {
		err = nil
	}
	if err = errors.Join(err, strange); err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	return nil
}

// queueForgotten reviews blobs without a holder and loose holds past their time. The review queue knows them all,
// unless a row was lost to a bug or to a repaired database.
func (s *Store) queueForgotten(ctx context.Context) error {
	w := s.newSweeper(SweepOptions{})
	var after []byte
	for {
		page, last, err := s.forgottenBlobs(ctx, w, after)
		if err == nil && len(page) > 0 {
			err = w.each(ctx, page)
		}
		if err != nil || last == nil {
			return errors.Join(err, s.queueLoose(ctx, w))
		}
		after = last
	}
}

// forgottenBlobs is one page of blobs that nobody holds; last is nil at the end.
func (s *Store) forgottenBlobs(
	ctx context.Context, w *sweeper, after []byte,
) (page []*candidate, last []byte, err error) {
	n := 0
	err = s.View(ctx, func(tx *Tx) error {
		for k, v := range tx.scan(bucketBlob, nil, after) {
			var row blobRow
			if err := decode(v, &row); err != nil {
				return fmt.Errorf("blob %s: %w", k, err)
			}
			if d := digest.Digest(k); !w.lastSeen(d, row).After(w.cutoff) && !hasRows(tx, bucketHolder, prefix(string(d))) {
				page = append(page, &candidate{d: d})
			}
			if n++; n == sweepPage {
				last = bytes.Clone(k)
				break
			}
		}
		return nil
	})
	return page, last, err
}

func hasRows(tx *Tx, bucket string, prefix []byte) bool {
	for range tx.scan(bucket, prefix, nil) {
		return true
	}
	return false
}

// queueLoose reviews the digests of loose holds that are well past their time.
func (s *Store) queueLoose(ctx context.Context, w *sweeper) error {
	cutoff := w.cutoff.Add(-time.Minute).Unix()
	var after []byte
	for {
		var page []*candidate
		var last []byte
		n := 0
		err := s.View(ctx, func(tx *Tx) error {
			for k, v := range tx.scan(bucketHold, nil, after) {
				if n++; n == sweepPage {
					last = bytes.Clone(k)
				}
				d, old, err := expired(k, v, cutoff)
				if err != nil {
					return err
				}
				if old {
					page = append(page, &candidate{d: d})
				}
				if last != nil {
					break
				}
			}
			return nil
		})
		if err == nil && len(page) > 0 {
			err = w.each(ctx, page)
		}
		if err != nil || last == nil {
			return err
		}
		after = last
	}
}

// expired reads a hold row: its digest, and whether it is a loose one last touched before cutoff.
func expired(k, v []byte, cutoff int64) (digest.Digest, bool, error) {
	parts := strings.Split(string(k), "\x00")
	if len(parts) != 4 {
		return "", false, fmt.Errorf("hold %q: %w", k, ErrFormat)
	}
	if parts[3] != "" {
		return "", false, nil
	}
	var row holdRow
	if err := decode(v, &row); err != nil {
		return "", false, fmt.Errorf("hold %q: %w", k, err)
	}
	return digest.Digest(parts[2]), row.Touched < cutoff, nil
}
