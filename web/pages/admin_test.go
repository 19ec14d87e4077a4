package pages

// The pages for administrators: who may open them, and that their forms do what they say.

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store"
)

// administrator logs root in, who administers.
func (g *rig) administrator() *visitor {
	g.T.Helper()
	if _, err := g.Auth.User(g.T.Context(), "root"); err != nil {
		g.User("root", nil, true)
	}
	v := &visitor{rig: g}
	a := v.do("POST", "/-/login", url.Values{"user": {"root"}, "password": {"secret"}, "next": {"/-/admin"}})
	if a.Status != 303 || a.Header.Get("Location") != "/-/admin" {
		g.T.Fatalf("%v: no login", a)
	}
	return v
}

// read gets a page of a visitor, which must be one.
func (v *visitor) read(path string) string {
	v.T.Helper()
	return v.Want(v.do("GET", path, nil), 200, "<!doctype html>").Body
}

// done sends a form that must lead to another page, and returns that.
func (v *visitor) done(from, to string, form url.Values) string {
	v.T.Helper()
	a := v.send(from, to, form)
	if a.Status != http.StatusSeeOther {
		v.T.Fatalf("%v: %s was not done", a, to)
	}
	return v.read(a.Header.Get("Location"))
}

// adminCases are what a row for administrators is asked with, by its operation: "" for GET, else the form.
func adminCases() map[string]url.Values {
	return map[string]url.Values{
		"ui.admin": nil, "ui.admin.users": nil, "ui.admin.tokens": nil,
		"ui.admin.storage": nil, "ui.admin.survey": {}, "ui.admin.gc": {"sure": {"1"}},
		"ui.admin.policy": nil, "ui.admin.claim": {"kind": {"npm"}, "name": {"ours"}},
		"ui.admin.audit": nil, "ui.admin.audit.export": nil, "ui.admin.upstreams": nil, "ui.admin.misses": nil,
		"ui.admin.upstream.switch": {"offline": {"1"}},
		"ui.admin.upstream.check":  {"kind": {"npm"}, "name": {"origin"}},
		"ui.admin.upstream.purge":  {"kind": {"npm"}, "pattern": {"*"}, "sure": {"1"}},
		"ui.admin.misses.clear":    {"sure": {"1"}},
		"ui.admin.user.add":        {"name": {"new"}, "password": {"secret"}},
		"ui.admin.user.set":        {"user": {"ada"}, "disabled": {"1"}},
		"ui.admin.user.passwd":     {"user": {"ada"}, "password": {"another"}},
		"ui.admin.user.remove":     {"user": {"ada"}, "sure": {"1"}},
		"ui.admin.token.revoke":    {"id": {"0123456789abcdef"}, "sure": {"1"}},
	}
}

// TestAdministratorsAlone asks for every row of the table below /-/admin as everybody: only administrators are let in,
// and the forms of others change nothing.
func TestAdministratorsAlone(t *testing.T) {
	g := newRig(t)
	root := g.administrator()
	g.Key("scoped root", auth.TokenSpec{User: "root", Scopes: g.scopesOf("npm:*:*:*")})
	g.Key("read-only root", auth.TokenSpec{User: "root", ReadOnly: true})
	token := formToken.FindStringSubmatch(root.read("/-/admin/users"))[1]
	cases := adminCases()
	before := g.Journal()
	for _, row := range g.pages.siteRoutes() {
		if !strings.HasPrefix(row.Path, rootAdmin) {
			continue
		}
		form, ok := cases[row.Op]
		if delete(cases, row.Op); !ok {
			t.Errorf("%s has no case", row.Op)
		}
		if row.Need != wire.Admin {
			t.Errorf("%s needs %v, want an administrator", row.Op, row.Need)
		}
		body := ""
		if row.Method == "POST" {
			form.Set(fieldForm, token)
			body = form.Encode()
		}
		for actor, want := range map[string]int{"": 401, "ada": 403, "scoped root": 403, "read-only root": 403} {
			if a := g.Do(row.Method, row.Path, body, browser(), g.As(actor)); a.Status != want {
				t.Errorf("%s as %q: %v, want %d", row.Op, actor, a, want)
			}
		}
		if row.Method == "GET" {
			if a := root.do("GET", row.Path, nil); a.Status != 200 || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v, want a page that nobody keeps", row.Op, a)
			}
		}
		if a := g.Do(row.Method, row.Path, body, browser(), g.As("root")); row.Method == "POST" && a.Status != 401 {
			t.Errorf("%s with a token in the place of a session: %v, want 401", row.Op, a)
		}
	}
	for op := range cases {
		t.Errorf("there is a case for %s, which is no operation", op)
	}
	if got := g.Journal(); got != before {
		t.Errorf("the journal went from %d to %d", before, got)
	}
}

func (g *rig) scopesOf(list ...string) auth.Scopes {
	g.T.Helper()
	scopes, err := auth.ParseScopes(list)
	if err != nil {
		g.T.Fatal(err)
	}
	return scopes
}

func TestNavigationLeadsAdministratorsToTheirPages(t *testing.T) {
	g := newRig(t)
	g.has(g.administrator().read("/"), `href="/-/admin"`)
	g.lacks(g.visit().read("/"), "/-/admin")
	g.lacks(g.page("", "/"), "/-/admin")
}

func TestUsersAreAddedChangedAndRemoved(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	page := v.done("/-/admin/users", "/-/admin/users", url.Values{
		"name": {"ci"}, "password": {"secret"}, "scopes": {"npm:package:@acme/*:read\nnpm:package:tool:write"},
	})
	g.has(page, "The user is added.", "<code>npm:package:@acme/*:read</code>", "<code>npm:package:tool:write</code>")
	user := func() auth.User {
		t.Helper()
		u, err := g.Auth.User(t.Context(), "ci")
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, c := range []struct {
		field, value string
		holds        func(auth.User) bool
	}{
		{"disabled", "1", func(u auth.User) bool { return u.Disabled }},
		{"disabled", "0", func(u auth.User) bool { return !u.Disabled }},
		{"admin", "1", func(u auth.User) bool { return u.Admin }},
		{"admin", "0", func(u auth.User) bool { return !u.Admin }},
		{"scopes", "cargo:crate:*:read", func(u auth.User) bool { return u.Scopes.String() == "cargo:crate:*:read" }},
		{"scopes", " ", func(u auth.User) bool { return len(u.Scopes) == 0 }},
	} {
		v.done("/-/admin/users", "/-/admin/users/set", url.Values{"user": {"ci"}, c.field: {c.value}})
		if u := user(); !c.holds(u) {
			t.Errorf("after %s=%s: %+v", c.field, c.value, u)
		}
	}
	v.done("/-/admin/users", "/-/admin/users/password", url.Values{"user": {"ci"}, "password": {"another"}})
	if _, err := g.Auth.Authenticate(t.Context(), auth.Credentials{User: "ci", Password: "another"}); err != nil {
		t.Errorf("the new password: %v", err)
	}
	asked := v.send("/-/admin/users", "/-/admin/users/remove", url.Values{"user": {"ci"}})
	v.Want(asked, 200, "Remove ci?")
	user()
	v.done("/-/admin/users", "/-/admin/users/remove", url.Values{"user": {"ci"}, "sure": {"1"}})
	if _, err := g.Auth.User(t.Context(), "ci"); err == nil {
		t.Error("the user is still there")
	}
}

func TestTheLastAdministratorCannotGo(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	for to, form := range map[string]url.Values{
		"/-/admin/users/set#disabled": {"user": {"root"}, "disabled": {"1"}},
		"/-/admin/users/set#admin":    {"user": {"root"}, "admin": {"0"}},
		"/-/admin/users/remove":       {"user": {"root"}, "sure": {"1"}},
	} {
		to, _, _ = strings.Cut(to, "#")
		a := v.send("/-/admin/users", to, form)
		if a.Status < 400 || a.Status >= 500 || !strings.Contains(a.Body, "Not done.") {
			t.Errorf("%v: want a refusal on the page", a)
		}
	}
	u, err := g.Auth.User(t.Context(), "root")
	if err != nil || !u.Admin || u.Disabled {
		t.Errorf("the last administrator is %+v, %v", u, err)
	}
}

func TestRefusedFormsOfUsersSayWhy(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	for want, form := range map[string]url.Values{
		"cannot be a user name":                 {"name": {"Ada <b>"}, "password": {"secret"}},
		"There is a user &#34;ada&#34; already": {"name": {"ada"}, "password": {"secret"}},
		"is not a scope":                        {"name": {"x"}, "password": {"secret"}, "scopes": {"<script>"}},
		"The password is empty":                 {"name": {"x"}},
	} {
		a := v.send("/-/admin/users", "/-/admin/users", form)
		if a.Status < 400 || a.Status >= 500 {
			t.Errorf("%v: want a refusal", a)
		}
		g.has(a.Body, want)
		g.lacks(a.Body, "<script>alert", "Ada <b>", "<script></")
	}
}

func TestWhoAnswersAsRequestsAreAnswered(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) { o.Auth.Private = []string{"npm:package:secret*"} })
	g.User("guest", []string{"npm:package:@acme/*:read,create"})
	g.User("off", nil)
	if err := g.Auth.SetDisabled(t.Context(), "off", true); err != nil {
		t.Fatal(err)
	}
	g.publish("npm", "secret", "1.0.0")
	v := g.administrator()
	row := regexp.MustCompile(`<dt>(\w+)</dt><dd>(yes|no): (.*?)</dd>`)
	for _, c := range []struct{ who, name, action, want, why string }{
		{"root", "secret", "admin", "yes", "administrators may do everything"},
		{"ada", "secret", "write", "yes", "users without scopes"},
		{"guest", "@acme/kit", "create", "yes", "<code>npm:package:@acme/*:read,create</code>"},
		{"guest", "@acme/kit", "write", "no", "guest may not write npm @acme/kit"},
		{"guest", "open", "read", "yes", "everybody may read"},
		{"guest", "secret", "read", "no", "private: npm:package:secret*"},
		{"", "secret", "read", "no", "private: npm:package:secret*"},
		{"", "open", "write", "no", "This needs a login"},
		{"off", "open", "read", "no", "the user is disabled"},
	} {
		page := v.read("/-/admin/users?" + url.Values{"who": {c.who}, "kind": {"npm"}, "name": {c.name}}.Encode())
		found := false
		for _, m := range row.FindAllStringSubmatch(page, -1) {
			if m[1] != c.action {
				continue
			}
			found = true
			if m[2] != c.want || !strings.Contains(m[3], c.why) {
				t.Errorf("%q, %s, %s: %s, %s; want %s, %s", c.who, c.name, c.action, m[2], m[3], c.want, c.why)
			}
		}
		if !found {
			t.Errorf("%q, %s: no answer for %s:\n%s", c.who, c.name, c.action, page)
		}
	}
	g.has(v.read("/-/admin/users?who=nobody&kind=npm&name=x"), "There is no user")
	g.has(v.read("/-/admin/users?who=ada&kind=npm&name=%3Cb%3E"), "&lt;b&gt;")
}

func TestTokensOfAllAreListedAndRevoked(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	id, secret, err := g.Auth.CreateToken(t.Context(), auth.TokenSpec{User: "ada", Name: "<i>laptop", ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	g.has(v.read("/-/admin/tokens"), "&lt;i&gt;laptop", "everything ada may, read-only")
	g.lacks(v.read("/-/admin/tokens?user=root"), id)
	asked := v.send("/-/admin/tokens", "/-/admin/tokens/revoke", url.Values{"id": {id}})
	g.has(v.Want(asked, 200, "It is a token of ada.").Body, `name="sure"`)
	whoami := func() int { return g.Do("GET", "/npm/-/whoami", nil, wiretest.Bearer(secret)).Status }
	if got := whoami(); got != 200 {
		t.Errorf("before it was sure, the token is answered %d", got)
	}
	v.done("/-/admin/tokens", "/-/admin/tokens/revoke", url.Values{"id": {id}, "sure": {"1"}})
	if got := whoami(); got != 401 {
		t.Errorf("the revoked token is answered %d", got)
	}
	if a := v.send("/-/admin/tokens", "/-/admin/tokens/revoke", url.Values{"id": {id}, "sure": {"1"}}); a.Status != 404 {
		t.Errorf("%v: want that there is no such token", a)
	}
}

func TestTokensGoOnWhereTheyEnded(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	for i := range 2*pageSize + 5 {
		g.Key(fmt.Sprint("k", i), auth.TokenSpec{User: "ada", Name: fmt.Sprintf("key-%03d", i)})
	}
	seen, next := map[string]bool{}, regexp.MustCompile(`rel="next" href="([^"]*)"`)
	for at := "/-/admin/tokens?user=ada"; at != ""; {
		page := v.read(at)
		for _, m := range regexp.MustCompile(`key-\d+`).FindAllString(page, -1) {
			seen[m] = true
		}
		at = ""
		if m := next.FindStringSubmatch(page); m != nil {
			at = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(seen) != 2*pageSize+5 {
		t.Errorf("the pages have %d tokens, want %d", len(seen), 2*pageSize+5)
	}
}

// TestOverviewHasTheStoresFigures: what it says is what the counters say.
func TestOverviewHasTheStoresFigures(t *testing.T) {
	g := newRig(t)
	g.pages.d.Jobs = func() []wire.JobStatus {
		return []wire.JobStatus{{Name: "sweep", Error: "no <space>", Last: now}, {Name: "use", Running: true}}
	}
	g.publish("npm", "demo", "1.0.0")
	g.publish("oci", "demo", "1.0.0")
	v := g.administrator()
	page := v.read("/-/admin")
	stats, err := g.Store.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []store.Kind{store.NPM, store.OCI} {
		g.has(page, fmt.Sprintf(`data-l="hosted"><data value="%d">`, stats.Kinds[k].Bytes))
	}
	g.has(page, "The job sweep failed.", "no &lt;space&gt;", ">running<", "ready")
	g.Store.SetReadOnly("for a <test>")
	page = v.read("/-/admin")
	g.has(page, "Not ready.", "for a &lt;test&gt;")
	g.Store.SetReadOnly("")
}

// TestOverviewsFiguresSurviveARestart: what was asked for, and since when the disk fills, is read from the database.
func TestOverviewsFiguresSurviveARestart(t *testing.T) {
	dir, clock := t.TempDir(), now.AddDate(0, 0, -10)
	open := func() *rig {
		return newRig(t, ticking(&clock), func(o *wiretest.Options) { o.Dir = dir })
	}
	g := open()
	g.publish("npm", "demo", "1.0.0")
	if err := g.Store.FlushUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock = now
	readme := strings.Repeat("not that much, but growing\n", 4000)
	for i := range 40 {
		manifest := map[string]any{"name": "grown", "version": fmt.Sprintf("1.0.%d", i)}
		g.publishManifest("grown", manifest, fmt.Sprint(i)+readme)
	}
	figures := func(g *rig) (requests, days string) {
		t.Helper()
		page := g.administrator().read("/-/admin")
		m := regexp.MustCompile(`Requests <b>(\d+)</b>`).FindStringSubmatch(page)
		full := regexp.MustCompile(`<dt>to full, at <data[^>]*>[^<]*</data> a day</dt><dd>([\d,]+) days`)
		f := full.FindStringSubmatch(page)
		if m == nil || f == nil || m[1] == "0" {
			t.Fatalf("requests %v, full %v: %s", m, f, page)
		}
		return m[1], f[1]
	}
	requests, _ := figures(g)
	if err := g.Store.Close(); err != nil {
		t.Fatal(err)
	}
	after, _ := figures(open())
	if after != requests {
		t.Errorf("after a restart there are %s requests, want %s", after, requests)
	}
}
