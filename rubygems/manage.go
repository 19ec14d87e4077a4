package rubygems

// Changing what is published: yank, restore, owners.

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/rubygems/form"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
)

// mayWrite refuses clients that can change nothing, before the body is read.
func mayWrite(ctx context.Context) error {
	id := wire.IdentityFrom(ctx)
	switch {
	case id.User == "":
		return needLogin()
	case id.ReadOnly:
		return problem.Errorf(auth.ErrDenied, "The key is read-only.")
	}
	return nil
}

// owns refuses users who have no scopes and do not own the gem. What scopes allow was asked before.
func owns(id auth.Identity, pkg store.Package, what string) error {
	if id.Scoped() || len(pkg.Owners) == 0 || slices.Contains(pkg.Owners, id.User) {
		return nil
	}
	return problem.Errorf(
		auth.ErrDenied, "You do not have permission to %s this gem. Ask an owner to add you with: gem owner %s --add %s",
		what, pkg.Name, id.User,
	)
}

// named is the version that the form or the query of a yank or unyank names.
type named struct{ name, id string }

func readNamed(r *http.Request) (n named, err error) {
	f, err := form.Read(r)
	if err != nil {
		return n, err
	}
	query := r.URL.Query()
	for _, field := range []string{"gem_name", "version", "platform"} {
		f[field] = cmp.Or(f[field], query.Get(field))
	}
	platform := f["platform"]
	if platform == "" {
		platform = version.Ruby
	}
	if n.name = f["gem_name"]; names.Check(n.name) != nil {
		return n, problem.Errorf(store.ErrNotFound, absentGem)
	}
	if !version.Valid(f["version"]) || version.CheckPlatform(platform) != nil {
		return n, noVersion(f["version"], platform)
	}
	n.id = version.ID(f["version"], platform)
	return n, nil
}

// noVersion is the error for a version that a gem does not have, or that no gem can have. The client may see the gem.
func noVersion(number, platform string) error {
	if platform != version.Ruby {
		number += " (" + platform + ")"
	}
	return &plainAbsent{problem.Errorf(store.ErrNotFound, "The version %.300s does not exist.", number)}
}

// change finds the version that a request names, and calls fn if the client has the right a to its gem and owns it.
// what is the change, in the sentence for a client that does not.
func (s *server) change(
	r *http.Request, a auth.Action, what string, fn func(tx *store.PackageTx[Meta], v store.Version[Meta]) error,
) (n named, err error) {
	ctx := r.Context()
	if n, err = readNamed(r); err != nil {
		return n, err
	}
	if err := s.May(ctx, a, n.name); err != nil {
		return n, err
	}
	id := wire.IdentityFrom(ctx)
	return n, s.Repo.Update(ctx, n.name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err == nil {
			err = owns(id, pkg, what)
		}
		if err != nil {
			return err
		}
		v, err := tx.Version(n.id)
		if errors.Is(err, store.ErrNotFound) {
			return noVersion(version.Split(n.id))
		}
		if err != nil {
			return err
		}
		return fn(tx, v)
	})
}

// yank removes a version from every index. Its file stays, and its number is never free again.
func (s *server) yank(w http.ResponseWriter, r *http.Request, _ Request) error {
	return s.setYanked(w, r, true, auth.Delete, "delete", "deleted")
}

// unyank undoes a yank, for whoever may yank: the version is back in every index, with the same bytes.
func (s *server) unyank(w http.ResponseWriter, r *http.Request, _ Request) error {
	return s.setYanked(w, r, false, auth.Delete, "unyank", "unyanked")
}

// restore is unyank for administrators, under the address that this registry had for it first.
func (s *server) restore(w http.ResponseWriter, r *http.Request, _ Request) error {
	return s.setYanked(w, r, false, auth.Admin, "restore", "restored")
}

// setYanked yanks a version or brings a yanked one back, for who has the right a. what is the change, as in change;
// done says that it was made.
func (s *server) setYanked(
	w http.ResponseWriter, r *http.Request, yanked bool, a auth.Action, what, done string,
) error {
	n, err := s.change(r, a, what, func(tx *store.PackageTx[Meta], v store.Version[Meta]) error {
		switch {
		case yanked && v.Yanked:
			return problem.Errorf(store.ErrInvalid, "The version %s has already been deleted.", v.ID)
		case !yanked && !v.Yanked:
			return problem.Errorf(store.ErrInvalid, "The version %s is not yanked.", v.ID)
		}
		op, list := store.OpUnyank, enlist
		if yanked {
			op, list = store.OpYank, delist
		}
		v.Yanked = yanked
		if err := tx.Replace(v, op); err != nil {
			return err
		}
		return list(tx, v)
	})
	if err != nil {
		return err
	}
	return say(w, "Successfully %s gem: %s", done, title(n.name, n.id))
}

// ownerJSON is an owner as gem owner reads it. There are no mail addresses here: users are called by their names.
type ownerJSON struct {
	ID     string  `json:"id"`
	Handle string  `json:"handle"`
	Email  *string `json:"email"`
	Role   string  `json:"role"`
}

func (s *server) owners(w http.ResponseWriter, r *http.Request, q Request) error {
	pkg, err := s.packageRecord(r.Context(), q.Name)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	if q.Form == "json" {
		out := []ownerJSON{}
		for _, o := range pkg.Owners {
			out = append(out, ownerJSON{ID: o, Handle: o, Role: "owner"})
		}
		return wire.JSON(w, http.StatusOK, out)
	}
	var b strings.Builder
	b.WriteString("---")
	for _, o := range pkg.Owners {
		b.WriteString("\n- id: " + quoted(o) + "\n  handle: " + quoted(o) + "\n  email:\n  role: owner")
	}
	if len(pkg.Owners) == 0 {
		b.WriteString(" []")
	}
	return sayYAML(w, b.String())
}

// quoted is a user's name as a YAML string. Names need no escapes, but may look like a number or a truth value.
func quoted(user string) string { return `"` + user + `"` }

func sayYAML(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	_, err := w.Write([]byte(text + "\n"))
	return err
}

// opJournalOwners is the operation of a change of owners in the journal.
const opJournalOwners store.Op = "owners"

// setOwners changes the owners of a gem. A gem never loses its last owner.
func (s *server) setOwners(ctx context.Context, name string, change func([]string) ([]string, error)) error {
	id := wire.IdentityFrom(ctx)
	return s.Repo.Update(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err == nil {
			err = owns(id, pkg, "change the owners of")
		}
		if err != nil {
			return err
		}
		owners, err := change(slices.Clone(pkg.Owners))
		if err != nil {
			return err
		}
		if len(owners) == 0 {
			return problem.Errorf(store.ErrInvalid, "A gem needs an owner; add another one first.")
		}
		slices.Sort(owners)
		owners = slices.Compact(owners)
		if err := tx.SetPackage(func(p *store.Package) { p.Owners = owners }); err != nil {
			return err
		}
		tx.Tx().Log(store.Entry{Kind: store.RubyGems, Package: name, Op: opJournalOwners, Note: strings.Join(owners, " ")})
		return listOwners(tx, owners)
	})
}

// readOwner returns the user whom a form names. With exists it fails for a user whom the registry does not know.
func (s *server) readOwner(r *http.Request, exists bool) (user string, f form.Form, err error) {
	if f, err = form.Read(r); err != nil {
		return "", nil, err
	}
	user = f["email"]
	if auth.CheckUserName(user) != nil {
		return "", nil, problem.Errorf(store.ErrNotFound, "There is no such user.")
	}
	if role := f["role"]; role != "" && role != "owner" {
		return "", nil, problem.Errorf(store.ErrInvalid, "The role %.40q is none: everybody here is an owner.", role)
	}
	if exists {
		err = s.knows(r.Context(), user)
	}
	return user, f, err
}

func (s *server) addOwner(w http.ResponseWriter, r *http.Request, q Request) error {
	user, _, err := s.readOwner(r, true)
	if err != nil {
		return err
	}
	err = s.setOwners(r.Context(), q.Name, func(list []string) ([]string, error) { return append(list, user), nil })
	if err != nil {
		return err
	}
	return say(w, "%s was added as an owner of %s.", user, q.Name)
}

func (s *server) removeOwner(w http.ResponseWriter, r *http.Request, q Request) error {
	user, _, err := s.readOwner(r, false)
	if err != nil {
		return err
	}
	err = s.setOwners(r.Context(), q.Name, func(list []string) ([]string, error) {
		i := slices.Index(list, user)
		if i < 0 {
			return nil, problem.Errorf(store.ErrNotFound, "%s is no owner.", user)
		}
		return slices.Delete(list, i, i+1), nil
	})
	if err != nil {
		return err
	}
	return say(w, "%s was removed from the owners of %s.", user, q.Name)
}

// changeOwner sets an owner's role. There is only one role.
func (s *server) changeOwner(w http.ResponseWriter, r *http.Request, q Request) error {
	user, f, err := s.readOwner(r, false)
	if err != nil {
		return err
	}
	if f["role"] == "" {
		return problem.Errorf(store.ErrInvalid, "The form names no role.")
	}
	err = s.setOwners(r.Context(), q.Name, func(list []string) ([]string, error) {
		if !slices.Contains(list, user) {
			return nil, problem.Errorf(store.ErrNotFound, "%s is no owner.", user)
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	return say(w, "%s is an owner of %s.", user, q.Name)
}
