package pydist

// Archives for the tests.

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
)

// zipOf writes files as Python's tools do: sizes before the data.
func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := files[name]
		var packed bytes.Buffer
		z, err := flate.NewWriter(&packed, 6)
		if err == nil {
			_, err = io.WriteString(z, content)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		h := &zip.FileHeader{
			Name: name, Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte(content)), CompressedSize64: uint64(packed.Len()),
			UncompressedSize64: uint64(len(content)),
		}
		f, err := w.CreateRaw(h)
		if err == nil {
			_, err = f.Write(packed.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tgzOf(t testing.TB, files map[string]string, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{
			Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg,
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const demoMetadata = "Metadata-Version: 2.1\nName: Demo.Pkg\nVersion: 1.0\nSummary: a demo\nRequires-Python: >=3.8\n" +
	"\nThe text.\n"

// demo are the files of a wheel that is in order; changed replaces or, with "-", removes some.
// RECORD lists what is there.
func demo(changed map[string]string) map[string]string {
	files := map[string]string{
		"demo_pkg/__init__.py":             "x = 1\n",
		"demo_pkg-1.0.dist-info/METADATA":  demoMetadata,
		"demo_pkg-1.0.dist-info/WHEEL":     "Wheel-Version: 1.0\nTag: py3-none-any\n",
		"demo_pkg-1.0.dist-info/RECORD":    "",
		"demo_pkg-1.0.dist-info/empty.txt": "",
	}
	for name, content := range changed {
		if files[name] = content; content == "-" {
			delete(files, name)
		}
	}
	if record, ok := files["demo_pkg-1.0.dist-info/RECORD"]; ok && record == "" {
		var b strings.Builder
		for name := range files {
			b.WriteString(name + ",,\n")
		}
		files["demo_pkg-1.0.dist-info/RECORD"] = b.String()
	}
	return files
}

func read(t testing.TB, name string, p []byte, strict bool) (*Distribution, error) {
	t.Helper()
	f, err := ParseFilename(name)
	if err != nil {
		t.Fatal(err)
	}
	return Read(bytes.NewReader(p), int64(len(p)), f, strict)
}
