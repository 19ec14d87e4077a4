package composer

// The one place that writes error bodies. Composer prints warning where it stops for good; scripts read message.

import (
	"errors"
	"net/http"

	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
)

// status is the status of a failure as scripts that publish expect it.
func status(f wire.Failure) int {
	switch {
	case f.Status == http.StatusBadRequest && errors.Is(f.Err, store.ErrInvalid) &&
		(f.Op == "composer.put" || f.Op == "composer.upload"):
		return http.StatusUnprocessableEntity
	case errors.Is(f.Err, store.ErrConflict):
		return http.StatusConflict
	}
	return f.Status
}

// fail writes the answer of a failed request.
func fail(w http.ResponseWriter, _ *http.Request, f wire.Failure) {
	code := status(f)
	text := f.Text(code, "this registry has no such address", "package not found")
	body := rawjson.AppendMember(rawjson.AppendPair([]byte{'{'}, "status", "error"), "message", text)
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		// Not at a 404, which is what Composer gets for every package that another repository has.
		body = rawjson.AppendMember(body, "warning", text)
	}
	if code == http.StatusUnauthorized {
		// composer-push goes on to its next credentials only after a 401 with this challenge.
		w.Header().Set("WWW-Authenticate", `Basic realm="larder"`)
	}
	body = append(body, '}', '\n')
	wire.WriteError(w, code, typeJSON, body)
}
