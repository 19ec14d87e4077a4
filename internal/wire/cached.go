package wire

// Answers with a file of an upstream, kept or still on its way.

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"larder/store"
	"larder/upstream"
)

// smallFile is what is answered from memory.
const smallFile = 64 << 10

// ServeCached answers GET or HEAD with a file of an upstream, kept or still on its way. f is closed. A file that is
// kept is answered like a hosted one; one on its way is passed on as it comes, a single range of it as well, and when
// it turns out to be wrong the connection breaks before its end.
func ServeCached(w http.ResponseWriter, r *http.Request, s *store.Store, f *upstream.File, head BlobHead) error {
	defer f.Close()
	w.Header().Set("X-Cache", f.Cache)
	if head.Type == "" {
		head.Type = f.Type
	}
	if head.Modified.IsZero() {
		head.Modified = f.Modified
	}
	if f.Follows() && r.Method == http.MethodGet && !piecemeal(r, f) {
		// What cannot be passed on piecemeal waits for the whole.
		b, err := f.Wait(r.Context())
		if err != nil {
			return err
		}
		return serveKept(w, r, s, b, head)
	}
	if !f.Follows() && f.Blob.Digest != "" {
		return serveKept(w, r, s, f.Blob, head)
	}
	return follow(w, r, f, head)
}

func serveKept(w http.ResponseWriter, r *http.Request, s *store.Store, b store.Blob, head BlobHead) error {
	head.Size = b.Size
	if head.Digest == "" {
		head.Digest = b.Digest
	}
	if b.Size <= smallFile {
		body, err := s.BlobBytes(r.Context(), b)
		if err != nil {
			return err
		}
		return ServeBytes(w, r, body, head)
	}
	content, _, err := s.OpenBlob(r.Context(), b.Digest)
	if err != nil {
		return err
	}
	defer content.Close()
	return ServeBlob(w, r, content, head)
}

// piecemeal reports whether follow can answer r: the whole file, or one range of a file whose size is known. Conditions
// are looked at only when the digest is known, since until then there is no ETag they could be about.
func piecemeal(r *http.Request, f *upstream.File) bool {
	h := r.Header
	for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
		if h.Get(name) != "" {
			return false
		}
	}
	spec := h.Get("Range")
	return spec == "" ||
		h.Get("If-Range") == "" && f.Seekable() && f.Size >= 0 && !strings.Contains(spec, ",") &&
			checkRange(spec, f.Size) == rangeGood
}

// follow passes on what comes.
func follow(w http.ResponseWriter, r *http.Request, f *upstream.File, head BlobHead) error {
	h := w.Header()
	head.set(h)
	if head.Digest == "" {
		head.Digest = f.Digest
	}
	if head.Digest != "" {
		h.Set("ETag", `"`+head.Digest.String()+`"`)
	}
	if !head.Modified.IsZero() {
		h.Set("Last-Modified", head.Modified.UTC().Format(http.TimeFormat))
	}
	from, to, status := int64(0), f.Size, http.StatusOK
	if f.Seekable() && f.Size >= 0 {
		h.Set("Accept-Ranges", "bytes")
		if spec := r.Header.Get("Range"); spec != "" && r.Method == http.MethodGet {
			from, to = oneRange(spec, f.Size)
			status = http.StatusPartialContent
			h.Set("Content-Range",
				"bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(to-1, 10)+"/"+strconv.FormatInt(f.Size, 10))
		}
	}
	if to >= 0 {
		h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	// The client hears at once that the file is coming: its first byte may take long.
	flushing{w}.Flush()
	return f.Copy(r.Context(), flushing{w}, from, to)
}

// flushing hides everything of a response but Write and Flush: the growing file must not be handed to the kernel.
type flushing struct{ w http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) { return f.w.Write(p) }

func (f flushing) Flush() {
	// An error shows in the next Write.
	_ = http.NewResponseController(f.w).Flush()
}

var _ io.Writer = flushing{}

// oneRange is the range of a specification that checkRange found good and that has one part.
func oneRange(spec string, size int64) (from, to int64) {
	first, last, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(spec, "bytes=")), "-")
	a, _ := rangeNumber(first)
	b, _ := rangeNumber(last)
	switch {
	case first == "":
		return max(size-b, 0), size
	case last == "":
		return a, size
	}
	return a, min(b+1, size)
}

// CacheHead says in an answer's header how a document of an upstream was come by: from what is
// kept, or how old that is.
func CacheHead(w http.ResponseWriter, d *upstream.Document, now time.Time) {
	h := w.Header()
	h.Set("X-Cache", d.Cache)
	if !d.Checked.IsZero() && d.Cache != "MISS" {
		h.Set("Age", strconv.FormatInt(max(int64(now.Sub(d.Checked)/time.Second), 0), 10))
	}
}
