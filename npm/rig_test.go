package npm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"larder/auth"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
	"larder/store/storetest"
)

// rig is a whole registry in-process: real store, real auth, real dispatch behind a real listener.
type rig struct {
	t     testing.TB
	store *store.Store
	auth  *auth.Local
	s     *server
	srv   *httptest.Server
	base  string            // of the registry, without a final slash
	keys  map[string]string // personal tokens by the name a test gives its actor
}

type rigOptions struct {
	store []storetest.Option
	auth  auth.Options
	npm   Options
	dir   string
	log   *slog.Logger
}

// newRig opens a registry with the user ada (password "secret"), who may do everything, acting as "ada".
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	o := rigOptions{auth: auth.Options{Cost: bcrypt.MinCost}}
	for _, f := range opts {
		f(&o)
	}
	if o.dir == "" {
		o.dir = t.TempDir()
	}
	g := openRig(t, storetest.Open(t, o.dir, o.store...), o)
	if _, err := g.auth.User(context.Background(), "ada"); err != nil {
		g.user("ada", nil)
	}
	t.Cleanup(g.checkFragments)
	return g
}

// openRig serves a store that is open.
func openRig(t testing.TB, s *store.Store, o rigOptions) *rig {
	t.Helper()
	g := &rig{t: t, store: s, keys: map[string]string{}}
	var err error
	if g.auth, err = auth.NewLocal(context.Background(), s, o.auth); err != nil {
		t.Fatal(err)
	}
	base, err := wire.NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := New(wire.Deps{Store: s, Auth: g.auth, Base: base, Log: o.log}, o.npm)
	rt := wire.NewRouter(http.NotFoundHandler())
	wire.Mount(rt, p)
	g.s = &server{repo: store.NewRepo[Meta](s, store.NPM), store: s, auth: g.auth}
	g.srv = httptest.NewServer(rt)
	t.Cleanup(g.srv.Close)
	g.base = g.srv.URL + root
	return g
}

// in is the same registry in a subtest.
func (g *rig) in(t testing.TB) *rig {
	c := *g
	c.t = t
	return &c
}

// checkFragments compares every fragment with the record it is derived from.
func (g *rig) checkFragments() {
	ctx := context.Background()
	packages, err := g.s.repo.Packages(ctx, "", 0)
	if err != nil {
		return // the store was closed by the test
	}
	for _, pkg := range packages {
		err := g.s.repo.View(ctx, pkg.Name, func(tx *store.PackageTx[Meta]) error {
			rows := map[string]string{}
			for k, v := range tx.Index(indexFragments).Scan(nil, nil) {
				rows[string(k)] = string(v)
			}
			for v, err := range tx.Versions("") {
				if err != nil {
					return err
				}
				f := fragmentOf(v)
				if rows[string(f.key())] != string(f.encode()) {
					g.t.Errorf("%s@%s: the fragment is not that of the record", pkg.Name, v.ID)
				}
				delete(rows, string(f.key()))
			}
			for k := range rows {
				g.t.Errorf("%s: a fragment %q without a record", pkg.Name, k)
			}
			return nil
		})
		if err != nil {
			g.t.Error(err)
		}
	}
}

// user adds a user with password "secret" and makes a token for it; scopes nil means everything.
func (g *rig) user(name string, scopes []string, admin ...bool) {
	g.t.Helper()
	u := auth.User{Name: name, Password: "secret", Admin: len(admin) > 0}
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

// scoped makes a token of user that is limited to scopes.
func (g *rig) scoped(actor, user string, scopes ...string) {
	g.t.Helper()
	s, err := auth.ParseScopes(scopes)
	if err != nil {
		g.t.Fatal(err)
	}
	g.key(actor, auth.TokenSpec{User: user, Scopes: s})
}

// answer is a response with its body read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %v %.400q", a.status, a.header, a.body) }

type option func(*http.Request)

func header(kv ...string) option {
	return func(r *http.Request) {
		for i := 0; i < len(kv); i += 2 {
			r.Header.Set(kv[i], kv[i+1])
		}
	}
}

func bearer(token string) option { return header("Authorization", "Bearer "+token) }

func basic(user, password string) option {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
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

// do sends a request below the registry's base, or to a whole URL; body nil means none, an io.Reader is streamed, other
// values are JSON.
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
		raw, err := json.Marshal(b)
		if err != nil {
			g.t.Fatal(err)
		}
		rd = bytes.NewReader(raw)
	}
	if !strings.HasPrefix(path, "http") {
		path = g.base + path
	}
	r, err := http.NewRequest(method, path, rd)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for _, o := range opts {
		o(r)
	}
	resp, err := g.srv.Client().Transport.RoundTrip(r)
	if err != nil {
		g.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

// ada sends a request with all rights.
func (g *rig) ada(method, path string, body any, opts ...option) answer {
	g.t.Helper()
	return g.do(method, path, body, append([]option{g.as("ada")}, opts...)...)
}

// want fails unless the answer has the status and, if text is not "", has it in its error or body.
func (g *rig) want(a answer, status int, text string) answer {
	g.t.Helper()
	if a.status != status || !strings.Contains(a.body, text) {
		g.t.Fatalf("got %v, want %d %s", a, status, text)
	}
	if status >= 400 {
		var e struct{ Error, Message string }
		if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Error == "" || e.Error != e.Message {
			g.t.Fatalf("%v is not an error body of npm", a)
		}
	}
	return a
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return v
}

// at walks into decoded JSON.
func at(v any, path ...string) any {
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func keysOf(v any) []string {
	m, _ := v.(map[string]any)
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

type fields = map[string]any

// pack makes a tarball of files below package/.
func pack(files map[string]string) []byte {
	var names []string
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, n := range names {
		h := &tar.Header{Name: "package/" + n, Mode: 0o644, Size: int64(len(files[n])), Typeflag: tar.TypeReg}
		if strings.HasPrefix(n, "!") {
			h.Name = n[1:]
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := w.Write([]byte(files[n])); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// object is a JSON object of a test's own.
func object(text string) rawjson.Object {
	o, err := rawjson.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return o
}

// release is a version to publish; its fields can be changed before it is sent.
type release struct {
	name, version string
	pkg           fields            // package.json
	files         map[string]string // beside it
	tag           string
	access        any
	tarball       []byte       // nil: made of pkg and files
	manifest      func(fields) // changes what is sent of the manifest
	body          func(fields) // changes the whole document
}

func newRelease(name, version string, pkg ...fields) *release {
	r := &release{name: name, version: version, pkg: fields{"name": name, "version": version}, files: map[string]string{"index.js": "module.exports = 1\n"}, tag: "latest"}
	for _, p := range pkg {
		for k, v := range p {
			r.pkg[k] = v
		}
	}
	return r
}

// document renders the body of a publish as npm does.
func (r *release) document() fields {
	if r.tarball == nil {
		files := map[string]string{"package.json": text(r.pkg)}
		for k, v := range r.files {
			files[k] = v
		}
		r.tarball = pack(files)
	}
	m := fields{}
	for k, v := range r.pkg {
		m[k] = v
	}
	s512, s1 := sha512.Sum512(r.tarball), sha1.Sum(r.tarball)
	m["_id"] = r.name + "@" + r.version
	m["dist"] = fields{
		"integrity": "sha512-" + base64.StdEncoding.EncodeToString(s512[:]), "shasum": hex.EncodeToString(s1[:]),
		"tarball": "http://wrong.example.com/" + r.name + "/-/" + r.name + "-" + r.version + ".tgz",
	}
	if r.manifest != nil {
		r.manifest(m)
	}
	doc := fields{
		"_id": r.name, "name": r.name, "dist-tags": fields{r.tag: r.version}, "versions": fields{r.version: m}, "access": r.access,
		"_attachments": fields{r.name + "-" + r.version + ".tgz": fields{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(r.tarball), "length": len(r.tarball),
		}},
	}
	if r.body != nil {
		r.body(doc)
	}
	return doc
}

// put publishes as an actor.
func (g *rig) put(actor string, r *release) answer {
	g.t.Helper()
	return g.do("PUT", "/"+escapeName(r.name), r.document(), g.as(actor), header("Content-Type", "application/json"))
}

// publish publishes versions of a package as ada.
func (g *rig) publish(name string, versions ...string) {
	g.t.Helper()
	for _, v := range versions {
		g.want(g.put("ada", newRelease(name, v)), 201, "")
	}
}

// packument is the full document as an actor sees it.
func (g *rig) packument(actor, name string) map[string]any {
	g.t.Helper()
	return g.want(g.do("GET", "/"+escapeName(name), nil, g.as(actor)), 200, "").json(g.t)
}

func gzipped(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func withPolicies(p ...store.Policy) func(*rigOptions) {
	return func(o *rigOptions) { o.store = append(o.store, storetest.WithPolicies(p...)) }
}
