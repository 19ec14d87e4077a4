package store

import (
	"errors"
	"fmt"
)

// The errors this package returns, always wrapped with operation and subject; compare with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New(
		"already exists",
	) // the version, file or name is taken, or was and is tombstoned
	ErrInvalid   = errors.New("invalid")        // a name, digest or record that cannot be stored
	ErrTooLarge  = errors.New("too large")      // above the caller's own limit
	ErrQuota     = errors.New("quota exceeded") // a configured limit on bytes or sessions
	ErrImmutable = errors.New("immutable")      // a rule forbids changing what exists
	ErrProtected = errors.New("protected")      // a rule reserves the package for others
	ErrDenied    = errors.New("not allowed")    // the caller may create but not overwrite
	ErrReadOnly  = errors.New(
		"store is read-only",
	) // by configuration, at run time, or after a failed fsync
	ErrDigest  = errors.New("digest does not match")        // the bytes are not those that were announced
	ErrOffset  = errors.New("upload offset does not match") // the chunk does not continue the upload
	ErrBusy    = errors.New("busy")                         // another request writes to this upload
	ErrDamaged = errors.New(
		"damaged on disk",
	) // the bytes of a blob are missing or not those of its digest
	ErrFull       = errors.New("disk is full")                    // ENOSPC, or the configured reserve would be touched
	ErrConflict   = errors.New("precondition failed")             // a compare-and-set lost
	ErrReferenced = errors.New("still in use")                    // a version holds the blob
	ErrLocked     = errors.New("data folder is in use")           // another process has it open
	ErrClosed     = errors.New("store is closed")                 // a call after Close, which is a caller's mistake
	ErrDatabase   = errors.New("the database cannot be used")     // missing, another folder's, or damaged
	ErrOrphans    = errors.New("too many blobs without a record") // the database is more likely wrong than they
	ErrFormat     = errors.New(
		"data folder has an unknown format",
	) // written by a newer Larder, damaged, or something else
)

// Refusal is an error with two texts: Err says what it is (errors.Is), Text is what the client's user reads.
type Refusal struct {
	Err  error
	Text string
}

// Refuse returns a *Refusal. The text must not name paths or other internals: clients print it verbatim.
func Refuse(err error, format string, args ...any) error {
	return &Refusal{Err: err, Text: fmt.Sprintf(format, args...)}
}

// Error is the text for the log.
func (r *Refusal) Error() string { return r.Text + ": " + r.Err.Error() }

// Unwrap returns the sentinel.
func (r *Refusal) Unwrap() error { return r.Err }

// Public is the text for the client's user.
func (r *Refusal) Public() string { return r.Text }
