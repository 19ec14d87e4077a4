package version

// The order of versions, compared with that of Maven's resolver.

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOrderIsThatOfMaven is the chain that mvn's own resolver gives.
func TestOrderIsThatOfMaven(t *testing.T) {
	chain := [][]string{
		{"1.0-min"}, {"1.0-alpha-1", "1.0a1", "1.0-ALPHA-1"}, {"1.0-beta"}, {"1.0-M1", "1.0-milestone-1"}, {"1.0-rc1"},
		{"1.0-cr2", "1.0-rc2"}, {"1.0-SNAPSHOT"},
		{"1.0", "1", "1.0.0", "1.0-ga", "1.0.RELEASE", "1.0.Final", "01.0", "1-0", "1_0"}, {"1.0-sp"}, {"1.0-android"},
		{"1.0-dev"}, {"1.0-foo"}, {"1.0-jre"}, {"1.0.x"},
		{"1.0.1", "1.0-1", "1.0_1", "1.0.01"}, {"1.0-max"}, {"1.9"}, {"1.10"}, {"1.12345678901234567890"}, {"2.0-SNAPSHOT"},
		{"2.0-20261121.093001-2"},
	}
	for i, left := range chain {
		for j, right := range chain {
			for _, a := range left {
				for _, b := range right {
					if got := compareItems(parseVersion(a), parseVersion(b)); cmp.Compare(got, 0) != cmp.Compare(i, j) {
						t.Errorf("%s and %s: %d, want %d", a, b, got, cmp.Compare(i, j))
					}
				}
			}
		}
	}
	// Letters stand for words only directly before a digit, min and max only at the end.
	for _, c := range [][2]string{
		{"1.0-a", "1.0-b"}, {"1.0", "1.0-a"}, {"1.0-a-1", "1.0-b-1"}, {"1.0", "1.0-min-x"}, {"1.0-sp", "1.0-a"},
		{"1-snapshot-1", "1"},
	} {
		if Compare(c[0], c[1]) >= 0 {
			t.Errorf("%s is not below %s", c[0], c[1])
		}
	}
}

// TestSortDoesNotDependOnTheStart: whatever the order at the start, the same list comes out.
func TestSortDoesNotDependOnTheStart(t *testing.T) {
	want := []string{"1.0-alpha-1", "1.0-SNAPSHOT", "1", "1.0", "1.0.0", "1.0.1", "1.9", "1.10", "2.0-SNAPSHOT", "", "x"}
	Sort(want)
	for range 100 {
		got := slices.Clone(want)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		if Sort(got); !slices.Equal(got, want) {
			t.Fatalf("%q", got)
		}
	}
}
