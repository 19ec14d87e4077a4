package version

// Which texts are versions, and how they are ordered.

import (
	"slices"
	"strings"
	"testing"
)

// TestVersionsAreCanonicalAndOrdered: only what every client reads in the same way is a version.
func TestVersionsAreCanonicalAndOrdered(t *testing.T) {
	ordered := []string{
		"0.0.1", "0.1.0", "1.0.0-0", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
		"1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1.x", "1.0.0", "1.0.1", "1.2.0", "1.10.0",
		"2.0.0", "9007199254740991.0.0",
	}
	for i, a := range ordered {
		v, ok := Parse(a)
		if !ok || Check(a) != nil {
			t.Fatalf("%s is no version", a)
		}
		for j, b := range ordered {
			w, _ := Parse(b)
			if got, want := sign(v.Compare(w)), sign(i-j); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
	for _, s := range []string{
		"", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-ä", " 1.0.0",
		"1.0.0+build",
		"1.0.0-a+b", "9007199254740992.0.0", "99999999999999999999.0.0", "1.0.0-" + strings.Repeat("a", 256), "latest",
		"1.x.0",
	} {
		if _, ok := Parse(s); ok || Check(s) == nil {
			t.Errorf("%q is a version", s)
		}
	}
	if err := Check("1.0.0+build"); !strings.Contains(err.Error(), "build metadata") {
		t.Errorf("%v does not say what is wrong", err)
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestNewestIsStableAndNotDeprecatedIfOneIs(t *testing.T) {
	for _, c := range []struct {
		versions   string
		deprecated string
		want       string
	}{
		{"1.0.0 1.10.0 1.2.0", "", "1.10.0"},
		{"1.0.0 2.0.0-rc.1", "", "1.0.0"},
		{"1.0.0-a 1.0.0-b", "", "1.0.0-b"},
		{"1.0.0 2.0.0", "2.0.0", "1.0.0"},
		{"1.0.0 2.0.0", "1.0.0 2.0.0", "2.0.0"},
		{"", "", ""},
	} {
		bad := strings.Fields(c.deprecated)
		if got := Newest(strings.Fields(c.versions), func(v string) bool { return slices.Contains(bad, v) }); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
