package pypi

// This file makes of a distribution alone the request with which twine uploads it.

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"larder/internal/describe"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/registry"
	"larder/store"
)

// Publish returns the request that publishes a file, which Identify has recognised, under the name f.File.
func Publish(r io.ReaderAt, f store.Found, sha256 string) (c registry.Call, err error) {
	kind := "sdist"
	if strings.HasSuffix(f.File, ".whl") {
		kind = "bdist_wheel"
	}
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, field := range [][2]string{
		{":action", "file_upload"}, {"protocol_version", "1"}, {"name", f.Name}, {"version", f.Version}, {"filetype", kind},
		{"sha256_digest", sha256},
	} {
		if err := form.WriteField(field[0], field[1]); err != nil {
			return c, err
		}
	}
	if _, err := form.CreateFormFile("content", f.File); err != nil {
		return c, err
	}
	head := bytes.Clone(b.Bytes())
	b.Reset()
	if err := form.Close(); err != nil {
		return c, err
	}
	return registry.Call{
		Method: http.MethodPost, Path: root + "/legacy/", Type: form.FormDataContentType(),
		Size: int64(len(head)+b.Len()) + f.Size,
		Body: io.MultiReader(bytes.NewReader(head), io.NewSectionReader(r, 0, f.Size), &b),
	}, nil
}

// sendUpload is an upload. The file keeps its name: installers read it.
func sendUpload(u describe.Upload) (name string, calls []registry.Call, err error) {
	f, ok := Identify(u.File, u.Size)
	if !ok {
		return "", nil, problem.Errorf(problem.ErrInvalid,
			"The file is neither a wheel nor a source distribution: it has no METADATA and no PKG-INFO.")
	}
	f.Size, f.File = u.Size, path.Base(strings.ReplaceAll(u.Name, "\\", "/"))
	c, err := Publish(u.File, f, u.SHA256)
	return pydist.Normalise(f.Name), []registry.Call{c}, err
}
