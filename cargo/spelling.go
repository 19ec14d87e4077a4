package cargo

// How crates' names and versions are written, and which of them are the same.

import (
	"larder/cargo/crate"
	"larder/upstream"
)

// Spelling is for rules about names and versions: a crate's file of the index has its name in lower case, and a version
// is a semantic one without its build metadata.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name:      func(name string) (string, error) { return key(name), crate.CheckName(name) },
		Fold:      canonical,
		Same:      upstream.SameSemVer,
		Also:      upstream.AlsoSemVer,
		NameChars: "-_", VersionChars: "-.+=",
	}
}
