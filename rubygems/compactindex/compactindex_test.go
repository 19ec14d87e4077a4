package compactindex

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/rubygems/gemspec"
)

// TestEntries: facts in any order, those nobody knows, tokens that name no platform; what must not be passed on is not
// there.
func TestEntries(t *testing.T) {
	const sum = "ab12"
	body := InfoHead + "1.0 |checksum:" + sum + "\n" +
		"1.1-java rack:>= 2.0&< 4,zlib:>= 0|ruby:>= 3.0&< 3.4.dev,created_at:2026-10-01T08:00:00Z,checksum:" + sum + ",new:x\n" +
		"1.18.9-78be552b |checksum:" + sum + ",platform:= x86_64-linux-musl\n" + "1.2 |created_at:soon\n" + "../1.3 |checksum:" + sum + "\n\n1.4\x1b |checksum:" + sum + "\n"
	var got []string
	for _, l := range Entries([]byte(body)) {
		got = append(got, fmt.Sprint(l.ID, " ", l.SHA256, " ", l.Created.Unix() > 0))
		if !strings.Contains(body, string(l.Raw)) || !strings.HasPrefix(string(l.Raw), l.ID) {
			t.Errorf("%q", l.Raw)
		}
	}
	if want := []string{"1.0 ab12 false", "1.1-java ab12 true", "1.18.9-78be552b ab12 false", "1.2  false"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if at := CreatedTimes([]byte(body))["1.1-java"]; !at.Equal(time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)) {
		t.Error(at)
	}
}

// TestTuples: what is there after everything that was published, yanked and restored.
func TestTuples(t *testing.T) {
	list := "created_at: 2026-01-01T00:00:00Z\n---\nb 1.0,1.10,1.9 00\na 1.0-java 00\nb -1.9 00\nb 2.0.rc1 00\nb -1.0 00\nb 1.0 00\nc 1 00\nc -1 00\nbroken\n"
	var got []string
	Tuples([]byte(list), func(x gemspec.Tuple) { got = append(got, x.Name+" "+x.Number+" "+x.Platform) })
	if want := []string{"b 2.0.rc1 ruby", "b 1.10 ruby", "b 1.0 ruby", "a 1.0 java"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestFiltered: a part of a list is a list, and grows as the whole does.
func TestFiltered(t *testing.T) {
	whole := "created_at: 2026-01-01T00:00:00Z\n---\n" + string(VersionsLine("open", "1.0", "00")) + string(VersionsLine("secret", "1.0", "00"))
	open := func(name string) (bool, error) { return name != "secret", nil }
	before, err := Filtered([]byte(whole), open)
	if err != nil || string(before) != "created_at: 2026-01-01T00:00:00Z\n---\nopen 1.0 00\n" {
		t.Errorf("%q %v", before, err)
	}
	if after, err := Filtered([]byte(whole+"secret 2.0 00\nopen -1.0 00\n"), open); err != nil || string(after) != string(before)+"open -1.0 00\n" {
		t.Errorf("%q %v", after, err)
	}
	if _, err := Filtered([]byte(whole), func(string) (bool, error) { return false, errors.New("no") }); err == nil {
		t.Error("a list that could not be judged")
	}
}

// TestContinues: two lists that only grew make one that only grows, unless a name of theirs became ours.
func TestContinues(t *testing.T) {
	const head = "created_at: 2026-01-01T00:00:00Z\n---\n"
	j := &Joined{Theirs: []byte(head + "rack 1.0 00\n"), Ours: []byte("mine 1.0 00\n")}
	for what, c := range map[string]struct {
		theirs, ours string
		want         bool
	}{
		"nothing new": {"", "", true},
		"theirs grew": {"rails 1.0 00\n", "", true},
		"ours grew":   {"", "mine 1.1 00\nrac 1.0 00\n", true},
		"ours hides":  {"", "rack 2.0 00\n", false},
		"in capitals": {"", "Rack 2.0 00\n", false},
	} {
		if got := j.Continues(append([]byte(string(j.Theirs)), c.theirs...), append([]byte(string(j.Ours)), c.ours...)); got != c.want {
			t.Errorf("%s: %t", what, got)
		}
	}
	if j.Continues([]byte(head), j.Ours) || (*Joined)(nil).Continues(j.Theirs, j.Ours) {
		t.Error("a list that became shorter")
	}
}
