package composer

// The one place that writes error bodies. Composer prints warning where it stops for good; scripts read message.

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"

	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
)

// absent is the text of a 404: of what the address names, or the address itself.
func absent(f wire.Failure) string {
	if f.Op == "" {
		return "this registry has no such address"
	}
	return cmp.Or(f.Absent, "package not found")
}

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
	code, text := status(f), f.Public
	h := w.Header()
	switch code {
	case http.StatusNotFound:
		text = absent(f)
	case http.StatusUnauthorized:
		// composer-push goes on to its next credentials only after a 401 with this challenge.
		h.Set("WWW-Authenticate", `Basic realm="larder"`)
	}
	for _, name := range []string{"ETag", "Last-Modified", "Vary"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	body := rawjson.AppendMember(rawjson.AppendPair([]byte{'{'}, "status", "error"), "message", text)
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		// Not at a 404, which is what Composer gets for every package that another repository has.
		body = rawjson.AppendMember(body, "warning", text)
	}
	body = append(body, '}', '\n')
	h.Set("Content-Type", typeJSON)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	// The client is gone when this fails, and the access log has the status already.
	_, _ = w.Write(body)
}
