package web

// Who may see what the server says of itself: of addresses that monitoring asks, which have no operation in a
// protocol's table.

import (
	"net/http"

	"larder/internal/wire"
)

// known says whether a request comes with credentials that are right, whatever they may do: a user's or any token's. A
// request without credentials is not known; nor is one whose credentials are wrong, with the reason.
func (s *Web) known(r *http.Request) (bool, error) {
	c, given := wire.CredentialsFrom(r)
	if !given || s.d.Auth == nil {
		return false, nil
	}
	c.Addr = s.d.Wire.Base.ClientAddr(r)
	id, err := s.d.Auth.Authenticate(r.Context(), c)
	return err == nil && !id.Anonymous, err
}

// closed says whether nothing but their state is for those who are not known.
func (s *Web) closed() bool { return s.d.Auth != nil && !s.d.Auth.AnonymousReads() }

// sees is known for probes: they answer whoever asks, and tell those who are not known less.
func (s *Web) sees(r *http.Request) (known, closed bool) {
	known, err := s.known(r)
	if err != nil {
		s.d.Log.Debug("probe with wrong credentials", "err", err)
	}
	return known, !known && s.closed()
}

// metrics asks for a login where reading needs one.
func (s *Web) metrics(w http.ResponseWriter, r *http.Request) {
	known, err := s.known(r)
	if !known && (s.closed() || err != nil) {
		wire.SetOp(r.Context(), "web.metrics")
		h := w.Header()
		h.Set("WWW-Authenticate", `Basic realm="larder", charset="UTF-8"`)
		h.Set("Cache-Control", "no-store")
		http.Error(w, "The metrics need a login: a user's name and password, or a token.", http.StatusUnauthorized)
		return
	}
	s.d.Metrics.ServeHTTP(w, r)
}
