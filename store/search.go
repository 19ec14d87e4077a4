package store

// This file keeps the index of what packages are found by.

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Listing is what a package is found by. Words are found by their beginnings, marks as a whole.
type Listing struct {
	Words map[string]int  `json:"words,omitempty"` // lower-case word → weight, 1 to 255
	Marks []string        `json:"marks,omitempty"` // exact properties, such as "keyword:cli"
	Data  json.RawMessage `json:"data"`            // the protocol's own summary, returned with a hit
}

// markDepends precedes the name of a package that the listed one depends on.
const markDepends = "dep:"

// Depends makes the package one of those that depend on each of the names, which DependsOn selects.
func (l *Listing) Depends(names ...string) {
	for _, name := range names {
		if mark := markDepends + name; !slices.Contains(l.Marks, mark) {
			l.Marks = append(l.Marks, mark)
		}
	}
}

// DependsOn selects the packages whose listed version depends on a package.
func DependsOn(name string) Query { return Query{Marks: []string{markDepends + name}} }

// The tables of the search index below a kind; words and marks are inverted: word 0x00 package → weight.
const (
	searchListings = "search"
	searchWords    = "search.words"
	searchMarks    = "search.marks"
)

// Limits of one listing, so that no package's description fills the index.
const (
	maxListingWords = 200
	maxWord         = 64
)

// SetListing replaces what the package is found by; nil removes it from the index. Its cost depends on the listing
// alone.
func (p *pkg) SetListing(l *Listing) error {
	listings := p.KindIndex(searchListings)
	old, err := p.Listing()
	if err != nil {
		return err
	}
	if l == nil {
		if err := p.index(old, Listing{}); err != nil {
			return err
		}
		return listings.Delete([]byte(p.name))
	}
	bounded := l.bounded()
	if err := p.index(old, bounded); err != nil {
		return err
	}
	b, err := encode(bounded)
	if err != nil {
		return err
	}
	return listings.Put([]byte(p.name), b)
}

// Listing is what the package is found by now; the zero Listing when it is not listed.
func (p *pkg) Listing() (l Listing, err error) {
	if b := p.KindIndex(searchListings).Get([]byte(p.name)); b != nil {
		if err := decode(b, &l); err != nil {
			return l, fmt.Errorf("%s %s: listing: %w", p.kind, p.name, err)
		}
	}
	return l, nil
}

// bounded drops what is too long, and of too many words those with the least weight.
func (l Listing) bounded() Listing {
	words := make([]string, 0, len(l.Words))
	for w := range l.Words {
		if w != "" && len(w) <= maxWord && !strings.Contains(w, "\x00") {
			words = append(words, w)
		}
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(l.Words[b], l.Words[a]), cmp.Compare(a, b)) })
	out := Listing{Words: map[string]int{}, Data: l.Data}
	for _, w := range words[:min(len(words), maxListingWords)] {
		out.Words[w] = min(max(l.Words[w], 1), 255)
	}
	for _, m := range l.Marks {
		ok := m != "" && len(m) <= 4*maxWord && !strings.Contains(m, "\x00")
		if ok && len(out.Marks) < maxListingWords && !slices.Contains(out.Marks, m) {
			out.Marks = append(out.Marks, m)
		}
	}
	return out
}

// index moves the inverted rows from one listing to another.
func (p *pkg) index(old, now Listing) error {
	words, marks := p.KindIndex(searchWords), p.KindIndex(searchMarks)
	for w := range old.Words {
		if _, stays := now.Words[w]; !stays {
			if err := words.Delete(key(w, p.name)); err != nil {
				return err
			}
		}
	}
	for w, weight := range now.Words {
		if old.Words[w] != weight {
			if err := words.Put(key(w, p.name), []byte{byte(weight)}); err != nil {
				return err
			}
		}
	}
	for _, m := range old.Marks {
		if !slices.Contains(now.Marks, m) {
			if err := marks.Delete(key(m, p.name)); err != nil {
				return err
			}
		}
	}
	for _, m := range now.Marks {
		if !slices.Contains(old.Marks, m) {
			if err := marks.Put(key(m, p.name), []byte{1}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Query selects packages that match all of its words and marks and none of Without.
type Query struct {
	Words   []string // lower case; beginnings of words
	Marks   []string
	Without []string // marks
}

// Match is a package that a query selects. Score is the sum over the words of weight times how much of the word was
// given: whole words count four times, beginnings once to three times.
type Match struct {
	Name  string
	Score int
}

// Listings returns the summaries of packages as SetListing got them; nil for one that is not listed.
func (s *Store) Listings(ctx context.Context, k Kind, names []string) (out []json.RawMessage, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		listings := tx.kindIndex(k, searchListings)
		for _, name := range names {
			var l Listing
			if b := listings.Get([]byte(name)); b != nil {
				if err := decode(b, &l); err != nil {
					return fmt.Errorf("%s %s: listing: %w", k, name, err)
				}
			}
			out = append(out, l.Data)
		}
		return nil
	})
	return out, err
}
