package server

// This file looks for addresses of the upstream in every answer, and for claimed names in every request.

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
)

// talkative is a registry that names itself wherever it can: its documents hold its address because origin renders them
// for the host it is asked by, its answers carry headers that point at it, files lie behind a redirect, and so do its
// errors.
type talkative struct {
	*httptest.Server
	host   string
	down   atomic.Bool  // every answer is trouble
	bodies atomic.Int64 // of 200 that held its address

	mu    sync.Mutex // guards asked
	asked []string   // paths and queries, unescaped
}

// heard returns what was asked for since the last call and has a word in it.
func (w *talkative) heard(word string) (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.asked {
		if strings.Contains(a, word) {
			list = append(list, a)
		}
	}
	w.asked = nil
	return list
}

func newTalkative(t *testing.T, o *origin) *talkative {
	to, err := url.Parse(o.url)
	if err != nil {
		t.Fatal(err)
	}
	way := &talkative{}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: way.boast,
	}
	way.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		way.mu.Lock()
		way.asked = append(way.asked, r.URL.Path+"?"+r.URL.Query().Encode())
		way.mu.Unlock()
		switch {
		case way.down.Load():
			way.sign(w.Header())
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, "http://%s is in trouble", way.host)
		case r.URL.Path == o.specimen.file && r.URL.RawQuery == "":
			way.sign(w.Header())
			http.Redirect(w, r, way.URL+r.URL.Path+"?moved", http.StatusFound)
		default:
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(way.Close)
	way.host = strings.TrimPrefix(way.URL, "http://")
	return way
}

// sign writes the address into headers that caches are seen to pass on.
func (w *talkative) sign(h http.Header) {
	for _, k := range []string{"Content-Location", "X-Served-By", "X-Origin", "Npm-Notice", "Warning",
		"OCI-Filters-Applied", "Docker-Distribution-Api-Version"} {
		h.Set(k, w.URL+"/elsewhere")
	}
	h.Add("Link", "<"+w.URL+`/elsewhere?n=1&last=x>; rel="next"`)
	h.Set("Set-Cookie", "at="+w.host)
}

// relative are addresses in documents that begin at the host.
var relative = regexp.MustCompile(`(href=|"url": ?|"metadata-url": ?|"search": ?|"list": ?)"(\.\./\.\.|)/`)

// boast makes an answer name the registry: its headers, the addresses of its documents, its errors.
func (w *talkative) boast(r *http.Response) error {
	w.sign(r.Header)
	if r.StatusCode == http.StatusUnauthorized {
		return nil // where tokens are is said already
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if t := r.Header.Get("Content-Type"); strings.Contains(t, "json") || strings.Contains(t, "html") ||
		strings.Contains(t, "text/plain") {
		if r.Header.Get("Docker-Content-Digest") == "" {
			body = relative.ReplaceAll(body, []byte(`$1"`+w.URL+"/"))
		}
	}
	if strings.HasPrefix(r.Request.URL.Path, "/npm/-/v1/search") {
		body = bytes.ReplaceAll(body, []byte(`"package":{`),
			[]byte(`"package":{"links":{"npm":"`+w.URL+`/package/x","homepage":"https://example.com"},`))
	}
	if r.StatusCode >= 400 {
		body = []byte("http://" + w.host + " has nothing of the kind")
	}
	if r.StatusCode == http.StatusOK && r.Request.Method == http.MethodGet && bytes.Contains(body, []byte(w.host)) {
		w.bodies.Add(1)
	}
	if r.Request.Method != http.MethodHead {
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
		r.ContentLength = int64(len(body))
	}
	for _, k := range []string{"Etag", "Repr-Digest", "Digest", "Content-Digest"} {
		if r.StatusCode == http.StatusOK && bytes.Contains(body, []byte(w.host)) {
			r.Header.Del(k)
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// readPaths are the addresses of every operation that is a GET, taken from the kind's wire table, for what exists, and
// for what does not.
func readPaths(t *testing.T, sp specimen) (list []string) {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "..", string(sp.kind), "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	prefix := "/" + string(sp.kind)
	if sp.kind == store.OCI || sp.kind == store.PyPI {
		prefix = ""
	}
	for _, row := range regexp.MustCompile(`(?m)^//\tGET\s+(/\S*)`).FindAllStringSubmatch(string(src), -1) {
		paths := []string{strings.TrimSuffix(row[1], ",")}
		for placeholder, values := range words(sp) {
			var more []string
			for _, p := range paths {
				if !regexp.MustCompile(`\b` + placeholder + `\b`).MatchString(p) {
					more = append(more, p)
					continue
				}
				for _, v := range values {
					more = append(more, regexp.MustCompile(`\b`+placeholder+`\b`).ReplaceAllLiteralString(p, v))
				}
			}
			paths = more
		}
		for _, p := range paths {
			list = append(list, prefix+p)
		}
	}
	if len(list) < 8 {
		t.Fatalf("only %d paths in the wire table of %s", len(list), sp.kind)
	}
	list = append(list, sp.meta, sp.file, sp.meta+"/..%2f", prefix+"/no/such/thing")
	list = append(list, further(sp)...)
	slices.Sort(list)
	return slices.Compact(list)
}

// words are what the placeholders of a kind's wire table stand for: what the specimen has, and what it has not.
func words(sp specimen) map[string][]string {
	_, file := filepath.Split(sp.file)
	switch sp.kind {
	case store.NPM:
		return map[string][]string{"P": {"demo", "absent", "@acme%2fabsent"}, "V": {"1.0.0", "9.9.9", "latest"},
			"F": {file, "demo-9.9.9.tgz"}, "U": {"admin"}, "I": {"1"}}
	case store.OCI:
		layer := strings.TrimPrefix(sp.file, "/v2/team/app/blobs/")
		return map[string][]string{"N": {"team/app", "team/absent"}, "R": {"v1", "v9", "sha256:" + strings.Repeat("0", 64)},
			"D": {layer, "sha256:" + strings.Repeat("0", 64)}, "U": {"none"}, "T": {"v1"}}
	case store.Cargo:
		return map[string][]string{"N": {"demo", "absent"}, "V": {"1.0.0", "9.9.9"}, "P": {"de/mo/demo", "ab/se/absent"},
			"D": {strings.Repeat("0", 64)}, "F": {"demo-1.0.0.crate"}}
	case store.PyPI:
		sum := strings.Split(sp.file, "/")[3]
		return map[string][]string{"P": {"demo", "absent"}, "V": {"1.0.0", "9.9.9"}, "S": {sum, strings.Repeat("0", 64)},
			"F": {file, "absent-1.0.0.tar.gz"}}
	case store.Maven:
		return map[string][]string{"G": {"com/acme"}, "A": {"demo", "absent"}, "V": {"1.0", "9.9"},
			"F": {"demo-1.0.txt", "demo-1.0.pom", "demo-9.9.pom"}, "S": {"sha1", "md5", "sha256", "asc"},
			"D": {"com/acme", "com/acme/demo", "com/acme/demo/1.0"}}
	case store.Composer:
		parts := strings.Split(sp.file, "/")
		return map[string][]string{"P": {"acme/demo", "acme/absent"}, "V": {parts[5]},
			"R": {strings.TrimSuffix(file, ".zip"), strings.Repeat("0", 40)}, "N": {"acme/demo"}}
	}
	return map[string][]string{"N": {"demo", "absent"}, "F": {"demo-1.0.0", "demo-9.9.9", "absent-1.0.0"},
		"V": {"1.0.0", "9.9.9"}, "J": {"json", "yaml"}}
}

// further are forms that are told apart by their query.
func further(sp specimen) []string {
	return map[store.Kind][]string{
		store.NPM: {"/npm/-/v1/search?text=demo", "/npm/demo?write=true", "/npm/-/all"},
		store.OCI: {"/v2/team/app/tags/list?n=1", "/v2/_catalog?n=1", "/v1/search?q=app",
			"/v2/team/app/manifests/v1?ns=origin", "/v2/token?service=x&scope=repository:team/app:pull",
			"/oci/team/app/manifests/v1"},
		store.Cargo: {"/cargo/api/v1/crates?q=demo", "/cargo/config.json", "/cargo/de/mo/demo"},
		store.PyPI:  {"/pypi/simple/demo/", "/pypi/simple/Demo", "/pypi/demo/json?x"},
		store.Maven: {"/maven/solrsearch/select?q=g:com.acme&wt=json",
			"/maven/com/acme/demo/1.0-SNAPSHOT/demo-1.0-SNAPSHOT.pom", "/maven/com/acme/demo/maven-metadata.xml.sha1"},
		store.Composer: {"/composer/search.json?q=demo", "/composer/list.json?filter=acme/*",
			"/composer/api/security-advisories/?packages[]=acme/demo", "/composer/metadata/changes.json?since=0"},
		store.RubyGems: {"/rubygems/latest_specs.4.8.gz", "/rubygems/prerelease_specs.4.8.gz",
			"/rubygems/api/v1/search.json?query=demo", "/rubygems/api/v1/dependencies?gems=demo", "/rubygems/Marshal.4.8"},
	}[sp.kind]
}

// accepts are what clients of a kind accept where it makes a difference.
func accepts(k store.Kind) []string {
	switch k {
	case store.NPM:
		return []string{"application/json", "application/vnd.npm.install-v1+json"}
	case store.PyPI:
		return []string{"text/html", "application/vnd.pypi.simple.v1+json"}
	case store.OCI:
		return []string{"application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
	case store.Maven:
		return []string{"*/*", "application/json"}
	}
	return []string{"*/*"}
}

// TestNoAnswerNamesTheUpstream goes over everything that can be read, of every kind: cold, warm, while the upstream
// is in trouble, for what exists and what does not, by anybody and by an administrator. Neither body nor header may
// hold the upstream's address, whatever it wrote of itself: clients would go there past us, and offline they would
// wait for it.
func TestNoAnswerNamesTheUpstream(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			way := newTalkative(t, o)
			reader := &leakReader{t: t, way: way, cache: cacheOf(t, o, way)}
			good := 0
			for _, phase := range []string{"cold", "warm", "trouble", "cold in trouble"} {
				way.down.Store(strings.Contains(phase, "trouble"))
				if phase == "cold in trouble" {
					reader.cache = cacheOf(t, o, way)
				}
				for _, path := range readPaths(t, sp) {
					for _, accept := range accepts(sp.kind) {
						good += reader.read(phase, "GET", path, accept, false)
						if phase == "warm" {
							good += reader.read(phase, "GET", path, accept, true)
						}
						reader.read(phase, "HEAD", path, accept, false)
					}
				}
				for path, body := range questions(sp.kind) {
					reader.read(phase, "POST "+body, path, "*/*", false)
				}
				if phase != "cold in trouble" && (reader.status[sp.meta] != 200 || reader.status[o.specimen.file] != 200) {
					t.Errorf("%s: metadata %d, file %d", phase, reader.status[sp.meta], reader.status[o.specimen.file])
				}
			}
			// Maven's and RubyGems' documents have no place for an address.
			if names := sp.kind != store.Maven && sp.kind != store.RubyGems && sp.kind != store.OCI; way.bodies.Load() == 0 &&
				names {
				t.Errorf("the upstream never named itself: this proves nothing")
			}
			t.Logf("%d of %d answers had status 200", good, reader.answers)
		})
	}
}

// TestClaimsHoldOnEveryRoute: whatever is asked for, by whatever address, the upstream never hears a name that is
// claimed.
func TestClaimsHoldOnEveryRoute(t *testing.T) {
	claimed := map[store.Kind]string{store.OCI: "team/app", store.Maven: "com.acme*", store.Composer: "acme/*"}
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			claim, word := "demo", "demo"
			if c := claimed[sp.kind]; c != "" {
				claim, word = c, strings.Trim(strings.TrimPrefix(c, "com."), "*/")
			}
			for _, claims := range [][]string{nil, {string(sp.kind) + ":" + claim}} {
				// Its own each time: a request of the first round may still be under way.
				way := newTalkative(t, o)
				reader := &leakReader{t: t, way: way, cache: cacheOf(t, o, way, claims...)}
				for _, path := range readPaths(t, sp) {
					for _, method := range []string{"GET", "HEAD"} {
						reader.read("claims", method, path, accepts(sp.kind)[0], true)
					}
				}
				for path, body := range questions(sp.kind) {
					reader.read("claims", "POST "+body, path, "*/*", true)
				}
				switch heard := way.heard(word); {
				case claims == nil && len(heard) == 0:
					t.Error("without a claim it was not asked either: this proves nothing")
				case claims != nil && len(heard) > 0:
					t.Errorf("the upstream was asked for %q", heard)
				}
			}
		})
	}
}

// questions are reads that are sent with POST.
func questions(k store.Kind) map[string]string {
	return map[store.Kind]map[string]string{
		store.NPM: {"/npm/-/npm/v1/security/advisories/bulk": `{"demo":["1.0.0"]}`,
			"/npm/-/npm/v1/security/audits/quick": `{"requires":{},"dependencies":{}}`},
		store.PyPI: {"/pypi/": `<methodCall><methodName>package_releases</methodName><params><param><value>demo</value>` +
			`</param></params></methodCall>`},
		store.Composer: {"/composer/api/security-advisories/": "packages[]=acme/demo",
			"/composer/downloads/": `{"downloads":[{"name":"acme/demo","version":"1.0.0"}]}`},
	}[k]
}

// cacheOf starts an empty server in front of way. Its upstream has no name: it is called as --upstream calls it.
func cacheOf(t *testing.T, o *origin, way *talkative, claims ...string) string {
	cfg := testConfig(t)
	if err := os.CopyFS(cfg.Data, os.DirFS(o.folder)); err != nil {
		t.Fatal(err)
	}
	cfg.Copies.Claims = claims
	cfg.Upstreams = []config.Upstream{{Config: upstream.Config{Kind: o.kind, URL: way.URL +
		o.upstream, Fresh: time.Nanosecond}}}
	return "http://" + start(t, cfg, nil).addr
}

// leakReader reads addresses of a cache and looks for another's in what comes.
type leakReader struct {
	t       *testing.T
	way     *talkative
	cache   string
	answers int
	status  map[string]int  // of the last GET by anybody
	told    map[string]bool // where it was found already
}

// read returns 1 for an answer with status 200.
func (l *leakReader) read(phase, method, path, accept string, admin bool) int {
	l.t.Helper()
	method, body, _ := strings.Cut(method, " ")
	r, err := http.NewRequest(method, l.cache+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatalf("%s: %v", path, err)
	}
	r.Header.Set("Accept", accept)
	if admin {
		r.SetBasicAuth("admin", "correct-horse")
	}
	if strings.HasPrefix(body, "<") {
		r.Header.Set("Content-Type", "text/xml")
	} else if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		l.t.Errorf("%s %s %s: %v", phase, method, path, err)
		return 0
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Errorf("%s %s %s: %v", phase, method, path, err)
	}
	l.answers++
	for k, values := range resp.Header {
		for _, v := range values {
			l.look(phase+" "+method+" "+path+": "+k, []byte(v))
		}
	}
	l.look(fmt.Sprintf("%s %s %s: body of %d", phase, method, path, resp.StatusCode), raw)
	l.look(phase+" "+method+" "+path+": unpacked", unpacked(raw))
	if method == "GET" && !admin {
		if l.status == nil {
			l.status = map[string]int{}
		}
		l.status[path] = resp.StatusCode
	}
	if resp.StatusCode == http.StatusOK {
		return 1
	}
	return 0
}

func (l *leakReader) look(where string, b []byte) {
	l.t.Helper()
	for _, form := range []string{l.way.host, url.QueryEscape(l.way.host), strings.ReplaceAll(l.way.host, ":", "_")} {
		if i := bytes.Index(bytes.ToLower(b), bytes.ToLower([]byte(form))); i >= 0 {
			if !l.told[where] {
				l.t.Errorf("%s names the upstream: …%.120q", where, b[max(0, i-60):])
			}
			if l.told == nil {
				l.told = map[string]bool{}
			}
			l.told[where] = true
			return
		}
	}
}

// unpacked is a body that is compressed as a file; nil for others.
func unpacked(b []byte) []byte {
	var z io.Reader
	var err error
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		z, err = gzip.NewReader(bytes.NewReader(b))
	case bytes.HasPrefix(b, []byte{0x78}):
		z, err = zlib.NewReader(bytes.NewReader(b))
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(io.LimitReader(z, 1<<20)) // what could be unpacked is enough to look at
	return out
}
