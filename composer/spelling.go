package composer

// How Composer's names and versions are written, and which of them are the same.

import (
	"fmt"
	"strings"

	"larder/composer/names"
	"larder/composer/version"
	"larder/upstream"
)

// Spelling is for rules about names and versions: names are the same in either case, versions in their normal form.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name:    names.Parse,
		Fold:    strings.ToLower,
		Same:    func(rule, v string) bool { return normalForm(rule) == normalForm(v) },
		Also:    alsoWritten,
		Pattern: strings.ToLower,
		Version: func(pattern string) error {
			if _, ok := version.Normalize(pattern); !ok && !strings.Contains(pattern, "*") {
				return fmt.Errorf("%q is no version that Composer reads", pattern)
			}
			return nil
		},
		NameChars: "-_./", VersionChars: "-_./+=@:#~",
	}
}

// normalForm is a version's, or the text itself in lower case where it has none.
func normalForm(v string) string {
	if n, ok := version.Normalize(v); ok {
		return n
	}
	return strings.ToLower(v)
}

// alsoWritten are the ways in which patterns mean a version: 1.2.0.0 is also 1.2 and v1.2.0.
func alsoWritten(v string) (out []string) {
	out = []string{normalForm(v)}
	if version.IsDev(out[0]) {
		return out
	}
	for _, p := range upstream.Padded(strings.ToLower(out[0])) {
		out = append(out, p, "v"+p)
	}
	return out
}
