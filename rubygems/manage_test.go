package rubygems

// Yanking, restoring, owners and keys, in every form that clients send.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

func TestYankIsOfTheExactVersion(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0", "1.0-x86_64-linux", "1.1")
	g.want(g.yank("ada", "demo", "1.0", ""), 200, "Successfully deleted gem: demo (1.0)")
	g.want(g.Do("GET", "/gems/demo-1.0-x86_64-linux.gem", nil), 200, "")
	g.want(g.Do("GET", "/gems/demo-1.0.gem", nil), 404, "")
	g.want(g.yank("ada", "demo", "1.0", ""), 422, "has already been deleted")
	g.want(g.yank("ada", "demo", "9.9", ""), 404, "The version 9.9 does not exist.")
	g.want(g.yank("ada", "demo", "1.0", "java"), 404, "The version 1.0 (java) does not exist.")
	g.want(g.yank("ada", "demo", "1.0 ", ""), 404, "does not exist")
	g.want(g.yank("ada", "other", "1.0", ""), 404, "This gem could not be found.")
	g.want(g.yank("ada", "../demo", "1.0", ""), 404, "This gem could not be found.")
	g.want(g.yank("ada", "Demo", "1.1", ""), 404, "This gem could not be found.")
	got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil))
	wiretest.EqualList(t, "what is left", got, "demo 1.1 ruby", "demo 1.0 x86_64-linux")
}

func TestFormsOfAYank(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0", "1.1", "1.2", "1.3")
	const path = "/api/v1/gems/yank"
	kind := func(typ string) option { return header("Content-Type", typ) }
	withoutType := body("gem_name", "demo", "version", "1.1", "platform", "ruby")
	g.want(g.Ada("DELETE", path, withoutType), 200, "")
	object := fields{"gem_name": "demo", "version": "1.2"}
	g.want(g.Ada("DELETE", "/"+path, object, kind("application/json; charset=utf-8")), 200, "")
	g.want(g.form("DELETE", path, [2]string{"gem_name", "demo"}, [2]string{"version", "1.3"}), 200, "")
	g.want(g.Ada("DELETE", path, "%zz"), 422, "cannot be read")
	g.want(g.Ada("DELETE", path, "{", kind("application/json")), 422, "cannot be read")
	g.want(g.Ada("DELETE", path, fields{"gem_name": []string{"demo"}}, kind("application/json")), 422, "cannot be read")
	g.want(g.Ada("DELETE", path, "x", kind("multipart/form-data")), 422, "cannot be read")
	g.want(g.Ada("DELETE", path, nil), 404, "")
	got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil))
	wiretest.EqualList(t, "what is left", got, "demo 1.0 ruby")
}

func TestAdministratorRestoresAYankedVersion(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	for _, v := range []string{"1.0", "1.1", "1.2"} {
		g.publish("demo", v)
		clock.Advance(time.Minute)
	}
	g.User("root", nil, true)
	before := g.get("/info/demo").Body
	g.want(g.yank("ada", "demo", "1.1", ""), 200, "")
	form := body("gem_name", "demo", "version", "1.1")
	g.want(g.Ada("POST", "/api/v1/gems/restore", form), 403, "")
	g.want(g.Do("POST", "/api/v1/gems/restore", form, g.As("root")), 200, "Successfully restored gem: demo (1.1)")
	g.want(g.Do("POST", "/api/v1/gems/restore", form, g.As("root")), 422, "is not yanked")
	wiretest.Equal(t, "/info after the restore", g.get("/info/demo").Body, before)
	if l := lines(g.get("/versions")); len(l) != 5 || !strings.HasPrefix(l[4], "demo 1.1 ") {
		t.Errorf("/versions has %q, want 5 lines that end with demo 1.1", l)
	}
	g.want(g.Do("GET", "/gems/demo-1.1.gem", nil), 200, "")
	want := []string{"publish 1.0", "publish 1.1", "publish 1.2", "yank 1.1", "unyank 1.1"}
	wiretest.EqualList(t, "the journal", g.journalOps(), want...)
}

// TestWhoeverMayYankMayUnyank: the version comes back with the same bytes, also when the query names it.
func TestWhoeverMayYankMayUnyank(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0", "1.1")
	g.User("guest", nil)
	info, gem := g.get("/info/demo").Body, g.Do("GET", "/gems/demo-1.1.gem", nil).Body
	const named = "?gem_name=demo&version=1.1&platform=ruby"
	for _, how := range []struct {
		query string
		form  any
	}{{"", body("gem_name", "demo", "version", "1.1")}, {named, nil}} {
		g.want(g.Ada("PUT", "/api/v1/gems/unyank"+how.query, how.form), 422, "is not yanked")
		g.want(g.Ada("DELETE", "/api/v1/gems/yank"+how.query, how.form), 200, "Successfully deleted gem: demo (1.1)")
		if l := g.get("/info/demo").Body; strings.Contains(l, "1.1 ") {
			t.Errorf("/info after the yank is %q, want it without 1.1", l)
		}
		g.want(g.Do("PUT", "/api/v1/gems/unyank"+how.query, how.form, g.As("guest")), 403, "permission to unyank")
		g.want(g.Ada("PUT", "/api/v1/gems/unyank"+how.query, how.form), 200, "Successfully unyanked gem: demo (1.1)")
		wiretest.Equal(t, "/info after the unyank", g.get("/info/demo").Body, info)
		wiretest.Equal(t, "the gem after the unyank", g.Do("GET", "/gems/demo-1.1.gem", nil).Body, gem)
	}
	g.want(g.Ada("PUT", "/api/v1/gems/unyank?gem_name=demo&version=9", nil), 404, "The version 9 does not exist.")
}

// journalOps are the operations of the journal on gems, with their versions.
func (g *rig) journalOps() (ops []string) {
	g.T.Helper()
	entries, err := g.Store.Journal(context.Background(), 0, 1000)
	if err != nil {
		g.T.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind == store.RubyGems {
			ops = append(ops, string(e.Op)+" "+e.Version)
		}
	}
	return ops
}

func TestVersionOfAnOlderTimeHasItsLineBefore(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	g.publish("demo", "1.0")
	clock.Advance(-time.Hour) // a clock that was set back
	g.publish("demo", "1.1")
	if l := lines(g.get("/info/demo")); len(l) != 2 || !strings.HasPrefix(l[0], "1.1 ") {
		t.Errorf("/info has %q, want 2 lines that begin with 1.1", l)
	}
}

func TestOwnersAreListedInBothForms(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	a := g.want(g.Ada("GET", "/api/v1/gems/demo/owners.yaml", nil), 200, "")
	wiretest.Equal(t, "YAML", a.Body, "---\n- id: \"ada\"\n  handle: \"ada\"\n  email:\n  role: owner\n")
	g.WantHeader(a, "Content-Type", "application/yaml; charset=utf-8")
	object := `[{"id":"ada","handle":"ada","email":null,"role":"owner"}]`
	g.want(g.Ada("GET", "/api/v1/gems/demo/owners.json", nil), 200, object)
	g.want(g.Ada("GET", "/api/v1/gems/other/owners.yaml", nil), 404, "This gem could not be found.")
}

func TestOwnersAreAddedAndRemoved(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	g.User("bob", nil)
	const path = "/api/v1/gems/demo/owners"
	g.want(g.Ada("POST", path, body("email", "bob", "role", "owner")), 200, "bob was added as an owner of demo.")
	g.want(g.Ada("POST", path, body("email", "bob")), 200, "")
	g.want(g.Ada("POST", path, body("email", "nobody")), 404, "gem or user could not be found")
	g.want(g.Ada("POST", path, body("email", "bob@example.com")), 404, "gem or user could not be found")
	g.want(g.Ada("POST", path, body("email", "bob", "role", "maintainer")), 422, "role")
	g.want(g.Ada("PATCH", path, body("email", "bob", "role", "owner")), 200, "bob is an owner")
	g.want(g.Ada("PATCH", path, body("email", "bob")), 422, "names no role")
	g.want(g.Ada("PATCH", path, body("email", "eve", "role", "owner")), 404, "")
	g.want(g.Do("DELETE", path, body("email", "ada"), g.As("bob")), 200, "ada was removed")
	g.want(g.Ada("POST", path, body("email", "ada")), 403, "change the owners of")
	g.want(g.Do("DELETE", path, body("email", "bob"), g.As("bob")), 422, "needs an owner")
	g.want(g.Do("DELETE", path, body("email", "ada"), g.As("bob")), 404, "")
	own := "/api/v1/gems.json"
	wiretest.EqualList(t, "bob's gems", namesOf(t, g.Do("GET", own, nil, g.As("bob"))), "demo")
	wiretest.EqualList(t, "ada's gems", namesOf(t, g.Ada("GET", own, nil)))
	g.want(g.Do("GET", own, nil), 401, "")
}

// namesOf are the names in a list of gems.
func namesOf(t testing.TB, a answer) (names []string) {
	t.Helper()
	var list []struct{ Name string }
	if a.Status != 200 {
		t.Fatal(a)
	}
	a.Decode(t, &list)
	for _, x := range list {
		names = append(names, x.Name)
	}
	return names
}

// issue makes ada's key "key" as gem signin does.
func (g *rig) issue(form any, opts ...option) {
	g.T.Helper()
	opts = append(opts, wiretest.Basic("ada", "secret"))
	a := g.want(g.Do("POST", "/api/v1/api_key", form, opts...), 200, "")
	if !auth.IsToken(a.Body) {
		g.T.Fatalf("%v is no key", a)
	}
	g.WantHeader(a, "Cache-Control", "no-store")
	g.Keys["key"] = a.Body
}

func TestKeyHasTheScopesThatWereChosen(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	g.issue(body("name", "laptop", "push_rubygem", "true")) // RubyGems 4.0.22 sends no Content-Type
	g.want(g.push("key", newRelease("demo", "1.1")), 200, "")
	g.want(g.yank("key", "demo", "1.0", ""), 403, "scopes do not allow to delete")
	g.want(g.Do("POST", "/api/v1/gems/demo/owners", body("email", "ada"), g.As("key")), 403, "")
	form := header("Content-Type", "application/x-www-form-urlencoded", "OTP", "1")
	g.issue(body("name", "x", "yank_rubygem", "true"), form)
	g.want(g.yank("key", "demo", "1.0", ""), 200, "")
	g.want(g.push("key", newRelease("demo", "1.2")), 403, "")
	object := fields{"name": "x", "index_rubygems": true, "add_owner": true}
	g.issue(object, header("Content-Type", "application/json"))
	g.want(g.Do("POST", "/api/v1/gems/demo/owners", body("email", "ada"), g.As("key")), 200, "")
	g.issue(body("show_dashboard", "true"))
	g.want(g.push("key", newRelease("demo", "1.4")), 403, "")
}

func TestKeyOfOneGem(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	expires := time.Now().Add(time.Hour).Format(time.RFC3339)
	g.issue(body("push_rubygem", "1", "rubygem_name", "demo", "mfa", "true", "expires_at", expires))
	g.want(g.push("key", newRelease("demo", "1.3")), 200, "")
	g.want(g.push("key", newRelease("other", "1.0")), 403, "")
}

func TestKeyThatCannotBeMade(t *testing.T) {
	g := newRig(t)
	push := func(more ...string) string { return body(append([]string{"push_rubygem", "true"}, more...)...) }
	for form, text := range map[string]string{
		body("name", "x"):                          "at least one scope",
		body("push_rubygem", "false"):              "at least one scope",
		push("show_dashboard", "true"):             "together",
		body("access_webhooks", "true"):            "nothing those scopes are for",
		push("rubygem_name", "../x"):               "not a name",
		push("expires_at", "soon"):                 "not a time",
		push("expires_at", "2020-01-01T00:00:00Z"): "expired",
	} {
		g.want(g.Do("POST", "/api/v1/api_key", form, wiretest.Basic("ada", "secret")), 422, text)
	}
}

func TestKeysAreMadeWithAPasswordOnly(t *testing.T) {
	g := newRig(t)
	const path = "/api/v1/api_key"
	form := body("push_rubygem", "true")
	g.WantHeader(g.want(g.Do("POST", path, form), 401, ""), "WWW-Authenticate", `Basic realm="larder"`)
	g.want(g.Do("POST", path, form, wiretest.Basic("ada", "wrong")), 401, "")
	g.want(g.Ada("POST", path, form), 401, "")
	g.want(g.Do("POST", path, form, wiretest.Basic("ada", g.Keys["ada"])), 401, "")
}

func TestKeysDoNotChange(t *testing.T) {
	g := newRig(t)
	g.issue(body("push_rubygem", "true"))
	form := body("api_key", g.Keys["key"], "push_rubygem", "true")
	g.want(g.Do("PUT", "/api/v1/api_key", form, wiretest.Basic("ada", "secret")), 403, "make another one")
	g.want(g.Ada("PUT", "/api/v1/api_key", body("api_key", g.Keys["key"])), 401, "")
}

// Clients read the profile before they ask the user for scopes.
func TestProfileHasNoSecondFactor(t *testing.T) {
	g := newRig(t)
	ada := wiretest.Basic("ada", "secret")
	a := g.want(g.Do("GET", "/api/v1/profile/me.yaml", nil, ada), 200, "")
	wiretest.Equal(t, "YAML", a.Body, "---\nid: \"ada\"\nhandle: \"ada\"\nmfa: disabled\nwarning:\n")
	g.want(g.Do("GET", "/api/v1/profile/me.json", nil, ada), 200, `"mfa":"disabled"`)
	g.want(g.Do("GET", "/api/v1/profile/me.yaml", nil), 401, "")
}

func TestGuessedPasswordsAreSlowedDown(t *testing.T) {
	g := newRig(t)
	for i := range 200 {
		guess := wiretest.Basic("ada", fmt.Sprint("guess", i))
		a := g.Do("POST", "/api/v1/api_key", body("push_rubygem", "true"), guess)
		if a.Status == http.StatusTooManyRequests {
			if a.Header.Get("Retry-After") == "" {
				t.Errorf("%v has no Retry-After", a)
			}
			return
		}
		g.want(a, 401, "")
	}
	t.Error("200 guesses were answered")
}

func TestUsersOfAnotherProviderAreManagedThere(t *testing.T) {
	g := newRig(t)
	g.s.accounts = nil
	if _, err := g.s.local(); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("without local accounts the error is %v, want %v", err, auth.ErrDenied)
	}
}
