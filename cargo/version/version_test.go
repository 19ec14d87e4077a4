package version

// Tests of versions: which cargo reads, and which it takes for one another.

import (
	"strings"
	"testing"

	"larder/internal/problem"
)

func TestCheckedVersions(t *testing.T) {
	for s, want := range map[string]bool{
		"1.2.3": true, "1.0.0-rc.1": true, "1.0.0+b.5": true, "0.0.0": true, "1.0.0-" + strings.Repeat("a", 144): true,
		"": false, "1": false, "1.0": false, "01.0.0": false, "v1.0.0": false, "1.0.0-01": false,
		"1.0.0-" + strings.Repeat("a", 145): false,
	} {
		err := Check(s)
		if (err == nil) != want || Valid(s) != want {
			t.Errorf("%.40q: got %v, want valid %t", s, err, want)
		}
		if err != nil && problem.Status(err) != 400 {
			t.Errorf("%.40q: got status %d, want 400", s, problem.Status(err))
		}
	}
}

func TestSeriesAndID(t *testing.T) {
	for _, c := range []struct{ version, series, id string }{
		{"1.2.3", "1", "1.2.3"}, {"0.2.3", "0.2", "0.2.3"}, {"0.0.3", "0.0.3", "0.0.3"},
		{"1.2.3-rc.1+b", "1", "1.2.3-rc.1"}, {"latest", "latest", "latest"},
	} {
		if got := Series(c.version); got != c.series {
			t.Errorf("the series of %s: got %s, want %s", c.version, got, c.series)
		}
		if got := ID(c.version); got != c.id {
			t.Errorf("the ID of %s: got %s, want %s", c.version, got, c.id)
		}
	}
}

func TestCheckRust(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "1": true, "1.70": true, "1.70.0": true,
		"^1.70": false, "1.70.0-nightly": false, "1.70.0+b": false, "1.*": false, "stable": false,
	} {
		if err := CheckRust(s); (err == nil) != want {
			t.Errorf("%q: got %v, want accepted %t", s, err, want)
		}
	}
}
