package store

// The errors of this package. Those of no kind are internal errors to a client.

import (
	"errors"

	"larder/internal/problem"
	"larder/store/disk"
)

// The errors this package returns, always wrapped with operation and subject; compare with errors.Is.
var (
	ErrNotFound = problem.ErrNotFound
	ErrInvalid  = problem.ErrInvalid  // a name, digest or record that cannot be stored
	ErrTooLarge = problem.ErrTooLarge // above the caller's own limit

	ErrReadOnly = disk.ErrReadOnly // by configuration, at run time, or after a failed fsync
	ErrFull     = disk.ErrFull     // ENOSPC, or the configured reserve would be touched
	ErrQuota    = disk.ErrQuota    // a configured limit on bytes or unfinished uploads
	ErrDigest   = disk.ErrDigest   // the bytes are not those that were announced
	ErrOffset   = disk.ErrOffset   // the chunk does not continue the upload
	ErrBusy     = disk.ErrBusy     // another request writes to this upload

	// ErrExists: the version, file or name is taken, or was and is tombstoned.
	ErrExists = problem.New(409, "already exists", "")
	// ErrImmutable: a rule forbids changing what exists.
	ErrImmutable = problem.New(409, "immutable", "immutable: it cannot be changed")
	// ErrProtected: a rule reserves the package for others.
	ErrProtected = problem.New(403, "protected", "protected from this change")
	// ErrDenied: the caller may create but not overwrite.
	ErrDenied = problem.New(403, "not allowed", "permission denied")
	// ErrDamaged: the bytes of a blob are missing or not those of its digest. It is no 404, which clients would take as
	// final: the blob exists, and may be repaired.
	ErrDamaged = problem.New(500, "damaged on disk", "the file is damaged on the registry's disk")
	// ErrConflict: a compare-and-set lost.
	ErrConflict = problem.New(412, "precondition failed", "changed by someone else in the meantime")
	// ErrReferenced: a version holds the blob.
	ErrReferenced = problem.New(409, "still in use", "")
	// ErrLocked: another process has the data folder open.
	ErrLocked = problem.New(503, "data folder is in use", "the server's data is in use elsewhere")
	// ErrClosed: a call after Close, which is a caller's mistake.
	ErrClosed = errors.New("store is closed")
	// ErrDatabase: the database is missing, another folder's, or damaged.
	ErrDatabase = problem.New(503, "the database cannot be used", "the server's database is damaged")
	// ErrOrphans: the database is more likely wrong than they.
	ErrOrphans = problem.New(409, "too many blobs without a record", "")
	// ErrFormat: written by a newer Larder, damaged, or something else.
	ErrFormat = errors.New("data folder has an unknown format")
)
