package composer

// This file tells a Composer archive from other bytes, for whoever looks at files that no record knows.

import (
	"cmp"
	"io"
	"strings"

	"larder/composer/archive"
	"larder/store"
)

// maxTar is the largest tar archive that Identify unpacks: layers of images are tar archives, too.
const maxTar = 16 << 20

// Identify says which package an archive is. Most name no version: that was said at the upload.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	form, known := archive.FormOf(r)
	if !known || form != "" && size > maxTar {
		return store.Found{}, false
	}
	m, form, err := archive.Read(r, size)
	if err != nil || m.Name == "" {
		return store.Found{}, false
	}
	f := store.Found{Kind: store.Composer, Name: m.Name, Version: m.Version, Confidence: store.Certain}
	if m.Version == "" || form != "" {
		f.Confidence = store.Likely
	}
	f.File = strings.ReplaceAll(m.Name, "/", "-") + "-" + cmp.Or(m.Version, "unknown") + "." + cmp.Or(form, formZip)
	return f, true
}
