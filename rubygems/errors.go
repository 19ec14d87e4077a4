package rubygems

// The only place that writes error bodies: plain text, which gem and Bundler print as it is.

import (
	"errors"
	"net/http"
	"strings"
	"unicode"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

// status is the status of a failure as the clients of RubyGems expect it.
func status(f wire.Failure) int {
	switch {
	case errors.Is(f.Err, problem.ErrBadPath), errors.Is(f.Err, problem.ErrTruncated):
		return f.Status
	case errors.Is(f.Err, store.ErrInvalid), errors.Is(f.Err, store.ErrDigest):
		return http.StatusUnprocessableEntity
	}
	return f.Status
}

// fail writes the answer of a failed request.
func fail(w http.ResponseWriter, _ *http.Request, f wire.Failure) {
	code, text := status(f), f.Public
	switch code {
	case http.StatusNotFound:
		var plain *plainAbsent
		if !errors.As(f.Err, &plain) {
			text = f.AbsentText(noAddress, absentGem)
		}
	case http.StatusUnauthorized:
		// Bundler and gem send their credentials with the first request; the challenge is for curl and browsers.
		w.Header().Set("WWW-Authenticate", `Basic realm="larder"`)
		if errors.Is(f.Err, auth.ErrNoCredentials) {
			text = "Access Denied. This needs a login: run gem signin, or give a key or user:password."
		}
	}
	wire.WriteError(w, code, "text/plain; charset=utf-8", []byte(printable(text)+"\n"),
		"Repr-Digest", "Digest", "Accept-Ranges")
}

// plainAbsent is a 404 whose own text is shown. It may only stand where the gem may be seen, or for what is no gem.
type plainAbsent struct{ error }

func (e *plainAbsent) Unwrap() error { return e.error }

// printable removes control characters, which a terminal obeys.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// needLogin is the error of anonymous clients where a user is needed.
func needLogin() error {
	return problem.Errorf(auth.ErrNoCredentials, "Access Denied. This needs a login.")
}
