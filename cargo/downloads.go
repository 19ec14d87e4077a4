package cargo

// This file says how often crates were fetched here, published or copied, in the shapes of the public registry.

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"larder/cargo/names"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// downloads are how often a crate was fetched: in all, in the last 90 days, and by the IDs of versions.
type downloads struct {
	all    store.Pulls
	recent int64
	of     map[string]store.Pulls
}

func (s *server) downloadsOf(ctx context.Context, name string) (n downloads, err error) {
	n.all, n.of, err = s.Store.Pulls(ctx, store.Cargo, names.Key(name))
	n.recent = n.all.Since(store.PullDays, time.Now())
	return n, err
}

// key is what a document with these numbers is kept under besides its form: a pull changes no package.
func (n downloads) key() string { return fmt.Sprintf("\x00%d %d", n.all.Total, n.recent) }

// downloads answers with the downloads of each day, of a crate or of one version.
func (s *server) downloads(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	numbers, display, err := map[string]string{}, "", error(nil)
	if q.Version != "" {
		_, err = s.published(ctx, q)
	}
	if err == nil {
		err = s.Repo.View(ctx, names.Key(q.Name), func(tx *store.PackageTx[Meta]) error {
			clear(numbers)
			pkg, err := tx.Package()
			display = pkg.Display
			for v, verr := range tx.Versions("") {
				if verr != nil {
					return verr
				}
				numbers[v.ID] = v.Meta.Version
			}
			return err
		})
	}
	if s.TryUpstream(err) {
		return s.proxiedAPI(w, r, q, formDownloads)
	}
	if err != nil {
		return err
	}
	n, err := s.downloadsOf(ctx, q.Name)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, n.byDay(display, q.Version, numbers))
}

// byDay are the downloads of each of the last 90 days: those of the version, or of every one in numbers, which has
// versions by their IDs. What is left of a crate is of versions that are gone.
func (n downloads) byDay(name, version string, numbers map[string]string) facts {
	list, extra, rest := []facts{}, []facts{}, maps.Clone(n.all.Days)
	for _, id := range slices.Sorted(maps.Keys(numbers)) {
		if version != "" && numbers[id] != version {
			continue
		}
		days := n.of[id].Days
		for _, day := range slices.Sorted(maps.Keys(days)) {
			list = append(list, facts{
				"version": idOf(name + " " + numbers[id]), "downloads": days[day], "date": registry.DateOf(day),
			})
			rest[day] -= days[day]
		}
	}
	if version != "" {
		return facts{"version_downloads": list}
	}
	for _, day := range slices.Sorted(maps.Keys(rest)) {
		if rest[day] > 0 {
			extra = append(extra, facts{"downloads": rest[day], "date": registry.DateOf(day)})
		}
	}
	return facts{"version_downloads": list, "meta": facts{"extra_downloads": extra}}
}
