package store

// This file moves old entries of the journal into monthly archives, journal/YYYY-MM.jsonl.gz: lines of JSON, oldest
// first, in gzip members that follow each other. An archive is durable before its entries are deleted, and a month's
// file holds each entry once, whatever was cut off on the way.

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"larder/store/disk"
)

const (
	journalDir = "journal"
	archiveExt = ".jsonl.gz"
	// pruneBatch is how many entries one member of an archive gets at most, deleteBatch how many one transaction deletes.
	pruneBatch  = 20_000
	deleteBatch = 500
)

// archiveName matches the names of archives.
var archiveName = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}\.jsonl\.gz$`)

// PruneReport says what a pruning of the journal did.
type PruneReport struct {
	Entries int64  `json:"entries"`          // moved into archives
	Held    string `json:"held,omitempty"`   // the cursor that keeps older entries from being moved
	Behind  int64  `json:"behind,omitempty"` // entries that it keeps
}

// PruneJournal moves the entries that are older than keep into archives. What a cursor has not passed stays. It is a
// job. ErrReadOnly, ErrFull.
func (s *Store) PruneJournal(ctx context.Context, keep time.Duration) (r PruneReport, err error) {
	if err := s.writable(); err != nil {
		return r, err
	}
	cutoff := s.opt.Now().Add(-keep)
	for {
		month, batch, err := s.prunable(ctx, cutoff, &r)
		if err == nil && len(batch) == 0 {
			return r, nil
		}
		if err == nil {
			err = s.archive(month, batch)
		}
		if err == nil {
			err = s.deleteEntries(ctx, month, batch)
		}
		if err != nil {
			return r, fmt.Errorf("prune the journal: %w", err)
		}
		r.Entries += int64(len(batch))
	}
}

// prunable is the next batch: entries of one month, from the first on. A time that lies in the future, or before that
// of the entry before, is a clock's mistake and counts as that one's.
func (s *Store) prunable(
	ctx context.Context, cutoff time.Time, r *PruneReport,
) (month string, batch []Entry, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		month, batch = tx.lastMonth(), nil
		name, floor := tx.lowestCursor()
		r.Held, r.Behind = "", 0
		last := time.Time{}
		for k, v := range tx.scan(bucketJournal, nil, nil) {
			e, _, err := entryOf(k, v)
			if err != nil {
				return err
			}
			if e.Time.After(last) && !e.Time.After(tx.now) {
				last = e.Time
			}
			if !last.Before(cutoff) || len(batch) == pruneBatch {
				return nil
			}
			if e.Seq > floor {
				r.Held, r.Behind = name, r.Behind+1
				continue
			}
			m := max(last.UTC().Format("2006-01"), month)
			if len(batch) > 0 && m != month {
				return nil
			}
			month, batch = m, append(batch, e)
		}
		return nil
	})
	return month, batch, err
}

// lastMonthKey is the row of meta with the month of the last archive that was written to: months follow the order of
// the entries even if a clock did not.
var lastMonthKey = []byte("journal.month")

// noteMonth is written together with the deletion of the month's entries.
func (tx *Tx) noteMonth(month string) error { return tx.put(bucketMeta, lastMonthKey, []byte(month)) }

func (tx *Tx) lastMonth() string { return string(tx.get(bucketMeta, lastMonthKey)) }

// archive appends what the month's archive does not have yet.
func (s *Store) archive(month string, entries []Entry) error {
	name := path.Join(journalDir, month+archiveExt)
	last := uint64(0)
	err := readArchive(s.files, name, func(e Entry) error { last = e.Seq; return nil })
	if err != nil {
		return fmt.Errorf("%w; move the file away, and the journal can be pruned again", err)
	}
	entries = slices.Clone(entries)
	if entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.Seq <= last }); len(entries) == 0 {
		return nil
	}
	if err := s.files.Mkdir(journalDir); err != nil {
		return err
	}
	err = s.files.ReplaceFile(name, 0o440, func(w io.Writer) error {
		return errors.Join(s.copyArchive(w, name), writeEntries(w, entries))
	})
	if err != nil {
		return err
	}
	return s.files.SyncDir(".")
}

// copyArchive copies what the archive has so far.
func (s *Store) copyArchive(w io.Writer, name string) error {
	f, err := os.Open(s.files.Path(name))
	if err != nil {
		return ignoreAbsent(err)
	}
	defer f.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, f, make([]byte, 256<<10))
	return err
}

func writeEntries(w io.Writer, entries []Entry) error {
	buf := bufio.NewWriterSize(w, 256<<10)
	z := gzip.NewWriter(buf)
	enc := json.NewEncoder(z)
	enc.SetEscapeHTML(false)
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return errors.Join(z.Close(), buf.Flush())
}

// readArchive calls fn with each entry of an archive; an absent one has none.
func readArchive(f *disk.Folder, name string, fn func(Entry) error) error {
	file, err := os.Open(f.Path(name))
	if err != nil {
		return ignoreAbsent(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(file, 256<<10))
	if err != nil {
		return fmt.Errorf("%s is damaged: %w", name, err)
	}
	dec := json.NewDecoder(z)
	for {
		var e Entry
		err := dec.Decode(&e)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s is damaged: %w", name, err)
		}
		if err := fn(e); err != nil {
			return err
		}
	}
}

// deleteEntries deletes archived entries and their index rows.
func (s *Store) deleteEntries(ctx context.Context, month string, entries []Entry) error {
	for part := range slices.Chunk(entries, deleteBatch) {
		err := s.Update(ctx, func(tx *Tx) error {
			for _, e := range part {
				if err := tx.forgetEntry(e); err != nil {
					return err
				}
			}
			return tx.noteMonth(month)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) forgetEntry(e Entry) error {
	for _, k := range indexKeys(e) {
		if err := tx.del(bucketJournalIndex, k); err != nil {
			return err
		}
	}
	return tx.del(bucketJournal, be64(e.Seq))
}

// archives are the names of the archives, oldest first.
func archives(f *disk.Folder) (names []string, err error) {
	entries, err := os.ReadDir(f.Path(journalDir))
	if err != nil {
		return nil, ignoreAbsent(err)
	}
	for _, e := range entries {
		if archiveName.MatchString(e.Name()) && e.Type().IsRegular() {
			names = append(names, path.Join(journalDir, e.Name()))
		}
	}
	return names, nil
}

// errPast ends the reading of archives where the database begins.
var errPast = errors.New("the rest is in the database")

// ArchivedEntries calls fn with the entries after the one numbered after that are no longer in the database and that f
// selects, oldest first, and returns the number up to which fn was called: Entries goes on from there. Entries that are
// pruned meanwhile are included, and none comes twice.
func (s *Store) ArchivedEntries(
	ctx context.Context, f EntryFilter, after uint64, fn func(Entry) error,
) (last uint64, err error) {
	last = after
	for {
		first, err := s.firstEntry(ctx)
		if err != nil || first <= last+1 {
			return last, err
		}
		if err := s.archivedUpTo(ctx, f, last, first, fn); err != nil {
			return last, err
		}
		last = first - 1
	}
}

// firstEntry is the number of the first entry in the database, or of the next one when there is none.
func (s *Store) firstEntry(ctx context.Context) (first uint64, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		b := tx.bucket(bucketJournal)
		if k, _ := b.Cursor().First(); k != nil {
			first = seqOf(k)
		} else {
			first = b.Sequence() + 1
		}
		return nil
	})
	return first, err
}

func (s *Store) archivedUpTo(ctx context.Context, f EntryFilter, after, first uint64, fn func(Entry) error) error {
	names, err := archives(s.files)
	if err != nil {
		return err
	}
	last := after
	for _, name := range names {
		if month := strings.TrimSuffix(path.Base(name), archiveExt); !f.Since.IsZero() &&
			month < f.Since.UTC().Format("2006-01") {
			continue
		}
		err := readArchive(s.files, name, func(e Entry) error {
			if e.Seq >= first {
				return errPast
			}
			if e.Seq <= last {
				return ctx.Err()
			}
			last = e.Seq
			if f.Selects(e) {
				return fn(e)
			}
			return nil
		})
		if err != nil && !errors.Is(err, errPast) {
			return err
		}
	}
	return nil
}

// cursorPrefix begins the rows of meta that hold cursors: name → the number of the last entry its reader is done
// with.
const cursorPrefix = "cursor"

// SetCursor notes that the reader called name is done with all entries up to seq. Entries after it are not pruned.
func (tx *Tx) SetCursor(name string, seq uint64) error {
	if err := checkName("cursor", name); err != nil {
		return err
	}
	return tx.put(bucketMeta, key(cursorPrefix, name), be64(seq))
}

// Cursor is the number a reader has come to; false when there is no such cursor.
func (tx *Tx) Cursor(name string) (seq uint64, ok bool) {
	v := tx.get(bucketMeta, key(cursorPrefix, name))
	if len(v) != 8 {
		return 0, false
	}
	return seqOf(v), true
}

// DropCursor forgets a reader.
func (tx *Tx) DropCursor(name string) error { return tx.del(bucketMeta, key(cursorPrefix, name)) }

// lowestCursor is the reader that is furthest behind; the highest number when there is none.
func (tx *Tx) lowestCursor() (name string, seq uint64) {
	seq = ^uint64(0)
	for k, v := range tx.scan(bucketMeta, prefix(cursorPrefix), nil) {
		if n := seqOf(v); len(v) == 8 && n < seq {
			name, seq = lastPart(k), n
		}
	}
	return name, seq
}

// isArchive reports whether an entry of a backup is an archive of the journal.
func isArchive(name string) bool {
	return path.Dir(name) == journalDir && archiveName.MatchString(path.Base(name)) && fs.ValidPath(name)
}
