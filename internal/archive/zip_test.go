package archive

// ZIP archives, built byte by byte: those that are read, and every damage that is refused.

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
)

// member is an entry of a ZIP archive as a test writes it.
type member struct {
	name, content string
	stored        bool
	streamed      bool
	mode          uint32 // Unix mode, 0 for none
	flags         uint16
	method        uint16 // instead of the right one
	extra         []byte
	localName     string // instead of name
}

func deflated(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// zipOf writes an archive byte by byte, so that a test can write what no library would.
func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	le := binary.LittleEndian
	var out, dir []byte
	for _, m := range members {
		packed, method, crc := m.content, uint16(methodStored), crc32.ChecksumIEEE([]byte(m.content))
		if !m.stored {
			packed, method = deflated(t, m.content), methodDeflate
		}
		if m.method != 0 {
			method = m.method
		}
		if m.streamed {
			m.flags |= flagDescriptor
		}
		at := len(out)
		head := func(p []byte, name string, known bool) []byte {
			p = le.AppendUint32(le.AppendUint16(le.AppendUint16(p, m.flags), method), 0)
			sums := []uint32{crc, uint32(len(packed)), uint32(len(m.content))}
			if !known {
				sums = []uint32{0, 0, 0}
			}
			for _, v := range sums {
				p = le.AppendUint32(p, v)
			}
			return le.AppendUint16(le.AppendUint16(p, uint16(len(name))), uint16(len(m.extra)))
		}
		local := m.name
		if m.localName != "" {
			local = m.localName
		}
		out = head(le.AppendUint16(le.AppendUint32(out, sigLocal), 20), local, !m.streamed)
		out = append(append(append(out, local...), m.extra...), packed...)
		if m.streamed {
			for _, v := range []uint32{sigDescriptor, crc, uint32(len(packed)), uint32(len(m.content))} {
				out = le.AppendUint32(out, v)
			}
		}
		dir = head(le.AppendUint16(le.AppendUint16(le.AppendUint32(dir, sigCentral), 3<<8|20), 20), m.name, true)
		dir = le.AppendUint16(le.AppendUint32(le.AppendUint16(dir, 0), 0), 0) // comment length, disk and internal attributes
		dir = le.AppendUint32(le.AppendUint32(dir[:len(dir)-2], m.mode<<16), uint32(at))
		dir = append(append(dir, m.name...), m.extra...)
	}
	return endOf(append(out, dir...), len(members), len(dir), len(out), "")
}

// endOf appends an end record.
func endOf(out []byte, count, length, offset int, comment string) []byte {
	le := binary.LittleEndian
	out = le.AppendUint32(le.AppendUint32(out, sigEnd), 0)
	out = le.AppendUint16(le.AppendUint16(out, uint16(count)), uint16(count))
	out = le.AppendUint32(le.AppendUint32(out, uint32(length)), uint32(offset))
	return append(le.AppendUint16(out, uint16(len(comment))), comment...)
}

func openZip(p []byte) (*Zip, error) { return OpenZip(bytes.NewReader(p), int64(len(p)), Limits{}) }

// someZip has an entry of every kind.
func someZip(t *testing.T) *Zip {
	t.Helper()
	z, err := openZip(zipOf(t,
		member{name: "a/", stored: true},
		member{name: "a/b", content: "hello"},
		member{name: "ü", content: "x", stored: true},
		member{name: "s", content: "streamed", streamed: true},
		member{name: "l", content: "a/b", stored: true, mode: 0o120777},
		member{name: "m", mode: 0o100644},
	))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestEntriesAreReadInOrder(t *testing.T) {
	var got []string
	for _, e := range someZip(t).Entries() {
		b, err := e.Bytes(100)
		if err != nil {
			t.Fatal(err)
		}
		line := e.Name + "=" + string(b)
		for _, kind := range []struct {
			is   bool
			word string
		}{{!e.Regular && !e.Link, " folder"}, {e.Link, " link"}, {e.Streamed, " streamed"}} {
			if kind.is {
				line += kind.word
			}
		}
		got = append(got, line)
	}
	want := []string{"a= folder", "a/b=hello", "ü=x", "s=streamed streamed", "l=a/b link", "m="}
	if !slices.Equal(got, want) {
		t.Errorf("the entries are %q, want %q", got, want)
	}
}

func TestEntryIsFoundByItsWholeName(t *testing.T) {
	z := someZip(t)
	if z.Entry("a/b") == nil {
		t.Error("there is no entry a/b")
	}
	if z.Entry("b") != nil {
		t.Error("there is an entry b")
	}
}

func TestZipCountsAndVerifiesItsBytes(t *testing.T) {
	z := someZip(t)
	if want := int64(5 + 1 + 8 + 3); z.Unpacked != want {
		t.Errorf("the entries have %d bytes, want %d", z.Unpacked, want)
	}
	if err := z.Verify(); err != nil {
		t.Error(err)
	}
	if _, err := z.Entry("a/b").Bytes(4); !errors.Is(err, ErrLimit) {
		t.Errorf("Bytes(4) of 5 bytes gives the error %v, want %v", err, ErrLimit)
	}
}

// Go's writer puts the sizes after the data.
func TestZipOfGoIsRead(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range map[string]string{"a": "hello", "b/c": strings.Repeat("x", 100_000), "d/": ""} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.SetComment("0123456789abcdef"), w.Close()); err != nil {
		t.Fatal(err)
	}
	z, err := openZip(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Verify(); err != nil {
		t.Error(err)
	}
	if want := "0123456789abcdef"; z.Comment != want {
		t.Errorf("the comment is %q, want %q", z.Comment, want)
	}
	if !z.Entry("a").Streamed {
		t.Error("the entry a is not streamed")
	}
	if z.Entry("d").Regular {
		t.Error("the folder d is a regular file")
	}
}

// An archive with every ZIP64 record is read, and refused if one of them says something else.
func TestZIP64RecordsMustAgree(t *testing.T) {
	le := binary.LittleEndian
	build := func(change func(extra, end64, locator, end []byte)) []byte {
		extra := le.AppendUint64(le.AppendUint64(le.AppendUint16(le.AppendUint16(nil, extraZip64), 16), 2), 2)
		p := zipOf(t, member{name: "a", content: "hi", stored: true, extra: extra})
		dirAt := sizeLocal + 1 + len(extra) + 2
		body := bytes.Clone(p[:len(p)-sizeEnd])
		for _, at := range []int{18, 22, dirAt + 20, dirAt + 24} {
			le.PutUint32(body[at:], most32)
		}
		end64 := le.AppendUint64(le.AppendUint32(nil, sigEnd64), sizeEnd64-12)
		end64 = le.AppendUint64(le.AppendUint16(le.AppendUint16(end64, 45), 45), 0)
		for _, v := range []int{1, 1, len(body) - dirAt, dirAt} {
			end64 = le.AppendUint64(end64, uint64(v))
		}
		locator := le.AppendUint32(le.AppendUint32(nil, sigLocator64), 0)
		locator = le.AppendUint32(le.AppendUint64(locator, uint64(len(body))), 1)
		end := endOf(nil, most16, most32, most32, "")
		change(body[dirAt+sizeCentral+1:], end64, locator, end)
		return slices.Concat(body, end64, locator, end)
	}
	z, err := openZip(build(func(_, _, _, _ []byte) {}))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := z.Entry("a").Bytes(10); err != nil || string(b) != "hi" {
		t.Errorf("the entry is %q, %v; want hi", b, err)
	}
	short := build(func(_, _, _, end []byte) { le.PutUint16(end[8:], 1); le.PutUint16(end[10:], 1) })
	if _, err := openZip(short); err != nil {
		t.Errorf("a count that fits twice: %v", err)
	}
	for name, change := range map[string]func(extra, end64, locator, end []byte){
		"count":      func(_, end64, _, _ []byte) { le.PutUint64(end64[24:], 2); le.PutUint64(end64[32:], 2) },
		"length":     func(_, end64, _, _ []byte) { le.PutUint64(end64[40:], 1) },
		"offset":     func(_, end64, _, _ []byte) { le.PutUint64(end64[48:], 1<<63+1) },
		"version":    func(_, end64, _, _ []byte) { le.PutUint64(end64[4:], 50) },
		"disk":       func(_, end64, _, _ []byte) { le.PutUint32(end64[16:], 1) },
		"locator":    func(_, _, locator, _ []byte) { le.PutUint64(locator[8:], 7) },
		"disks":      func(_, _, locator, _ []byte) { le.PutUint32(locator[16:], 2) },
		"no locator": func(_, _, locator, _ []byte) { locator[0] = 0 },
		"two counts": func(_, _, _, end []byte) { le.PutUint16(end[8:], 2); le.PutUint16(end[10:], 2) },
		"entry":      func(extra, _, _, _ []byte) { le.PutUint64(extra[4:], 3) },
		"short":      func(extra, _, _, _ []byte) { le.PutUint16(extra[2:], 8); copy(extra[12:], "\x99\x99\x04\x00") },
		"negative":   func(extra, _, _, _ []byte) { le.PutUint64(extra[4:], 1<<63) },
	} {
		if _, err := openZip(build(change)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: the error is %v, want %v", name, err, ErrFormat)
		}
	}
}

func TestUnusableZipIsRefused(t *testing.T) {
	two := []member{{name: "a", content: "hello"}, {name: "b", content: "world", stored: true}}
	whole := zipOf(t, two...)
	dirAt := int(binary.LittleEndian.Uint32(whole[len(whole)-6:]))
	patch := func(at int, b ...byte) []byte {
		p := bytes.Clone(whole)
		copy(p[at:], b)
		return p
	}
	insert := func(at int, s string) []byte { return slices.Concat(whole[:at], []byte(s), whole[at:]) }
	unicode := append([]byte{0x75, 0x70, 8, 0, 1, 0, 0, 0, 0}, "x/y"...)
	for name, c := range map[string]struct {
		p    []byte
		want error
	}{
		"empty":               {nil, ErrFormat},
		"no archive":          {[]byte(strings.Repeat("hello ", 20)), ErrFormat},
		"cut":                 {whole[:len(whole)-1], ErrFormat},
		"beginning cut":       {whole[5:], ErrFormat},
		"prefix":              {insert(0, "#!/bin/sh\n"), ErrFormat},
		"suffix":              {append(bytes.Clone(whole), "more"...), ErrFormat},
		"between":             {insert(dirAt, "more"), ErrFormat},
		"after directory":     {insert(len(whole)-sizeEnd, "more"), ErrFormat},
		"two archives":        {append(bytes.Clone(whole), whole...), ErrFormat},
		"fewer counted":       {patch(len(whole)-sizeEnd+8, 1, 0, 1, 0), ErrFormat},
		"more counted":        {patch(len(whole)-sizeEnd+8, 3, 0, 3, 0), ErrFormat},
		"several parts":       {patch(len(whole)-sizeEnd+4, 1), ErrFormat},
		"directory damaged":   {patch(dirAt, 'X'), ErrFormat},
		"local damaged":       {patch(0, 'X'), ErrFormat},
		"local size":          {patch(22, 6), ErrFormat},
		"local checksum":      {patch(14, 1, 2, 3, 4), ErrFormat},
		"local name":          {zipOf(t, member{name: "a", localName: "b"}), ErrFormat},
		"local method":        {patch(8, 0), ErrFormat},
		"entry elsewhere":     {patch(dirAt+42, 1), ErrFormat},
		"overlap":             {patch(dirAt+sizeCentral+1+42, 0), ErrFormat},
		"twice":               {zipOf(t, two[0], two[0]), ErrFormat},
		"file and folder":     {zipOf(t, member{name: "a"}, member{name: "a/", stored: true}), ErrFormat},
		"folder with content": {zipOf(t, member{name: "a/", content: "x"}), ErrFormat},
		"encrypted":           {zipOf(t, member{name: "a", flags: flagEncrypted}), ErrFormat},
		"unknown flag":        {zipOf(t, member{name: "a", flags: 1 << 6}), ErrFormat},
		"bzip2":               {zipOf(t, member{name: "a", method: 12}), ErrFormat},
		"stored, two sizes":   {patch(dirAt+sizeCentral+1+24, 6), ErrFormat},
		"stored, streamed":    {zipOf(t, member{name: "a", content: "x", stored: true, streamed: true}), ErrFormat},
		"extra cut":           {zipOf(t, member{name: "a", extra: []byte{1, 2, 3}}), ErrFormat},
		"extra too long":      {zipOf(t, member{name: "a", extra: []byte{1, 2, 9, 0}}), ErrFormat},
		"extra twice":         {zipOf(t, member{name: "a", extra: []byte{1, 0, 0, 0, 1, 0, 0, 0}}), ErrFormat},
		"unasked ZIP64":       {zipOf(t, member{name: "a", extra: []byte{1, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0}}), ErrFormat},
		"ZIP64 of the same": {
			zipOf(t, member{
				name: "a", content: "x", stored: true,
				extra: append([]byte{1, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0, 0}, 1, 0, 0, 0, 0, 0, 0, 0),
			}),
			nil,
		},
		"ZIP64 of others": {
			zipOf(t, member{
				name: "a", content: "x", stored: true,
				extra: append([]byte{1, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0, 0}, 2, 0, 0, 0, 0, 0, 0, 0),
			}),
			ErrFormat,
		},
		"other Unicode name": {zipOf(t, member{name: "a", extra: unicode}), ErrFormat},
		"same Unicode name":  {zipOf(t, member{name: "x/y", extra: unicode}), nil},
		"parent":             {zipOf(t, member{name: "a/../../x"}), ErrName},
		"absolute":           {zipOf(t, member{name: "/etc/passwd"}), ErrName},
		"backslash":          {zipOf(t, member{name: `a\b`}), ErrName},
		"drive":              {zipOf(t, member{name: "C:x"}), ErrName},
		"two spellings":      {zipOf(t, member{name: "a//b"}), ErrName},
		"dot":                {zipOf(t, member{name: "./b"}), ErrName},
		"no name":            {zipOf(t, member{name: ""}), ErrName},
		"slash":              {zipOf(t, member{name: "/"}), ErrName},
		"control character":  {zipOf(t, member{name: "a\nb"}), ErrName},
		"not UTF-8":          {zipOf(t, member{name: "a\xff"}), ErrName},
		"no member":          {zipOf(t), nil},
		"descriptor, other sum": {
			bytes.Replace(zipOf(t, member{name: "a", content: "x", streamed: true}), []byte("PK\x07\x08"), []byte("PK\x07\x09"),
				1),
			ErrFormat,
		},
	} {
		if _, err := openZip(c.p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestZipIsLimited(t *testing.T) {
	p := zipOf(t, member{name: "a", content: "hello"}, member{name: "long name", content: "x"})
	for name, l := range map[string]Limits{"entries": {Entries: 1}, "bytes": {Bytes: 5}, "name": {Name: 5}} {
		if _, err := OpenZip(bytes.NewReader(p), int64(len(p)), l); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: the error is %v, want %v", name, err, ErrLimit)
		}
	}
	bomb := zipOf(t, member{name: "a", content: strings.Repeat("\x00", 80<<20)})
	if _, err := openZip(bomb); !errors.Is(err, ErrLimit) {
		t.Errorf("a bomb of %d bytes gives the error %v, want %v", len(bomb), err, ErrLimit)
	}
}

func TestContentMustBeWhatWasAnnounced(t *testing.T) {
	p := zipOf(t, member{name: "a", content: strings.Repeat("hello", 100)})
	dirAt := int(binary.LittleEndian.Uint32(p[len(p)-6:]))
	patch := func(local, central int, b ...byte) []byte {
		p := bytes.Clone(p)
		copy(p[local:], b)
		copy(p[dirAt+central:], b)
		return p
	}
	for name, p := range map[string][]byte{
		"smaller":  patch(22, 24, 99, 0),
		"larger":   patch(22, 24, 99, 9),
		"checksum": patch(14, 16, 1, 2, 3, 4),
		"damaged":  patch(sizeLocal+1, 0, 'P', 'K', 1, 2), // the directory's own signature stays
		"trailing": zipOf(t, member{name: "a", content: deflated(t, "x") + "rest", stored: true, method: 8}),
	} {
		z, err := openZip(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := z.Verify(); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: Verify gives the error %v, want %v", name, err, ErrFormat)
		}
		if _, err := z.Entry("a").Bytes(1 << 20); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: Bytes gives the error %v, want %v", name, err, ErrFormat)
		}
	}
}

type brokenReader struct{ err error }

func (b brokenReader) ReadAt([]byte, int64) (int, error) { return 0, b.err }

func TestErrorOfTheFileIsNotTheArchives(t *testing.T) {
	broken := errors.New("broken")
	if _, err := OpenZip(brokenReader{broken}, 1000, Limits{}); !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
		t.Errorf("the error is %v, want %v and not %v", err, broken, ErrFormat)
	}
}

// Go's own reader understands in the same way what is accepted, and nothing leads outside.
func FuzzZip(f *testing.F) {
	f.Add(zipOf(f, member{name: "a/b", content: "hello"}, member{name: "a/", stored: true}))
	f.Add(zipOf(f,
		member{name: "a", content: "hello", streamed: true},
		member{name: "b", content: "x", stored: true, mode: 0o120777},
	))
	f.Add(endOf(nil, 0, 0, 0, "comment"))
	f.Fuzz(func(t *testing.T, p []byte) {
		z, err := OpenZip(bytes.NewReader(p), int64(len(p)), Limits{Bytes: 1 << 20, Entries: 100})
		if err != nil {
			return
		}
		other, err := zip.NewReader(bytes.NewReader(p), int64(len(p)))
		if err != nil {
			t.Fatalf("it is accepted, and archive/zip says %v", err)
		}
		if len(other.File) != len(z.Entries()) || other.Comment != z.Comment {
			t.Fatalf("%d entries and comment %q, archive/zip has %d and %q",
				len(z.Entries()), z.Comment, len(other.File), other.Comment)
		}
		for _, o := range other.File {
			compareEntry(t, z.Entry(strings.TrimSuffix(o.Name, "/")), o)
		}
	})
}

func compareEntry(t *testing.T, e *ZipEntry, o *zip.File) {
	if e == nil || e.Size != int64(o.UncompressedSize64) || strings.HasPrefix(e.Name, "/") ||
		strings.HasPrefix(e.Name, "..") && (len(e.Name) == 2 || e.Name[2] == '/') {
		t.Fatalf("%q is read as %+v", o.Name, e)
	}
	got, err := e.Bytes(1 << 20)
	if err != nil || strings.HasSuffix(o.Name, "/") {
		return
	}
	r, err := o.Open()
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the content is %q, archive/zip has %q, %v", got, want, err)
	}
}
