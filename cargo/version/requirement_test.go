package version

// Tests of requirements: one spelling, and nothing that cargo cannot read.

import (
	"strings"
	"testing"
)

// TestCanonicalRequirement: one spelling as cargo prints it, and nothing that cargo cannot read.
func TestCanonicalRequirement(t *testing.T) {
	for in, want := range map[string]string{
		"1": "^1", "1.2": "^1.2", " 1.2.3 ": "^1.2.3", "^1.2.3-rc.1": "^1.2.3-rc.1", "=1.0.0": "=1.0.0",
		">= 1.0 , < 2": ">=1.0, <2", "~1.2": "~1.2", "*": "*", "x": "*",
		"1.*": "1.*", "1.x": "1.*", "1.2.X": "1.2.*", "1.*.*": "1.*", ">=1.*": ">=1", "1.2.3+build": "^1.2.3",
		"0.0.0": "^0.0.0", ">1,<2,=1.5.0": ">1, <2, =1.5.0",
		"18446744073709551615.0.0": "^18446744073709551615.0.0",
	} {
		got, ok := CanonicalRequirement(in)
		if !ok || got != want {
			t.Errorf("%q: %q %t, want %q", in, got, ok, want)
		}
		if again, ok := CanonicalRequirement(got); !ok || again != got {
			t.Errorf("%q is read as %q", got, again)
		}
	}
	for _, in := range []string{
		"", ",", "1,", ",1", "latest", "v1", "01", "1.02", "1.2.3.4", "1..2", "1.*.3", "*.1", "*, 1", "1.2-rc", "1.2.3-",
		"1.2.3-01", "1.2.3-rc_1", "1 2", "^", "=>1", "==1", "!=1", "<>1",
		">1 <2", "^1 || ^2", "18446744073709551616", "+1", "1.+2", "1.2.3+", "1.2+x", "a.b.c", "１",
		strings.Repeat("1,", 32) + "1",
	} {
		if got, ok := CanonicalRequirement(in); ok {
			t.Errorf("%q is read as %q", in, got)
		}
	}
}

func FuzzRequirement(f *testing.F) {
	for _, s := range []string{"1.2.3", ">=1, <2", "1.*", "^1.0.0-rc.1+x", "cfg(any(unix, target_os = \"a\"))"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := CanonicalRequirement(s)
		if !ok {
			return
		}
		if again, ok := CanonicalRequirement(got); !ok || again != got {
			t.Fatalf("%q is read as %q, that as %q", s, got, again)
		}
	})
}
