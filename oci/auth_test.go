package oci

// Who may do what: challenges, tokens and their limits, and what is hidden.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
)

// TestPingAsksForCredentials: a 401 with an absolute realm to everybody without credentials, also where everybody may
// read.
func TestPingAsksForCredentials(t *testing.T) {
	g := newRig(t)
	want := fmt.Sprintf(`Bearer realm="%s/v2/token",service="larder"`, g.Srv.URL)
	for _, path := range []string{"/v2", "/v2/", "/oci/"} {
		for _, method := range []string{"GET", "HEAD"} {
			g.want(g.Do(method, path, nil), 401, "").WantHeader(t, "WWW-Authenticate", want)
		}
	}
	g.want(g.Do("GET", "/v2/", nil), 401, codeUnauthorized)
	g.want(g.Do("GET", "/v2/", nil, wiretest.Basic("ada", "wrong")), 401, codeUnauthorized)
	g.want(g.Do("GET", "/v2/", nil, wiretest.Bearer("rubbish")), 401, codeUnauthorized)
	for _, o := range []option{
		g.As("ada"), wiretest.Basic("ada", "secret"), wiretest.Basic("anything", g.Keys["ada"]), g.anonymousToken(),
	} {
		g.want(g.Do("GET", "/v2/", nil, o), 200, "").WantExactly(t, "{}\n").WantHeader(t, "Content-Type", "application/json")
	}
}

// TestChallengeHasTheScopeThatIsMissing: the scope of each 401 is what the next request needs.
func TestChallengeHasTheScopeThatIsMissing(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	for _, c := range []struct{ method, path, scope string }{
		{"GET", "/v2/app/manifests/v1", "repository:app:pull"},
		{"HEAD", "/v2/a/b/blobs/" + someDigest, "repository:a/b:pull"},
		{"GET", "/v2/app/tags/list", "repository:app:pull"},
		{"PUT", "/v2/app/manifests/v1", "repository:app:pull,push"},
		{"POST", "/v2/app/blobs/uploads/", "repository:app:pull,push"},
		{"POST", "/v2/app/blobs/uploads/?mount=" + someDigest + "&from=x/y", "repository:app:pull,push repository:x/y:pull"},
		{"POST", "/v2/app/blobs/uploads/?mount=" + someDigest + "&from=%22", "repository:app:pull,push"},
		{"DELETE", "/v2/app/manifests/v1", "repository:app:delete"},
		{"GET", "/v2/_catalog", "registry:catalog:*"},
	} {
		want := fmt.Sprintf(`Bearer realm="%s/v2/token",service="larder",scope="%s"`, g.Srv.URL, c.scope)
		g.want(g.Do(c.method, c.path, nil), 401, "").WantHeader(t, "WWW-Authenticate", want)
	}
	a := g.Do("GET", "/v2/app/tags/list", nil, wiretest.Bearer("x.y.z"))
	wantChallenge(t, a, `scope="repository:app:pull",error="invalid_token"`)
}

// wantChallenge fails unless the challenge of an answer ends with a text.
func wantChallenge(t *testing.T, a answer, end string) {
	t.Helper()
	if c := a.Header.Get("WWW-Authenticate"); !strings.HasSuffix(c, end) {
		t.Errorf("%s: the challenge is %s, want %s at its end", a.Request, c, end)
	}
}

// TestTokenByGET: the GET form as docker, podman and crane send it.
func TestTokenByGET(t *testing.T) {
	g := newRig(t)
	path := "/v2/token?service=larder&account=ada&client_id=docker&offline_token=true" +
		"&scope=repository:app:pull,push&scope=repository:other:pull"
	a := g.want(g.Do("GET", path, nil, wiretest.Basic("ada", "secret")), 200, "")
	a.WantHeader(t, "Cache-Control", "no-store")
	raw := a.Object(t)
	issued, err := time.Parse(time.RFC3339, fmt.Sprint(raw["issued_at"]))
	if err != nil || time.Since(issued).Abs() > time.Minute {
		t.Errorf("issued at %v (%v), want now", raw["issued_at"], err)
	}
	if raw["token"] == "" || raw["token"] != raw["access_token"] {
		t.Errorf("the token is %v, and %v under its other name", raw["token"], raw["access_token"])
	}
	if raw["expires_in"].(float64) < 299 {
		t.Errorf("it expires in %v seconds, want about 300", raw["expires_in"])
	}
	if raw["refresh_token"] != nil {
		t.Errorf("a refresh token for a password: %s", a.Body)
	}
	as := wiretest.Bearer(fmt.Sprint(raw["token"]))
	g.want(g.Do("POST", "/v2/app/blobs/uploads/", nil, as), 202, "")
	other := g.want(g.Do("POST", "/v2/other/blobs/uploads/", nil, as), 401, codeUnauthorized)
	wantChallenge(t, other, `scope="repository:other:pull,push",error="insufficient_scope"`)
	a = g.Do("GET", "/v2/token?scope=repository:app:pull", nil, wiretest.Basic("ada", "wrong"))
	g.want(a, 401, codeUnauthorized).WantHeader(t, "WWW-Authenticate", `Basic realm="`+g.Srv.URL+`/v2/token"`)
	// Anonymous tokens are for reading, whatever was asked for.
	g.push("app", "v1", "layer")
	anon := g.anonymousToken("repository:app:pull,push")
	g.want(g.Do("GET", "/v2/app/manifests/v1", nil, anon), 200, "")
	g.want(g.Do("POST", "/v2/app/blobs/uploads/", nil, anon), 401, codeUnauthorized)
	g.want(g.Do("GET", "/v2/token?"+strings.Repeat("scope=repository:a:pull&", 101), nil), 400, codeUnsupported)
}

// TestTokenByPOST: the POST form, password and refresh_token.
func TestTokenByPOST(t *testing.T) {
	g := newRig(t)
	post := func(status int, form url.Values) (tok tokenAnswer) {
		t.Helper()
		typ := wiretest.Header("Content-Type", "application/x-www-form-urlencoded")
		a := g.want(g.Do("POST", "/v2/token", form.Encode(), typ), status, "")
		if status == 200 {
			a.Decode(t, &tok)
		}
		return tok
	}
	form := func(kv ...string) url.Values {
		v := url.Values{"service": {"larder"}, "client_id": {"containerd-client"}}
		for i := 0; i < len(kv); i += 2 {
			v.Set(kv[i], kv[i+1])
		}
		return v
	}
	// containerd names the repository twice in one field.
	tok := post(200, form("grant_type", "password", "username", "ada", "password", "secret",
		"scope", "repository:app:pull repository:app:pull,push"))
	if tok.Scope != "repository:app:pull,push" || tok.RefreshToken != "" {
		t.Errorf("the scope is %q, the refresh token %q; want repository:app:pull,push and none", tok.Scope, tok.RefreshToken)
	}
	g.want(g.Do("POST", "/v2/app/blobs/uploads/", nil, wiretest.Bearer(tok.AccessToken)), 202, "")
	tok = post(200, form("grant_type", "password", "username", "x", "password", g.Keys["ada"], "access_type", "offline"))
	if tok.RefreshToken != g.Keys["ada"] || tok.Scope != "" {
		t.Errorf("the refresh token is %q, want the personal one; the scope is %q, want none", tok.RefreshToken, tok.Scope)
	}
	password := form("grant_type", "password", "username", "ada", "password", "secret", "access_type", "offline")
	if tok := post(200, password); tok.RefreshToken != "" {
		t.Errorf("the refresh token is %q, which is the password", tok.RefreshToken)
	}
	tok = post(200, form("grant_type", "refresh_token", "refresh_token", tok.RefreshToken, "scope", "repository:app:*"))
	if tok.Scope != "repository:app:pull,push,delete" {
		t.Errorf("the scope is %q, want all actions", tok.Scope)
	}
	post(401, form("grant_type", "password", "username", "ada", "password", "wrong"))
	post(401, form("grant_type", "password", "username", "ada"))
	post(401, form("grant_type", "refresh_token", "refresh_token", "larder_wrong"))
	post(401, form("grant_type", "refresh_token"))
	post(400, form("grant_type", "client_credentials"))
	post(400, form())
	g.want(g.Do("POST", "/v2/token", "%zz"), 400, codeUnsupported)
	g.want(g.Do("POST", "/v2/token", strings.Repeat("x", 70<<10)), 413, "")
}

// TestScopesOfTokenRequests: what clients put into scope, and what nobody can have.
func TestScopesOfTokenRequests(t *testing.T) {
	for text, want := range map[string]string{
		"repository:app:pull":                         "[{repository app [pull]}]",
		"repository:a/b:push,pull":                    "[{repository a/b [pull push]}]",
		"repository:app:*":                            "[{repository app [pull push delete]}]",
		"repository:app:pull,fly,pull":                "[{repository app [pull]}]",
		"repository:app:pull repository:app:push":     "[{repository app [pull push]}]",
		"registry:catalog:*":                          "[{registry catalog [pull push delete]}]",
		"repository:registry.example.com:5000/a:pull": "[]", // a port is no part of a name
		"repository:*:pull":                           "[]",
		"repository:a*:pull":                          "[]",
		"repository:app:":                             "[]",
		"repository::pull":                            "[]",
		"repository:app":                              "[]",
		"registry:other:*":                            "[]",
		"npm:app:pull":                                "[]",
		"::":                                          "[]",
		"":                                            "[]",
	} {
		got, err := parseScopes([]string{text})
		if err != nil || fmt.Sprint(got) != want && !(want == "[]" && len(got) == 0) {
			t.Errorf("%q: %v %v, want %s", text, got, err, want)
		}
	}
}

// TestTokenReachesNoFurtherThanItsCredential: a token of the token end point reaches no further than what it was bought
// with (CVE-2025-68944).
func TestTokenReachesNoFurtherThanItsCredential(t *testing.T) {
	g := newRig(t)
	g.push("app", "v1", "layer")
	g.Key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	narrow, err := auth.ParseScopes([]string{"oci:repository:mine/*:push,pull"})
	if err != nil {
		t.Fatal(err)
	}
	g.Key("narrow", auth.TokenSpec{User: "ada", Scopes: narrow})
	for actor, want := range map[string]map[string]int{
		"reader": {"app": 403, "mine/x": 403},
		"narrow": {"app": 403, "mine/x": 202},
		"ada":    {"app": 202, "mine/x": 202},
	} {
		for repo, status := range want {
			tok := g.fetchToken([]string{"repository:" + repo + ":pull,push,delete"}, wiretest.Basic("ada", g.Keys[actor]))
			g.want(g.Do("POST", "/v2/"+repo+"/blobs/uploads/", nil, wiretest.Bearer(tok)), status, "")
			again := g.fetchToken([]string{"repository:" + repo + ":*"}, wiretest.Bearer(tok)) // no way up
			g.want(g.Do("POST", "/v2/"+repo+"/blobs/uploads/", nil, wiretest.Bearer(again)), status, "")
		}
	}
	// Revoking and disabling count at once.
	tok := g.fetchToken([]string{"repository:app:pull,push"}, wiretest.Basic("ada", "secret"))
	if err := g.Auth.SetDisabled(context.Background(), "ada", true); err != nil {
		t.Fatal(err)
	}
	g.want(g.Do("POST", "/v2/app/blobs/uploads/", nil, wiretest.Bearer(tok)), 401, codeUnauthorized)
	g.want(g.Do("GET", "/v2/app/manifests/v1", nil, wiretest.Bearer(tok)), 401, codeUnauthorized)
}

// TestTokenForARepositoryListsNothing: a token for one repository is not one for the list of all.
func TestTokenForARepositoryListsNothing(t *testing.T) {
	g := newRig(t)
	g.push("app", "v1", "layer")
	tok := g.fetchToken([]string{"repository:app:pull"}, g.As("ada"))
	g.want(g.Do("GET", "/v2/_catalog", nil, wiretest.Bearer(tok)), 401, codeUnauthorized)
	tok = g.fetchToken([]string{"registry:catalog:*"}, g.As("ada"))
	g.want(g.Do("GET", "/v2/_catalog", nil, wiretest.Bearer(tok)), 200, "").WantBody(t, `"app"`)
}

// TestMountTellsNothingOfUnreadableRepositories: not a byte tells whether a repository has a blob that the user may not
// read.
func TestMountTellsNothingOfUnreadableRepositories(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"oci:repository:secret/*"} })
	g.User("eve", []string{"oci:repository:eve/*:pull,push"})
	d := g.blob("secret/app", "hidden layer")
	g.push("secret/app", "v1", "hidden layer")
	g.blob("public", "open layer")
	open := digest.FromString("open layer")
	eve := g.As("eve")
	shape := func(a answer) string {
		a.Header.Del("Date")
		a.Header.Del("X-Request-Id")
		id := a.Header.Get("Docker-Upload-Uuid")
		return strings.ReplaceAll(fmt.Sprint(a.Status, a.Header, a.Body), id, "ID")
	}
	post := func(query string) string { return shape(g.Do("POST", "/v2/eve/app/blobs/uploads/?"+query, nil, eve)) }
	absent := post("mount=" + someDigest + "&from=secret/none")
	for _, query := range []string{
		"mount=" + d.String() + "&from=secret/app", "mount=" + d.String(), "mount=" + someDigest,
	} {
		if got := post(query); got != absent {
			t.Errorf("%s:\n%s\n%s", query, got, absent)
		}
	}
	g.want(g.Do("GET", "/v2/eve/app/blobs/"+d.String(), nil, eve), 404, codeBlobUnknown)
	// A token for the target alone is enough: what counts is the user's own right on the source.
	tok := g.fetchToken([]string{"repository:eve/app:pull,push"}, eve)
	g.want(g.Do("POST", "/v2/eve/app/blobs/uploads/?from=public&mount="+open.String(), nil, wiretest.Bearer(tok)), 201, "")
	g.want(g.Do("POST", "/v2/eve/b/blobs/uploads/?mount="+open.String(), nil, eve), 201, "")
}

// TestHiddenIsAnsweredLikeAbsent: byte-identical answers for what is not there and what must not be seen, for every
// reader.
func TestHiddenIsAnsweredLikeAbsent(t *testing.T) {
	g := newRig(t)
	g.User("eve", []string{"oci:repository:eve/*:*"})
	_, d := g.push("zzzzzz", "v1", "layer")
	layer := digest.FromString("layer")
	hide := func(p *store.PackageTx[Meta]) error {
		return p.SetPackage(func(p *store.Package) { p.Private = true })
	}
	if err := store.NewRepo[Meta](g.Store, store.OCI).Update(context.Background(), "zzzzzz", hide); err != nil {
		t.Fatal(err)
	}
	anon := g.anonymousToken("repository:zzzzzz:pull", "repository:absent:pull")
	actors := map[string]option{"nobody": g.As(""), "anonymous token": anon, "eve": g.As("eve")}
	for _, path := range []string{
		"manifests/v1", "manifests/" + d.String(), "blobs/" + layer.String(), "tags/list", "tags/list?n=0",
		"referrers/" + d.String(), "referrers/" + d.String() + "?artifactType=x", "_oci/tag-history/v1", "_oci/ext/discover",
		"blobs/uploads/0198", "blobs/uploads/",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"} {
			for actor, as := range actors {
				show := func(repo string) string {
					a := g.Do(method, "/v2/"+repo+"/"+path, nil, as)
					a.Header.Del("Date")
					a.Header.Del("X-Request-Id")
					return strings.ReplaceAll(fmt.Sprint(a.Status, a.Header, a.Body), repo, "REPO")
				}
				if hidden, absent := show("zzzzzz"), show("absent"); hidden != absent {
					t.Errorf("%s %s as %s:\n%s\n%s", method, path, actor, hidden, absent)
				}
			}
		}
	}
	g.want(g.Ada("GET", "/v2/zzzzzz/manifests/v1", nil), 200, "")
}

// cases has a request for each operation.
func (g *rig) cases(repo, actor string) map[string]wiretest.Case {
	g.T.Helper()
	v2, layer, image := "/v2/"+repo, digest.FromString("layer"), g.Ada("GET", "/v2/"+repo+"/manifests/v1", nil).Body
	upload := v2 + "/blobs/uploads/0198"
	if a := g.Do("POST", v2+"/blobs/uploads/", nil, g.As(actor)); a.Status == 202 {
		upload = a.Header.Get("Location")
	}
	all := map[string]wiretest.Case{}
	add := func(op, method, path string, body any, status int) {
		all[op] = wiretest.Case{
			Method: method, Path: path, Body: body, Status: status,
			Opts: []option{wiretest.Header("Content-Type", manifest.TypeImage)},
		}
	}
	add("oci.ping", "GET", "/v2/", nil, 200)
	add("oci.token", "GET", "/v2/token", nil, 200)
	add("oci.grant", "POST", "/v2/token", "grant_type=password&username=ada&password=secret", 200)
	add("oci.catalog", "GET", "/v2/_catalog", nil, 200)
	add("oci.repositories", "GET", "/v2/_oci/repositories", nil, 200)
	add("oci.discover", "GET", "/v2/_oci/ext/discover", nil, 200)
	add("oci.v1.ping", "GET", "/v1/_ping", nil, 200)
	add("oci.v1.search", "GET", "/v1/search?q=x", nil, 200)
	add("oci.repo.discover", "GET", v2+"/_oci/ext/discover", nil, 200)
	add("oci.manifest.get", "GET", v2+"/manifests/v1", nil, 200)
	add("oci.blob.get", "GET", v2+"/blobs/"+layer.String(), nil, 200)
	add("oci.tags", "GET", v2+"/tags/list", nil, 200)
	add("oci.referrers", "GET", v2+"/referrers/"+digest.FromString(image).String(), nil, 200)
	add("oci.tag.history", "GET", v2+"/_oci/tag-history/v1", nil, 200)
	add("oci.manifest.put", "PUT", v2+"/manifests/v2", image, 201)
	add("oci.tag.restore", "POST", v2+"/_oci/tag-history/gone", nil, 201)
	add("oci.upload.start", "POST", v2+"/blobs/uploads/", nil, 202)
	add("oci.upload.status", "GET", upload, nil, 204)
	add("oci.upload.patch", "PATCH", upload, "x", 202)
	add("oci.upload.commit", "PUT", upload+"?digest="+digest.FromString("y").String(), "y", 201)
	add("oci.upload.cancel", "DELETE", upload, nil, 204)
	add("oci.manifest.delete", "DELETE", v2+"/manifests/v1", nil, 202)
	add("oci.blob.delete", "DELETE", v2+"/blobs/"+digest.FromString("loose").String(), nil, 202)
	// A 401 is what makes clients log in.
	for _, op := range []string{"oci.ping", "oci.catalog", "oci.repositories"} {
		c := all[op]
		c.Login = true
		all[op] = c
	}
	return all
}

// prepare pushes what the cases are about.
func (g *rig) prepare(repo string) {
	g.T.Helper()
	g.push(repo, "gone", "layer")
	g.want(g.Ada("DELETE", "/v2/"+repo+"/manifests/gone", nil), 202, "")
	g.push(repo, "v1", "layer")
	g.blob(repo, "loose")
}

// TestRightsOfEveryOperation: every operation × every kind of user, on a public and on a private repository, with the
// answers that differ from those of other protocols (CVE-2026-27771).
func TestRightsOfEveryOperation(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Record, o.Auth.Private = true, []string{"oci:repository:secret/*"} })
	wiretest.Matrix[Request]{
		Routes: (&server{}).routes(), Scope: "oci:repository",
		Name: func(private bool, n int) string {
			return fmt.Sprintf(map[bool]string{false: "app%d", true: "secret/app%d"}[private], n)
		},
		Prepare: func(w *wiretest.Rig, name string) { (&rig{w}).prepare(name) },
		Cases: func(w *wiretest.Rig, name, actor string) map[string]wiretest.Case {
			return (&rig{w}).cases(name, actor)
		},
		Actors: func(*wiretest.Rig) map[string]string {
			g.Keys["anonymous"] = g.fetchToken([]string{"repository:app0:*", "registry:catalog:*"})
			return map[string]string{"anonymous": ""}
		},
		Want: func(q wiretest.Question, status int) int {
			switch {
			case q.May:
				return status
			case q.Actor == "", q.Actor == "anonymous" && q.Need.Kind() != wire.Read:
				return http.StatusUnauthorized
			case q.Op == "oci.referrers" || q.Op == "oci.tag.history":
				return http.StatusOK
			case q.Need.Kind() == wire.Read:
				return http.StatusNotFound
			}
			return http.StatusForbidden
		},
		Also: func(w *wiretest.Rig, q wiretest.Question, a answer) {
			var index imageIndex
			if q.May || a.Status != 200 {
				return
			}
			if err := json.Unmarshal([]byte(a.Body), &index); err != nil || len(index.Manifests) > 0 {
				w.T.Errorf("%+v: %v, want an empty index", q, a)
			}
		},
	}.Run(g.Rig)
}

// TestTooManyWrongPasswords: too many wrong passwords are a 429 that says how long to wait.
func TestTooManyWrongPasswords(t *testing.T) {
	g := newRig(t)
	var a answer
	for range 100 {
		if a = g.Do("GET", "/v2/token", nil, wiretest.Basic("ada", "wrong")); a.Status != 401 {
			break
		}
	}
	g.want(a, 429, codeTooManyRequests)
	if a.Header.Get("Retry-After") == "" {
		t.Errorf("%s: no Retry-After in %v", a.Request, a)
	}
}
