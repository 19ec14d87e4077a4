package composer

// This file tells a Composer archive from other bytes, for whoever looks at files that no record knows.

import (
	"cmp"
	"io"
	"strings"

	"larder/composer/archive"
	"larder/store"
)

// Identify says which package a ZIP archive is. Most name no version: that was said at the upload.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	m, err := archive.Read(r, size)
	if err != nil || m.Name == "" {
		return store.Found{}, false
	}
	f := store.Found{Kind: store.Composer, Name: m.Name, Version: m.Version, Confidence: store.Certain}
	if m.Version == "" {
		f.Confidence = store.Likely
	}
	f.File = strings.ReplaceAll(m.Name, "/", "-") + "-" + cmp.Or(m.Version, "unknown") + ".zip"
	return f, true
}
