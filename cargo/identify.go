package cargo

// This file tells a crate from other bytes, for whoever looks at files that no record knows.

import (
	"io"

	"larder/cargo/archive"
	"larder/cargo/names"
	"larder/store"
)

// Identify says which crate and version an archive is: its one folder is NAME-VERSION and has a Cargo.toml that agrees.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	folder, raw, err := archive.File(io.NewSectionReader(r, 0, size), "Cargo.toml", maxUpload)
	if err != nil {
		return store.Found{}, false
	}
	m, err := archive.ParseManifest(raw)
	if err != nil || m.Name == "" || folder != m.Name+"-"+m.Version {
		return store.Found{}, false
	}
	return store.Found{
		Kind: store.Cargo, Name: m.Name, Version: m.Version, File: names.File(m.Name, m.Version),
		Confidence: store.Certain,
	}, true
}
