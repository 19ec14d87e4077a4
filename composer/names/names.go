// Package names says what packages may be called, and what they may say they provide. Pure.
package names

import (
	"regexp"
	"slices"
	"strings"

	"larder/internal/problem"
)

const maxName = 200 // bytes

// Chars are the characters names consist of.
const Chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"

var (
	pattern    = regexp.MustCompile(`^[a-z0-9]([_.-]?[a-z0-9]+)*/[a-z0-9](([_.]|-{1,2})?[a-z0-9]+)*$`)
	deviceName = regexp.MustCompile(`^(con|prn|aux|nul|com[1-9]|lpt[1-9])$`)
)

// Parse returns the one spelling of a package's name: names differ in more than case. ErrInvalid.
func Parse(name string) (string, error) {
	n := strings.ToLower(name)
	vendor, base, _ := strings.Cut(n, "/")
	switch {
	case len(name) > maxName:
		return "", problem.Errorf(problem.ErrInvalid, "A package name has at most %d characters.", maxName)
	case !pattern.MatchString(n), strings.HasSuffix(n, ".json"),
		deviceName.MatchString(vendor), deviceName.MatchString(base):
		return "", problem.Errorf(problem.ErrInvalid, "%.200q is not a package name such as acme/demo.", name)
	}
	return n, nil
}

// IsProvided says whether a name can be one that packages require or provide: a package's, also one that does not
// exist, or a platform's such as ext-json.
func IsProvided(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name, Chars) == "" &&
		!slices.Contains(strings.Split(name, "/"), "..")
}
