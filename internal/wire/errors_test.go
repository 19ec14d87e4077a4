package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/store"
)

func TestErrorsTable(t *testing.T) {
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
		{ErrBadPath, 400, "malformed request path"},
		{ErrNoRoute, 404, "no such address"},
		{ErrMethod, 405, "method not allowed"},
		{NotAllowed("GET", "HEAD"), 405, "method not allowed"},
		{ErrRange, 416, "range not satisfiable"},
		{ErrAuthorization, 401, "malformed Authorization header"},
		{ErrTruncated, 400, "the request body ended early"},
		{ErrSlow, 408, "the request body came too slowly"},
		{ErrMediaType, 415, "unsupported media type"},
		{context.Canceled, 499, "the client left"},
		{context.DeadlineExceeded, 503, "the server took too long"},
		{errors.New("bucket /srv/data/larder.db is gone"), 500, "internal error"},
		{store.Refuse(store.ErrQuota, "team-a has 3 bytes left"), 413, "team-a has 3 bytes left"},
		{store.Refuse(errors.New("no sentinel"), "secret path"), 500, "internal error"},
		{store.Refuse(auth.ErrHidden, "repository secret/app is private"), 404, "not found"},
	}
	for _, tt := range tests {
		for depth, err := range []error{tt.err, wrapped(tt.err, 1), wrapped(tt.err, 3)} {
			if got := Status(err); got != tt.status {
				t.Errorf("Status(%v) at depth %d = %d, want %d", err, depth, got, tt.status)
			}
			if got := Public(err); got != tt.public {
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

// TestEverySentinelHasARow keeps the table complete when a sentinel is added to this package.
func TestEverySentinelHasARow(t *testing.T) {
	for _, err := range []error{ErrBadPath, ErrNoRoute, ErrMethod, ErrRange, ErrAuthorization, ErrTruncated, ErrSlow, ErrMediaType} {
		if Status(err) == http.StatusInternalServerError {
			t.Errorf("%v has no row", err)
		}
		if strings.Contains(Public(err), internalError) {
			t.Errorf("%v has no text", err)
		}
	}
}

func TestErrorf(t *testing.T) {
	err := Errorf(store.ErrInvalid, "the name %q has a space", "a b")
	if !errors.Is(err, store.ErrInvalid) || Public(err) != `the name "a b" has a space` {
		t.Errorf("Errorf made %v with text %q", err, Public(err))
	}
}

// TestExplain: the sentinel decides what the client gets, whatever the cause wraps; the log has the cause.
func TestExplain(t *testing.T) {
	cause := fmt.Errorf("gzip: %w", store.ErrNotFound)
	err := fmt.Errorf("publish: %w", Explain(cause, store.ErrInvalid, "The archive is damaged: it has %d bytes.", 3))
	if Status(err) != 400 || Public(err) != "The archive is damaged: it has 3 bytes." || !strings.Contains(err.Error(), "gzip") {
		t.Errorf("%d %q %v", Status(err), Public(err), err)
	}
	if !errors.Is(err, store.ErrInvalid) || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v hides what it wraps", err)
	}
}

func TestAllow(t *testing.T) {
	if got := allowOf(wrapped(NotAllowed("GET", "PUT"), 2)); got != "GET, PUT" {
		t.Errorf("Allow is %q", got)
	}
	if got := allowOf(ErrMethod); got != "" {
		t.Errorf("Allow of a bare ErrMethod is %q", got)
	}
}

func TestRetryAfter(t *testing.T) {
	if got := retryAfter(wrapped(&auth.Throttled{After: 90 * time.Second}, 1)); got != 90*time.Second {
		t.Errorf("retry after %v", got)
	}
	if got := retryAfter(&auth.Throttled{}); got != time.Second {
		t.Errorf("retry after no time at all: %v", got)
	}
	if got := retryAfter(store.ErrBusy); got != 0 {
		t.Errorf("retry after %v for an error that says nothing", got)
	}
}
