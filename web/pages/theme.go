package pages

// The scheme of colours, for those who want another one than their system's. It works without a script: a form sets a
// cookie.

import (
	"net/http"
	"net/url"
	"strings"

	"larder/internal/problem"
	"larder/internal/wire"
)

const (
	themeCookie = "larder-theme"
	themeAge    = 365 * 24 * 3600 // seconds
	maxForm     = 64 << 10        // one with a page of versions has 16
)

func isTheme(s string) bool { return s == "system" || s == "light" || s == "dark" }

// themeOf is what the browser's cookie says.
func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && isTheme(c.Value) {
		return c.Value
	}
	return "system"
}

// setTheme sets the cookie and leads back to where the form was.
func (p *Pages) setTheme(w http.ResponseWriter, r *http.Request, _ request) error {
	body, err := wire.ReadBody(r, maxForm)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !isTheme(form.Get("theme")) {
		return problem.Errorf(problem.ErrInvalid, "The theme is system, light or dark.")
	}
	root := p.root(r)
	http.SetCookie(w, &http.Cookie{
		Name: themeCookie, Value: form.Get("theme"), Path: root + "/", MaxAge: themeAge, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(p.d.Wire.Base.URL(r), "https://"),
	})
	h := w.Header()
	h.Set("Location", p.back(r))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// back is the page of ours that the form was on, else the first one.
func (p *Pages) back(r *http.Request) string {
	base := p.d.Wire.Base.URL(r)
	if from, ok := strings.CutPrefix(r.Referer(), base+"/"); ok {
		return p.root(r) + "/" + from
	}
	return p.root(r) + "/"
}
