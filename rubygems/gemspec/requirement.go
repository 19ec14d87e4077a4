package gemspec

// This file has the conditions that gems set for the versions of others.

import (
	"slices"
	"strings"

	"larder/rubygems/version"
)

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
	i := slices.IndexFunc(r, func(c Condition) bool {
		return !slices.Contains(operators, c.Op) || !version.Valid(c.Version)
	})
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
