package server

// This file puts faults between a server and its upstream, for every protocol.

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/config"
	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

// specimen is one package of a kind: how it is published, and where its metadata and its file are read.
type specimen struct {
	kind     store.Kind
	upstream string // path that is given to the cache as the upstream's
	publish  func(t *testing.T, base string)
	meta     string // path of a document that changes
	file     string // path of a file that does not
	head     http.Header
}

// faulty is a registry between origin and cache that breaks what it passes on.
type faulty struct {
	*httptest.Server
	mu    sync.Mutex // guards what follows
	match func(*http.Request) bool
	fault func(w http.ResponseWriter, r *http.Request, pass http.Handler)
	left  int // how often the fault is injected; -1: always
	fired int
}

func newFaulty(t *testing.T, origin string) *faulty {
	to, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}
	f := &faulty{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		fault := f.fault
		if fault == nil || f.left == 0 || !f.match(r) {
			fault = nil
		} else {
			f.fired++
			f.left--
		}
		f.mu.Unlock()
		if fault != nil {
			fault(w, r, pass)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *faulty) inject(times int, match func(*http.Request) bool, fault func(http.ResponseWriter, *http.Request,
	http.Handler)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.left, f.match, f.fired = fault, times, match, 0
}

func (f *faulty) injected() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// faults are the eleven ways in which the clients of protocols were seen to fail (status, cut, reset, wrong bytes).
func faults() map[string]func(http.ResponseWriter, *http.Request, http.Handler) {
	status := func(code int, retryAfter string) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(code)
			io.WriteString(w, "<html>trouble</html>")
		}
	}
	whole := func(r *http.Request, pass http.Handler) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		r.Header.Del("Accept-Encoding")
		r.Header.Del("If-None-Match")
		pass.ServeHTTP(rec, r)
		return rec
	}
	return map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"429": status(429, ""), "429 later": status(429, "1"), "500": status(500, ""), "502": status(502, ""),
		"504": status(504, ""),
		"503": status(503, ""), "503 later": status(503, "1"),
		"reset": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				c.Close()
			}
		},
		"cut": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			rec := whole(r, pass)
			w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
			panic(http.ErrAbortHandler)
		},
		"stalled": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			rec := whole(r, pass)
			w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
			w.Write(rec.Body.Bytes()[:min(1, rec.Body.Len())])
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
			panic(http.ErrAbortHandler)
		},
		"wrong": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			rec := whole(r, pass)
			b := bytes.Clone(rec.Body.Bytes())
			for i := range b {
				b[i] ^= 0x20
			}
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			w.Write(b)
		},
	}
}

// chain is an origin with a specimen, a breakable way to it, and a cache.
type chain struct {
	specimen
	t     *testing.T
	way   *faulty
	cache string
	want  map[string]string
}

// origin is a server with a specimen, for all the chains that lead to it.
type origin struct {
	specimen
	url  string
	file string // bytes of the specimen's file
	// folder is a data folder whose users are made already: passwords are what a start takes longest for.
	folder string
}

func newOrigin(t *testing.T, sp specimen) *origin {
	server := start(t, testConfig(t), nil)
	o := &origin{specimen: sp, url: "http://" + server.addr}
	sp.publish(t, o.url)
	_, o.file, _ = fetchURL(t, o.url+sp.file, nil)
	cfg := testConfig(t)
	made := start(t, cfg, nil)
	if err := made.end(t); err != nil {
		t.Fatal(err)
	}
	o.folder = cfg.Data
	return o
}

func newChain(t *testing.T, o *origin, change ...func(*config.Upstream)) *chain {
	c := &chain{specimen: o.specimen, t: t, way: newFaulty(t, o.url), want: map[string]string{o.specimen.file: o.file}}
	cfg := testConfig(t)
	if err := os.CopyFS(cfg.Data, os.DirFS(o.folder)); err != nil {
		t.Fatal(err)
	}
	cfg.Upstreams = []config.Upstream{{Config: upstream.Config{Kind: o.kind, Name: "origin", URL: c.way.URL +
		o.upstream, Fresh: time.Nanosecond}}}
	for _, f := range change {
		f(&cfg.Upstreams[0])
	}
	c.cache = "http://" + start(t, cfg, nil).addr
	return c
}

// fetchURL reads an address; the body may be cut.
func fetchURL(t *testing.T, url string, head http.Header) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range head {
		r.Header[k] = v
	}
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// fetch reads metadata or file through the cache.
func (c *chain) fetch(path string) (status int, later string, took time.Duration) {
	begin := time.Now()
	resp, body, err := fetchURL(c.t, c.cache+path, c.head)
	took = time.Since(begin)
	if err != nil || resp == nil {
		return 0, "", took
	}
	if want := c.want[path]; resp.StatusCode == 200 && want != "" && body != want {
		c.t.Errorf("%s: other bytes than the origin's", path)
	}
	if resp.StatusCode == 200 && strings.Contains(body, strings.TrimPrefix(c.way.URL, "http://")) {
		c.t.Errorf("%s names the upstream", path)
	}
	return resp.StatusCode, resp.Header.Get("Retry-After"), took
}

// TestFaults is the matrix of UPSTREAM's rules: one blip is absorbed, a warm cache does not notice anything, and a cold
// one says 503 with Retry-After in time, never 404.
func TestFaults(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			// They wait more than they work: all at once, whatever the number of processors.
			var all sync.WaitGroup
			for name, fault := range faults() {
				all.Go(func() { testFault(t, o, name, fault) })
			}
			all.Wait()
		})
	}
}

// clientsWait is within what every client waits for an answer: Bundler gives up after ten seconds. What an upstream
// gets of it is upstream.Budget; the rest is the machine's, which may be busy.
const clientsWait = 9500 * time.Millisecond

func testFault(t *testing.T, o *origin, name string, fault func(http.ResponseWriter, *http.Request, http.Handler)) {
	any := func(*http.Request) bool { return true }
	for _, path := range []string{o.meta, o.specimen.file} {
		c := newChain(t, o)
		c.way.inject(1, any, fault)
		if status, _, took := c.fetch(path); status != 200 || c.way.injected() != 1 || took > clientsWait {
			t.Errorf("%s once, cold, %s: %d after %s", name, path, status, took)
		}
		c.fetch(o.meta)
		c.fetch(o.specimen.file)
		c.way.inject(-1, any, fault)
		for range 2 {
			if status, _, took := c.fetch(path); status != 200 || took > clientsWait {
				t.Errorf("%s always, warm, %s: %d after %s", name, path, status, took)
			}
		}
	}
	c := newChain(t, o)
	c.way.inject(-1, any, fault)
	for _, path := range []string{o.meta, o.specimen.file} {
		if status, later, took := c.fetch(path); status != 503 || later == "" || took > clientsWait {
			t.Errorf("%s always, cold, %s: %d after %s, Retry-After %q", name, path, status, took, later)
		}
	}
}

// specimens has one package of every kind that is built in.
func specimens() []specimen {
	return []specimen{npmSpecimen(), ociSpecimen(), cargoSpecimen(), pypiSpecimen(), mavenSpecimen(), composerSpecimen(),
		gemSpecimen()}
}

func npmSpecimen() specimen {
	return specimen{kind: store.NPM, upstream: "/npm", meta: "/npm/demo", file: "/npm/demo/-/demo-1.0.0.tgz",
		publish: func(t *testing.T, base string) {
			tgz := tarGzOf(map[string]string{"package/package.json": `{"name":"demo","version":"1.0.0"}`,
				"package/noise": noise(40_000)})
			s512, s1 := sha512.Sum512(tgz), sha1.Sum(tgz)
			send(t, "PUT", base+"/npm/demo", fmt.Sprintf(
				`{"_id":"demo","name":"demo","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"demo","version":"1.0.0",`+
					`"dist":{"integrity":"sha512-%s","shasum":"%s"}}},"_attachments":{"demo-1.0.0.tgz":{"length":%d,"data":"%s"}}}`,
				base64.StdEncoding.EncodeToString(s512[:]), hex.EncodeToString(s1[:]), len(tgz),
				base64.StdEncoding.EncodeToString(tgz)), "application/json", 201)
		}}
}

func ociSpecimen() specimen {
	blob := noise(40_000)
	layer := fmt.Sprintf("%x", sha256.Sum256([]byte(blob)))
	return specimen{kind: store.OCI, meta: "/v2/team/app/manifests/v1", file: "/v2/team/app/blobs/sha256:" +
		layer, publish: func(t *testing.T, base string) {
		push := func(body string) string {
			d := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(body)))
			send(t, "POST", base+"/v2/team/app/blobs/uploads/?digest="+d, body, "application/octet-stream", 201)
			return d
		}
		config := push("{}")
		push(blob)
		send(t, "PUT", base+"/v2/team/app/manifests/v1",
			fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
				`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":2},`+
				`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%d}]}`, config, layer,
				len(blob)), "application/vnd.oci.image.manifest.v1+json", 201)
	}}
}

func cargoSpecimen() specimen {
	return specimen{kind: store.Cargo, upstream: "/cargo/index", meta: "/cargo/index/de/mo/demo",
		file: "/cargo/api/v1/crates/demo/1.0.0/download", publish: func(t *testing.T, base string) {
			crate := tarGzOf(map[string]string{
				"demo-1.0.0/Cargo.toml": "[package]\nname = \"demo\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
				"demo-1.0.0/src/lib.rs": "", "demo-1.0.0/noise": noise(40_000),
			})
			meta := `{"name":"demo","vers":"1.0.0","deps":[],"features":{},"authors":[],"keywords":[],"categories":[],` +
				`"badges":{}}`
			body := binary.LittleEndian.AppendUint32(nil, uint32(len(meta)))
			body = binary.LittleEndian.AppendUint32(append(body, meta...), uint32(len(crate)))
			send(t, "PUT", base+"/cargo/api/v1/crates/new", string(append(body, crate...)), "", 200)
		}}
}

func pypiSpecimen() specimen {
	sdist := tarGzOf(map[string]string{"demo-1.0.0/PKG-INFO": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0.0\n",
		"demo-1.0.0/noise": noise(40_000)})
	return specimen{kind: store.PyPI, upstream: "/simple", meta: "/simple/demo/",
		file: fmt.Sprintf("/pypi/files/%x/demo-1.0.0.tar.gz", sha256.Sum256(sdist)),
		publish: func(t *testing.T, base string) {
			var b bytes.Buffer
			form := multipart.NewWriter(&b)
			for k, v := range map[string]string{":action": "file_upload", "protocol_version": "1", "metadata_version": "2.1",
				"name": "demo", "version": "1.0.0", "filetype": "sdist", "pyversion": "source",
				"sha256_digest": fmt.Sprintf("%x", sha256.Sum256(sdist))} {
				if err := form.WriteField(k, v); err != nil {
					t.Fatal(err)
				}
			}
			w, err := form.CreateFormFile("content", "demo-1.0.0.tar.gz")
			if err == nil {
				_, err = w.Write(sdist)
			}
			if err == nil {
				err = form.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			send(t, "POST", base+"/pypi/legacy/", b.String(), form.FormDataContentType(), 200)
		}}
}

func mavenSpecimen() specimen {
	const dir = "/maven/com/acme/demo"
	return specimen{kind: store.Maven, upstream: "/maven", meta: dir + "/maven-metadata.xml", file: dir +
		"/1.0/demo-1.0.txt", publish: func(t *testing.T, base string) {
		send(t, "PUT", base+dir+"/1.0/demo-1.0.txt", noise(40_000), "", 201)
		send(t, "PUT", base+dir+"/1.0/demo-1.0.pom",
			`<project><modelVersion>4.0.0</modelVersion><groupId>com.acme</groupId><artifactId>demo</artifactId><version>`+
				`1.0</version><packaging>pom</packaging></project>`, "", 201)
		send(t, "PUT", base+dir+"/maven-metadata.xml",
			`<metadata><groupId>com.acme</groupId><artifactId>demo</artifactId><versioning><release>1.0</release><versions>`+
				`<version>1.0</version></versions></versioning></metadata>`, "", 201)
	}}
}

func composerArchive() string {
	return string(
		wiretest.Zip(wiretest.Files{"composer.json": `{"name":"acme/demo","version":"1.0.0"}`, "noise": noise(40_000)}),
	)
}

func composerSpecimen() specimen {
	archive := composerArchive()
	return specimen{
		kind: store.Composer, upstream: "/composer", meta: "/composer/p2/acme/demo.json",
		file: fmt.Sprintf("/composer/dists/acme/demo/1.0.0.0/%x.zip", sha1.Sum([]byte(archive))),
		publish: func(t *testing.T, base string) {
			send(t, "PUT", base+"/composer/", archive, "application/zip", 201)
		},
	}
}

func gemSpecimen() specimen {
	spec := "--- !ruby/object:Gem::Specification\nname: demo\nversion: !ruby/object:Gem::Version\n  version: '1.0.0'\n" +
		"platform: ruby\nauthors:\n- ada\nsummary: a demo\nfiles: []\nrequire_paths:\n- lib\n" +
		"date: 2026-11-20 00:00:00.000000000 Z\ndependencies: []\nrubygems_version: 3.6.7\nspecification_version: 4\n"
	gem := tarOf(map[string]string{"metadata.gz": gzipOf(spec),
		"data.tar.gz": string(tarGzOf(map[string]string{"noise": noise(40_000)}))})
	return specimen{kind: store.RubyGems, upstream: "/rubygems", meta: "/rubygems/info/demo",
		file: "/rubygems/gems/demo-1.0.0.gem", publish: func(t *testing.T, base string) {
			send(t, "POST", base+"/rubygems/api/v1/gems", gem, "application/octet-stream", 200)
		}}
}
