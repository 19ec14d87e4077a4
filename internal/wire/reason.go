package wire

// The sentence of an error in the status line, for clients that print nothing else.

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxReasonPhrase = 200             // bytes; more would not fit on a line
	lingerTime      = 2 * time.Second // for a client that still sends when it is refused
	lingerBytes     = 64 << 20
)

// WriteReason answers with a status line whose reason phrase is the sentence text: pip, twine and others show their
// users nothing else. net/http writes the standard phrase only, so the connection is taken over and closed afterwards;
// where that is impossible (HTTP/2 has no phrases) the answer is an ordinary one. The header set on w is sent.
func WriteReason(w http.ResponseWriter, r *http.Request, code int, text string, body []byte) {
	h := w.Header()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		body = nil
	}
	conn, buf, err := hijack(w, r)
	if err != nil {
		w.WriteHeader(code)
		// The client is gone when this fails.
		_, _ = w.Write(body)
		return
	}
	if x := exchangeFrom(r.Context()); x != nil {
		x.status, x.sent = code, x.sent+int64(len(body))
		x.sign(h)
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(defaultStall)) != nil {
		return
	}
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	fmt.Fprintf(buf, "HTTP/1.1 %03d %s\r\n", code, reasonPhrase(code, text))
	// A write that fails is remembered by the buffer until Flush, and then nobody is there to be told.
	_ = h.Write(buf)
	_, _ = buf.WriteString("\r\n")
	_, _ = buf.Write(body)
	if buf.Flush() == nil {
		linger(conn)
	}
}

func hijack(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.ReadWriter, error) {
	taker, ok := w.(http.Hijacker)
	if !ok || r.ProtoMajor != 1 {
		return nil, nil, http.ErrNotSupported
	}
	return taker.Hijack()
}

// reasonPhrase is text as a status line can hold it: one line, no control characters, Latin-1 at most.
func reasonPhrase(code int, text string) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case b.Len() >= maxReasonPhrase:
			return b.String()
		case c < ' ' || c == 0x7f:
			b.WriteByte(' ')
		case c < 0x7f:
			b.WriteByte(byte(c))
		default:
			b.WriteByte('?')
		}
	}
	if strings.TrimSpace(b.String()) == "" {
		return http.StatusText(code)
	}
	return b.String()
}

// linger reads what a client still sends, for a while: closing at once would reset the connection, and the client would
// see that instead of the answer.
func linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		// The end of the wait is an error like any other here.
		_, _ = io.CopyN(io.Discard, conn, lingerBytes)
	}
}
