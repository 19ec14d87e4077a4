package wire

// This file has what the protocols' answers to failed requests have in common.

import (
	"cmp"
	"net/http"
	"strconv"
)

// AbsentText is the text of a 404: what the row's fields say, thing if they say nothing, and address if the path was
// not understood.
func (f Failure) AbsentText(address, thing string) string {
	if f.Op == "" {
		return address
	}
	return cmp.Or(f.Absent, thing)
}

// Text is what the client's user reads under a status: Public, and AbsentText for a 404.
func (f Failure) Text(status int, address, thing string) string {
	if status == http.StatusNotFound {
		return f.AbsentText(address, thing)
	}
	return f.Public
}

// Retract takes back the headers of an answer that is not sent because of an error: its validators, Vary, and those
// that a protocol names. Caches do not keep the error.
func Retract(h http.Header, names ...string) {
	h.Del("ETag")
	h.Del("Last-Modified")
	h.Del("Vary")
	for _, name := range names {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
}

// WriteError writes the whole answer of a failed request, without what Retract takes back.
func WriteError(w http.ResponseWriter, status int, mediaType string, body []byte, retract ...string) {
	h := w.Header()
	Retract(h, retract...)
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// The client is gone when this fails, and the access log has the status already.
	_, _ = w.Write(body)
}
