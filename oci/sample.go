package oci

// This file says how a container registry is tried out: the tags of a repository, the image of one, its configuration.

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/oci/manifest"
	"larder/store"
	"larder/upstream"
)

// sampleAt is the repository that an operator calls name, with the upstream's own or without.
func sampleAt(u *upstream.Upstream, name string) source {
	return sourceAt(u, strings.TrimPrefix(name, u.Name()+"/"))
}

func sampleTags(u *upstream.Upstream, name string) upstream.Query {
	src := sampleAt(u, name)
	return upstream.Query{
		Package: src.name, Key: "tags", Ref: src.tags(), Scope: src.scope(), Check: checkList, Accept: "application/json",
	}
}

// sampleBlob is the configuration of an image: of the one tagged latest, else of the last one that is listed.
func sampleBlob(
	ctx context.Context, name string, d *upstream.Document, body []byte, ask upstream.Ask,
) (p upstream.Place, err error) {
	src := sampleAt(d.Upstream, name)
	var list tagList
	if err := json.Unmarshal(body, &list); err != nil {
		return p, err
	}
	if len(list.Tags) == 0 {
		return p, store.ErrNotFound
	}
	ref := list.Tags[len(list.Tags)-1]
	if slices.Contains(list.Tags, "latest") {
		ref = "latest"
	}
	for range 2 { // an index, and an image in it
		d, err := ask(ctx, upstream.Query{
			Package: src.name, Key: "manifest", Ref: src.ref("manifests", ref), Scope: src.scope(), Accept: acceptManifests,
			Check: checkManifest,
		})
		if err != nil {
			return p, err
		}
		if body, err = d.Bytes(ctx); err != nil {
			return p, err
		}
		m, err := manifest.Parse(manifest.BareType(manifestType(body, d.Type)), body)
		if err != nil {
			return p, err
		}
		if blobs := m.References(); len(blobs) > 0 {
			return blobAt(src, blobs[0].Digest, blobs[0].Size), nil
		}
		if len(m.Children) == 0 {
			break
		}
		ref = m.Children[0].Digest.String()
	}
	return p, store.ErrNotFound
}

func blobAt(src source, d digest.Digest, size int64) upstream.Place {
	return upstream.Place{
		Upstream: src.up, Ref: src.ref("blobs", d.String()), Scope: src.scope(), Size: size,
		Sums: map[string]string{d.Algorithm().String(): d.Encoded()},
	}
}
