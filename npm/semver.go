package npm

// Semantic versions (semver.org 2.0) as npm reads them, and the ranges advisories are written in.

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"larder/internal/wire"
	"larder/store"
)

// semver is a parsed version; build metadata is never part of it, because npm drops it and compares without.
type semver struct {
	major, minor, patch uint64
	pre                 []string
}

const (
	maxVersion = 256       // bytes
	maxInt     = 1<<53 - 1 // Number.MAX_SAFE_INTEGER: what every client can compare
)

// parseVersion accepts canonical versions only: what it accepts is spelled in exactly one way.
func parseVersion(s string) (v semver, ok bool) {
	if len(s) > maxVersion {
		return v, false
	}
	core, pre, hasPre := strings.Cut(s, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return v, false
	}
	for i, p := range parts {
		n, ok := number(p)
		if !ok {
			return v, false
		}
		*[]*uint64{&v.major, &v.minor, &v.patch}[i] = n
	}
	if !hasPre {
		return v, true
	}
	v.pre = strings.Split(pre, ".")
	for _, id := range v.pre {
		if id == "" || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return v, false
		}
		if _, ok := number(id); !ok && digits(id) {
			return v, false
		}
	}
	return v, true
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// number reads an integer without leading zeros.
func number(s string) (uint64, bool) {
	if !digits(s) || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n <= maxInt
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

// compare orders versions by precedence.
func (v semver) compare(w semver) int {
	c := cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor), cmp.Compare(v.patch, w.patch))
	switch {
	case c != 0:
		return c
	case len(v.pre) == 0 || len(w.pre) == 0:
		return cmp.Compare(len(w.pre), len(v.pre)) * min(1, len(v.pre)+len(w.pre))
	}
	for i := range min(len(v.pre), len(w.pre)) {
		if c := comparePre(v.pre[i], w.pre[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.pre), len(w.pre))
}

// comparePre compares two identifiers: numbers by value and before words.
func comparePre(a, b string) int {
	m, aNumber := number(a)
	n, bNumber := number(b)
	switch {
	case aNumber && bNumber:
		return cmp.Compare(m, n)
	case aNumber:
		return -1
	case bNumber:
		return 1
	}
	return cmp.Compare(a, b)
}

// newest picks what latest should be: the highest stable version that is not deprecated, else the highest stable one,
// else the highest of all.
func newest(versions []string, deprecated func(string) bool) string {
	best, rank := "", -1
	var top semver
	for _, s := range versions {
		v, ok := parseVersion(s)
		if !ok {
			continue
		}
		r := 0
		if len(v.pre) == 0 {
			r = 1
			if !deprecated(s) {
				r = 2
			}
		}
		if r > rank || r == rank && v.compare(top) > 0 {
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
	v  semver
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
func (r versionRange) contains(v semver) bool {
	for _, all := range r {
		ok := true
		for _, c := range all {
			n := v.compare(c.v)
			ok = ok && (n == 0 && strings.Contains(c.op, "=") || n < 0 && c.op[0] == '<' || n > 0 && c.op[0] == '>')
		}
		if ok {
			return true
		}
	}
	return false
}
