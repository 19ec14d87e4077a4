package archive

// Tar archives: what is read, and what is refused.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

type file struct {
	name, content string
	flag          byte
}

func tarOf(t testing.TB, zip bool, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	var out io.Writer = &b
	z := gzip.NewWriter(&b)
	if zip {
		out = z
	}
	w := tar.NewWriter(out)
	for _, f := range files {
		if f.flag == 0 {
			f.flag = tar.TypeReg
		}
		h := &tar.Header{Name: f.name, Typeflag: f.flag, Mode: 0o644, Size: int64(len(f.content))}
		if f.flag != tar.TypeReg {
			h.Size, h.Linkname = 0, f.content
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if f.flag == tar.TypeReg {
			if _, err := io.WriteString(w, f.content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if zip {
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestRegularFilesOfATarAreRead(t *testing.T) {
	for _, zip := range []bool{false, true} {
		p := tarOf(t, zip, file{"./a/b", "hello", 0}, file{"a/", "", tar.TypeDir},
			file{"a/link", "../../etc/passwd", tar.TypeSymlink}, file{`a\c`, "x", 0})
		var got []string
		err := Tar(bytes.NewReader(p), Limits{}, func(e *Entry) error {
			b, err := e.Bytes(100)
			if e.Regular {
				got = append(got, e.Name+"="+string(b))
			}
			return err
		})
		if err != nil {
			t.Errorf("zip %v: %v", zip, err)
		}
		if want := []string{"a/b=hello", `a\c=x`}; !slices.Equal(got, want) {
			t.Errorf("zip %v: the files are %q, want %q", zip, got, want)
		}
	}
}

func TestUnusableTarIsRefused(t *testing.T) {
	whole := tarOf(t, true, file{"a", strings.Repeat("x", 5000), 0}, file{"b", "y", 0})
	bomb := tarOf(t, true, file{"a", strings.Repeat("\x00", 1<<20), 0})
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		p    []byte
		l    Limits
		want error
	}{
		"empty":         {nil, Limits{}, ErrFormat},
		"no archive":    {[]byte("hello"), Limits{}, ErrFormat},
		"cut":           {whole[:len(whole)/2], Limits{}, ErrFormat},
		"flipped":       {append(append([]byte{}, whole[:len(whole)-6]...), 0, 1, 2, 3, 4, 5), Limits{}, ErrFormat},
		"bad header":    {[]byte{0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9}, Limits{}, ErrFormat},
		"bomb":          {bomb, Limits{Bytes: 64 << 10}, ErrLimit},
		"entries":       {whole, Limits{Entries: 1}, ErrLimit},
		"long name":     {tarOf(t, true, file{strings.Repeat("n", 200), "", 0}), Limits{Name: 100}, ErrLimit},
		"parent":        {tarOf(t, true, file{"a/../../x", "", 0}), Limits{}, ErrName},
		"parent, slash": {tarOf(t, true, file{`a\..\..\x`, "", 0}), Limits{}, ErrName},
		"absolute":      {tarOf(t, true, file{"/etc/passwd", "", 0}), Limits{}, ErrName},
		"not UTF-8":     {tarOf(t, true, file{"a\xff", "", 0}), Limits{}, ErrName},
		"callback":      {whole, Limits{}, stop},
	} {
		err := Tar(bytes.NewReader(c.p), c.l, func(e *Entry) error {
			if c.want == stop {
				return stop
			}
			_, err := io.Copy(io.Discard, e)
			return err
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestBytesOfALargeEntryAreLimited(t *testing.T) {
	p := tarOf(t, true, file{"a", strings.Repeat("x", 5000), 0})
	err := Tar(bytes.NewReader(p), Limits{}, func(e *Entry) error {
		_, err := e.Bytes(10)
		return err
	})
	if !errors.Is(err, ErrLimit) {
		t.Errorf("Bytes(10) of 5000 bytes gives the error %v, want %v", err, ErrLimit)
	}
}

func TestGunzipIsLimited(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := Gunzip(b.Bytes(), 1000); err != nil || len(p) != 1000 {
		t.Errorf("Gunzip returns %d bytes, %v; want 1000", len(p), err)
	}
	if _, err := Gunzip(b.Bytes(), 999); !errors.Is(err, ErrLimit) {
		t.Errorf("Gunzip to 999 of 1000 bytes gives the error %v, want %v", err, ErrLimit)
	}
	for _, p := range [][]byte{nil, []byte("x"), b.Bytes()[:12]} {
		if _, err := Gunzip(p, 1000); !errors.Is(err, ErrFormat) {
			t.Errorf("Gunzip(%q) gives the error %v, want %v", p, err, ErrFormat)
		}
	}
}

func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, true, file{"a/b", "hello", 0}))
	f.Add(tarOf(f, false, file{"a/b", "hello", 0}, file{"c", "d", tar.TypeLink}))
	f.Fuzz(func(t *testing.T, p []byte) {
		total := int64(0)
		_ = Tar(bytes.NewReader(p), Limits{Bytes: 1 << 20, Entries: 100}, func(e *Entry) error {
			if strings.HasPrefix(e.Name, "/") || strings.HasPrefix(e.Name, "../") || e.Name == ".." {
				t.Fatalf("the name %q leads outside", e.Name)
			}
			n, err := io.Copy(io.Discard, e)
			if total += n; total > 1<<20 {
				t.Fatalf("%d bytes were read, more than the limit", total)
			}
			return err
		})
	})
}
