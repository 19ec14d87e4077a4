package store

// This file keeps a rendered document in the encodings that clients ask for.

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"

	"larder/internal/compress"
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

// Document is a rendered document. An encoding is made when it is first asked for; a large document is kept only in
// those that are asked for, because an index of megabytes is read in gzip by every client there is.
type Document struct {
	Type     string // media type
	Modified time.Time
	Size     int64             // bytes, of the identity encoding
	ETag     string            // strong, of the identity encoding
	Sum      [sha256.Size]byte // of the identity encoding

	gzipTag, zstdTag string       // made once: they are compared with what every client holds
	held             atomic.Int64 // bytes of memory, about
	resized          func()       // called when held has changed; nil for none

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
	overhead      = 512      // bytes of a document without its bytes
)

// NewDocument hashes what was rendered.
func NewDocument(r Rendered) *Document {
	sum := sha256.Sum256(r.Body)
	d := &Document{Type: r.Type, Modified: r.Modified, Size: int64(len(r.Body)), ETag: r.ETag, Sum: sum, body: r.Body}
	if d.ETag == "" {
		d.ETag = `"` + hex.EncodeToString(sum[:16]) + `"`
	}
	d.gzipTag, d.zstdTag = d.ETag[:len(d.ETag)-1]+`-gzip"`, d.ETag[:len(d.ETag)-1]+`-zstd"`
	none := r.Packed || len(r.Body) < minCompressed
	d.gzip, d.zstd = packing{none || r.Gzip != nil, r.Gzip}, packing{none, nil}
	d.held.Store(int64(overhead + len(r.Body) + len(r.Gzip)))
	return d
}

// ETagFor returns the strong ETag of an encoding: other bytes, another tag.
func (d *Document) ETagFor(encoding string) string {
	switch encoding {
	case Gzip:
		return d.gzipTag
	case Zstd:
		return d.zstdTag
	}
	return d.ETag
}

// Encoded returns the document in an encoding, nil if that makes it no smaller. The bytes are shared: nobody changes
// them.
func (d *Document) Encoded(encoding string) ([]byte, error) {
	d.mu.Lock()
	out, err := d.encoded(encoding)
	held := int64(overhead + len(d.body) + len(d.gzip.bytes) + len(d.zstd.bytes))
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
	z, pack := &d.gzip, compress.Gzip
	if encoding == Zstd {
		z, pack = &d.zstd, compress.Zstd
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
	switch {
	case d.body != nil || d.Size == 0:
	case d.gzip.bytes != nil:
		d.body, err = compress.Gunzip(d.gzip.bytes, d.Size)
	default:
		d.body, err = compress.Unzstd(d.zstd.bytes, d.Size)
	}
	return d.body, err
}
