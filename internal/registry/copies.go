package registry

// Searches and lists: of what is published here, and of what is kept of upstreams.

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"larder/store"
	"larder/upstream"
)

// Found is a package that a search or list finds: one that is published here, or a copy.
type Found struct {
	store.Match
	copy *upstream.CopyMatch
}

// Shown is a package that was found, with what lists show of it.
type Shown struct {
	Name  string
	Score int
	Data  json.RawMessage // of its listing
	Copy  *upstream.Copy  // nil for one that is published here
}

// Find returns the packages that q selects and the client may read, best first; see store.Search. A package that is
// published here hides a copy of the same name.
func (g *Registry[M]) Find(ctx context.Context, q store.Query) ([]Found, error) {
	view := g.View(ctx)
	own, err := g.Store.Search(ctx, g.about.Kind, q)
	if err != nil {
		return nil, err
	}
	copies, err := g.Up.FindCopies(ctx, q)
	if err != nil {
		return nil, err
	}
	found := join(own, copies, func(a, b store.Match) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Name, b.Name))
	})
	found = found[:min(len(found), store.MaxMatches)]
	return Visible(view, found, Found.Right)
}

// join puts what is published here and copies into one order; of two with one name the former stays.
func join(own []store.Match, copies []upstream.CopyMatch, compare func(a, b store.Match) int) []Found {
	found, names := make([]Found, 0, len(own)+len(copies)), map[string]bool{}
	for _, m := range own {
		found = append(found, Found{Match: m})
		if len(copies) > 0 {
			names[m.Name] = true
		}
	}
	for i, c := range copies {
		if !names[c.Name] {
			found = append(found, Found{Match: c.Match, copy: &copies[i]})
		}
	}
	if len(copies) > 0 {
		slices.SortFunc(found, func(a, b Found) int { return compare(a.Match, b.Match) })
	}
	return found
}

// Describe says what lists show of packages, in their order. Those that are gone meanwhile are left out, and copies
// whose versions are all held back.
func (g *Registry[M]) Describe(ctx context.Context, found []Found) ([]Shown, error) {
	var names []string
	var matches []upstream.CopyMatch
	for _, f := range found {
		if f.copy == nil {
			names = append(names, f.Name)
		} else {
			matches = append(matches, *f.copy)
		}
	}
	listings, err := g.Store.Listings(ctx, g.about.Kind, names)
	if err != nil {
		return nil, err
	}
	copies, err := g.Up.DescribeCopies(ctx, matches)
	if err != nil {
		return nil, err
	}
	out := make([]Shown, 0, len(found))
	for _, f := range found {
		d := Shown{Name: f.Name, Score: f.Score}
		if f.copy == nil {
			d.Data, listings = listings[0], listings[1:]
		} else if len(copies) > 0 && copies[0].Name == f.Name {
			d.Copy, copies = &copies[0], copies[1:]
			d.Data = json.RawMessage("{}")
			if listing := g.about.Upstream.Listing; listing != nil {
				d.Data = listing(*d.Copy).Data
			}
		}
		if d.Data != nil {
			out = append(out, d)
		}
	}
	return out, nil
}

// Listed returns up to limit packages that searches find, in the order of their names after after, whose names begin
// with prefix. Whether the client may read them is not asked.
func (g *Registry[M]) Listed(ctx context.Context, prefix, after string, limit int) ([]Found, error) {
	names, err := g.Store.Listed(ctx, g.about.Kind, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	own := make([]store.Match, len(names))
	for i, name := range names {
		own[i].Name = name
	}
	return g.WithCopies(ctx, own, prefix, after, limit)
}

// WithCopies adds copies to packages that are published here: own are the first limit of those after after whose names
// begin with prefix, and so are the packages that are returned.
func (g *Registry[M]) WithCopies(
	ctx context.Context, own []store.Match, prefix, after string, limit int,
) ([]Found, error) {
	copies, err := g.Up.Copies(ctx, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	found := join(own, copies, func(a, b store.Match) int { return strings.Compare(a.Name, b.Name) })
	return found[:min(len(found), limit)], nil
}

// Right is the name that the right to read the package is about.
func (f Found) Right() string {
	if f.copy != nil {
		return f.copy.Right
	}
	return f.Name
}

// IsCopy reports whether the package is one of which only copies are here.
func (f Found) IsCopy() bool { return f.copy != nil }
