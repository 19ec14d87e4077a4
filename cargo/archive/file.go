package archive

// This file reads single files of an archive, also of one that Read would refuse.

import (
	"errors"
	"io"
	"path"
	"strings"

	"larder/internal/archive"
)

var errFound = errors.New("found")

// File reads one file of the crate's folder, at most limit bytes of it, and says what the folder is called. It asks no
// more of the archive than that the file can be read.
func File(r io.Reader, name string, limit int64) (folder string, text []byte, err error) {
	name = path.Clean(name)
	err = archive.Tar(r, archive.Limits{}, func(e *archive.Entry) error {
		top, file, _ := strings.Cut(e.Name, "/")
		if !e.Regular || file != name {
			return nil
		}
		folder = top
		if text, err = e.Bytes(limit); err != nil {
			return err
		}
		return errFound
	})
	switch {
	case errors.Is(err, errFound):
		return folder, text, nil
	case err == nil:
		err = errors.New("the crate has no " + name)
	}
	return "", nil, err
}
