package names_test

// The hand-written grammars are those of the specification.

import (
	"regexp"
	"strings"
	"testing"

	"larder/oci/names"
)

// FuzzGrammar holds the hand-written grammars against the specification's expressions.
func FuzzGrammar(f *testing.F) {
	name := regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tag := regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	for _, s := range []string{
		"", "a", "a/b", "a/", "/a", "a//b", "a.b", "a..b", "a_b", "a__b", "a___b", "a-b", "a---b", "a-.b", "-a", "a-", "a.",
		"a_", "A", "a/B", "0/9", "a/b-c__d.e", "é", "a\n", "a\x00b", "v1.0", "_", ".a", "latest", strings.Repeat("x", 128),
		strings.Repeat("x", 129),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.HasSuffix(s, "\n") {
			return // $ matches before it
		}
		if got, want := names.IsRepository(s), name.MatchString(s); got != want {
			t.Errorf("IsRepository(%q) = %t, want %t", s, got, want)
		}
		if got, want := names.IsTag(s), tag.MatchString(s); got != want {
			t.Errorf("IsTag(%q) = %t, want %t", s, got, want)
		}
	})
}
