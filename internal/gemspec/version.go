package gemspec

// This file reads and orders versions as Gem::Version does, and writes requirements.

import (
	"cmp"
	"slices"
	"strings"
)

// MaxVersion bounds the bytes of versions, platforms and the versions of requirements. It is the public registry's
// limit, and keeps comparisons cheap.
const MaxVersion = 255

// IsVersion reports whether s is a version as gem build writes it: numbers and words joined by dots, a number first. A
// dash is refused: in names of files it separates the version from the platform.
func IsVersion(s string) bool {
	if len(s) > MaxVersion {
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

// Requirement is a list of conditions that must all hold, in the order of the specification.
type Requirement []Condition

// Condition is an operator and a version.
type Condition struct {
	Op      string `json:"op"`
	Version string `json:"version"`
}

var operators = []string{"=", "!=", ">", "<", ">=", "<=", "~>"}

// Bad returns the first condition that clients cannot parse, and whether there is one.
func (r Requirement) Bad() (Condition, bool) {
	i := slices.IndexFunc(r, func(c Condition) bool { return !slices.Contains(operators, c.Op) || !IsVersion(c.Version) })
	if i < 0 {
		return Condition{}, false
	}
	return r[i], true
}

// Trivial reports whether every version meets the requirement; the index omits such ones.
func (r Requirement) Trivial() bool {
	return len(r) == 0 || len(r) == 1 && r[0] == Condition{">=", "0"}
}

// Join returns the conditions sorted as text, as the compact index and the JSON API have them.
func (r Requirement) Join(separator string) string {
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
