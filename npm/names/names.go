// Package names says what npm's packages, dist-tags and tarballs may be called.
package names

import (
	"regexp"
	"strings"

	"larder/internal/problem"
)

const (
	maxNameLen = 214 // of a package, scope included
	maxTagLen  = 214 // of a dist-tag
	maxVersion = 256 // of a version
)

// Split returns scope ("" or "@acme") and base name.
func Split(name string) (scope, base string) {
	if strings.HasPrefix(name, "@") {
		scope, base, _ = strings.Cut(name, "/")
		return scope, base
	}
	return "", name
}

// Check accepts every name that was ever legal on the public registry, so that old packages can be kept here too.
func Check(name string) error {
	scope, base := Split(name)
	if len(name) > maxNameLen {
		return problem.Errorf(problem.ErrInvalid, "A package name has at most %d characters.", maxNameLen)
	}
	if !isPart(base) || scope != "" && !isPart(scope[1:]) || base[0] == '.' || name == "node_modules" ||
		name == "favicon.ico" {
		return problem.Errorf(problem.ErrInvalid, "%.214q is not a package name.", name)
	}
	return nil
}

// isPart looks at a scope without its at sign, or at what follows it.
func isPart(s string) bool { return s != "" && s != "." && s != ".." && consistsOf(s, "-._~!'()*") }

// consistsOf says whether s has ASCII letters, digits and these characters only.
func consistsOf(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		lower := c | 0x20
		if !('a' <= lower && lower <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(others, c) >= 0) {
			return false
		}
	}
	return true
}

// CheckNew is the rule for names that do not exist yet.
func CheckNew(name string) error {
	scope, base := Split(name)
	switch {
	case Check(name) != nil:
		return Check(name)
	case name != strings.ToLower(name):
		return problem.Errorf(problem.ErrInvalid, "The name %q has capital letters; names of new packages are lower case.",
			name)
	case strings.ContainsAny(name, "~'!()*"):
		return problem.Errorf(problem.ErrInvalid,
			"The name %q has one of the characters ~'!()*, which names of new packages must not have.", name)
	case strings.HasPrefix(base, "-"), scope == "" &&
		strings.HasPrefix(base, "_"), strings.HasPrefix(scope, "@-"), strings.HasPrefix(scope, "@."):
		return problem.Errorf(problem.ErrInvalid,
			"The name %q starts with a character that names of new packages must not start with.", name)
	}
	return nil
}

// skeleton is what two names share that people would mistake for each other: they differ in case or separators only.
func skeleton(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

// Keys are what no two names may share: the name without case, and without the difference between separators.
func Keys(name string) [2][]byte {
	return [2][]byte{[]byte("case " + strings.ToLower(name)), []byte("skeleton " + skeleton(name))}
}

// Tarball is the conventional file name, from which pnpm and yarn rebuild the URL.
func Tarball(name, version string) string {
	_, base := Split(name)
	return base + "-" + version + ".tgz"
}

// CheckTag accepts what clients cannot take for a version.
func CheckTag(tag string) error {
	switch {
	case tag == "" || len(tag) > maxTagLen ||
		strings.ContainsFunc(tag, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a dist-tag.", tag)
	case looksLikeRange(tag):
		return problem.Errorf(problem.ErrInvalid, "The dist-tag %.80q would be taken for a version or range; choose a word.",
			tag)
	}
	return nil
}

// partial matches one side of an npm range: 1, 1.x, v1.2.3-beta, *.
var partial = regexp.MustCompile(
	`^[<>=~^]*[vV=]*([xX*]|\d+)(\.([xX*]|\d+)(\.([xX*]|\d+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?)?$`)

// looksLikeRange reports whether a client would take s for a version or range instead of a tag.
func looksLikeRange(s string) bool {
	return strings.ContainsAny(s, " |<>") || partial.MatchString(s)
}

// CheckFile accepts the names tarballs have.
func CheckFile(name string) error {
	if name == "" || len(name) > maxNameLen+maxVersion+5 || !consistsOf(name, "-._~!'()*+@") {
		return problem.Errorf(problem.ErrBadPath, "the file name is malformed")
	}
	return nil
}

// Clip shortens s to at most n bytes.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
