package audit

// The ranges advisories are written in.

import (
	"strings"

	"larder/internal/semver"
	"larder/npm/version"
)

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
			v, ok := version.Parse(strings.TrimPrefix(w, "v"))
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
