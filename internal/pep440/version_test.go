package pep440

// The spellings and the order of versions.

import (
	"bytes"
	"strings"
	"testing"
)

func must(t testing.TB, s string) Version {
	t.Helper()
	v, err := Parse(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return v
}

func TestSpellingsAreNormalised(t *testing.T) {
	for in, want := range map[string]string{
		"1.0": "1.0", "v1.0": "1.0", " 1.0\n": "1.0", "V1.0": "1.0", "1": "1", "01.002": "1.2", "1.0.0": "1.0.0", "0": "0",
		"00": "0", "1.0a": "1.0a0", "1.0-alpha": "1.0a0", "1.0.ALPHA.3": "1.0a3", "1.0_beta_2": "1.0b2", "1.0c1": "1.0rc1",
		"1.0pre1": "1.0rc1", "1.0-preview-4": "1.0rc4", "1.0RC": "1.0rc0", "1.0-1": "1.0.post1", "1.0post": "1.0.post0",
		"1.0-r3": "1.0.post3", "1.0.rev.4": "1.0.post4", "1.0post-2": "1.0.post2", "1.0dev": "1.0.dev0",
		"1.0-DEV_5": "1.0.dev5", "1.0a1.post2.dev3": "1.0a1.post2.dev3", "1!2.0": "1!2.0", "0!1.0": "1.0", "01!1": "1!1",
		"1.0+ubuntu-1": "1.0+ubuntu.1", "1.0+A_b.001": "1.0+a.b.1", "1.0+cpu": "1.0+cpu", "1.0+01a": "1.0+01a",
		"2024.01.05.120000":                 "2024.1.5.120000",
		"1.0.dev20240101000000000000000000": "1.0.dev20240101000000000000000000",
	} {
		if got := must(t, in).String(); got != want {
			t.Errorf("%q is normalised to %q, want %q", in, got, want)
		}
	}
}

func TestOtherTextsAreNoVersions(t *testing.T) {
	for _, s := range []string{
		"", "a", "1.", ".1", "1..2", "1.0+", "1.0++a", "1.0+a..b", "1!", "!1", "1.0-", "1.0 1", "1.0x", "french toast",
		"1.0a1b2", "1.0+a+b", "-1", "1,0", "1.0\u212a", "1.0\u017f1", "\u0661.0", "1.0\x00", "1.0.post1.post2", "1.*", ">=1",
		strings.Repeat("1", 201), "2004d-x",
	} {
		if v, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) is %v, want an error", s, v)
		}
	}
}

// order is that of the specification: each version comes before the next, and is equal to its other spellings.
var order = [][]string{
	{"0"}, {"0.0.0.1"}, {"1.dev0"}, {"1.0.dev456", "1.0.0.dev456"}, {"1.0a1"}, {"1.0a2.dev456"}, {"1.0a2"},
	{"1.0a12.dev456"}, {"1.0a12"}, {"1.0b1.dev456"}, {"1.0b2", "1.0.0-beta.2"}, {"1.0b2.post345.dev456"},
	{"1.0b2.post345", "1.0b2-345"}, {"1.0rc1.dev456"}, {"1.0rc1", "1c1"}, {"1.0", "1", "1.0.0.0", "v1"}, {"1.0+abc.5"},
	{"1.0+abc.7"}, {"1.0+abc.10"}, {"1.0+abcd"}, {"1.0+5"}, {"1.0+5.0"}, {"1.0.post456.dev34"}, {"1.0.post456"},
	{"1.0.0.0.1"}, {"1.0.15"}, {"1.1.dev1"}, {"1.1"}, {"1.2"}, {"1.10"}, {"2"}, {"10"}, {"2024.1.1"}, {"1!0"}, {"1!1.0"},
	{"2!0.1"}, {"10!0"},
}

func TestCompareFollowsTheSpecification(t *testing.T) {
	for i, same := range order {
		for _, s := range same {
			if !Equal(s, same[0]) {
				t.Errorf("%s does not equal %s", s, same[0])
			}
			for j, other := range order {
				if got, want := Compare(must(t, s), must(t, other[0])), max(-1, min(1, i-j)); got != want {
					t.Errorf("%s against %s: %d, want %d", s, other[0], got, want)
				}
			}
		}
	}
}

func TestNoKeyBeginsWithAnother(t *testing.T) {
	for i, a := range order {
		for j, b := range order {
			if i != j && bytes.HasPrefix(must(t, a[0]).Key(), must(t, b[0]).Key()) {
				t.Errorf("the key of %s begins with that of %s", a[0], b[0])
			}
		}
	}
}

func TestTextsThatAreNoVersionsEqualNothing(t *testing.T) {
	for _, s := range []string{"1.0", "x"} {
		if Equal(s, "x") {
			t.Errorf("%s equals x, which is no version", s)
		}
	}
}

func TestPrereleases(t *testing.T) {
	for s, want := range map[string]bool{
		"1.0": false, "1.0.post1": false, "1.0+a": false, "1.0a1": true, "1.0.dev1": true, "1.0.post1.dev1": true,
		"1!1rc1": true,
	} {
		if got := must(t, s).Prerelease(); got != want {
			t.Errorf("%s is a prerelease: %v, want %v", s, got, want)
		}
	}
}

// The normalised form is stable and means the same, and keys and texts agree.
func FuzzVersion(f *testing.F) {
	for _, s := range []string{"1.0", "1!2.3a4.post5.dev6+l.7", "v1-1", "1.0+ubuntu-1", "1.0\u212a", ""} {
		f.Add(s, "1.0")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		v, err := Parse(s)
		if err != nil {
			return
		}
		again := must(t, v.String())
		if again.String() != v.String() || Compare(v, again) != 0 {
			t.Fatalf("%q is normalised to %q, and that to %q", s, v, again)
		}
		if strings.Trim(v.String(), "abcdefghijklmnopqrstuvwxyz0123456789.!+") != "" {
			t.Fatalf("%q is normalised to %q", s, v)
		}
		w, err := Parse(other)
		if err == nil && Compare(v, w) != -Compare(w, v) {
			t.Fatalf("%q against %q: %d one way and %d the other", s, other, Compare(v, w), Compare(w, v))
		}
		if err == nil && Compare(v, w) != 0 && (bytes.HasPrefix(v.Key(), w.Key()) || bytes.HasPrefix(w.Key(), v.Key())) {
			t.Fatalf("the key of one of %q and %q begins with the other's", s, other)
		}
	})
}
