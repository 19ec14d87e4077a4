package web

// Names that are ours: listing, claiming and releasing them.

import (
	"net/http"

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
	// More says that the list goes on: ask again for Kind, with after the last name.
	More bool `json:"more,omitempty"`
}

// claimsPage is how many names one answer has.
const claimsPage = 1000

// listClaims answers with a page of names; ?kind=, ?hosted=1 (those of packages that are here as well), ?after=NAME.
func (a *api) listClaims(w http.ResponseWriter, r *http.Request, q request) error {
	ask := store.NamesQuery{
		Hosted: r.URL.Query().Get("hosted") != "", After: r.URL.Query().Get("after"), Limit: claimsPage + 1,
	}
	var err error
	if k := r.URL.Query().Get("kind"); k != "" {
		if ask.Kind, err = store.ParseKind(k); err != nil {
			return err
		}
	} else if ask.After != "" {
		return problem.Errorf(store.ErrInvalid, "after is a name within a kind, and the request names none")
	}
	names, err := a.store.Names(r.Context(), ask)
	if err != nil {
		return err
	}
	list := ClaimList{Rules: append([]string{}, a.claims...), Names: append([]store.OwnedName{}, names...)}
	if len(names) > claimsPage {
		list.Names, list.More = list.Names[:claimsPage], true
	}
	return answer(w, http.StatusOK, list)
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
