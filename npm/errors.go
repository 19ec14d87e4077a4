package npm

// The one place that writes error bodies. Clients print the text of error; some read message instead.

import (
	"errors"
	"net/http"

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

// fail writes the answer of a failed request.
func fail(w http.ResponseWriter, _ *http.Request, f wire.Failure) {
	code := status(f)
	if code == http.StatusUnauthorized {
		// Never Basic: npm would print its own sentence on passwords, and browsers would ask for one.
		w.Header().Set("WWW-Authenticate", `Bearer realm="larder"`)
	}
	text := f.Text(code, "this registry has no such address", "package not found")
	body := append(rawjson.AppendMember(rawjson.AppendPair([]byte{'{'}, "error", text), "message", text), '}', '\n')
	wire.WriteError(w, code, "application/json", body, "npm-notice")
}
