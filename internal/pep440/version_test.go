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

func TestNormalise(t *testing.T) {
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
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, s := range []string{
		"", "a", "1.", ".1", "1..2", "1.0+", "1.0++a", "1.0+a..b", "1!", "!1", "1.0-", "1.0 1", "1.0x", "french toast",
		"1.0a1b2", "1.0+a+b", "-1", "1,0", "1.0\u212a", "1.0\u017f1", "\u0661.0", "1.0\x00", "1.0.post1.post2", "1.*", ">=1",
		strings.Repeat("1", 201), "2004d-x",
	} {
		if v, err := Parse(s); err == nil {
			t.Errorf("%q is %v", s, v)
		}
	}
}

// TestOrder is the order of the specification: each is before the next, and equal to its other spellings.
func TestOrder(t *testing.T) {
	order := [][]string{
		{"0"}, {"0.0.0.1"}, {"1.dev0"}, {"1.0.dev456", "1.0.0.dev456"}, {"1.0a1"}, {"1.0a2.dev456"}, {"1.0a2"},
		{"1.0a12.dev456"}, {"1.0a12"}, {"1.0b1.dev456"}, {"1.0b2", "1.0.0-beta.2"}, {"1.0b2.post345.dev456"},
		{"1.0b2.post345", "1.0b2-345"}, {"1.0rc1.dev456"}, {"1.0rc1", "1c1"}, {"1.0", "1", "1.0.0.0", "v1"}, {"1.0+abc.5"},
		{"1.0+abc.7"}, {"1.0+abc.10"}, {"1.0+abcd"}, {"1.0+5"}, {"1.0+5.0"}, {"1.0.post456.dev34"}, {"1.0.post456"},
		{"1.0.0.0.1"}, {"1.0.15"}, {"1.1.dev1"}, {"1.1"}, {"1.2"}, {"1.10"}, {"2"}, {"10"}, {"2024.1.1"}, {"1!0"}, {"1!1.0"},
		{"2!0.1"}, {"10!0"},
	}
	var keys [][]byte
	for i, same := range order {
		for _, s := range same {
			v := must(t, s)
			if Compare(v, must(t, same[0])) != 0 || !Equal(s, same[0]) {
				t.Errorf("%s is not %s", s, same[0])
			}
			for j, other := range order {
				want := 0
				if i < j {
					want = -1
				} else if i > j {
					want = 1
				}
				if got := Compare(v, must(t, other[0])); got != want {
					t.Errorf("%s against %s: %d, want %d", s, other[0], got, want)
				}
			}
		}
		keys = append(keys, must(t, same[0]).Key())
	}
	for i, a := range keys {
		for j, b := range keys {
			if i != j && bytes.HasPrefix(a, b) {
				t.Errorf("the key of %s begins with that of %s", order[i][0], order[j][0])
			}
		}
	}
	if Equal("1.0", "x") || Equal("x", "x") {
		t.Error("a text that is no version is equal to something")
	}
}

func TestPrerelease(t *testing.T) {
	for s, want := range map[string]bool{
		"1.0": false, "1.0.post1": false, "1.0+a": false, "1.0a1": true, "1.0.dev1": true, "1.0.post1.dev1": true,
		"1!1rc1": true,
	} {
		if must(t, s).Prerelease() != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}

// FuzzVersion: the normalised form is stable and means the same, and keys and texts agree.
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
			t.Fatalf("%q: %q, then %q", s, v, again)
		}
		if strings.Trim(v.String(), "abcdefghijklmnopqrstuvwxyz0123456789.!+") != "" {
			t.Fatalf("%q is normalised to %q", s, v)
		}
		w, err := Parse(other)
		if err == nil && Compare(v, w) != -Compare(w, v) {
			t.Fatalf("%q and %q", s, other)
		}
		if err == nil && Compare(v, w) != 0 && (bytes.HasPrefix(v.Key(), w.Key()) || bytes.HasPrefix(w.Key(), v.Key())) {
			t.Fatalf("the key of one of %q and %q begins with the other's", s, other)
		}
	})
}
