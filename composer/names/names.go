// Package names says what packages may be called, and what they may say they provide. Pure.
package names

import (
	"slices"
	"strings"

	"larder/internal/problem"
)

const maxName = 200 // bytes

// Chars are the characters names consist of.
const Chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"

// Parse returns the one spelling of a package's name: names differ in more than case. ErrInvalid.
func Parse(name string) (string, error) {
	n := strings.ToLower(name)
	switch {
	case len(name) > maxName:
		return "", problem.Errorf(problem.ErrInvalid, "A package name has at most %d characters.", maxName)
	case !IsPlain(n):
		return "", problem.Errorf(problem.ErrInvalid, "%.200q is not a package name such as acme/demo.", name)
	}
	return n, nil
}

// IsPlain says whether a name is a package's in its one spelling. Both parts are lower-case letters and digits with
// single separators in between; in the second, two hyphens are one.
func IsPlain(name string) bool {
	vendor, base, ok := strings.Cut(name, "/")
	return ok && len(name) <= maxName && isPart(vendor, 1) && isPart(base, 2) && !strings.HasSuffix(base, ".json")
}

// isPart looks at one part of a name, in which up to so many hyphens are one separator.
func isPart(s string, hyphens int) bool {
	for i, run := 0, 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			run = 0
			continue
		case c == '-' && (run == 0 || run < hyphens && s[i-1] == '-'):
			run++
		case (c == '_' || c == '.') && run == 0:
			run++
		default:
			return false
		}
		if i == 0 || i == len(s)-1 {
			return false
		}
	}
	return s != "" && !isDevice(s)
}

// isDevice says whether a file of this name would be a device on Windows.
func isDevice(s string) bool {
	switch s {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(s) == 4 && (s[:3] == "com" || s[:3] == "lpt") && '1' <= s[3] && s[3] <= '9'
}

// IsProvided says whether a name can be one that packages require or provide: a package's, also one that does not
// exist, or a platform's such as ext-json.
func IsProvided(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name, Chars) == "" &&
		!slices.Contains(strings.Split(name, "/"), "..")
}
