package npm

// This file tells an npm tarball from other bytes, for whoever looks at files that no record knows.

import (
	"io"
	"strings"

	"larder/npm/archive"
	"larder/store"
)

// Identify says which package and version a tarball is; false for what is none.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	t, err := archive.Read(io.NewSectionReader(r, 0, size))
	if err != nil {
		return store.Found{}, false
	}
	name, version := t.Package.Text("name"), t.Package.Text("version")
	if name == "" || version == "" {
		return store.Found{}, false
	}
	base := strings.NewReplacer("@", "", "/", "-").Replace(name)
	return store.Found{
		Kind: store.NPM, Name: name, Version: version, File: base + "-" + version + ".tgz", Confidence: store.Certain,
	}, true
}
