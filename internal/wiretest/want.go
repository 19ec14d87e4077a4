package wiretest

// What tests want of values and headers: a failure says of what, what came and what was wanted.

import (
	"slices"
	"testing"
)

// Equal fails unless got is want.
func Equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// EqualList fails unless got has the elements of want, in that order; no list is an empty one.
func EqualList[E comparable](t testing.TB, what string, got []E, want ...E) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// WantHeader fails unless the answer has each header of the pairs of name and value; "" is no such header.
func (g *Rig) WantHeader(a Answer, pairs ...string) {
	g.T.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := a.Header.Get(pairs[i]); got != pairs[i+1] {
			g.T.Errorf("%v: the header %s is %q, want %q", a, pairs[i], got, pairs[i+1])
		}
	}
}
