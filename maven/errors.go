package maven

// The one place that writes error bodies: problem details (RFC 9457), which the newer clients print; the older ones
// print the status only. What is absent is plain text.

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/maven/names"
	"larder/store"
	"larder/upstream"
)

// status is the status of a failure as Maven's clients need it.
func status(f wire.Failure, anonymous, writing bool) int {
	switch {
	case errors.Is(f.Err, upstream.ErrOffline):
		// A 404 would be remembered by the client, until it asks again one day later.
		return http.StatusForbidden
	case errors.Is(f.Err, auth.ErrHidden) && anonymous:
		// They send credentials only after a challenge; a 404 would be the end of it, and remembered for a day.
		return http.StatusUnauthorized
	case errors.Is(f.Err, store.ErrDigest):
		return http.StatusConflict
	case errors.Is(f.Err, auth.ErrHidden) && writing:
		return http.StatusForbidden
	case f.Status == http.StatusNotFound && writing && f.Op != "maven.delete" && f.Op != "maven.directory.delete":
		return http.StatusBadRequest
	case f.Status == http.StatusTooManyRequests:
		// mvn would wait for minutes, at each file, for a login that is wrong.
		return http.StatusForbidden
	}
	return f.Status
}

// maxDrain of an unwanted body is read before the answer: a client that cannot send its password at once (Java's own)
// sends the file again on the same connection.
const maxDrain = 8 << 20

// fail writes the answer of a failed request.
func (s *server) fail(w http.ResponseWriter, r *http.Request, f wire.Failure) {
	writing := r.Method == http.MethodPut || r.Method == http.MethodPost || r.Method == http.MethodDelete
	code, text := status(f, wire.IdentityFrom(r.Context()).Anonymous, writing), f.Public
	switch code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Basic realm="+strconv.Quote(s.opt.Realm))
		if errors.Is(f.Err, auth.ErrHidden) {
			text = loginText
		}
	case http.StatusNotFound:
		text = absent(f)
	case http.StatusForbidden:
		if errors.Is(f.Err, auth.ErrHidden) {
			text = "permission denied"
		}
	}
	body, mediaType := details(r, code, text)
	if !writing && (code == http.StatusNotFound || code == http.StatusGone) {
		// To the resolver of Maven 3.9 a problem is an error whatever its status: only a bare 404 means that something is
		// absent, and the first deploy of everything begins with metadata that is.
		body, mediaType = []byte(text), names.TypeText
	}
	if r.Body != nil && r.ContentLength > 0 {
		wire.DrainUpTo(r, maxDrain)
	}
	wire.WriteError(w, code, mediaType, append(body, '\n'), "Content-Disposition", "Content-Security-Policy",
		"X-Checksum-Sha1", "X-Checksum-Md5", "X-Checksum-Sha256")
}

// details are the problem as JSON.
func details(r *http.Request, code int, text string) (body []byte, mediaType string) {
	body, err := json.Marshal(problemDetails{"about:blank", http.StatusText(code), code, text, r.URL.EscapedPath()})
	if err != nil {
		body = []byte("{}") // not reached: the problem is strings and a number
	}
	return body, "application/problem+json"
}

// problemDetails is the body of every other error (RFC 9457).
type problemDetails struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
}

// absentOf are the texts of a 404 where no field of the path says what is absent.
var absentOf = map[string]string{
	"":                       "this repository has no such address",
	"maven.prefixes":         "this repository has no list of prefixes",
	"maven.directory.delete": "directory not found",
}

// absent is the text of a 404: what is not there and what must not be seen differ by no byte.
func absent(f wire.Failure) string { return cmp.Or(absentOf[f.Op], f.Absent, "file not found") }

// loginText is what auth says of requests that need credentials; those for what hides must not differ.
const loginText = "This needs a login or a token."

// needLogin is the error of what only users can do.
func needLogin() error { return problem.Errorf(auth.ErrNoCredentials, loginText) }
