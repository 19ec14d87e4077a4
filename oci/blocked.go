package oci

// Rules about tags and digests of upstreams' images: a manifest that a blocked tag points at is blocked by its digest
// too.

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"larder/oci/names"
	"larder/store"
	"larder/upstream"
)

// tagKey begins the keys of the documents that tags point at.
const tagKey = "tag "

// upstreamTag is the manifest that an upstream's tag points at.
func (s *server) upstreamTag(ctx context.Context, src source, tag string) (*upstream.Document, error) {
	return s.Up.DocumentFrom(ctx, src.up, upstream.Query{
		Package: src.name, Key: tagKey + tag, Ref: src.ref("manifests", tag), Accept: acceptManifests, Scope: src.scope(),
		Head: true, Fresh: freshTag, Limit: s.opt.MaxManifest, Check: checkManifest,
	})
}

// mayServe is an error if a rule forbids the digest, or a tag that points at it. Only the upstream knows where its tags
// point, so it is asked if there are rules about tags of the repository. A tag that it does not have forbids nothing. A
// rule that names a tag is about its image under any name; one with a star forbids what has no other tag.
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
				src.name, d.String(), "%s of %s is what the tag %s points at, which is blocked by this registry's rules.", d,
				src.name, tag,
			)
		}
	}
	if s.Up.BlocksPatterns(src.name) {
		return s.mayServeTagged(ctx, src, d)
	}
	return nil
}

// mostTags bounds the tags that are asked for to find out where they point.
const mostTags = 32

// mayServeTagged is an error if only tags point at the digest that rules forbid, as far as is known here or the
// upstream says of some of its tags. Trouble with it forbids nothing.
func (s *server) mayServeTagged(ctx context.Context, src source, d digest.Digest) error {
	keys, err := s.Up.KeysOf(ctx, src.up, src.name, d)
	if err != nil {
		return err
	}
	forbidden := false
	for _, key := range keys {
		tag, ok := strings.CutPrefix(key, tagKey)
		if ok && s.Up.Blocked(src.name, tag) == nil {
			return nil
		}
		forbidden = forbidden || ok
	}
	blocked, others := s.upstreamTags(ctx, src)
	forbidden = forbidden || s.anyPointsAt(ctx, src, blocked, d)
	if !forbidden || s.anyPointsAt(ctx, src, others, d) {
		return ctx.Err()
	}
	return upstream.Withhold(
		src.name, d.String(), "Only tags of %s point at %s that are blocked by this registry's rules.", src.name, d,
	)
}

// upstreamTags are the tags of an upstream's repository, mostTags at most of those that rules forbid and of the others.
func (s *server) upstreamTags(ctx context.Context, src source) (blocked, others []string) {
	d, err := s.Up.DocumentFrom(ctx, src.up, tagsQuery(src))
	if err != nil {
		return nil, nil
	}
	body, err := d.Bytes(ctx)
	var list tagList
	if err != nil || json.Unmarshal(body, &list) != nil {
		return nil, nil
	}
	for _, tag := range list.Tags {
		to := &others
		if s.Up.Blocked(src.name, tag) != nil {
			to = &blocked
		}
		if names.IsTag(tag) && len(*to) < mostTags {
			*to = append(*to, tag)
		}
	}
	return blocked, others
}

// anyPointsAt asks where tags point, all at once.
func (s *server) anyPointsAt(ctx context.Context, src source, tags []string, d digest.Digest) bool {
	var found atomic.Bool
	var all sync.WaitGroup
	for _, tag := range tags {
		all.Go(func() {
			if doc, err := s.upstreamTag(ctx, src, tag); err == nil && doc.Digest == d {
				found.Store(true)
			}
		})
	}
	all.Wait()
	return found.Load()
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
