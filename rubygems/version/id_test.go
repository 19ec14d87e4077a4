package version

// IDs: how they are joined, taken apart, and ordered.

import (
	"slices"
	"testing"
)

func TestIDIsCutAtTheFirstDash(t *testing.T) {
	for id, want := range map[string][2]string{
		"1.0": {"1.0", "ruby"}, "1.0-java": {"1.0", "java"}, "1.0-x86_64-linux-musl": {"1.0", "x86_64-linux-musl"},
	} {
		number, platform := Split(id)
		if number != want[0] || platform != want[1] {
			t.Errorf("%s is %s for %s, want %q", id, number, platform, want)
		}
		if again := ID(number, platform); again != id {
			t.Errorf("%s for %s has the ID %s, want %s", number, platform, again, id)
		}
	}
}

func TestFilesAreAskedForByBothSpellingsOfAPlatform(t *testing.T) {
	for platform, want := range map[string][]string{
		"ruby": {"1"}, "java": {"1-java"}, "x86_64-darwin19": {"1-x86_64-darwin19", "1-x86_64-darwin-19"},
	} {
		if got := IDs("1", platform); !slices.Equal(got, want) {
			t.Errorf("version 1 for %s has the IDs %q, want %q", platform, got, want)
		}
	}
}

func TestEqualVersionsHaveOneCanonicalID(t *testing.T) {
	for _, pair := range [][2][2]string{
		{{"1.0", "ruby"}, {"1.0.0", "ruby"}}, {{"1", "x86_64-darwin19"}, {"1.0", "x86_64-darwin-19"}},
	} {
		a, b := CanonicalID(pair[0][0], pair[0][1]), CanonicalID(pair[1][0], pair[1][1])
		if a != b {
			t.Errorf("%q has the canonical ID %s, and %q has %s", pair[0], a, pair[1], b)
		}
	}
}

// ids are some of one gem's, newest first.
var ids = []string{"2.0.rc1", "1.10-java", "1.10", "1.9", "1.9.a"}

func TestListsBeginWithTheNewest(t *testing.T) {
	got := []string{"2.0.rc1", "1.9", "1.10-java", "1.10", "1.9.a"}
	slices.SortFunc(got, NewerFirst)
	if !slices.Equal(got, ids) {
		t.Errorf("the order is %q, want %q", got, ids)
	}
}

func TestNewestReleaseForEveryPlatformIsPreferred(t *testing.T) {
	best := ids[0]
	for _, id := range ids {
		if Prefers(id, best) {
			best = id
		}
	}
	if best != "1.10" {
		t.Errorf("%s is preferred among %q, want 1.10", best, ids)
	}
}
