package cli

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"larder/internal/config"
	"larder/internal/wire"
)

const (
	logDelay  = 20 * time.Millisecond // the longest an access line waits
	logBuffer = 32 << 10              // bytes of them that are written at once
)

// logWriter collects the lines of the access log for a moment, so that a busy server does not make a system call for
// each. Every other line is written at once, with what waits before it.
type logWriter struct {
	w io.Writer

	mu      sync.Mutex // guards the rest, and writing to w
	waiting []byte
	timer   *time.Timer
}

// Write keeps p; what it returns is never an error, as there is nobody to tell but the log.
func (l *logWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, p...)
	switch {
	case len(l.waiting) >= logBuffer:
		l.write()
	case l.timer == nil:
		l.timer = time.AfterFunc(logDelay, l.flush)
	}
	return len(p), nil
}

func (l *logWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
}

func (l *logWriter) write() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if len(l.waiting) > 0 {
		// A log that cannot be written has nobody to complain to.
		_, _ = l.w.Write(l.waiting)
		l.waiting = l.waiting[:0]
	}
}

// promptHandler flushes after every line that is not one of the access log.
type promptHandler struct {
	slog.Handler
	out *logWriter
}

func (h promptHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level != slog.LevelInfo || r.Message != wire.AccessLine {
		h.out.flush()
	}
	return err
}

func (h promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptHandler{h.Handler.WithAttrs(attrs), h.out}
}

func (h promptHandler) WithGroup(name string) slog.Handler {
	return promptHandler{h.Handler.WithGroup(name), h.out}
}

// newLog makes the server's logger from two validated settings.
func newLog(w *logWriter, cfg config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if cfg.Log == "json" {
		h = slog.NewJSONHandler(w, options)
	}
	return slog.New(promptHandler{h, w})
}
