// Package naming knows what gems, versions and files may be called, and which version comes before which. Pure.
package naming

import (
	"strings"

	"larder/internal/gemspec"
	"larder/internal/problem"
)

// maxName is the most bytes of a gem's name.
const maxName = 255

const digits = "0123456789"

// alphanumeric are the characters of names, beside dots, dashes and underscores.
const alphanumeric = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// CheckName accepts what can be a gem's name, in every document and file name there is.
func CheckName(name string) error {
	lower := strings.ToLower(name)
	bad := name == "" || len(name) > maxName || strings.Trim(name, alphanumeric+"._-") != "" || strings.Trim(name, "._-") != name ||
		strings.Trim(name, digits+"._-") == ""
	for _, suffix := range []string{".gem", ".json", ".html", ".gemspec", ".yaml"} {
		bad = bad || strings.HasSuffix(lower, suffix)
	}
	if bad {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a name for a gem.", name)
	}
	return nil
}

// VersionID is a version's ID in the store and its token in the compact index. A number has no dash, so the first one
// ends it.
func VersionID(number, platform string) string {
	if platform == gemspec.Ruby {
		return number
	}
	return number + "-" + platform
}

// SplitID is the inverse of VersionID.
func SplitID(id string) (number, platform string) {
	number, platform, found := strings.Cut(id, "-")
	if !found {
		platform = gemspec.Ruby
	}
	return number, platform
}

// FullName is a version's name in the names of files.
func FullName(name, id string) string { return name + "-" + id }

// CanonicalID is what no two versions of a gem may share.
func CanonicalID(s *gemspec.Specification) string {
	p := gemspec.Ruby
	if s.Platform != gemspec.Ruby {
		p = gemspec.ParsePlatform(s.Platform).String()
	}
	return gemspec.Canonical(s.Version) + "-" + strings.ToLower(p)
}

// Prefers reports whether a version stands for its gem rather than another one does: the newest release, the one for every
// platform first.
func Prefers(a, b string) bool {
	an, ap := SplitID(a)
	bn, bp := SplitID(b)
	switch {
	case gemspec.IsPrerelease(an) != gemspec.IsPrerelease(bn):
		return gemspec.IsPrerelease(bn)
	case gemspec.Compare(an, bn) != 0:
		return gemspec.Compare(an, bn) > 0
	case (ap == gemspec.Ruby) != (bp == gemspec.Ruby):
		return ap == gemspec.Ruby
	}
	return ap < bp
}

// NewerFirst orders the versions of a gem for lists.
func NewerFirst(a, b string) int {
	an, ap := SplitID(a)
	bn, bp := SplitID(b)
	if c := gemspec.Compare(bn, an); c != 0 {
		return c
	}
	return strings.Compare(ap, bp)
}

// CheckVersion accepts what can be a version's number.
func CheckVersion(s string) error {
	if !gemspec.IsVersion(s) {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a version of a gem: numbers and words joined by dots, at most %d characters.", s, gemspec.MaxVersion)
	}
	return nil
}

// CheckPlatform accepts what can be a platform.
func CheckPlatform(s string) error {
	if !gemspec.IsPlatform(s) {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a platform.", s)
	}
	return nil
}

// FullNames are the names under which clients ask for a version's files: as the gem spells its platform, and as RubyGems
// does.
func FullNames(name, number, spelled string) []string {
	own := FullName(name, VersionID(number, spelled))
	if usual := gemspec.ParsePlatform(spelled).String(); spelled != gemspec.Ruby && usual != spelled {
		return []string{own, FullName(name, VersionID(number, usual))}
	}
	return []string{own}
}

// Candidates are the gems a full name can belong to, the longest first: foo-2-1.0-x86_64-linux is foo-2 or foo.
func Candidates(full string) (names []string) {
	for i := len(full) - 2; i > 0; i-- {
		if full[i] == '-' && full[i+1] >= '0' && full[i+1] <= '9' {
			names = append(names, full[:i])
		}
	}
	return names
}

// IsFullName accepts what could be one: where name, number and platform part cannot be seen, only looked up.
func IsFullName(s string) bool {
	return len(s) <= 3*maxName+2 && strings.Trim(s, alphanumeric+"._-") == "" && strings.Trim(s, "-.") == s && strings.Contains(s, "-")
}
