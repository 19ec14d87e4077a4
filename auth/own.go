package auth

// What somebody may see and end of the tokens of their own user, and which tokens end together.

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"larder/internal/problem"
	"larder/store"
)

// ByPassword says that the credentials were the user's password itself: no token, no JWT bought with either, and no
// session.
func (i Identity) ByPassword() bool {
	return i.User != "" && i.TokenID == "" && !i.JWT && i.session == ""
}

// Session is the id of the browser's session that the request belongs to; "" for every other credential.
func (i Identity) Session() string { return i.session }

// oversees says that the credentials stand for the whole user: the password, a session, or a token without any limit.
func (i Identity) oversees() bool {
	return i.ByPassword() || i.session != "" || i.User != "" && !i.JWT && !i.ReadOnly && len(i.Limits) == 0
}

// OwnTokens returns what by may see of the tokens of their user, oldest first: all of them with the password or a token
// without limits; else the token itself and the line of those made with it; with a client's login also the tokens that
// reach no further than it.
func (l *Local) OwnTokens(ctx context.Context, by Identity) ([]Token, error) {
	if by.User == "" {
		return nil, problem.Errorf(ErrDenied, "Only users have tokens.")
	}
	all, err := l.Tokens(ctx, by.User)
	if err != nil {
		return nil, err
	}
	see := sightOf(by, all)
	return slices.DeleteFunc(all, func(t Token) bool { return !see(t) }), nil
}

// RevokeOwn ends a token that OwnTokens shows to by. A read-only token ends itself alone, and a JWT nothing: it is not
// the token. ErrNotFound for every other id, ErrDenied.
func (l *Local) RevokeOwn(ctx context.Context, by Identity, id string) error {
	switch {
	case by.JWT:
		return problem.Errorf(ErrDenied, "A short-lived token ends by itself; end the token it was bought with.")
	case by.ReadOnly && id != by.TokenID:
		return problem.Errorf(ErrDenied, "The token is read-only.")
	}
	own, err := l.OwnTokens(ctx, by)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(own, func(t Token) bool { return t.ID == id }) {
		return noOwnToken(by, id)
	}
	return l.RevokeToken(ctx, id)
}

// noOwnToken is the same for a token that does not exist and for one that the credentials do not see.
func noOwnToken(by Identity, id string) error {
	if by.oversees() {
		return problem.Errorf(store.ErrNotFound, "User %s has no token %.80q.", by.User, id)
	}
	return problem.Errorf(store.ErrNotFound,
		"There is no token %.80q that these credentials see: they see themselves and what was made with them. "+
			"The password sees all.", id)
}

// sightOf is what by sees of all, the tokens of their user.
func sightOf(by Identity, all []Token) func(Token) bool {
	if by.oversees() {
		return func(Token) bool { return true }
	}
	if by.TokenID == "" {
		return func(Token) bool { return false }
	}
	if by.JWT {
		return func(t Token) bool { return t.ID == by.TokenID }
	}
	line := lineOf(by.TokenID, all)
	return func(t Token) bool { return line[t.ID] || by.login && t.within(by.Limits) }
}

// lineOf is a token with all that were made with it, with those, and so on.
func lineOf(id string, all []Token) map[string]bool {
	children := map[string][]string{}
	for _, t := range all {
		if t.Parent != "" {
			children[t.Parent] = append(children[t.Parent], t.ID)
		}
	}
	line, next := map[string]bool{id: true}, []string{id}
	for len(next) > 0 {
		last := next[len(next)-1]
		next = next[:len(next)-1]
		for _, c := range children[last] {
			if !line[c] {
				line[c] = true
				next = append(next, c)
			}
		}
	}
	return line
}

// underParents has a token stop while a user is disabled whose token it was made with, at any remove.
func (h *held) underParents(tx *store.Tx, parent string) error {
	for parent != "" {
		_, row, err := tokenIn(tx, parent)
		if errors.Is(err, store.ErrNotFound) {
			return errRevoked()
		}
		if err != nil {
			return err
		}
		u, err := userIn(tx, row.User)
		if err != nil {
			return err
		}
		h.disabled = h.disabled || u.Disabled
		parent = row.Parent
	}
	return nil
}

// within says that the token's own scopes reach no further than each of limits.
func (t Token) within(limits []Scopes) bool {
	if len(t.Scopes) == 0 {
		return false
	}
	for _, limit := range limits {
		for _, s := range t.Scopes {
			if !slices.ContainsFunc(limit, func(l Scope) bool { return l.includes(s) }) {
				return false
			}
		}
	}
	return true
}

// dropLines ends the tokens that end selects, each with its line, and returns how many end selected. Children may
// belong to other users: an administrator made them.
func (l *Local) dropLines(tx *store.Tx, end func(id string, r tokenRow) bool) (int, error) {
	rows, keys := map[string]tokenRow{}, map[string][]byte{}
	var all []Token
	var roots []string
	for k, b := range tx.Table(tokensTable).Scan(nil, nil) {
		var r tokenRow
		if err := decode(b, &r); err != nil {
			return 0, fmt.Errorf("record of token %s: %w", idOf(k), err)
		}
		id := idOf(k)
		selected := end(id, r)
		if selected {
			roots = append(roots, id)
		}
		if selected || r.Parent != "" {
			rows[id], keys[id] = r, slices.Clone(k)
			all = append(all, r.token(id))
		}
	}
	for _, root := range roots {
		for id := range lineOf(root, all) {
			key, ok := keys[id]
			if !ok {
				continue // it has ended with another root
			}
			if err := l.dropToken(tx, key, rows[id]); err != nil {
				return 0, err
			}
			delete(keys, id)
		}
	}
	return len(roots), nil
}

// dropLine ends one token with its line.
func (l *Local) dropLine(tx *store.Tx, id string) error {
	_, err := l.dropLines(tx, func(other string, _ tokenRow) bool { return other == id })
	return err
}

// dropTokens ends all tokens of a user and returns how many there were.
func (l *Local) dropTokens(tx *store.Tx, user string) (int, error) {
	return l.dropLines(tx, func(_ string, r tokenRow) bool { return r.User == user })
}

// OwnSessions returns the sessions of by's user, the one used last first. ErrDenied for credentials that do not stand
// for the whole user: a token with limits sees nothing of them.
func (l *Local) OwnSessions(ctx context.Context, by Identity) ([]Session, error) {
	if !by.oversees() {
		return nil, problem.Errorf(ErrDenied, "A token with limits does not show the user's sessions.")
	}
	return l.Sessions(ctx, by.User)
}
