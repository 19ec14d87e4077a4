package wire

// The address clients use: what the operator says, and what a trusted proxy says of a request.

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Base knows under which address clients reach the server, and their own address.
type Base struct {
	public  string
	prefix  string // path of public, without final slash
	trusted []netip.Prefix
}

// NewBase makes a Base. If publicURL is set it is the answer for every request. Otherwise the headers Forwarded and
// X-Forwarded-… count, but only from a peer inside trusted: believing them from anyone would let one client put an
// address of its choice into documents that others get.
func NewBase(publicURL string, trusted []netip.Prefix) (*Base, error) {
	b := &Base{trusted: trusted}
	if publicURL == "" {
		return b, nil
	}
	u, err := url.Parse(publicURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil {
		return nil, fmt.Errorf("public URL %q is not of the form https://registry.example.com/path", publicURL)
	}
	b.public = strings.TrimRight(publicURL, "/")
	b.prefix = strings.TrimRight(u.EscapedPath(), "/")
	return b, nil
}

// Public is the configured public URL without a final slash, "" when none is: then documents do well to hold relative
// addresses where clients understand them.
func (b *Base) Public() string { return b.public }

// URL is scheme://host[:port][/prefix] without a final slash: what the client of r puts before our paths.
func (b *Base) URL(r *http.Request) string {
	if b.public != "" {
		return b.public
	}
	scheme, host, prefix := "http", r.Host, ""
	if r.TLS != nil {
		scheme = "https"
	}
	if peer := peerAddr(r); b.trusts(peer) {
		f := b.walk(r.Header, peer)
		if f.proto != "" {
			scheme = f.proto
		}
		if f.host != "" {
			host = f.host
		}
		prefix = f.prefix
	}
	if !validHost(host) {
		// Whatever odd name a client invents, it is not put into a document.
		host = "localhost"
	}
	return scheme + "://" + host + prefix
}

// ClientAddr is the address of the client: the peer, or what trusted proxies say it is. The zero Addr means unknown, as
// on a Unix socket.
func (b *Base) ClientAddr(r *http.Request) netip.Addr {
	peer := peerAddr(r)
	if !b.trusts(peer) {
		return peer
	}
	return b.walk(r.Header, peer).client
}

// Strip takes the path of the public URL off requests of a reverse proxy that passes it on.
func (b *Base) Strip(next http.Handler) http.Handler {
	if b.prefix == "" {
		return next
	}
	stripped := http.StripPrefix(b.prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.EscapedPath(), b.prefix+"/") {
			stripped.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (b *Base) trusts(a netip.Addr) bool {
	if len(b.trusted) == 0 || !a.IsValid() {
		return false
	}
	for _, p := range b.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func peerAddr(r *http.Request) netip.Addr {
	if p := peerOf(r.Context()); p != nil {
		return p.addr
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// validHost accepts name[:port], 192.0.2.1[:port] and [2001:db8::1][:port].
func validHost(h string) bool {
	if h == "" || len(h) > 255+6 {
		return false
	}
	name, port := h, ""
	if i := strings.LastIndexByte(h, ':'); i >= 0 && !strings.HasSuffix(h, "]") {
		name, port = h[:i], h[i+1:]
		if !validPort(port) {
			return false
		}
	}
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		a, err := netip.ParseAddr(name[1 : len(name)-1])
		return err == nil && a.Is6()
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return name != ""
}

func validPort(p string) bool {
	if p == "" || len(p) > 5 {
		return false
	}
	for i := range len(p) {
		if p[i] < '0' || p[i] > '9' {
			return false
		}
	}
	return true
}
