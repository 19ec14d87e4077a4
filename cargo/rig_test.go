package cargo

// The rig of the tests: a whole registry in-process, releases to publish, and checks of every line of the index.

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"larder/cargo/names"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store"
)

type (
	answer = wiretest.Answer
	option = wiretest.Option
	fields = wiretest.Fields
)

// rig is a whole Cargo registry in-process.
type rig struct {
	*wiretest.Rig
	s *server
}

type rigOptions struct {
	wiretest.Options
	cargo Options
}

// newRig opens a registry with the user ada (password "secret"), who may do everything, acting as "ada".
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	o := rigOptions{Options: wiretest.Options{Under: root, Check: checkErrorBody}}
	for _, f := range opts {
		f(&o)
	}
	g := &rig{Rig: wiretest.New(t, o.Options, func(d wire.Deps) wire.Protocol { return New(d, o.cargo) })}
	g.s = newServer(g.Deps, o.cargo)
	t.Cleanup(g.checkLines)
	return g
}

// serve serves a store that is open.
func serve(t testing.TB, s *store.Store) *rig {
	t.Helper()
	o := wiretest.Options{Under: root, Check: checkErrorBody}
	g := &rig{Rig: wiretest.Serve(t, s, o, func(d wire.Deps) wire.Protocol { return New(d, Options{}) })}
	g.s = newServer(g.Deps, Options{})
	return g
}

// in is the same registry in a subtest.
func (g *rig) in(t testing.TB) *rig { return &rig{g.In(t), g.s} }

// checkErrorBody: what is refused has a body as cargo reads it, and no answer names a host that is not ours.
func checkErrorBody(t testing.TB, r *http.Request, a answer) {
	kind := a.Header.Get("Content-Type")
	if a.Status < 400 || r.Method == http.MethodHead || kind == "text/html; charset=utf-8" {
		return
	}
	if !strings.Contains(r.URL.Path, "/api/") || strings.HasSuffix(r.URL.Path, "/download") {
		if kind != "text/plain; charset=utf-8" && !strings.HasSuffix(r.URL.Path, "/me") {
			t.Errorf("%s %s: %v is not plain text", r.Method, r.URL, a)
		}
		return
	}
	var e struct {
		Errors []struct{ Detail string }
	}
	if err := json.Unmarshal([]byte(a.Body), &e); err != nil || len(e.Errors) != 1 || e.Errors[0].Detail == "" {
		t.Errorf("%s %s: %v is not an error body of cargo", r.Method, r.URL, a)
	}
}

// checkLines compares the rows of every crate with its records: one line a version, yanked when the version is, every
// line one that cargo takes.
func (g *rig) checkLines() {
	ctx := context.Background()
	packages, err := g.s.Repo.Packages(ctx, "", 0)
	if err != nil {
		return // the store was closed by the test
	}
	for _, pkg := range packages {
		if pkg.Versions == 0 {
			continue
		}
		rows, err := g.s.rows(ctx, pkg.Name)
		if err != nil {
			g.T.Errorf("%s: %v", pkg.Name, err)
		}
		if len(rows) != pkg.Versions {
			g.T.Errorf("%s: %d lines for %d versions", pkg.Name, len(rows), pkg.Versions)
		}
		for _, r := range rows {
			v, _, err := g.s.version(ctx, pkg.Name, g.versionIn(r))
			if err != nil || v.Yanked != r.Yanked {
				g.T.Errorf("%s %s: yanked %t in the line, %t in the record: %v", pkg.Name, r.ID, r.Yanked, v.Yanked, err)
			}
			if problem := lineProblem(string(r.appendLine(nil)), pkg.Display); problem != "" {
				g.T.Errorf("%s %s: %s", pkg.Name, r.ID, problem)
			}
		}
	}
}

func (g *rig) versionIn(r row) string {
	line, err := r.decode()
	if err != nil {
		g.T.Error(err)
	}
	return line.Vers
}

// release is a version to publish; its fields can be changed before it is sent.
type release struct {
	name, version string
	deps          []fields          // of the request
	features      map[string]any    // of the request and of Cargo.toml
	json          fields            // more of the request
	pkg           fields            // more of [package]
	toml          fields            // more of Cargo.toml
	files         map[string]string // beside it
	tarball       []byte            // nil: made of all that
	change        func(json fields) // the last word on the request
}

func newRelease(name, version string, deps ...fields) *release {
	r := &release{name: name, version: version, features: map[string]any{}, json: fields{}, pkg: fields{}, toml: fields{}}
	r.files = map[string]string{"src/lib.rs": "pub fn f() {}\n"}
	for _, d := range deps {
		all := fields{"optional": false, "default_features": true, "features": []string{}, "version_req": "^1", "target": nil,
			"kind": "normal"}
		maps.Copy(all, d)
		r.deps = append(r.deps, all)
	}
	return r
}

// request is the JSON as cargo sends it.
func (r *release) request() fields {
	j := fields{
		"name": r.name, "vers": r.version, "deps": append([]fields{}, r.deps...), "features": r.features,
		"authors": []string{}, "description": "What it is",
		"documentation": nil, "homepage": nil, "readme": nil, "readme_file": nil, "keywords": []string{},
		"categories": []string{}, "license": "MIT",
		"license_file": nil, "repository": nil, "badges": fields{}, "links": nil, "rust_version": nil,
	}
	maps.Copy(j, r.json)
	if r.change != nil {
		r.change(j)
	}
	return j
}

// manifest is Cargo.toml as cargo packs it.
func (r *release) manifest() string {
	doc := fields{}
	for _, d := range r.deps {
		name, _ := d["name"].(string)
		alias, _ := d["explicit_name_in_toml"].(string)
		entry := fields{"version": d["version_req"]}
		if alias == "" {
			alias = name
		} else if alias != name {
			entry["package"] = name
		}
		for key, as := range map[string]string{
			"optional": "optional", "default_features": "default-features", "features": "features", "registry": "registry-index",
		} {
			if v, ok := d[key]; ok && v != nil && v != "" && v != "https://github.com/rust-lang/crates.io-index" {
				entry[as] = v
			}
		}
		kind, _ := d["kind"].(string)
		section := map[string]string{"dev": "dev-dependencies", "build": "build-dependencies"}[kind]
		at := doc
		if target, _ := d["target"].(string); target != "" {
			at = sub(sub(doc, "target"), target)
		}
		sub(at, cmp.Or(section, "dependencies"))[alias] = entry
	}
	if len(r.features) > 0 {
		doc["features"] = r.features
	}
	doc["package"] = fields{"name": r.name, "version": r.version, "edition": "2021"}
	maps.Copy(doc["package"].(fields), r.pkg)
	maps.Copy(doc, r.toml)
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(doc); err != nil {
		panic(err)
	}
	return b.String()
}

func sub(m fields, key string) fields {
	if _, ok := m[key]; !ok {
		m[key] = fields{}
	}
	return m[key].(fields)
}

// crate is the archive.
func (r *release) crate() []byte {
	if r.tarball == nil {
		files := map[string]string{"Cargo.toml": r.manifest()}
		maps.Copy(files, r.files)
		r.tarball = pack(r.name+"-"+r.version, files)
	}
	return r.tarball
}

// body is the request's body.
func (r *release) body() []byte { return frameOf([]byte(wiretest.JSON(r.request())), r.crate()) }

func frameOf(meta, crate []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(meta)))
	out = append(out, meta...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(crate)))
	return append(out, crate...)
}

// pack makes an archive of files below a folder; a name that begins with ! is taken as it is.
func pack(folder string, files map[string]string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: folder + "/" + name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}
		if rest, ok := strings.CutPrefix(name, "!"); ok {
			h.Name = rest
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
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

// sumOf is the hex of the sha256.
func sumOf(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

const pathNew = "/api/v1/crates/new"

// put publishes as an actor.
func (g *rig) put(actor string, r *release) answer {
	g.T.Helper()
	return g.Do("PUT", pathNew, r.body(), g.As(actor))
}

// publish publishes versions of a crate as ada.
func (g *rig) publish(name string, versions ...string) {
	g.T.Helper()
	for _, v := range versions {
		g.Want(g.put("ada", newRelease(name, v)), 200, `"warnings"`)
	}
}

// index is a crate's file in the index, as an actor gets it by the closed address if there is one.
func (g *rig) index(actor, name string) answer {
	g.T.Helper()
	at := "/index/"
	if actor != "" {
		at = "/private/index/"
	}
	return g.Do("GET", at+names.IndexPath(name), nil, g.As(actor))
}

// lines are the lines of a crate's file.
func (g *rig) lines(name string) []string {
	g.T.Helper()
	a := g.Want(g.index("ada", name), 200, "")
	return strings.Split(strings.TrimSuffix(a.Body, "\n"), "\n")
}

// line is the only line of a crate, decoded.
func (g *rig) line(name string) fields {
	g.T.Helper()
	all := g.lines(name)
	if len(all) != 1 {
		g.T.Fatalf("%d lines", len(all))
	}
	var o fields
	if err := json.Unmarshal([]byte(all[0]), &o); err != nil {
		g.T.Fatal(err)
	}
	return o
}

// blobs counts what is stored: what a refused publish must leave as it is.
func (g *rig) blobs() string {
	g.T.Helper()
	s, err := g.Store.Stats(context.Background())
	if err != nil {
		g.T.Fatal(err)
	}
	return fmt.Sprint(s.Blobs, s.Kinds[store.Cargo])
}

func detail(a answer) string {
	var e struct {
		Errors []struct{ Detail string }
	}
	if json.Unmarshal([]byte(a.Body), &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Detail
}
