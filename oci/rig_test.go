package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/crypto/bcrypt"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
	"larder/store/storetest"
)

// rig is a whole registry in-process: real store, real auth, real dispatch behind a real listener.
type rig struct {
	t     testing.TB
	store *store.Store
	auth  *auth.Local
	srv   *httptest.Server
	keys  map[string]string // personal tokens by the name a test gives its actor
}

type rigOptions struct {
	store []storetest.Option
	auth  auth.Options
	oci   Options
	dir   string
}

// newRig opens a registry with the user ada (password "secret"), who may do everything, acting as "ada".
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	o := rigOptions{auth: auth.Options{Cost: bcrypt.MinCost}}
	for _, f := range opts {
		f(&o)
	}
	g := &rig{t: t, keys: map[string]string{}}
	if o.dir == "" {
		o.dir = t.TempDir()
	}
	g.store = storetest.Open(t, o.dir, o.store...)
	var err error
	if g.auth, err = auth.NewLocal(context.Background(), g.store, o.auth); err != nil {
		t.Fatal(err)
	}
	base, err := wire.NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := New(wire.Deps{Store: g.store, Auth: g.auth, Base: base}, o.oci)
	rt := wire.NewRouter(http.NotFoundHandler())
	wire.Mount(rt, p)
	g.srv = httptest.NewServer(rt)
	t.Cleanup(g.srv.Close)
	if _, err := g.auth.User(context.Background(), "ada"); err != nil {
		g.user("ada", nil)
	}
	return g
}

// user adds a user with password "secret" and makes a token for it; scopes nil means everything.
func (g *rig) user(name string, scopes []string) {
	g.t.Helper()
	u := auth.User{Name: name, Password: "secret"}
	if scopes != nil {
		s, err := auth.ParseScopes(scopes)
		if err != nil {
			g.t.Fatal(err)
		}
		u.Scopes = s
	}
	if err := g.auth.AddUser(context.Background(), u); err != nil {
		g.t.Fatal(err)
	}
	g.key(name, auth.TokenSpec{User: name, Name: "test"})
}

// key makes a personal token that requests use with as(actor).
func (g *rig) key(actor string, spec auth.TokenSpec) string {
	g.t.Helper()
	_, secret, err := g.auth.CreateToken(context.Background(), spec)
	if err != nil {
		g.t.Fatal(err)
	}
	g.keys[actor] = secret
	return secret
}

// answer is a response with its body read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %v %.300q", a.status, a.header, a.body) }

type option func(*http.Request)

func header(kv ...string) option {
	return func(r *http.Request) {
		for i := 0; i < len(kv); i += 2 {
			r.Header.Add(kv[i], kv[i+1])
		}
	}
}

func (g *rig) as(actor string) option {
	return func(r *http.Request) {
		if key, ok := g.keys[actor]; ok {
			r.Header.Set("Authorization", "Bearer "+key)
		} else if actor != "" {
			g.t.Fatalf("no actor %q", actor)
		}
	}
}

// do sends a request; body nil means none, a string or []byte has a length, an io.Reader is streamed.
func (g *rig) do(method, path string, body any, opts ...option) answer {
	g.t.Helper()
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	case []byte:
		rd = bytes.NewReader(b)
	case io.Reader:
		rd = struct{ io.Reader }{b}
	default:
		g.t.Fatalf("body of type %T", body)
	}
	if !strings.HasPrefix(path, "http") {
		path = g.srv.URL + path
	}
	r, err := http.NewRequest(method, path, rd)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, o := range opts {
		o(r)
	}
	return g.send(r)
}

func (g *rig) send(r *http.Request) answer {
	g.t.Helper()
	resp, err := g.srv.Client().Transport.RoundTrip(r)
	if err != nil {
		g.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	if v := resp.Header.Get("Docker-Distribution-Api-Version"); v != "registry/2.0" && resp.StatusCode != http.StatusNotFound {
		g.t.Errorf("%s %s: Docker-Distribution-Api-Version %q", r.Method, r.URL, v)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// ada sends a request with all rights.
func (g *rig) ada(method, path string, body any, opts ...option) answer {
	g.t.Helper()
	return g.do(method, path, body, append([]option{g.as("ada")}, opts...)...)
}

// want fails unless the answer has the status, and the code if it is not "".
func (g *rig) want(a answer, status int, code string) answer {
	g.t.Helper()
	if a.status != status || (code != "" && a.code() != code) {
		g.t.Fatalf("got %v, want %d %s", a, status, code)
	}
	return a
}

// code is the code of the first error.
func (a answer) code() string {
	var e struct {
		Errors []struct{ Code string } `json:"errors"`
	}
	if json.Unmarshal([]byte(a.body), &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Code
}

func (a answer) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
}

// blob pushes content in one POST and returns its digest.
func (g *rig) blob(repo, content string) digest.Digest {
	g.t.Helper()
	d := digest.FromString(content)
	g.want(g.ada("POST", "/v2/"+repo+"/blobs/uploads/?digest="+d.String(), content), 201, "")
	return d
}

// object renders a manifest.
func object(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type fields = map[string]any

func descriptor(mediaType string, d digest.Digest, size int) fields {
	return fields{"mediaType": mediaType, "digest": d, "size": size}
}

// image renders an image manifest over config and layers, all of which it pushes to repo.
func (g *rig) image(repo, config string, layers ...string) string {
	g.t.Helper()
	return object(g.imageFields(repo, config, layers...))
}

func (g *rig) imageFields(repo, config string, layers ...string) fields {
	g.t.Helper()
	list := []fields{}
	for _, l := range layers {
		list = append(list, descriptor("application/vnd.oci.image.layer.v1.tar+gzip", g.blob(repo, l), len(l)))
	}
	return fields{
		"schemaVersion": 2, "mediaType": typeImage, "layers": list,
		"config": descriptor("application/vnd.oci.image.config.v1+json", g.blob(repo, config), len(config)),
	}
}

// put pushes a manifest under a tag or digest.
func (g *rig) put(repo, ref, manifest string, opts ...option) answer {
	g.t.Helper()
	var m struct{ MediaType string }
	if err := json.Unmarshal([]byte(manifest), &m); err != nil {
		g.t.Fatal(err)
	}
	opts = append([]option{header("Content-Type", m.MediaType)}, opts...)
	return g.ada("PUT", "/v2/"+repo+"/manifests/"+ref, manifest, opts...)
}

// push pushes an image with one layer under a tag and returns its bytes and digest.
func (g *rig) push(repo, tag, layer string) (string, digest.Digest) {
	g.t.Helper()
	m := g.image(repo, `{"layer":"`+layer+`"}`, layer)
	g.want(g.put(repo, tag, m), 201, "")
	return m, digest.FromString(m)
}

func withPolicies(p ...store.Policy) func(*rigOptions) {
	return func(o *rigOptions) { o.store = append(o.store, storetest.WithPolicies(p...)) }
}

func newClock() *storetest.Clock { return storetest.NewClock() }

func withClock(c *storetest.Clock) func(*rigOptions) {
	return func(o *rigOptions) {
		o.store = append(o.store, storetest.WithClock(c))
		o.auth.Now = c.Now
	}
}

// sweepAll lets two grace periods pass and sweeps twice: loose holds first, then what nobody holds.
func (g *rig) sweepAll(c *storetest.Clock) {
	g.t.Helper()
	for range 2 {
		c.Advance(2 * time.Hour)
		if _, err := g.store.Sweep(context.Background(), store.SweepOptions{}); err != nil {
			g.t.Fatal(err)
		}
	}
}

func putBlob(t testing.TB, s *store.Store, content string) store.Blob {
	return storetest.Put(t, s, content)
}

func brokenAt(t *testing.T, prepare func(*testing.T, *store.Store), action func(*testing.T, *store.Store) error, test func(*testing.T, string, error)) {
	storetest.BrokenAt(t, prepare, action, test)
}
