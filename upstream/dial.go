package upstream

// This file decides where we may connect to, and how we know who answers.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
)

// errAddress is a connection to where we must not connect to.
var errAddress = fmt.Errorf("the address is not public and was not allowed: %w", ErrElsewhere)

// public reports whether an address may be one of the internet's. Everything else belongs to somebody near, whom a
// document from far away must not make us talk to.
func public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() &&
		!slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// special are further blocks that are not the internet's (RFC 6890): shared address space, protocol assignments,
// documentation, benchmarking, reserved, and the IPv6 ranges that carry IPv4 addresses within.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
}

// dialer connects to public addresses, and to the private ones of hosts the operator named. The address is checked when
// it is dialled, after the name was looked up: a name that answers with another address the second time gains nothing.
type dialer struct {
	private []string // hosts, or hosts with ports, that may be on any address
}

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dial := net.Dialer{Timeout: dialTimeout}
	if !slices.ContainsFunc(d.private, func(h string) bool {
		return strings.EqualFold(h, address) ||
			hostMatches(h, host)
	}) {
		dial.ControlContext = func(_ context.Context, _, at string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(at)
			if err != nil || !public(ap.Addr()) {
				return fmt.Errorf("%s: %w", host, errAddress)
			}
			return nil
		}
	}
	return dial.DialContext(ctx, network, address)
}

// hostMatches reports whether host is the one named, or below it when the name begins with "*.".
func hostMatches(pattern, host string) bool {
	if below, ok := strings.CutPrefix(pattern, "*."); ok {
		return len(host) > len(below)+1 && strings.EqualFold(host[len(host)-len(below)-1:], "."+below)
	}
	return strings.EqualFold(pattern, host)
}

// transport is everything of one upstream that does not depend on the request.
func (c Config) transport(base *url.URL) (*http.Transport, error) {
	d := dialer{}
	if c.Private || namesPrivate(base.Hostname()) {
		d.private = append(append(d.private, hostPort(base)), c.Hosts...)
		for _, realm := range c.Realms {
			if u, err := url.Parse(realm); err == nil {
				d.private = append(d.private, hostPort(u))
			}
		}
	}
	proxy := http.ProxyFromEnvironment
	if c.Proxy != "" {
		u, err := url.Parse(c.Proxy)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		proxy = http.ProxyURL(u)
	}
	for _, scheme := range []string{"http", "https"} {
		// The operator's own proxy may be anywhere.
		if u, err := proxy(&http.Request{URL: &url.URL{Scheme: scheme, Host: base.Host}}); err == nil && u != nil {
			d.private = append(d.private, hostPort(u))
		}
	}
	conf, err := c.tls()
	return &http.Transport{
		Proxy: proxy, DialContext: d.DialContext, TLSClientConfig: conf,
		TLSHandshakeTimeout: tlsTimeout, MaxIdleConnsPerHost: places, IdleConnTimeout: idleBody, ForceAttemptHTTP2: true,
		// Files are kept as they come; documents ask for an encoding themselves.
		DisableCompression: true,
	}, err
}

func (c Config) tls() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read CA: %w", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM form", c.CA)
		}
		conf.RootCAs = roots
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("read client certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}
