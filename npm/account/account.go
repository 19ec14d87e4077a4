// Package account is what npm's clients do with users: whoami, npm login with a password or in the browser, npm token,
// npm logout and npm profile. None of it is about a package.
package account

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/wire"
)

// UserPrefix stands before a user's name in paths and ids.
const UserPrefix = "org.couchdb.user:"

const maxBody = 1 << 20

// provider is what the local provider adds to auth.Provider. With another one users log in where that one lives.
type provider interface {
	auth.Provider
	User(ctx context.Context, name string) (auth.User, error)
	SetPassword(ctx context.Context, name, password string) error
	VerifyPassword(ctx context.Context, user, password string, addr netip.Addr) (auth.Identity, error)
	DeriveToken(ctx context.Context, by auth.Identity, spec auth.TokenSpec) (id, secret string, err error)
	Tokens(ctx context.Context, user string) ([]auth.Token, error)
	OwnTokens(ctx context.Context, by auth.Identity) ([]auth.Token, error)
	RevokeOwn(ctx context.Context, by auth.Identity, id string) error
	RevokeToken(ctx context.Context, id string) error
}

// Accounts answers the requests; see New.
type Accounts struct {
	local  provider // nil when users and tokens are kept elsewhere
	path   string
	url    func(*http.Request) string
	logins *logins
}

// New stands on the users of p. path is where clients find the registry, url the same with the origin that the client
// of a request knows; neither has a slash at its end.
func New(p auth.Provider, path string, url func(*http.Request) string) *Accounts {
	a := &Accounts{path: path, url: url, logins: newLogins()}
	a.local, _ = p.(provider)
	return a
}

func (a *Accounts) users() (provider, error) {
	if a.local == nil {
		return nil, problem.Errorf(auth.ErrDenied, "Users and tokens of this registry are managed elsewhere.")
	}
	return a.local, nil
}

// Who is whoever is logged in; auth.ErrNoCredentials for anonymous.
func Who(ctx context.Context) (auth.Identity, error) {
	id := wire.IdentityFrom(ctx)
	if id.User == "" {
		return id, problem.Errorf(auth.ErrNoCredentials, "This needs a login: run npm login, or set a token.")
	}
	return id, nil
}

// Writer is Who for what a read-only token must not do: auth.ErrDenied.
func Writer(ctx context.Context) (auth.Identity, error) {
	id, err := Who(ctx)
	if err == nil && id.ReadOnly {
		err = problem.Errorf(auth.ErrDenied, "The token is read-only.")
	}
	return id, err
}

// MayWrite is the error of Writer.
func MayWrite(ctx context.Context) error {
	_, err := Writer(ctx)
	return err
}

// Knows is nil when there is a user of that name, and problem.ErrNotFound when there is none.
func (a *Accounts) Knows(ctx context.Context, user string) error {
	p, err := a.users()
	if err != nil {
		return err
	}
	if auth.CheckUserName(user) != nil {
		return problem.Errorf(problem.ErrNotFound, "there is no user %.64q", user)
	}
	_, err = p.User(ctx, user)
	return err
}

// Whoami answers with the name of who asks.
func (a *Accounts) Whoami(w http.ResponseWriter, r *http.Request) error {
	id, err := Who(r.Context())
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]string{"username": id.User})
}

// User is what npm owner add asks: whether there is such a user. Only users are told.
func (a *Accounts) User(w http.ResponseWriter, r *http.Request, name string) error {
	if _, err := Who(r.Context()); err != nil {
		return err
	}
	if err := a.Knows(r.Context(), name); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]any{
		"_id": UserPrefix + name, "_rev": "1-" + name, "name": name, "email": "", "type": "user", "roles": []string{},
	})
}

// check judges a name and password; a token is none, wherever the client puts it.
func (a *Accounts) check(ctx context.Context, name, password string) (auth.Identity, error) {
	p, err := a.users()
	if err != nil {
		return auth.Identity{}, err
	}
	id, err := p.VerifyPassword(ctx, name, password, wire.AddrFrom(ctx))
	if errors.Is(err, auth.ErrNoPassword) {
		err = problem.Errorf(auth.ErrNoPassword,
			"A token is no password. Put it into .npmrc as _authToken instead of logging in with it.")
	}
	return id, err
}

// confirm has the user who asks say the password again; wrong is what the user reads when it is not the right one.
func (a *Accounts) confirm(ctx context.Context, user, password, wrong string) error {
	p, err := a.users()
	if err != nil {
		return err
	}
	_, err = p.VerifyPassword(ctx, user, password, wire.AddrFrom(ctx))
	switch {
	case errors.Is(err, auth.ErrNoPassword):
		return problem.Errorf(auth.ErrDenied, "This asks for the password; a token is none.")
	case errors.Is(err, auth.ErrCredentials):
		return problem.Errorf(auth.ErrDenied, "%s", wrong)
	}
	return err
}

// Login is npm adduser and npm login in their old form; it makes no users. The same request with a revision is what npm
// sends when it believes that the user exists already.
func (a *Accounts) Login(w http.ResponseWriter, r *http.Request, user string) error {
	o, err := wire.ReadObject(r, maxBody)
	if err != nil {
		return err
	}
	if name := o.Text("name"); name != "" && name != user {
		return problem.Errorf(problem.ErrInvalid, "The request is about user %.64q, but its body about %.64q.", user, name)
	}
	token, err := a.issue(r.Context(), user, o.Text("password"), "npm login")
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, http.StatusCreated, map[string]any{
		"ok": true, "id": UserPrefix + user, "rev": "1-" + user, "token": token,
	})
}

// everything is the scope of a token that nobody limited: it reaches no further than npm.
const everything = "npm:*:*:*"

// issue makes the token a login is for.
func (a *Accounts) issue(ctx context.Context, user, password, name string) (secret string, err error) {
	id, err := a.check(ctx, user, password)
	if err != nil {
		return "", err
	}
	all, err := auth.ParseScopes([]string{everything})
	if err != nil {
		return "", err
	}
	_, secret, err = a.local.DeriveToken(ctx, id, auth.TokenSpec{User: id.User, Name: name, Scopes: all, Login: true})
	return secret, err
}

// Profile shows what Larder knows of a user: the name.
func (a *Accounts) Profile(w http.ResponseWriter, r *http.Request) error {
	p, id, err := a.self(r.Context(), Who)
	if err != nil {
		return err
	}
	u, err := p.User(r.Context(), id.User)
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]any{
		"tfa": false, "name": u.Name, "email": "", "email_verified": false, "created": u.Created, "updated": u.Created,
		"fullname": "", "homepage": "", "cidr_whitelist": nil,
	})
}

// SetProfile changes the password; Larder keeps nothing else of a profile.
func (a *Accounts) SetProfile(w http.ResponseWriter, r *http.Request) error {
	p, id, o, err := a.change(r)
	if err != nil {
		return err
	}
	password := o.Sub("password")
	if password == nil {
		return problem.Errorf(problem.ErrInvalid, "This registry keeps no profiles; only the password can be changed.")
	}
	if err := a.confirm(r.Context(), id.User, password.Text("old"), "The present password is wrong."); err != nil {
		return err
	}
	if err := p.SetPassword(r.Context(), id.User, password.Text("new")); err != nil {
		return err
	}
	return a.Profile(w, r)
}

// self is the user who asks, Who or Writer, and where users are kept.
func (a *Accounts) self(
	ctx context.Context, who func(context.Context) (auth.Identity, error),
) (provider, auth.Identity, error) {
	id, err := who(ctx)
	if err != nil {
		return nil, id, err
	}
	p, err := a.users()
	return p, id, err
}

// change is self for whoever is about to change something, and what the request says.
func (a *Accounts) change(r *http.Request) (p provider, id auth.Identity, o rawjson.Object, err error) {
	if p, id, err = a.self(r.Context(), Writer); err != nil {
		return nil, id, nil, err
	}
	o, err = wire.ReadObject(r, maxBody)
	return p, id, o, err
}
