package wire

// The outermost handler: request id, access log, panics, deadlines, counters.

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"larder/internal/budget"
	"larder/internal/problem"
)

// Observation is what metrics learn of a finished request.
type Observation struct {
	// Op is the operation's name, "none" for a request that reached none.
	Op string
	// Status is the answer's, or problem.StatusClientGone.
	Status int
	// In and Out are bytes of request body and answer body.
	In, Out int64
	// Duration is from the parsed header to the end of the handler.
	Duration time.Duration
}

// Middleware is the outermost handler of a request: it gives the request its id, counts it, logs one line, survives
// panics and keeps clients from holding a connection without moving bytes.
type Middleware struct {
	// Next serves the request.
	Next http.Handler
	// Base tells the client's address.
	Base *Base
	// Log gets one line per request at level Info, and panics at level Error.
	Log *slog.Logger
	// Observe, if set, is called once per finished request, from its goroutine.
	Observe func(Observation)
	// Stall is how long a read or a slice of an answer may take; 0 means one minute, negative means for ever.
	Stall time.Duration
	// Stopping, if set, is closed when the server begins to stop; see the function of that name.
	Stopping <-chan struct{}
	// Memory, if set, bounds what all requests together hold in memory.
	Memory *budget.Pool
}

// AccessLine is the message of the access log: one line per request.
const AccessLine = "request"

// Access is what the access line of a request says.
type Access struct {
	Time              time.Time // when the request had ended
	ID, Op            string
	Method, Path      string
	Status            int
	In, Out           int64
	Took              time.Duration
	User, Addr, Agent string
}

// Attrs are the fields of the line in their order.
func (a Access) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("id", a.ID), slog.String("op", a.Op), slog.String("method", a.Method), slog.String("path", a.Path),
		slog.Int("status", a.Status), slog.Int64("in", a.In), slog.Int64("out", a.Out), slog.Duration("took", a.Took),
		slog.String("user", a.User), slog.String("addr", a.Addr), slog.String("agent", a.Agent),
	}
}

// AccessHandler is a slog.Handler that takes access lines as they are: a record of attributes costs more than all else
// that is done for a small answer.
type AccessHandler interface {
	HandleAccess(ctx context.Context, a Access) error
}

const defaultStall = time.Minute

// nosniff is shared by all answers; nobody changes it.
var nosniff = []string{"nosniff"}

func (e *Middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	stall := e.Stall
	if stall == 0 {
		stall = defaultStall
	}
	x, ww, r2 := enter(w, r, requestID(r), e.Base.ClientAddr(r), stall)
	x.stopping, x.entered = e.Stopping, start
	x.share.Open(e.Memory)
	defer func() {
		// recover works only here, in the deferred function itself.
		e.finish(x, ww, r2, start, recover())
	}()
	e.Next.ServeHTTP(ww, r2)
}

// finish logs, counts, and answers 500 in place of a handler that panicked.
func (e *Middleware) finish(x *exchange, w http.ResponseWriter, r *http.Request, start time.Time, failure any) {
	x.share.Close()
	abort := failure == http.ErrAbortHandler
	if failure != nil && !abort {
		e.Log.LogAttrs(x, slog.LevelError, "panic while serving", slog.String("id", x.id), slog.String("op", x.op),
			slog.Any("panic", failure), slog.String("stack", string(debug.Stack())))
		abort = x.started || x.hijacked
		if !abort {
			http.Error(w, problem.Internal+" (request "+x.id+")", http.StatusInternalServerError)
		}
	}
	if !abort && !x.hijacked {
		// net/http sends this for a handler that wrote nothing.
		x.begin(http.StatusOK)
	}
	e.record(x, r, start)
	if abort {
		// The client must not take a cut answer for a whole one; net/http closes the connection.
		panic(http.ErrAbortHandler)
	}
}

func (e *Middleware) record(x *exchange, r *http.Request, start time.Time) {
	took := time.Since(start)
	o := Observation{Op: x.op, Status: x.status, In: x.body.got, Out: x.sent, Duration: took}
	if o.Op == "" {
		o.Op = "none"
	}
	if o.Status == 0 {
		o.Status = http.StatusOK
	}
	if r.Method == http.MethodHead {
		o.Out = 0 // what handlers write stays here
	}
	x.tally.count(r, x.w.Header(), o.Status, o.Out)
	if e.Observe != nil {
		e.Observe(o)
	}
	h := e.Log.Handler()
	if !h.Enabled(x, slog.LevelInfo) {
		return
	}
	line := Access{
		Time: start.Add(took), ID: x.id, Op: o.Op, Method: r.Method, Path: redact(x.escapedPath(r.URL), r.URL.RawQuery),
		Status: o.Status, In: o.In, Out: o.Out, Took: took, User: x.identity.User, Addr: x.addrText, Agent: x.agent,
	}
	if direct, ok := h.(AccessHandler); ok {
		// A log that cannot be written has nobody to complain to.
		_ = direct.HandleAccess(x, line)
		return
	}
	e.Log.LogAttrs(x, slog.LevelInfo, AccessLine, line.Attrs()...)
}

// requestID takes the id a proxy has given, if it is harmless in logs and headers, or makes one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && len(id) <= 64 && strings.Trim(id, pathChars) == "" {
		return id
	}
	var buf [16]byte
	return string(strconv.AppendUint(buf[:0], rand.Uint64()|1<<63, 16))
}

// redact is a path and query for the log, without secrets some clients put there.
func redact(escapedPath, query string) string {
	path := redactTokens(escapedPath)
	if query == "" {
		return path
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err != nil || secretParameter(plain) {
			pairs[i] = name + "=***"
		} else {
			pairs[i] = redactTokens(pair)
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}

func secretParameter(name string) bool {
	switch strings.ToLower(name) {
	case "token", "access_token", "refresh_token", "id_token", "api_key", "apikey", "auth", "authorization", "password",
		"passwd", "secret", "code":
		return true
	}
	return false
}

// redactTokens blanks our own tokens; a package may be called larder_something, so only long tails are taken for one.
func redactTokens(s string) string {
	const shortest = 32
	for from := 0; ; {
		i := strings.Index(s[from:], tokenPrefix)
		if i < 0 {
			return s
		}
		start := from + i + len(tokenPrefix)
		end := start
		for end < len(s) && strings.IndexByte(pathChars, s[end]) >= 0 {
			end++
		}
		if end-start >= shortest {
			s = s[:start] + "***" + s[end:]
			end = start + len("***")
		}
		from = end
	}
}
