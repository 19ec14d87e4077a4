package cargo

// This file serves what is read: config.json, the index, crates, their documents.

import (
	"context"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

const (
	typeArchive = "application/gzip"
	typeReadme  = "text/markdown"
)

// config answers what cargo reads first. Cargo sends its token to whatever host this names: only ever our own.
func (s *server) config(w http.ResponseWriter, r *http.Request, q Request) error {
	at := s.URL(r)
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
		err := s.Auth.Authorize(r.Context(), auth.Anonymous(), anyone)
		if err != nil && !registry.IsOneOf(err, auth.ErrNoCredentials, auth.ErrHidden) {
			return err
		}
		c.AuthRequired = err != nil
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, c)
}

// The forms of documents; a version's own is the form and its number.
const (
	formIndex    = "index"
	formCrate    = "crate"
	formVersions = "versions"
	formVersion  = "version "

	// of an upstream's crate
	formDependencies = "dependencies "
	formDownloads    = "downloads "
)

// document returns a document from memory, rendered when the crate has changed. None holds an absolute URL.
func (s *server) document(
	ctx context.Context, name, form string, render func(ctx context.Context, name, form string) (store.Rendered, error),
) (*store.Document, error) {
	k := store.DocKey{Kind: store.Cargo, Package: names.Key(name), Format: form}
	return s.Store.Document(ctx, k, func(ctx context.Context) (store.Rendered, error) {
		return render(ctx, k.Package, form)
	})
}

// getIndex answers with the lines of a crate.
func (s *server) getIndex(w http.ResponseWriter, r *http.Request, q Request) error {
	doc, err := s.document(r.Context(), q.Name, formIndex, s.renderIndex)
	if s.TryUpstream(err) {
		return s.proxiedIndex(w, r, q.Name)
	}
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
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
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
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
		raw, err := s.Store.ReadBlob(ctx, r.HeadBlob, 8*maxUpload)
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
	name, id := names.Key(q.Name), version.ID(q.Version)
	p, err = s.crates.Find(name, id, func() (p published, err error) {
		err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
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
	wire.Pulling(r.Context(), names.Key(q.Name), version.ID(q.Version))
	p, err := s.published(r.Context(), q)
	if s.TryUpstream(err) {
		return s.proxiedCrate(w, r, q)
	}
	if err != nil {
		return err
	}
	return s.SendBlob(w, r, p.blob, wire.BlobHead{Type: typeArchive, CacheControl: registry.Immutable(r)})
}

// version reads a version's record and line.
func (s *server) version(ctx context.Context, name, version string) (v store.Version[Meta], line decoded, err error) {
	var rows []row
	err = s.Repo.View(ctx, names.Key(name), func(tx *store.PackageTx[Meta]) error {
		if v, err = exact(tx, version); err != nil {
			return err
		}
		k := registry.TimeKey(v.Published, v.ID)
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
func exact(tx *store.PackageTx[Meta], number string) (store.Version[Meta], error) {
	v, err := tx.Version(version.ID(number))
	if err == nil && v.Meta.Version != number {
		err = notFound("there is no version %s", number)
	}
	return v, err
}

// readme sends the text as it was published; whoever shows it formatted has to clean it.
func (s *server) readme(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	var text part
	err := s.Repo.View(ctx, names.Key(q.Name), func(tx *store.PackageTx[Meta]) error {
		v, err := exact(tx, q.Version)
		text = v.Meta.Readme
		return err
	})
	if err != nil {
		return err
	}
	raw := []byte(text.Text)
	if text.Blob != "" {
		if raw, err = s.Store.ReadBlob(ctx, text.Blob, maxUpload); err != nil {
			return err
		}
	}
	if len(raw) == 0 {
		return notFound("%s %s has no readme", q.Name, q.Version)
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	return wire.ServeBytes(w, r, raw, wire.BlobHead{
		Digest: digest.FromBytes(raw), Type: typePlain, CacheControl: registry.Revalidate(r),
	})
}

const typePlain = "text/plain; charset=utf-8"
