package composer

// The one place that writes error bodies (A5). Composer prints warning where it stops for good; scripts read message.

import (
	"errors"
	"net/http"
	"strconv"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

// absent is the text of every 404 of an operation: what is not there and what must not be seen differ by no byte.
func absent(op string) string {
	switch op {
	case "":
		return "this registry has no such address"
	case opDist:
		return "archive not found"
	case opDeleteVersion:
		return "package or version not found"
	}
	return "package not found"
}

// status is the status of a failure as scripts that publish expect it.
func status(f wire.Failure) int {
	switch {
	case f.Status == http.StatusBadRequest && isOneOf(f.Err, store.ErrInvalid) && (f.Op == opPut || f.Op == opUpload):
		return http.StatusUnprocessableEntity
	case errors.Is(f.Err, store.ErrConflict):
		return http.StatusConflict
	}
	return f.Status
}

// fail writes the answer of a failed request.
func fail(w http.ResponseWriter, _ *http.Request, f wire.Failure) {
	code, text := status(f), f.Public
	h := w.Header()
	switch code {
	case http.StatusNotFound:
		text = absent(f.Op)
	case http.StatusUnauthorized:
		// composer-push goes on to its next credentials only after a 401 with this challenge.
		h.Set("WWW-Authenticate", `Basic realm="larder"`)
	}
	for _, name := range []string{"ETag", "Last-Modified", "Vary"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	body := appendMember(append(appendMember([]byte{'{'}, "status", "error"), ','), "message", text)
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		// Not at a 404, which is what Composer gets for every package that another repository has.
		body = appendMember(append(body, ','), "warning", text)
	}
	body = append(body, '}', '\n')
	h.Set("Content-Type", typeJSON)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	// The client is gone when this fails, and the access log has the status already.
	_, _ = w.Write(body)
}

func isOneOf(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// needLogin is the error of what only users can do.
func needLogin() error {
	return problem.Errorf(auth.ErrNoCredentials, "This needs a login: give a user name and a token.")
}
