package oci

// The registry with the client library behind crane, ko and kaniko.

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func (g *rig) ref(s string) name.Reference {
	g.T.Helper()
	ref, err := name.ParseReference(strings.TrimPrefix(g.Srv.URL, "http://")+"/"+s, name.Insecure)
	if err != nil {
		g.T.Fatal(err)
	}
	return ref
}

// TestGoContainerRegistryClient is the client behind crane, ko and kaniko: push, pull, copy with mounts, index,
// referrers, lists, delete.
func TestGoContainerRegistryClient(t *testing.T) {
	g := newRig(t)
	login := remote.WithAuth(&authn.Basic{Username: "ada", Password: "secret"})
	img, err := random.Image(100_000, 3)
	if err != nil {
		t.Fatal(err)
	}
	must(t, remote.Write(g.ref("team/app:v1"), img, login))
	got, err := remote.Image(g.ref("team/app:v1")) // anonymously
	must(t, err)
	must(t, validate.Image(got))
	must(t, remote.Write(g.ref("team/copy:v1"), got, login)) // mounts the layers
	must(t, remote.Tag(g.ref("team/app:v2").(name.Tag), img, login))

	index, err := random.Index(1000, 2, 3)
	must(t, err)
	must(t, remote.WriteIndex(g.ref("team/index:v1"), index, login))
	gotIndex, err := remote.Index(g.ref("team/index:v1"), login)
	must(t, err)
	must(t, validate.Index(gotIndex))

	desc, err := remote.Head(g.ref("team/app:v1"), login)
	must(t, err)
	const sigType = "application/vnd.example.signature"
	sig := mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), sigType)
	sig = mutate.Subject(sig, *desc).(v1.Image)
	sigDigest, err := sig.Digest()
	must(t, err)
	must(t, remote.Write(g.ref("team/app@"+sigDigest.String()), sig, login))
	referrers, err := remote.Referrers(
		g.ref("team/app@"+desc.Digest.String()).(name.Digest), login,
		remote.WithFilter("artifactType", "application/vnd.example.signature"),
	)
	must(t, err)
	if list, err := referrers.IndexManifest(); err != nil || len(list.Manifests) != 1 ||
		list.Manifests[0].Digest != sigDigest {
		t.Errorf("referrers %+v, %v", list, err)
	}

	tags, err := remote.List(g.ref("team/app").Context(), login, remote.WithPageSize(1))
	if err != nil || !slices.Equal(tags, []string{"v1", "v2"}) {
		t.Errorf("tags %q, %v", tags, err)
	}
	repos, err := remote.Catalog(t.Context(), g.ref("x").Context().Registry, login, remote.WithPageSize(2))
	if err != nil || !slices.Equal(repos, []string{"team/app", "team/copy", "team/index"}) {
		t.Errorf("catalog %q, %v", repos, err)
	}
	must(t, remote.Delete(g.ref("team/app:v2"), login))
	must(t, remote.Delete(g.ref("team/app@"+desc.Digest.String()), login))
	_, err = remote.Head(g.ref("team/app:v1"), login)
	wantStatus(t, err, http.StatusNotFound)

	// A wrong password fails, and nobody pushes without one.
	wrong := remote.WithAuth(&authn.Basic{Username: "ada", Password: "wrong"})
	wantStatus(t, remote.Write(g.ref("team/app:v3"), img, wrong), http.StatusUnauthorized)
	wantStatus(t, remote.Write(g.ref("team/app:v3"), img), http.StatusUnauthorized)
	// A personal token as password, as people paste it.
	must(
		t, remote.Write(g.ref("team/app:v3"), img, remote.WithAuth(&authn.Basic{Username: "token", Password: g.Keys["ada"]})),
	)
	// Streamed layers have no digest until they are through (PATCH without length).
	layer, err := remote.Layer(g.ref("team/app@"+layerDigest(t, img)).(name.Digest), login)
	must(t, err)
	rc, err := layer.Compressed()
	must(t, err)
	defer rc.Close()
	if n, err := io.Copy(io.Discard, rc); err != nil || n < 100_000 {
		t.Errorf("layer of %d bytes, %v", n, err)
	}
}

func layerDigest(t *testing.T, img v1.Image) string {
	t.Helper()
	layers, err := img.Layers()
	must(t, err)
	d, err := layers[0].Digest()
	must(t, err)
	return d.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	var te *transport.Error
	if !errors.As(err, &te) || te.StatusCode != status {
		t.Errorf("%v, want status %d", err, status)
	}
}
