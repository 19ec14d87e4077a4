package rebuild

// Files of every kind, whole, cut off, and looked at by the kinds they are not of.

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"larder/internal/miniclient"
	"larder/internal/wiretest"
	"larder/store"
)

// samples are one file of each kind, called demo 1.0.0.
func samples(t *testing.T) map[store.Kind][]byte {
	t.Helper()
	out := map[store.Kind][]byte{}
	for _, p := range miniclient.All() {
		file, err := p.Make("demo", "1.0.0", bytes.Repeat([]byte("x"), 2000))
		if err != nil {
			t.Fatal(err)
		}
		out[store.Kind(p.Kind)] = file
	}
	out[store.OCI] = miniclient.Manifest(miniclient.Release{Name: "demo", Version: "1.0.0", File: []byte("x")})
	out[store.Maven] = []byte(wiretest.Zip(wiretest.Files{
		"META-INF/maven/com.acme/demo/pom.properties": "#x\ngroupId=com.acme\nartifactId = demo\nversion=1.0.0\n",
	}))
	return out
}

// ask asks every kind about a file and returns what they say.
func ask(body []byte) (out []store.Found) {
	for _, f := range identifiers() {
		if known, ok := f(bytes.NewReader(body), int64(len(body))); ok {
			out = append(out, known)
		}
	}
	return out
}

// TestEachKindKnowsItsOwn: a whole file is known by its own kind and by no other, with its name and version; one that
// is cut off is known by none.
func TestEachKindKnowsItsOwn(t *testing.T) {
	names := map[store.Kind]string{store.Composer: "acme/demo", store.Maven: "com.acme:demo", store.OCI: ""}
	files := map[store.Kind]string{
		store.NPM: "demo-1.0.0.tgz", store.PyPI: "demo-1.0.0-py3-none-any.whl", store.Cargo: "demo-1.0.0.crate",
		store.Maven: "demo-1.0.0.jar", store.Composer: "acme-demo-1.0.0.zip", store.RubyGems: "demo-1.0.0.gem",
		store.OCI: "application/vnd.oci.image.manifest.v1+json",
	}
	for kind, body := range samples(t) {
		name, version := "demo", "1.0.0"
		if n, ok := names[kind]; ok {
			name = n
		}
		if kind == store.OCI {
			version = ""
		}
		got := ask(body)
		if len(got) != 1 || got[0].Kind != kind || got[0].Name != name || got[0].Version != version ||
			got[0].File != files[kind] {
			t.Errorf("a file of kind %s is %+v, want %s %s %s alone", kind, got, name, version, files[kind])
		}
		for _, n := range []int{0, 1, len(body) / 4, len(body) / 3} { // the second half of this gem is padding
			if got := ask(body[:n]); len(got) != 0 {
				t.Errorf("%d of %d bytes of kind %s are %+v, want nothing", n, len(body), kind, got)
			}
		}
	}
}

// TestForeignFilesAreUnknown: archives that are like a package's and none, and plain bytes.
func TestForeignFilesAreUnknown(t *testing.T) {
	properties := "groupId=g\nartifactId=a\nversion=1\n"
	for what, body := range map[string]string{
		"text": "hello", "JSON": `{"name":"x","version":"1.0.0"}`, "XML": `<html><body/></html>`,
		"a ZIP archive of classes": string(wiretest.Zip(wiretest.Files{"a.class": "x"})),
		"a jar of two projects": string(wiretest.Zip(wiretest.Files{
			"META-INF/maven/g/a/pom.properties": properties, "META-INF/maven/g/b/pom.properties": properties,
		})),
		"a POM whose version is a property": "<project><groupId>g</groupId><artifactId>a</artifactId>" +
			"<version>${v}</version></project>",
		"metadata without a wheel": string(wiretest.Zip(wiretest.Files{
			"a-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: a\nVersion: 1\n",
		})),
	} {
		if got := ask([]byte(body)); len(got) != 0 {
			t.Errorf("%s is %+v, want nothing", what, got)
		}
	}
}

// TestIdentifyFindsParts: what an image refers to is a part of it, and a file that lies in two places is listed once.
func TestIdentifyFindsParts(t *testing.T) {
	data := t.TempDir()
	manifest := samples(t)[store.OCI]
	for _, body := range [][]byte{manifest, []byte("x"), []byte("other")} {
		name := fmt.Sprintf("%x", sha256.Sum256(body))
		for _, dir := range []string{"orphans", "blobs/sha256/" + name[:2]} {
			if err := os.MkdirAll(filepath.Join(data, dir), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(data, dir, name), body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := Identify(t.Context(), data, func(store.Found) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range found {
		got[f.Confidence]++
	}
	if len(found) != 3 || got[store.Likely] != 1 || got[store.Part] != 1 || got[store.Unknown] != 1 {
		t.Errorf("found %+v, want a manifest, a part of it, and one that is unknown", found)
	}
}
