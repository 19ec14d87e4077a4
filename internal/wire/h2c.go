package wire

// HTTP/2 on a connection without TLS, for clients that ask to upgrade. net/http speaks it only by prior knowledge;
// cargo asks for an upgrade, and only http2.Server.ServeConn can take over a connection with its first request.

//lint:file-ignore SA1019 see above

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Upgrader moves plain-http clients that offer it (Upgrade: h2c; cargo does for every index file) to HTTP/2, which
// turns hundreds of requests one after another into one connection's worth of parallel ones.
//
// Only GET and HEAD without a body are upgraded, and only from a client itself: a request with a Via or Forwarded
// header came through a proxy, which would not know what the connection has become. Every request on the upgraded
// connection passes through the same handler, with its own authentication and log line.
type Upgrader struct {
	// Off serves everyone as they came. It is set before the first request.
	Off bool

	next http.Handler
	log  *slog.Logger
	base *http.Server // carries time limits and, through its Shutdown, the GOAWAY to every connection
	h2   *http2.Server

	mu      sync.Mutex
	conns   map[net.Conn]struct{} // upgraded and not yet closed
	streams int                   // requests in flight on them
	closing bool
	idle    chan struct{} // closed when closing and nothing is left
}

// upgradeTime bounds the write of the 101.
const upgradeTime = 10 * time.Second

// goodbyeEvery is how often connections that are left are told that the server stops.
const goodbyeEvery = 50 * time.Millisecond

// H2C wraps next. idle is how long an upgraded connection without requests is kept.
func H2C(next http.Handler, log *slog.Logger, idle time.Duration) (*Upgrader, error) {
	u := &Upgrader{next: next, log: log, conns: make(map[net.Conn]struct{}), idle: make(chan struct{})}
	u.base = &http.Server{
		Handler: http.HandlerFunc(u.serveStream), IdleTimeout: idle,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	u.h2 = &http2.Server{IdleTimeout: idle}
	if err := http2.ConfigureServer(u.base, u.h2); err != nil {
		return nil, fmt.Errorf("configure h2c: %w", err)
	}
	return u, nil
}

func (u *Upgrader) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header["Upgrade"] == nil || u.Off || !offersH2C(r) {
		u.next.ServeHTTP(w, r)
		return
	}
	settings, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(r.Header.Get("Http2-Settings"), "="))
	hijacker, ok := w.(http.Hijacker)
	if err != nil || len(settings)%6 != 0 || !ok || !u.admit() {
		u.next.ServeHTTP(w, r)
		return
	}
	conn, err := takeOver(hijacker)
	if err != nil {
		u.leave(nil)
		u.log.LogAttrs(r.Context(), slog.LevelDebug, "h2c upgrade failed", slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
	u.join(conn)
	defer u.leave(conn)
	u.h2.ServeConn(conn, &http2.ServeConnOpts{
		Context:        context.WithoutCancel(r.Context()),
		BaseConfig:     u.base,
		Handler:        u.base.Handler,
		UpgradeRequest: plain(r),
		Settings:       settings,
	})
}

// offersH2C follows RFC 7540 3.2: the client names h2c, lists both headers in Connection and sends its settings once.
func offersH2C(r *http.Request) bool {
	if r.ProtoMajor != 1 || r.TLS != nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return false
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 || len(r.Header["Http2-Settings"]) != 1 {
		return false
	}
	for _, name := range []string{
		"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip",
	} {
		if r.Header[name] != nil {
			return false
		}
	}
	connection := r.Header["Connection"]
	return hasToken(r.Header["Upgrade"], "h2c") && hasToken(connection, "Upgrade") &&
		hasToken(connection, "HTTP2-Settings")
}

func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// plain is r without the headers that concerned the upgrade.
func plain(r *http.Request) *http.Request {
	p := r.Clone(r.Context())
	for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
		p.Header.Del(name)
	}
	return p
}

func takeOver(h http.Hijacker) (net.Conn, error) {
	conn, buf, err := h.Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over connection: %w", err)
	}
	conn.SetDeadline(time.Now().Add(upgradeTime))
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("write 101: %w", err)
	}
	conn.SetDeadline(time.Time{})
	if buf.Reader.Buffered() > 0 {
		return &bufferedConn{conn, buf.Reader}, nil
	}
	return conn, nil
}

// bufferedConn gives back what the HTTP/1 server had read ahead.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// serveStream counts the requests in flight: http.Server.Shutdown does not know of connections that were taken over.
func (u *Upgrader) serveStream(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.streams++
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.streams--
		u.settle()
		u.mu.Unlock()
	}()
	u.next.ServeHTTP(w, r)
}

// admit reserves a place among the connections; after Shutdown there is none.
func (u *Upgrader) admit() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.closing {
		u.streams++
	}
	return !u.closing
}

// join turns the place into a connection.
func (u *Upgrader) join(c net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.conns[c] = struct{}{}
	u.streams--
}

// leave gives back the connection, or the place if none came of it.
func (u *Upgrader) leave(c net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c == nil {
		u.streams--
	}
	delete(u.conns, c)
	u.settle()
}

// settle reports the end of a shutdown; the caller holds the lock.
func (u *Upgrader) settle() {
	if !u.closing || u.streams > 0 || len(u.conns) > 0 {
		return
	}
	select {
	case <-u.idle:
	default:
		close(u.idle)
	}
}

// Shutdown lets requests in flight on upgraded connections finish and closes the connections. When ctx ends first it
// cuts them off and returns ctx's error.
func (u *Upgrader) Shutdown(ctx context.Context) error {
	u.mu.Lock()
	u.closing = true
	u.settle()
	u.mu.Unlock()
	tick := time.NewTicker(goodbyeEvery)
	defer tick.Stop()
	for {
		// The base server has no listener; this only runs what http2.ConfigureServer registered: a GOAWAY on each connection
		// it knows. It learns of one that is being taken over now a moment later, so it is told again.
		if err := u.base.Shutdown(ctx); err != nil {
			return u.cut(err)
		}
		select {
		case <-u.idle:
			return nil
		case <-ctx.Done():
			return u.cut(ctx.Err())
		case <-tick.C:
		}
	}
}

func (u *Upgrader) cut(cause error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.conns)
	for c := range u.conns {
		c.Close()
	}
	return fmt.Errorf("%d upgraded connections cut: %w", n, cause)
}
