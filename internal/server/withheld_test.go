package server

// This file lists and logs what clients are refused, files as well as documents, for every protocol.

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
)

// TestRefusedFilesAreOnTheListOfMisses: by a rule, by the upstream, and by one whose refusals mean absence.
func TestRefusedFilesAreOnTheListOfMisses(t *testing.T) {
	versions := map[store.Kind]string{store.Maven: "1.0", store.OCI: "v1"}
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			version := versions[sp.kind]
			if version == "" {
				version = "1.0.0"
			}
			rule := string(sp.kind) + ":" + storedNames[sp.kind] + "@" + version
			for _, c := range []struct {
				what, forbidden, blocked, reason, log string
			}{
				{"blocked", "", rule, upstream.MissBlocked, "withheld by a rule"},
				{"refused", "", "", upstream.MissRefused, "refused by an upstream"},
				{"refused for absence", upstream.ForbiddenAbsent, "", upstream.MissRefused, "taken as absent"},
			} {
				way := newFaulty(t, o.url)
				var refuses atomic.Bool
				way.inject(-1, anyRequest, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
					if refuses.Load() && !strings.HasSuffix(r.URL.Path, "config.json") {
						w.WriteHeader(http.StatusForbidden)
						return
					}
					r.Header.Del("Authorization") // the origin has other users
					pass.ServeHTTP(w, r)
				})
				cfg := testConfig(t)
				if err := os.CopyFS(cfg.Data, os.DirFS(o.folder)); err != nil {
					t.Fatal(err)
				}
				cfg.Upstreams = []config.Upstream{{Config: upstream.Config{Kind: sp.kind, Name: "origin",
					URL: way.URL + sp.upstream, User: "ada", Password: "secret", Forbidden: c.forbidden}}}
				path := sp.file
				if c.blocked != "" {
					cfg.Copies.Blocked = []string{c.blocked}
					if sp.kind == store.OCI { // layers are not versions
						path = sp.meta
					}
				}
				server := start(t, cfg, nil)
				base := "http://" + server.addr
				if path != sp.meta {
					if resp, _, err := fetchURL(t, base+sp.meta, sp.head); err != nil || resp.StatusCode >= 500 {
						t.Fatalf("%s: the document is %v, %v", c.what, resp, err)
					}
				}
				if misses, err := server.remote.Misses(t.Context()); err != nil || len(misses) > 0 {
					t.Fatalf("%s: the list of misses is %+v, %v before anything is refused", c.what, misses, err)
				}
				refuses.Store(true)
				resp, body, err := fetchURL(t, base+path, sp.head)
				if err != nil || resp.StatusCode < 400 || resp.StatusCode >= 500 {
					t.Fatalf("%s: %s is %v %.300s, %v, want a refusal", c.what, path, resp, body, err)
				}
				misses, err := server.remote.Misses(t.Context())
				if err != nil || len(misses) != 1 || misses[0].Reason != c.reason ||
					!strings.HasSuffix(misses[0].Package, storedNames[sp.kind]) {
					t.Errorf("%s: the list of misses is %+v, %v, want %s with the reason %q", c.what, misses, err,
						storedNames[sp.kind], c.reason)
				}
				if text := server.log.String(); !strings.Contains(text, c.log) {
					t.Errorf("%s: the log has no %q", c.what, c.log)
				}
			}
		})
	}
}
