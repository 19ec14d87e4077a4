package web

// Tokens: lists, creation and revocation by an administrator.

import (
	"net/http"
	"time"

	"larder/auth"
	"larder/internal/wire"
)

// NewToken is the body of POST /tokens.
type NewToken struct {
	User string `json:"user"`
	Name string `json:"name,omitempty"`
	// Scopes are kind:type:name:actions; none means all that the user may.
	Scopes []string `json:"scopes,omitempty"`
	// Expires is when the token ends; absent means never.
	Expires  time.Time `json:"expires,omitzero"`
	ReadOnly bool      `json:"read_only,omitempty"`
	// CIDRs are the networks it may be used from, as ranges or single addresses; none means everywhere.
	CIDRs []string `json:"cidrs,omitempty"`
}

// CreatedToken is the answer of POST /tokens: the only time the token is shown.
type CreatedToken struct {
	ID    string `json:"id"`
	Token string `json:"token"`
}

// TokenList is the answer of GET /tokens.
type TokenList struct {
	Tokens []auth.Token `json:"tokens"`
	Next   string       `json:"next,omitempty"`
}

// tokenKey is where a token stands in a list.
func tokenKey(t auth.Token) string { return t.Created.UTC().Format(time.RFC3339Nano) + " " + t.ID }

// listTokens answers 404 for a user who does not exist, so that a misspelt name does not look like one without tokens.
func (a *api) listTokens(w http.ResponseWriter, r *http.Request, q request) error {
	p, err := pageOf(r, adminPage, adminPage)
	if err != nil {
		return err
	}
	user := r.URL.Query().Get("user")
	if user != "" {
		if _, err := a.auth.User(r.Context(), user); err != nil {
			return err
		}
	}
	tokens, err := a.auth.Tokens(r.Context(), user)
	if err != nil {
		return err
	}
	tokens, following := cut(tokens, p, tokenKey)
	link(w, r, following)
	return answer(w, http.StatusOK, TokenList{tokens, following})
}

func (a *api) createToken(w http.ResponseWriter, r *http.Request, _ request) error {
	var body NewToken
	if err := readJSON(r, &body); err != nil {
		return err
	}
	scopes, err := auth.ParseScopes(body.Scopes)
	if err != nil {
		return err
	}
	spec := auth.TokenSpec{
		User: body.User, Name: body.Name, Scopes: scopes, Expires: body.Expires, ReadOnly: body.ReadOnly,
	}
	if spec.CIDRs, err = auth.ParseNetworks(body.CIDRs); err != nil {
		return err
	}
	id, token, err := a.auth.CreateTokenBy(r.Context(), wire.IdentityFrom(r.Context()), spec)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, CreatedToken{ID: id, Token: token})
}

func (a *api) revokeToken(w http.ResponseWriter, r *http.Request, q request) error {
	if err := a.auth.RevokeToken(r.Context(), q.name); err != nil {
		return err
	}
	return done(w)
}
