package upstream

// Semantic versions in rules, for the kinds that have them.

import "strings"

// SameSemVer compares without build metadata. A rule may have a v or = before its version, and leave out numbers that
// are 0.
func SameSemVer(rule, version string) bool { return fullSemVer(rule) == fullSemVer(version) }

// AlsoSemVer is the version without its build metadata, for patterns.
func AlsoSemVer(version string) []string {
	v := fullSemVer(version)
	return []string{v, "v" + v}
}

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
