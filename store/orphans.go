package store

// This file deals with blobs that no record knows. They are moved to orphans/, kept for a week and only then removed: a
// record may be missing because the database is wrong. Blobs that are wanted again come back from there.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store/disk"
)

const (
	// orphanKeep is how long an orphan is kept.
	orphanKeep = 7 * 24 * time.Hour
	// orphanMost and orphanShare bound what is moved aside without an operator's decision: 100 files, or one in a hundred.
	orphanMost  = 100
	orphanShare = 100
)

// OrphanReport says what became of the blobs without a record.
type OrphanReport struct {
	Moved    int64 `json:"moved"`    // moved aside now
	Bytes    int64 `json:"bytes"`    // of the moved
	Returned int64 `json:"returned"` // brought back: they have a record
	Removed  int64 `json:"removed"`  // gone for good after their week
	Waiting  int64 `json:"waiting"`  // left where they are: they wait for an operator's decision
	Kept     int64 `json:"kept"`     // in orphans/ now
}

// orphanState remembers what the last reconcile found, for health and metrics.
type orphanState struct {
	mu     sync.Mutex
	report OrphanReport
	err    error
}

// Orphans is what the last reconcile found since the folder was opened; ErrOrphans while blobs wait for an operator.
func (s *Store) Orphans() (OrphanReport, error) {
	s.orphans.mu.Lock()
	defer s.orphans.mu.Unlock()
	return s.orphans.report, s.orphans.err
}

func (s *Store) setOrphans(r OrphanReport, err error) {
	s.orphans.mu.Lock()
	defer s.orphans.mu.Unlock()
	s.orphans.report = r
	if s.orphans.err = nil; errors.Is(err, ErrOrphans) {
		s.orphans.err = err
	}
}

// MoveOrphans moves every blob without a record aside, however many they are: an operator's decision after ErrOrphans.
func (s *Store) MoveOrphans(ctx context.Context) (OrphanReport, error) {
	err := s.writable()
	var r OrphanReport
	if err == nil {
		r, err = s.moveOrphans(ctx, true)
	}
	if err != nil {
		return r, fmt.Errorf("move orphans: %w", err)
	}
	return r, nil
}

func (s *Store) moveOrphans(ctx context.Context, all bool) (r OrphanReport, err error) {
	defer func() {
		if err == nil || errors.Is(err, ErrOrphans) {
			s.setOrphans(r, err)
		}
	}()
	if !all {
		orphans, total, err := s.countOrphans(ctx)
		if err != nil {
			return r, err
		}
		if orphans > orphanMost && orphans*orphanShare > total {
			r.Waiting = orphans
			if _, _, r.Kept, err = s.reviewOrphans(ctx, false); err != nil {
				return r, err
			}
			return r, problem.Errorf(ErrOrphans, "%d of %d blobs have no record, so the database may be wrong; none was moved. "+
				"To see what they are: larder check --rebuild. To move them to orphans/ for 7 days: larder gc --orphans",
				orphans, total)
		}
	}
	if r.Returned, r.Removed, r.Kept, err = s.reviewOrphans(ctx, true); err != nil {
		return r, err
	}
	for i := range disk.Shards {
		n, bytes, err := s.moveShard(ctx, i)
		r.Moved, r.Bytes, r.Kept = r.Moved+n, r.Bytes+bytes, r.Kept+n
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// countOrphans counts the blob files, and those that would be moved aside.
func (s *Store) countOrphans(ctx context.Context) (orphans, total int64, err error) {
	for i := range disk.Shards {
		entries, err := s.files.ReadShard(i)
		if err != nil {
			return 0, 0, err
		}
		unknown, err := s.withoutRecord(ctx, entries)
		if err != nil {
			return 0, 0, err
		}
		total += int64(len(entries))
		for _, e := range unknown {
			if st, err := e.Info(); err == nil && !s.young(blobDigest(e.Name()), st) {
				orphans++
			}
		}
	}
	return orphans, total, nil
}

func blobDigest(name string) digest.Digest { return digest.NewDigestFromEncoded(digest.SHA256, name) }

// moveShard moves the orphans of one shard and makes that durable.
func (s *Store) moveShard(ctx context.Context, i int) (moved, bytes int64, err error) {
	entries, err := s.files.ReadShard(i)
	if err != nil {
		return 0, 0, err
	}
	unknown, err := s.withoutRecord(ctx, entries)
	for _, e := range unknown {
		if err != nil {
			break
		}
		var n int64
		if n, err = s.moveOrphan(ctx, blobDigest(e.Name()), e); n >= 0 && err == nil {
			moved++
			bytes += n
		}
	}
	if moved == 0 {
		return 0, 0, err
	}
	return moved, bytes, errors.Join(err, s.files.SyncOrphans())
}

func (s *Store) withoutRecord(ctx context.Context, entries []fs.DirEntry) (unknown []fs.DirEntry, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		unknown = nil
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

// young reports whether a file without a record may belong to work under way: a commit has touched its digest before
// its rename; the file's age protects the work of somebody who repairs a folder by hand. A time far in the future is a
// clock's mistake and would keep the file for ever.
func (s *Store) young(d digest.Digest, st fs.FileInfo) bool {
	now := s.opt.Now()
	cutoff := now.Add(-s.opt.Grace)
	return st.ModTime().After(cutoff) && st.ModTime().Before(now.Add(time.Minute)) || s.touches.at(d).After(cutoff)
}

// moveOrphan moves one file and returns its size, -1 when it stays. A commit holds the stripe of its digest from before
// the rename until the record is there, so what has no record under the stripe belongs to nobody.
func (s *Store) moveOrphan(ctx context.Context, d digest.Digest, e fs.DirEntry) (int64, error) {
	s.gate.mu.RLock()
	defer s.gate.mu.RUnlock()
	if s.gate.closed > 0 {
		return -1, errPaused
	}
	lock := s.stripe(d)
	lock.Lock()
	defer lock.Unlock()
	st, err := e.Info()
	if err != nil {
		return -1, ignoreAbsent(err)
	}
	if s.young(d, st) {
		return -1, nil
	}
	if _, err := s.lookup(ctx, d); !errors.Is(err, ErrNotFound) {
		return -1, err
	}
	// Its week begins now.
	if err := s.files.MoveAside(d); err != nil {
		return -1, err
	}
	s.opt.Log.InfoContext(ctx, "moved a blob without a record aside",
		"digest", d, "bytes", st.Size(), "path", disk.OrphanPath(d))
	return st.Size(), nil
}

// reviewOrphans looks at what is in orphans/: what has a record comes back, or goes when its bytes were pushed again;
// what is a week old goes if remove says so.
func (s *Store) reviewOrphans(ctx context.Context, remove bool) (returned, removed, kept int64, err error) {
	entries, err := s.files.ReadOrphans()
	if err != nil {
		return 0, 0, 0, err
	}
	for _, e := range entries {
		d, err := ParseDigest("sha256:" + e.Name())
		if err != nil || !e.Type().IsRegular() {
			continue // not ours
		}
		what, err := s.reviewOrphan(ctx, d, e, remove)
		if err != nil {
			return returned, removed, kept, err
		}
		switch what {
		case orphanReturned:
			returned++
		case orphanRemoved:
			removed++
		case orphanKept:
			kept++
		}
	}
	return returned, removed, kept, nil
}

// orphanResult is what became of an orphan.
type orphanResult int

const (
	orphanKept orphanResult = iota
	orphanReturned
	orphanRemoved
)

func (s *Store) reviewOrphan(ctx context.Context, d digest.Digest, e fs.DirEntry, remove bool) (orphanResult, error) {
	s.gate.mu.RLock()
	defer s.gate.mu.RUnlock()
	if s.gate.closed > 0 {
		return orphanKept, errPaused
	}
	lock := s.stripe(d)
	lock.Lock()
	defer lock.Unlock()
	b, err := s.lookup(ctx, d)
	switch {
	case err == nil && s.files.StatBlob(b) == nil:
		return orphanRemoved, s.files.RemoveOrphan(d) // its bytes were pushed again
	case err == nil:
		return orphanReturned, s.returnOrphan(ctx, d)
	case !errors.Is(err, ErrNotFound):
		return orphanKept, err
	}
	st, err := e.Info()
	if err != nil || !remove || s.opt.Now().Sub(st.ModTime()) < orphanKeep {
		return orphanKept, ignoreAbsent(err)
	}
	if err := s.files.RemoveOrphan(d); err != nil {
		return orphanKept, err
	}
	s.opt.Log.InfoContext(ctx, "removed a blob that had no record for a week", "digest", d, "bytes", st.Size())
	return orphanRemoved, nil
}

// returnOrphan puts a file back in its place, durably.
func (s *Store) returnOrphan(ctx context.Context, d digest.Digest) error {
	if err := s.files.BringBack(d); err != nil {
		return err
	}
	s.opt.Log.InfoContext(ctx, "brought a blob back from "+disk.OrphansDir, "digest", d)
	return nil
}

// returnOrphans brings back what has a record and no file, before anybody can ask for it: the right database has come
// back. It removes nothing.
func (s *Store) returnOrphans(ctx context.Context) error {
	entries, err := s.files.ReadOrphans()
	if err != nil {
		return err
	}
	for _, e := range entries {
		d, err := ParseDigest("sha256:" + e.Name())
		if err != nil || !e.Type().IsRegular() {
			continue
		}
		b, err := s.lookup(ctx, d)
		if errors.Is(err, ErrNotFound) || err == nil && s.files.StatBlob(b) == nil {
			continue
		}
		if err == nil {
			err = s.returnOrphan(ctx, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	// sampleSize is how many records of blobs are compared with their files when the folder is opened.
	sampleSize = 512
	// missingMost and missingShare bound what may be missing of them: 100 files, or one in a hundred.
	missingMost  = 100
	missingShare = 100
)

// checkMissingBlobs refuses a folder that lacks more than one in a hundred of the blobs its database knows, and more
// than a hundred, or all of them: another disk is mounted in their place. A sample decides whether to look at all.
func (s *Store) checkMissingBlobs(ctx context.Context) error {
	missing, looked, err := s.sampleBlobs(ctx)
	if err != nil || missing == 0 || missing < looked && missing*missingShare <= looked {
		return err
	}
	missing, total, err := s.missingBlobs(ctx)
	if err != nil {
		return err
	}
	none := missing == total && !s.hasAnyBlob()
	if !none && (missing <= missingMost || missing*missingShare <= total) {
		return nil
	}
	return problem.Errorf(
		ErrDatabase,
		"%d of the %d blobs that %s knows are missing. If the disk of %s is not mounted, mount it. %s "+
			"To see which are missing: larder check. To serve what is left: larder serve --accept-missing-blobs.",
		missing, total, dbName, path.Dir(disk.BlobsDir), recoveryHelp,
	)
}

// sampleBlobs looks for the files of up to sampleSize records, evenly spread.
func (s *Store) sampleBlobs(ctx context.Context) (missing, looked int64, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		c := tx.bucket(bucketBlob).Cursor()
		last := ""
		for i := range sampleSize {
			k, _ := c.Seek(fmt.Appendf(nil, "sha256:%04x", i*(1<<16)/sampleSize))
			d, err := ParseDigest(string(k))
			if err != nil || string(k) == last {
				continue // the end, a row that a check reports, or fewer rows than places
			}
			last = string(k)
			looked++
			if _, err := os.Stat(s.files.Path(disk.BlobPath(d))); errors.Is(err, fs.ErrNotExist) {
				missing++
			}
		}
		return nil
	})
	return missing, looked, err
}

func (s *Store) missingBlobs(ctx context.Context) (missing, total int64, err error) {
	r := &slicer{s: s, ctx: ctx, outside: true}
	err = r.each(bucketBlob, func(_ *Tx, k, _ []byte) error {
		d, err := ParseDigest(string(k))
		if err != nil {
			return nil // a check reports it
		}
		total++
		if _, err := os.Stat(s.files.Path(disk.BlobPath(d))); errors.Is(err, fs.ErrNotExist) {
			missing++
		}
		return nil
	})
	return missing, total, err
}

// hasAnyBlob reports whether there is a file in any shard.
func (s *Store) hasAnyBlob() bool {
	for i := range disk.Shards {
		if entries, err := s.files.ReadShard(i); err != nil || len(entries) > 0 {
			return true
		}
	}
	return false
}
