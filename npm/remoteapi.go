package npm

// What upstreams answer beside packuments and tarballs: tags, searches, keys and attestations.

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// proxiedTags are the dist-tags of an upstream's package.
func (s *server) proxiedTags(w http.ResponseWriter, r *http.Request, name string) (map[string]string, error) {
	doc, err := s.proxied(w, r, name, formShort)
	if err != nil {
		return nil, err
	}
	var d struct {
		Tags map[string]string `json:"dist-tags"`
	}
	body, err := doc.Encoded(store.Identity)
	if err != nil {
		return nil, err
	}
	return d.Tags, json.Unmarshal(body, &d)
}

// proxiedSearch adds what the first upstream finds to a page of ours that is not full, without links to its
// own pages. Ours hide theirs, and so do the copies that are shown already.
func (s *server) proxiedSearch(
	ctx context.Context, text, rawQuery string, room int, shown map[string]bool,
) (hits []json.RawMessage, total int) {
	if !s.Up.MaySearch(ctx, text) {
		return nil, 0
	}
	for _, u := range s.Up.Upstreams() {
		d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
			Key: "search " + rawQuery, Ref: "-/v1/search?" + rawQuery, Fresh: freshSearch,
		})
		if err != nil {
			continue // a search is worth less than the time to wait for it
		}
		var found struct {
			Objects []json.RawMessage
			Total   int
		}
		if body, err := d.Bytes(ctx); err != nil || json.Unmarshal(body, &found) != nil {
			continue
		}
		for _, o := range found.Objects {
			hit, err := rawjson.Split(o)
			pkg := hit.Sub("package")
			if shown[pkg.Text("name")] {
				found.Total--
				continue
			}
			if name := pkg.Text("name"); err != nil || len(hits) >= room || !s.Theirs(ctx, name) ||
				s.Up.Blocked(name, pkg.Text("version")) != nil {
				continue // a hit is about a version, its newest
			}
			if links := pkg.Sub("links"); links.Get("npm") != nil {
				pkg = pkg.Set("links", links.Set("npm", nil).Encode())
			}
			hits = append(hits, hit.Set("package", pkg.Encode()).Encode())
		}
		return hits, found.Total
	}
	return nil, 0
}

func idsOf(o rawjson.Object) (keys []string) {
	for _, m := range o {
		keys = append(keys, m.Key)
	}
	return keys
}

// proxiedKeys adds the upstreams' signing keys to ours: their signatures are served as they are.
func (s *server) proxiedKeys(ctx context.Context, own []json.RawMessage) []json.RawMessage {
	for _, u := range s.Up.Upstreams() {
		d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
			Key: "keys", Ref: "-/npm/v1/keys", Fresh: freshKeys, API: true,
		})
		if err != nil {
			continue // not every registry signs
		}
		var keys struct{ Keys []json.RawMessage }
		if body, err := d.Bytes(ctx); err == nil && json.Unmarshal(body, &keys) == nil {
			own = append(own, keys.Keys...)
		}
	}
	return own
}

// proxiedAttestations passes on the provenance of an upstream's version.
func (s *server) proxiedAttestations(w http.ResponseWriter, r *http.Request, q Request) error {
	if err := s.Up.Allowed(r.Context(), q.Name, q.Version); err != nil {
		return err
	}
	d, err := s.Up.Document(r.Context(), upstream.Query{
		Package: q.Name, Key: "attestations " + q.Version, Fresh: freshKeys, API: true,
		Ref: "-/npm/v1/attestations/" + escapeName(q.Name) + "@" + url.PathEscape(q.Version),
	})
	if err != nil {
		return err
	}
	doc, err := s.Store.Document(r.Context(), d.Rendered(q.Name, "",
		"attestations"), func(ctx context.Context) (store.Rendered,
		error) {
		body, err := d.Bytes(ctx)
		return store.Rendered{Body: body, Type: "application/json"}, err
	})
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}
