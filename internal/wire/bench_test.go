package wire

// The hot path at handler level: what Middleware and dispatch add to net/http.

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// The hot path at handler level: bare is what net/http alone costs with a recorder, edge and dispatch what we add.
//
//	go test -run '^$' -bench 'Handler|Loopback|Download' -benchmem ./internal/wire

// sink is a ResponseWriter with the optional interfaces of a real one and no cost of its own.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header                 { return s.h }
func (s *sink) Write(p []byte) (int, error)         { return len(p), nil }
func (s *sink) WriteHeader(int)                     {}
func (s *sink) Flush()                              {}
func (s *sink) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
func (s *sink) SetReadDeadline(time.Time) error     { return nil }
func (s *sink) SetWriteDeadline(time.Time) error    { return nil }

var hello = []byte("hello")

func bare(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Write(hello)
}

func benchHandler(b *testing.B, h http.Handler, authorization string) {
	r := httptest.NewRequest("GET", "/demo/get/a", nil)
	r.RemoteAddr = "198.51.100.7:4000"
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&sink{h: make(http.Header)}, r)
	}
}

func withMiddleware(b testing.TB, next http.Handler, log *slog.Logger) *Middleware {
	base, err := NewBase("", nil)
	if err != nil {
		b.Fatal(err)
	}
	return &Middleware{Next: next, Base: base, Log: log, Observe: func(Observation) {}}
}

func benchDispatch(b *testing.B) (*demo, http.Handler) {
	d := newDemo(b)
	e := d.endpoint()
	e.Routes[1].Serve = func(w http.ResponseWriter, r *http.Request, _ demoRequest) error {
		bare(w, r)
		return nil
	}
	rt := NewRouter(http.NotFoundHandler())
	Mount(rt, Protocol{
		Name: "demo", Prefixes: []string{"/demo"}, Handler: e.Handler(Deps{Store: d.store, Auth: d.auth, Log: quiet()}),
	})
	return d, rt
}

func BenchmarkHandlerBare(b *testing.B) { benchHandler(b, http.HandlerFunc(bare), "") }

func BenchmarkHandlerMiddleware(b *testing.B) {
	benchHandler(b, withMiddleware(b, http.HandlerFunc(bare), quiet()), "")
}

func BenchmarkHandlerMiddlewareLogged(b *testing.B) {
	benchHandler(b, withMiddleware(b, http.HandlerFunc(bare), slog.New(slog.NewTextHandler(io.Discard, nil))), "")
}

func BenchmarkHandlerDispatchAnonymous(b *testing.B) {
	_, h := benchDispatch(b)
	benchHandler(b, withMiddleware(b, h, quiet()), "")
}

func BenchmarkHandlerDispatchToken(b *testing.B) {
	d, h := benchDispatch(b)
	benchHandler(b, withMiddleware(b, h, slog.New(slog.NewTextHandler(io.Discard, nil))), "Bearer "+d.token)
}

// rawClient sends the same request over one connection and reads a fixed number of bytes back: the cheapest client
// there is, so that the server's share shows.
func benchLoopback(b *testing.B, h http.Handler) {
	srv := httptest.NewServer(h)
	b.Cleanup(srv.Close)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	request := []byte("GET /demo/get/a HTTP/1.1\r\nHost: registry.example.com\r\nUser-Agent: bench\r\n\r\n")
	buf := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoopbackBare(b *testing.B) { benchLoopback(b, http.HandlerFunc(bare)) }

func BenchmarkLoopbackDispatchLogged(b *testing.B) {
	_, h := benchDispatch(b)
	benchLoopback(b, withMiddleware(b, h, slog.New(slog.NewTextHandler(io.Discard, nil))))
}

func benchDownload(b *testing.B, wrap func(http.Handler) http.Handler) {
	const size = 64 << 20
	_, h := bigFile(b, size)
	srv := httptest.NewServer(wrap(h))
	b.Cleanup(srv.Close)
	b.SetBytes(size)
	for b.Loop() {
		resp, err := http.Get(srv.URL)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

func BenchmarkDownloadBare(b *testing.B) {
	benchDownload(b, func(h http.Handler) http.Handler { return h })
}

func BenchmarkDownloadMiddleware(b *testing.B) {
	benchDownload(b, func(h http.Handler) http.Handler { return withMiddleware(b, h, quiet()) })
}
