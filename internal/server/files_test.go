package server

// This file has upstreams that send files otherwise than they were asked to, for every protocol.

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/miniclient"
	"larder/store"
	"larder/upstream"
)

// releases is a server with releases of one protocol, a breakable way to it, and what is there.
type releases struct {
	miniclient.Protocol
	t      *testing.T
	origin *origin
	list   []miniclient.Release
}

// newReleases publishes n releases of size bytes, each of a name of its own.
func newReleases(t *testing.T, p miniclient.Protocol, n, size int) *releases {
	t.Helper()
	server := start(t, testConfig(t), nil)
	r := &releases{Protocol: p, t: t, origin: &origin{specimen: specimen{kind: store.Kind(p.Kind), upstream: p.Registry},
		url: "http://" + server.addr}}
	if p.Kind == string(store.OCI) {
		r.origin.upstream = ""
	}
	cfg := testConfig(t)
	if err := start(t, cfg, nil).end(t); err != nil {
		t.Fatal(err)
	}
	r.origin.folder = cfg.Data
	for i := range n {
		pad := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(pad) // never fails
		r.list = append(r.list, r.publish(fmt.Sprintf("thing%d", i), pad))
	}
	return r
}

// publish publishes a release at the origin.
func (r *releases) publish(name string, pad []byte) miniclient.Release {
	r.t.Helper()
	login := base64.StdEncoding.EncodeToString([]byte("admin:correct-horse"))
	client := &miniclient.Server{Base: r.origin.url, Auth: "Basic " + login, HTTP: http.DefaultClient}
	release := miniclient.Release{Name: name, Version: "1.0.0"}
	var err error
	if release.File, err = r.Make(name, release.Version, pad); err != nil {
		r.t.Fatal(err)
	}
	if a, err := r.Publish(r.t.Context(), client, release); err != nil || a.Status/100 != 2 {
		r.t.Fatalf("publish: %v, %d %.300s", err, a.Status, a.Body)
	}
	return release
}

// copy is a cache by a way of its own.
func (r *releases) copy() (cache *miniclient.Server, way *faulty) {
	base, way := newChainOf(r.t, r.origin, func(*upstream.Config) {})
	return &miniclient.Server{Base: base, HTTP: http.DefaultClient}, way
}

// changed passes a request on and returns the answer, decoded, so that a test may send something else.
func changed(r *http.Request, pass http.Handler) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	for _, name := range []string{"Accept-Encoding", "If-None-Match", "If-Modified-Since", "Range"} {
		r.Header.Del(name)
	}
	pass.ServeHTTP(rec, r)
	for _, name := range []string{"ETag", "Repr-Digest", "Digest", "Accept-Ranges"} {
		rec.Header().Del(name)
	}
	return rec
}

func send200(w http.ResponseWriter, rec *httptest.ResponseRecorder, body []byte) {
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	if len(body) > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body) // a client that left fails its own check
}

// forms are the ways in which upstreams send what is not as it was asked for.
func forms() map[string]func(http.ResponseWriter, *http.Request, http.Handler) {
	return map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"compressed although asked not to": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			rec := changed(r, pass)
			rec.Header().Set("Content-Encoding", "gzip")
			rec.Header().Del("Content-Length")
			send200(w, rec, []byte(gzipOf(rec.Body.String())))
		},
		"labelled as compressed": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			rec := changed(r, pass)
			rec.Header().Set("Content-Encoding", "x-gzip")
			send200(w, rec, rec.Body.Bytes())
		},
		"without sums": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			if sumFile.MatchString(r.URL.Path) {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			rec := changed(r, pass)
			for name := range rec.Header() {
				if strings.HasPrefix(name, "X-Checksum") || name == "Docker-Content-Digest" {
					rec.Header().Del(name)
				}
			}
			body := rec.Body.Bytes()
			if len(body) < 20_000 {
				body = documentSums.ReplaceAll(body, []byte("$1"))
			}
			send200(w, rec, body)
		},
		"without sums, compressed": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			rec := httptest.NewRecorder()
			forms()["without sums"](rec, r, pass)
			if rec.Code == http.StatusOK && !bytes.HasPrefix(rec.Body.Bytes(), []byte{0x1f, 0x8b}) {
				rec.Header().Set("Content-Encoding", "gzip")
				rec.Header().Del("Content-Length")
				rec.Body = bytes.NewBufferString(gzipOf(rec.Body.String()))
			}
			send200(w, rec, rec.Body.Bytes())
		},
		"without HEAD": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			pass.ServeHTTP(w, r)
		},
	}
}

var (
	sumFile = regexp.MustCompile(`\.(md5|sha1|sha256|sha512)$`)
	// documentSums are the sums of files in documents of npm, PyPI, Composer and RubyGems. An index of crates has them
	// always: Cargo wants it so.
	documentSums = regexp.MustCompile(`("(?:integrity|shasum)":")[^"]*|"sha256":"[0-9a-f]{64}"|` +
		`#sha256=[0-9a-f]{64}|checksum:[0-9a-f]{64},?`)
)

// TestFilesComeInAnyForm: the first client and the next get the published bytes, or what was decoded, whatever the
// upstream calls them, and a HEAD announces their size or none.
func TestFilesComeInAnyForm(t *testing.T) {
	for _, p := range miniclient.All() {
		t.Run(p.Kind, func(t *testing.T) {
			t.Parallel()
			all := newReleases(t, p, 1, 700_000)
			release := all.list[0]
			var rows sync.WaitGroup
			for form, fault := range forms() {
				rows.Go(func() {
					cache, way := all.copy()
					way.inject(-1, anyRequest, fault)
					if err := all.heads(cache, release); err != nil {
						t.Errorf("%s: %v", form, err)
					}
					for _, which := range []string{"first", "next"} {
						if err := p.Read(t.Context(), cache, "", release); err != nil {
							t.Errorf("%s: the %s client: %v", form, which, err)
						}
					}
				})
			}
			rows.Wait()
		})
	}
}

// heads asks with HEAD for the file, which is not here yet.
func (r *releases) heads(cache *miniclient.Server, release miniclient.Release) error {
	document, err := r.Listed(r.t.Context(), cache, "", release)
	if err != nil {
		return err
	}
	path, err := r.File("", document, release)
	if err != nil {
		return err
	}
	a, err := cache.Do(r.t.Context(), http.MethodHead, path, nil)
	size := a.Header.Get("Content-Length")
	if err != nil || a.Status != 200 || size != "" && size != fmt.Sprint(len(release.File)) {
		return fmt.Errorf("HEAD %s: %d, %v, Content-Length %q, want 200 and none or %d", path, a.Status, err, size,
			len(release.File))
	}
	return nil
}

// TestSixteenSlowTransfers hold neither a document up nor a small file, whose size need not be known.
func TestSixteenSlowTransfers(t *testing.T) {
	const slow = 16
	for _, p := range miniclient.All() {
		t.Run(p.Kind, func(t *testing.T) {
			t.Parallel()
			all := newReleases(t, p, slow, 3<<19)
			small := all.publish("small", []byte("small"))
			cache, way := all.copy()
			begun, release := make(chan bool, 2*slow), make(chan struct{})
			way.inject(-1, anyRequest, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				held := &holding{ResponseWriter: w, begun: begun, release: release}
				pass.ServeHTTP(held, r)
			})
			var readers sync.WaitGroup
			for _, each := range all.list[:slow] {
				readers.Go(func() {
					if err := p.Read(context.Background(), cache, "", each); err != nil {
						t.Errorf("a slow file: %v", err)
					}
				})
			}
			for range slow {
				select {
				case <-begun:
				case <-time.After(time.Minute):
					t.Fatal("a slow file was not asked for")
				}
			}
			start := time.Now()
			if err := p.Read(t.Context(), cache, "", small); err != nil || time.Since(start) > 5*time.Second {
				t.Errorf("a small file meanwhile: %v after %s, want it at once", err, time.Since(start))
			}
			close(release)
			readers.Wait()
		})
	}
}

// holding stops a large body in its middle.
type holding struct {
	http.ResponseWriter
	begun   chan<- bool
	release <-chan struct{}
	n       int
}

func (h *holding) Write(p []byte) (int, error) {
	const most = 1 << 20
	before := h.n
	h.n += len(p)
	if before < most && h.n >= most {
		h.begun <- true
		<-h.release
	}
	return h.ResponseWriter.Write(p)
}

func (h *holding) Unwrap() http.ResponseWriter { return h.ResponseWriter }
