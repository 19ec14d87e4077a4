package oci

// What copies cost once they are here.

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/store"
	"larder/upstream"
)

func BenchmarkCopies(b *testing.B) {
	origin := newRig(b)
	origin.push("app", "v1", "layer")
	box := newRig(b, func(o *rigOptions) {
		o.Upstreams = &upstream.Options{Upstreams: []upstream.Config{{Kind: store.OCI, Name: "hub", URL: origin.Srv.URL}}}
	})
	for name, path := range map[string]string{
		"tag":  "/v2/app/manifests/v1",
		"blob": "/v2/app/blobs/" + digest.FromString("layer").String(),
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", path, nil)
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				box.Srv.Config.Handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
