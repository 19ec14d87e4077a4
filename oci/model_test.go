package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// TestA1_Grammar: names, tags and digests.
func TestA1_Grammar(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "a/b": true, "library/hello-world": true, "a.b_c__d---e/f0": true, "0": true,
		"blobs/uploads": true, strings.Repeat("a", 255): true,
		"": false, "A": false, "a/": false, "/a": false, "a//b": false, "a..b": false, "a_.b": false, "a___b": false, "-a": false,
		"a-": false, "a b": false, "a:5000/b": false, "_catalog": false, "é": false, strings.Repeat("a", 256): false, "a\n": false,
	} {
		if err := checkName(name); (err == nil) != want {
			t.Errorf("name %.40q: %v", name, err)
		}
	}
	for tag, want := range map[string]bool{
		"latest": true, "_x": true, "V1.0-rc_1": true, "1.2.3_build": true, strings.Repeat("t", 128): true,
		"": false, ".x": false, "-x": false, "a+b": false, "a/b": false, "a:b": false, strings.Repeat("t", 129): false, "x\n": false,
	} {
		if err := checkTag(tag); (err == nil) != want {
			t.Errorf("tag %.40q: %v", tag, err)
		}
	}
	for d, want := range map[string]bool{
		someDigest: true, someSHA512: true, "sha256:" + someHex[1:]: false, "sha512:" + someHex: false, "sha384:" + someHex: false,
		"sha256:" + strings.ToUpper(someHex): false, "sha256": false, ":": false, "SHA256:" + someHex: false,
	} {
		if _, err := parseDigest(d); (err == nil) != want {
			t.Errorf("digest %.40q: %v", d, err)
		}
	}
	if checkFullName("registry.example.com:5000", strings.Repeat("a", 229)) != nil || checkFullName("registry.example.com:5000", strings.Repeat("a", 230)) == nil {
		t.Error("host, slash and name may have 255 bytes together")
	}
}

const config = `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + someDigest + `","size":2}`

// imageWith is a valid image manifest with more top-level fields.
func imageWith(extra string) string {
	return `{"schemaVersion":2,"config":` + config + `,"layers":[]` + extra + `}`
}

// TestA4_ManifestTypes: which types are accepted, recognised and refused.
func TestA4_ManifestTypes(t *testing.T) {
	index := `{"schemaVersion":2,"manifests":[]}`
	cases := []struct {
		name, contentType, body, want string // want "" = refused
	}{
		{"OCI image", typeImage, imageWith(""), typeImage},
		{"parameters are ignored", typeImage + "; charset=utf-8", imageWith(""), typeImage},
		{"docker image stays docker", typeDockerImage, imageWith(`,"mediaType":"` + typeDockerImage + `"`), typeDockerImage},
		{"docker list stays docker", typeDockerList, index, typeDockerList},
		{"OCI index", typeIndex, index, typeIndex},
		{"no header, by mediaType", "", imageWith(`,"mediaType":"` + typeDockerImage + `"`), typeDockerImage},
		{"no header, image by shape", "", imageWith(""), typeImage},
		{"no header, index by shape", "", index, typeIndex},
		{"old artifact manifest", typeArtifact, `{"mediaType":"` + typeArtifact + `","artifactType":"x/y","blobs":[` + config + `]}`, typeArtifact},
		{"unknown type is opaque", "application/vnd.example.thing+json", `{"whatever":[1,2]}`, "application/vnd.example.thing+json"},
		{"unknown fields", typeImage, imageWith(`,"x":{"y":[1]}`), typeImage},
		{"any artifactType", typeImage, imageWith(`,"artifactType":"my own thing"`), typeImage},
		{"null layers", typeImage, `{"schemaVersion":2,"config":` + config + `,"layers":null}`, typeImage},

		{"header and body disagree", typeImage, imageWith(`,"mediaType":"` + typeDockerImage + `"`), ""},
		{"schema 1", typeSchema1 + "+json", `{"schemaVersion":1}`, ""},
		{"signed schema 1", typeSchema1 + "+prettyjws", `{"schemaVersion":1}`, ""},
		{"schema 1 by shape", "", `{"schemaVersion":1,"fsLayers":[]}`, ""},
		{"no type at all", "", `{"schemaVersion":2}`, ""},
		{"not a manifest type", "application/octet-stream", imageWith(""), ""},
		{"plain JSON", "application/json", imageWith(""), ""},
		{"mediaType of the wrong type", "", `{"mediaType":1,"manifests":[]}`, ""},
		{"not an object", typeImage, `[]`, ""},
		{"empty", typeImage, ``, ""},
		{"cut short", typeImage, `{"schemaVersion":2,`, ""},
		{"two objects", typeImage, imageWith("") + `{}`, ""},
		{"schemaVersion 1", typeImage, `{"schemaVersion":1,"config":` + config + `,"layers":[]}`, ""},
		{"no schemaVersion", typeIndex, `{"manifests":[]}`, ""},
		{"no config", typeImage, `{"schemaVersion":2,"layers":[]}`, ""},
		{"index without manifests", typeIndex, `{"schemaVersion":2}`, ""},
		{"config of the wrong type", typeImage, `{"schemaVersion":2,"config":[],"layers":[]}`, ""},
		{"layer without digest", typeImage, `{"schemaVersion":2,"config":` + config + `,"layers":[{"size":1}]}`, ""},
		{"negative size", typeImage, `{"schemaVersion":2,"config":` + config + `,"layers":[{"digest":"` + someDigest + `","size":-1}]}`, ""},
		{"bad subject", typeImage, imageWith(`,"subject":{"digest":"sha256:x","size":1}`), ""},
		{"subject of an unknown algorithm", typeImage, imageWith(`,"subject":{"digest":"blake3:abc","size":1}`), typeImage},
		{"bad child", typeIndex, `{"schemaVersion":2,"manifests":[{"digest":"x"}]}`, ""},
	}
	for _, c := range cases {
		m, err := parseManifest(c.contentType, []byte(c.body))
		if c.want == "" {
			var f *fault
			if !errors.As(err, &f) || f.code != codeManifestInvalid || !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s: %+v, %v, want MANIFEST_INVALID", c.name, m, err)
			}
			continue
		}
		if err != nil || m.MediaType != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, m.MediaType, err, c.want)
		}
	}
}

// TestE_CVE_2021_41190: a manifest that two readers could read as two different things is refused.
func TestE_CVE_2021_41190(t *testing.T) {
	for name, body := range map[string]string{
		"manifests and layers":    `{"schemaVersion":2,"manifests":[],"layers":[]}`,
		"manifests and config":    `{"schemaVersion":2,"manifests":[],"config":` + config + `}`,
		"both, in another case":   imageWith(`,"Manifests":[]`),
		"layers twice":            imageWith(`,"layers":[]`),
		"Layers beside layers":    imageWith(`,"Layers":[]`),
		"mediaType in other case": imageWith(`,"MEDIATYPE":"` + typeIndex + `"`),
		"subject twice":           imageWith(`,"subject":null,"subject":{"digest":"` + someDigest + `","size":2}`),
	} {
		for _, typ := range []string{typeImage, typeIndex, typeDockerImage, ""} {
			if _, err := parseManifest(typ, []byte(body)); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s as %q: %v", name, typ, err)
			}
		}
	}
}

// TestE_ManifestLimits: depth and number of descriptors are bounded (CVE-2017-11468 is the size, checked when reading).
func TestE_ManifestLimits(t *testing.T) {
	deep := imageWith(`,"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth))
	if _, err := parseManifest(typeImage, []byte(deep)); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("deep manifest: %v", err)
	}
	quoted := imageWith(`,"x":"` + strings.Repeat(`[\"`, 2*maxDepth) + `"`)
	if _, err := parseManifest(typeImage, []byte(quoted)); err != nil {
		t.Errorf("brackets in a string: %v", err)
	}
	for n, ok := range map[int]bool{maxDescriptors: true, maxDescriptors + 1: false} {
		many := `{"schemaVersion":2,"manifests":[` + strings.TrimSuffix(strings.Repeat(config+",", n), ",") + `]}`
		if _, err := parseManifest(typeIndex, []byte(many)); (err == nil) != ok {
			t.Errorf("%d descriptors: %v", n, err)
		}
	}
}

// TestA4_ArtifactType: a referrers list shows the manifest's own type, else an image's config type, else nothing.
func TestA4_ArtifactType(t *testing.T) {
	for body, want := range map[string]string{
		imageWith(""): "application/vnd.oci.image.config.v1+json",
		imageWith(`,"artifactType":"application/vnd.example.sbom"`):                           "application/vnd.example.sbom",
		`{"schemaVersion":2,"manifests":[]}`:                                                  "",
		`{"schemaVersion":2,"manifests":[],"artifactType":"application/vnd.example.sbom.v2"}`: "application/vnd.example.sbom.v2",
	} {
		m, err := parseManifest("", []byte(body))
		if err != nil || m.effectiveType() != want {
			t.Errorf("%s: %q, %v, want %q", body, m.effectiveType(), err, want)
		}
	}
}

// TestA4_FallbackTag has the three examples of the specification's referrers tag schema.
func TestA4_FallbackTag(t *testing.T) {
	a64, a128 := strings.Repeat("a", 64), strings.Repeat("a", 128)
	for d, want := range map[string]string{
		"sha256:" + a64:  "sha256-" + a64,
		"sha512:" + a128: "sha512-" + a64,
		"test+algorithm+using+algorithm+separators+and+lots+of+characters+to+excercise+overall+truncation:alsoSome=InTheEncodedSectionToShowHyphenReplacementAndLotsAndLotsOfCharactersToExcerciseEncodedTruncation": "test-algorithm-using-algorithm-s-alsoSome-InTheEncodedSectionToShowHyphenReplacementAndLotsAndLot",
	} {
		if got := fallbackTag(digest.Digest(d)); got != want || checkTag(got) != nil {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// TestA4_ForeignLayers: what is meant to be fetched elsewhere may be missing here.
func TestA4_ForeignLayers(t *testing.T) {
	for want, list := range map[bool][]Descriptor{
		true: {
			{MediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
			{MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"},
			{MediaType: "application/vnd.oci.image.layer.v1.tar", URLs: []string{"https://files.example.com/x"}},
		},
		false: {{MediaType: "application/vnd.oci.image.layer.v1.tar"}, {}},
	} {
		for _, d := range list {
			if d.foreign() != want {
				t.Errorf("%+v: foreign is %v", d, !want)
			}
		}
	}
}

// TestMeta: large annotations and long lists of children stay in the manifest.
func TestMeta(t *testing.T) {
	m := Manifest{MediaType: typeIndex, Annotations: map[string]string{"k": strings.Repeat("v", maxMetaAnnotations)}, Children: make([]Descriptor, 2*maxMetaChildren)}
	if meta := m.meta(5); meta.Annotations != nil || len(meta.Children) != maxMetaChildren || meta.Size != 5 {
		t.Errorf("%+v", meta)
	}
	m.Annotations = map[string]string{"k": "v"}
	if meta := m.meta(5); !reflect.DeepEqual(meta.Annotations, m.Annotations) {
		t.Errorf("%+v", meta)
	}
}

func TestManifestRow(t *testing.T) {
	m := manifestRow{size: 1 << 40, blob: someDigest, mediaType: typeImage}
	if got, ok := decodeManifestRow(m.encode()); !ok || got != m {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, b := range []string{"", "1", "1\x00x", "x\x00y\x00z"} {
		if got, ok := decodeManifestRow([]byte(b)); ok {
			t.Errorf("%q is %+v", b, got)
		}
	}
}

func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		imageWith(""), imageWith(`,"subject":` + config + `,"annotations":{"a":"b"},"artifactType":"x"`),
		`{"schemaVersion":2,"manifests":[` + config + `]}`, `{"schemaVersion":2,"Manifests":[],"layers":[]}`, `{"x":"\"[[[["}`,
		`{"mediaType":"` + typeArtifact + `","blobs":[` + config + `]}`, `{"schemaVersion":2,"config":null,"layers":[null]}`, `{} {}`, `[`,
	} {
		for _, typ := range []string{"", typeImage, typeIndex, typeArtifact, "application/vnd.x+json"} {
			f.Add(typ, s)
		}
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		m, err := parseManifest(contentType, []byte(body))
		if err != nil {
			if !errors.Is(err, store.ErrInvalid) {
				t.Fatalf("%v is not ErrInvalid", err)
			}
			return
		}
		if !json.Valid([]byte(body)) {
			t.Fatalf("accepted what is not JSON: %q", body)
		}
		var top map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &top); err != nil {
			t.Fatal(err)
		}
		if _, index := top["manifests"]; index && (top["layers"] != nil || top["config"] != nil) {
			t.Fatal("accepted both manifests and layers or config")
		}
		for _, d := range m.references() {
			if _, err := store.ParseDigest(d.Digest.String()); err != nil && !d.foreign() {
				t.Fatalf("accepted the digest %q", d.Digest)
			}
		}
		if m.Subject != nil && checkTag(fallbackTag(m.Subject.Digest)) != nil {
			t.Fatalf("fallback tag of %q", m.Subject.Digest)
		}
		if _, err := encodeReferrer(&m, someDigest, 1); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDigestRef(f *testing.F) {
	for _, s := range []string{"latest", someDigest, someSHA512, "sha256:", ":", "a:b:c", "v1.0", strings.Repeat("x", 200), "sha256-" + someHex} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var q Request
		err := q.setReference(s)
		switch {
		case err != nil:
			if code := new(fault); !errors.As(err, &code) || (code.code != codeTagInvalid && code.code != codeDigestInvalid) {
				t.Fatalf("%q: %v", s, err)
			}
		case q.reference() != s:
			t.Fatalf("%q became %q", s, q.reference())
		case q.byDigest() != strings.Contains(s, ":"):
			t.Fatalf("%q: by digest is %v", s, q.byDigest())
		case q.byDigest():
			if fmt.Sprint(q.Digest.Validate()) != "<nil>" {
				t.Fatalf("%q is no digest to others", s)
			}
		}
	})
}
