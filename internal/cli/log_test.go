package cli

// This file writes log lines in every form.

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/config"
	"larder/internal/wire"
)

// countingWriter counts writes, as system calls would be.
type countingWriter struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	return c.text.Write(p)
}

func (c *countingWriter) state() (string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String(), c.writes
}

func TestAccessLinesAreCollected(t *testing.T) {
	for _, form := range []string{"text", "json"} {
		t.Run(form, func(t *testing.T) {
			out := &countingWriter{}
			log := newLog(&logWriter{w: out}, config.Config{Log: form, LogLevel: "info"})
			for range 50 {
				if err := log.Handler().(wire.AccessHandler).HandleAccess(t.Context(), wire.Access{Op: "oci.ping"}); err != nil {
					t.Fatal(err)
				}
			}
			for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				if text, writes := out.state(); strings.Count(text, "oci.ping") == 50 {
					if writes > 25 {
						t.Errorf("50 lines took %d writes", writes)
					}
					return
				}
			}
			t.Error("the lines were not written")
		})
	}
}

// TestAccessText: the short cut writes what slog's own handler would.
func TestAccessText(t *testing.T) {
	day := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	var c clock
	for i, agent := range []string{"", "curl/8", "docker/28 go", `with "quotes"`, "a=b", "line\nfeed", "é", "tab\t"} {
		a := wire.Access{Time: day.Add(time.Duration(i) * 333 * time.Millisecond), ID: "x", Op: "oci.ping", Method: "GET",
			Path:   "/v2/?a=b",
			Status: 200, In: 7, Out: 1 << 40, Took: 1500 * time.Microsecond, Addr: "2001:db8::1", Agent: agent}
		if i%2 == 1 {
			a.Time = a.Time.In(time.FixedZone("", -3*3600-1800))
			c = clock{} // a server has one zone
		}
		var want bytes.Buffer
		r := slog.NewRecord(a.Time, slog.LevelInfo, wire.AccessLine, 0)
		r.AddAttrs(a.Attrs()...)
		if err := slog.NewTextHandler(&want, nil).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		got := string(c.accessText(nil, a))
		// What is not ASCII is escaped here, which slog's handler leaves alone.
		if got != want.String() && agent != "é" {
			t.Errorf("got  %swant %s", got, want.String())
		}
		if i%2 == 1 {
			c = clock{}
		}
	}
}

// TestAccessKeepsAttributes: a logger with attributes of its own, or in another form, goes the long way.
func TestAccessKeepsAttributes(t *testing.T) {
	a := wire.Access{Time: time.Now(), ID: "build-17", Status: 404}
	for form, want := range map[string]string{"text": "part=x id=build-17 ", "json": `"part":"x","id":"build-17",`} {
		w := &logWriter{w: &countingWriter{}}
		h := newLog(w, config.Config{Log: form, LogLevel: "info"}).With("part", "x").Handler()
		if err := h.(wire.AccessHandler).HandleAccess(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		w.flush()
		if text, _ := w.w.(*countingWriter).state(); !strings.Contains(text, want) {
			t.Errorf("%s: %q", form, text)
		}
	}
}

func TestOtherLinesAreWrittenAtOnce(t *testing.T) {
	out := &countingWriter{}
	log := newLog(&logWriter{w: out}, config.Config{LogLevel: "info"}).With("part", "x")
	log.Info(wire.AccessLine)
	log.Warn("disk is filling up")
	text, _ := out.state()
	if !strings.Contains(text, wire.AccessLine) || !strings.HasSuffix(text, "msg=\"disk is filling up\" part=x\n") {
		t.Errorf("written so far: %q", text)
	}
}
