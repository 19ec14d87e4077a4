package registry

// The order of a publish, which is the same in every protocol: what costs least first, and nothing is written before
// nothing can be wrong any more.

import (
	"context"
	"errors"

	"larder/internal/budget"
	"larder/store"
)

// Steps are the parts of a publish that differ by protocol, in the order in which they are taken. The file is staged,
// and compared with what was announced, before.
type Steps[M any] interface {
	// Taken is false when the version is free, and true when it is here with these very bytes: a client whose connection
	// broke asks again, and must learn that it has succeeded. store.ErrExists when it is here with others, or was.
	Taken(tx *store.PackageTx[M]) (same bool, err error)
	// Inspect opens the archive: what it says of itself must be what the request says.
	Inspect() error
	// Assemble makes the record, and stores what stands beside the file.
	Assemble(ctx context.Context) error
	// Commit writes the record; b is the file. It may run more than once.
	Commit(tx *store.PackageTx[M], b store.Blob) error
}

// Publish takes the steps for a file that is staged. memory is the most bytes that Inspect holds. again is true when
// the version was here already: nothing has changed then, but for bytes on the disk that were damaged.
func (g *Registry[M]) Publish(
	ctx context.Context, name string, stage *store.Stage, memory int64, p Steps[M],
) (again bool, err error) {
	err = g.Repo.View(ctx, name, func(tx *store.PackageTx[M]) (err error) {
		again, err = p.Taken(tx)
		return err
	})
	switch {
	case err != nil:
		return false, err
	case again:
		return true, g.repair(ctx, stage, p)
	}
	if err := budget.During(ctx, memory, p.Inspect); err != nil {
		return false, err
	}
	if err := g.MayClaim(ctx, name); err != nil {
		return false, err
	}
	if err := p.Assemble(ctx); err != nil {
		return false, err
	}
	_, err = stage.CommitWith(ctx, func(tx *store.Tx, b store.Blob) error {
		return g.Repo.In(tx, name, func(tx *store.PackageTx[M]) (err error) {
			if again, err = p.Taken(tx); again || err != nil {
				return err
			}
			return p.Commit(tx, b)
		})
	})
	return again, err
}

// repair gives the bytes of a version that is here once more to the store, which needs them when they went bad: those
// of the file, and of what was made of it when anything at all is known to be damaged.
func (g *Registry[M]) repair(ctx context.Context, stage *store.Stage, p Steps[M]) error {
	if g.Store.DamagedBlobs() > 0 {
		if err := p.Inspect(); err != nil {
			return err
		}
		if err := p.Assemble(ctx); err != nil {
			return err
		}
	}
	_, err := stage.Commit(ctx)
	return err
}

// IsNew reports whether the package is not here yet: its first publisher claims the name.
func IsNew[M any](tx *store.PackageTx[M]) (bool, error) {
	_, err := tx.Package()
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// Own makes whoever publishes the package for the first time its owner. set, if not nil, sets what else is known of it.
func Own[M any](tx *store.PackageTx[M], set func(*store.Package)) error {
	return tx.SetPackage(func(pkg *store.Package) {
		if user := tx.Tx().Actor().User; len(pkg.Owners) == 0 && user != "" {
			pkg.Owners = []string{user}
		}
		if set != nil {
			set(pkg)
		}
	})
}
