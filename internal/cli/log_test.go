package cli

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
				log.Info(wire.AccessLine, slog.String("op", "oci.ping"))
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
	for _, agent := range []string{"", "curl/8", "docker/28 go", `with "quotes"`, "a=b", "line\nfeed", "é", "tab\t"} {
		var want bytes.Buffer
		r := slog.NewRecord(time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC), slog.LevelInfo, wire.AccessLine, 0)
		r.AddAttrs(slog.String("id", "x"), slog.Int("status", 200), slog.Int64("out", 1<<40), slog.Duration("took", 1500*time.Microsecond), slog.String("agent", agent))
		if err := slog.NewTextHandler(&want, nil).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		// What is not ASCII is escaped here, which slog's handler leaves alone.
		if got := string(accessText(nil, r)); got != want.String() && agent != "é" {
			t.Errorf("got  %swant %s", got, want.String())
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
