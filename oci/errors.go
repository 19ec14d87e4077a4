package oci

// The one place that writes error bodies: codes, statuses and challenges.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// The codes of the specification's closed list (code-1 to code-14), and the four that clients know from Docker's
// registry.
const (
	codeBlobUnknown         = "BLOB_UNKNOWN"
	codeUploadInvalid       = "BLOB_UPLOAD_INVALID"
	codeUploadUnknown       = "BLOB_UPLOAD_UNKNOWN"
	codeDigestInvalid       = "DIGEST_INVALID"
	codeManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
	codeManifestInvalid     = "MANIFEST_INVALID"
	codeManifestUnknown     = "MANIFEST_UNKNOWN"
	codeNameInvalid         = "NAME_INVALID"
	codeNameUnknown         = "NAME_UNKNOWN"
	codeSizeInvalid         = "SIZE_INVALID"
	codeUnauthorized        = "UNAUTHORIZED"
	codeDenied              = "DENIED"
	codeUnsupported         = "UNSUPPORTED"
	codeTooManyRequests     = "TOOMANYREQUESTS"
	codeTagInvalid          = "TAG_INVALID"
	codePaginationInvalid   = "PAGINATION_NUMBER_INVALID"
	codeUnavailable         = "UNAVAILABLE"
	codeUnknown             = "UNKNOWN"
)

// The errors of this package, wrapped by a *fault that carries the code and the sentence for the user.
var (
	errTooManyTags = fmt.Errorf("too many tags in one request: %w", store.ErrTooLarge) // 414
	errDisabled    = fmt.Errorf("switched off: %w", problem.ErrMethod)                 // 405
)

// fault is an error with a code of this protocol. Its sentinel decides the status (problem.Status), so that status and
// code are chosen in one place each.
type fault struct {
	code   string
	err    error    // the sentinel, with the sentence for the user
	detail []string // one entry of errors[] per detail; none makes one entry without detail
}

func faultf(code string, sentinel error, format string, args ...any) *fault {
	return &fault{code: code, err: problem.Errorf(sentinel, format, args...)}
}

func (f *fault) with(detail ...string) *fault {
	f.detail = append(f.detail, detail...)
	return f
}

// Error is the text for the log.
func (f *fault) Error() string { return f.code + ": " + f.err.Error() }

// Unwrap returns the error that decides the status, and has the text for the client's user.
func (f *fault) Unwrap() error { return f.err }

// errorEntry is one element of errors[].
type errorEntry struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  any    `json:"detail"`
}

// The texts of a 404, by what the address names.
const (
	absentName     = "repository unknown to this registry"
	absentManifest = "manifest unknown to this repository"
	absentBlob     = "blob unknown to this repository"
	absentUpload   = "upload unknown to this repository: it may have expired, start a new one"
)

// absent is the one answer to something that is not there or must not be seen: both go through this function, so that
// they cannot differ by a byte.
func absent(f wire.Failure) (code, text string) {
	switch f.Absent {
	case absentManifest:
		return codeManifestUnknown, absentManifest
	case absentBlob:
		return codeBlobUnknown, absentBlob
	case absentUpload:
		return codeUploadUnknown, absentUpload
	}
	return codeNameUnknown, absentName
}

// code names the error of status in the words of the specification, for an error that came from below without one.
func code(f wire.Failure, status int) string {
	switch status {
	case http.StatusUnauthorized:
		return codeUnauthorized
	case http.StatusForbidden, http.StatusPreconditionFailed, http.StatusInsufficientStorage:
		return codeDenied
	case http.StatusMethodNotAllowed:
		return codeUnsupported
	case http.StatusTooManyRequests:
		return codeTooManyRequests
	case http.StatusServiceUnavailable:
		return codeUnavailable
	case http.StatusNotFound:
		c, _ := absent(f)
		return c
	case http.StatusRequestEntityTooLarge:
		if errors.Is(f.Err, store.ErrQuota) {
			return codeDenied
		}
	}
	switch {
	case status >= http.StatusInternalServerError:
		return codeUnknown
	case errors.Is(f.Err, store.ErrDigest):
		return codeDigestInvalid
	case strings.HasPrefix(f.Op, "oci.manifest.") || f.Op == "oci.tag.restore":
		return codeManifestInvalid
	case errors.Is(f.Err, problem.ErrTruncated):
		return codeSizeInvalid
	case strings.HasPrefix(f.Op, "oci.upload.") || strings.HasPrefix(f.Op, "oci.blob."):
		return codeUploadInvalid
	}
	return codeUnsupported
}

// status is the status of a failure as this protocol's clients need it.
func (s *server) status(r *http.Request, f wire.Failure) int {
	switch {
	case errors.Is(f.Err, errTooManyTags):
		return http.StatusRequestURITooLong
	case errors.Is(f.Err, store.ErrReferenced):
		return http.StatusMethodNotAllowed
	case registry.IsOneOf(f.Err, store.ErrImmutable, store.ErrProtected, store.ErrExists):
		return http.StatusForbidden
	case registry.IsOneOf(f.Err, auth.ErrHidden, auth.ErrDenied):
		return refusal(r, f)
	case f.Status == http.StatusNotFound && f.Op != "" && f.Need.Kind() == wire.Read && !hasCredentials(r) &&
		!s.known(r.Context(), f.Name):
		return http.StatusUnauthorized
	}
	return f.Status
}

// refusal is the status of something the identity may not do.
//
// Without credentials it is a 401, since containerd, oras and regctl send theirs only then. An unknown repository is a
// 401 as well (status), so that it looks like a hidden one. With credentials, reading what is hidden is answered like
// reading what is absent. A token that was issued for something else gets the challenge again, and the client requests
// the right one.
func refusal(r *http.Request, f wire.Failure) int {
	switch {
	case errors.Is(f.Err, auth.ErrScope), !hasCredentials(r):
		return http.StatusUnauthorized
	case f.Need.Kind() == wire.Read:
		return http.StatusNotFound
	case wire.IdentityFrom(r.Context()).Anonymous:
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

// hasCredentials reports whether the request came with credentials.
func hasCredentials(r *http.Request) bool {
	_, ok := wire.CredentialsFrom(r)
	return ok
}

// fail writes the answer of a failed request.
func (s *server) fail(w http.ResponseWriter, r *http.Request, f wire.Failure) {
	status := s.status(r, f)
	h := w.Header()
	versionHeader(h)
	if status == http.StatusNotFound && (f.Op == "oci.referrers" || f.Op == "oci.tag.history") {
		// These are never a 404 (end-12, #606): what is absent or hidden has none. Writing fails only if the client has left.
		_ = writeIndex(w, r.URL.Query()["artifactType"], nil)
		return
	}
	h.Set("Cache-Control", "no-store")
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", s.challenge(r, f))
	case http.StatusMethodNotAllowed:
		h.Set("Allow", s.allowed(r))
	}
	body := errorBody(status, f)
	h.Del("ETag")
	h.Del("Docker-Content-Digest")
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// The client is gone when this fails, and the access log has the status already.
		_, _ = w.Write(body)
	}
}

// allowed lists the methods of an address for the Allow header of a 405, without the one that was refused.
func (s *server) allowed(r *http.Request) string {
	methods := slices.DeleteFunc(s.table.Methods(r.URL.EscapedPath()), func(m string) bool { return m == r.Method })
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	return strings.Join(methods, ", ")
}

// errorBody renders errors[]. It depends on status and operation alone where the difference would tell absent from
// hidden.
func errorBody(status int, f wire.Failure) []byte {
	entries := []errorEntry{{Code: code(f, status), Message: message(status, f)}}
	var ft *fault
	hide := status == http.StatusNotFound && f.Op != "" || status == http.StatusUnauthorized
	if errors.As(f.Err, &ft) && !hide {
		entries[0].Code = ft.code
		for i, d := range ft.detail {
			if i > 0 {
				entries = append(entries, entries[0])
			}
			entries[i].Detail = map[string]string{"digest": d}
		}
	}
	body, err := json.Marshal(map[string]any{"errors": entries})
	if err != nil {
		return []byte(`{"errors":[{"code":"UNKNOWN","message":"internal error"}]}`)
	}
	return append(body, '\n')
}

func message(status int, f wire.Failure) string {
	switch {
	case status == http.StatusNotFound && f.Op != "":
		_, text := absent(f)
		return text
	case status == http.StatusUnauthorized:
		if errors.Is(f.Err, auth.ErrCredentials) {
			return f.Public
		}
		return "authentication required"
	case registry.IsOneOf(f.Err, auth.ErrHidden, auth.ErrDenied):
		return "requested access to the resource is denied"
	case errors.Is(f.Err, store.ErrReferenced):
		return "the blob is still referenced by a manifest of this repository"
	case f.Public == "":
		return strings.ToLower(http.StatusText(status))
	}
	return f.Public
}

// challenge is the WWW-Authenticate header: Bearer with absolute realm and scope; at the token end point itself, Basic.
func (s *server) challenge(r *http.Request, f wire.Failure) string {
	realm := s.origin(r) + rootV2 + "/token"
	if f.Op == "oci.token" || f.Op == "oci.grant" {
		return `Basic realm=` + wire.Quote(realm)
	}
	c := `Bearer realm=` + wire.Quote(realm) + `,service=` + wire.Quote(service)
	if scope := challengeScope(r, f); scope != "" {
		c += `,scope=` + wire.Quote(scope)
	}
	switch {
	case errors.Is(f.Err, auth.ErrScope):
		c += `,error="insufficient_scope"`
	case errors.Is(f.Err, auth.ErrCredentials):
		c += `,error="invalid_token"`
	}
	return c
}

// challengeScope says what a token must carry for the request to pass, in the words clients repeat to the token end
// point.
func challengeScope(r *http.Request, f wire.Failure) string {
	switch {
	case f.Op == "oci.catalog" || f.Op == "oci.repositories":
		return "registry:catalog:*"
	case f.Name == "" || f.Type != typeRepository:
		return ""
	}
	switch f.Need.Kind() {
	case wire.Read:
		return "repository:" + f.Name + ":pull"
	case wire.Create, wire.Write:
		scope := "repository:" + f.Name + ":pull,push"
		if from := r.URL.Query().Get("from"); f.Op == "oci.upload.start" && checkName(from) == nil {
			scope += " repository:" + from + ":pull"
		}
		return scope
	case wire.Delete:
		return "repository:" + f.Name + ":delete"
	}
	return ""
}

func versionHeader(h http.Header) {
	h["Docker-Distribution-Api-Version"] = apiVersion
}

// apiVersion is shared by all answers; nobody changes it.
var apiVersion = []string{"registry/2.0"}
