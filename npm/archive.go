package npm

// What a tarball says of itself. Pure over io.Reader; the limits hold whatever its headers claim.

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"larder/internal/archive"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
)

const (
	maxPackageJSON = 1 << 20
	maxEntries     = 100_000
	maxUnpacked    = 4 << 30
)

// tarball is what publishing needs to know of an uploaded archive.
type tarball struct {
	Package    rawjson.Object // package.json
	Files      int            // regular files
	Unpacked   int64          // bytes of all files
	Shrinkwrap bool           // has npm-shrinkwrap.json
	Gyp        bool           // has binding.gyp
	Readme     string         // at most maxReadme bytes
	ReadmeName string
	names      []string // files below the root folder, without it: for directories.bin
}

// readTarball reads a package's archive: one folder of any name that holds package.json.
func readTarball(r io.Reader) (*tarball, error) {
	t := &tarball{}
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
			return wire.Errorf(store.ErrInvalid, "The tarball has two files package.json; which one counts would depend on the client.")
		}
		if name == "package.json" {
			root = folder
		}
		return t.take(name, e)
	})
	switch {
	case errors.Is(err, archive.ErrFormat):
		return nil, &explained{err, wire.Errorf(store.ErrInvalid, "The tarball is damaged or not a gzipped tar archive.")}
	case errors.Is(err, archive.ErrLimit):
		return nil, &explained{err, wire.Errorf(store.ErrTooLarge, "The tarball unpacks to too much: at most %d files and %d GiB are accepted.", maxEntries, maxUnpacked>>30)}
	case errors.Is(err, archive.ErrName):
		return nil, &explained{err, wire.Errorf(store.ErrInvalid, "The tarball has a file whose name leads outside of it.")}
	case err != nil:
		return nil, err
	case root == "":
		return nil, wire.Errorf(store.ErrInvalid, "The tarball has no package.json in its top folder.")
	}
	return t, nil
}

// explained is an error for the log with the sentence for the client's user.
type explained struct {
	cause  error
	public error
}

func (e *explained) Error() string   { return e.cause.Error() }
func (e *explained) Unwrap() []error { return []error{e.public, e.cause} }

// take looks at one file of the top folder.
func (t *tarball) take(name string, e *archive.Entry) error {
	switch {
	case name == "package.json":
		raw, err := e.Bytes(maxPackageJSON)
		if err != nil {
			return err
		}
		raw = []byte(strings.TrimPrefix(string(raw), "\ufeff"))
		if t.Package, err = rawjson.Parse(raw); err != nil {
			return wire.Errorf(store.ErrInvalid, "The tarball's package.json cannot be used: it %s", rawjson.Reason(err))
		}
	case name == "npm-shrinkwrap.json":
		t.Shrinkwrap = true
	case name == "binding.gyp":
		t.Gyp = true
	case t.Readme == "" && isReadme(name):
		text, err := io.ReadAll(io.LimitReader(e, maxReadme))
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
func (t *tarball) installScript() bool {
	scripts := t.Package.Sub("scripts")
	own := scripts.Text("install") != "" || scripts.Text("preinstall") != ""
	return own || scripts.Text("postinstall") != "" || t.Gyp
}

// below lists the files of a folder of the package, for directories.bin.
func (t *tarball) below(folder string) []string {
	var out []string
	for _, n := range t.names {
		if rest, ok := strings.CutPrefix(n, folder+"/"); ok && !strings.HasPrefix(path.Base(rest), ".") {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}
