package registry

// Sending what is stored: files with ranges, and how long clients may keep them.

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// smallBlob is the size in bytes up to which a file is sent from memory.
const smallBlob = 64 << 10

// Revalidate is the Cache-Control of what changes: clients ask each time, so that a publish is visible at
// once, and asking costs a 304.
func Revalidate(r *http.Request) string {
	if _, given := wire.CredentialsFrom(r); given {
		return "private, no-cache"
	}
	return "no-cache"
}

// Immutable is the Cache-Control of what never changes.
func Immutable(r *http.Request) string {
	if _, given := wire.CredentialsFrom(r); given {
		return "private, max-age=31536000, immutable"
	}
	return "public, max-age=31536000, immutable"
}

// File finds a file of a package by its name. store.ErrNotFound.
func (g *Registry[M]) File(ctx context.Context, name, file string) (f store.File, err error) {
	err = g.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		_, f, err = tx.File(file)
		return err
	})
	return f, err
}

// SendBlob answers with the bytes of a blob. A small one comes from memory, for HEAD as well, so that the next request
// finds the bytes there and looks at no file; a large one is sent by the kernel, and HEAD does not open it. The digest
// of head is the blob's where it has none. store.ErrDamaged.
func (g *Registry[M]) SendBlob(w http.ResponseWriter, r *http.Request, b store.Blob, head wire.BlobHead) error {
	head.Size = b.Size
	if head.Digest == "" {
		head.Digest = b.Digest
	}
	switch {
	case b.Size <= smallBlob:
		body, err := g.Store.BlobBytes(r.Context(), b)
		if err != nil {
			return err
		}
		return wire.ServeBytes(w, r, body, head)
	case r.Method == http.MethodHead:
		if err := g.Store.Sound(r.Context(), b); err != nil {
			return err
		}
		return wire.ServeBlob(w, r, io.NewSectionReader(bytes.NewReader(nil), 0, b.Size), head)
	}
	f, _, err := g.Store.OpenBlob(r.Context(), b.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	return wire.ServeBlob(w, r, f, head)
}

// SendCopy answers with a file of an upstream, kept or still on its way.
func (g *Registry[M]) SendCopy(w http.ResponseWriter, r *http.Request, f *upstream.File, head wire.BlobHead) error {
	return wire.ServeCached(w, r, g.Store, f, head)
}
