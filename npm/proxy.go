package npm

// Copies of remote registries: what a miss asks for, and how what comes is turned into documents of ours. Only names
// that are not ours get here; the rules about that are upstream's.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/npm/archive"
	"larder/npm/names"
	"larder/npm/version"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents.
const (
	freshPackument = 5 * time.Minute
	freshSearch    = time.Minute
	freshKeys      = time.Hour
)

// packumentQuery asks for one form of a packument. Private registries insist on the escaped slash.
func packumentQuery(name, form string) upstream.Query {
	q := upstream.Query{
		Package: name, Key: form, Ref: strings.Replace(url.PathEscape(name), "%40", "@", 1), Fresh: freshPackument,
		Early: true, Check: checkPackument, Versions: publishedTimes, Scan: scanPackument, Accept: "application/json",
	}
	if form == formShort {
		q.Accept = typeShort + "; q=1.0, application/json; q=0.8"
	}
	return q
}

// checkPackument keeps login pages and error objects with status 200 out of the cache. Afterwards
// the body is known to be JSON.
func checkPackument(body []byte, _ string) error {
	if !json.Valid(body) {
		return errors.New("not JSON")
	}
	doc, err := rawjson.Split(body)
	if err != nil {
		return err
	}
	if doc.Text("name") == "" || doc.Sub("versions") == nil && doc.Sub("time") == nil {
		return errors.New("not a packument")
	}
	return nil
}

// publishedTimes reads when versions were published, as far as the document says.
func publishedTimes(body []byte) map[string]time.Time {
	doc, err := rawjson.Split(body)
	if err != nil {
		return nil
	}
	out := map[string]time.Time{}
	for _, v := range doc.Sub("versions") {
		out[v.Key] = time.Time{}
	}
	for _, m := range doc.Sub("time") {
		if _, ok := out[m.Key]; ok {
			out[m.Key], _ = time.Parse(time.RFC3339, rawjson.TextOf(m.Value)) // zero when it does not say
		}
	}
	return out
}

// A packument that is read as a stream has no larger values and no deeper ones; of those that say something of the
// package, larger ones say nothing.
const (
	maxManifest = 16 << 20
	maxDepth    = 1000
	maxSaid     = 64 << 10
)

// saying are the members of a packument that say something of the package.
var saying = []string{"dist-tags", "description", "keywords", "license", "homepage", "repository"}

// scanPackument is checkPackument, publishedTimes and aboutCopy for a packument of which only a version is in memory.
func scanPackument(r io.Reader) (upstream.Scanned, error) {
	out, times := map[string]time.Time{}, map[string]string{}
	var said, newest rawjson.Object
	var ids []string
	latest := ""
	named, described := false, false
	s := rawjson.NewScanner(r).Deep(maxDepth)
	var raw json.RawMessage
	check := func() (err error) {
		raw, err = s.RawInto(raw[:0], maxManifest)
		return err
	}
	err := s.Object(func(key string) error {
		switch c, err := s.Peek(); {
		case err != nil:
			return err
		case key == "name" && c == '"':
			name, err := s.Str(rawjson.MaxKey)
			named = name != ""
			return err
		case key == "versions" && c == '{':
			described = true
			return s.Object(func(version string) error {
				out[version] = time.Time{}
				ids = append(ids, version)
				if err := check(); err != nil || latest != "" && version != latest {
					return err
				}
				if newest == nil {
					newest = rawjson.Object{{}}
				}
				newest[0].Key, newest[0].Value = version, append(newest[0].Value[:0], raw...)
				return nil
			})
		case key == "time" && c == '{':
			described = true
			return s.Object(func(version string) (err error) {
				times[version], err = s.Optional(rawjson.MaxKey)
				return err
			})
		}
		if err := check(); err != nil || len(raw) > maxSaid || !slices.Contains(saying, key) {
			return err
		}
		said = said.Set(key, bytes.Clone(raw))
		latest = said.Sub("dist-tags").Text("latest")
		return nil
	})
	if err == nil {
		err = s.End()
	}
	if err == nil && !(named && described) {
		err = errors.New("not a packument")
	}
	for version := range out {
		out[version], _ = time.Parse(time.RFC3339, times[version]) // zero when it does not say
	}
	about := aboutOf(said.Set("versions", newest.Encode()), ids)
	return upstream.Scanned{Versions: out, About: &about}, err
}

// fetched is a packument of an upstream. With the age gate on it is always the full one, which has the times.
func (s *server) fetched(ctx context.Context, name, form string) (*upstream.Document, error) {
	if s.Up.Gated() {
		form = formFull
	}
	return s.Up.Document(ctx, packumentQuery(name, form))
}

// proxied renders one form of an upstream's packument, or one version of it.
func (s *server) proxied(w http.ResponseWriter, r *http.Request, name, form string) (*store.Document, error) {
	source := formFull
	if form == formShort {
		source = formShort
	}
	d, err := s.fetched(r.Context(), name, source)
	if err != nil {
		return nil, err
	}
	wire.CacheHead(w, d, time.Now())
	base := s.URL(r)
	return s.Store.Document(r.Context(), d.Rendered(name, base, form), func(ctx context.Context) (store.Rendered, error) {
		body, err := s.rewritten(ctx, d, name, base, form == formShort)
		if err != nil {
			return store.Rendered{}, err
		}
		if version, ok := strings.CutPrefix(form, formVersion); ok {
			return renderRemoteVersion(d, body, name, version)
		}
		typ := "application/json"
		if form == formShort {
			typ = typeShort
		}
		return store.Rendered{Body: body, Type: typ}, nil
	})
}

// rewritten is an upstream's packument as this registry serves it.
func (s *server) rewritten(ctx context.Context, d *upstream.Document, name, base string, short bool) ([]byte, error) {
	if d.Size >= largePackument {
		if out, err := s.rewriteLarge(ctx, d, name, base, short); !errors.Is(err, errHeld) {
			return out, err
		}
	}
	body, err := d.Bytes(ctx)
	if err != nil {
		return nil, err
	}
	return s.rewrite(ctx, body, name, base, short)
}

func renderRemoteVersion(d *upstream.Document, packument []byte, name, version string) (store.Rendered, error) {
	doc, err := rawjson.Split(packument)
	if err != nil {
		return store.Rendered{}, err
	}
	if tag := doc.Sub("dist-tags").Text(version); tag != "" {
		version = tag
	}
	raw := doc.Sub("versions").Get(version)
	if raw == nil {
		return store.Rendered{}, d.Lacks(problem.Errorf(store.ErrNotFound, "%s has no version %s", name, version))
	}
	return store.Rendered{Body: append(slices.Clone(raw), '\n'), Type: "application/json"}, nil
}

// rewrite makes an upstream's packument ours: every tarball has our address, and versions that are held back or broken
// are left out, with the tags that point at them. Signatures stay: they are about name, version and integrity. A
// packument may be large: it is written once, into one piece of memory.
func (s *server) rewrite(ctx context.Context, body []byte, name, base string, short bool) ([]byte, error) {
	doc, err := rawjson.Split(body)
	if err != nil {
		return nil, err
	}
	versions, held, err := s.offered(ctx, doc, name)
	if err != nil {
		return nil, err
	}
	if len(held) > 0 {
		doc = withoutHeld(doc, versions, held)
	}
	w := manifestWriter{name: name, base: base, short: short}
	// Some more than there was: our address may be longer.
	out := append(make([]byte, 0, len(body)+len(body)/8+1024), '{')
	for i, m := range doc {
		out = append(rawjson.AppendString(rawjson.AppendComma(out, i), m.Key), ':')
		if m.Key != "versions" {
			out = append(out, m.Value...)
			continue
		}
		out = append(out, '{')
		for i, v := range versions {
			out = append(rawjson.AppendString(rawjson.AppendComma(out, i), v.Key), ':')
			out = w.append(out, v)
		}
		out = append(out, '}')
	}
	return append(out, '}', '\n'), nil
}

// offered are the versions of an upstream's packument that this registry may offer, as the upstream has them, and the
// others.
func (s *server) offered(
	ctx context.Context, doc rawjson.Object, name string,
) (versions rawjson.Object, held map[string]bool, err error) {
	all := doc.Sub("versions")
	versions, held = all[:0:0], map[string]bool{}
	look, broken := s.offers(ctx, name), 0
	for _, v := range all {
		ok, whole, err := look(v)
		switch {
		case err != nil:
			return nil, nil, err
		case ok:
			versions = append(versions, v)
			continue
		case !whole:
			broken++
		}
		held[v.Key] = true
	}
	if broken > 0 {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "an upstream's versions are left out: they name no tarball",
			slog.String("package", name), slog.Int("versions", broken))
	}
	if len(versions) == 0 {
		return nil, nil, problem.Errorf(store.ErrNotFound, "%s has no versions that this registry may offer", name)
	}
	return versions, held, nil
}

// offers returns a function that says whether a version of an upstream's packument may be offered, and whether it names
// a tarball.
func (s *server) offers(ctx context.Context, name string) func(v rawjson.Member) (ok, whole bool, err error) {
	offline := s.Up.Offline()
	var m, dist rawjson.Object
	return func(v rawjson.Member) (ok, whole bool, err error) {
		m, err = rawjson.SplitInto(m[:0], v.Value)
		if err == nil {
			dist, err = rawjson.SplitInto(dist[:0], m.Get("dist"))
		}
		if err != nil || dist.Text("tarball") == "" {
			return false, false, nil
		}
		if err := s.Up.Allowed(ctx, name, v.Key); errors.Is(err, store.ErrDenied) {
			return false, true, nil
		} else if err != nil {
			return false, true, err
		}
		if offline {
			// What is not here cannot be fetched: a resolver must not choose it.
			ok, err := s.Up.Here(ctx, name, names.Tarball(name, v.Key))
			return ok, true, err
		}
		return true, true, nil
	}
}

// largePackument is the size in bytes from which a packument is rewritten as it is read.
const largePackument = 4 << 20

// errHeld is a packument of which a version is left out, on which tags before it may depend.
var errHeld = errors.New("a version is left out")

// rewriteLarge is rewrite of a packument that is not in memory; errHeld when it cannot be done in one pass.
func (s *server) rewriteLarge(
	ctx context.Context, d *upstream.Document, name, base string, short bool,
) ([]byte, error) {
	in, err := d.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	size := d.Size + d.Size/8
	if err := budget.Take(ctx, size); err != nil {
		return nil, err
	}
	defer budget.Give(ctx, size) // whoever keeps the document counts it
	r, w, look := rawjson.NewScanner(in).Deep(maxDepth), manifestWriter{name: name, base: base, short: short},
		s.offers(ctx, name)
	out := append(make([]byte, 0, size), '{')
	var v rawjson.Member
	members := func(value func() error) error {
		first := true
		return r.Object(func(key string) error {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(rawjson.AppendString(out, key), ':')
			v.Key = key
			return value()
		})
	}
	read := func() (err error) {
		v.Value, err = r.RawInto(v.Value[:0], maxManifest)
		return err
	}
	manifest := func() error {
		if err := read(); err != nil {
			return err
		}
		if ok, _, err := look(v); err != nil || !ok {
			return cmp.Or(err, errHeld)
		}
		out = w.append(out, v)
		return nil
	}
	err = members(func() error {
		c, err := r.Peek()
		if err == nil && (v.Key != "versions" || c != '{') {
			err = read()
			out = append(out, v.Value...)
			return err
		}
		if err != nil {
			return err
		}
		out = append(out, '{')
		err = members(manifest)
		out = append(out, '}')
		return err
	})
	if err == nil {
		err = r.End()
	}
	return append(out, '}', '\n'), err
}

// manifestWriter writes the manifests of an upstream's packument as ours.
type manifestWriter struct {
	name, base string
	short      bool

	m, dist rawjson.Object // of the last manifest
}

// append appends the manifest of v, which offered has found whole.
func (w *manifestWriter) append(out []byte, v rawjson.Member) []byte {
	var err error
	if w.m, err = rawjson.SplitInto(w.m[:0], v.Value); err != nil {
		return append(out, v.Value...) // not reached: offered has split it
	}
	if w.dist, err = rawjson.SplitInto(w.dist[:0], w.m.Get("dist")); err != nil {
		return append(out, v.Value...) // not reached either
	}
	dist := w.dist.Set("tarball", rawjson.Quote(w.base+tarballPath(w.name, names.Tarball(w.name, v.Key))))
	if a := dist.Sub("attestations"); a != nil {
		dist = dist.Set("attestations",
			a.Set("url", rawjson.Quote(w.base+"/-/npm/v1/attestations/"+escapeName(w.name)+"@"+v.Key)).Encode())
	}
	m := w.m
	if w.short && m.Get("_id") != nil {
		// An upstream that does not know the abbreviated form sent everything.
		all := m
		m = archive.Short(all).Set("dist", all.Get("dist"))
		if deprecated := all.Get("deprecated"); deprecated != nil {
			m = m.Set("deprecated", deprecated)
		}
		if archive.RunsScripts(all) {
			m = m.Set("hasInstallScript", json.RawMessage("true"))
		}
	}
	out = append(out, '{')
	for i, member := range m {
		out = append(rawjson.AppendString(rawjson.AppendComma(out, i), member.Key), ':')
		if member.Key == "dist" {
			out = dist.Append(out)
		} else {
			out = append(out, member.Value...)
		}
	}
	return append(out, '}')
}

// withoutHeld moves the tags of held versions to the newest version that is left, and drops their times.
func withoutHeld(doc, versions rawjson.Object, held map[string]bool) rawjson.Object {
	tags := rawjson.Object{}
	for _, t := range doc.Sub("dist-tags") {
		switch {
		case !held[rawjson.TextOf(t.Value)]:
			tags = append(tags, t)
		case t.Key == "latest":
			tags = append(tags, rawjson.Member{
				Key: "latest",
				Value: rawjson.Quote(version.Newest(idsOf(versions), func(v string) bool {
					return versions.Sub(v).Get("deprecated") != nil
				})),
			})
		}
	}
	times := slices.DeleteFunc(doc.Sub("time"), func(m rawjson.Member) bool { return held[m.Key] })
	return doc.Set("dist-tags", tags.Encode()).Set("time", times.Encode())
}

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

// proxiedTarball answers with a tarball of an upstream. Lockfiles name tarballs without anybody having asked for the
// packument, so where it is and what it must be is looked up there now. A file that has the name of no version as we
// write it has the one that the upstream gave it.
func (s *server) proxiedTarball(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := upstream.WithBudget(r.Context())
	named := versionOf(q.Name, q.File)
	f, err := s.copyOf(ctx, q.Name, named)
	if registry.IsOneOf(err, store.ErrNotFound, upstream.ErrOffline, upstream.ErrUnavailable, upstream.ErrRefused) {
		version, lerr := s.listedAs(ctx, q.Name, q.File)
		switch {
		case lerr == nil && version != "" && version != named:
			f, err = s.copyOf(ctx, q.Name, version)
		case lerr != nil && errors.Is(err, store.ErrNotFound):
			return lerr
		}
	}
	if err != nil {
		return err
	}
	return s.SendCopy(w, r, f, wire.BlobHead{Type: "application/octet-stream", CacheControl: registry.Immutable(r)})
}

// versionOf takes the version out of a tarball's conventional name; "" for any other name.
func versionOf(name, file string) string {
	_, base := names.Split(name)
	rest, ok := strings.CutPrefix(file, base+"-")
	v, tgz := strings.CutSuffix(rest, ".tgz")
	if !ok || !tgz {
		return ""
	}
	return v
}

// copyOf returns the tarball of a version.
func (s *server) copyOf(ctx context.Context, name, version string) (*upstream.File, error) {
	if version == "" {
		return nil, problem.Errorf(store.ErrNotFound, "%s has no such file", name)
	}
	return s.Up.File(ctx, upstream.FileQuery{
		Package: name, Version: version, Key: names.Tarball(name, version),
		Find: func(ctx context.Context) (upstream.Place, error) { return s.place(ctx, name, version) },
	})
}

// remoteFiles are the tarballs that an upstream's packument refers to.
func remoteFiles(name, key string, d *upstream.Document, body []byte) map[string]upstream.Place {
	if key != formFull && key != formShort {
		return nil
	}
	doc, err := rawjson.Split(body)
	if err != nil {
		return nil // not reached: checked before it was kept
	}
	files := map[string]upstream.Place{}
	for _, v := range doc.Sub("versions") {
		rawjson.Members(v.Value, func(key, value []byte) {
			if string(key) != "dist" {
				return
			}
			if dist, err := rawjson.Split(value); err == nil && dist.Text("tarball") != "" {
				files[names.Tarball(name, v.Key)] = placeOf(d.Upstream, dist)
			}
		})
	}
	return files
}

// listedAs returns the version whose tarball has the file name at the upstream, "" when none has.
func (s *server) listedAs(ctx context.Context, name, file string) (version string, err error) {
	_, err = s.Up.Find(ctx, s.knownQuery(ctx, name), func(_ *upstream.Document, body []byte, _ bool) (bool, error) {
		doc, err := rawjson.Split(body)
		if err != nil {
			return false, err
		}
		for _, v := range doc.Sub("versions") {
			m, err := rawjson.Split(v.Value)
			if err != nil {
				continue
			}
			at, err := url.Parse(m.Sub("dist").Text("tarball"))
			if err == nil && path.Base(at.Path) == file {
				version = v.Key
				return true, nil
			}
		}
		return false, nil
	})
	return version, err
}

// knownQuery asks for the packument in the form in which it is kept. Whichever form the client has asked for has what
// is to be known of tarballs: npm 11 resolves with the full one, others with the short one.
func (s *server) knownQuery(ctx context.Context, name string) upstream.Query {
	query := packumentQuery(name, formFull)
	if !s.Up.Gated() && !s.Up.Knows(ctx, query) {
		query = packumentQuery(name, formShort)
	}
	return query
}

// place finds a version's tarball in the packument; a version that is not in it makes us ask for the packument as it is
// now.
func (s *server) place(ctx context.Context, name, version string) (p upstream.Place, err error) {
	query := s.knownQuery(ctx, name)
	found, err := s.Up.Find(ctx, query, func(d *upstream.Document, body []byte, _ bool) (bool, error) {
		doc, err := rawjson.Split(body)
		if err != nil {
			return false, err
		}
		dist := doc.Sub("versions").Sub(version).Sub("dist")
		if dist.Text("tarball") == "" {
			return false, nil
		}
		p = placeOf(d.Upstream, dist)
		return true, nil
	})
	if err == nil && !found {
		err = problem.Errorf(store.ErrNotFound, "%s has no version %s", name, version)
	}
	return p, err
}

// placeOf reads dist: the address, and the strongest sum there is.
func placeOf(u *upstream.Upstream, dist rawjson.Object) upstream.Place {
	p := upstream.Place{
		Upstream: u, Ref: dist.Text("tarball"), Sums: map[string]string{}, Type: "application/octet-stream",
	}
	for word := range strings.FieldsSeq(dist.Text("integrity")) {
		alg, sum, _ := strings.Cut(word, "-")
		sum, _, _ = strings.Cut(sum, "?")
		if raw, err := base64.StdEncoding.DecodeString(sum); err == nil &&
			(alg == "sha512" || alg == "sha256" || alg == "sha1") {
			p.Sums[alg] = hex.EncodeToString(raw)
		}
	}
	if sum := dist.Text("shasum"); len(p.Sums) == 0 && sum != "" {
		p.Sums["sha1"] = sum
	}
	return p
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
