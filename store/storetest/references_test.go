package storetest

// This file tests that digests are found wherever a record has them.

import (
	"slices"
	"strings"
	"testing"
)

// TestReferencesOfRecords: the check sees digests wherever a record has them, but for addresses.
func TestReferencesOfRecords(t *testing.T) {
	a, b := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	for record, want := range map[string][]string{
		`{"url":"https://r.example.com/v2/x/referrers/` + a + `","ref":"v2/x/blobs/` + a + `"}`: nil,
		`{"url":"https://r.example.com/` + a + `","digest":"` + b + `"}`:                        {b},
		`{"layers":[{"digest":"` + a + `"}],"` + b + `":1}`:                                     {a, b},
		`{"manifest":{"url":"` + a + `"}}`:                                                      {a},
		`"` + a + `"`:                                                                           {a},
		`{}`:                                                                                    nil,
		``:                                                                                      nil,
	} {
		got := references([]byte(record))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s refers to %q, want %q", record, got, want)
		}
	}
}
