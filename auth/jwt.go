package auth

// Short tokens that are bought with other credentials: issuing and reading them.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder/internal/problem"
	"larder/store"
)

// jwtIssuer marks the tokens as ours; the key alone would do.
const jwtIssuer = "larder"

// maxGranted bounds the scopes of one JWT, which has to fit into a header.
const maxGranted = 100

// claims of a JWT. What the user and the personal token are allowed is looked up on use, so that a change or revocation
// counts at once; the claims carry what cannot be looked up, and the limits of the credential the JWT was bought with.
type claims struct {
	jwt.RegisteredClaims          // iss, sub (the user; empty for anonymous), iat, exp
	Generation           uint64   `json:"gen,omitempty"`
	Token                string   `json:"tok,omitempty"` // id of the personal token
	ReadOnly             bool     `json:"ro,omitempty"`
	Limits               []Scopes `json:"lim,omitempty"`
	Granted              Scopes   `json:"scp"`
}

// newParser accepts one algorithm, whatever the token's header says.
func newParser(now func() time.Time) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(jwtIssuer),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(now),
	)
}

// IssueJWT makes a JWT for id (Anonymous too) that may do what id may and granted allows: granted can only narrow, so a
// caller cannot give away too much. It ends after ttl, or with the credential if that ends sooner. ErrCredentials if
// the user has been changed since id was authenticated, ErrInvalid for a ttl below a second or too many scopes.
func (l *Local) IssueJWT(
	ctx context.Context, id Identity, granted Scopes, ttl time.Duration,
) (token string, expires time.Time, err error) {
	granted = granted.Canonical()
	if ttl < time.Second || len(granted) > maxGranted {
		return "", time.Time{}, problem.Errorf(
			store.ErrInvalid, "A JWT lasts at least a second and has at most %d scopes.", maxGranted,
		)
	}
	if err := l.current(ctx, id); err != nil {
		return "", time.Time{}, err
	}
	now := l.now().UTC()
	expires = now.Add(ttl)
	if !id.Expires.IsZero() && id.Expires.Before(expires) {
		expires = id.Expires.UTC()
	}
	expires = expires.Truncate(time.Second)
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: jwtIssuer, Subject: id.User, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
		Generation: id.generation, Token: id.TokenID, ReadOnly: id.ReadOnly, Limits: id.Limits, Granted: granted,
	}).SignedString(l.jwtKey)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign JWT: %w", err)
	}
	return token, expires, nil
}

// current says whether id is still what Authenticate would return.
func (l *Local) current(ctx context.Context, id Identity) error {
	if id.Anonymous && id.User == "" {
		return nil
	}
	a, err := l.account(ctx, id.User)
	if err != nil {
		return err
	}
	if a == nil || a.generation != id.generation || a.disabled {
		return problem.Errorf(ErrCredentials, "The login has ended; log in again.")
	}
	return nil
}

// loadJWT verifies a JWT and joins it with what its user and token say now.
func (l *Local) loadJWT(ctx context.Context, text string) (*held, error) {
	var c claims
	_, err := l.parser.ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return l.jwtKey, nil })
	if errors.Is(err, jwt.ErrTokenExpired) {
		return nil, problem.Errorf(ErrCredentials, "The token has expired.")
	}
	if err != nil {
		return nil, problem.Errorf(ErrCredentials, "The token is not valid here.")
	}
	h := &held{identity: Anonymous()}
	if c.Subject != "" {
		if h, err = l.loadSubject(ctx, c); err != nil {
			return nil, err
		}
	}
	h.identity.JWT = true
	h.identity.Limits = append(c.Limits[:len(c.Limits):len(c.Limits)], c.Granted)
	h.identity.ReadOnly = h.identity.ReadOnly || c.ReadOnly
	if e := h.identity.Expires; e.IsZero() || c.ExpiresAt.Before(e) {
		h.identity.Expires = c.ExpiresAt.Time
	}
	return h, nil
}

// loadSubject reads the user and the personal token of a JWT in one transaction.
func (l *Local) loadSubject(ctx context.Context, c claims) (*held, error) {
	var h *held
	err := l.store.View(ctx, func(tx *store.Tx) error {
		a, err := accountIn(tx, c.Subject)
		if err != nil {
			return err
		}
		if a.generation != c.Generation {
			return problem.Errorf(ErrCredentials, "The login has ended; log in again.")
		}
		if c.Token == "" {
			h = &held{identity: a.identity(), disabled: a.disabled}
			return nil
		}
		_, row, err := tokenIn(tx, c.Token)
		if err == nil && row.User != c.Subject {
			err = errRevoked()
		}
		if err != nil {
			return err
		}
		h = holdToken(a, c.Token, row)
		return h.underParents(tx, row.Parent)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, errRevoked()
	}
	if err != nil && !errors.Is(err, ErrCredentials) {
		return nil, fmt.Errorf("JWT of user %s: %w", c.Subject, err)
	}
	return h, err
}
