package naming

// Versions as npm's clients compare them.

import (
	"regexp"
	"strings"

	"larder/internal/problem"
	"larder/internal/semver"
)

// MaxVersion is how many bytes a version has at most.
const MaxVersion = 256

// ParseVersion accepts the versions that every client compares in the same way: without build metadata, which npm drops,
// and without numbers that JavaScript cannot compare.
func ParseVersion(s string) (v semver.Version, ok bool) {
	if len(s) > MaxVersion {
		return v, false
	}
	v, ok = semver.Parse(s)
	return v, ok && v.Build == "" && v.Safe()
}

// CheckVersion is the error a publisher reads.
func CheckVersion(s string) error {
	if _, ok := ParseVersion(s); ok {
		return nil
	}
	if base, _, found := strings.Cut(s, "+"); found {
		if _, ok := ParseVersion(base); ok {
			return problem.Errorf(problem.ErrInvalid, "The version %.80q has build metadata (+…), which npm ignores when it compares versions: leave it out.", s)
		}
	}
	return problem.Errorf(problem.ErrInvalid, "%.80q is not a semantic version like 1.2.3 or 1.2.3-beta.1.", s)
}

// Newest picks what latest should be: the highest stable version that is not deprecated, else the highest stable one,
// else the highest of all.
func Newest(versions []string, deprecated func(string) bool) string {
	best, rank := "", -1
	var top semver.Version
	for _, s := range versions {
		v, ok := ParseVersion(s)
		if !ok {
			continue
		}
		r := 0
		if len(v.Pre) == 0 {
			r = 1
			if !deprecated(s) {
				r = 2
			}
		}
		if r > rank || r == rank && v.Compare(top) > 0 {
			best, rank, top = s, r, v
		}
	}
	return best
}

// partial matches one side of an npm range: 1, 1.x, v1.2.3-beta, *.
var partial = regexp.MustCompile(`^[<>=~^]*[vV=]*([xX*]|\d+)(\.([xX*]|\d+)(\.([xX*]|\d+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?)?$`)

// looksLikeRange reports whether a client would take s for a version or range instead of a tag.
func looksLikeRange(s string) bool {
	return strings.ContainsAny(s, " |<>") || partial.MatchString(s)
}

// Unstable reports whether a version promises nothing yet: it is a prerelease, or below 1.0.0.
func Unstable(version string) bool {
	v, ok := ParseVersion(version)
	return ok && (v.Major == 0 || len(v.Pre) > 0)
}
