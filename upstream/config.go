package upstream

// This file has what an operator may say of upstreams.

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"larder/store"
)

// Config is one remote registry as its operator describes it.
type Config struct {
	Kind store.Kind
	// Name is unique within the kind; it is what commands call it, and where a container registry's names begin.
	Name string
	// URL is what the kind's own client would be given; without a final slash after New.
	URL string
	// Was are URLs by which the same registry was reached before: what is kept of them is kept on.
	Was []string
	// Include and Exclude are patterns of package names ('*' matches any run of characters): which names may be asked for
	// here. No Include means all.
	Include, Exclude []string

	// User and Password, or Token, or HeaderName and HeaderValue are sent to the URL's scheme, host and port, to Paths and
	// to Hosts without a star, and nowhere else.
	User, Password          string
	Token                   string
	HeaderName, HeaderValue string
	// Realms are further origins (https://auth.example.com) that may be given User and Password for a token.
	Realms []string

	// Hosts, if set, are the only hosts beside its own that documents and redirects may send us to; "*.example.com" is any
	// below. Without it any public address will do.
	Hosts []string
	// Private allows addresses that are not public (RFC 1918, loopback, link-local) for the URL's host and Hosts. It is
	// implied when the URL itself names such an address.
	Private bool

	// CA is a PEM file with further roots, Cert and Key a client certificate. Proxy is used instead of the environment's.
	CA, Cert, Key string
	Proxy         string

	// Connections bound the requests under way, 0: 16 each. A document waits for no file and no file for a document. Over
	// HTTP/2, where one connection carries all, three times as many are let go; a file counts until its header is here.
	Connections Places
	// Timeout is how long the header of an answer may take, waiting for one of Connections not counted; 0: 8 s for
	// documents, for which a client waits without seeing anything, and a minute for files.
	Timeout Patience

	// Forbidden is what 401 and 403 mean: "" that the upstream refuses, ForbiddenAbsent that it has no such thing.
	Forbidden string
	// Optional lets the next upstream answer while this one is in trouble.
	Optional bool
	// Paths are where credentials are sent beside the URL: paths on its own host, without which all of that host is sent
	// them, and URLs on other hosts.
	Paths []string

	// Fresh is used instead of the protocol's own lifetime of documents; negative means always ask.
	Fresh time.Duration
	// Trusted takes the registry's word for when a version was published, for Options.MinAge.
	Trusted bool
	// Offline begins with the registry switched off.
	Offline bool
}

// Places are numbers of requests.
type Places struct{ Documents, Files int }

// Patience is how long documents and files are waited for.
type Patience struct{ Documents, Files time.Duration }

// ForbiddenAbsent is the value of Config.Forbidden for buckets and repositories that answer 403 for what they do not
// have.
const ForbiddenAbsent = "absent"

// Options says what the upstreams of all kinds share.
type Options struct {
	Upstreams []Config
	// Offline asks nobody: what is kept is fresh, what is not is absent.
	Offline bool
	// Claims are patterns kind:name of names that are ours: upstreams are never asked for them.
	Claims []string
	// Shared are patterns maven:name of names whose versions here and at upstreams are joined on purpose, claimed or not.
	Shared []string
	// Blocked are patterns kind:name or kind:name@version of what is never fetched nor served from the cache.
	Blocked []string
	// MinAge holds back versions younger than this; Allowed are patterns kind:name or kind:name@version that are exempt.
	MinAge  time.Duration
	Allowed []string
	// CacheSize evicts the files that were not used for longest above so many bytes, CacheAge those not used for so long.
	// 0 is no limit.
	CacheSize int64
	CacheAge  time.Duration

	// Spellings say how each kind writes names and versions.
	Spellings Spellings

	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// places is how many documents and how many files are asked of an upstream at once.
const places = 16

// sizePlaces is how many further files are asked for at once to see whether they are small.
const sizePlaces = 4

// Limits in time. Bundler waits 10 seconds for an answer and pip 15, so that everything must be decided before, but for
// files of registries that make them when they are asked.
const (
	Budget       = 8 * time.Second // before the first byte, retries included, waiting in line not
	dialTimeout  = 3 * time.Second
	tlsTimeout   = 5 * time.Second
	fileTimeout  = time.Minute      // before the header of a file
	maxLine      = time.Minute      // in line for a place
	idleBody     = 30 * time.Second // without a byte of a file
	idleDocument = 3 * time.Second  // without a byte of a document, for which a client waits without seeing anything
	negativeFor  = time.Minute
	retrySoon    = 5 * time.Second // Retry-After of trouble whose end nobody knows
)

// Validate says what is wrong with c in a sentence; nil for a usable one.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a URL", c.URL)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%q is not an http or https URL", c.URL)
	case u.User != nil:
		return fmt.Errorf("%s has a user in it; set user and password", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q has a query or fragment", c.URL)
	case c.Connections.Documents < 0, c.Connections.Files < 0, c.Timeout.Documents < 0, c.Timeout.Files < 0:
		return fmt.Errorf("%s: connections and timeout are positive", c.URL)
	case (c.Cert == "") != (c.Key == ""):
		return fmt.Errorf("%s: a client certificate needs both cert and key", c.URL)
	case c.Password != "" && c.User == "":
		return fmt.Errorf("%s: a password needs a user", c.URL)
	case c.Token != "" && (c.User != "" || c.HeaderName != ""), c.User != "" && c.HeaderName != "":
		return fmt.Errorf("%s: only one of user, token and header can be sent", c.URL)
	case (c.HeaderName == "") != (c.HeaderValue == ""):
		return fmt.Errorf("%s: a header needs a name and a value", c.URL)
	}
	if c.Forbidden != "" && c.Forbidden != ForbiddenAbsent {
		return fmt.Errorf("%s: forbidden is %q; it can only be %q", c.URL, c.Forbidden, ForbiddenAbsent)
	}
	for _, path := range c.Paths {
		if p, err := url.Parse(path); err != nil || p.Host == "" && !strings.HasPrefix(path, "/") || p.User != nil ||
			p.Host != "" && p.Scheme != "https" && p.Scheme != u.Scheme {
			return fmt.Errorf("%s: %q is neither a path such as /files nor a URL", c.URL, path)
		}
	}
	for _, realm := range c.Realms {
		if r, err := url.Parse(realm); err != nil || r.Scheme != "http" && r.Scheme != "https" || r.Host == "" {
			return fmt.Errorf("%s: %q is not an origin such as https://auth.example.com", c.URL, realm)
		}
	}
	for _, was := range c.Was {
		if w, err := url.Parse(was); err != nil || w.Scheme != "http" && w.Scheme != "https" || w.Host == "" {
			return fmt.Errorf("%s: %q is not a URL it can have had before", c.URL, was)
		}
	}
	if c.Proxy != "" {
		if p, err := url.Parse(c.Proxy); err != nil || p.Host == "" ||
			!strings.Contains("http https socks5 socks5h", p.Scheme) {
			return fmt.Errorf("%s: the proxy is neither an http nor a socks5 URL", c.URL)
		}
	}
	return nil
}

// namesPrivate reports whether the URL itself says that the registry is on a private address.
func namesPrivate(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && !public(a)
}
