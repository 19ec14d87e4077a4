package composer

// This file tells how often a package was installed and which versions it has, published or copied, without all the
// rest that is known of it.

import (
	"context"
	"net/http"

	"larder/composer/minify"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// getStats answers with a package's downloads and the versions that its documents show. "date" is since when there are
// any downloads.
func (s *server) getStats(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := upstream.WithBudget(r.Context())
	r = r.WithContext(ctx)
	versions, absent := []string{}, false
	for _, form := range []string{formReleases, formBranches} {
		doc, err := s.document(ctx, q.Name, s.URL(r), form)
		if s.TryUpstream(err) {
			doc, err = s.proxiedMetadata(w, r, q, form)
		}
		if registry.IsOneOf(err, store.ErrNotFound) && !absent {
			absent = true // an upstream's package may have one of the two only
			continue
		}
		if err == nil {
			versions, err = s.appendVersions(ctx, versions, doc, q.Name)
		}
		if err != nil {
			return err
		}
	}
	n, err := s.downloads(ctx, q.Name)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{
		"downloads": map[string]int64{"total": n.total, "monthly": n.monthly, "daily": n.daily},
		"versions":  versions, "date": n.first,
	})
}

// appendVersions adds what the versions of a document are called.
func (s *server) appendVersions(
	ctx context.Context, versions []string, doc *store.Document, name string,
) ([]string, error) {
	err := s.Store.Heavy(ctx, func() error {
		body, err := doc.Encoded(store.Identity)
		if err != nil {
			return err
		}
		_, list, err := minify.Expand(body, name)
		for _, v := range list {
			versions = append(versions, v.Text("version"))
		}
		return err
	})
	return versions, err
}
