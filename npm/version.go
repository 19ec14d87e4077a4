package npm

// Versions as npm's clients compare them, and the ranges advisories are written in.

import (
	"regexp"
	"strings"

	"larder/internal/semver"
	"larder/internal/wire"
	"larder/store"
)

const maxVersion = 256 // bytes

// parseVersion accepts the versions that every client compares in the same way: without build metadata, which npm drops,
// and without numbers that JavaScript cannot compare.
func parseVersion(s string) (v semver.Version, ok bool) {
	if len(s) > maxVersion {
		return v, false
	}
	v, ok = semver.Parse(s)
	return v, ok && v.Build == "" && v.Safe()
}

// checkVersion is the error a publisher reads.
func checkVersion(s string) error {
	if _, ok := parseVersion(s); ok {
		return nil
	}
	if base, _, found := strings.Cut(s, "+"); found {
		if _, ok := parseVersion(base); ok {
			return wire.Errorf(store.ErrInvalid, "The version %.80q has build metadata (+…), which npm ignores when it compares versions: leave it out.", s)
		}
	}
	return wire.Errorf(store.ErrInvalid, "%.80q is not a semantic version like 1.2.3 or 1.2.3-beta.1.", s)
}

// newest picks what latest should be: the highest stable version that is not deprecated, else the highest stable one,
// else the highest of all.
func newest(versions []string, deprecated func(string) bool) string {
	best, rank := "", -1
	var top semver.Version
	for _, s := range versions {
		v, ok := parseVersion(s)
		if !ok {
			continue
		}
		r := 0
		if len(v.Pre) == 0 {
			r = 1
			if !deprecated(s) {
				r = 2
			}
		}
		if r > rank || r == rank && v.Compare(top) > 0 {
			best, rank, top = s, r, v
		}
	}
	return best
}

// partial matches one side of an npm range: 1, 1.x, v1.2.3-beta, *.
var partial = regexp.MustCompile(`^[<>=~^]*[vV=]*([xX*]|\d+)(\.([xX*]|\d+)(\.([xX*]|\d+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?)?$`)

// looksLikeRange reports whether a client would take s for a version or range instead of a tag.
func looksLikeRange(s string) bool {
	return strings.ContainsAny(s, " |<>") || partial.MatchString(s)
}

// comparator is one condition of a range.
type comparator struct {
	op string // "<", "<=", ">", ">=", "="
	v  semver.Version
}

// versionRange is alternatives of conditions that must all hold.
type versionRange [][]comparator

// parseRange reads the ranges of advisories: comparators with full versions, "||", and "*".
func parseRange(s string) (versionRange, bool) {
	var out versionRange
	for alternative := range strings.SplitSeq(s, "||") {
		all := []comparator{}
		words := strings.Fields(strings.ReplaceAll(alternative, ",", " "))
		for i := 0; i < len(words); i++ {
			w := words[i]
			op := w[:len(w)-len(strings.TrimLeft(w, "<>="))]
			w = w[len(op):]
			if w == "" && i+1 < len(words) {
				i++
				w = words[i]
			}
			if op == "" && w == "*" {
				continue
			}
			v, ok := parseVersion(strings.TrimPrefix(w, "v"))
			if op == "" || op == "==" {
				op = "="
			}
			if !ok || !strings.Contains(" < <= > >= = ", " "+op+" ") {
				return nil, false
			}
			all = append(all, comparator{op, v})
		}
		if len(words) == 0 {
			return nil, false
		}
		out = append(out, all)
	}
	return out, true
}

// contains reports whether v lies in the range. Prereleases count by precedence: an advisory means them too.
func (r versionRange) contains(v semver.Version) bool {
	for _, all := range r {
		ok := true
		for _, c := range all {
			n := v.Compare(c.v)
			ok = ok && (n == 0 && strings.Contains(c.op, "=") || n < 0 && c.op[0] == '<' || n > 0 && c.op[0] == '>')
		}
		if ok {
			return true
		}
	}
	return false
}
