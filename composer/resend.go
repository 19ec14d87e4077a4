package composer

// This file makes of an archive alone the request with which it is uploaded.

import (
	"io"
	"net/http"
	"net/url"

	"larder/internal/describe"
	"larder/internal/registry"
)

// sendUpload is an upload. An archive that is none is left to the refusal of the request.
func sendUpload(u describe.Upload) (name string, calls []registry.Call, err error) {
	f, _ := Identify(u.File, u.Size)
	path := root + "/"
	if u.Tag != "" {
		path += "?" + url.Values{"version": {u.Tag}}.Encode()
	}
	return f.Name, []registry.Call{{
		Method: http.MethodPut, Path: path, Body: io.NewSectionReader(u.File, 0, u.Size), Size: u.Size,
		Type: "application/zip",
	}}, nil
}
