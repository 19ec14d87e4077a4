package audit

// The ranges advisories are written in.

import (
	"strings"
	"testing"

	"larder/npm/version"
)

func TestRanges(t *testing.T) {
	for r, want := range map[string]string{
		">=1.0.0 <1.2.0":            "1.0.0 1.1.9 1.2.0-beta",
		"<1.0.0 || >=2.0.0 <2.1.0":  "0.1.0 1.0.0-a 2.0.5",
		"*":                         "0.1.0 9.9.9",
		"1.0.0":                     "1.0.0",
		"= 1.0.0":                   "1.0.0",
		">= 1.0.0, < 1.1.0":         "1.0.0 1.0.9",
		">1.0.0-alpha <=1.0.0-beta": "1.0.0-beta 1.0.0-alpha.1",
	} {
		parsed, ok := parseRange(r)
		if !ok {
			t.Errorf("%q cannot be read", r)
		}
		for s := range strings.FieldsSeq(want) {
			if v, _ := version.Parse(s); !parsed.contains(v) {
				t.Errorf("%q does not contain %s", r, s)
			}
		}
		if v, _ := version.Parse("1.5.0"); r != "*" && parsed.contains(v) {
			t.Errorf("%q contains 1.5.0", r)
		}
	}
	for _, r := range []string{"", "||", "^1.0.0", "1.x", ">", "<>1.0.0", "1.0.0 || "} {
		if _, ok := parseRange(r); ok {
			t.Errorf("%q can be read", r)
		}
	}
}
