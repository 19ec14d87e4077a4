package upstream

// Copies of container registries from before each repository of theirs had one name here: they are kept under what some
// client called it, without the upstream's name or in the short form that the registry's own users know. They move to
// where they are looked for now, once, at a start.

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"larder/store"
)

// rowMoved is in the table of sources once no copy is left under an old name.
var rowMoved = []byte("moved")

// movedAtOnce is how many records are moved in one transaction.
const movedAtOnce = 200

// moveCopies moves what is kept under old names. What cannot be moved stays as it is, and the next start tries again:
// nothing is lost but that it is fetched anew when it is asked for.
func (r *Registry) moveCopies(ctx context.Context) error {
	set := r.sets[store.OCI]
	if set == nil || set.spelling.Path == nil {
		return nil
	}
	done := false
	err := r.store.View(ctx, func(tx *store.Tx) error {
		done = tx.Table(tableSources).Get(rowMoved) != nil
		return nil
	})
	if done || err != nil {
		return err
	}
	moved := 0
	// Files first: whoever finds a tag finds what it points at.
	for _, repo := range []*store.Repo[entry]{set.files, set.docs} {
		n, err := set.moveAll(ctx, repo)
		moved += n
		if err != nil {
			r.log.LogAttrs(ctx, slog.LevelWarn, "copies stay under their old names", slog.Any("error", err))
			return nil
		}
	}
	if moved > 0 {
		r.log.LogAttrs(ctx, slog.LevelInfo, "copies moved to the names of their upstreams", slog.Int("copies", moved))
	}
	err = r.store.Update(ctx, func(tx *store.Tx) error {
		if moved > 0 {
			if err := tx.Table(tableListed).Delete(listedKey(store.OCI)); err != nil {
				return err
			}
		}
		return tx.Table(tableSources).Put(rowMoved, []byte{1})
	})
	if unwritable(err) {
		return nil // the next start looks again, and finds nothing to move
	}
	return err
}

// unwritable reports whether the store takes no changes now.
func unwritable(err error) bool {
	return errors.Is(err, store.ErrReadOnly) || errors.Is(err, store.ErrFull)
}

// moveAll moves the records of all packages. One that cannot be moved keeps no other from it.
func (s *Set) moveAll(ctx context.Context, repo *store.Repo[entry]) (moved int, failed error) {
	for after := ""; ; {
		list, err := repo.Packages(ctx, after, 500)
		if err != nil || len(list) == 0 {
			return moved, errors.Join(failed, err)
		}
		after = list[len(list)-1].Name
		for _, p := range list {
			n, err := s.movePackage(ctx, repo, p.Name)
			moved += n
			failed = errors.Join(failed, err)
			if unwritable(err) {
				return moved, failed
			}
		}
	}
}

// movePackage moves the records of one package that belong elsewhere.
func (s *Set) movePackage(ctx context.Context, repo *store.Repo[entry], pkg string) (moved int, err error) {
	for after := ""; ; {
		homes, last, err := s.misplaced(ctx, repo, pkg, after)
		if err != nil || len(homes) == 0 {
			return moved, err
		}
		after = last
		err = s.r.store.Update(ctx, func(tx *store.Tx) error {
			for home, ids := range homes {
				if err := s.move(tx, repo, pkg, home, ids); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return moved, err
		}
		for _, ids := range homes {
			moved += len(ids)
		}
	}
}

// misplaced lists records of a package behind after by the package that they belong to. last is where to go on.
func (s *Set) misplaced(
	ctx context.Context, repo *store.Repo[entry], pkg, after string,
) (homes map[string][]string, last string, err error) {
	err = repo.View(ctx, pkg, func(tx *store.PackageTx[entry]) error {
		homes = map[string][]string{}
		n := 0
		for v, err := range tx.Versions(after) {
			if err != nil {
				return err
			}
			last = v.ID
			if home := s.rightHome(pkg, v.Meta.Upstream); home != pkg {
				homes[home] = append(homes[home], v.ID)
				n++
			}
			if n == movedAtOnce {
				break
			}
		}
		return nil
	})
	return homes, last, err
}

// rightHome is where a record of the source called key belongs that is kept in a package: below the key, whose alone it
// stays. It is pkg itself where nothing says more.
func (s *Set) rightHome(pkg, key string) string {
	u := s.sources[key]
	if u == nil || pkg == listings || strings.HasPrefix(pkg, "~/") {
		return pkg
	}
	return key + "/" + s.spelling.Path(u.Host(), strings.TrimPrefix(pkg, key+"/"))
}

// move brings records of one package into another. Of two of one address the one that was fetched last stays.
func (s *Set) move(tx *store.Tx, repo *store.Repo[entry], from, to string, ids []string) error {
	var list []store.Version[entry]
	err := repo.In(tx, from, func(tx *store.PackageTx[entry]) error {
		for _, id := range ids {
			v, err := tx.Version(id)
			if err != nil {
				return err
			}
			list = append(list, v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = repo.In(tx, to, func(tx *store.PackageTx[entry]) error {
		for _, v := range list {
			have, err := tx.Version(v.ID)
			switch {
			case errors.Is(err, store.ErrNotFound):
				err = tx.Publish(v)
			case err == nil && have.Meta.Fetched.Before(v.Meta.Fetched):
				err = tx.Replace(v, store.OpCache)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if repo == s.files {
		for _, id := range ids {
			if err := moveUse(tx, useKey{s.kind, from, id}, useKey{s.kind, to, id}); err != nil {
				return err
			}
		}
	}
	if err := unconfirm(tx, repo.Kind(), from, ids...); err != nil {
		return err
	}
	err = repo.In(tx, from, func(tx *store.PackageTx[entry]) error {
		for _, id := range ids {
			if err := tx.Delete(id, false); err != nil {
				return err
			}
		}
		p, err := tx.Package()
		if err != nil || p.Versions > 0 {
			return err
		}
		return tx.DeletePackage()
	})
	if err != nil {
		return err
	}
	return s.r.unlist(tx, s.kind, from)
}

// moveUse keeps when a file was used last, so that it is evicted in its turn.
func moveUse(tx *store.Tx, from, to useKey) error {
	table := tx.Table(tableUses)
	used := slices.Clone(table.Get(from.row()))
	if used == nil {
		return nil
	}
	if have := table.Get(to.row()); have == nil || number(have) < number(used) {
		if err := table.Put(to.row(), used); err != nil {
			return err
		}
	}
	return table.Delete(from.row())
}
