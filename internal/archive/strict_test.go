package archive

// Tar archives that readers could understand in two ways.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"testing"
)

// zipped is p as one gzip member.
func zipped(t testing.TB, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// resum writes the checksum of a tar header that a test has changed.
func resum(block []byte) {
	copy(block[148:156], "        ")
	sum := 0
	for _, c := range block[:512] {
		sum += int(c)
	}
	copy(block[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

// withPAX is an archive of one file with an extension header.
func withPAX(t testing.TB, key, value string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{
		Name: "a", Size: 5, Mode: 0o644, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"VENDOR.x": "12345678"},
		Format: tar.FormatPAX,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	record := "21 VENDOR.x=12345678\n"
	forged := fmt.Sprintf(" %s=%s\n", key, value)
	for n := len(forged); ; n++ {
		if s := fmt.Sprint(n, forged); len(s) == n {
			forged = s
			break
		}
	}
	p := b.Bytes()
	i := bytes.Index(p, []byte(record))
	if i < 0 {
		t.Fatal("the record is written differently")
	}
	copy(p[i:], make([]byte, len(record)))
	copy(p[i:], forged)
	header := p[i-512 : i]
	copy(header[124:136], fmt.Sprintf("%011o\x00", len(forged)))
	resum(header)
	return p
}

func TestStrictRefusesWhatReadersUnderstandDifferently(t *testing.T) {
	good := tarOf(t, true, file{"a/b", "hello", 0}, file{"a/", "", tar.TypeDir})
	typed := func(flag byte) []byte { return tarOf(t, true, file{"a/link", "b", flag}) }
	forge := func(change func(header []byte)) []byte {
		p := tarOf(t, false, file{"a", "hello", 0})
		change(p[:512])
		resum(p[:512])
		return zipped(t, p)
	}
	flagged := func(flag byte) []byte { return forge(func(h []byte) { h[156] = flag }) }
	for name, c := range map[string]struct {
		p    []byte
		want error
	}{
		"good":             {good, nil},
		"symlink":          {typed(tar.TypeSymlink), ErrType},
		"hardlink":         {typed(tar.TypeLink), ErrType},
		"fifo":             {typed(tar.TypeFifo), ErrType},
		"character device": {typed(tar.TypeChar), ErrType},
		"block device":     {typed(tar.TypeBlock), ErrType},
		"contiguous":       {flagged('7'), ErrType},
		"unknown type":     {flagged('Z'), ErrType},
		"not gzipped":      {tarOf(t, false, file{"a", "x", 0}), ErrFormat},
		"second member":    {append(bytes.Clone(good), good...), ErrFormat},
		"bytes after gzip": {append(bytes.Clone(good), 'x'), ErrFormat},
		"bytes after tar": {
			zipped(t, append(tarOf(t, false, file{"a", "x", 0}), bytes.Repeat([]byte("x"), 512)...)), ErrFormat,
		},
		"zeros after tar":    {zipped(t, append(tarOf(t, false, file{"a", "x", 0}), make([]byte, 10<<10)...)), nil},
		"size in PAX":        {zipped(t, withPAX(t, "size", "5")), ErrFormat},
		"sparse in PAX":      {zipped(t, withPAX(t, "GNU.sparse.a", "1")), ErrFormat},
		"other PAX":          {zipped(t, withPAX(t, "VENDOR.y", "5")), nil},
		"file called folder": {forge(func(h []byte) { h[1] = '/' }), ErrFormat},
		"folder with bytes":  {flagged('5'), ErrFormat},
		"backslash":          {tarOf(t, true, file{`a\b`, "x", 0}), ErrName},
	} {
		err := Tar(bytes.NewReader(c.p), Limits{Strict: true}, func(*Entry) error { return nil })
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// read goes through an archive.
func read(p []byte, l Limits) error {
	return Tar(bytes.NewReader(p), l, func(*Entry) error { return nil })
}

func TestLinksAndSecondMembersAreReadUnlessStrict(t *testing.T) {
	good := tarOf(t, true, file{"a/b", "hello", 0})
	for name, p := range map[string][]byte{
		"links":   tarOf(t, true, file{"a/link", "b", tar.TypeSymlink}),
		"members": append(bytes.Clone(good), good...),
		"plain":   tarOf(t, false, file{"a", "x", 0}),
	} {
		if err := read(p, Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPlainArchiveMustNotBeGzipped(t *testing.T) {
	ok := tarOf(t, false, file{name: "a", content: "1"})
	if err := read(ok, Limits{Strict: true, Plain: true}); err != nil {
		t.Error(err)
	}
	for what, p := range map[string][]byte{
		"gzipped": tarOf(t, true, file{name: "a"}), "more after its end": append(bytes.Clone(ok), "more"...), "cut": ok[:512],
	} {
		if err := read(p, Limits{Strict: true, Plain: true}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: the error is %v, want %v", what, err, ErrFormat)
		}
	}
	if err := read(ok, Limits{Strict: true}); !errors.Is(err, ErrFormat) {
		t.Errorf("without Plain the error is %v, want %v", err, ErrFormat)
	}
}

func TestArchiveWithoutEntriesIsEmpty(t *testing.T) {
	for _, want := range []error{ErrEmpty, ErrFormat} {
		if err := read(make([]byte, 1024), Limits{}); !errors.Is(err, want) {
			t.Errorf("the error is %v, want %v", err, want)
		}
	}
}

func TestLinkSaysWhereItPoints(t *testing.T) {
	var link string
	err := Tar(bytes.NewReader(tarOf(t, false, file{"l", "../x", tar.TypeSymlink})), Limits{}, func(e *Entry) error {
		link = e.Link
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if link != "../x" {
		t.Errorf("the link points to %q, want ../x", link)
	}
}
