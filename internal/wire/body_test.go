package wire

// Bodies that are too large, too slow or cut off.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"larder/internal/problem"
	"larder/store"
)

func TestReadBody(t *testing.T) {
	tests := []struct {
		name   string
		body   io.Reader
		length int64
		want   string
		err    error
	}{
		{"short", strings.NewReader("abc"), 3, "abc", nil},
		{"exactly the limit", strings.NewReader("0123456789"), 10, "0123456789", nil},
		{"announced too long", strings.NewReader("0123456789a"), 11, "", store.ErrTooLarge},
		{"too long, unannounced", strings.NewReader("0123456789a"), -1, "", store.ErrTooLarge},
		{"unannounced", strings.NewReader("abc"), -1, "abc", nil},
		{"empty", strings.NewReader(""), 0, "", nil},
		{"failing", io.MultiReader(strings.NewReader("a"), errorReader{}), -1, "", errBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("PUT", "/", tt.body)
			r.ContentLength = tt.length
			got, err := ReadBody(r, 10)
			if !errors.Is(err, tt.err) || string(got) != tt.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	if got, err := ReadBody(&http.Request{}, 10); err != nil || len(got) != 0 {
		t.Errorf("no body at all: %q, %v", got, err)
	}
}

var errBroken = errors.New("broken")

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errBroken }

// rawRequest writes pieces to url with pauses between them and returns what comes back within a few seconds.
func rawRequest(t *testing.T, url string, pause time.Duration, pieces ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	for i, p := range pieces {
		if i > 0 {
			time.Sleep(pause)
		}
		if p == "EOF" {
			conn.(*net.TCPConn).CloseWrite()
		} else if _, err := io.WriteString(conn, p); err != nil {
			break
		}
	}
	got, err := io.ReadAll(conn)
	if err != nil && len(got) == 0 {
		t.Fatal(err)
	}
	return string(got)
}

// bodyHandler reads the whole body and answers by the errors table.
func bodyHandler(w http.ResponseWriter, r *http.Request) {
	p, err := ReadBody(r, 1<<20)
	if err != nil {
		http.Error(w, problem.Public(err), problem.Status(err))
		return
	}
	fmt.Fprintf(w, "got %d", len(p))
}

func TestReadObject(t *testing.T) {
	for body, want := range map[string]error{
		`{"a":"b"}`: nil, `{"a":1,"a":2}`: store.ErrInvalid, `[]`: store.ErrInvalid, ``: store.ErrInvalid,
		`{"a":"` + strings.Repeat("x", 64) + `"}`: store.ErrTooLarge,
	} {
		o, err := ReadObject(httptest.NewRequest("PUT", "/", strings.NewReader(body)), 64)
		if !errors.Is(err, want) || want == nil && o.Text("a") != "b" {
			t.Errorf("%.20s: %v %v", body, o, err)
		}
	}
}

func TestBodyDeadlines(t *testing.T) {
	url := startMiddleware(t, http.HandlerFunc(bodyHandler), 300*time.Millisecond, nil)
	const header = "PUT / HTTP/1.1\r\nHost: registry.example.com\r\nConnection: close\r\nContent-Length: 6\r\n\r\n"
	tests := []struct {
		name   string
		pause  time.Duration
		pieces []string
		want   string
	}{
		{"whole", 0, []string{header + "abcdef"}, " 200 "},
		{"steady, longer than one deadline in all", 150 * time.Millisecond, []string{header, "a", "b", "c", "def"}, " 200 "},
		{"stalled", 0, []string{header + "abc"}, " 408 "},
		{"cut short", 0, []string{header + "abc", "EOF"}, " 400 "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := rawRequest(t, url, tt.pause, tt.pieces...)
			if !strings.Contains(strings.SplitN(got, "\r\n", 2)[0]+" ", tt.want) {
				t.Errorf("answer %q, want%s", got, tt.want)
			}
		})
	}
}

// TestNoDeadlineAfterBody: a handler that works longer than Stall after it has read the body is not cancelled.
func TestNoDeadlineAfterBody(t *testing.T) {
	url := startMiddleware(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			http.Error(w, "cancelled", 500)
		case <-time.After(400 * time.Millisecond):
			io.WriteString(w, "done")
		}
	}), 100*time.Millisecond, nil)
	resp, err := http.Post(url, "text/plain", strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "done" {
		t.Errorf("got %q, %v", body, err)
	}
}

// trickle hands out a byte at a time, each after a wait by a clock of its own.
type trickle struct{ wait time.Duration }

func (s trickle) Read(p []byte) (int, error) {
	time.Sleep(s.wait)
	p[0] = 'a'
	return 1, nil
}
func (trickle) Close() error { return nil }

func TestMinimumRate(t *testing.T) {
	x := &exchange{stall: time.Minute, ctl: *http.NewResponseController(httptest.NewRecorder())}
	b := &body{rc: trickle{time.Millisecond}, x: x}
	b.waited = rateWindow // a window has just passed in which nearly nothing came
	if _, err := b.Read(make([]byte, 10)); !errors.Is(err, problem.ErrSlow) {
		t.Errorf("a trickle is read with %v", err)
	}
	b = &body{rc: trickle{time.Millisecond}, x: x}
	b.waited, b.window = rateWindow, 1<<20
	if _, err := b.Read(make([]byte, 10)); err != nil || b.waited != 0 || b.window != 0 {
		t.Errorf("a good window ends with %v, %v, %d", err, b.waited, b.window)
	}
}

func TestDrain(t *testing.T) {
	unread := func(r *http.Request) int {
		rest, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return len(rest)
	}
	tests := []struct {
		name   string
		size   int
		length int64
		expect string
		left   int
	}{
		{"small", 1000, 1000, "", 0},
		{"at the limit", drainBytes, drainBytes, "", 0},
		{"known to be too long", drainBytes + 1, drainBytes + 1, "", drainBytes + 1},
		{"unknown and too long", drainBytes + 10, -1, "", 10},
		{"held back by the client", 1000, 1000, "100-continue", 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("PUT", "/", bytes.NewReader(make([]byte, tt.size)))
			r.ContentLength = tt.length
			if tt.expect != "" {
				r.Header.Set("Expect", tt.expect)
			}
			Drain(r)
			if got := unread(r); got != tt.left {
				t.Errorf("%d bytes left, want %d", got, tt.left)
			}
		})
	}
	Drain(httptest.NewRequest("GET", "/", nil))
	Drain(&http.Request{})
}
