package wire

// Answers with a file: ranges, conditions, HEAD, slow clients.

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder/internal/problem"

	"github.com/opencontainers/go-digest"
)

const tenDigits = "0123456789"

func head(content string) BlobHead {
	return BlobHead{
		Digest: digest.FromString(content), Size: int64(len(content)), CacheControl: "max-age=31536000, immutable",
	}
}

func TestBlobRanges(t *testing.T) {
	tests := []struct {
		name         string
		spec         string
		content      string
		status       int
		body         string
		contentRange string
	}{
		{"none", "", tenDigits, 200, tenDigits, ""},
		{"first bytes", "bytes=0-3", tenDigits, 206, "0123", "bytes 0-3/10"},
		{"from", "bytes=7-", tenDigits, 206, "789", "bytes 7-9/10"},
		{"last bytes", "bytes=-2", tenDigits, 206, "89", "bytes 8-9/10"},
		{"suffix longer than the file", "bytes=-200", tenDigits, 206, tenDigits, "bytes 0-9/10"},
		{"end clamped", "bytes=8-200", tenDigits, 206, "89", "bytes 8-9/10"},
		{"one byte", "bytes=9-9", tenDigits, 206, "9", "bytes 9-9/10"},
		{"start past the end", "bytes=10-", tenDigits, 416, "", "bytes */10"},
		{"both past the end", "bytes=10-20", tenDigits, 416, "", "bytes */10"},
		{"backwards", "bytes=5-3", tenDigits, 416, "", "bytes */10"},
		{"empty suffix", "bytes=-0", tenDigits, 416, "", "bytes */10"},
		{"one good, one backwards", "bytes=0-1,5-3", tenDigits, 416, "", "bytes */10"},
		{"all of several outside", "bytes=20-30,40-", tenDigits, 416, "", "bytes */10"},
		{"one of several outside", "bytes=2-3,40-", tenDigits, 206, "23", "bytes 2-3/10"},
		{"more than the file", "bytes=0-9,0-9", tenDigits, 200, tenDigits, ""},
		{"another unit", "items=0-3", tenDigits, 200, tenDigits, ""},
		{"no range at all", "bytes=abc", tenDigits, 200, tenDigits, ""},
		{"signed", "bytes=+1-2", tenDigits, 200, tenDigits, ""},
		{"empty", "bytes=", tenDigits, 200, tenDigits, ""},
		{"beyond 64 bits", "bytes=0-99999999999999999999999", tenDigits, 200, tenDigits, ""},
		{"empty file", "bytes=0-3", "", 200, "", ""},
		{"empty file, suffix", "bytes=-3", "", 200, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			if tt.spec != "" {
				r.Header.Set("Range", tt.spec)
			}
			w := httptest.NewRecorder()
			err := ServeBytes(w, r, []byte(tt.content), head(tt.content))
			if got := w.Header().Get("Content-Range"); got != tt.contentRange {
				t.Errorf("Content-Range %q, want %q", got, tt.contentRange)
			}
			if tt.status == 416 {
				if !errors.Is(err, problem.ErrRange) {
					t.Fatalf("error is %v", err)
				}
				if w.Header().Get("ETag") != "" || w.Header().Get("Cache-Control") != "" || w.Body.Len() > 0 {
					t.Errorf("a refusal carries the file's header: %v", w.Header())
				}
				return
			}
			if err != nil || w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %q, %v; want %d %q", w.Code, w.Body, err, tt.status, tt.body)
			}
			// The plain answer's length is left to net/http, see TestBytesHeader.
			if got := w.Header().Get("Content-Length"); got != fmt.Sprint(len(tt.body)) && tt.spec != "" {
				t.Errorf("Content-Length %s for %d bytes", got, len(tt.body))
			}
		})
	}
}

// TestBytesHeader: every answer from memory has its length on the wire, whoever counts it, over both versions of HTTP;
// ranges are offered unless the content is always fetched whole, and never refused.
func TestBytesHeader(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		for _, size := range []int{0, 1, counted - 1, counted, counted + 1, 4097, sliceBytes + 1} {
			content := strings.Repeat("x", size)
			whole := size%2 == 1
			srv := httptest.NewUnstartedServer(withMiddleware(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				head := head(content)
				head.Whole = whole
				if err := ServeBytes(w, r, []byte(content), head); err != nil {
					t.Error(err)
				}
			}), quiet()))
			srv.EnableHTTP2 = h2
			srv.StartTLS()
			resp, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			offered := resp.Header.Get("Accept-Ranges") == "bytes"
			if err != nil || string(body) != content || resp.ContentLength != int64(size) || len(resp.TransferEncoding) > 0 ||
				offered == whole {
				t.Errorf("http2 %v, %d bytes: got %d, length %d, %v: %v", h2, size, len(body), resp.ContentLength, err, resp.Header)
			}
			if size > 1 {
				r, err := http.NewRequest("GET", srv.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Range", "bytes=1-1")
				if resp, err = srv.Client().Do(r); err != nil {
					t.Fatal(err)
				}
				if resp.Body.Close(); resp.StatusCode != 206 || resp.ContentLength != 1 {
					t.Errorf("a range gave %d and %d bytes", resp.StatusCode, resp.ContentLength)
				}
			}
			srv.Close()
		}
	}
}

func TestBlobMultiRange(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Range", "bytes=0-1, 4-5,-1")
	w := httptest.NewRecorder()
	if err := ServeBytes(w, r, []byte(tenDigits), head(tenDigits)); err != nil || w.Code != 206 {
		t.Fatalf("%d, %v", w.Code, err)
	}
	if got := w.Header().Get("Content-Length"); got != fmt.Sprint(w.Body.Len()) {
		t.Errorf("Content-Length %s for %d bytes", got, w.Body.Len())
	}
	kind, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		t.Fatalf("Content-Type %q: %v", w.Header().Get("Content-Type"), err)
	}
	var got []string
	for mr := multipart.NewReader(w.Body, params["boundary"]); ; {
		p, err := mr.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.Header.Get("Content-Range")+" "+p.Header.Get("Content-Type")+" "+string(body))
	}
	want := []string{
		"bytes 0-1/10 application/octet-stream 01", "bytes 4-5/10 application/octet-stream 45",
		"bytes 9-9/10 application/octet-stream 9",
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("parts are\n%q, want\n%q", got, want)
	}
}

func TestBlobConditions(t *testing.T) {
	bare := digest.FromString(tenDigits).String()
	etag := `"` + bare + `"`
	tests := []struct {
		name   string
		method string
		header map[string]string
		status int
		body   string
	}{
		{"plain", "GET", nil, 200, tenDigits},
		{"HEAD", "HEAD", nil, 200, ""},
		{"HEAD with a range outside", "HEAD", map[string]string{"Range": "bytes=90-"}, 200, ""},
		{"quoted", "GET", map[string]string{"If-None-Match": etag}, 304, ""},
		{"bare", "GET", map[string]string{"If-None-Match": bare}, 304, ""},
		{"bare, HEAD", "HEAD", map[string]string{"If-None-Match": bare}, 304, ""},
		{"weak", "GET", map[string]string{"If-None-Match": "W/" + etag}, 304, ""},
		{"list", "GET", map[string]string{"If-None-Match": `"x", ` + etag}, 304, ""},
		{"any", "GET", map[string]string{"If-None-Match": "*"}, 304, ""},
		{"other", "GET", map[string]string{"If-None-Match": `"sha256:00"`}, 200, tenDigits},
		{"bare other", "GET", map[string]string{"If-None-Match": "sha256:00"}, 200, tenDigits},
		{"match before a bad range", "GET", map[string]string{"If-None-Match": etag, "Range": "bytes=90-"}, 304, ""},
		{"If-Match", "GET", map[string]string{"If-Match": etag}, 200, tenDigits},
		{"If-Match fails before a bad range", "GET", map[string]string{"If-Match": `"x"`, "Range": "bytes=90-"}, 412, ""},
		{"If-Range holds", "GET", map[string]string{"If-Range": etag, "Range": "bytes=0-1"}, 206, "01"},
		{"If-Range fails", "GET", map[string]string{"If-Range": `"x"`, "Range": "bytes=0-1"}, 200, tenDigits},
		{
			"If-Range fails before a bad range", "GET", map[string]string{"If-Range": `"x"`, "Range": "bytes=90-"}, 200,
			tenDigits,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/", nil)
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			before := fmt.Sprint(r.Header)
			w := httptest.NewRecorder()
			if err := ServeBytes(w, r, []byte(tenDigits), head(tenDigits)); err != nil {
				t.Fatal(err)
			}
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
			if tt.status < 400 && (w.Header().Get("ETag") != etag || w.Header().Get("Cache-Control") == "") {
				t.Errorf("header lacks ETag or Cache-Control: %v", w.Header())
			}
			if w.Code == 304 && w.Header().Get("Content-Length") != "" {
				t.Error("a 304 has a Content-Length")
			}
			if fmt.Sprint(r.Header) != before {
				t.Error("the request's header was changed")
			}
		})
	}
}

// spyConn is a TCP connection that notes what is handed to the kernel and which deadlines are set.
type spyConn struct {
	*net.TCPConn
	spy *spy
}

type spy struct {
	files, fileBytes, others, deadlines atomic.Int64
}

func (c *spyConn) ReadFrom(src io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(src)
	if l, ok := src.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			c.spy.files.Add(1)
			c.spy.fileBytes.Add(n)
			return n, err
		}
	}
	c.spy.others.Add(1)
	return n, err
}

func (c *spyConn) SetWriteDeadline(t time.Time) error {
	if !t.IsZero() {
		c.spy.deadlines.Add(1)
	}
	return c.TCPConn.SetWriteDeadline(t)
}

type spyListener struct {
	net.Listener
	spy *spy
}

func (l spyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &spyConn{c.(*net.TCPConn), l.spy}, nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// startMiddleware serves h behind a Middleware, as in production, and returns its URL.
func startMiddleware(t testing.TB, h http.Handler, stall time.Duration, s *spy) string {
	t.Helper()
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(&Middleware{Next: h, Base: base, Log: quiet(), Stall: stall})
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.Config.ConnContext = ConnContext
	if s != nil {
		srv.Listener = spyListener{srv.Listener, s}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

// bigFile makes a file that does not compress into anything regular and serves it.
func bigFile(t testing.TB, size int) (content []byte, handler http.HandlerFunc) {
	t.Helper()
	content = make([]byte, size)
	block := sha256.Sum256([]byte("larder"))
	for i := 0; i < size; i += len(block) {
		copy(content[i:], block[:])
		block = sha256.Sum256(block[:])
	}
	path := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	h := BlobHead{Digest: digest.FromBytes(content), Size: int64(size)}
	return content, func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer f.Close()
		if err := ServeBlob(w, r, f, h); err != nil {
			http.Error(w, problem.Public(err), problem.Status(err))
		}
	}
}

// TestSendfileKept proves that the file itself, in the one form the kernel can send, reaches the TCP connection through
// the wrapped ResponseWriter, slice by slice with a deadline for each, and that not a byte is lost.
func TestSendfileKept(t *testing.T) {
	const size = 5<<20 + 123
	content, h := bigFile(t, size)
	var s spy
	url := startMiddleware(t, h, time.Minute, &s)
	for _, tt := range []struct {
		spec   string
		want   []byte
		slices int64
	}{
		{"", content, 11},
		{"bytes=1000000-3999999", content[1000000:4000000], 6},
	} {
		s.files.Store(0)
		s.fileBytes.Store(0)
		s.others.Store(0)
		s.deadlines.Store(0)
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.spec != "" {
			r.Header.Set("Range", tt.spec)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Fatalf("%q: %d bytes, %v; want %d", tt.spec, len(got), err, len(tt.want))
		}
		// net/http itself copies the first 512 bytes, to have something to sniff.
		if s.files.Load() != tt.slices || s.fileBytes.Load() != int64(len(tt.want)-512) || s.others.Load() != 0 {
			t.Errorf("%q: %d file slices of %d bytes and %d others reached the connection, want %d of %d",
				tt.spec, s.files.Load(), s.fileBytes.Load(), s.others.Load(), tt.slices, len(tt.want)-512)
		}
		if s.deadlines.Load() < tt.slices {
			t.Errorf("%q: %d deadlines for %d slices", tt.spec, s.deadlines.Load(), tt.slices)
		}
	}
}

// readSlowly takes the answer to a GET off a raw connection with a small window, pausing before each piece.
func readSlowly(t *testing.T, url string, pause time.Duration, limit int) (int, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: registry.example.com\r\nConnection: close\r\n\r\n")
	buf := make([]byte, 1<<20)
	got := 0
	for got < limit {
		time.Sleep(pause)
		n, err := io.ReadFull(conn, buf)
		got += n
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

func TestSlowReaderIsServed(t *testing.T) {
	const size = 24 << 20
	_, h := bigFile(t, size)
	url := startMiddleware(t, h, 500*time.Millisecond, nil)
	start := time.Now()
	got, err := readSlowly(t, url, 40*time.Millisecond, 1<<30)
	if err != nil || got < size {
		t.Errorf("a client that keeps reading got %d of %d bytes: %v", got, size, err)
	}
	if took := time.Since(start); took < 800*time.Millisecond {
		t.Errorf("the transfer took %v, too short to prove that deadlines are renewed", took)
	}
}

func TestStalledReaderIsCut(t *testing.T) {
	_, h := bigFile(t, 64<<20)
	done := make(chan error, 1)
	url := startMiddleware(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h(w, r)
		_, err := w.Write(nil)
		done <- err
	}), 200*time.Millisecond, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: registry.example.com\r\n\r\n")
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a client that never reads holds the request for ever")
	}
}

// TestEveryAnswerHasADeadline: a client that asks and asks and never reads is cut, one that pauses
// between answers is not.
func TestEveryAnswerHasADeadline(t *testing.T) {
	const stall = 200 * time.Millisecond
	cut := make(chan error, 1)
	body := make([]byte, 64<<10)
	url := startMiddleware(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := w.Write(body); err != nil {
			select {
			case cut <- err:
			default:
			}
		}
	}), stall, nil)
	for range 3 {
		for range 20 {
			resp, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != int64(len(body)) {
				t.Fatalf("%d bytes: %v", n, err)
			}
			resp.Body.Close()
		}
		time.Sleep(2 * stall)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn,
		strings.Repeat("GET / HTTP/1.1\r\nHost: registry.example.com\r\n\r\n", 1000)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-cut:
	case <-time.After(10 * time.Second):
		t.Fatal("a client that sends and never reads holds its connection for ever")
	}
}
