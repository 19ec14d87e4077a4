// Package version says what npm takes for a version, and which of several is the newest.
package version

import (
	"strings"

	"larder/internal/problem"
	"larder/internal/semver"
)

// MaxLen is how many bytes a version has at most.
const MaxLen = 256

// Parse accepts the versions that every client compares in the same way: without build metadata, which npm drops,
// and without numbers that JavaScript cannot compare.
func Parse(s string) (v semver.Version, ok bool) {
	if len(s) > MaxLen {
		return v, false
	}
	v, ok = semver.Parse(s)
	return v, ok && v.Build == "" && v.Safe()
}

// Check is the error a publisher reads.
func Check(s string) error {
	if _, ok := Parse(s); ok {
		return nil
	}
	if base, _, found := strings.Cut(s, "+"); found {
		if _, ok := Parse(base); ok {
			return problem.Errorf(problem.ErrInvalid,
				"The version %.80q has build metadata (+…), which npm ignores when it compares versions: leave it out.", s)
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
		v, ok := Parse(s)
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

// Unstable reports whether a version promises nothing yet: it is a prerelease, or below 1.0.0.
func Unstable(version string) bool {
	v, ok := Parse(version)
	return ok && (v.Major == 0 || len(v.Pre) > 0)
}
