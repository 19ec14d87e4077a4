package web

// Error bodies of the admin API.

import (
	"net/http"

	"larder/internal/wire"
)

// errorBody is what every failed request of the admin API answers.
type errorBody struct {
	Error     string `json:"error"`
	RequestID string `json:"request_id,omitempty"`
}

// fail writes the admin API's error bodies and its challenge.
func fail(w http.ResponseWriter, r *http.Request, f wire.Failure) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if f.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="larder", charset="UTF-8"`)
	}
	// The client is gone if this fails, and the access log has the status.
	_ = wire.JSON(w, f.Status, errorBody{Error: f.Public, RequestID: wire.RequestID(r.Context())})
}
