package describe

// This file has the changes of versions that pages offer, and uploads.

import (
	"context"
	"io"
)

// Op is a change of a version. The words are those of forms.
type Op string

// The changes. A protocol has those that its clients can ask for.
const (
	Yank      Op = "yank"
	Unyank    Op = "unyank"
	Deprecate Op = "deprecate"
	MoveTag   Op = "tag"
	Delete    Op = "delete"
)

// Changer makes changes by the operations of the protocol: with their rights, their entries of the journal, and their
// errors.
type Changer interface {
	// Offers are the changes that the client of a request may make to versions of a package; none of a copy.
	Offers(ctx context.Context, name string) ([]Offer, error)
	// Change makes one change. The error is that of the operation, or problem.ErrInvalid where the protocol has none.
	Change(ctx context.Context, name string, c Change) error
}

// Offer is a change that a client may make.
type Offer struct {
	Op Op
	// Reason: it takes a text.
	Reason bool
	// Back: a tag can only be moved back to a version that it pointed at.
	Back bool
}

// Change is a change of one version.
type Change struct {
	Op Op
	// Version is the ID of the version; with MoveTag the one that the tag shall point at.
	Version string
	Tag     string
	// Reason is why a version is yanked, or the message of a deprecated one, "" for one that is deprecated no more.
	Reason string
}

// Uploader publishes files as the clients of the protocol do: with the rights and checks of their requests.
type Uploader interface {
	// Knows reports whether the content of a file is that of a package of the kind.
	Knows(file io.ReaderAt, size int64) bool
	// Upload publishes a file and returns the name of its package. The error is that of the client's request.
	Upload(ctx context.Context, u Upload) (name string, err error)
}

// Upload is a file that a browser sent.
type Upload struct {
	File   io.ReaderAt
	Size   int64
	SHA256 string // hex
	Name   string // of the file, as the browser has it
	// Tag is npm's dist-tag, or the version of a Composer package whose composer.json has none; "" for what is usual.
	Tag string
	// Group to Classifier are Maven's coordinates, "" where the file has them.
	Group, Artifact, Version, Classifier string
}
