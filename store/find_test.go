package store

// This file tests searches of a large index: bounded in steps, and the same each time.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/budget"
)

// crowd is a store with n listed gems that all have the words gem, ruby and tool.
func crowd(t testing.TB, n int) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r := NewRepo[struct{}](s, RubyGems)
	for from := 0; from < n; from += 500 {
		err := s.Update(context.Background(), func(tx *Tx) error {
			for i := from; i < min(from+500, n); i++ {
				name := fmt.Sprintf("gem-%05d", i)
				l := &Listing{
					Words: map[string]int{"gem": 20, "ruby": 2, "tool": 2, name: 60}, Marks: []string{"all"}, Data: []byte("{}"),
				}
				if i%1000 == 0 {
					l.Words["rare"], l.Marks = 2, append(l.Marks, "few")
				}
				if err := r.In(tx, name, func(p *PackageTx[struct{}]) error { return p.SetListing(l) }); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestSearchesLookAtABoundedPart: in a registry four times as large as a search may look at, whatever is asked for.
func TestSearchesLookAtABoundedPart(t *testing.T) {
	const n = 4 * MaxMatches
	s := crowd(t, n)
	many := strings.Fields(strings.Repeat("gem ruby tool g r t ge ru to ", 20))
	for _, c := range []struct {
		what string
		q    Query
		want int // matches; -1: any
	}{
		{"everything", Query{}, MaxMatches},
		{"a word that all have", Query{Words: []string{"gem"}}, MaxMatches},
		{"the beginning of all words", Query{Words: []string{"g"}}, MaxMatches},
		{"an empty word", Query{Words: []string{""}}, -1},
		{"words that all have", Query{Words: []string{"gem", "ruby", "tool"}}, -1},
		{"very many words", Query{Words: many, Marks: many, Without: many}, -1},
		{"a mark that all have", Query{Marks: []string{"all"}}, MaxMatches},
		{"all but all", Query{Words: []string{"gem"}, Without: []string{"all", "all", "all", "all", "all"}}, 0},
		{"a rare word and a common one", Query{Words: []string{"gem", "rare"}}, n / 1000},
		{"a common word and a rare mark", Query{Words: []string{"t"}, Marks: []string{"all", "few"}}, n / 1000},
		{
			"a common word without a rare mark", Query{Words: []string{"gem"}, Without: []string{"few"}},
			MaxMatches - MaxMatches/1000,
		},
		{"one name", Query{Words: []string{"gem-19999"}}, 1},
	} {
		var f finder
		var got []Match
		err := s.View(t.Context(), func(tx *Tx) (err error) {
			f = finder{ctx: t.Context(), tx: tx, kind: RubyGems}
			got, err = f.find(c.q)
			return err
		})
		if err != nil || c.want >= 0 && len(got) != c.want || len(got) > MaxMatches {
			t.Errorf("%s: %d matches, %v; want %d", c.what, len(got), err, c.want)
		}
		if f.steps > maxRows+maxLooks+maxWithout*MaxMatches || f.reads > maxReads {
			t.Errorf("%s: %d rows and %d listings were read", c.what, f.steps, f.reads)
		}
		again, err := s.Search(t.Context(), RubyGems, c.q)
		if err != nil || !slices.Equal(again, got) {
			t.Errorf("%s: asked again, the answer is another one: pages would not fit together (%v)", c.what, err)
		}
	}
}

// TestTheNameThatIsTheWordIsFound: however many others have the word too.
func TestTheNameThatIsTheWordIsFound(t *testing.T) {
	s := crowd(t, 4*MaxMatches)
	r := NewRepo[struct{}](s, RubyGems)
	l := &Listing{Words: map[string]int{"tool": 60}, Data: []byte("{}")}
	if err := r.Update(t.Context(), "tool", func(p *PackageTx[struct{}]) error { return p.SetListing(l) }); err != nil {
		t.Fatal(err)
	}
	got, err := s.Search(t.Context(), RubyGems, Query{Words: []string{"tool"}})
	if err != nil || len(got) == 0 || got[0].Name != "tool" {
		t.Errorf("the gem called tool is not the first of %d matches (%v)", len(got), err)
	}
}

func TestSearchEndsWhenTheClientLeaves(t *testing.T) {
	s := crowd(t, 2*checkEvery)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.View(t.Context(), func(tx *Tx) error {
		cancel()
		f := finder{ctx: ctx, tx: tx, kind: RubyGems}
		_, err := f.find(Query{Words: []string{"gem"}})
		if f.steps > checkEvery {
			t.Errorf("%d rows were read for a client that has left, want at most %d", f.steps, checkEvery)
		}
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// TestFewSearchesRunAtOnce: the others wait, and one that waits too long is told to come again.
func TestFewSearchesRunAtOnce(t *testing.T) {
	s := crowd(t, 1)
	usual := s.heavy
	s.heavy = budget.NewPool(1, 10*time.Millisecond, "busy")
	err := s.Heavy(t.Context(), func() error {
		_, err := s.Search(t.Context(), RubyGems, Query{})
		return err
	})
	var busy *budget.Busy
	if !errors.As(err, &busy) || busy.After <= 0 {
		t.Errorf("a second search beside the only one that may run: %v, want a Busy", err)
	}
	s.heavy = usual
	if got, err := s.Search(t.Context(), RubyGems, Query{}); err != nil || len(got) != 1 {
		t.Errorf("after it: %v %v", got, err)
	}
}

// TestMarksThatMustBeAbsent: at most four count, and a package that can no longer be looked up counts as having one:
// what must be absent is never found.
func TestMarksThatMustBeAbsent(t *testing.T) {
	s := crowd(t, 2*MaxMatches)
	got, err := s.Search(t.Context(), RubyGems, Query{Words: []string{"gem"}, Without: []string{"few"}})
	if err != nil || len(got) == 0 {
		t.Fatalf("%d matches, %v", len(got), err)
	}
	err = s.View(t.Context(), func(tx *Tx) error {
		for _, m := range got {
			if tx.kindIndex(RubyGems, searchMarks).Get(key("few", m.Name)) != nil {
				t.Errorf("%s has the mark and was found", m.Name)
			}
		}
		f := finder{ctx: t.Context(), tx: tx, kind: RubyGems, looks: maxLooks}
		scores := map[string]int{"gem-00001": 1, "gem-00002": 1}
		if err := f.drop(scores, []string{"all"}); err != nil {
			return err
		}
		if len(scores) != 0 {
			t.Errorf("%d packages that cannot be looked up are left", len(scores))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
