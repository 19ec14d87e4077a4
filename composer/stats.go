package composer

// This file tells how often a package was installed and which versions it has, without all the rest that is known of
// it; and what is known of a package of which here are copies.

import (
	"cmp"
	"net/http"

	"larder/composer/manifest"
	"larder/composer/minify"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// getStats answers with a package's downloads and the versions that its documents show. "date" is since when there are
// any downloads.
func (s *server) getStats(w http.ResponseWriter, r *http.Request, q Request) error {
	versions := []string{}
	err := s.documents(w, r, q, func(list []rawjson.Object) {
		for _, v := range list {
			versions = append(versions, v.Text("version"))
		}
	})
	if err != nil {
		return err
	}
	n, err := s.downloads(r.Context(), q.Name)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{
		"downloads": map[string]int64{"total": n.total, "monthly": n.monthly, "daily": n.daily},
		"versions":  versions, "date": n.first,
	})
}

// documents calls see with the versions in the document of a package's releases, and with those of its branches. A
// package of an upstream may have one of the two only.
func (s *server) documents(w http.ResponseWriter, r *http.Request, q Request, see func([]rawjson.Object)) error {
	r = r.WithContext(upstream.WithBudget(r.Context()))
	absent := false
	for _, form := range []string{formReleases, formBranches} {
		doc, err := s.document(r.Context(), q.Name, s.URL(r), form)
		if s.TryUpstream(err) {
			doc, err = s.proxiedMetadata(w, r, q, form)
		}
		if registry.IsOneOf(err, store.ErrNotFound) && !absent {
			absent = true
			continue
		}
		if err != nil {
			return err
		}
		err = s.Store.Heavy(r.Context(), func() error {
			body, err := doc.Encoded(store.Identity)
			if err != nil {
				return err
			}
			_, list, err := minify.Expand(body, q.Name)
			see(list)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// proxiedInfo is what renderInfo is, of an upstream's package, as far as its documents say it.
func (s *server) proxiedInfo(w http.ResponseWriter, r *http.Request, q Request) ([]byte, error) {
	var newest rawjson.Object
	var versions []byte
	err := s.documents(w, r, q, func(list []rawjson.Object) {
		for _, v := range list {
			if newest == nil {
				newest = v
			}
			versions = rawjson.AppendString(rawjson.AppendComma(versions, len(versions)), v.Text("version"))
			versions = v.Append(append(versions, ':'))
		}
	})
	if err != nil {
		return nil, err
	}
	out := rawjson.AppendPair([]byte(`{"package":{`), "name", q.Name)
	for _, m := range [][2]string{
		{"description", newest.Text("description")}, {"type", cmp.Or(newest.Text("type"), manifest.TypeLibrary)},
		{"repository", newest.Sub("source").Text("url")},
	} {
		out = rawjson.AppendPair(append(out, ','), m[0], m[1])
	}
	out = append(append(out, `,"maintainers":[],"versions":{`...), versions...)
	return append(out, `},"favers":0}}`+"\n"...), nil
}
