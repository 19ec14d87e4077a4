package pypi

// The body of an upload: multipart/form-data whose fields come in any order, the file among them. The file goes to a
// stage while it arrives, whatever is still to come; the rest is small and stays in memory, within limits of its own.

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"larder/internal/wire"
	"larder/store"
)

// form is a read body.
type form struct {
	values    map[string][]string
	filename  string // of the file, as it was sent
	hasFile   bool
	signature []byte
}

// spellings are field names that some client writes otherwise.
var spellings = map[string]string{
	"action": ":action", "provides_extras": "provides_extra", "import_name": "import_names", "import_namespace": "import_namespaces",
	"classifier": "classifiers", "project_url": "project_urls", "license_files": "license_file",
}

// get is a field's first value; what tools write for an unknown value counts as none.
func (f *form) get(name string) string {
	if v := f.values[name]; len(v) > 0 && v[0] != "UNKNOWN" {
		return v[0]
	}
	return ""
}

// readForm reads the body. For the field content it calls open, with what is known by then, and fills what it returns.
func readForm(r *http.Request, open func(f *form) (io.Writer, error)) (*form, error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" {
		return nil, wire.Errorf(wire.ErrMediaType, "An upload is multipart/form-data.")
	}
	f := &form{values: map[string][]string{}}
	for name, values := range r.URL.Query() {
		if name == ":action" && len(values) == 1 {
			f.values[name] = values
		}
	}
	body := &source{r: r.Body}
	parts := multipart.NewReader(body, params["boundary"])
	left := int64(maxTexts)
	for n := 0; ; n++ {
		// RawPart: some clients label a part quoted-printable that is not.
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return f, nil
		}
		if err != nil {
			return nil, body.blame(err)
		}
		if n == maxParts {
			return nil, wire.Errorf(store.ErrTooLarge, "The upload has more than %d fields.", maxParts)
		}
		if left, err = f.take(p, left, open); err != nil {
			return nil, body.blame(err)
		}
	}
}

// source remembers the error of the connection, which the parser of the form would wrap in words of its own.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// blame says whose fault it is that the form could not be read: the connection's, the caller's or the form's.
func (s *source) blame(err error) error {
	var refused interface{ Public() string }
	switch {
	case s.err != nil:
		return s.err
	case errors.As(err, &refused), errors.Is(err, errStage):
		return err
	}
	return wire.Errorf(store.ErrInvalid, "The upload form is damaged or ends early.")
}

// errStage marks an error of where the file goes to.
var errStage = errors.New("stage the file")

// take reads one field. left is how many bytes of text may still come.
func (f *form) take(p *multipart.Part, left int64, open func(f *form) (io.Writer, error)) (int64, error) {
	name, filename, err := partName(p)
	if err != nil {
		return left, err
	}
	if name == "content" {
		return left, f.takeFile(p, filename, open)
	}
	limit := min(left, maxText)
	raw, err := io.ReadAll(io.LimitReader(p, limit+1))
	if err != nil {
		return left, err
	}
	if int64(len(raw)) > limit {
		return left, wire.Errorf(store.ErrTooLarge, "The field %.40q has more than %d bytes, or all fields together more than %d.", name, maxText, maxTexts)
	}
	left -= int64(len(raw)) + int64(len(name))
	if name == "gpg_signature" {
		f.signature = raw
		return left, nil
	}
	if spelled, ok := spellings[name]; ok {
		name = spelled
	}
	f.values[name] = append(f.values[name], strings.ToValidUTF8(string(raw), "\ufffd"))
	return left, nil
}

// partName reads the field's name and the file's name as they were sent: the library's own method cuts folders off a
// file's name, but not those of another system.
func partName(p *multipart.Part) (name, filename string, err error) {
	_, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil || params["name"] == "" || len(params["name"]) > 64 {
		return "", "", wire.Errorf(store.ErrInvalid, "The upload form has a field without a name.")
	}
	return params["name"], params["filename"], nil
}

func (f *form) takeFile(p io.Reader, filename string, open func(f *form) (io.Writer, error)) error {
	if f.hasFile {
		return wire.Errorf(store.ErrInvalid, "An upload has one file, this one has several.")
	}
	f.hasFile, f.filename = true, filename
	w, err := open(f)
	if err != nil {
		return errors.Join(errStage, err)
	}
	part := &source{r: p}
	if _, err = io.Copy(w, part); err != nil && part.err == nil {
		return errors.Join(errStage, err)
	}
	return err
}

// actions are what the field :action may say. Registering a project without a file is what very old clients do first.
func (f *form) action() (upload bool, err error) {
	switch action := f.get(":action"); {
	case action == "file_upload":
		return true, nil
	case action == "submit" || action == "submit_pkg_info":
		return false, nil
	case action == "doc_upload":
		return false, wire.Errorf(store.ErrInvalid, "This index hosts no documentation.")
	case action == "" && f.hasFile:
		return true, nil
	default:
		return false, wire.Errorf(store.ErrInvalid, "The field :action is %.40q, not file_upload.", action)
	}
}

// differs lists what the form says otherwise than the file's own metadata, which counts.
func (f *form) differs(get func(string) string) []string {
	var out []string
	for field, header := range map[string]string{
		"summary": "Summary", "requires_python": "Requires-Python", "license": "License", "license_expression": "License-Expression",
		"author": "Author", "author_email": "Author-email", "home_page": "Home-page", "metadata_version": "Metadata-Version",
	} {
		sent := strings.Join(strings.Fields(f.get(field)), " ")
		if own := strings.Join(strings.Fields(get(header)), " "); sent != "" && sent != own {
			out = append(out, header)
		}
	}
	slices.Sort(out)
	return out
}
