package wiretest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Answer is a response with its body read.
type Answer struct {
	Status  int
	Header  http.Header
	Body    string
	Request string // what was asked: method and URL
}

// String shows what was asked, and the beginning of the answer.
func (a Answer) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %d %v %.400q", a.Request, a.Status, a.Header, a.Body))
}

// Decode reads the body as JSON into v.
func (a Answer) Decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
}

// Object reads the body as a JSON object.
func (a Answer) Object(t testing.TB) (o Fields) {
	t.Helper()
	a.Decode(t, &o)
	return o
}

// At walks into decoded JSON; nil where there is nothing.
func At(v any, path ...string) any {
	for _, p := range path {
		m, ok := v.(Fields)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

// KeysOf are the keys of a decoded JSON object, in order.
func KeysOf(v any) []string {
	m, _ := v.(Fields)
	return slices.Sorted(maps.Keys(m))
}

// Gzip is s compressed.
func Gzip(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TarGz makes a gzipped tar archive of files by name, the same bytes each time.
func TarGz(files Files) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return Gzip(b.String())
}

// Files are contents by name.
type Files = map[string]string

// Zip is a ZIP archive of files, in the order of their names. A name that ends in "@" is a link, without the "@".
func Zip(files map[string]string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range slices.Sorted(maps.Keys(files)) {
		h := &zip.FileHeader{Name: strings.TrimSuffix(n, "@"), Method: zip.Deflate}
		if strings.HasSuffix(n, "@") {
			h.SetMode(fs.ModeSymlink | 0o777)
		}
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(f, files[n])
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Golden compares got with a file of the package's testdata folder. With LARDER_GOLDEN=write in the environment it writes
// the file instead: read the difference before you commit it.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("LARDER_GOLDEN") == "write" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with LARDER_GOLDEN=write and read the difference. Got:\n%s", name, got)
	}
}

// Log collects what a server logs.
type Log struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is everything that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
