package store

// This file lets writers that meet share one commit.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// Group commit. One bbolt commit costs two fsyncs however little it changes. A caller who finds no commit under way
// leads at once, so an idle writer waits for nobody; callers who arrive meanwhile queue up, and the first of them leads
// the next transaction with all of them in it. Nothing waits for a timer.

// maxGroup bounds one transaction, so that a crowd cannot make its first member wait for all of it.
const maxGroup = 256

// writer is the queue of calls that wait for their transaction.
type writer struct {
	mu      sync.Mutex // guards the two below
	leading bool
	queue   []*call
}

// call is one Update that waits for its transaction or is in it. Its leader owns it until done is closed.
type call struct {
	ctx  context.Context
	fn   func(*Tx) error
	tx   *Tx // of the latest run
	err  error
	lead chan struct{} // told to lead the next transaction
	done chan struct{} // closed when err is final
}

// Update runs fn in a write transaction and returns when it is durable. An error of fn undoes all that fn wrote and is
// returned as it is. fn may run more than once, so it must set, not add to, what it captures; it must be quick, do no
// I/O and not call the store's own View or Update. ErrReadOnly is returned before anything is written, ErrFull when fn
// needs room (NeedRoom) and there is none, or when the disk is really full: nothing is changed then. After a failed
// commit the store is read-only.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := s.writable(); err != nil {
		return err
	}
	return s.submit(ctx, fn)
}

// NeedRoom declares that the transaction stores what somebody brings or a remote registry has, however small its rows:
// it is ErrFull when the disk's reserve would be touched. Publishing, holding and recording blobs ask it themselves.
// What does not declare this may use the reserve, so that an operator can delete, revoke and configure on a full disk.
func (tx *Tx) NeedRoom() error { return tx.s.files.Room(0, 0) }

// submit is Update for the few writes that the read-only switch does not stop.
func (s *Store) submit(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call{ctx: ctx, fn: fn, lead: make(chan struct{}), done: make(chan struct{})}
	if s.group.enter(c) {
		s.leadGroup()
	} else {
		select {
		case <-c.lead:
			s.leadGroup()
		case <-c.done:
		}
	}
	<-c.done
	return c.err
}

// enter queues c; true when nobody leads, so that c has to.
func (w *writer) enter(c *call) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, c)
	if w.leading {
		return false
	}
	w.leading = true
	return true
}

// take removes the next group from the queue.
func (w *writer) take() []*call {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.queue), maxGroup)
	group := w.queue[:n:n]
	w.queue = w.queue[n:]
	return group
}

// handOver makes the first waiting call the leader, or leaves the place free.
func (w *writer) handOver() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.leading, w.queue = false, nil
		return
	}
	close(w.queue[0].lead)
}

// leadGroup runs the next group. The leader's own call is always its first.
func (s *Store) leadGroup() {
	group := s.group.take()
	s.commitGroup(group)
	s.group.handOver()
	for _, c := range group {
		close(c.done)
	}
}

// commitGroup runs the group in one transaction. A call that fails after having written spoils the transaction: it
// keeps its error, the transaction is rolled back and the others run again.
func (s *Store) commitGroup(group []*call) {
	for len(group) > 0 {
		if err := s.files.Failure(); err != nil {
			failAll(group, s.writable())
			return
		}
		if s.damaged.Load() != nil {
			failAll(group, s.writable())
			return
		}
		b, err := s.begin()
		if err != nil {
			failAll(group, beginError(err))
			return
		}
		good, clean := s.runGroup(b, group)
		if !clean {
			s.drop(b)
			group = good
			continue
		}
		s.finishGroup(b, good)
		return
	}
}

// begin begins a write transaction.
func (s *Store) begin() (b *bolt.Tx, err error) {
	err = s.guard(func() (err error) {
		b, err = s.db.Begin(true)
		return err
	})
	return b, err
}

func failAll(group []*call, err error) {
	for _, c := range group {
		c.err = err
	}
}

// runGroup runs the calls; good are those that did not fail, clean is false when one of the others had already written.
func (s *Store) runGroup(b *bolt.Tx, group []*call) (good []*call, clean bool) {
	for i, c := range group {
		if c.err = c.ctx.Err(); c.err != nil {
			continue
		}
		c.tx = s.newTx(c.ctx, b)
		if c.err = c.run(); c.err == nil {
			good = append(good, c)
		} else if c.tx.writes > 0 {
			return append(good, group[i+1:]...), false
		}
	}
	return good, true
}

// run calls fn; a panic fails this call only and does not take the group's leader down with it.
func (c *call) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.tx.writes++
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
	}()
	return c.tx.s.guard(c.call)
}

// call is the caller's function and what it could not return itself.
func (c *call) call() error {
	if err := c.fn(c.tx); err != nil {
		return err
	}
	return c.tx.err
}

// finishGroup commits, moves the generations, runs the hooks and wakes the readers of the journal: generations first,
// so that a reader who is woken renders anew.
func (s *Store) finishGroup(b *bolt.Tx, group []*call) {
	writes := 0
	for _, c := range group {
		writes += c.tx.writes
	}
	if writes == 0 {
		s.drop(b)
	} else {
		id := s.txBase + uint64(b.ID())
		err := s.commit(b)
		for _, c := range group {
			s.gens.move(c.tx.touched, id)
		}
		if err != nil {
			failAll(group, err)
			return
		}
	}
	logged := false
	for _, c := range group {
		logged = logged || c.tx.logged
		for _, fn := range c.tx.hooks {
			fn()
		}
	}
	if logged {
		s.watch.wake()
	}
}

// commit makes b durable. A full disk, and a read-only one, is found before the meta page is written and loses nothing;
// after any other failure nobody knows what is on disk.
func (s *Store) commit(b *bolt.Tx) error {
	err := s.files.Step("commit", dbName, func() error { return growth(s.guard(b.Commit)) })
	if err == nil {
		return nil
	}
	s.drop(b)
	if isRefusedWrite(err) {
		s.files.ForgetSpace()
	} else {
		s.files.Fail(err)
	}
	return err
}

// isRefusedWrite tells a write that the file system had no room for, or did not take, from an fsync that ended so: only
// os.File's methods wrap it in a PathError.
func isRefusedWrite(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) &&
		(errors.Is(pe, syscall.ENOSPC) || errors.Is(pe, syscall.EDQUOT) || errors.Is(pe, syscall.EROFS))
}

// growth gives back the system's error of a file that could not grow, of which bbolt keeps only the text.
func growth(err error) error {
	if err == nil || !strings.HasPrefix(err.Error(), "file resize error: ") {
		return err
	}
	for _, number := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if strings.HasSuffix(err.Error(), number.Error()) {
			return fmt.Errorf("%w: %w", err, &fs.PathError{Op: "truncate", Path: dbName, Err: number})
		}
	}
	return err
}
