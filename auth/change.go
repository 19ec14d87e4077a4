package auth

// Changes of users, and what no change may do: leave nobody who administers.

import (
	"context"
	"fmt"
	"strings"

	"larder/internal/problem"
	"larder/store"
)

// UserChange says what is to become of a user; nil leaves a field as it is.
type UserChange struct {
	Admin    *bool
	Disabled *bool
	Scopes   *Scopes // an empty list: everything but admin
}

// note is the change as the journal shows it.
func (c UserChange) note(name string) string {
	var parts []string
	if c.Admin != nil {
		parts = append(parts, fmt.Sprintf("admin %t", *c.Admin))
	}
	if c.Scopes != nil {
		parts = append(parts, fmt.Sprintf("scopes %q", c.Scopes.String()))
	}
	if c.Disabled != nil {
		parts = append(parts, map[bool]string{true: "disabled", false: "enabled"}[*c.Disabled])
	}
	return "user " + name + ": " + strings.Join(parts, ", ")
}

// ChangeUser changes what a user may do, at once and for all credentials, and returns the user as they are then.
// ErrNotFound; ErrInvalid for a change of nothing; ErrReferenced for one that leaves no administrator.
func (l *Local) ChangeUser(ctx context.Context, name string, c UserChange) (User, error) {
	if c.Admin == nil && c.Disabled == nil && c.Scopes == nil {
		return User{}, problem.Errorf(store.ErrInvalid,
			"Say what to change of user %.80q: admin, disabled or scopes.", name)
	}
	var canonical Scopes
	if c.Scopes != nil {
		canonical = c.Scopes.Canonical()
		c.Scopes = &canonical
	}
	var out User
	err := l.change(ctx, name, store.OpUserUpdate, c.note(name), func(u *userRow) {
		if c.Admin != nil {
			u.Admin = *c.Admin
		}
		if c.Disabled != nil {
			u.Disabled = *c.Disabled
		}
		if c.Scopes != nil {
			u.Scopes = canonical
		}
		out = u.user(name)
	})
	if err != nil {
		return User{}, err
	}
	return out, nil
}

// SetDisabled switches a user off or on. While off, none of the user's credentials works; tokens work again later,
// JWTs do not. ErrNotFound, ErrReferenced for the last administrator.
func (l *Local) SetDisabled(ctx context.Context, name string, disabled bool) error {
	_, err := l.ChangeUser(ctx, name, UserChange{Disabled: &disabled})
	return err
}

// SetGrants changes what a user may do, at once and for all credentials; no scopes: everything but admin. ErrNotFound,
// ErrReferenced for the last administrator.
func (l *Local) SetGrants(ctx context.Context, name string, admin bool, scopes Scopes) error {
	_, err := l.ChangeUser(ctx, name, UserChange{Admin: &admin, Scopes: &scopes})
	return err
}

// administers says that the user can administer now.
func (u userRow) administers() bool { return u.Admin && !u.Disabled }

// keepAdministrator refuses to take the right to administer from the last one who has it.
func keepAdministrator(tx *store.Tx, name string, before, after userRow) error {
	if !before.administers() || after.administers() {
		return nil
	}
	for k, b := range tx.Table(usersTable).Scan(nil, generationKey[:]) {
		var u userRow
		if err := decode(b, &u); err != nil {
			return fmt.Errorf("record of user %s: %w", k, err)
		}
		if string(k) != name && u.administers() {
			return nil
		}
	}
	return problem.Errorf(store.ErrReferenced, "%s is the last administrator; add another first.", name)
}
