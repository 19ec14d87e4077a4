package ledger

// This file serves texts, and other documents of which clients hold a copy and check a hash. Two generations of clients
// check two hashes of the whole, also if the answer is a part: the ETag is the md5 of the identity bytes, the digest
// fields their sha256. A range outside of the text is never a 416, because some clients cannot read such an answer.

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"

	"larder/store"
)

// Content is a text to serve, whether it is in memory or not.
type Content struct {
	size   int64
	etag   string // quoted
	digest string // base64 of the sha256
	write  func(ctx context.Context, w io.Writer, from, to int64) error
	gzip   func(ctx context.Context) (*packed, error) // nil, or one that returns nil: there is none
}

// packed is a text in gzip.
type packed struct {
	size  int64
	parts [][]byte
}

// Tag returns the ETag that clients compare with the md5 of their copy.
func Tag(p []byte) string {
	sum := md5.Sum(p)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// Document returns a document in memory as a Content whose ETag is its Tag.
func Document(d *store.Document) Content {
	return Content{
		size: d.Size, etag: d.ETag, digest: base64.StdEncoding.EncodeToString(d.Sum[:]),
		write: func(_ context.Context, w io.Writer, from, to int64) error {
			body, err := d.Encoded(store.Identity)
			if err == nil {
				_, err = w.Write(body[from:to])
			}
			return err
		},
		gzip: func(context.Context) (*packed, error) {
			gz, err := d.Encoded(store.Gzip)
			if gz == nil {
				return nil, err
			}
			return &packed{int64(len(gz)), [][]byte{gz}}, nil
		},
	}
}

// Serve answers GET and HEAD.
func (c Content) Serve(w http.ResponseWriter, r *http.Request, cacheControl string) error {
	h := w.Header()
	h.Set("ETag", c.etag)
	h.Set("Repr-Digest", "sha-256=:"+c.digest+":")
	h.Set("Digest", "sha-256="+c.digest)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Cache-Control", cacheControl)
	h.Set("Vary", "Accept-Encoding")
	if matches(r.Header.Values("If-None-Match"), c.etag) {
		// Before any range (RFC 9110 13.2.2); most requests end here.
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	spec := r.Header.Get("Range")
	if from, to, ok := c.part(r, spec); ok {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, c.size))
		return c.send(w, r, http.StatusPartialContent, from, to)
	}
	if spec == "" && c.gzip != nil && wantsGzip(r) {
		p, err := c.gzip(r.Context())
		if err != nil {
			return err
		}
		if p != nil {
			return p.send(w, r)
		}
	}
	return c.send(w, r, http.StatusOK, 0, c.size)
}

func (c Content) send(w http.ResponseWriter, r *http.Request, status int, from, to int64) error {
	w.Header().Set("Content-Length", strconv.FormatInt(to-from, 10))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	return c.write(r.Context(), w, from, to)
}

func (p *packed) send(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.FormatInt(p.size, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	for _, part := range p.parts {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("write text: %w", err)
		}
	}
	return nil
}

// matches reports whether one of the tags, quoted, weak or bare, is etag, or is "*".
func matches(lines []string, etag string) bool {
	for _, line := range lines {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == "*" || tag == etag || `"`+tag+`"` == etag {
				return true
			}
		}
	}
	return false
}

// part reads a Range header of one part. ok is false for anything else, and for a part outside of the text.
func (c Content) part(r *http.Request, spec string) (from, to int64, ok bool) {
	if cond := r.Header.Get("If-Range"); r.Method != http.MethodGet || cond != "" && cond != c.etag {
		return 0, 0, false
	}
	list, ok := strings.CutPrefix(spec, "bytes=")
	first, last, dash := strings.Cut(list, "-")
	if !ok || !dash || strings.Contains(list, ",") {
		return 0, 0, false
	}
	a, err1 := strconv.ParseUint("0"+first, 10, 62)
	b, err2 := strconv.ParseUint("0"+last, 10, 62)
	from, to = int64(a), c.size
	switch {
	case err1 != nil || err2 != nil || first == "" && last == "":
		return 0, 0, false
	case first == "":
		from = max(0, c.size-int64(b))
	case last != "":
		to = min(to, int64(b)+1)
	}
	return from, to, from < to
}

// wantsGzip reports whether the client decompresses: it sends the header that Ruby sends by itself. A client that names
// gzip alone stores what it gets as it is.
func wantsGzip(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept-Encoding"), ",")
	gzip, others := false, false
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		refused := strings.HasPrefix(strings.ReplaceAll(params, " ", ""), "q=0") && strings.Trim(params, " q=0.") == ""
		if strings.EqualFold(name, "gzip") {
			gzip = !refused
		} else {
			others = others || name != ""
		}
	}
	return gzip && others
}

// packer compresses the text for clients that have none of it. What is written never changes, so each segment is
// compressed once: compressed segments end on whole bytes and follow each other in one gzip stream.
type packer struct {
	mu       sync.Mutex
	epoch    uint64
	segments [][]byte
}

const (
	segmentSize = 256 << 10
	minPacked   = 1 << 10   // of a list, below which compressing saves no packet
	maxPacked   = 256 << 20 // of a list, beyond which it is served as it is
)

// pack returns the text up to h in gzip, nil if it is too small or too large for that.
func (p *packer) pack(ctx context.Context, r *Reader, h *Head) (*packed, error) {
	if h.Size < minPacked || h.Size > maxPacked {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != h.Epoch {
		p.epoch, p.segments = h.Epoch, nil
	}
	whole := int(h.Size / segmentSize)
	for n := len(p.segments); n < whole; n++ {
		raw, err := r.Bytes(ctx, h, int64(n)*segmentSize, int64(n+1)*segmentSize)
		if err != nil {
			return nil, err
		}
		z, err := deflate(raw, false)
		if err != nil {
			return nil, err
		}
		p.segments = append(p.segments, z)
	}
	raw, err := r.Bytes(ctx, h, int64(whole)*segmentSize, h.Size)
	if err != nil {
		return nil, err
	}
	tail, err := deflate(raw, true)
	if err != nil {
		return nil, err
	}
	out := &packed{parts: make([][]byte, 0, whole+3)}
	out.parts = append(out.parts, []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255})
	out.parts = append(append(out.parts, p.segments[:whole]...), tail)
	trailer := binary.LittleEndian.AppendUint32(nil, h.CRC)
	out.parts = append(out.parts, binary.LittleEndian.AppendUint32(trailer, uint32(h.Size)))
	for _, part := range out.parts {
		out.size += int64(len(part))
	}
	return out, nil
}

// deflate compresses one segment; the last one ends the stream.
func deflate(p []byte, last bool) ([]byte, error) {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		_, err = z.Write(p)
	}
	switch {
	case err != nil:
	case last:
		err = z.Close()
	default:
		err = z.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("compress text: %w", err)
	}
	return bytes.Clone(b.Bytes()), nil
}
