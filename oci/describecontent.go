package oci

// What pages show of a repository is read through this: one that is here, or what is kept of an upstream's.

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/describe"
	"larder/store"
	"larder/upstream"
)

// content reads what a repository has. A digest gives no right to what the repository does not have.
type content interface {
	// read returns a blob of at most limit bytes; store.ErrNotFound, store.ErrTooLarge.
	read(ctx context.Context, d digest.Digest, limit int64) ([]byte, error)
	// manifest is the same for a manifest.
	manifest(ctx context.Context, d digest.Digest) (body []byte, mediaType string, err error)
	// referrers are descriptors of manifests about another one, up to limit.
	referrers(ctx context.Context, d digest.Digest, limit int) ([]json.RawMessage, error)
	// tagged are the manifests that tags point at; a tag that is not there is "".
	tagged(ctx context.Context, tags []string) ([]digest.Digest, error)
	// attached fills in when manifests came.
	attached(ctx context.Context, list []describe.Referrer) error
}

// hosted is the content of a repository that is published here.
type hosted struct {
	s    *server
	name string
}

func (c hosted) read(ctx context.Context, d digest.Digest, limit int64) ([]byte, error) {
	b, err := c.s.Store.HeldBlob(ctx, store.OCI, c.name, d)
	if err != nil {
		return nil, err
	}
	return c.s.Store.ReadBlob(ctx, b.Digest, limit)
}

func (c hosted) manifest(ctx context.Context, d digest.Digest) ([]byte, string, error) {
	m, err := c.s.manifest(ctx, Request{Name: c.name, Digest: d})
	if err != nil {
		return nil, "", err
	}
	body, err := c.s.Store.BlobBytes(ctx, store.Blob{Digest: m.blob, Size: m.size})
	return body, m.mediaType, err
}

func (c hosted) referrers(ctx context.Context, d digest.Digest, limit int) ([]json.RawMessage, error) {
	page, err := c.s.referrersOf(ctx, Request{Name: c.name, Digest: d, N: limit})
	return page.descriptors, err
}

func (c hosted) tagged(ctx context.Context, tags []string) ([]digest.Digest, error) {
	out := make([]digest.Digest, len(tags))
	err := c.s.Repo.View(ctx, c.name, func(tx *store.PackageTx[Meta]) error {
		for i, tag := range tags {
			if t, err := tx.Tag(tag); err == nil {
				out[i] = digest.Digest(t.Version)
			}
		}
		return nil
	})
	return out, err
}

func (c hosted) attached(ctx context.Context, list []describe.Referrer) error {
	return c.s.Repo.View(ctx, c.name, func(tx *store.PackageTx[Meta]) error {
		for i := range list {
			if v, err := tx.Version(list[i].Digest); err == nil {
				list[i].Attached = v.Published
			}
		}
		return nil
	})
}

// copied is what is kept of an upstream's repository.
type copied struct {
	s    *server
	name string // of records
	docs map[string]upstream.KeptFile
}

// copied reads what documents are kept: those that tags point at, and lists of referrers.
func (s *server) copied(ctx context.Context, name string) (copied, error) {
	list, err := s.Up.KeptDocuments(ctx, name, "", maxKeptDocuments)
	c := copied{s, name, make(map[string]upstream.KeptFile, len(list))}
	for _, d := range list {
		c.docs[d.Key] = d
	}
	return c, err
}

// maxKeptDocuments is how many documents of a copy are looked at.
const maxKeptDocuments = 10_000

func (c copied) read(ctx context.Context, d digest.Digest, limit int64) ([]byte, error) {
	f, err := c.s.Up.KeptFile(ctx, c.name, d.String())
	if err != nil {
		return nil, err
	}
	return c.s.Store.ReadBlob(ctx, f.Digest, limit)
}

func (c copied) manifest(ctx context.Context, d digest.Digest) ([]byte, string, error) {
	f, err := c.s.Up.KeptFile(ctx, c.name, d.String())
	if errors.Is(err, store.ErrNotFound) {
		f, err = c.document(d, err)
	}
	if err != nil {
		return nil, "", err
	}
	body, err := c.s.Store.ReadBlob(ctx, f.Digest, c.s.opt.MaxManifest)
	return body, manifestType(body, f.Type), err
}

// document is what a tag points at with a digest, which may not have been asked for by it.
func (c copied) document(d digest.Digest, absent error) (upstream.KeptFile, error) {
	for key, doc := range c.docs {
		if doc.Digest == d && strings.HasPrefix(key, tagKey) {
			return doc, nil
		}
	}
	return upstream.KeptFile{}, absent
}

func (c copied) referrers(ctx context.Context, d digest.Digest, limit int) ([]json.RawMessage, error) {
	doc, ok := c.docs["referrers "+d.String()]
	if !ok {
		return nil, nil
	}
	body, err := c.s.Store.ReadBlob(ctx, doc.Digest, maxConfig)
	if err != nil {
		return nil, err
	}
	var index imageIndex
	if json.Unmarshal(body, &index) != nil {
		return nil, nil
	}
	return index.Manifests[:min(len(index.Manifests), limit)], nil
}

func (c copied) tagged(_ context.Context, tags []string) ([]digest.Digest, error) {
	out := make([]digest.Digest, len(tags))
	for i, tag := range tags {
		out[i] = c.docs[tagKey+tag].Digest
	}
	return out, nil
}

func (c copied) attached(ctx context.Context, list []describe.Referrer) error {
	for i := range list {
		f, err := c.s.Up.KeptFile(ctx, c.name, list[i].Digest)
		if err == nil {
			list[i].Attached = f.Fetched
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
