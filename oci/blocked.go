package oci

// Rules about tags and digests of upstreams' images: a manifest that a blocked tag points at is blocked by its digest
// too, and so are those that only a blocked index lists.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"larder/oci/manifest"
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
// rule that names a tag is about its image under any name; one with a star forbids what has no other tag, and so does
// any rule of what an index lists.
func (s *server) mayServe(ctx context.Context, src source, d digest.Digest) error {
	if err := s.Up.Blocked(src.name, d.String()); err != nil {
		return err
	}
	var indexes []digest.Digest // that rules name and that list d
	versions, _ := s.Up.BlockedVersions(src.name)
	for _, version := range versions {
		at, body, err := s.named(ctx, src, version)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, upstream.ErrOffline):
		case err != nil:
			return err
		case at == d:
			return upstream.Withhold(
				src.name, d.String(), "%s of %s is what the tag %s points at, which is blocked by this registry's rules.", d,
				src.name, version,
			)
		case s.lists(ctx, src, body, d, maxNested):
			indexes = append(indexes, at)
		}
	}
	if len(indexes) > 0 || s.Up.BlocksPatterns(src.name) {
		return s.mayServeTagged(ctx, src, d, indexes)
	}
	return nil
}

// named is the manifest that a rule names by tag or digest. Trouble with the upstream makes a digest store.ErrNotFound:
// it forbids itself whatever it is.
func (s *server) named(ctx context.Context, src source, version string) (d digest.Digest, body []byte, err error) {
	if names.IsTag(version) {
		doc, err := s.upstreamTag(ctx, src, version)
		if err != nil {
			return "", nil, err
		}
		body, err = doc.Bytes(ctx)
		return doc.Digest, body, err
	}
	d = digest.Digest(version)
	if d.Validate() != nil {
		return "", nil, store.ErrNotFound
	}
	if body = s.manifestOf(ctx, src, d); body == nil {
		return "", nil, cmp.Or(ctx.Err(), store.ErrNotFound)
	}
	return d, body, nil
}

// maxNested is how many levels of indexes below an index are looked through.
const maxNested = 3

// lists reports whether an index, or one that it lists, lists d.
func (s *server) lists(ctx context.Context, src source, body []byte, d digest.Digest, levels int) bool {
	var index struct {
		Manifests []struct {
			MediaType string
			Digest    digest.Digest
		}
	}
	if json.Unmarshal(body, &index) != nil {
		return false // an image of an old form
	}
	for _, child := range index.Manifests {
		if child.Digest == d {
			return true
		}
	}
	for _, child := range index.Manifests {
		nested := child.MediaType == manifest.TypeIndex || child.MediaType == manifest.TypeDockerList
		if nested && levels > 0 && child.Digest.Validate() == nil &&
			s.lists(ctx, src, s.manifestOf(ctx, src, child.Digest), d, levels-1) {
			return true
		}
	}
	return false
}

// manifestOf is a manifest by its digest, nil when it cannot be had.
func (s *server) manifestOf(ctx context.Context, src source, d digest.Digest) []byte {
	place := src.place("manifests", acceptManifests, d)
	f, err := s.Up.File(ctx, upstream.FileQuery{
		Package: src.name, Key: d.String(), Find: func(context.Context) (upstream.Place, error) { return place, nil },
	})
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := f.Wait(ctx)
	if err != nil || b.Size > s.opt.MaxManifest {
		return nil
	}
	body, err := s.Store.ReadBlob(ctx, b.Digest, b.Size)
	if err != nil {
		return nil
	}
	return body
}

// mostTags bounds the tags that are asked for to find out where they point.
const mostTags = 32

// mayServeTagged is an error if only tags lead to the digest that rules forbid, as far as is known here or the upstream
// says of some of its tags. Trouble with it forbids nothing. indexes are those that list the digest and are forbidden
// under any name.
func (s *server) mayServeTagged(ctx context.Context, src source, d digest.Digest, indexes []digest.Digest) error {
	forbidden := len(indexes) > 0
	keys, err := s.Up.KeysOf(ctx, src.up, src.name, d)
	if err != nil {
		return err
	}
	for _, key := range keys {
		tag, ok := strings.CutPrefix(key, tagKey)
		if ok && s.Up.Blocked(src.name, tag) == nil {
			return nil
		}
		forbidden = forbidden || ok
	}
	blocked, others := s.upstreamTags(ctx, src)
	forbidden = forbidden || s.anyLeadsTo(ctx, src, blocked, d, nil)
	if !forbidden || s.anyLeadsTo(ctx, src, others, d, indexes) {
		return ctx.Err()
	}
	kept, err := s.keptTags(ctx, src, others)
	if err != nil || s.anyLeadsTo(ctx, src, kept, d, indexes) {
		return err
	}
	return upstream.Withhold(
		src.name, d.String(), "What leads to %s in %s is blocked by this registry's rules.", d, src.name,
	)
}

// keptTags are tags that no rule forbids and of which is kept where they point, some at most, without those of but.
func (s *server) keptTags(ctx context.Context, src source, but []string) (tags []string, err error) {
	keys, err := s.Up.KeysOf(ctx, src.up, src.name, "")
	for _, key := range keys {
		tag, ok := strings.CutPrefix(key, tagKey)
		if ok && len(tags) < mostTags && !slices.Contains(but, tag) && s.Up.Blocked(src.name, tag) == nil {
			tags = append(tags, tag)
		}
	}
	return tags, err
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

// anyLeadsTo asks, all at once, whether a tag points at d, or at an index that lists it and is none of but.
func (s *server) anyLeadsTo(
	ctx context.Context, src source, tags []string, d digest.Digest, but []digest.Digest,
) bool {
	var found atomic.Bool
	var all sync.WaitGroup
	for _, tag := range tags {
		all.Go(func() {
			doc, err := s.upstreamTag(ctx, src, tag)
			if err != nil || slices.Contains(but, doc.Digest) {
				return
			}
			body, err := doc.Bytes(ctx)
			if doc.Digest == d || err == nil && s.lists(ctx, src, body, d, maxNested) {
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
