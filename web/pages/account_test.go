package pages

// Logins, sessions and what a person does on their own pages.

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wire"
	"larder/internal/wiretest"
)

// visitor is a browser: it keeps the session's cookie.
type visitor struct {
	*rig
	cookie *http.Cookie
}

func (v *visitor) do(method, path string, form url.Values, opts ...wiretest.Option) wiretest.Answer {
	v.T.Helper()
	opts = append([]wiretest.Option{browser()}, opts...)
	if v.cookie != nil {
		opts = append(opts, func(r *http.Request) { r.AddCookie(v.cookie) })
	}
	var body any
	if form != nil {
		body = form.Encode()
		opts = append(opts, wiretest.Header("Content-Type", "application/x-www-form-urlencoded"))
	}
	a := v.Do(method, path, body, opts...)
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if strings.Contains(c.Name, cookiePlain) && c.Name != themeCookie {
			v.cookie = c
		}
	}
	return a
}

var formToken = regexp.MustCompile(`name="form" value="([^"]+)"`)

// send fills in a form of the page at from and sends it.
func (v *visitor) send(from, to string, form url.Values) wiretest.Answer {
	v.T.Helper()
	m := formToken.FindStringSubmatch(v.do("GET", from, nil).Body)
	if m == nil {
		v.T.Fatalf("%s has no form", from)
	}
	form.Set(fieldForm, m[1])
	return v.do("POST", to, form)
}

// visit logs ada in.
func (g *rig) visit() *visitor {
	g.T.Helper()
	v := &visitor{rig: g}
	a := v.do("POST", "/-/login", url.Values{"user": {"ada"}, "password": {"secret"}, "next": {"/-/me"}})
	if a.Status != 303 || a.Header.Get("Location") != "/-/me" || v.cookie == nil {
		g.T.Fatalf("%v: no login", a)
	}
	return v
}

func TestLoginBeginsASession(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) { o.Auth.Private = []string{"npm:package:secret"} })
	g.publish("npm", "secret", "1.0.0")
	v := g.visit()
	if c := v.cookie; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Name != cookiePlain || c.Path != "/" {
		t.Errorf("cookie %+v", c)
	}
	g.has(v.do("GET", "/ui/npm/secret", nil).Body, "secret", `href="/-/me"`)
	if a := v.do("GET", "/-/me", nil); a.Status != 200 || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v: want a page that nobody keeps", a)
	}
	// What clients call takes no cookie.
	if a := v.do("GET", "/npm/secret", nil); a.Status == 200 {
		t.Errorf("%v: a client's address takes the cookie", a)
	}
	if a := v.send("/-/me", "/-/logout", url.Values{}); a.Status != 303 || v.cookie.MaxAge >= 0 {
		t.Errorf("%v, cookie %+v: no logout", a, v.cookie)
	}
}

func TestWrongPasswordIsToldOnTheLogin(t *testing.T) {
	g := newRig(t)
	v := &visitor{rig: g}
	a := v.do("POST", "/-/login", url.Values{"user": {"ada"}, "password": {"wrong"}, "next": {"/ui/npm"}})
	g.Want(a, 401, "The user name or the password is wrong.")
	g.has(a.Body, `value="ada"`, `value="/ui/npm"`)
	g.lacks(a.Body, "wrong\"")
	a = v.do("POST", "/-/login", url.Values{"user": {"ada"}, "password": {g.Keys["ada"]}})
	g.Want(a, 401, "a token is none")
	if v.cookie != nil {
		t.Errorf("a session of %+v", v.cookie)
	}
}

func TestEndedSessionIsNobody(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	if _, err := g.Auth.EndSessions(t.Context(), "ada", ""); err != nil {
		t.Fatal(err)
	}
	g.has(v.do("GET", "/", nil).Body, `href="/-/login"`)
	if a := v.do("GET", "/-/me", nil); a.Status != 401 {
		t.Errorf("%v, want the login", a)
	}
}

// TestFormsOfNoSessionChangeNothing walks the tables: a form needs the session, and its token.
func TestFormsOfNoSessionChangeNothing(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	other := g.visit()
	token := formToken.FindStringSubmatch(other.do("GET", "/-/me", nil).Body)[1]
	// Uploads are another form, see TestUploadsNeedTheRightOfTheKind.
	open := map[string]bool{"ui.login.post": true, "ui.theme": true, "ui.upload.post": true}
	rows := g.pages.siteRoutes()
	for _, k := range g.pages.order {
		g.publish(string(k.kind), "demo", "1.0.0")
		name := recordName(string(k.kind), "demo")
		for _, row := range k.kindRoutes() {
			row.Path = "/ui/" + string(k.kind) + strings.Replace(row.Path, "{name...}", name, 1)
			rows = append(rows, row)
		}
	}
	for _, row := range rows {
		if row.Method != "POST" || open[row.Op] {
			continue
		}
		forms := map[string]url.Values{"none": {}, "another session's": {fieldForm: {token}}, "empty": {fieldForm: {""}}}
		for what, form := range forms {
			if a := v.do("POST", row.Path, form); a.Status != 403 {
				t.Errorf("%s with the token of %s form: %v, want 403", row.Op, what, a)
			}
		}
		stranger := &visitor{rig: g}
		if a := stranger.do("POST", row.Path, url.Values{fieldForm: {token}}); a.Status != 401 {
			t.Errorf("%s without a session: %v, want 401", row.Op, a)
		}
		mine := url.Values{fieldForm: {auth.FormToken(v.cookie.Value)}}
		if a := v.do("POST", row.Path, mine, wiretest.Header("Sec-Fetch-Site", "cross-site")); a.Status != 403 {
			t.Errorf("%s from another site: %v, want 403", row.Op, a)
		}
	}
	if a := v.do("GET", "/-/me", nil); a.Status != 200 {
		t.Errorf("%v: the session has ended", a)
	}
}

func TestLoginLeadsToNoOtherSite(t *testing.T) {
	g := newRig(t)
	for _, next := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example/`, "/\t/evil.example", "evil", "javascript:alert(1)", "",
		"/-/login?next=/-/login", "http:/-/me", "/\r\nX: y",
	} {
		v := &visitor{rig: g}
		a := v.do("POST", "/-/login", url.Values{"user": {"ada"}, "password": {"secret"}, "next": {next}})
		if a.Status != 303 || a.Header.Get("Location") != "/" {
			t.Errorf("next %q: %v leads to %q", next, a, a.Header.Get("Location"))
		}
	}
}

func TestCookieIsTheHostsAloneUnderTLS(t *testing.T) {
	g := newRig(t)
	base, err := wire.NewBase("https://packages.example.com/larder", nil)
	if err != nil {
		t.Fatal(err)
	}
	g.pages.d.Wire.Base = base
	v := &visitor{rig: g}
	v.do("POST", "/-/login", url.Values{"user": {"ada"}, "password": {"secret"}})
	if c := v.cookie; c == nil || c.Name != cookieTLS || !c.Secure || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %+v", c)
	}
}

func TestTokenIsMadeAndRevoked(t *testing.T) {
	g := newRig(t)
	g.publish("npm", "demo", "1.0.0")
	v := g.visit()
	a := v.send("/-/me", "/-/me/tokens", url.Values{
		"label": {"laptop <b>"}, "may": {"rules"}, "kind": {"npm", "*"}, "names": {"demo", ""}, "act0": {"read", "create"},
		"act1": {"read"}, "days": {"90"}, "networks": {"127.0.0.0/8 ::1"},
	})
	g.Want(a, 200, "Copy it now.")
	g.has(a.Body, "laptop &lt;b&gt;", "npm:*:demo:read,create", "127.0.0.0/8")
	secret := regexp.MustCompile(`<code>(larder_[0-9A-Za-z]+)</code>`).FindStringSubmatch(a.Body)
	if secret == nil || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%v: no token", a)
	}
	g.lacks(v.do("GET", "/-/me", nil).Body, secret[1])
	list, err := g.Auth.Tokens(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	made := list[len(list)-1]
	if made.Name != "laptop <b>" || made.Expires.IsZero() || made.Parent != "" {
		t.Errorf("made %+v", made)
	}
	who := func() int { return g.Do("GET", "/npm/-/whoami", nil, wiretest.Bearer(secret[1])).Status }
	if got := who(); got != 200 {
		t.Errorf("the token is answered %d", got)
	}
	if a := v.send("/-/me", "/-/me/tokens/revoke", url.Values{"id": {made.ID}}); a.Status != 303 {
		t.Errorf("%v: not revoked", a)
	}
	if got := who(); got != 401 {
		t.Errorf("the revoked token is answered %d", got)
	}
}

func TestFormForTokensKeepsWhatWasTyped(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	a := v.send("/-/me", "/-/me/tokens", url.Values{
		"label": {"ci"}, "may": {"rules"}, "kind": {"npm"}, "names": {"@acme/*"}, "act0": {"read"}, "more": {"1"},
	})
	g.has(a.Body, `value="ci"`, `value="@acme/*"`, `id="k1"`)
	for what, form := range map[string]url.Values{
		"Say what the token is for.":        {"may": {"all"}},
		"neither an address nor a network":  {"label": {"ci"}, "may": {"all"}, "networks": {"here"}},
		"Say which names the token is for":  {"label": {"ci"}, "may": {"rules"}, "kind": {"npm"}, "names": {""}},
		"Say what the token may do.":        {"label": {"ci"}},
		"has at most 128 bytes, all of whi": {"label": {strings.Repeat("x", 200)}, "may": {"all"}},
	} {
		a := v.send("/-/me", "/-/me/tokens", form)
		if a.Status != 400 && a.Status != 422 || !strings.Contains(a.Body, what) {
			t.Errorf("%v, want a refusal with %q", a, what)
		}
	}
}

func TestPasswordIsChangedWithThePasswordOnly(t *testing.T) {
	g := newRig(t)
	v, elsewhere := g.visit(), g.visit()
	g.Want(v.send("/-/me/sessions", "/-/me/password", url.Values{"password": {"wrong"}, "new": {"another secret"}}),
		400, "That is not your password.")
	a := v.send("/-/me/sessions", "/-/me/password", url.Values{"password": {"secret"}, "new": {"another secret"}})
	if a.Status != 303 {
		t.Fatalf("%v: not changed", a)
	}
	g.has(v.do("GET", a.Header.Get("Location"), nil).Body, "The password is changed.")
	if a := elsewhere.do("GET", "/-/me", nil); a.Status != 401 {
		t.Errorf("%v: a session of before goes on", a)
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	g := newRig(t)
	v, elsewhere := g.visit(), g.visit()
	a := v.do("GET", "/-/me/sessions", nil)
	g.has(a.Body, "this one", "End all others")
	id := regexp.MustCompile(`name="id" value="([0-9a-f]{16})"`).FindStringSubmatch(a.Body)
	if id == nil {
		t.Fatalf("%v: no other session", a)
	}
	if a := v.send("/-/me/sessions", "/-/me/sessions/end", url.Values{"id": {id[1]}}); a.Status != 303 {
		t.Errorf("%v: not ended", a)
	}
	if a := elsewhere.do("GET", "/-/me", nil); a.Status != 401 {
		t.Errorf("%v: the other session goes on", a)
	}
	if a := v.do("GET", "/-/me", nil); a.Status != 200 {
		t.Errorf("%v: this session has ended, too", a)
	}
}

func TestBrowsersHaveNames(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 " +
			"Edg/141.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 " +
			"Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"curl/8.14.1": "curl/8.14.1", "": "",
	} {
		if got := browserOf(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}
