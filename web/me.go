package web

// Whoever asks: the user of the credentials, and what of their tokens and sessions these oversee.

import (
	"net/http"

	"larder/auth"
	"larder/internal/wire"
)

// user is who asks; auth.ErrNoCredentials for nobody.
func user(r *http.Request) (auth.Identity, error) {
	id := wire.IdentityFrom(r.Context())
	if id.Anonymous {
		return id, auth.ErrNoCredentials
	}
	return id, nil
}

func (a *api) me(w http.ResponseWriter, r *http.Request, _ request) error {
	id, err := user(r)
	if err != nil {
		return err
	}
	u, err := a.auth.User(r.Context(), id.User)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, u)
}

func (a *api) myTokens(w http.ResponseWriter, r *http.Request, _ request) error {
	id, err := user(r)
	if err != nil {
		return err
	}
	p, err := pageOf(r, adminPage, adminPage)
	if err != nil {
		return err
	}
	tokens, err := a.auth.OwnTokens(r.Context(), id)
	if err != nil {
		return err
	}
	tokens, following := cut(tokens, p, tokenKey)
	link(w, r, following)
	return answer(w, http.StatusOK, TokenList{tokens, following})
}

// SessionList is the answer of GET /me/sessions, the one used last first. A user has few of them.
type SessionList struct {
	Sessions []auth.Session `json:"sessions"`
}

func (a *api) mySessions(w http.ResponseWriter, r *http.Request, _ request) error {
	id, err := user(r)
	if err != nil {
		return err
	}
	list, err := a.auth.OwnSessions(r.Context(), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, SessionList{append([]auth.Session{}, list...)})
}
