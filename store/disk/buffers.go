package disk

// This file lends the memory of all streams.

import (
	"sync"
	"sync/atomic"
)

const (
	// smallBuffer is the size up to which a body starts no goroutine; a stage of that size makes no file before its
	// commit.
	smallBuffer = 32 << 10
	largeBuffer = 1 << 20
	// largeBudget is how many bytes of large buffers are in use at once; streams that come later take small ones.
	largeBudget = 24 << 20
)

// buffers lends buffers. Large ones are counted, so that many streams at once degrade to small ones instead of growing
// the process or waiting for each other.
type buffers struct {
	lent   atomic.Int64 // bytes of large buffers
	larges sync.Pool
	smalls sync.Pool
}

// Buffer lends largeBuffer bytes while the budget lasts, smallBuffer bytes otherwise. GiveBack ends the loan.
func (b *buffers) Buffer() *[]byte {
	if b.lent.Add(largeBuffer) <= largeBudget {
		if p, ok := b.larges.Get().(*[]byte); ok {
			return p
		}
		p := make([]byte, largeBuffer)
		return &p
	}
	b.lent.Add(-largeBuffer)
	return b.smallBuffer()
}

func (b *buffers) smallBuffer() *[]byte {
	if p, ok := b.smalls.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, smallBuffer)
	return &p
}

// GiveBack ends a loan: the buffer must not be used any more.
func (b *buffers) GiveBack(p *[]byte) {
	if len(*p) == largeBuffer {
		b.larges.Put(p)
		b.lent.Add(-largeBuffer)
		return
	}
	b.smalls.Put(p)
}
