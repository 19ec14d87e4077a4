package rubygems

// How gems' names and versions are written, and which of them are the same.

import (
	"strings"

	"larder/internal/gemspec"
	"larder/rubygems/compactindex"
	"larder/rubygems/naming"
	"larder/upstream"
)

// Spelling is for rules about names and versions. A rule's number means it on every platform, unless the rule names
// one.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name: func(name string) (string, error) { return name, naming.CheckName(name) },
		Fold: func(name string) string { return string(compactindex.Fold([]byte(name))) },
		Same: sameVersion,
		Also: func(version string) []string {
			number, platform := naming.SplitID(version)
			number = gemspec.Canonical(number)
			out := upstream.Padded(number)
			if platform != gemspec.Ruby {
				for _, n := range upstream.Padded(number) {
					out = append(out, n+"-"+platform)
				}
			}
			return out
		},
		NameChars: "-_.", VersionChars: "-_.",
	}
}

// sameVersion compares numbers as Gem::Version does: 1.0 is 1.0.0, and 1.0.0-java is 1.0.0 on one platform.
func sameVersion(rule, version string) bool {
	wantNumber, wantPlatform, one := strings.Cut(strings.TrimPrefix(rule, "v"), "-")
	number, platform := naming.SplitID(version)
	if !gemspec.IsVersion(wantNumber) || !gemspec.IsVersion(number) ||
		gemspec.Canonical(wantNumber) != gemspec.Canonical(number) {
		return false
	}
	return !one || wantPlatform == platform ||
		gemspec.ParsePlatform(wantPlatform).String() == gemspec.ParsePlatform(platform).String()
}
