// Package form reads forms as the clients of RubyGems send them: also in the body of a DELETE, without a Content-Type,
// as multipart or as JSON.
package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"

	"larder/internal/problem"
	"larder/internal/wire"
)

// MaxBytes is the most bytes of a form.
const MaxBytes = 64 << 10

// Form is the fields of a request's body. Of a field that occurs twice, the first value counts.
type Form map[string]string

// Bad is the error of a form that cannot be read.
func Bad() error {
	return problem.Errorf(problem.ErrInvalid, "The form in the request cannot be read.")
}

// Read reads the body as what its Content-Type says, and without one as a URL-encoded form.
func Read(r *http.Request) (Form, error) {
	raw, err := wire.ReadBody(r, MaxBytes)
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "multipart/form-data":
		return readMultipart(raw, params["boundary"])
	case err == nil && kind == "application/json":
		return readJSON(raw)
	}
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, Bad()
	}
	f := Form{}
	for k, v := range values {
		f[k] = v[0]
	}
	return f, nil
}

func readMultipart(raw []byte, boundary string) (Form, error) {
	f := Form{}
	for m := multipart.NewReader(bytes.NewReader(raw), boundary); ; {
		part, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, Bad()
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, Bad()
		}
		if _, twice := f[part.FormName()]; !twice {
			f[part.FormName()] = string(value)
		}
	}
}

func readJSON(raw []byte) (Form, error) {
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, Bad()
	}
	f := Form{}
	for k, v := range values {
		switch v.(type) {
		case string, bool, float64:
			f[k] = fmt.Sprint(v)
		case nil:
		default:
			return nil, Bad()
		}
	}
	return f, nil
}

// Yes reports whether a checkbox is ticked.
func (f Form) Yes(name string) bool {
	return f[name] == "true" || f[name] == "1" || f[name] == "on"
}
