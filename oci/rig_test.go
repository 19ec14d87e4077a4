package oci

// The registry that tests stand on, and what its clients do.

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
	"larder/store/storetest"
)

type (
	answer = wiretest.Answer
	option = wiretest.Option
	fields = wiretest.Fields
)

// smallBlob is the size in bytes up to which a blob is sent from memory.
const smallBlob = 64 << 10

// rig is a whole registry in-process.
type rig struct{ *wiretest.Rig }

type rigOptions struct {
	wiretest.Options
	oci Options
}

// newRig opens a registry with the user ada (password "secret"), who may do everything, acting as "ada".
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	o := rigOptions{Options: wiretest.Options{Check: checkVersion}}
	for _, f := range opts {
		f(&o)
	}
	return &rig{wiretest.New(t, o.Options, protocolOf(o.oci))}
}

func protocolOf(o Options) func(wire.Deps) wire.Protocol {
	return func(d wire.Deps) wire.Protocol { return New(d, o) }
}

// checkVersion: every answer below /v2/ says which protocol it speaks.
func checkVersion(t testing.TB, r *http.Request, a answer) {
	t.Helper()
	if v := a.Header.Get("Docker-Distribution-Api-Version"); v != "registry/2.0" && a.Status != http.StatusNotFound {
		t.Errorf("%s %s: Docker-Distribution-Api-Version %q", r.Method, r.URL, v)
	}
}

// want fails unless the answer has the status, and the code if it is not "".
func (g *rig) want(a answer, status int, code string) answer {
	g.T.Helper()
	if a.Status != status || (code != "" && codeOf(a) != code) {
		g.T.Fatalf("got %v, want %d %s", a, status, code)
	}
	return a
}

// code is the code of the first error.
func codeOf(a answer) string {
	var e struct {
		Errors []struct{ Code string } `json:"errors"`
	}
	if json.Unmarshal([]byte(a.Body), &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Code
}

// blob pushes content in one POST and returns its digest.
func (g *rig) blob(repo, content string) digest.Digest {
	g.T.Helper()
	d := digest.FromString(content)
	g.want(g.Ada("POST", "/v2/"+repo+"/blobs/uploads/?digest="+d.String(), content), 201, "")
	return d
}

func descriptor(mediaType string, d digest.Digest, size int) fields {
	return fields{"mediaType": mediaType, "digest": d, "size": size}
}

// image renders an image manifest over config and layers, all of which it pushes to repo.
func (g *rig) image(repo, config string, layers ...string) string {
	g.T.Helper()
	return wiretest.JSON(g.imageFields(repo, config, layers...))
}

func (g *rig) imageFields(repo, config string, layers ...string) fields {
	g.T.Helper()
	list := []fields{}
	for _, l := range layers {
		list = append(list, descriptor("application/vnd.oci.image.layer.v1.tar+gzip", g.blob(repo, l), len(l)))
	}
	return fields{
		"schemaVersion": 2, "mediaType": manifest.TypeImage, "layers": list,
		"config": descriptor("application/vnd.oci.image.config.v1+json", g.blob(repo, config), len(config)),
	}
}

// put pushes a manifest under a tag or digest.
func (g *rig) put(repo, ref, image string, opts ...option) answer {
	g.T.Helper()
	var m struct{ MediaType string }
	if err := json.Unmarshal([]byte(image), &m); err != nil {
		g.T.Fatal(err)
	}
	opts = append([]option{wiretest.Header("Content-Type", m.MediaType)}, opts...)
	return g.Ada("PUT", "/v2/"+repo+"/manifests/"+ref, image, opts...)
}

// push pushes an image with one layer under a tag and returns its bytes and digest.
func (g *rig) push(repo, tag, layer string) (string, digest.Digest) {
	g.T.Helper()
	m := g.image(repo, `{"layer":"`+layer+`"}`, layer)
	g.want(g.put(repo, tag, m), 201, "")
	return m, digest.FromString(m)
}

func withPolicies(p ...store.Policy) func(*rigOptions) {
	return func(o *rigOptions) { o.Store = append(o.Store, storetest.WithPolicies(p...)) }
}

func newClock() *storetest.Clock { return storetest.NewClock() }

func withClock(c *storetest.Clock) func(*rigOptions) { return func(o *rigOptions) { o.WithClock(c) } }

// sweepAll lets two grace periods pass and sweeps twice: loose holds first, then what nobody holds.
func (g *rig) sweepAll(c *storetest.Clock) {
	g.T.Helper()
	for range 2 {
		c.Advance(2 * time.Hour)
		if _, err := g.Store.Sweep(context.Background(), store.SweepOptions{}); err != nil {
			g.T.Fatal(err)
		}
	}
}

func putBlob(t testing.TB, s *store.Store, content string) store.Blob {
	return storetest.Put(t, s, content)
}

func brokenAt(
	t *testing.T, prepare func(*testing.T, *store.Store), action func(*testing.T, *store.Store) error,
	test func(*testing.T, string, error),
) {
	storetest.BrokenAt(t, prepare, action, test)
}
