package archive

// This file lists tar archives, plain or packed: what composer archive makes unless it is told otherwise.

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"

	"larder/internal/archive"
)

// A packed archive that unpacks to more than ratioFrom bytes, and to maxRatio times its own size, is a bomb.
const (
	ratioFrom = 64 << 20
	maxRatio  = 50
)

// readTar lists a tar archive. It has to be unpacked for that, which ends where the headers announce too much.
func readTar(r io.ReaderAt, size int64, form string) (list []member, err error) {
	in := bufio.NewReader(io.NewSectionReader(r, 0, size))
	body := io.Reader(in)
	switch form {
	case "tar.bz2":
		body = bunzip{bzip2.NewReader(in)}
	case "tar.gz":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", archive.ErrFormat, err)
		}
		z.Multistream(false) // PHP reads the first part only
		body = z
	}
	l := &listing{packed: size, ratio: form != "tar", folders: map[string]bool{}}
	err = archive.Tar(body, archive.Limits{Entries: maxEntries, Bytes: maxUnpacked, Plain: true}, l.take)
	if err != nil {
		return nil, err
	}
	if _, err := in.Peek(1); form == "tar.gz" && err == nil {
		return nil, fmt.Errorf("%w: something follows its end", archive.ErrFormat)
	}
	return l.list, nil
}

// listing is the entries of a tar archive so far.
type listing struct {
	list             []member
	folders          map[string]bool
	packed, unpacked int64
	ratio            bool // it is packed
	manifests        int  // in folders at the root
}

func (l *listing) take(e *archive.Entry) error {
	if l.unpacked += e.Size; l.ratio && l.unpacked > ratioFrom && l.unpacked/maxRatio > l.packed {
		return fmt.Errorf("%w: %d bytes unpack to %d", archive.ErrLimit, l.packed, l.unpacked)
	}
	m := member{name: e.Name, regular: e.Regular}
	switch {
	case e.Folder && (e.Name == "." || l.folders[e.Name]):
		return nil
	case e.Name == ".", !archive.Portable(e.Name):
		return fmt.Errorf("%w: %.200q", archive.ErrName, e.Name)
	case e.Extended:
		return fmt.Errorf("%w: the name or size of %.200q stands in an extension header of PAX, which Composer does not read",
			archive.ErrFormat, e.Name)
	case e.Folder:
		l.folders[e.Name] = true
	case !e.Regular, e.Sparse:
		return fmt.Errorf("%w: Composer unpacks the link, device or sparse file %.200q as an empty file", archive.ErrFormat,
			e.Name)
	case l.mayBeManifest(e.Name):
		raw, err := e.Bytes(maxSize)
		if err != nil && !errors.Is(err, archive.ErrLimit) {
			return err
		}
		m.bytes = func() ([]byte, error) { return raw, err }
	}
	l.list = append(l.list, m)
	return nil
}

// mayBeManifest reports whether a file can be the manifest: at the root, or in the first folder there that has one.
func (l *listing) mayBeManifest(name string) bool {
	switch {
	case path.Base(name) != manifestName:
		return false
	case path.Dir(name) == ".":
		return true
	case path.Dir(path.Dir(name)) == "." && path.Dir(name) != macOS:
		l.manifests++
		return l.manifests == 1
	}
	return false
}

// bunzip reads what bzip2 has packed; what is none is archive.ErrFormat.
type bunzip struct{ io.Reader }

func (b bunzip) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	var damaged bzip2.StructuralError
	if errors.As(err, &damaged) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %w", archive.ErrFormat, err)
	}
	return n, err
}
