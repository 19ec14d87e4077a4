package oci

// Rules about tags and digests of upstreams' images: what a tag that is blocked points at is blocked under every name.

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/oci/names"
	"larder/store"
	"larder/upstream"
)

// taggedThere is the manifest that an upstream's tag points at.
func (s *server) taggedThere(ctx context.Context, e elsewhere, tag string) (*upstream.Document, error) {
	return s.Up.DocumentFrom(ctx, e.up, upstream.Query{
		Package: e.name, Key: "tag " + tag, Ref: e.ref("manifests", tag), Accept: acceptManifests, Scope: e.scope(), Head: true,
		Fresh: freshTag, Stale: -1, Limit: s.opt.MaxManifest, Check: checkManifest,
	})
}

// mayOffer is nil unless a rule forbids the digest, or a tag that points at it. Which tags point where only the
// upstream knows, so it is asked, of repositories that have such rules; where it has no such tag there is nothing to
// forbid.
func (s *server) mayOffer(ctx context.Context, e elsewhere, d digest.Digest) error {
	if err := s.Up.Blocked(e.name, d.String()); err != nil {
		return err
	}
	versions, _ := s.Up.BlockedVersions(e.name)
	for _, tag := range versions {
		if !names.IsTag(tag) {
			continue
		}
		doc, err := s.taggedThere(ctx, e, tag)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, upstream.ErrOffline):
		case err != nil:
			return err
		case doc.Digest == d:
			return problem.Errorf(
				store.ErrDenied, "%s of %s is what the tag %s points at, which is blocked by this registry's rules.", d, e.name,
				tag,
			)
		}
	}
	return nil
}

// hasTwoDigests reports whether rules may call something by another digest than it was asked for by.
func (s *server) hasTwoDigests(e elsewhere, d digest.Digest) bool {
	_, some := s.Up.BlockedVersions(e.name)
	return some && d.Algorithm() != digest.SHA256
}

// mayOfferBytes is mayOffer for a file by the digest that it turns out to have.
func (s *server) mayOfferBytes(ctx context.Context, e elsewhere, f *upstream.File) error {
	b, err := f.Wait(ctx)
	if err != nil {
		return err
	}
	return s.mayOffer(ctx, e, b.Digest)
}
