package rubygems

// Forms as RubyGems' clients send them: in the body of a DELETE, without a Content-Type, or in other clothes.

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

	"larder/internal/wire"
	"larder/store"
)

// form is what a request says in its body; the first value of a name counts.
type form map[string]string

func badForm() error { return wire.Errorf(store.ErrInvalid, "The form in the request cannot be read.") }

// readForm reads the body as what its Content-Type says, and without one as a URL-encoded form.
func readForm(r *http.Request) (form, error) {
	raw, err := wire.ReadBody(r, maxForm)
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
		return nil, badForm()
	}
	f := form{}
	for k, v := range values {
		f[k] = v[0]
	}
	return f, nil
}

func readMultipart(raw []byte, boundary string) (form, error) {
	f := form{}
	for m := multipart.NewReader(bytes.NewReader(raw), boundary); ; {
		part, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, badForm()
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, badForm()
		}
		if _, twice := f[part.FormName()]; !twice {
			f[part.FormName()] = string(value)
		}
	}
}

func readJSON(raw []byte) (form, error) {
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, badForm()
	}
	f := form{}
	for k, v := range values {
		switch v.(type) {
		case string, bool, float64:
			f[k] = fmt.Sprint(v)
		case nil:
		default:
			return nil, badForm()
		}
	}
	return f, nil
}

// yes says whether a checkbox is ticked.
func (f form) yes(name string) bool {
	return f[name] == "true" || f[name] == "1" || f[name] == "on"
}
