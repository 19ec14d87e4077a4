package names

// What is a name of a package, and what is not.

import (
	"regexp"
	"strings"
	"testing"
)

// TestNames: Composer's own rule, in lower case: no name leads out of the vendor folder (GHSA-499r,
// GHSA-c968).
func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"acme/demo": "acme/demo", "Acme/Demo": "acme/demo", "a/b": "a/b", "a-b_c.d/e--f_g.h-i": "a-b_c.d/e--f_g.h-i",
		"0/1": "0/1", "con.x/nul-y": "con.x/nul-y",
		"acme": "", "acme/": "", "/demo": "", "acme/demo/x": "", "-a/b": "", "a-/b": "", "a/b-": "", "a--b/c": "",
		"a/b---c": "", "a/b__c": "", "a/.b": "", "a/b..c": "", "a b/c": "", "a/b.json": "", "A/B.JSON": "",
		"con/x": "", "x/COM1": "", "x/nul": "", "lpt9/x": "", "../x": "", "x/..": "", "é/x": "", "php": "", "ext-json": "",
		"a/b\n": "", "a/b~dev": "", strings.Repeat("a", 199) + "/b": "",
	} {
		got, err := Parse(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
}

// TestEveryShortNameIsJudgedByTheRule compares with Composer's rule as it is published, a regular expression.
func TestEveryShortNameIsJudgedByTheRule(t *testing.T) {
	rule := regexp.MustCompile(`^[a-z0-9]([_.-]?[a-z0-9]+)*/[a-z0-9](([_.]|-{1,2})?[a-z0-9]+)*$`)
	names := []string{""}
	for range 7 {
		for _, n := range names {
			if want := rule.MatchString(n); IsPlain(n) != want {
				t.Errorf("%q is a name: %t, want %t", n, !want, want)
			}
		}
		var longer []string
		for _, n := range names {
			for _, c := range "a/-._" {
				longer = append(longer, n+string(c))
			}
		}
		names = longer
	}
}
