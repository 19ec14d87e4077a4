package store

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"larder/internal/problem"

	"github.com/opencontainers/go-digest"
	"golang.org/x/crypto/blake2b"
)

// Here: bytes on their way into a file of uploads/, hashed as they pass. What the file is for is stage.go's and upload.go's business.

const (
	smallBuffer = 32 << 10 // bodies up to this size never start a goroutine; stages of that size make no file before their commit
	largeBuffer = 1 << 20
	largeBudget = 24 << 20 // bytes of large buffers in use at once by the whole process' store; whoever comes later takes small ones
	ringSize    = 3        // buffers one stream may have in flight: one filling, one or two being hashed

	writebackStep = 8 << 20                // bytes after which the kernel is asked to start writing
	spaceStep     = 64 << 20               // free space is looked up again after so many bytes written by anyone,
	spaceAge      = 100 * time.Millisecond // or after so long
)

// buffers lends the memory of all streams. Large buffers are counted, so that many streams at once degrade to small buffers
// instead of growing the process or waiting for each other.
type buffers struct {
	lent   atomic.Int64
	larges sync.Pool
	smalls sync.Pool
}

// buffer returns largeBuffer bytes while the budget lasts, smallBuffer bytes otherwise.
func (b *buffers) buffer() *[]byte {
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

func (b *buffers) giveBack(p *[]byte) {
	if len(*p) == largeBuffer {
		b.larges.Put(p)
		b.lent.Add(-largeBuffer)
		return
	}
	b.smalls.Put(p)
}

// space remembers how much room the disk had when it was last asked. The clock is the machine's: it paces system calls.
type space struct {
	mu      sync.Mutex
	checked time.Time
	free    int64
	locked  bool  // the file system is mounted read-only
	since   int64 // bytes written after checked
}

// room counts n bytes that are about to be written and is ErrFull when those, and ahead more, would eat into the
// reserve; ErrReadOnly when the file system takes no changes at all.
func (f *files) room(n, ahead int64) error {
	if f.reserve < 0 {
		return nil
	}
	s := &f.space
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since += n
	if s.since >= spaceStep || time.Since(s.checked) >= spaceAge {
		if err := f.step("statfs", ".", func() (err error) { s.free, s.locked, err = fileSystem(f.dir); return err }); err != nil {
			return err
		}
		s.checked, s.since = time.Now(), n
	}
	if s.locked {
		return errMountedReadOnly()
	}
	if s.free-s.since-ahead < f.reserve {
		return problem.Errorf(ErrFull, "the registry's disk is full")
	}
	return nil
}

// forgetSpace makes the next question about free space go to the kernel: a write has just found the disk full, or
// read-only.
func (f *files) forgetSpace() {
	f.space.mu.Lock()
	defer f.space.mu.Unlock()
	f.space.checked = time.Time{}
}

// sum is one running hash and its name in File.Sums.
type sum struct {
	name string
	hash.Hash
}

// newSums returns sha256 and the sums asked for.
func newSums(extra []string) ([]sum, error) {
	sums := []sum{{"sha256", sha256.New()}}
	for _, name := range extra {
		switch name {
		case "sha256":
		case "md5":
			sums = append(sums, sum{name, md5.New()})
		case "sha1":
			sums = append(sums, sum{name, sha1.New()})
		case "sha512":
			sums = append(sums, sum{name, sha512.New()})
		case "blake2b-256":
			h, err := blake2b.New256(nil)
			if err != nil {
				return nil, fmt.Errorf("sum %q: %w", name, err)
			}
			sums = append(sums, sum{name, h})
		default:
			return nil, fmt.Errorf("sum %q: %w", name, ErrInvalid)
		}
	}
	return sums, nil
}

// sink is a file of uploads/ and the sums of exactly the bytes in it. One goroutine uses it.
type sink struct {
	files *files
	path  string
	file  *os.File
	size  int64 // bytes in the file, all of them in the sums once the pipeline is drained
	sums  []sum
	early int64 // write-back was started up to here
	torn  bool  // the file may hold more than size
	made  bool  // there is, or may be, a file at path
	pipe  *pipeline
}

// put appends p to the file, not to the sums. After an error the file is what it was before.
func (k *sink) put(p []byte) error {
	err := k.files.room(int64(len(p)), 0)
	if err != nil {
		return err
	}
	if err = k.files.write(k.file, k.path, p, k.size); err != nil {
		if cut := k.files.truncate(k.file, k.path, k.size); cut != nil {
			k.torn = true
			return errors.Join(err, cut)
		}
		return err
	}
	k.size += int64(len(p))
	if k.size-k.early >= writebackStep {
		startWriteback(k.file, k.early, k.size-k.early)
		k.early = k.size
	}
	return nil
}

// hash adds p to the sums in this goroutine: for small p only.
func (k *sink) hash(p []byte) {
	for _, s := range k.sums {
		s.Write(p)
	}
}

// digest is the sha256 of everything written. Call drain first.
func (k *sink) digest() digest.Digest {
	return digest.NewDigest(digest.SHA256, k.sums[0].Hash)
}

func (k *sink) sum(name string) string {
	for _, s := range k.sums {
		if s.name == name {
			return hex.EncodeToString(s.Sum(nil))
		}
	}
	return ""
}

// readFrom appends everything r has. Bytes that arrived before an error stay.
func (k *sink) readFrom(ctx context.Context, r io.Reader) (int64, error) {
	start, p := k.size, k.pipeline()
	var err error
	for err == nil {
		c := p.chunk()
		var m int
		m, err = r.Read(c.space())
		c.n += m
		if len(c.space()) == 0 {
			if failed := p.submit(); failed != nil {
				return k.size - start, failed
			}
		}
		if err == nil {
			err = ctx.Err()
		}
	}
	if err == io.EOF {
		err = nil
	}
	if failed := p.submit(); failed != nil {
		err = failed
	}
	return k.size - start, err
}

// writeAll appends p, copying it.
func (k *sink) writeAll(p []byte) (n int, err error) {
	pipe := k.pipeline()
	for len(p) > 0 {
		c := pipe.chunk()
		m := copy(c.space(), p)
		c.n += m
		if len(c.space()) == 0 {
			if err := pipe.submit(); err != nil {
				return n, err
			}
		}
		n, p = n+m, p[m:]
	}
	return n, nil
}

func (k *sink) pipeline() *pipeline {
	if k.pipe == nil {
		k.pipe = newPipeline(k)
	}
	return k.pipe
}

// drain waits until file and sums contain everything that was appended.
func (k *sink) drain() error {
	if k.pipe == nil {
		return nil
	}
	err := k.pipe.submit()
	k.pipe.busy.Wait()
	return err
}

// rest drains and gives the goroutines and buffers back; the sink can go on later.
func (k *sink) rest() error {
	if k.pipe == nil {
		return nil
	}
	err := k.drain()
	k.pipe.stop()
	k.pipe = nil
	return err
}

// park gives up the descriptor; the file stays.
func (k *sink) park() error {
	err := k.rest()
	if k.file == nil {
		return err
	}
	file := k.file
	k.file = nil
	return joined(err, k.files.closeFile(file, k.path))
}

// discard closes and removes the file. What could not be removed is left for Reconcile.
func (k *sink) discard() error {
	if k.pipe != nil {
		k.pipe.clear()
	}
	err := k.park()
	if !k.made {
		return err
	}
	k.made = false
	k.files.staging.Delete(k.path)
	return k.files.remove(k.path)
}

// joined is errors.Join without the wrapping when there is only one.
func joined(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return errors.Join(a, b)
}

// chunk is a buffer on its way: filled and written to the file by the sink's goroutine, then read by one lane for each sum.
type chunk struct {
	buf  *[]byte
	n    int
	left atomic.Int32 // lanes that have not read it yet
}

func (c *chunk) space() []byte { return (*c.buf)[c.n:] }

// pipeline hashes in the background what its sink writes: each sum has a goroutine, so that several cost the time of the slowest.
type pipeline struct {
	k     *sink
	cur   *chunk
	made  int
	free  chan *chunk // capacity ringSize: returning a chunk never blocks
	lanes []chan *chunk
	busy  sync.WaitGroup // chunks some lane has not read
	ended sync.WaitGroup
}

func newPipeline(k *sink) *pipeline {
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

// chunk returns the one being filled. A new buffer is taken only when all others are still being hashed, so a slow stream holds one.
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
		p.cur = &chunk{buf: p.k.files.buffer()}
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
		p.k.files.giveBack((<-p.free).buf)
	}
}
