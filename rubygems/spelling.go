package rubygems

// How rules of the operator write names and versions of gems, and which spellings are the same.

import (
	"fmt"
	"strings"

	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/upstream"
)

// Spelling is for rules about names and versions. A number in a rule means it on every platform, unless the rule names
// a platform.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name: func(name string) (string, error) { return name, names.Check(name) },
		Fold: func(name string) string { return string(names.Fold([]byte(name))) },
		Same: sameVersion,
		Also: func(id string) []string {
			number, platform := version.Split(id)
			number = version.Canonical(number)
			out := upstream.Padded(number)
			if platform != version.Ruby {
				for _, n := range upstream.Padded(number) {
					out = append(out, n+"-"+platform)
				}
			}
			return out
		},
		Pattern:   func(pattern string) string { return strings.TrimPrefix(pattern, "v") },
		Version:   checkVersion,
		NameChars: "-_.", VersionChars: "-_.",
	}
}

// checkVersion says why a rule's version can never be a gem's.
func checkVersion(pattern string) error {
	number, _, _ := strings.Cut(strings.TrimPrefix(pattern, "v"), "-")
	if strings.Contains(pattern, "*") || version.Valid(number) {
		return nil
	}
	return fmt.Errorf("%q is no gem's version", pattern)
}

// sameVersion reports whether a rule's version is that of an ID. Numbers are compared as Gem::Version does: 1.0 is
// 1.0.0.
func sameVersion(rule, id string) bool {
	wantNumber, wantPlatform, one := strings.Cut(strings.TrimPrefix(rule, "v"), "-")
	number, platform := version.Split(id)
	if !version.Valid(wantNumber) || !version.Valid(number) ||
		version.Canonical(wantNumber) != version.Canonical(number) {
		return false
	}
	return !one || wantPlatform == platform ||
		version.ParsePlatform(wantPlatform).String() == version.ParsePlatform(platform).String()
}
