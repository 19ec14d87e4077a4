package rubygems

// Gem::Version and Gem::Requirement: what is a version, which is newer, what a requirement looks like. Pure.

import (
	"cmp"
	"slices"
	"strings"

	"larder/internal/wire"
	"larder/store"
)

// maxVersion bounds versions and requirements: the public registry's limit, and ours against expensive comparisons.
const maxVersion = 255

// checkVersion accepts what gem build writes: numbers and words joined by dots, a number first. The dash of other systems
// is refused, because a version is followed by a dash and the platform in file names.
func checkVersion(s string) error {
	if !isVersion(s) {
		return wire.Errorf(store.ErrInvalid, "%.80q is not a version of a gem: numbers and words joined by dots, at most %d characters.", s, maxVersion)
	}
	return nil
}

func isVersion(s string) bool {
	if len(s) > maxVersion {
		return false
	}
	for i, part := range strings.Split(s, ".") {
		if part == "" || strings.Trim(part, alphanumeric) != "" || i == 0 && strings.Trim(part, digits) != "" {
			return false
		}
	}
	return true
}

const (
	digits       = "0123456789"
	alphanumeric = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// isPrerelease: a version with a letter in it.
func isPrerelease(version string) bool { return strings.Trim(version, digits+".") != "" }

// segment is a part of a version: a number, without leading zeros, or a word.
type segment struct {
	text   string
	number bool
}

// zero is what the shorter of two versions is filled up with.
var zero = segment{"0", true}

// segments splits at dots and between digits and letters, and drops zeros at the end of the numbers that come first and
// of what follows them: versions with equal segments are one version.
func segments(version string) []segment {
	var out []segment
	for part := range strings.SplitSeq(version, ".") {
		for part != "" {
			n := len(part) - len(strings.TrimLeft(part, digits))
			number := n > 0
			if !number {
				n = strings.IndexAny(part+"0", digits)
			}
			text := part[:n]
			if number {
				text = cmp.Or(strings.TrimLeft(text, "0"), "0")
			}
			out, part = append(out, segment{text, number}), part[n:]
		}
	}
	word := slices.IndexFunc(out, func(s segment) bool { return !s.number })
	if word < 0 {
		return dropZeros(out)
	}
	return slices.Concat(dropZeros(out[:word]), dropZeros(out[word:]))
}

func dropZeros(s []segment) []segment {
	for len(s) > 0 && s[len(s)-1] == zero {
		s = s[:len(s)-1]
	}
	return s
}

// compareVersions orders as Gem::Version does: a word is less than a number, a missing part is 0.
func compareVersions(a, b string) int {
	if a == b {
		return 0
	}
	x, y := segments(a), segments(b)
	for i := range max(len(x), len(y)) {
		l, r := zero, zero
		if i < len(x) {
			l = x[i]
		}
		if i < len(y) {
			r = y[i]
		}
		if c := compareSegments(l, r); c != 0 {
			return c
		}
	}
	return 0
}

func compareSegments(l, r segment) int {
	switch {
	case l.number && r.number:
		return cmp.Or(cmp.Compare(len(l.text), len(r.text)), cmp.Compare(l.text, r.text))
	case l.number:
		return 1
	case r.number:
		return -1
	}
	return cmp.Compare(l.text, r.text)
}

// canonical is one spelling for all versions that are equal: 1.0 and 1.0.0 cannot both be there.
func canonical(version string) string {
	var out []string
	for _, s := range segments(version) {
		out = append(out, s.text)
	}
	return cmp.Or(strings.Join(out, "."), "0")
}

// requirement is a list of conditions that must all hold, in the order of the specification.
type requirement []condition

type condition struct {
	Op      string `json:"op"`
	Version string `json:"version"`
}

var operators = []string{"=", "!=", ">", "<", ">=", "<=", "~>"}

// check accepts the conditions the client can parse.
func (r requirement) check(of string) error {
	for _, c := range r {
		if !slices.Contains(operators, c.Op) || !isVersion(c.Version) {
			return wire.Errorf(store.ErrInvalid, "The requirement %.80q of %s is none.", c.Op+" "+c.Version, of)
		}
	}
	return nil
}

// trivial requirements hold for every version; the index leaves them out.
func (r requirement) trivial() bool {
	return len(r) == 0 || len(r) == 1 && r[0] == condition{">=", "0"}
}

// join renders the conditions, sorted as text, as both the compact index and the JSON API want them.
func (r requirement) join(separator string) string {
	if len(r) == 0 {
		return ">= 0"
	}
	out := make([]string, len(r))
	for i, c := range r {
		out[i] = c.Op + " " + c.Version
	}
	slices.Sort(out)
	return strings.Join(out, separator)
}
