package multiform

// Forms as clients send them, and forms that are refused.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"slices"
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

func TestFileMayComeAnywhereAmongTheFields(t *testing.T) {
	fields := []string{"name", "demo", "content!x.whl", "bytes", "version", "1.0"}
	for at := range 3 {
		shuffled := append(append([]string{}, fields[2*at:]...), fields[:2*at]...)
		typ, text := body(shuffled...)
		f, file, before, err := read(typ, strings.NewReader(text), map[string][]string{"known": {"yes"}})
		if err != nil {
			t.Errorf("%v: %v", shuffled, err)
			continue
		}
		wantFile(t, f, "x.whl", file, "bytes")
		wantField(t, f, "name", "demo")
		wantField(t, f, "version", "1.0")
		wantField(t, f, "known", "yes")
		if want := map[int]string{0: "demo", 1: "", 2: "demo"}[at]; before != want {
			t.Errorf("%v: at the file the field name was %q, want %q", shuffled, before, want)
		}
	}
}

func wantField(t *testing.T, f *Form, name, want string) {
	t.Helper()
	if got := f.Get(name); got != want {
		t.Errorf("field %s is %q, want %q", name, got, want)
	}
}

func wantFile(t *testing.T, f *Form, name, file, want string) {
	t.Helper()
	if !f.HasFile || f.Filename != name {
		t.Errorf("the form has a file: %v, named %q; want one named %q", f.HasFile, f.Filename, name)
	}
	if file != want {
		t.Errorf("the file is %q, want %q", file, want)
	}
}

func TestRepeatedFieldKeepsAllValues(t *testing.T) {
	typ, text := body("other", "a\xff", "name", "b", "name", "c")
	f, _, _, err := read(typ, strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantField(t, f, "name", "a\ufffd")
	wantField(t, f, "other", "")
	if got, want := f.values["name"], []string{"a\ufffd", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("field name has the values %q, want %q", got, want)
	}
	if f.HasFile {
		t.Error("the form has a file, want none")
	}
}

// No system's idea of folders changes the name.
func TestFilenameIsKeptAsSent(t *testing.T) {
	typ, text := body(`content!..\..\x`, "")
	f, file, _, err := read(typ, strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, f, `..\..\x`, file, "")
}

// flit sends no quotes and no type; a preamble is allowed before the first boundary (RFC 2046, 5.1.1).
func TestNamesWithoutQuotesAreRead(t *testing.T) {
	text := "preamble\r\n--b\r\nContent-Disposition: form-data; name=content; filename=x.whl\r\n\r\nbytes\r\n--b--\r\n"
	f, file, _, err := read("multipart/form-data; boundary=b", strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, f, "x.whl", file, "bytes")
}

func TestFormsThatAreRefused(t *testing.T) {
	const boundaryB = "multipart/form-data; boundary=b"
	long := strings.Repeat("x", 99)
	empty, _ := body()
	for name, c := range map[string]struct {
		typ, text string
		fields    []string
		want      error
	}{
		"no form":     {typ: "application/json", text: "{}", want: problem.ErrMediaType},
		"no boundary": {typ: "multipart/form-data", want: problem.ErrMediaType},
		"no type":     {want: problem.ErrMediaType},
		"empty":       {typ: empty, want: problem.ErrInvalid},
		"long value":  {fields: []string{"name", strings.Repeat("x", 101)}, want: problem.ErrTooLarge},
		"long values": {fields: []string{"a", long, "b", long, "c", long}, want: problem.ErrTooLarge},
		"many fields": {fields: strings.Split(strings.Repeat("a,b,", 9)+"c,d", ","), want: problem.ErrTooLarge},
		"two files":   {fields: []string{"content!a", "x", "content!b", "y"}, want: problem.ErrInvalid},
		"long name":   {fields: []string{strings.Repeat("n", 65), "x"}, want: problem.ErrInvalid},
		"without name": {
			typ: boundaryB, text: "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", want: problem.ErrInvalid,
		},
		"ends early": {
			typ: boundaryB, text: "--b\r\nContent-Disposition: form-data; name=content\r\n\r\nbytes",
			want: problem.ErrInvalid,
		},
	} {
		if c.fields != nil {
			c.typ, c.text = body(c.fields...)
		}
		_, _, _, err := read(c.typ, strings.NewReader(c.text), nil)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: the error is %v, want %v", name, err, c.want)
		}
		if problem.Status(err) == 500 {
			t.Errorf("%s: the error %v has the status 500", name, err)
		}
	}
}

func TestErrorOfTheConnectionIsNotTheForms(t *testing.T) {
	broken := errors.New("broken")
	typ, text := body("content!a", strings.Repeat("x", 10_000))
	_, _, _, err := read(typ, io.MultiReader(strings.NewReader(text[:5000]), iotest.ErrReader(broken)), nil)
	if !errors.Is(err, broken) {
		t.Errorf("the error is %v, want %v", err, broken)
	}
	if got := problem.Status(err); got != 500 {
		t.Errorf("the status of %v is %d, want 500", err, got)
	}
}

func TestErrorOfTheReceiverIsNotTheForms(t *testing.T) {
	broken := errors.New("broken")
	typ, text := body("content!a", strings.Repeat("x", 10_000))
	for name, open := range map[string]func(*Form) (io.Writer, error){
		"open":  func(*Form) (io.Writer, error) { return nil, broken },
		"write": func(*Form) (io.Writer, error) { return failing{broken}, nil },
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(text))
		r.Header.Set("Content-Type", typ)
		if _, err := Read(r, limits, nil, open); !errors.Is(err, broken) || errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s fails with %v, and Read with %v", name, broken, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// No body makes it panic or answer with a status of 500 and above, and the limits hold.
func FuzzUpload(f *testing.F) {
	_, text := body("name", "demo", "content!x.whl", "bytes")
	boundary := text[2:strings.IndexByte(text, '\r')]
	f.Add(boundary, text)
	f.Add("b", "--b\r\nContent-Disposition: form-data; name=\"content\"; filename*=UTF-8''%2e%2e\r\n"+
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--")
	f.Fuzz(func(t *testing.T, boundary, text string) {
		form, file, _, err := read(fmt.Sprintf("multipart/form-data; boundary=%q", boundary), strings.NewReader(text), nil)
		if err != nil {
			if s := problem.Status(err); s < 400 || s >= 500 {
				t.Fatalf("the status of %v is %d, want one of 4xx", err, s)
			}
			return
		}
		total := 0
		for name, values := range form.values {
			for _, v := range values {
				total += len(v)
				if len(v) > 3*int(limits.Value) || len(name) > 64 {
					t.Fatalf("field %q has %q, beyond the limits", name, v)
				}
			}
		}
		if total > 3*int(limits.Values) || len(file) > len(text) || len(form.values) > limits.Fields {
			t.Fatalf("the form is beyond the limits: %+v", form)
		}
	})
}
