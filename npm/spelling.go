package npm

// How npm's names and versions are written, and which of them are the same.

import (
	"strings"

	"larder/npm/names"
	"larder/upstream"
)

// Spelling is for rules about names and versions: names are as they are, versions are semantic ones without their
// build.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name:      func(name string) (string, error) { return name, names.Check(name) },
		Fold:      strings.ToLower,
		Same:      upstream.SameSemVer,
		Also:      upstream.AlsoSemVer,
		Pattern:   upstream.SemVerPattern,
		Version:   upstream.CheckSemVer,
		NameChars: "@/-._~!'()", VersionChars: "-.+=",
	}
}
