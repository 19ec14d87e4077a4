package ledger

// Texts that grow, and the ways in which clients ask for their ends.

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

var log = List{
	Name: "log", Preamble: func(t time.Time) []byte { return []byte("since " + t.Format(time.RFC3339) + "\n") },
}

// world is a text in a store.
type world struct {
	t    testing.TB
	s    *store.Store
	repo *store.Repo[struct{}]
	r    *Reader
	want []byte
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, s: storetest.New(t)}
	w.repo = store.NewRepo[struct{}](w.s, store.RubyGems)
	w.r = NewReader(w.s, store.RubyGems, log, w.open)
	return w
}

func (w *world) open(tx *store.Tx) Tables {
	return func(name string) store.Table { return w.repo.KindIndex(tx, name) }
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (w *world) append(line string) {
	w.t.Helper()
	if w.want == nil {
		w.want = log.Preamble(now)
	}
	w.want = append(w.want, line...)
	err := w.s.Update(context.Background(), func(tx *store.Tx) error { return log.Append(w.open(tx), now, []byte(line)) })
	if err != nil {
		w.t.Fatal(err)
	}
}

// head is the present head, whose sums must be those of what was appended.
func (w *world) head() *Head {
	w.t.Helper()
	h, err := w.r.Head(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	m, s, err := h.Sums()
	if err != nil {
		w.t.Fatal(err)
	}
	if h.Size != int64(len(w.want)) || h.Lines != int64(bytes.Count(w.want, []byte("\n"))) ||
		md5.Sum(w.want) != [16]byte(m.Sum(nil)) || sha256.Sum256(w.want) != [32]byte(s.Sum(nil)) {
		w.t.Fatalf("%+v is not of the %d bytes that were appended", h, len(w.want))
	}
	return h
}

// TestAppend: chunks of any fill, lines of any length, read from anywhere to anywhere.
func TestAppend(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.append(strings.Repeat("x", i*i%1500) + "\n")
	}
	h := w.head()
	for from := int64(0); from < h.Size; from += 377 {
		for _, to := range []int64{from, from + 1, from + 1023, from + 1024, from + 1025, h.Size} {
			to = min(to, h.Size)
			if p, err := w.r.Bytes(context.Background(), h, from, to); err != nil || !bytes.Equal(p, w.want[from:to]) {
				t.Fatalf("from %d to %d: %d bytes, %v", from, to, len(p), err)
			}
		}
	}
	if _, err := w.r.Bytes(context.Background(), h, 0, h.Size+1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("beyond the end: %v", err)
	}
}

// TestEmpty: a text that nothing was added to is its preamble.
func TestEmpty(t *testing.T) {
	w := newWorld(t)
	h, err := w.r.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := w.r.Copy(context.Background(), &b, h, 0, h.Size); err != nil ||
		b.String() != "since 1970-01-01T00:00:00Z\n" {
		t.Errorf("%q %v", b.String(), err)
	}
}

// TestAppendWrites: what an addition writes does not grow with the text.
func TestAppendWrites(t *testing.T) {
	w := newWorld(t)
	w.append("first\n")
	cost := func() float64 { return testing.AllocsPerRun(20, func() { w.append("a line\n") }) }
	small := cost()
	w.append(strings.Repeat("line\n", 200_000))
	w.want = bytes.Clone(w.want)
	if large := cost(); large > 1.5*small+20 {
		t.Errorf("%.0f allocations in a small text, %.0f in one of a megabyte", small, large)
	}
	w.head()
}

// TestEpochs: a new text is made beside the old one, takes its place at once, and the old one can still be read.
func TestEpochs(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.append(strings.Repeat("old\n", 1000))
	old, before := w.head(), bytes.Clone(w.want)
	var h Head
	err := w.s.Update(ctx, func(tx *store.Tx) (err error) {
		h, err = log.Start(w.open(tx), old.Epoch+1, now.Add(time.Hour))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.append("more\n")
	w.head()
	err = w.s.Update(ctx, func(tx *store.Tx) error {
		g := h
		if err := log.Extend(w.open(tx), &g, []byte("new\n")); err != nil {
			return err
		}
		return log.Write(w.open(tx), g)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.want = append(log.Preamble(now.Add(time.Hour)), "new\n"...)
	w.head()
	if p, err := w.r.Bytes(ctx, old, 0, old.Size); err != nil || !bytes.Equal(p, before) {
		t.Errorf("the old text: %v", err)
	}
	for more := true; more; {
		err := w.s.Update(ctx, func(tx *store.Tx) (err error) {
			more, err = log.DropOthers(w.open(tx), old.Epoch+1, 2)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.r.Bytes(ctx, old, 0, old.Size); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the old text is still there: %v", err)
	}
	w.append("again\n")
	w.head()
}

// TestDamage: a head or chunk that is not as it was left is said, not served.
func TestDamage(t *testing.T) {
	w := newWorld(t)
	w.append("line\n")
	ctx := context.Background()
	if err := w.s.Update(ctx, func(tx *store.Tx) error {
		return w.open(tx)("log").Put(chunkKey(1, 0), []byte("x"))
	}); err != nil {
		t.Fatal(err)
	}
	err := w.s.Update(ctx, func(tx *store.Tx) error { return log.Append(w.open(tx), now, []byte("x\n")) })
	if !errors.Is(err, store.ErrFormat) {
		t.Errorf("a chunk that is too short: %v", err)
	}
	if err := w.s.Update(ctx, func(tx *store.Tx) error {
		return w.open(tx)("log.head").Put(headKey, []byte("{"))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.r.Head(ctx); !errors.Is(err, store.ErrFormat) {
		t.Errorf("a head that cannot be read: %v", err)
	}
}

// TestPacked: whatever was compressed before, the whole is one gzip member of all bytes.
func TestPacked(t *testing.T) {
	w := newWorld(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		var b strings.Builder
		for range rnd.IntN(9000) {
			fmt.Fprintf(&b, "%x\n", rnd.Uint64())
		}
		w.append(b.String() + "end\n")
		h := w.head()
		p, err := w.r.packer.pack(context.Background(), w.r, h)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			if h.Size >= minPacked {
				t.Errorf("%d bytes are not compressed", h.Size)
			}
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(bytes.Join(p.parts, nil)))
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, w.want) {
			t.Fatalf("%d bytes, %v; want %d", len(got), err, len(w.want))
		}
	}
	if len(w.r.packer.segments) < 2 {
		t.Errorf("%d segments", len(w.r.packer.segments))
	}
}

// FuzzServe: any header gets the whole or the part it asks for, with sums of the whole, and never a 416.
func FuzzServe(f *testing.F) {
	for _, s := range []string{
		"bytes=3-", "bytes=3-5", "bytes=-7", "bytes=99-", "bytes=5-3", "bytes=0-0,2-3", "bytes=-", "lines=1-", "bytes=+1-",
		"bytes=1-99999999999999999999",
	} {
		f.Add(s, "gzip;q=1.0,deflate;q=0.6,identity;q=0.3", `"x"`)
	}
	f.Add("", "gzip;q=0, *", `W/"x", *`)
	body := []byte(strings.Repeat("0123456789", 30))
	d := store.NewDocument(store.Rendered{Body: body, Gzip: []byte("packed"), ETag: Tag(body)})
	f.Fuzz(func(t *testing.T, spec, accept, held string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Range"], r.Header["Accept-Encoding"], r.Header["If-None-Match"] = []string{spec}, []string{accept},
			[]string{held}
		w := httptest.NewRecorder()
		if err := Document(d).Serve(w, r, "no-cache"); err != nil {
			t.Fatal(err)
		}
		h := w.Header()
		sum := base64.StdEncoding.EncodeToString(d.Sum[:])
		if h.Get("ETag") != d.ETag || h.Get("Repr-Digest") != "sha-256=:"+sum+":" || h.Get("Digest") != "sha-256="+sum {
			t.Fatalf("%v", h)
		}
		switch w.Code {
		case 304:
		case 200:
			if got := w.Body.String(); got != string(body) &&
				(got != "packed" || spec != "" || h.Get("Content-Encoding") != "gzip") {
				t.Fatalf("%q %q: %q", spec, accept, got)
			}
		case 206:
			var from, to, size int
			if _, err := fmt.Sscanf(h.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size); err != nil ||
				size != len(body) || w.Body.String() != string(body[from:to+1]) {
				t.Fatalf("%q: %v %v", spec, h, err)
			}
		default:
			t.Fatalf("%q: %d", spec, w.Code)
		}
		if w.Code != 304 && h.Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
			t.Fatalf("%v, %d bytes", h, w.Body.Len())
		}
	})
}
