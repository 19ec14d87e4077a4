// Package semver reads and orders semantic versions (semver.org, 2.0.0) strictly: a version that it accepts has only
// one spelling. It knows no ranges: every client has its own.
package semver

import (
	"cmp"
	"strconv"
	"strings"
)

// Version is a parsed version. The zero value is 0.0.0.
type Version struct {
	Major, Minor, Patch uint64
	// Pre are the identifiers of a prerelease, none for a release.
	Pre []string
	// Build is the build metadata, without its plus sign.
	Build string
}

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"

// Parse reads a version; ok is false for a text that is none. The length is the caller's to limit.
func Parse(s string) (v Version, ok bool) {
	s, build, hasBuild := strings.Cut(s, "+")
	core, pre, hasPre := strings.Cut(s, "-")
	if v.Build = build; hasBuild && !identifiers(build, false) {
		return Version{}, false
	}
	if hasPre {
		if !identifiers(pre, true) {
			return Version{}, false
		}
		v.Pre = strings.Split(pre, ".")
	}
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return Version{}, false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 64)
		if err != nil || !number(p) || leadingZero(p) {
			return Version{}, false
		}
		*[]*uint64{&v.Major, &v.Minor, &v.Patch}[i] = n
	}
	return v, true
}

// identifiers reports whether s is a dotted list of identifiers; if it is strict, as prereleases are, without leading
// zeros in numbers.
func identifiers(s string, strict bool) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || strings.Trim(id, alphanumeric) != "" || strict && number(id) && leadingZero(id) {
			return false
		}
	}
	return true
}

func number(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func leadingZero(s string) bool { return len(s) > 1 && s[0] == '0' }

// Compare orders versions by precedence, in which build metadata does not count: it returns -1, 0 or 1.
func (v Version) Compare(w Version) int {
	c := cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
	switch {
	case c != 0:
		return c
	case len(v.Pre) == 0 || len(w.Pre) == 0:
		return cmp.Compare(min(len(w.Pre), 1), min(len(v.Pre), 1))
	}
	return compareLists(v.Pre, w.Pre)
}

// compareLists orders by the first identifiers that differ; the shorter list comes first if it has none.
func compareLists(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if c := compareIdentifiers(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareIdentifiers orders numbers by value and before words. Numbers have no leading zeros and any length.
func compareIdentifiers(a, b string) int {
	switch aNumber, bNumber := number(a), number(b); {
	case aNumber && bNumber:
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	case aNumber:
		return -1
	case bNumber:
		return 1
	}
	return cmp.Compare(a, b)
}

// maxSafe is the largest integer that JavaScript can compare.
const maxSafe = 1<<53 - 1

// Safe reports whether clients written in JavaScript can compare the version: none of its numbers is above 2^53-1.
func (v Version) Safe() bool {
	for _, id := range v.Pre {
		if n, err := strconv.ParseUint(id, 10, 64); number(id) && (err != nil || n > maxSafe) {
			return false
		}
	}
	return max(v.Major, v.Minor, v.Patch) <= maxSafe
}
