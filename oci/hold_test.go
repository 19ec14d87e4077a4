package oci

// What a manifest refers to stays as long as the manifest.

import (
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/oci/manifest"
)

// referring are documents of all the types and shapes that clients push, each of which refers to the blob d.
func referring(g *rig, d digest.Digest, size int) map[string]fields {
	layer := descriptor("application/vnd.oci.image.layer.v1.tar+gzip", d, size)
	config := descriptor("application/vnd.oci.empty.v1+json", g.blob("app", "{}"), 2)
	image := func(more fields) fields {
		m := fields{"schemaVersion": 2, "mediaType": manifest.TypeImage, "config": config, "layers": []fields{}}
		for k, v := range more {
			m[k] = v
		}
		return m
	}
	index := func(mediaType string, more fields) fields {
		m := fields{"schemaVersion": 2, "mediaType": mediaType, "manifests": []fields{}}
		for k, v := range more {
			m[k] = v
		}
		return m
	}
	const unknown = "application/vnd.example.thing.v1+json"
	return map[string]fields{
		"index of layers":       index(manifest.TypeIndex, fields{"manifests": []fields{layer}}),
		"docker list of layers": index(manifest.TypeDockerList, fields{"manifests": []fields{layer}}),
		"cache config in an index": index(
			manifest.TypeIndex, fields{"manifests": []fields{descriptor("application/vnd.buildkit.cacheconfig.v0", d, size)}},
		),
		"subject of an image": image(fields{"subject": layer}),
		"subject of an index": index(manifest.TypeIndex, fields{"subject": layer}),
		"field nobody knows":  image(fields{"thumbnails": []fields{{"of": layer}}}),
		"artifact manifest": {
			"mediaType": manifest.TypeArtifact, "artifactType": "application/vnd.example.sbom",
			"blobs": []fields{layer},
		},
		"subject of an artifact": {
			"mediaType": manifest.TypeArtifact, "artifactType": "application/vnd.example.sbom", "blobs": []fields{},
			"subject": layer,
		},
		"artifact of another maker": {
			"mediaType": "application/vnd.cncf.oras.artifact.manifest.v1+json", "blobs": []fields{layer},
			"subject": config,
		},
		"config of an unknown type": {"mediaType": unknown, "config": layer},
		"digest in an unknown type": {"mediaType": unknown, "parts": []string{d.String()}},
		"nested in an unknown type": {"mediaType": unknown, "a": fields{"b": []fields{{"c": layer}}}},
	}
}

// TestEveryReferenceIsHeld: what a stored document refers to stays as long as the document, whatever its type and
// wherever in it the reference is, also when it was pushed after the document; it cannot be deleted; and it goes when
// the document does.
func TestEveryReferenceIsHeld(t *testing.T) {
	const content = "a blob that something refers to"
	d := digest.FromString(content)
	probe := newRig(t)
	for name := range referring(probe, d, len(content)) {
		for _, later := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", blob first", true: ", document first"}[later], func(t *testing.T) {
				clock := newClock()
				g := newRig(t, withClock(clock), func(o *rigOptions) { o.oci.SparseImages = true })
				doc := wiretest.JSON(referring(g, d, len(content))[name])
				if !later {
					g.blob("app", content)
				}
				g.want(g.put("app", "v1", doc), 201, "")
				if later {
					g.blob("app", content)
				}
				g.sweepAll(clock)
				if got := g.want(g.Ada("GET", "/v2/app/blobs/"+d.String(), nil), 200, ""); got.Body != content {
					t.Errorf("the blob is %.40q after the sweep", got.Body)
				}
				g.want(g.Ada("DELETE", "/v2/app/blobs/"+d.String(), nil), 405, "")
				g.want(g.Ada("DELETE", "/v2/app/manifests/"+digest.FromString(doc).String(), nil), 202, "")
				g.sweepAll(clock)
				g.want(g.Ada("GET", "/v2/app/blobs/"+d.String(), nil), 404, "")
			})
		}
	}
}

// TestUnknownDocumentsAreRefused: a document whose references nobody can find is no manifest.
func TestUnknownDocumentsAreRefused(t *testing.T) {
	g := newRig(t)
	for typ, body := range map[string]string{
		"application/octet-stream":                                  "\x00\x01",
		"application/vnd.example.thing.v1+cbor":                     "\xa0",
		"application/vnd.example.thing.v1+json":                     "[]",
		"text/plain":                                                "hello",
		"application/vnd.docker.distribution.manifest.v1+prettyjws": `{"schemaVersion":1,"fsLayers":[]}`,
	} {
		a := g.Ada("PUT", "/v2/app/manifests/v1", body, wiretest.Header("Content-Type", typ))
		g.want(a, 400, codeManifestInvalid)
	}
}
