package server

// This file restarts caches: what an upstream has just confirmed is not asked for again, for every protocol.

import (
	"net/http"
	"os"
	"testing"
	"time"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
)

// TestRestartAsksForNothingThatIsFresh: documents were fetched two days ago and confirmed a moment ago.
func TestRestartAsksForNothingThatIsFresh(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			way := newFaulty(t, o.url)
			way.inject(-1, anyRequest, func(w http.ResponseWriter, r *http.Request, pass http.Handler) { pass.ServeHTTP(w, r) })
			cfg := testConfig(t)
			if err := os.CopyFS(cfg.Data, os.DirFS(o.folder)); err != nil {
				t.Fatal(err)
			}
			up := upstream.Config{Kind: o.kind, Name: "origin", URL: way.URL + o.specimen.upstream, Fresh: time.Nanosecond}
			cfg.Upstreams = []config.Upstream{{Config: up}}
			first := start(t, cfg, nil)
			read := func(addr string) {
				t.Helper()
				for _, path := range []string{sp.meta, sp.file} {
					if resp, body, err := fetchURL(t, "http://"+addr+path, sp.head); err != nil || resp.StatusCode != 200 {
						t.Fatalf("%s: %v %.300s, %v, want 200", path, resp, body, err)
					}
				}
			}
			read(first.addr)
			asked := way.injected()
			read(first.addr)
			if again := way.injected(); again == asked {
				t.Fatalf("documents past their lifetime were not asked for")
			}
			first.remote.Close() // all that was answered is stored then
			backdate(t, first.store, sp.kind)
			if err := first.end(t); err != nil {
				t.Fatal(err)
			}
			cfg.Upstreams[0].Fresh = 0
			if err := os.Remove(cfg.AddrFile); err != nil {
				t.Fatal(err)
			}
			second := start(t, cfg, nil)
			asked = way.injected()
			read(second.addr)
			if n := way.injected() - asked; n != 0 {
				t.Errorf("after the restart the upstream was asked %d times, want 0", n)
			}
		})
	}
}

// backdate makes the documents that are kept of a kind two days older.
func backdate(t *testing.T, s *store.Store, k store.Kind) {
	t.Helper()
	repo := store.NewRepo[map[string]any](s, k.Documents())
	list, err := repo.Packages(t.Context(), "", 100)
	if err != nil || len(list) == 0 {
		t.Fatalf("documents are kept of %v, %v, want some", list, err)
	}
	for _, p := range list {
		err := repo.Update(t.Context(), p.Name, func(tx *store.PackageTx[map[string]any]) error {
			for v, err := range tx.Versions("") {
				if err != nil {
					return err
				}
				v.Meta["fetched"] = time.Now().Add(-48 * time.Hour).UTC()
				if err := tx.Replace(v, store.OpCache); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
