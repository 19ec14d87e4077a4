package problem_test

// What errors of every package mean to a client: status, text and headers.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
)

func TestStatusAndTextOfEveryKind(t *testing.T) {
	tests := []struct {
		err    error
		status int
		public string
	}{
		{nil, 200, ""},
		{store.ErrNotFound, 404, "not found"},
		{store.ErrExists, 409, "already exists"},
		{store.ErrInvalid, 400, "invalid request"},
		{store.ErrTooLarge, 413, "too large"},
		{store.ErrQuota, 413, "quota exceeded"},
		{store.ErrImmutable, 409, "immutable: it cannot be changed"},
		{store.ErrProtected, 403, "protected from this change"},
		{store.ErrDenied, 403, "permission denied"},
		{store.ErrReadOnly, 503, "the server takes no changes at present"},
		{store.ErrDigest, 400, "the content does not match its digest"},
		{store.ErrOffset, 416, "the upload continues at another offset"},
		{store.ErrBusy, 409, "in use by another request"},
		{store.ErrFull, 507, "the server's disk is full"},
		{store.ErrConflict, 412, "changed by someone else in the meantime"},
		{store.ErrReferenced, 409, "still in use"},
		{store.ErrLocked, 503, "the server's data is in use elsewhere"},
		{store.ErrFormat, 500, "internal error"},
		{auth.ErrNoCredentials, 401, "authentication required"},
		{auth.ErrCredentials, 401, "wrong user name, password or token"},
		{auth.ErrDisabled, 401, "wrong user name, password or token"},
		{auth.ErrDenied, 403, "permission denied"},
		{auth.ErrScope, 403, "permission denied"},
		{auth.ErrHidden, 404, "not found"},
		{&auth.Throttled{After: 2 * time.Second}, 429, "Too many failed logins. Try again in 2 seconds."},
		{problem.ErrBadPath, 400, "malformed request path"},
		{problem.ErrNoRoute, 404, "no such address"},
		{problem.ErrMethod, 405, "method not allowed"},
		{problem.NotAllowed("GET", "HEAD"), 405, "method not allowed"},
		{problem.ErrRange, 416, "range not satisfiable"},
		{problem.ErrAuthorization, 401, "malformed Authorization header"},
		{problem.ErrTruncated, 400, "the request body ended early"},
		{problem.ErrSlow, 408, "the request body came too slowly"},
		{problem.ErrMediaType, 415, "unsupported media type"},
		{context.Canceled, 499, "the client left"},
		{context.DeadlineExceeded, 503, "the server took too long"},
		{errors.New("bucket /srv/data/larder.db is gone"), 500, "internal error"},
		{problem.Errorf(store.ErrQuota, "team-a has 3 bytes left"), 413, "team-a has 3 bytes left"},
		{problem.Errorf(errors.New("no sentinel"), "secret path"), 500, "internal error"},
		{problem.Errorf(auth.ErrHidden, "repository secret/app is private"), 404, "not found"},
	}
	for _, tt := range tests {
		for depth, err := range []error{tt.err, wrapped(tt.err, 1), wrapped(tt.err, 3)} {
			if got := problem.Status(err); got != tt.status {
				t.Errorf("Status(%v) at depth %d = %d, want %d", err, depth, got, tt.status)
			}
			if got := problem.Public(err); got != tt.public {
				t.Errorf("Public(%v) at depth %d = %q, want %q", err, depth, got, tt.public)
			}
		}
	}
}

func wrapped(err error, depth int) error {
	for range depth {
		if err != nil {
			err = fmt.Errorf("open /srv/data/blobs: %w", err)
		}
	}
	return err
}

func TestErrorfHasItsKindAndItsText(t *testing.T) {
	err := problem.Errorf(store.ErrInvalid, "the name %q has a space", "a b")
	if !errors.Is(err, store.ErrInvalid) || problem.Public(err) != `the name "a b" has a space` {
		t.Errorf("Errorf made %v with text %q", err, problem.Public(err))
	}
}

// TestKindOfARefusalDecidesWhateverItsCause: the sentinel decides what the client gets, whatever the cause
// wraps; the log has the cause.
func TestKindOfARefusalDecidesWhateverItsCause(t *testing.T) {
	cause := fmt.Errorf("gzip: %w", store.ErrNotFound)
	err := fmt.Errorf("publish: %w", problem.Wrap(cause, store.ErrInvalid, "The archive is damaged: it has %d bytes.", 3))
	if problem.Status(err) != 400 || problem.Public(err) != "The archive is damaged: it has 3 bytes." ||
		!strings.Contains(err.Error(), "gzip") {
		t.Errorf("%d %q %v", problem.Status(err), problem.Public(err), err)
	}
	if !errors.Is(err, store.ErrInvalid) || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v hides what it wraps", err)
	}
}

func TestAllowNamesTheMethods(t *testing.T) {
	if got := problem.Allow(wrapped(problem.NotAllowed("GET", "PUT"), 2)); got != "GET, PUT" {
		t.Errorf("Allow is %q", got)
	}
	if got := problem.Allow(problem.ErrMethod); got != "" {
		t.Errorf("Allow of a bare problem.ErrMethod is %q", got)
	}
}

func TestRetryAfterIsWhatTheErrorSays(t *testing.T) {
	if got := problem.RetryAfter(wrapped(&auth.Throttled{After: 90 * time.Second}, 1)); got != 90*time.Second {
		t.Errorf("retry after %v", got)
	}
	if got := problem.RetryAfter(&auth.Throttled{}); got != time.Second {
		t.Errorf("retry after no time at all: %v", got)
	}
	if got := problem.RetryAfter(store.ErrBusy); got != 0 {
		t.Errorf("retry after %v for an error that says nothing", got)
	}
}
