package pages

// Sessions: the cookie that says who a browser is, and the token without which none of its forms changes anything.

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
)

// The session's cookie. With TLS its name keeps browsers from taking it from other hosts, or without TLS (RFC 6265bis,
// 4.1.3.2).
const (
	cookieTLS   = "__Host-larder"
	cookiePlain = "larder"
	// fieldForm is the field of every form with the session's token.
	fieldForm = "form"
)

func (p *Pages) tls(r *http.Request) bool { return strings.HasPrefix(p.d.Wire.Base.URL(r), "https://") }

// cookie is the session's cookie as the browser keeps it.
func (p *Pages) cookie(r *http.Request, secret string) *http.Cookie {
	c := &http.Cookie{
		Name: cookiePlain, Value: secret, Path: p.root(r) + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(auth.SessionLife / time.Second),
	}
	if p.tls(r) {
		c.Name, c.Path, c.Secure = cookieTLS, "/", true
	}
	if secret == "" {
		c.MaxAge = -1
	}
	return c
}

// secretOf is the session's secret that the browser sent, "" without one.
func (p *Pages) secretOf(r *http.Request) string {
	if c, err := r.Cookie(p.cookie(r, "").Name); err == nil {
		return c.Value
	}
	return ""
}

// session says who a browser is. One whose session has ended is nobody again: it is shown what anybody sees, and a
// login.
func (p *Pages) session(r *http.Request) (auth.Identity, error) {
	secret := p.secretOf(r)
	if secret == "" {
		return auth.Identity{}, auth.ErrNoCredentials
	}
	_, id, err := p.d.Auth.Session(r.Context(), secret)
	if errors.Is(err, auth.ErrCredentials) {
		return auth.Identity{}, auth.ErrNoCredentials
	}
	return id, err
}

// openedBy is who has a session; auth.ErrNoCredentials for everybody else, which a browser is told with a login.
func openedBy(r *http.Request) (auth.Identity, error) {
	id := wire.IdentityFrom(r.Context())
	if id.Session() == "" {
		return id, auth.ErrNoCredentials
	}
	return id, nil
}

// change is a handler of forms that change something: it gets the form of whoever has a session, if the form is one of
// that session.
func (p *Pages) change(
	do func(w http.ResponseWriter, r *http.Request, id auth.Identity, form url.Values) error,
) func(w http.ResponseWriter, r *http.Request, q request) error {
	return func(w http.ResponseWriter, r *http.Request, _ request) error {
		id, err := openedBy(r)
		if err != nil {
			return err
		}
		form, err := readForm(r)
		if err != nil {
			return err
		}
		if err := p.ofSession(r, form.Get(fieldForm)); err != nil {
			return err
		}
		return do(w, r, id, form)
	}
}

// ofSession refuses forms whose token is not that of the browser's session.
func (p *Pages) ofSession(r *http.Request, token string) error {
	want := auth.FormToken(p.secretOf(r))
	if subtle.ConstantTimeCompare([]byte(token), []byte(want)) != 1 {
		return problem.Errorf(problem.ErrCrossSite,
			"The form is not one of this session. Reload the page that it is on, and send it again.")
	}
	return nil
}

func readForm(r *http.Request) (url.Values, error) {
	body, err := wire.ReadBody(r, maxForm)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, problem.Errorf(problem.ErrInvalid, "The form cannot be read.")
	}
	return form, nil
}

// seeOther leads the browser from a form to a page.
func seeOther(w http.ResponseWriter, address string) error {
	w.Header().Set("Location", address)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
