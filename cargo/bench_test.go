package cargo

// Benchmarks of the index and of publishing.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

// BenchmarkFill writes large registries for internal/bench.
func BenchmarkFill(b *testing.B) {
	storetest.Fill(b, func(s *store.Store, tx *store.Tx, name, version string, file store.Blob) error {
		return store.NewRepo[Meta](s, store.Cargo).In(tx, name, func(tx *store.PackageTx[Meta]) error {
			return fillVersion(tx, file, version)
		})
	})
}

// BenchmarkFirstRender is an index file nobody has asked for since the last change: read, joined, hashed, compressed.
func BenchmarkFirstRender(b *testing.B) {
	for _, n := range []int{10, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newRig(b)
			fillCrate(b, g.Store, "big", n)
			for b.Loop() {
				r, err := g.s.renderIndex(b.Context(), "big", formIndex)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(r.Body)))
			}
		})
	}
}

// BenchmarkFresh is a 304 for an index file, beside a bare handler that does nothing else.
func BenchmarkFresh(b *testing.B) {
	g := newRig(b)
	fillCrate(b, g.Store, "big", 300)
	const path = "/cargo/index/3/b/big"
	tag := g.Do("GET", "/index/3/b/big", nil).Header.Get("ETag")
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", r.Header.Get("If-None-Match"))
		w.WriteHeader(http.StatusNotModified)
	})
	for name, h := range map[string]http.Handler{"larder": g.Handler, "bare": bare} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("If-None-Match", tag)
			r.Header.Set("Accept-Encoding", "deflate, gzip")
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}

// BenchmarkPublish publishes into crates of different sizes: the cost must not grow.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newRig(b)
			fillCrate(b, g.Store, "big", n)
			i := 0
			for b.Loop() {
				b.StopTimer()
				i++
				body := newRelease("big", fmt.Sprintf("99.0.%d", i)).body()
				b.StartTimer()
				if a := g.Do("PUT", pathNew, body, g.As("ada")); a.Status != 200 {
					b.Fatal(a)
				}
			}
		})
	}
}
