package pypi

// The index itself, and reading: project pages, files and what stands beside them.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/trust"
	"larder/internal/wire"
	"larder/pypi/simple"
	"larder/store"
	"larder/upstream"
)

// Options change what the index accepts. The zero value is right for most sites.
type Options struct {
	// MaxFile is the largest distribution in bytes; 0 means 4 GiB.
	MaxFile int64
	// Strict refuses what is otherwise a warning: file names of old tools, sizes behind an entry's data, a RECORD that is
	// not the archive's, a form that differs from the file's metadata.
	Strict bool
	// CloseReleases, if not 0, is how long after its first file a release takes others, so that a stolen token cannot add
	// a wheel to what people have installed for years.
	CloseReleases time.Duration
	// Provenance puts links to attestations into pages, although only their structure was checked.
	Provenance bool
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxFile = cmp.Or(o.MaxFile, 4<<30)
	return o
}

// smallBlob is the size up to which files are served from memory.
const smallBlob = 64 << 10

type server struct {
	repo  *store.Repo[Meta]
	store *store.Store
	auth  auth.Provider
	base  *wire.Base
	path  string // where clients find the index; /simple at the host's root stays what it is
	trust *trust.Publishers
	log   *slog.Logger
	opt   Options
	heads *store.Memo[struct{}, head]
	files *store.Memo[string, servable]
	all   *projects
	up    *upstream.Set // nil without upstreams
}

// New returns the index's end points.
func New(d wire.Deps, o Options, t *trust.Publishers) wire.Protocol {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := newServer(d, o)
	s.trust = t
	e := wire.Endpoint[Request]{Kind: store.PyPI, Parse: parse, Routes: s.operations(), Target: target, Fail: fail}
	return wire.Protocol{Name: "pypi", Prefixes: []string{root, rootSimple, rootRPC, rootOIDC, rootDiscover}, Handler: e.Handler(d)}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{repo: store.NewRepo[Meta](d.Store, store.PyPI), store: d.Store, auth: d.Auth, base: d.Base, path: cmp.Or(d.Path, root), log: d.Log, opt: o.WithDefaults()}
	s.heads, s.files = store.NewMemo[struct{}, head](d.Store, store.PyPI), store.NewMemo[string, servable](d.Store, store.PyPI)
	s.all = newProjects(s)
	s.remote(d.Upstreams)
	return s
}

// operations is the table of everything the index does; doc.go shows it with methods and paths.
func (s *server) operations() []wire.Route[Request] {
	return []wire.Route[Request]{
		{Op: opSimple, Need: wire.Open, Serve: s.getAll},
		{Op: opProject, Need: wire.Read, Serve: s.getProject},
		{Op: opRedirect, Need: wire.Open, Serve: s.redirect},
		{Op: opFile, Need: wire.Read, Serve: s.getFile},
		{Op: opMetadata, Need: wire.Read, Serve: s.getFile},
		{Op: opSignature, Need: wire.Read, Serve: s.getFile},
		{Op: opProvenance, Need: wire.Read, Serve: s.getProvenance},
		{Op: opUpload, Need: wire.Open, Serve: s.upload},
		{Op: opPost, Need: wire.Open, Serve: s.post},
		{Op: opRPC, Need: wire.Open, Serve: s.rpc},
		{Op: opJSON, Need: wire.Read, Serve: s.getJSON},
		{Op: opVersionJSON, Need: wire.Read, Serve: s.getJSON},
		{Op: opAudience, Need: wire.Open, Serve: s.audience},
		{Op: opMint, Need: wire.Login | wire.Expired, Serve: s.mint},
		{Op: opDiscover, Need: wire.Open, Serve: s.discover},
		{Op: opYank, Need: wire.Write, Serve: s.yank},
		{Op: opUnyank, Need: wire.Write, Serve: s.yank},
		{Op: opDeleteFile, Need: wire.Delete, Serve: s.deleteFile},
		{Op: opDeleteVersion, Need: wire.Delete, Serve: s.deleteVersion},
		{Op: opDelete, Need: wire.Delete, Serve: s.deleteProject},
		{Op: opStatus, Need: wire.Write, Serve: s.setStatus},
		{Op: opForget, Need: wire.Admin, Serve: s.forget},
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typePackage, q.Name }

// may reports whether the identity may do more to a project than the operation needed.
func (s *server) may(ctx context.Context, a auth.Action, name string) error {
	return s.auth.Authorize(ctx, wire.IdentityFrom(ctx), auth.Access{Kind: store.PyPI, Type: typePackage, Name: name, Action: a})
}

// redirect leads to the one spelling of an address. The location is relative: it holds behind any proxy.
func (s *server) redirect(w http.ResponseWriter, _ *http.Request, q Request) error {
	w.Header().Set("Location", q.To)
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

// post tells the two things that are sent to the index's own address apart.
func (s *server) post(w http.ResponseWriter, r *http.Request, q Request) error {
	if t := r.Header.Get("Content-Type"); strings.HasPrefix(t, "text/xml") || strings.HasPrefix(t, "application/xml") {
		return s.rpc(w, r, q)
	}
	return s.upload(w, r, q)
}

// negotiate is choose for a request; ErrNotAcceptable.
func negotiate(w http.ResponseWriter, r *http.Request, format string) (string, error) {
	w.Header().Set("Vary", "Accept")
	t := simple.Choose(format, r.Header["Accept"])
	if t == "" {
		return "", problem.Errorf(problem.ErrNotAcceptable, "This address answers with %s, %s or text/html.", simple.JSON, simple.V1)
	}
	return t, nil
}

// linksFor says how a page that was asked for under an alias gets to files. Absolute addresses are faster for installers
// to read, but only right when it is known how the server is reached.
func (s *server) linksFor(r *http.Request, alias int) simple.Links {
	rest, inside := strings.CutPrefix(aliases[alias], root)
	l := simple.Links{Files: strings.Repeat("../", strings.Count(rest, "/")+1)}
	switch public := s.base.Public(); {
	case public != "":
		l.Files = public + s.path + "/files"
	case inside:
		l.Files += "files"
	default:
		l.Files += s.path[1:] + "/files"
	}
	if !s.opt.Provenance {
		return l
	}
	if origin := s.base.URL(r); strings.HasPrefix(origin, "https://") {
		l.Integrity = origin + s.path
	}
	return l
}

// getProject answers with a project's page, in the form the client wants.
func (s *server) getProject(w http.ResponseWriter, r *http.Request, q Request) error {
	mediaType, err := negotiate(w, r, q.Format)
	if err != nil {
		return err
	}
	h, err := s.head(r.Context(), q.Name)
	if s.elsewhere(err) {
		return s.proxiedPage(w, r, q, mediaType)
	}
	if err != nil {
		return err
	}
	l := s.linksFor(r, q.Alias)
	key := store.DocKey{Kind: store.PyPI, Package: q.Name, Base: l.Key(), Format: mediaType}
	doc, err := s.store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		p, err := s.page(ctx, q.Name)
		if err != nil {
			return store.Rendered{}, err
		}
		if mediaType == simple.JSON {
			return store.Rendered{Body: p.JSON(l), Type: mediaType}, nil
		}
		return store.Rendered{Body: p.HTML(l, mediaType), Type: mediaType}, nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("X-PyPI-Last-Serial", strconv.FormatUint(h.Serial, 10))
	return wire.ServeDocument(w, r, doc, revalidate(r))
}

// head is what is asked of a project at every request.
type head struct {
	Serial uint64
	Status simple.Status
}

// head reads a project's head, from memory unless it changed. ErrNotFound also for one without releases.
func (s *server) head(ctx context.Context, name string) (head, error) {
	return s.heads.Get(name, struct{}{}, func() (h head, err error) {
		err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) (err error) {
			h, err = headOf(tx)
			return err
		})
		return h, err
	})
}

func headOf(tx *store.PackageTx[Meta]) (h head, err error) {
	pkg, err := tx.Package()
	if err != nil {
		return h, err
	}
	if pkg.Versions == 0 {
		return h, problem.Errorf(store.ErrNotFound, "%s has no releases", tx.Name())
	}
	h.Serial = number(tx.Index(indexProject).Get([]byte(keySerial)))
	h.Status, err = statusOf(tx)
	return h, err
}

// page collects what a project's page shows, from one snapshot.
func (s *server) page(ctx context.Context, name string) (*simple.Page, error) {
	p := &simple.Page{Name: name}
	err := s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		h, err := headOf(tx)
		if err != nil {
			return err
		}
		p.Serial, p.Status = h.Serial, h.Status
		if h.Status.Quarantined() {
			return nil
		}
		if p.Versions, err = versionsOf(tx); err != nil {
			return err
		}
		p.Rows, err = rowsOf(tx, nil)
		return err
	})
	return p, err
}

func versionsOf(tx *store.PackageTx[Meta]) (out []string, err error) {
	for _, value := range tx.Index(indexReleases).Scan(nil, nil) {
		rel, err := decodeRelease(value)
		if err != nil {
			return nil, err
		}
		out = append(out, rel.ID)
	}
	return out, nil
}

// rowsOf are the files whose key begins with prefix: those of one release, or all.
func rowsOf(tx *store.PackageTx[Meta], prefix []byte) (out []simple.Row, err error) {
	for _, value := range tx.Index(indexFiles).Scan(prefix, nil) {
		r, err := simple.DecodeRow(value)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// revalidate has clients ask each time: an upload is visible at once, and asking costs a 304. A longer life would hide a
// fresh release from pip 26.2 and uv.
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

// servable is what a request for a file needs of its record.
type servable struct {
	Digest, Metadata, Signature, Attestations digest.Digest // Metadata of wheels only: no page offers another
	Status                                    simple.Status
	Version                                   string
}

// servable finds a file by its name, from memory unless the project changed. ErrNotFound, or errGone for one that was deleted.
func (s *server) servable(ctx context.Context, name, file string) (servable, error) {
	return s.files.Get(name, file, func() (f servable, err error) {
		err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
			f, err = servableOf(tx, file)
			return err
		})
		return f, err
	})
}

// servableOf reads what is needed to serve a file.
func servableOf(tx *store.PackageTx[Meta], file string) (servable, error) {
	version, _, err := tx.File(file)
	if errors.Is(err, store.ErrNotFound) && tx.KindIndex(tableGone).Get(goneKey(tx.Name(), file)) != nil {
		return servable{}, fmt.Errorf("file %.200q: %w: %w", file, errGone, store.ErrNotFound)
	}
	if err != nil {
		return servable{}, err
	}
	v, err := tx.Version(version)
	if err != nil {
		return servable{}, err
	}
	a := v.Meta.find(file)
	if a == nil {
		return servable{}, fmt.Errorf("release %s lost file %s: %w", version, file, store.ErrNotFound)
	}
	st, err := statusOf(tx)
	f := servable{Digest: a.Digest, Signature: a.Signature, Attestations: a.Attestations, Status: st, Version: version}
	if a.Kind == pydist.Wheel {
		f.Metadata = a.Metadata
	}
	return f, err
}

// getFile sends the bytes that were uploaded, or what stands beside them, never encoded. The right was judged for the
// project whose file it is by its name; the hash in the path is no right by itself.
func (s *server) getFile(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.servable(r.Context(), q.Name, q.File)
	if s.elsewhere(err) {
		return s.proxiedFile(w, r, q)
	}
	if err != nil {
		return err
	}
	switch {
	case f.Digest.Encoded() != q.SHA:
		return problem.Errorf(store.ErrNotFound, "the file has another hash")
	case f.Status.Quarantined():
		return quarantined(q.Name, f.Status)
	}
	d := f.Digest
	switch q.Op {
	case opMetadata:
		d = f.Metadata
	case opSignature:
		d = f.Signature
	}
	if d == "" {
		return problem.Errorf(store.ErrNotFound, "nothing of that kind stands beside the file")
	}
	return s.serveBlob(w, r, d)
}

// serveBlob sends an immutable blob.
func (s *server) serveBlob(w http.ResponseWriter, r *http.Request, d digest.Digest) error {
	b, err := s.store.StatBlob(r.Context(), d)
	if err != nil {
		return err
	}
	head := wire.BlobHead{Digest: d, Size: b.Size, CacheControl: forever(r)}
	if b.Size <= smallBlob {
		body, err := s.store.BlobBytes(r.Context(), b)
		if err != nil {
			return err
		}
		return wire.ServeBytes(w, r, body, head)
	}
	f, _, err := s.store.OpenBlob(r.Context(), d)
	if err != nil {
		return err
	}
	defer f.Close()
	return wire.ServeBlob(w, r, f, head)
}

func quarantined(name string, st simple.Status) error {
	text := "The project " + name + " is quarantined"
	if st.Reason != "" {
		text += ": " + st.Reason
	}
	return problem.Errorf(store.ErrDenied, "%s.", strings.TrimSuffix(text, "."))
}

// typeIntegrity is the media type of provenance objects.
const typeIntegrity = "application/vnd.pypi.integrity.v1+json"

// getProvenance answers with the attestations of a file.
func (s *server) getProvenance(w http.ResponseWriter, r *http.Request, q Request) error {
	ranges := wire.ParseAccept(r.Header["Accept"])
	if weight, _ := ranges.Weight(typeIntegrity, "application/json"); weight == 0 && len(ranges) > 0 {
		return problem.Errorf(problem.ErrNotAcceptable, "This address answers with %s.", typeIntegrity)
	}
	f, err := s.servable(r.Context(), q.Name, q.File)
	switch {
	case err != nil:
		return err
	case f.Status.Quarantined():
		return quarantined(q.Name, f.Status)
	case f.Attestations == "" || !pep440.Equal(f.Version, q.Version):
		return problem.Errorf(store.ErrNotFound, "the file has no attestations")
	}
	raw, err := s.store.ReadBlob(r.Context(), f.Attestations, maxDocument)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", typeIntegrity)
	if ranges["application/json"] > ranges[typeIntegrity] {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Cache-Control", revalidate(r))
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	_, err = w.Write(raw)
	return err
}

// absolute is the index's URL as the client of r knows it, without a final slash.
func (s *server) absolute(r *http.Request) string { return s.base.URL(r) + s.path }
