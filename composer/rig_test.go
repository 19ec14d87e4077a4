package composer

// The registry in a test: its users, releases to publish, and checks that run after every test.

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"larder/composer/minify"
	"larder/composer/version"
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

// rig is a whole Composer repository in-process.
type rig struct {
	*wiretest.Rig
	s *server
}

type rigOptions struct {
	wiretest.Options
	composer Options
}

// newRig opens a registry with the user ada (password "secret"), who may do everything, acting as "ada".
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	o := rigOptions{Options: wiretest.Options{Under: root, Check: checkAnswer}}
	for _, f := range opts {
		f(&o)
	}
	g := &rig{Rig: wiretest.New(t, o.Options, func(d wire.Deps) wire.Protocol { return New(d, o.composer) })}
	g.s = newServer(g.Deps, Options{})
	t.Cleanup(g.checkRows)
	return g
}

// serve serves a store that is open.
func serve(t testing.TB, s *store.Store) *rig {
	t.Helper()
	o := wiretest.Options{Under: root, Check: checkAnswer}
	g := &rig{Rig: wiretest.Serve(t, s, o, func(d wire.Deps) wire.Protocol { return New(d, Options{}) })}
	g.s = newServer(g.Deps, Options{})
	return g
}

// in is the same registry in a subtest.
func (g *rig) in(t testing.TB) *rig { return &rig{g.In(t), g.s} }

// checkAnswer: what is refused has a body as clients and scripts read it, and nothing holds a control character.
func checkAnswer(t testing.TB, r *http.Request, a answer) {
	if strings.Contains(a.Header.Get("Content-Type"), "json") && a.Header.Get("Content-Encoding") == "" &&
		strings.ContainsFunc(
			strings.TrimSuffix(a.Body, "\n"), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 },
		) {
		t.Errorf("%s %s: control characters in %v", r.Method, r.URL, a)
	}
	if a.Status < 400 || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/changes.json") {
		return
	}
	var e struct{ Status, Message, Warning string }
	warned := a.Status == 401 || a.Status == 403 || a.Status == 429
	if err := json.Unmarshal([]byte(a.Body), &e); err != nil || e.Status != "error" || e.Message == "" ||
		(e.Warning != "") != warned || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s: %v is not an error body of Composer", r.Method, r.URL, a)
	}
}

// checkRows compares every fragment with the record it is derived from, and every listing with the best version.
func (g *rig) checkRows() {
	ctx := context.Background()
	packages, err := g.s.Repo.Packages(ctx, "", 0)
	if err != nil {
		return // the store was closed by the test
	}
	for _, pkg := range packages {
		err := g.s.Repo.View(ctx, pkg.Name, func(tx *store.PackageTx[Meta]) error {
			shownNow := map[string]bool{}
			for _, table := range []string{indexReleases, indexBranches} {
				for k, row := range tx.Index(table).Scan(nil, nil) {
					id := string(k)
					shownNow[id] = true
					v, err := shown(tx, id)
					if err != nil {
						return err
					}
					f, err := fragmentOf(id, v)
					if err != nil {
						return err
					}
					if string(row) != string(f.encode()) || v.Yanked || table != tableOf(id) {
						g.T.Errorf("%s %s: the fragment is not that of the record", pkg.Name, id)
					}
				}
			}
			g.checkRecords(tx, shownNow)
			return nil
		})
		if err != nil {
			g.T.Error(err)
		}
	}
}

func (g *rig) checkRecords(tx *store.PackageTx[Meta], shownNow map[string]bool) {
	best := ""
	for id := range shownNow {
		if best == "" || version.Before(id, best) {
			best = id
		}
	}
	if sum, err := listedSummary(tx); err != nil || sum.Version != best {
		g.T.Errorf("%s is listed by %q, not %q: %v", tx.Name(), sum.Version, best, err)
	}
	for v, err := range tx.Versions("") {
		if err != nil {
			g.T.Error(err)
			return
		}
		if id, _, dev := strings.Cut(v.ID, "#"); !dev && !v.Yanked != shownNow[id] {
			g.T.Errorf("%s %s: yanked %t, shown %t", tx.Name(), id, v.Yanked, shownNow[id])
		}
	}
	for tag, err := range tx.Tags("") {
		if err != nil || !shownNow[tag.Name] {
			g.T.Errorf("%s: the branch %s is not shown: %v", tx.Name(), tag.Name, err)
		}
	}
}

// release is a version to publish; its fields can be changed before it is sent.
type release struct {
	name, version string
	json          fields            // composer.json
	raw           string            // composer.json as it is, "": made of json
	files         map[string]string // beside it
	zip           []byte            // nil: made of the others
}

func newRelease(name, version string, more ...fields) *release {
	r := &release{
		name: name, version: version, json: fields{"name": name},
		files: map[string]string{"src/a.php": "<?php // " + version + "\n"},
	}
	for _, f := range more {
		for k, v := range f {
			r.json[k] = v
		}
	}
	return r
}

// archive is the ZIP to upload.
func (r *release) archive() []byte {
	if r.zip == nil {
		files := map[string]string{"composer.json": r.raw}
		if r.raw == "" {
			files["composer.json"] = wiretest.JSON(r.json)
		}
		for k, v := range r.files {
			files[k] = v
		}
		r.zip = wiretest.Zip(files)
	}
	return r.zip
}

// reference is what lock files call the archive.
func (r *release) reference() string {
	sum := sha1.Sum(r.archive())
	return hex.EncodeToString(sum[:])
}

// put uploads as an actor, in Nexus' dialect.
func (g *rig) put(actor string, r *release) answer {
	g.T.Helper()
	return g.Do("PUT", "/packages/upload/"+r.name+"/"+escapeVersion(r.version), r.archive(), g.As(actor))
}

// publish publishes versions of a package as ada.
func (g *rig) publish(name string, versions ...string) {
	g.T.Helper()
	for _, v := range versions {
		g.Want(g.put("ada", newRelease(name, v)), 201, "")
	}
}

// expand is what Composer makes of a minified list.
func expand(minified []fields) []fields {
	var out []fields
	now := fields{}
	for _, m := range minified {
		next := fields{}
		for k, v := range now {
			next[k] = v
		}
		for k, v := range m {
			if v == minify.Unset {
				delete(next, k)
			} else {
				next[k] = v
			}
		}
		out = append(out, next)
		now = next
	}
	return out
}

// versions are the entries of a package's document as an actor's Composer sees them: "" for releases, "~dev" for
// branches.
func (g *rig) versions(actor, name, suffix string) []fields {
	g.T.Helper()
	var doc struct {
		Packages map[string][]fields `json:"packages"`
		Minified string              `json:"minified"`
	}
	g.Want(g.Do("GET", "/p2/"+name+suffix+".json", nil, g.As(actor)), 200, "").Decode(g.T, &doc)
	list, ok := doc.Packages[name]
	if !ok || doc.Minified != "composer/2.0" {
		g.T.Fatalf("%v", doc)
	}
	return expand(list)
}

// normals are the normalised versions of a document, in its order.
func (g *rig) normals(name, suffix string) string {
	g.T.Helper()
	var out []string
	for _, v := range g.versions("ada", name, suffix) {
		out = append(out, v["version_normalized"].(string))
	}
	return strings.Join(out, " ")
}

func withPolicies(p ...store.Policy) func(*rigOptions) {
	return func(o *rigOptions) { o.Store = append(o.Store, storetest.WithPolicies(p...)) }
}
