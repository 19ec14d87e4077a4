package composer

// Reading: packages.json, metadata, archives, a package's page.

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"larder/composer/manifest"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// serveDocument answers with a document. Composer sends the time it got with the document back as it was: any other
// time, also a later one, is that of another document, as after a restored backup or a change of credentials.
func serveDocument(w http.ResponseWriter, r *http.Request, doc *store.Document) error {
	const since = "If-Modified-Since"
	if have := r.Header.Get(since); have != "" && have != doc.Modified.UTC().Format(http.TimeFormat) {
		r = r.Clone(r.Context())
		r.Header.Del(since)
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// getRoot answers packages.json.
func (s *server) getRoot(w http.ResponseWriter, r *http.Request, _ Request) error {
	base := s.URL(r)
	return s.serveWhole(w, r, "root", func(ctx context.Context, view registry.View) ([]byte, error) {
		names, err := s.announced(ctx, view)
		return rootDocument(base, names), err
	})
}

// serveWhole answers with a document about all that the client may read.
func (s *server) serveWhole(
	w http.ResponseWriter, r *http.Request, form string, render func(context.Context, registry.View) ([]byte, error),
) error {
	ctx := r.Context()
	view := s.View(ctx)
	key := store.DocKey{Kind: store.Composer, Base: s.URL(r), Format: form + " " + view.Key}
	doc, err := s.Store.Document(ctx, key, func(ctx context.Context) (store.Rendered, error) {
		body, err := render(ctx, view)
		return store.Rendered{Body: body, Type: typeJSON, Modified: fingerprint(body)}, err
	})
	if err != nil {
		return err
	}
	return serveDocument(w, r, doc)
}

// fingerprint is a time in the past that stands for what body says. packages.json depends on who asks, and whoever logs
// in keeps what was cached before: no clock could tell the documents of two identities apart.
func fingerprint(body []byte) time.Time {
	sum := sha256.Sum256(body)
	const start, span = 978_307_200, 1 << 29 // 2001, and seventeen years
	return time.Unix(start+int64(binary.BigEndian.Uint32(sum[:])%span), 0).UTC()
}

// announced are the names that the client may read, nil when there are too many to tell. Composer never asks for a
// name that is not among them, so for each package of another repository that is a request less.
func (s *server) announced(ctx context.Context, view registry.View) ([]string, error) {
	if s.Up != nil {
		return nil, nil // nobody can tell what upstreams have
	}
	packages, err := s.Repo.Packages(ctx, "", maxAnnounced+1)
	if err != nil || len(packages) > maxAnnounced {
		return nil, err
	}
	packages, err = registry.Visible(view, packages, func(p store.Package) string { return p.Name })
	names := make([]string, len(packages))
	for i, p := range packages {
		names[i] = p.Name
	}
	return names, err
}

// getMetadata answers p2/acme/demo.json and p2/acme/demo~dev.json.
func (s *server) getMetadata(w http.ResponseWriter, r *http.Request, q Request) error {
	base, form := s.URL(r), formReleases
	if q.Branches {
		form = formBranches
	}
	doc, err := s.document(r.Context(), q.Name, base, form)
	if s.TryUpstream(err) {
		doc, err = s.proxiedMetadata(w, r, q, form)
	}
	if err != nil {
		return err
	}
	return serveDocument(w, r, doc)
}

// The forms of a package's documents.
const (
	formReleases = "releases"
	formBranches = "branches"
	formInfo     = "info"
)

// document returns a document from memory, rendered when the package has changed.
func (s *server) document(ctx context.Context, name, base, form string) (*store.Document, error) {
	key := store.DocKey{Kind: store.Composer, Package: name, Base: base, Format: form}
	return s.Store.Document(ctx, key, func(ctx context.Context) (store.Rendered, error) {
		return s.render(ctx, name, base, form)
	})
}

func (s *server) render(ctx context.Context, name, base, form string) (store.Rendered, error) {
	if form == formInfo {
		body, err := s.renderInfo(ctx, name, base)
		return store.Rendered{Body: body, Type: typeJSON}, err
	}
	p, modified, err := s.read(ctx, name, form == formBranches)
	if err != nil {
		return store.Rendered{}, err
	}
	return store.Rendered{Body: p.metadata(base), Type: typeJSON, Modified: modified}, nil
}

// read collects what a document shows. ErrNotFound for a package without any version; one that only has versions of the
// other document has an empty one, so that Composer can say what is wrong with the stability.
func (s *server) read(ctx context.Context, name string, branches bool) (*listed, time.Time, error) {
	p := &listed{Name: name, Branches: branches}
	var modified time.Time
	err := s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err != nil {
			return err
		}
		own, other := indexReleases, indexBranches
		if branches {
			own, other = other, own
		}
		p.Fragments, err = registry.ReadRows(tx.Index(own).Scan(nil, nil), pkg.Versions, decodeFragment)
		if err != nil {
			return err
		}
		if len(p.Fragments) == 0 && isVoid(tx.Index(other)) {
			return problem.Errorf(store.ErrNotFound, "%s has no versions", name)
		}
		p.Abandoned = abandonedState(tx)
		if !branches {
			list, err := s.advised.In(tx.Tx(), name)
			if err != nil {
				return err
			}
			for _, a := range list {
				p.Advisories = append(p.Advisories, a.partial())
				if a.Malware {
					p.Malware = append(p.Malware, a.entry())
				}
			}
		}
		modified = parseStamp(tx.KindIndex(modifiedTable).Get(modifiedKey(name, branches)))
		return nil
	})
	if err != nil {
		return nil, modified, err
	}
	sortFragments(p.Fragments)
	return p, modified, s.fill(ctx, p.Fragments)
}

func isVoid(t store.Table) bool {
	for range t.Scan(nil, nil) {
		return false
	}
	return true
}

// fill reads the entries that are too large for a row; most packages have none.
func (s *server) fill(ctx context.Context, list []fragment) error {
	for i := range list {
		f := &list[i]
		if f.Blob == "" {
			continue
		}
		raw, err := s.Store.ReadBlob(ctx, f.Blob, maxEntry)
		if err != nil {
			return fmt.Errorf("entry of %s: %w", f.ID, err)
		}
		if err := f.fill(raw); err != nil {
			return err
		}
	}
	return nil
}

// getDist sends the archive that was uploaded, never encoded. It answers for every archive that ever was a version's,
// since lock files name them for good.
func (s *server) getDist(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	wire.Pulling(ctx, q.Name, q.Version)
	name := fileOf(q.Version, q.Reference, q.Form)
	file, err := s.files.Find(q.Name, name, func() (store.File, error) { return s.File(ctx, q.Name, name) })
	if s.TryUpstream(err) {
		return s.proxiedDist(w, r, q)
	}
	if err != nil {
		return err
	}
	b := store.Blob{Digest: file.Digest, Size: file.Size}
	return s.SendBlob(w, r, b, wire.BlobHead{Type: mediaTypes[q.Form], CacheControl: registry.Immutable(r)})
}

// getInfo answers what people and dashboards ask about a package, in the form the public registry has. The counts are
// put in as the document goes out, since an install does not change the package.
func (s *server) getInfo(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	var plain []byte
	doc, err := s.document(ctx, q.Name, s.URL(r), formInfo)
	if s.TryUpstream(err) {
		plain, err = s.proxiedInfo(w, r, q)
	} else if err == nil {
		plain, err = doc.Encoded(store.Identity)
	}
	if err != nil {
		return err
	}
	n, err := s.downloads(ctx, q.Name)
	if err != nil {
		return err
	}
	body := strings.TrimSuffix(string(plain), "}}\n")
	body += fmt.Sprintf(
		`,"downloads":{"total":%d,"monthly":%d,"daily":%d}}}`+"\n", n.total, n.monthly, n.daily,
	)
	h := w.Header()
	h.Set("Content-Type", typeJSON)
	h.Set("Cache-Control", registry.Revalidate(r))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write([]byte(body))
	return err
}

func (s *server) renderInfo(ctx context.Context, name, base string) ([]byte, error) {
	var pkg store.Package
	sum := manifest.Summary{Type: manifest.TypeLibrary}
	err := s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) (err error) {
		if pkg, err = tx.Package(); err != nil {
			return err
		}
		sum, err = listedSummary(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := rawjson.AppendPair([]byte(`{"package":{`), "name", name)
	for _, m := range [][2]string{
		{"description", sum.Description}, {"time", pkg.Created.UTC().Format(time.RFC3339)}, {"type", sum.Type},
		{"repository", sum.Repository},
	} {
		out = rawjson.AppendPair(append(out, ','), m[0], m[1])
	}
	out = append(out, `,"maintainers":[`...)
	for i, o := range pkg.Owners {
		out = append(rawjson.AppendPair(append(rawjson.AppendComma(out, i), '{'), "name", o), '}')
	}
	out = append(out, `],"versions":{`...)
	found := false
	for _, branches := range []bool{true, false} {
		p, _, err := s.read(ctx, name, branches)
		if err != nil {
			return nil, err
		}
		if len(p.Fragments) > 0 && found {
			out = append(out, ',')
		}
		found = found || len(p.Fragments) > 0
		out = p.whole(out, base)
	}
	return append(out, `},"favers":0}}`+"\n"...), nil
}

// rootDocument is packages.json. Every URL is absolute: clients before 2.7 open relative ones as files, and later ones
// put the user and password of the repository's URL before them, into composer.lock.
func rootDocument(base string, names []string) []byte {
	out := []byte(`{"packages":[]`)
	for _, m := range [][2]string{
		{"metadata-url", "/p2/%package%.json"}, {"list", "/list.json"}, {"search", "/search.json?q=%query%&type=%type%"},
		{"providers-api", "/providers/%package%.json"}, {"notify-batch", "/downloads/"},
		{"metadata-changes-url", "/metadata/changes.json"},
	} {
		out = append(append(rawjson.AppendString(append(out, ','), m[0]), ':'), rawjson.Quote(base+m[1])...)
	}
	out = append(out, `,"security-advisories":{"metadata":true,"api-url":`...)
	out = append(append(out, rawjson.Quote(base+"/api/security-advisories/")...), '}')
	out = append(out, `,"filter":{"metadata":true,"lists":{"`+listMalware+`":{"enabled":true}},"summary-url":`...)
	out = append(append(out, rawjson.Quote(base+"/filter-summary.json")...), '}')
	if len(names) > 0 {
		out = append(out, `,"available-packages":[`...)
		for i, n := range names {
			out = rawjson.AppendString(rawjson.AppendComma(out, i), n)
		}
		out = append(out, ']')
	}
	return append(out, '}', '\n')
}
