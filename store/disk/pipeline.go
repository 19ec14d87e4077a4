package disk

// This file hashes the bytes of a stream beside writing them.

import (
	"hash"
	"sync"
	"sync/atomic"
)

// ringSize is how many buffers one stream may have in flight: one filling, one or two being hashed.
const ringSize = 3

// chunk is a buffer that the sink's goroutine fills and writes to the file, and that one lane for each sum reads then.
type chunk struct {
	buf  *[]byte
	n    int
	left atomic.Int32 // lanes that have not read it yet
}

func (c *chunk) space() []byte { return (*c.buf)[c.n:] }

// pipeline hashes in the background what its sink writes: each sum has a goroutine, a lane, so that several cost the
// time of the slowest.
type pipeline struct {
	k     *Sink
	cur   *chunk
	made  int
	free  chan *chunk // capacity ringSize: returning a chunk never blocks
	lanes []chan *chunk
	busy  sync.WaitGroup // chunks some lane has not read
	ended sync.WaitGroup
}

func newPipeline(k *Sink) *pipeline {
	p := &pipeline{k: k, free: make(chan *chunk, ringSize)}
	for _, s := range k.sums {
		lane := make(chan *chunk, ringSize)
		p.lanes = append(p.lanes, lane)
		p.ended.Go(func() { p.run(s.Hash, lane) })
	}
	return p
}

func (p *pipeline) run(h hash.Hash, lane <-chan *chunk) {
	for c := range lane {
		h.Write((*c.buf)[:c.n])
		if c.left.Add(-1) == 0 {
			c.n = 0
			p.free <- c
			p.busy.Done()
		}
	}
}

// chunk returns the one being filled. A new buffer is taken only when all others are still being hashed, so a slow
// stream holds one.
func (p *pipeline) chunk() *chunk {
	if p.cur != nil {
		return p.cur
	}
	select {
	case p.cur = <-p.free:
		return p.cur
	default:
	}
	if p.made < ringSize {
		p.made++
		p.cur = &chunk{buf: p.k.folder.Buffer()}
	} else {
		p.cur = <-p.free
	}
	return p.cur
}

// submit writes the current chunk to the file and hands it to the lanes. After an error its bytes are in neither.
func (p *pipeline) submit() error {
	c := p.cur
	if c == nil || c.n == 0 {
		return nil
	}
	p.cur = nil
	if err := p.k.put((*c.buf)[:c.n]); err != nil {
		c.n = 0
		p.free <- c
		return err
	}
	p.busy.Add(1)
	c.left.Store(int32(len(p.lanes)))
	for _, lane := range p.lanes {
		lane <- c
	}
	return nil
}

// clear forgets what was not submitted yet.
func (p *pipeline) clear() {
	if p.cur != nil {
		p.cur.n = 0
	}
}

func (p *pipeline) stop() {
	for _, lane := range p.lanes {
		close(lane)
	}
	p.ended.Wait()
	if p.cur != nil {
		p.free <- p.cur
		p.cur = nil
	}
	for range p.made {
		p.k.folder.GiveBack((<-p.free).buf)
	}
}
