package store

import "slices"

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

// ParseKind returns the kind called s; ErrInvalid for any other word.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); slices.Contains(Kinds(), k) {
		return k, nil
	}
	return "", Refuse(ErrInvalid, "%q is not a kind of package", s)
}

// String returns the word used in keys, URLs and configuration.
func (k Kind) String() string { return string(k) }
