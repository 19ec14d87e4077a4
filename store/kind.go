package store

// This file names the protocols.

import (
	"slices"
	"strings"

	"larder/internal/problem"
)

// Kind names a protocol. It is the first part of every record's key, so its values never change.
type Kind string

// The seven kinds.
const (
	OCI      Kind = "oci"
	NPM      Kind = "npm"
	PyPI     Kind = "pypi"
	Cargo    Kind = "cargo"
	Maven    Kind = "maven"
	Composer Kind = "composer"
	RubyGems Kind = "rubygems"
)

// Kinds returns every kind, in the order in which lists show them.
func Kinds() []Kind {
	return []Kind{OCI, NPM, PyPI, Cargo, Maven, Composer, RubyGems}
}

// Documents is the kind under which copies of remote registries' documents of kind k are recorded: they never mix with
// what is hosted here, and are counted, checked and swept like it.
func (k Kind) Documents() Kind { return k + ".documents" }

// CachedFiles is the kind under which copies of remote registries' files of kind k are recorded, as Documents.
func (k Kind) CachedFiles() Kind { return k + ".files" }

// Copies is the kind under which packages of kind k are listed of which documents or files are kept.
func (k Kind) Copies() Kind { return k + ".copies" }

// original is the kind that k's copies are of; copied is false when k is a kind itself.
func (k Kind) original() (of Kind, copied bool) {
	name, _, copied := strings.Cut(string(k), ".")
	return Kind(name), copied
}

// allKinds are the kinds that records can have.
func allKinds() (all []Kind) {
	for _, k := range Kinds() {
		all = append(all, k, k.Documents(), k.CachedFiles(), k.Copies())
	}
	return all
}

// ParseKind returns the kind called s; ErrInvalid for any other word.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); slices.Contains(Kinds(), k) {
		return k, nil
	}
	return "", problem.Errorf(ErrInvalid, "%q is not a kind of package", s)
}

// String returns the word used in keys, URLs and configuration.
func (k Kind) String() string { return string(k) }
