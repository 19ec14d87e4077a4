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
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
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

// probe asks whether an upstream has a package.
func (s *server) probe(name string) upstream.Query { return s.metadataQuery(name, formReleases) }

// metadataQuery asks for a package's releases or branches.
func (s *server) metadataQuery(name, form string) upstream.Query {
	return upstream.Query{
		Package: name, Key: form, Fresh: freshMetadata, Early: true, Versions: releaseTimes(name),
		Locate: func(ctx context.Context, u *upstream.Upstream) (upstream.Location, error) {
			return s.locate(ctx, u, name, form)
		},
		Check: func(body []byte, _ string) error {
			_, _, err := minify.Expand(body, name)
			if errors.Is(err, minify.ErrAbsent) {
				return fmt.Errorf("%w: %w", store.ErrNotFound, err)
			}
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
			out[normalizedOf(v)] = t
		}
		return out
	}
}

// proxiedMetadata answers with an upstream's releases or branches.
func (s *server) proxiedMetadata(
	w http.ResponseWriter, r *http.Request, q Request, form string,
) (*store.Document, error) {
	ctx := upstream.WithBudget(r.Context())
	d, err := s.Up.Document(ctx, s.metadataQuery(q.Name, form))
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
		a, packed := remoteArchive(v)
		if offline && packed {
			here, err := s.Up.Here(ctx, name, a.key)
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
		v, err := remoteVersion(v, name)
		if err != nil {
			s.Log.LogAttrs(
				ctx, slog.LevelWarn, "an upstream's version is left out", slog.String("package", name),
				slog.String("version", a.version), slog.Any("error", err),
			)
			continue
		}
		out = m.Append(rawjson.AppendComma(out, n), remoteEntry(v, name, base))
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
	return s.Up.Allowed(ctx, name, normalizedOf(v))
}

// remoteVersion is a version as it may be shown, with its normal form.
func remoteVersion(v rawjson.Object, name string) (rawjson.Object, error) {
	normalized := normalizedOf(v)
	if normalized == "" {
		return nil, fmt.Errorf("%.200q is not a version", v.Text("version"))
	}
	if v.Text("version_normalized") != normalized {
		v = slices.Clone(v).Set("version_normalized", rawjson.Quote(normalized))
	}
	return manifest.Remote(v, name)
}

// remoteEntry is one version with our address for its archive, and no mirrors, which have other addresses.
func remoteEntry(v rawjson.Object, name, base string) (out []minify.Field) {
	a, packed := remoteArchive(v)
	for _, m := range v {
		switch m.Key {
		case "dist":
			if packed {
				dist := v.Sub("dist").Set("url", rawjson.Quote(base+a.path(name))).Set("mirrors", nil)
				if sum := dist.Text("shasum"); sum != "" {
					dist = dist.Set("shasum", rawjson.Quote(strings.ToLower(sum)))
				}
				m.Value = dist.Encode()
			}
		case "notification-url":
			continue
		}
		out = append(out, minify.Field{Key: m.Key, Value: m.Value})
	}
	return out
}

// archiveOf is an archive that an upstream's document refers to.
type archiveOf struct {
	version, reference, form string
	key                      string // under which it is kept
	dist                     rawjson.Object
}

// remoteArchive is the archive of a version; false when it has none. It is called by the commit it is of. Where there
// is none the name must stay as it is while the address changes, as signed ones do: it is the archive's own sum, or
// what of the address is no signature.
func remoteArchive(v rawjson.Object) (a archiveOf, found bool) {
	dist := v.Sub("dist")
	at := dist.Text("url")
	if at == "" {
		return archiveOf{version: normalizedOf(v)}, false
	}
	a = archiveOf{version: normalizedOf(v), dist: dist, form: formOf(dist.Text("type"), at)}
	path, _, _ := strings.Cut(at, "?")
	switch ref, sum := dist.Text("reference"), strings.ToLower(dist.Text("shasum")); {
	case isHex(ref):
		a.reference = ref
	case ref != "":
		a.reference = sumOf("reference " + ref)
	case isHex(sum):
		a.reference = sum
	default:
		a.reference = sumOf(path)
	}
	a.key = fileOf(a.version, a.reference, a.form)
	return a, true
}

func isHex(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func sumOf(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// path is where clients get the archive, below the base URL.
func (a archiveOf) path(name string) string { return distPath(name, a.version, a.reference, a.form) }

// is reports whether a request names the archive, also by its whole address, as it was called before.
func (a archiveOf) is(q Request) bool {
	return a.version == q.Version && (a.reference == q.Reference || sumOf(a.dist.Text("url")) == q.Reference)
}

// place is where the archive is at u: what begins with a slash begins at the host, as everywhere.
func (a archiveOf) place(u *upstream.Upstream) upstream.Place {
	p := upstream.Place{Upstream: u, Ref: a.dist.Text("url"), Type: mediaTypes[a.form], Keep: []string{"sha1"}}
	if base, err := url.Parse(u.URL() + "/"); err == nil && strings.HasPrefix(p.Ref, "/") {
		if to, err := base.Parse(p.Ref); err == nil {
			p.Ref = to.String()
		}
	}
	if sum := a.dist.Text("shasum"); sum != "" {
		p.Sums = map[string]string{"sha1": strings.ToLower(sum)}
	}
	return p
}

// remoteFiles are the archives that an upstream's document of a package refers to.
func remoteFiles(name, key string, d *upstream.Document, body []byte) map[string]upstream.Place {
	if key != formReleases && key != formBranches {
		return nil
	}
	_, list, _ := minify.Expand(body, name) // checked before it was kept
	files := map[string]upstream.Place{}
	for _, v := range list {
		if a, packed := remoteArchive(v); packed {
			files[a.key] = a.place(d.Upstream)
		}
	}
	return files
}

// proxiedDist answers with an archive of an upstream.
func (s *server) proxiedDist(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.Up.File(r.Context(), upstream.FileQuery{
		Package: q.Name, Version: q.Version, Key: fileOf(q.Version, q.Reference, q.Form), Head: r.Method == http.MethodHead,
		Find: func(ctx context.Context) (upstream.Place, error) { return s.place(ctx, q) },
	})
	if err != nil {
		return err
	}
	return s.SendCopy(w, r, f, wire.BlobHead{Type: mediaTypes[q.Form], CacheControl: registry.Immutable(r)})
}

// place finds an archive in the package's metadata; one that is not in it makes us ask for that as it is now.
func (s *server) place(ctx context.Context, q Request) (p upstream.Place, err error) {
	form := formReleases
	if version.IsDev(q.Version) {
		form = formBranches
	}
	ctx = upstream.WithBudget(ctx)
	found, err := s.Up.Find(ctx, s.metadataQuery(q.Name, form), func(d *upstream.Document, body []byte, _ bool) (bool,
		error) {
		_, list, err := minify.Expand(body, q.Name)
		if err != nil {
			return false, err
		}
		for _, v := range list {
			if a, packed := remoteArchive(v); packed && a.is(q) {
				p = a.place(d.Upstream)
				return true, s.mayOffer(ctx, q.Name, v)
			}
		}
		return false, nil
	})
	if err == nil && !found {
		err = problem.Errorf(store.ErrNotFound, "%s has no such archive", q.Name)
	}
	return p, err
}

// proxiedSearch fills a page of ours with what the first upstream finds, its metadata here in place of its page there.
// Ours hide theirs, and so do the copies that are shown already.
func (s *server) proxiedSearch(
	ctx context.Context, q Request, base string, room int, shown map[string]bool,
) (hits []map[string]any, total int) {
	if !s.Up.MaySearch(ctx, q.Query) {
		return nil, 0
	}
	for _, u := range s.Up.Upstreams() {
		root, err := s.rootOf(ctx, u)
		template := root.doc.Text("search")
		if err != nil || template == "" {
			continue
		}
		asked := strings.NewReplacer("%query%", url.QueryEscape(q.Query), "%type%", url.QueryEscape(q.Type))
		at, err := root.at.Parse(asked.Replace(template))
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
			name, _ := hit["name"].(string)
			if shown[name] {
				found.Total--
			} else if len(hits) < room && s.Theirs(ctx, name) {
				hit["url"] = base + "/" + usualMetadata(name, formReleases)
				hits = append(hits, hit)
			}
		}
		return hits, found.Total
	}
	return nil, 0
}
