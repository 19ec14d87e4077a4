package account

// npm token and npm logout.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/npm/names"
	"larder/store"
)

// entry is a token as npm lists it. Key identifies it; the token itself is shown once.
type entry struct {
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

func entryOf(t auth.Token) entry {
	e := entry{
		Token: "larder_…", Key: t.ID, Name: t.Name, CIDRs: []string{}, ReadOnly: t.ReadOnly, Created: t.Created,
		Updated: t.Created, Expires: t.Expires, LastUsed: t.LastUsed,
	}
	for _, c := range t.CIDRs {
		e.CIDRs = append(e.CIDRs, c.String())
	}
	for _, s := range t.Scopes {
		e.Scopes = append(e.Scopes, s.String())
	}
	return e
}

// List answers one page of the user's tokens, of those that the credentials see; urls must be there, npm reads its
// next.
func (a *Accounts) List(w http.ResponseWriter, r *http.Request, page, size int) error {
	p, id, err := a.self(r.Context(), Who)
	if err != nil {
		return err
	}
	all, err := p.OwnTokens(r.Context(), id)
	if err != nil {
		return err
	}
	size = max(size, 1)
	from := min(page*size, len(all))
	to := min(from+size, len(all))
	entries := []entry{}
	for _, t := range all[from:to] {
		entries = append(entries, entryOf(t))
	}
	urls := map[string]string{}
	if to < len(all) {
		urls["next"] = fmt.Sprintf("%s/-/npm/v1/tokens?page=%d&perPage=%d", a.path, page+1, size)
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"objects": entries, "total": len(all), "urls": urls})
}

// Create makes a token that reaches no further than what it was asked with. The password is asked for again, as the
// clients do: a stolen token must not breed.
func (a *Accounts) Create(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	p, id, o, err := a.change(r)
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, id.User, o.Text("password"), "The password is wrong."); err != nil {
		return err
	}
	spec, err := specOf(o, time.Now())
	if err != nil {
		return err
	}
	_, secret, err := p.DeriveToken(ctx, id, spec)
	if err != nil {
		return err
	}
	t, err := made(ctx, p, id.User, secret)
	if err != nil {
		return err
	}
	e := entryOf(t)
	e.Token = secret
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, http.StatusOK, e)
}

// made is a token of the user that was just made.
func made(ctx context.Context, p provider, user, secret string) (auth.Token, error) {
	key, _ := auth.TokenID(secret)
	all, err := p.Tokens(ctx, user)
	if err != nil {
		return auth.Token{}, err
	}
	i := slices.IndexFunc(all, func(t auth.Token) bool { return t.ID == key })
	if i < 0 {
		return auth.Token{}, problem.Errorf(store.ErrConflict, "The token has been revoked in the meantime.")
	}
	return all[i], nil
}

// specOf reads what npm 10 (readonly, cidr_whitelist) and npm 11 and later (name, expires, packages, scopes, …) send.
// What Larder has no form of is refused rather than left out: the token would reach further than was asked for.
func specOf(o rawjson.Object, now time.Time) (spec auth.TokenSpec, err error) {
	var packages, scopes, orgs, cidrs []string
	for key, list := range map[string]*[]string{
		"packages": &packages, "scopes": &scopes, "orgs": &orgs, "cidr_whitelist": &cidrs,
	} {
		if v := o.Get(key); v != nil && json.Unmarshal(v, list) != nil {
			return spec, problem.Errorf(problem.ErrInvalid, "%s is not a list of words.", key)
		}
	}
	spec.Name = o.Text("name")
	if spec.Name == "" {
		spec.Name = "npm token"
	}
	permission := o.Text("packages_and_scopes_permission")
	switch {
	case len(orgs) > 0:
		return spec, problem.Errorf(problem.ErrInvalid,
			"This registry has no organisations; limit the token to packages or scopes.")
	case permission != "" && permission != "read-only" && permission != "read-write" && permission != "no-access":
		return spec, problem.Errorf(problem.ErrInvalid, "The permission is read-only or read-write.")
	}
	spec.ReadOnly = string(o.Get("readonly")) == "true" || permission == "read-only" || permission == "no-access"
	if spec.Scopes, err = scopesOf(packages, scopes); err != nil {
		return spec, err
	}
	for _, c := range cidrs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return spec, problem.Errorf(problem.ErrInvalid, "%.80q is not a network; write 192.0.2.0/24 or 2001:db8::/32.", c)
		}
		spec.CIDRs = append(spec.CIDRs, p)
	}
	if v := o.Get("expires"); v != nil {
		days, err := strconv.ParseUint(string(v), 10, 16)
		if err != nil || days == 0 {
			return spec, problem.Errorf(problem.ErrInvalid, "expires is a number of days.")
		}
		spec.Expires = now.AddDate(0, 0, int(days))
	}
	return spec, nil
}

func scopesOf(packages, scopes []string) (auth.Scopes, error) {
	var out []string
	for _, p := range packages {
		if err := names.Check(p); err != nil {
			return nil, err
		}
		out = append(out, "npm:package:"+p+":*")
	}
	for _, sc := range scopes {
		if err := names.Check(sc + "/x"); err != nil {
			return nil, problem.Errorf(problem.ErrInvalid, "%.80q is not a scope like @acme.", sc)
		}
		out = append(out, "npm:package:"+sc+"/*:*")
	}
	if len(out) == 0 {
		out = []string{everything}
	}
	return auth.ParseScopes(out)
}

// Revoke ends one of the tokens of List, by the key of the list or the token itself.
func (a *Accounts) Revoke(w http.ResponseWriter, r *http.Request, keyOrToken string) error {
	p, id, err := a.self(r.Context(), Who)
	if err != nil {
		return err
	}
	key, ok := auth.TokenID(keyOrToken)
	if !ok {
		key = keyOrToken
	}
	if err := p.RevokeOwn(r.Context(), id, key); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]bool{"ok": true})
}

// Logout ends the token in the path; having it is the right to end it. The access log shows no token.
func (a *Accounts) Logout(w http.ResponseWriter, r *http.Request, token string) error {
	p, err := a.users()
	if err != nil {
		return err
	}
	key, ok := auth.TokenID(token)
	if !ok {
		return problem.Errorf(problem.ErrNotFound, "no such token")
	}
	if err := p.RevokeToken(r.Context(), key); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]bool{"ok": true})
}
