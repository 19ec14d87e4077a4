package pypi

// The only place that writes error bodies. pip and twine show their users nothing but the reason phrase of the
// status line, so that is where the sentence goes; uv reads a member of a JSON body.

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/internal/xmlrpc"
	"larder/store"
)

// errGone: the file was deleted; it is always a store.ErrNotFound as well.
var errGone = errors.New("was deleted")

// mintError is what trusted publishing answers, with the words tools know.
type mintError struct {
	code string
	err  error
}

func (e *mintError) Error() string { return "mint token: " + e.code + ": " + e.err.Error() }
func (e *mintError) Unwrap() error { return e.err }

// plainAbsent is a 404 whose own text is shown. It may only stand where the project may be seen.
type plainAbsent struct{ error }

func (e *plainAbsent) Unwrap() error { return e.error }

// absent is the text of a 404: of what the address names, or the address itself.
func absent(f wire.Failure) string {
	if f.Op == "pypi.yank" || f.Op == "pypi.unyank" {
		return "release not found" // of one file as well
	}
	return f.AbsentText("this index has no such address", "project not found")
}

// statusFor is the status of a failure as Python's clients need it.
func statusFor(f wire.Failure) int {
	var minting *mintError
	switch {
	case errors.As(f.Err, &minting) && f.Status < http.StatusInternalServerError:
		return http.StatusUnprocessableEntity
	case errors.Is(f.Err, errGone):
		return http.StatusGone
	case errors.Is(f.Err, auth.ErrHidden) && (f.Op == "pypi.upload" || f.Op == "pypi.post"):
		return http.StatusForbidden
	case errors.Is(f.Err, store.ErrFull):
		// A refusal with 5xx has twine send the whole body five times.
		return http.StatusRequestEntityTooLarge
	}
	return f.Status
}

// publicText is the sentence for the client's user.
func publicText(f wire.Failure, code int) string {
	var plain *plainAbsent
	switch {
	case code == http.StatusNotFound && errors.As(f.Err, &plain):
		return f.Public
	case code == http.StatusNotFound:
		return absent(f)
	case code == http.StatusGone:
		return "This file was deleted."
	case code == http.StatusForbidden && errors.Is(f.Err, auth.ErrHidden):
		return "You may not upload to this project."
	}
	return f.Public
}

// fail writes the answer of a failed request.
func fail(w http.ResponseWriter, r *http.Request, f wire.Failure) {
	code := statusFor(f)
	text := publicText(f, code)
	h := w.Header()
	call := f.Op == "pypi.rpc" || f.Op == "pypi.post" && errors.Is(f.Err, xmlrpc.ErrCall)
	if call && !errors.Is(f.Err, problem.ErrCrossSite) {
		failRPC(w, f, text)
		return
	}
	if code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="larder"`)
	}
	body, mediaType := errorBody(r, f, code, text)
	if phrased(r, f, code) {
		wire.Retract(h, "X-PyPI-Last-Serial")
		h.Set("Content-Type", mediaType)
		wire.WriteReason(w, r, code, text, body)
		return
	}
	wire.WriteError(w, code, mediaType, body, "X-PyPI-Last-Serial")
}

// phrased says whether the sentence belongs into the status line. That costs the connection, so answers that installers
// get all the time, and those that clients act on by themselves, do without.
func phrased(r *http.Request, f wire.Failure, code int) bool {
	switch {
	case f.Op == "pypi.oidc.mint" || f.Op == "pypi.oidc.audience" || f.Op == "pypi.oidc.discover":
		return false
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return code == http.StatusForbidden || code == http.StatusGone || code == http.StatusNotAcceptable
	}
	return true
}

// errorBody renders the body in a form the client reads.
func errorBody(r *http.Request, f wire.Failure, code int, text string) (body []byte, mediaType string) {
	var minting *mintError
	var v any
	switch {
	case f.Op == "pypi.oidc.mint" || f.Op == "pypi.oidc.audience" || f.Op == "pypi.oidc.discover":
		reason := "invalid-payload"
		if errors.As(f.Err, &minting) {
			reason = minting.code
		}
		v = map[string]any{"message": text, "errors": []map[string]string{{"code": reason, "description": text}}}
	case f.Op == "pypi.provenance" || f.Op == "pypi.json" || f.Op == "pypi.json.version" ||
		wire.ParseAccept(r.Header["Accept"])["application/json"] > 0:
		// uv prints code, and reads it only if the type has no parameter.
		v = map[string]string{"message": text, "code": strconv.Itoa(code) + " " + text, "title": http.StatusText(code)}
	}
	if v != nil {
		if body, err := json.Marshal(v); err == nil {
			return append(body, '\n'), "application/json"
		}
	}
	return []byte(strings.TrimSuffix(text, "\n") + "\n"), "text/plain; charset=utf-8"
}

// failRPC answers in the protocol's own form. A client that has no right still learns it from the status, as it must to
// send credentials.
func failRPC(w http.ResponseWriter, f wire.Failure, text string) {
	h := w.Header()
	code := http.StatusOK
	if f.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="larder"`)
		code = f.Status
	}
	body := xmlrpc.Fault(f.Status, text)
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	// The client is gone when this fails.
	_, _ = w.Write(body)
}
