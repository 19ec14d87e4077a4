package archive

// This file tests tar archives: the same rules as for ZIP, and what PHP would unpack otherwise than it stands there.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"larder/internal/problem"
)

// entry is one of a tar archive; a typ of 0 is a file.
type entry struct {
	name, body string
	typ        byte
}

// tarOf packs entries; pax are records of every one.
func tarOf(t testing.TB, pax map[string]string, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Typeflag: e.typ, Size: int64(len(e.body)), PAXRecords: pax}
		if e.typ == 0 {
			h.Typeflag = tar.TypeReg
		}
		if e.typ == tar.TypeSymlink || e.typ == tar.TypeLink {
			h.Linkname, h.Size = e.body, 0
		}
		if e.typ == tar.TypeXGlobalHeader {
			h = &tar.Header{Typeflag: e.typ, Name: e.name, PAXRecords: map[string]string{"comment": "a commit"}}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, e.body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&b)
		if _, err := z.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// bzipped is a tar archive with the file composer.json, which is plainManifest, packed by bzip2.
const bzipped = "QlpoOTFBWSZTWXA5v3AAAHJbgMqBUAH9EAgAbhPeCgQIIAB1EFPUbSNAGEBp6QJKQ0aAADQ0B8+l0aEHrUIRbc4ZQ5qBDAY6ET8v" +
	"YNklmSWrRCBu0jURyZAgJ68y4mHi9sm+IXtrRTREWiU+dqIoPxdyRThQkHA5v3A="

func TestManifestIsFoundInTar(t *testing.T) {
	root := []entry{
		{name: "composer.json", body: plainManifest}, {name: "src/", typ: tar.TypeDir}, {name: "src/a", body: "x"},
	}
	folder := []entry{
		{name: "pax_global_header", typ: tar.TypeXGlobalHeader}, {name: "demo-1/", typ: tar.TypeDir},
		{name: "demo-1/composer.json", body: plainManifest}, {name: "demo-1/sub/composer.json", body: "{}"},
	}
	dots := []entry{
		{name: "./", typ: tar.TypeDir}, {name: "./composer.json", body: plainManifest}, {name: "./a", body: "x"},
	}
	packed, err := base64.StdEncoding.DecodeString(bzipped)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		form string
		body []byte
	}{
		"root": {"tar", tarOf(t, nil, root...)}, "as git archive makes it": {"tar", tarOf(t, nil, folder...)},
		"begins with dots": {"tar", tarOf(t, nil, dots...)}, "gzip": {"tar.gz", gzipped(t, tarOf(t, nil, folder...))},
		"times in extension headers": {"tar", tarOf(t, map[string]string{"mtime": "1.5"}, root...)},
		"bzip2":                      {"tar.bz2", packed},
	} {
		raw, form, err := readArchive(bytes.NewReader(c.body), int64(len(c.body)))
		if string(raw) != plainManifest || form != c.form || err != nil {
			t.Errorf("%s: %s in a %q, %v; want the manifest in a %q", what, raw, form, err, c.form)
		}
	}
}

func TestTarsThatAreRefused(t *testing.T) {
	manifest := entry{name: "composer.json", body: plainManifest}
	whole := tarOf(t, nil, manifest)
	for what, c := range map[string]struct {
		body   []byte
		status int
		text   string
	}{
		"a name that leads outside": {tarOf(t, nil, manifest, entry{name: "../x", body: "x"}), 400, "leads outside"},
		"an absolute name":          {tarOf(t, nil, manifest, entry{name: "/etc/x", body: "x"}), 400, "leads outside"},
		"a drive":                   {tarOf(t, nil, manifest, entry{name: "c:x", body: "x"}), 400, "no name on some systems"},
		"a backslash":               {tarOf(t, nil, manifest, entry{name: `a\x`, body: "x"}), 400, "no name on some systems"},
		"names that differ in case": {tarOf(t, nil, manifest, entry{name: "Composer.json", body: "x"}), 400, "one file"},
		"one name twice":            {tarOf(t, nil, manifest, manifest), 400, "one file"},
		"a link that leads outside": {tarOf(t, nil, manifest, entry{"l", "../../x", tar.TypeSymlink}), 400, "an empty file"},
		"a link": {
			tarOf(t, nil, manifest, entry{"l", "composer.json", tar.TypeSymlink}), 400, "an empty file",
		},
		"a hard link": {
			tarOf(t, nil, manifest, entry{"l", "composer.json", tar.TypeLink}), 400, "an empty file",
		},
		"a device": {tarOf(t, nil, manifest, entry{"d", "", tar.TypeChar}), 400, "an empty file"},
		"a name that PHP would cut": {
			tarOf(t, nil, manifest, entry{name: strings.Repeat("a", 200) + "/ü", body: "x"}), 400,
			"which Composer does not read",
		},
		"no manifest": {tarOf(t, nil, entry{name: "a", body: "x"}, entry{name: "b", body: "x"}), 400, "it has a, b."},
		"two folders": {
			tarOf(t, nil, entry{name: "a/composer.json", body: "{}"}, entry{name: "b/composer.json", body: "{}"}), 400, "a, b.",
		},
		"only macOS":         {tarOf(t, nil, entry{name: "__MACOSX/composer.json", body: "{}"}), 400, "neither at its root"},
		"a folder for it":    {tarOf(t, nil, entry{name: "composer.json/", typ: tar.TypeDir}), 400, "neither at its root"},
		"a large manifest":   {tarOf(t, nil, entry{name: "composer.json", body: strings.Repeat(" ", maxSize+1)}), 413, ""},
		"one that is cut":    {whole[:520], 400, "damaged"},
		"cut gzip":           {gzipped(t, whole)[:40], 400, "The tar.gz archive is damaged"},
		"two parts of gzip":  {gzipped(t, whole, whole), 400, "something follows its end"},
		"gzip of no tar":     {gzipped(t, []byte("text")), 400, "damaged"},
		"bzip2 that is none": {[]byte("BZh9 and text"), 400, "The tar.bz2 archive is damaged"},
	} {
		_, _, err := readArchive(bytes.NewReader(c.body), int64(len(c.body)))
		wantRefused(t, what, err, c.status, c.text)
	}
}

// TestTarBombsAreNotUnpacked: neither of one large file, nor of many.
func TestTarBombsAreNotUnpacked(t *testing.T) {
	zeros := strings.Repeat("\x00", 1<<20)
	entries := []entry{{name: "composer.json", body: plainManifest}}
	for i := range 66 {
		entries = append(entries, entry{name: strings.Repeat("x", i+1), body: zeros})
	}
	bomb := gzipped(t, tarOf(t, nil, entries...))
	_, _, err := readArchive(bytes.NewReader(bomb), int64(len(bomb)))
	wantRefused(t, "66 MiB of zeros", err, 413, "too large")
	var many []entry
	for i := range maxEntries + 1 {
		many = append(many, entry{name: "f" + string(rune('0'+i%10)) + "/" + strings.Repeat("0", i/10%90+1) + "/" + base64.
			RawURLEncoding.EncodeToString([]byte{byte(i), byte(i >> 8), byte(i >> 16)})})
	}
	bomb = gzipped(t, tarOf(t, nil, many...))
	_, _, err = readArchive(bytes.NewReader(bomb), int64(len(bomb)))
	wantRefused(t, "many files", err, 413, "too large")
}

func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, nil, entry{name: "composer.json", body: plainManifest}, entry{name: "a/b", body: "c"}))
	f.Add(gzipped(f, tarOf(f, nil, entry{name: "top/composer.json", body: `{"name":"a/b"}`})))
	f.Add([]byte("BZh9"))
	f.Fuzz(func(t *testing.T, p []byte) {
		raw, _, err := readArchive(bytes.NewReader(p), int64(len(p)))
		if s := problem.Status(err); err != nil && s != 400 && s != 413 {
			t.Fatalf("%v is a %d", err, s)
		}
		if len(raw) > maxSize {
			t.Fatalf("%d bytes", len(raw))
		}
	})
}
