// Package version says what cargo takes for a version, and which requirements of versions it can read.
package version

import (
	"fmt"
	"strings"

	"larder/internal/problem"
	"larder/internal/semver"
)

// MaxLen is the most bytes a version has, as on the public registry.
const MaxLen = 150

// Parse accepts what cargo does: strict semantic versions.
func Parse(s string) (v semver.Version, ok bool) {
	if len(s) > MaxLen {
		return v, false
	}
	return semver.Parse(s)
}

// Valid reports whether Parse accepts s.
func Valid(s string) bool {
	_, ok := Parse(s)
	return ok
}

// Check is the error a publisher reads: problem.ErrInvalid.
func Check(s string) error {
	if !Valid(s) {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a semantic version like 1.2.3 or 1.2.3-beta.1.", s)
	}
	return nil
}

// ID is what no two versions of a crate may have in common: the version without its build metadata.
func ID(s string) string {
	id, _, _ := strings.Cut(s, "+")
	return id
}

// Series is the same for two versions when cargo may use one in the place of the other: 1 for 1.2.3, 0.2 for 0.2.3,
// 0.0.3 for 0.0.3. What is no version is a series of its own.
func Series(s string) string {
	v, ok := Parse(s)
	switch {
	case !ok:
		return s
	case v.Major > 0:
		return fmt.Sprint(v.Major)
	case v.Minor > 0:
		return fmt.Sprintf("0.%d", v.Minor)
	}
	return fmt.Sprintf("0.0.%d", v.Patch)
}

// CheckRust accepts 1, 1.70, 1.70.0 and nothing at all as rust-version; with anything else in a line of the index cargo
// loses the version. Its error is problem.ErrInvalid.
func CheckRust(s string) error {
	p, ok := parsePartial(s)
	if s != "" && (!ok || p.pre != "" || p.build != "" || p.wild) {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a rust-version like 1.70.", s)
	}
	return nil
}
