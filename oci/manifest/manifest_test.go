package manifest

// Which manifests are accepted, and what they are read as.

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
)

const someDigest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

var tagGrammar = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

const config = `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + someDigest + `","size":2}`

// imageWith is a valid image manifest with more top-level fields.
func imageWith(extra string) string {
	return `{"schemaVersion":2,"config":` + config + `,"layers":[]` + extra + `}`
}

// TestTypesOfManifests: which types are accepted, recognised and refused.
func TestTypesOfManifests(t *testing.T) {
	index := `{"schemaVersion":2,"manifests":[]}`
	cases := []struct {
		name, contentType, body, want string // want "" = refused
	}{
		{"OCI image", TypeImage, imageWith(""), TypeImage},
		{"parameters are ignored", TypeImage + "; charset=utf-8", imageWith(""), TypeImage},
		{"docker image stays docker", TypeDockerImage, imageWith(`,"mediaType":"` + TypeDockerImage + `"`), TypeDockerImage},
		{"docker list stays docker", TypeDockerList, index, TypeDockerList},
		{"OCI index", TypeIndex, index, TypeIndex},
		{"no header, by mediaType", "", imageWith(`,"mediaType":"` + TypeDockerImage + `"`), TypeDockerImage},
		{"no header, image by shape", "", imageWith(""), TypeImage},
		{"no header, index by shape", "", index, TypeIndex},
		{
			"old artifact manifest", TypeArtifact,
			`{"mediaType":"` + TypeArtifact + `","artifactType":"x/y","blobs":[` + config + `]}`, TypeArtifact,
		},
		{
			"unknown type is opaque", "application/vnd.example.thing+json", `{"whatever":[1,2]}`,
			"application/vnd.example.thing+json",
		},
		{"unknown fields", TypeImage, imageWith(`,"x":{"y":[1]}`), TypeImage},
		{"any artifactType", TypeImage, imageWith(`,"artifactType":"my own thing"`), TypeImage},
		{"null layers", TypeImage, `{"schemaVersion":2,"config":` + config + `,"layers":null}`, TypeImage},

		{"header and body disagree", TypeImage, imageWith(`,"mediaType":"` + TypeDockerImage + `"`), ""},
		{"schema 1", TypeSchema1 + "+json", `{"schemaVersion":1}`, ""},
		{"signed schema 1", TypeSchema1 + "+prettyjws", `{"schemaVersion":1}`, ""},
		{"schema 1 by shape", "", `{"schemaVersion":1,"fsLayers":[]}`, ""},
		{"no type at all", "", `{"schemaVersion":2}`, ""},
		{"not a manifest type", "application/octet-stream", imageWith(""), ""},
		{"plain JSON", "application/json", imageWith(""), ""},
		{"mediaType of the wrong type", "", `{"mediaType":1,"manifests":[]}`, ""},
		{"not an object", TypeImage, `[]`, ""},
		{"empty", TypeImage, ``, ""},
		{"cut short", TypeImage, `{"schemaVersion":2,`, ""},
		{"two objects", TypeImage, imageWith("") + `{}`, ""},
		{"schemaVersion 1", TypeImage, `{"schemaVersion":1,"config":` + config + `,"layers":[]}`, ""},
		{"no schemaVersion", TypeIndex, `{"manifests":[]}`, ""},
		{"no config", TypeImage, `{"schemaVersion":2,"layers":[]}`, ""},
		{"index without manifests", TypeIndex, `{"schemaVersion":2}`, ""},
		{"config of the wrong type", TypeImage, `{"schemaVersion":2,"config":[],"layers":[]}`, ""},
		{"layer without digest", TypeImage, `{"schemaVersion":2,"config":` + config + `,"layers":[{"size":1}]}`, ""},
		{
			"negative size", TypeImage,
			`{"schemaVersion":2,"config":` + config + `,"layers":[{"digest":"` + someDigest + `","size":-1}]}`, "",
		},
		{"bad subject", TypeImage, imageWith(`,"subject":{"digest":"sha256:x","size":1}`), ""},
		{"subject of an unknown algorithm", TypeImage, imageWith(`,"subject":{"digest":"blake3:abc","size":1}`), TypeImage},
		{"bad child", TypeIndex, `{"schemaVersion":2,"manifests":[{"digest":"x"}]}`, ""},
	}
	for _, c := range cases {
		m, err := Parse(c.contentType, []byte(c.body))
		if c.want == "" {
			if !errors.Is(err, problem.ErrInvalid) {
				t.Errorf("%s: %+v, %v, want ErrInvalid", c.name, m, err)
			}
			continue
		}
		if err != nil || m.MediaType != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, m.MediaType, err, c.want)
		}
	}
}

// TestAmbiguousManifestsAreRefused: a manifest that two readers could read as two different things is refused
// (CVE-2021-41190).
func TestAmbiguousManifestsAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"manifests and layers":    `{"schemaVersion":2,"manifests":[],"layers":[]}`,
		"manifests and config":    `{"schemaVersion":2,"manifests":[],"config":` + config + `}`,
		"both, in another case":   imageWith(`,"Manifests":[]`),
		"layers twice":            imageWith(`,"layers":[]`),
		"Layers beside layers":    imageWith(`,"Layers":[]`),
		"mediaType in other case": imageWith(`,"MEDIATYPE":"` + TypeIndex + `"`),
		"subject twice":           imageWith(`,"subject":null,"subject":{"digest":"` + someDigest + `","size":2}`),
	} {
		for _, typ := range []string{TypeImage, TypeIndex, TypeDockerImage, ""} {
			if _, err := Parse(typ, []byte(body)); !errors.Is(err, problem.ErrInvalid) {
				t.Errorf("%s as %q: %v", name, typ, err)
			}
		}
	}
}

// TestDepthAndDescriptorsAreLimited: depth and number of descriptors are bounded (CVE-2017-11468 is the size, checked
// when reading).
func TestDepthAndDescriptorsAreLimited(t *testing.T) {
	deep := imageWith(`,"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth))
	if _, err := Parse(TypeImage, []byte(deep)); !errors.Is(err, problem.ErrInvalid) {
		t.Errorf("deep manifest: %v", err)
	}
	quoted := imageWith(`,"x":"` + strings.Repeat(`[\"`, 2*maxDepth) + `"`)
	if _, err := Parse(TypeImage, []byte(quoted)); err != nil {
		t.Errorf("brackets in a string: %v", err)
	}
	for n, ok := range map[int]bool{maxDescriptors: true, maxDescriptors + 1: false} {
		many := `{"schemaVersion":2,"manifests":[` + strings.TrimSuffix(strings.Repeat(config+",", n), ",") + `]}`
		if _, err := Parse(TypeIndex, []byte(many)); (err == nil) != ok {
			t.Errorf("%d descriptors: %v", n, err)
		}
	}
}

// TestArtifactTypeOfReferrers: a referrers list shows the manifest's own type, else an image's config type, else
// nothing.
func TestArtifactTypeOfReferrers(t *testing.T) {
	const sbom, sbom2 = "application/vnd.example.sbom", "application/vnd.example.sbom.v2"
	for body, want := range map[string]string{
		imageWith(""): "application/vnd.oci.image.config.v1+json",
		imageWith(`,"artifactType":"` + sbom + `"`):                         sbom,
		`{"schemaVersion":2,"manifests":[]}`:                                "",
		`{"schemaVersion":2,"manifests":[],"artifactType":"` + sbom2 + `"}`: sbom2,
	} {
		m, err := Parse("", []byte(body))
		if err != nil || m.EffectiveType() != want {
			t.Errorf("%s: %q, %v, want %q", body, m.EffectiveType(), err, want)
		}
	}
}

// TestFallbackTagOfASubject has the three examples of the specification's referrers tag schema.
func TestFallbackTagOfASubject(t *testing.T) {
	a64, a128 := strings.Repeat("a", 64), strings.Repeat("a", 128)
	long := "test+algorithm+using+algorithm+separators+and+lots+of+characters+to+excercise+overall+truncation:" +
		"alsoSome=InTheEncodedSectionToShowHyphenReplacementAndLotsAndLotsOfCharactersToExcerciseEncodedTruncation"
	for d, want := range map[string]string{
		"sha256:" + a64:  "sha256-" + a64,
		"sha512:" + a128: "sha512-" + a64,
		long:             "test-algorithm-using-algorithm-s-alsoSome-InTheEncodedSectionToShowHyphenReplacementAndLotsAndLot",
	} {
		if got := FallbackTag(digest.Digest(d)); got != want || !tagGrammar.MatchString(got) {
			t.Errorf("the tag of %s is %s, want %s", d, got, want)
		}
	}
}

// TestForeignLayersMayBeMissing: what is meant to be fetched elsewhere may be missing here.
func TestForeignLayersMayBeMissing(t *testing.T) {
	for want, list := range map[bool][]Descriptor{
		true: {
			{MediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
			{MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"},
			{MediaType: "application/vnd.oci.image.layer.v1.tar", URLs: []string{"https://files.example.com/x"}},
		},
		false: {{MediaType: "application/vnd.oci.image.layer.v1.tar"}, {}},
	} {
		for _, d := range list {
			if d.Foreign() != want {
				t.Errorf("%+v: foreign is %v", d, !want)
			}
		}
	}
}

// TestOnlyAWholeManifestIsNotSearched: nothing that a manifest refers to in a field of its own is left out.
func TestOnlyAWholeManifestIsNotSearched(t *testing.T) {
	other := strings.Replace(someDigest, "44136", "44137", 1)
	for extra, want := range map[string]int{
		``:                                   0,
		`,"annotations":{"a":"b\\n"}`:        0,
		`,"more":{"digest":"` + other + `"}`: 1,
		`,"more":{"digest":"\u0073` + other[1:] + `"}`:                     1,
		`,"annotations":{"digest":"` + other + `"}`:                        1,
		`,"subject":{"digest":"` + other + `","size":2}`:                   1,
		`,"more":[{"digest":"` + someDigest + `"}]`:                        0,
		`,"more":{"digest":"` + someDigest + `","digest":"` + other + `"}`: 1,
	} {
		m, err := Parse(TypeImage, []byte(imageWith(extra)))
		if err != nil || len(m.Others) != want {
			t.Errorf("%s: others %s, %v; want %d", extra, m.Others, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		imageWith(""), imageWith(`,"subject":` + config + `,"annotations":{"a":"b"},"artifactType":"x"`),
		`{"schemaVersion":2,"manifests":[` + config + `]}`, `{"schemaVersion":2,"Manifests":[],"layers":[]}`,
		`{"x":"\"[[[["}`, `{"mediaType":"` + TypeArtifact + `","blobs":[` + config + `]}`,
		`{"schemaVersion":2,"config":null,"layers":[null]}`, `{} {}`, `[`,
	} {
		for _, typ := range []string{"", TypeImage, TypeIndex, TypeArtifact, "application/vnd.x+json"} {
			f.Add(typ, s)
		}
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		m, err := Parse(contentType, []byte(body))
		if err != nil {
			if !errors.Is(err, problem.ErrInvalid) {
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
		for _, d := range m.References() {
			if _, err := store.ParseDigest(d.Digest.String()); err != nil && !d.Foreign() {
				t.Fatalf("accepted the digest %q", d.Digest)
			}
		}
		found, err := walk([]byte(body), false)
		if unknown := m.unknown(found); m.isWhole([]byte(body)) && (err != nil || len(unknown) > 0) {
			t.Fatalf("%q counts as whole and refers to %s, %v", body, unknown, err)
		}
		if m.Subject != nil && !tagGrammar.MatchString(FallbackTag(m.Subject.Digest)) {
			t.Fatalf("fallback tag of %q", m.Subject.Digest)
		}
	})
}
