package composer

// How Composer's names and versions are written, and which of them are the same.

import (
	"strings"

	"larder/composer/naming"
	"larder/composer/semver"
	"larder/upstream"
)

// Spelling is for rules about names and versions: names are the same in either case, versions in their normal form.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name:      naming.Parse,
		Fold:      strings.ToLower,
		Same:      func(rule, version string) bool { return normalForm(rule) == normalForm(version) },
		Also:      alsoWritten,
		NameChars: "-_./", VersionChars: "-_./+=@:#~",
	}
}

// normalForm is a version's, or the text itself in lower case where it has none.
func normalForm(version string) string {
	if n, ok := semver.Normalize(version); ok {
		return n
	}
	return strings.ToLower(version)
}

// alsoWritten are the ways in which patterns mean a version: 1.2.0.0 is also 1.2 and v1.2.0.
func alsoWritten(version string) (out []string) {
	out = []string{normalForm(version)}
	if semver.IsDev(out[0]) {
		return out
	}
	for _, v := range upstream.Padded(out[0]) {
		out = append(out, v, "v"+v)
	}
	return out
}
