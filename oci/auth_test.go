package oci

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
	"larder/store"
)

func bearer(token string) option {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func basic(user, password string) option {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// TestH1_Ping: a 401 with an absolute realm to everybody without credentials, also where everybody may read.
func TestH1_Ping(t *testing.T) {
	g := newRig(t)
	want := fmt.Sprintf(`Bearer realm="%s/v2/token",service="larder"`, g.srv.URL)
	for _, path := range []string{"/v2", "/v2/", "/oci/"} {
		for _, method := range []string{"GET", "HEAD"} {
			if a := g.want(g.do(method, path, nil), 401, ""); a.header.Get("WWW-Authenticate") != want {
				t.Errorf("%s %s: %v", method, path, a)
			}
		}
	}
	g.want(g.do("GET", "/v2/", nil), 401, codeUnauthorized)
	g.want(g.do("GET", "/v2/", nil, basic("ada", "wrong")), 401, codeUnauthorized)
	g.want(g.do("GET", "/v2/", nil, bearer("rubbish")), 401, codeUnauthorized)
	for _, o := range []option{g.as("ada"), basic("ada", "secret"), basic("anything", g.keys["ada"]), g.anonymousToken()} {
		if a := g.want(g.do("GET", "/v2/", nil, o), 200, ""); a.body != "{}\n" || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%v", a)
		}
	}
}

// TestA5_Challenge: the scope of each 401 is what the next request needs.
func TestA5_Challenge(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.auth.Anonymous = "none" })
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
		a := g.do(c.method, c.path, nil)
		want := fmt.Sprintf(`Bearer realm="%s/v2/token",service="larder",scope="%s"`, g.srv.URL, c.scope)
		if a.status != 401 || a.header.Get("WWW-Authenticate") != want {
			t.Errorf("%s %s: %v", c.method, c.path, a)
		}
	}
	if c := g.do("GET", "/v2/app/tags/list", nil, bearer("x.y.z")).header.Get("WWW-Authenticate"); !strings.HasSuffix(c, `scope="repository:app:pull",error="invalid_token"`) {
		t.Errorf("a bad token: %s", c)
	}
}

// TestA5_Token: the GET form as docker, podman and crane send it.
func TestA5_Token(t *testing.T) {
	g := newRig(t)
	a := g.want(g.do("GET", "/v2/token?service=larder&account=ada&client_id=docker&offline_token=true&scope=repository:app:pull,push&scope=repository:other:pull", nil, basic("ada", "secret")), 200, "")
	var raw map[string]any
	a.json(t, &raw)
	issued, err := time.Parse(time.RFC3339, fmt.Sprint(raw["issued_at"]))
	if err != nil || time.Since(issued).Abs() > time.Minute || raw["token"] == "" || raw["token"] != raw["access_token"] || raw["expires_in"].(float64) < 299 || raw["refresh_token"] != nil {
		t.Errorf("token answer %s", a.body)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a token may be cached: %v", a)
	}
	as := bearer(fmt.Sprint(raw["token"]))
	g.want(g.do("POST", "/v2/app/blobs/uploads/", nil, as), 202, "")
	c := g.want(g.do("POST", "/v2/other/blobs/uploads/", nil, as), 401, codeUnauthorized)
	if h := c.header.Get("WWW-Authenticate"); !strings.HasSuffix(h, `scope="repository:other:pull,push",error="insufficient_scope"`) {
		t.Errorf("a token bought for something else: %s", h)
	}
	a = g.want(g.do("GET", "/v2/token?scope=repository:app:pull", nil, basic("ada", "wrong")), 401, codeUnauthorized)
	if h := a.header.Get("WWW-Authenticate"); h != `Basic realm="`+g.srv.URL+`/v2/token"` {
		t.Errorf("challenge of the token end point: %s", h)
	}
	// Anonymous tokens are for reading, whatever was asked for.
	g.push("app", "v1", "layer")
	anon := g.anonymousToken("repository:app:pull,push")
	g.want(g.do("GET", "/v2/app/manifests/v1", nil, anon), 200, "")
	g.want(g.do("POST", "/v2/app/blobs/uploads/", nil, anon), 401, codeUnauthorized)
	g.want(g.do("GET", "/v2/token?"+strings.Repeat("scope=repository:a:pull&", 101), nil), 400, codeUnsupported)
}

// TestA5_Grant: the POST form, password and refresh_token.
func TestA5_Grant(t *testing.T) {
	g := newRig(t)
	post := func(status int, form url.Values) (tok tokenAnswer) {
		t.Helper()
		a := g.want(g.do("POST", "/v2/token", form.Encode(), header("Content-Type", "application/x-www-form-urlencoded")), status, "")
		if status == 200 {
			a.json(t, &tok)
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
	tok := post(200, form("grant_type", "password", "username", "ada", "password", "secret", "scope", "repository:app:pull repository:app:pull,push"))
	if tok.Scope != "repository:app:pull,push" || tok.RefreshToken != "" {
		t.Errorf("%+v", tok)
	}
	g.want(g.do("POST", "/v2/app/blobs/uploads/", nil, bearer(tok.AccessToken)), 202, "")
	tok = post(200, form("grant_type", "password", "username", "x", "password", g.keys["ada"], "access_type", "offline"))
	if tok.RefreshToken != g.keys["ada"] || tok.Scope != "" {
		t.Errorf("%+v", tok)
	}
	if tok := post(200, form("grant_type", "password", "username", "ada", "password", "secret", "access_type", "offline")); tok.RefreshToken != "" {
		t.Error("a password was given back")
	}
	tok = post(200, form("grant_type", "refresh_token", "refresh_token", tok.RefreshToken, "scope", "repository:app:*"))
	if tok.Scope != "repository:app:pull,push,delete" {
		t.Errorf("%+v", tok)
	}
	post(401, form("grant_type", "password", "username", "ada", "password", "wrong"))
	post(401, form("grant_type", "password", "username", "ada"))
	post(401, form("grant_type", "refresh_token", "refresh_token", "larder_wrong"))
	post(401, form("grant_type", "refresh_token"))
	post(400, form("grant_type", "client_credentials"))
	post(400, form())
	g.want(g.do("POST", "/v2/token", "%zz"), 400, codeUnsupported)
	g.want(g.do("POST", "/v2/token", strings.Repeat("x", 70<<10)), 413, "")
}

// TestA5_Scopes: what clients put into scope, and what nobody can have.
func TestA5_Scopes(t *testing.T) {
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

// TestE_CVE_2025_68944_TokenLimits: a token of the token end point reaches no further than what it was bought with.
func TestE_CVE_2025_68944_TokenLimits(t *testing.T) {
	g := newRig(t)
	g.push("app", "v1", "layer")
	g.key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	narrow, err := auth.ParseScopes([]string{"oci:repository:mine/*:push,pull"})
	if err != nil {
		t.Fatal(err)
	}
	g.key("narrow", auth.TokenSpec{User: "ada", Scopes: narrow})
	for actor, want := range map[string]map[string]int{
		"reader": {"app": 403, "mine/x": 403},
		"narrow": {"app": 403, "mine/x": 202},
		"ada":    {"app": 202, "mine/x": 202},
	} {
		for repo, status := range want {
			tok := g.fetchToken([]string{"repository:" + repo + ":pull,push,delete"}, basic("ada", g.keys[actor]))
			g.want(g.do("POST", "/v2/"+repo+"/blobs/uploads/", nil, bearer(tok)), status, "")
			again := g.fetchToken([]string{"repository:" + repo + ":*"}, bearer(tok)) // no way up
			g.want(g.do("POST", "/v2/"+repo+"/blobs/uploads/", nil, bearer(again)), status, "")
		}
	}
	// Revoking and disabling count at once.
	tok := g.fetchToken([]string{"repository:app:pull,push"}, basic("ada", "secret"))
	if err := g.auth.SetDisabled(context.Background(), "ada", true); err != nil {
		t.Fatal(err)
	}
	g.want(g.do("POST", "/v2/app/blobs/uploads/", nil, bearer(tok)), 401, codeUnauthorized)
	g.want(g.do("GET", "/v2/app/manifests/v1", nil, bearer(tok)), 401, codeUnauthorized)
}

// TestA5_NarrowTokenListsNothing: a token for one repository is not one for the list of all.
func TestA5_NarrowTokenListsNothing(t *testing.T) {
	g := newRig(t)
	g.push("app", "v1", "layer")
	tok := g.fetchToken([]string{"repository:app:pull"}, g.as("ada"))
	g.want(g.do("GET", "/v2/_catalog", nil, bearer(tok)), 401, codeUnauthorized)
	tok = g.fetchToken([]string{"registry:catalog:*"}, g.as("ada"))
	if a := g.want(g.do("GET", "/v2/_catalog", nil, bearer(tok)), 200, ""); !strings.Contains(a.body, `"app"`) {
		t.Errorf("%v", a)
	}
}

// TestE_MountFromUnreadable: not a byte tells whether a repository has a blob that the user may not read.
func TestE_MountFromUnreadable(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.auth.Private = []string{"oci:repository:secret/*"} })
	g.user("eve", []string{"oci:repository:eve/*:pull,push"})
	d := g.blob("secret/app", "hidden layer")
	g.push("secret/app", "v1", "hidden layer")
	g.blob("public", "open layer")
	open := digest.FromString("open layer")
	eve := g.as("eve")
	shape := func(a answer) string {
		a.header.Del("Date")
		a.header.Del("X-Request-Id")
		id := a.header.Get("Docker-Upload-Uuid")
		return strings.ReplaceAll(fmt.Sprint(a.status, a.header, a.body), id, "ID")
	}
	post := func(query string) string { return shape(g.do("POST", "/v2/eve/app/blobs/uploads/?"+query, nil, eve)) }
	absent := post("mount=" + someDigest + "&from=secret/none")
	for _, query := range []string{"mount=" + d.String() + "&from=secret/app", "mount=" + d.String(), "mount=" + someDigest} {
		if got := post(query); got != absent {
			t.Errorf("%s:\n%s\n%s", query, got, absent)
		}
	}
	g.want(g.do("GET", "/v2/eve/app/blobs/"+d.String(), nil, eve), 404, codeBlobUnknown)
	// A token for the target alone is enough: what counts is the user's own right on the source.
	tok := g.fetchToken([]string{"repository:eve/app:pull,push"}, eve)
	g.want(g.do("POST", "/v2/eve/app/blobs/uploads/?from=public&mount="+open.String(), nil, bearer(tok)), 201, "")
	g.want(g.do("POST", "/v2/eve/b/blobs/uploads/?mount="+open.String(), nil, eve), 201, "")
}

// TestE_AbsentAndForbidden: byte-identical answers for what is not there and what must not be seen, for every reader.
func TestE_AbsentAndForbidden(t *testing.T) {
	g := newRig(t)
	g.user("eve", []string{"oci:repository:eve/*:*"})
	_, d := g.push("zzzzzz", "v1", "layer")
	layer := digest.FromString("layer")
	err := store.NewRepo[Meta](g.store, store.OCI).Update(context.Background(), "zzzzzz", func(p *store.PackageTx[Meta]) error {
		return p.SetPackage(func(p *store.Package) { p.Private = true })
	})
	if err != nil {
		t.Fatal(err)
	}
	anon := g.anonymousToken("repository:zzzzzz:pull", "repository:absent:pull")
	actors := map[string]option{"nobody": g.as(""), "anonymous token": anon, "eve": g.as("eve")}
	for _, path := range []string{
		"manifests/v1", "manifests/" + d.String(), "blobs/" + layer.String(), "tags/list", "tags/list?n=0", "referrers/" + d.String(),
		"referrers/" + d.String() + "?artifactType=x", "_oci/tag-history/v1", "_oci/ext/discover", "blobs/uploads/0198", "blobs/uploads/",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"} {
			for actor, as := range actors {
				show := func(repo string) string {
					a := g.do(method, "/v2/"+repo+"/"+path, nil, as)
					a.header.Del("Date")
					a.header.Del("X-Request-Id")
					return strings.ReplaceAll(fmt.Sprint(a.status, a.header, a.body), repo, "REPO")
				}
				if hidden, absent := show("zzzzzz"), show("absent"); hidden != absent {
					t.Errorf("%s %s as %s:\n%s\n%s", method, path, actor, hidden, absent)
				}
			}
		}
	}
	g.want(g.ada("GET", "/v2/zzzzzz/manifests/v1", nil), 200, "")
}

// matrixRequest is a request that succeeds with the given status for whoever may.
type matrixRequest struct {
	method, path string
	body         any
	status       int
}

// matrixRequests has one request for each operation; the matrix fails when one is missing.
func matrixRequests(g *rig, repo string, d, layer digest.Digest, manifest, upload string) map[string]matrixRequest {
	v2 := "/v2/" + repo
	return map[string]matrixRequest{
		opPing:         {"GET", "/v2/", nil, 200},
		opToken:        {"GET", "/v2/token", nil, 200},
		opGrant:        {"POST", "/v2/token", "grant_type=password&username=ada&password=secret", 200},
		opCatalog:      {"GET", "/v2/_catalog", nil, 200},
		opRepositories: {"GET", "/v2/_oci/repositories", nil, 200},
		opDiscover:     {"GET", "/v2/_oci/ext/discover", nil, 200},
		opV1Ping:       {"GET", "/v1/_ping", nil, 200},
		opSearch:       {"GET", "/v1/search?q=x", nil, 200},
		opRepoDiscover: {"GET", v2 + "/_oci/ext/discover", nil, 200},
		opManifestGet:  {"GET", v2 + "/manifests/v1", nil, 200},
		opBlobGet:      {"GET", v2 + "/blobs/" + layer.String(), nil, 200},
		opTags:         {"GET", v2 + "/tags/list", nil, 200},
		opReferrers:    {"GET", v2 + "/referrers/" + d.String(), nil, 200},
		opHistory:      {"GET", v2 + "/_oci/tag-history/v1", nil, 200},
		opManifestPut:  {"PUT", v2 + "/manifests/v2", manifest, 201},
		opRestore:      {"POST", v2 + "/_oci/tag-history/gone", nil, 201},
		opUploadStart:  {"POST", v2 + "/blobs/uploads/", nil, 202},
		opUploadStatus: {"GET", upload, nil, 204},
		opUploadPatch:  {"PATCH", upload, "x", 202},
		opUploadCommit: {"PUT", upload + "?digest=" + digest.FromString("y").String(), "y", 201},
		opUploadCancel: {"DELETE", upload, nil, 204},
		opManifestDel:  {"DELETE", v2 + "/manifests/v1", nil, 202},
		opBlobDel:      {"DELETE", v2 + "/blobs/" + digest.FromString("loose").String(), nil, 202},
	}
}

// TestE_CVE_2026_27771_Matrix: every operation × every kind of user, on a public and on a private repository. It is made
// from the operations table, so that no operation can be forgotten.
func TestE_CVE_2026_27771_Matrix(t *testing.T) {
	// What each actor may do with the public and with the private repository: r(ead), w(rite), d(elete).
	actors := map[string][2]string{
		"nobody": {"r", ""}, "anonymous": {"r", ""}, "reader": {"r", "r"}, "other": {"r", ""}, "read-only token": {"r", "r"},
		"narrow token": {"r", ""}, "creator": {"rw", "rw"}, "writer": {"rw", "rw"}, "deleter": {"rd", "rd"}, "ada": {"rwd", "rwd"}, "admin": {"rwd", "rwd"},
	}
	for i, repo := range []string{"app", "secret/app"} {
		for actor, rights := range actors {
			t.Run(repo+" as "+actor, func(t *testing.T) {
				g := newRig(t, func(o *rigOptions) { o.auth.Private = []string{"oci:repository:secret/*"} })
				as := matrixActor(g, actor)
				for _, op := range (&server{}).operations() {
					checkMatrix(t, g, op, repo, actor, rights[i], as)
				}
			})
		}
	}
}

func matrixActor(g *rig, actor string) option {
	switch actor {
	case "nobody":
		return g.as("")
	case "anonymous":
		return g.anonymousToken("repository:app:*", "repository:secret/app:*", "registry:catalog:*")
	case "reader":
		g.user(actor, []string{"oci:repository:*:pull"})
	case "other":
		g.user(actor, []string{"oci:repository:other/*:*", "npm:*:*:*"})
	case "creator":
		g.user(actor, []string{"oci:repository:*:read,create"})
	case "writer":
		g.user(actor, []string{"oci:repository:*:pull,push"})
	case "deleter":
		g.user(actor, []string{"oci:repository:*:pull,delete"})
	case "read-only token":
		g.key(actor, auth.TokenSpec{User: "ada", ReadOnly: true})
	case "narrow token":
		scopes, err := auth.ParseScopes([]string{"oci:repository:other/*:*"})
		if err != nil {
			g.t.Fatal(err)
		}
		g.key(actor, auth.TokenSpec{User: "ada", Scopes: scopes})
	case "admin":
		if err := g.auth.AddUser(context.Background(), auth.User{Name: "admin", Password: "secret", Admin: true}); err != nil {
			g.t.Fatal(err)
		}
		g.key(actor, auth.TokenSpec{User: "admin"})
	}
	return g.as(actor)
}

func checkMatrix(t *testing.T, g *rig, op wire.Op[Request], repo, actor, rights string, as option) {
	t.Helper()
	g.push(repo, "gone", "layer")
	g.want(g.ada("DELETE", "/v2/"+repo+"/manifests/gone", nil), 202, "")
	manifest, d := g.push(repo, "v1", "layer")
	g.blob(repo, "loose")
	upload := "/v2/" + repo + "/blobs/uploads/0198"
	if a := g.do("POST", "/v2/"+repo+"/blobs/uploads/", nil, as); a.status == 202 {
		upload = a.header.Get("Location")
	}
	q, ok := matrixRequests(g, repo, d, digest.FromString("layer"), manifest, upload)[op.Name]
	if !ok {
		t.Errorf("operation %s has no row in the matrix", op.Name)
		return
	}
	want := matrixStatus(op, q, repo, actor, rights)
	a := g.do(q.method, q.path, q.body, as, header("Content-Type", typeImage))
	if a.status != want {
		t.Errorf("%s: %v, want %d", op.Name, a, want)
	}
	if a.status == 401 && a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s: a 401 without challenge", op.Name)
	}
	if a.status == 200 && !strings.Contains(rights, "r") && (op.Name == opReferrers || op.Name == opHistory) {
		var index imageIndex
		if err := json.Unmarshal([]byte(a.body), &index); err != nil || len(index.Manifests) > 0 {
			t.Errorf("%s shows what is hidden: %v", op.Name, a)
		}
	}
}

// matrixStatus is the specification of A5.8 in four cases.
func matrixStatus(op wire.Op[Request], q matrixRequest, repo, actor, rights string) int {
	letter := map[wire.Need]string{wire.Read: "r", wire.Create: "w", wire.Write: "w", wire.Delete: "d"}[op.Need]
	loginHelps := op.Name == opPing || op.Name == opCatalog || op.Name == opRepositories
	switch {
	case op.Need == wire.None && !(actor == "nobody" && loginHelps), op.Need != wire.None && strings.Contains(rights, letter):
		return q.status
	case actor == "nobody", actor == "anonymous" && op.Need != wire.Read:
		return http.StatusUnauthorized
	case op.Name == opReferrers || op.Name == opHistory:
		return http.StatusOK
	case op.Need == wire.Read:
		return http.StatusNotFound
	}
	return http.StatusForbidden
}

// TestE_LoginLimit: too many wrong passwords are a 429 that says how long to wait.
func TestE_LoginLimit(t *testing.T) {
	g := newRig(t)
	var a answer
	for range 100 {
		if a = g.do("GET", "/v2/token", nil, basic("ada", "wrong")); a.status != 401 {
			break
		}
	}
	g.want(a, 429, codeTooManyRequests)
	if a.header.Get("Retry-After") == "" {
		t.Errorf("%v", a)
	}
}
