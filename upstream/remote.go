package upstream

// This file has one remote registry: its client, where it may lead, and its credentials.

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"larder/store"
)

// Upstream is one remote registry. It is safe for many goroutines.
type Upstream struct {
	conf    Config
	key     string // of its records, see sources.go
	gone    bool   // it is not configured, only copies of it are here
	base    *url.URL
	client  *http.Client
	breaker *breaker // of the registry's own origin
	others  breakers // of the origins that its documents name
	// detach is the registry's: for work that outlives a request.
	detach  func(ctx context.Context) (context.Context, func())
	tokens  tokens
	docs    lane
	files   lane
	sizes   lane        // for files that may turn out to be small, while there is no place for files
	shared  atomic.Bool // it speaks HTTP/2: one connection carries all requests
	now     func() time.Time
	offline atomic.Bool
	basic   atomic.Bool            // a container registry that asks for the password itself
	unused  atomic.Pointer[string] // why configured credentials were not sent
	unsent  sync.Map               // origins to which they do not belong, and that refused
	dl      atomic.Pointer[string] // see FilesNeedLogin
	log     *slog.Logger

	Counts Counts
	meter  *store.Meter // what clients were answered from it
}

// Counts are what metrics show of one upstream since the start.
type Counts struct {
	Requests, Failures atomic.Int64 // asked of the upstream
	Broken             atomic.Int64 // files whose sums were wrong
}

// newUpstream builds the client of c.
func newUpstream(c Config, o Options) (*Upstream, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	base, err := url.Parse(strings.TrimRight(c.URL, "/"))
	if err != nil {
		return nil, err
	}
	t, err := c.transport(base)
	if err != nil {
		return nil, fmt.Errorf("upstream %s: %w", c.Name, err)
	}
	c.URL = base.String()
	u := &Upstream{conf: c, base: base, breaker: &breaker{now: o.Now}, now: o.Now, meter: &store.Meter{},
		docs: newLane(cmp.Or(c.Connections.Documents, places)), files: newLane(cmp.Or(c.Connections.Files, places)),
		sizes: newLane(sizePlaces)}
	u.client = &http.Client{Transport: t, CheckRedirect: u.redirect}
	u.offline.Store(c.Offline)
	u.log = slog.New(slog.DiscardHandler)
	return u, nil
}

// Name is what the operator calls it.
func (u *Upstream) Name() string { return u.conf.Name }

// nameless reports whether it has no name but its address, which clients are not told.
func (u *Upstream) nameless() bool { return strings.Contains(u.conf.Name, u.base.Host) }

// Called is what it is in a sentence for a client's user.
func (u *Upstream) Called() string {
	if u.nameless() {
		return "the upstream registry"
	}
	return "the upstream registry " + u.conf.Name
}

// Kind is its protocol.
func (u *Upstream) Kind() store.Kind { return u.conf.Kind }

// URL is the registry's address without a final slash.
func (u *Upstream) URL() string { return u.conf.URL }

// Host is the registry's host and port.
func (u *Upstream) Host() string { return u.base.Host }

// Takes reports whether the operator lets this registry be asked for the name.
// Of a name with several spellings all are given.
func (u *Upstream) Takes(names ...string) bool {
	return u.has(func(s string) string { return s }, names...)
}

// has is Takes with both sides folded. A name of several spellings is excluded or included by any of them.
func (u *Upstream) has(fold func(string) string, names ...string) bool {
	among := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			p = fold(p)
			return slices.ContainsFunc(names, func(n string) bool { return store.Glob(p, fold(n)) })
		})
	}
	return !among(u.conf.Exclude) && (len(u.conf.Include) == 0 || among(u.conf.Include))
}

// resolve makes an absolute URL of a reference: relative to the registry, or one that a document names. ErrElsewhere
// for a host that is neither the registry's nor one of Hosts.
func (u *Upstream) resolve(ref string) (*url.URL, error) {
	if !strings.Contains(ref, "://") {
		return url.Parse(u.conf.URL + "/" + strings.TrimLeft(ref, "/"))
	}
	to, err := url.Parse(ref)
	if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "" {
		return nil, u.astray(nil, fmt.Sprintf("%q is not a URL", ref))
	}
	if to.User != nil || !u.mayAsk(to) {
		return nil, u.astray(to, u.conf.Name+" names "+to.Host)
	}
	return to, nil
}

// mayAsk decides where documents and redirects may send us. What began encrypted stays encrypted. Many registries keep
// their files on hosts of another name, so any will do unless the operator lists them: credentials do not go along,
// sums are checked, and the dialer keeps addresses out that are not public.
func (u *Upstream) mayAsk(to *url.URL) bool {
	if u.base.Scheme == "https" && to.Scheme != "https" {
		return false
	}
	// Some write the port although it is the usual one.
	if strings.EqualFold(to.Host, u.base.Host) || strings.EqualFold(hostPort(to), hostPort(u.base)) {
		return true
	}
	// The dialer checks addresses, but it never sees what goes through a proxy.
	if len(u.conf.Hosts) == 0 {
		return !namesPrivate(to.Hostname())
	}
	for _, h := range u.conf.Hosts {
		if hostMatches(h, to.Hostname()) || strings.EqualFold(h, to.Host) {
			return true
		}
	}
	return false
}

const maxRedirects = 5

var errRedirects = errors.New("too many redirects")

// redirect lets a request go on to where it may; credentials go along only within what they are bound to.
func (u *Upstream) redirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errRedirects
	}
	if via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https" || !u.mayAsk(r.URL) {
		return u.astray(r.URL, "redirected to "+r.URL.Host)
	}
	r.Header.Del("Authorization")
	r.Header.Del("Referer")
	if u.conf.HeaderName != "" {
		r.Header.Del(u.conf.HeaderName)
	}
	// A host that is named holds files; where a redirect leads is signed already.
	if u.ownsPath(r.URL) {
		u.authorize(r)
	}
	return nil
}

// owns reports whether credentials may go to an address: of the same scheme, host and port, unless Paths limits that,
// or one that Paths or Hosts name.
func (u *Upstream) owns(to *url.URL) bool {
	if at := u.dl.Load(); at != nil && *at == origin(to) {
		return true
	}
	return u.ownsPath(to) || to.Scheme == u.base.Scheme && slices.ContainsFunc(u.conf.Hosts, func(h string) bool {
		return strings.EqualFold(h, to.Host) || strings.EqualFold(h, to.Hostname()) && to.Port() == ""
	})
}

// FilesNeedLogin says that the registry's own document names ref as where its files are and that they need the login:
// the origin of ref is sent the credentials, unless what began encrypted would go on in the clear.
func (u *Upstream) FilesNeedLogin(ref string) {
	to, err := url.Parse(ref)
	if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != u.base.Scheme {
		return
	}
	if at := origin(to); at != origin(u.base) {
		u.dl.Store(&at)
	}
}

// ownsPath is owns without Hosts and FilesNeedLogin.
func (u *Upstream) ownsPath(to *url.URL) bool {
	if strings.Contains(to.Path, "/../") {
		return false
	}
	own, limited := origin(to) == origin(u.base), false
	for _, path := range u.conf.Paths {
		at, err := url.Parse(path)
		if err != nil {
			continue // Validate has seen it
		}
		limited = limited || at.Host == ""
		if (at.Host == "" && own || at.Host != "" && origin(at) == origin(to)) && below(to.Path, at.Path) {
			return true
		}
	}
	return own && (!limited || below(to.Path, u.base.Path))
}

// below reports whether a path is root or below it.
func below(path, root string) bool {
	root = strings.TrimRight(root, "/")
	return path == root || strings.HasPrefix(path, root+"/")
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// authorize adds the configured credentials where they belong. Container registries get tokens instead, see token.go.
func (u *Upstream) authorize(r *http.Request) {
	if !u.owns(r.URL) || isAnonymous(r.Context()) {
		return
	}
	c := &u.conf
	switch {
	case c.HeaderName != "":
		r.Header.Set(c.HeaderName, c.HeaderValue)
	case c.Token != "" && c.Kind == store.Cargo:
		// cargo's own form: the token as it is.
		r.Header.Set("Authorization", c.Token)
	case c.Token != "":
		r.Header.Set("Authorization", "Bearer "+c.Token)
	case c.User != "" && (c.Kind != store.OCI || u.basic.Load()):
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Password)))
	}
}

// timeout is how long the header of an answer may take.
func (u *Upstream) timeout(file bool) time.Duration {
	if file {
		return cmp.Or(u.conf.Timeout.Files, fileTimeout)
	}
	return cmp.Or(u.conf.Timeout.Documents, Budget)
}

// origin is scheme and host, for comparing realms.
func origin(u *url.URL) string { return u.Scheme + "://" + hostPort(u) }

// tokens keeps the bearer tokens of a container registry.
type tokens struct {
	fetches singleflight.Group // by scope

	mu   sync.Mutex // guards what follows
	kept map[string]token
	// challenge is what the registry said last about where its tokens come from.
	challenge challenge
}
