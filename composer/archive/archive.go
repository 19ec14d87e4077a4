// Package archive reads what an uploaded archive says of itself: its composer.json. Only its directory and one file are
// looked at, within limits that hold whatever it claims.
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

// Read reads the manifest of the archive that is the size bytes of r. form is what the archive is: "" for ZIP, "tar",
// "tar.gz" or "tar.bz2". ErrInvalid, ErrTooLarge, or an error of r.
func Read(r io.ReaderAt, size int64) (m *manifest.Manifest, form string, err error) {
	raw, form, err := readArchive(r, size)
	if err != nil {
		return nil, form, err
	}
	m, err = manifest.Parse(raw)
	return m, form, err
}

// member is one entry of an archive of any form.
type member struct {
	name          string
	regular, link bool
	target        string                 // of a link
	bytes         func() ([]byte, error) // nil for one that cannot be the manifest
}

// readArchive finds composer.json where Composer's own reader of archives looks for it: at the root, or in the one
// folder that holds everything.
func readArchive(r io.ReaderAt, size int64) (raw []byte, form string, err error) {
	form, known := FormOf(r)
	if !known {
		return nil, form, problem.Errorf(problem.ErrInvalid,
			"The upload is not a ZIP archive, nor a tar archive, plain or packed by gzip or bzip2; composer archive makes them.")
	}
	read := readZip
	if form != "" {
		read = readTar
	}
	list, err := read(r, size, form)
	if err == nil {
		err = checkMembers(list)
	}
	if err != nil {
		return nil, form, archiveError(err, form)
	}
	i := slices.IndexFunc(list, func(m member) bool { return m.name == manifestName })
	if i < 0 {
		top := topLevel(list)
		if len(top) != 1 {
			return nil, form, problem.Errorf(
				problem.ErrInvalid, "The archive has no composer.json at its root, and not everything is in one folder: it has %s.",
				strings.Join(top, ", "),
			)
		}
		i = slices.IndexFunc(list, func(m member) bool { return m.name == top[0]+"/"+manifestName })
	}
	if i < 0 || !list[i].regular {
		return nil, form, problem.Errorf(
			problem.ErrInvalid, "The archive has no composer.json, neither at its root nor in its one folder.",
		)
	}
	if raw, err = list[i].bytes(); err != nil {
		return nil, form, archiveError(err, form)
	}
	return raw, form, nil
}

const (
	manifestName = "composer.json"
	macOS        = "__MACOSX" // a folder that macOS adds
)

// FormOf says what the bytes of r begin as: "" for ZIP, "tar", "tar.gz" or "tar.bz2"; false for anything else.
func FormOf(r io.ReaderAt) (form string, known bool) {
	var head [512]byte // a tar archive's first header
	n, _ := r.ReadAt(head[:], 0)
	switch text := string(head[:n]); {
	case strings.HasPrefix(text, "PK"):
		return "", true
	case strings.HasPrefix(text, "\x1f\x8b"):
		return "tar.gz", true
	case strings.HasPrefix(text, "BZh"):
		return "tar.bz2", true
	case n == len(head) && string(head[257:262]) == "ustar":
		return "tar", true
	}
	return "", false
}

// readZip lists a ZIP archive.
func readZip(r io.ReaderAt, size int64, _ string) ([]member, error) {
	z, err := archive.OpenZip(r, size, archive.Limits{Entries: maxEntries, Bytes: maxUnpacked})
	if err != nil {
		return nil, err
	}
	list := make([]member, 0, len(z.Entries()))
	for _, e := range z.Entries() {
		m := member{name: e.Name, regular: e.Regular, link: e.Link, bytes: func() ([]byte, error) { return e.Bytes(maxSize) }}
		if e.Link {
			target, err := e.Bytes(maxTarget)
			if err != nil {
				return nil, err
			}
			m.target = string(target)
		}
		list = append(list, m)
	}
	return list, nil
}

// maxListed bounds how many names a refusal repeats.
const maxListed = 10

// topLevel lists what stands at the root, without what macOS adds.
func topLevel(list []member) []string {
	var top []string
	for _, m := range list {
		first, _, _ := strings.Cut(m.name, "/")
		if first == macOS || slices.Contains(top, first) {
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

// checkMembers refuses what unpacks differently on systems that do not tell case apart, and links that lead outside.
func checkMembers(list []member) error {
	seen, links := make(map[string]string, len(list)), map[string]bool{}
	for _, m := range list {
		lower := strings.ToLower(m.name)
		if other, ok := seen[lower]; ok {
			return problem.Errorf(
				problem.ErrInvalid, "The archive has %.200q and %.200q, which are one file on some systems.", other, m.name,
			)
		}
		seen[lower] = m.name
		if m.link {
			links[m.name] = true
			if leadsOutside(m) {
				return problem.Errorf(problem.ErrInvalid, "The archive has the link %.200q, which leads outside.", m.name)
			}
		}
	}
	if len(links) == 0 {
		return nil
	}
	for _, m := range list {
		for at := path.Dir(m.name); at != "."; at = path.Dir(at) {
			if links[at] {
				return problem.Errorf(problem.ErrInvalid, "The archive has %.200q, which is below a link.", m.name)
			}
		}
	}
	return nil
}

// leadsOutside reports whether a link may lead outside: directly, or by way of another one, from which ".." leads
// elsewhere than its text says.
func leadsOutside(m member) bool {
	rest := m.target
	for strings.HasPrefix(rest, "../") || strings.HasPrefix(rest, "./") {
		_, rest, _ = strings.Cut(rest, "/")
	}
	return path.IsAbs(m.target) || !manifest.IsInside(path.Join(path.Dir(m.name), m.target)) ||
		!archive.Portable(m.target) || rest != ".." && slices.Contains(strings.Split(rest, "/"), "..")
}

// archiveError says what is wrong with an archive of a form.
func archiveError(err error, form string) error {
	what := "ZIP"
	if form != "" {
		what = form
	}
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
	case errors.Is(err, archive.ErrFormat):
		why := strings.TrimPrefix(err.Error(), archive.ErrFormat.Error()+": ")
		return problem.Wrap(
			err, problem.ErrInvalid, "The %s archive is damaged or not every client could read it: %s.", what, why,
		)
	}
	return err
}
