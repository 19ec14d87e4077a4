package oci

// Which names are legal, and what the records of manifests have.

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"larder/oci/manifest"
)

func TestLegalNamesTagsAndDigests(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "a/b": true, "library/hello-world": true, "a.b_c__d---e/f0": true, "0": true, "blobs/uploads": true,
		strings.Repeat("a", 255): true, "": false, "A": false, "a/": false, "/a": false, "a//b": false, "a..b": false,
		"a_.b": false, "a___b": false, "-a": false, "a-": false, "a b": false, "a:5000/b": false, "_catalog": false,
		"é": false, strings.Repeat("a", 256): false, "a\n": false,
	} {
		if err := checkName(name); (err == nil) != want {
			t.Errorf("name %.40q: %v", name, err)
		}
	}
	for tag, want := range map[string]bool{
		"latest": true, "_x": true, "V1.0-rc_1": true, "1.2.3_build": true, strings.Repeat("t", 128): true, "": false,
		".x": false, "-x": false, "a+b": false, "a/b": false, "a:b": false, strings.Repeat("t", 129): false, "x\n": false,
	} {
		if err := checkTag(tag); (err == nil) != want {
			t.Errorf("tag %.40q: %v", tag, err)
		}
	}
	for d, want := range map[string]bool{
		someDigest: true, someSHA512: true, "sha256:" + someHex[1:]: false, "sha512:" + someHex: false,
		"sha384:" + someHex: false, "sha256:" + strings.ToUpper(someHex): false, "sha256": false, ":": false,
		"SHA256:" + someHex: false,
	} {
		if _, err := parseDigest(d); (err == nil) != want {
			t.Errorf("digest %.40q: %v", d, err)
		}
	}
	for n, want := range map[int]bool{229: true, 230: false} { // host, slash and name may have 255 bytes together
		if err := checkFullName("registry.example.com:5000", strings.Repeat("a", n)); (err == nil) != want {
			t.Errorf("a name of %d bytes behind the host: %v, legal: %t", n, err, want)
		}
	}
}

// imageWith is a valid image manifest with more top-level fields.
func imageWith(extra string) string {
	return `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + someDigest +
		`","size":2},"layers":[]` + extra + `}`
}

// TestRecordLeavesLargePartsInTheManifest: large annotations and long lists of children stay in the manifest.
func TestRecordLeavesLargePartsInTheManifest(t *testing.T) {
	m := manifest.Manifest{
		MediaType: manifest.TypeIndex, Children: make([]manifest.Descriptor, 2*maxMetaChildren),
		Annotations: map[string]string{"k": strings.Repeat("v", maxMetaAnnotations)},
	}
	meta := metaOf(&m, 5)
	if meta.Annotations != nil {
		t.Errorf("annotations of %d bytes are in the record", maxMetaAnnotations+1)
	}
	if len(meta.Children) != maxMetaChildren {
		t.Errorf("%d children are in the record, want %d", len(meta.Children), maxMetaChildren)
	}
	if meta.Size != 5 {
		t.Errorf("the size is %d, want 5", meta.Size)
	}
	m.Annotations = map[string]string{"k": "v"}
	if meta := metaOf(&m, 5); !reflect.DeepEqual(meta.Annotations, m.Annotations) {
		t.Errorf("the annotations are %v, want %v", meta.Annotations, m.Annotations)
	}
}

func TestManifestRowsAreReadBack(t *testing.T) {
	m := manifestRow{size: 1 << 40, blob: someDigest, mediaType: manifest.TypeImage}
	if got, ok := decodeManifestRow(m.encode()); !ok || got != m {
		t.Errorf("the row is read as %+v, %t; want %+v", got, ok, m)
	}
	for _, b := range []string{"", "1", "1\x00x", "x\x00y\x00z"} {
		if got, ok := decodeManifestRow([]byte(b)); ok {
			t.Errorf("%q is read as %+v, want an error", b, got)
		}
	}
}

func FuzzDigestRef(f *testing.F) {
	for _, s := range []string{
		"latest", someDigest, someSHA512, "sha256:", ":", "a:b:c", "v1.0", strings.Repeat("x", 200), "sha256-" + someHex,
	} {
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
