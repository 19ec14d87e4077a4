package archive

// This file finds the README in an archive of which nobody has noted it.

import (
	"errors"
	"io"
	"path"
	"strings"
)

// Limits of a search for a README. It is for a page: what is not found early is not worth the wait.
const (
	maxReadme      = 512 << 10 // bytes of the text; the rest is cut off
	maxReadmeLooks = 256 << 20 // bytes of a tar that are unpacked
)

// Readme is a text that is to be read first, and the name of its file without folders.
type Readme struct{ Name, Text string }

// TarReadme finds the README of a tar archive, plain or gzipped, that lies in depth folders. It is the zero Readme when
// there is none. Of several one in Markdown is taken, else the first.
func TarReadme(r io.Reader, depth int) (found Readme, err error) {
	var enough = errors.New("the README was found")
	err = Tar(r, Limits{Bytes: maxReadmeLooks}, func(e *Entry) error {
		name := path.Base(e.Name)
		if !e.Regular || strings.Count(e.Name, "/") != depth || !IsReadme(name) || found.Name != "" && !isMarkdown(name) {
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(e, maxReadme))
		if err != nil {
			return err
		}
		if found = (Readme{name, string(text)}); isMarkdown(name) {
			return enough
		}
		return nil
	})
	if err == enough || errors.Is(err, ErrLimit) {
		err = nil
	}
	return found, err
}

// ZipReadme is TarReadme for a ZIP archive, where it lies in none or one folder.
func ZipReadme(r io.ReaderAt, size int64) (Readme, error) {
	z, err := OpenZip(r, size, Limits{})
	if err != nil {
		return Readme{}, err
	}
	var best *ZipEntry
	for _, e := range z.Entries() {
		depth := strings.Count(e.Name, "/")
		if depth > 1 || !IsReadme(path.Base(e.Name)) {
			continue
		}
		if best == nil || depth < strings.Count(best.Name, "/") || !isMarkdown(best.Name) && isMarkdown(e.Name) {
			best = e
		}
	}
	if best == nil {
		return Readme{}, nil
	}
	text, err := io.ReadAll(io.LimitReader(best.Open(), maxReadme))
	return Readme{path.Base(best.Name), string(text)}, err
}

// IsReadme reports whether a file is called README, with one of the usual endings or none.
func IsReadme(name string) bool {
	stem, ending, _ := strings.Cut(strings.ToLower(name), ".")
	switch ending {
	case "", "md", "markdown", "mkd", "txt", "rst", "rdoc", "adoc", "asciidoc", "textile", "org":
		return stem == "readme"
	}
	return false
}

func isMarkdown(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasSuffix(lower, ".md") || strings.HasSuffix(lower, ".markdown")
}
