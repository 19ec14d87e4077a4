package wire

// The outermost handler: request id, access log, panics, deadlines, counters.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAccessLog(t *testing.T) {
	d := newDemo(t)
	r, err := http.NewRequest("PUT", d.url+"/demo/x?access_token=abc&b=2", strings.NewReader("12345"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Request-Id", "build-17")
	r.Header.Set("User-Agent", "demo/1")
	r.SetBasicAuth("x", d.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	<-d.observed
	if got := resp.Header.Get("X-Request-Id"); got != "build-17" {
		t.Errorf("request id %q", got)
	}
	// The line is written after Observe; the server's own Close would wait for it, a second request does too.
	d.send(t, "GET", "/demo/ping", "", "")
	var line map[string]any
	first, _, _ := strings.Cut(d.log.String(), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatalf("%v: %s", err, first)
	}
	for key, want := range map[string]any{
		"level": "INFO", "msg": "request", "id": "build-17", "op": "demo.put", "method": "PUT",
		"path": "/demo/x?access_token=***&b=2", "status": 200.0, "user": "ann", "addr": "127.0.0.1", "agent": "demo/1",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if strings.Contains(d.log.String(), d.token) {
		t.Error("the token is in the log")
	}
}

func TestRedact(t *testing.T) {
	secret := "larder_" + strings.Repeat("aB3_", 11)
	tests := []struct{ in, want string }{
		{"/npm/demo", "/npm/demo"},
		{"/pypi/larder_client/", "/pypi/larder_client/"},
		{"/cargo/" + secret + "/x", "/cargo/larder_***/x"},
		{"/a/" + secret + "/" + secret, "/a/larder_***/larder_***"},
		{"/x?q=" + secret, "/x?q=larder_***"},
		{"/x?Token=abc&page=2", "/x?Token=***&page=2"},
		{"/x?to%6ben=abc", "/x?to%6ben=***"},
		{"/x?password=a%26b&api_key=1", "/x?password=***&api_key=***"},
		{"/x?flag&n=1", "/x?flag&n=1"},
		{"/x?%zz=abc", "/x?%zz=***"},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := redact(u.EscapedPath(), u.RawQuery); got != tt.want {
			t.Errorf("%s is logged as %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestRequestID(t *testing.T) {
	made := make(map[string]bool)
	for _, in := range []string{"", "", "with space", "line\nbreak", strings.Repeat("a", 65), `quote"`} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["X-Request-Id"] = []string{in}
		id := requestID(r)
		if len(id) != 16 || made[id] {
			t.Errorf("%q became %q", in, id)
		}
		made[id] = true
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "0190-abc.DEF_~")
	if got := requestID(r); got != "0190-abc.DEF_~" {
		t.Errorf("a good id became %q", got)
	}
	if RequestID(r.Context()) != "" || !IdentityFrom(r.Context()).Anonymous {
		t.Error("a context outside a request knows one")
	}
}

func TestPanicGuard(t *testing.T) {
	log := new(lockedBuffer)
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen []Observation
	e := &Middleware{Base: base, Log: slog.New(slog.NewTextHandler(log, nil)), Observe: func(o Observation) {
		seen = append(seen, o)
	},
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			SetOp(r.Context(), "demo.boom")
			switch r.URL.Path {
			case "/late":
				io.WriteString(w, "half")
			case "/abort":
				panic(http.ErrAbortHandler)
			}
			panic("boom at /srv/data")
		})}
	serve := func(path string) (w *httptest.ResponseRecorder, panicked any) {
		w = httptest.NewRecorder()
		defer func() { panicked = recover() }()
		e.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w, nil
	}
	w, p := serve("/early")
	if p != nil || w.Code != 500 || strings.Contains(w.Body.String(), "boom") ||
		!strings.Contains(w.Body.String(), "internal error (request ") {
		t.Errorf("early panic: %v, %d %q", p, w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "boom at /srv/data") || !strings.Contains(log.String(), "middleware_test.go") {
		t.Errorf("log lacks panic or stack: %s", log)
	}
	if _, p := serve("/late"); p != http.ErrAbortHandler {
		t.Errorf("late panic became %v", p)
	}
	before := strings.Count(log.String(), "panic while serving")
	if _, p := serve("/abort"); p != http.ErrAbortHandler || strings.Count(log.String(), "panic while serving") != before {
		t.Errorf("abort became %v", p)
	}
	if len(seen) != 3 || seen[0].Status != 500 || seen[0].Op != "demo.boom" {
		t.Errorf("observed %+v", seen)
	}
}

// TestWriterKeepsInterfaces: what a handler may rely on over HTTP/1 and HTTP/2 passes through the wrapper.
func TestWriterKeepsInterfaces(t *testing.T) {
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	e := &Middleware{Base: base, Log: quiet(), Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, readerFrom := w.(io.ReaderFrom)
		_, flusher := w.(http.Flusher)
		hijack := "can be"
		if r.ProtoMajor == 2 {
			_, _, err := w.(http.Hijacker).Hijack()
			hijack = fmt.Sprint(err)
		}
		fmt.Fprint(w, r.ProtoMajor, readerFrom, flusher,
			http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)), " ", hijack)
		if _, err := io.Copy(w, strings.NewReader(", copied")); err != nil {
			t.Error(err)
		}
	})}
	for _, tt := range []struct {
		http2 bool
		want  string
	}{{false, "1 true true <nil> can be, copied"}, {true, "2 true true <nil> feature not supported, copied"}} {
		srv := httptest.NewUnstartedServer(e)
		srv.EnableHTTP2 = tt.http2
		srv.StartTLS()
		resp, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != tt.want {
			t.Errorf("http2 %v: %q, %v", tt.http2, body, err)
		}
		srv.Close()
	}
}

// TestSilenceAfterFlush: a handler that has flushed may work longer than Stall before it writes again.
func TestSilenceAfterFlush(t *testing.T) {
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(&Middleware{Base: base, Log: quiet(), Stall: 100 * time.Millisecond,
			Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "progress\n")
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
				time.Sleep(300 * time.Millisecond)
				io.WriteString(w, "done\n")
			})})
		srv.EnableHTTP2 = h2
		srv.StartTLS()
		resp, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "progress\ndone\n" {
			t.Errorf("http2 %v: %q, %v", h2, body, err)
		}
		srv.Close()
	}
}

func TestHijackThroughMiddleware(t *testing.T) {
	url := startMiddleware(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(buf, "HTTP/1.1 299 Mine\r\nContent-Length: 0\r\n\r\n")
		buf.Flush()
	}), time.Minute, nil)
	got := rawRequest(t, url, 0, "GET / HTTP/1.1\r\nHost: registry.example.com\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
	if err != nil || resp.StatusCode != 299 {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestLongWriteInSlices: one Write of many megabytes gets a deadline for each slice and arrives whole.
func TestLongWriteInSlices(t *testing.T) {
	var s spy
	const size = 3*sliceBytes + 17
	url := startMiddleware(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := w.Write(make([]byte, size)); n != size || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}), time.Minute, &s)
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if got := s.deadlines.Load(); got < 4 {
		t.Errorf("%d deadlines for 4 slices", got)
	}
}
