package rubygems

// This file says how often gems were fetched here, pushed or copied, in the shapes of the public registry's API. That
// of an upstream is not asked for its numbers.

import (
	"net/http"

	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// allDownloads is how often all gems were fetched that the client may read.
func (s *server) allDownloads(w http.ResponseWriter, r *http.Request, _ Request) error {
	all, err := s.Pulls(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]int64{"total": all.Total})
}

// downloads is how often a version was fetched, and its gem.
func (s *server) downloads(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	name, id := q.Name, q.ID
	if id == "" {
		err := errAbsent(q.Full)
		if !s.TryUpstream(err) {
			return err
		}
		ctx = upstream.WithBudget(ctx)
		if name, id, _, err = s.allowedVersion(ctx, q.Full); err != nil {
			return err
		}
	}
	n, err := s.Store.PullsOf(ctx, store.RubyGems, name, id, "")
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]int64{
		"version_downloads": n[0].Total, "total_downloads": n[1].Total,
	})
}
