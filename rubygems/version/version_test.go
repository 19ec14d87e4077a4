package version

// Numbers and platforms: what is one, which is newer, and which are the same.

import (
	"slices"
	"strings"
	"testing"
)

// order is that of Gem::Version, oldest first; versions of one row are equal.
var order = [][]string{
	{"0", "0.0", "00"}, {"0.0.1"}, {"0.1.a"}, {"0.1.rc.1"}, {"0.1", "0.1.0"}, {"1.a", "1.0.a", "1.0.0.a"},
	{"1.a.1", "1.0.a1", "1.a1"}, {"1.a.2"}, {"1.a10"}, {"1.b"}, {"1.pre"}, {"1", "1.0", "1.0.0", "01.0", "1.0.00"},
	{"1.0.0.1"}, {"1.2.a"}, {"1.2"}, {"1.9"}, {"1.10", "1.10.0"}, {"2.0.A"}, {"2.0.a"}, {"2"}, {"10"},
	{"99999999999999999999"}, {"100000000000000000000"},
}

// eachPair calls fn with every two versions of order and how they compare.
func eachPair(fn func(a, b string, want int)) {
	for i, as := range order {
		for j, bs := range order {
			for _, a := range as {
				for _, b := range bs {
					fn(a, b, max(-1, min(1, i-j)))
				}
			}
		}
	}
}

func TestCompareOrdersAsRubyGems(t *testing.T) {
	eachPair(func(a, b string, want int) {
		if got := Compare(a, b); got != want {
			t.Errorf("%s against %s: %d, want %d", a, b, got, want)
		}
	})
}

func TestEqualVersionsHaveOneCanonicalSpelling(t *testing.T) {
	eachPair(func(a, b string, want int) {
		if x, y := Canonical(a), Canonical(b); (x == y) != (want == 0) {
			t.Errorf("%s is canonically %s, and %s is %s", a, x, b, y)
		}
	})
}

func TestGrammarOfVersions(t *testing.T) {
	for v, want := range map[string]bool{
		"1": true, "1.10": true, "1.0.0.rc1": true, "1.a.b": true, "0": true, strings.Repeat("1", 255): true,
		"": false, ".1": false, "1.": false, "1..2": false, "a": false, "1a": false, "1-1": false, "1.0-rc": false,
		"1 ": false, "1\n": false, "1.é": false, "v1": false, strings.Repeat("1", 256): false,
	} {
		if got := Valid(v); got != want {
			t.Errorf("%q is a version: %v, want %v", v, got, want)
		}
	}
}

func TestPrereleaseHasALetter(t *testing.T) {
	for v, want := range map[string]bool{"1.0": false, "1.0.a": true, "2.0.0.rc1": true} {
		if got := IsPrerelease(v); got != want {
			t.Errorf("%s is a prerelease: %v, want %v", v, got, want)
		}
	}
}

func TestGrammarOfPlatforms(t *testing.T) {
	for p, want := range map[string]bool{
		"ruby": true, "x86_64-linux-musl": true, "x86-mswin32-60": true, "": false, "-x": false, "x-": false, "../x": false,
		"a b": false, "x/y": false, strings.Repeat("x", 256): false,
	} {
		if got := IsPlatform(p); got != want {
			t.Errorf("%q is a platform: %v, want %v", p, got, want)
		}
	}
}

// Versions have an order, in which equal ones have one canonical spelling, and others have others.
func FuzzVersions(f *testing.F) {
	f.Add("1.0", "1.0.0", "1.0.a")
	f.Add("2.a1", "2.a.1", "0")
	f.Add("1.0.b0.0", "01.00", "1.B")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if !Valid(a) || !Valid(b) || !Valid(c) {
			return
		}
		list := []string{a, b, c}
		slices.SortFunc(list, Compare)
		if Compare(list[0], list[1]) > 0 || Compare(list[1], list[2]) > 0 || Compare(list[0], list[2]) > 0 {
			t.Fatalf("%q is not in order", list)
		}
		if Compare(a, b) != -Compare(b, a) || (Compare(a, b) == 0) != (Canonical(a) == Canonical(b)) {
			t.Fatalf("%s against %s: %d one way and %d the other; canonically they are %s and %s",
				a, b, Compare(a, b), Compare(b, a), Canonical(a), Canonical(b))
		}
		if Compare(Canonical(a), a) != 0 || IsPrerelease(a) != IsPrerelease(Canonical(a)) {
			t.Fatalf("%s is canonically %s", a, Canonical(a))
		}
	})
}
