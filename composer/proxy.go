package composer

// Copies of remote repositories. Their minified documents are expanded, every archive gets an address of ours, and the
// result is minified again. Archives often lie on hosts of others and rarely have a checksum: the first copy counts,
// for good.

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"larder/composer/manifest"
	"larder/composer/minify"
	"larder/composer/version"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents.
const (
	freshRoot     = time.Hour
	freshMetadata = 5 * time.Minute
	freshSearch   = 5 * time.Minute
)

// probe asks whether an upstream has a package, where every repository has its metadata.
func probe(name string) upstream.Query {
	return metadataQuery(name, formReleases, func(*upstream.Upstream) (ref, scope string) {
		return usualMetadata(name, formReleases), ""
	})
}

// remoteRoot is what we read of an upstream's packages.json.
type remoteRoot struct {
	Metadata string `json:"metadata-url"`
	Search   string `json:"search"`
}

func (s *server) rootOf(ctx context.Context, u *upstream.Upstream) (root remoteRoot, from *url.URL, err error) {
	d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
		Key: "packages.json", Ref: "packages.json", Fresh: freshRoot, Check: isObject,
	})
	if err != nil {
		return root, nil, err
	}
	body, err := d.Bytes(ctx)
	if err != nil {
		return root, nil, err
	}
	if from, err = url.Parse(d.URL); err != nil {
		return root, nil, err
	}
	return root, from, json.Unmarshal(body, &root)
}

func isObject(body []byte, _ string) error {
	_, err := rawjson.Parse(body)
	return err
}

// usualMetadata is where every repository of this generation has its metadata, unless it says otherwise.
func usualMetadata(name, form string) string {
	if form == formBranches {
		name += "~dev"
	}
	return "p2/" + name + ".json"
}

// metadataAt says where each upstream has a package's metadata. An address begins at the host, as Composer reads it.
func (s *server) metadataAt(ctx context.Context, name, form string) func(*upstream.Upstream) (ref, scope string) {
	refs := map[*upstream.Upstream]string{}
	for _, u := range s.Up.Upstreams() {
		refs[u] = usualMetadata(name, form)
		root, from, err := s.rootOf(ctx, u)
		if err != nil || root.Metadata == "" {
			continue // what is wrong shows when the metadata is asked for
		}
		full := strings.TrimSuffix(strings.TrimPrefix(usualMetadata(name, form), "p2/"), ".json")
		if at, err := from.Parse(strings.ReplaceAll(root.Metadata, "%package%", full)); err == nil {
			refs[u] = at.String()
		}
	}
	return func(u *upstream.Upstream) (ref, scope string) { return refs[u], "" }
}

func metadataQuery(name, form string, at func(*upstream.Upstream) (ref, scope string)) upstream.Query {
	return upstream.Query{
		Package: name, Key: form, For: at, Fresh: freshMetadata, Early: true, Versions: releaseTimes(name),
		Check: func(body []byte, _ string) error {
			_, _, err := minify.Expand(body, name)
			return err
		},
	}
}

// releaseTimes reads when versions were published, as far as the document says.
func releaseTimes(name string) func(body []byte) map[string]time.Time {
	return func(body []byte) map[string]time.Time {
		out := map[string]time.Time{}
		_, list, _ := minify.Expand(body, name) // checked before it was kept
		for _, v := range list {
			t, _ := time.Parse(time.RFC3339, v.Text("time")) // zero when it does not say
			out[v.Text("version_normalized")] = t
		}
		return out
	}
}

// remoteReference calls an archive: by the commit it is of, or by its address where there is none.
func remoteReference(dist rawjson.Object) string {
	ref := dist.Text("reference")
	if ref == "" || strings.Trim(ref, "0123456789abcdef") != "" || len(ref) > 64 {
		sum := sha1.Sum([]byte(dist.Text("url")))
		return hex.EncodeToString(sum[:])
	}
	return ref
}

// proxiedMetadata answers with an upstream's releases or branches.
func (s *server) proxiedMetadata(
	w http.ResponseWriter, r *http.Request, q Request, form string,
) (*store.Document, error) {
	ctx := upstream.WithBudget(r.Context())
	d, err := s.Up.Document(ctx, metadataQuery(q.Name, form, s.metadataAt(ctx, q.Name, form)))
	if err != nil {
		return nil, err
	}
	wire.CacheHead(w, d, time.Now())
	base, offline := s.URL(r), s.Up.Offline()
	key := d.Rendered(q.Name, base, form)
	return s.Store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		body, err := d.Bytes(ctx)
		if err != nil {
			return store.Rendered{}, err
		}
		body, err = s.rewrite(ctx, body, q.Name, base, offline)
		return store.Rendered{Body: body, Type: typeJSON, Modified: fingerprint(body)}, err
	})
}

// rewrite renders an upstream's document with our addresses, without what is held back or, offline, not here.
func (s *server) rewrite(ctx context.Context, body []byte, name, base string, offline bool) ([]byte, error) {
	doc, list, err := minify.Expand(body, name)
	if err != nil {
		return nil, err
	}
	out := append(rawjson.AppendString([]byte(`{"packages":{`), name), ":["...)
	var m minify.Writer
	n := 0
	for _, v := range list {
		version := v.Text("version_normalized")
		if offline && v.Sub("dist") != nil {
			here, err := s.Up.Here(ctx, name, fileOf(version, remoteReference(v.Sub("dist"))))
			if err != nil {
				return nil, err
			}
			if !here {
				continue
			}
		}
		if err := s.mayOffer(ctx, name, v); errors.Is(err, store.ErrDenied) {
			continue
		} else if err != nil {
			return nil, err
		}
		v, err := manifest.Remote(v, name)
		if err != nil {
			s.Log.LogAttrs(
				ctx, slog.LevelWarn, "an upstream's version is left out", slog.String("package", name),
				slog.String("version", version), slog.Any("error", err),
			)
			continue
		}
		out = m.Append(comma(out, n), remoteEntry(v, name, base))
		n++
	}
	if n == 0 && len(list) > 0 {
		return nil, problem.Errorf(store.ErrNotFound, "%s has no versions that this registry may offer", name)
	}
	out = append(out, `]},"minified":"composer/2.0"`...)
	for _, key := range []string{"security-advisories", "filter"} {
		a, err := manifest.Scrub(doc.Get(key))
		if err == nil && a != nil {
			out = append(append(rawjson.AppendString(append(out, ','), key), ':'), a...)
		}
	}
	return append(out, '}', '\n'), nil
}

// mayOffer applies the rules to a version's normal form and to how it is written: an upstream's two may differ.
func (s *server) mayOffer(ctx context.Context, name string, v rawjson.Object) error {
	if err := s.Up.Blocked(name, v.Text("version")); err != nil {
		return err
	}
	return s.Up.Allowed(ctx, name, v.Text("version_normalized"))
}

// remoteEntry is one version with our address for its archive, and no mirrors, which have other addresses.
func remoteEntry(v rawjson.Object, name, base string) (out []minify.Field) {
	for _, m := range v {
		switch m.Key {
		case "dist":
			if dist := v.Sub("dist"); dist != nil {
				at := base + distPath(name, v.Text("version_normalized"), remoteReference(dist))
				m.Value = dist.Set("url", rawjson.Quote(at)).Set("mirrors", nil).Encode()
			}
		case "notification-url":
			continue
		}
		out = append(out, minify.Field{Key: m.Key, Value: m.Value})
	}
	return out
}

// proxiedDist answers with an archive of an upstream.
func (s *server) proxiedDist(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.Up.File(r.Context(), upstream.FileQuery{
		Package: q.Name, Version: q.Version, Key: fileOf(q.Version, q.Reference), Head: r.Method == http.MethodHead,
		Find: func(ctx context.Context) (upstream.Place, error) { return s.place(ctx, q) },
	})
	if err != nil {
		return err
	}
	return s.SendCopy(w, r, f, wire.BlobHead{Type: typeZip, CacheControl: registry.Immutable(r)})
}

// place finds an archive in the package's metadata; one that is not in it makes us ask for that as it is now.
func (s *server) place(ctx context.Context, q Request) (p upstream.Place, err error) {
	form := formReleases
	if version.IsDev(q.Version) {
		form = formBranches
	}
	ctx = upstream.WithBudget(ctx)
	query := metadataQuery(q.Name, form, s.metadataAt(ctx, q.Name, form))
	found, err := s.Up.Find(ctx, query, func(d *upstream.Document, body []byte, _ bool) (bool, error) {
		_, list, err := minify.Expand(body, q.Name)
		if err != nil {
			return false, err
		}
		for _, v := range list {
			dist := v.Sub("dist")
			if dist.Text("url") == "" || v.Text("version_normalized") != q.Version || remoteReference(dist) != q.Reference {
				continue
			}
			p = upstream.Place{Upstream: d.Upstream, Ref: dist.Text("url"), Type: typeZip, Keep: []string{"sha1"}}
			if sum := dist.Text("shasum"); sum != "" {
				p.Sums = map[string]string{"sha1": sum}
			}
			return true, s.mayOffer(ctx, q.Name, v)
		}
		return false, nil
	})
	if err == nil && !found {
		err = problem.Errorf(store.ErrNotFound, "%s has no such archive", q.Name)
	}
	return p, err
}

// proxiedSearch fills a page of ours with what the first upstream finds, its metadata here in place of its page there.
// Ours hide theirs.
func (s *server) proxiedSearch(
	ctx context.Context, q Request, base string, room int,
) (hits []map[string]any, total int) {
	if !s.Up.MaySearch(ctx, q.Query) {
		return nil, 0
	}
	for _, u := range s.Up.Upstreams() {
		root, from, err := s.rootOf(ctx, u)
		if err != nil || root.Search == "" {
			continue
		}
		asked := strings.NewReplacer("%query%", url.QueryEscape(q.Query), "%type%", url.QueryEscape(q.Type))
		at, err := from.Parse(asked.Replace(root.Search))
		if err != nil {
			continue
		}
		d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
			Key: "search " + at.RawQuery, Ref: at.String(), Fresh: freshSearch,
		})
		if err != nil {
			continue // a search is worth less than the time to wait for it
		}
		var found struct {
			Results []map[string]any
			Total   int
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			continue
		}
		if body, err = manifest.Scrub(body); err != nil || json.Unmarshal(body, &found) != nil {
			continue
		}
		for _, hit := range found.Results {
			if name, _ := hit["name"].(string); len(hits) < room && s.Up.Theirs(ctx, name) {
				hit["url"] = base + "/" + usualMetadata(name, formReleases)
				hits = append(hits, hit)
			}
		}
		return hits, found.Total
	}
	return nil, 0
}
