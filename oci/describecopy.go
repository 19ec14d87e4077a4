package oci

// What pages show of upstreams' repositories: the manifests that are kept, and the tags that led to them.

import (
	"context"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/describe"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/oci/manifest"
	"larder/store"
	"larder/upstream"
)

// copyName is the name by which copies of a repository are kept: it begins with what the upstream is called, which
// clients of the first upstream leave out.
func (s *server) copyName(ctx context.Context, name string) (string, error) {
	if src, ok := s.routed(Request{Name: name}); ok {
		return src.name, nil
	}
	if !s.Up.Claimed(name) {
		if src, ok, err := s.first(ctx, name); ok || err != nil {
			return src.name, err
		}
	}
	return "", problem.Errorf(store.ErrNotFound, "nothing of %s is kept", name)
}

// keptManifests are the manifests that are kept of a repository, with the tags of each. What is blocked is withheld.
func (s *server) keptManifests(
	ctx context.Context, name string,
) (list []describe.Version, tags []describe.Tag, err error) {
	c, err := s.copied(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	files, err := s.Up.KeptFiles(ctx, name, "", upstream.MaxKeptFiles)
	if err != nil {
		return nil, nil, err
	}
	at := map[string]int{}
	for _, f := range files {
		if isManifestType(f.Type) {
			at[f.Key] = len(list)
			list = append(list, keptManifest(f.Key, f))
		}
	}
	for key, doc := range c.docs {
		tag, ok := strings.CutPrefix(key, tagKey)
		if !ok {
			continue
		}
		id := doc.Digest.String()
		i, there := at[id]
		if !there {
			i = len(list)
			at[id] = i
			list = append(list, keptManifest(id, doc))
		}
		v := &list[i]
		if err := s.Up.Blocked(name, tag); err != nil {
			v.Name, v.Withheld, v.Blocked = tag, problem.Public(err), true
			continue
		}
		v.Tags = append(v.Tags, tag)
		tags = append(tags, describe.Tag{Name: tag, Version: id, Updated: doc.Fetched})
	}
	for i := range list {
		v := &list[i]
		if slices.Sort(v.Tags); len(v.Tags) > 0 {
			v.Name, v.Withheld, v.Blocked = tagName(v.Tags, v.ID), "", false // by one of its tags it may be fetched
		}
		if err := s.Up.Blocked(name, v.ID); err != nil {
			v.Withheld, v.Blocked = problem.Public(err), true
		}
	}
	return list, tags, nil
}

func keptManifest(id string, f upstream.KeptFile) describe.Version {
	return describe.Version{
		ID: id, Name: id, Published: f.Fetched, Size: f.Size,
		Files: []describe.File{{Name: id, Size: f.Size, Type: manifest.BareType(f.Type), Note: "manifest"}},
	}
}

// isManifestType reports whether a file of an upstream was sent as a manifest.
func isManifestType(contentType string) bool {
	switch manifest.BareType(contentType) {
	case manifest.TypeImage, manifest.TypeIndex, manifest.TypeDockerImage, manifest.TypeDockerList, manifest.TypeArtifact:
		return true
	}
	return strings.HasPrefix(contentType, manifest.TypeSchema1)
}

// describeCopy says what a manifest of a copy takes, as far as it is kept; with whole what it says as well.
func (s *server) describeCopy(ctx context.Context, name string, to *describe.Version, whole bool) error {
	c := copied{s: s, name: name}
	if whole {
		var err error
		if c, err = s.copied(ctx, name); err != nil {
			return err
		}
	}
	body, mediaType, err := c.manifest(ctx, digest.Digest(to.ID))
	if registry.IsOneOf(err, store.ErrNotFound, store.ErrTooLarge) {
		return nil
	}
	if err != nil {
		return err
	}
	m, err := manifest.ParseKept(mediaType, body)
	if err != nil {
		to.Fact("Type", mediaType)
		return nil // it is of a form that is passed on, and not read
	}
	sizes := map[digest.Digest]int64{}
	pull(&m, digest.Digest(to.ID), int64(len(body)), sizes)
	if len(m.Children) > 0 {
		if err := c.addChildren(ctx, body, sizes); err != nil {
			return err
		}
	}
	to.Size = 0
	for _, n := range sizes {
		to.Size += n
	}
	if !whole {
		return nil
	}
	for _, d := range m.References() {
		to.Files = append(to.Files, describe.File{
			Name: d.Digest.String(), Size: d.Size, Type: d.MediaType, Note: roleIn(&m, d.Digest),
		})
	}
	to.ReadmeOf = to.ID + " " + to.Published.String()
	return s.describeManifest(ctx, c, mediaType, body, to)
}

func roleIn(m *manifest.Manifest, d digest.Digest) string {
	if m.Config != nil && m.Config.Digest == d {
		return "config"
	}
	return "layer"
}

// addChildren adds what the images of an index take of which the manifests are kept.
func (c copied) addChildren(ctx context.Context, index []byte, sizes map[digest.Digest]int64) error {
	platforms, _ := childrenOf(index)
	for _, p := range platforms[:min(len(platforms), maxPlatforms)] {
		body, mediaType, err := c.manifest(ctx, p.Digest)
		if registry.IsOneOf(err, store.ErrNotFound, store.ErrTooLarge) {
			continue
		}
		if err != nil {
			return err
		}
		if m, err := manifest.ParseKept(mediaType, body); err == nil {
			pull(&m, p.Digest, int64(len(body)), sizes)
		}
	}
	return nil
}
