package version

// This file reads version requirements in the syntax of Cargo.toml. A line of the index with one that cargo cannot read
// costs the whole version, so they are parsed here as cargo parses them.

import (
	"strconv"
	"strings"

	"larder/internal/problem"
)

// maxComparators is cargo's own limit.
const maxComparators = 32

// partial is a version of which only the first numbers may be there.
type partial struct {
	numbers    []string
	wild       bool // ended in * or x
	pre, build string
}

// parsePartial reads 1, 1.2, 1.2.3-pre+build, 1.*, 1.2.x.
func parsePartial(s string) (p partial, ok bool) {
	s, p.build, ok = strings.Cut(s, "+")
	if ok && !validIdentifiers(p.build) {
		return p, false
	}
	core, pre, hasPre := strings.Cut(s, "-")
	parts := strings.Split(core, ".")
	if len(parts) > 3 {
		return p, false
	}
	for i, n := range parts {
		if i > 0 && (n == "*" || n == "x" || n == "X") {
			p.wild = true
			continue
		}
		if _, err := strconv.ParseUint(n, 10, 64); err != nil || n[0] == '+' || len(n) > 1 && n[0] == '0' || p.wild {
			return p, false
		}
		p.numbers = append(p.numbers, n)
	}
	if p.pre = pre; (hasPre || p.build != "") && (len(p.numbers) != 3 || hasPre && !Valid("0.0.0-"+pre)) {
		return p, false
	}
	return p, true
}

func validIdentifiers(s string) bool { return Valid("0.0.0+" + s) }

// CanonicalRequirement returns a requirement as cargo prints it; false when cargo could not read it.
func CanonicalRequirement(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if s == "*" || s == "x" || s == "X" {
		return "*", true
	}
	parts := strings.Split(s, ",")
	if len(parts) > maxComparators {
		return "", false
	}
	for i, c := range parts {
		var ok bool
		if parts[i], ok = canonicalComparator(strings.TrimSpace(c)); !ok {
			return "", false
		}
	}
	return strings.Join(parts, ", "), true
}

func canonicalComparator(s string) (string, bool) {
	op := s[:len(s)-len(strings.TrimLeft(s, "<>=~^"))]
	p, ok := parsePartial(strings.TrimLeft(s[len(op):], " "))
	if !ok {
		return "", false
	}
	text := strings.Join(p.numbers, ".")
	if p.pre != "" {
		text += "-" + p.pre
	}
	switch op {
	case "":
		if p.wild {
			return text + ".*", true
		}
		return "^" + text, true
	case "=", ">", ">=", "<", "<=", "~", "^":
		return op + text, true
	}
	return "", false
}

// CheckRequirement accepts what CanonicalRequirement can read.
func CheckRequirement(s string) error {
	if _, ok := CanonicalRequirement(s); !ok {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a version requirement.", s)
	}
	return nil
}
