package cargo

// This file says how crates' names and versions are written, and which of them are the same.

import (
	"larder/cargo/names"
	"larder/upstream"
)

// Spelling is for rules about names and versions: a crate's file of the index has its name in lower case, and a version
// is a semantic one without its build metadata.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name:      func(name string) (string, error) { return names.Key(name), names.Check(name) },
		Fold:      names.Canonical,
		Same:      upstream.SameSemVer,
		Also:      upstream.AlsoSemVer,
		Pattern:   upstream.SemVerPattern,
		Version:   upstream.CheckSemVer,
		NameChars: "-_", VersionChars: "-.+=",
	}
}
