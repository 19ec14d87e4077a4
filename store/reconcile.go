package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Reconcile compares files with records and removes what only a crash can leave: temporary files nobody writes to, blobs without a
// record, blobs and expired loose holds that no review row asks for. It reads every record and folder once, in pages, and blocks
// nobody. It is a job: call it at start and then rarely. ErrReadOnly.
func (s *Store) Reconcile(ctx context.Context) error {
	err := s.writable()
	for _, part := range []func(context.Context) error{s.removeLeftovers, s.removeOrphans, s.queueForgotten} {
		if err == nil {
			err = part(ctx)
		}
	}
	if err != nil && !errors.Is(err, errPaused) {
		return fmt.Errorf("reconcile: %w", err)
	}
	return nil
}

// removeLeftovers removes the files of uploads/ that belong to no live stage and no resumable upload: those expire.
func (s *Store) removeLeftovers(ctx context.Context) error {
	entries, err := os.ReadDir(s.at(uploadsDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := uploadsDir + "/" + e.Name()
		_, live := s.staging.Load(path)
		if live || e.IsDir() || isUploadID(e.Name()) {
			continue
		}
		if err := s.remove(path); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "removed an unfinished file", "path", path)
	}
	return ctx.Err()
}

// removeOrphans removes the blob files that no record knows. A commit under way has touched its digest before its rename and holds
// the stripe until its record is there; the file's age only protects the work of whoever repairs a folder by hand.
func (s *Store) removeOrphans(ctx context.Context) error {
	for i := range shards {
		entries, err := os.ReadDir(s.at(fmt.Sprintf("%s/%02x", blobsDir, i)))
		if err != nil {
			return err
		}
		unknown, err := s.withoutRecord(ctx, entries)
		if err != nil {
			return err
		}
		for _, e := range unknown {
			if err := s.removeOrphan(ctx, digest.NewDigestFromEncoded(digest.SHA256, e.Name()), e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) withoutRecord(ctx context.Context, entries []fs.DirEntry) (unknown []fs.DirEntry, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		for _, e := range entries {
			d, err := ParseDigest("sha256:" + e.Name())
			if err == nil && e.Type().IsRegular() && tx.get(bucketBlob, []byte(d)) == nil {
				unknown = append(unknown, e)
			}
		}
		return nil
	})
	return unknown, err
}

func (s *Store) removeOrphan(ctx context.Context, d digest.Digest, e fs.DirEntry) error {
	s.gate.mu.RLock()
	defer s.gate.mu.RUnlock()
	if s.gate.closed > 0 {
		return errPaused
	}
	lock := s.stripe(d)
	lock.Lock()
	defer lock.Unlock()
	now := s.opt.Now()
	cutoff := now.Add(-s.opt.Grace)
	st, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// A time far in the future is a clock's mistake and would keep the file for ever.
	young := st.ModTime().After(cutoff) && st.ModTime().Before(now.Add(time.Minute))
	if young || s.touches.at(d).After(cutoff) {
		return nil
	}
	if _, err := s.lookup(ctx, d); !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := s.remove(blobPath(d)); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "removed a blob without a record", "digest", d, "bytes", st.Size())
	return nil
}

// queueForgotten reviews blobs without a holder and loose holds past their time. The review queue knows them all, unless a row was
// lost to a bug or to a repaired database.
func (s *Store) queueForgotten(ctx context.Context) error {
	w := s.newSweeper(SweepOptions{})
	var after []byte
	for {
		page, last, err := s.forgottenBlobs(ctx, w, after)
		if err == nil && len(page) > 0 {
			err = w.each(ctx, page)
		}
		if err != nil || last == nil {
			return joined(err, s.queueLoose(ctx, w))
		}
		after = last
	}
}

// forgottenBlobs is one page of blobs that nobody holds; last is nil at the end.
func (s *Store) forgottenBlobs(ctx context.Context, w *sweeper, after []byte) (page []*candidate, last []byte, err error) {
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
