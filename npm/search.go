package npm

// Search. What a package is found by is a listing of the store, replaced when latest moves: nothing
// here looks at all packages.

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/npm/search"
	"larder/store"
)

// setListing writes what a package is found by: its latest version, and its owners.
func setListing(tx *store.PackageTx[Meta], m rawjson.Object, v store.Version[Meta]) error {
	pkg, err := tx.Package()
	if err != nil {
		return err
	}
	l := search.List(tx.Name(), m, search.Latest{
		Version: v.ID, Published: v.Published, By: v.By, Readme: v.Meta.ReadmeName != "", Owners: pkg.Owners,
	})
	return tx.SetListing(&l)
}

// listOwners brings the listing along when the owners change.
func listOwners(tx *store.PackageTx[Meta], owners []string) error {
	l, err := tx.Listing()
	if err != nil || l.Data == nil {
		return err
	}
	search.SetOwners(&l, owners)
	return tx.SetListing(&l)
}

// search answers npm search, the search of editors and of user interfaces.
func (s *server) search(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if strings.TrimSpace(q.Query) == "" {
		return badPath("the search needs a text")
	}
	found, err := s.Find(ctx, search.Parse(q.Query))
	if err != nil {
		return err
	}
	page := found[min(q.From, len(found)):min(q.From+q.Size, len(found))]
	names := make([]string, len(page))
	for i, m := range page {
		names[i] = m.Name
	}
	data, err := s.Store.Listings(ctx, store.NPM, names)
	if err != nil {
		return err
	}
	hits := make([]any, 0, len(page))
	for i, m := range page {
		owners, err := s.owners(ctx, m.Name)
		if err != nil {
			return err
		}
		h, err := search.NewHit(m, found[0].Score, data[i], owners)
		if err != nil {
			return err
		}
		all, _, err := s.Store.Pulls(ctx, store.NPM, m.Name)
		if err != nil {
			return err
		}
		h.Downloads = search.Downloads{Monthly: all.Since(30, time.Now()), Weekly: all.Since(7, time.Now())}
		hits = append(hits, h)
	}
	theirs, more := s.proxiedSearch(ctx, q.Query, r.URL.RawQuery, q.Size-len(hits))
	for _, h := range theirs {
		hits = append(hits, h)
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{
		"objects": hits, "total": len(found) + more, "time": time.Now().UTC().Format(search.TimeForm),
	})
}

// owners are a package's, none when it has gone meanwhile.
func (s *server) owners(ctx context.Context, name string) (owners []string, err error) {
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		owners = pkg.Owners
		return nil
	})
	return owners, err
}
