package npm

// The registry under test, and releases to publish to it.

import (
	"context"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

type (
	answer = wiretest.Answer
	option = wiretest.Option
	fields = wiretest.Fields
)

// rig is a whole npm registry in-process.
type rig struct {
	*wiretest.Rig
	s *server
}

type rigOptions struct {
	wiretest.Options
	npm Options
}

// newRig opens a registry with the user ada (password "secret"), who may do everything, acting as "ada".
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	o := rigOptions{Options: wiretest.Options{Under: root, Check: checkErrorBody}}
	for _, f := range opts {
		f(&o)
	}
	g := &rig{Rig: wiretest.New(t, o.Options, func(d wire.Deps) wire.Protocol { return New(d, o.npm) })}
	g.s = serverOf(g.Store)
	t.Cleanup(g.checkFragments)
	return g
}

// serve serves a store that is open.
func serve(t testing.TB, s *store.Store) *rig {
	t.Helper()
	o := wiretest.Options{Under: root, Check: checkErrorBody}
	return &rig{wiretest.Serve(t, s, o, func(d wire.Deps) wire.Protocol { return New(d, Options{}) }), serverOf(s)}
}

func serverOf(s *store.Store) *server {
	return &server{Registry: registry.New[Meta](wire.Deps{Store: s}, registry.About{Kind: store.NPM, Type: typePackage})}
}

// in is the same registry in a subtest.
func (g *rig) in(t testing.TB) *rig { return &rig{g.In(t), g.s} }

// checkErrorBody: whatever is refused has a body as npm's clients read it.
func checkErrorBody(t testing.TB, r *http.Request, a answer) {
	if a.Status < 400 || r.Method == http.MethodHead || a.Header.Get("Content-Type") == "text/html; charset=utf-8" {
		return
	}
	var e struct{ Error, Message string }
	if err := json.Unmarshal([]byte(a.Body), &e); err != nil || e.Error == "" || e.Error != e.Message {
		t.Errorf("%s %s: %v is not an error body of npm", r.Method, r.URL, a)
	}
}

// checkFragments compares every fragment with the record it is derived from.
func (g *rig) checkFragments() {
	ctx := context.Background()
	packages, err := g.s.Repo.Packages(ctx, "", 0)
	if err != nil {
		return // the store was closed by the test
	}
	for _, pkg := range packages {
		err := g.s.Repo.View(ctx, pkg.Name, func(tx *store.PackageTx[Meta]) error {
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
					g.T.Errorf("%s@%s: the fragment is not that of the record", pkg.Name, v.ID)
				}
				delete(rows, string(f.key()))
			}
			for k := range rows {
				g.T.Errorf("%s: a fragment %q without a record", pkg.Name, k)
			}
			return nil
		})
		if err != nil {
			g.T.Error(err)
		}
	}
}

// pack puts files into package/, but for those with a path of their own after "!".
func pack(files wiretest.Files) []byte {
	all := wiretest.Files{}
	for name, content := range files {
		if own, ok := strings.CutPrefix(name, "!"); ok {
			all[own] = content
		} else {
			all["package/"+name] = content
		}
	}
	return wiretest.TarGz(all)
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
	r := &release{
		name: name, version: version, pkg: fields{"name": name, "version": version},
		files: map[string]string{"index.js": "module.exports = 1\n"}, tag: "latest",
	}
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
		files := map[string]string{"package.json": wiretest.JSON(r.pkg)}
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
	if c, ok := r.pkg["publishConfig"].(fields); ok && r.access == nil {
		r.access = c["access"] // as clients do
	}
	doc := fields{
		"_id": r.name, "name": r.name, "dist-tags": fields{r.tag: r.version}, "versions": fields{r.version: m},
		"access": r.access,
		"_attachments": fields{r.name + "-" + r.version + ".tgz": fields{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(r.tarball),
			"length": len(r.tarball),
		}},
	}
	if r.body != nil {
		r.body(doc)
	}
	return doc
}

// restricted is what package.json says of a package that its author wants for the owners only.
var restricted = fields{"publishConfig": fields{"access": "restricted"}}

// put publishes as an actor.
func (g *rig) put(actor string, r *release) answer {
	g.T.Helper()
	return g.Do("PUT", "/"+escapeName(r.name), r.document(), g.As(actor),
		wiretest.Header("Content-Type", "application/json"))
}

// publish publishes versions of a package as ada.
func (g *rig) publish(name string, versions ...string) {
	g.T.Helper()
	for _, v := range versions {
		g.Want(g.put("ada", newRelease(name, v)), 201, "")
	}
}

// packument is the full document as an actor sees it.
func (g *rig) packument(actor, name string) map[string]any {
	g.T.Helper()
	return g.Want(g.Do("GET", "/"+escapeName(name), nil, g.As(actor)), 200, "").Object(g.T)
}

func withPolicies(p ...store.Policy) func(*rigOptions) {
	return func(o *rigOptions) { o.Store = append(o.Store, storetest.WithPolicies(p...)) }
}
