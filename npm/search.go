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
	page, err := s.Describe(ctx, found[min(q.From, len(found)):min(q.From+q.Size, len(found))])
	if err != nil {
		return err
	}
	hits, shown := make([]any, 0, len(page)), map[string]bool{}
	for _, d := range page {
		h, err := s.hit(ctx, d, found[0].Score)
		if err != nil {
			return err
		}
		all, _, err := s.Store.Pulls(ctx, store.NPM, d.Name)
		if err != nil {
			return err
		}
		h.Downloads = search.Downloads{Monthly: all.Since(30, time.Now()), Weekly: all.Since(7, time.Now())}
		hits, shown[d.Name] = append(hits, h), true
	}
	theirs, more := s.proxiedSearch(ctx, q.Query, r.URL.RawQuery, q.Size-len(hits), shown)
	for _, h := range theirs {
		hits = append(hits, h)
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{
		"objects": hits, "total": len(found) + more, "time": time.Now().UTC().Format(search.TimeForm),
	})
}

// hit shows a package that was found.
func (s *server) hit(ctx context.Context, d registry.Shown, best int) (search.Hit, error) {
	m := store.Match{Name: d.Name, Score: d.Score}
	if d.Copy != nil {
		return search.NewHit(m, best, d.Data, nil, d.Copy.Upstream)
	}
	owners, err := s.owners(ctx, d.Name)
	if err != nil {
		return search.Hit{}, err
	}
	return search.NewHit(m, best, d.Data, owners, "")
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
