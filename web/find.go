package web

// What is here, over all kinds, and how clients are set up: the same that the pages say.

import (
	"net/http"

	"larder/internal/describe"
	"larder/internal/openapi"
	"larder/internal/problem"
	"larder/internal/setup"
	"larder/internal/wire"
	"larder/store"
	"larder/web/catalog"
)

// origin is the parameter that pages have as well.
var origin = openapi.Parameter{
	Name: "origin", About: "where packages come from", Example: "",
	Values: []string{string(describe.Hosted), string(describe.Copied)},
}

// reply writes an answer by the rule of package openapi, for types whose fields have no JSON names of their own.
func reply(w http.ResponseWriter, v any) error {
	text, err := openapi.Encode(v)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, rawAnswer(text))
}

// rawAnswer is JSON that is written as it stands.
type rawAnswer []byte

// MarshalJSON implements json.Marshaler.
func (r rawAnswer) MarshalJSON() ([]byte, error) { return r, nil }

// KindList is the answer of GET /kinds.
type KindList struct {
	Kinds []catalog.Count `json:"kinds"`
	// Bytes is what all blobs take.
	Bytes int64 `json:"bytes"`
}

func (a *api) kinds(w http.ResponseWriter, r *http.Request, _ request) error {
	wire.Asked(r.Context()) // no package is named
	counts, bytes, err := a.catalog.Counts(r.Context())
	if err != nil {
		return err
	}
	return reply(w, KindList{counts, bytes})
}

// PackageList is a part of a list or a search.
type PackageList struct {
	Packages []catalog.Row `json:"packages"`
	// Total is how many there are; it is left out where that is not known.
	Total int    `json:"total,omitempty"`
	Next  string `json:"next,omitempty"`
}

func (a *api) search(w http.ResponseWriter, r *http.Request, _ request) error {
	ctx, v := r.Context(), r.URL.Query()
	wire.Asked(ctx) // Find leaves out what the client may not see, of each kind
	p, err := pageOf(r, rowsPage, rowsMost)
	if err != nil {
		return err
	}
	kind, from, err := selected(v.Get("kind"), v.Get("origin"))
	if err != nil {
		return err
	}
	found, err := a.catalog.Find(ctx, kind, from, v.Get("q"))
	if err != nil {
		return err
	}
	return a.found(w, r, p, found)
}

// selected reads a kind and an origin.
func selected(kind, origin string) (k store.Kind, from describe.Origin, err error) {
	if kind != "" {
		if k, err = store.ParseKind(kind); err != nil {
			return k, from, err
		}
	}
	switch from = describe.Origin(origin); from {
	case describe.Anywhere, describe.Hosted, describe.Copied:
		return k, from, nil
	}
	return k, from, problem.Errorf(store.ErrInvalid, "origin must be %s or %s", describe.Hosted, describe.Copied)
}

// found answers with a page of what was found.
func (a *api) found(w http.ResponseWriter, r *http.Request, p page, found []catalog.Match) error {
	from, err := p.from()
	if err != nil {
		return err
	}
	from = min(from, len(found))
	to := min(from+p.limit, len(found))
	list := PackageList{Total: len(found)}
	if list.Packages, err = a.catalog.Rows(r.Context(), found[from:to]); err != nil {
		return err
	}
	if to < len(found) {
		list.Next = counted(to)
	}
	link(w, r, list.Next)
	return reply(w, list)
}

// RecentLists is the answer of GET /recent.
type RecentLists struct {
	Published []catalog.Recent `json:"published"`
	Copied    []catalog.Recent `json:"copied"`
}

func (a *api) recent(w http.ResponseWriter, r *http.Request, _ request) error {
	ctx := r.Context()
	wire.Asked(ctx) // every name is asked for by itself, and there may be none
	limit, err := number(r.URL.Query(), "limit", 8, rowsPage)
	if err != nil {
		return err
	}
	var out RecentLists
	if out.Published, err = a.catalog.Lately(ctx, store.OpPublish, max(int(limit), 1)); err != nil {
		return err
	}
	if out.Copied, err = a.catalog.Lately(ctx, store.OpCache, max(int(limit), 1)); err != nil {
		return err
	}
	return reply(w, out)
}

// SetupList is the answer of GET /setup.
type SetupList struct {
	Clients []setup.Client `json:"clients"`
}

// Setup is the answer of GET /setup/CLIENT.
type Setup struct {
	setup.Client
	Sections []setup.Section `json:"sections"`
}

func (a *api) setups(w http.ResponseWriter, r *http.Request, _ request) error {
	wire.Asked(r.Context()) // no package is named
	kind, _, err := selected(r.URL.Query().Get("kind"), "")
	if err != nil {
		return err
	}
	var out SetupList
	for _, k := range a.catalog.Kinds() {
		if kind == "" || k.Kind == kind {
			out.Clients = append(out.Clients, setup.Clients(string(k.Kind))...)
		}
	}
	return reply(w, out)
}

func (a *api) setup(w http.ResponseWriter, r *http.Request, q request) error {
	wire.Asked(r.Context()) // no package is named
	c, ok := setup.Find(q.name)
	at := a.catalog.Site(r)
	if _, on := at.Paths[c.Kind]; !ok || !on {
		return problem.Errorf(problem.ErrNotFound, "no client %.80q is set up here", q.name)
	}
	return reply(w, Setup{c, c.Guide(at)})
}
