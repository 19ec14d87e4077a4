package web

// Names that are ours: listing, claiming and releasing them.

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"larder/internal/problem"
	"larder/store"
)

// Claim is the body of POST /claims: a name that becomes ours, or with Release is given up.
type Claim struct {
	Kind    store.Kind `json:"kind"`
	Name    string     `json:"name"`
	Release bool       `json:"release,omitempty"`
}

// ClaimList is the answer of GET /claims.
type ClaimList struct {
	// Rules are the patterns of the configuration.
	Rules []string          `json:"rules"`
	Names []store.OwnedName `json:"names"`
	// More says that the list goes on: at the cursor Next, or for one kind after the last name.
	More bool   `json:"more,omitempty"`
	Next string `json:"next,omitempty"`
}

// listClaims answers with a page of names; ?kind=, ?hosted=1 (those of packages that are here as well), ?after=NAME.
func (a *api) listClaims(w http.ResponseWriter, r *http.Request, q request) error {
	p, err := pageOf(r, adminPage, adminPage)
	if err != nil {
		return err
	}
	ask := store.NamesQuery{
		Hosted: r.URL.Query().Get("hosted") != "", After: r.URL.Query().Get("after"), Limit: p.limit + 1,
	}
	if k := r.URL.Query().Get("kind"); k != "" {
		if ask.Kind, err = store.ParseKind(k); err != nil {
			return err
		}
	} else if ask.After != "" {
		return problem.Errorf(store.ErrInvalid, "after is a name within a kind, and the request names none")
	}
	names, err := a.names(r.Context(), ask, p)
	if err != nil {
		return err
	}
	list := ClaimList{Rules: append([]string{}, a.claims...), Names: append([]store.OwnedName{}, names...)}
	if len(names) > p.limit {
		list.Names, list.More = list.Names[:p.limit], true
		last := list.Names[p.limit-1]
		list.Next = next(string(last.Kind) + "\x00" + last.Name)
	}
	link(w, r, list.Next)
	return answer(w, http.StatusOK, list)
}

// names are those that ask selects, behind the cursor of a page: a kind and a name in it.
func (a *api) names(ctx context.Context, ask store.NamesQuery, p page) ([]store.OwnedName, error) {
	if p.cursor == "" {
		return a.store.Names(ctx, ask)
	}
	kind, name, ok := strings.Cut(p.cursor, "\x00")
	at := slices.Index(store.Kinds(), store.Kind(kind))
	if !ok || at < 0 || ask.After != "" || ask.Kind != "" && ask.Kind != store.Kind(kind) {
		return nil, badCursor()
	}
	only := ask.Kind
	ask.Kind, ask.After = store.Kind(kind), name
	names, err := a.store.Names(ctx, ask)
	for at++; err == nil && only == "" && at < len(store.Kinds()) && len(names) < ask.Limit; at++ {
		more, failed := a.store.Names(ctx, store.NamesQuery{
			Kind: store.Kinds()[at], Hosted: ask.Hosted, Limit: ask.Limit - len(names),
		})
		names, err = append(names, more...), failed
	}
	return names, err
}

// claim makes a name ours, or gives it up.
func (a *api) claim(w http.ResponseWriter, r *http.Request, _ request) error {
	var c Claim
	if err := readJSON(r, &c); err != nil {
		return err
	}
	name, err := a.remote.Claim(r.Context(), a.store, a.spellings, c.Kind, c.Name, c.Release)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, Claim{Kind: c.Kind, Name: name, Release: c.Release})
}
