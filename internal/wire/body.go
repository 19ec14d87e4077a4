package wire

// The body of a request: its limits, its deadlines, and what is left of it after an error.

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/store"
)

const (
	// drainBytes of an unwanted body are read before an early answer; a client that still sends more
	// sees a reset connection.
	drainBytes = 256 << 10
	drainTime  = 5 * time.Second
	// minRate in bytes per second is what a body must bring on average over rateWindow of waiting for it.
	minRate    = 1 << 10
	rateWindow = 30 * time.Second
)

// body is a request's body with a deadline for each read and a minimum rate. Only the time spent waiting for the client
// counts, so that a slow disk is never the client's fault. Its errors carry problem.ErrSlow and problem.ErrTruncated.
type body struct {
	rc io.ReadCloser
	x  *exchange

	got     int64
	ended   bool      // end of file or an error: nothing more will come
	touched bool      // the first read sends 100 Continue
	renewed time.Time // when the deadline was set last
	until   time.Time // if set, the last moment for any read

	waited time.Duration // of the present rate window
	window int64         // bytes of the present rate window
}

func (b *body) Close() error { return b.rc.Close() }

func (b *body) Read(p []byte) (int, error) {
	start := time.Now()
	b.renew(start)
	b.touched = true
	n, err := b.rc.Read(p)
	b.got += int64(n)
	if err != nil {
		return n, b.end(err)
	}
	b.waited += time.Since(start)
	b.window += int64(n)
	if b.x.stall > 0 && b.waited > rateWindow {
		if float64(b.window) < minRate*b.waited.Seconds() {
			return n, b.end(os.ErrDeadlineExceeded)
		}
		b.waited, b.window = 0, 0
	}
	return n, nil
}

// renew moves the deadline, but not for every read: the exact moment does not matter, the call's cost does.
func (b *body) renew(now time.Time) {
	if b.x.stall <= 0 || b.ended || now.Sub(b.renewed) < min(time.Second, b.x.stall/4) {
		return
	}
	b.renewed = now
	at := now.Add(b.x.stall)
	if !b.until.IsZero() && b.until.Before(at) {
		at = b.until
	}
	b.x.ctl.SetReadDeadline(at)
}

// end clears the deadline, which would otherwise cancel the request later: net/http goes on reading the connection to
// notice a client that leaves.
func (b *body) end(err error) error {
	b.ended = true
	if b.x.stall > 0 {
		b.x.ctl.SetReadDeadline(time.Time{})
	}
	switch {
	case err == io.EOF:
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", problem.ErrSlow, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", problem.ErrTruncated, err)
	}
	return err
}

// ReadBody reads the whole body of a small request. A body over limit bytes is store.ErrTooLarge, at once if its length
// was announced; one that ends early is problem.ErrTruncated, one that trickles problem.ErrSlow. What is read is of the
// request's share of the memory: a *budget.Busy when there is none.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	if r.Body == nil {
		return nil, nil
	}
	raw, err := budget.Read(r.Context(), r.Body, r.ContentLength, limit)
	switch {
	case err == budget.ErrLimit:
		return nil, tooLarge(limit)
	case err != nil:
		return nil, fmt.Errorf("read request body: %w", err)
	}
	return raw, nil
}

func tooLarge(limit int64) error {
	return problem.Errorf(store.ErrTooLarge, "the request body is larger than the %d bytes allowed here", limit)
}

// ReadObject reads a small body that is a JSON object.
func ReadObject(r *http.Request, limit int64) (rawjson.Object, error) {
	raw, err := ReadBody(r, limit)
	if err == nil {
		err = budget.Take(r.Context(), parsedSize*int64(len(raw)))
	}
	if err != nil {
		return nil, err
	}
	return rawjson.Parse(raw)
}

// parsedSize is what a byte of JSON is counted for once more when it is parsed: its values are copied, and keys are
// remembered.
const parsedSize = 2

// Drain reads and forgets up to 256 KiB of a body nobody wants, so that the client, which sends it all before it looks
// for an answer, sees the status instead of a broken pipe (oras sends its first manifest PUT without credentials). A
// body that is known to be longer, or that the client holds back until it is told to continue, is left alone.
func Drain(r *http.Request) { DrainUpTo(r, drainBytes) }

// DrainUpTo is Drain with another limit, for protocols whose clients send large bodies twice.
func DrainUpTo(r *http.Request, limit int64) {
	if r.Body == nil || r.Body == http.NoBody || r.ProtoMajor >= 2 || r.ContentLength > limit {
		return
	}
	b, _ := r.Body.(*body)
	if b != nil && b.ended {
		return
	}
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") && (b == nil || !b.touched) {
		return
	}
	if b != nil {
		b.until, b.renewed = time.Now().Add(drainTime), time.Time{}
	}
	// A failure here changes nothing: the answer is an error already, and the connection is closed if
	// the body is not done.
	io.CopyN(io.Discard, r.Body, limit)
}

// ReadForm reads a body of at most limit bytes that is a form of a browser. problem.ErrInvalid, and the errors of
// ReadBody.
func ReadForm(r *http.Request, limit int64) (url.Values, error) {
	raw, err := ReadBody(r, limit)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, problem.Errorf(problem.ErrInvalid, "The form cannot be read.")
	}
	return form, nil
}
