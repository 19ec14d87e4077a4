package cargo

// This file serves the page that cargo login names: whoever logs in there gets a token to paste.

import (
	_ "embed"
	"errors"
	"net/http"
	"net/url"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
)

//go:embed me.html
var meHTML string

// mePage is what the template gets; html/template escapes all of it.
type mePage struct {
	Action, Host, User, Error, Token string
	External                         bool // users and tokens are kept by another provider
}

// me shows the form.
func (s *server) me(w http.ResponseWriter, r *http.Request, _ Request) error {
	return s.show(w, r, http.StatusOK, mePage{External: s.accounts == nil})
}

func (s *server) show(w http.ResponseWriter, r *http.Request, status int, p mePage) error {
	p.Action = s.URL(r) + "/me"
	if u, err := url.Parse(p.Action); err == nil {
		p.Host = u.Host
	}
	return wire.FormPage(w, r, status, meHTML, p)
}

// meLogin takes the form and shows a token, once. It reaches no further than cargo.
func (s *server) meLogin(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	if s.accounts == nil {
		return problem.Errorf(auth.ErrDenied, "Users and tokens of this registry are managed elsewhere.")
	}
	form, err := wire.ReadForm(r, maxSmallBody)
	if err != nil {
		return err
	}
	page := mePage{User: form.Get("user")}
	id, err := s.accounts.VerifyPassword(ctx, page.User, form.Get("password"), wire.AddrFrom(ctx))
	var throttled *auth.Throttled
	if errors.Is(err, auth.ErrNoPassword) {
		err = problem.Errorf(auth.ErrNoPassword, "A token is no password. Give it to cargo login as it is.")
	}
	if errors.Is(err, auth.ErrCredentials) || errors.As(err, &throttled) {
		page.Error = problem.Public(err)
		return s.show(w, r, problem.Status(err), page)
	}
	if err != nil {
		return err
	}
	scopes, err := auth.ParseScopes([]string{"cargo:*:*:*"})
	if err != nil {
		return err
	}
	spec := auth.TokenSpec{User: id.User, Name: "cargo login", Scopes: scopes}
	if _, page.Token, err = s.accounts.DeriveToken(ctx, id, spec); err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, page)
}
