package store

// This file caches rendered documents until what they show has changed.

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"larder/internal/budget"
)

// DocKey names a rendered document. Base is the base URL in it, since documents contain absolute ones and records
// never do.
type DocKey struct {
	Kind    Kind
	Package string // "": a document about the whole kind, which any change of the kind outdates
	Base    string
	Format  string // the protocol's own word, including anything else the bytes depend on
}

// Document returns the document called key, from memory when the package (or kind) has not changed since it was
// rendered. Otherwise it calls render once for all who wait; render reads records itself and must not depend on the
// request it happens to run for. A change that commits before Document is called is in what it returns.
func (s *Store) Document(
	ctx context.Context, k DocKey, render func(ctx context.Context) (Rendered, error),
) (*Document, error) {
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
	key  flightKey
	doc  *Document
	size int64 // as it was counted
}

func newDocuments(limit int64) *documents {
	return &documents{limit: limit, byKey: map[DocKey]*list.Element{}, order: list.New(), flights: map[flightKey]*flight{}}
}

// lookup returns the document, or the flight that will bring it; mine when the caller has to render it.
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

// render renders for f. The document is kept only when nothing changed meanwhile.
func (c *documents) render(
	ctx context.Context, f *flight, render func(context.Context) (Rendered, error), current func() bool,
) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flights, f.key)
		if f.err == nil && current() {
			c.add(f.key, f.doc)
		}
		close(f.done)
	}()
	var r Rendered
	if r, f.err = render(ctx); f.err == nil {
		f.err = budget.Take(ctx, int64(len(r.Body)))
	}
	if f.err == nil {
		f.doc = NewDocument(r)
	}
}

// add keeps d and makes room for it.
func (c *documents) add(k flightKey, d *Document) {
	size := d.held.Load()
	if size > c.limit {
		return
	}
	if e := c.byKey[k.DocKey]; e != nil {
		c.drop(e)
	}
	e := c.order.PushFront(&docEntry{k, d, size})
	d.resized = func() { c.resize(e) }
	c.byKey[k.DocKey] = e
	c.grow(size)
}

// resize counts anew what an entry takes, if it is still kept.
func (c *documents) resize(e *list.Element) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := e.Value.(*docEntry)
	if c.byKey[v.key.DocKey] == e {
		was := v.size
		v.size = v.doc.held.Load()
		c.grow(v.size - was)
	}
}

func (c *documents) grow(by int64) {
	for c.used += by; c.used > c.limit; {
		c.drop(c.order.Back())
	}
}

func (c *documents) drop(e *list.Element) {
	v := c.order.Remove(e).(*docEntry)
	delete(c.byKey, v.key.DocKey)
	c.used -= v.size
}
