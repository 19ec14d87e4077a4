package names

// What packages and dist-tags may be called.

import (
	"strings"
	"testing"
)

// TestTagsLookLikeNoRange: a tag may not look like a range.
func TestTagsLookLikeNoRange(t *testing.T) {
	for _, s := range []string{"latest", "next", "next/x", "beta-1", "v1-beta", "canary", "é", "1password", "a.b"} {
		if err := CheckTag(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{
		"", "1", "1.0", "1.0.0", "v1", "V1.2", "^1.0.0", "~1", ">=1", "1.x", "x", "X", "*", "1 - 2", "a || b", "1.0.0-beta",
		"=1", "a\nb", strings.Repeat("a", 215),
	} {
		if CheckTag(s) == nil {
			t.Errorf("%q is a tag", s)
		}
	}
}

// TestOldNamesPassAndNewOnesAreStricter: what old packages are called passes, what new ones may be called is less.
func TestOldNamesPassAndNewOnesAreStricter(t *testing.T) {
	for name, fresh := range map[string]bool{
		"demo": true, "@sc/demo": true, "@sc/_under": true, "a.b-c_d": true, "JSONStream": false, "-x": false, "_x": false,
		"a~b": false, "lodash!": false, "@SC/demo": false, strings.Repeat("a", 214): true, "nul": true, "con.a": true,
	} {
		if err := Check(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if err := CheckNew(name); (err == nil) != fresh {
			t.Errorf("%q as a new name: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", ".x", "@sc", "@sc/", "@/x", "@sc/.x", "@sc/a/b", "a/b", "node_modules", "favicon.ico", "é", "a b",
		"a%b", strings.Repeat("a", 215),
	} {
		if Check(name) == nil || CheckNew(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}
