package npm

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
)

// matrixRequest is a request that succeeds with the given status for whoever may.
type matrixRequest struct {
	method, path string
	body         any
	status       int
	login        bool // needs a user, whatever the rights
}

// matrixRequests has one request for each operation on a package of its own; the matrix fails when one is missing.
func matrixRequests(g *rig, name string) map[string]matrixRequest {
	rev := g.rev(name)
	doc := g.packument("ada", name)
	delete(doc["versions"].(map[string]any), "1.0.0")
	pkg := "/-/package/" + name
	web := g.do("POST", "/-/v1/login", fields{}).json(g.t)
	page, done := fmt.Sprint(web["loginUrl"]), fmt.Sprint(web["doneUrl"])
	_, secret, err := g.auth.CreateToken(context.Background(), auth.TokenSpec{User: "ada"})
	if err != nil {
		g.t.Fatal(err)
	}
	return map[string]matrixRequest{
		opRoot: {"GET", "/", nil, 200, false}, opPing: {"GET", "/-/ping", nil, 200, false}, opKeys: {"GET", "/-/npm/v1/keys", nil, 200, false},
		opPackument: {"GET", "/" + name, nil, 200, false}, opVersion: {"GET", "/" + name + "/latest", nil, 200, false},
		opTarball: {"GET", "/" + name + "/-/" + name + "-1.1.0.tgz", nil, 200, false}, opPut: {"PUT", "/" + name, newRelease(name, "2.0.0").document(), 201, false},
		opPutRev: {"PUT", "/" + name + "/-rev/" + rev, fields{"maintainers": []any{"ada"}}, 201, false}, opUnpublish: {"DELETE", "/" + name + "/-rev/" + rev, nil, 200, false},
		opTarballDelete: {"DELETE", "/" + name + "/-/gone-1.0.0.tgz/-rev/" + rev, nil, 200, false}, opWhoami: {"GET", "/-/whoami", nil, 200, true},
		opLogin: {"PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada", "password": "secret"}, 201, false}, opUser: {"GET", "/-/user/org.couchdb.user:ada", nil, 200, true},
		opLogout: {"DELETE", "/-/user/token/" + secret, nil, 200, false}, opWebLogin: {"POST", "/-/v1/login", fields{}, 200, false}, opWebPage: {"GET", page, nil, 200, false},
		opWebConfirm: {"POST", page, "user=ada&password=secret", 200, false}, opWebDone: {"GET", done, nil, 202, false}, opTokens: {"GET", "/-/npm/v1/tokens", nil, 200, true},
		opTokenCreate: {"POST", "/-/npm/v1/tokens", fields{"password": "secret"}, 200, true}, opTokenRevoke: {"DELETE", "/-/npm/v1/tokens/token/x", nil, 404, true},
		opProfile: {"GET", "/-/npm/v1/user", nil, 200, true}, opProfileSet: {"POST", "/-/npm/v1/user", fields{"password": fields{"old": "secret", "new": "secret"}}, 200, true},
		opTags: {"GET", pkg + "/dist-tags", nil, 200, false}, opTagSet: {"PUT", pkg + "/dist-tags/beta", `"1.0.0"`, 201, false}, opTagDelete: {"DELETE", pkg + "/dist-tags/old", nil, 200, false},
		opSearch: {"GET", "/-/v1/search?text=x", nil, 200, false}, opAuditBulk: {"POST", "/-/npm/v1/security/advisories/bulk", fields{}, 200, false}, opAuditQuick: {"POST", "/-/npm/v1/security/audits", fields{}, 200, false},
		opAdvisories: {"GET", "/-/larder/advisories", nil, 200, false}, opAdvisoriesSet: {"PUT", "/-/larder/advisories", "[]", 200, false},
		opAttestations: {"GET", "/-/npm/v1/attestations/" + name + "@1.1.0", nil, 404, false}, opVisibility: {"GET", pkg + "/visibility", nil, 200, false},
		opCollaborators: {"GET", pkg + "/collaborators", nil, 200, false}, opAccess: {"GET", pkg + "/access", nil, 200, false}, opAccessSet: {"POST", pkg + "/access", fields{"access": "public"}, 200, false},
		opOwnerAdd: {"PUT", pkg + "/owners", fields{"user": "ada"}, 201, false}, opOwnerRemove: {"DELETE", pkg + "/owners/nobody", nil, 200, false}, opUserPackages: {"GET", "/-/user/ada/package", nil, 200, false},
		opStar: {"PUT", "/-/user/package/" + name + "/star", nil, 200, true}, opUnstar: {"DELETE", "/-/user/package/" + name + "/star", nil, 200, true},
		opStarPing: {"PUT", "/-/user/v1/star", nil, 200, true}, opStarred: {"GET", "/-/_view/starredByUser?key=ada", nil, 200, false},
	}
}

// prepare publishes what the requests of the matrix are about.
func (g *rig) prepare(name string) {
	g.t.Helper()
	g.publish(name, "1.0.0", "1.1.0")
	g.want(g.ada("PUT", "/-/package/"+name+"/dist-tags/old", `"1.0.0"`), 201, "")
}

// TestE_GHSA_vvc3_Matrix: every operation of the table against every right. A right that is missing is refused before
// anything happens; one that is there is enough.
func TestE_GHSA_vvc3_Matrix(t *testing.T) {
	rights := map[string]string{"reader": "read", "creator": "read,create", "writer": "read,write", "deleter": "read,delete", "admin": "*", "nothing": ""}
	holds := map[wire.Need][]string{
		wire.Read:   {"reader", "creator", "writer", "deleter", "admin", "nothing", ""}, // anonymous may read
		wire.Create: {"creator", "writer", "admin"}, wire.Write: {"writer", "admin"}, wire.Delete: {"deleter", "admin"}, wire.Admin: {"admin"},
	}
	g := newRig(t)
	g.user("root", nil, true)
	for actor, r := range rights {
		scope := "npm:package:*:" + r
		if r == "" {
			scope = "cargo:crate:x:read"
		}
		g.scoped(actor, "root", scope)
	}
	g.prepare("shared")
	i := 1
	for _, op := range (&server{}).operations() {
		for _, actor := range []string{"", "nothing", "reader", "creator", "writer", "deleter", "admin"} {
			name := "shared"
			if op.Need > wire.Read {
				i++
				name = fmt.Sprintf("pkg%d", i)
				g.prepare(name)
			}
			q, ok := matrixRequests(g, name)[op.Name]
			if !ok {
				t.Fatalf("operation %s has no row in the matrix", op.Name)
			}
			want := []int{q.status}
			switch {
			case q.login && actor == "":
				want = []int{401}
			case op.Need != wire.None && !slices.Contains(holds[op.Need], actor):
				if want = []int{403}; actor == "" {
					want = []int{401}
				}
			}
			if a := g.do(q.method, q.path, q.body, g.as(actor)); !slices.Contains(want, a.status) {
				t.Errorf("%s as %q: %v, want %v", op.Name, actor, a, want)
			}
		}
	}
}

// TestE_ReadOnlyToken: a read-only token changes nothing, whatever its user may.
func TestE_ReadOnlyToken(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0", "1.1.0")
	g.want(g.ada("PUT", "/-/package/demo/dist-tags/old", `"1.0.0"`), 201, "")
	g.key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	before := g.packument("ada", "demo")
	for _, op := range (&server{}).operations() {
		q := matrixRequests(g, "demo")[op.Name]
		if op.Need > wire.Read {
			g.want(g.do(q.method, q.path, q.body, g.as("reader")), 403, "")
		}
	}
	for _, q := range []matrixRequest{
		{"POST", "/-/npm/v1/tokens", fields{"password": "secret"}, 0, true}, {"DELETE", "/-/npm/v1/tokens/token/x", nil, 0, true},
		{"POST", "/-/npm/v1/user", fields{"password": fields{"old": "secret", "new": "other"}}, 0, true}, {"PUT", "/-/user/package/demo/star", nil, 0, true},
	} {
		g.want(g.do(q.method, q.path, q.body, g.as("reader")), 403, "read-only")
	}
	if after := g.packument("ada", "demo"); after["_rev"] != before["_rev"] {
		t.Error("something has changed")
	}
}

// TestA9_Errors: bodies and challenges of every sentinel, as a golden file.
func TestA9_Errors(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	var out strings.Builder
	for _, c := range []struct {
		what, method, path string
		body               any
		opts               []option
	}{
		{"no credentials", "PUT", "/demo", newRelease("demo", "2.0.0").document(), nil},
		{"bad token", "GET", "/demo", nil, []option{bearer("larder_bad")}},
		{"foreign token", "GET", "/-/whoami", nil, []option{bearer("00000000-0000-0000-0000-000000000000")}},
		{"wrong password", "GET", "/-/whoami", nil, []option{basic("ada", "wrong")}},
		{"not logged in", "GET", "/-/whoami", nil, nil},
		{"absent package", "GET", "/absent", nil, nil},
		{"absent version", "GET", "/demo/9.9.9", nil, nil},
		{"absent tarball", "GET", "/demo/-/demo-9.9.9.tgz", nil, nil},
		{"unknown address", "GET", "/-/npm/v1/hooks", nil, nil},
		{"wrong method", "PATCH", "/demo", nil, nil},
		{"bad path", "GET", "/a%5Cb", nil, nil},
		{"over a version", "PUT", "/demo", func() fields { r := newRelease("demo", "1.0.0"); r.files["x"] = "y"; return r.document() }(), []option{g.as("ada")}},
		{"bad JSON", "PUT", "/demo", "{", []option{g.as("ada")}},
		{"old revision", "DELETE", "/demo/-rev/1-x", nil, []option{g.as("ada")}},
		{"no admin", "GET", "/-/larder/advisories", nil, []option{g.as("ada")}},
	} {
		a := g.do(c.method, c.path, c.body, c.opts...)
		g.want(a, max(a.status, 400), "")
		body := strings.ReplaceAll(a.body, strings.SplitN(g.rev("demo"), "-", 2)[1], "HASH")
		body = strings.ReplaceAll(body, g.rev("demo")[:strings.Index(g.rev("demo"), "-")]+"-HASH", "REV")
		fmt.Fprintf(&out, "%s: %d %s %q\n%s", c.what, a.status, a.header.Get("Cache-Control"), a.header.Get("WWW-Authenticate"), body)
		if strings.Contains(a.header.Get("WWW-Authenticate"), "Basic") {
			t.Errorf("%s: Basic", c.what)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/errors.txt", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/errors.txt")
	if err != nil || string(want) != out.String() {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestA2_Login: the old form, also with stale credentials beside it.
func TestA2_Login(t *testing.T) {
	g := newRig(t)
	body := fields{"_id": "org.couchdb.user:ada", "name": "ada", "password": "secret", "type": "user", "roles": []string{}, "date": "2026-01-01T00:00:00.000Z"}
	for _, path := range []string{"/-/user/org.couchdb.user:ada", "/-/user/org.couchdb.user:ada/-rev/1-ada"} {
		for _, o := range []option{header(), bearer("larder_expired"), basic("ada", "secret"), basic("ada", "old")} {
			a := g.want(g.do("PUT", path, body, o), 201, `"ok":true`).json(t)
			g.want(g.do("GET", "/-/whoami", nil, bearer(fmt.Sprint(a["token"]))), 200, `{"username":"ada"}`)
		}
	}
	g.want(g.do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada", "password": "wrong"}), 401, "")
	g.want(g.do("PUT", "/-/user/org.couchdb.user:new", fields{"name": "new", "password": "longenough"}), 401, "")
	g.want(g.do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "bob", "password": "secret"}), 400, "about user")
	g.want(g.do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada"}), 401, "needs a user name and a password")
	// A login's token reaches npm alone.
	a := g.want(g.do("PUT", "/-/user/org.couchdb.user:ada", body), 201, "").json(t)
	id, err := g.auth.Authenticate(context.Background(), auth.Credentials{Token: fmt.Sprint(a["token"])})
	if err != nil || id.Can(auth.Access{Kind: store.OCI, Type: "repository", Name: "x", Action: auth.Write}) || !id.Can(auth.Access{Kind: store.NPM, Type: typePackage, Name: "x", Action: auth.Write}) {
		t.Errorf("%+v %v", id, err)
	}
}

// TestE_LoginLimit: guessing is slowed down, on every way in.
func TestE_LoginLimit(t *testing.T) {
	g := newRig(t)
	for i := range 200 {
		a := g.do("PUT", "/-/user/org.couchdb.user:ada", fields{"name": "ada", "password": fmt.Sprint("guess", i)})
		if a.status == 429 {
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
		g.want(a, 401, "")
	}
	t.Error("200 guesses")
}

// TestA2_WebLogin: the page, the form, and the one answer with the token.
func TestA2_WebLogin(t *testing.T) {
	g := newRig(t)
	start := g.want(g.do("POST", "/-/v1/login", fields{}, bearer("larder_expired")), 200, "").json(t)
	page, doneURL := fmt.Sprint(start["loginUrl"]), fmt.Sprint(start["doneUrl"])
	a := g.want(g.do("GET", doneURL, nil), 202, "{}")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	html := g.want(g.do("GET", page, nil), 200, `action="`+page+`"`)
	if csp := html.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Error(csp)
	}
	if strings.Contains(html.body, doneURL[strings.LastIndex(doneURL, "/")+1:]) {
		t.Error("the page knows what npm polls")
	}
	form := func(user, password string) answer {
		return g.do("POST", page, url.Values{"user": {user}, "password": {password}}.Encode(), header("Content-Type", "application/x-www-form-urlencoded"))
	}
	if a := form("<script>", "x"); a.status != 401 || strings.Contains(a.body, "<script>") {
		t.Errorf("%v", a)
	}
	if a := form("ada", "wrong"); a.status != 401 || !strings.Contains(a.body, `role="alert"`) {
		t.Errorf("%v", a)
	}
	g.want(form("ada", "secret"), 200, "You are logged in as ada")
	g.want(form("ada", "secret"), 404, "expired")
	token := fmt.Sprint(g.want(g.do("GET", doneURL, nil), 200, "").json(t)["token"])
	g.want(g.do("GET", "/-/whoami", nil, bearer(token)), 200, "ada")
	g.want(g.do("GET", doneURL, nil), 404, "expired")
	g.want(g.do("GET", page, nil), 404, "expired")
	g.want(g.do("GET", g.base+"/-/v1/login/done/guess", nil), 404, "expired")
}

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

// TestA2_Tokens: create as npm 10, 11 and 12 do, list in pages, revoke by key and by token, log out.
func TestA2_Tokens(t *testing.T) {
	g := newRig(t)
	tokens := "/-/npm/v1/tokens"
	g.want(g.ada("POST", tokens, fields{"password": "wrong"}), 403, "password is wrong")
	old := g.want(g.ada("POST", tokens, fields{"password": "secret", "readonly": true, "cidr_whitelist": []string{"127.0.0.0/8"}}), 200, "").json(t)
	if old["readonly"] != true || text(old["cidr_whitelist"]) != `["127.0.0.0/8"]` || !auth.IsToken(fmt.Sprint(old["token"])) || fmt.Sprint(old["key"]) == "" {
		t.Errorf("%v", old)
	}
	g.want(g.put("", newRelease("x", "1.0.0")), 401, "")
	g.keys["old"] = fmt.Sprint(old["token"])
	g.want(g.put("old", newRelease("demo", "1.0.0")), 403, "read-only")
	fine := g.want(g.ada("POST", tokens, fields{"password": "secret", "name": "ci", "expires": 30, "packages": []string{"demo"}, "scopes": []string{"@sc"}, "packages_and_scopes_permission": "read-write"}), 200, "").json(t)
	g.keys["fine"] = fmt.Sprint(fine["token"])
	g.want(g.put("fine", newRelease("demo", "1.0.0")), 201, "")
	g.want(g.put("fine", newRelease("@sc/demo", "1.0.0")), 201, "")
	g.want(g.put("fine", newRelease("other", "1.0.0")), 403, "scopes do not allow")
	// A token made with a token reaches no further.
	child := g.want(g.do("POST", tokens, fields{"password": "secret"}, g.as("fine")), 200, "").json(t)
	g.keys["child"] = fmt.Sprint(child["token"])
	g.want(g.put("child", newRelease("other", "1.0.0")), 403, "")
	for text, body := range map[string]fields{
		"organisations": {"orgs": []string{"acme"}}, "not a network": {"cidr_whitelist": []string{"x"}}, "number of days": {"expires": "soon"}, "not a scope": {"scopes": []string{"../x"}},
		"permission": {"packages_and_scopes_permission": "read-write-stage-only"}, "not a package name": {"packages": []string{"a b"}}, "list of words": {"packages": "demo"},
	} {
		body["password"] = "secret"
		g.want(g.ada("POST", tokens, body), 400, text)
	}
	list := g.want(g.ada("GET", tokens, nil), 200, `"urls":{}`).json(t)
	if list["total"] != 4.0 || strings.Contains(text(list), g.keys["old"]) {
		t.Errorf("%v", list)
	}
	page := g.want(g.ada("GET", tokens+"?perPage=3&page=0", nil), 200, "").json(t)
	next := fmt.Sprint(at(page, "urls", "next"))
	if rest := g.want(g.ada("GET", g.srv.URL+next, nil), 200, "").json(t); len(rest["objects"].([]any)) != 1 {
		t.Errorf("%s: %v", next, rest)
	}
	g.user("bob", nil)
	g.want(g.do("DELETE", tokens+"/token/"+fmt.Sprint(old["key"]), nil, g.as("bob")), 404, "token not found")
	g.want(g.ada("DELETE", tokens+"/token/"+fmt.Sprint(old["key"]), nil), 200, "")
	g.want(g.ada("DELETE", tokens+"/token/"+g.keys["child"], nil), 200, "")
	g.want(g.do("GET", "/-/whoami", nil, g.as("child")), 401, "")
	g.want(g.do("DELETE", "/-/user/token/"+g.keys["fine"], nil, g.as("fine")), 200, "")
	g.want(g.do("GET", "/-/whoami", nil, g.as("fine")), 401, "")
	g.want(g.ada("DELETE", "/-/user/token/"+g.keys["fine"], nil), 404, "token not found")
	g.want(g.ada("DELETE", "/-/user/token/rubbish", nil), 404, "token not found")
}

// TestA2_Profile: the password and nothing else.
func TestA2_Profile(t *testing.T) {
	g := newRig(t)
	g.want(g.ada("GET", "/-/npm/v1/user", nil), 200, `"name":"ada"`)
	g.want(g.ada("POST", "/-/npm/v1/user", fields{"fullname": "Ada"}), 400, "keeps no profiles")
	g.want(g.ada("POST", "/-/npm/v1/user", fields{"password": fields{"old": "wrong", "new": "another"}}), 403, "present password is wrong")
	g.want(g.ada("POST", "/-/npm/v1/user", fields{"password": fields{"old": "secret", "new": "another"}}), 200, `"name":"ada"`)
	g.want(g.do("GET", "/-/whoami", nil, basic("ada", "another")), 200, "ada")
	g.want(g.do("GET", "/-/whoami", nil, basic("ada", "secret")), 401, "")
}

// TestE_TokenInPath: the token of a logout is in no log.
func TestE_TokenInPath(t *testing.T) {
	var log bytes.Buffer
	g := newRig(t)
	secret := g.key("leak", auth.TokenSpec{User: "ada"})
	base, err := wire.NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	edge := &wire.Edge{Next: New(wire.Deps{Store: g.store, Auth: g.auth, Base: base, Log: logger}, Options{}).Handler, Base: base, Log: logger}
	for range 2 { // the second is an error
		r, err := http.NewRequest("DELETE", "/npm/-/user/token/"+secret, nil)
		if err != nil {
			t.Fatal(err)
		}
		edge.ServeHTTP(discard{http.Header{}}, r)
	}
	if strings.Contains(log.String(), secret) || !strings.Contains(log.String(), "larder_***") {
		t.Error(log.String())
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// TestAnonymousNone: with reading closed, everything but logging in asks for credentials.
func TestAnonymousNone(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.auth.Anonymous = "none" })
	g.publish("demo", "1.0.0")
	for _, path := range []string{"/demo", "/absent", "/demo/-/demo-1.0.0.tgz", "/-/v1/search?text=demo", "/-/user/ada/package", "/-/_view/starredByUser?key=ada", "/-/package/demo/dist-tags"} {
		a := g.want(g.do("GET", path, nil), 401, "")
		if a.header.Get("WWW-Authenticate") != `Bearer realm="larder"` {
			t.Errorf("%s: %v", path, a)
		}
		if s := g.ada("GET", path, nil).status; s != 200 && path != "/absent" {
			t.Errorf("%s: %d for a user", path, s)
		}
	}
	g.want(g.do("POST", "/-/npm/v1/security/advisories/bulk", fields{}), 401, "")
	g.want(g.do("POST", "/-/v1/login", fields{}), 200, "")
}
