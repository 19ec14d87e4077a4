package wire

// The headers in which a proxy says what the client asked it for.

import (
	"net/http"
	"net/netip"
	"strings"
)

// forwarded is what trusted proxies say of a request; empty fields were not sent or not usable.
type forwarded struct {
	client              netip.Addr
	proto, host, prefix string
}

// hop is what one proxy appended.
type hop struct{ addr, proto, host string }

// walk reads the headers of a request that came from the trusted peer. Every proxy appends on the right what it saw,
// and what stands left of the first stranger was written by that stranger: so entries are read from the right for as
// long as the address they name is a trusted proxy's as well. Forwarded (RFC 7239) counts only without any
// X-Forwarded-… header, because proxies that set those pass a Forwarded of the client's on as it is.
func (b *Base) walk(h http.Header, peer netip.Addr) forwarded {
	if h["X-Forwarded-For"] == nil && h["X-Forwarded-Proto"] == nil && h["X-Forwarded-Host"] == nil {
		if lines := h["Forwarded"]; lines != nil {
			return b.walkForwarded(lines, peer, h)
		}
	}
	addrs := elements(h["X-Forwarded-For"])
	client, hops := b.climb(peer, len(addrs), func(i int) string { return addrs[i] })
	f := forwarded{client: client, prefix: prefixOf(h)}
	f.setProto(fromRight(elements(h["X-Forwarded-Proto"]), hops))
	f.setHost(fromRight(elements(h["X-Forwarded-Host"]), hops))
	f.setPort(fromRight(elements(h["X-Forwarded-Port"]), hops))
	return f
}

func (b *Base) walkForwarded(lines []string, peer netip.Addr, h http.Header) forwarded {
	hops := parseForwarded(lines)
	client, n := b.climb(peer, len(hops), func(i int) string { return hops[i].addr })
	f := forwarded{client: client, prefix: prefixOf(h)}
	if len(hops) > 0 {
		first := hops[len(hops)-min(n, len(hops))]
		f.setProto(first.proto)
		f.setHost(first.host)
	}
	return f
}

// climb follows the addresses from the right, starting at the trusted peer, until one is no proxy of ours or not an
// address. It returns the last one reached and how many proxies, the peer included, vouch for it.
func (b *Base) climb(peer netip.Addr, n int, addr func(int) string) (client netip.Addr, hops int) {
	client = peer
	for i := n - 1; i >= 0; i-- {
		a, ok := parseNode(addr(i))
		if !ok {
			return client, max(hops, 1)
		}
		client = a
		hops++
		if !b.trusts(a) {
			break
		}
	}
	return client, max(hops, 1)
}

// fromRight picks what the outermost of n trusted proxies wrote into a list header. Proxies that overwrite instead of
// appending leave a shorter list, whose first element is then the right one.
func fromRight(list []string, n int) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-min(n, len(list))]
}

func (f *forwarded) setProto(p string) {
	if p = strings.ToLower(p); p == "http" || p == "https" {
		f.proto = p
	}
}

func (f *forwarded) setHost(h string) {
	if validHost(h) {
		f.host = h
	}
}

// setPort adds a port to a forwarded host that has none, unless it is the scheme's own.
func (f *forwarded) setPort(p string) {
	if f.host == "" || !validPort(p) || p == "443" && f.proto == "https" || p == "80" && f.proto != "https" {
		return
	}
	if i := strings.LastIndexByte(f.host, ':'); i < 0 || strings.HasSuffix(f.host, "]") {
		f.host += ":" + p
	}
}

// prefixOf is X-Forwarded-Prefix if it is a plain absolute path: the one our paths are mounted under at the proxy.
func prefixOf(h http.Header) string {
	p := strings.TrimRight(h.Get("X-Forwarded-Prefix"), "/")
	if !strings.HasPrefix(p, "/") || len(p) > 255 {
		return ""
	}
	for seg := range strings.SplitSeq(p[1:], "/") {
		if seg == "" || seg == "." || seg == ".." || strings.Trim(seg, pathChars) != "" {
			return ""
		}
	}
	return p
}

const pathChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

// elements splits list headers at commas, in order, without blanks.
func elements(lines []string) []string {
	var list []string
	for _, line := range lines {
		for e := range strings.SplitSeq(line, ",") {
			list = append(list, strings.TrimSpace(e))
		}
	}
	return list
}

// parseNode reads an address with or without port; IPv6 may stand in brackets. "unknown" and hidden
// names are no address.
func parseNode(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// parseForwarded reads RFC 7239 elements. Commas and semicolons inside quoted strings do not separate.
func parseForwarded(lines []string) []hop {
	var hops []hop
	for _, line := range lines {
		for _, element := range splitQuoted(line, ',') {
			var h hop
			for _, pair := range splitQuoted(element, ';') {
				name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
				value = strings.Trim(value, `"`)
				switch strings.ToLower(name) {
				case "for":
					h.addr = value
				case "proto":
					h.proto = value
				case "host":
					h.host = value
				}
			}
			hops = append(hops, h)
		}
	}
	return hops
}

func splitQuoted(s string, sep byte) []string {
	var parts []string
	quoted, from := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}
