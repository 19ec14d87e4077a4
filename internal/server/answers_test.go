package server

// This file has upstreams that refuse, or answer 200 with something else, for every protocol.

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
)

// TestWhatUpstreamsAnswerInstead: a refusal is a 403 that says what to set, or absence where the operator says so; a
// page that is not the document is trouble, in its own words; a refused HEAD changes nothing.
func TestWhatUpstreamsAnswerInstead(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			for _, c := range []struct {
				what, body, forbidden string
				code, want            int
				says                  string
			}{
				{"401", "", "", 401, 403, "origin answered 401 to a request with"},
				{"403", "", "", 403, 403, "origin answered 403 to a request with"},
				{"403 for absence", "", upstream.ForbiddenAbsent, 403, 404, ""},
				{"an empty page", "", "", 200, 503, "origin answered an empty page"},
				{"a login", "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>", "", 200,
					503, "origin answered a web page"},
			} {
				change := func(u *upstream.Config) {
					u.User, u.Password, u.Forbidden = "ada", "secret", c.forbidden
				}
				cache, way := newChainOf(t, o, change)
				way.inject(-1, anyRequest, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
					w.Header().Set("Content-Type", "text/html")
					w.WriteHeader(c.code)
					io.WriteString(w, c.body)
				})
				resp, body, err := fetchURL(t, cache+sp.meta, sp.head)
				if err != nil {
					t.Fatal(err)
				}
				if c.want == 404 && sp.kind == store.OCI {
					c.want = 401 // a stranger is asked for a login instead
				}
				if resp.StatusCode != c.want || !strings.Contains(body, c.says) {
					t.Errorf("%s: %d %.300s, want %d and %q", c.what, resp.StatusCode, body, c.want, c.says)
				}
			}
			cache, way := newChainOf(t, o, func(*upstream.Config) {})
			way.inject(-1, func(r *http.Request) bool { return r.Method == http.MethodHead },
				func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
					w.WriteHeader(http.StatusMethodNotAllowed)
				})
			for _, path := range []string{sp.meta, sp.file} {
				r, err := http.NewRequest(http.MethodHead, cache+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != 200 {
					t.Errorf("HEAD %s while the upstream refuses HEAD: %d, want 200", path, resp.StatusCode)
				}
			}
		})
	}
}

// TestUpstreamThatWantsALoginForEverything: files lie beside the index, and get the credentials too.
func TestUpstreamThatWantsALoginForEverything(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			cache, way := newChainOf(t, o, func(u *upstream.Config) { u.User, u.Password = "ada", "secret" })
			way.inject(-1, anyRequest, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				if user, password, _ := r.BasicAuth(); user != "ada" || password != "secret" {
					w.Header().Set("WWW-Authenticate", `Basic realm="origin"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				r.Header.Del("Authorization") // the origin has other users
				pass.ServeHTTP(w, r)
			})
			for _, path := range []string{sp.meta, sp.file} {
				if resp, body, err := fetchURL(t, cache+path, sp.head); err != nil || resp.StatusCode != 200 {
					t.Errorf("%s: %v %.300s, want 200", path, fmt.Sprint(resp, err), body)
				}
			}
		})
	}
}

func anyRequest(*http.Request) bool { return true }

// newChainOf is a cache of o by a breakable way, with its upstream changed.
func newChainOf(t *testing.T, o *origin, change func(*upstream.Config)) (cache string, way *faulty) {
	way = newFaulty(t, o.url)
	cfg := testConfig(t)
	if err := os.CopyFS(cfg.Data, os.DirFS(o.folder)); err != nil {
		t.Fatal(err)
	}
	up := upstream.Config{Kind: o.kind, Name: "origin", URL: way.URL + o.specimen.upstream}
	change(&up)
	cfg.Upstreams = []config.Upstream{{Config: up}}
	return "http://" + start(t, cfg, nil).addr, way
}
