package web

// What happened to a package, what depends on it, and what its manifests say.

import (
	"net/http"
	"strconv"
	"time"

	"larder/internal/describe"
	"larder/internal/problem"
	"larder/store"
)

// DependantList is the answer of GET /packages/KIND/NAME/-/dependants.
type DependantList struct {
	Dependants []describe.Dependant `json:"dependants"`
	Total      int                  `json:"total"`
	Next       string               `json:"next,omitempty"`
}

func (k *kindAPI) dependants(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	p, err := pageOf(r, rowsPage, rowsMost)
	if err != nil {
		return err
	}
	from, err := p.from()
	if err != nil {
		return err
	}
	if _, err := k.kind.Describe.Package(ctx, q.name, false); err != nil {
		return err
	}
	out := DependantList{}
	if out.Dependants, out.Total, err = k.kind.Describe.Dependants(ctx, q.name, from, p.limit); err != nil {
		return err
	}
	if to := from + p.limit; to < out.Total {
		out.Next = counted(to)
	}
	link(w, r, out.Next)
	return reply(w, out)
}

// Event is an entry of the journal about a package. With which token, from where and with which program something was
// done is for those who oversee the package.
type Event struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Op      store.Op  `json:"op"`
	Version string    `json:"version,omitempty"`
	Tag     string    `json:"tag,omitempty"`
	User    string    `json:"user,omitempty"`
	Token   string    `json:"token,omitempty"`
	Addr    string    `json:"addr,omitempty"`
	Agent   string    `json:"agent,omitempty"`
}

// EventList is the answer of GET /packages/KIND/NAME/-/history, newest first.
type EventList struct {
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"`
}

func (k *kindAPI) history(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	p, err := pageOf(r, rowsPage, rowsMost)
	if err != nil {
		return err
	}
	before, err := p.from()
	if err != nil {
		return err
	}
	pkg, err := k.kind.Describe.Package(ctx, q.name, false)
	if err != nil {
		return err
	}
	f := store.EntryFilter{Kind: k.kind.Kind, Package: q.name}
	entries, err := k.store.EntriesBefore(ctx, f, uint64(before), p.limit)
	if err != nil {
		return err
	}
	out, inside := EventList{}, k.catalog.Oversees(ctx, k.kind, pkg)
	for _, e := range entries {
		one := Event{Seq: e.Seq, Time: e.Time, Op: e.Op, Version: e.Version, Tag: e.Tag, User: e.Actor.User}
		if inside {
			one.Token, one.Addr, one.Agent = e.Actor.Token, e.Actor.Addr, e.Actor.Agent
		}
		out.Events = append(out.Events, one)
	}
	if len(entries) == p.limit {
		out.Next = next(strconv.FormatUint(entries[len(entries)-1].Seq, 10))
	}
	link(w, r, out.Next)
	return reply(w, out)
}

// Manifest is the answer of GET /packages/oci/NAME/-/m/DIGEST.
type Manifest struct {
	describe.Manifest
	Pulls PullCount `json:"pulls"`
}

// manifest is for the kind whose versions are manifests; the others have none.
func (k *kindAPI) manifest(w http.ResponseWriter, r *http.Request, q request) error {
	images, ok := k.kind.Describe.(describe.Images)
	if !ok {
		return problem.Errorf(problem.ErrNotFound, "packages of %s have no manifests", k.kind.Kind)
	}
	m, err := images.Manifest(r.Context(), q.name, q.version, r.URL.Query().Get("platform"))
	if err != nil {
		return err
	}
	out := Manifest{Manifest: m}
	if out.Pulls, err = k.pullsOf(r.Context(), q.name, m.ID); err != nil {
		return err
	}
	return reply(w, out)
}
