package wire

// HTTP/2 without TLS, by an upgrade and by prior knowledge.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// startH2C serves h with the upgrade, and a Middleware inside it, as in production.
func startH2C(t *testing.T, h http.Handler) (*Upgrader, *httptest.Server) {
	t.Helper()
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	up, err := H2C(&Middleware{Next: h, Base: base, Log: quiet()}, quiet(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(up)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := up.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		srv.Close()
	})
	return up, srv
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Proto", r.Proto)
	w.Header().Set("X-Left", r.Header.Get("Upgrade")+r.Header.Get("Http2-Settings")+r.Header.Get("Connection"))
	if r.URL.Path == "/big" {
		w.Write(bytes.Repeat([]byte("larder!\n"), 100_000))
		return
	}
	fmt.Fprintf(w, "%s %s by %s", r.Method, r.URL.EscapedPath(), r.Header.Get("Authorization"))
}

// upgradeClient speaks HTTP/1.1 until the 101 and HTTP/2 from there.
type upgradeClient struct {
	t     *testing.T
	conn  net.Conn
	fr    *http2.Framer
	enc   *hpack.Encoder
	block bytes.Buffer
}

// answer collects one stream.
type answer struct {
	header map[string]string
	body   []byte
}

func settingsHeader() string {
	var raw []byte
	raw = binary.BigEndian.AppendUint16(raw, uint16(http2.SettingInitialWindowSize))
	raw = binary.BigEndian.AppendUint32(raw, 1<<20)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// dialUpgrade sends method path with the offer, expects the 101 and returns the client; stream 1 is the first answer.
func dialUpgrade(t *testing.T, srv *httptest.Server, method, path string) *upgradeClient {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn,
		"%s %s HTTP/1.1\r\nHost: registry.example.com\r\nAuthorization: first\r\nConnection: Upgrade, HTTP2-Settings\r\n"+
			"Upgrade: h2c\r\nHTTP2-Settings: %s\r\n\r\n", method, path, settingsHeader())
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "h2c" || resp.Header.Get("Connection") != "Upgrade" {
		t.Fatalf("answer to the offer: %d %v", resp.StatusCode, resp.Header)
	}
	io.WriteString(conn, http2.ClientPreface)
	c := &upgradeClient{t: t, conn: conn, fr: http2.NewFramer(conn, br)}
	c.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.enc = hpack.NewEncoder(&c.block)
	if err := c.fr.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if err := c.fr.WriteWindowUpdate(0, 16<<20); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *upgradeClient) request(stream uint32, method, path string) {
	c.t.Helper()
	c.block.Reset()
	for _, f := range [][2]string{
		{":method", method}, {":scheme", "http"}, {":authority", "registry.example.com"}, {":path", path},
		{"authorization", strconv.Itoa(int(stream))},
	} {
		c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	err := c.fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true,
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// read collects answers until n streams have ended, or the server says goodbye.
func (c *upgradeClient) read(n int) (answers map[uint32]*answer, goAway bool) {
	c.t.Helper()
	answers = make(map[uint32]*answer)
	for ended := 0; ended < n; {
		f, err := c.fr.ReadFrame()
		if err != nil {
			c.t.Fatalf("after %d of %d answers: %v", ended, n, err)
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			a := &answer{header: make(map[string]string)}
			for _, h := range f.Fields {
				a.header[h.Name] = h.Value
			}
			answers[f.StreamID] = a
			if f.StreamEnded() {
				ended++
			}
		case *http2.DataFrame:
			a := answers[f.StreamID]
			a.body = append(a.body, f.Data()...)
			if f.StreamEnded() {
				ended++
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.fr.WriteSettingsAck()
			}
		case *http2.GoAwayFrame:
			goAway = true
		case *http2.RSTStreamFrame:
			c.t.Fatalf("stream %d was reset: %v", f.StreamID, f.ErrCode)
		}
	}
	return answers, goAway
}

func TestH2CUpgrade(t *testing.T) {
	_, srv := startH2C(t, http.HandlerFunc(echo))
	c := dialUpgrade(t, srv, "GET", "/cargo/se/rd/serde")
	const more = 20
	for i := range more {
		c.request(uint32(3+2*i), "GET", fmt.Sprintf("/cargo/%d%%2F", i))
	}
	answers, _ := c.read(1 + more)
	first := answers[1]
	if first == nil || string(first.body) != "GET /cargo/se/rd/serde by first" || first.header[":status"] != "200" {
		t.Fatalf("the upgraded request got %+v", first)
	}
	if first.header["x-left"] != "" || first.header["x-request-id"] == "" {
		t.Errorf("header of the first answer: %v", first.header)
	}
	for i := range more {
		id := uint32(3 + 2*i)
		want := fmt.Sprintf("GET /cargo/%d%%2F by %d", i, id)
		if a := answers[id]; a == nil || string(a.body) != want || a.header["x-proto"] != "HTTP/2.0" {
			t.Errorf("stream %d got %+v, want %q", id, a, want)
		}
	}
}

func TestH2CBigFirstAnswer(t *testing.T) {
	_, srv := startH2C(t, http.HandlerFunc(echo))
	c := dialUpgrade(t, srv, "GET", "/big")
	answers, _ := c.read(1)
	if a := answers[1]; len(a.body) != 800_000 {
		t.Errorf("got %d bytes", len(a.body))
	}
}

func TestH2CHead(t *testing.T) {
	_, srv := startH2C(t, http.HandlerFunc(echo))
	c := dialUpgrade(t, srv, "HEAD", "/x")
	answers, _ := c.read(1)
	if a := answers[1]; a.header[":status"] != "200" || len(a.body) != 0 {
		t.Errorf("got %+v", a)
	}
}

// TestH2CDeclined lists the offers that are answered by plain HTTP/1.1.
func TestH2CDeclined(t *testing.T) {
	_, srv := startH2C(t, http.HandlerFunc(echo))
	offer := "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: " + settingsHeader() + "\r\n"
	tests := []struct{ name, method, header, body string }{
		{"POST", "POST", offer, ""},
		{"body", "GET", offer + "Content-Length: 2\r\n", "ab"},
		{"chunked body", "GET", offer + "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"},
		{"through a proxy", "GET", offer + "Via: 1.1 proxy\r\n", ""},
		{"through a reverse proxy", "GET", offer + "X-Forwarded-For: 1.2.3.4\r\n", ""},
		{"no settings", "GET", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", ""},
		{"settings twice", "GET", offer + "HTTP2-Settings: AAMAAABk\r\n", ""},
		{"settings not in Connection", "GET", "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", ""},
		{"settings not base64", "GET", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: %%\r\n", ""},
		{
			"settings of a wrong length", "GET",
			"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", "",
		},
		{
			"another protocol", "GET",
			"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\nHTTP2-Settings: AAMAAABk\r\n", "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			fmt.Fprintf(conn, "%s /x HTTP/1.1\r\nHost: registry.example.com\r\n%s\r\n%s", tt.method, tt.header, tt.body)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 200 || resp.Header.Get("X-Proto") != "HTTP/1.1" {
				t.Errorf("got %d over %s", resp.StatusCode, resp.Header.Get("X-Proto"))
			}
		})
	}
}

// TestH2COff: an operator can switch the upgrade off.
func TestH2COff(t *testing.T) {
	up, srv := startH2C(t, http.HandlerFunc(echo))
	up.Off = true
	r, err := http.NewRequest("GET", srv.URL+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {settingsHeader()},
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("X-Proto") != "HTTP/1.1" {
		t.Errorf("got %d over %s", resp.StatusCode, resp.Header.Get("X-Proto"))
	}
}

// TestH2CShutdown: a request in flight on an upgraded connection finishes, the connection is told to go away, and
// Shutdown returns only then.
func TestH2CShutdown(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	up, srv := startH2C(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			once.Do(func() { close(arrived) })
			<-release
		}
		echo(w, r)
	}))
	c := dialUpgrade(t, srv, "GET", "/first")
	c.request(3, "GET", "/slow")
	<-arrived
	done := make(chan error, 1)
	go func() { done <- up.Shutdown(context.Background()) }()
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	answers, goAway := c.read(2)
	if a := answers[3]; a == nil || string(a.body) != "GET /slow by 3" {
		t.Errorf("the request in flight got %+v", a)
	}
	if !goAway {
		t.Error("no GOAWAY before the last answer")
	}
	c.conn.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	resp, err := http.Get(srv.URL + "/after")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestH2CShutdownDeadline: a request that does not finish is cut off when the deadline ends.
func TestH2CShutdownDeadline(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up, srv := startH2C(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	dialUpgrade(t, srv, "GET", "/slow")
	<-arrived
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := up.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "1 upgraded connections cut") {
		t.Errorf("Shutdown: %v", err)
	}
	close(release)
}

// slowConn lets the shutdown pass between the moment a connection is taken over and the one in which HTTP/2 knows of
// it: its address is what HTTP/2 asks for in between.
type slowConn struct {
	net.Conn
	once        sync.Once
	asked, goOn chan struct{}
}

func (c *slowConn) RemoteAddr() net.Addr {
	c.once.Do(func() {
		close(c.asked)
		<-c.goOn
	})
	return c.Conn.RemoteAddr()
}

// hijackable is an answer whose connection is conn.
type hijackable struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// TestH2CShutdownDuringUpgrade: a connection that is just being taken over does not keep the server from stopping.
func TestH2CShutdownDuringUpgrade(t *testing.T) {
	up, err := H2C(http.HandlerFunc(echo), quiet(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		_, _ = io.Copy(io.Discard, there) // ends with the connection
	}()
	slow := &slowConn{Conn: here, asked: make(chan struct{}), goOn: make(chan struct{})}
	r := httptest.NewRequest("GET", "/x", nil)
	for k, v := range map[string]string{
		"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": settingsHeader(),
	} {
		r.Header.Set(k, v)
	}
	go up.ServeHTTP(hijackable{httptest.NewRecorder(), slow}, r)
	<-slow.asked
	stopped := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		stopped <- up.Shutdown(ctx)
	}()
	time.Sleep(100 * time.Millisecond) // the shutdown has said goodbye to all that HTTP/2 knows
	close(slow.goOn)
	if _, err := io.WriteString(there, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestH2CCurl lets an independent client do the upgrade.
func TestH2CCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err == nil {
		var v []byte
		if v, err = exec.Command(curl, "--version").Output(); err == nil && !bytes.Contains(v, []byte("HTTP2")) {
			err = errors.New("curl knows no HTTP/2")
		}
	}
	if err != nil && os.Getenv("LARDER_CLIENTS") != "all" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, srv := startH2C(t, http.HandlerFunc(echo))
	out, err := exec.Command(curl, "-sS", "--noproxy", "*", "--http2", "-w", "%{http_version} %{num_connects} ",
		srv.URL+"/one", srv.URL+"/two").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := string(out); got != "GET /one by 2 1 GET /two by 2 0 " {
		t.Errorf("curl says %q", got)
	}
}
