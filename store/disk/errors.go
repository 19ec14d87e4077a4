package disk

// This file declares the errors of files; package store gives them out under the same names.

import (
	"errors"

	"larder/internal/problem"
)

var (
	// ErrReadOnly: a write to the disk failed, or the file system takes none.
	ErrReadOnly = problem.New(503, "store is read-only", "the server takes no changes at present")
	// ErrFull: ENOSPC, or the configured reserve would be touched.
	ErrFull = problem.New(507, "disk is full", "the server's disk is full")
	// ErrQuota: a limit on bytes or on unfinished uploads. It is no 5xx: twine and docker would send the whole body again.
	ErrQuota = problem.New(413, "quota exceeded", "")
	// ErrDigest: the bytes are not those that were announced.
	ErrDigest = problem.New(400, "digest does not match", "the content does not match its digest")
	// ErrOffset: the chunk does not continue the upload.
	ErrOffset = problem.New(416, "upload offset does not match", "the upload continues at another offset")
	// ErrBusy: another request writes to this upload.
	ErrBusy = problem.New(409, "busy", "in use by another request")

	// ErrWrongBytes: the file of a blob is not what its record says.
	ErrWrongBytes = errors.New("wrong bytes")
)
