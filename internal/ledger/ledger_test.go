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

// head returns the present head and checks it against what was appended.
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
	if lines := int64(bytes.Count(w.want, []byte("\n"))); h.Size != int64(len(w.want)) || h.Lines != lines {
		w.t.Fatalf("the head has %d bytes and %d lines, want %d and %d", h.Size, h.Lines, len(w.want), lines)
	}
	if want := md5.Sum(w.want); want != [16]byte(m.Sum(nil)) {
		w.t.Fatalf("the head has the md5 %x, want %x", m.Sum(nil), want)
	}
	if want := sha256.Sum256(w.want); want != [32]byte(s.Sum(nil)) {
		w.t.Fatalf("the head has the sha256 %x, want %x", s.Sum(nil), want)
	}
	return h
}

// The parts begin and end within chunks, and at their ends.
func TestAnyPartIsRead(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.append(strings.Repeat("x", i*i%1500) + "\n")
	}
	h := w.head()
	for from := int64(0); from < h.Size; from += 377 {
		for _, to := range []int64{from, from + 1, from + 1023, from + 1024, from + 1025, h.Size} {
			to = min(to, h.Size)
			if p, err := w.r.Bytes(context.Background(), h, from, to); err != nil || !bytes.Equal(p, w.want[from:to]) {
				t.Fatalf("from %d to %d: %d other bytes, %v", from, to, len(p), err)
			}
		}
	}
	if _, err := w.r.Bytes(context.Background(), h, 0, h.Size+1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a part beyond the end gives the error %v, want %v", err, store.ErrNotFound)
	}
}

func TestTextBeginsWithItsPreamble(t *testing.T) {
	w := newWorld(t)
	h, err := w.r.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := w.r.Copy(context.Background(), &b, h, 0, h.Size); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "since 1970-01-01T00:00:00Z\n"; got != want {
		t.Errorf("the text is %q, want %q", got, want)
	}
}

func TestAppendingCostsTheSameInALongText(t *testing.T) {
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

// A new text is made beside the old one and replaces it at once. The old one is readable until it is dropped.
func TestNewEpochReplacesTheText(t *testing.T) {
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
		t.Errorf("the old text is read as %d bytes, %v; want its %d bytes", len(p), err, len(before))
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
		t.Errorf("the dropped text gives the error %v, want %v", err, store.ErrNotFound)
	}
	w.append("again\n")
	w.head()
}

func TestDamagedRowsAreAnError(t *testing.T) {
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
		t.Errorf("appending to a chunk that is too short gives the error %v, want %v", err, store.ErrFormat)
	}
	if err := w.s.Update(ctx, func(tx *store.Tx) error {
		return w.open(tx)("log.head").Put(headKey, []byte("{"))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.r.Head(ctx); !errors.Is(err, store.ErrFormat) {
		t.Errorf("a malformed head gives the error %v, want %v", err, store.ErrFormat)
	}
}

func TestCompressedSegmentsAreOneGzipMember(t *testing.T) {
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
			t.Fatalf("the gzip member has %d bytes, %v; want the %d of the text", len(got), err, len(w.want))
		}
	}
	if len(w.r.packer.segments) < 2 {
		t.Errorf("%d segments were compressed, want 2 or more", len(w.r.packer.segments))
	}
}

// With any headers the answer is the whole or the part that they ask for, with hashes of the whole, and never a 416.
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
		for name, value := range map[string]string{"Range": spec, "Accept-Encoding": accept, "If-None-Match": held} {
			r.Header[name] = []string{value}
		}
		w := httptest.NewRecorder()
		if err := Document(d).Serve(w, r, "no-cache"); err != nil {
			t.Fatal(err)
		}
		h := w.Header()
		sum := base64.StdEncoding.EncodeToString(d.Sum[:])
		if h.Get("ETag") != d.ETag || h.Get("Repr-Digest") != "sha-256=:"+sum+":" || h.Get("Digest") != "sha-256="+sum {
			t.Fatalf("the hashes in %v are not %s and %s", h, d.ETag, sum)
		}
		switch w.Code {
		case 304:
		case 200:
			if got := w.Body.String(); got != string(body) &&
				(got != "packed" || spec != "" || h.Get("Content-Encoding") != "gzip") {
				t.Fatalf("Range %q, Accept-Encoding %q: a 200 with %q", spec, accept, got)
			}
		case 206:
			var from, to, size int
			if _, err := fmt.Sscanf(h.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size); err != nil ||
				size != len(body) || w.Body.String() != string(body[from:to+1]) {
				t.Fatalf("Range %q: a 206 with %v and %q, %v", spec, h, w.Body, err)
			}
		default:
			t.Fatalf("Range %q: the status is %d, want 200, 206 or 304", spec, w.Code)
		}
		if w.Code != 304 && h.Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
			t.Fatalf("Content-Length is %q, the body has %d bytes", h.Get("Content-Length"), w.Body.Len())
		}
	})
}
