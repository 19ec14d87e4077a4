package composer

// What rendering, publishing and reading cost.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

// BenchmarkFill writes large registries for internal/bench.
func BenchmarkFill(b *testing.B) {
	storetest.Fill(b, func(s *store.Store, tx *store.Tx, name, version string, file store.Blob) error {
		return store.NewRepo[Meta](s, store.Composer).In(tx, "acme/"+name, func(tx *store.PackageTx[Meta]) error {
			return fillVersion(tx, version+".0", 0, file)
		})
	})
}

// BenchmarkFirstRender is a document nobody has asked for since the last change: rendered, hashed, compressed.
func BenchmarkFirstRender(b *testing.B) {
	for _, n := range []int{10, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newRig(b)
			fillPackage(b, g.Store, "acme/big", n)
			i := 0
			for b.Loop() {
				i++
				base := fmt.Sprintf("http://%d.example.com/composer", i) // another base, another document
				doc, err := g.s.document(context.Background(), "acme/big", base, formReleases)
				if err == nil {
					_, err = doc.Encoded(store.Gzip)
				}
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(doc.Size)
			}
		})
	}
}

// BenchmarkCached is a document from memory, whole and as 304, beside bare handlers that do nothing else.
func BenchmarkCached(b *testing.B) {
	s := storetest.New(b)
	fillPackage(b, s, "acme/big", 2000)
	h := New(serve(b, s).Deps, Options{}).Handler
	request := func(since string) *http.Request {
		r := httptest.NewRequest("GET", "/composer/p2/acme/big.json", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		if since != "" {
			r.Header.Set("If-Modified-Since", since)
		}
		return r
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(""))
	modified, body := w.Header().Get("Last-Modified"), w.Body.Bytes()
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", modified)
		if r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(body)
	})
	for name, h := range map[string]http.Handler{"larder": h, "bare": bare} {
		srv := httptest.NewServer(h)
		defer srv.Close()
		for what, since := range map[string]string{"200": "", "304": modified} {
			b.Run(what+"/"+name, func(b *testing.B) {
				for b.Loop() {
					r := request(since)
					r.RequestURI = ""
					r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(srv.URL, "http://")
					resp, err := srv.Client().Do(r)
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if fmt.Sprint(resp.StatusCode) != what {
						b.Fatal(resp.Status)
					}
				}
			})
		}
	}
}

// BenchmarkPublish publishes into packages of different sizes: the cost must not grow.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{10, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newRig(b)
			fillPackage(b, g.Store, "acme/big", n)
			i := 0
			for b.Loop() {
				b.StopTimer()
				i++
				r := newRelease("acme/big", fmt.Sprintf("99.0.%d", i))
				r.archive()
				b.StartTimer()
				if a := g.put("ada", r); a.Status != 201 {
					b.Fatal(a)
				}
			}
		})
	}
}

// BenchmarkRead is what rendering reads of the store, without writing the document.
func BenchmarkRead(b *testing.B) {
	s := storetest.New(b)
	fillPackage(b, s, "acme/big", 2000)
	g := serve(b, s)
	for b.Loop() {
		p, _, err := g.s.read(context.Background(), "acme/big", false)
		if err != nil || len(p.Fragments) != 2000 {
			b.Fatal(err)
		}
	}
}
