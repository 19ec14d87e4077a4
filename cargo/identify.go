package cargo

// This file tells a crate from other bytes, for whoever looks at files that no record knows.

import (
	"errors"
	"io"
	"strings"

	"larder/cargo/crate"
	"larder/internal/archive"
	"larder/store"
)

var errFound = errors.New("found")

// Identify says which crate and version an archive is: its one folder is NAME-VERSION and has a Cargo.toml that agrees.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	var f store.Found
	err := archive.Tar(io.NewSectionReader(r, 0, size), archive.Limits{}, func(e *archive.Entry) error {
		folder, name, _ := strings.Cut(e.Name, "/")
		if name != "Cargo.toml" || !e.Regular {
			return nil
		}
		raw, err := e.Bytes(1 << 20)
		if err != nil {
			return err
		}
		m, err := crate.ParseManifest(raw)
		if err != nil {
			return err
		}
		if folder == m.Name+"-"+m.Version {
			f = store.Found{
				Kind: store.Cargo, Name: m.Name, Version: m.Version, File: folder + ".crate", Confidence: store.Certain,
			}
		}
		return errFound
	})
	return f, errors.Is(err, errFound) && f.Name != ""
}
