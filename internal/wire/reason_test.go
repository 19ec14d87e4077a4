package wire

// The sentence of an error in the status line.

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestReasonPhrase(t *testing.T) {
	for text, want := range map[string]string{
		"File already exists (x.whl).": "File already exists (x.whl).", "two\r\nX-Evil: lines": "two  X-Evil: lines",
		"": "Conflict", "\n": "Conflict", "ä\x00\x7fb": "?  b", strings.Repeat("x", 300): strings.Repeat("x", 200),
	} {
		if got := reasonPhrase(409, text); got != want {
			t.Errorf("%q is %q", text, got)
		}
	}
}

// TestWriteReason: the sentence is in the status line and in the body, the connection is closed, and a client that is
// still sending gets the answer all the same.
func TestWriteReason(t *testing.T) {
	var seen Observation
	done := make(chan struct{}, 1)
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Own", "1")
		WriteReason(w, r, 409, "It exists\r\n already", []byte("body\n"))
	})
	edge := &Middleware{Next: h, Base: base, Log: quiet(), Observe: func(o Observation) { seen = o; done <- struct{}{} }}
	srv := httptest.NewServer(edge)
	defer srv.Close()
	resp, err := http.Post(srv.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.Status != "409 It exists   already" || string(body) != "body\n" || !resp.Close ||
		resp.Header.Get("X-Own") != "1" || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("%+v %q %v", resp, body, err)
	}
	<-done
	if seen.Status != 409 || seen.Out != 5 {
		t.Errorf("%+v", seen)
	}
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	for range 28 { // the answer was written long before
		if _, err := conn.Write(chunk); err != nil {
			t.Fatalf("the connection was reset: %v", err)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || line != "HTTP/1.1 409 It exists   already\r\n" {
		t.Errorf("%q %v", line, err)
	}
}

// TestWriteReasonWithoutConnection: where there is none to take over, and for HEAD, the answer is an ordinary one.
func TestWriteReasonWithoutConnection(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		w := httptest.NewRecorder()
		WriteReason(w, httptest.NewRequest(method, "/", nil), 403, "No.", []byte("No.\n"))
		want := map[string]string{"GET": "No.\n"}[method]
		if w.Code != 403 || w.Body.String() != want || w.Header().Get("Content-Length") != "4" {
			t.Errorf("%s: %d %q %v", method, w.Code, w.Body, w.Header())
		}
	}
}
