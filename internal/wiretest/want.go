package wiretest

// Checks that say what was asked, what came and what was wanted.

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Equal fails unless got is want; what is the thing that was looked at, as in "the files of demo".
func Equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// EqualJSON is Equal for what is the same when it is written as JSON.
func EqualJSON(t testing.TB, what string, got, want any) {
	t.Helper()
	Equal(t, what, JSON(got), JSON(want))
}

// WantStatus fails unless the answer has the status. Unlike Rig.Want it lets the test go on.
func (a Answer) WantStatus(t testing.TB, want int) Answer {
	t.Helper()
	if a.Status != want {
		t.Errorf("got %v, want %d", a, want)
	}
	return a
}

// WantHeader fails unless the answer has the header with that value; "" is for none.
func (a Answer) WantHeader(t testing.TB, name, want string) Answer {
	t.Helper()
	if got := a.Header.Get(name); got != want {
		t.Errorf("%s: the header %s is %q, want %q", a.Request, name, got, want)
	}
	return a
}

// WantBody fails for each text that is not in the body.
func (a Answer) WantBody(t testing.TB, texts ...string) Answer {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("%q is missing in %v", text, a)
		}
	}
	return a
}

// WantNot fails for each text that is in the body.
func (a Answer) WantNot(t testing.TB, texts ...string) Answer {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.Body, text) {
			t.Errorf("%q must not be in %v", text, a)
		}
	}
	return a
}

// WantMembers compares members of decoded JSON: "info/version" is that of info. Nil is for none, and for null.
func WantMembers(t testing.TB, what string, document any, want Fields) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		EqualJSON(t, what+": "+path, At(document, strings.Split(path, "/")...), want[path])
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
