package wire

// What a request holds of the server's memory.

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"larder/internal/budget"
	"larder/internal/problem"
)

// TestRequestsShareTheMemory: one that gets none is told when to come again, and what a request held is free after it,
// however it ends.
func TestRequestsShareTheMemory(t *testing.T) {
	pool := budget.NewPool(8<<20, time.Millisecond, "The memory is in use.")
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]func(w http.ResponseWriter, r *http.Request) error{
		"/body": func(w http.ResponseWriter, r *http.Request) error {
			_, err := ReadBody(r, 64<<20)
			return err
		},
		"/object": func(w http.ResponseWriter, r *http.Request) error {
			_, err := ReadObject(r, 64<<20)
			return err
		},
		"/answer": func(w http.ResponseWriter, r *http.Request) error {
			return JSON(w, http.StatusOK, strings.Repeat("x", 4<<20))
		},
		"/panic": func(w http.ResponseWriter, r *http.Request) error {
			if _, err := ReadBody(r, 64<<20); err != nil {
				return err
			}
			panic("while it holds something")
		},
	}
	edge := &Middleware{
		Base: base, Log: slog.New(slog.DiscardHandler), Memory: pool,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := ends[r.URL.Path](w, r)
			if now, _ := pool.Used(); err == nil && now == 0 {
				t.Errorf("%s: nothing is counted while it is held", r.URL.Path)
			}
			if after := problem.RetryAfter(err); after > 0 {
				w.Header().Set("Retry-After", after.String())
			}
			if err != nil {
				http.Error(w, problem.Public(err), problem.Status(err))
			}
		}),
	}
	for _, c := range []struct {
		path   string
		size   int
		full   bool // somebody else holds nearly everything
		status int
	}{
		{"/body", 3 << 20, false, 200},
		{"/body", 20 << 20, false, 503},
		{"/object", 5 << 20, false, 503},
		{"/object", 1 << 20, false, 200},
		{"/answer", 0, false, 200},
		{"/panic", 2 << 20, false, 500},
		{"/answer", 0, true, 503},
		{"/body", budget.Free / 2, true, 200},
	} {
		if c.full {
			if err := pool.Acquire(t.Context(), 5<<20); err != nil {
				t.Fatal(err)
			}
		}
		srv := httptest.NewServer(edge)
		body := append(append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), c.size)...), `"}`...)
		resp, err := srv.Client().Post(srv.URL+c.path, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status {
			t.Errorf("%+v: %s %.200s %v", c, resp.Status, text, err)
		}
		if c.status == 503 && !bytes.Contains(text, []byte("memory")) {
			t.Errorf("%+v: %.200s says nothing of memory", c, text)
		}
		if c.full {
			pool.Release(5 << 20)
		}
		srv.Close() // returns when the handler has
		if now, _ := pool.Used(); now != 0 {
			t.Errorf("%+v: %d bytes are still counted after it", c, now)
		}
	}
}
