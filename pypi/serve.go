package pypi

// Reading: project pages, files, and their metadata, signatures and attestations.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/pypi/simple"
	"larder/store"
)

// redirectPage leads to the one spelling of a page's address.
func (s *server) redirectPage(w http.ResponseWriter, r *http.Request, q Request) error {
	return redirect(w, pageLocation(q, strings.HasSuffix(r.URL.Path, "/")))
}

// redirectJSON leads to the one spelling of the address of a document of the JSON API.
func (s *server) redirectJSON(w http.ResponseWriter, r *http.Request, q Request) error {
	return redirect(w, jsonLocation(q, strings.HasSuffix(r.URL.Path, "/")))
}

// redirect leads to a relative location: it holds behind any proxy.
func redirect(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

// linksFor says how a page that was asked for at a place of the API gets to files. Absolute addresses are faster for
// installers to read, but only right when it is known how the server is reached.
func (s *server) linksFor(r *http.Request, index int) simple.Links {
	rest, inside := strings.CutPrefix(indexes[index], root)
	l := simple.Links{Files: strings.Repeat("../", strings.Count(rest, "/")+1)}
	switch public := s.base.Public(); {
	case public != "":
		l.Files = public + s.Path() + "/"
	case !inside:
		l.Files += s.Path()[1:] + "/"
	}
	l.Files, l.Packages = l.Files+"files", l.Files+"packages"
	if !s.opt.Provenance {
		return l
	}
	if origin := s.base.URL(r); strings.HasPrefix(origin, "https://") {
		l.Integrity = origin + s.Path()
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
	if s.tryUpstream(err) {
		return s.proxiedPage(w, r, q, mediaType)
	}
	if err != nil {
		return err
	}
	l := s.linksFor(r, q.Index)
	key := store.DocKey{Kind: store.PyPI, Package: q.Name, Base: l.Key(), Format: mediaType}
	doc, err := s.Store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		p, err := s.page(ctx, q.Name)
		if err != nil {
			return store.Rendered{}, err
		}
		return renderPage(p, l, mediaType), nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("X-PyPI-Last-Serial", strconv.FormatUint(h.Serial, 10))
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// renderPage is a page in one of its forms.
func renderPage(p *simple.Page, l simple.Links, mediaType string) store.Rendered {
	if mediaType == simple.JSON {
		return store.Rendered{Body: p.JSON(l), Type: mediaType}
	}
	return store.Rendered{Body: p.HTML(l, mediaType), Type: mediaType}
}

// head is what is asked of a project at every request.
type head struct {
	Serial uint64
	Status simple.Status
}

// head reads a project's head, from memory unless it changed. ErrNotFound also for one without releases.
func (s *server) head(ctx context.Context, name string) (head, error) {
	return s.heads.Find(name, struct{}{}, func() (h head, err error) {
		err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) (err error) {
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
	err := s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		h, err := headOf(tx)
		if err != nil {
			return err
		}
		p.Serial, p.Status = h.Serial, h.Status
		if h.Status.Quarantined() {
			return nil
		}
		p.Versions, p.Rows, err = contentOf(tx)
		return err
	})
	return p, err
}

// contentOf reads all versions of a project and the rows of all its files.
func contentOf(tx *store.PackageTx[Meta]) (versions []string, rows []simple.Row, err error) {
	if versions, err = versionsOf(tx); err == nil {
		rows, err = rowsOf(tx, nil)
	}
	return versions, rows, err
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

// servable is what a request for a file needs of its record.
type servable struct {
	File         store.Blob
	Metadata     store.Blob // of wheels only: no page offers another
	Signature    store.Blob
	Attestations digest.Digest
	Status       simple.Status
	Version      string
}

// servable finds a file by its name, from memory unless the project changed. ErrNotFound, or errGone for one that was
// deleted.
func (s *server) servable(ctx context.Context, name, file string) (servable, error) {
	return s.files.Find(name, file, func() (f servable, err error) {
		err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
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
	f := servable{
		File: store.Blob{Digest: a.Digest, Size: a.Size}, Signature: blobOf(&v, a.Signature),
		Attestations: a.Attestations, Status: st, Version: version,
	}
	if a.Kind == pydist.Wheel {
		f.Metadata = blobOf(&v, a.Metadata)
	}
	return f, err
}

// blobOf is a blob of a release with its size; the zero value without a digest.
func blobOf(v *store.Version[Meta], d digest.Digest) store.Blob {
	for _, f := range v.Files {
		if f.Digest == d {
			return store.Blob{Digest: d, Size: f.Size}
		}
	}
	return store.Blob{}
}

// getFile sends the bytes that were uploaded, never encoded.
func (s *server) getFile(w http.ResponseWriter, r *http.Request, q Request) error {
	wire.Pulling(r.Context(), q.Name, releaseOfFile(q))
	return s.sendFile(w, r, q, func(f *servable) store.Blob { return f.File }, s.proxiedFile)
}

// getMetadata sends the METADATA of a wheel.
func (s *server) getMetadata(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.sendFile(w, r, q, func(f *servable) store.Blob { return f.Metadata }, s.proxiedMetadata)
}

// getSignature sends the signature of a file. Those of upstreams' files are not kept.
func (s *server) getSignature(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.sendFile(w, r, q, func(f *servable) store.Blob { return f.Signature }, nil)
}

// sendFile sends a blob of the request's file, or what proxied has when the file is not here. The right was asked for
// the project whose file it is by its name; the hash in the path is no right by itself.
func (s *server) sendFile(
	w http.ResponseWriter, r *http.Request, q Request, blob func(*servable) store.Blob, proxied wire.Serve[Request],
) error {
	f, err := s.servable(r.Context(), q.Name, q.File)
	switch {
	case proxied != nil && s.tryUpstream(err):
		return proxied(w, r, q)
	case err != nil:
		return err
	case q.SHA != "" && f.File.Digest.Encoded() != q.SHA:
		return problem.Errorf(store.ErrNotFound, "the file has another hash")
	case f.Status.Quarantined():
		return quarantined(q.Name, f.Status)
	}
	b := blob(&f)
	if b.Digest == "" {
		return problem.Errorf(store.ErrNotFound, "the file has nothing of that kind")
	}
	return s.SendBlob(w, r, b, wire.BlobHead{CacheControl: registry.Immutable(r)})
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
	raw, err := s.Store.ReadBlob(r.Context(), f.Attestations, maxDocument)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", typeIntegrity)
	if ranges["application/json"] > ranges[typeIntegrity] {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Cache-Control", registry.Revalidate(r))
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	_, err = w.Write(raw)
	return err
}
