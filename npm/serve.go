package npm

// The registry itself, and reading: packuments, versions, tarballs, attestations.

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/npm/account"
	"larder/npm/audit"
	"larder/npm/naming"
	"larder/npm/putdoc"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// MaxTarball is the largest tarball in bytes; 0 means 1 GiB.
	MaxTarball int64
	// AnyName accepts names the public registry no longer gives out (capitals, ~'!()*), and names that differ from an
	// existing one in separators only: for mirrors of old packages. Names that differ in case only are refused always.
	AnyName bool
	// StrictManifests refuses a publish whose manifest says something else than its tarball, instead of warning.
	StrictManifests bool
	// Access says who sees a package that is published for the first time: AccessPublic (the default), everybody who may
	// read, unless its publisher asked for restricted; AccessRestricted, its owners; AccessClient, whom the client says,
	// asked or not.
	Access string
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxTarball = cmp.Or(o.MaxTarball, 1<<30)
	o.Access = cmp.Or(o.Access, AccessPublic)
	return o
}

// smallBlob is the size up to which a tarball is served from memory.
const smallBlob = 64 << 10

type server struct {
	repo    *store.Repo[Meta]
	store   *store.Store
	auth    auth.Provider
	base    *wire.Base
	path    string // where clients find the registry; it is part of every tarball's URL
	log     *slog.Logger
	opt     Options
	lazy    lazySigner
	account *account.Accounts
	audit   *audit.Audit
	up      *upstream.Set // nil without upstreams
}

// New returns the registry's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{repo: store.NewRepo[Meta](d.Store, store.NPM), store: d.Store, auth: d.Auth, base: d.Base, path: cmp.Or(d.Path, root), log: d.Log, opt: o.WithDefaults(), audit: audit.New(d.Store)}
	s.account = account.New(d.Auth, s.path, s.url)
	s.remote(d.Upstreams)
	e := wire.Endpoint[Request]{Kind: store.NPM, Parse: parse, Ops: s.operations(), Target: target, Fail: fail}
	return wire.Protocol{Name: "npm", Prefixes: []string{root}, Handler: e.Handler(d)}
}

// operations is the table of everything the registry does; doc.go shows it with methods and paths.
func (s *server) operations() []wire.Op[Request] {
	return []wire.Op[Request]{
		{Name: opRoot, Need: wire.None, Serve: s.root},
		{Name: opPing, Need: wire.None, Serve: s.ping},
		{Name: opPackument, Need: wire.Read, Serve: s.getPackument},
		{Name: opVersion, Need: wire.Read, Serve: s.getVersion},
		{Name: opTarball, Need: wire.Read, Serve: s.getTarball},
		{Name: opPut, Need: wire.Create, Serve: s.put},
		{Name: opPutRev, Need: wire.Write, Existing: true, Serve: s.putRev},
		{Name: opUnpublish, Need: wire.Delete, Existing: true, Serve: s.unpublish},
		{Name: opTarballDelete, Need: wire.Delete, Existing: true, Serve: s.deleteTarball},
		{Name: opWhoami, Need: wire.None, Serve: plain(s.account.Whoami)},
		{Name: opLogin, Need: wire.None, Serve: byUser(s.account.Login), Login: true},
		{Name: opUser, Need: wire.None, Serve: byUser(s.account.User)},
		{Name: opLogout, Need: wire.None, Serve: byID(s.account.Logout), Login: true},
		{Name: opWebLogin, Need: wire.None, Serve: plain(s.account.Start), Login: true},
		{Name: opWebPage, Need: wire.None, Serve: byID(s.account.Page), Login: true},
		{Name: opWebConfirm, Need: wire.None, Serve: byID(s.account.Confirm), Login: true},
		{Name: opWebDone, Need: wire.None, Serve: byID(s.account.Done), Login: true},
		{Name: opTokens, Need: wire.None, Serve: s.listTokens},
		{Name: opTokenCreate, Need: wire.None, Serve: plain(s.account.Create)},
		{Name: opTokenRevoke, Need: wire.None, Serve: byID(s.account.Revoke)},
		{Name: opProfile, Need: wire.None, Serve: plain(s.account.Profile)},
		{Name: opProfileSet, Need: wire.None, Serve: plain(s.account.SetProfile)},
		{Name: opTags, Need: wire.Read, Serve: s.getTags},
		{Name: opTagSet, Need: wire.Write, Existing: true, Serve: s.setTag},
		{Name: opTagDelete, Need: wire.Write, Existing: true, Serve: s.deleteTag},
		{Name: opSearch, Need: wire.None, Serve: s.listing(s.search)},
		{Name: opAuditBulk, Need: wire.None, Serve: s.listing(plain(s.audit.Bulk))},
		{Name: opAuditQuick, Need: wire.None, Serve: s.listing(plain(s.audit.Quick))},
		{Name: opAdvisories, Need: wire.Admin, Serve: plain(s.audit.Get)},
		{Name: opAdvisoriesSet, Need: wire.Admin, Serve: plain(s.audit.Set)},
		{Name: opKeys, Need: wire.None, Serve: s.keys},
		{Name: opAttestations, Need: wire.Read, Serve: s.getAttestations},
		{Name: opVisibility, Need: wire.Read, Serve: s.visibility},
		{Name: opCollaborators, Need: wire.Read, Serve: s.collaborators},
		{Name: opAccess, Need: wire.Read, Serve: s.getAccess},
		{Name: opAccessSet, Need: wire.Write, Existing: true, Serve: s.setAccess},
		{Name: opOwnerAdd, Need: wire.Write, Existing: true, Serve: s.addOwner},
		{Name: opOwnerRemove, Need: wire.Write, Existing: true, Serve: s.removeOwner},
		{Name: opUserPackages, Need: wire.None, Serve: s.listing(s.userPackages)},
		{Name: opStar, Need: wire.Read, First: needWriter, Serve: s.putStar},
		{Name: opUnstar, Need: wire.Read, First: needWriter, Serve: s.putStar},
		{Name: opStarPing, Need: wire.None, Serve: s.starPing},
		{Name: opStarred, Need: wire.None, Serve: s.listing(s.starred)},
	}
}

// handler is what an operation does.
type handler = func(http.ResponseWriter, *http.Request, Request) error

// plain is an operation whose request line says nothing more.
func plain(f func(http.ResponseWriter, *http.Request) error) handler {
	return func(w http.ResponseWriter, r *http.Request, _ Request) error { return f(w, r) }
}

// byUser is an operation on a user.
func byUser(f func(http.ResponseWriter, *http.Request, string) error) handler {
	return func(w http.ResponseWriter, r *http.Request, q Request) error { return f(w, r, q.User) }
}

// byID is an operation on a login or a token.
func byID(f func(http.ResponseWriter, *http.Request, string) error) handler {
	return func(w http.ResponseWriter, r *http.Request, q Request) error { return f(w, r, q.ID) }
}

func (s *server) listTokens(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.account.List(w, r, q.From, q.Size)
}

// elsewhere reports whether an upstream may have what is not here.
func (s *server) elsewhere(err error) bool { return s.up != nil && errors.Is(err, store.ErrNotFound) }

// needWriter keeps out who has no login, or one that only reads, before the package is looked at.
func needWriter(ctx context.Context) error {
	_, err := account.Writer(ctx)
	return err
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typePackage, q.Name }

// url is the registry's URL as the client of r knows it, without a final slash.
func (s *server) url(r *http.Request) string { return s.base.URL(r) + s.path }

// root answers what old tools ask to see whether this is a registry.
func (s *server) root(w http.ResponseWriter, r *http.Request, _ Request) error {
	stats, err := s.store.Stats(r.Context())
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"db_name": "registry", "doc_count": stats.Kinds[store.NPM].Packages, "update_seq": stats.Journal})
}

// ping is an object, because npm counts its keys.
func (s *server) ping(w http.ResponseWriter, _ *http.Request, _ Request) error {
	return wire.JSON(w, http.StatusOK, struct{}{})
}

// typeShort is the media type of the abbreviated document.
const typeShort = "application/vnd.npm.install-v1+json"

// getPackument answers with the whole document, or the abbreviated one to who asks for its type. Nothing is a 406.
func (s *server) getPackument(w http.ResponseWriter, r *http.Request, q Request) error {
	form := formFull
	if strings.Contains(r.Header.Get("Accept"), typeShort) {
		form = formShort
	}
	var doc *store.Document
	err := store.ErrNotFound
	if s.up.Ours(r.Context(), q.Name) {
		doc, err = s.document(r, q.Name, form)
	}
	if s.elsewhere(err) {
		doc, err = s.proxied(w, r, q.Name, form)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	return wire.ServeDocument(w, r, doc, revalidate(r))
}

// The forms of documents; a version's own is the form and its number.
const (
	formFull    = "full"
	formShort   = "short"
	formVersion = "version "
)

// document returns a document from memory, rendered when the package has changed.
func (s *server) document(r *http.Request, name, form string) (*store.Document, error) {
	base := s.url(r)
	key := store.DocKey{Kind: store.NPM, Package: name, Base: base, Format: form}
	return s.store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		return s.render(ctx, name, base, form)
	})
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

// render reads a package's records and makes a document of them.
func (s *server) render(ctx context.Context, name, base, form string) (store.Rendered, error) {
	if version, ok := strings.CutPrefix(form, formVersion); ok {
		return s.renderVersion(ctx, name, base, version)
	}
	p, latest, err := s.read(ctx, name)
	if err != nil {
		return store.Rendered{}, err
	}
	full := form == formFull
	if err := s.fill(ctx, p.Fragments, full); err != nil {
		return store.Rendered{}, err
	}
	if !full {
		return store.Rendered{Body: p.short(base), Type: typeShort}, nil
	}
	if err := s.hoist(ctx, p, latest); err != nil {
		return store.Rendered{}, err
	}
	return store.Rendered{Body: p.full(base), Type: "application/json"}, nil
}

// read collects what a document shows, from one snapshot. ErrNotFound also for a package whose last version is gone.
func (s *server) read(ctx context.Context, name string) (p *packument, latest Meta, err error) {
	p = &packument{Name: name}
	err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err != nil {
			return err
		}
		if pkg.Versions == 0 {
			return problem.Errorf(store.ErrNotFound, "%s has no versions", name)
		}
		p.Rev, p.Created, p.Modified, p.Owners = revOf(pkg), pkg.Created, pkg.Updated, pkg.Owners
		p.Fragments = make([]fragment, 0, pkg.Versions)
		for k, v := range tx.Index(indexFragments).Scan(nil, nil) {
			f, err := decodeFragment(k, v)
			if err != nil {
				return err
			}
			p.Fragments = append(p.Fragments, f)
		}
		for user := range tx.Index(indexStars).Scan(nil, nil) {
			p.Stars = append(p.Stars, string(user))
		}
		for t, err := range tx.Tags("") {
			if err != nil {
				return err
			}
			p.Tags = append(p.Tags, t)
		}
		latest, err = latestMeta(tx)
		return err
	})
	return p, latest, err
}

func latestMeta(tx *store.PackageTx[Meta]) (Meta, error) {
	t, err := tx.Tag("latest")
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return Meta{}, err
	}
	v, err := tx.Version(t.Version)
	return v.Meta, err
}

// fill reads the manifests that are too large for a record; most packages have none.
func (s *server) fill(ctx context.Context, list []fragment, full bool) error {
	for i := range list {
		f := &list[i]
		members, blob := &f.Short, f.ShortBlob
		if full {
			members, blob = &f.Full, f.FullBlob
		}
		if blob == "" {
			continue
		}
		raw, err := s.store.ReadBlob(ctx, blob, putdoc.MaxManifest*2)
		if err != nil {
			return fmt.Errorf("manifest of %s: %w", f.ID, err)
		}
		*members = inner(raw)
	}
	return nil
}

// hoist reads what the full document repeats from the latest version.
func (s *server) hoist(ctx context.Context, p *packument, latest Meta) error {
	manifest, err := s.part(ctx, latest.Manifest)
	if err != nil || manifest == nil {
		return err
	}
	if p.Latest, err = rawjson.Parse(manifest); err != nil {
		return err
	}
	readme, err := s.part(ctx, latest.Readme)
	p.Readme, p.ReadmeName = rawjson.TextOf(readme), latest.ReadmeName
	return err
}

// part reads JSON from where it is kept; nil when there is none.
func (s *server) part(ctx context.Context, p part) ([]byte, error) {
	if p.Blob == "" {
		return p.JSON, nil
	}
	return s.store.ReadBlob(ctx, p.Blob, putdoc.MaxManifest*2)
}

// revOf is a package's revision. It changes with every write; clients send it back to say what they have read.
func revOf(p store.Package) string {
	n := strconv.FormatUint(p.Gen, 10)
	sum := sha256.Sum256([]byte(p.Name + "\x00" + n))
	return n + "-" + hex.EncodeToString(sum[:16])
}

// getVersion answers with one manifest, by version or dist-tag.
func (s *server) getVersion(w http.ResponseWriter, r *http.Request, q Request) error {
	doc, err := s.document(r, q.Name, formVersion+q.Version)
	if s.elsewhere(err) {
		doc, err = s.proxied(w, r, q.Name, formVersion+q.Version)
	}
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, revalidate(r))
}

func (s *server) renderVersion(ctx context.Context, name, base, version string) (store.Rendered, error) {
	v, err := s.version(ctx, name, version)
	if err != nil {
		return store.Rendered{}, err
	}
	list := []fragment{fragmentOf(v)}
	if err := s.fill(ctx, list, true); err != nil {
		return store.Rendered{}, err
	}
	body := append(list[0].append(nil, base, name, true), '\n')
	return store.Rendered{Body: body, Type: "application/json"}, nil
}

// version finds a version by its number or a dist-tag; ErrNotFound.
func (s *server) version(ctx context.Context, name, version string) (v store.Version[Meta], err error) {
	err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		if _, ok := naming.ParseVersion(version); !ok {
			t, err := tx.Tag(version)
			if err != nil {
				return err
			}
			version = t.Version
		}
		v, err = tx.Version(version)
		return err
	})
	return v, err
}

// getTarball sends the bytes that were published, never encoded.
func (s *server) getTarball(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	var file store.File
	err := s.repo.View(ctx, q.Name, func(tx *store.PackageTx[Meta]) (err error) {
		_, file, err = tx.File(q.File)
		return err
	})
	if s.elsewhere(err) {
		return s.proxiedTarball(w, r, q)
	}
	if err != nil {
		return err
	}
	head := wire.BlobHead{Digest: file.Digest, Size: file.Size, CacheControl: forever(r)}
	if file.Size <= smallBlob {
		body, err := s.store.ReadBlob(ctx, file.Digest, smallBlob)
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

// getAttestations answers with the provenance that came with a publish.
func (s *server) getAttestations(w http.ResponseWriter, r *http.Request, q Request) error {
	v, err := s.version(r.Context(), q.Name, q.Version)
	if s.elsewhere(err) {
		return s.proxiedAttestations(w, r, q)
	}
	if err != nil {
		return err
	}
	raw, err := s.part(r.Context(), v.Meta.Attestations)
	if err != nil {
		return err
	}
	if raw == nil {
		return problem.Errorf(store.ErrNotFound, "%s@%s has no attestations", q.Name, v.ID)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", revalidate(r))
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, err = w.Write(raw)
	return err
}
