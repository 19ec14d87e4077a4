package npm

// What publishing and reading cost, by the number of versions.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wiretest"
	"larder/npm/archive"
	"larder/npm/names"
	"larder/store"
	"larder/store/storetest"
)

// manifestOfSize is like a real one: a kilobyte or so.
func manifestOfSize(name, version string) rawjson.Object {
	deps := fields{}
	for i := range 12 {
		deps[fmt.Sprintf("dependency-%02d", i)] = "^1.2.3"
	}
	return object(wiretest.JSON(fields{
		"name": name, "version": version, "description": strings.Repeat("what it does ", 8), "dependencies": deps,
		"devDependencies": deps, "license": "MIT", "main": "index.js", "gitHead": fmt.Sprintf("%040x", len(version)),
		"repository": fields{"type": "git", "url": "git+https://git.example.com/a/b.git"},
	}))
}

// fillPackage writes n versions without their tarballs' way through HTTP.
func fillPackage(t testing.TB, s *store.Store, name string, n int) {
	t.Helper()
	repo := store.NewRepo[Meta](s, store.NPM)
	storetest.FillWith(t, s, n, func(tx *store.Tx, i int, file store.Blob) error {
		return repo.In(tx, name, func(tx *store.PackageTx[Meta]) error {
			return fillVersion(tx, fmt.Sprintf("%d.%d.%d", i/400, i/20%20, i%20), int64(i), file)
		})
	})
	err := repo.Update(context.Background(), name, func(tx *store.PackageTx[Meta]) error {
		return tx.SetTag("latest", "0.0.1", store.TagCond{})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkFill writes large registries for internal/bench.
func BenchmarkFill(b *testing.B) {
	storetest.Fill(b, func(s *store.Store, tx *store.Tx, name, id string, file store.Blob) error {
		return store.NewRepo[Meta](s, store.NPM).In(tx, name, func(tx *store.PackageTx[Meta]) error {
			if err := fillVersion(tx, id, 0, file); err != nil {
				return err
			}
			v, err := tx.Version(id)
			if err == nil {
				err = tx.SetTag("latest", id, store.TagCond{})
			}
			if err == nil {
				err = setListing(tx, manifestOfSize(name, id), v)
			}
			return err
		})
	})
}

// fillVersion publishes one version, the ith.
func fillVersion(tx *store.PackageTx[Meta], id string, i int64, file store.Blob) error {
	name := tx.Name()
	m := manifestOfSize(name, id)
	v := store.Version[Meta]{
		ID: id, Published: time.Unix(1_700_000_000+i*1000, 0).UTC(), By: "ada",
		Files: []store.File{{Name: names.Tarball(name, id), Digest: file.Digest}},
	}
	v.Meta = Meta{Manifest: registry.Part{JSON: m.Encode()}, Short: registry.Part{
		JSON: archive.Short(m).Encode(),
	}, Integrity: "sha512-x",
		Dist: fmt.Sprintf(`"integrity":"sha512-%s","shasum":"%040x","fileCount":3,"unpackedSize":1234,`+
			`"signatures":[{"keyid":"SHA256:x","sig":"%s"}]`,
			strings.Repeat("a", 86)+"==", i, strings.Repeat("b", 96))}
	if err := tx.Publish(v); err != nil {
		return err
	}
	return putFragment(tx, v)
}

// BenchmarkFirstRender is a packument nobody has asked for since the last change: rendered, hashed, compressed.
func BenchmarkFirstRender(b *testing.B) {
	for _, n := range []int{10, 1000, 5000} {
		for _, form := range []string{formFull, formShort} {
			b.Run(fmt.Sprintf("%d/%s", n, form), func(b *testing.B) {
				g := newRig(b)
				fillPackage(b, g.Store, "big", n)
				i := 0
				for b.Loop() {
					i++
					base := fmt.Sprintf("http://%d.example.com/npm", i) // another base, another document
					key := store.DocKey{Kind: store.NPM, Package: "big", Base: base, Format: form}
					doc, err := g.Store.Document(context.Background(), key, func(ctx context.Context) (store.Rendered, error) {
						return g.s.render(ctx, "big", base, form)
					})
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
}

// handlerOf is the registry without a network.
func handlerOf(b *testing.B, s *store.Store) http.Handler {
	return New(serve(b, s).Deps, Options{}).Handler
}

// BenchmarkCached is a packument from memory, whole and as 304, beside bare handlers that do nothing else.
func BenchmarkCached(b *testing.B) {
	s := storetest.New(b)
	fillPackage(b, s, "big", 5000)
	h := handlerOf(b, s)
	request := func(etag string) *http.Request {
		r := httptest.NewRequest("GET", "/npm/big", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		return r
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(""))
	etag, body := w.Header().Get("ETag"), w.Body.Bytes()
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(body)
	})
	for name, h := range map[string]http.Handler{"larder": h, "bare": bare} {
		srv := httptest.NewServer(h)
		defer srv.Close()
		for what, tag := range map[string]string{"200": "", "304": etag} {
			b.Run(what+"/"+name, func(b *testing.B) {
				client := srv.Client()
				for b.Loop() {
					r := request(tag)
					r.RequestURI = ""
					r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(srv.URL, "http://")
					resp, err := client.Do(r)
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
	for _, n := range []int{10, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newRig(b)
			fillPackage(b, g.Store, "big", n)
			i := 0
			for b.Loop() {
				b.StopTimer()
				i++
				doc := wiretest.JSON(newRelease("big", fmt.Sprintf("99.0.%d", i)).document())
				b.StartTimer()
				if a := g.Do("PUT", "/big", doc, g.As("ada")); a.Status != 201 {
					b.Fatal(a)
				}
			}
		})
	}
}
