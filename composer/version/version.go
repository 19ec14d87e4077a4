// Package version reads versions and constraints as the PHP library composer/semver does: normal forms, stability,
// order. Clients trust the normal forms a registry serves blindly, so they must be what their own library would have
// made of the version; libraries for Semantic Versioning disagree with it about four numbers, branches, and much else.
// Pure.
package version

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	maxVersion = 200 // bytes of what Parse takes
	anyNumber  = "9999999"
	branch     = "dev-" // what versions that are branches begin with
	devSuffix  = "-dev"
)

// modifier is what may follow the numbers: a stability with or without a number, and dev.
const modifier = `[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?\d+)*)?)?([.-]?dev)?`

var (
	aliased       = regexp.MustCompile(`^([^,\s]+) +as +([^,\s]+)$`)
	flagged       = regexp.MustCompile(`(?i)@(?:stable|rc|beta|alpha|dev)$`)
	buildMetadata = regexp.MustCompile(`^([^,\s+]+)\+[^\s]+$`)
	classical     = regexp.MustCompile(`(?i)^v?(\d{1,5})(\.\d+)?(\.\d+)?(\.\d+)?` + modifier + `$`)
	dated         = regexp.MustCompile(`(?i)^v?(\d{4}(?:[.:-]?\d{2}){1,6}(?:[.:-]?\d{1,3}){0,2})` + modifier + `$`)
	suffixedDev   = regexp.MustCompile(`(?i)^(.*?)[.-]?dev$`)
	numericBranch = regexp.MustCompile(`(?i)^v?(\d+)(\.(?:\d+|[x*]))?(\.(?:\d+|[x*]))?(\.(?:\d+|[x*]))?$`)
	notDigit      = regexp.MustCompile(`\D`)
)

// Normalize is the normal form of a version: 1.2 is 1.2.0.0, 1.x-dev is 1.9999999.9999999.9999999-dev, dev-main stays.
// False when it is no version.
func Normalize(version string) (string, bool) {
	version = strings.Trim(version, " \t\n\r\x00\x0b")
	if m := aliased.FindStringSubmatch(version); m != nil {
		version = m[1]
	}
	version = flagged.ReplaceAllString(version, "")
	switch version {
	case "master", "trunk", "default":
		// Constraints of Composer 1 name these branches without the prefix.
		version = branch + version
	}
	if len(version) >= len(branch) && strings.EqualFold(version[:len(branch)], branch) {
		return branch + version[len(branch):], true
	}
	if m := buildMetadata.FindStringSubmatch(version); m != nil {
		version = m[1]
	}
	if m := classical.FindStringSubmatch(version); m != nil {
		return withModifier(m[1]+cmp.Or(m[2], ".0")+cmp.Or(m[3], ".0")+cmp.Or(m[4], ".0"), m[5:]), true
	}
	if m := dated.FindStringSubmatch(version); m != nil {
		return withModifier(notDigit.ReplaceAllString(m[1], "."), m[2:]), true
	}
	if m := suffixedDev.FindStringSubmatch(version); m != nil {
		return normalizeBranch(m[1])
	}
	return "", false
}

// withModifier adds stability, its number and dev in their normal spelling.
func withModifier(version string, m []string) string {
	if m[0] == "stable" {
		return version
	}
	if m[0] != "" {
		version += "-" + expandStability(m[0]) + strings.TrimLeft(m[1], ".-")
	}
	if m[2] != "" {
		version += devSuffix
	}
	return version
}

func expandStability(s string) string {
	switch s = strings.ToLower(s); s {
	case "a":
		return "alpha"
	case "b":
		return "beta"
	case "p", "pl":
		return "patch"
	case "rc":
		return "RC"
	}
	return s
}

// normalizeBranch is the version of a branch whose name is a number, such as 1.x; other branches need the prefix dev-.
func normalizeBranch(name string) (string, bool) {
	m := numericBranch.FindStringSubmatch(strings.TrimSpace(name))
	if m == nil {
		return "", false
	}
	out := ""
	for i, part := range m[1:] {
		if part == "" && i > 0 {
			part = ".x"
		}
		out += strings.NewReplacer("*", anyNumber, "x", anyNumber, "X", anyNumber).Replace(part)
	}
	return out + devSuffix, true
}

// IsDev says whether a normalised version is a branch or the state of one: those may be overwritten, and have a
// document of their own.
func IsDev(normalized string) bool {
	return strings.HasPrefix(normalized, branch) || strings.HasSuffix(normalized, devSuffix)
}

// IsStable says whether a normalised version has no stability that clients would have to ask for.
func IsStable(normalized string) bool {
	_, mod, found := strings.Cut(normalized, "-")
	return !IsDev(normalized) && (!found || strings.HasPrefix(mod, "patch") || strings.HasPrefix(mod, "stable"))
}

// Parse is Normalize for what a publisher wrote: false also for what no lock file, URL or git could hold.
func Parse(version string) (normalized string, ok bool) {
	n, ok := Normalize(version)
	if !ok || len(version) > maxVersion || strings.Trim(version, versionChars) != "" {
		return "", false
	}
	return n, isBranchName(strings.TrimPrefix(n, branch))
}

const versionChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+=@:*"

// isBranchName follows git's rules for names, without the characters that mean something in constraints.
func isBranchName(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".") || strings.HasSuffix(part, ".lock") ||
			strings.Contains(part, "..") {
			return false
		}
	}
	return !strings.HasPrefix(s, "-") && strings.Trim(s, versionChars) == "" && !strings.ContainsAny(s, ":*")
}

// tokens are the parts of a version that are compared with each other, as PHP's version_compare cuts them.
func tokens(version string) []string {
	var out []string
	from := 0
	for i := range len(version) {
		switch c := version[i]; {
		case !isAlnum(c):
			if i > from {
				out = append(out, version[from:i])
			}
			from = i + 1
		case i > from && isDigit(c) != isDigit(version[i-1]):
			out = append(out, version[from:i])
			from = i
		}
	}
	if from < len(version) {
		out = append(out, version[from:])
	}
	return out
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

// compareTokens is version_compare: numbers by value, words by what they stand for, and a number above every word but
// p.
func compareTokens(a, b []string) int {
	for i := range min(len(a), len(b)) {
		c := 0
		if isDigit(a[i][0]) && isDigit(b[i][0]) {
			c = compareNumbers(a[i], b[i])
		} else {
			c = cmp.Compare(rank(a[i]), rank(b[i]))
		}
		if c != 0 {
			return c
		}
	}
	switch {
	case len(a) > len(b):
		return beside(a[len(b)])
	case len(a) < len(b):
		return -beside(b[len(a)])
	}
	return 0
}

// beside compares a token with nothing.
func beside(token string) int {
	if isDigit(token[0]) {
		return 1
	}
	return cmp.Compare(rank(token), rankNumber)
}

func compareNumbers(a, b string) int {
	x, errA := strconv.ParseInt(a, 10, 64)
	y, errB := strconv.ParseInt(b, 10, 64)
	if errA != nil || errB != nil {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	}
	return cmp.Compare(x, y)
}

const rankNumber = 4

// rank orders words; one that is unknown comes before all others.
func rank(token string) int {
	if isDigit(token[0]) {
		return rankNumber
	}
	for _, w := range []struct {
		begins string
		rank   int
	}{{"dev", 0}, {"a", 1}, {"b", 2}, {"RC", 3}, {"rc", 3}, {"p", 5}} {
		if strings.HasPrefix(token, w.begins) {
			return w.rank
		}
	}
	return -1
}

// DefaultBranches are the branches that stand for a repository as a whole, the likeliest first.
var DefaultBranches = []string{"dev-main", "dev-master", "dev-trunk", "dev-default"}

// Place orders versions: releases from the highest down, then the default branch, numbered branches, others.
type Place struct {
	class  int
	tokens []string
	id     string
}

// PlaceOf is the place of a normalised version.
func PlaceOf(normalized string) Place {
	p := Place{tokens: tokens(normalized), id: normalized}
	switch {
	case !IsDev(normalized):
		p.class = 0
	case slices.Contains(DefaultBranches, normalized):
		p.class = 1 + slices.Index(DefaultBranches, normalized)
	case strings.HasSuffix(normalized, devSuffix) && isDigit(normalized[0]):
		p.class = 10
	default:
		p.class, p.tokens = 11, nil
	}
	return p
}

// Compare is below 0 when p stands before q.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.class, q.class), compareTokens(q.tokens, p.tokens), cmp.Compare(p.id, q.id))
}

// Before says whether version a stands for a package rather than b: a release before a pre-release before a branch.
func Before(a, b string) bool {
	if x, y := IsStable(a), IsStable(b); x != y {
		return x
	}
	return PlaceOf(a).Compare(PlaceOf(b)) < 0
}
