// Package names says what gems and their files may be called.
package names

import (
	"strings"

	"larder/internal/problem"
)

// maxLen is the most bytes of a gem's name.
const maxLen = 255

const digits = "0123456789"

// alphanumeric are the characters of names, beside dots, dashes and underscores.
const alphanumeric = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Check accepts what can be a gem's name in every document and in every file name.
func Check(name string) error {
	lower := strings.ToLower(name)
	bad := name == "" || len(name) > maxLen || strings.Trim(name, alphanumeric+"._-") != "" ||
		strings.Trim(name, "._-") != name || strings.Trim(name, digits+"._-") == ""
	for _, suffix := range []string{".gem", ".json", ".html", ".gemspec", ".yaml"} {
		bad = bad || strings.HasSuffix(lower, suffix)
	}
	if bad {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a name for a gem.", name)
	}
	return nil
}

// FullName is what the names of a version's files begin with; id is the version's ID.
func FullName(name, id string) string { return name + "-" + id }

// Candidates returns the gems that a full name can belong to, the longest name first: foo-2-1.0-x86_64-linux is of
// foo-2 or of foo.
func Candidates(full string) (names []string) {
	for i := len(full) - 2; i > 0; i-- {
		if full[i] == '-' && full[i+1] >= '0' && full[i+1] <= '9' {
			names = append(names, full[:i])
		}
	}
	return names
}

// IsFullName reports whether s may be a full name. Where name, number and platform begin cannot be seen in it, only
// looked up.
func IsFullName(s string) bool {
	return len(s) <= 3*maxLen+2 && strings.Trim(s, alphanumeric+"._-") == "" && strings.Trim(s, "-.") == s &&
		strings.Contains(s, "-")
}

// Fold makes names equal that people take for the same one: without regard to case, and to dash or underscore.
func Fold(name []byte) []byte { return AppendFold(nil, name) }

// AppendFold appends it to dst.
func AppendFold(dst, name []byte) []byte {
	for _, c := range name {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '_':
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}
