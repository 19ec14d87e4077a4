package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/budget"
	"larder/store"
	"larder/upstream"
)

// Errors of this package.
var (
	// ErrBadPath: the path or query breaks the protocol's grammar (bad escapes, "..", empty segments, malformed names).
	ErrBadPath = errors.New("malformed request path")
	// ErrNoRoute: the protocol has no such address.
	ErrNoRoute = errors.New("no such address")
	// ErrMethod: the address exists, the method does not; see NotAllowed.
	ErrMethod = errors.New("method not allowed")
	// ErrRange: the requested byte range lies outside the file.
	ErrRange = errors.New("range not satisfiable")
	// ErrAuthorization: the Authorization header cannot be read.
	ErrAuthorization = errors.New("malformed Authorization header")
	// ErrTruncated: the body ended before its announced length.
	ErrTruncated = errors.New("the request body ended early")
	// ErrSlow: the body came too slowly to wait for.
	ErrSlow = errors.New("the request body came too slowly")
	// ErrMediaType: the body's type is none the operation takes.
	ErrMediaType = errors.New("unsupported media type")
	// ErrNotAcceptable: the client takes none of the types the address answers with.
	ErrNotAcceptable = errors.New("not acceptable")
)

// StatusClientGone is logged for a client that left before the answer; it is never seen by anyone.
const StatusClientGone = 499

const internalError = "internal error"

// verdict is one row of the table of errors: what an error means on the wire. An empty text is the sentinel's own.
type verdict struct {
	err    error
	status int
	text   string
}

// verdicts is the one table from error to status. The first row that matches wins: rows that wrap others stand above them.
// A protocol whose clients insist on another status says so in its Fail.
func verdicts() []verdict {
	return []verdict{
		// Trouble with an upstream is never a 404: clients would believe it, and some remember it.
		{upstream.ErrUnavailable, http.StatusServiceUnavailable, "an upstream registry cannot be reached"},
		{upstream.ErrOffline, http.StatusNotFound, "offline: not in the cache"},
		{upstream.ErrElsewhere, http.StatusBadGateway, "the upstream registry refers to a host that is not allowed"},
		{store.ErrNotFound, http.StatusNotFound, "not found"},
		{auth.ErrHidden, http.StatusNotFound, "not found"},
		{auth.ErrNoCredentials, http.StatusUnauthorized, "authentication required"},
		{auth.ErrCredentials, http.StatusUnauthorized, "wrong user name, password or token"},
		{ErrAuthorization, http.StatusUnauthorized, ""},
		{auth.ErrDenied, http.StatusForbidden, "permission denied"},
		{store.ErrDenied, http.StatusForbidden, "permission denied"},
		{ErrCrossSite, http.StatusForbidden, ""},
		{store.ErrProtected, http.StatusForbidden, "protected from this change"},
		{store.ErrTooLarge, http.StatusRequestEntityTooLarge, "too large"},
		// A refusal for good must not be a 5xx: twine and docker would send the whole body again.
		{store.ErrQuota, http.StatusRequestEntityTooLarge, "quota exceeded"},
		{store.ErrExists, http.StatusConflict, "already exists"},
		{store.ErrImmutable, http.StatusConflict, "immutable: it cannot be changed"},
		{store.ErrBusy, http.StatusConflict, "in use by another request"},
		{store.ErrReferenced, http.StatusConflict, "still in use"},
		{store.ErrConflict, http.StatusPreconditionFailed, "changed by someone else in the meantime"},
		{store.ErrDigest, http.StatusBadRequest, "the content does not match its digest"},
		{store.ErrOffset, http.StatusRequestedRangeNotSatisfiable, "the upload continues at another offset"},
		{store.ErrInvalid, http.StatusBadRequest, "invalid request"},
		{ErrBadPath, http.StatusBadRequest, ""},
		{ErrNoRoute, http.StatusNotFound, ""},
		{ErrMethod, http.StatusMethodNotAllowed, ""},
		{ErrRange, http.StatusRequestedRangeNotSatisfiable, ""},
		{ErrTruncated, http.StatusBadRequest, ""},
		{ErrSlow, http.StatusRequestTimeout, ""},
		{ErrMediaType, http.StatusUnsupportedMediaType, ""},
		{ErrNotAcceptable, http.StatusNotAcceptable, ""},
		// Not a 404, which clients would believe: the thing exists, and comes back.
		{store.ErrDamaged, http.StatusInternalServerError, "the file is damaged on the registry's disk"},
		{store.ErrFull, http.StatusInsufficientStorage, "the server's disk is full"},
		{store.ErrReadOnly, http.StatusServiceUnavailable, "the server takes no changes at present"},
		{store.ErrDatabase, http.StatusServiceUnavailable, "the server's database is damaged"},
		{store.ErrOrphans, http.StatusConflict, ""},
		{store.ErrLocked, http.StatusServiceUnavailable, "the server's data is in use elsewhere"},
		{context.Canceled, StatusClientGone, "the client left"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "the server took too long"},
	}
}

// judge finds err's row. An error no row knows is an internal one.
func judge(err error) verdict {
	var e *explained
	if errors.As(err, &e) {
		err = e.public
	}
	var throttled *auth.Throttled
	if errors.As(err, &throttled) {
		return verdict{err, http.StatusTooManyRequests, "too many failed logins, try again later"}
	}
	var busy *budget.Busy
	if errors.As(err, &busy) {
		return verdict{err, http.StatusServiceUnavailable, busy.Reason}
	}
	for _, v := range verdicts() {
		if errors.Is(err, v.err) {
			if v.text == "" {
				v.text = v.err.Error()
			}
			return v
		}
	}
	return verdict{err, http.StatusInternalServerError, internalError}
}

// Status is the HTTP status of err: 200 for nil, 500 for an error nobody knows.
func Status(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return judge(err).status
}

// Public is the text of err for the client's user: that of the outermost error with a Public method (store.Refusal), else the
// general text of its sentinel. It never contains the chain of wrapped errors, which is for the log.
func Public(err error) string {
	if err == nil {
		return ""
	}
	v := judge(err)
	if v.err == auth.ErrHidden {
		// Never a word more than for a name that does not exist.
		return v.text
	}
	var refusal interface{ Public() string }
	if v.text != internalError && errors.As(err, &refusal) {
		return refusal.Public()
	}
	return v.text
}

// Errorf makes an error of a sentinel of store, auth or this package, with the text the client's user reads.
func Errorf(sentinel error, format string, args ...any) error {
	return store.Refuse(sentinel, format, args...)
}

// explained is an error with the sentence for the client's user, and its cause for the log.
type explained struct{ cause, public error }

func (e *explained) Error() string   { return e.cause.Error() }
func (e *explained) Unwrap() []error { return []error{e.public, e.cause} }

// Explain is Errorf for an error that has a cause: the client's user reads the text, the log has the cause as well, and
// errors.Is finds both. The sentinel alone decides the status.
func Explain(cause, sentinel error, format string, args ...any) error {
	return &explained{cause, Errorf(sentinel, format, args...)}
}

// retryAfter is how long the client should wait before it tries again, 0 if err does not say.
func retryAfter(err error) time.Duration {
	var throttled *auth.Throttled
	if errors.As(err, &throttled) {
		return max(throttled.After, time.Second)
	}
	var busy *budget.Busy
	if errors.As(err, &busy) {
		return busy.After
	}
	var trouble *upstream.Unavailable
	if errors.As(err, &trouble) {
		return trouble.After
	}
	return 0
}

type notAllowed struct{ allow string }

func (e *notAllowed) Error() string { return fmt.Sprintf("%v: use %s", ErrMethod, e.allow) }
func (e *notAllowed) Unwrap() error { return ErrMethod }

// NotAllowed is ErrMethod for an address that knows only the given methods; the answer's Allow header names them.
func NotAllowed(methods ...string) error { return &notAllowed{strings.Join(methods, ", ")} }

// allowOf is the Allow header for err, "" if it needs none.
func allowOf(err error) string {
	var e *notAllowed
	if errors.As(err, &e) {
		return e.allow
	}
	return ""
}
