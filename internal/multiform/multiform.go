// Package multiform reads multipart forms whose fields come in any order, a file among them. The file is streamed to a
// writer of the caller's while it arrives; the other fields are small and are kept in memory, within limits.
package multiform

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"larder/internal/budget"
	"larder/internal/problem"
)

// Limits say which field is the file and bound all others. The file's size is limited by the writer it goes to.
type Limits struct {
	File      string            // name of the field that is the file
	Value     int64             // bytes of one other field
	Values    int64             // bytes of all other fields together
	Fields    int               // how many fields there may be, the file included
	Spellings map[string]string // other spellings of field names that clients send, and the names they stand for
}

// Form is a form, or what has been read of it so far.
type Form struct {
	Filename string // the file's name as it was sent: it may hold any characters, slashes too
	HasFile  bool

	limits Limits
	left   int64
	values map[string][]string
}

// Get returns a field's first value, "" if the field is missing.
func (f *Form) Get(name string) string {
	if v := f.values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Read reads the body of r. The form begins with values, which the caller knows already. When the file comes, Read
// calls open with the form as read so far and copies the file to the writer that open returns.
//
// Its errors are problem.ErrMediaType, problem.ErrInvalid, problem.ErrTooLarge, an error of the connection, or the one
// of open or its writer.
func Read(r *http.Request, l Limits, values map[string][]string, open func(f *Form) (io.Writer, error)) (*Form, error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" {
		return nil, problem.Errorf(problem.ErrMediaType, "This address takes forms of the type multipart/form-data.")
	}
	f := &Form{limits: l, left: l.Values, values: map[string][]string{}}
	for name, v := range values {
		f.values[name] = v
	}
	body := &source{r: r.Body}
	parts := multipart.NewReader(body, params["boundary"])
	for n := 0; ; n++ {
		// Raw: some clients label a part quoted-printable that is not.
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return f, nil
		}
		if err == nil && n == l.Fields {
			return nil, problem.Errorf(problem.ErrTooLarge, "The form has more than %d fields.", l.Fields)
		}
		if err == nil {
			err = f.take(r.Context(), p, open)
		}
		if err != nil {
			return nil, body.blame(err)
		}
	}
}

// source remembers the error of a reader: a parser reports it as an error of the form.
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

// errReceiver marks an error of open or its writer.
var errReceiver = errors.New("receive the file")

// blame returns the error of the connection or of the receiver as it is; any other means that the form is damaged.
func (s *source) blame(err error) error {
	var refusal *problem.Refusal
	var busy *budget.Busy
	switch {
	case s.err != nil:
		return s.err
	case errors.Is(err, errReceiver), errors.As(err, &refusal), errors.As(err, &busy):
		return err
	}
	return problem.Wrap(err, problem.ErrInvalid, "The form is damaged or ends early.")
}

// take reads one field.
func (f *Form) take(ctx context.Context, p *multipart.Part, open func(f *Form) (io.Writer, error)) error {
	name, filename, err := partName(p)
	if err != nil {
		return err
	}
	if name == f.limits.File {
		return f.takeFile(p, filename, open)
	}
	limit := min(f.left, f.limits.Value)
	raw, err := budget.Read(ctx, p, -1, limit)
	if err == budget.ErrLimit {
		return problem.Errorf(
			problem.ErrTooLarge, "The field %.40q has more than %d bytes, or all fields together more than %d.", name,
			f.limits.Value, f.limits.Values,
		)
	}
	if err != nil {
		return err
	}
	f.left = max(0, f.left-int64(len(raw)+len(name)))
	if spelled, ok := f.limits.Spellings[name]; ok {
		name = spelled
	}
	f.values[name] = append(f.values[name], strings.ToValidUTF8(string(raw), "\ufffd"))
	return nil
}

// partName reads the field's name and the file's name as they were sent: the library's own method cuts folders off a
// file's name, but not those of another system.
func partName(p *multipart.Part) (name, filename string, err error) {
	_, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil || params["name"] == "" || len(params["name"]) > 64 {
		return "", "", problem.Errorf(problem.ErrInvalid, "The form has a field without a name.")
	}
	return params["name"], params["filename"], nil
}

// takeFile copies the file to the receiver.
func (f *Form) takeFile(p io.Reader, filename string, open func(f *Form) (io.Writer, error)) error {
	if f.HasFile {
		return problem.Errorf(problem.ErrInvalid, "The form has several files instead of one.")
	}
	f.HasFile, f.Filename = true, filename
	w, err := open(f)
	if err != nil {
		return errors.Join(errReceiver, err)
	}
	part := &source{r: p}
	if _, err = io.Copy(w, part); err != nil && part.err == nil {
		return errors.Join(errReceiver, err)
	}
	return err
}
