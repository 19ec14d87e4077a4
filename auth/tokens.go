package auth

// Personal tokens: making, deriving, listing and revoking them.

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"larder/internal/problem"
	"larder/store"
)

// Token is a personal token as listed; the token itself is shown once, by CreateToken.
type Token struct {
	ID       string         `json:"id"` // 16 hex digits; see TokenID
	User     string         `json:"user"`
	Name     string         `json:"name,omitempty"`
	Scopes   Scopes         `json:"scopes,omitempty"` // none: all that the user may
	ReadOnly bool           `json:"read_only"`
	CIDRs    []netip.Prefix `json:"cidrs,omitempty"` // none: from everywhere
	Created  time.Time      `json:"created"`
	Expires  time.Time      `json:"expires,omitzero"`   // zero: never
	LastUsed time.Time      `json:"last_used,omitzero"` // to the minute; zero: never
	Parent   string         `json:"parent,omitempty"`   // id of the token it was made with, and ends with
	Login    bool           `json:"login,omitempty"`    // it is what a client's login gave out: see TokenSpec
}

// TokenSpec says what token to make. A token never reaches further than its user, whatever its scopes say.
type TokenSpec struct {
	User     string
	Name     string // for people; may be empty
	Scopes   Scopes // none: all that the user may
	Expires  time.Time
	ReadOnly bool
	CIDRs    []netip.Prefix
	// Login marks what a login with the password gives out: the client's session. It sees and ends the tokens of its
	// user that reach no further than itself, and what is made with it and the password is not its child.
	Login bool
}

// tokenRow is a token as stored. Nothing but LastUsed ever changes: to change a token is to make another one.
type tokenRow struct {
	User     string         `json:"user"`
	Name     string         `json:"name,omitempty"`
	Scopes   Scopes         `json:"scopes,omitempty"`
	Bounds   []Scopes       `json:"bounds,omitempty"` // limits of the credential it was made with
	ReadOnly bool           `json:"read_only,omitempty"`
	CIDRs    []netip.Prefix `json:"cidrs,omitempty"`
	Created  time.Time      `json:"created"`
	Expires  time.Time      `json:"expires,omitzero"`
	LastUsed time.Time      `json:"last_used,omitzero"`
	Parent   string         `json:"parent,omitempty"` // id of the token it was made with
	Login    bool           `json:"login,omitempty"`
}

// limits are the scopes that must each allow an access.
func (r tokenRow) limits() []Scopes {
	if len(r.Scopes) == 0 {
		return r.Bounds
	}
	return append(slices.Clone(r.Bounds), r.Scopes)
}

func (r tokenRow) token(id string) Token {
	return Token{
		ID: id, User: r.User, Name: r.Name, Scopes: r.Scopes, ReadOnly: r.ReadOnly, CIDRs: r.CIDRs,
		Created: r.Created, Expires: r.Expires, LastUsed: r.LastUsed, Parent: r.Parent, Login: r.Login,
	}
}

// Limits of what is stored for one token.
const (
	maxTokenName   = 128
	maxTokenScopes = 100
	maxTokenCIDRs  = 100
)

func (l *Local) checkSpec(spec TokenSpec) error {
	strange := func(r rune) bool { return r != ' ' && unprintable(r) }
	switch {
	case len(spec.Name) > maxTokenName || !utf8.ValidString(spec.Name) || strings.ContainsFunc(spec.Name, strange):
		return problem.Errorf(store.ErrInvalid, "The name of a token has at most %d bytes, all of which print.", maxTokenName)
	case len(spec.Scopes) > maxTokenScopes || len(spec.CIDRs) > maxTokenCIDRs:
		return problem.Errorf(
			store.ErrInvalid, "A token has at most %d scopes and %d networks.", maxTokenScopes, maxTokenCIDRs,
		)
	case !spec.Expires.IsZero() && !l.now().Before(spec.Expires):
		return problem.Errorf(store.ErrInvalid, "The token would have expired already.")
	}
	for _, p := range spec.CIDRs {
		if !p.IsValid() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			return problem.Errorf(store.ErrInvalid, "%s is not a network; write 192.0.2.0/24 or 2001:db8::/32", p)
		}
	}
	return nil
}

// CreateToken makes a token and returns its id and, for the only time, the token. ErrNotFound if there is no such user,
// ErrInvalid if the spec makes no sense. Who calls this for somebody logged in wants CreateTokenBy or DeriveToken.
func (l *Local) CreateToken(ctx context.Context, spec TokenSpec) (id, secret string, err error) {
	return l.create(ctx, spec, nil)
}

// CreateTokenBy is CreateToken for an administrator: a token that is made with a token is its child, whoever it is for.
func (l *Local) CreateTokenBy(ctx context.Context, by Identity, spec TokenSpec) (id, secret string, err error) {
	if by.TokenID == "" && !by.JWT {
		return l.create(ctx, spec, nil)
	}
	return l.create(ctx, spec, &by)
}

// DeriveToken makes a token for whoever by is, which inherits every limit of the credentials they came with: scopes,
// expiry and networks. Made with a token it is that token's child, and ends with it. ErrDenied for anonymous and for
// read-only credentials, ErrCredentials if the login has ended.
func (l *Local) DeriveToken(ctx context.Context, by Identity, spec TokenSpec) (id, secret string, err error) {
	if by.User == "" {
		return "", "", problem.Errorf(ErrDenied, "Only users have tokens.")
	}
	spec.User = by.User
	return l.create(ctx, spec, &by)
}

func (l *Local) create(ctx context.Context, spec TokenSpec, by *Identity) (id, secret string, err error) {
	if by != nil && by.ReadOnly {
		return "", "", problem.Errorf(ErrDenied, "The token is read-only.")
	}
	if by != nil && !by.Expires.IsZero() && (spec.Expires.IsZero() || by.Expires.Before(spec.Expires)) {
		spec.Expires = by.Expires
	}
	if err := l.checkSpec(spec); err != nil {
		return "", "", err
	}
	secret = newSecret()
	hash := sha256.Sum256([]byte(secret))
	row := tokenRow{
		User: spec.User, Name: spec.Name, Scopes: spec.Scopes.Canonical(), ReadOnly: spec.ReadOnly,
		Expires: spec.Expires.UTC(), Login: spec.Login,
	}
	for _, p := range spec.CIDRs {
		row.CIDRs = append(row.CIDRs, p.Masked())
	}
	err = l.store.Update(ctx, func(tx *store.Tx) error { return l.insertToken(tx, hash, row, by) })
	if err != nil {
		return "", "", fmt.Errorf("create token for user %s: %w", spec.User, err)
	}
	return idOf(hash[:]), secret, nil
}

func (l *Local) insertToken(tx *store.Tx, hash [sha256.Size]byte, row tokenRow, by *Identity) error {
	u, err := userIn(tx, row.User)
	if err != nil {
		return err
	}
	if u.Disabled {
		return problem.Errorf(store.ErrInvalid, "User %s is disabled; enable the user first.", row.User)
	}
	if by != nil {
		if err := inherit(tx, &row, *by); err != nil {
			return err
		}
	}
	id := idOf(hash[:])
	if _, _, err := tokenIn(tx, id); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(store.ErrConflict, err)
	}
	row.Created = tx.Now()
	if err := putRow(tx.Table(tokensTable), hash[:], row); err != nil {
		return err
	}
	tx.Log(store.Entry{Op: store.OpTokenCreate, Note: noteOf(id, row)})
	return nil
}

// inherit adds the limits of by, which must still be good, and makes the token the child of by's.
func inherit(tx *store.Tx, row *tokenRow, by Identity) error {
	u, err := userIn(tx, by.User)
	if errors.Is(err, store.ErrNotFound) || err == nil && (u.Generation != by.generation || u.Disabled) {
		return problem.Errorf(ErrCredentials, "The login has ended; log in again.")
	}
	if err != nil {
		return err
	}
	row.Bounds = slices.Clone(by.Limits)
	if by.TokenID == "" {
		return nil
	}
	_, parent, err := tokenIn(tx, by.TokenID)
	if errors.Is(err, store.ErrNotFound) {
		return errRevoked()
	}
	if err != nil {
		return err
	}
	if !parent.Login || by.JWT {
		row.Parent, row.Login = by.TokenID, false
	}
	row.CIDRs, err = narrow(parent.CIDRs, row.CIDRs)
	return err
}

// narrow returns the networks that are in both lists; an empty list means everywhere.
func narrow(parent, child []netip.Prefix) ([]netip.Prefix, error) {
	if len(parent) == 0 {
		return child, nil
	}
	if len(child) == 0 {
		return parent, nil
	}
	var out []netip.Prefix
	for _, p := range parent {
		for _, c := range child {
			switch {
			case !p.Overlaps(c):
			case p.Bits() > c.Bits():
				out = append(out, p)
			default:
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 {
		return nil, problem.Errorf(store.ErrInvalid, "The networks lie outside those of the token you are using.")
	}
	return out, nil
}

// ParseNetworks reads ranges and single addresses; ErrInvalid for what is neither.
func ParseNetworks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); aerr == nil {
			p, err = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
		}
		if err != nil || !p.IsValid() {
			return nil, problem.Errorf(store.ErrInvalid, "%q is neither an address nor a network such as 192.0.2.0/24", text)
		}
		all = append(all, p)
	}
	return all, nil
}

func noteOf(id string, r tokenRow) string {
	note := "token " + id
	if r.Name != "" {
		note += " (" + r.Name + ")"
	}
	note += " of user " + r.User
	if r.Parent != "" {
		note += ", made with token " + r.Parent
	}
	return note
}

func errRevoked() error {
	return problem.Errorf(ErrCredentials, "The token is unknown or has been revoked.")
}

// tokenIn finds a token by id; the key is valid inside the transaction.
func tokenIn(tx *store.Tx, id string) (key []byte, row tokenRow, err error) {
	prefix, err := hex.DecodeString(id)
	if err == nil && len(prefix) == tokenIDSize {
		for k, b := range tx.Table(tokensTable).Scan(prefix, nil) {
			if err := decode(b, &row); err != nil {
				return nil, row, fmt.Errorf("record of token %s: %w", id, err)
			}
			return slices.Clone(k), row, nil
		}
	}
	return nil, row, problem.Errorf(store.ErrNotFound, "There is no token %q.", id)
}

// TokenNames returns the names of the tokens with these IDs, by ID. One that was revoked or has no name is not in it.
func (l *Local) TokenNames(ctx context.Context, ids ...string) (names map[string]string, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) error {
		names = map[string]string{}
		for _, id := range ids {
			_, row, err := tokenIn(tx, id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if row.Name != "" {
				names[id] = row.Name
			}
		}
		return nil
	})
	return names, err
}

// Tokens returns the tokens of a user, or of all users if user is empty, oldest first.
func (l *Local) Tokens(ctx context.Context, user string) ([]Token, error) {
	out := []Token{}
	err := l.store.View(ctx, func(tx *store.Tx) error {
		for k, b := range tx.Table(tokensTable).Scan(nil, nil) {
			var r tokenRow
			if err := decode(b, &r); err != nil {
				return fmt.Errorf("record of token %s: %w", idOf(k), err)
			}
			if user == "" || user == r.User {
				out = append(out, r.token(idOf(k)))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	for i := range out {
		if used := l.uses.last(out[i].ID); used.After(out[i].LastUsed) {
			out[i].LastUsed = used
		}
	}
	slices.SortFunc(out, func(a, b Token) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// RevokeToken ends a token, every JWT bought with it, and the tokens made with it with all of theirs, at once.
// ErrNotFound.
func (l *Local) RevokeToken(ctx context.Context, id string) error {
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		if _, _, err := tokenIn(tx, id); err != nil {
			return err
		}
		return l.dropLine(tx, id)
	})
	if err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	return nil
}

// RevokeTokens ends all tokens of a user and returns how many there were. ErrNotFound if there is no such user.
func (l *Local) RevokeTokens(ctx context.Context, user string) (int, error) {
	var n int
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := userIn(tx, user); err != nil {
			return err
		}
		var err error
		n, err = l.dropTokens(tx, user)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("revoke tokens of user %s: %w", user, err)
	}
	return n, nil
}

func (l *Local) dropToken(tx *store.Tx, key []byte, row tokenRow) error {
	if err := tx.Table(tokensTable).Delete(key); err != nil {
		return err
	}
	tx.Log(store.Entry{Op: store.OpTokenRevoke, Note: noteOf(idOf(key), row)})
	tx.OnCommit(l.memory.forget)
	return nil
}

// loadToken reads a token and its user in one transaction.
func (l *Local) loadToken(ctx context.Context, hash [sha256.Size]byte) (*held, error) {
	var h *held
	err := l.store.View(ctx, func(tx *store.Tx) error {
		b := tx.Table(tokensTable).Get(hash[:])
		if b == nil {
			return errRevoked()
		}
		var row tokenRow
		if err := decode(b, &row); err != nil {
			return err
		}
		a, err := accountIn(tx, row.User)
		if err != nil {
			return err
		}
		h = holdToken(a, idOf(hash[:]), row)
		return h.underParents(tx, row.Parent)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, errRevoked()
	}
	if err != nil && !errors.Is(err, ErrCredentials) {
		return nil, fmt.Errorf("token %s: %w", idOf(hash[:]), err)
	}
	return h, err
}

// holdToken joins what a token and its user say.
func holdToken(a *account, id string, row tokenRow) *held {
	h := &held{identity: a.identity(), disabled: a.disabled, cidrs: row.CIDRs}
	h.identity.TokenID = id
	h.identity.login = row.Login
	h.identity.ReadOnly = row.ReadOnly
	h.identity.Limits = row.limits()
	h.identity.Expires = row.Expires
	return h
}
