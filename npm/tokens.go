package npm

// npm token, npm logout and npm profile.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"larder/auth"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
)

// tokenEntry is a token as npm lists it. Key identifies it; the token itself is shown once.
type tokenEntry struct {
	Token    string    `json:"token"`
	Key      string    `json:"key"`
	Name     string    `json:"name"`
	CIDRs    []string  `json:"cidr_whitelist"`
	ReadOnly bool      `json:"readonly"`
	Scopes   []string  `json:"scopes,omitempty"` // in Larder's words
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed time.Time `json:"last_used,omitzero"`
}

func tokenEntryOf(t auth.Token) tokenEntry {
	e := tokenEntry{Token: "larder_…", Key: t.ID, Name: t.Name, CIDRs: []string{}, ReadOnly: t.ReadOnly, Created: t.Created, Updated: t.Created, Expires: t.Expires, LastUsed: t.LastUsed}
	for _, c := range t.CIDRs {
		e.CIDRs = append(e.CIDRs, c.String())
	}
	for _, s := range t.Scopes {
		e.Scopes = append(e.Scopes, s.String())
	}
	return e
}

// listTokens answers one page; urls must be there, npm reads its next.
func (s *server) listTokens(w http.ResponseWriter, r *http.Request, q Request) error {
	a, id, err := s.self(r.Context())
	if err != nil {
		return err
	}
	all, err := a.Tokens(r.Context(), id.User)
	if err != nil {
		return err
	}
	q.Size = max(q.Size, 1)
	from := min(q.From*q.Size, len(all))
	entries := []tokenEntry{}
	for _, t := range all[from:min(from+q.Size, len(all))] {
		entries = append(entries, tokenEntryOf(t))
	}
	urls := map[string]string{}
	if from+q.Size < len(all) {
		next := q
		next.From++
		urls["next"] = s.opt.Base + link(next)[len(root):]
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"objects": entries, "total": len(all), "urls": urls})
}

// self is the user who asks, and where users are kept.
func (s *server) self(ctx context.Context) (accounts, auth.Identity, error) {
	id, err := user(ctx)
	if err != nil {
		return nil, id, err
	}
	a, err := s.local()
	return a, id, err
}

// createToken makes a token that reaches no further than what it was asked with. The password is asked for again, as
// the clients do: a stolen token must not breed.
func (s *server) createToken(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	a, id, err := s.self(ctx)
	if err != nil {
		return err
	}
	o, err := readObject(r)
	if err != nil {
		return err
	}
	if _, err := s.check(ctx, id.User, o.Text("password")); err != nil {
		if errors.Is(err, auth.ErrCredentials) {
			return wire.Errorf(auth.ErrDenied, "The password is wrong.")
		}
		return err
	}
	spec, err := tokenSpec(o, time.Now())
	if err != nil {
		return err
	}
	_, secret, err := a.DeriveToken(ctx, id, spec)
	if err != nil {
		return err
	}
	key, _ := auth.TokenID(secret)
	all, err := a.Tokens(ctx, id.User)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.ID == key {
			e := tokenEntryOf(t)
			e.Token = secret
			w.Header().Set("Cache-Control", "no-store")
			return wire.JSON(w, http.StatusOK, e)
		}
	}
	return store.Refuse(store.ErrNotFound, "the token is gone already")
}

// tokenSpec reads what npm 10 (readonly, cidr_whitelist) and npm 11 and later (name, expires, packages, scopes, …) send.
// What Larder has no form of is refused rather than left out: the token would reach further than was asked for.
func tokenSpec(o rawjson.Object, now time.Time) (spec auth.TokenSpec, err error) {
	var packages, scopes, orgs, cidrs []string
	for key, list := range map[string]*[]string{"packages": &packages, "scopes": &scopes, "orgs": &orgs, "cidr_whitelist": &cidrs} {
		if v := o.Get(key); v != nil && json.Unmarshal(v, list) != nil {
			return spec, wire.Errorf(store.ErrInvalid, "%s is not a list of words.", key)
		}
	}
	spec.Name = o.Text("name")
	if spec.Name == "" {
		spec.Name = "npm token"
	}
	permission := o.Text("packages_and_scopes_permission")
	switch {
	case len(orgs) > 0:
		return spec, wire.Errorf(store.ErrInvalid, "This registry has no organisations; limit the token to packages or scopes.")
	case permission != "" && permission != "read-only" && permission != "read-write" && permission != "no-access":
		return spec, wire.Errorf(store.ErrInvalid, "The permission is read-only or read-write.")
	}
	spec.ReadOnly = string(o.Get("readonly")) == "true" || permission == "read-only" || permission == "no-access"
	if spec.Scopes, err = tokenScopes(packages, scopes); err != nil {
		return spec, err
	}
	for _, c := range cidrs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return spec, wire.Errorf(store.ErrInvalid, "%.80q is not a network; write 192.0.2.0/24 or 2001:db8::/32.", c)
		}
		spec.CIDRs = append(spec.CIDRs, p)
	}
	if v := o.Get("expires"); v != nil {
		days, err := strconv.ParseUint(string(v), 10, 16)
		if err != nil || days == 0 {
			return spec, wire.Errorf(store.ErrInvalid, "expires is a number of days.")
		}
		spec.Expires = now.AddDate(0, 0, int(days))
	}
	return spec, nil
}

func tokenScopes(packages, scopes []string) (auth.Scopes, error) {
	var out []string
	for _, p := range packages {
		if err := checkName(p); err != nil {
			return nil, err
		}
		out = append(out, "npm:package:"+p+":*")
	}
	for _, sc := range scopes {
		if err := checkName(sc + "/x"); err != nil {
			return nil, wire.Errorf(store.ErrInvalid, "%.80q is not a scope like @acme.", sc)
		}
		out = append(out, "npm:package:"+sc+"/*:*")
	}
	if len(out) == 0 {
		out = []string{"npm:*:*:*"}
	}
	return auth.ParseScopes(out)
}

// revokeToken takes the key of the list, or the token itself; only the user's own.
func (s *server) revokeToken(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	a, id, err := s.self(ctx)
	if err != nil {
		return err
	}
	if id.ReadOnly {
		return wire.Errorf(auth.ErrDenied, "The token is read-only.")
	}
	key, ok := auth.TokenID(q.ID)
	if !ok {
		key = q.ID
	}
	all, err := a.Tokens(ctx, id.User)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.ID == key {
			if err := a.RevokeToken(ctx, key); err != nil {
				return err
			}
			return done(w, http.StatusOK)
		}
	}
	return store.Refuse(store.ErrNotFound, "%s has no such token", id.User)
}

// logout ends the token in the path; having it is the right to end it. The access log shows no token.
func (s *server) logout(w http.ResponseWriter, r *http.Request, q Request) error {
	a, err := s.local()
	if err != nil {
		return err
	}
	key, ok := auth.TokenID(q.ID)
	if !ok {
		return store.Refuse(store.ErrNotFound, "no such token")
	}
	if err := a.RevokeToken(r.Context(), key); err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// getProfile shows what Larder knows of a user: the name.
func (s *server) getProfile(w http.ResponseWriter, r *http.Request, _ Request) error {
	a, id, err := s.self(r.Context())
	if err != nil {
		return err
	}
	u, err := a.User(r.Context(), id.User)
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]any{
		"tfa": false, "name": u.Name, "email": "", "email_verified": false, "created": u.Created, "updated": u.Created,
		"fullname": "", "homepage": "", "cidr_whitelist": nil,
	})
}

// setProfile changes the password; Larder keeps nothing else of a profile.
func (s *server) setProfile(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	a, id, err := s.self(ctx)
	if err != nil {
		return err
	}
	o, err := readObject(r)
	if err != nil {
		return err
	}
	password := o.Sub("password")
	if password == nil {
		return wire.Errorf(store.ErrInvalid, "This registry keeps no profiles; only the password can be changed.")
	}
	if id.ReadOnly {
		return wire.Errorf(auth.ErrDenied, "The token is read-only.")
	}
	if _, err := s.check(ctx, id.User, password.Text("old")); err != nil {
		if errors.Is(err, auth.ErrCredentials) {
			return wire.Errorf(auth.ErrDenied, "The present password is wrong.")
		}
		return err
	}
	if err := a.SetPassword(ctx, id.User, password.Text("new")); err != nil {
		return err
	}
	return s.getProfile(w, r, q)
}
