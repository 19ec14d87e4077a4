package npm

// The registry itself, and reading: packuments, versions, tarballs, attestations.

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/npm/names"
	"larder/npm/putdoc"
	"larder/npm/version"
	"larder/store"
)

// root answers what old tools ask to see whether this is a registry.
func (s *server) root(w http.ResponseWriter, r *http.Request, _ Request) error {
	stats, err := s.Store.Stats(r.Context())
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]any{
		"db_name": "registry", "doc_count": stats.Kinds[store.NPM].Packages, "update_seq": stats.Journal,
	})
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
	if s.Up.Ours(r.Context(), q.Name) {
		doc, err = s.document(r, q.Name, form)
	}
	if s.TryUpstream(err) {
		doc, err = s.proxied(w, r, q.Name, form)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// The forms of documents; a version's own is the form and its number.
const (
	formFull    = "full"
	formShort   = "short"
	formVersion = "version "
)

// document returns a document from memory, rendered when the package has changed.
func (s *server) document(r *http.Request, name, form string) (*store.Document, error) {
	base := s.URL(r)
	key := store.DocKey{Kind: store.NPM, Package: name, Base: base, Format: form}
	return s.Store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		return s.render(ctx, name, base, form)
	})
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
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err != nil {
			return err
		}
		if pkg.Versions == 0 {
			return problem.Errorf(store.ErrNotFound, "%s has no versions", name)
		}
		p.Rev, p.Created, p.Modified, p.Owners = revOf(pkg), pkg.Created, pkg.Updated, pkg.Owners
		p.Fragments, err = registry.ReadRows(tx.Index(indexFragments).Scan(nil, nil), pkg.Versions, decodeFragment)
		if err != nil {
			return err
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
		raw, err := s.Store.ReadBlob(ctx, blob, putdoc.MaxManifest*2)
		if err != nil {
			return fmt.Errorf("manifest of %s: %w", f.ID, err)
		}
		*members = inner(raw)
	}
	return nil
}

// hoist reads what the full document repeats from the latest version.
func (s *server) hoist(ctx context.Context, p *packument, latest Meta) error {
	manifest, err := s.ReadPart(ctx, latest.Manifest, putdoc.MaxManifest*2)
	if err != nil || manifest == nil {
		return err
	}
	if p.Latest, err = rawjson.Parse(manifest); err != nil {
		return err
	}
	readme, err := s.ReadPart(ctx, latest.Readme, putdoc.MaxManifest*2)
	p.Readme, p.ReadmeName = rawjson.TextOf(readme), latest.ReadmeName
	return err
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
	if s.TryUpstream(err) {
		doc, err = s.proxied(w, r, q.Name, formVersion+q.Version)
	}
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
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
func (s *server) version(ctx context.Context, name, asked string) (v store.Version[Meta], err error) {
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		if _, ok := version.Parse(asked); !ok {
			t, err := tx.Tag(asked)
			if err != nil {
				return err
			}
			asked = t.Version
		}
		v, err = tx.Version(asked)
		return err
	})
	return v, err
}

// getTarball sends the bytes that were published, never encoded.
func (s *server) getTarball(w http.ResponseWriter, r *http.Request, q Request) error {
	wire.Pulling(r.Context(), q.Name, cmp.Or(versionOf(q.Name, q.File), q.File))
	file, err := s.File(r.Context(), q.Name, q.File)
	if s.TryUpstream(err) {
		return s.proxiedTarball(w, r, q)
	}
	if err != nil {
		return err
	}
	b := store.Blob{Digest: file.Digest, Size: file.Size}
	return s.SendBlob(w, r, b, wire.BlobHead{CacheControl: registry.Immutable(r)})
}

// getTarballOf sends the tarball of a version, whatever the address calls its file.
func (s *server) getTarballOf(w http.ResponseWriter, r *http.Request, q Request) error {
	q.File = names.Tarball(q.Name, q.Version)
	return s.getTarball(w, r, q)
}

// getAttestations answers with the provenance that came with a publish.
func (s *server) getAttestations(w http.ResponseWriter, r *http.Request, q Request) error {
	v, err := s.version(r.Context(), q.Name, q.Version)
	if s.TryUpstream(err) {
		return s.proxiedAttestations(w, r, q)
	}
	if err != nil {
		return err
	}
	raw, err := s.ReadPart(r.Context(), v.Meta.Attestations, putdoc.MaxManifest*2)
	if err != nil {
		return err
	}
	if raw == nil {
		return problem.Errorf(store.ErrNotFound, "%s@%s has no attestations", q.Name, v.ID)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, err = w.Write(raw)
	return err
}
