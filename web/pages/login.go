package pages

// The login and the logout.

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
)

// loginPage is what the page with the login shows.
type loginPage struct {
	// Next is the path to go on to.
	Next string
	// User is the name that was tried, Refused why it did not work.
	User, Refused string
}

// loginForm is the login; who is logged in already goes on.
func (p *Pages) loginForm(w http.ResponseWriter, r *http.Request, q request) error {
	next := p.local(r, q.next)
	if _, err := openedBy(r); err == nil {
		return seeOther(w, next)
	}
	return p.sendLogin(w, r, http.StatusOK, loginPage{Next: next})
}

func (p *Pages) sendLogin(w http.ResponseWriter, r *http.Request, status int, l loginPage) error {
	f := p.frame(r, "Log in", l)
	f.NoSearch, f.Bare, f.Version = true, true, ""
	return p.sendStatus(w, status, "login", f)
}

// login begins a session for whoever knows the password. The one that the browser had ends.
func (p *Pages) login(w http.ResponseWriter, r *http.Request, _ request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	l := loginPage{Next: p.local(r, form.Get("next")), User: strings.TrimSpace(form.Get("user"))}
	addr := p.d.Wire.Base.ClientAddr(r)
	id, err := p.d.Auth.VerifyPassword(r.Context(), l.User, form.Get("password"), addr)
	var throttled *auth.Throttled
	switch {
	case errors.As(err, &throttled):
		l.Refused = problem.Public(err)
		return p.sendLogin(w, r, http.StatusTooManyRequests, l)
	case errors.Is(err, auth.ErrCredentials):
		l.Refused = problem.Public(err)
		return p.sendLogin(w, r, http.StatusUnauthorized, l)
	case err != nil:
		return err
	}
	if err := p.begin(w, r, id); err != nil {
		return err
	}
	return seeOther(w, l.Next)
}

// begin opens a session, in the place of the browser's last one.
func (p *Pages) begin(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
	ctx := r.Context()
	actor := store.ActorFrom(ctx)
	actor.User = id.User
	ctx = store.WithActor(ctx, actor)
	if secret := p.secretOf(r); secret != "" {
		if old, _, err := p.d.Auth.Session(ctx, secret); err == nil {
			if err := p.d.Auth.EndSession(ctx, old.User, old.ID); err != nil {
				return err
			}
		}
	}
	_, secret, err := p.d.Auth.OpenSession(ctx, id)
	if err != nil {
		return err
	}
	http.SetCookie(w, p.cookie(r, secret))
	return nil
}

// logout ends the browser's session.
func (p *Pages) logout(w http.ResponseWriter, r *http.Request, id auth.Identity, _ url.Values) error {
	err := p.d.Auth.EndSession(r.Context(), id.User, id.Session())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	http.SetCookie(w, p.cookie(r, ""))
	return seeOther(w, p.root(r)+"/")
}

// local is a path of ours that somebody gave, else that of the first page: no login leads to another site.
func (p *Pages) local(r *http.Request, next string) string {
	home := p.root(r) + "/"
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(next, home) ||
		strings.HasPrefix(next, "//") || strings.ContainsFunc(next, func(c rune) bool {
		return c == '\\' || c <= ' ' || unicode.IsControl(c)
	}) || u.Path == p.root(r)+rootOther+"/login" {
		return home
	}
	return next
}

// here is the path of the page that a request asks for, or of the first page.
func (p *Pages) here(r *http.Request) string {
	if r.Method != http.MethodGet {
		return p.root(r) + "/"
	}
	at := p.root(r) + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		at += "?" + r.URL.RawQuery
	}
	return p.local(r, at)
}

// loginAddress is the address of the login that leads back to the page of a request.
func (p *Pages) loginAddress(r *http.Request) string {
	at := p.root(r) + rootOther + "/login"
	if next := p.here(r); next != p.root(r)+"/" {
		at += "?next=" + url.QueryEscape(next)
	}
	return at
}
