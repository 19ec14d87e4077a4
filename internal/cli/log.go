package cli

// This file has the log of larder serve: its forms, and how prompts and log lines share a terminal.

import (
	"context"
	"io"
	"log/slog"
	"strconv"
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
	clock   clock
}

// Write keeps p; what it returns is never an error, as there is nobody to tell but the log.
func (l *logWriter) Write(p []byte) (int, error) {
	l.append(func(b []byte) []byte { return append(b, p...) })
	return len(p), nil
}

// append has line add to what waits.
func (l *logWriter) append(line func([]byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = line(l.waiting)
	switch {
	case len(l.waiting) >= logBuffer:
		l.write()
	case l.timer == nil:
		l.timer = time.AfterFunc(logDelay, l.flush)
	}
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
	out   *logWriter
	plain bool // access lines are text without further attributes
}

func (h promptHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level != slog.LevelInfo || r.Message != wire.AccessLine {
		h.out.flush()
	}
	return err
}

// HandleAccess implements wire.AccessHandler.
func (h promptHandler) HandleAccess(ctx context.Context, a wire.Access) error {
	if h.plain {
		h.out.append(func(b []byte) []byte { return h.out.clock.accessText(b, a) })
		return nil
	}
	r := slog.NewRecord(a.Time, slog.LevelInfo, wire.AccessLine, 0)
	r.AddAttrs(a.Attrs()...)
	return h.Handler.Handle(ctx, r)
}

func (h promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptHandler{h.Handler.WithAttrs(attrs), h.out, false}
}

func (h promptHandler) WithGroup(name string) slog.Handler {
	return promptHandler{h.Handler.WithGroup(name), h.out, false}
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
	return slog.New(promptHandler{h, w, cfg.Log != "json"})
}

// clock writes times, and remembers the text of the present second.
type clock struct {
	second       int64
	before, zone []byte // what stands before and after the milliseconds
}

// append writes t as slog's text handler does.
func (c *clock) append(b []byte, t time.Time) []byte {
	if s := t.Unix(); s != c.second || c.before == nil {
		c.second = s
		c.before = t.AppendFormat(c.before[:0], "2006-01-02T15:04:05.")
		c.zone = t.AppendFormat(c.zone[:0], "Z07:00")
	}
	ms := t.Nanosecond() / int(time.Millisecond)
	b = append(b, c.before...)
	b = append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	return append(b, c.zone...)
}

// accessText appends an access line in the form of slog's text handler, which takes ten times as long for it.
func (c *clock) accessText(b []byte, a wire.Access) []byte {
	b = c.append(append(b, "time="...), a.Time)
	b = append(b, " level=INFO msg="+wire.AccessLine...)
	b = appendText(append(b, " id="...), a.ID)
	b = appendText(append(b, " op="...), a.Op)
	b = appendText(append(b, " method="...), a.Method)
	b = appendText(append(b, " path="...), a.Path)
	b = strconv.AppendInt(append(b, " status="...), int64(a.Status), 10)
	b = strconv.AppendInt(append(b, " in="...), a.In, 10)
	b = strconv.AppendInt(append(b, " out="...), a.Out, 10)
	b = append(append(b, " took="...), a.Took.String()...)
	b = appendText(append(b, " user="...), a.User)
	b = appendText(append(b, " addr="...), a.Addr)
	b = appendText(append(b, " agent="...), a.Agent)
	return append(b, '\n')
}

// appendText quotes what is empty or would not be one word.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '=' || c >= 0x7f {
			return strconv.AppendQuote(b, s)
		}
	}
	if s == "" {
		return append(b, `""`...)
	}
	return append(b, s...)
}
