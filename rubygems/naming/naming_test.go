package naming

import (
	"slices"
	"strings"
	"testing"

	"larder/internal/gemspec"
)

// TestE_Names: what would be another file, another document or nothing at all is no name.
func TestE_Names(t *testing.T) {
	for name, want := range map[string]bool{
		"rack": true, "rack-test": true, "Foo_Bar.baz": true, "0mq": true, "a": true, strings.Repeat("a", maxName): true,
		"": false, "1": false, "1-2": false, "-a": false, "a-": false, ".a": false, "a_": false, "a/b": false, `a\b`: false, "..": false, "a b": false, "é": false, "a\n": false, "a\x1b": false,
		"a.gem": false, "a.JSON": false, "a.html": false, "a.gemspec": false, "a.yaml": false, strings.Repeat("a", maxName+1): false,
	} {
		if err := CheckName(name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestH5_FullNames: a full name is not cut by a pattern; each of its candidates has to be looked up, the longest first.
func TestH5_FullNames(t *testing.T) {
	for full, want := range map[string]string{
		"foo-2-1.0": "foo-2 foo", "a-1.0-x86_64-linux-musl": "a", "foo-2-1.0-x86_64-linux": "foo-2 foo", "foo": "", "foo-": "", "foo-bar": "", "-1": "", "foo-1": "foo", "a-1-2-3": "a-1-2 a-1 a",
	} {
		if got := strings.Join(Candidates(full), " "); got != want {
			t.Errorf("%s: %q, want %q", full, got, want)
		}
	}
	for id, want := range map[string][2]string{"1.0": {"1.0", "ruby"}, "1.0-java": {"1.0", "java"}, "1.0-x86_64-linux-musl": {"1.0", "x86_64-linux-musl"}} {
		if number, platform := SplitID(id); number != want[0] || platform != want[1] || VersionID(number, platform) != id {
			t.Errorf("%s: %s and %s", id, number, platform)
		}
	}
	if got := FullNames("mac", "1", "x86_64-darwin19"); !slices.Equal(got, []string{"mac-1-x86_64-darwin19", "mac-1-x86_64-darwin-19"}) {
		t.Errorf("%q", got)
	}
}

// TestOrder: lists begin with the newest; a gem is shown by its newest release, the one for every platform if there is one.
func TestOrder(t *testing.T) {
	ids := []string{"2.0.rc1", "1.9", "1.10-java", "1.10", "1.9.a"}
	slices.SortFunc(ids, NewerFirst)
	if want := []string{"2.0.rc1", "1.10-java", "1.10", "1.9", "1.9.a"}; !slices.Equal(ids, want) {
		t.Errorf("%q", ids)
	}
	best := ids[0]
	for _, id := range ids {
		if Prefers(id, best) {
			best = id
		}
	}
	if best != "1.10" {
		t.Error(best)
	}
	for _, pair := range [][2]gemspec.Specification{{{Version: "1.0", Platform: "ruby"}, {Version: "1.0.0", Platform: "ruby"}}, {{Version: "1", Platform: "x86_64-darwin19"}, {Version: "1.0", Platform: "x86_64-darwin-19"}}} {
		if a, b := CanonicalID(&pair[0]), CanonicalID(&pair[1]); a != b {
			t.Errorf("%s and %s", a, b)
		}
	}
}
