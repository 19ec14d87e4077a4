package catalog

// Searches over all kinds, lists of one, and what lists show of a package.

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"larder/internal/describe"
	"larder/store"
)

const (
	// Days is for how many days the pulls of rows are counted.
	Days = 90
	// maxSorted is the most packages of a kind that are put into another order than that of their names, and of which a
	// filter looks at every name: 30 ms.
	maxSorted = 5000
)

// The orders of lists.
const (
	ByName    = "name"
	ByUpdated = "updated"
	BySize    = "size"
	ByPulls   = "pulls"
)

// Match is a package that was found.
type Match struct {
	Kind *Kind
	describe.Match
}

// Find returns what a text finds of an origin in the kind, in all kinds for "", best first.
func (c *Catalog) Find(
	ctx context.Context, kind store.Kind, from describe.Origin, text string,
) (found []Match, err error) {
	for i := range c.all {
		k := &c.all[i]
		if k.Describe == nil || kind != "" && kind != k.Kind {
			continue
		}
		list, err := k.Describe.Find(ctx, text)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			if from.Takes(m.Copy) {
				found = append(found, Match{k, m})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Name, b.Name))
	})
	return found, nil
}

// Row is a package in a list.
type Row struct {
	Kind store.Kind `json:"kind"`
	describe.Package
	// Pulls are those of the last Days days.
	Pulls int64 `json:"pulls"`
}

// isGone reports whether a package is on no list: it is not here any more, or a rule blocks it.
func isGone(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDenied)
}

// Rows are what lists show of packages. Those that are gone meanwhile are left out.
func (c *Catalog) Rows(ctx context.Context, list []Match) (out []Row, err error) {
	for _, m := range list {
		one, err := m.Kind.Describe.Package(ctx, m.Name, false)
		if isGone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		pulls, err := c.store.PackagePulls(ctx, m.Kind.Kind, []string{m.Name})
		if err != nil {
			return nil, err
		}
		out = append(out, Row{m.Kind.Kind, one, pulls[0].Since(Days, c.now())})
	}
	return out, nil
}

// Listed are matches of packages, in their order.
func (k *Kind) Listed(list []describe.Package) []Match {
	out := make([]Match, len(list))
	for i, one := range list {
		out[i] = Match{k, describe.Match{Name: one.Name}}
	}
	return out
}

// Sorts reports whether the packages of a kind can be listed in other orders than that of their names: there are few.
func (c *Catalog) Sorts(ctx context.Context, k *Kind) (bool, error) {
	stats, err := c.store.Stats(ctx)
	return stats.Kinds[k.Kind].Packages+stats.Kinds[k.Kind.Copies()].Packages <= maxSorted, err
}

// Ordered are the packages of a kind and an origin whose names have text in them, in an order. Of a kind with many
// packages these are the ones that a search finds, in the order of their names, with nothing but their names.
func (c *Catalog) Ordered(
	ctx context.Context, k *Kind, from describe.Origin, text, by string,
) (list []describe.Package, err error) {
	sorts, err := c.Sorts(ctx, k)
	if err != nil {
		return nil, err
	}
	if !sorts {
		return k.found(ctx, from, text)
	}
	err = c.store.Heavy(ctx, func() error {
		list, err = k.all(ctx, from, strings.ToLower(text))
		if err == nil {
			err = c.sort(ctx, k, list, by)
		}
		return err
	})
	return list, err
}

// all are the packages whose names have text in them.
func (k *Kind) all(ctx context.Context, from describe.Origin, text string) (out []describe.Package, err error) {
	looked := 0
	for after := ""; looked <= maxSorted; {
		list, more, err := k.Describe.List(ctx, from, after, 500)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			if looked++; strings.Contains(strings.ToLower(one.Name), text) {
				out = append(out, one)
			}
		}
		if !more {
			break
		}
		after = list[len(list)-1].Name
	}
	return out, nil
}

// found are the packages that a search finds and whose names have text in them.
func (k *Kind) found(
	ctx context.Context, from describe.Origin, text string,
) (out []describe.Package, err error) {
	text = strings.ToLower(strings.TrimSpace(text))
	list, err := k.Describe.Find(ctx, text)
	for _, m := range list {
		if from.Takes(m.Copy) && strings.Contains(strings.ToLower(m.Name), text) {
			out = append(out, describe.Package{Name: m.Name})
		}
	}
	slices.SortFunc(out, func(a, b describe.Package) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

func (c *Catalog) sort(ctx context.Context, k *Kind, list []describe.Package, by string) error {
	switch by {
	case ByUpdated:
		slices.SortStableFunc(list, func(a, b describe.Package) int { return b.Updated.Compare(a.Updated) })
	case BySize:
		slices.SortStableFunc(list, func(a, b describe.Package) int { return cmp.Compare(b.Bytes, a.Bytes) })
	case ByPulls:
		names := make([]string, len(list))
		for i, one := range list {
			names[i] = one.Name
		}
		pulls, err := c.store.PackagePulls(ctx, k.Kind, names)
		if err != nil {
			return err
		}
		now, count := c.now(), map[string]int64{}
		for i, p := range pulls {
			count[names[i]] = p.Since(Days, now)
		}
		slices.SortStableFunc(list, func(a, b describe.Package) int { return cmp.Compare(count[b.Name], count[a.Name]) })
	}
	return nil
}

// Dependency is a package that a version needs, and whether it is here.
type Dependency struct {
	describe.Dependency
	Here bool `json:"here"`
}

// Dependencies looks which of them are published here and seen by the client.
func (c *Catalog) Dependencies(
	ctx context.Context, k *Kind, list []describe.Dependency,
) (out []Dependency, err error) {
	repo := store.NewRepo[struct{}](c.store, k.Kind)
	for _, d := range list {
		one := Dependency{Dependency: d}
		if d.Package != "" {
			if one.Here, err = k.isHere(ctx, repo, d.Package); err != nil {
				return nil, err
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// isHere asks for the right before it looks.
func (k *Kind) isHere(ctx context.Context, repo *store.Repo[struct{}], name string) (bool, error) {
	sees, err := k.Describe.Sees(ctx, name)
	if err != nil || !sees {
		return false, err
	}
	err = repo.View(ctx, name, func(tx *store.PackageTx[struct{}]) error {
		_, err := tx.Package()
		return err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return false, nil
	}
	return err == nil, err
}
