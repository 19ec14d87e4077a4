package rubygems

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

// TestH4_Yank: the exact version, by forms in every dress; without a platform the one for all.
func TestH4_Yank(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0", "1.0-x86_64-linux", "1.1", "1.2", "1.3", "1.4")
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
	path := "/api/v1/gems/yank"
	g.want(g.Ada("DELETE", path, body("gem_name", "demo", "version", "1.1", "platform", "ruby")), 200, "") // no Content-Type
	g.want(g.Ada("DELETE", "/"+path, fields{"gem_name": "demo", "version": "1.2"}, header("Content-Type", "application/json; charset=utf-8")), 200, "")
	g.want(g.form("DELETE", path, [2]string{"gem_name", "demo"}, [2]string{"version", "1.3"}), 200, "")
	g.want(g.Ada("DELETE", path, "%zz"), 422, "cannot be read")
	g.want(g.Ada("DELETE", path, "{", header("Content-Type", "application/json")), 422, "cannot be read")
	g.want(g.Ada("DELETE", path, fields{"gem_name": []string{"demo"}}, header("Content-Type", "application/json")), 422, "cannot be read")
	g.want(g.Ada("DELETE", path, "x", header("Content-Type", "multipart/form-data")), 422, "cannot be read")
	g.want(g.Ada("DELETE", path+"?gem_name=demo&version=1.4", nil), 404, "")
	if got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil)); !slices.Equal(got, []string{"demo 1.4 ruby", "demo 1.0 x86_64-linux"}) {
		t.Errorf("%q", got)
	}
}

// TestRestore: an administrator takes a yank back, and the line stands where it stood.
func TestRestore(t *testing.T) {
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
	g.want(g.Ada("PUT", "/api/v1/gems/unyank", form), 403, "restored by an administrator")
	g.want(g.Do("POST", "/api/v1/gems/restore", form, g.As("root")), 200, "Successfully restored gem: demo (1.1)")
	g.want(g.Do("POST", "/api/v1/gems/restore", form, g.As("root")), 422, "is not yanked")
	if after := g.get("/info/demo").Body; after != before {
		t.Errorf("%s\n%s", after, before)
	}
	if l := lines(g.get("/versions")); len(l) != 5 || !strings.HasPrefix(l[4], "demo 1.1 ") {
		t.Errorf("%q", l)
	}
	g.want(g.Do("GET", "/gems/demo-1.1.gem", nil), 200, "")
	var ops []string
	entries, err := g.Store.Journal(context.Background(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind == store.RubyGems {
			ops = append(ops, string(e.Op)+" "+e.Version)
		}
	}
	if want := []string{"publish 1.0", "publish 1.1", "publish 1.2", "yank 1.1", "unyank 1.1"}; !slices.Equal(ops, want) {
		t.Errorf("%q", ops)
	}
}

// TestClockBack: a publish that is older than the one before it, by a clock that was set back, has its line before it.
func TestClockBack(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	g.publish("demo", "1.0")
	clock.Advance(-time.Hour)
	g.publish("demo", "1.1")
	if l := lines(g.get("/info/demo")); len(l) != 2 || !strings.HasPrefix(l[0], "1.1 ") {
		t.Errorf("%q", l)
	}
}

// TestA2_Owners: listing in both forms, adding, removing, never none.
func TestA2_Owners(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	g.User("bob", nil)
	path := "/api/v1/gems/demo/owners"
	want := "---\n- id: \"ada\"\n  handle: \"ada\"\n  email:\n  role: owner\n"
	if a := g.want(g.Ada("GET", path+".yaml", nil), 200, ""); a.Body != want || a.Header.Get("Content-Type") != "application/yaml; charset=utf-8" {
		t.Errorf("%v", a)
	}
	g.want(g.Ada("GET", path+".json", nil), 200, `[{"id":"ada","handle":"ada","email":null,"role":"owner"}]`)
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
	g.want(g.Ada("GET", "/api/v1/gems/other/owners.yaml", nil), 404, "This gem could not be found.")
	if got := namesOf(t, g.Do("GET", "/api/v1/gems.json", nil, g.As("bob"))); !slices.Equal(got, []string{"demo"}) {
		t.Errorf("%q", got)
	}
	if got := namesOf(t, g.Ada("GET", "/api/v1/gems.json", nil)); len(got) != 0 {
		t.Errorf("%q", got)
	}
	g.want(g.Do("GET", "/api/v1/gems.json", nil), 401, "")
}

// namesOf are the names and numbers of a list of gems.
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

// TestA2_Keys: user and password buy a key with the scopes that were chosen, in every form clients send.
func TestA2_Keys(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	path := "/api/v1/api_key"
	ada := wiretest.Basic("ada", "secret")
	issue := func(form any, opts ...option) {
		t.Helper()
		a := g.want(g.Do("POST", path, form, append([]option{ada}, opts...)...), 200, "")
		if !auth.IsToken(a.Body) || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%v", a)
		}
		g.Keys["key"] = a.Body
	}
	issue(body("name", "laptop", "push_rubygem", "true")) // RubyGems 4.0.22 sends no Content-Type
	g.want(g.push("key", newRelease("demo", "1.1")), 200, "")
	g.want(g.yank("key", "demo", "1.0", ""), 403, "scopes do not allow to delete")
	g.want(g.Do("POST", "/api/v1/gems/demo/owners", body("email", "ada"), g.As("key")), 403, "")
	issue(body("name", "x", "yank_rubygem", "true"), header("Content-Type", "application/x-www-form-urlencoded", "OTP", "1"))
	g.want(g.yank("key", "demo", "1.0", ""), 200, "")
	g.want(g.push("key", newRelease("demo", "1.2")), 403, "")
	issue(fields{"name": "x", "index_rubygems": true, "add_owner": true}, header("Content-Type", "application/json"))
	g.want(g.Do("POST", "/api/v1/gems/demo/owners", body("email", "ada"), g.As("key")), 200, "")
	issue(body("push_rubygem", "1", "rubygem_name", "demo", "mfa", "true", "expires_at", time.Now().Add(time.Hour).Format(time.RFC3339)))
	g.want(g.push("key", newRelease("demo", "1.3")), 200, "")
	g.want(g.push("key", newRelease("other", "1.0")), 403, "")
	issue(body("show_dashboard", "true"))
	g.want(g.push("key", newRelease("demo", "1.4")), 403, "")
	for form, text := range map[string]string{
		body("name", "x"): "at least one scope", body("push_rubygem", "false"): "at least one scope", body("show_dashboard", "true", "push_rubygem", "true"): "together", body("access_webhooks", "true"): "nothing those scopes are for",
		body("push_rubygem", "true", "rubygem_name", "../x"): "not a name", body("push_rubygem", "true", "expires_at", "soon"): "not a time", body("push_rubygem", "true", "expires_at", "2020-01-01T00:00:00Z"): "expired",
	} {
		g.want(g.Do("POST", path, form, ada), 422, text)
	}
	a := g.want(g.Do("POST", path, body("push_rubygem", "true")), 401, "")
	if !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic") {
		t.Errorf("%v", a)
	}
	g.want(g.Do("POST", path, body("push_rubygem", "true"), wiretest.Basic("ada", "wrong")), 401, "")
	// A key buys no keys, and keys do not change.
	g.want(g.Ada("POST", path, body("push_rubygem", "true")), 401, "")
	g.want(g.Do("POST", path, body("push_rubygem", "true"), wiretest.Basic("ada", g.Keys["ada"])), 401, "")
	g.want(g.Do("PUT", path, body("api_key", g.Keys["key"], "push_rubygem", "true"), ada), 403, "make another one")
	g.want(g.Ada("PUT", path, body("api_key", g.Keys["key"])), 401, "")
	// The profile clients read before they ask which scopes.
	if a := g.want(g.Do("GET", "/api/v1/profile/me.yaml", nil, ada), 200, ""); a.Body != "---\nid: \"ada\"\nhandle: \"ada\"\nmfa: disabled\nwarning:\n" {
		t.Errorf("%q", a.Body)
	}
	g.want(g.Do("GET", "/api/v1/profile/me.json", nil, ada), 200, `"mfa":"disabled"`)
	g.want(g.Do("GET", "/api/v1/profile/me.yaml", nil), 401, "")
}

// TestE_LoginLimit: guessing is slowed down.
func TestE_LoginLimit(t *testing.T) {
	g := newRig(t)
	for i := range 200 {
		a := g.Do("POST", "/api/v1/api_key", body("push_rubygem", "true"), wiretest.Basic("ada", fmt.Sprint("guess", i)))
		if a.Status == http.StatusTooManyRequests {
			if a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
		g.want(a, 401, "")
	}
	t.Error("200 guesses")
}

// TestE_ManagedElsewhere: with another provider than the local one, users and keys are its business.
func TestE_ManagedElsewhere(t *testing.T) {
	g := newRig(t)
	g.s.accounts = nil
	if _, err := g.s.local(); err == nil {
		t.Error("local accounts without any")
	}
}
