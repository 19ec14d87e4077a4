package oci

// Copies that were fetched when they were kept under the name that a client asked by.

import (
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// oldCopy is an image that was fetched of a source as pkg:v1, when records were kept by the name that was asked.
func (g *rig) oldCopy(pkg, source, layer string, fetched time.Time) (image string) {
	g.T.Helper()
	blob, config := storetest.Put(g.T, g.Store, layer), storetest.Put(g.T, g.Store, `{"of":"`+layer+`"}`)
	image = imageOf(config.Digest, blob.Digest)
	m := storetest.Put(g.T, g.Store, image)
	put := func(kind store.Kind, id, typ string, b store.Blob) {
		g.T.Helper()
		v := store.Version[fields]{
			ID: id, Source: store.Cached, Meta: fields{"upstream": source, "type": typ, "fetched": fetched},
			Files: []store.File{{Digest: b.Digest, Size: b.Size, Type: typ}},
		}
		err := store.NewRepo[fields](g.Store, kind).Update(g.T.Context(), pkg, func(tx *store.PackageTx[fields]) error {
			return tx.Publish(v)
		})
		if err != nil {
			g.T.Fatal(err)
		}
	}
	put(store.OCI.Documents(), source+" tag v1", manifest.TypeImage, m)
	for _, b := range []store.Blob{blob, config} {
		put(store.OCI.CachedFiles(), b.Digest.String(), "application/octet-stream", b)
	}
	put(store.OCI.CachedFiles(), m.Digest.String(), manifest.TypeImage, m)
	return image
}

func imageOf(config, layer digest.Digest) string {
	return strings.NewReplacer("CONFIG", config.String(), "LAYER", layer.String()).Replace(
		`{"schemaVersion":2,"mediaType":"` + manifest.TypeImage +
			`","config":{"mediaType":"x/config","digest":"CONFIG","size":2},` +
			`"layers":[{"mediaType":"x/layer","digest":"LAYER","size":1}]}`)
}

// after is the registry on the store of g with upstreams, as a start makes it.
func (g *rig) after(o upstream.Options) *rig {
	g.T.Helper()
	o.Spellings = upstream.Spellings{store.OCI: Spelling()}
	again := &rig{wiretest.Serve(g.T, g.Store, wiretest.Options{Upstreams: &o}, protocolOf(Options{}))}
	again.Keys = g.Keys
	return again
}

// pulls fails unless a name is pulled as the image, by tag and by digest, with its layer.
func (g *rig) pulls(name, image, layer string) {
	g.T.Helper()
	name, ns, _ := strings.Cut(name, "?")
	for rest, want := range map[string]string{
		"/manifests/v1": image, "/manifests/" + digest.FromString(image).String(): image,
		"/blobs/" + digest.FromString(layer).String(): layer,
	} {
		if a := g.Ada("GET", "/v2/"+name+rest+"?"+ns, nil); a.Status != 200 || a.Body != want {
			g.T.Errorf("GET %s%s?%s: %v, want 200 %q", name, rest, ns, a, want)
		}
	}
}

// offlineHub has no network, and knows Docker's registry by the name hub and another one.
func offlineHub() upstream.Options {
	return upstream.Options{Offline: true, Upstreams: []upstream.Config{
		{Kind: store.OCI, Name: "hub", URL: "https://registry-1.docker.io"},
		{Kind: store.OCI, Name: "other", URL: "https://registry.example.com"},
	}}
}

// TestCopiesUnderOldNames: what was fetched without the prefix of its upstream, or in the short form of its name, is
// pulled by every spelling of the one name it has now, without a network, from the first start on and after the next.
func TestCopiesUnderOldNames(t *testing.T) {
	g := newRig(t)
	long, old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	alpine := g.oldCopy("alpine", "hub", "alpine's", old)
	g.oldCopy("library/alpine", "hub", "alpine's of before", long)
	busybox := g.oldCopy("hub/busybox", "hub", "busybox's", old)
	g.oldCopy("team/app", "hub", "hub's", long)
	app := g.oldCopy("hub/team/app", "hub", "hub's of today", old)
	others := g.oldCopy("team/app", "other", "other's", old)
	short := g.oldCopy("tool", "other", "tool's", old)
	ours, _ := g.push("team/ours", "v1", "ours")
	for range 2 {
		g = g.after(offlineHub())
		for _, name := range []string{
			"alpine", "library/alpine", "hub/alpine", "hub/library/alpine", "alpine?ns=docker.io", "library/alpine?ns=hub",
		} {
			g.pulls(name, alpine, "alpine's")
		}
		for _, name := range []string{"busybox", "hub/busybox", "hub/library/busybox", "busybox?ns=docker.io"} {
			g.pulls(name, busybox, "busybox's")
		}
		for _, name := range []string{"team/app", "hub/team/app", "team/app?ns=hub"} {
			g.pulls(name, app, "hub's of today")
		}
		for _, name := range []string{"other/team/app", "team/app?ns=registry.example.com"} {
			g.pulls(name, others, "other's")
		}
		for _, name := range []string{"tool", "other/tool", "tool?ns=other"} {
			g.pulls(name, short, "tool's")
		}
		g.pulls("team/ours", ours, "ours")
	}
	for _, name := range []string{"hub/tool", "other/alpine", "other/library/alpine"} {
		path := "/v2/" + name + "/manifests/v1"
		if a := g.Ada("GET", path, nil); a.Status == 200 {
			t.Errorf("GET %s: %v, which is another upstream's", path, a)
		}
	}
	for _, kind := range []store.Kind{store.OCI.Documents(), store.OCI.CachedFiles()} {
		list, err := store.NewRepo[fields](g.Store, kind).Packages(t.Context(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if !strings.HasPrefix(p.Name, "hub/") && !strings.HasPrefix(p.Name, "other/") {
				t.Errorf("%s %s is left", kind, p.Name)
			}
		}
	}
}

// TestCopiesUnderOldNamesOfGoneUpstreams: what an upstream brought that is not configured any more is pulled as it was.
func TestCopiesUnderOldNamesOfGoneUpstreams(t *testing.T) {
	g := newRig(t)
	image := g.oldCopy("team/app", "gone", "layer", time.Now())
	for _, o := range []upstream.Options{{}, offlineHub()} {
		again := g.after(o)
		for _, name := range []string{"team/app", "gone/team/app", "team/app?ns=gone"} {
			again.pulls(name, image, "layer")
		}
	}
}

// TestCopiesUnderOldNamesWait: a store that takes no changes is served as it is, and the next start moves what it has.
func TestCopiesUnderOldNamesWait(t *testing.T) {
	g := newRig(t)
	image := g.oldCopy("alpine", "hub", "layer", time.Now())
	g.Store.SetReadOnly("the disk is full")
	g.after(offlineHub())
	g.Store.SetReadOnly("")
	g.after(offlineHub()).pulls("alpine", image, "layer")
}

// TestManyCopiesUnderOldNames: a package of more records than are moved at once is moved whole, and a second move finds
// nothing.
func TestManyCopiesUnderOldNames(t *testing.T) {
	g := newRig(t)
	b := storetest.Put(t, g.Store, "layer")
	const many = 450
	repo := store.NewRepo[fields](g.Store, store.OCI.Documents())
	err := repo.Update(t.Context(), "alpine", func(tx *store.PackageTx[fields]) error {
		for i := range many {
			v := store.Version[fields]{
				ID: "hub tag " + strings.Repeat("v", i+1), Source: store.Cached,
				Files: []store.File{{Digest: b.Digest, Size: b.Size}},
				Meta:  fields{"upstream": map[bool]string{false: "hub", true: "other"}[i%9 == 0], "fetched": time.Now()},
			}
			if err := tx.Publish(v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	g.after(offlineHub())
	for name, want := range map[string]int{"alpine": 0, "hub/library/alpine": many - many/9, "other/alpine": many / 9} {
		n := 0
		err := repo.View(t.Context(), name, func(tx *store.PackageTx[fields]) error {
			for range tx.VersionIDs("") {
				n++
			}
			return nil
		})
		if err != nil || n != want {
			t.Errorf("%s has %d records, %v, want %d", name, n, err, want)
		}
	}
}
