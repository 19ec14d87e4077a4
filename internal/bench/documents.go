package main

// This file measures the memory of copies of long documents: of each kind one is fetched cold by one client.

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

const (
	longEntries = 15_000
	longGems    = 300_000
)

// longDocument is a document of an upstream, and what a client asks its copy for.
type longDocument struct {
	kind, what string
	registry   string // path of the upstream's URL
	path       string // of the copy
	accept     string
	typ        string // of the upstream's answer
	body       string
	also       map[string]string // further answers of the upstream, by path
}

// longDocuments are one of each kind whose registries have documents that grow with the number of versions.
func longDocuments() []longDocument {
	return []longDocument{longPackument(), longProject(), longIndex(), longMetadata(), longVersions()}
}

// words is text that compresses as descriptions do, another one for each seed.
func words(seed, n int) string {
	var b strings.Builder
	for i := seed; b.Len() < n; i = (i*1103515245 + 12345) & 0x7fffffff {
		fmt.Fprintf(&b, "%x ", i)
	}
	return b.String()[:n]
}

func longPackument() longDocument {
	var b strings.Builder
	last := fmt.Sprintf("1.0.%d", longEntries-1)
	fmt.Fprintf(&b, `{"_id":"long","name":"long","dist-tags":{"latest":%q},"versions":{`, last)
	for i := range longEntries {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"1.0.%[1]d":{"name":"long","version":"1.0.%[1]d","description":%[2]q,"license":"MIT","scripts":`+
			`{"test":%[2]q},"dependencies":{"a":"^1.0.0","b":"^2.0.0","c":"~3.1.0"},"devDependencies":{"x":%[3]q},`+
			`"dist":{"tarball":"http://HOST/long/-/long-1.0.%[1]d.tgz","shasum":"%040[1]x","integrity":"sha512-%086[1]x==",`+
			`"signatures":[{"keyid":"SHA256:x","sig":%[2]q}]},"readme":%[3]q}`, i, words(i, 120), words(i+1, 1200))
	}
	b.WriteString(`},"time":{"created":"2020-01-01T00:00:00.000Z"`)
	for i := range longEntries {
		fmt.Fprintf(&b, `,"1.0.%d":"2020-01-01T00:00:00.000Z"`, i)
	}
	b.WriteString(`}}`)
	return longDocument{kind: "npm", what: "packument", path: "/npm/long", typ: "application/json", body: b.String()}
}

func longProject() longDocument {
	var b strings.Builder
	b.WriteString(`{"meta":{"api-version":"1.1"},"name":"long","versions":[`)
	for i := range longEntries {
		fmt.Fprintf(&b, `%s"1.%d"`, strings.Repeat(",", min(i, 1)), i)
	}
	b.WriteString(`],"files":[`)
	for i := range longEntries {
		fmt.Fprintf(&b, `%[1]s{"filename":"long-1.%[2]d-py3-none-any.whl","url":"http://HOST/files/%064[2]x/`+
			`long-1.%[2]d-py3-none-any.whl","hashes":{"sha256":"%064[2]x"},"requires-python":">=3.8","size":5000,`+
			`"upload-time":"2020-01-01T00:00:00.000000Z","yanked":false,"core-metadata":{"sha256":"%064[2]x"}}`,
			strings.Repeat(",", min(i, 1)), i)
	}
	b.WriteString(`]}`)
	const typ = "application/vnd.pypi.simple.v1+json"
	return longDocument{kind: "pypi", what: "project", registry: "/simple", path: "/simple/long/", accept: typ, typ: typ,
		body: b.String()}
}

func longIndex() longDocument {
	var b strings.Builder
	for i := range longEntries {
		fmt.Fprintf(&b, `{"name":"long","vers":"1.0.%[1]d","deps":[`, i)
		for d := range 8 {
			fmt.Fprintf(&b, `%[1]s{"name":"dep%[2]d","req":"^1.0","features":[],"optional":false,"default_features":true,`+
				`"target":null,"kind":"normal"}`, strings.Repeat(",", min(d, 1)), d)
		}
		fmt.Fprintf(&b, `],"cksum":"%064x","features":{"default":["std"],"std":[]},"yanked":false}`+"\n", i)
	}
	return longDocument{kind: "cargo", what: "index", path: "/cargo/index/lo/ng/long", typ: "text/plain", body: b.String(),
		also: map[string]string{"/config.json": `{"dl":"http://HOST/dl"}`}}
}

func longMetadata() longDocument {
	var b strings.Builder
	b.WriteString(`<metadata><groupId>com.acme</groupId><artifactId>long</artifactId><versioning><versions>`)
	for i := range longEntries {
		fmt.Fprintf(&b, "\n<version>1.0.%d</version>", i)
	}
	b.WriteString(`</versions><lastUpdated>20200101000000</lastUpdated></versioning></metadata>`)
	return longDocument{kind: "maven", what: "metadata", path: "/maven/com/acme/long/maven-metadata.xml",
		typ: "application/xml", body: b.String()}
}

func longVersions() longDocument {
	var b strings.Builder
	b.WriteString("created_at: 2020-01-01T00:00:00Z\n---\n")
	for i := range longGems {
		fmt.Fprintf(&b, "gem-number-%[1]d 1.0.0,1.0.1,1.1.0 %032[1]x\n", i)
	}
	return longDocument{
		kind: "rubygems", what: "versions", path: "/rubygems/versions", typ: "text/plain", body: b.String(),
	}
}

// serve is an upstream with nothing else.
func (d longDocument) serve() *httptest.Server {
	name := strings.TrimSuffix(strings.TrimPrefix(d.path, "/"+d.kind), "/")
	if d.kind == "cargo" {
		name = strings.TrimPrefix(name, "/index")
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch body := d.also[r.URL.Path]; {
		case body != "":
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "HOST", r.Host)) // a client that left shows itself
		case strings.TrimSuffix(r.URL.Path, "/") == name:
			// As registries do it: compressed, and of a length that is known at the end.
			w.Header().Set("Content-Type", d.typ)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, d.body)
			_ = z.Close()
		default:
			http.NotFound(w, r)
		}
	}))
}

// peakCold is the peak resident size in MiB of a server that was asked once for a copy of d.
func (d longDocument) peakCold(ctx context.Context, e *env) (float64, error) {
	d.body = strings.ReplaceAll(d.body, "HOST", "files.example")
	origin := d.serve()
	defer origin.Close()
	p, err := e.copyOf(ctx, d.kind, origin.URL+d.registry)
	if err != nil {
		return 0, err
	}
	defer p.kill()
	before, err := peakRSS(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	resp, err := newRegistry(p.addr).do(ctx, "GET", d.path, nil, 0, "Accept", d.accept,
		"Accept-Encoding", "gzip")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return 0, err
		}
	}
	n, err := io.Copy(io.Discard, body)
	if err == nil && n < int64(len(d.body))/2 {
		err = fmt.Errorf("%s: %d bytes of %d came", d.path, n, len(d.body))
	}
	if err != nil {
		return 0, err
	}
	took := time.Since(start)
	peak, err := peakRSS(p.cmd.Process.Pid)
	e.note("%s %s of %.1f MiB: %.0f MiB (%.0f before), %s", d.kind, d.what, float64(len(d.body))/(1<<20), peak, before,
		took.Round(time.Millisecond))
	return peak, err
}

// documentsMemory measures the highest of the peaks that long documents of all kinds make, beside 150 MiB.
func documentsMemory(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	var highest float64
	for _, d := range longDocuments() {
		peak, err := d.peakCold(ctx, e)
		if err != nil {
			return 0, 0, err
		}
		highest = max(highest, peak)
	}
	return 1 / highest, 1.0 / 150, nil
}
