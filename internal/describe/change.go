package describe

// This file has the changes of versions that pages offer.

import "context"

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
