package upstream

// Files that come with a Content-Encoding: which bytes are the file.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func squeezed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text) // into memory
	_ = z.Close()
	return b.String()
}

// archive is a tar with one file.
func archive(content []byte) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "x", Mode: 0o644, Size: int64(len(content))}) // into memory
	_, _ = w.Write(content)
	_ = w.Close()
	return b.String()
}

// labels is an upstream that labels what it sends, with a Content-Length unless it is larger than a megabyte.
func labels(coding, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", coding)
		if len(body) < 1<<20 {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		_, _ = io.WriteString(w, body) // a client that left fails its own check
	}
}

// TestSumDecidesWhatAnEncodedFileIs: the bytes as they came or what they are decoded to, whichever the sum is of, by
// whatever it is known.
func TestSumDecidesWhatAnEncodedFileIs(t *testing.T) {
	t.Parallel()
	jar, tgz := string(noise(70_000)), squeezed(archive(noise(90_000)))
	for _, c := range []struct{ what, name, coding, sent, file string }{
		{"compressed for its way", "a.jar", "gzip", squeezed(jar), jar},
		{"labelled by its name", "a.tar.gz", "x-gzip", tgz, tgz},
		{"labelled, without a name", "download", "gzip", tgz, tgz},
		{"an archive compressed twice", "b.tar.gz", "gzip", squeezed(tgz), tgz},
		{"a tar of the name of another form", "c.tgz", "gzip", squeezed(archive([]byte("x"))), archive([]byte("x"))},
		{"labelled, and not compressed", "d.tar.gz.asc", "x-gzip", "signature", "signature"},
		{"labelled with what we cannot decode", "e.whl", "br", jar, jar},
		{"uploaded in signed pieces", "f.whl", "aws-chunked", jar, jar},
		{"nothing", "g.txt", "gzip", "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			want := sha([]byte(c.file))
			for how, change := range map[string]func(*Place){
				"a sum":          func(p *Place) { p.Sums = map[string]string{"sha256": want} },
				"a sum and size": func(p *Place) { p.Sums, p.Size = map[string]string{"sha256": want}, int64(len(c.file)) },
				"another sum": func(p *Place) {
					p.Sums = map[string]string{"sha1": sumsOf([]byte(c.file))["sha1"]}
				},
				"what is beside it": func(p *Place) {
					if c.coding == "br" {
						p.Sums = map[string]string{"sha256": want}
					}
					p.Verify = func(_ context.Context, _ *Upstream, _ http.Header, sum func(string) string) error {
						if sum("sha256") != want {
							return ErrBroken
						}
						return nil
					}
				},
			} {
				g := newRig(t)
				g.origin.answer(labels(c.coding, c.sent))
				f, got, err := g.fetch(g.at(c.name, change))
				if err != nil || got != c.file {
					t.Fatalf("known by %s: %d bytes, %v, want the %d of the file", how, len(got), err, len(c.file))
				}
				if again, err := g.set.Kept(t.Context(), "demo", c.name); err != nil || again == nil ||
					again.Digest.Encoded() != want {
					t.Errorf("known by %s: %+v, %v is kept, want %s", how, again, err, want)
				}
				if f.Size >= 0 && f.Size != int64(len(c.file)) {
					t.Errorf("known by %s: the size announced is %d, want %d", how, f.Size, len(c.file))
				}
			}
		})
	}
}

// TestEncodedFileWithoutASumIsDecoded unless its name says that it is compressed itself.
func TestEncodedFileWithoutASumIsDecoded(t *testing.T) {
	t.Parallel()
	tgz := squeezed(archive(noise(9000)))
	for _, c := range []struct{ name, sent, file string }{
		{"a.pom", squeezed("<project/>"), "<project/>"},
		{"a.tar", tgz, archive(noise(9000))},
		{"zipball/main", squeezed("PK"), "PK"},
		{"a.tar.gz", tgz, tgz},
		{"a.tgz?raw=1", tgz, tgz},
		{"a.crate", squeezed(tgz), tgz},
		{"a.tar.gz.asc", "signature", "signature"},
	} {
		g := newRig(t)
		g.origin.answer(labels("gzip", c.sent))
		if _, got, err := g.fetch(g.at(c.name)); err != nil || got != c.file {
			t.Errorf("%s: %d bytes, %v, want the %d of the file", c.name, len(got), err, len(c.file))
		}
	}
}

// TestEncodedFileThatIsNeitherFormIsRefused, and one whose decoded bytes end too early when there is no sum.
func TestEncodedFileThatIsNeitherFormIsRefused(t *testing.T) {
	t.Parallel()
	jar := squeezed(string(noise(5000)))
	for _, c := range []struct {
		what, coding, sent string
		sums               map[string]string
	}{
		{"neither has the sum", "gzip", jar, map[string]string{"sha256": sha([]byte("other"))}},
		{"cut off", "gzip", jar[:len(jar)-100], nil},
		{"what we cannot decode", "br", jar, nil},
	} {
		g := newRig(t)
		g.origin.answer(labels(c.coding, c.sent))
		_, got, err := g.fetch(g.at("a.jar", func(p *Place) { p.Sums = c.sums }))
		if !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %d bytes, %v, want ErrBroken", c.what, len(got), err)
		}
		if k, err := g.set.Kept(t.Context(), "demo", "a.jar"); k != nil || err != nil {
			t.Errorf("%s: %+v is kept, %v", c.what, k, err)
		}
		if g.set.list[0].Counts.Broken.Load() == 0 {
			t.Errorf("%s: it does not count as broken", c.what)
		}
	}
}

// TestEncodedFileIsNoAttack: what a few bytes are decoded to does not fill the disk.
func TestEncodedFileIsNoAttack(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(labels("gzip", squeezed(strings.Repeat("\x00", anyInflated+4<<20))))
	if _, _, err := g.fetch(g.at("a.jar")); !errors.Is(err, errInflated) {
		t.Errorf("%v, want that it would be too large", err)
	}
}

// TestReaderFollowsAnEncodedFile: the first client has the first bytes of the right form, and the size only when it is
// known, before the last ones have come.
func TestReaderFollowsAnEncodedFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		raw  bool
	}{{"a.tar.gz", true}, {"a.jar", false}} {
		g := newRig(t)
		tgz := squeezed(archive(noise(4 << 20)))
		file := archive(noise(4 << 20))
		if c.raw {
			file = tgz
		}
		slow := &slowFile{body: []byte(tgz), step: make(chan int, 2)}
		g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			slow.ServeHTTP(w, r)
		})
		slow.step <- 3 << 20
		f, err := g.set.File(t.Context(), g.at(c.name))
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(len(tgz)); c.raw && f.Size != want || !c.raw && f.Size != -1 {
			t.Errorf("%s: the size announced is %d", c.name, f.Size)
		}
		var middle sliceWriter
		if err := f.Copy(t.Context(), &middle, 1000, 2000); err != nil || string(middle) != file[1000:2000] {
			t.Errorf("%s: 1000 bytes in the middle: %d, %v", c.name, len(middle), err)
		}
		slow.step <- 2 << 20
		if got, err := g.read(f); err != nil || string(got) != file {
			t.Errorf("%s: %d bytes, %v, want the %d of the file", c.name, len(got), err, len(file))
		}
	}
}

// TestReadersOfTheOtherFormGetNoWholeFile: their connection breaks, and the next one gets the file without another
// request.
func TestReadersOfTheOtherFormGetNoWholeFile(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	plain := archive(noise(4 << 20))
	g.origin.answer(labels("gzip", squeezed(plain)))
	ask := g.at("a.tgz", func(p *Place) { p.Sums = map[string]string{"sha256": sha([]byte(plain))} })
	f, err := g.set.File(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if f.Follows() {
		if got, err := g.read(f); err == nil || len(got) >= len(plain) {
			t.Errorf("%d bytes, %v, want fewer than all and an error", len(got), err)
		}
	}
	if _, got, err := g.fetch(ask); err != nil || got != plain || g.origin.asked.Load() != 1 {
		t.Errorf("then: %d bytes, %v after %d requests, want the file after one", len(got), err, g.origin.asked.Load())
	}
}

func TestEncodedFileIsResumed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	file := archive(noise(2 << 20))
	sent := squeezed(file)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("ETag", `"one"`)
		if r.Header.Get("Range") == "" {
			w.Header().Set("Content-Length", strconv.Itoa(len(sent)))
			_, _ = io.WriteString(w, sent[:1<<20])
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(sent))
	})
	if _, got, err := g.fetch(g.at("a.jar")); err != nil || got != file {
		t.Errorf("%d bytes, %v, want the %d of the file", len(got), err, len(file))
	}
}

func TestHeadOfAnEncodedFileAnnouncesNoOtherSize(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(labels("gzip", squeezed("file")))
	for size, want := range map[int64]int64{0: -1, 4: 4} {
		q := g.at("f", func(p *Place) { p.Size = size })
		q.Head = true
		if f, err := g.set.File(t.Context(), q); err != nil || f.Size != want {
			t.Errorf("of size %d: %+v, %v, want the size %d", size, f, err, want)
		}
	}
}

// TestEncodedFileIsPassedOnWhenItCannotBeKept in the form that a store would keep.
func TestEncodedFileIsPassedOnWhenItCannotBeKept(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.store.SetReadOnly("a test")
	tgz := squeezed(archive(noise(90_000)))
	for name, want := range map[string]string{"a.tar.gz": tgz, "a.tar": archive(noise(90_000))} {
		g.origin.answer(labels("gzip", tgz))
		f, err := g.set.File(t.Context(), g.at(name))
		if err != nil {
			t.Fatal(err)
		}
		var got sliceWriter
		if err := f.Copy(t.Context(), &got, 0, -1); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v, want the %d of the file", name, len(got), err, len(want))
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
