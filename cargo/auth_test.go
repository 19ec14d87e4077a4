package cargo

// Tests of rights, tokens, and what is told to whom.

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/cargo/names"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store"
)

// prepare publishes what the requests of the matrix are about.
func (g *rig) prepare(name string) {
	g.T.Helper()
	r := newRelease(name, "1.0.0")
	r.json["readme"] = "# Read me"
	g.Want(g.put("ada", r), 200, "")
	g.publish(name, "1.1.0")
	g.Want(g.Ada("PUT", "/api/v1/crates/"+name+"/owners", fields{"users": []string{"second"}}), 200, "")
	if strings.HasPrefix(name, "secret") {
		// The owner sees it by the closed address, and so does whoever has a scope.
		g.Want(g.index("ada", name), 200, "")
	}
}

// cases has one request for each operation on a crate of its own; the matrix fails when one is missing.
func (g *rig) cases(name, actor string) map[string]wiretest.Case {
	at := "/api/v1/crates/" + name
	sum := sumOf(newRelease(name, "1.1.0").crate())
	whole := func(method, path string, body any) wiretest.Case {
		return wiretest.Case{Method: method, Path: path, Body: body, Status: 200, Whole: true}
	}
	one := func(method, path string, body any) wiretest.Case {
		return wiretest.Case{Method: method, Path: path, Body: body, Status: 200}
	}
	return map[string]wiretest.Case{
		"cargo.config":   whole("GET", "/index/config.json", nil),
		"cargo.search":   whole("GET", "/api/v1/crates?q=x", nil),
		"cargo.me":       whole("GET", "/me", nil),
		"cargo.me.login": whole("POST", "/me", "user=ada&password=secret"),
		"cargo.index":    one("GET", "/index/"+names.IndexPath(name), nil),
		"cargo.download": one("GET", "/dl/"+sum+"/"+name+"-1.1.0.crate", nil),
		"cargo.publish": one("PUT", pathNew,
			newRelease(name, "2.0.0-"+strings.ReplaceAll(actor+".x", " ", "-")).body()),
		"cargo.yank":          one("DELETE", at+"/1.1.0/yank", nil),
		"cargo.unyank":        one("PUT", at+"/1.1.0/unyank", nil),
		"cargo.owners":        one("GET", at+"/owners", nil),
		"cargo.owners.team":   one("GET", at+"/owner_team", nil),
		"cargo.owners.add":    one("PUT", at+"/owners", fields{"users": []string{"third"}}),
		"cargo.owners.remove": one("DELETE", at+"/owners", fields{"users": []string{"second"}}),
		"cargo.crate":         one("GET", at, nil),
		"cargo.crate.set":     one("PATCH", at, fields{"crate": fields{"private": true}}),
		"cargo.crate.delete":  one("DELETE", at, nil),
		"cargo.versions":      one("GET", at+"/versions", nil),
		"cargo.dependents":    one("GET", at+"/reverse_dependencies", nil),
		"cargo.downloads":     one("GET", at+"/downloads", nil),
		"cargo.version":       one("GET", at+"/1.0.0", nil),
		"cargo.version.set": one("PATCH", at+"/1.0.0",
			fields{"version": fields{"yanked": true, "yank_message": "broken"}}),
		"cargo.version.delete": one("DELETE", at+"/1.0.0", nil),
		"cargo.readme":         one("GET", at+"/1.0.0/readme", nil),
		"cargo.dependencies":   one("GET", at+"/1.0.0/dependencies", nil),
	}
}

// TestMatrix: every operation of the table against every right, on public and on private crates. A right that is
// missing is refused before anything happens; one that is there is enough.
func TestMatrix(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Record, o.Auth.Private = true, []string{"cargo:crate:secret*"} })
	g.User("second", nil)
	g.User("third", nil)
	wiretest.Matrix[Request]{
		Routes: (&server{}).routes(), Scope: "cargo:crate",
		Name: func(private bool, n int) string {
			return fmt.Sprintf(map[bool]string{false: "crate%d", true: "secret%d"}[private], n)
		},
		Prepare: func(w *wiretest.Rig, name string) { (&rig{w, g.s}).prepare(name) },
		Hide: func(w *wiretest.Rig, name string) {
			g.Want(g.Ada("PATCH", "/api/v1/crates/"+name, fields{"crate": fields{"private": true}}), 200, "")
		},
		Creating: []string{"cargo.publish"},
		Cases: func(w *wiretest.Rig, name, actor string) map[string]wiretest.Case {
			return (&rig{w, g.s}).cases(name, actor)
		},
		Want: func(q wiretest.Question, status int) int {
			if q.Op == "cargo.publish" {
				return wantOfPublish(q)
			}
			return status
		},
	}.Run(g.Rig)
}

// wantOfPublish is the status of a publish: the right is asked for when the body has named the crate, and whoever may
// not even see it gets the same answer as one who may not publish.
func wantOfPublish(q wiretest.Question) int {
	switch {
	case q.Actor == "":
		return 401
	case !strings.Contains(q.Can, "c"):
		return 403
	}
	return 200
}

// TestNoCrateHasTeams: tools ask for the teams beside the owners.
func TestNoCrateHasTeams(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	g.Want(g.Do("GET", "/api/v1/crates/demo/owner_team", nil), 200, `{"teams":[]}`)
	g.Want(g.Do("GET", "/api/v1/crates/absent/owner_team", nil), 404, "crate not found")
}

// TestOnlyOwnersChangeACrate: what is somebody's is changed by its owners, and by those whom an administrator gave the
// right.
func TestOnlyOwnersChangeACrate(t *testing.T) {
	g := newRig(t)
	g.prepareUsers()
	g.publish("demo", "1.0.0", "1.1.0")
	bob := func(method, path string, body any) answer { return g.Do(method, path, body, g.As("bob")) }
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"PUT", pathNew, newRelease("demo", "2.0.0").body()}, {"DELETE", "/api/v1/crates/demo/1.0.0/yank", nil},
		{"PUT", "/api/v1/crates/demo/owners", fields{"users": []string{"bob"}}},
		{"DELETE", "/api/v1/crates/demo/owners", fields{"users": []string{"ada"}}},
		{"PATCH", "/api/v1/crates/demo", fields{"crate": fields{"private": true}}},
		{"PATCH", "/api/v1/crates/demo/1.0.0", fields{"version": fields{"yanked": true}}},
		{"DELETE", "/api/v1/crates/demo/1.0.0", nil}, {"DELETE", "/api/v1/crates/demo", nil},
	} {
		g.Want(bob(c.method, c.path, c.body), 403, "belongs to others")
	}
	a := g.Want(g.Ada("PUT", "/api/v1/crates/demo/owners", fields{"users": []string{"bob"}}), 200, `"ok":true`)
	if !strings.Contains(a.Body, `"msg":"bob added to the owners of crate demo"`) {
		t.Errorf("adding bob: got %v, want a message that says who was added", a)
	}
	g.Want(bob("DELETE", "/api/v1/crates/demo/1.0.0/yank", nil), 200, "")
	g.Want(g.put("bob", newRelease("demo", "2.0.0")), 200, "")
	g.Want(g.Do("GET", "/api/v1/crates/demo/owners", nil), 200, `"login":"ada"`)
	g.Want(g.put("scoped", newRelease("demo", "3.0.0")), 200, "")
	g.Want(g.put("scoped", newRelease("other", "3.0.0")), 403, "may not create")
	// The last owner stays, and unknown ones do not come in.
	for body, want := range map[string]string{
		`{"users":["nobody"]}`: "There is no user", `{"users":["team:x"]}`: "is a team",
		`{"users":["github:org:team"]}`: "is a team", `{"users":[]}`: "names no users",
		`{"users":["../x"]}`: "is a team", `{"users":["<b>"]}`: "There is no user", `{"users":["bob"]}`: "changes nothing",
		`{`: "cannot be read", `{"users":7}`: "cannot be read",
	} {
		g.Want(g.Ada("PUT", "/api/v1/crates/demo/owners", body), 400, want)
	}
	g.Want(g.Ada("DELETE", "/api/v1/crates/demo/owners", fields{"owners": []string{"ada", "bob"}}), 400, "needs an owner")
	g.Want(g.Ada("DELETE", "/api/v1/crates/demo/owners", fields{"users": []string{"ada"}}), 200, `"msg"`)
	g.Want(g.Ada("PUT", "/api/v1/crates/demo/1.0.0/unyank", nil), 403, "belongs to others")
}

// prepareUsers adds bob, who may do everything, and scoped, whom an administrator gave one crate.
func (g *rig) prepareUsers() {
	g.T.Helper()
	g.User("bob", nil)
	g.User("scoped", []string{"cargo:crate:demo:read,write"})
}

// TestPrivateCrateIsHiddenEverywhere: a private crate is in no list and behind no address, for anybody who may not read
// it, and its answers differ by no byte from those of one that does not exist.
func TestPrivateCrateIsHiddenEverywhere(t *testing.T) {
	g := newRig(t)
	g.prepareUsers()
	r := newRelease("demo", "1.0.0", fields{"name": "base"})
	g.publish("base", "1.0.0")
	g.Want(g.put("ada", r), 200, "")
	g.Want(g.Ada("PATCH", "/api/v1/crates/demo", fields{"crate": fields{"private": true}}), 200, "")
	sum := sumOf(r.crate())
	for _, actor := range []string{"", "bob"} {
		for _, path := range []string{
			"/index/de/mo/demo", "/private/index/de/mo/demo", "/dl/" + sum + "/demo-1.0.0.crate",
			"/private/dl/" + sum + "/demo-1.0.0.crate", "/api/v1/crates/demo/1.0.0/download",
			"/api/v1/crates/demo", "/api/v1/crates/demo/1.0.0", "/api/v1/crates/demo/versions", "/api/v1/crates/demo/owners",
			"/api/v1/crates/demo/1.0.0/readme",
			"/api/v1/crates/demo/1.0.0/dependencies", "/api/v1/crates/demo/reverse_dependencies",
			"/api/v1/crates/demo/downloads", "/api/v1/crates/demo/1.0.0/downloads",
		} {
			other := strings.NewReplacer("de/mo/demo", "de/ma/dema", "demo", "dema").Replace(path)
			hidden, absent := g.Do("GET", path, nil, g.As(actor)), g.Do("GET", other, nil, g.As(actor))
			if hidden.Status != absent.Status || hidden.Body != absent.Body {
				t.Errorf("%s as %q: %v, and %v for one that is not there", path, actor, hidden, absent)
			}
			want := 404
			if actor == "" && strings.HasPrefix(path, "/private") {
				want = 401
			}
			if hidden.Status != want {
				t.Errorf("%s as %q: got %v, want %d", path, actor, hidden, want)
			}
		}
		g.Want(g.Do("GET", "/api/v1/crates?q=demo", nil, g.As(actor)), 200, `"total":0`)
		g.Want(g.Do("GET", "/api/v1/crates/base/reverse_dependencies", nil, g.As(actor)), 200, `"total":0`)
	}
	for _, actor := range []string{"ada", "scoped"} {
		g.Want(g.index(actor, "demo"), 200, `"name":"demo"`)
		g.Want(g.Do("GET", "/private/dl/"+sum+"/demo-1.0.0.crate", nil, g.As(actor)), 200, "")
		g.Want(g.Do("GET", "/api/v1/crates?q=demo", nil, g.As(actor)), 200, `"total":1`)
		g.Want(g.Do("GET", "/api/v1/crates/base/reverse_dependencies", nil, g.As(actor)), 200, `"total":1`)
	}
	g.Want(g.Ada("PATCH", "/api/v1/crates/demo", fields{"crate": fields{"private": false}}), 200, "")
	g.Want(g.Do("GET", "/index/de/mo/demo", nil), 200, "")
}

// TestClosedIndexAsksForToken: the 401 that makes cargo send its token, and the words it prints for one that is wrong.
func TestClosedIndexAsksForToken(t *testing.T) {
	for _, mode := range []string{"private address", "auth-required", "anonymous none"} {
		t.Run(mode, func(t *testing.T) {
			under := ""
			g := newRig(t, func(o *rigOptions) {
				switch mode {
				case "private address":
					under = "/private"
				case "auth-required":
					o.cargo.AuthRequired = true
				default:
					o.Auth.Anonymous = "none"
				}
			})
			g.publish("demo", "1.0.0")
			dl := under + "/dl/" + sumOf(newRelease("demo", "1.0.0").crate()) + "/demo-1.0.0.crate"
			for _, path := range []string{
				under + "/index/config.json", under + "/index/de/mo/demo", under + "/index/ab/se/absent", dl,
			} {
				a := g.Want(g.Do("GET", path, nil), 401, needToken)
				if a.Header.Get("WWW-Authenticate") != `Cargo login_url="`+g.Base+`/me"` ||
					a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %v", path, a)
				}
				a = g.Do("GET", path, nil, wiretest.Header("Authorization", "larder_wrong"))
				if a.Status != 401 || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Cargo ") {
					t.Errorf("%s with a bad token: %v", path, a)
				}
			}
			config := g.Want(g.Do("GET", under+"/index/config.json", nil, g.As("ada")), 200, `"auth-required":true`)
			if config.Header.Get("Cache-Control") != "private, no-cache" ||
				!strings.Contains(config.Body, g.Base+under+"/dl/{sha256-checksum}/") {
				t.Errorf("config.json: got %v, want private, no-cache and addresses below %s", config, under)
			}
			g.Want(g.Do("GET", under+"/index/de/mo/demo", nil, g.As("ada")), 200, "")
			g.Want(g.Do("GET", dl, nil, g.As("ada")), 200, "")
			if mode != "private address" {
				g.Want(g.Do("GET", "/api/v1/crates?q=demo", nil), 401, "")
				g.Want(g.Do("GET", "/api/v1/crates/demo", nil), 401, "")
			}
			// The web API tells who is wrong with a 403, and who has said nothing with a 401.
			for _, c := range []struct{ method, path string }{
				{"PUT", pathNew}, {"DELETE", "/api/v1/crates/demo/1.0.0/yank"}, {"PUT", "/api/v1/crates/demo/owners"},
				{"GET", "/api/v1/crates?q=x"},
			} {
				g.Want(g.Do(c.method, c.path, nil, wiretest.Header("Authorization", "larder_wrong")), 403, "errors")
				g.Want(g.Do(c.method, c.path, nil, wiretest.Header("Authorization", "two words")), 403, "errors")
				if c.method != "GET" {
					g.Want(g.Do(c.method, c.path, nil), 401, "errors")
				}
			}
		})
	}
	open := newRig(t)
	a := open.Want(open.Do("GET", "/index/config.json", nil), 200, "")
	if strings.Contains(a.Body, "auth-required") || a.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("config.json for everybody: got %v, want no-cache and no auth-required", a)
	}
}

// TestConfigNamesNoForeignHost: cargo sends its token to whatever host config.json names, so that is only ever the one
// that was asked; what a client invents is not put into it.
func TestConfigNamesNoForeignHost(t *testing.T) {
	g := newRig(t)
	for _, c := range []struct{ header, value string }{
		{"X-Forwarded-Host", "evil.example.com"}, {"Forwarded", "host=evil.example.com"}, {"X-Forwarded-Proto", "gopher"},
		{"X-Forwarded-Prefix", "/evil"},
	} {
		a := g.Want(g.Do("GET", "/index/config.json", nil, wiretest.Header(c.header, c.value)), 200, g.Base+"/dl/")
		if strings.Contains(a.Body, "evil") || strings.Contains(a.Body, "gopher") {
			t.Errorf("config.json with %s: %s: got %v, want our own addresses alone", c.header, c.value, a)
		}
	}
	r, err := http.NewRequest("GET", g.Base+"/index/config.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example.com/x?\"y"
	if a := g.Send(r); strings.Contains(a.Body, "evil") {
		t.Errorf("config.json by the host %q: got %v, want our own addresses alone", r.Host, a)
	}
}

// TestDigestIsNoRightToRead: a digest is no right to read, and the address by digest knows crates of this registry
// alone.
func TestDigestIsNoRightToRead(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0", "1.0.1")
	first, second := sumOf(newRelease("demo", "1.0.0").crate()), sumOf(newRelease("demo", "1.0.1").crate())
	blob, err := g.Store.PutBytes(context.Background(), []byte("an image's layer"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/dl/" + first + "/demo-1.0.0.crate": 200, "/dl/" + second + "/demo-1.0.1.crate": 200,
		"/dl/" + first + "/DEMO-1.0.0.crate":  200,
		"/dl/" + second + "/demo-1.0.0.crate": 404, "/dl/" + blob.Digest.Encoded() + "/demo-1.0.0.crate": 404,
		"/dl/" + first + "/other-1.0.0.crate":  404,
		"/dl/" + first + "/demo-1.0.0+x.crate": 404, "/dl/" + strings.Repeat("0", 64) + "/demo-1.0.0.crate": 404,
	} {
		if a := g.Do("GET", path, nil); a.Status != want {
			t.Errorf("%s: %v, want %d", path, a, want)
		}
	}
}

// TestErrorBodies: bodies and challenges of every kind of refusal, as a golden file.
func TestErrorBodies(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"cargo:crate:secret*"} })
	g.publish("demo", "1.0.0")
	g.Scoped("reader", "ada", "cargo:crate:*:read")
	var out strings.Builder
	for _, c := range []struct {
		what, method, path string
		body               any
		opts               []option
	}{
		{"no credentials", "PUT", pathNew, newRelease("demo", "2.0.0").body(), nil},
		{"no credentials, yank", "DELETE", "/api/v1/crates/demo/1.0.0/yank", nil, nil},
		{"no credentials, closed index", "GET", "/private/index/de/mo/demo", nil, nil},
		{"bad token, index", "GET", "/index/de/mo/demo", nil, []option{wiretest.Header("Authorization", "larder_bad")}},
		{"bad token, API", "PUT", pathNew, nil, []option{wiretest.Header("Authorization", "larder_bad")}},
		{"foreign token", "PUT", pathNew, nil, []option{wiretest.Header("Authorization", "cio0123456789")}},
		{"reader publishes", "PUT", pathNew, newRelease("demo", "2.0.0").body(), []option{g.As("reader")}},
		{"reader yanks", "DELETE", "/api/v1/crates/demo/1.0.0/yank", nil, []option{g.As("reader")}},
		{"absent crate, index", "GET", "/index/ab/se/absent", nil, nil},
		{"hidden crate, index", "GET", "/index/se/cr/secret", nil, nil},
		{"absent crate, download", "GET", "/dl/" + someSum + "/absent-1.0.0.crate", nil, nil},
		{"absent crate, yank", "DELETE", "/api/v1/crates/absent/1.0.0/yank", nil, []option{g.As("ada")}},
		{"absent version, yank", "DELETE", "/api/v1/crates/demo/9.9.9/yank", nil, []option{g.As("ada")}},
		{"absent crate, owners", "GET", "/api/v1/crates/absent/owners", nil, nil},
		{"absent crate, API", "GET", "/api/v1/crates/absent", nil, nil},
		{"unknown address", "GET", "/index/de/mo/x/y", nil, nil},
		{"unknown address, API", "GET", "/api/v1/summary", nil, nil},
		{"wrong method", "POST", "/index/de/mo/demo", nil, nil},
		{"wrong method, API", "POST", "/api/v1/crates/demo", nil, nil},
		{"bad path", "GET", "/api/v1/crates/a%5Cb", nil, nil},
		{"duplicate", "PUT", pathNew, newRelease("demo", "1.0.0").body(), []option{g.As("ada")}},
		{"no frame", "PUT", pathNew, "abc", []option{g.As("ada")}},
		{"too large", "PUT", pathNew, append([]byte{0, 0, 16, 1}, make([]byte, 17<<20)...), []option{g.As("ada")}},
		{"page zero", "GET", "/api/v1/crates?page=0", nil, nil},
	} {
		a := g.Do(c.method, c.path, c.body, c.opts...)
		if a.Status < 400 {
			t.Errorf("%s: %v", c.what, a)
		}
		fmt.Fprintf(&out, "%s: %d %s %q\n%s", c.what, a.Status, a.Header.Get("Content-Type"),
			a.Header.Get("WWW-Authenticate"), a.Body)
	}
	wiretest.Golden(t, "errors.txt", strings.ReplaceAll(out.String(), g.Base, "https://larder.example.com/cargo"))
}

// TestStatusOfErrors: every error a handler can return has the status that cargo needs, on files and on the web API.
func TestStatusOfErrors(t *testing.T) {
	s := &server{opt: Options{}.WithDefaults()}
	for err, want := range map[error][2]int{
		store.ErrNotFound: {404, 404}, store.ErrExists: {409, 409}, store.ErrInvalid: {400, 400},
		store.ErrTooLarge: {413, 413}, store.ErrQuota: {413, 413},
		store.ErrImmutable: {409, 409}, store.ErrProtected: {403, 403}, store.ErrDenied: {403, 403},
		store.ErrReadOnly: {503, 503}, store.ErrFull: {507, 507},
		auth.ErrNoCredentials: {401, 401}, auth.ErrCredentials: {401, 403}, auth.ErrDisabled: {401, 403},
		auth.ErrDenied: {403, 403}, auth.ErrHidden: {404, 404},
		problem.ErrAuthorization: {401, 403}, problem.ErrBadPath: {400, 400}, problem.ErrNoRoute: {404, 404},
		problem.ErrTruncated: {400, 400}, problem.ErrSlow: {408, 408},
		&auth.Throttled{After: 1}: {429, 429},
	} {
		for i, op := range []string{"cargo.index", "cargo.publish"} {
			r, e := http.NewRequest("GET", "http://larder.example.com/cargo/x", nil)
			if e != nil {
				t.Fatal(e)
			}
			if got := s.status(r, wire.Failure{Status: problem.Status(err), Err: err, Op: op}); got != want[i] {
				t.Errorf("%v of %s: %d, want %d", err, op, got, want[i])
			}
		}
	}
}

// TestLoginPageGivesToken: the page of cargo login, and the token it gives.
func TestLoginPageGivesToken(t *testing.T) {
	g := newRig(t)
	page := g.Want(g.Do("GET", "/me", nil), 200, `action="`+g.Base+`/me"`)
	csp := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("GET /me: got the policy %q, want default-src and frame-ancestors 'none'", csp)
	}
	form := func(user, password string, opts ...option) answer {
		return g.Do("POST", "/me", url.Values{"user": {user}, "password": {password}}.Encode(), opts...)
	}
	if a := form("<script>", "x"); a.Status != 401 || strings.Contains(a.Body, "<script>") {
		t.Errorf("login as <script>: got %v, want 401 and the name escaped", a)
	}
	if a := form("ada", "wrong"); a.Status != 401 || !strings.Contains(a.Body, `role="alert"`) {
		t.Errorf("login with a wrong password: got %v, want 401 and an alert", a)
	}
	done := g.Want(form("ada", "secret", wiretest.Header("Authorization", "larder_expired")), 200, "<output>larder_")
	_, token, _ := strings.Cut(done.Body, "<output>")
	token, _, _ = strings.Cut(token, "</output>")
	if done.Header.Get("Cache-Control") != "no-store" || !auth.IsToken(token) {
		t.Errorf("login: got %v, want no-store and a token, not %q", done, token)
	}
	g.Want(g.Do("PUT", pathNew, newRelease("demo", "1.0.0").body(), wiretest.Header("Authorization", token)), 200, "")
	id, err := g.Auth.Authenticate(context.Background(), auth.Credentials{Token: token})
	if err != nil || id.Can(auth.Access{Kind: store.NPM, Type: "package", Name: "x", Action: auth.Write}) {
		t.Errorf("the token is for %+v, %v; want cargo alone", id, err)
	}
	for range 200 {
		if form("ada", "guess").Status == 429 {
			return
		}
	}
	t.Error("200 guesses of a password were answered, none with 429")
}

// TestTokenDoesOnlyWhatItsScopesSay: what is stored of a token, and what is logged, does not let anybody in; a token
// does what its scopes say, until it ends.
func TestTokenDoesOnlyWhatItsScopesSay(t *testing.T) {
	g := newRig(t)
	secret := g.Keys["ada"]
	for i, form := range []string{secret, "Bearer " + secret, "Basic " + secret, secret + "x"} {
		g.Do("PUT", pathNew, newRelease("demo", fmt.Sprintf("1.0.%d", i)).body(), wiretest.Header("Authorization", form))
	}
	g.Do("GET", "/index/de/mo/demo?token="+secret, nil)
	if strings.Contains(g.Log.String(), secret) {
		t.Error("a token is in the log")
	}
	g.Scoped("publisher", "ada", "cargo:crate:demo:create")
	g.Want(g.put("publisher", newRelease("demo", "2.0.0")), 200, "")
	g.Want(g.put("publisher", newRelease("other", "2.0.0")), 403, "scopes do not allow")
	g.Want(g.Do("DELETE", "/api/v1/crates/demo/2.0.0/yank", nil, g.As("publisher")), 403, "scopes do not allow")
	g.Want(g.Do("PUT", "/api/v1/crates/demo/owners", fields{"users": []string{"ada"}}, g.As("publisher")), 403,
		"scopes do not allow")
	tokens, err := g.Auth.Tokens(context.Background(), "ada")
	if err != nil || len(tokens) == 0 {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if err := g.Auth.RevokeToken(context.Background(), token.ID); err != nil {
			t.Fatal(err)
		}
	}
	g.Want(g.put("ada", newRelease("demo", "3.0.0")), 403, "")
	if a := g.Do("GET", "/private/index/de/mo/demo", nil, g.As("ada")); a.Status != 401 {
		t.Errorf("a revoked token: got %v, want 401", a)
	}
}

// TestNothingIsRedirected: cargo would take a token along to wherever a download is sent on within the host, and no
// download of ours is sent on.
func TestNothingIsRedirected(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	for _, path := range []string{
		"/api/v1/crates/demo/1.0.0/download", "/index/de/mo/demo/", "/index", "/index/", "//index/config.json", "/me/",
		"/api/v1/crates/", "/DL/x",
	} {
		if a := g.Do("GET", path, nil); a.Status >= 300 && a.Status < 400 || a.Header.Get("Location") != "" {
			t.Errorf("%s: %v", path, a)
		}
	}
}

// TestForwardedRequestIsNotUpgraded: only a client itself is upgraded, never a connection that a proxy shares.
func TestForwardedRequestIsNotUpgraded(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	up, err := wire.H2C(g.Handler, g.Deps.Log, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(up)
	defer srv.Close()
	for _, h := range [][2]string{
		{"Via", "1.1 proxy"}, {"X-Forwarded-For", "192.0.2.1"}, {"Forwarded", "for=192.0.2.1"}, {"", ""},
	} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		request := "GET /cargo/index/de/mo/demo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
			"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
		if h[0] != "" {
			request += h[0] + ": " + h[1] + "\r\n"
		}
		if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if want := map[bool]string{true: "101", false: "200"}[h[0] == ""]; err != nil || !strings.Contains(line, want) {
			t.Errorf("%v: %q %v, want %s", h, line, err, want)
		}
		conn.Close()
	}
}
