package e2e

// This file looks at pages of images and of copies with a browser: what two servers have, of which one keeps copies of
// the other.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/opencontainers/go-digest"

	"larder/internal/miniclient"
)

// admin is a client of a server that may do everything.
func admin(base string) *miniclient.Server {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth("admin", crashPassword)
	return &miniclient.Server{Base: base, Auth: r.Header.Get("Authorization"), HTTP: http.DefaultClient}
}

// sent sends one request, which must succeed.
func (b *browser) sent(s *miniclient.Server, method, path string, body []byte, header ...string) miniclient.Answer {
	b.t.Helper()
	a, err := s.Do(b.t.Context(), method, path, body, header...)
	if err != nil || a.Status >= 300 {
		b.t.Fatalf("%s %s: %d %s %v", method, path, a.Status, a.Body, err)
	}
	return a
}

// object is a JSON object.
type object = map[string]any

// pushImage pushes an image of two platforms with a readme, a signature and a list of its contents; it returns the
// digest of its index.
func (b *browser) pushImage(s *miniclient.Server, repo, tag string) digest.Digest {
	b.t.Helper()
	const image, index = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
	blob := func(text, mediaType string) object {
		d := digest.FromString(text)
		b.sent(s, "POST", "/v2/"+repo+"/blobs/uploads/?digest="+d.String(), []byte(text))
		return object{"mediaType": mediaType, "digest": d, "size": len(text)}
	}
	put := func(ref string, of object) object {
		body, err := json.Marshal(of)
		if err != nil {
			b.t.Fatal(err)
		}
		d := digest.FromBytes(body)
		if ref == "" {
			ref = d.String()
		}
		mediaType := of["mediaType"].(string)
		b.sent(s, "PUT", "/v2/"+repo+"/manifests/"+ref, body, "Content-Type", mediaType)
		return object{"mediaType": mediaType, "digest": d, "size": len(body)}
	}
	const layer, config = "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.config.v1+json"
	made := []object{
		{"created_by": "/bin/sh -c #(nop) ADD rootfs.tar.xz / "},
		{"created_by": "RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates " +
			"tzdata libvips42 && rm -rf /var/lib/apt/lists/* # buildkit"},
		{"created_by": "WORKDIR /srv", "empty_layer": true}, {"created_by": "COPY public/ /srv/public/ # buildkit"},
		{"created_by": `ENTRYPOINT ["/srv/server" "--listen" "0.0.0.0:8080"]`, "empty_layer": true},
	}
	var children []object
	for _, arch := range []string{"amd64", "arm64"} {
		of, err := json.Marshal(object{
			"os": "linux", "architecture": arch, "created": "2026-11-28T12:55:41Z", "history": made,
			"config": object{
				"User": "990", "WorkingDir": "/srv", "Entrypoint": []string{"/srv/server", "--listen", "0.0.0.0:8080"},
				"Env": []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC"},
				"Labels": object{
					"org.opencontainers.image.source": "https://git.example.com/team/web", "com.acme.owner": "frontend <b>",
				},
			},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		child := put("", object{
			"schemaVersion": 2, "mediaType": image, "config": blob(string(of), config), "layers": []object{
				blob(strings.Repeat("base", 70_000), layer), blob(strings.Repeat(arch, 9_000), layer), blob(arch, layer),
			},
		})
		child["platform"] = object{"os": "linux", "architecture": arch}
		children = append(children, child)
	}
	list := put(tag, object{
		"schemaVersion": 2, "mediaType": index, "manifests": children,
		"annotations": object{"org.opencontainers.image.description": "The web front end, with everything it serves."},
	})
	for _, of := range []string{
		"application/vnd.dev.cosign.artifact.sig.v1+json", "application/spdx+json", "text/markdown",
	} {
		put("", object{
			"schemaVersion": 2, "mediaType": image, "artifactType": of, "subject": list,
			"config": blob("{}", "application/vnd.oci.empty.v1+json"),
			"layers": []object{blob("# "+of+"\n\n![x](https://img.example.com/x.png)", of)},
		})
	}
	return list["digest"].(digest.Digest)
}

// copies starts a server that keeps copies of the browser's, and leads the browser there.
func (b *browser) copies() *miniclient.Server {
	b.t.Helper()
	var conf strings.Builder
	conf.WriteString("upstreams:\n")
	for _, p := range miniclient.All() {
		fmt.Fprintf(&conf, "  - {kind: %s, name: origin, url: %q}\n", p.Kind, b.base+p.Registry)
	}
	conf.WriteString("blocked: [\"*:*pantry@1.1.0\"]\n")
	file := filepath.Join(b.t.TempDir(), "larder.yaml")
	if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
		b.t.Fatal(err)
	}
	s := startCrashServer(b.t, b.t.TempDir(), "--config", file)
	b.base = "http://" + s.addr
	return admin(b.base)
}

// TestBrowserShowsImagesAndCopies opens the page of an image, and for each kind that of a package of which a file is
// kept, and of one of which only the document of its upstream is.
func TestBrowserShowsImagesAndCopies(t *testing.T) {
	b := newBrowser(t)
	ctx := context.Background()
	id := b.pushImage(admin(b.base), "team/web", "1.9.0")
	b.look([]seenPage{
		{name: "image", path: "/ui/oci/team/web/-/m/" + id.String()},
		{name: "image-package", path: "/ui/oci/team/web"},
		{name: "image-tags", path: "/ui/oci/team/web/-/tags"},
		{name: "image-arm", path: "/ui/oci/team/web/-/m/" + id.String() + "?platform=linux/arm64"},
	})
	s := b.copies()
	pages := []seenPage{
		{name: "image-copy", path: "/ui/oci/origin/team/web/-/m/" + id.String()},
		{name: "oci-copy-tags", path: "/ui/oci/origin/team/web/-/tags"},
		{name: "search-copies", path: "/ui/search?q=pantry&origin=copy"},
		{name: "npm-copies", path: "/ui/npm?origin=copy"},
	}
	for _, p := range miniclient.All() {
		prefix := ""
		if p.Kind == "oci" {
			prefix = "origin/"
		}
		file, err := p.Make("pantry", "1.0.0", bytes.Repeat([]byte("1.0.0"), 100))
		if err != nil {
			t.Fatal(err)
		}
		r := miniclient.Release{Name: "pantry", Version: "1.0.0", File: file}
		document, err := p.Listed(ctx, s, prefix, r)
		if err != nil {
			t.Fatal(err)
		}
		at := "/ui/" + p.Kind + "/" + nameOf(p.Kind)
		b.open(at)
		page := get(b, at, chromedp.OuterHTML(chromedp.CSS("main")))
		if !strings.Contains(page, "copy of") {
			t.Errorf("%s, of which a document is kept: %s", at, page)
		}
		b.picture(p.Kind + "-copy-document.png")
		path, err := p.File(prefix, document, r)
		if err != nil {
			t.Fatal(err)
		}
		b.sent(s, "GET", path, nil)
		pages = append(pages, seenPage{name: p.Kind + "-copy", path: at},
			seenPage{name: p.Kind + "-copy-versions", path: at + "/-/versions"})
	}
	b.sent(s, "GET", "/v2/origin/team/web/manifests/1.9.0", nil)
	b.look(pages)
}

// nameOf is the name of the package that is copied of each kind.
func nameOf(kind string) string {
	names := map[string]string{"oci": "origin/team/pantry", "maven": "com.acme:pantry", "composer": "acme/pantry"}
	if name, ok := names[kind]; ok {
		return name
	}
	return "pantry"
}
