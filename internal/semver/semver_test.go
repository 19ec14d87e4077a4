package semver

import (
	"strings"
	"testing"
)

// ordered are versions in order of precedence, each below the next.
var ordered = []string{
	"0.0.0-0", "0.0.1", "0.1.0", "1.0.0-0", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-99999999999999999999999", "1.0.0-100000000000000000000000",
	"1.0.0--", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1.x",
	"1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "9007199254740991.0.0", "18446744073709551615.0.0",
}

// builds differ in build metadata alone, each below the next.
var builds = []string{"1.0.0-a", "1.0.0", "1.0.0+0", "1.0.0+00", "1.0.0+1", "1.0.0+01", "1.0.0+2", "1.0.0+10", "1.0.0+10.a", "1.0.0+a", "1.0.0+a.b", "1.0.0+b", "1.0.1-0+x"}

func sign(n int) int { return max(-1, min(1, n)) }

func TestCompare(t *testing.T) {
	for i, a := range ordered {
		v, ok := Parse(a)
		if !ok || v.String() != a {
			t.Fatalf("%s is read as %v", a, v)
		}
		for j, b := range ordered {
			w, _ := Parse(b)
			if got, want := v.Compare(w), sign(i-j); got != want || v.CompareBuild(w) != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestCompareBuild(t *testing.T) {
	for i, a := range builds {
		v, ok := Parse(a)
		if !ok || v.String() != a {
			t.Fatalf("%s is read as %v", a, v)
		}
		for j, b := range builds {
			w, _ := Parse(b)
			if got, want := v.CompareBuild(w), sign(i-j); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
			if i > 0 && j > 0 && i < len(builds)-1 && j < len(builds)-1 && v.Compare(w) != 0 {
				t.Errorf("%s and %s differ in precedence", a, b)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.00.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-a.", "1.0.0-ä", " 1.0.0", "1.0.0 ", "1.0.0+",
		"1.0.0+a..b", "1.0.0+a+b", "1.0.0+ä", "1.0.0-a_b", "+1.0.0", "1.+2.0", "1.-2.0", "18446744073709551616.0.0", "latest", "1.x.0", "1..0", "1.0.0\n",
	} {
		if v, ok := Parse(s); ok {
			t.Errorf("%q is read as %v", s, v)
		}
	}
}

func TestSafe(t *testing.T) {
	for s, want := range map[string]bool{
		"1.2.3-4.x": true, "9007199254740991.0.0": true, "9007199254740992.0.0": false, "0.0.9007199254740992": false, "1.0.0-9007199254740991": true,
		"1.0.0-9007199254740992": false, "1.0.0-" + strings.Repeat("9", 40): false, "1.0.0-9007199254740992a": true, "1.0.0+9007199254740992": true,
	} {
		if v, ok := Parse(s); !ok || v.Safe() != want {
			t.Errorf("%s: %v %v", s, ok, v.Safe())
		}
	}
}

// FuzzParse: what is accepted has one spelling, and the order is one.
func FuzzParse(f *testing.F) {
	for i, s := range append(ordered, builds...) {
		f.Add(s, ordered[(i*7)%len(ordered)])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v, ok := Parse(a)
		if !ok {
			return
		}
		if v.String() != a || v.Compare(v) != 0 || v.CompareBuild(v) != 0 {
			t.Fatalf("%q is read as %v", a, v)
		}
		w, ok := Parse(b)
		if !ok {
			return
		}
		if v.Compare(w) != -w.Compare(v) || v.CompareBuild(w) != -w.CompareBuild(v) || (v.CompareBuild(w) == 0) != (a == b) {
			t.Fatalf("%s against %s: %d and %d, with build %d and %d", a, b, v.Compare(w), w.Compare(v), v.CompareBuild(w), w.CompareBuild(v))
		}
	})
}
