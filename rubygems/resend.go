package rubygems

// This file makes of a gem alone the request with which gem push publishes it.

import (
	"io"
	"net/http"

	"larder/internal/describe"
	"larder/internal/registry"
)

// sendUpload is an upload. A file that is no gem is left to the refusal of the request.
func sendUpload(u describe.Upload) (name string, calls []registry.Call, err error) {
	f, _ := Identify(u.File, u.Size)
	return f.Name, []registry.Call{{
		Method: http.MethodPost, Path: root + "/api/v1/gems", Body: io.NewSectionReader(u.File, 0, u.Size), Size: u.Size,
		Type: "application/octet-stream",
	}}, nil
}
