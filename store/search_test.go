package store_test

// This file tests searches by words and marks, and the index that follows changes.

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

// list makes a package and what it is found by; nil takes the listing away.
func list(t *testing.T, s *store.Store, k store.Kind, name string, l *store.Listing) {
	t.Helper()
	err := store.NewRepo[struct{}](s, k).Update(context.Background(), name, func(tx *store.PackageTx[struct{}]) error {
		if err := tx.SetPackage(func(*store.Package) {}); err != nil {
			return err
		}
		return tx.SetListing(l)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func found(t *testing.T, s *store.Store, q store.Query) string {
	t.Helper()
	all, err := s.Search(context.Background(), store.NPM, q)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range all {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

func TestSearchFindsByWordsAndMarks(t *testing.T) {
	s := storetest.New(t)
	list(t, s, store.NPM, "pad", &store.Listing{
		Words: map[string]int{"pad": 60}, Marks: []string{"scope:x"}, Data: json.RawMessage(`{"v":1}`),
	})
	list(t, s, store.NPM, "left-pad", &store.Listing{
		Words: map[string]int{"left-pad": 60, "left": 20, "pad": 20},
		Marks: []string{"scope:x", "old"}, Data: json.RawMessage(`2`),
	})
	list(t, s, store.NPM, "padding", &store.Listing{Words: map[string]int{"padding": 60}, Data: json.RawMessage(`3`)})
	list(t, s, store.Cargo, "pad", &store.Listing{Words: map[string]int{"pad": 60}, Data: json.RawMessage(`4`)})
	for _, c := range []struct {
		q    store.Query
		want string
	}{
		{store.Query{Words: []string{"pad"}}, "pad left-pad padding"},
		{store.Query{Words: []string{"padd"}}, "padding"},
		{store.Query{Words: []string{"pad", "left"}}, "left-pad"},
		{store.Query{Words: []string{"pad"}, Marks: []string{"scope:x"}}, "pad left-pad"},
		{store.Query{Words: []string{"pad"}, Without: []string{"old"}}, "pad padding"},
		{store.Query{Marks: []string{"scope"}}, ""},
		{store.Query{Marks: []string{"old"}}, "left-pad"},
		{store.Query{Words: []string{"nothing"}}, ""},
		{store.Query{}, "left-pad pad padding"},
	} {
		if got := found(t, s, c.q); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
	data, err := s.Listings(context.Background(), store.NPM, []string{"pad", "absent"})
	if err != nil || string(data[0]) != `{"v":1}` || data[1] != nil {
		t.Errorf("Listings of pad and absent: %q, %v; want {\"v\":1} and nothing", data, err)
	}
	// A listing is replaced as a whole.
	list(t, s, store.NPM, "left-pad", &store.Listing{Words: map[string]int{"other": 1}, Data: json.RawMessage(`5`)})
	byWord, byMark := found(t, s, store.Query{Words: []string{"left"}}), found(t, s, store.Query{Marks: []string{"old"}})
	if got := byWord + byMark; got != "" {
		t.Errorf("by its old word and mark %q is found, want nothing", got)
	}
	list(t, s, store.NPM, "left-pad", nil)
	if got := found(t, s, store.Query{}); got != "pad padding" {
		t.Errorf("without its listing the search finds %q, want pad and padding", got)
	}
	repo := store.NewRepo[struct{}](s, store.NPM)
	err = repo.Update(context.Background(), "pad", func(tx *store.PackageTx[struct{}]) error { return tx.DeletePackage() })
	if got := found(t, s, store.Query{Words: []string{"pad"}}); err != nil || got != "padding" {
		t.Errorf("after the deletion of pad the search finds %q, %v; want padding", got, err)
	}
}

// TestNoDescriptionFillsTheIndex: no description fills the index, and names that begin alike do not mix.
func TestNoDescriptionFillsTheIndex(t *testing.T) {
	s := storetest.New(t)
	words := map[string]int{"": 9, strings.Repeat("x", 65): 9, "a\x00b": 9, "keep": 1000}
	for i := range 500 {
		words[fmt.Sprintf("w%03d", i)] = 1
	}
	list(t, s, store.NPM, "demo", &store.Listing{Words: words, Marks: []string{"m", "m", ""}, Data: json.RawMessage(`1`)})
	repo := store.NewRepo[struct{}](s, store.NPM)
	err := repo.View(context.Background(), "demo", func(tx *store.PackageTx[struct{}]) error {
		l, err := tx.Listing()
		if len(l.Words) != 200 || l.Words["keep"] != 255 || len(l.Marks) != 1 {
			t.Errorf("%d words, %d marks, keep %d", len(l.Words), len(l.Marks), l.Words["keep"])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOwnersAreKeptWithThePackage are kept with the package and go with it.
func TestOwnersAreKeptWithThePackage(t *testing.T) {
	s := storetest.New(t)
	repo := store.NewRepo[struct{}](s, store.Cargo)
	step := func(fn func(*store.PackageTx[struct{}]) error) {
		t.Helper()
		if err := repo.Update(context.Background(), "demo", fn); err != nil {
			t.Fatal(err)
		}
	}
	step(func(tx *store.PackageTx[struct{}]) error {
		return tx.SetPackage(func(p *store.Package) { p.Owners = []string{"ada"} })
	})
	step(func(tx *store.PackageTx[struct{}]) error {
		return tx.SetPackage(func(p *store.Package) { p.Owners = append(p.Owners, "bob"); p.Private = true })
	})
	step(func(tx *store.PackageTx[struct{}]) error {
		if p, err := tx.Package(); err != nil || fmt.Sprint(p.Owners) != "[ada bob]" || !p.Private {
			t.Errorf("the package is %+v, %v; want it private, owned by ada and bob", p, err)
		}
		return tx.DeletePackage()
	})
	step(func(tx *store.PackageTx[struct{}]) error {
		return tx.SetPackage(func(p *store.Package) {
			if len(p.Owners) != 0 || p.Private {
				t.Errorf("the package that was deleted comes back as %+v, want no owners and not private", p)
			}
		})
	})
}

// TestListedNames come in their order, in pages, by their beginnings, and for one kind only.
func TestListedNames(t *testing.T) {
	s := storetest.New(t)
	for _, name := range []string{"b", "a", "a-b", "c", "ab"} {
		list(t, s, store.NPM, name, &store.Listing{Words: map[string]int{"x": 1}})
	}
	list(t, s, store.Cargo, "a-crate", &store.Listing{Words: map[string]int{"x": 1}})
	list(t, s, store.NPM, "unlisted", nil)
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          string
	}{
		{"", "", 10, "a a-b ab b c"},
		{"", "", 2, "a a-b"},
		{"", "a-b", 2, "ab b"},
		{"", "c", 2, ""},
		{"a", "", 10, "a a-b ab"},
		{"a", "a-b", 10, "ab"},
		{"z", "", 10, ""},
	} {
		got, err := s.Listed(context.Background(), store.NPM, c.prefix, c.after, c.limit)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("Listed(%q, after %q, %d) = %q, %v; want %q", c.prefix, c.after, c.limit, got, err, c.want)
		}
	}
}

// TestListingKeepsTheHeaviestWords when there are too many, and of marks the first ones that are short enough, once.
func TestListingKeepsTheHeaviestWords(t *testing.T) {
	s := storetest.New(t)
	words := map[string]int{"light": -5}
	for i := range 300 {
		words[fmt.Sprintf("word%03d", i)] = 1 + i/150
	}
	marks := []string{"twice", "twice", strings.Repeat("m", 257), strings.Repeat("m", 256)}
	for i := range 300 {
		marks = append(marks, fmt.Sprint("mark", i))
	}
	list(t, s, store.NPM, "a", &store.Listing{Words: words, Marks: marks})
	var got store.Listing
	repo := store.NewRepo[struct{}](s, store.NPM)
	err := repo.View(context.Background(), "a", func(tx *store.PackageTx[struct{}]) (err error) {
		got, err = tx.Listing()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := 150; i < 300; i++ {
		if got.Words[fmt.Sprintf("word%03d", i)] != 2 {
			t.Fatalf("word%03d, one of the 150 heaviest, is not kept", i)
		}
	}
	if _, kept := got.Words["light"]; kept {
		t.Error("the word with the least weight was kept")
	}
	if len(got.Marks) != 200 || got.Marks[0] != "twice" || got.Marks[1] != strings.Repeat("m", 256) {
		t.Errorf("%d marks, the first %.20q; want 200, twice once, and the mark of 256 bytes", len(got.Marks), got.Marks[:2])
	}
}
