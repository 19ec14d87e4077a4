package cargo

// This file writes every error body. Cargo prints the details of the web API's; what it gets from the index and from
// downloads it prints as it is, so there it is plain text.

import (
	"errors"
	"net/http"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// absent is the text of a 404: of what the address names, or the address itself.
func absent(f wire.Failure) string {
	if f.Op == "cargo.owners.add" || f.Op == "cargo.owners.remove" {
		return "crate or user not found"
	}
	return f.AbsentText("this registry has no such address", "crate not found")
}

// isFile reports whether an operation is about the index or a crate's bytes.
func isFile(op string) bool {
	return op == "cargo.config" || op == "cargo.index" || op == "cargo.download"
}

// status is the status of a failure as cargo needs it.
func (s *server) status(r *http.Request, f wire.Failure) int {
	file := isFile(f.Op)
	switch {
	case errors.Is(f.Err, auth.ErrHidden) && wire.IdentityFrom(r.Context()).Anonymous && s.closedPath(r.URL.Path):
		// Only a 401 makes cargo send its token; the answer is the same whether the crate exists or not.
		return http.StatusUnauthorized
	case f.Status == http.StatusUnauthorized && !file &&
		registry.IsOneOf(f.Err, auth.ErrCredentials, problem.ErrAuthorization):
		return http.StatusForbidden
	}
	return f.Status
}

// closedPath reports whether a path answers nobody without credentials.
func (s *server) closedPath(path string) bool {
	return s.opt.AuthRequired || strings.HasPrefix(path, root+"/private/")
}

// fail writes the answer of a failed request.
func (s *server) fail(w http.ResponseWriter, r *http.Request, f wire.Failure) {
	code, text := s.status(r, f), f.Public
	switch code {
	case http.StatusNotFound:
		text = absent(f)
	case http.StatusUnauthorized:
		if errors.Is(f.Err, auth.ErrHidden) || errors.Is(f.Err, auth.ErrNoCredentials) {
			text = needToken
		}
		w.Header().Set("WWW-Authenticate", `Cargo login_url="`+s.URL(r)+`/me"`)
	}
	if !isFile(f.Op) && (f.Op != "" || strings.HasPrefix(r.URL.Path, root+"/api/")) {
		type detail struct {
			Detail string `json:"detail"`
		}
		wire.Retract(w.Header())
		// The client is gone when this fails, and the access log has the status already.
		_ = wire.JSON(w, code, map[string][]detail{"errors": {{text}}})
		return
	}
	wire.WriteError(w, code, "text/plain; charset=utf-8", []byte(text+"\n"))
}

const needToken = "This needs a token: run cargo login."

// needLogin is the error of what nobody may do without credentials.
func needLogin() error { return problem.Errorf(auth.ErrNoCredentials, needToken) }

// notFound is the error for the log; the client reads absent.
func notFound(format string, args ...any) error {
	return problem.Errorf(store.ErrNotFound, format, args...)
}
