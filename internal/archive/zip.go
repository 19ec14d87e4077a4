package archive

// This file reads ZIP archives.

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"strings"
)

// ZIP's records; APPNOTE.TXT 4.3 has their fields.
const (
	sigLocal      = 0x04034b50
	sigCentral    = 0x02014b50
	sigEnd        = 0x06054b50
	sigEnd64      = 0x06064b50
	sigLocator64  = 0x07064b50
	sigDescriptor = 0x08074b50

	sizeLocal     = 30
	sizeCentral   = 46
	sizeEnd       = 22
	sizeEnd64     = 56
	sizeLocator64 = 20

	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagUTF8       = 1 << 11
	flagsEffort    = 1<<1 | 1<<2 // how hard deflate tried
	flagsKnown     = flagsEffort | flagDescriptor | flagUTF8

	methodStored  = 0
	methodDeflate = 8

	extraZip64   = 0x0001
	extraUnicode = 0x7075 // Info-ZIP's other name of an entry, which some readers prefer

	most16 = 1<<16 - 1
	most32 = 1<<32 - 1

	maxComment   = most16
	maxDirectory = 64 << 20 // bytes of the central directory
	ratioFrom    = 64 << 20 // unpacked bytes below which no ratio is suspicious
	maxRatio     = 50
)

// Zip is a ZIP archive that all readers understand in the same way. Readers differ in where they look for the beginning
// of an archive, in whether they use the central directory or the header before each entry, and in which of two equal
// names they take; OpenZip refuses every archive in which that makes a difference. What is legal and unusual (Comment,
// ZipEntry.Streamed, ZipEntry.Link) is for the caller to accept or refuse.
type Zip struct {
	Comment  string
	Unpacked int64 // bytes of all entries together

	entries []*ZipEntry
	byName  map[string]*ZipEntry
}

// ZipEntry is one member of a ZIP archive.
type ZipEntry struct {
	Name     string // with forward slashes, never absolute, never leaving the root; without the slash of a folder
	Size     int64  // unpacked
	Packed   int64  // as it is in the archive
	Regular  bool   // neither folder nor link
	Link     bool   // a symbolic link: its content is the target
	Streamed bool   // its sizes follow its data, so that only a reader of the central directory knows them beforehand

	raw    string // the name as it is written
	method uint16
	flags  uint16
	crc    uint32
	offset int64 // of the local header
	data   *io.SectionReader
}

// OpenZip reads the structure of the ZIP archive that is the size bytes of r, and compares everything that is said
// twice: the archive begins with its first entry, entries follow each other without gaps, local headers and central
// directory agree, and the archive ends with its comment. It returns ErrFormat, ErrLimit, ErrName, or an error of r.
//
// Contents are compared with their announced size and checksum when they are read.
func OpenZip(r io.ReaderAt, size int64, l Limits) (*Zip, error) {
	l = l.withDefaults()
	end, err := findEnd(r, size)
	if err != nil {
		return nil, err
	}
	if end.count > int64(l.Entries) {
		return nil, fmt.Errorf("%w: more than %d entries", ErrLimit, l.Entries)
	}
	if end.length > maxDirectory {
		return nil, fmt.Errorf("%w: a directory of %d bytes", ErrLimit, end.length)
	}
	z := &Zip{Comment: end.comment, byName: make(map[string]*ZipEntry, end.count)}
	if err := z.readDirectory(r, end, l); err != nil {
		return nil, err
	}
	if z.Unpacked > ratioFrom && z.Unpacked/maxRatio > size {
		return nil, fmt.Errorf("%w: %d bytes unpack to %d", ErrLimit, size, z.Unpacked)
	}
	return z, z.readLocals(r, end)
}

// Entries returns the members in the order of their bytes in the archive.
func (z *Zip) Entries() []*ZipEntry { return z.entries }

// Entry returns the member called name, nil if there is none.
func (z *Zip) Entry(name string) *ZipEntry { return z.byName[name] }

// Verify unpacks every entry and compares it with its size and checksum. It returns ErrFormat if one differs.
func (z *Zip) Verify() error {
	for _, e := range z.entries {
		if _, err := io.Copy(io.Discard, e.Open()); err != nil {
			return err
		}
	}
	return nil
}

// zipEnd is what the end of the archive says about the central directory.
type zipEnd struct {
	count, length, offset int64
	comment               string
}

func formatError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// readAt reads n bytes at an offset. ErrFormat if the archive ends before them.
func readAt(r io.ReaderAt, at, n int64) ([]byte, error) {
	p := make([]byte, n)
	if at < 0 {
		return nil, formatError("it is cut off")
	}
	switch got, err := r.ReadAt(p, at); {
	case int64(got) == n:
		return p, nil
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, formatError("it is cut off")
	default:
		return nil, fmt.Errorf("read archive: %w", err)
	}
}

// findEnd reads the end record. It must be the only thing that looks like one in the last 64 KiB, the comment included.
func findEnd(r io.ReaderAt, size int64) (zipEnd, error) {
	if size < sizeEnd {
		return zipEnd{}, formatError("it is too short")
	}
	length := min(size, sizeEnd+maxComment)
	tail, err := readAt(r, size-length, length)
	if err != nil {
		return zipEnd{}, err
	}
	for i := len(tail) - sizeEnd; i >= 0; i-- {
		if binary.LittleEndian.Uint32(tail[i:]) != sigEnd {
			continue
		}
		p := tail[i:]
		if int(binary.LittleEndian.Uint16(p[20:])) != len(p)-sizeEnd {
			return zipEnd{}, formatError("something follows its end")
		}
		return parseEnd(r, p, size-int64(len(p)))
	}
	return zipEnd{}, formatError("it has no end record")
}

// parseEnd reads the end record p, which is at the offset at, and what must stand directly before it.
func parseEnd(r io.ReaderAt, p []byte, at int64) (zipEnd, error) {
	le := binary.LittleEndian
	if le.Uint16(p[4:]) != 0 || le.Uint16(p[6:]) != 0 || le.Uint16(p[8:]) != le.Uint16(p[10:]) {
		return zipEnd{}, formatError("it has several parts")
	}
	end := zipEnd{
		count: int64(le.Uint16(p[10:])), length: int64(le.Uint32(p[12:])), offset: int64(le.Uint32(p[16:])),
		comment: string(p[sizeEnd:]),
	}
	stop, err := end.widen(r, at)
	if err != nil {
		return zipEnd{}, err
	}
	// A sum of numbers that strangers chose could overflow: compare by subtraction.
	if end.offset < 0 || end.length < 0 || end.count < 0 || end.offset > stop || end.length != stop-end.offset {
		return zipEnd{}, formatError("its directory is not where the end says")
	}
	if end.length < end.count*sizeCentral {
		return zipEnd{}, formatError("its directory is too short")
	}
	return end, nil
}

// widen takes the ZIP64 values, if there are any, and returns where the central directory must end. Some readers use
// them whenever they are there, others only when the short ones are full, so both must say the same.
func (end *zipEnd) widen(r io.ReaderAt, at int64) (stop int64, err error) {
	le := binary.LittleEndian
	var locator []byte
	if at >= sizeLocator64 {
		if locator, err = readAt(r, at-sizeLocator64, sizeLocator64); err != nil {
			return 0, err
		}
	}
	if locator == nil || le.Uint32(locator) != sigLocator64 {
		if end.count == most16 || end.length == most32 || end.offset == most32 {
			return 0, formatError("its ZIP64 records are missing")
		}
		return at, nil
	}
	stop = at - sizeLocator64 - sizeEnd64
	if le.Uint32(locator[4:]) != 0 || le.Uint32(locator[16:]) != 1 || le.Uint64(locator[8:]) != uint64(stop) {
		return 0, formatError("its ZIP64 locator is wrong")
	}
	p, err := readAt(r, stop, sizeEnd64)
	if err != nil {
		return 0, err
	}
	if le.Uint32(p) != sigEnd64 || le.Uint64(p[4:]) != sizeEnd64-12 || le.Uint64(p[16:]) != 0 ||
		le.Uint64(p[24:]) != le.Uint64(p[32:]) {
		return 0, formatError("its ZIP64 end record is wrong")
	}
	ok := takeWide(&end.count, most16, le.Uint64(p[32:]))
	ok = takeWide(&end.length, most32, le.Uint64(p[40:])) && ok
	if ok = takeWide(&end.offset, most32, le.Uint64(p[48:])) && ok; !ok {
		return 0, formatError("its two end records differ")
	}
	return stop, nil
}

// takeWide replaces a short value that is full with the ZIP64 one. Any other short value must equal the ZIP64 one.
func takeWide(v *int64, full int64, wide uint64) bool {
	if *v != full {
		return uint64(*v) == wide
	}
	*v = int64(wide)
	return *v >= 0
}

// readDirectory reads the central directory, which must have exactly the announced entries and bytes.
func (z *Zip) readDirectory(r io.ReaderAt, end zipEnd, l Limits) error {
	in := bufio.NewReaderSize(io.NewSectionReader(r, end.offset, end.length), 64<<10)
	left := end.length
	for range end.count {
		e, n, err := readCentral(in, l)
		if err != nil {
			return err
		}
		if left -= n; left < 0 {
			return formatError("its directory is too short")
		}
		if e.Size > l.Bytes-z.Unpacked {
			return fmt.Errorf("%w: more than %d bytes when unpacked", ErrLimit, l.Bytes)
		}
		z.Unpacked += e.Size
		if z.byName[e.Name] != nil {
			return formatError("it has %.200q twice", e.Name)
		}
		z.byName[e.Name] = e
		z.entries = append(z.entries, e)
	}
	if left != 0 {
		return formatError("its directory has more entries than it says")
	}
	return nil
}

// readCentral reads one entry of the central directory and returns the number of its bytes.
func readCentral(in io.Reader, l Limits) (*ZipEntry, int64, error) {
	var p [sizeCentral]byte
	if err := readFull(in, p[:]); err != nil {
		return nil, 0, err
	}
	le := binary.LittleEndian
	if le.Uint32(p[:]) != sigCentral {
		return nil, 0, formatError("its directory is damaged")
	}
	nameLen, extraLen, commentLen := int(le.Uint16(p[28:])), int(le.Uint16(p[30:])), int(le.Uint16(p[32:]))
	rest := make([]byte, nameLen+extraLen+commentLen)
	if err := readFull(in, rest); err != nil {
		return nil, 0, err
	}
	e := &ZipEntry{
		raw: string(rest[:nameLen]), flags: le.Uint16(p[8:]), method: le.Uint16(p[10:]), crc: le.Uint32(p[16:]),
		Packed: int64(le.Uint32(p[20:])), Size: int64(le.Uint32(p[24:])), offset: int64(le.Uint32(p[42:])),
	}
	if le.Uint16(p[34:]) != 0 {
		return nil, 0, formatError("it has several parts")
	}
	x, err := readExtra(rest[nameLen:nameLen+extraLen], e.raw)
	if err != nil {
		return nil, 0, err
	}
	if !x.take(&e.Size) || !x.take(&e.Packed) || !x.take(&e.offset) || !x.done(e.Size, e.Packed, e.offset) {
		return nil, 0, formatError("the ZIP64 sizes of %.200q are wrong", e.raw)
	}
	if err := e.setName(l); err != nil {
		return nil, 0, err
	}
	e.setMode(p[5], le.Uint32(p[38:]))
	return e, int64(len(p) + len(rest)), e.check()
}

func readFull(in io.Reader, p []byte) error {
	switch _, err := io.ReadFull(in, p); {
	case err == nil:
		return nil
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return formatError("its directory is too short")
	default:
		return fmt.Errorf("read archive: %w", err)
	}
}

// setName refuses a name that is not clean: readers that clean names and readers that do not must find the same.
func (e *ZipEntry) setName(l Limits) error {
	name := strings.TrimSuffix(e.raw, "/")
	clean, err := cleanName(name, l.Name)
	if err != nil {
		return err
	}
	if name == "" || clean != name || name == "." || !Portable(name) {
		return fmt.Errorf("%w: %.200q", ErrName, e.raw)
	}
	e.Name = name
	return nil
}

// Portable reports whether a name means the same on all systems: no drive of Windows, no backslash, no control
// character.
func Portable(name string) bool {
	drive := len(name) > 1 && name[1] == ':' && (name[0]|0x20) >= 'a' && (name[0]|0x20) <= 'z'
	return !drive && !strings.ContainsFunc(name, unsafeRune)
}

func unsafeRune(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }

// setMode finds out what the entry is. Unix tools keep the file's mode in the upper half of the attributes.
func (e *ZipEntry) setMode(system byte, attributes uint32) {
	const unix, macOS, typeMask, typeFile, typeLink = 3, 19, 0o170000, 0o100000, 0o120000
	mode := attributes >> 16 & typeMask
	hasMode := (system == unix || system == macOS) && mode != 0
	e.Link = hasMode && mode == typeLink
	e.Regular = !strings.HasSuffix(e.raw, "/") && (!hasMode || mode == typeFile)
	e.Streamed = e.flags&flagDescriptor != 0
}

// check refuses features that some readers lack or understand differently.
func (e *ZipEntry) check() error {
	switch {
	case e.flags&flagEncrypted != 0:
		return formatError("%.200q is encrypted", e.raw)
	case e.flags&^flagsKnown != 0:
		return formatError("%.200q has unknown flags", e.raw)
	case e.method != methodStored && e.method != methodDeflate:
		return formatError("%.200q is compressed with method %d", e.raw, e.method)
	case e.method == methodStored && e.Size != e.Packed:
		return formatError("the sizes of %.200q differ", e.raw)
	case e.method == methodStored && e.Streamed && e.Size > 0:
		return formatError("the size of %.200q stands only behind it", e.raw)
	case strings.HasSuffix(e.raw, "/") && e.Size != 0:
		return formatError("the folder %.200q has content", e.raw)
	case e.Size < 0 || e.Packed < 0 || e.offset < 0:
		return formatError("the sizes of %.200q are wrong", e.raw)
	}
	return nil
}

// zipExtra has the parts of an entry's extra field that are used here.
type zipExtra struct {
	wide    []byte // rest of the ZIP64 field
	hasWide bool
}

// readExtra reads the extra fields of an entry called name.
func readExtra(p []byte, name string) (x zipExtra, err error) {
	le := binary.LittleEndian
	for len(p) > 0 {
		if len(p) < 4 || len(p) < 4+int(le.Uint16(p[2:])) {
			return x, formatError("an extra field of %.200q is damaged", name)
		}
		id, field := le.Uint16(p), p[4:4+int(le.Uint16(p[2:]))]
		p = p[4+len(field):]
		switch {
		case id == extraZip64 && x.hasWide:
			return x, formatError("%.200q has two ZIP64 fields", name)
		case id == extraZip64:
			x.wide, x.hasWide = field, true
		case id == extraUnicode && (len(field) < 5 || string(field[5:]) != name):
			return x, formatError("%.200q has another name as well", name)
		}
	}
	return x, nil
}

// take replaces a full 32-bit value with the next ZIP64 one.
func (x *zipExtra) take(v *int64) bool {
	if *v != most32 {
		return true
	}
	if len(x.wide) < 8 {
		// Without a ZIP64 field the size is what it says, 4 GiB less one.
		return !x.hasWide
	}
	*v, x.wide = int64(binary.LittleEndian.Uint64(x.wide)), x.wide[8:]
	return *v >= 0
}

// done reports whether nothing is left of the ZIP64 field, or only what the short values say already, as Bazel writes
// it. Some readers would take the rest for sizes.
func (x *zipExtra) done(values ...int64) bool {
	for _, v := range values {
		if len(x.wide) < 8 || binary.LittleEndian.Uint64(x.wide) != uint64(v) {
			break
		}
		x.wide = x.wide[8:]
	}
	return len(x.wide) == 0
}

// readLocals goes through the archive as a reader does that ignores the central directory.
func (z *Zip) readLocals(r io.ReaderAt, end zipEnd) error {
	slices.SortStableFunc(z.entries, func(a, b *ZipEntry) int { return cmp.Compare(a.offset, b.offset) })
	at := int64(0)
	for i, e := range z.entries {
		next := end.offset
		if i+1 < len(z.entries) {
			next = z.entries[i+1].offset
		}
		if e.offset != at || next > end.offset {
			return formatError("something stands before %.200q", e.raw)
		}
		start, err := e.readLocal(r)
		if err != nil {
			return err
		}
		if e.Packed > next-start {
			return formatError("%.200q overlaps with what follows", e.raw)
		}
		e.data = io.NewSectionReader(r, start, e.Packed)
		if err := e.checkDescriptor(r, start+e.Packed, next); err != nil {
			return err
		}
		at = next
	}
	if at != end.offset {
		return formatError("something stands before its directory")
	}
	return nil
}

// readLocal compares the local header with the directory and returns where the data begin.
func (e *ZipEntry) readLocal(r io.ReaderAt) (start int64, err error) {
	p, err := readAt(r, e.offset, sizeLocal)
	if err != nil {
		return 0, err
	}
	le := binary.LittleEndian
	nameLen, extraLen := int64(le.Uint16(p[26:])), int64(le.Uint16(p[28:]))
	rest, err := readAt(r, e.offset+sizeLocal, nameLen+extraLen)
	if err != nil {
		return 0, err
	}
	same := le.Uint32(p) == sigLocal && (le.Uint16(p[6:])^e.flags)&^flagsEffort == 0 && le.Uint16(p[8:]) == e.method
	if !same || string(rest[:nameLen]) != e.raw {
		return 0, formatError("the header of %.200q differs from the directory", e.raw)
	}
	x, err := readExtra(rest[nameLen:], e.raw)
	if err != nil {
		return 0, err
	}
	crc, packed, size := le.Uint32(p[14:]), int64(le.Uint32(p[18:])), int64(le.Uint32(p[22:]))
	if !x.take(&size) || !x.take(&packed) || !e.Streamed && !x.done(size, packed) {
		return 0, formatError("the ZIP64 sizes of %.200q are wrong", e.raw)
	}
	same = crc == e.crc && packed == e.Packed && size == e.Size
	if e.Streamed {
		same = same || crc == 0 && packed == 0 && size == 0
	}
	if !same {
		return 0, formatError("the sizes of %.200q differ from the directory", e.raw)
	}
	return e.offset + sizeLocal + nameLen + extraLen, nil
}

// checkDescriptor checks the bytes between an entry's data and the next entry. There are none, or they are the sizes
// that were not known before the data, with or without a signature, in 32 or 64 bits.
func (e *ZipEntry) checkDescriptor(r io.ReaderAt, from, to int64) error {
	if !e.Streamed {
		if from != to {
			return formatError("something follows %.200q", e.raw)
		}
		return nil
	}
	if to-from > 24 {
		return formatError("something follows %.200q", e.raw)
	}
	p, err := readAt(r, from, to-from)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	narrow := le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, e.crc), uint32(e.Packed)), uint32(e.Size))
	wide := le.AppendUint64(le.AppendUint64(le.AppendUint32(nil, e.crc), uint64(e.Packed)), uint64(e.Size))
	signature := le.AppendUint32(nil, sigDescriptor)
	if max(e.Packed, e.Size) < most32 && (bytes.Equal(p, narrow) || bytes.Equal(p, append(signature, narrow...))) {
		return nil
	}
	if bytes.Equal(p, wide) || bytes.Equal(p, append(signature, wide...)) {
		return nil
	}
	return formatError("the sizes behind %.200q differ from the directory", e.raw)
}

// Open returns a reader of the entry's content. It ends with ErrFormat instead of io.EOF if the content or its packed
// form differs from the announced size or checksum. It never returns more than Size bytes.
func (e *ZipEntry) Open() io.Reader {
	c := &zipContent{entry: e, in: bufio.NewReader(io.NewSectionReader(e.data, 0, e.Packed)), sum: crc32.NewIEEE()}
	c.out = c.in
	if e.method == methodDeflate {
		c.out = flate.NewReader(c.in)
	}
	return c
}

// Bytes reads the whole entry. It returns ErrLimit if that has more than limit bytes, or ErrFormat.
func (e *ZipEntry) Bytes(limit int64) ([]byte, error) {
	if e.Size > limit {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than %d", ErrLimit, e.Name, e.Size, limit)
	}
	return io.ReadAll(e.Open())
}

// zipContent is an entry being read.
type zipContent struct {
	entry *ZipEntry
	in    *bufio.Reader // flate takes single bytes from it, so what is left of it is what was not used
	out   io.Reader
	sum   hash.Hash32
	n     int64
}

func (c *zipContent) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if c.n += int64(n); c.n > c.entry.Size {
		return 0, formatError("%.200q is larger than it says", c.entry.raw)
	}
	c.sum.Write(p[:n])
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		return n, c.end()
	}
	return n, readError(err)
}

// end returns io.EOF if the content was what the directory announced, else ErrFormat.
func (c *zipContent) end() error {
	_, err := c.in.Peek(1)
	switch {
	case err != io.EOF:
		return formatError("%.200q has more packed bytes than it needs", c.entry.raw)
	case c.n != c.entry.Size || c.sum.Sum32() != c.entry.crc:
		return formatError("the content of %.200q does not match its checksum", c.entry.raw)
	}
	return io.EOF
}
