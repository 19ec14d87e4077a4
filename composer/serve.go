package composer

// The registry itself, and reading: packages.json, metadata, archives, a package's page.

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"larder/auth"
	"larder/composer/manifest"
	"larder/internal/advisory"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// MaxArchive is the largest archive in bytes; 0 means 1 GiB.
	MaxArchive int64
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxArchive = cmp.Or(o.MaxArchive, 1<<30)
	return o
}

type server struct {
	repo    *store.Repo[Meta]
	store   *store.Store
	auth    auth.Provider
	base    *wire.Base
	path    string // where clients find the registry; it is part of every URL in documents
	log     *slog.Logger
	opt     Options
	files   *store.Memo[string, store.File]
	counter *limiter
	advised *advisory.Table[advised]
	up      *upstream.Set // nil without upstreams
}

// New returns the registry's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := newServer(d, o)
	e := wire.Endpoint[Request]{Kind: store.Composer, Parse: parse, Routes: s.operations(), Target: target, Fail: fail}
	return wire.Protocol{Name: "composer", Prefixes: []string{root}, Handler: e.Handler(d)}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{
		repo: store.NewRepo[Meta](d.Store, store.Composer), store: d.Store, auth: d.Auth, base: d.Base, path: cmp.Or(d.Path, root), log: d.Log, opt: o.WithDefaults(),
		files: store.NewMemo[string, store.File](d.Store, store.Composer), counter: newLimiter(),
		advised: advisory.NewTable[advised](d.Store, store.Composer),
	}
	s.advised.Changed = s.restamp
	s.remote(d.Upstreams)
	return s
}

// operations is the table of everything the registry does; doc.go shows it with methods and paths.
func (s *server) operations() []wire.Route[Request] {
	return []wire.Route[Request]{
		{Op: opRoot, Need: wire.Open, Serve: s.getRoot},
		{Op: opMetadata, Need: wire.Read, Serve: s.getMetadata},
		{Op: opDist, Need: wire.Read, Serve: s.getDist},
		{Op: opInfo, Need: wire.Read, Serve: s.getInfo},
		{Op: opList, Need: wire.Open, Serve: s.getList},
		{Op: opSearch, Need: wire.Open, Serve: s.search},
		{Op: opProviders, Need: wire.Open, Serve: s.getProviders},
		{Op: opNotify, Need: wire.Open, Serve: s.notify},
		{Op: opAudit, Need: wire.Open, Serve: s.audit},
		{Op: opFilter, Need: wire.Open, Serve: s.getFilter},
		{Op: opChanges, Need: wire.Open, Serve: s.getChanges},
		{Op: opPut, Need: wire.Open, Serve: s.put},
		{Op: opUpload, Need: wire.Create, Serve: s.upload},
		{Op: opSettings, Need: wire.Read, Serve: s.getSettings},
		{Op: opSettingsSet, Need: wire.Write | wire.Existing, Serve: s.setSettings},
		{Op: opDeleteVersion, Need: wire.Delete | wire.Existing, Serve: s.deleteVersion},
		{Op: opDelete, Need: wire.Delete | wire.Existing, Serve: s.deletePackage},
		{Op: opAdvisories, Need: wire.Admin, Serve: plainly(s.advised.Get)},
		{Op: opAdvisoriesSet, Need: wire.Admin, Serve: plainly(s.advised.Set)},
	}
}

// plainly serves what needs nothing of the path.
func plainly(f func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request, Request) error {
	return func(w http.ResponseWriter, r *http.Request, _ Request) error { return f(w, r) }
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typePackage, q.Name }

// url is the registry's URL as the client of r knows it, without a final slash. It never holds credentials: Composer
// writes what it finds in documents into composer.lock.
func (s *server) url(r *http.Request) string { return s.base.URL(r) + s.path }

// may reports whether the identity may do something to a package.
func (s *server) may(ctx context.Context, a auth.Action, name string) error {
	return s.auth.Authorize(ctx, wire.IdentityFrom(ctx), auth.Access{Kind: store.Composer, Type: typePackage, Name: name, Action: a})
}

// mayList is nil for whoever may see a list of packages at all; what is in it is filtered by package.
func (s *server) mayList(ctx context.Context) error {
	if !wire.IdentityFrom(ctx).Anonymous {
		return nil
	}
	return s.may(ctx, auth.Read, "")
}

// readable says whether whoever asks may see a package.
func (s *server) readable(ctx context.Context, name string) (bool, error) {
	err := s.may(ctx, auth.Read, name)
	if isOneOf(err, auth.ErrDenied, auth.ErrHidden, auth.ErrNoCredentials) {
		return false, nil
	}
	return err == nil, err
}

// revalidate has clients ask each time: a publish is visible at once, and asking costs a 304.
func revalidate(r *http.Request) string {
	if _, given := wire.CredentialsFrom(r); given {
		return "private, no-cache"
	}
	return "no-cache"
}

// forever is for what never changes.
func forever(r *http.Request) string {
	if _, given := wire.CredentialsFrom(r); given {
		return "private, max-age=31536000, immutable"
	}
	return "public, max-age=31536000, immutable"
}

// serveDocument answers with a document. Composer sends the time it got with the document back as it was: any other time,
// also a later one, is that of another document, as after a restored backup or a change of credentials.
func serveDocument(w http.ResponseWriter, r *http.Request, doc *store.Document) error {
	const since = "If-Modified-Since"
	if have := r.Header.Get(since); have != "" && have != doc.Modified.UTC().Format(http.TimeFormat) {
		r = r.Clone(r.Context())
		r.Header.Del(since)
	}
	return wire.ServeDocument(w, r, doc, revalidate(r))
}

// getRoot answers packages.json (A2).
func (s *server) getRoot(w http.ResponseWriter, r *http.Request, _ Request) error {
	base := s.url(r)
	return s.serveWhole(w, r, "root", func(ctx context.Context) ([]byte, error) {
		names, err := s.announced(ctx)
		return rootDocument(base, names), err
	})
}

// serveWhole answers with a document about all that whoever asks may read.
func (s *server) serveWhole(w http.ResponseWriter, r *http.Request, form string, render func(context.Context) ([]byte, error)) error {
	ctx := r.Context()
	if err := s.mayList(ctx); err != nil {
		return err
	}
	key := store.DocKey{Kind: store.Composer, Base: s.url(r), Format: form + " " + reach(wire.IdentityFrom(ctx))}
	doc, err := s.store.Document(ctx, key, func(ctx context.Context) (store.Rendered, error) {
		body, err := render(ctx)
		return store.Rendered{Body: body, Type: typeJSON, Modified: fingerprint(body)}, err
	})
	if err != nil {
		return err
	}
	return serveDocument(w, r, doc)
}

// reach tells identities apart that may read different packages.
func reach(id auth.Identity) string {
	return fmt.Sprintf("%t %q %t %t %s %q", id.Anonymous, id.User, id.Admin, id.Scoped(), id.Grants, id.Limits)
}

// fingerprint is a time in the past that stands for what body says. packages.json depends on who asks, and whoever logs in
// keeps what was cached before: no clock could tell the documents of two identities apart.
func fingerprint(body []byte) time.Time {
	sum := sha256.Sum256(body)
	const start, span = 978_307_200, 1 << 29 // 2001, and seventeen years
	return time.Unix(start+int64(binary.BigEndian.Uint32(sum[:])%span), 0).UTC()
}

// announced are the names that whoever asks may read, nil when there are too many to tell. Composer never asks for a name
// that is not among them, so for each package of another repository that is a request less.
func (s *server) announced(ctx context.Context) ([]string, error) {
	if s.up != nil {
		return nil, nil // nobody can tell what upstreams have
	}
	packages, err := s.repo.Packages(ctx, "", maxAnnounced+1)
	if err != nil || len(packages) > maxAnnounced {
		return nil, err
	}
	names := []string{}
	for _, p := range packages {
		ok, err := s.readable(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, p.Name)
		}
	}
	return names, nil
}

// getMetadata answers p2/acme/demo.json and p2/acme/demo~dev.json.
func (s *server) getMetadata(w http.ResponseWriter, r *http.Request, q Request) error {
	base, form := s.url(r), formReleases
	if q.Branches {
		form = formBranches
	}
	doc, err := s.document(r.Context(), q.Name, base, form)
	if s.elsewhere(err) {
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
	return s.store.Document(ctx, key, func(ctx context.Context) (store.Rendered, error) { return s.render(ctx, name, base, form) })
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
	err := s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err != nil {
			return err
		}
		own, other := indexReleases, indexBranches
		if branches {
			own, other = other, own
		}
		p.Fragments = make([]fragment, 0, pkg.Versions)
		for k, row := range tx.Index(own).Scan(nil, nil) {
			f, err := decodeFragment(k, row)
			if err != nil {
				return err
			}
			p.Fragments = append(p.Fragments, f)
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
		raw, err := s.store.ReadBlob(ctx, f.Blob, maxEntry)
		if err != nil {
			return fmt.Errorf("entry of %s: %w", f.ID, err)
		}
		if err := f.fill(raw); err != nil {
			return err
		}
	}
	return nil
}

// getDist sends the archive that was uploaded, never encoded. It answers for every archive that ever was a version's, since
// lock files name them for good.
func (s *server) getDist(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	name := fileOf(q.Version, q.Reference)
	file, err := s.files.Get(q.Name, name, func() (file store.File, err error) {
		err = s.repo.View(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
			_, file, err = tx.File(name)
			return err
		})
		return file, err
	})
	if s.elsewhere(err) {
		return s.proxiedDist(w, r, q)
	}
	if err != nil {
		return err
	}
	head := wire.BlobHead{Digest: file.Digest, Size: file.Size, Type: typeZip, CacheControl: forever(r)}
	if file.Size <= smallBlob {
		body, err := s.store.BlobBytes(ctx, store.Blob{Digest: file.Digest, Size: file.Size})
		if err != nil {
			return err
		}
		return wire.ServeBytes(w, r, body, head)
	}
	f, _, err := s.store.OpenBlob(ctx, file.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	return wire.ServeBlob(w, r, f, head)
}

// getInfo answers what people and dashboards ask about a package, in the form the public registry has. The counts are put in
// as the document goes out, since an install does not change the package.
func (s *server) getInfo(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	doc, err := s.document(ctx, q.Name, s.url(r), formInfo)
	if err != nil {
		return err
	}
	counts, err := s.downloads(ctx, q.Name)
	if err != nil {
		return err
	}
	plain, err := doc.Encoded(store.Identity)
	if err != nil {
		return err
	}
	body := strings.TrimSuffix(string(plain), "}}\n")
	body += fmt.Sprintf(`,"downloads":{"total":%d,"monthly":%d,"daily":%d}}}`+"\n", counts.Total, counts.since(30), counts.since(1))
	h := w.Header()
	h.Set("Content-Type", typeJSON)
	h.Set("Cache-Control", revalidate(r))
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
	err := s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) (err error) {
		if pkg, err = tx.Package(); err != nil {
			return err
		}
		sum, err = listedSummary(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := appendMember([]byte(`{"package":{`), "name", name)
	for _, m := range [][2]string{{"description", sum.Description}, {"time", pkg.Created.UTC().Format(time.RFC3339)}, {"type", sum.Type}, {"repository", sum.Repository}} {
		out = appendMember(append(out, ','), m[0], m[1])
	}
	out = append(out, `,"maintainers":[`...)
	for i, o := range pkg.Owners {
		out = append(appendMember(append(comma(out, i), '{'), "name", o), '}')
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

// rootDocument is packages.json. Every URL is absolute: clients before 2.7 open relative ones as files, and later ones put
// the user and password of the repository's URL before them, into composer.lock.
func rootDocument(base string, names []string) []byte {
	out := []byte(`{"packages":[]`)
	for _, m := range [][2]string{
		{"metadata-url", "/p2/%package%.json"}, {"list", "/list.json"}, {"search", "/search.json?q=%query%&type=%type%"},
		{"providers-api", "/providers/%package%.json"}, {"notify-batch", "/downloads/"}, {"metadata-changes-url", "/metadata/changes.json"},
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
			out = rawjson.AppendString(comma(out, i), n)
		}
		out = append(out, ']')
	}
	return append(out, '}', '\n')
}
