package store

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// DocKey names a rendered document. Base is the base URL in it, since documents contain absolute ones and records
// never do.
type DocKey struct {
	Kind    Kind
	Package string // "": a document about the whole kind, which any change of the kind outdates
	Base    string
	Format  string // the protocol's own word, including anything else the bytes depend on
}

// Rendered is what a protocol's pure renderer made.
type Rendered struct {
	Body     []byte
	Type     string // media type
	Modified time.Time
	ETag     string // where clients compute it themselves: strong, with quotes; "": of the body's sha256
	Packed   bool   // the body is compressed already: no encodings are made of it
}

// Document is a rendered document with its encodings. It is shared: nobody changes its bytes.
type Document struct {
	Body     []byte
	Gzip     []byte // nil when compression does not make it smaller
	Zstd     []byte // nil when compression does not make it smaller
	Type     string
	Modified time.Time
	ETag     string            // strong, of the identity encoding
	Sum      [sha256.Size]byte // of the identity encoding

	gzipTag, zstdTag string // made once: they are compared with what every client holds
}

// ETagFor returns the strong ETag of an encoding ("gzip", "zstd", "" for identity): other bytes, another tag.
func (d *Document) ETagFor(encoding string) string {
	switch {
	case encoding == "" || encoding == "identity":
		return d.ETag
	case encoding == "gzip" && d.gzipTag != "":
		return d.gzipTag
	case encoding == "zstd" && d.zstdTag != "":
		return d.zstdTag
	}
	return strings.TrimSuffix(d.ETag, `"`) + "-" + encoding + `"`
}

// size is what the document takes of the cache.
func (d *Document) size() int64 { return int64(len(d.Body)+len(d.Gzip)+len(d.Zstd)) + 512 }

// Document returns the document called key, from memory when the package (or kind) has not changed since it was
// rendered. Otherwise it calls render once for all who wait; render reads records itself and must not depend on the
// request it happens to run for. A change that commits before Document is called is in what it returns.
func (s *Store) Document(ctx context.Context, k DocKey, render func(ctx context.Context) (Rendered, error)) (*Document, error) {
	gen := s.Generation(k.Kind, k.Package)
	d, f, mine := s.docs.lookup(k, gen)
	if d != nil {
		return d, nil
	}
	if mine {
		current := func() bool { return s.Generation(k.Kind, k.Package) == gen }
		s.docs.render(context.WithoutCancel(ctx), f, render, current)
	}
	select {
	case <-f.done:
		return f.doc, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// flightKey keeps those who ask after a change from joining a rendering that began before it.
type flightKey struct {
	DocKey
	gen uint64
}

// flight is a rendering under way.
type flight struct {
	key  flightKey
	done chan struct{}
	doc  *Document // this and err: valid once done is closed
	err  error
}

// documents is a cache of rendered documents, bounded by bytes; the least recently used go first.
type documents struct {
	limit int64

	mu      sync.Mutex // guards the rest
	used    int64
	byKey   map[DocKey]*list.Element
	order   *list.List // of *docEntry, most recently used first
	flights map[flightKey]*flight
}

type docEntry struct {
	key flightKey
	doc *Document
}

func newDocuments(limit int64) *documents {
	return &documents{limit: limit, byKey: map[DocKey]*list.Element{}, order: list.New(), flights: map[flightKey]*flight{}}
}

// lookup returns the document, or the flight that will bring it; mine when the caller has to fly it.
func (c *documents) lookup(k DocKey, gen uint64) (d *Document, f *flight, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[k]; e != nil {
		if e.Value.(*docEntry).key.gen == gen {
			c.order.MoveToFront(e)
			return e.Value.(*docEntry).doc, nil, false
		}
		c.drop(e)
	}
	fk := flightKey{k, gen}
	if f = c.flights[fk]; f != nil {
		return nil, f, false
	}
	f = &flight{key: fk, done: make(chan struct{}), err: errRenderPanic}
	c.flights[fk] = f
	return nil, f, true
}

// errRenderPanic is what those who waited get when the renderer panicked; the panic itself goes up its own stack.
var errRenderPanic = errors.New("the renderer of the document panicked")

// render flies f. The document is kept only when nothing changed meanwhile.
func (c *documents) render(ctx context.Context, f *flight, render func(context.Context) (Rendered, error), current func() bool) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flights, f.key)
		if f.err == nil && current() {
			c.add(f.key, f.doc)
		}
		close(f.done)
	}()
	r, err := render(ctx)
	if err != nil {
		f.err = err
		return
	}
	f.doc, f.err = newDocument(r)
}

// add keeps d and makes room for it.
func (c *documents) add(k flightKey, d *Document) {
	if d.size() > c.limit {
		return
	}
	if e := c.byKey[k.DocKey]; e != nil {
		c.drop(e)
	}
	c.byKey[k.DocKey] = c.order.PushFront(&docEntry{k, d})
	for c.used += d.size(); c.used > c.limit; {
		c.drop(c.order.Back())
	}
}

func (c *documents) drop(e *list.Element) {
	v := c.order.Remove(e).(*docEntry)
	delete(c.byKey, v.key.DocKey)
	c.used -= v.doc.size()
}

// minCompressed is the size below which an encoding saves no packet.
const minCompressed = 1024

// newDocument hashes and compresses what was rendered, once.
func newDocument(r Rendered) (*Document, error) {
	sum := sha256.Sum256(r.Body)
	d := &Document{Body: r.Body, Type: r.Type, Modified: r.Modified, ETag: r.ETag, Sum: sum}
	if d.ETag == "" {
		d.ETag = `"` + hex.EncodeToString(sum[:16]) + `"`
	}
	d.gzipTag, d.zstdTag = d.ETagFor("gzip"), d.ETagFor("zstd")
	if r.Packed || len(r.Body) < minCompressed {
		return d, nil
	}
	var err error
	if d.Gzip, err = gzipped(r.Body); err != nil {
		return nil, err
	}
	if d.Zstd, err = zstded(r.Body); err != nil {
		return nil, err
	}
	return d, nil
}

func gzipped(p []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.DefaultCompression)
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
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

// smaller is z in a slice of its own size, or nil when it saves nothing over p.
func smaller(z, p []byte) []byte {
	if len(z) >= len(p) {
		return nil
	}
	return bytes.Clone(z)
}
