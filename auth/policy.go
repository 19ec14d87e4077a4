package auth

// Authorize: the table of the package comment as code.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"larder/internal/problem"
	"larder/store"
)

// Authorize implements Provider; the table in the package comment is this function. Whether a package is private is
// looked up here, so that no caller can forget to say so.
func (l *Local) Authorize(ctx context.Context, id Identity, a Access) error {
	private := false
	if a.Action == Read && a.Kind != "" && l.AnonymousReads() && (id.Anonymous || !id.Can(a)) {
		var err error
		if private, err = l.privacy.of(ctx, a); err != nil {
			return fmt.Errorf("authorize %s %s: %w", a.Kind, a.Name, err)
		}
		if !private && (id.Anonymous || id.User != "") {
			return nil
		}
	}
	if id.Anonymous {
		return refuseAnonymous(a, private)
	}
	if id.Can(a) {
		return l.member(ctx, id, a)
	}
	return l.refuse(id, a)
}

// member keeps a user out of a private package that belongs to others, unless an administrator gave the user scopes:
// the right of everybody to everything ends at what others have closed.
func (l *Local) member(ctx context.Context, id Identity, a Access) error {
	if id.Admin || !id.unscoped || a.Kind == "" || a.Name == "" {
		return nil
	}
	f, err := l.privacy.flag(ctx, packageName{a.Kind, a.Name})
	switch {
	case err != nil:
		return fmt.Errorf("authorize %s %s: %w", a.Kind, a.Name, err)
	case f.private && len(f.owners) > 0 && !slices.Contains(f.owners, id.User):
		return ErrHidden
	}
	return nil
}

// refuseAnonymous asks for credentials, except where asking would tell that a private package exists.
func refuseAnonymous(a Access, private bool) error {
	if private && a.Name != "" {
		return ErrHidden
	}
	return problem.Errorf(ErrNoCredentials, "This needs a login or a token.")
}

// refuse finds the error for somebody known.
func (l *Local) refuse(id Identity, a Access) error {
	if id.JWT && id.Credential().Can(a) {
		return problem.Errorf(ErrScope, "The token was not issued for this.")
	}
	if a.Kind == "" || a.Name == "" {
		return denied(id, a)
	}
	if a.Action == Read {
		return ErrHidden
	}
	// Not the flag of the package: a change would be refused in another way where there is a private one than where there
	// is none.
	read := a
	read.Action = Read
	if id.Can(read) || id.JWT && id.Credential().Can(read) ||
		id.User != "" && l.AnonymousReads() && !l.privacy.byPattern(a) {
		return denied(id, a)
	}
	return ErrHidden
}

// denied says which of the limits it was, to somebody who may know that the name exists.
func denied(id Identity, a Access) error {
	what := "this"
	if a.Name != "" {
		what = fmt.Sprintf("%s %s", a.Kind, a.Name)
	}
	switch {
	case !id.user(a):
		return problem.Errorf(ErrDenied, "User %s may not %s %s.", id.User, a.Action, what)
	case id.ReadOnly:
		return problem.Errorf(ErrDenied, "The token is read-only.")
	}
	return problem.Errorf(ErrDenied, "The token's scopes do not allow to %s %s.", a.Action, what)
}

// privacy knows which names are private: by pattern, or by the flag of the package.
type privacy struct {
	store    *store.Store
	repos    map[store.Kind]*store.Repo[struct{}]
	patterns Scopes

	mu    sync.RWMutex
	flags map[packageName]flag
}

type packageName struct {
	kind store.Kind
	name string
}

// flag is what the package's record said at a generation of the package.
type flag struct {
	generation uint64
	private    bool
	owners     []string
}

// maxFlags bounds the memory; beyond it the flags are read again.
const maxFlags = 16384

func newPrivacy(s *store.Store, patterns []string) (*privacy, error) {
	p := &privacy{store: s, repos: map[store.Kind]*store.Repo[struct{}]{}, flags: map[packageName]flag{}}
	for _, text := range patterns {
		pattern, err := ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("private pattern %q: %w", text, err)
		}
		p.patterns = append(p.patterns, pattern)
	}
	for _, k := range store.Kinds() {
		p.repos[k] = store.NewRepo[struct{}](s, k)
	}
	return p, nil
}

// of says whether a's name is private. A kind as a whole is private only under a pattern for every name.
func (p *privacy) of(ctx context.Context, a Access) (bool, error) {
	if p.byPattern(a) {
		return true, nil
	}
	if a.Name == "" {
		return false, nil
	}
	f, err := p.flag(ctx, packageName{a.Kind, a.Name})
	return f.private, err
}

// byPattern says whether a's name is private whether it exists or not.
func (p *privacy) byPattern(a Access) bool {
	return slices.ContainsFunc(p.patterns, func(pattern Scope) bool { return pattern.names(a) })
}

// touches says whether a pattern could make a name of the type private.
func (p *privacy) touches(k store.Kind, typ string) bool {
	return slices.ContainsFunc(p.patterns, func(s Scope) bool {
		return (s.kind == "*" || s.kind == string(k)) && (s.typ == "*" || s.typ == typ)
	})
}

// flag is what the package's record says, from memory unless the package has changed.
func (p *privacy) flag(ctx context.Context, key packageName) (flag, error) {
	// Before the record is read: an older number only means to read again.
	generation := p.store.Generation(key.kind, key.name)
	p.mu.RLock()
	f, ok := p.flags[key]
	p.mu.RUnlock()
	if ok && f.generation == generation {
		return f, nil
	}
	f, err := p.read(ctx, key)
	if err != nil {
		return flag{}, err
	}
	f.generation = generation
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flags) >= maxFlags {
		clear(p.flags)
	}
	p.flags[key] = f
	return f, nil
}

// read returns the zero flag for a package that does not exist.
func (p *privacy) read(ctx context.Context, key packageName) (f flag, err error) {
	repo := p.repos[key.kind]
	if repo == nil {
		return flag{}, nil
	}
	err = repo.View(ctx, key.name, func(tx *store.PackageTx[struct{}]) error {
		pkg, err := tx.Package()
		f.private, f.owners = pkg.Private, pkg.Owners
		return err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return flag{}, nil
	}
	return f, err
}
