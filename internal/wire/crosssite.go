package wire

// Requests that a page of another site has a browser send, with the credentials the browser remembers for this one.

import (
	"net/http"
	"net/url"
	"strings"

	"larder/internal/problem"
)

// crossOrigin decides by Sec-Fetch-Site and, for browsers that do not send it, by Origin against Host.
var crossOrigin = http.NewCrossOriginProtection()

// sameSite refuses with problem.ErrCrossSite a change that a browser sends for a page of another site. Reading is
// always let through: its answers carry no CORS headers, so that no other page sees them. b may be nil.
func (b *Base) sameSite(r *http.Request) error {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	if site == "" && origin == "" || crossOrigin.Check(r) == nil {
		return nil
	}
	// A reverse proxy may pass on a Host of its own: then the address clients know decides. Where the browser has decided
	// itself there is nothing to compare.
	if site == "" && b != nil && sameOrigin(origin, b.URL(r)) {
		return nil
	}
	return problem.Errorf(
		problem.ErrCrossSite,
		"This change was asked for by a page of another site (%s), so it was refused. Use a package client, or this "+
			"server's own pages.",
		shown(origin),
	)
}

// sameOrigin compares scheme, host and port, where a scheme's usual port may be left out.
func sameOrigin(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil || x.Host == "" {
		return false
	}
	y, err := url.Parse(b)
	return err == nil && x.Scheme == y.Scheme && strings.EqualFold(withoutPort(x), withoutPort(y))
}

func withoutPort(u *url.URL) string {
	usual := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return strings.TrimSuffix(u.Host, usual)
}

// shown is an Origin header as the client's user reads it, which must not be able to say anything else.
func shown(origin string) string {
	if u, err := url.Parse(origin); err == nil && u.Scheme != "" && validHost(u.Host) {
		return u.Scheme + "://" + u.Host
	}
	return "origin unknown"
}
