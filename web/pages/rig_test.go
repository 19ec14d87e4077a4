package pages

// The rig of these tests: all seven protocols and the pages in one server.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/cargo"
	"larder/composer"
	"larder/internal/miniclient"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/maven"
	"larder/npm"
	"larder/oci"
	"larder/pypi"
	"larder/rubygems"
	"larder/store"
	"larder/upstream"
	"larder/web/catalog"
)

// now is the time of every page of the rig.
var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

type rig struct {
	*wiretest.Rig
	pages *Pages
}

// protocols are the seven, at their usual paths.
func protocols(d wire.Deps) map[store.Kind]wire.Protocol {
	return map[store.Kind]wire.Protocol{
		store.OCI: oci.New(d, oci.Options{}), store.NPM: npm.New(d, npm.Options{}),
		store.PyPI: pypi.New(d, pypi.Options{}, nil), store.Cargo: cargo.New(d, cargo.Options{}),
		store.Maven: maven.New(d, maven.Options{}), store.Composer: composer.New(d, composer.Options{}),
		store.RubyGems: rubygems.New(d, rubygems.Options{}),
	}
}

func spellings() upstream.Spellings {
	return upstream.Spellings{
		store.OCI: oci.Spelling(), store.NPM: npm.Spelling(), store.PyPI: pypi.Spelling(), store.Cargo: cargo.Spelling(),
		store.Maven: maven.Spelling(), store.Composer: composer.Spelling(), store.RubyGems: rubygems.Spelling(),
	}
}

func newRig(t testing.TB, change ...func(*wiretest.Options)) *rig {
	t.Helper()
	var o wiretest.Options
	for _, f := range change {
		f(&o)
	}
	g := &rig{}
	g.Rig = wiretest.New(t, o, func(d wire.Deps) wire.Protocol {
		rt := wire.NewRouter(http.NotFoundHandler())
		deps := Deps{
			Wire: d, Log: d.Log, Version: "1.2.3", Now: func() time.Time { return now }, Spellings: spellings(),
		}
		all := wire.Protocol{Name: "all", Prefixes: []string{"/", rootPages, rootOther, "/nothing"}, Handler: rt}
		for kind, p := range protocols(d) {
			wire.Mount(rt, p)
			all.Prefixes = append(all.Prefixes, p.Prefixes...)
			deps.Kinds = append(deps.Kinds, catalog.Kind{Kind: kind, Path: p.Prefixes[0], Describe: p.Describe})
		}
		g.pages = New(deps)
		g.pages.Mount(rt)
		rt.NotFound = http.HandlerFunc(g.pages.NotFound)
		return all
	})
	g.pages.d.Auth = g.Auth
	return g
}

// recordName is what a release of a minimal client is called in records.
func recordName(kind, name string) string {
	return map[string]string{"oci": "team/", "maven": "com.acme:", "composer": "acme/"}[kind] + name
}

// publish publishes a release of a kind as ada.
func (g *rig) publish(kind, name, version string) {
	g.T.Helper()
	for _, p := range miniclient.All() {
		if p.Kind != kind {
			continue
		}
		file, err := p.Make(name, version, []byte(name+version))
		if err != nil {
			g.T.Fatal(err)
		}
		s := &miniclient.Server{Base: g.Srv.URL, Auth: "Bearer " + g.Keys["ada"], HTTP: g.Srv.Client()}
		a, err := p.Publish(context.Background(), s, miniclient.Release{Name: name, Version: version, File: file})
		if err != nil || a.Status >= 300 {
			g.T.Fatalf("publish %s %s %s: %d %s %v", kind, name, version, a.Status, a.Body, err)
		}
	}
}

// browser asks as a browser does.
func browser() wiretest.Option {
	return wiretest.Header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

// page gets a page as an actor, which must be one.
func (g *rig) page(actor, path string) string {
	g.T.Helper()
	a := g.Want(g.Do("GET", path, nil, browser(), g.As(actor)), 200, "<!doctype html>")
	return a.Body
}

// has and lacks fail unless a page has a text, or has none.
func (g *rig) has(page string, texts ...string) {
	g.T.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			g.T.Errorf("the page lacks %q:\n%s", text, page)
		}
	}
}

func (g *rig) lacks(page string, texts ...string) {
	g.T.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			g.T.Errorf("the page has %q:\n%s", text, page)
		}
	}
}

// publishManifest publishes an npm package with a manifest and a README as ada.
func (g *rig) publishManifest(name string, manifest map[string]any, readme string) {
	g.T.Helper()
	text, err := json.Marshal(manifest)
	if err != nil {
		g.T.Fatal(err)
	}
	var file bytes.Buffer
	z := gzip.NewWriter(&file)
	archive := tar.NewWriter(z)
	for at, body := range map[string]string{"package/package.json": string(text), "package/README.md": readme} {
		head := &tar.Header{Name: at, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(head); err != nil {
			g.T.Fatal(err)
		}
		if _, err := io.WriteString(archive, body); err != nil {
			g.T.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), z.Close()); err != nil {
		g.T.Fatal(err)
	}
	version := manifest["version"].(string)
	of := maps.Clone(manifest)
	sum := sha512.Sum512(file.Bytes())
	of["dist"] = wiretest.Fields{"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:])}
	g.Want(g.Ada("PUT", "/npm/"+name, wiretest.Fields{
		"_id": name, "name": name, "readme": readme, "dist-tags": wiretest.Fields{"latest": version},
		"versions":     wiretest.Fields{version: of},
		"_attachments": wiretest.Fields{name + "-" + version + ".tgz": wiretest.Fields{"data": file.Bytes()}},
	}), 201, "")
}
