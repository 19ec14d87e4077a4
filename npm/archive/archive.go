// Package archive reads what an npm package's archive says of itself, and makes of it the manifest that is served.
// Pure; the limits hold whatever the archive's headers claim.
package archive

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"larder/internal/archive"
	"larder/internal/problem"
	"larder/internal/rawjson"
)

// MaxReadme is how many bytes are kept of a README.
const MaxReadme = 64 << 10

const (
	maxPackageJSON = 1 << 20
	maxEntries     = 100_000
	maxUnpacked    = 4 << 30
)

// Archive is what publishing needs to know of an uploaded archive.
type Archive struct {
	Package    rawjson.Object // package.json
	Files      int            // regular files
	Unpacked   int64          // bytes of all files
	Shrinkwrap bool           // has npm-shrinkwrap.json
	Gyp        bool           // has binding.gyp
	Readme     string         // at most MaxReadme bytes
	ReadmeName string
	names      []string // files below the root folder, without it: for directories.bin
}

// Read reads a package's archive: one folder of any name that holds package.json.
func Read(r io.Reader) (*Archive, error) {
	t := &Archive{}
	root := ""
	err := archive.Tar(r, archive.Limits{Entries: maxEntries, Bytes: maxUnpacked}, func(e *archive.Entry) error {
		if !e.Regular {
			return nil
		}
		t.Files++
		t.Unpacked += e.Size
		folder, name, inFolder := strings.Cut(e.Name, "/")
		if !inFolder {
			return nil
		}
		t.names = append(t.names, name)
		if name == "package.json" && root != "" {
			return problem.Errorf(problem.ErrInvalid,
				"The tarball has two files package.json; which one counts would depend on the client.")
		}
		if name == "package.json" {
			root = folder
		}
		return t.take(name, e)
	})
	switch {
	case errors.Is(err, archive.ErrFormat):
		return nil, problem.Wrap(err, problem.ErrInvalid, "The tarball is damaged or not a gzipped tar archive.")
	case errors.Is(err, archive.ErrLimit):
		return nil, problem.Wrap(err, problem.ErrTooLarge,
			"The tarball unpacks to too much: at most %d files and %d GiB are accepted.", maxEntries, maxUnpacked>>30)
	case errors.Is(err, archive.ErrName):
		return nil, problem.Wrap(err, problem.ErrInvalid, "The tarball has a file whose name leads outside of it.")
	case err != nil:
		return nil, err
	case root == "":
		return nil, problem.Errorf(problem.ErrInvalid, "The tarball has no package.json in its top folder.")
	}
	return t, nil
}

// take looks at one file of the top folder.
func (t *Archive) take(name string, e *archive.Entry) error {
	switch {
	case name == "package.json":
		raw, err := e.Bytes(maxPackageJSON)
		if err != nil {
			return err
		}
		raw = []byte(strings.TrimPrefix(string(raw), "\ufeff"))
		if t.Package, err = rawjson.Parse(raw); err != nil {
			return problem.Errorf(problem.ErrInvalid, "The tarball's package.json cannot be used: it %s", rawjson.Reason(err))
		}
	case name == "npm-shrinkwrap.json":
		t.Shrinkwrap = true
	case name == "binding.gyp":
		t.Gyp = true
	case t.Readme == "" && isReadme(name):
		text, err := io.ReadAll(io.LimitReader(e, MaxReadme))
		if err != nil {
			return err
		}
		t.Readme, t.ReadmeName = strings.ToValidUTF8(string(text), ""), name
	}
	return nil
}

func isReadme(name string) bool {
	lower := strings.ToLower(name)
	return lower == "readme" || lower == "readme.md" || lower == "readme.markdown" || lower == "readme.txt"
}

// installScript reports whether installing the package runs code, as clients compute it.
func (t *Archive) installScript() bool {
	return RunsScripts(t.Package) || t.Gyp
}

// RunsScripts reports whether clients run something of a package when they install it, as its manifest says.
func RunsScripts(m rawjson.Object) bool {
	scripts := m.Sub("scripts")
	own := scripts.Text("install") != "" || scripts.Text("preinstall") != ""
	return own || scripts.Text("postinstall") != "" || string(m.Get("gypfile")) == "true"
}

// below lists the files of a folder of the package, for directories.bin.
func (t *Archive) below(folder string) []string {
	var out []string
	for _, n := range t.names {
		if rest, ok := strings.CutPrefix(n, folder+"/"); ok && !strings.HasPrefix(path.Base(rest), ".") {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}
