package version

// Constraints. A registry never resolves anything; it only refuses what a client could
// not parse, because one such constraint makes the whole package unreadable for everybody who asks for it.

import (
	"regexp"
	"strings"
)

const maxConstraint = 4 << 10

const versionPattern = `v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?(?:` + modifier + `|\.([xX*][.-]?dev))(?:\+[^\s]+)?`

var (
	orOperator    = regexp.MustCompile(`\s*\|\|?\s*`)
	flaggedWhole  = regexp.MustCompile(`(?i)^([^,\s]*?)@(?:stable|rc|beta|alpha|dev)$`)
	withReference = regexp.MustCompile(`(?i)^(dev-[^,\s@]+?|[^,\s@]+?\.x-dev)#.+$`)
	wildcard      = regexp.MustCompile(`(?i)^v?[x*](\.[x*])*$`)
	tildeOrCaret  = regexp.MustCompile(`(?i)^[~^]` + versionPattern + `$`)
	partial       = regexp.MustCompile(`^v?\d+(?:\.\d+)?(?:\.\d+)?(?:\.[xX*])+$`)
	hyphened      = regexp.MustCompile(`(?i)^(` + versionPattern + `) +- +(` + versionPattern + `)$`)
	compared      = regexp.MustCompile(`^(<>|!=|>=?|<=?|==?)?\s*(.*)`)
	suffixBranch  = regexp.MustCompile(`^[0-9a-zA-Z./-]+$`)
)

// IsConstraint says whether a client can parse a constraint.
func IsConstraint(constraint string) bool {
	if len(constraint) > maxConstraint {
		return false
	}
	for _, alternative := range orOperator.Split(strings.TrimSpace(constraint), -1) {
		for _, part := range splitAnd(alternative) {
			if !isSimple(part) {
				return false
			}
		}
	}
	return true
}

// isSimple is IsConstraint for one without commas, blanks and bars.
func isSimple(c string) bool {
	if m := aliased.FindStringSubmatch(c); m != nil {
		c = m[1]
	}
	if m := flaggedWhole.FindStringSubmatch(c); m != nil {
		if c = m[1]; c == "" {
			c = "*"
		}
	}
	if m := withReference.FindStringSubmatch(c); m != nil {
		c = m[1]
	}
	if wildcard.MatchString(c) || partial.MatchString(c) {
		return true
	}
	if m := tildeOrCaret.FindStringSubmatch(c); m != nil {
		low := c[1:]
		if m[5]+m[7]+m[8] == "" {
			low += devSuffix
		}
		_, ok := Normalize(low)
		return ok
	}
	if m := hyphened.FindStringSubmatch(c); m != nil {
		_, low := Normalize(m[1])
		_, high := Normalize(m[len(m)/2+1])
		return low && high
	}
	version := compared.FindStringSubmatch(c)[2]
	_, ok := Normalize(version)
	return ok || strings.HasSuffix(version, devSuffix) && suffixBranch.MatchString(version)
}

// splitAnd cuts at the commas and blanks that stand between two constraints, not within one (">= 1.0", "1.0 - 2.0", "a
// as b").
func splitAnd(s string) []string {
	var out []string
	from := 0
	for i := 1; i < len(s); i++ {
		if end := separator(s, i); end > i && end < len(s) {
			out = append(out, s[from:i])
			from, i = end, end
		}
	}
	return append(out, s[from:])
}

// separator is where a separator that begins at i ends; i when there is none.
func separator(s string, i int) int {
	if strings.HasSuffix(s[:i], "as") || strings.IndexByte("=>< ,", s[i-1]) >= 0 {
		return i
	}
	blanks := blanksAt(s, i)
	for at := i + blanks; at >= i; at-- {
		if at >= len(s) || s[at] != ',' && s[at] != ' ' || s[at-1] == '-' || at+1 < len(s) && s[at+1] == '-' {
			continue
		}
		for end := at + 1 + blanksAt(s, at+1); end > at; end-- {
			if end < len(s) && s[end] != ',' && !strings.HasPrefix(s[end:], "as") {
				return end
			}
		}
	}
	return i
}

func blanksAt(s string, i int) int {
	if i >= len(s) {
		return 0
	}
	return len(s[i:]) - len(strings.TrimLeft(s[i:], " "))
}
