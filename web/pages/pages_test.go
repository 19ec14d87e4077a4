package pages

// Pages as a browser gets them: rights, headers, addresses under a prefix, errors.

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"larder/internal/describe"
	"larder/internal/miniclient"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store"
)

func TestDocTable(t *testing.T) {
	wiretest.DocTable(t, append((&Pages{}).siteRoutes(), (&kindPages{Pages: &Pages{}, kind: store.OCI}).kindRoutes()...))
}

// TestMatrix asks for every page of every kind with every right, on public and on private packages.
func TestMatrix(t *testing.T) {
	for _, p := range miniclient.All() {
		kind := p.Kind
		t.Run(kind, func(t *testing.T) {
			g := newRig(t, func(o *wiretest.Options) {
				o.Record = true
				for _, all := range miniclient.All() {
					o.Auth.Private = append(o.Auth.Private, all.Kind+":*:"+recordName(all.Kind, "secret*"))
				}
			})
			k := g.pages.kinds[store.Kind(kind)]
			wiretest.Matrix[request]{
				Routes: k.kindRoutes(), Scope: kind + ":" + k.describe.Type(),
				Name: func(private bool, n int) string {
					return recordName(kind, fmt.Sprintf(map[bool]string{false: "open%d", true: "secret%d"}[private], n))
				},
				Prepare: func(_ *wiretest.Rig, name string) {
					g.publish(kind, strings.TrimPrefix(name, recordName(kind, "")), "1.0.0")
				},
				Cases: func(_ *wiretest.Rig, name, _ string) map[string]wiretest.Case {
					at := "/ui/" + kind + "/" + name
					one := func(path string) wiretest.Case { return wiretest.Case{Method: "GET", Path: path, Status: 200} }
					version := "1.0.0"
					if list, err := k.describe.Versions(t.Context(), name, anyVersion); err == nil && len(list.List) > 0 {
						version = list.List[0].ID
					}
					cases := map[string]wiretest.Case{
						"ui.kind":       {Method: "GET", Path: "/ui/" + kind, Status: 200, Whole: true},
						"ui.package":    one(at),
						"ui.versions":   one(at + "/-/versions"),
						"ui.tags":       one(at + "/-/tags"),
						"ui.version":    one(at + "/-/v/" + version),
						"ui.history":    one(at + "/-/history"),
						"ui.dependants": one(at + "/-/dependants"),
						// A token is no session: see TestButtonsAreThoseOfWhoMay.
						"ui.change": {Method: "POST", Path: at + "/-/change", Status: 401},
					}
					if kind == "oci" {
						cases["ui.version"] = wiretest.Case{Method: "GET", Path: at + "/-/v/" + version, Status: 301}
						cases["ui.manifest"] = one(at + "/-/m/" + version)
					}
					return cases
				},
			}.Run(g.Rig)
		})
	}
}

func TestPrivateNamesAreOnNoPageOfWhoMayNotSeeThem(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) { o.Auth.Private = []string{"*:*:*secret*"} })
	for _, p := range miniclient.All() {
		g.publish(p.Kind, "openone", "1.0.0")
		g.publish(p.Kind, "secretone", "1.0.0")
	}
	for _, p := range miniclient.All() {
		for _, path := range []string{"/", "/ui/search?q=secret", "/ui/search?q=openone", "/ui/" + p.Kind, "/ui/" + p.Kind +
			"?filter=openone", "/ui/" + p.Kind + "?sort=updated"} {
			page := g.page("", path)
			g.lacks(strings.ReplaceAll(page, "<q>secret</q>", ""), "secretone")
			if path != "/" && !strings.Contains(path, "secret") {
				g.has(page, "openone")
			}
		}
		g.has(g.page("ada", "/ui/"+p.Kind), "secretone")
	}
	g.has(g.page("ada", "/ui/search?q=secret"), "secret")
}

func TestWhatIsHiddenLooksLikeWhatIsNotThere(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) { o.Auth.Private = []string{"*:*:*secret*"} })
	g.publish("npm", "secretone", "1.0.0")
	ask := func(name string) string {
		a := g.Do("GET", "/ui/npm/"+name, nil, browser(), wiretest.Header("X-Request-Id", "same"))
		if a.Status != 404 {
			t.Errorf("%v, want 404", a)
		}
		return strings.ReplaceAll(a.Body, name, "")
	}
	if hidden, absent := ask("secretone"), ask("secrettwo"); hidden != absent {
		t.Errorf("hidden:\n%s\nabsent:\n%s", hidden, absent)
	}
}

func TestWithoutAnonymousThereIsOnlyTheLogin(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) { o.Auth.Anonymous = "none" })
	g.publish("npm", "some-name", "1.0.0")
	for _, path := range []string{"/", "/ui/search?q=some", "/ui/npm", "/ui/npm/some-name", "/ui/setup", "/ui/setup/npm"} {
		a := g.Want(g.Do("GET", path, nil, browser()), 401, `<form class="form" method="post" action="/-/login"`)
		if a.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%v: the browser would ask for a password itself, beside the form", a)
		}
		g.lacks(strings.ReplaceAll(a.Body, `value="`+path+`"`, ""), "some-name", "1.2.3", "/ui/setup")
		if a := g.Do("GET", path, nil); !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%v: who is no browser gets no challenge: %v", a, a.Header)
		}
		g.Want(g.Do("GET", path, nil, browser(), wiretest.Basic("ada", "secret")), 200, "<main")
	}
	g.Want(g.Do("GET", g.pages.assets.named["style.css"].path, nil), 200, ":root")
}

func TestEveryPageHasTheHeadersOfAll(t *testing.T) {
	g := newRig(t)
	g.publish("npm", "demo", "1.0.0")
	for _, path := range []string{"/", "/ui/npm", "/ui/npm/demo", "/ui/npm/demo/-/versions", "/ui/npm/none", "/nothing"} {
		a := g.Do("GET", path, nil, browser())
		for key, want := range map[string]string{
			"Content-Security-Policy": csp, "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
			"Content-Type": "text/html; charset=utf-8",
		} {
			if got := a.Header.Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", path, key, got, want)
			}
		}
		for _, bad := range []string{"<style", " style=", "<script>", " onclick"} {
			g.lacks(a.Body, bad)
		}
	}
}

func TestPagesOfPrivatePackagesAreKeptNowhere(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) { o.Auth.Private = []string{"*:*:*secret*"} })
	g.publish("npm", "secretone", "1.0.0")
	g.publish("npm", "openone", "1.0.0")
	for _, below := range []string{"", "/-/versions", "/-/tags", "/-/v/1.0.0"} {
		for _, c := range []struct {
			what, want string
			got        wiretest.Answer
		}{
			{"private package", "no-store", g.Ada("GET", "/ui/npm/secretone"+below, nil, browser())},
			{"open package, to anonymous", "no-cache", g.Do("GET", "/ui/npm/openone"+below, nil, browser())},
		} {
			if got := g.Want(c.got, 200, "").Header.Get("Cache-Control"); got != c.want {
				t.Errorf("%s%s: Cache-Control is %q, want %q", c.what, below, got, c.want)
			}
		}
	}
}

func TestAssetsAreKeptForEver(t *testing.T) {
	g := newRig(t)
	page := g.page("", "/")
	for _, name := range []string{"style.css", "app.js"} {
		one := g.pages.assets.named[name]
		g.has(page, one.path)
		a := g.Want(g.Do("GET", one.path, nil), 200, "Larder")
		if got, want := a.Header.Get("Cache-Control"), "public, max-age=31536000, immutable"; got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", name, got, want)
		}
	}
	if n := g.pages.assets.named["app.js"].doc.Size; n > 15_000 {
		t.Errorf("the script has %d bytes, want at most 15,000", n)
	}
	g.Want(g.Do("GET", "/-/assets/style.0000.css", nil), 404, "")
}

// address is every address in a page.
var address = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	g := newRig(t)
	for _, p := range miniclient.All() {
		g.publish(p.Kind, "demo", "1.0.0")
		g.publish(p.Kind, "demo", "1.1.0")
	}
	seen, todo := map[string]bool{}, []string{"/"}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		a := g.Do("GET", path, nil, browser())
		if a.Status != 200 {
			t.Errorf("%v, want 200", a)
		}
		if !strings.HasPrefix(path, "/ui") && path != "/" {
			continue
		}
		for _, m := range address.FindAllStringSubmatch(a.Body, -1) {
			to := strings.ReplaceAll(m[1], "&amp;", "&")
			to, _, _ = strings.Cut(to, "#")
			switch {
			case to == "", strings.HasPrefix(to, "data:"), strings.HasPrefix(to, "http"), strings.HasPrefix(to, "/-/theme"):
			case strings.HasPrefix(to, "?"):
				before, _, _ := strings.Cut(path, "?")
				todo = append(todo, before+to)
			default:
				todo = append(todo, to)
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d pages are linked", len(seen))
	}
}

// TestAPrefixIsInEveryAddress: behind a proxy that serves the box at /larder, every address begins with that.
func TestAPrefixIsInEveryAddress(t *testing.T) {
	g := newRig(t)
	for _, p := range miniclient.All() {
		g.publish(p.Kind, "demo", "1.0.0")
	}
	base, err := wire.NewBase("https://registry.example.com/larder", []netip.Prefix{})
	if err != nil {
		t.Fatal(err)
	}
	*g.Deps.Base = *base
	for _, p := range miniclient.All() {
		name := recordName(p.Kind, "demo")
		for _, path := range []string{"/", "/ui/search?q=demo", "/ui/setup", "/ui/" + p.Kind, "/ui/" + p.Kind + "/" + name,
			"/ui/" + p.Kind + "/" + name + "/-/versions"} {
			page := g.page("", path)
			for _, m := range address.FindAllStringSubmatch(page, -1) {
				if strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "/larder/") {
					t.Errorf("%s has the address %s", path, m[1])
				}
			}
			g.lacks(page, g.Srv.URL)
		}
	}
	g.has(g.page("", "/ui/npm/demo"), "https://registry.example.com/larder/npm/")
}

func TestOnlyBrowsersGetErrorsAsPages(t *testing.T) {
	g := newRig(t)
	for _, c := range []struct {
		path, accept string
		page         bool
	}{
		{"/nothing", "text/html", true}, {"/nothing", "*/*", false}, {"/nothing", "", false},
		{"/nothing", "text/html;q=0, */*", false}, {"/nothing", "application/json", false},
		{"/ui/npm/none", "text/html", true}, {"/ui/npm/none", "*/*", false}, {"/ui/none", "text/html", true},
		{"/npm/none", "text/html", false}, {"/v2/none/manifests/1", "text/html", false},
		{"/maven/com/acme/none/1/none-1.jar", "text/html", false}, {"/cargo/api/v1/crates/none", "text/html", false},
		{"/pypi/none/json", "text/html", false}, {"/composer/p2/a/b.json", "text/html", false},
		{"/rubygems/api/v1/gems/none.json", "text/html", false},
	} {
		a := g.Do("GET", c.path, nil, wiretest.Header("Accept", c.accept))
		if a.Status != 404 && a.Status != 401 {
			t.Errorf("%v, want 404", a)
		}
		if is := strings.Contains(a.Body, "<!doctype html>"); is != c.page {
			t.Errorf("%s for %q is a page: %t, want %t", c.path, c.accept, is, c.page)
		}
	}
	g.Want(g.Do("POST", "/ui/npm", nil, browser()), 405, "")
}

func TestThemeIsKeptInACookie(t *testing.T) {
	g := newRig(t)
	a := g.Do("POST", "/-/theme", "theme=dark", wiretest.Header("Referer", g.Srv.URL+"/ui/npm?sort=size"))
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/ui/npm?sort=size" {
		t.Errorf("%v to %s, want 303 to where the form was", a, a.Header.Get("Location"))
	}
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	if cookie != "larder-theme=dark" {
		t.Errorf("the cookie is %q, want larder-theme=dark", cookie)
	}
	dark := g.Want(g.Do("GET", "/", nil, browser(), wiretest.Header("Cookie", cookie)), 200,
		`<html lang="en" data-theme="dark">`)
	g.has(dark.Body, `value="dark" aria-pressed="true"`)
	g.has(g.page("", "/"), `<html lang="en">`)
	g.Want(g.Do("POST", "/-/theme", "theme=\"><script>"), 400, "")
	elsewhere := g.Do("POST", "/-/theme", "theme=dark", wiretest.Header("Referer", "https://elsewhere.example.com/x"))
	if got := elsewhere.Header.Get("Location"); got != "/" {
		t.Errorf("a form of nowhere leads to %q, want /", got)
	}
}

func TestListsGoOnWhereTheyEnded(t *testing.T) {
	g := newRig(t)
	var want []string
	for i := range 120 {
		want = append(want, fmt.Sprintf("demo-%03d", i))
		g.publish("npm", want[i], "1.0.0")
	}
	name := regexp.MustCompile(`<th scope="row"><a href="/ui/npm/([^"]*)"`)
	next := regexp.MustCompile(`rel="next" href="([^"]*)"`)
	for _, query := range []string{"", "?sort=name", "?sort=updated", "?sort=size", "?sort=pulls", "?filter=demo"} {
		var got []string
		for at := "/ui/npm" + query; at != ""; {
			page := g.page("", at)
			for _, m := range name.FindAllStringSubmatch(page, -1) {
				got = append(got, m[1])
			}
			at = ""
			if m := next.FindStringSubmatch(page); m != nil {
				at = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: pages have %d names, want %d: %v", query, len(got), len(want), got)
		}
	}
}

// anyVersion finds a package's newest version.
var anyVersion = describe.Query{Limit: 1}
