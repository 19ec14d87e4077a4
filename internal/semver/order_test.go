package semver

// This file orders texts of versions.

import (
	"slices"
	"testing"
)

func TestOrderIsThatOfVersions(t *testing.T) {
	compare, isPre := Order(Parse)
	list := []string{"1.10.0", "1.0.0", "1.0.0-rc.1", "0.9.0", "1.9.0"}
	slices.SortFunc(list, compare)
	if want := []string{"0.9.0", "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0"}; !slices.Equal(list, want) {
		t.Errorf("got %v, want %v", list, want)
	}
	for text, want := range map[string]bool{"1.0.0": false, "1.0.0-rc.1": true, "none": true} {
		if got := isPre(text); got != want {
			t.Errorf("%s is a pre-release: %t, want %t", text, got, want)
		}
	}
}
