package server

// This file starts servers, talks to them, and stops them.

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"larder/internal/config"
	"larder/internal/wire"
	"larder/store"
)

// lines is a log several goroutines write to.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func testConfig(t *testing.T) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Listen = "127.0.0.1:0"
	cfg.AddrFile = filepath.Join(t.TempDir(), "addr")
	cfg.AdminPassword = "correct-horse"
	cfg.ShutdownTimeout = 5 * time.Second
	return cfg
}

// live is a server that runs in the background.
type live struct {
	*Server
	addr string
	stop context.CancelFunc
	done chan error
	log  *lines
}

// start runs a server; adjust may change it between New and Run.
func start(t *testing.T, cfg config.Config, adjust func(*Server)) *live {
	t.Helper()
	l := &live{log: new(lines), done: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(l.log, nil))
	s, err := New(context.Background(), cfg, log, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if adjust != nil {
		adjust(s)
	}
	l.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	go func() { l.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-l.done:
		case <-time.After(10 * time.Second):
			t.Error("the server does not stop")
		}
	})
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if p, err := os.ReadFile(cfg.AddrFile); err == nil {
			l.addr = strings.TrimSpace(string(p))
			return l
		}
		if time.Now().After(deadline) {
			t.Fatalf("no address: %s", l.log)
		}
	}
}

// end stops the server and returns Run's result.
func (l *live) end(t *testing.T) error {
	t.Helper()
	l.stop()
	select {
	case err := <-l.done:
		l.done <- err // for the cleanup
		return err
	case <-time.After(15 * time.Second):
		t.Fatal("the server does not stop")
		return nil
	}
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func socketClient(data string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, socketName))
	}}}
}

func TestServes(t *testing.T) {
	cfg := testConfig(t)
	l := start(t, cfg, nil)
	url := "http://" + l.addr
	for _, tt := range []struct {
		path   string
		status int
		part   string
	}{
		{"/", 200, "Larder"},
		{"/healthz", 200, `"reconcile"`},
		{"/readyz", 200, `"ready":true`},
		{"/v2/", 401, "UNAUTHORIZED"},
		{"/oci/", 401, "UNAUTHORIZED"},
		{"/api/v1/users", 401, "error"},
		{"/nothing", 404, ""},
		{"/metrics", 200, `larder_requests_total{op="web.health",status="200"} 1`},
	} {
		if status, body := get(t, http.DefaultClient, url+tt.path); status != tt.status || !strings.Contains(body, tt.part) {
			t.Errorf("%s: %d %s", tt.path, status, body)
		}
	}
	admin := socketClient(cfg.Data)
	if status, body := get(t, admin, "http://larder/api/v1/users"); status != 200 || !strings.Contains(body, `"admin"`) {
		t.Errorf("admin socket: %d %s", status, body)
	}
	admin.CloseIdleConnections()
	if err := l.end(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, socketName)); !os.IsNotExist(err) {
		t.Errorf("the admin socket is left: %v", err)
	}
	if log := l.log.String(); !strings.Contains(log, "stopped cleanly") || !strings.Contains(log, "op=oci.ping") {
		t.Errorf("log: %s", log)
	}
}

// TestIdleConnections: Maven's resolver uses a connection again that rested for up to 300 seconds; one that is closed
// just then is a failed request.
func TestIdleConnections(t *testing.T) {
	if got := tuned(nil, slog.New(slog.DiscardHandler)).IdleTimeout; got < 310*time.Second {
		t.Errorf("connections rest for %s only", got)
	}
}

func TestFirstStart(t *testing.T) {
	cfg := testConfig(t)
	cfg.AdminPassword = ""
	for i, want := range []string{"First start: user admin has the password ", ""} {
		var out bytes.Buffer
		s, err := New(context.Background(), cfg, quiet(), &out)
		if err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("start %d prints %q", i+1, got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartFailures(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := testConfig(t)
	cfg.Listen = taken.Addr().String()
	s, err := New(context.Background(), cfg, quiet(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a taken port: %v", err)
	}
	// The folder was closed: it opens again at once, and only once.
	cfg = testConfigAt(cfg)
	s, err = New(context.Background(), cfg, quiet(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(context.Background(), cfg, quiet(), io.Discard); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a folder opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	bad := cfg
	bad.TLSCert, bad.TLSKey = "absent", "absent"
	if _, err := New(context.Background(), bad, quiet(), io.Discard); err == nil {
		t.Error("started without its certificate")
	}
	bad = cfg
	bad.PublicURL = "nonsense"
	if _, err := New(context.Background(), bad, quiet(), io.Discard); err == nil {
		t.Error("started with a bad public URL")
	}
	cfg.AddrFile = filepath.Join(cfg.Data, "no", "such", "folder")
	if s, err = New(context.Background(), cfg, quiet(), io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "addr-file") {
		t.Errorf("an address file that cannot be written: %v", err)
	}
}

func testConfigAt(cfg config.Config) config.Config {
	cfg.Listen = "127.0.0.1:0"
	return cfg
}

// TestStopOrder: the request in flight finishes, then the jobs stop, and the store closes last: both can still use it.
func TestStopOrder(t *testing.T) {
	var mu sync.Mutex
	var events []string
	event := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, fmt.Sprintf(format, args...))
	}
	arrived, jobRuns := make(chan struct{}), make(chan struct{})
	l := start(t, testConfig(t), func(s *Server) {
		useStore := func() error {
			_, err := s.store.Stats(context.Background())
			return err
		}
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			time.Sleep(200 * time.Millisecond)
			event("request ends, store %v, job stopped %v, cancelled %v", useStore(), s.jobs.ctx.Err() != nil,
				r.Context().Err() != nil)
			io.WriteString(w, "whole answer")
		})
		s.public = upgrader(t, slow)
		s.jobs.states = append(s.jobs.states, &jobState{Job: wire.Job{Name: "test", Every: time.Nanosecond,
			Run: func(ctx context.Context) error {
				close(jobRuns)
				<-ctx.Done()
				time.Sleep(50 * time.Millisecond)
				event("job ends, store %v", useStore())
				return ctx.Err()
			}}})
	})
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + l.addr + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(string(body), " ", err)
	}()
	<-arrived
	<-jobRuns
	if err := l.end(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := <-answer; got != "whole answer <nil>" {
		t.Errorf("the request in flight got %s", got)
	}
	want := []string{"request ends, store <nil>, job stopped false, cancelled false", "job ends, store <nil>"}
	if !slices.Equal(events, want) {
		t.Errorf("events %q", events)
	}
	if _, err := l.store.Stats(context.Background()); err == nil {
		t.Error("the store is still open")
	}
	if _, err := net.Dial("tcp", l.addr); err == nil {
		t.Error("the port is still open")
	}
}

// TestLongPollEndsAtStop: a handler that waits for news hears of the stop through its request.
func TestLongPollEndsAtStop(t *testing.T) {
	arrived := make(chan struct{})
	l := start(t, testConfig(t), func(s *Server) {
		base, err := wire.NewBase("", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.public = upgrader(t, &wire.Middleware{Base: base, Log: quiet(), Stopping: s.stopping,
			Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(arrived)
				<-wire.Stopping(r.Context())
				io.WriteString(w, "nothing new")
			})})
	})
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + l.addr + "/poll")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(string(body), " ", err)
	}()
	<-arrived
	if err := l.end(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := <-answer; got != "nothing new <nil>" {
		t.Errorf("the poll got %q", got)
	}
}

func upgrader(t *testing.T, h http.Handler) *wire.Upgrader {
	t.Helper()
	up, err := wire.H2C(h, quiet(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// TestStopDeadline: a request that never ends is cut off, and the rest of the order still holds.
func TestStopDeadline(t *testing.T) {
	cfg := testConfig(t)
	cfg.ShutdownTimeout = 100 * time.Millisecond
	arrived, release := make(chan struct{}), make(chan struct{})
	l := start(t, cfg, func(s *Server) {
		s.public = upgrader(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(arrived)
			<-release
		}))
	})
	go http.Get("http://" + l.addr + "/forever")
	<-arrived
	err := l.end(t)
	close(release)
	if err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("stop: %v", err)
	}
	if _, err := l.store.Stats(context.Background()); err == nil {
		t.Error("the store is still open")
	}
}

func TestTLS(t *testing.T) {
	cfg := testConfig(t)
	dir := t.TempDir()
	cfg.TLSCert, cfg.TLSKey = writeCert(t, dir, "one.example.com")
	l := start(t, cfg, nil)
	dial := func() (name, protocol string) {
		conn, err := tls.Dial("tcp", l.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		state := conn.ConnectionState()
		return state.PeerCertificates[0].Subject.CommonName, state.NegotiatedProtocol
	}
	if name, protocol := dial(); name != "one.example.com" || protocol != "h2" {
		t.Errorf("certificate %s, protocol %s", name, protocol)
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	if status, _ := get(t, client, "https://"+l.addr+"/healthz"); status != 200 {
		t.Errorf("status %d", status)
	}
	writeCert(t, dir, "two.example.com")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if name, _ := dial(); name == "two.example.com" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("SIGHUP did not reload the certificate")
		}
	}
}

// TestUpgradeThroughRun: cargo's offer is taken on the real server, and its connection does not keep it from stopping.
func TestUpgradeThroughRun(t *testing.T) {
	l := start(t, testConfig(t), nil)
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: registry.example.com\r\nConnection: Upgrade, HTTP2-Settings\r\n"+
		"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", resp, err)
	}
	io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	start := time.Now()
	if err := l.end(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("an idle upgraded connection held the stop up for %v", took)
	}
}

func TestRebase(t *testing.T) {
	var seen string
	p := rebase(wire.Protocol{Prefixes: []string{"/v2", "/oci"},
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			seen = r.URL.EscapedPath()
		})}, "/oci", "/images")
	if !slices.Equal(p.Prefixes, []string{"/v2", "/images"}) {
		t.Errorf("prefixes %v", p.Prefixes)
	}
	for in, want := range map[string]string{
		"/images":         "/oci",
		"/images/a%2fb/c": "/oci/a%2fb/c",
		"/v2/images/x":    "/v2/images/x",
		"/imagesque/x":    "/imagesque/x",
	} {
		p.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", in, nil))
		if seen != want {
			t.Errorf("%s arrives as %s, want %s", in, seen, want)
		}
	}
}

func TestKindsAndMetricsCanBeClosed(t *testing.T) {
	cfg := testConfig(t)
	cfg.Metrics = false
	cfg.Kinds[store.OCI].Enabled = false
	s, err := New(context.Background(), cfg, quiet(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, path := range []string{"/metrics", "/v2/", "/oci/"} {
		w := httptest.NewRecorder()
		s.public.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 404 {
			t.Errorf("%s answers %d", path, w.Code)
		}
	}
}

func TestRules(t *testing.T) {
	cfg := testConfig(t)
	cfg.ImmutableTags = []string{"prod/*:v*"}
	cfg.Policies.Quotas = []store.Quota{{Kind: store.OCI, Bytes: 5}}
	cfg.Policies.Immutable = []store.Immutable{{Kind: store.NPM, Package: "*"}}
	cfg.Policies.Protected = []store.Protected{{Package: "core/*", Users: []string{"ann"}}}
	got := cfg.Rules()
	if len(got.Quotas) != 1 || got.Quotas[0] != (store.Quota{Kind: store.OCI, Bytes: 5}) {
		t.Errorf("quotas %+v", got.Quotas)
	}
	want := []store.Immutable{{Kind: store.NPM, Package: "*"}, {Kind: store.OCI, Package: "prod/*", Tag: "v*"}}
	if !slices.Equal(got.Immutable, want) {
		t.Errorf("immutable %+v", got.Immutable)
	}
	if len(got.Protected) != 1 || got.Protected[0].Package != "core/*" ||
		!slices.Equal(got.Protected[0].Users, []string{"ann"}) {
		t.Errorf("protected %+v", got.Protected)
	}
}
