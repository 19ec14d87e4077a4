package cargo

// This file changes what is published: yanking, owners, who may read, deleting.

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"larder/auth"
	"larder/cargo/names"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// done is the answer to a change. Cargo ends with a panic unless ok is true, and needs msg after a change of owners.
func done(w http.ResponseWriter, message string) error {
	answer := map[string]any{"ok": true}
	if message != "" {
		answer["msg"] = message
	}
	return wire.JSON(w, http.StatusOK, answer)
}

// change runs fn on a crate that exists, for whoever may change it: an owner, or somebody to whom an administrator gave
// scopes. A user without scopes has every right by default, but not on crates of others.
func (s *server) change(ctx context.Context, name string, fn func(*store.PackageTx[Meta], store.Package) error) error {
	id := wire.IdentityFrom(ctx)
	return s.Repo.Update(ctx, names.Key(name), func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err == nil {
			err = owns(id, pkg)
		}
		if err != nil {
			return err
		}
		return fn(tx, pkg)
	})
}

// owns is nil for whoever may change the crate, else auth.ErrDenied.
func owns(id auth.Identity, pkg store.Package) error {
	if id.Scoped() || len(pkg.Owners) == 0 || slices.Contains(pkg.Owners, id.User) {
		return nil
	}
	return problem.Errorf(auth.ErrDenied, "The crate %s belongs to others; ask one of its owners to add you.", pkg.Display)
}

// yank hides a version from new resolutions, or shows it again; whoever has it locked can go on downloading it.
func (s *server) yank(w http.ResponseWriter, r *http.Request, q Request) error {
	if err := s.setYanked(r.Context(), q, r.Method == http.MethodDelete, ""); err != nil {
		return err
	}
	return done(w, "")
}

func (s *server) setYanked(ctx context.Context, q Request, yanked bool, reason string) error {
	return s.change(ctx, q.Name, func(tx *store.PackageTx[Meta], _ store.Package) error {
		v, err := exact(tx, q.Version)
		if err != nil || v.Yanked == yanked && v.YankReason == reason {
			return err
		}
		op := store.OpUnyank
		if yanked {
			op = store.OpYank
		}
		v.Yanked, v.YankReason = yanked, reason
		if err := tx.Replace(v, op); err != nil {
			return err
		}
		k, lines := registry.TimeKey(v.Published, v.ID), tx.Index(indexLines)
		line, err := decodeRow(k, lines.Get(k))
		if err != nil {
			return err
		}
		line.Yanked = yanked
		if err := lines.Put(k, line.encode()); err != nil {
			return err
		}
		return relist(tx)
	})
}

// setVersion is the public registry's way to yank with a reason.
func (s *server) setVersion(w http.ResponseWriter, r *http.Request, q Request) error {
	var body struct {
		Version struct {
			Yanked  *bool   `json:"yanked"`
			Message *string `json:"yank_message"`
		} `json:"version"`
	}
	if err := readObject(r, &body); err != nil {
		return err
	}
	yanked, message := body.Version.Yanked, body.Version.Message
	switch {
	case yanked == nil:
		return problem.Errorf(store.ErrInvalid, "The request says nothing about version.yanked.")
	case message == nil:
		message = new(string)
	case *message != "" && !*yanked:
		return problem.Errorf(store.ErrInvalid, "A version that is not yanked has no yank_message.")
	}
	if err := s.setYanked(r.Context(), q, *yanked, names.Clip(*message, maxDescription)); err != nil {
		return err
	}
	return s.getVersion(w, r, q)
}

// owners lists a crate's owners.
func (s *server) owners(w http.ResponseWriter, r *http.Request, q Request) error {
	users := []userEntry{}
	err := s.Repo.View(r.Context(), names.Key(q.Name), func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		for _, o := range pkg.Owners {
			users = append(users, userOf(o))
		}
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{"users": users})
}

// teams answers what tools ask beside the owners: no crate here is owned by a team.
func (s *server) teams(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.Repo.View(r.Context(), names.Key(q.Name), func(tx *store.PackageTx[Meta]) error {
		_, err := tx.Package()
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{"teams": []any{}})
}

// accounts is what the local provider adds to auth.Provider. With another provider users log in where that one lives.
type accounts interface {
	User(ctx context.Context, name string) (auth.User, error)
	VerifyPassword(ctx context.Context, user, password string, addr netip.Addr) (auth.Identity, error)
	DeriveToken(ctx context.Context, by auth.Identity, spec auth.TokenSpec) (id, secret string, err error)
}

// exists is nil when there is a user of that name.
func (s *server) exists(ctx context.Context, user string) error {
	if strings.ContainsAny(user, ":/") {
		return problem.Errorf(store.ErrInvalid, "%.64q is a team; owners of crates are users here.", user)
	}
	if s.accounts == nil {
		return auth.CheckUserName(user)
	}
	_, err := s.accounts.User(ctx, user)
	if registry.IsOneOf(err, store.ErrNotFound, store.ErrInvalid) {
		return problem.Errorf(store.ErrInvalid, "There is no user %.64q.", user)
	}
	return err
}

// changeOwners adds owners or removes them.
func (s *server) changeOwners(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	var body struct {
		Users  []string `json:"users"`
		Owners []string `json:"owners"` // what old tools send
	}
	if err := readObject(r, &body); err != nil {
		return err
	}
	users := slices.Concat(body.Users, body.Owners)
	if len(users) == 0 {
		return problem.Errorf(store.ErrInvalid, "The request names no users.")
	}
	change, what := func(list []string) []string { return append(list, users...) }, "added to"
	if r.Method == http.MethodDelete {
		change = func(list []string) []string {
			return slices.DeleteFunc(list, func(o string) bool { return slices.Contains(users, o) })
		}
		what = "removed from"
	} else {
		for _, u := range users {
			if err := s.exists(ctx, u); err != nil {
				return err
			}
		}
	}
	if err := s.setOwners(ctx, q.Name, users, change); err != nil {
		return err
	}
	return done(w, fmt.Sprintf("%s %s the owners of crate %s", strings.Join(users, ", "), what, q.Name))
}

// opJournalOwners and opJournalAccess are the words of this package in the journal.
const (
	opJournalOwners store.Op = "owners"
	opJournalAccess store.Op = "access"
)

func (s *server) setOwners(ctx context.Context, name string, users []string, change func([]string) []string) error {
	return s.change(ctx, name, func(tx *store.PackageTx[Meta], pkg store.Package) error {
		owners := change(slices.Clone(pkg.Owners))
		slices.Sort(owners)
		owners = slices.Compact(owners)
		switch {
		case slices.Equal(owners, pkg.Owners):
			return problem.Errorf(store.ErrInvalid,
				"This changes nothing: the owners of %s are %s.", name, strings.Join(owners, ", "))
		case len(owners) == 0:
			return problem.Errorf(store.ErrInvalid, "A crate needs an owner; add another one first.")
		}
		tx.Tx().Log(store.Entry{Kind: store.Cargo, Package: tx.Name(), Op: opJournalOwners, Note: strings.Join(users, ",")})
		return tx.SetPackage(func(p *store.Package) { p.Owners = owners })
	})
}

// setCrate closes a crate to everybody but its owners and those who were given a right to it, or opens it.
func (s *server) setCrate(w http.ResponseWriter, r *http.Request, q Request) error {
	var body struct {
		Crate struct {
			Private *bool `json:"private"`
		} `json:"crate"`
	}
	if err := readObject(r, &body); err != nil {
		return err
	}
	private := body.Crate.Private
	if private == nil {
		return problem.Errorf(store.ErrInvalid, "The request says nothing about crate.private.")
	}
	err := s.change(r.Context(), q.Name, func(tx *store.PackageTx[Meta], pkg store.Package) error {
		if pkg.Private == *private {
			return nil
		}
		note := "public"
		if *private {
			note = "private"
		}
		tx.Tx().Log(store.Entry{Kind: store.Cargo, Package: tx.Name(), Op: opJournalAccess, Note: note})
		return tx.SetPackage(func(p *store.Package) {
			p.Private = *private
			if user := tx.Tx().Actor().User; len(p.Owners) == 0 && user != "" {
				p.Owners = []string{user}
			}
		})
	})
	if err != nil {
		return err
	}
	return done(w, "")
}

// deleteVersion removes one version, which breaks every lockfile that has it: yanking is what people should do instead.
func (s *server) deleteVersion(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.change(r.Context(), q.Name, func(tx *store.PackageTx[Meta], _ store.Package) error {
		v, err := exact(tx, q.Version)
		if err != nil {
			return err
		}
		if err := registry.Drop(tx, indexLines, v.ID); err != nil {
			return err
		}
		return relist(tx)
	})
	if err != nil {
		return err
	}
	return done(w, "")
}

// deleteCrate removes a whole crate. Others may publish under its name here, its versions are not given again, and no
// upstream is asked for it (see store/names.go).
func (s *server) deleteCrate(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.change(r.Context(), q.Name, func(tx *store.PackageTx[Meta], _ store.Package) error {
		for id, err := range tx.VersionIDs("") {
			if err != nil {
				return err
			}
			if err := registry.Drop(tx, indexLines, id); err != nil {
				return err
			}
		}
		if err := tx.KindIndex(namesTable).Delete([]byte(names.Canonical(tx.Name()))); err != nil {
			return err
		}
		return tx.DeletePackage()
	})
	if err != nil {
		return err
	}
	return done(w, "")
}
