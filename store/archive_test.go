package store

// This file tests old entries of the journal in monthly archives: nothing is lost, doubled or told in another order.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// logged writes n entries, one a day, for three packages, two users and two operations.
func logged(t testing.TB, s *Store, c *clock, n int) {
	t.Helper()
	for i := range n {
		ctx := WithActor(context.Background(), Actor{User: []string{"ada", "bob"}[i%2]})
		err := s.Update(ctx, func(tx *Tx) error {
			tx.Log(Entry{Kind: NPM, Package: fmt.Sprint("p", i%3), Op: []Op{OpPublish, OpYank}[i/2%2]})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		c.move(24 * time.Hour)
	}
}

func seqs(entries []Entry) (out []uint64) {
	for _, e := range entries {
		out = append(out, e.Seq)
	}
	return out
}

// told is what an audit since the beginning prints: archives, then the database.
func told(t testing.TB, s *Store, f EntryFilter) (out []Entry) {
	t.Helper()
	ctx := context.Background()
	last, err := s.ArchivedEntries(ctx, f, 0, func(e Entry) error { out = append(out, e); return nil })
	if err != nil {
		t.Fatal(err)
	}
	rest, _, err := s.Entries(ctx, f, last, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return append(out, rest...)
}

func numbers(from, to uint64) (out []uint64) {
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

// TestEntriesAreFoundAsByReadingAll compares each filter, forwards and backwards and in pages, with a reading of the
// whole journal: without index rows, with them, with later entries that have none, and with the first entries pruned.
func TestEntriesAreFoundAsByReadingAll(t *testing.T) {
	ctx := context.Background()
	c := newClock()
	s := openBytes(t, t.TempDir(), Options{Now: c.now})
	logged(t, s, c, 60)
	filters := map[string]EntryFilter{
		"all":               {},
		"kind":              {Kind: NPM},
		"other kind":        {Kind: OCI},
		"package":           {Kind: NPM, Package: "p1"},
		"package of a kind": {Package: "p1"},
		"other package":     {Package: "p"},
		"user":              {User: "ada"},
		"operation":         {Op: OpYank},
		"two":               {User: "bob", Op: OpYank, Package: "p2"},
		"since":             {Since: s.opt.Now().Add(-20 * 24 * time.Hour)},
		"match":             {Match: func(e Entry) bool { return e.Seq%7 == 0 }},
	}
	compare := func(what string) {
		all, err := s.Journal(ctx, 0, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range filters {
			var want []uint64
			for _, e := range all {
				if f.Selects(e) {
					want = append(want, e.Seq)
				}
			}
			var got []uint64
			for last, more := uint64(0), true; more; {
				var page []Entry
				if page, last, err = s.Entries(ctx, f, last, 4); err != nil {
					t.Fatal(err)
				}
				got, more = append(got, seqs(page)...), len(page) > 0
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %s: %v, want %v", what, name, got, want)
			}
			back, err := s.EntriesBefore(ctx, f, 0, 1<<30)
			slices.Reverse(back)
			if err != nil || !slices.Equal(seqs(back), want) {
				t.Errorf("%s, %s, backwards: %v, %v; want %v", what, name, seqs(back), err, want)
			}
		}
	}
	compare("no index")
	index(t, s)
	compare("indexed")
	logged(t, s, c, 25)
	compare("25 entries behind the index")
	if r, err := s.PruneJournal(ctx, 75*24*time.Hour); err != nil || r.Entries == 0 {
		t.Fatal(r, err)
	}
	compare("25 entries behind the index, the first pruned")
	if r, err := s.PruneJournal(ctx, 12*24*time.Hour); err != nil || r.Entries == 0 {
		t.Fatal(r, err)
	}
	compare("all that were indexed pruned")
	index(t, s)
	compare("indexed again")
}

// index gives all entries their index rows.
func index(t testing.TB, s *Store) {
	t.Helper()
	if err := s.indexJournal(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	if rows := indexRows(t, s); rows == 0 {
		t.Fatal("there are no index rows")
	}
}

// indexRows counts the rows of the index.
func indexRows(t testing.TB, s *Store) (n int) {
	t.Helper()
	err := s.View(context.Background(), func(tx *Tx) error {
		for range tx.scan(bucketJournalIndex, nil, nil) {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func closeQuiet(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestJournalIsIndexedInBatches: few entries get no rows, many get them, in transactions of a batch each.
func TestJournalIsIndexedInBatches(t *testing.T) {
	ctx := context.Background()
	s := openBytes(t, t.TempDir(), Options{})
	write := func(n int) {
		t.Helper()
		err := s.Update(ctx, func(tx *Tx) error {
			for range n {
				tx.Log(Entry{Kind: NPM, Package: "demo", Op: OpPublish})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ more, rows, transactions int }{
		{indexBatch - 1, 0, 0},
		{1, 2 * indexBatch, 1},
		{3*indexBatch - 1, 2 * 3 * indexBatch, 2},
		{1, 2 * 4 * indexBatch, 1},
	} {
		write(c.more)
		before := s.txid()
		if err := s.IndexJournal(ctx); err != nil {
			t.Fatal(err)
		}
		if got := int(s.txid() - before); got != c.transactions {
			t.Errorf("%d more entries were indexed in %d transactions, want %d", c.more, got, c.transactions)
		}
		if got := indexRows(t, s); got != c.rows {
			t.Errorf("after %d more entries the index has %d rows, want %d", c.more, got, c.rows)
		}
	}
}

// TestUnreadableEntryStopsNoIndexing: the entries around it are found by package.
func TestUnreadableEntryStopsNoIndexing(t *testing.T) {
	c := newClock()
	s := openBytes(t, t.TempDir(), Options{Now: c.now})
	logged(t, s, c, 9)
	err := s.Update(context.Background(), func(tx *Tx) error { return tx.put(bucketJournal, be64(4), []byte("?")) })
	if err != nil {
		t.Fatal(err)
	}
	index(t, s)
	got, err := s.EntriesBefore(context.Background(), EntryFilter{Kind: NPM, Package: "p0"}, 0, 100)
	if err != nil || !slices.Equal(seqs(got), []uint64{7, 1}) {
		t.Errorf("entries of p0 around the unreadable 4: %v, %v; want [7 1]", seqs(got), err)
	}
	if err := s.Update(context.Background(), func(tx *Tx) error { return tx.del(bucketJournal, be64(4)) }); err != nil {
		t.Fatal(err)
	}
}

// TestIndexesOfEarlierFormatsAreCompleted opens folders as earlier programs left them. Format 1 had no index; format 2
// wrote rows together with each entry, and noted in meta which earlier entries had none yet.
func TestIndexesOfEarlierFormatsAreCompleted(t *testing.T) {
	rowsOf := func(tx *bolt.Tx, from, to uint64) error {
		index := tx.Bucket([]byte(bucketJournalIndex))
		for seq := from; seq <= to; seq++ {
			e, _, err := entryOf(be64(seq), tx.Bucket([]byte(bucketJournal)).Get(be64(seq)))
			if err != nil {
				return err
			}
			for _, row := range [][]byte{
				append([]byte("package\x00npm\x00"+e.Package+"\x00"), be64(seq)...),
				append([]byte("user\x00"+e.Actor.User+"\x00"), be64(seq)...),
				append([]byte("op\x00"+string(e.Op)+"\x00"), be64(seq)...),
			} {
				if err := index.Put(row, []byte{}); err != nil {
					return err
				}
			}
		}
		return index.SetSequence(to)
	}
	gap := func(tx *bolt.Tx, from, to uint64) error {
		return tx.Bucket([]byte(bucketMeta)).Put([]byte("journal.unindexed"), append(be64(from), be64(to)...))
	}
	for name, c := range map[string]struct {
		format  int
		indexed uint64 // after the folder was opened
		leave   func(tx *bolt.Tx) error
	}{
		"format 1": {1, 0, func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(bucketJournalIndex)) }},
		"format 2, of before the index": {2, 0, func(tx *bolt.Tx) error {
			return tx.DeleteBucket([]byte(bucketJournalIndex))
		}},
		"format 2, complete": {2, 20, func(tx *bolt.Tx) error { return rowsOf(tx, 1, 20) }},
		"format 2, nothing done yet": {2, 0, func(tx *bolt.Tx) error {
			return errors.Join(rowsOf(tx, 16, 20), gap(tx, 0, 15))
		}},
		"format 2, half done": {2, 7, func(tx *bolt.Tx) error {
			return errors.Join(rowsOf(tx, 1, 7), rowsOf(tx, 16, 20), gap(tx, 7, 15))
		}},
		"format 2, the last entries by a program without index": {2, 12, func(tx *bolt.Tx) error {
			return rowsOf(tx, 1, 12)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, dir, clock := context.Background(), t.TempDir(), newClock()
			s := openBytes(t, dir, Options{Now: clock.now})
			logged(t, s, clock, 20)
			err := s.db.Update(func(tx *bolt.Tx) error {
				return errors.Join(c.leave(tx), writeFormat(tx, c.format))
			})
			if err != nil {
				t.Fatal(err)
			}
			closeQuiet(t, s)
			s = openBytes(t, dir, Options{Now: clock.now})
			found := func(when string, want ...uint64) {
				t.Helper()
				got, _, err := s.Entries(ctx, EntryFilter{Kind: NPM, Package: "p1", User: "bob"}, 0, 100)
				if err != nil || !slices.Equal(seqs(got), want) {
					t.Errorf("%s: entries of p1 by bob: %v, %v; want %v", when, seqs(got), err, want)
				}
			}
			err = s.View(ctx, func(tx *Tx) error {
				if got := tx.indexed(); got != c.indexed {
					t.Errorf("the index is complete up to %d, want %d", got, c.indexed)
				}
				if left := tx.get(bucketMeta, []byte("journal.unindexed")); left != nil {
					t.Errorf("the range of entries without rows is still noted: %x", left)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			found("opened", 2, 8, 14, 20)
			logged(t, s, clock, 6)
			found("with more entries", 2, 8, 14, 20, 22)
			index(t, s)
			found("indexed", 2, 8, 14, 20, 22)
		})
	}
}

// TestOldEntriesMoveToArchives: what is older goes, whole months into files of their own, everything is told once and
// in order, by filter too, and a second run finds nothing to do.
func TestOldEntriesMoveToArchives(t *testing.T) {
	c := newClock()
	s := openBytes(t, t.TempDir(), Options{Now: c.now})
	logged(t, s, c, 100)
	ctx := context.Background()
	r, err := s.PruneJournal(ctx, 30*24*time.Hour+time.Hour)
	if err != nil || r.Entries != 70 {
		t.Fatalf("pruned %+v, %v; want 70 entries", r, err)
	}
	left, err := s.Journal(ctx, 0, 1000)
	if err != nil || !slices.Equal(seqs(left), numbers(71, 100)) {
		t.Errorf("left: %v, %v", seqs(left), err)
	}
	names, err := archives(s.files)
	if err != nil || len(names) < 3 {
		t.Errorf("archives: %v, %v; want one a month", names, err)
	}
	for _, name := range names {
		month := strings.TrimSuffix(filepath.Base(name), archiveExt)
		err := readArchive(s.files, name, func(e Entry) error {
			if got := e.Time.Format("2006-01"); got != month {
				t.Errorf("%s has an entry of %s", name, got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if got := seqs(told(t, s, EntryFilter{})); !slices.Equal(got, numbers(1, 100)) {
		t.Errorf("told: %v", got)
	}
	if got := told(t, s, EntryFilter{User: "ada", Package: "p0"}); len(got) != 17 || got[0].Seq != 1 || got[16].Seq != 97 {
		t.Errorf("told of ada and p0: %v", seqs(got))
	}
	if r, err := s.PruneJournal(ctx, 30*24*time.Hour+time.Hour); err != nil || r.Entries != 0 {
		t.Errorf("again: %+v, %v", r, err)
	}
	c.move(10 * 24 * time.Hour)
	if r, err := s.PruneJournal(ctx, 30*24*time.Hour+time.Hour); err != nil || r.Entries != 10 {
		t.Errorf("ten days later: %+v, %v", r, err)
	}
	if got := seqs(told(t, s, EntryFilter{})); !slices.Equal(got, numbers(1, 100)) {
		t.Errorf("told ten days later: %v", got)
	}
}

// TestCursorKeepsEntries: what a reader has not come to yet stays, and the report names the reader.
func TestCursorKeepsEntries(t *testing.T) {
	c := newClock()
	s := openBytes(t, t.TempDir(), Options{Now: c.now})
	logged(t, s, c, 20)
	ctx := context.Background()
	err := s.Update(ctx, func(tx *Tx) error { return errors.Join(tx.SetCursor("slow", 5), tx.SetCursor("quick", 18)) })
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.PruneJournal(ctx, 0); err != nil || r.Entries != 5 || r.Held != "slow" || r.Behind != 15 {
		t.Errorf("%+v, %v; want 5 entries, 15 held by slow", r, err)
	}
	if err := s.Update(ctx, func(tx *Tx) error { return tx.DropCursor("slow") }); err != nil {
		t.Fatal(err)
	}
	if r, err := s.PruneJournal(ctx, 0); err != nil || r.Entries != 13 || r.Held != "quick" {
		t.Errorf("%+v, %v; want 13 entries, the rest held by quick", r, err)
	}
}

// TestPruningIsCutOffAnywhere fails every durable step: nothing is lost and nothing is told twice, then and after the
// next run.
func TestPruningIsCutOffAnywhere(t *testing.T) {
	ctx := context.Background()
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			h := &nth{n: n, after: after}
			c := newClock()
			dir := t.TempDir()
			s := openBytes(t, dir, Options{Now: c.now, Faults: h})
			logged(t, s, c, 50)
			if _, err := s.PruneJournal(ctx, 30*24*time.Hour); err != nil {
				t.Fatal(err)
			}
			h.arm(true)
			_, err := s.PruneJournal(ctx, 0)
			h.arm(false)
			crash(t, s)
			s = openBytes(t, dir, Options{Now: c.now})
			if got := seqs(told(t, s, EntryFilter{})); !slices.Equal(got, numbers(1, 50)) {
				t.Fatalf("after a failed %s (step %d): told %v", h.hit, n, got)
			}
			if _, err := s.PruneJournal(ctx, 0); err != nil {
				t.Fatal(err)
			}
			if got := seqs(told(t, s, EntryFilter{})); !slices.Equal(got, numbers(1, 50)) {
				t.Fatalf("after a failed %s (step %d) and another run: told %v", h.hit, n, got)
			}
			if h.hit == "" {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
		}
	}
}

// TestClockMistakesDoNotStopPruning: an entry from the future neither stays for ever nor makes a file of its year.
func TestClockMistakesDoNotStopPruning(t *testing.T) {
	c := newClock()
	s := openBytes(t, t.TempDir(), Options{Now: c.now})
	logged(t, s, c, 3)
	c.move(50 * 365 * 24 * time.Hour)
	logged(t, s, c, 1)
	c.move(-50 * 365 * 24 * time.Hour)
	logged(t, s, c, 3)
	if r, err := s.PruneJournal(context.Background(), time.Hour); err != nil || r.Entries != 7 {
		t.Errorf("%+v, %v; want all 7", r, err)
	}
	names, err := archives(s.files)
	if err != nil || slices.ContainsFunc(names, func(n string) bool { return n > "journal/2060" }) {
		t.Errorf("archives: %v, %v", names, err)
	}
	if got := seqs(told(t, s, EntryFilter{})); !slices.Equal(got, numbers(1, 7)) {
		t.Errorf("told: %v", got)
	}
}

// TestCompactIsCutOffAnywhere fails every durable step of a compaction: the folder has the old database or the new one,
// with its id and all records.
func TestCompactIsCutOffAnywhere(t *testing.T) {
	ctx := context.Background()
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			dir := withBlobs(t, 3)
			id := mustAgree(t, dir)
			s, err := Open(dir, Options{Reserve: -1})
			if err != nil {
				t.Fatal(err)
			}
			gen := s.Generation(NPM, "p1")
			closeQuiet(t, s)
			h := &nth{n: n, after: after, armed: true}
			_, failed := Compact(ctx, dir, Options{Reserve: -1, Faults: h})
			mustBeSound(t, dir)
			if got := mustAgree(t, dir); got != id {
				t.Errorf("the id became %s", got)
			}
			if s, err = Open(dir, Options{Reserve: -1}); err != nil {
				t.Fatal(err)
			}
			if now := s.Generation(NPM, "p1"); now < gen {
				t.Errorf("after a failed %s the generation fell from %d to %d", h.hit, gen, now)
			}
			closeQuiet(t, s)
			if h.hit == "" {
				if failed != nil {
					t.Fatal(failed)
				}
				break
			}
		}
	}
}

func TestCompactShrinks(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	s := openBytes(t, dir, Options{Now: c.now})
	ctx := context.Background()
	err := s.Update(ctx, func(tx *Tx) error {
		for i := range 5000 {
			tx.Log(Entry{Op: OpPublish, Note: fmt.Sprint(i, strings.Repeat("x", 200))})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.move(48 * time.Hour)
	if _, err := s.PruneJournal(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := Compact(ctx, dir, Options{Reserve: -1, LockTimeout: 10 * time.Millisecond}); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is open: %v, want ErrLocked", err)
	}
	closeQuiet(t, s)
	r, err := Compact(ctx, dir, Options{Reserve: -1})
	if err != nil || r.After*4 > r.Before {
		t.Errorf("%+v, %v; want a quarter at most", r, err)
	}
	if _, err := os.Stat(filepath.Join(dir, newDBName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary file: %v", err)
	}
	s = openBytes(t, dir, Options{Now: c.now})
	if got := told(t, s, EntryFilter{}); len(got) != 5000 {
		t.Errorf("%d entries are told, want 5000", len(got))
	}
}

// TestCursorIsRemembered over a restart, until it is dropped; its name is checked as every other.
func TestCursorIsRemembered(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openBytes(t, dir, Options{})
	if err := s.Update(ctx, func(tx *Tx) error { return tx.SetCursor("webhooks", 7) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(ctx, func(tx *Tx) error { return tx.SetCursor("", 7) }); !errors.Is(err, ErrInvalid) {
		t.Errorf("a cursor without a name: %v, want ErrInvalid", err)
	}
	closeQuiet(t, s)
	s = openBytes(t, dir, Options{})
	want := func(name string, seq uint64, ok bool) {
		t.Helper()
		err := s.View(ctx, func(tx *Tx) error {
			if got, found := tx.Cursor(name); got != seq || found != ok {
				t.Errorf("cursor %s: %d, %t; want %d, %t", name, got, found, seq, ok)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want("webhooks", 7, true)
	want("feeds", 0, false)
	if err := s.Update(ctx, func(tx *Tx) error { return tx.DropCursor("webhooks") }); err != nil {
		t.Fatal(err)
	}
	want("webhooks", 0, false)
}

// TestDamagedArchiveIsNotWrittenOver: pruning stops with its name and loses nothing; when it was moved away, pruning
// goes on.
func TestDamagedArchiveIsNotWrittenOver(t *testing.T) {
	ctx := context.Background()
	c := &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	dir := t.TempDir()
	s := openBytes(t, dir, Options{Now: c.now})
	logged(t, s, c, 2)
	if _, err := s.PruneJournal(ctx, 0); err != nil {
		t.Fatal(err)
	}
	names, err := archives(s.files)
	if err != nil || len(names) == 0 {
		t.Fatalf("archives: %v, %v", names, err)
	}
	last := filepath.Join(dir, names[len(names)-1])
	if err := errors.Join(os.Remove(last), os.WriteFile(last, []byte("not gzip"), 0o600)); err != nil {
		t.Fatal(err)
	}
	logged(t, s, c, 1)
	_, err = s.PruneJournal(ctx, -time.Hour)
	if err == nil || !strings.Contains(err.Error(), filepath.Base(last)) {
		t.Fatalf("pruning into a damaged archive: %v, want an error that names it", err)
	}
	if _, err := s.ArchivedEntries(ctx, EntryFilter{}, 0, func(Entry) error { return nil }); err == nil {
		t.Error("a damaged archive was read as if it were empty")
	}
	if left, err := s.Journal(ctx, 0, 10); err != nil || !slices.Equal(seqs(left), []uint64{3}) {
		t.Errorf("left in the database: %v, %v; want [3]", seqs(left), err)
	}
	if err := os.Remove(last); err != nil {
		t.Fatal(err)
	}
	if r, err := s.PruneJournal(ctx, -time.Hour); err != nil || r.Entries != 1 {
		t.Errorf("after it was moved away: %+v, %v; want one entry", r, err)
	}
}

// TestBackupWithArchivesHasTheWholeJournal; one without has what is in the database.
func TestBackupWithArchivesHasTheWholeJournal(t *testing.T) {
	ctx := context.Background()
	for _, with := range []bool{true, false} {
		c := newClock()
		s := openBytes(t, t.TempDir(), Options{Now: c.now})
		logged(t, s, c, 50)
		if _, err := s.PruneJournal(ctx, 20*24*time.Hour+time.Hour); err != nil {
			t.Fatal(err)
		}
		var tar bytes.Buffer
		made, err := s.BackupAll(ctx, &tar, nil, with)
		if err != nil || (made.Archives > 0) != with {
			t.Fatalf("backup with archives %t: %+v, %v", with, made, err)
		}
		dir := filepath.Join(t.TempDir(), "restored")
		restored, err := Restore(ctx, dir, &tar, nil)
		if err != nil || restored != made {
			t.Fatalf("restored %+v, %v; want %+v", restored, err, made)
		}
		want := numbers(31, 50)
		if with {
			want = numbers(1, 50)
		}
		if got := seqs(told(t, openBytes(t, dir, Options{Now: c.now}), EntryFilter{})); !slices.Equal(got, want) {
			t.Errorf("with archives %t the restored journal tells %v, want %v", with, got, want)
		}
	}
}
