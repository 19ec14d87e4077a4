package oci

// Rules about tags, asked for by digest.

import (
	"testing"

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
