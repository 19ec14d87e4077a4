package npm

// The one place that writes error bodies (A9). Clients print the text of error; some read message instead.

import (
	"errors"
	"net/http"
	"strconv"

	"larder/internal/wire"
	"larder/store"
)

// absent is the text of every 404 of an operation: what is not there and what must not be seen differ by no byte.
func absent(op string) string {
	switch op {
	case "":
		return "this registry has no such address"
	case opTarball, opTarballDelete:
		return "file not found"
	case opVersion, opAttestations:
		return "version not found"
	case opUser, opUserPackages, opOwnerAdd:
		return "package or user not found"
	case opTagSet, opTagDelete:
		return "package, version or dist-tag not found"
	case opWebPage, opWebConfirm, opWebDone:
		return "this login has expired; start again"
	case opTokenRevoke, opLogout:
		return "token not found"
	}
	return "package not found"
}

// status is the status of a failure as npm's clients need it.
func status(f wire.Failure) int {
	switch {
	case isOneOf(f.Err, store.ErrExists, store.ErrImmutable, store.ErrProtected):
		// Tools look for 403 and "cannot publish over"; 409 makes some of them try again.
		return http.StatusForbidden
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
		// Never Basic: npm would print its own sentence on passwords, and browsers would ask for one.
		h.Set("WWW-Authenticate", `Bearer realm="larder"`)
	}
	for _, name := range []string{"ETag", "Last-Modified", "Vary", "npm-notice"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	body := append(appendMember(append(appendMember([]byte{'{'}, "error", text), ','), "message", text), '}', '\n')
	h.Set("Content-Type", "application/json")
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
