package cargo

// This file serves copies of remote registries. A crate's file of the index is passed on byte by byte, since every
// program that reads lines and writes them again has lost a field; only whole lines are ever left out. Crates are
// checked against the line's cksum.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"larder/auth"
	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents. Whoever runs cargo update expects new versions, so an old index is shown for a few
// minutes only.
const (
	freshIndex  = time.Minute
	freshConfig = time.Hour
	freshSearch = 5 * time.Minute
)

func (s *server) indexQuery(name string) upstream.Query {
	return upstream.Query{
		Package: names.Key(name), Key: formIndex, Ref: names.IndexPath(name), Accept: "text/plain", Fresh: freshIndex,
		Early:    true,
		Check:    func(body []byte, _ string) error { return s.checkIndex(name, body) },
		Versions: publishedTimes,
	}
}

// remoteLine is what we read of an upstream's line.
type remoteLine struct {
	Name, Vers, Cksum string
	pubtime           []byte // JSON
}

// readLine reads what is known to be JSON; what is no line of an index is an error. Cksum is "" where the line has
// none: cargo passes over such a line, other tools do not.
func readLine(raw []byte) (l remoteLine, err error) {
	ok := rawjson.Members(raw, func(key, value []byte) {
		switch string(key) {
		case "name":
			l.Name = rawjson.TextOf(value)
		case "vers":
			l.Vers = rawjson.TextOf(value)
		case "cksum":
			l.Cksum = rawjson.TextOf(value)
		case "pubtime":
			l.pubtime = value
		}
	})
	if !ok || l.Name == "" || l.Vers == "" || l.Cksum != "" && len(l.Cksum) != lenDigest {
		return l, fmt.Errorf("a line of the index lacks name or vers, or its cksum is none: %.100q", raw)
	}
	return l, nil
}

// linesOf are the lines of an index file, without their ends.
func linesOf(body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for raw := range bytes.Lines(body) {
			if raw = bytes.TrimRight(raw, "\r\n"); len(raw) > 0 && !yield(raw) {
				return
			}
		}
	}
}

// usable are the lines that say which version they are about, and how many others there are.
func usable(body []byte) (lines [][]byte, broken int) {
	for raw := range linesOf(body) {
		if _, err := readLine(raw); err != nil || !json.Valid(raw) {
			broken++
			continue
		}
		lines = append(lines, raw)
	}
	return lines, broken
}

// checkIndex says why a body is no file of the index. A broken line is left out of it, with a warning.
func (s *server) checkIndex(name string, body []byte) error {
	lines, broken := usable(body)
	if len(lines) == 0 {
		return errors.New("an index file without lines")
	}
	if broken > 0 {
		s.Log.Warn("lines of an upstream's index are left out: they are no JSON, or lack name, vers or a whole cksum",
			"crate", name, "lines", broken)
	}
	return nil
}

func publishedTimes(body []byte) map[string]time.Time {
	out := map[string]time.Time{}
	for raw := range linesOf(body) {
		if l, err := readLine(raw); err == nil { // it was checked before it was kept
			out[l.Vers], _ = time.Parse(time.RFC3339Nano, rawjson.TextOf(l.pubtime)) // zero when it does not say
		}
	}
	return out
}

// proxiedIndex answers with an upstream's lines as they are, but for those that are held back or, offline, give way to
// what is here.
func (s *server) proxiedIndex(w http.ResponseWriter, r *http.Request, name string) error {
	d, err := s.Up.Document(r.Context(), s.indexQuery(name))
	if registry.IsOneOf(err, upstream.ErrUnavailable, upstream.ErrRefused) {
		return s.beforePublish(r.Context(), name, err)
	}
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	offline := s.Up.Offline()
	doc, err := s.Store.Document(r.Context(), d.Rendered(names.Key(name), "", formIndex),
		func(ctx context.Context) (store.Rendered, error) {
			body, err := d.Bytes(ctx)
			if err == nil {
				body, err = s.offered(ctx, names.Key(name), body, offline)
			}
			return store.Rendered{Body: body, Type: typePlain}, err
		})
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// beforePublish is what a client learns of a crate that is not here, and whose upstream does not say whether it exists.
// cargo publish reads the index first, and goes on after a 404 only; the request is that of a build, which a wrong 404
// would make choose other versions. So only who may publish this very crate, by a scope that names it, reads that it is
// absent: the others read trouble, and that a claim ends it.
func (s *server) beforePublish(ctx context.Context, name string, trouble error) error {
	create := auth.Access{Kind: store.Cargo, Type: typeCrate, Name: names.Key(name), Action: auth.Create}
	id := wire.IdentityFrom(ctx)
	for _, scopes := range append([]auth.Scopes{id.Grants}, id.Limits...) {
		for _, scope := range scopes {
			if !strings.Contains(scope.Name(), "*") && scope.Covers(create) && s.May(ctx, auth.Create, create.Name) == nil {
				return notFound("%s is not here, and who asks may publish it", name)
			}
		}
	}
	return problem.Errorf(trouble, "%s To publish a new crate of this name now, an administrator claims it: larder claim "+
		"cargo %s", problem.Public(trouble), name)
}

// offered are the usable lines that may be chosen. Offline, of versions that stand for one another only those that are
// here; where none is, all of them: a graph has crates of other systems in it, which nobody downloads.
func (s *server) offered(ctx context.Context, name string, body []byte, offline bool) (out []byte, err error) {
	lines, broken := usable(body)
	if !offline && !s.Up.Gated() && broken == 0 {
		return body, nil
	}
	here, served := map[string]bool{}, map[string]bool{}
	if offline {
		for v := range publishedTimes(body) {
			if here[v], err = s.Up.Here(ctx, name, v); err != nil {
				return nil, err
			}
			served[version.Series(v)] = served[version.Series(v)] || here[v]
		}
	}
	for _, raw := range lines {
		l, err := readLine(raw)
		if err != nil {
			return nil, err
		}
		if served[version.Series(l.Vers)] && !here[l.Vers] {
			continue
		}
		switch err := s.Up.Allowed(ctx, name, l.Vers); {
		case errors.Is(err, store.ErrDenied):
			continue
		case err != nil:
			return nil, err
		}
		out = append(append(out, raw...), '\n')
	}
	if len(out) == 0 {
		return nil, notFound("%s has no version that this registry may offer", name)
	}
	return out, nil
}

// proxiedCrate answers with an upstream's crate.
func (s *server) proxiedCrate(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.Up.File(r.Context(), upstream.FileQuery{
		Package: names.Key(q.Name), Version: q.Version, Key: q.Version, Head: r.Method == http.MethodHead,
		Find: func(ctx context.Context) (upstream.Place, error) { return s.place(ctx, q) },
		Complete: func(ctx context.Context, p upstream.Place) (upstream.Place, error) {
			name, vers, _ := strings.Cut(p.Ref, "/")
			return s.placeOf(ctx, p.Upstream, remoteLine{Name: name, Vers: vers, Cksum: p.Sums["sha256"]})
		},
	})
	if err != nil {
		return err
	}
	if q.Digest != "" && f.Digest != "" && f.Digest.Encoded() != q.Digest {
		return errors.Join(notFound("%s %s has another digest", q.Name, q.Version), f.Close())
	}
	return s.SendCopy(w, r, f, wire.BlobHead{Type: typeArchive, CacheControl: registry.Immutable(r)})
}

// remoteFiles are the crates that an upstream's file of the index refers to; where they are says its config.json, so
// that Ref is name and version only.
func remoteFiles(_, key string, _ *upstream.Document, body []byte) map[string]upstream.Place {
	if key != formIndex {
		return nil
	}
	files := map[string]upstream.Place{}
	for raw := range linesOf(body) {
		if l, err := readLine(raw); err == nil {
			files[l.Vers] = upstream.Place{Ref: l.Name + "/" + l.Vers, Sums: map[string]string{"sha256": l.Cksum}}
		}
	}
	return files
}

// place finds a crate by its line of the index; one that has none makes us ask for the index as it is now.
func (s *server) place(ctx context.Context, q Request) (p upstream.Place, err error) {
	found, err := s.Up.Find(ctx, s.indexQuery(q.Name), func(d *upstream.Document, body []byte, _ bool) (bool, error) {
		for raw := range linesOf(body) {
			// A version may be written with escapes.
			if !bytes.Contains(raw, []byte(q.Version)) && bytes.IndexByte(raw, '\\') < 0 {
				continue
			}
			if l, err := readLine(raw); err == nil && l.Vers == q.Version {
				p, err = s.placeOf(ctx, d.Upstream, l)
				return true, err
			}
		}
		return false, nil
	})
	if err == nil && !found {
		err = notFound("%s has no version %s", q.Name, q.Version)
	}
	return p, err
}

// placeOf expands the address that the upstream's own config.json gives (Cargo Book, Index Format).
func (s *server) placeOf(ctx context.Context, u *upstream.Upstream, l remoteLine) (upstream.Place, error) {
	c, err := s.configOf(ctx, u)
	if err != nil {
		return upstream.Place{}, err
	}
	if c.AuthRequired {
		u.FilesNeedLogin(c.DL)
	}
	p := upstream.Place{Upstream: u, Ref: expand(c.DL, l), Sums: map[string]string{}, Type: typeArchive}
	if l.Cksum != "" {
		p.Sums["sha256"] = l.Cksum
	}
	return p, nil
}

// sampleFile is the crate of the last line of a file of the index.
func (s *server) sampleFile(
	ctx context.Context, _ string, d *upstream.Document, body []byte, _ upstream.Ask,
) (p upstream.Place, err error) {
	lines, _ := usable(body)
	if len(lines) == 0 {
		return p, store.ErrNotFound
	}
	l, err := readLine(lines[len(lines)-1])
	if err != nil {
		return p, err
	}
	return s.placeOf(ctx, d.Upstream, l)
}

// expand is the address of a crate. Cargo looks for its own markers: other braces are part of the address.
func expand(dl string, l remoteLine) string {
	address := strings.NewReplacer(
		"{crate}", l.Name, "{version}", url.PathEscape(l.Vers), "{sha256-checksum}", l.Cksum,
		"{prefix}", names.Folder(l.Name), "{lowerprefix}", names.Folder(strings.ToLower(l.Name)),
	).Replace(dl)
	if address == dl {
		address += "/" + l.Name + "/" + url.PathEscape(l.Vers) + "/download"
	}
	return address
}

// remoteConfig is an upstream's config.json.
type remoteConfig struct {
	DL  string `json:"dl"`
	API string `json:"api"`
	// AuthRequired: what DL leads to needs the credentials as well.
	AuthRequired bool `json:"auth-required"`
}

func checkConfig(body []byte, _ string) error {
	var c remoteConfig
	if err := json.Unmarshal(body, &c); err != nil || c.DL == "" {
		return fmt.Errorf("not a registry's config.json: %w", err)
	}
	return nil
}

func (s *server) configOf(ctx context.Context, u *upstream.Upstream) (c remoteConfig, err error) {
	d, err := s.Up.DocumentFrom(ctx, u,
		upstream.Query{Key: "config.json", Ref: "config.json", Fresh: freshConfig, Check: checkConfig})
	if err != nil {
		return c, err
	}
	body, err := d.Bytes(ctx)
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	return c, err
}

// proxiedSearch fills a page of ours with what the first upstream finds. Ours hide theirs, and so do the copies that
// are shown already.
func (s *server) proxiedSearch(
	ctx context.Context, q Request, room int, shown map[string]bool,
) (hits []json.RawMessage, total int) {
	if !s.Up.MaySearch(ctx, q.Query) {
		return nil, 0
	}
	for _, u := range s.Up.Upstreams() {
		c, err := s.configOf(ctx, u)
		if err != nil || c.API == "" {
			continue
		}
		values := url.Values{"q": {q.Query}, "page": {fmt.Sprint(q.Page)}, "per_page": {fmt.Sprint(q.Size)}}.Encode()
		d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
			Key: "search " + values, Ref: strings.TrimRight(c.API, "/") + "/api/v1/crates?" + values,
			Accept: "application/json", Fresh: freshSearch,
		})
		if err != nil {
			continue // a search is worth less than the time to wait for it
		}
		var found struct {
			Crates []json.RawMessage
			Meta   struct{ Total int }
		}
		if body, err := d.Bytes(ctx); err != nil || json.Unmarshal(body, &found) != nil {
			continue
		}
		for _, raw := range found.Crates {
			var hit struct {
				Name   string
				Newest string `json:"max_version"`
				Stable string `json:"max_stable_version"`
			}
			err := json.Unmarshal(raw, &hit)
			if shown[names.Key(hit.Name)] {
				found.Meta.Total--
				continue
			}
			if err != nil || len(hits) >= room || !s.Theirs(ctx, names.Key(hit.Name)) {
				continue
			}
			if s.Up.Blocked(names.Key(hit.Name), hit.Newest) == nil && s.Up.Blocked(names.Key(hit.Name), hit.Stable) == nil {
				hits = append(hits, raw)
			}
		}
		return hits, found.Meta.Total
	}
	return nil, 0
}
