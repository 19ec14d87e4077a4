package npm

// The one place that writes error bodies. Clients print the text of error; some read message instead.

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"

	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// status is the status of a failure as npm's clients need it.
func status(f wire.Failure) int {
	switch {
	case registry.IsOneOf(f.Err, store.ErrExists, store.ErrImmutable, store.ErrProtected):
		// Tools look for 403 and "cannot publish over"; 409 makes some of them try again.
		return http.StatusForbidden
	case errors.Is(f.Err, store.ErrConflict):
		return http.StatusConflict
	}
	return f.Status
}

// absent is the text of a 404: of what the address names, or the address itself.
func absent(f wire.Failure) string {
	if f.Op == "" {
		return "this registry has no such address"
	}
	return cmp.Or(f.Absent, "package not found")
}

// fail writes the answer of a failed request.
func fail(w http.ResponseWriter, _ *http.Request, f wire.Failure) {
	code, text := status(f), f.Public
	h := w.Header()
	switch code {
	case http.StatusNotFound:
		text = absent(f)
	case http.StatusUnauthorized:
		// Never Basic: npm would print its own sentence on passwords, and browsers would ask for one.
		h.Set("WWW-Authenticate", `Bearer realm="larder"`)
	}
	for _, name := range []string{"ETag", "Last-Modified", "Vary", "npm-notice"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	body := append(rawjson.AppendMember(rawjson.AppendPair([]byte{'{'}, "error", text), "message", text), '}', '\n')
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	// The client is gone when this fails, and the access log has the status already.
	_, _ = w.Write(body)
}
