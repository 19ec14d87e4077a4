package npm

// Rights, logins, tokens, and the errors that clients read.

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store"
)

// cases has a request for each operation, about a package of its own.
func (g *rig) cases(name string) map[string]wiretest.Case {
	g.T.Helper()
	rev := g.rev(name)
	pkg := "/-/package/" + name
	web := g.Do("POST", "/-/v1/login", fields{}).Object(g.T)
	page, done := fmt.Sprint(web["loginUrl"]), fmt.Sprint(web["doneUrl"])
	_, secret, err := g.Auth.CreateToken(context.Background(), auth.TokenSpec{User: "ada"})
	if err != nil {
		g.T.Fatal(err)
	}
	all := map[string]wiretest.Case{}
	add := func(op, method, path string, body any, status int) {
		all[op] = wiretest.Case{Method: method, Path: path, Body: body, Status: status, Whole: !strings.Contains(path, name)}
	}
	add("npm.root", "GET", "/", nil, 200)
	add("npm.ping", "GET", "/-/ping", nil, 200)
	add("npm.keys", "GET", "/-/npm/v1/keys", nil, 200)
	add("npm.packument", "GET", "/"+name, nil, 200)
	add("npm.version", "GET", "/"+name+"/latest", nil, 200)
	add("npm.tarball", "GET", "/"+name+"/-/"+name+"-1.1.0.tgz", nil, 200)
	add("npm.tarball.of", "GET", "/download/"+name+"/1.1.0/0a1b", nil, 200)
	add("npm.put", "PUT", "/"+name, newRelease(name, "2.0.0").document(), 201)
	add("npm.put.rev", "PUT", "/"+name+"/-rev/"+rev, fields{"maintainers": []any{"ada"}}, 201)
	add("npm.unpublish", "DELETE", "/"+name+"/-rev/"+rev, nil, 200)
	add("npm.tarball.delete", "DELETE", "/"+name+"/-/gone-1.0.0.tgz/-rev/"+rev, nil, 200)
	add("npm.whoami", "GET", "/-/whoami", nil, 200)
	add("npm.login", "PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada", "password": "secret"}, 201)
	add("npm.user", "GET", "/-/user/org.couchdb.user:ada", nil, 200)
	add("npm.logout", "DELETE", "/-/user/token/"+secret, nil, 200)
	add("npm.weblogin", "POST", "/-/v1/login", fields{}, 200)
	add("npm.weblogin.page", "GET", page, nil, 200)
	add("npm.weblogin.confirm", "POST", page, "user=ada&password=secret", 200)
	add("npm.weblogin.done", "GET", done, nil, 202)
	add("npm.tokens", "GET", "/-/npm/v1/tokens", nil, 200)
	add("npm.token.create", "POST", "/-/npm/v1/tokens", fields{"password": "secret"}, 200)
	add("npm.token.revoke", "DELETE", "/-/npm/v1/tokens/token/x", nil, 404)
	add("npm.profile", "GET", "/-/npm/v1/user", nil, 200)
	add("npm.profile.set", "POST", "/-/npm/v1/user", fields{"password": fields{"old": "secret", "new": "secret"}}, 200)
	add("npm.tags", "GET", pkg+"/dist-tags", nil, 200)
	add("npm.tag.set", "PUT", pkg+"/dist-tags/beta", `"1.0.0"`, 201)
	add("npm.tag.delete", "DELETE", pkg+"/dist-tags/old", nil, 200)
	add("npm.search", "GET", "/-/v1/search?text=x", nil, 200)
	add("npm.audit.bulk", "POST", "/-/npm/v1/security/advisories/bulk", fields{}, 200)
	add("npm.audit.quick", "POST", "/-/npm/v1/security/audits", fields{}, 200)
	add("npm.advisories", "GET", "/-/larder/advisories", nil, 200)
	add("npm.advisories.set", "PUT", "/-/larder/advisories", "[]", 200)
	add("npm.attestations", "GET", "/-/npm/v1/attestations/"+name+"@1.1.0", nil, 404)
	add("npm.visibility", "GET", pkg+"/visibility", nil, 200)
	add("npm.downloads.all", "GET", "/downloads/point/last-week", nil, 200)
	add("npm.downloads.range.all", "GET", "/downloads/range/last-week", nil, 200)
	add("npm.downloads.bulk", "GET", "/downloads/point/last-week/none-a,none-b", nil, 200)
	add("npm.downloads.range.bulk", "GET", "/downloads/range/last-week/none-a,none-b", nil, 200)
	add("npm.downloads", "GET", "/downloads/point/last-week/"+name, nil, 200)
	add("npm.downloads.range", "GET", "/downloads/range/last-week/"+name, nil, 200)
	add("npm.collaborators", "GET", pkg+"/collaborators", nil, 200)
	add("npm.access", "GET", pkg+"/access", nil, 200)
	add("npm.access.set", "POST", pkg+"/access", fields{"access": "public"}, 200)
	add("npm.owner.add", "PUT", pkg+"/owners", fields{"user": "ada"}, 201)
	add("npm.owner.remove", "DELETE", pkg+"/owners/nobody", nil, 200)
	add("npm.user.packages", "GET", "/-/user/ada/package", nil, 200)
	add("npm.star", "PUT", "/-/user/package/"+name+"/star", nil, 200)
	add("npm.unstar", "DELETE", "/-/user/package/"+name+"/star", nil, 200)
	add("npm.star.ping", "PUT", "/-/user/v1/star", nil, 200)
	add("npm.starred", "GET", "/-/_view/starredByUser?key=ada", nil, 200)
	for _, op := range []string{
		"npm.whoami", "npm.user", "npm.tokens", "npm.token.create", "npm.token.revoke", "npm.profile", "npm.profile.set",
		"npm.star", "npm.unstar", "npm.star.ping",
	} {
		c := all[op]
		c.Login = true
		all[op] = c
	}
	return all
}

// prepare publishes what the cases are about.
func (g *rig) prepare(name string) {
	g.T.Helper()
	g.publish(name, "1.0.0", "1.1.0")
	g.Want(g.Ada("PUT", "/-/package/"+name+"/dist-tags/old", `"1.0.0"`), 201, "")
}

// readOnlyRefuses are the operations that ask for no right of a package and still change something for good.
var readOnlyRefuses = []string{"npm.token.create", "npm.token.revoke", "npm.profile.set", "npm.star", "npm.unstar"}

// TestEveryOperationAsksForItsRight (GHSA-vvc3): every operation of the table against every right, on public and on
// private packages. A right that is missing is refused before anything happens; one that is there is enough.
func TestEveryOperationAsksForItsRight(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Record, o.Auth.Private = true, []string{"npm:package:secret*"} })
	wiretest.Matrix[Request]{
		Routes: (&server{}).routes(), Scope: "npm:package",
		Name: func(private bool, n int) string {
			return fmt.Sprintf(map[bool]string{false: "pkg%d", true: "secret%d"}[private], n)
		},
		Prepare: func(w *wiretest.Rig, name string) { (&rig{w, g.s}).prepare(name) },
		Hide: func(w *wiretest.Rig, name string) {
			g.Want(g.Ada("POST", "/-/package/"+name+"/access", fields{"access": "restricted"}), 200, "")
		},
		Cases: func(w *wiretest.Rig, name, _ string) map[string]wiretest.Case { return (&rig{w, g.s}).cases(name) },
		Want: func(q wiretest.Question, status int) int {
			if q.Actor == "read-only" && slices.Contains(readOnlyRefuses, q.Op) {
				return 403
			}
			return status
		},
	}.Run(g.Rig)
}

// TestReadOnlyTokenChangesNothing: a read-only token changes nothing, whatever its user may.
func TestReadOnlyTokenChangesNothing(t *testing.T) {
	g := newRig(t)
	g.prepare("demo")
	g.Key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	all, before := g.cases("demo"), g.packument("ada", "demo")
	for _, op := range (&server{}).routes() {
		if c := all[op.Op]; op.Need.Kind() > wire.Read {
			g.Want(g.Do(c.Method, c.Path, c.Body, g.As("reader")), 403, "")
		}
	}
	for _, op := range readOnlyRefuses {
		c := all[op]
		g.Want(g.Do(c.Method, c.Path, c.Body, g.As("reader")), 403, "read-only")
	}
	if after := g.packument("ada", "demo"); after["_rev"] != before["_rev"] {
		t.Error("something has changed")
	}
}

// TestErrorsAsClientsReadThem: bodies and challenges of every sentinel, as a golden file.
func TestErrorsAsClientsReadThem(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	var out strings.Builder
	for _, c := range []struct {
		what, method, path string
		body               any
		opts               []option
	}{
		{"no credentials", "PUT", "/demo", newRelease("demo", "2.0.0").document(), nil},
		{"bad token", "GET", "/demo", nil, []option{wiretest.Bearer("larder_bad")}},
		{"foreign token", "GET", "/-/whoami", nil, []option{wiretest.Bearer("00000000-0000-0000-0000-000000000000")}},
		{"wrong password", "GET", "/-/whoami", nil, []option{wiretest.Basic("ada", "wrong")}},
		{"not logged in", "GET", "/-/whoami", nil, nil},
		{"absent package", "GET", "/absent", nil, nil},
		{"absent version", "GET", "/demo/9.9.9", nil, nil},
		{"absent tarball", "GET", "/demo/-/demo-9.9.9.tgz", nil, nil},
		{"unknown address", "GET", "/-/npm/v1/hooks", nil, nil},
		{"wrong method", "PATCH", "/demo", nil, nil},
		{"bad path", "GET", "/a%5Cb", nil, nil},
		{
			"over a version", "PUT", "/demo",
			func() fields { r := newRelease("demo", "1.0.0"); r.files["x"] = "y"; return r.document() }(), []option{g.As("ada")},
		},
		{"bad JSON", "PUT", "/demo", "{", []option{g.As("ada")}},
		{"old revision", "DELETE", "/demo/-rev/1-x", nil, []option{g.As("ada")}},
		{"no admin", "GET", "/-/larder/advisories", nil, []option{g.As("ada")}},
	} {
		a := g.Do(c.method, c.path, c.body, c.opts...)
		g.Want(a, max(a.Status, 400), "")
		body := strings.ReplaceAll(a.Body, strings.SplitN(g.rev("demo"), "-", 2)[1], "HASH")
		body = strings.ReplaceAll(body, g.rev("demo")[:strings.Index(g.rev("demo"), "-")]+"-HASH", "REV")
		fmt.Fprintf(&out, "%s: %d %s %q\n%s", c.what, a.Status, a.Header.Get("Cache-Control"),
			a.Header.Get("WWW-Authenticate"), body)
		if strings.Contains(a.Header.Get("WWW-Authenticate"), "Basic") {
			t.Errorf("%s: Basic", c.what)
		}
	}
	wiretest.Golden(t, "errors.txt", out.String())
}

// TestLoginWithAPassword: the old form, also with stale credentials beside it.
func TestLoginWithAPassword(t *testing.T) {
	g := newRig(t)
	body := fields{
		"_id": "org.couchdb.user:ada", "name": "ada", "password": "secret", "type": "user", "roles": []string{},
		"date": "2026-01-01T00:00:00.000Z",
	}
	for _, path := range []string{"/-/user/org.couchdb.user:ada", "/-/user/org.couchdb.user:ada/-rev/1-ada"} {
		for _, o := range []option{
			wiretest.Header(), wiretest.Bearer("larder_expired"), wiretest.Basic("ada", "secret"), wiretest.Basic("ada", "old"),
		} {
			a := g.Want(g.Do("PUT", path, body, o), 201, `"ok":true`).Object(t)
			g.Want(g.Do("GET", "/-/whoami", nil, wiretest.Bearer(fmt.Sprint(a["token"]))), 200, `{"username":"ada"}`)
		}
	}
	g.Want(g.Do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada", "password": "wrong"}), 401, "")
	g.Want(g.Do("PUT", "/-/user/org.couchdb.user:new", fields{"name": "new", "password": "longenough"}), 401, "")
	g.Want(g.Do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "bob", "password": "secret"}), 400, "about user")
	g.Want(g.Do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada"}), 401, "needs a user name and a password")
	// A login's token reaches npm alone.
	a := g.Want(g.Do("PUT", "/-/user/org.couchdb.user:ada", body), 201, "").Object(t)
	id, err := g.Auth.Authenticate(context.Background(), auth.Credentials{Token: fmt.Sprint(a["token"])})
	if err != nil || id.Can(auth.Access{Kind: store.OCI, Type: "repository", Name: "x", Action: auth.Write}) ||
		!id.Can(auth.Access{Kind: store.NPM, Type: typePackage, Name: "x", Action: auth.Write}) {
		t.Errorf("%+v %v", id, err)
	}
}

// TestLoginTakesNoToken: npm login and the page say where a token goes instead.
func TestLoginTakesNoToken(t *testing.T) {
	g := newRig(t)
	a := g.Do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada", "password": g.Keys["ada"]})
	g.Want(a, 401, "Put it into .npmrc as _authToken")
	page := fmt.Sprint(g.Do("POST", "/-/v1/login", fields{}).Object(g.T)["loginUrl"])
	for _, form := range []url.Values{
		{"user": {"ada"}, "password": {g.Keys["ada"]}}, {"user": {g.Keys["ada"]}, "password": {"secret"}},
	} {
		g.Want(g.Do("POST", page, form.Encode(), g.As("ada")), 401, "Put it into .npmrc as _authToken")
	}
	for _, body := range []fields{{"password": fields{"old": g.Keys["ada"], "new": "owned"}},
		{"password": fields{"old": "", "new": "owned"}}} {
		g.Want(g.Ada("POST", "/-/npm/v1/user", body), 403, "")
	}
	g.Want(g.Do("GET", "/-/whoami", nil, wiretest.Basic("ada", "secret")), 200, "ada")
}

// TestGuessingIsSlowedDown: guessing is slowed down, on every way in.
func TestGuessingIsSlowedDown(t *testing.T) {
	for way, guess := range map[string]func(g *rig, password string) answer{
		"npm login": func(g *rig, password string) answer {
			return g.Do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada", "password": password})
		},
		"web login": func(g *rig, password string) answer {
			page := fmt.Sprint(g.Do("POST", "/-/v1/login", fields{}).Object(g.T)["loginUrl"])
			return g.Do("POST", page, url.Values{"user": {"ada"}, "password": {password}}.Encode())
		},
		"token create": func(g *rig, password string) answer {
			return g.Ada("POST", "/-/npm/v1/tokens", fields{"password": password})
		},
		"profile": func(g *rig, password string) answer {
			return g.Ada("POST", "/-/npm/v1/user", fields{"password": fields{"old": password, "new": "x"}})
		},
		"basic": func(g *rig, password string) answer {
			return g.Do("GET", "/-/whoami", nil, wiretest.Basic("ada", password))
		},
	} {
		t.Run(way, func(t *testing.T) {
			g := newRig(t)
			for i := range 200 {
				a := guess(g, fmt.Sprint("guess", i))
				if a.Status == 429 {
					return
				}
				if a.Status != 401 && a.Status != 403 {
					t.Fatal(a)
				}
			}
			t.Error("200 guesses")
		})
	}
}

// TestBodyCannotNameAnotherPackage: who may publish one package publishes no other by naming it in
// the body or in the tarball.
func TestBodyCannotNameAnotherPackage(t *testing.T) {
	g := newRig(t)
	g.publish("theirs", "1.0.0")
	g.publish("mine", "1.0.0")
	g.Scoped("mine", "ada", "npm:package:mine:*")
	for what, change := range map[string]func(r *release){
		"whole document": func(*release) {},
		"name":           func(r *release) { r.body = func(d fields) { d["_id"] = "mine" } },
		"id":             func(r *release) { r.body = func(d fields) { d["name"] = "mine" } },
		"manifest":       func(r *release) { r.body = func(d fields) { d["name"], d["_id"] = "mine", "mine" } },
		"tarball": func(r *release) {
			r.body = func(d fields) { d["name"], d["_id"] = "mine", "mine" }
			r.manifest = func(m fields) { m["name"], m["_id"] = "mine", "mine@2.0.0" }
		},
	} {
		r := newRelease("theirs", "2.0.0")
		change(r)
		if a := g.Do("PUT", "/mine", r.document(), g.As("mine")); a.Status != 400 {
			t.Errorf("%s: %v", what, a)
		}
	}
	for _, body := range []fields{
		{"_id": "theirs", "users": fields{"ada": true}},
		{"name": "theirs", "versions": fields{"1.0.0": fields{"deprecated": "x"}}},
	} {
		g.Want(g.Do("PUT", "/mine", body, g.As("mine")), 400, "is about mine")
		g.Want(g.Do("PUT", "/mine/-rev/"+g.rev("mine"), body, g.As("mine")), 400, "is about mine")
	}
	for _, name := range []string{"theirs", "mine"} {
		if got := wiretest.KeysOf(g.packument("ada", name)["versions"]); !slices.Equal(got, []string{"1.0.0"}) {
			t.Errorf("%s has %q", name, got)
		}
	}
}

// TestPathCannotNameAnotherPackage (GHSA-9rqp): the package that the right is judged by is the one that is acted on,
// however the path is spelled.
func TestPathCannotNameAnotherPackage(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"npm:package:@their/*"} })
	g.publish("@their/p", "1.0.0", "1.1.0")
	g.publish("@my/p", "1.0.0", "1.1.0")
	g.Scoped("me", "ada", "npm:package:@my/*:*", "npm:package:npm:*", "npm:package:p:*")
	rev, before := g.rev("@their/p"), g.Journal()
	for path, methods := range map[string]string{
		"/@their%2fp": "GET PUT", "/@their/p/1.0.0": "GET", "/@their/p/-/p-1.0.0.tgz": "GET",
		"/@their%2Fp/-/p-1.0.0.tgz": "GET", "/%40their%2fp": "GET PUT", "/@their/p/-/@their/p-1.0.0.tgz": "GET",
		"/@their/p/-rev/" + rev: "DELETE PUT", "/@my/@their%2fp/-/p-1.0.0.tgz/-rev/" + rev: "DELETE",
		"/npm/@their/p/-/p-1.0.0.tgz/-rev/" + rev: "DELETE", "/@my/p/@their/p/-/p-1.0.0.tgz/-rev/" + rev: "DELETE",
		"/-/package/@their%2fp/dist-tags": "GET", "/-/package/@their/p/dist-tags/x": "PUT DELETE",
		"/-/user/package/@their%2fp/star": "PUT DELETE", "/-/package/@their/p/access": "GET POST",
		"/-/npm/v1/attestations/@their/p@1.0.0": "GET", "/@my/p/-/@their/p-1.0.0.tgz": "GET",
		"/@my/p/-/@their%2fp-1.0.0.tgz": "GET",
	} {
		for method := range strings.FieldsSeq(methods) {
			if a := g.Do(method, path, "{}", g.As("me")); a.Status != 404 && a.Status != 400 {
				t.Errorf("%s %s: %v", method, path, a)
			}
		}
	}
	if g.rev("@their/p") != rev || g.Journal() != before {
		t.Error("something has changed")
	}
	g.Want(g.Do("DELETE", "/npm/@my/p/-/gone-1.0.0.tgz/-rev/x", nil, g.As("me")), 200, "")
}

// TestLoginInTheBrowser: the page, the form, and the one answer with the token.
func TestLoginInTheBrowser(t *testing.T) {
	g := newRig(t)
	start := g.Want(g.Do("POST", "/-/v1/login", fields{}, wiretest.Bearer("larder_expired")), 200, "").Object(t)
	page, doneURL := fmt.Sprint(start["loginUrl"]), fmt.Sprint(start["doneUrl"])
	a := g.Want(g.Do("GET", doneURL, nil), 202, "{}")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	html := g.Want(g.Do("GET", page, nil), 200, `action="`+page+`"`)
	if csp := html.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") ||
		!strings.Contains(csp, "frame-ancestors 'none'") {
		t.Error(csp)
	}
	if strings.Contains(html.Body, doneURL[strings.LastIndex(doneURL, "/")+1:]) {
		t.Error("the page knows what npm polls")
	}
	form := func(user, password string) answer {
		return g.Do("POST", page, url.Values{"user": {user}, "password": {password}}.Encode(),
			wiretest.Header("Content-Type", "application/x-www-form-urlencoded"))
	}
	if a := form("<script>", "x"); a.Status != 401 || strings.Contains(a.Body, "<script>") {
		t.Errorf("%v", a)
	}
	if a := form("ada", "wrong"); a.Status != 401 || !strings.Contains(a.Body, `role="alert"`) {
		t.Errorf("%v", a)
	}
	g.Want(form("ada", "secret"), 200, "You are logged in as ada")
	g.Want(form("ada", "secret"), 404, "expired")
	token := fmt.Sprint(g.Want(g.Do("GET", doneURL, nil), 200, "").Object(t)["token"])
	g.Want(g.Do("GET", "/-/whoami", nil, wiretest.Bearer(token)), 200, "ada")
	g.Want(g.Do("GET", doneURL, nil), 404, "expired")
	g.Want(g.Do("GET", page, nil), 404, "expired")
	g.Want(g.Do("GET", g.Base+"/-/v1/login/done/guess", nil), 404, "expired")
}

// TestTokensAreListedAndRevoked: create as npm 10, 11 and 12 do, list in pages, revoke by key and by token, log out.
func TestTokensAreListedAndRevoked(t *testing.T) {
	g := newRig(t)
	tokens := "/-/npm/v1/tokens"
	g.Want(g.Ada("POST", tokens, fields{"password": "wrong"}), 403, "password is wrong")
	old := g.Want(g.Ada("POST", tokens, fields{
		"password": "secret", "readonly": true, "cidr_whitelist": []string{"127.0.0.0/8"},
	}), 200, "").Object(t)
	if old["readonly"] != true || wiretest.JSON(old["cidr_whitelist"]) != `["127.0.0.0/8"]` ||
		!auth.IsToken(fmt.Sprint(old["token"])) || fmt.Sprint(old["key"]) == "" {
		t.Errorf("%v", old)
	}
	g.Want(g.put("", newRelease("x", "1.0.0")), 401, "")
	g.Keys["old"] = fmt.Sprint(old["token"])
	g.Want(g.put("old", newRelease("demo", "1.0.0")), 403, "read-only")
	fine := g.Want(g.Ada("POST", tokens, fields{
		"password": "secret", "name": "ci", "expires": 30, "packages": []string{"demo"},
		"scopes": []string{"@sc"}, "packages_and_scopes_permission": "read-write",
	}), 200, "").Object(t)
	g.Keys["fine"] = fmt.Sprint(fine["token"])
	g.Want(g.put("fine", newRelease("demo", "1.0.0")), 201, "")
	g.Want(g.put("fine", newRelease("@sc/demo", "1.0.0")), 201, "")
	g.Want(g.put("fine", newRelease("other", "1.0.0")), 403, "scopes do not allow")
	// A token made with a token reaches no further.
	child := g.Want(g.Do("POST", tokens, fields{"password": "secret"}, g.As("fine")), 200, "").Object(t)
	g.Keys["child"] = fmt.Sprint(child["token"])
	g.Want(g.put("child", newRelease("other", "1.0.0")), 403, "")
	for text, body := range map[string]fields{
		"organisations": {"orgs": []string{"acme"}}, "not a network": {"cidr_whitelist": []string{"x"}},
		"number of days": {"expires": "soon"}, "not a scope": {"scopes": []string{"../x"}},
		"permission":         {"packages_and_scopes_permission": "read-write-stage-only"},
		"not a package name": {"packages": []string{"a b"}}, "list of words": {"packages": "demo"},
	} {
		body["password"] = "secret"
		g.Want(g.Ada("POST", tokens, body), 400, text)
	}
	list := g.Want(g.Ada("GET", tokens, nil), 200, `"urls":{}`).Object(t)
	if list["total"] != 4.0 || strings.Contains(wiretest.JSON(list), g.Keys["old"]) {
		t.Errorf("%v", list)
	}
	page := g.Want(g.Ada("GET", tokens+"?perPage=3&page=0", nil), 200, "").Object(t)
	next := fmt.Sprint(wiretest.At(page, "urls", "next"))
	if rest := g.Want(g.Ada("GET", g.Srv.URL+next, nil), 200, "").Object(t); len(rest["objects"].([]any)) != 1 {
		t.Errorf("%s: %v", next, rest)
	}
	// A limited token sees itself and its line, and ends no other.
	if list := g.Want(g.Do("GET", tokens, nil, g.As("fine")), 200, "").Object(t); list["total"] != 2.0 {
		t.Errorf("a limited token sees %v", list)
	}
	g.Scoped("foreign", "ada", "oci:repository:*:*")
	for _, actor := range []string{"foreign", "child"} {
		if list := g.Want(g.Do("GET", tokens, nil, g.As(actor)), 200, "").Object(t); list["total"] != 1.0 {
			t.Errorf("%s sees %v", actor, list)
		}
		for _, key := range []string{fmt.Sprint(fine["key"]), g.Keys["fine"]} {
			g.Want(g.Do("DELETE", tokens+"/token/"+key, nil, g.As(actor)), 404, "token not found")
		}
	}
	foreign, _ := auth.TokenID(g.Keys["foreign"])
	g.Want(g.Do("DELETE", tokens+"/token/"+foreign, nil, g.As("foreign")), 200, "")
	g.Want(g.Do("GET", "/-/whoami", nil, g.As("foreign")), 401, "")
	g.User("bob", nil)
	g.Want(g.Do("DELETE", tokens+"/token/"+fmt.Sprint(old["key"]), nil, g.As("bob")), 404, "token not found")
	g.Want(g.Ada("DELETE", tokens+"/token/"+fmt.Sprint(old["key"]), nil), 200, "")
	g.Want(g.Ada("DELETE", tokens+"/token/"+g.Keys["child"], nil), 200, "")
	g.Want(g.Do("GET", "/-/whoami", nil, g.As("child")), 401, "")
	g.Want(g.Do("DELETE", "/-/user/token/"+g.Keys["fine"], nil, g.As("fine")), 200, "")
	g.Want(g.Do("GET", "/-/whoami", nil, g.As("fine")), 401, "")
	g.Want(g.Ada("DELETE", "/-/user/token/"+g.Keys["fine"], nil), 404, "token not found")
	g.Want(g.Ada("DELETE", "/-/user/token/rubbish", nil), 404, "token not found")
}

// TestProfileSetsThePasswordOnly: the password and nothing else.
func TestProfileSetsThePasswordOnly(t *testing.T) {
	g := newRig(t)
	g.Want(g.Ada("GET", "/-/npm/v1/user", nil), 200, `"name":"ada"`)
	g.Want(g.Ada("POST", "/-/npm/v1/user", fields{"fullname": "Ada"}), 400, "keeps no profiles")
	g.Want(g.Ada("POST", "/-/npm/v1/user", fields{"password": fields{"old": "wrong", "new": "another"}}), 403,
		"present password is wrong")
	g.Want(g.Ada("POST", "/-/npm/v1/user", fields{"password": fields{"old": "secret", "new": "another"}}), 200,
		`"name":"ada"`)
	g.Want(g.Do("GET", "/-/whoami", nil, wiretest.Basic("ada", "another")), 200, "ada")
	g.Want(g.Do("GET", "/-/whoami", nil, wiretest.Basic("ada", "secret")), 401, "")
}

// TestTokenOfALogoutIsInNoLog: the token of a logout is in no log.
func TestTokenOfALogoutIsInNoLog(t *testing.T) {
	g := newRig(t)
	secret := g.Key("leak", auth.TokenSpec{User: "ada"})
	g.Want(g.Do("DELETE", "/-/user/token/"+secret, nil), 200, "")
	g.Want(g.Do("DELETE", "/-/user/token/"+secret, nil), 404, "")
	if log := g.Log.String(); strings.Contains(log, secret) || strings.Count(log, "larder_***") < 2 {
		t.Error(log)
	}
}

// TestAnonymousNone: with reading closed, everything but logging in asks for credentials.
func TestAnonymousNone(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	g.publish("demo", "1.0.0")
	for _, path := range []string{
		"/demo", "/absent", "/demo/-/demo-1.0.0.tgz", "/-/v1/search?text=demo", "/-/user/ada/package",
		"/-/_view/starredByUser?key=ada", "/-/package/demo/dist-tags",
	} {
		a := g.Want(g.Do("GET", path, nil), 401, "")
		if a.Header.Get("WWW-Authenticate") != `Bearer realm="larder"` {
			t.Errorf("%s: %v", path, a)
		}
		if s := g.Ada("GET", path, nil).Status; s != 200 && path != "/absent" {
			t.Errorf("%s: %d for a user", path, s)
		}
	}
	g.Want(g.Do("POST", "/-/npm/v1/security/advisories/bulk", fields{}), 401, "")
	g.Want(g.Do("POST", "/-/v1/login", fields{}), 200, "")
}
