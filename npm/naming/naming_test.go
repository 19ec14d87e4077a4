package naming

import (
	"slices"
	"strings"
	"testing"
)

// TestA10_Versions: canonical semantic versions, in order.
func TestA10_Versions(t *testing.T) {
	ordered := []string{
		"0.0.1", "0.1.0", "1.0.0-0", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1.x", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "9007199254740991.0.0",
	}
	for i, a := range ordered {
		v, ok := ParseVersion(a)
		if !ok || CheckVersion(a) != nil {
			t.Fatalf("%s is no version", a)
		}
		for j, b := range ordered {
			w, _ := ParseVersion(b)
			if got, want := sign(v.Compare(w)), sign(i-j); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
	for _, s := range []string{
		"", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-ä", " 1.0.0", "1.0.0+build", "1.0.0-a+b",
		"9007199254740992.0.0", "99999999999999999999.0.0", "1.0.0-" + strings.Repeat("a", 256), "latest", "1.x.0",
	} {
		if _, ok := ParseVersion(s); ok || CheckVersion(s) == nil {
			t.Errorf("%q is a version", s)
		}
	}
	if err := CheckVersion("1.0.0+build"); !strings.Contains(err.Error(), "build metadata") {
		t.Errorf("%v does not say what is wrong", err)
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestA7_Newest(t *testing.T) {
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

// TestA7_Tags: a tag may not look like a range.
func TestA7_Tags(t *testing.T) {
	for _, s := range []string{"latest", "next", "next/x", "beta-1", "v1-beta", "canary", "é", "1password", "a.b"} {
		if err := CheckTag(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "1", "1.0", "1.0.0", "v1", "V1.2", "^1.0.0", "~1", ">=1", "1.x", "x", "X", "*", "1 - 2", "a || b", "1.0.0-beta", "=1", "a\nb", strings.Repeat("a", 215)} {
		if CheckTag(s) == nil {
			t.Errorf("%q is a tag", s)
		}
	}
}

// TestA10_Names: what old packages are called passes, what new ones may be called is less.
func TestA10_Names(t *testing.T) {
	for name, fresh := range map[string]bool{
		"demo": true, "@sc/demo": true, "@sc/_under": true, "a.b-c_d": true, "JSONStream": false, "-x": false, "_x": false, "a~b": false,
		"lodash!": false, "@SC/demo": false, strings.Repeat("a", 214): true, "nul": true, "con.a": true,
	} {
		if err := Check(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if err := CheckNew(name); (err == nil) != fresh {
			t.Errorf("%q as a new name: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", ".x", "@sc", "@sc/", "@/x", "@sc/.x", "@sc/a/b", "a/b", "node_modules", "favicon.ico", "é", "a b", "a%b", strings.Repeat("a", 215)} {
		if Check(name) == nil || CheckNew(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}
