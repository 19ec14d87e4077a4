package archive

// Where composer.json is found in an archive, and which archives are refused.

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
)

const plainManifest = `{"name":"acme/demo"}`

func readPacked(files map[string]string) ([]byte, error) {
	p := wiretest.Zip(files)
	raw, _, err := readArchive(bytes.NewReader(p), int64(len(p)))
	return raw, err
}

// wantRefused fails unless the error has the status, and text is in what the client's user reads.
func wantRefused(t *testing.T, what string, err error, status int, text string) {
	t.Helper()
	if got := problem.Status(err); got != status || !strings.Contains(problem.Public(err), text) {
		t.Errorf("%s: got %d %v, want %d with %q", what, got, err, status, text)
	}
}

// TestManifestIsFoundInArchive: composer.json at the root, or in the one folder there is.
func TestManifestIsFoundInArchive(t *testing.T) {
	for what, files := range map[string]map[string]string{
		"root":          {"composer.json": plainManifest, "a.php": "x", "sub/composer.json": "{}"},
		"folder":        {"demo-1a2b/composer.json": plainManifest, "demo-1a2b/src/a.php": "x"},
		"folder itself": {"demo/": "", "demo/composer.json": plainManifest},
		"macOS": {
			"demo/composer.json": plainManifest, "__MACOSX/demo/._composer.json": "x", "__MACOSX/._demo": "x",
		},
		"link inside":     {"composer.json": plainManifest, "bin/x@": "../src/x", "src/x": "y", "l@": "src"},
		"two files alike": {"composer.json": plainManifest, "a/Makefile": "x", "b/makefile": "y"},
	} {
		if raw, err := readPacked(files); err != nil || string(raw) != plainManifest {
			t.Errorf("%s: %s %v", what, raw, err)
		}
	}
	for what, c := range map[string]struct {
		files map[string]string
		text  string
	}{
		"two folders":     {map[string]string{"a/composer.json": plainManifest, "b/x": "y"}, "it has a, b."},
		"folder and file": {map[string]string{"a/composer.json": plainManifest, "readme": "y"}, "it has a, readme."},
		"too deep": {
			map[string]string{"a/b/composer.json": plainManifest}, "neither at its root nor in its one folder",
		},
		"only macOS":      {map[string]string{"__MACOSX/composer.json": plainManifest}, ""},
		"empty":           {map[string]string{}, ""},
		"a folder for it": {map[string]string{"composer.json/": ""}, "neither at its root"},
		"a link for it":   {map[string]string{"composer.json@": "x.json", "x.json": plainManifest}, "neither at its root"},
		"many at the top": {func() map[string]string {
			m := map[string]string{}
			for i := range 30 {
				m[fmt.Sprintf("f%02d", i)] = ""
			}
			return m
		}(), "f09, …"},
		"another case": {map[string]string{"Composer.json": plainManifest}, "no composer.json"},
	} {
		_, err := readPacked(c.files)
		wantRefused(t, what, err, 400, c.text)
	}
}

// TestArchivesThatAreRefused: names and links that lead outside, names that are one on some systems, bombs, and what is
// no ZIP.
func TestArchivesThatAreRefused(t *testing.T) {
	for name, status := range map[string]int{
		"../x": 400, "a/../../x": 400, "/etc/x": 400, `..\x`: 400, "C:/x": 400, "c:x": 400, "a//b": 400, "./x": 400,
		"a\x00b": 400, "a\x1bb": 400, "COMPOSER.JSON": 400, "A/b": 0,
	} {
		_, err := readPacked(map[string]string{"composer.json": plainManifest, "c/d": "x", name: "x"})
		if status == 0 && err == nil {
			continue
		}
		if problem.Status(err) != status {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, target := range []string{
		"../x", "/etc/passwd", "a/../../x", `..\x`, "C:/x", "../../../../../../x", "a/../x",
	} {
		_, err := readPacked(map[string]string{"composer.json": plainManifest, "link@": target})
		wantRefused(t, "a link to "+target, err, 400, "which leads outside")
	}
	_, err := readPacked(map[string]string{"composer.json": plainManifest, "a@": "b", "a/x": "1", "b/y": "2"})
	wantRefused(t, "a file below a link", err, 400, "which is below a link")
	_, err = readPacked(map[string]string{"composer.json": plainManifest, "a/X": "1", "a/x": "2"})
	wantRefused(t, "two names that differ in case", err, 400, "one file on some systems")
	_, err = readPacked(map[string]string{"composer.json": `{"x":"` + strings.Repeat("x", maxSize) + `"}`})
	wantRefused(t, "a composer.json of more than 1 MiB", err, 413, "")
	whole := wiretest.Zip(map[string]string{"composer.json": plainManifest})
	for what, p := range map[string][]byte{
		"text": []byte("no archive"), "nothing": {}, "zeros": make([]byte, 1024),
	} {
		_, _, err := readArchive(bytes.NewReader(p), int64(len(p)))
		wantRefused(t, what, err, 400, "not a ZIP archive, nor a tar archive")
	}
	for what, p := range map[string][]byte{
		"cut": whole[:len(whole)-10], "more behind": append(bytes.Clone(whole), 'x'),
		"more before": append([]byte("PK x"), whole...),
	} {
		_, _, err := readArchive(bytes.NewReader(p), int64(len(p)))
		wantRefused(t, what, err, 400, "not every client could read it")
	}
}

// TestBombsAreNotUnpacked: what unpacks to too much is refused by what the directory says, without unpacking it.
func TestBombsAreNotUnpacked(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("composer.json")
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 66 {
		if _, err := f.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readArchive(bytes.NewReader(b.Bytes()), int64(b.Len())); problem.Status(err) != 413 {
		t.Error(err)
	}
	b.Reset()
	w = zip.NewWriter(&b)
	for i := range maxEntries + 1 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readArchive(bytes.NewReader(b.Bytes()), int64(b.Len())); problem.Status(err) != 413 {
		t.Error(err)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(wiretest.Zip(map[string]string{"composer.json": plainManifest, "a/b": "c", "l@": "a/b"}))
	f.Add(wiretest.Zip(map[string]string{"top/composer.json": `{"name":"a/b","version":"1.0"}`, "__MACOSX/x": ""}))
	f.Add(wiretest.Zip(map[string]string{"composer.json/": "", "../x": "y"}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, p []byte) {
		raw, _, err := readArchive(bytes.NewReader(p), int64(len(p)))
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 413 {
				t.Fatalf("%v is a %d", err, s)
			}
			return
		}
		// The standard library finds the same file, so that what was inspected is what clients unpack.
		z, err := zip.NewReader(bytes.NewReader(p), int64(len(p)))
		if err != nil {
			t.Fatalf("archive/zip: %v", err)
		}
		found := false
		for _, e := range z.File {
			found = found || strings.TrimPrefix(e.Name[strings.LastIndex(e.Name, "/")+1:], "/") == "composer.json"
		}
		if !found || len(raw) > maxSize {
			t.Fatalf("%d bytes, found %t", len(raw), found)
		}
	})
}
