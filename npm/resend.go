package npm

// This file finds in a tarball alone the manifest that npm sends with it, so that it can be published once more.

import (
	"io"

	"larder/internal/rawjson"
	"larder/npm/archive"
)

// Resend returns the package.json of a tarball as one JSON object that has the tarball's integrity. store.ErrInvalid.
func Resend(r io.ReaderAt, size int64, integrity string) ([]byte, error) {
	t, err := archive.Read(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	dist := rawjson.Object{}.Add("integrity", rawjson.Quote(integrity))
	return t.Package.Set("dist", dist.Encode()).Encode(), nil
}
