package e2e

// This file has a way to an upstream that changes what passes: each change is something that registries do.

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// bending answers a request, or changes it or what pass answers.
type bending func(w http.ResponseWriter, r *http.Request, pass http.Handler)

func (b bending) before(pass http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b(w, r, pass) })
}

// way is a reverse proxy before a server. Links in what it passes lead by the same way.
type way struct {
	*httptest.Server
	mu   sync.Mutex // guards what follows
	bent bending
}

func newWay(t *testing.T, addr string) *way {
	t.Helper()
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: addr})
		r.Out.Host = r.In.Host
		r.Out.Header.Del("Authorization") // the server has other users
	}}
	v := &way{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		bent := v.bent
		v.mu.Unlock()
		if bent == nil {
			pass.ServeHTTP(w, r)
			return
		}
		bent(w, r, pass)
	}))
	t.Cleanup(v.Close)
	return v
}

// bend changes what passes from now on; nil: nothing.
func (v *way) bend(how bending) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bent = how
}

const (
	bendPassword = "secret"
	loginForm    = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>"
)

// answers answers everything with one page.
func answers(code int, page string) bending {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, page) // a client that left fails its own check
	}
}

// answersFiles has documents without sums, and one page for all files.
func answersFiles(page string) bending {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if isFileOf(r, "") {
			pass = answers(http.StatusOK, page).before(pass)
		}
		withoutSums(w, r, pass)
	}
}

// fileAsked matches addresses of packages' files.
var fileAsked = regexp.MustCompile(`\.(tgz|whl|crate|jar|zip|gem)$|/download$|/blobs/sha256:`)

func isFileOf(r *http.Request, name string) bool {
	return fileAsked.MatchString(r.URL.Path) && strings.Contains(r.URL.Path, "/"+name)
}

// whole is the answer to a request without conditions, decoded.
func whole(r *http.Request, pass http.Handler) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	for _, name := range []string{"Accept-Encoding", "If-None-Match", "If-Modified-Since", "Range"} {
		r.Header.Del(name)
	}
	r.Header.Set("Accept-Encoding", "identity")
	pass.ServeHTTP(rec, r)
	for _, name := range []string{"ETag", "Repr-Digest", "Digest", "Accept-Ranges"} {
		rec.Header().Del(name)
	}
	return rec
}

func send(w http.ResponseWriter, rec *httptest.ResponseRecorder, body []byte) {
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	if len(body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body) // a client that left fails its own check
}

// encoded sends everything in gzip, although asked not to. What is gzip already it calls so.
func encoded(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	rec := whole(r, pass)
	body := rec.Body.Bytes()
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body) // into memory
		_ = z.Close()
		body = b.Bytes()
	}
	rec.Header().Set("Content-Encoding", "gzip")
	send(w, rec, body)
}

var (
	sumFile = regexp.MustCompile(`\.(md5|sha1|sha256|sha512)$`)
	// sumsShown are the sums of files in documents of npm, PyPI, Composer and RubyGems. An index of crates has them
	// always: Cargo wants it so.
	sumsShown = regexp.MustCompile(`("(?:integrity|shasum)":")[^"]*|"sha256":"[0-9a-f]{64}"|` +
		`#sha256=[0-9a-f]{64}|checksum:[0-9a-f]{64},?`)
)

// withoutSums has no sum of any file, in documents, headers or files.
func withoutSums(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	if sumFile.MatchString(r.URL.Path) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	rec := whole(r, pass)
	for name := range rec.Header() {
		if strings.HasPrefix(name, "X-Checksum") || name == "Docker-Content-Digest" {
			rec.Header().Del(name)
		}
	}
	body := rec.Body.Bytes()
	if !fileAsked.MatchString(r.URL.Path) {
		body = sumsShown.ReplaceAll(body, []byte("$1"))
	}
	send(w, rec, body)
}

func withoutHEAD(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	pass.ServeHTTP(w, r)
}

// withLogin wants the login ada for everything. Files lie beside the index.
func withLogin(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	if user, password, _ := r.BasicAuth(); user != "ada" || password != bendPassword {
		w.Header().Set("WWW-Authenticate", `Basic realm="far away"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	pass.ServeHTTP(w, r)
}

// odd wants a login, refuses HEAD, has no sums, knows one form of each document and sends everything in gzip.
func odd(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	if !strings.HasPrefix(r.URL.Path, "/v2/") {
		r.Header.Del("Accept")
	}
	for _, bend := range []bending{withoutSums, encoded, withoutHEAD, withLogin} {
		pass = bend.before(pass)
	}
	pass.ServeHTTP(w, r)
}

// late is slow to begin with a file.
func late(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	if isFileOf(r, "thing") {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(12 * time.Second):
		}
	}
	pass.ServeHTTP(w, r)
}

// broken fails for the file of one package.
func broken(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	if isFileOf(r, "broken") {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	pass.ServeHTTP(w, r)
}
