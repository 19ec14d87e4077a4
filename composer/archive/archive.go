// Package archive reads what an uploaded archive says of itself: its composer.json. Only its directory and one file are
// read, within limits that hold whatever it claims.
package archive

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"larder/composer/manifest"
	"larder/internal/archive"
	"larder/internal/problem"
)

const (
	maxSize     = 1 << 20 // bytes of a composer.json
	maxEntries  = 50_000  // of an archive
	maxUnpacked = 1 << 30 // bytes of an archive when it is unpacked
	maxTarget   = 4 << 10 // bytes of what a link points at
)

// Read reads the manifest of the ZIP archive that is the size bytes of r. ErrInvalid, ErrTooLarge, or an error of r.
func Read(r io.ReaderAt, size int64) (*manifest.Manifest, error) {
	raw, err := readArchive(r, size)
	if err != nil {
		return nil, err
	}
	return manifest.Parse(raw)
}

// readArchive finds composer.json where Composer's own reader of archives looks for it: at the root, or in the one
// folder that holds everything.
func readArchive(r io.ReaderAt, size int64) ([]byte, error) {
	z, err := archive.OpenZip(r, size, archive.Limits{Entries: maxEntries, Bytes: maxUnpacked})
	if err != nil {
		return nil, archiveError(r, err)
	}
	if err := checkEntries(z); err != nil {
		return nil, err
	}
	e := z.Entry("composer.json")
	if e == nil {
		top := topLevel(z)
		if len(top) != 1 {
			return nil, problem.Errorf(
				problem.ErrInvalid, "The archive has no composer.json at its root, and not everything is in one folder: it has %s.",
				strings.Join(top, ", "),
			)
		}
		e = z.Entry(top[0] + "/composer.json")
	}
	if e == nil || !e.Regular {
		return nil, problem.Errorf(
			problem.ErrInvalid, "The archive has no composer.json, neither at its root nor in its one folder.",
		)
	}
	raw, err := e.Bytes(maxSize)
	if err != nil {
		return nil, archiveError(r, err)
	}
	return raw, nil
}

// maxListed bounds how many names a refusal repeats.
const maxListed = 10

// topLevel lists what stands at the root, without what macOS adds.
func topLevel(z *archive.Zip) []string {
	var top []string
	for _, e := range z.Entries() {
		first, _, _ := strings.Cut(e.Name, "/")
		if first == "__MACOSX" || slices.Contains(top, first) {
			continue
		}
		if top = append(top, first); len(top) == maxListed {
			return append(top, "…")
		}
	}
	if top == nil {
		return []string{"nothing"}
	}
	return top
}

// checkEntries refuses what unpacks differently on systems that do not tell case apart, and links that lead outside.
func checkEntries(z *archive.Zip) error {
	seen := make(map[string]string, len(z.Entries()))
	for _, e := range z.Entries() {
		lower := strings.ToLower(e.Name)
		if other, ok := seen[lower]; ok {
			return problem.Errorf(
				problem.ErrInvalid, "The archive has %.200q and %.200q, which are one file on some systems.", other, e.Name,
			)
		}
		seen[lower] = e.Name
		if !e.Link {
			continue
		}
		target, err := e.Bytes(maxTarget)
		if err != nil {
			return archiveError(nil, err)
		}
		to := path.Join(path.Dir(e.Name), string(target))
		if path.IsAbs(string(target)) || !manifest.IsInside(to) || strings.Contains(string(target), `\`) {
			return problem.Errorf(problem.ErrInvalid, "The archive has the link %.200q, which leads outside.", e.Name)
		}
	}
	return nil
}

// archiveError says what is wrong with an archive.
func archiveError(r io.ReaderAt, err error) error {
	switch {
	case errors.Is(err, archive.ErrLimit):
		return problem.Wrap(
			err, problem.ErrTooLarge,
			"The archive is too large: at most %d files, %d GiB unpacked and a composer.json of 1 MiB are accepted.", maxEntries,
			maxUnpacked>>30,
		)
	case errors.Is(err, archive.ErrName):
		return problem.Wrap(
			err, problem.ErrInvalid, "The archive has a file whose name leads outside of it, or is no name on some systems.",
		)
	case errors.Is(err, archive.ErrFormat) && !isZip(r):
		return problem.Wrap(
			err, problem.ErrInvalid, "The upload is not a ZIP archive; composer archive --format=zip makes one.",
		)
	case errors.Is(err, archive.ErrFormat):
		what := strings.TrimPrefix(err.Error(), archive.ErrFormat.Error()+": ")
		return problem.Wrap(
			err, problem.ErrInvalid, "The ZIP archive is damaged or not every client could read it: %s.", what,
		)
	}
	return err
}

// isZip says whether the bytes begin as an archive does; nil stands for one that did.
func isZip(r io.ReaderAt) bool {
	var magic [2]byte
	if r == nil {
		return true
	}
	n, _ := r.ReadAt(magic[:], 0)
	return n == 2 && string(magic[:]) == "PK"
}
