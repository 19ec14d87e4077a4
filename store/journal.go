package store

// This file has the journal: the ordered log of every change, written in the transaction of the change.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Op says what a journal entry, or a change a policy is asked about, is.
type Op string

// The operations. Other packages add their own for Tx.Log; the words are stored, so they never change.
const (
	OpPublish       Op = "publish"
	OpReplace       Op = "replace"
	OpYank          Op = "yank"
	OpUnyank        Op = "unyank"
	OpDeprecate     Op = "deprecate"
	OpTag           Op = "tag"
	OpUntag         Op = "untag"
	OpDelete        Op = "delete"
	OpDeletePackage Op = "delete-package"
	OpMount         Op = "mount"
	OpCache         Op = "cache"
	OpClaim         Op = "claim"
	OpRelease       Op = "release"
	OpUpload        Op = "upload" // asked of policies only, before and when bytes arrive that no version holds yet
	OpUserAdd       Op = "user.add"
	OpUserRemove    Op = "user.remove"
	OpUserPasswd    Op = "user.passwd"
	OpUserUpdate    Op = "user.update"
	OpTokenCreate   Op = "token.create"
	OpTokenRevoke   Op = "token.revoke"
)

// Entry is one line of the journal, the ordered log of every change.
type Entry struct {
	Seq     uint64    `json:"seq"` // from 1, without gaps but for what was pruned at the beginning
	Time    time.Time `json:"time"`
	Kind    Kind      `json:"kind,omitempty"` // "" for users and tokens
	Package string    `json:"package,omitempty"`
	Version string    `json:"version,omitempty"`
	Tag     string    `json:"tag,omitempty"`
	Op      Op        `json:"op"`
	Actor   Actor     `json:"actor,omitzero"`
	Bytes   int64     `json:"bytes,omitempty"` // what the change added to the package's size
	Note    string    `json:"note,omitempty"`
}

// Log appends e to the journal in this transaction, and writes nothing else: IndexJournal makes it findable later. Seq,
// Time and Actor are filled in; it returns Seq. When it cannot, Update fails.
func (tx *Tx) Log(e Entry) (seq uint64) {
	tx.writes++
	seq, err := tx.bucket(bucketJournal).NextSequence()
	if err == nil {
		e.Seq, e.Time, e.Actor = seq, tx.now, tx.actor
		err = tx.putRow(bucketJournal, be64(seq), e)
	}
	if err != nil {
		tx.err = errors.Join(tx.err, fmt.Errorf("journal: %w", err))
	}
	tx.logged = true
	return seq
}

// JournalEntry returns the entry numbered seq; ErrNotFound when there is none, or none any more.
func (s *Store) JournalEntry(ctx context.Context, seq uint64) (e Entry, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		ok, err := tx.row(bucketJournal, be64(seq), &e)
		if err == nil && !ok {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return Entry{}, fmt.Errorf("journal %d: %w", seq, err)
	}
	return e, nil
}

// Journal returns up to limit entries after the one numbered after, oldest first.
func (s *Store) Journal(ctx context.Context, after uint64, limit int) (out []Entry, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		for _, v := range tx.scan(bucketJournal, nil, be64(after)) {
			if len(out) >= limit {
				return nil
			}
			var e Entry
			if err := decode(v, &e); err != nil {
				return fmt.Errorf("journal after %d: %w", after, err)
			}
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// JournalTail returns the last n entries, newest first.
func (s *Store) JournalTail(ctx context.Context, n int) (out []Entry, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		c := tx.bucket(bucketJournal).Cursor()
		for k, v := c.Last(); k != nil && len(out) < n; k, v = c.Prev() {
			var e Entry
			if err := decode(v, &e); err != nil {
				return fmt.Errorf("journal tail: %w", err)
			}
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// WatchJournal returns a channel that is closed by the next commit that adds to the journal. A reader takes the
// channel first, then reads the journal from its cursor, then waits: so nothing slips between.
func (s *Store) WatchJournal() <-chan struct{} { return s.watch.next() }

// watch wakes everyone who waits, and holds nothing of those who stopped waiting.
type watch struct {
	mu sync.Mutex
	ch chan struct{}
}

func (w *watch) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ch == nil {
		w.ch = make(chan struct{})
	}
	return w.ch
}

func (w *watch) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ch != nil {
		close(w.ch)
		w.ch = nil
	}
}
