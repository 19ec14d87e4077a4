package server

// This file publishes new names while their upstreams are in trouble, for every protocol.

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
)

// firstAnswers are upstreams that do not say whether a name exists, by what they do instead.
func firstAnswers(t *testing.T) map[string]string {
	serve := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	status := func(code int) string {
		return serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	dead := httptest.NewServer(nil)
	dead.Close()
	release := make(chan struct{})
	slow := serve(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	return map[string]string{
		"dead": dead.URL, "401": status(401), "403": status(403), "500": status(500), "503": status(503), "slow": slow,
		"empty": status(200), "page": serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>"))
		}),
	}
}

// TestFirstPublishDoesNotWaitForUpstreams: a new name is published whatever happens to its upstream, after a second at
// most, and the answer and the journal say that it was not compared.
func TestFirstPublishDoesNotWaitForUpstreams(t *testing.T) {
	folder := testConfig(t)
	if err := start(t, folder, nil).end(t); err != nil {
		t.Fatal(err)
	}
	for name, url := range firstAnswers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			if err := os.CopyFS(cfg.Data, os.DirFS(folder.Data)); err != nil {
				t.Fatal(err)
			}
			for _, sp := range specimens() {
				cfg.Upstreams = append(cfg.Upstreams, config.Upstream{Config: upstream.Config{Kind: sp.kind, Name: "origin",
					URL: url + sp.upstream}})
			}
			server := start(t, cfg, nil)
			for _, sp := range specimens() {
				begin := time.Now()
				sp.publish(t, "http://"+server.addr)
				// Upstreams get a second. The rest is the machine's, which may be busy: an upstream waited for to its
				// own end would take more than ten.
				took := time.Since(begin)
				t.Logf("%s: published after %s", sp.kind, took)
				if took > 10*time.Second {
					t.Errorf("%s: published after %s", sp.kind, took)
				}
				entries, _, err := server.store.Entries(t.Context(), store.EntryFilter{Kind: sp.kind, Op: store.OpPublish}, 0, 9)
				if err != nil {
					t.Fatal(err)
				}
				if sp.kind == store.OCI && (name == "401" || name == "403") {
					continue // hubs answer so to strangers for what does not exist: it was compared
				}
				if len(entries) == 0 || !strings.Contains(entries[0].Note, "was not compared with the upstream registry origin") {
					t.Errorf("%s: the journal has %+v, not that the name was not compared", sp.kind, entries)
				}
			}
		})
	}
}
