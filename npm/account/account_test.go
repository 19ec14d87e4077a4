package account

// Logins that end, and what they may be asked for.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/rawjson"
)

// TestLoginsExpire: after ten minutes, or when a thousand others come.
func TestLoginsExpire(t *testing.T) {
	now := time.Now()
	l := newLogins()
	l.now = func() time.Time { return now }
	a := l.start()
	if !l.open(a.page) || l.open(a.done) {
		t.Error("a login is open by its page alone")
	}
	now = now.Add(loginTime + time.Second)
	if _, known := l.poll(a.done); known || l.open(a.page) || l.finish(a.page, "x") {
		t.Error("an expired login is known")
	}
	b := l.start()
	now = now.Add(time.Second)
	for range maxLogins {
		l.start()
	}
	if l.open(b.page) || len(l.byPage) > maxLogins || len(l.byDone) != len(l.byPage) {
		t.Errorf("%d logins", len(l.byPage))
	}
}

// elsewhere is a provider that keeps its users to itself.
type elsewhere struct{ auth.Provider }

// TestElsewhere: with users that are kept elsewhere, what needs them is refused with a sentence.
func TestElsewhere(t *testing.T) {
	a := New(elsewhere{}, "/npm", func(*http.Request) string { return "https://registry.example.com/npm" })
	body := func() *http.Request {
		return httptest.NewRequest("POST", "/", strings.NewReader(`{"name":"ada","password":"x"}`))
	}
	w := httptest.NewRecorder()
	for what, err := range map[string]error{
		"login": a.Login(w, body(), "ada"), "web": a.Start(w, body()), "logout": a.Logout(w, body(), "larder_x"),
		"user": a.Knows(t.Context(), "ada"),
	} {
		if problem.Status(err) != 403 || !strings.Contains(problem.Public(err), "managed elsewhere") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func object(t *testing.T, text string) rawjson.Object {
	t.Helper()
	o, err := rawjson.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestSpec: what npm 10, 11 and 12 ask a token to be. What Larder has no form of is refused, never left out.
func TestSpec(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		`{"password":"x","readonly":true,"cidr_whitelist":["192.0.2.0/24","2001:db8::/32"]}`: "npm token readonly " +
			"[npm:*:*:*] [192.0.2.0/24 2001:db8::/32]",
		`{"name":"ci","expires":30,"packages":["demo","@sc/x"],"scopes":["@sc"]}`: "ci [npm:package:@sc/*:* " +
			"npm:package:demo:*] [] 2026-03-02",
		`{"packages_and_scopes_permission":"read-only"}`: "npm token readonly " +
			"[npm:*:*:*] []",
		`{"packages_and_scopes_permission":"no-access","orgs":[]}`: "npm token readonly " +
			"[npm:*:*:*] []",
		`{"packages_and_scopes_permission":"read-write","readonly":false}`: "npm token [npm:*:*:*] []",
	} {
		s, err := specOf(object(t, text), now)
		got := s.Name
		if s.ReadOnly {
			got += " readonly"
		}
		got += fmt.Sprintf(" %v %v", s.Scopes.Strings(), s.CIDRs)
		if !s.Expires.IsZero() {
			got += s.Expires.Format(" 2006-01-02")
		}
		if err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"orgs":["acme"]}`: "no organisations", `{"cidr_whitelist":["x"]}`: "is not a network",
		`{"cidr_whitelist":"192.0.2.0/24"}`: "not a list", `{"expires":0}`: "number of days",
		`{"expires":"soon"}`: "number of days", `{"expires":-1}`: "number of days", `{"scopes":["acme"]}`: "not a scope",
		`{"scopes":["../x"]}`: "not a scope", `{"packages":["a b"]}`: "not a package name",
		`{"packages_and_scopes_permission":"read-write-stage-only"}`: "read-only or read-write",
	} {
		if s, err := specOf(object(t, text), now); problem.Status(err) != 400 ||
			!strings.Contains(problem.Public(err), want) {
			t.Errorf("%s: %+v %v", text, s, err)
		}
	}
}
