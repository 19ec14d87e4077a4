package wire

// Requests that a page of another site makes a browser send.

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"testing"

	"larder/internal/problem"
)

// TestCrossSite: what browsers send for pages of this server and of others, directly and behind proxies.
func TestCrossSite(t *testing.T) {
	const public = "https://pkg.example.com/larder"
	proxied := map[string]string{"X-Forwarded-Host": "pkg.example.com", "X-Forwarded-Proto": "https"}
	for _, tt := range []struct {
		what, method   string
		site, origin   string
		public         string
		trusts, refuse bool
		more           map[string]string
	}{
		{what: "a package client", method: "POST"},
		{what: "an own page, by Sec-Fetch-Site", method: "POST", site: "same-origin", origin: "http://box.example:8080"},
		{what: "an own page, by Origin", method: "POST", origin: "http://box.example:8080"},
		{what: "the address bar", method: "POST", site: "none"},
		{what: "another site's form", method: "POST", site: "cross-site", origin: "https://evil.example", refuse: true},
		{
			what: "another site, whatever Origin it claims", method: "POST", site: "cross-site",
			origin: "http://box.example:8080", refuse: true,
		},
		{
			what: "another host of the same domain", method: "PUT", site: "same-site", origin: "http://other.example:8080",
			refuse: true,
		},
		{what: "another site in an old browser", method: "DELETE", origin: "https://evil.example", refuse: true},
		{what: "another port in an old browser", method: "PATCH", origin: "http://box.example:9090", refuse: true},
		{what: "a sandboxed frame", method: "POST", origin: "null", refuse: true},
		{what: "reading for another site", method: "GET", site: "cross-site", origin: "https://evil.example"},
		{what: "public URL", method: "POST", origin: "https://pkg.example.com", public: public},
		{
			what: "public URL with its usual port", method: "POST", origin: "https://pkg.example.com",
			public: "https://PKG.example.com:443",
		},
		{what: "public URL, other scheme", method: "POST", origin: "http://pkg.example.com", public: public, refuse: true},
		{what: "public URL, other site", method: "POST", origin: "https://evil.example", public: public, refuse: true},
		{what: "trusted proxy", method: "POST", origin: "https://pkg.example.com", trusts: true, more: proxied},
		{
			what: "trusted proxy, other site", method: "POST", origin: "https://evil.example", trusts: true, more: proxied,
			refuse: true,
		},
		{what: "anybody's forwarded headers", method: "POST", origin: "https://pkg.example.com", more: proxied, refuse: true},
	} {
		var trusted []netip.Prefix
		if tt.trusts {
			trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}
		b, err := NewBase(tt.public, trusted)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(tt.method, "http://box.example:8080/npm/x", nil)
		r.RemoteAddr = "192.0.2.7:1234"
		for k, v := range tt.more {
			r.Header.Set(k, v)
		}
		if tt.site != "" {
			r.Header.Set("Sec-Fetch-Site", tt.site)
		}
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		if err := b.sameSite(r); errors.Is(err, problem.ErrCrossSite) != tt.refuse ||
			err != nil && problem.Status(err) != 403 {
			t.Errorf("%s: %v, refused wanted: %t", tt.what, err, tt.refuse)
		}
	}
}
