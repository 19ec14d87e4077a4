package names

// What is a name of a package, and what is not.

import (
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
