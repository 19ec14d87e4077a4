// Package archive reads archives that strangers uploaded: ZIP, and tar, plain or gzipped. Its limits hold whatever the
// archive's own headers say. It never writes a file.
//
// Tar calls a function for one entry after the other and skips what the function does not read. Names are cleaned and
// never lead outside: an absolute name or one with ".." is an error, because some client would extract it.
package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

// The errors of this package; compare with errors.Is.
var (
	ErrFormat = errors.New("not a readable archive")
	ErrLimit  = errors.New("archive exceeds a limit")
	ErrName   = errors.New("archive has an entry with an unsafe name")
	ErrType   = errors.New("archive has an entry that is neither file nor folder")
	ErrEmpty  = fmt.Errorf("%w: it is empty", ErrFormat)
)

// Limits bound what one archive may cost. A zero field means the default.
type Limits struct {
	Entries int   // default 200,000
	Bytes   int64 // after decompression, headers and padding included; default 8 GiB
	Name    int   // bytes of one entry's name; default 4096

	// Strict refuses whatever two readers could understand in two ways: entries that are neither file nor folder, sparse
	// files, sizes in extension headers, a second gzip member, bytes after the archive's end. A strict archive must be
	// gzipped; if Plain is set as well, it must not be.
	Strict, Plain bool
}

func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = 200_000
	}
	if l.Bytes == 0 {
		l.Bytes = 8 << 30
	}
	if l.Name == 0 {
		l.Name = 4096
	}
	return l
}

// Entry is one member of an archive. It is valid until the callback returns.
type Entry struct {
	Name    string // cleaned, with forward slashes, never absolute, never leaving the root
	Size    int64  // of a regular file
	Regular bool   // neither folder, link nor device
	Folder  bool
	// Extended says that its name or size stands in an extension header of PAX, which not every reader knows.
	Extended bool
	Sparse   bool   // has holes that are not in the archive, in a form not every reader knows
	Link     string // where a link points, as it is written

	r io.Reader
}

// Read reads the member's bytes. Its errors are ErrFormat and ErrLimit.
func (e *Entry) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && err != io.EOF {
		err = readError(err)
	}
	return n, err
}

// Bytes reads the whole member; ErrLimit when it has more than limit bytes.
func (e *Entry) Bytes(limit int64) ([]byte, error) {
	if e.Size > limit {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than %d", ErrLimit, e.Name, e.Size, limit)
	}
	b, err := io.ReadAll(io.LimitReader(e, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrLimit, e.Name, limit)
	}
	return b, nil
}

// Tar calls fn for each entry of a tar archive, which may be gzipped. It returns ErrFormat, ErrLimit, ErrName, with
// Limits.Strict also ErrType, or the first error of fn.
func Tar(r io.Reader, l Limits, fn func(*Entry) error) error {
	l = l.withDefaults()
	in := bufio.NewReaderSize(r, 64<<10)
	var plain io.Reader = in
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		if l.Plain {
			return fmt.Errorf("%w: it is gzipped", ErrFormat)
		}
		z, err := gzip.NewReader(in)
		if err != nil {
			return readError(err)
		}
		z.Multistream(!l.Strict)
		plain = z
	} else if l.Strict && !l.Plain {
		return fmt.Errorf("%w: it is not gzipped", ErrFormat)
	}
	body := &counted{r: plain, left: l.Bytes, limit: l.Bytes}
	t := tar.NewReader(body)
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			if n == 0 {
				return ErrEmpty
			}
			return finish(in, body, l.Strict)
		}
		if err != nil {
			return readError(err)
		}
		if n == l.Entries {
			return fmt.Errorf("%w: more than %d entries", ErrLimit, l.Entries)
		}
		if h.Typeflag == tar.TypeXGlobalHeader && !l.Strict {
			// git archive writes this header for the whole archive; it is no member.
			continue
		}
		name, err := cleanName(h.Name, l.Name)
		if err == nil && l.Strict {
			err = plainEntry(h)
		}
		if err != nil {
			return err
		}
		if err := fn(&Entry{
			Name: name, Size: h.Size, Regular: h.Typeflag == tar.TypeReg, Folder: h.Typeflag == tar.TypeDir,
			Extended: h.PAXRecords["path"] != "" || h.PAXRecords["size"] != "", Sparse: sparse(h), Link: h.Linkname, r: t,
		}); err != nil {
			return err
		}
	}
}

const sparsePrefix = "GNU.sparse."

// sparse reports whether a file is sparse, in GNU's old format or one of its three in PAX records.
func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, sparsePrefix) {
			return true
		}
	}
	return false
}

// finish reads what follows the archive's end: the checksum of gzip comes last, and clients check it.
func finish(in *bufio.Reader, body io.Reader, strict bool) error {
	rest := &rest{}
	if _, err := io.Copy(rest, body); err != nil {
		return readError(err)
	}
	if !strict {
		return nil
	}
	if _, err := in.ReadByte(); rest.more || err == nil {
		return fmt.Errorf("%w: something follows its end", ErrFormat)
	} else if err != io.EOF {
		return readError(err)
	}
	return nil
}

// rest remembers whether anything but padding was written to it.
type rest struct{ more bool }

func (r *rest) Write(p []byte) (int, error) {
	r.more = r.more || len(bytes.Trim(p, "\x00")) > 0
	return len(p), nil
}

// plainEntry refuses entries that readers understand differently, and those that are neither file nor folder.
func plainEntry(h *tar.Header) error {
	folder := h.Typeflag == tar.TypeDir
	if !folder && h.Typeflag != tar.TypeReg {
		return fmt.Errorf("%w: %.200q has type %q", ErrType, h.Name, h.Typeflag)
	}
	for key := range h.PAXRecords {
		if key == "size" || strings.HasPrefix(key, sparsePrefix) {
			return fmt.Errorf("%w: %.200q has the extension header %s", ErrFormat, h.Name, key)
		}
	}
	switch {
	case strings.Contains(h.Name, `\`):
		return fmt.Errorf("%w: %.200q", ErrName, h.Name)
	case folder && h.Size != 0, !folder && strings.HasSuffix(h.Name, "/"):
		return fmt.Errorf("%w: %.200q is folder and file at once", ErrFormat, h.Name)
	}
	return nil
}

// cleanName returns the one spelling of a name, or ErrName.
func cleanName(name string, limit int) (string, error) {
	if len(name) > limit {
		return "", fmt.Errorf("%w: a name of %d bytes", ErrLimit, len(name))
	}
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%w: %.200q", ErrName, name)
	}
	if strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("%w: %.200q", ErrName, name)
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		if part == ".." {
			return "", fmt.Errorf("%w: %.200q", ErrName, name)
		}
	}
	return path.Clean(name), nil
}

// counted ends with ErrLimit after its number of bytes, whatever sizes the headers announce: archives may be bombs.
type counted struct {
	r           io.Reader
	left, limit int64
}

func (c *counted) Read(p []byte) (int, error) {
	if c.left <= 0 {
		// One more byte decides whether the archive ends exactly here.
		var one [1]byte
		if n, err := c.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, fmt.Errorf("%w: more than %d bytes when unpacked", ErrLimit, c.limit)
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// readError keeps the errors of this package and of the source apart from those of a damaged archive.
func readError(err error) error {
	switch {
	case errors.Is(err, ErrLimit), errors.Is(err, ErrFormat):
		return err
	case errors.Is(err, tar.ErrHeader), errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, tar.ErrFieldTooLong):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	var corrupt interface{ Error() string }
	if errors.As(err, &corrupt) && strings.HasPrefix(corrupt.Error(), "flate: ") {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return fmt.Errorf("read archive: %w", err)
}

// Gunzip decompresses p, up to limit bytes. Its errors are ErrFormat and ErrLimit.
func Gunzip(p []byte, limit int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, readError(err)
	}
	out, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return nil, readError(err)
	}
	if int64(len(out)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes when unpacked", ErrLimit, limit)
	}
	return out, nil
}
