package pypi

// Trusted publishing as Python's tools ask for it (PEP 807): a CI job exchanges its provider's token for one of ours.

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/trust"
	"larder/internal/wire"
	"larder/store"
)

const typeTrusted = "application/vnd.pypi.pytp.v1+json"

// errNoTrust: nobody configured trusted publishing.
func errNoTrust() error {
	return &mintError{"not-enabled", problem.Errorf(store.ErrInvalid, "Trusted publishing is not switched on here.")}
}

// audience tells a CI job which audience its provider's token must name.
func (s *server) audience(w http.ResponseWriter, _ *http.Request, _ Request) error {
	if s.trust == nil {
		return errNoTrust()
	}
	return wire.JSON(w, http.StatusOK, map[string]string{"audience": s.trust.Audience()})
}

// discover says where the audience and tokens for one of the upload addresses are found.
func (s *server) discover(w http.ResponseWriter, r *http.Request, q Request) error {
	path := strings.TrimSuffix(q.Path, "/")
	uploads := []string{s.Path(), s.Path() + "/legacy", rootSimple}
	isUpload := slices.ContainsFunc(uploads, func(end string) bool { return strings.HasSuffix(path, end) })
	if s.trust == nil || !isUpload {
		return problem.Errorf(store.ErrNotFound, "no trusted publishing for %.100q", q.Path)
	}
	base := s.base.URL(r) + rootOIDC
	w.Header().Set("Content-Type", typeTrusted)
	w.Header().Set("Cache-Control", "no-cache")
	return wire.JSON(w, http.StatusOK, map[string]any{
		"audience-endpoint": base + "/audience", "token-mint-endpoint": base + "/mint-token",
		"features": []string{"multi-use-token"},
	})
}

// mint exchanges the token of a CI's provider for one of ours.
func (s *server) mint(w http.ResponseWriter, r *http.Request, _ Request) error {
	if s.trust == nil {
		return errNoTrust()
	}
	raw, err := wire.ReadBody(r, maxSmallBody)
	if err != nil {
		return err
	}
	body, err := rawjson.Parse(raw)
	if err != nil || body.Text("token") == "" {
		return &mintError{
			"invalid-payload", problem.Errorf(store.ErrInvalid, "The request is not a JSON object with a token."),
		}
	}
	secret, expires, err := s.trust.Mint(r.Context(), body.Text("token"))
	switch {
	case err == nil:
	case registry.IsOneOf(err, auth.ErrIssuer, trust.ErrRule):
		return &mintError{"invalid-publisher", err}
	case errors.Is(err, auth.ErrUsed):
		return &mintError{"invalid-reuse-token", err}
	case errors.Is(err, auth.ErrCredentials):
		return &mintError{"invalid-token", err}
	default:
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, http.StatusOK, map[string]any{"success": true, "token": secret, "expires": expires.Unix()})
}
