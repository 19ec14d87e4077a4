package upstream

// This file has what operators see of upstreams, and do to them.

import (
	"context"
	"time"

	"larder/store"
)

// Status is one registry as operators see it.
type Status struct {
	Kind    store.Kind `json:"kind"`
	Name    string     `json:"name"`
	URL     string     `json:"url"`
	Offline bool       `json:"offline"`
	Open    bool       `json:"open"` // it is not asked at present because it is in trouble, or said so
	Until   time.Time  `json:"until,omitzero"`
	Error   string     `json:"error,omitempty"`
	// Seen is the last trouble in words, until a request is answered again; Change what its operator can do about it.
	Seen   string `json:"seen,omitempty"`
	Change string `json:"change,omitempty"`
	// Requests are those sent to the upstream, Failures and Broken what became of some of them, since the start.
	Requests int64 `json:"requests"`
	Failures int64 `json:"failures"`
	Broken   int64 `json:"broken"`
	// What clients were answered since the folder was made: each request is one of Hits, Misses, Stale and Absent.
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
	Stale  int64 `json:"stale"`
	Absent int64 `json:"absent"`
	Sent   int64 `json:"sent"`  // bytes of the answers
	Bytes  int64 `json:"bytes"` // fetched
	Saved  int64 `json:"saved"` // bytes that were sent and had not to be fetched
	// NoUpstream is a source of Copies, documents and files of Kept bytes, that is not configured any more.
	// Pinned is of how many files nobody gave a sum, so that their first copy counts; evicted ones too.
	Pinned     int64 `json:"pinned,omitempty"`
	NoUpstream bool  `json:"no_upstream,omitempty"`
	Copies     int64 `json:"copies,omitempty"`
	Kept       int64 `json:"kept_bytes,omitempty"`
}

// Status lists every registry, in the order of kinds.
func (r *Registry) Status() (list []Status) {
	for _, k := range store.Kinds() {
		for _, u := range r.sets[k].configured() {
			open, until, last := u.breaker.state()
			c := &u.Counts
			st := Status{
				Kind: k, Name: u.Name(), URL: u.URL(), Offline: r.offline.Load() || u.offline.Load(), Open: open,
				Requests: c.Requests.Load(), Failures: c.Failures.Load(), Broken: c.Broken.Load(),
			}
			st.count(u)
			if open {
				st.Until = until
			}
			if last != nil {
				st.Error = last.Error()
				st.Seen, st.Change = u.explain(last)
			}
			list = append(list, st)
		}
	}
	return list
}

// count fills in what clients were answered.
func (st *Status) count(u *Upstream) {
	t := u.meter.Traffic()
	st.Hits, st.Misses, st.Stale, st.Absent = t.Hits, t.Misses, t.Stale, t.Absent
	st.Sent, st.Bytes, st.Saved = t.Sent, t.Fetched, t.Saved()
}

// SourceName is what the registry is called whose traffic or copies have the key; the key itself when it is not known.
func (r *Registry) SourceName(k store.Kind, key string) string {
	if r != nil && r.sets[k].source(key) != nil {
		return r.sets[k].source(key).Name()
	}
	return key
}

// Find returns the registries that kind and name select; "" selects all.
func (r *Registry) Find(k store.Kind, name string) (list []*Upstream) {
	for _, each := range store.Kinds() {
		for _, u := range r.sets[each].configured() {
			if (k == "" || k == each) && (name == "" || name == u.Name()) {
				list = append(list, u)
			}
		}
	}
	return list
}

// All is Status with what takes longer: how many files are pinned, the sources that are not configured any more, and
// how many bytes of files are kept. It reads a row of every file.
func (r *Registry) All(ctx context.Context) (list []Status, cached int64, err error) {
	orphans, err := r.Orphans(ctx)
	if err != nil {
		return nil, 0, err
	}
	list = append(r.Status(), orphans...)
	if err := r.CountPinned(ctx, list); err != nil {
		return nil, 0, err
	}
	cached, err = r.Cached(ctx)
	return list, cached, err
}

// Switch takes the registries that kind and name select off or back; selecting none switches the whole server, until
// it stops. It reports whether there is such a registry.
func (r *Registry) Switch(k store.Kind, name string, off bool) bool {
	list := r.Find(k, name)
	if k == "" && name == "" {
		r.SetOffline(off)
	}
	if k != "" || name != "" || !off {
		for _, u := range list {
			u.SetOffline(off)
		}
	}
	return len(list) > 0
}

// SetOffline switches every registry off or on; SetOffline of an Upstream switches one. It lasts until the server
// stops.
func (r *Registry) SetOffline(off bool) { r.offline.Store(off) }

// Offline reports whether all are switched off.
func (r *Registry) Offline() bool { return r.offline.Load() }

// SetOffline switches the registry off, or on again, with its past failures forgotten.
func (u *Upstream) SetOffline(off bool) {
	u.offline.Store(off)
	if !off {
		u.breaker.close()
		u.others.close()
	}
}

// checkURL is what every registry of the kind answers.
func (u *Upstream) checkURL() string {
	switch u.conf.Kind {
	case store.OCI:
		return u.conf.URL + "/v2/"
	case store.Cargo:
		return u.conf.URL + "/config.json"
	case store.Composer:
		return u.conf.URL + "/packages.json"
	case store.RubyGems:
		return u.conf.URL + "/names"
	}
	return u.conf.URL + "/"
}
