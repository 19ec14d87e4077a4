package oci

// Rules about tags and digests of upstreams' images: a manifest that a blocked tag points at is blocked by its digest
// too.

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"

	"larder/oci/names"
	"larder/store"
	"larder/upstream"
)

// upstreamTag is the manifest that an upstream's tag points at.
func (s *server) upstreamTag(ctx context.Context, src source, tag string) (*upstream.Document, error) {
	return s.Up.DocumentFrom(ctx, src.up, upstream.Query{
		Package: src.name, Key: "tag " + tag, Ref: src.ref("manifests", tag), Accept: acceptManifests, Scope: src.scope(),
		Head: true, Fresh: freshTag, Limit: s.opt.MaxManifest, Check: checkManifest,
	})
}

// mayServe is an error if a rule forbids the digest, or a tag that points at it. Only the upstream knows where its tags
// point, so it is asked if there are rules about tags of the repository. A tag that it does not have forbids nothing.
func (s *server) mayServe(ctx context.Context, src source, d digest.Digest) error {
	if err := s.Up.Blocked(src.name, d.String()); err != nil {
		return err
	}
	versions, _ := s.Up.BlockedVersions(src.name)
	for _, tag := range versions {
		if !names.IsTag(tag) {
			continue
		}
		doc, err := s.upstreamTag(ctx, src, tag)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, upstream.ErrOffline):
		case err != nil:
			return err
		case doc.Digest == d:
			return upstream.Withhold(
				src.name, d.String(), "%s of %s is what the tag %s points at, which is blocked by this registry's rules.", d, src.name,
				tag,
			)
		}
	}
	return nil
}

// hasTwoDigests reports whether a rule may name something by another digest than the client does.
func (s *server) hasTwoDigests(src source, d digest.Digest) bool {
	_, some := s.Up.BlockedVersions(src.name)
	return some && d.Algorithm() != digest.SHA256
}

// mayServeBytes is mayServe for the sha256 of a file, which is known when it has come.
func (s *server) mayServeBytes(ctx context.Context, src source, f *upstream.File) error {
	b, err := f.Wait(ctx)
	if err != nil {
		return err
	}
	return s.mayServe(ctx, src, b.Digest)
}
