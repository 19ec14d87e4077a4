package web

// Upstreams: their state, checks, switches, and what is kept of them.

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"larder/internal/problem"
	"larder/store"
	"larder/upstream"
)

// UpstreamList is the answer of GET /upstreams. Without a running server nobody is asked, and counters are zero.
type UpstreamList struct {
	Upstreams []upstream.Status `json:"upstreams"`
	Offline   bool              `json:"offline"`
	// Cached is how many bytes of files are kept.
	Cached int64 `json:"cached_bytes"`
}

// UpstreamChoice selects upstreams; empty fields select all.
type UpstreamChoice struct {
	Kind store.Kind `json:"kind,omitempty"`
	Name string     `json:"name,omitempty"`
	// Offline is for POST /upstreams/switch.
	Offline bool `json:"offline,omitempty"`
	// Package is the pattern of POST /upstreams/purge, or the name that POST /upstreams/check asks for. NoUpstream limits
	// a purge to copies whose upstream is not configured.
	Package    string `json:"package,omitempty"`
	NoUpstream bool   `json:"no_upstream,omitempty"`
}

// UpstreamCheck is what one upstream answered to POST /upstreams/check.
type UpstreamCheck struct {
	Kind  store.Kind         `json:"kind"`
	Name  string             `json:"name"`
	Error string             `json:"error,omitempty"` // the first finding that is not OK
	Found []upstream.Finding `json:"found"`
}

// UpstreamChecks is the answer of POST /upstreams/check.
type UpstreamChecks struct {
	Checks []UpstreamCheck `json:"checks"`
}

// Purged is the answer of POST /upstreams/purge.
type Purged struct {
	Packages int `json:"packages"`
}

// MissList is the answer of GET /upstreams/misses.
type MissList struct {
	Misses []upstream.Miss `json:"misses"`
	Next   string          `json:"next,omitempty"`
}

// missKey is where a miss stands in a list.
func missKey(m upstream.Miss) string {
	return strings.Join([]string{string(m.Kind), m.Package, m.Key, m.Reason}, "\x00")
}

// upstreams returns the registry, or says that there is none.
func (a *api) upstreams() (*upstream.Registry, error) {
	if a.remote == nil {
		return nil, problem.Errorf(store.ErrNotFound, "no upstreams are configured")
	}
	return a.remote, nil
}

func (a *api) listUpstreams(w http.ResponseWriter, r *http.Request, _ request) error {
	list := UpstreamList{Upstreams: []upstream.Status{}}
	if a.remote != nil {
		list.Offline = a.remote.Offline()
		all, cached, err := a.remote.All(r.Context())
		if err != nil {
			return err
		}
		list.Upstreams, list.Cached = append(list.Upstreams, all...), cached
	}
	return answer(w, http.StatusOK, list)
}

// chosen reads the body and finds what it selects.
func (a *api) chosen(r *http.Request) (c UpstreamChoice, list []*upstream.Upstream, err error) {
	if err := readJSON(r, &c); err != nil {
		return c, nil, err
	}
	reg, err := a.upstreams()
	if err != nil {
		return c, nil, err
	}
	if list = reg.Find(c.Kind, c.Name); len(list) == 0 {
		return c, nil, problem.Errorf(store.ErrNotFound, "there is no such upstream")
	}
	return c, list, nil
}

func (a *api) checkUpstreams(w http.ResponseWriter, r *http.Request, _ request) error {
	c, list, err := a.chosen(r)
	if err != nil {
		return err
	}
	if c.Package != "" {
		if c.Kind == "" {
			return problem.Errorf(store.ErrInvalid, "a package is of a kind; name that as well")
		}
		if c.Package, err = a.spellings.Name(c.Kind, c.Package); err != nil {
			return err
		}
	}
	out := UpstreamChecks{make([]UpstreamCheck, len(list))}
	var work sync.WaitGroup
	for i, u := range list {
		work.Go(func() { out.Checks[i] = a.checkUpstream(r.Context(), u, c.Package) })
	}
	work.Wait()
	return answer(w, http.StatusOK, out)
}

func (a *api) checkUpstream(ctx context.Context, u *upstream.Upstream, name string) UpstreamCheck {
	c := UpstreamCheck{Kind: u.Kind(), Name: u.Name(), Found: a.remote.Check(ctx, u, name)}
	for _, f := range c.Found {
		if !f.OK && c.Error == "" {
			c.Error = f.String()
		}
	}
	return c
}

// switchUpstreams takes those selected off or back; selecting none switches the whole server, until it stops.
func (a *api) switchUpstreams(w http.ResponseWriter, r *http.Request, _ request) error {
	c, _, err := a.chosen(r)
	if err != nil {
		return err
	}
	a.remote.Switch(c.Kind, c.Name, c.Offline)
	return done(w)
}

func (a *api) purgeUpstreams(w http.ResponseWriter, r *http.Request, _ request) error {
	var c UpstreamChoice
	if err := readJSON(r, &c); err != nil {
		return err
	}
	reg, err := a.upstreams()
	if err != nil {
		return err
	}
	if _, err := store.ParseKind(string(c.Kind)); err != nil {
		return err
	}
	if c.Package == "" {
		return problem.Errorf(store.ErrInvalid, "package is missing; \"*\" is every one")
	}
	purge := reg.Purge
	if c.NoUpstream {
		purge = reg.PurgeOrphans
	}
	n, err := purge(r.Context(), c.Kind, c.Package)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, Purged{n})
}

func (a *api) misses(w http.ResponseWriter, r *http.Request, _ request) error {
	reg, err := a.upstreams()
	if err != nil {
		return err
	}
	p, err := pageOf(r, adminPage, adminPage)
	if err != nil {
		return err
	}
	list, err := reg.Misses(r.Context())
	if err != nil {
		return err
	}
	list, following := cut(append([]upstream.Miss{}, list...), p, missKey)
	link(w, r, following)
	return answer(w, http.StatusOK, MissList{list, following})
}

func (a *api) clearMisses(w http.ResponseWriter, r *http.Request, _ request) error {
	reg, err := a.upstreams()
	if err != nil {
		return err
	}
	if err := reg.ClearMisses(r.Context()); err != nil {
		return err
	}
	return done(w)
}
