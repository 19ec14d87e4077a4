package compactindex

// Lines and lists of the compact index: what of them is read, passed on, left out and joined.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/rubygems/gemspec"
)

// The lines have facts in any order, unknown ones, an ID whose end is no platform, and text that must not be passed on.
const infoLines = InfoHead + "1.0 |checksum:ab12\n" +
	"1.1-java rack:>= 2.0&< 4,zlib:>= 0|ruby:>= 3.0&< 3.4.dev,created_at:2026-10-01T08:00:00Z,checksum:ab12,new:x\n" +
	"1.18.9-78be552b |checksum:ab12,platform:= x86_64-linux-musl\n1.2 |created_at:soon\n" +
	"../1.3 |checksum:ab12\n\n1.4\x1b |checksum:ab12\n"

func TestEntriesAreTheHarmlessLines(t *testing.T) {
	var got []string
	for _, l := range Entries([]byte(infoLines)) {
		got = append(got, fmt.Sprint(l.ID, " ", l.SHA256, " ", l.Created.Unix() > 0))
		if !strings.Contains(infoLines, string(l.Raw)) || !strings.HasPrefix(string(l.Raw), l.ID) {
			t.Errorf("the raw line of %s is %q", l.ID, l.Raw)
		}
	}
	want := []string{"1.0 ab12 false", "1.1-java ab12 true", "1.18.9-78be552b ab12 false", "1.2  false"}
	if !slices.Equal(got, want) {
		t.Errorf("the entries are %q, want %q", got, want)
	}
}

func TestTimesOfPublishing(t *testing.T) {
	got, want := CreatedTimes([]byte(infoLines))["1.1-java"], time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)
	if !got.Equal(want) {
		t.Errorf("1.1-java was published at %v, want %v", got, want)
	}
}

func TestTuplesAreWhatIsNotYankedLast(t *testing.T) {
	list := "created_at: 2026-01-01T00:00:00Z\n---\nb 1.0,1.10,1.9 00\na 1.0-java 00\nb -1.9 00\nb 2.0.rc1 00\n" +
		"b -1.0 00\nb 1.0 00\nc 1 00\nc -1 00\nbroken\n"
	var got []string
	Tuples([]byte(list), func(x gemspec.Tuple) { got = append(got, x.Name+" "+x.Number+" "+x.Platform) })
	want := []string{"b 2.0.rc1 ruby", "b 1.10 ruby", "b 1.0 ruby", "a 1.0 java"}
	if !slices.Equal(got, want) {
		t.Errorf("the list has %q, want %q", got, want)
	}
}

const listHead = "created_at: 2026-01-01T00:00:00Z\n---\n"

func TestFilteredListGrowsAsTheWhole(t *testing.T) {
	whole := listHead + string(VersionsLine("open", "1.0", "00")) + string(VersionsLine("secret", "1.0", "00"))
	open := func(name string) (bool, error) { return name != "secret", nil }
	part := listHead + "open 1.0 00\n"
	for _, c := range []struct{ more, want string }{
		{"", part}, {"secret 2.0 00\nopen -1.0 00\n", part + "open -1.0 00\n"},
	} {
		got, err := Filtered([]byte(whole+c.more), open)
		if err != nil || string(got) != c.want {
			t.Errorf("filtered with %q more: %q, %v; want %q", c.more, got, err, c.want)
		}
	}
	unknown := errors.New("no answer")
	_, err := Filtered([]byte(whole), func(string) (bool, error) { return false, unknown })
	if !errors.Is(err, unknown) {
		t.Errorf("when no right can be asked: %v, want %v", err, unknown)
	}
}
