package store

// This file turns what bbolt does with a damaged database, a panic or a memory fault, into an error and a store that is
// read-only and says why.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"larder/internal/problem"
	"larder/store/disk"
)

// OperatorMessage is the sentence for an operator about a folder or database that cannot be used; "" for any other
// error.
func OperatorMessage(err error) string {
	var r *problem.Refusal
	if !errors.Is(err, ErrDatabase) || !errors.As(err, &r) {
		return ""
	}
	for inner := r; errors.As(inner.Err, &inner); {
		r = inner
	}
	return r.Text
}

// damage is the error of a database that cannot be used, with a sentence for operators. It is an ErrDatabase and, as
// everything that cannot be read, an ErrFormat.
func damage(seen string) error {
	return &problem.Refusal{Err: fmt.Errorf("%w: %w", ErrDatabase, ErrFormat),
		Text: fmt.Sprintf("%s is damaged: %s. %s %s", dbName, seen, recoveryHelp, newDatabaseHelp)}
}

// boltOptions are how the records' file is opened for writing.
func boltOptions(o Options) *bolt.Options {
	return &bolt.Options{
		Timeout:         o.LockTimeout,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: initialMmap(),
	}
}

// openRecords opens the records' file at path after every page was looked at, under a lock that keeps writers away.
// Damage is a sentence, whatever bbolt would have made of it.
func openRecords(path string, o Options) (db *bolt.DB, err error) {
	if err := inspectFile(path, o); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, damage(fmt.Sprint(p))
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err = bolt.Open(path, 0o600, boltOptions(o))
	return db, openError(err)
}

func openError(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return problem.Errorf(ErrLocked, "another process has the data folder open")
	case errors.Is(err, berrors.ErrInvalid),
		errors.Is(err, berrors.ErrVersionMismatch),
		errors.Is(err, berrors.ErrChecksum):
		return damage("neither of its two first pages is one of a database")
	}
	return err
}

// inspectFile inspects the file at path while no other process may write to it.
func inspectFile(path string, o Options) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	unlock, err := lockShared(path, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	// Read once from end to end: in the order of the tree a disk would have to seek for every page.
	disk.SinglePages(f)
	whole := struct{ io.Reader }{f}
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, whole, make([]byte, 1<<20)); err != nil {
		return damage(fmt.Sprintf("it cannot be read (%v)", err))
	}
	if err := inspect(f, st.Size()); err != nil {
		return damage(err.Error())
	}
	return nil
}

// lockShared takes bbolt's lock of the file for a reader. A file too damaged for bbolt to open has no lock to wait for.
func lockShared(path string, o Options) (unlock func() error, err error) {
	none := func() error { return nil }
	defer func() {
		if p := recover(); p != nil {
			unlock, err = nil, damage(fmt.Sprint(p))
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: o.LockTimeout})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, openError(err)
	case err != nil:
		return none, nil
	}
	return db.Close, nil
}

// recovered makes an error of what was recovered inside a transaction. What came out of bbolt, or out of memory that is
// not there, is damage: from then on the store takes no changes. Any other panic is a mistake of the caller's and goes
// on as one.
func (s *Store) recovered(p any) error {
	if !isDamage(p) {
		panic(p)
	}
	seen := fmt.Sprint(p)
	if _, ok := p.(memoryFault); ok {
		seen = "a page lies outside of the file"
	}
	err := damage(seen)
	if s.damaged.CompareAndSwap(nil, &err) {
		s.opt.Log.Error("the store is read-only: the database is damaged", "error", err, "stack", string(debug.Stack()))
	}
	// Keys, and so names that are hidden from some, may be part of what was seen: it is for the log.
	return &problem.Refusal{Err: err, Text: "the server's database is damaged; its log says what was seen"}
}

// memoryFault is what the runtime panics with when memory that is not there is read; see debug.SetPanicOnFault.
type memoryFault interface{ Addr() uintptr }

func isDamage(p any) bool {
	_, ok := p.(memoryFault)
	return ok || fromBolt()
}

// fromBolt reports whether the panic began in bbolt. It is asked while the panic's frames are still on the stack: of
// the frames before the panic, the first that is bbolt's or ours decides.
func fromBolt() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	panicked := false
	for {
		f, more := frames.Next()
		panicked = panicked || f.Function == "runtime.gopanic"
		if panicked && strings.HasPrefix(f.Function, "go.etcd.io/bbolt") {
			return true
		}
		if panicked && strings.HasPrefix(f.Function, "larder/") || !more {
			return false
		}
	}
}

// guard runs fn, which works on the database; see caught.
func (s *Store) guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.recovered(p)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return fn()
}

// drop ends a write transaction that failed. bbolt reads the list of free pages anew to do so: where it cannot, the
// transaction keeps the database's lock, and nothing may wait for it any more.
func (s *Store) drop(b *bolt.Tx) {
	if err := s.guard(b.Rollback); errors.Is(err, ErrDatabase) {
		s.stuck.Store(true)
	}
}
