package npm

import (
	"slices"
	"strings"
	"testing"

	"larder/store"
)

// TestA10_Versions: canonical semantic versions, in order.
func TestA10_Versions(t *testing.T) {
	ordered := []string{
		"0.0.1", "0.1.0", "1.0.0-0", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1.x", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "9007199254740991.0.0",
	}
	for i, a := range ordered {
		v, ok := parseVersion(a)
		if !ok || checkVersion(a) != nil {
			t.Fatalf("%s is no version", a)
		}
		for j, b := range ordered {
			w, _ := parseVersion(b)
			if got, want := sign(v.Compare(w)), sign(i-j); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
	for _, s := range []string{
		"", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-ä", " 1.0.0", "1.0.0+build", "1.0.0-a+b",
		"9007199254740992.0.0", "99999999999999999999.0.0", "1.0.0-" + strings.Repeat("a", 256), "latest", "1.x.0",
	} {
		if _, ok := parseVersion(s); ok || checkVersion(s) == nil {
			t.Errorf("%q is a version", s)
		}
	}
	if err := checkVersion("1.0.0+build"); !strings.Contains(err.Error(), "build metadata") {
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
		if got := newest(strings.Fields(c.versions), func(v string) bool { return slices.Contains(bad, v) }); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestA7_Tags: a tag may not look like a range.
func TestA7_Tags(t *testing.T) {
	for _, s := range []string{"latest", "next", "next/x", "beta-1", "v1-beta", "canary", "é", "1password", "a.b"} {
		if err := checkTag(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "1", "1.0", "1.0.0", "v1", "V1.2", "^1.0.0", "~1", ">=1", "1.x", "x", "X", "*", "1 - 2", "a || b", "1.0.0-beta", "=1", "a\nb", strings.Repeat("a", 215)} {
		if checkTag(s) == nil {
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
		if err := checkName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if err := checkNewName(name); (err == nil) != fresh {
			t.Errorf("%q as a new name: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", ".x", "@sc", "@sc/", "@/x", "@sc/.x", "@sc/a/b", "a/b", "node_modules", "favicon.ico", "é", "a b", "a%b", strings.Repeat("a", 215)} {
		if checkName(name) == nil || checkNewName(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

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
			if v, _ := parseVersion(s); !parsed.contains(v) {
				t.Errorf("%q does not contain %s", r, s)
			}
		}
		if v, _ := parseVersion("1.5.0"); r != "*" && parsed.contains(v) {
			t.Errorf("%q contains 1.5.0", r)
		}
	}
	for _, r := range []string{"", "||", "^1.0.0", "1.x", ">", "<>1.0.0", "1.0.0 || "} {
		if _, ok := parseRange(r); ok {
			t.Errorf("%q can be read", r)
		}
	}
}

func TestPeople(t *testing.T) {
	for in, want := range map[string]string{
		`"Al <a@example.com> (https://example.com)"`: `{"name":"Al","email":"a@example.com","url":"https://example.com"}`,
		`"Al (https://example.com)"`:                 `{"name":"Al","url":"https://example.com"}`,
		`"Al"`:                                       `{"name":"Al"}`,
		`{"name": "Al"}`:                             `{"name":"Al"}`,
	} {
		if got := string(person([]byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := string(people([]byte(`["Al", {"name":"Bo"}]`))); got != `[{"name":"Al"},{"name":"Bo"}]` {
		t.Error(got)
	}
}

func TestParseSearch(t *testing.T) {
	q := parseSearch("Left-Pad foo@bar scope:@acme keywords:cli,-old author:Ada not:unstable boost-exact:false @sc/")
	want := store.Query{Words: []string{"left-pad", "foo", "bar"}, Marks: []string{"scope:acme", "keyword:cli", "author:ada", "scope:sc"}, Without: []string{"keyword:old", markUnstable}}
	if !slices.Equal(q.Words, want.Words) || !slices.Equal(q.Marks, want.Marks) || !slices.Equal(q.Without, want.Without) {
		t.Errorf("%+v", q)
	}
	if q := parseSearch("@sc/demo"); !slices.Equal(q.Words, []string{"@sc/demo"}) {
		t.Errorf("%+v", q)
	}
}
