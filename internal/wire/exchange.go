package wire

// What one request carries from layer to layer, and the response its handler sees.

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/budget"
	"larder/store"
	"larder/upstream"
)

// sliceBytes is how much of an answer one write deadline covers. With the default Stall of a minute a client must take
// about 9 kB/s; at full speed a slice passes in a millisecond, so that renewing costs nothing that can be measured.
const sliceBytes = 512 << 10

// exchange is what one request carries from layer to layer. It is the request's context itself, which saves an
// allocation and a lookup for each of its values.
type exchange struct {
	context.Context

	id       string
	idHeader [1]string // the id as a header value
	op       string    // name of the operation, once parsed
	addr     netip.Addr
	addrText string
	agent    string
	identity auth.Identity
	admitted bool // the identity may do what was asked for
	unasked  bool // the operation has yet to ask for a right: no success before
	stopping <-chan struct{}
	outer    *exchange // of the request in which this one is a call, see Caller; nil for a client's own
	entered  time.Time // zero without a Middleware
	url      *url.URL  // whose escaped path is path
	path     string

	// What the wrapped ResponseWriter has seen; owned by the goroutine that serves.
	w        response
	ctl      http.ResponseController
	stall    time.Duration
	status   int
	sent     int64
	started  bool // the header is out
	hijacked bool
	unpaced  int64     // bytes the present write deadline still covers
	renewed  time.Time // when it was set

	body    body
	share   budget.Share // of the server's memory
	notices []string     // see Notice
	tally   tally        // what it is counted as
}

type exchangeKey struct{}

// Value finds the exchange itself under exchangeKey, its share of the memory, what it is answered from, who acts once
// that is settled, and all else in the context below.
func (x *exchange) Value(key any) any {
	switch key.(type) {
	case exchangeKey:
		return x
	case budget.Key:
		if x.outer != nil {
			return x.outer.Value(key)
		}
		return &x.share
	case store.NoteKey:
		return strings.Join(x.notices, " ")
	case upstream.AnswerKey:
		return &x.tally.from
	case store.ActorKey:
		if x.admitted {
			return store.Actor{User: x.identity.User, Token: x.identity.TokenID, Addr: x.addrText, Agent: x.agent}
		}
	}
	return x.Context.Value(key)
}

func exchangeFrom(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// enter starts an exchange for r: it wraps w and, if there is one, the body.
func enter(
	w http.ResponseWriter, r *http.Request, id string, addr netip.Addr, stall time.Duration,
) (*exchange, http.ResponseWriter, *http.Request) {
	x := &exchange{
		Context: r.Context(), id: id, addr: addr, agent: r.UserAgent(), identity: auth.Anonymous(), stall: stall,
	}
	x.idHeader[0] = id
	if p := peerOf(r.Context()); p != nil && p.addr == addr {
		x.addrText = p.text
	} else if addr.IsValid() {
		x.addrText = addr.String()
	}
	x.ctl = *http.NewResponseController(w)
	r = r.WithContext(x)
	if r.Body != nil && r.Body != http.NoBody {
		x.body = body{rc: r.Body, x: x}
		r.Body = &x.body
	}
	x.w = response{w, x}
	return x, &x.w, r
}

// response is the ResponseWriter handlers see: it counts what is written and renews write deadlines. It has every
// optional interface of net/http's own, and keeps io.ReaderFrom above all: without it the kernel could no longer send
// files by itself. It is part of its exchange, so that wrapping costs no allocation.
type response struct {
	http.ResponseWriter
	x *exchange
}

func (w *response) WriteHeader(code int) {
	w.x.begin(code)
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(p []byte) (int, error) { return w.x.write(w.ResponseWriter, p) }

func (w *response) ReadFrom(src io.Reader) (int64, error) {
	if next, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return w.x.readFrom(next, src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// Flush does nothing where the connection cannot.
func (w *response) Flush() {
	if next, ok := w.ResponseWriter.(http.Flusher); ok {
		w.x.begin(http.StatusOK)
		next.Flush()
		w.x.flushed()
	}
}

// Hijack is http.ErrNotSupported on HTTP/2.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	next, ok := w.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, http.ErrNotSupported
	}
	conn, buf, err := next.Hijack()
	w.x.hijacked = err == nil
	return conn, buf, err
}

// Unwrap lets http.ResponseController set deadlines.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begin notes the status of the answer and sets its first deadline; informational ones (1xx) precede it.
func (x *exchange) begin(code int) {
	if !x.started && code >= 200 {
		if x.unasked && (code < 300 || code == http.StatusNotModified) {
			panic("the operation " + x.op + " answers before it has asked whether the client may have what it is about")
		}
		x.started, x.status = true, code
		if code != http.StatusNotModified {
			// A 304 says nothing about content, and what it says else a cache would put on what it holds (RFC 9111 3.2).
			x.sign(x.w.Header())
		}
		if x.stall > 0 {
			now := x.entered
			if code != http.StatusNotModified || now.IsZero() {
				now = time.Now() // a 304 takes no time worth another look at the clock
			}
			x.arm(now)
		}
	}
}

// escapedPath is u's path with its escapes: the grammar and the log both want it.
func (x *exchange) escapedPath(u *url.URL) string {
	if x.url != u {
		x.url, x.path = u, u.EscapedPath()
	}
	return x.path
}

// sign adds what every answer but a 304 has.
func (x *exchange) sign(h http.Header) {
	h["X-Content-Type-Options"], h["X-Request-Id"] = nosniff, x.idHeader[:]
}

// pace takes n bytes off the present deadline's share, and sets the next one first when they exceed
// it or it is getting old.
func (x *exchange) pace(n int64) {
	if x.stall <= 0 {
		return
	}
	if now := time.Now(); x.unpaced < n || now.Sub(x.renewed) >= x.stall/4 {
		x.arm(now)
	}
	x.unpaced -= n
}

// arm sets a deadline for the next slice. A connection that cannot have one (a recorder in a test) is served without.
func (x *exchange) arm(now time.Time) {
	x.unpaced, x.renewed = sliceBytes, now
	x.ctl.SetWriteDeadline(now.Add(x.stall))
}

// flushed lifts the deadline: a handler that flushes reports progress and may be silent for long afterwards, which an
// HTTP/2 stream's deadline would take for a stalled client.
func (x *exchange) flushed() {
	if x.stall > 0 {
		x.unpaced = 0
		x.ctl.SetWriteDeadline(time.Time{})
	}
}

func (x *exchange) write(next io.Writer, p []byte) (written int, err error) {
	fresh := !x.started
	x.begin(http.StatusOK)
	for {
		part := p[written:min(len(p), written+sliceBytes)]
		if fresh {
			// The answer's first deadline was set a moment ago: small answers need no second look at the clock.
			x.unpaced -= int64(len(part))
			fresh = false
		} else {
			x.pace(int64(len(part)))
		}
		n, err := next.Write(part)
		written += n
		x.sent += int64(n)
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// readFrom passes src on in slices with a fresh deadline each. A slice is a *io.LimitedReader directly over the file,
// the form in which net.TCPConn recognises a file and lets the kernel send it.
func (x *exchange) readFrom(next io.ReaderFrom, src io.Reader) (written int64, err error) {
	x.begin(http.StatusOK)
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: src, N: 1<<63 - 1}
	}
	slice := &io.LimitedReader{R: limited.R}
	for limited.N > 0 {
		want := min(limited.N, sliceBytes)
		if x.stall > 0 {
			x.arm(time.Now())
		}
		slice.N = want
		n, err := next.ReadFrom(slice)
		written += n
		limited.N -= n
		x.sent += n
		if err != nil || n < want {
			return written, err
		}
	}
	return written, nil
}

// RequestID is the id of the request ctx belongs to: the client's X-Request-Id, or one made here; "" outside a request.
func RequestID(ctx context.Context) string {
	if x := exchangeFrom(ctx); x != nil {
		return x.id
	}
	return ""
}

// IdentityFrom is who asked. Inside an operation it is always set; before, and outside a request, it is anonymous.
func IdentityFrom(ctx context.Context) auth.Identity {
	if x := exchangeFrom(ctx); x != nil {
		return x.identity
	}
	return auth.Anonymous()
}

// AddrFrom is the client's address, for who checks credentials; invalid outside a request, and on the admin socket.
func AddrFrom(ctx context.Context) netip.Addr {
	if x := exchangeFrom(ctx); x != nil {
		return x.addr
	}
	return netip.Addr{}
}

// Notice tells the client's user something about a publish that succeeds: it is a Warning in the answer's header, and
// stands in the journal with what is published. A protocol whose client prints other parts of an answer puts Notices
// there as well. A notice that was given already is given once.
func Notice(ctx context.Context, text string) {
	x := exchangeFrom(ctx)
	if x == nil || slices.Contains(x.notices, text) {
		return
	}
	x.notices = append(x.notices, text)
	Warn(x.w.Header(), text)
}

// Notices are those of the request that ctx belongs to.
func Notices(ctx context.Context) []string {
	if x := exchangeFrom(ctx); x != nil {
		return x.notices
	}
	return nil
}

// maxWarnings is what the specification of container registries allows all warnings of one answer to add up to.
const maxWarnings = 4096

// Warn adds a Warning header, which podman, skopeo, oras and regctl show to their user. Texts beyond the limit are
// dropped.
func Warn(h http.Header, text string) {
	v := `299 - ` + Quote(text)
	total := len(v)
	for _, w := range h.Values("Warning") {
		total += len(w)
	}
	if total <= maxWarnings {
		h.Add("Warning", v)
	}
}

// Quote makes a quoted-string of RFC 9110. What would need an escape does not occur in our values, and is dropped.
func Quote(s string) string {
	return `"` + strings.Map(func(c rune) rune {
		if c < ' ' || c == '"' || c == '\\' || c > '~' {
			return -1
		}
		return c
	}, s) + `"`
}

// Stopping is closed when the server begins to stop. A handler that only waits for news (a long poll) ends then,
// instead of holding the stop up; one that works goes on. It is nil, which never closes, outside a request.
func Stopping(ctx context.Context) <-chan struct{} {
	if x := exchangeFrom(ctx); x != nil {
		return x.stopping
	}
	return nil
}

// SetOp names the operation of the request for access log and metrics; handlers that do not run
// through an Endpoint call it.
func SetOp(ctx context.Context, op string) {
	if x := exchangeFrom(ctx); x != nil {
		x.op = op
	}
}
