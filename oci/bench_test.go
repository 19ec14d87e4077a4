package oci

// What pulls cost.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/oci/manifest"
)

// BenchmarkHotPaths is what pulls ask most: a tag, its manifest, a small blob; in repositories of different sizes.
func BenchmarkHotPaths(b *testing.B) {
	for _, versions := range []int{10, 1000} {
		g := newRig(b)
		_, d := g.push("app", "v1", "layer")
		for i := range versions {
			m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[],"annotations":{"i":"%d"}}`, manifest.TypeIndex, i)
			g.want(g.put("app", fmt.Sprintf("t%d", i), m), 201, "")
		}
		for name, path := range map[string]string{
			"tag":  "/v2/app/manifests/v1",
			"blob": "/v2/app/blobs/" + digest.FromString("layer").String(),
			"tags": "/v2/app/tags/list?n=100",
			"none": "/v2/app/referrers/" + d.String(),
		} {
			for _, method := range []string{"GET", "HEAD"} {
				b.Run(fmt.Sprintf("%s-%s-%d", name, method, versions), func(b *testing.B) {
					r := httptest.NewRequest(method, path, nil)
					g.As("ada")(r)
					b.ReportAllocs()
					for b.Loop() {
						w := httptest.NewRecorder()
						g.Srv.Config.Handler.ServeHTTP(w, r)
						if w.Code != http.StatusOK {
							b.Fatal(w.Code, w.Body)
						}
					}
				})
			}
		}
	}
}
