package search

import (
	"slices"
	"testing"

	"larder/store"
)

func TestParse(t *testing.T) {
	q := Parse("Left-Pad foo@bar scope:@acme keywords:cli,-old author:Ada not:unstable boost-exact:false @sc/")
	want := store.Query{Words: []string{"left-pad", "foo", "bar"}, Marks: []string{"scope:acme", "keyword:cli", "author:ada", "scope:sc"}, Without: []string{"keyword:old", markUnstable}}
	if !slices.Equal(q.Words, want.Words) || !slices.Equal(q.Marks, want.Marks) || !slices.Equal(q.Without, want.Without) {
		t.Errorf("%+v", q)
	}
	if q := Parse("@sc/demo"); !slices.Equal(q.Words, []string{"@sc/demo"}) {
		t.Errorf("%+v", q)
	}
}
