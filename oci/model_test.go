package oci

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"larder/oci/manifest"
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

// imageWith is a valid image manifest with more top-level fields.
func imageWith(extra string) string {
	return `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + someDigest + `","size":2},"layers":[]` + extra + `}`
}

// TestMeta: large annotations and long lists of children stay in the manifest.
func TestMeta(t *testing.T) {
	m := manifest.Manifest{MediaType: manifest.TypeIndex, Annotations: map[string]string{"k": strings.Repeat("v", maxMetaAnnotations)}, Children: make([]manifest.Descriptor, 2*maxMetaChildren)}
	if meta := metaOf(&m, 5); meta.Annotations != nil || len(meta.Children) != maxMetaChildren || meta.Size != 5 {
		t.Errorf("%+v", meta)
	}
	m.Annotations = map[string]string{"k": "v"}
	if meta := metaOf(&m, 5); !reflect.DeepEqual(meta.Annotations, m.Annotations) {
		t.Errorf("%+v", meta)
	}
}

func TestManifestRow(t *testing.T) {
	m := manifestRow{size: 1 << 40, blob: someDigest, mediaType: manifest.TypeImage}
	if got, ok := decodeManifestRow(m.encode()); !ok || got != m {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, b := range []string{"", "1", "1\x00x", "x\x00y\x00z"} {
		if got, ok := decodeManifestRow([]byte(b)); ok {
			t.Errorf("%q is %+v", b, got)
		}
	}
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
