package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Rendered is what a protocol's pure renderer made.
type Rendered struct {
	Body     []byte
	Gzip     []byte // the same in gzip, if it is made already
	Type     string // media type
	Modified time.Time
	ETag     string // where clients compute it themselves: strong, with quotes; "": of the body's sha256
	Packed   bool   // the body is compressed already: no encodings are made of it
}

// The content encodings of documents (RFC 9110 8.4.1).
const (
	Identity = ""
	Gzip     = "gzip"
	Zstd     = "zstd"
)

// Document is a rendered document. An encoding is made when it is first asked for; a large document is kept only in those
// that are asked for, because an index of megabytes is read in gzip by every client there is.
type Document struct {
	Type     string // media type
	Modified time.Time
	Size     int64             // bytes, of the identity encoding
	ETag     string            // strong, of the identity encoding
	Sum      [sha256.Size]byte // of the identity encoding

	gzipTag, zstdTag string       // made once: they are compared with what every client holds
	held             atomic.Int64 // bytes of all encodings
	resized          func()       // nil, or hears that held changed

	mu         sync.Mutex // guards the rest
	body       []byte     // nil while only another encoding is kept
	asked      bool       // somebody wants the body as it is
	gzip, zstd packing
}

// packing is a compressed encoding; nil bytes once it is made mean that it saves nothing.
type packing struct {
	made  bool
	bytes []byte
}

const (
	minCompressed = 1024     // bytes; below, an encoding saves no packet
	maxDoubled    = 16 << 10 // bytes; up to that a document is kept in every encoding
)

// NewDocument hashes what was rendered.
func NewDocument(r Rendered) *Document {
	sum := sha256.Sum256(r.Body)
	d := &Document{Type: r.Type, Modified: r.Modified, Size: int64(len(r.Body)), ETag: r.ETag, Sum: sum, body: r.Body}
	if d.ETag == "" {
		d.ETag = `"` + hex.EncodeToString(sum[:16]) + `"`
	}
	d.gzipTag, d.zstdTag = d.ETagFor(Gzip), d.ETagFor(Zstd)
	none := r.Packed || len(r.Body) < minCompressed
	d.gzip, d.zstd = packing{none || r.Gzip != nil, r.Gzip}, packing{none, nil}
	d.held.Store(int64(len(r.Body) + len(r.Gzip)))
	return d
}

// ETagFor returns the strong ETag of an encoding: other bytes, another tag.
func (d *Document) ETagFor(encoding string) string {
	switch {
	case encoding == Identity || encoding == "identity":
		return d.ETag
	case encoding == Gzip && d.gzipTag != "":
		return d.gzipTag
	case encoding == Zstd && d.zstdTag != "":
		return d.zstdTag
	}
	return strings.TrimSuffix(d.ETag, `"`) + "-" + encoding + `"`
}

// takes is what the document takes of the cache, in bytes.
func (d *Document) takes() int64 { return d.held.Load() + 512 }

// Encoded returns the document in an encoding, nil if that makes it no smaller. The bytes are shared: nobody changes them.
func (d *Document) Encoded(encoding string) ([]byte, error) {
	d.mu.Lock()
	out, err := d.encoded(encoding)
	held := int64(len(d.body) + len(d.gzip.bytes) + len(d.zstd.bytes))
	changed := d.held.Swap(held) != held
	d.mu.Unlock()
	if changed && d.resized != nil {
		d.resized()
	}
	return out, err
}

func (d *Document) encoded(encoding string) ([]byte, error) {
	if encoding == Identity {
		d.asked = true
		return d.plain()
	}
	z, pack := &d.gzip, gzipped
	if encoding == Zstd {
		z, pack = &d.zstd, zstded
	}
	if !z.made {
		body, err := d.plain()
		if err == nil {
			z.bytes, err = pack(body)
		}
		if err != nil {
			return nil, err
		}
		z.made = true
	}
	if z.bytes != nil && !d.asked && d.Size > maxDoubled {
		d.body = nil
	}
	return z.bytes, nil
}

// plain brings the body back from an encoding if need be.
func (d *Document) plain() (_ []byte, err error) {
	if d.body == nil && d.Size > 0 {
		d.body, err = unpacked(d.gzip.bytes, d.zstd.bytes, d.Size)
	}
	return d.body, err
}

var gzips = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func gzipped(p []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(p)/4 + 512)
	w := gzips.Get().(*gzip.Writer)
	defer gzips.Put(w)
	w.Reset(&b)
	if _, err := w.Write(p); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return smaller(b.Bytes(), p), nil
}

func zstded(p []byte) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	out := w.EncodeAll(p, nil)
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return smaller(out, p), nil
}

// unpacked is what either of the two was made of.
func unpacked(gz, zst []byte, size int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(size) + bytes.MinRead)
	if gz == nil {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		defer r.Close()
		return r.DecodeAll(zst, b.AvailableBuffer())
	}
	r, err := gzip.NewReader(bytes.NewReader(gz))
	if err == nil {
		_, err = b.ReadFrom(r)
	}
	if err != nil {
		return nil, fmt.Errorf("gunzip: %w", err)
	}
	return b.Bytes(), nil
}

// smaller is z in a slice of its own size, or nil when it saves nothing over p.
func smaller(z, p []byte) []byte {
	if len(z) >= len(p) {
		return nil
	}
	return bytes.Clone(z)
}
