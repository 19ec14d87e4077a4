package cargo

// The registry itself, and reading: config.json, the index, crates, their documents.

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// AuthRequired answers nobody without credentials, whatever anonymous may do elsewhere. Without it only what is below
	// /private is closed: cargo sends its token to an index that asks for it and to no other, so crates that not everybody
	// may read are found by way of a closed one alone.
	AuthRequired bool
	// MaxCrate is the largest crate in bytes, 0 means 10 MiB; MaxUnpacked what it may unpack to, 0 means 512 MiB. Cargo
	// unpacks up to twenty times a crate's size, so that much is accepted always.
	MaxCrate, MaxUnpacked int64
	// MaxFeatures is how many features a crate has, and how many others one of them switches on; 0 means 300.
	MaxFeatures int
	// MaxDependencies is how many dependencies a crate has; 0 means 500.
	MaxDependencies int
	// RequireMetadata refuses crates without a description and a license.
	RequireMetadata bool
	// Notice is a sentence every publisher reads.
	Notice string
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxCrate = cmp.Or(o.MaxCrate, 10<<20)
	o.MaxUnpacked = cmp.Or(o.MaxUnpacked, 512<<20)
	o.MaxFeatures = cmp.Or(o.MaxFeatures, 300)
	o.MaxDependencies = cmp.Or(o.MaxDependencies, 500)
	return o
}

// smallBlob is the size up to which a crate is served from memory.
const smallBlob = 64 << 10

const (
	typeArchive = "application/gzip"
	typeReadme  = "text/markdown"
)

type server struct {
	repo     *store.Repo[Meta]
	store    *store.Store
	auth     auth.Provider
	accounts accounts // nil when users and tokens are kept elsewhere
	base     *wire.Base
	path     string // where clients find the registry; it is part of the addresses in config.json
	log      *slog.Logger
	opt      Options
	crates   *store.Memo[string, published] // by version, without build metadata
	up       *upstream.Set                  // nil without upstreams
}

// New returns the registry's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := newServer(d, o)
	e := wire.Endpoint[Request]{Kind: store.Cargo, Parse: parse, Routes: s.operations(), Target: target, Fail: s.fail}
	return wire.Protocol{Name: "cargo", Prefixes: []string{root}, Handler: e.Handler(d)}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{
		repo: store.NewRepo[Meta](d.Store, store.Cargo), store: d.Store, auth: d.Auth, base: d.Base, path: cmp.Or(d.Path, root), log: d.Log, opt: o.WithDefaults(),
		crates: store.NewMemo[string, published](d.Store, store.Cargo),
	}
	s.accounts, _ = d.Auth.(accounts)
	s.remote(d.Upstreams)
	return s
}

// operations is the table of everything the registry does; doc.go shows it with methods and paths.
func (s *server) operations() []wire.Route[Request] {
	return []wire.Route[Request]{
		{Op: opConfig, Need: wire.Read, Serve: s.known(s.config)},
		{Op: opIndex, Need: wire.Read, Serve: s.known(s.getIndex)},
		{Op: opDownload, Need: wire.Read, Serve: s.known(s.download)},
		{Op: opPublish, Need: wire.Open, Serve: s.publish},
		{Op: opYank, Need: wire.Write | wire.Existing, Serve: s.yank},
		{Op: opUnyank, Need: wire.Write | wire.Existing, Serve: s.yank},
		{Op: opOwners, Need: wire.Read, Serve: s.known(s.owners)},
		{Op: opOwnersAdd, Need: wire.Write | wire.Existing, Serve: s.changeOwners},
		{Op: opOwnersRemove, Need: wire.Write | wire.Existing, Serve: s.changeOwners},
		{Op: opSearch, Need: wire.Open, Serve: s.known(s.search)},
		{Op: opMe, Need: wire.Open, Serve: s.me},
		{Op: opMeLogin, Need: wire.Login | wire.Expired, Serve: s.meLogin},
		{Op: opCrate, Need: wire.Read, Serve: s.known(s.getCrate)},
		{Op: opCrateSet, Need: wire.Write | wire.Existing, Serve: s.setCrate},
		{Op: opCrateDelete, Need: wire.Delete | wire.Existing, Serve: s.deleteCrate},
		{Op: opVersions, Need: wire.Read, Serve: s.known(s.getCrate)},
		{Op: opDependents, Need: wire.Read, Serve: s.known(s.dependents)},
		{Op: opDownloads, Need: wire.Read, Serve: s.known(s.downloads)},
		{Op: opVersion, Need: wire.Read, Serve: s.known(s.getVersion)},
		{Op: opVersionSet, Need: wire.Write | wire.Existing, Serve: s.setVersion},
		{Op: opVersionDelete, Need: wire.Delete | wire.Existing, Serve: s.deleteVersion},
		{Op: opReadme, Need: wire.Read, Serve: s.known(s.readme)},
		{Op: opDependencies, Need: wire.Read, Serve: s.known(s.dependencies)},
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typeCrate, key(q.Name) }

// known keeps anonymous out of what is closed, with the 401 that makes cargo send its token.
func (s *server) known(serve func(http.ResponseWriter, *http.Request, Request) error) func(http.ResponseWriter, *http.Request, Request) error {
	return func(w http.ResponseWriter, r *http.Request, q Request) error {
		if s.closed(q) && wire.IdentityFrom(r.Context()).Anonymous {
			return needLogin()
		}
		return serve(w, r, q)
	}
}

func (s *server) closed(q Request) bool { return q.Closed || s.opt.AuthRequired }

// url is the registry's URL as the client of r knows it, without a final slash.
func (s *server) url(r *http.Request) string { return s.base.URL(r) + s.path }

// config answers what cargo reads first. Cargo sends its token to whatever host this names: only ever our own.
func (s *server) config(w http.ResponseWriter, r *http.Request, q Request) error {
	at := s.url(r)
	c := struct {
		DL           string `json:"dl"`
		API          string `json:"api"`
		AuthRequired bool   `json:"auth-required,omitempty"`
	}{API: at, AuthRequired: s.closed(q)}
	if q.Closed {
		at += "/private"
	}
	c.DL = at + "/dl/{sha256-checksum}/{crate}-{version}.crate"
	if !c.AuthRequired {
		anyone := auth.Access{Kind: store.Cargo, Type: typeCrate, Action: auth.Read}
		err := s.auth.Authorize(r.Context(), auth.Anonymous(), anyone)
		if err != nil && !isOneOf(err, auth.ErrNoCredentials, auth.ErrHidden) {
			return err
		}
		c.AuthRequired = err != nil
	}
	w.Header().Set("Cache-Control", revalidate(r))
	return wire.JSON(w, http.StatusOK, c)
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

// The forms of documents; a version's own is the form and its number.
const (
	formIndex   = "index"
	formCrate   = "crate"
	formVersion = "version "
)

// document returns a document from memory, rendered when the crate has changed. None holds an absolute URL.
func (s *server) document(ctx context.Context, name, form string, render func(ctx context.Context, name, form string) (store.Rendered, error)) (*store.Document, error) {
	k := store.DocKey{Kind: store.Cargo, Package: key(name), Format: form}
	return s.store.Document(ctx, k, func(ctx context.Context) (store.Rendered, error) { return render(ctx, k.Package, form) })
}

// getIndex answers with the lines of a crate.
func (s *server) getIndex(w http.ResponseWriter, r *http.Request, q Request) error {
	doc, err := s.document(r.Context(), q.Name, formIndex, s.renderIndex)
	if s.elsewhere(err) {
		return s.proxiedIndex(w, r, q.Name)
	}
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, revalidate(r))
}

func (s *server) renderIndex(ctx context.Context, name, _ string) (store.Rendered, error) {
	rows, err := s.rows(ctx, name)
	if err != nil {
		return store.Rendered{}, err
	}
	size := 0
	for i := range rows {
		size += len(rows[i].Head) + len(rows[i].Tail) + len("false\n")
	}
	out := make([]byte, 0, size)
	for i := range rows {
		out = rows[i].appendLine(out)
	}
	return store.Rendered{Body: out, Type: "text/plain; charset=utf-8"}, nil
}

// rows reads the lines of a crate in the order of publishing; ErrNotFound also for one whose last version is gone.
func (s *server) rows(ctx context.Context, name string) (rows []row, err error) {
	err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		rows, err = readRows(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, s.fill(ctx, rows)
}

func readRows(tx *store.PackageTx[Meta]) (rows []row, err error) {
	for k, v := range tx.Index(indexLines).Scan(nil, nil) {
		r, err := decodeRow(k, v)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, notFound("%s has no versions", tx.Name())
	}
	return rows, nil
}

// fill reads the heads that are too large for a row; most crates have none.
func (s *server) fill(ctx context.Context, rows []row) error {
	for i := range rows {
		r := &rows[i]
		if r.HeadBlob == "" {
			continue
		}
		raw, err := s.store.ReadBlob(ctx, r.HeadBlob, 8*maxUpload)
		if err != nil {
			return fmt.Errorf("line of %s: %w", r.ID, err)
		}
		r.Head = raw
	}
	return nil
}

// published is what a download needs to know of a version.
type published struct {
	version string
	blob    store.Blob
}

// published finds the crate of a version; ErrNotFound.
func (s *server) published(ctx context.Context, q Request) (p published, err error) {
	name, id := key(q.Name), versionID(q.Version)
	p, err = s.crates.Get(name, id, func() (p published, err error) {
		err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
			v, err := tx.Version(id)
			if err == nil && len(v.Files) > 0 {
				p = published{v.Meta.Version, store.Blob{Digest: v.Files[0].Digest, Size: v.Files[0].Size}}
			}
			return err
		})
		return p, err
	})
	switch {
	case err != nil:
		return p, err
	case p.version != q.Version:
		return p, notFound("%s has no version %s", q.Name, q.Version)
	case q.Digest != "" && q.Digest != p.blob.Digest.Encoded():
		// A digest is no right to read: it must be this very version's.
		return p, notFound("%s %s has another digest", q.Name, q.Version)
	}
	return p, nil
}

// download sends the bytes that were published, never encoded.
func (s *server) download(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	p, err := s.published(ctx, q)
	if s.elsewhere(err) {
		return s.proxiedCrate(w, r, q)
	}
	if err != nil {
		return err
	}
	head := wire.BlobHead{Digest: p.blob.Digest, Size: p.blob.Size, Type: typeArchive, CacheControl: forever(r)}
	if p.blob.Size <= smallBlob {
		body, err := s.store.BlobBytes(ctx, p.blob)
		if err != nil {
			return err
		}
		return wire.ServeBytes(w, r, body, head)
	}
	f, _, err := s.store.OpenBlob(ctx, p.blob.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	return wire.ServeBlob(w, r, f, head)
}

// version reads a version's record and line.
func (s *server) version(ctx context.Context, name, version string) (v store.Version[Meta], line decoded, err error) {
	var rows []row
	err = s.repo.View(ctx, key(name), func(tx *store.PackageTx[Meta]) error {
		if v, err = exact(tx, version); err != nil {
			return err
		}
		k := rowKey(v.Published, v.ID)
		r, err := decodeRow(k, tx.Index(indexLines).Get(k))
		rows = []row{r}
		return err
	})
	if err != nil {
		return v, line, err
	}
	if err := s.fill(ctx, rows); err != nil {
		return v, line, err
	}
	line, err = rows[0].decode()
	return v, line, err
}

// exact finds the version that is spelled so, build metadata included.
func exact(tx *store.PackageTx[Meta], version string) (store.Version[Meta], error) {
	v, err := tx.Version(versionID(version))
	if err == nil && v.Meta.Version != version {
		err = notFound("there is no version %s", version)
	}
	return v, err
}

// readme sends the text as it was published; whoever shows it formatted has to clean it.
func (s *server) readme(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	var text part
	err := s.repo.View(ctx, key(q.Name), func(tx *store.PackageTx[Meta]) error {
		v, err := exact(tx, q.Version)
		text = v.Meta.Readme
		return err
	})
	if err != nil {
		return err
	}
	raw := []byte(text.Text)
	if text.Blob != "" {
		if raw, err = s.store.ReadBlob(ctx, text.Blob, maxUpload); err != nil {
			return err
		}
	}
	if len(raw) == 0 {
		return notFound("%s %s has no readme", q.Name, q.Version)
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	return wire.ServeBytes(w, r, raw, wire.BlobHead{Digest: digest.FromBytes(raw), Type: typePlain, CacheControl: revalidate(r)})
}

const typePlain = "text/plain; charset=utf-8"
