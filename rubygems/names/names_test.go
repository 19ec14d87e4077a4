package names

// What is a name, and which gems a file can be of.

import (
	"strings"
	"testing"
)

func TestNamesThatWouldBeAnotherFileAreRefused(t *testing.T) {
	for name, want := range map[string]bool{
		"rack": true, "rack-test": true, "Foo_Bar.baz": true, "0mq": true, "a": true, strings.Repeat("a", maxLen): true,
		"": false, "1": false, "1-2": false, "-a": false, "a-": false, ".a": false, "a_": false, "a/b": false,
		`a\b`: false, "..": false, "a b": false, "é": false, "a\n": false, "a\x1b": false,
		"a.gem": false, "a.JSON": false, "a.html": false, "a.gemspec": false, "a.yaml": false,
		strings.Repeat("a", maxLen+1): false,
	} {
		if err := Check(name); (err == nil) != want {
			t.Errorf("%q: the error is %v, want a name: %v", name, err, want)
		}
	}
}

// A full name is not cut by a pattern: each of its candidates has to be looked up.
func TestFullNameHasCandidatesLongestFirst(t *testing.T) {
	for full, want := range map[string]string{
		"foo-2-1.0": "foo-2 foo", "a-1.0-x86_64-linux-musl": "a", "foo-2-1.0-x86_64-linux": "foo-2 foo",
		"foo": "", "foo-": "", "foo-bar": "", "-1": "", "foo-1": "foo", "a-1-2-3": "a-1-2 a-1 a",
	} {
		if got := strings.Join(Candidates(full), " "); got != want {
			t.Errorf("%s can be of %q, want %q", full, got, want)
		}
	}
}

func TestFullNameNeedsADash(t *testing.T) {
	for s, want := range map[string]bool{
		"rack-3.1.0": true, "a-1.0-x86_64-linux": true, "rack": false, "rack-": false, "-1.0": false, "a/b-1": false,
		"..": false, "": false,
	} {
		if got := IsFullName(s); got != want {
			t.Errorf("%q is a full name: %v, want %v", s, got, want)
		}
	}
}
