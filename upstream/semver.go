package upstream

// Semantic versions in rules, for the kinds that have them.

import (
	"fmt"
	"strings"
)

// SameSemVer compares without build metadata. A rule may have a v or = before its version, and leave out numbers that
// are 0.
func SameSemVer(rule, version string) bool { return fullSemVer(rule) == fullSemVer(version) }

// AlsoSemVer is the version without its build metadata, for patterns.
func AlsoSemVer(version string) []string {
	v := fullSemVer(version)
	return []string{v, "v" + v}
}

// CheckSemVer says why a rule's version can never mean a semantic one: latest, 1.x and 1.2.3.4 are none. Behind the
// numbers anything may stand, as in versions of old; numbers may have a star in their place.
func CheckSemVer(pattern string) error {
	numbers, _, _ := strings.Cut(strings.TrimLeft(pattern, "v= "), "+")
	numbers, _, _ = strings.Cut(numbers, "-")
	parts := strings.Split(numbers, ".")
	for i, p := range parts {
		rest := strings.TrimLeft(p, "0123456789")
		if strings.Contains(p, "*") || i == 2 && rest != "" && rest != p {
			return nil // whatever stands behind is in it
		}
		if rest != "" || p == "" || i > 2 {
			return fmt.Errorf("%q is no semantic version; write a star for any, as in 1.*", pattern)
		}
	}
	return nil
}

// SemVerPattern writes a pattern without what may stand before the numbers.
func SemVerPattern(pattern string) string { return strings.TrimLeft(pattern, "= ") }

// fullSemVer is a version with three numbers and without build metadata; what is none stays as it is.
func fullSemVer(version string) string {
	v := strings.TrimLeft(version, "v= ")
	v, _, _ = strings.Cut(v, "+")
	core, pre, hasPre := strings.Cut(v, "-")
	parts := strings.Split(core, ".")
	for i, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return version
		}
		if parts[i] = strings.TrimLeft(p, "0"); parts[i] == "" {
			parts[i] = "0"
		}
	}
	for len(parts) < 3 {
		parts = append(parts, "0")
	}
	v = strings.Join(parts, ".")
	if hasPre {
		v += "-" + pre
	}
	return v
}
