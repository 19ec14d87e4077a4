package multiform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"larder/internal/problem"
)

// body writes a form as clients do; "NAME!FILE" is a field with a file's name.
func body(fields ...string) (contentType, text string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		name, file, isFile := strings.Cut(fields[i], "!")
		part := io.Writer(nil)
		var err error
		if isFile {
			part, err = w.CreateFormFile(name, file)
		} else {
			part, err = w.CreateFormField(name)
		}
		if err == nil {
			_, err = io.WriteString(part, fields[i+1])
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return w.FormDataContentType(), b.String()
}

var limits = Limits{File: "content", Value: 100, Values: 250, Fields: 8, Spellings: map[string]string{"other": "name"}}

// read reads a form whose file goes to a buffer.
func read(contentType string, text io.Reader, known map[string][]string) (*Form, string, string, error) {
	r := httptest.NewRequest("POST", "/", text)
	r.Header.Set("Content-Type", contentType)
	var file bytes.Buffer
	before := ""
	f, err := Read(r, limits, known, func(f *Form) (io.Writer, error) {
		before = f.Get("name")
		return &file, nil
	})
	return f, file.String(), before, err
}

// TestOrder: the file may come anywhere among the fields.
func TestOrder(t *testing.T) {
	fields := []string{"name", "demo", "content!x.whl", "bytes", "version", "1.0"}
	for at := range 3 {
		shuffled := append(append([]string{}, fields[2*at:]...), fields[:2*at]...)
		typ, text := body(shuffled...)
		f, file, before, err := read(typ, strings.NewReader(text), map[string][]string{"known": {"yes"}})
		if err != nil || file != "bytes" || f.Filename != "x.whl" || f.Get("name") != "demo" || f.Get("version") != "1.0" || f.Get("known") != "yes" || !f.HasFile {
			t.Errorf("%v: %+v %q %v", shuffled, f, file, err)
		}
		if want := map[int]string{0: "demo", 1: "", 2: "demo"}[at]; before != want {
			t.Errorf("%v: at the file the name was %q", shuffled, before)
		}
	}
}

func TestRead(t *testing.T) {
	typ, text := body("other", "a\xff", "name", "b", "name", "c")
	f, _, _, err := read(typ, strings.NewReader(text), nil)
	if err != nil || f.Get("name") != "a\ufffd" || f.HasFile || !f.Has("name") || f.Has("other") || len(f.values["name"]) != 3 {
		t.Errorf("%+v %v", f, err)
	}
	// The file's name is that of the wire, without an interpretation of any system's folders.
	typ, text = body(`content!..\..\x`, "")
	if f, _, _, err = read(typ, strings.NewReader(text), nil); err != nil || f.Filename != `..\..\x` {
		t.Errorf("%+v %v", f, err)
	}
	// Without quotes, without a type, as flit sends it, and with a preamble.
	raw := "preamble\r\n--b\r\nContent-Disposition: form-data; name=content; filename=x.whl\r\n\r\nbytes\r\n--b--\r\n"
	if f, file, _, err := read("multipart/form-data; boundary=b", strings.NewReader(raw), nil); err != nil || file != "bytes" || f.Filename != "x.whl" {
		t.Errorf("%+v %q %v", f, file, err)
	}
}

func TestRefuses(t *testing.T) {
	typ, _ := body()
	for name, c := range map[string]struct {
		typ, text string
		fields    []string
		want      error
	}{
		"no form":      {"application/json", "{}", nil, problem.ErrMediaType},
		"no boundary":  {"multipart/form-data", "", nil, problem.ErrMediaType},
		"no type":      {"", "", nil, problem.ErrMediaType},
		"empty":        {typ, "", nil, problem.ErrInvalid},
		"long value":   {"", "", []string{"name", strings.Repeat("x", 101)}, problem.ErrTooLarge},
		"long values":  {"", "", []string{"a", strings.Repeat("x", 99), "b", strings.Repeat("x", 99), "c", strings.Repeat("x", 99)}, problem.ErrTooLarge},
		"many fields":  {"", "", strings.Split(strings.Repeat("a,b,", 9)+"c,d", ","), problem.ErrTooLarge},
		"two files":    {"", "", []string{"content!a", "x", "content!b", "y"}, problem.ErrInvalid},
		"long name":    {"", "", []string{strings.Repeat("n", 65), "x"}, problem.ErrInvalid},
		"without name": {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", nil, problem.ErrInvalid},
		"ends early":   {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=content\r\n\r\nbytes", nil, problem.ErrInvalid},
	} {
		if c.fields != nil {
			c.typ, c.text = body(c.fields...)
		}
		f, _, _, err := read(c.typ, strings.NewReader(c.text), nil)
		if !errors.Is(err, c.want) || problem.Status(err) == 500 {
			t.Errorf("%s: %+v %v", name, f, err)
		}
	}
}

// TestBlame: errors of the connection and of the receiver stay what they are.
func TestBlame(t *testing.T) {
	broken := errors.New("broken")
	typ, text := body("content!a", strings.Repeat("x", 10_000))
	if _, _, _, err := read(typ, io.MultiReader(strings.NewReader(text[:5000]), iotest.ErrReader(broken)), nil); !errors.Is(err, broken) || problem.Status(err) != 500 {
		t.Errorf("connection: %v", err)
	}
	for name, open := range map[string]func(*Form) (io.Writer, error){
		"open":  func(*Form) (io.Writer, error) { return nil, broken },
		"write": func(*Form) (io.Writer, error) { return failing{broken}, nil },
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(text))
		r.Header.Set("Content-Type", typ)
		if _, err := Read(r, limits, nil, open); !errors.Is(err, broken) || errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// FuzzUpload: no body panics or is blamed on the server, and limits hold.
func FuzzUpload(f *testing.F) {
	_, text := body("name", "demo", "content!x.whl", "bytes")
	boundary := text[2:strings.IndexByte(text, '\r')]
	f.Add(boundary, text)
	f.Add("b", "--b\r\nContent-Disposition: form-data; name=\"content\"; filename*=UTF-8''%2e%2e\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--")
	f.Fuzz(func(t *testing.T, boundary, text string) {
		form, file, _, err := read(fmt.Sprintf("multipart/form-data; boundary=%q", boundary), strings.NewReader(text), nil)
		if err != nil {
			if s := problem.Status(err); s < 400 || s >= 500 {
				t.Fatalf("%d: %v", s, err)
			}
			return
		}
		total := 0
		for name, values := range form.values {
			for _, v := range values {
				total += len(v)
				if len(v) > 3*int(limits.Value) || len(name) > 64 {
					t.Fatalf("%q=%q", name, v)
				}
			}
		}
		if total > 3*int(limits.Values) || len(file) > len(text) || len(form.values) > limits.Fields {
			t.Fatalf("%+v", form)
		}
	})
}
