package registry

// Which packages depend on one: those whose listing has its mark. Listings are written in the transaction of a publish.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"larder/internal/describe"
	"larder/store"
)

// Dependants implements describe.Kind.
func (d *Describer[M]) Dependants(
	ctx context.Context, name string, from, limit int,
) (list []describe.Dependant, total int, err error) {
	found, err := d.Registry.Find(ctx, store.DependsOn(name))
	if err != nil {
		return nil, 0, err
	}
	from = min(from, len(found))
	for _, f := range found[from:min(from+limit, len(found))] {
		p, err := d.Package(ctx, f.Name, true)
		if errors.Is(err, store.ErrNotFound) {
			continue // gone since it was found
		}
		if err != nil {
			return nil, 0, err
		}
		one := describe.Dependant{Package: p}
		for _, on := range p.Latest.Dependencies {
			if on.Package == name && (one.On.Name == "" || !counts(one.On)) {
				one.On = on
			}
		}
		list = append(list, one)
	}
	return list, len(found), nil
}

// counts reports whether a dependency makes its package a dependant: one for tests and development alone does not.
func counts(on describe.Dependency) bool {
	return on.Package != "" && !strings.HasPrefix(on.Group, "dev") && !strings.HasPrefix(on.Group, "test")
}

const (
	// dependantsTable has kind → the package after which IndexDependants goes on.
	dependantsTable = "registry.dependants"
	allIndexed      = "\xff"
	indexedAtOnce   = 50 // packages in one transaction
)

// IndexDependants implements describe.Kind.
func (d *Describer[M]) IndexDependants(ctx context.Context) error {
	for {
		after := ""
		err := d.Store.View(ctx, func(tx *store.Tx) error {
			after = string(tx.Table(dependantsTable).Get([]byte(d.about.Kind)))
			return nil
		})
		if err == nil && after == allIndexed {
			return nil
		}
		if err == nil {
			err = d.indexSome(ctx, after)
		}
		if err != nil {
			return fmt.Errorf("index dependants of %s after %q: %w", d.about.Kind, after, err)
		}
	}
}

// indexSome looks at some packages after after, and notes how far it came. A package that changes meanwhile was listed
// by its publish.
func (d *Describer[M]) indexSome(ctx context.Context, after string) error {
	rows, err := d.Repo.Packages(ctx, after, indexedAtOnce)
	if err != nil {
		return err
	}
	needs, next := map[string][]string{}, allIndexed
	for _, row := range rows {
		if next = row.Name; d.Matches != nil {
			continue // the kind has no listings
		}
		if needs[row.Name], err = d.needsOf(ctx, row.Name); err != nil {
			return err
		}
	}
	return d.Store.Update(ctx, func(tx *store.Tx) error {
		for _, row := range rows {
			if len(needs[row.Name]) == 0 {
				continue
			}
			err := d.Repo.In(tx, row.Name, func(tx *store.PackageTx[M]) error {
				l, err := tx.Listing()
				now, gone := tx.Package()
				if err != nil || gone != nil || l.Data == nil || now.Gen != row.Gen {
					return err
				}
				l.Depends(needs[row.Name]...)
				return tx.SetListing(&l)
			})
			if err != nil {
				return err
			}
		}
		return tx.Table(dependantsTable).Put([]byte(d.about.Kind), []byte(next))
	})
}

// needsOf are the packages that the latest version of a package depends on. One that cannot be read depends on none.
func (d *Describer[M]) needsOf(ctx context.Context, name string) (list []string, err error) {
	p, err := d.Package(ctx, name, true)
	if err != nil {
		return nil, ctx.Err()
	}
	for _, on := range p.Latest.Dependencies {
		if counts(on) && !slices.Contains(list, on.Package) {
			list = append(list, on.Package)
		}
	}
	return list, nil
}
