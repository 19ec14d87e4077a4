package pages

// From templates to answers: what every page has, and the headers of all of them.

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"larder/auth"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

//go:embed templates/*.html
var sources embed.FS

// templates are the pages by their names, each with the base and the parts that it uses.
type templates map[string]*template.Template

// readTemplates parses what is embedded in the program: base.html and parts.html are in every page.
func readTemplates() (templates, error) {
	base, err := template.New("base").Funcs(functions).ParseFS(sources, "templates/base.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	files, err := sources.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	all := templates{}
	for _, f := range files {
		if f.Name() == "base.html" || f.Name() == "parts.html" {
			continue
		}
		page, err := base.Clone()
		if err == nil {
			page, err = page.ParseFS(sources, "templates/"+f.Name())
		}
		if err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(f.Name(), path.Ext(f.Name()))] = page
	}
	return all, nil
}

// csp lets a page load its stylesheet and its script, ask this server and send forms to it, and nothing else.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// frame is what every page has beside its own data.
type frame struct {
	Title string
	// Root is the path of the base URL, "" or "/larder": every address in a page begins with it.
	Root string
	// Host is what people call the server.
	Host    string
	Theme   string // "system", "light" or "dark"
	Style   string
	Script  string
	Version string
	// User is who is logged in, "" for anonymous; Session says that the browser has a session, and Form is the token of
	// its forms. Login leads to a login and back.
	User    string
	Session bool
	Admin   bool // whoever it is administers
	Form    string
	Login   string
	// Text is what was searched for.
	Text string
	// Here is the part of the site that the page is in, for the navigation.
	Here string
	// NoSearch leaves the search field out of the header: the page has its own, or shows nothing.
	NoSearch bool
	// Bare leaves the navigation out too.
	Bare bool
	// Private keeps the page out of every cache.
	Private bool
	// Data is the page's own.
	Data any
}

// frame fills in what the request says.
func (p *Pages) frame(r *http.Request, title string, data any) *frame {
	f := &frame{
		Title: title, Root: p.root(r), Host: p.host(r), Theme: themeOf(r), Version: p.d.Version, Data: data,
		User: wire.IdentityFrom(r.Context()).User,
	}
	if id := wire.IdentityFrom(r.Context()); id.Session() != "" {
		f.Session, f.Form, f.Admin = true, auth.FormToken(p.secretOf(r)), id.Admin
	}
	f.Login = p.loginAddress(r)
	f.Style, f.Script = f.Root+p.assets.named["style.css"].path, f.Root+p.assets.named["app.js"].path
	return f
}

// root is the path of the base URL without a slash at its end.
func (p *Pages) root(r *http.Request) string {
	if u, err := url.Parse(p.d.Wire.Base.URL(r)); err == nil {
		return strings.TrimRight(u.EscapedPath(), "/")
	}
	return ""
}

func (p *Pages) host(r *http.Request) string {
	if u, err := url.Parse(p.d.Wire.Base.URL(r)); err == nil {
		return u.Host
	}
	return r.Host
}

// body renders a page.
func (p *Pages) body(name string, f *frame) ([]byte, error) {
	var out bytes.Buffer
	if err := p.pages[name].ExecuteTemplate(&out, "base", f); err != nil {
		return nil, fmt.Errorf("render page %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// send answers with a page, in the encoding that the browser takes.
func (p *Pages) send(w http.ResponseWriter, r *http.Request, name string, f *frame) error {
	body, err := p.body(name, f)
	if err != nil {
		return err
	}
	secure(w.Header())
	// What a page shows depends on who asks, and on the theme.
	w.Header().Add("Vary", "Cookie, Authorization")
	control := registry.Revalidate(r)
	if f.Private {
		control = "no-store"
	}
	doc := store.NewDocument(store.Rendered{Body: body, Type: "text/html; charset=utf-8"})
	return wire.ServeDocument(w, r, doc, control)
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", csp)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// sendStatus answers with a page that is no success; nobody keeps it.
func (p *Pages) sendStatus(w http.ResponseWriter, status int, name string, f *frame) error {
	body, err := p.body(name, f)
	if err != nil {
		return err
	}
	h := w.Header()
	secure(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// loginNeeded reports whether a package cannot be read without a login.
func (k *kindPages) loginNeeded(r *http.Request, name string) bool {
	return k.catalog.LoginNeeded(r.Context(), k.entry, name)
}
