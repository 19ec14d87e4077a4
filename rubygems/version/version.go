// Package version says what RubyGems takes for a version and for a platform, how the two are joined, and which version
// of a gem is newer.
package version

import (
	"cmp"
	"slices"
	"strings"

	"larder/internal/problem"
)

// MaxLen bounds the bytes of versions, platforms and the versions of requirements. It is the public registry's
// limit, and keeps comparisons cheap.
const MaxLen = 255

// Valid reports whether s is a version as gem build writes it: numbers and words joined by dots, a number first. A
// dash is refused: in names of files it separates the version from the platform.
func Valid(s string) bool {
	if len(s) > MaxLen {
		return false
	}
	for i, part := range strings.Split(s, ".") {
		if part == "" || strings.Trim(part, alphanumeric) != "" || i == 0 && strings.Trim(part, digits) != "" {
			return false
		}
	}
	return true
}

// Check returns the error that a publisher reads when s is no version.
func Check(s string) error {
	if !Valid(s) {
		return problem.Errorf(
			problem.ErrInvalid,
			"%.80q is not a version of a gem: numbers and words joined by dots, at most %d characters.", s, MaxLen,
		)
	}
	return nil
}

const (
	digits       = "0123456789"
	alphanumeric = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// IsPrerelease reports whether a version has a letter.
func IsPrerelease(version string) bool { return strings.Trim(version, digits+".") != "" }

// segment is a part of a version: a number, without leading zeros, or a word.
type segment struct {
	text   string
	number bool
}

// zero is appended to the shorter of two versions that are compared.
var zero = segment{"0", true}

// segments splits at dots and between digits and letters. It drops zeros at the end of the leading numbers, and at the
// end of the rest: versions with equal segments are equal.
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

// Compare orders versions as Gem::Version does: a word is less than a number, a missing part is 0.
func Compare(a, b string) int {
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

// Canonical returns one spelling for all versions that are equal. A gem cannot have both 1.0 and 1.0.0.
func Canonical(version string) string {
	var out []string
	for _, s := range segments(version) {
		out = append(out, s.text)
	}
	return cmp.Or(strings.Join(out, "."), "0")
}
