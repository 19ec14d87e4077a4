package rubygems

// Rights: every operation against every kind of user, what keys may do, and what lists leave out.

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/ledger"
	"larder/internal/wire"
	"larder/internal/wiretest"
)

// cases has a request for each operation, about a gem of its own.
func (g *rig) cases(name string) map[string]wiretest.Case {
	g.T.Helper()
	all := map[string]wiretest.Case{}
	add := func(op, method, path string, body any, status int) {
		whole := !strings.Contains(fmt.Sprint(path, body), name) && op != "rubygems.push"
		all[op] = wiretest.Case{Method: method, Path: path, Body: body, Status: status, Whole: whole}
	}
	form := body("gem_name", name, "version", "1.0")
	yanked := body("gem_name", name, "version", "0.9")
	gem, owners := "/api/v1/gems/"+name, "/api/v1/gems/"+name+"/owners"
	add("rubygems.root", "GET", "/", nil, 200)
	add("rubygems.versions", "GET", "/versions", nil, 200)
	add("rubygems.names", "GET", "/names", nil, 200)
	add("rubygems.info", "GET", "/info/"+name, nil, 200)
	add("rubygems.specs", "GET", "/specs.4.8.gz", nil, 200)
	add("rubygems.gemspec", "GET", "/quick/Marshal.4.8/"+name+"-1.0.gemspec.rz", nil, 200)
	add("rubygems.download", "GET", "/gems/"+name+"-1.0.gem", nil, 200)
	add("rubygems.dependencies", "GET", "/api/v1/dependencies", nil, 404)
	add("rubygems.push", "POST", "/api/v1/gems", newRelease(name, "2.0").build(), 200)
	add("rubygems.yank", "DELETE", "/api/v1/gems/yank", form, 200)
	add("rubygems.unyank", "PUT", "/api/v1/gems/unyank", yanked, 200)
	add("rubygems.restore", "POST", "/api/v1/gems/restore", yanked, 200)
	add("rubygems.show", "GET", gem+".json", nil, 200)
	add("rubygems.own", "GET", "/api/v1/gems.json", nil, 200)
	add("rubygems.releases", "GET", "/api/v1/versions/"+name+".json", nil, 200)
	add("rubygems.latest", "GET", "/api/v1/versions/"+name+"/latest.json", nil, 200)
	add("rubygems.release", "GET", "/api/v2/rubygems/"+name+"/versions/1.0.json", nil, 200)
	add("rubygems.search", "GET", "/api/v1/search.json?query=x", nil, 200)
	add("rubygems.timeframe", "GET", "/api/v1/timeframe_versions.json?from=2026-01-01T00:00:00Z", nil, 200)
	add("rubygems.activity.latest", "GET", "/api/v1/activity/latest.json", nil, 200)
	add("rubygems.activity.updated", "GET", "/api/v1/activity/just_updated.json", nil, 200)
	add("rubygems.attestations", "GET", "/api/v1/attestations/"+name+"-1.0.json", nil, 200)
	add("rubygems.downloads.all", "GET", "/api/v1/downloads.json", nil, 200)
	add("rubygems.downloads", "GET", "/api/v1/downloads/"+name+"-1.0.json", nil, 200)
	add("rubygems.owners", "GET", owners+".yaml", nil, 200)
	add("rubygems.owner.add", "POST", owners, body("email", "ada"), 200)
	add("rubygems.owner.remove", "DELETE", owners, body("email", "guest"), 200)
	add("rubygems.owner.change", "PATCH", owners, body("email", "ada", "role", "owner"), 200)
	add("rubygems.key.create", "POST", "/api/v1/api_key", body("push_rubygem", "true"), 401)
	add("rubygems.key.change", "PUT", "/api/v1/api_key", body("push_rubygem", "true"), 401)
	add("rubygems.key", "GET", "/api/v1/api_key", nil, 410)
	add("rubygems.profile", "GET", "/api/v1/profile/me.yaml", nil, 200)
	add("rubygems.webauthn", "POST", "/api/v1/webauthn_verification", "", 422)
	add("rubygems.compact", "POST", "/api/v1/larder/compact", "", 200)
	for _, op := range []string{"rubygems.own", "rubygems.profile", "rubygems.webauthn"} {
		c := all[op]
		c.Login = true
		all[op] = c
	}
	return all
}

// needs are the routes with the rights that they ask for themselves, of what is in their body.
func needs() []wire.Route[Request] {
	own := map[string]wire.Need{
		"rubygems.push": wire.Create, "rubygems.yank": wire.Delete, "rubygems.unyank": wire.Delete,
		"rubygems.restore": wire.Admin,
	}
	routes := (&server{}).routes()
	for i := range routes {
		if need, ok := own[routes[i].Op]; ok {
			routes[i].Need = need
		}
	}
	return routes
}

func TestEveryOperationAgainstEveryKindOfUser(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Record, o.Auth.Private = true, []string{"rubygems:gem:private-*"} })
	wiretest.Matrix[Request]{
		Routes: needs(), Scope: "rubygems:gem",
		Name: func(private bool, n int) string {
			if private {
				return fmt.Sprintf("private-x%d", n)
			}
			return fmt.Sprintf("open-x%d", n)
		},
		Prepare: func(r *wiretest.Rig, name string) {
			g.publish(name, "0.9", "1.0")
			g.want(g.Ada("POST", "/api/v1/gems/"+name+"/owners", body("email", "guest")), 200, "")
			g.want(g.yank("ada", name, "0.9", ""), 200, "")
		},
		Creating: []string{"rubygems.push"},
		Cases:    func(r *wiretest.Rig, name, actor string) map[string]wiretest.Case { return g.cases(name) },
		Also: func(r *wiretest.Rig, q wiretest.Question, a answer) {
			if (q.Can == "" || q.Actor == "") && strings.Contains(a.Body, "private-") {
				t.Errorf("%s as %q shows private names: %.300s", q.Op, q.Actor, a.Body)
			}
		},
	}.Run(g.Rig)
}

func TestReadOnlyKeyChangesNothing(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	g.User("guest", nil)
	g.publish("demo", "0.9", "1.0")
	g.Key("reader", auth.TokenSpec{User: "root", ReadOnly: true})
	before := g.Journal()
	for _, op := range needs() {
		c := g.cases("demo")[op.Op]
		if op.Need.Kind() > wire.Read {
			g.want(g.Do(c.Method, c.Path, c.Body, g.As("reader")), 403, "read-only")
		}
	}
	wiretest.Equal(t, "newest entry of the journal", g.Journal(), before)
}

// Addresses get into histories and into the logs of proxies. After every test the rig checks that no key is in our own
// log.
func TestKeyInAnAddressIsNoKey(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	g.publish("demo", "1.0")
	key := g.Key("k", auth.TokenSpec{User: "ada"})
	g.want(g.Do("GET", "/versions", nil, header("Authorization", key)), 200, "demo")
	for _, name := range []string{"api_key", "key", "token", "access_token", "Authorization"} {
		query := "?" + name + "=" + key
		g.want(g.Do("GET", "/versions"+query, nil), 401, "")
		g.want(g.Do("GET", "/info/demo"+query, nil), 401, "")
		g.want(g.Do("POST", "/api/v1/gems"+query, newRelease("demo", "2.0").build()), 401, "")
		form := body("gem_name", "demo", "version", "1.0", name, key)
		g.want(g.Do("DELETE", "/api/v1/gems/yank"+query, form), 401, "")
	}
}

// mixed is a registry that nobody reads without a login, where the key "part" reads open-* only, "none" no gem, and
// "all" every gem.
func mixed(t *testing.T) *rig {
	t.Helper()
	g := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	g.publish("open-a", "1.0")
	g.publish("secret-b", "1.0", "2.0.rc1")
	g.publish("open-c", "1.0")
	g.Scoped("part", "ada", "rubygems:gem:open-*:read")
	g.Scoped("none", "ada", "npm:package:*:read")
	g.Scoped("all", "ada", "rubygems:gem:*:read")
	return g
}

func TestWithoutALoginNothingIsRead(t *testing.T) {
	g := mixed(t)
	for _, path := range []string{
		"/", "/versions", "/names", "/specs.4.8.gz", "/latest_specs.4.8.gz", "/prerelease_specs.4.8.gz",
		"/api/v1/search.json?query=a", "/api/v1/activity/latest.json", "/api/v1/activity/just_updated.json",
		"/info/open-a", "/info/absent", "/gems/open-a-1.0.gem", "/gems/absent-1.0.gem",
		"/quick/Marshal.4.8/absent-1.0.gemspec.rz", "/api/v1/gems/open-a.json", "/api/v1/dependencies",
		"/api/v1/downloads.json", "/api/v1/downloads/open-a-1.0.json",
	} {
		a := g.want(g.Do("GET", path, nil), 401, "gem signin")
		g.WantHeader(a, "WWW-Authenticate", `Basic realm="larder"`)
		g.want(g.Do("HEAD", path, nil), 401, "")
	}
	g.want(g.Do("GET", "/versions", nil, wiretest.Basic("ada", "wrong")), 401, "wrong")
}

func TestListsHaveWhatTheKeyMayRead(t *testing.T) {
	g := mixed(t)
	whole := []string{"open-a 1.0", "secret-b 1.0", "secret-b 2.0.rc1", "open-c 1.0"}
	for actor, want := range map[string][]string{
		"ada": whole, "all": whole, "part": {"open-a 1.0", "open-c 1.0"}, "none": nil,
	} {
		var got []string
		for _, line := range lines(g.get("/versions", g.As(actor))) {
			got = append(got, strings.Join(strings.Fields(line)[:2], " "))
		}
		wiretest.EqualList(t, "/versions for "+actor, got, want...)
	}
	wiretest.EqualList(t, "/names for part", lines(g.get("/names", g.As("part"))), "open-a", "open-c")
	tuples := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil, g.As("part")))
	wiretest.EqualList(t, "the index for part", tuples, "open-a 1.0 ruby", "open-c 1.0 ruby")
}

func TestHiddenGemIsAnsweredAsAnAbsentOne(t *testing.T) {
	g := mixed(t)
	for _, path := range []string{
		"/info/secret-b", "/gems/secret-b-1.0.gem", "/quick/Marshal.4.8/secret-b-1.0.gemspec.rz",
		"/api/v1/gems/secret-b.json", "/api/v1/versions/secret-b.json", "/api/v1/attestations/secret-b-1.0.json",
		"/api/v1/downloads/secret-b-1.0.json",
	} {
		hidden := g.want(g.Do("GET", path, nil, g.As("part")), 404, "")
		absent := g.want(g.Do("GET", strings.Replace(path, "secret-b", "absent", 1), nil, g.As("part")), 404, "")
		wiretest.Equal(t, path, hidden.Body, absent.Body)
		wiretest.Equal(t, "headers of "+path, fmt.Sprint(hidden.Header), fmt.Sprint(absent.Header))
	}
}

func TestDownloadsOfAllAreThoseOfWhatTheKeyMayRead(t *testing.T) {
	g := mixed(t)
	for _, full := range []string{"open-a-1.0", "secret-b-1.0", "secret-b-1.0", "open-c-1.0"} {
		g.want(g.Do("GET", "/gems/"+full+".gem", nil, g.As("all")), 200, "")
	}
	for actor, want := range map[string]string{"ada": "4", "all": "4", "part": "2", "none": "0"} {
		a := g.want(g.Do("GET", "/api/v1/downloads.json", nil, g.As(actor)), 200, "")
		wiretest.Equal(t, "for "+actor, a.Body, `{"total":`+want+"}\n")
	}
}

func TestFilteredListIsReadInParts(t *testing.T) {
	g := mixed(t)
	held := g.get("/versions", g.As("part")).Body
	g.publish("secret-b", "3.0")
	g.publish("open-a", "1.1")
	rest := header("Range", fmt.Sprintf("bytes=%d-", len(held)-1), "If-None-Match", ledger.Tag([]byte(held)))
	a := g.want(g.Do("GET", "/versions", nil, g.As("part"), rest), 206, "")
	wiretest.Equal(t, "what was held and the rest", held[:len(held)-1]+a.Body, g.get("/versions", g.As("part")).Body)
	if strings.Contains(a.Body, "secret") {
		t.Errorf("the rest shows a hidden gem: %q", a.Body)
	}
}

func TestErrorsAreThoseOfTheGoldenFile(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0", "0.9")
	g.want(g.yank("ada", "demo", "0.9", ""), 200, "")
	g.User("bob", nil)
	var out strings.Builder
	other := newRelease("demo", "1.0")
	other.files["x"] = "y"
	for _, c := range []struct {
		what, method, path string
		body               any
		opts               []option
	}{
		{"no credentials", "POST", "/api/v1/gems", newRelease("demo", "2.0").build(), nil},
		{"bad key", "POST", "/api/v1/gems", "", []option{header("Authorization", "larder_bad")}},
		{"foreign key", "POST", "/api/v1/gems", "",
			[]option{header("Authorization", "rubygems_"+strings.Repeat("0", 48))}},
		{"wrong password", "POST", "/api/v1/api_key", "", []option{wiretest.Basic("ada", "wrong")}},
		{"not logged in", "GET", "/api/v1/profile/me.yaml", nil, nil},
		{"absent gem", "GET", "/info/absent", nil, nil},
		{"absent file", "GET", "/gems/demo-9.9.gem", nil, nil},
		{"absent specification", "GET", "/quick/Marshal.4.8/demo-9.9.gemspec.rz", nil, nil},
		{"yanked file", "GET", "/gems/demo-0.9.gem", nil, nil},
		{"absent in the API", "GET", "/api/v1/versions/absent.json", nil, nil},
		{"absent version", "DELETE", "/api/v1/gems/yank", body("gem_name", "demo", "version", "9.9"),
			[]option{g.As("ada")}},
		{"absent variant", "DELETE", "/api/v1/gems/yank", body("gem_name", "demo", "version", "1.0", "platform", "java"),
			[]option{g.As("ada")}},
		{"yanked version", "DELETE", "/api/v1/gems/yank", body("gem_name", "demo", "version", "0.9"),
			[]option{g.As("ada")}},
		{"unknown address", "GET", "/api/v1/web_hooks.json", nil, nil},
		{"dependencies", "GET", "/api/v1/dependencies?gems=demo", nil, nil},
		{"wrong method", "PUT", "/versions", "", nil},
		{"bad path", "GET", "/info/a%5Cb", nil, nil},
		{"bad page", "GET", "/api/v1/search.json?query=a&page=x", nil, nil},
		{"bad form", "DELETE", "/api/v1/gems/yank", "%zz", []option{g.As("ada")}},
		{"over a version", "POST", "/api/v1/gems", other.build(), []option{g.As("ada")}},
		{"over a yanked version", "POST", "/api/v1/gems", newRelease("demo", "0.9").build(), []option{g.As("ada")}},
		{"no gem", "POST", "/api/v1/gems", "x", []option{g.As("ada")}},
		{"not an owner", "POST", "/api/v1/gems", newRelease("demo", "3.0").build(), []option{g.As("bob")}},
		{"no administrator", "POST", "/api/v1/larder/compact", "", []option{g.As("ada")}},
		{"two gems in a spelling", "POST", "/api/v1/gems", newRelease("Demo", "1.0").build(), []option{g.As("ada")}},
		{"old clients' key", "GET", "/api/v1/api_key", nil, []option{wiretest.Basic("ada", "secret")}},
	} {
		a := g.Do(c.method, c.path, c.body, c.opts...)
		if a.Status < 400 {
			t.Errorf("%s: %v is no error", c.what, a)
		}
		h := a.Header
		fmt.Fprintf(&out, "%s: %d %q %q\n%s", c.what, a.Status, h.Get("WWW-Authenticate"), h.Get("Allow"), a.Body)
		if a.Status == http.StatusUnauthorized && a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no challenge", c.what)
		}
	}
	wiretest.Golden(t, "errors.txt", out.String())
}
