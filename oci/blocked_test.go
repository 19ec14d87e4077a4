package oci

// Rules about tags, asked for by digest.

import (
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/upstream"
)

// TestStarsForbidDigestsThatHaveNoOtherTag: an image that only forbidden tags point at is refused by its digest, as a
// manifest and as a blob, also once its upstream is gone; one that another tag points at is not.
func TestStarsForbidDigestsThatHaveNoOtherTag(t *testing.T) {
	h := newHub(t)
	_, only := h.push("team/app", "1.0-rc1", "first")
	_, both := h.push("team/app", "2.0-rc1", "second")
	h.push("team/app", "2.0", "second")
	_, other := h.push("team/app", "3.0", "third")
	o := upstream.Options{Upstreams: []upstream.Config{h.config()}, Blocked: []string{"oci:team/app@*-rc*"}}
	g := newRig(t, func(r *rigOptions) { r.Upstreams = &o })
	want := func() {
		t.Helper()
		for ref, status := range map[string]int{
			"manifests/1.0-rc1": 403, "manifests/2.0-rc1": 403, "manifests/" + only.String(): 403, "blobs/" + only.String(): 403,
			"manifests/" + both.String(): 200, "manifests/" + other.String(): 200,
		} {
			if a := g.Ada("GET", "/v2/hub/team/app/"+ref, nil); a.Status != status {
				t.Errorf("%s: %v, want %d", ref, a, status)
			}
		}
	}
	want()
	g.want(g.Ada("GET", "/v2/hub/team/app/manifests/2.0", nil), 200, "")
	h.close()
	want()
	misses, err := g.Deps.Upstreams.Misses(t.Context())
	if err != nil || len(misses) == 0 || misses[0].Reason != upstream.MissBlocked {
		t.Errorf("the list of misses is %+v, %v, want what was forbidden", misses, err)
	}
}

// index pushes an index of manifests under a tag and returns its digest.
func (g *rig) index(repo, tag string, children ...digest.Digest) digest.Digest {
	g.T.Helper()
	list := []fields{}
	for _, d := range children {
		a := g.want(g.Ada("GET", "/v2/"+repo+"/manifests/"+d.String(), nil), 200, "")
		list = append(list, descriptor(a.Header.Get("Content-Type"), d, len(a.Body)))
	}
	body := wiretest.JSON(fields{"schemaVersion": 2, "mediaType": manifest.TypeIndex, "manifests": list})
	g.want(g.put(repo, tag, body), 201, "")
	return digest.FromString(body)
}

// TestBlockedIndexForbidsWhatOnlyItLists: be it named by a tag, a pattern of tags or its digest, and be the image in an
// index within it. An image that another index or tag has may be had, unless that is the same index by another name.
func TestBlockedIndexForbidsWhatOnlyItLists(t *testing.T) {
	h := newHub(t)
	image := func(layer string) digest.Digest {
		_, d := h.push("app", "v-"+layer, layer)
		h.want(h.Ada("DELETE", "/v2/app/manifests/v-"+layer, nil), 202, "")
		return d
	}
	only, nested, both, tagged, free := image("only"), image("nested"), image("both"), image("tagged"), image("free")
	inner := h.index("app", "1.0-rc1-inner", nested)
	index := h.index("app", "1.0-rc1", only, inner, both, tagged)
	h.want(h.Ada("DELETE", "/v2/app/manifests/1.0-rc1-inner", nil), 202, "")
	h.index("app", "2.0", both, free)
	h.want(h.put("app", "arm64", h.Ada("GET", "/v2/app/manifests/"+tagged.String(), nil).Body), 201, "")
	for rule, also := range map[string]string{"1.0-rc1": "latest", "*-rc*": "", index.String(): "latest"} {
		if also != "" {
			h.index("app", also, only, inner, both, tagged)
		}
		o := upstream.Options{Upstreams: []upstream.Config{h.config()}, Blocked: []string{"oci:app@" + rule}}
		g := newRig(t, func(r *rigOptions) { r.Upstreams = &o })
		for d, status := range map[digest.Digest]int{
			index: 403, only: 403, inner: 403, nested: 403, both: 200, tagged: 200, free: 200,
		} {
			for _, kind := range []string{"manifests/", "blobs/"} {
				if a := g.Ada("GET", "/v2/hub/app/"+kind+d.String(), nil); a.Status != status {
					t.Errorf("blocked %s: %s%s: %v, want %d", rule, kind, d, a, status)
				}
			}
		}
		if also != "" {
			h.want(h.Ada("DELETE", "/v2/app/manifests/"+also, nil), 202, "")
		}
	}
}
