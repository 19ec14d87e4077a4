package auth

// Patterns of names with * in them, and the names that two patterns have in common.

import (
	"slices"
	"strings"
)

// glob says whether the pattern matches the name. A '*' in name is matched by a star only, so that glob(p, q) of two
// patterns says whether p matches all that q matches.
func glob(pattern, name string) bool {
	p, n := 0, 0
	star, mark := -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// Bounds of globIntersect: beyond them the overlap counts as empty, which errs on the safe side.
const (
	maxOverlapSteps    = 4096
	maxOverlapPatterns = 256
)

// globIntersect returns patterns that together match the names which both a and b match.
func globIntersect(a, b string) []string {
	switch {
	case glob(a, b):
		return []string{b}
	case glob(b, a):
		return []string{a}
	}
	o := overlap{a: min(a, b), b: max(a, b), memo: map[[2]int][]string{}}
	out := o.from(0, 0)
	if o.steps > maxOverlapSteps {
		return nil
	}
	var kept []string
	for _, p := range out {
		if len(p) <= maxName && strings.Count(p, "*") <= maxStars &&
			!slices.ContainsFunc(out, func(q string) bool { return q != p && glob(q, p) }) {
			kept = append(kept, p)
		}
	}
	return kept
}

// overlap walks two patterns in parallel. Where a star meets a character the star ends or takes it; where two stars
// meet, one of them ends first and the result has a star there.
type overlap struct {
	a, b  string
	memo  map[[2]int][]string
	steps int
}

// from returns the overlap of a[i:] and b[j:].
func (o *overlap) from(i, j int) []string {
	at := [2]int{i, j}
	if out, ok := o.memo[at]; ok || o.steps > maxOverlapSteps {
		return out
	}
	o.steps++
	var out []string
	switch {
	case i == len(o.a) && j == len(o.b):
		out = []string{""}
	case i == len(o.a):
		out = o.rest(o.b[j] == '*', i, j+1)
	case j == len(o.b):
		out = o.rest(o.a[i] == '*', i+1, j)
	case o.a[i] == '*' && o.b[j] == '*':
		out = o.prefixed('*', slices.Concat(o.from(i+1, j), o.from(i, j+1)))
	case o.a[i] == '*':
		out = slices.Concat(o.from(i+1, j), o.prefixed(o.b[j], o.from(i, j+1)))
	case o.b[j] == '*':
		out = slices.Concat(o.from(i, j+1), o.prefixed(o.a[i], o.from(i+1, j)))
	case o.a[i] == o.b[j]:
		out = o.prefixed(o.a[i], o.from(i+1, j+1))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if o.steps += len(out); len(out) > maxOverlapPatterns {
		o.steps = maxOverlapSteps + 1
	}
	o.memo[at] = out
	return out
}

// rest continues when the remaining side starts with a star, which then matches nothing.
func (o *overlap) rest(ok bool, i, j int) []string {
	if !ok {
		return nil
	}
	return o.from(i, j)
}

func (o *overlap) prefixed(c byte, tails []string) []string {
	out := make([]string, len(tails))
	for n, t := range tails {
		out[n] = squeeze(string([]byte{c}) + t)
	}
	return out
}
