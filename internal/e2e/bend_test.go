package e2e

// The script command bend: a registry before the server that is as odd as registries are.

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

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdBend starts a proxy for a server:
//
//	bend NAME   sets $BEND (host:port)
//
// It wants the login ada, secret for everything, refuses HEAD, gives no sums of files, and sends everything in gzip,
// although asked not to; what is gzip already it calls so.
func cmdBend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bend NAME")
	}
	to := &url.URL{Scheme: "http", Host: ts.Getenv(args[0] + "_HOST")}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			for _, name := range []string{"Authorization", "Accept-Encoding", "Range", "If-None-Match", "If-Modified-Since"} {
				r.Out.Header.Del(name)
			}
		},
		ModifyResponse: bent,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, password, _ := r.BasicAuth(); {
		case user != "ada" || password != "secret":
			w.Header().Set("WWW-Authenticate", `Basic realm="bend"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case fileOfSum.MatchString(r.URL.Path):
			w.WriteHeader(http.StatusNotFound)
		default:
			pass.ServeHTTP(w, r)
		}
	}))
	ts.Defer(srv.Close)
	ts.Setenv("BEND", strings.TrimPrefix(srv.URL, "http://"))
}

var (
	fileOfSum = regexp.MustCompile(`\.(md5|sha1|sha256|sha512)$`)
	// sumsShown are the sums in documents of npm, PyPI and Composer. Bundler compares those of RubyGems' documents.
	sumsShown = regexp.MustCompile(`("(?:integrity|shasum)":")[^"]*|"sha256":"[0-9a-f]{64}"|#sha256=[0-9a-f]{64}`)
)

// bent changes an answer.
func bent(resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "X-Checksum") || name == "Etag" {
			resp.Header.Del(name)
		}
	}
	if len(body) < 100_000 && bytes.IndexByte(body, 0) < 0 {
		body = sumsShown.ReplaceAll(body, []byte("$1"))
	}
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body) // into memory
		_ = z.Close()
		body = b.Bytes()
	}
	resp.Header.Set("Content-Encoding", "x-gzip")
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.ContentLength, resp.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
	return nil
}
