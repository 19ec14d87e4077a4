package rubygems

// Keys, which clients get for a user and a password (gem signin), and what a client asks about its user.

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/rubygems/form"
	"larder/rubygems/names"
	"larder/store"
)

// accounts are the methods of auth.Local that auth.Provider has not. Users of another provider get their keys there.
type accounts interface {
	User(ctx context.Context, name string) (auth.User, error)
	VerifyPassword(ctx context.Context, user, password string, addr netip.Addr) (auth.Identity, error)
	DeriveToken(ctx context.Context, by auth.Identity, spec auth.TokenSpec) (id, secret string, err error)
}

func (s *server) local() (accounts, error) {
	if s.accounts == nil {
		return nil, problem.Errorf(auth.ErrDenied, "Users and keys of this registry are managed elsewhere.")
	}
	return s.accounts, nil
}

// knows is nil when there is a user of that name.
func (s *server) knows(ctx context.Context, user string) error {
	a, err := s.local()
	if err == nil {
		_, err = a.User(ctx, user)
	}
	return err
}

// byPassword returns the identity of a request with user and password. A key makes no keys, as at the public registry.
func (s *server) byPassword(r *http.Request) (auth.Identity, error) {
	c, given := wire.CredentialsFrom(r)
	if !given || c.User == "" || c.Password == "" {
		return auth.Identity{}, problem.Errorf(auth.ErrNoCredentials, "This needs a user name and a password.")
	}
	a, err := s.local()
	if err != nil {
		return auth.Identity{}, err
	}
	return a.VerifyPassword(r.Context(), c.User, c.Password, wire.AddrFrom(r.Context()))
}

// keyActions are the scopes of a key as clients call them, and what each allows here. Those of features that this
// registry lacks allow nothing.
var keyActions = map[string][]auth.Action{
	"index_rubygems": {auth.Read}, "show_dashboard": {auth.Read},
	"push_rubygem": {auth.Read, auth.Create}, "yank_rubygem": {auth.Read, auth.Delete},
	"add_owner": {auth.Read, auth.Write}, "update_owner": {auth.Read, auth.Write}, "remove_owner": {auth.Read, auth.Write},
	"access_webhooks": {}, "configure_trusted_publishers": {},
}

// keyScopes are the scopes that a form asks for, limited to one gem if it names one.
func keyScopes(f form.Form) (auth.Scopes, error) {
	name := "*"
	if one := f["rubygem_name"]; one != "" {
		if err := names.Check(one); err != nil {
			return nil, err
		}
		name = one
	}
	var actions []auth.Action
	asked := 0
	for scope, list := range keyActions {
		if f.Yes(scope) {
			asked++
			actions = append(actions, list...)
		}
	}
	switch {
	case asked == 0:
		return nil, problem.Errorf(store.ErrInvalid, "Choose at least one scope for the key, such as push_rubygem.")
	case asked > 1 && f.Yes("show_dashboard"):
		return nil, problem.Errorf(store.ErrInvalid, "show_dashboard cannot be together with other scopes.")
	case len(actions) == 0:
		return nil, problem.Errorf(store.ErrInvalid, "This registry has nothing those scopes are for.")
	}
	slices.Sort(actions)
	scope, err := auth.NewScope(store.RubyGems, typeGem, name, slices.Compact(actions)...)
	return auth.Scopes{scope}, err
}

// createKey is gem signin, which gem push also does if it has no key. The answer is the key and nothing else.
func (s *server) createKey(w http.ResponseWriter, r *http.Request, _ Request) error {
	id, err := s.byPassword(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	spec := auth.TokenSpec{User: id.User, Name: clip(printable(f["name"]), 128)}
	if spec.Scopes, err = keyScopes(f); err != nil {
		return err
	}
	if e := f["expires_at"]; e != "" {
		if spec.Expires, err = time.Parse(time.RFC3339, e); err != nil {
			return problem.Errorf(store.ErrInvalid, "expires_at is not a time such as 2026-01-31T00:00:00Z.")
		}
	}
	a, err := s.local()
	if err != nil {
		return err
	}
	_, secret, err := a.DeriveToken(r.Context(), id, spec)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, err = w.Write([]byte(secret))
	return err
}

// changeKey is how clients ask for more scopes for a key. Keys never change here.
func (s *server) changeKey(_ http.ResponseWriter, r *http.Request, _ Request) error {
	if _, err := s.byPassword(r); err != nil {
		return err
	}
	return problem.Errorf(auth.ErrDenied, "The scopes of a key do not change; make another one with gem signin.")
}

// showKey is how clients up to RubyGems 3.1 signed in, for a key that could do everything. The public registry has
// ended it too.
func (s *server) showKey(w http.ResponseWriter, _ *http.Request, _ Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusGone)
	_, err := io.WriteString(w, "Keys have scopes now. "+
		"Update RubyGems with gem update --system, or make a key with POST api/v1/api_key.\n")
	return err
}

// profile says who is logged in, and that there is no second factor.
func (s *server) profile(w http.ResponseWriter, r *http.Request, q Request) error {
	id := wire.IdentityFrom(r.Context())
	if id.User == "" {
		return needLogin()
	}
	w.Header().Set("Cache-Control", "no-store")
	if q.Form == "json" {
		return wire.JSON(w, http.StatusOK, map[string]any{
			"id": id.User, "handle": id.User, "mfa": "disabled", "warning": nil,
		})
	}
	return sayYAML(w, "---\nid: "+quoted(id.User)+"\nhandle: "+quoted(id.User)+"\nmfa: disabled\nwarning:")
}

// webAuthn says that there is no device. Clients come here only after an answer that asks for a second factor, and this
// registry has none.
func (s *server) webAuthn(_ http.ResponseWriter, r *http.Request, _ Request) error {
	if wire.IdentityFrom(r.Context()).User == "" {
		return needLogin()
	}
	return problem.Errorf(store.ErrInvalid, "There are no security devices here.")
}
