package semver

// The order of versions, and texts that are none.

import (
	"strconv"
	"strings"
	"testing"
)

// ordered are versions, each below the next.
var ordered = []string{
	"0.0.0-0", "0.0.1", "0.1.0", "1.0.0-0", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-99999999999999999999999",
	"1.0.0-100000000000000000000000", "1.0.0--", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
	"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1.x", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0",
	"9007199254740991.0.0", "18446744073709551615.0.0",
}

// builds differ in build metadata alone.
var builds = []string{
	"1.0.0", "1.0.0+0", "1.0.0+00", "1.0.0+1", "1.0.0+01", "1.0.0+2", "1.0.0+10", "1.0.0+10.a", "1.0.0+a", "1.0.0+a.b",
	"1.0.0+b",
}

// spelling writes a version as it was read.
func spelling(v Version) string {
	numbers := []string{strconv.FormatUint(v.Major, 10), strconv.FormatUint(v.Minor, 10), strconv.FormatUint(v.Patch, 10)}
	s := strings.Join(numbers, ".")
	if len(v.Pre) > 0 {
		s += "-" + strings.Join(v.Pre, ".")
	}
	if v.Build != "" {
		s += "+" + v.Build
	}
	return s
}

func parse(t *testing.T, s string) Version {
	t.Helper()
	v, ok := Parse(s)
	if !ok {
		t.Fatalf("Parse(%q) refuses it", s)
	}
	if got := spelling(v); got != s {
		t.Fatalf("Parse(%q) reads %s", s, got)
	}
	return v
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestCompareOrdersByPrecedence(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := parse(t, a).Compare(parse(t, b)), sign(i-j); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestBuildMetadataDoesNotCount(t *testing.T) {
	for _, a := range builds {
		for _, b := range builds {
			if got := parse(t, a).Compare(parse(t, b)); got != 0 {
				t.Errorf("%s against %s: %d, want 0", a, b, got)
			}
		}
	}
}

func TestOtherSpellingsAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.00.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-a.", "1.0.0-ä",
		" 1.0.0", "1.0.0 ", "1.0.0+", "1.0.0+a..b", "1.0.0+a+b", "1.0.0+ä", "1.0.0-a_b", "+1.0.0", "1.+2.0", "1.-2.0",
		"18446744073709551616.0.0", "latest", "1.x.0", "1..0", "1.0.0\n",
	} {
		if v, ok := Parse(s); ok {
			t.Errorf("Parse(%q) reads %s, want it refused", s, spelling(v))
		}
	}
}

func TestNumbersBeyondJavaScriptAreUnsafe(t *testing.T) {
	for s, want := range map[string]bool{
		"1.2.3-4.x":                        true,
		"9007199254740991.0.0":             true,
		"9007199254740992.0.0":             false,
		"0.0.9007199254740992":             false,
		"1.0.0-9007199254740991":           true,
		"1.0.0-9007199254740992":           false,
		"1.0.0-" + strings.Repeat("9", 40): false,
		"1.0.0-9007199254740992a":          true,
		"1.0.0+9007199254740992":           true,
	} {
		if got := parse(t, s).Safe(); got != want {
			t.Errorf("%s is safe: %v, want %v", s, got, want)
		}
	}
}

// What is accepted has one spelling, and the order has no contradiction.
func FuzzParse(f *testing.F) {
	for i, s := range append(ordered, builds...) {
		f.Add(s, ordered[(i*7)%len(ordered)])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v, ok := Parse(a)
		if !ok {
			return
		}
		if got := spelling(v); got != a {
			t.Fatalf("Parse(%q) reads %s", a, got)
		}
		if got := v.Compare(v); got != 0 {
			t.Fatalf("%s against itself: %d, want 0", a, got)
		}
		w, ok := Parse(b)
		if !ok {
			return
		}
		if v.Compare(w) != -w.Compare(v) {
			t.Fatalf("%s against %s: %d one way and %d the other", a, b, v.Compare(w), w.Compare(v))
		}
	})
}
