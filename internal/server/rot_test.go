package server

// This file damages files on the disk of a server.

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/config"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// TestRotOfHostedPackages: a flipped byte in every blob of a package of each kind is found by a scrub and named by
// package; readers get an error and never the wrong bytes, by GET, HEAD and Range; publishing the same again repairs it
// all.
func TestRotOfHostedPackages(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			l := start(t, cfg, nil)
			base := "http://" + l.addr
			sp.publish(t, base)
			_, want, err := fetchURL(t, base+sp.file, sp.head)
			if err != nil {
				t.Fatal(err)
			}
			flipAll(t, cfg.Data)
			report, err := l.store.Scrub(t.Context(), store.ScrubOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if report.Found == 0 || report.Found != report.Blobs {
				t.Errorf("the scrub found %d of %d damaged blobs", report.Found, report.Blobs)
			}
			for _, d := range report.Damages {
				if len(d.Where) == 0 || d.Where[0].Kind != sp.kind ||
					!strings.Contains(d.Where[0].Package, "app") && !strings.Contains(d.Where[0].Package, "demo") {
					t.Errorf("the damage of %s is in %+v, want the package's name", d.Digest, d.Where)
				}
			}
			mustNotServe(t, base, sp, want)
			if _, body, _ := fetchURL(t, base+"/healthz", nil); !strings.Contains(body, `"damaged_blobs":`) ||
				strings.Contains(body, `"damaged_blobs":0`) {
				t.Errorf("health says %s, want the number of damaged blobs", body)
			}
			sp.again(t, base)
			if n := l.store.DamagedBlobs(); n != 0 {
				left, err := l.store.Damages(t.Context())
				t.Errorf("after publishing again %d blobs are damaged: %+v %v", n, left, err)
			}
			if resp, body, err := fetchURL(t, base+sp.file, sp.head); err != nil || resp.StatusCode != 200 || body != want {
				t.Errorf("%s after publishing again: %v %v, want what was published", sp.file, resp, err)
			}
		})
	}
}

// again publishes a specimen once more. What is here already is a 200 of Composer's, not a 201.
func (sp specimen) again(t *testing.T, base string) {
	if sp.kind != store.Composer {
		sp.publish(t, base)
		return
	}
	send(t, "PUT", base+"/composer/", composerArchive(), "application/zip", 200)
}

// flipAll changes a byte of every blob in the folder.
func flipAll(t *testing.T, data string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(data, "blobs", "sha256"), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			storetest.Damage(t, data, digest.NewDigestFromEncoded(digest.SHA256, e.Name()), "flip")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mustNotServe asks for a damaged file in every way: each is an error, and the document that speaks of it never has
// other bytes.
func mustNotServe(t *testing.T, base string, sp specimen, want string) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, spec := range []string{"", "bytes=0-99", "bytes=-5"} {
			r, err := http.NewRequest(method, base+sp.file, nil)
			if err != nil {
				t.Fatal(err)
			}
			if spec != "" {
				r.Header.Set("Range", spec)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			status := http.StatusInternalServerError
			if sp.kind == store.OCI && method == http.MethodHead {
				status = http.StatusNotFound // so that clients push it again
			}
			if err != nil || resp.StatusCode != status || strings.Contains(want, string(body)) && len(body) > 0 {
				t.Errorf("%s %s %q: %d %.200q %v, want %d", method, sp.file, spec, resp.StatusCode, body, err, status)
			}
			if method == http.MethodGet && !strings.Contains(string(body), "damaged") {
				t.Errorf("%s %s: %.200q, want a sentence that says what is wrong", method, sp.file, body)
			}
		}
	}
}

// TestRotOfCopies: a flipped byte in every copied blob of each kind is found and named, files are fetched again without
// anybody asking, documents with the next request, and without the upstream nobody gets the wrong bytes.
func TestRotOfCopies(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			origin := start(t, testConfig(t), nil)
			up := "http://" + origin.addr
			sp.publish(t, up)
			cfg := testConfig(t)
			cfg.Upstreams = []config.Upstream{{Config: upstream.Config{Kind: sp.kind, Name: "origin", URL: up + sp.upstream}}}
			l := start(t, cfg, nil)
			base := "http://" + l.addr
			want := map[string]string{}
			for _, path := range []string{sp.meta, sp.file} {
				resp, body, err := fetchURL(t, base+path, sp.head)
				if err != nil || resp.StatusCode != 200 {
					t.Fatalf("%s: %v %v", path, resp, err)
				}
				want[path] = body
			}
			flipAll(t, cfg.Data)
			report, err := l.store.Scrub(t.Context(), store.ScrubOptions{})
			if err != nil || report.Found == 0 || report.Found != report.Blobs {
				t.Fatalf("the scrub found %d of %d damaged blobs (%v)", report.Found, report.Blobs, err)
			}
			for _, d := range report.Damages {
				if len(d.Where) == 0 || d.Where[0].Kind != sp.kind || !d.Where[0].Copy || d.Where[0].Package == "" {
					t.Errorf("the damage of %s is in %+v, want the copy's name", d.Digest, d.Where)
				}
			}
			l.remote.SetOffline(true)
			if resp, body, err := fetchURL(t, base+sp.file, sp.head); err != nil || resp.StatusCode < 400 ||
				body == want[sp.file] {
				t.Errorf("%s offline: %v %v, want an error", sp.file, resp, err)
			}
			l.remote.SetOffline(false)
			if _, err := l.remote.Mend(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, d := range report.Damages {
				for _, at := range d.Where {
					if l.store.Damaged(d.Digest) != nil && strings.HasSuffix(sp.file, at.File) && at.File != "" {
						t.Errorf("%s was not fetched again", at)
					}
				}
			}
			for _, path := range []string{sp.meta, sp.file} {
				if resp, body, err := fetchURL(t, base+path, sp.head); err != nil || resp.StatusCode != 200 || body != want[path] {
					t.Errorf("%s after mending: %v %v, want what it was", path, resp, err)
				}
			}
		})
	}
}
