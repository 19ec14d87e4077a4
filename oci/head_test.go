package oci

// HEAD of blobs: what it says of a blob whose file is damaged, and what it costs.

import (
	"strings"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

// TestHeadOfDamagedBlobs: a blob whose file is gone or cut off is not here, so that clients push it again, whatever its
// size.
func TestHeadOfDamagedBlobs(t *testing.T) {
	contents := map[string]string{"small": "layer", "large": strings.Repeat("layer", smallBlob)}
	for _, how := range []string{"missing", "truncate"} {
		dir := t.TempDir()
		g := newRig(t, func(o *rigOptions) { o.Dir = dir })
		for name, content := range contents {
			d := g.blob("app", content)
			path := "/v2/app/blobs/" + d.String()
			g.want(g.Ada("HEAD", path, nil), 200, "")
			storetest.Damage(t, dir, d, how)
			if name == "small" { // it is in memory, where it is right: no file is looked at
				g.want(g.Ada("HEAD", path, nil), 200, "")
				g.want(g.Ada("GET", path, nil), 200, "")
				if _, err := g.Store.Scrub(t.Context(), store.ScrubOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if a := g.Ada("HEAD", path, nil); a.Status != 404 {
				t.Errorf("HEAD of the %s blob, %s: %v, want 404", name, how, a)
			}
			g.blob("app", content)
			g.want(g.Ada("HEAD", path, nil), 200, "")
		}
	}
}
