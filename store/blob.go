package store

// This file reads blobs: their records, their files, and the small ones from memory.

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/budget"
	"larder/internal/problem"
	"larder/store/disk"
)

// Blob is content-addressed bytes that are durable in the data folder.
type Blob = disk.Blob

const (
	cachedBlob  = 64 << 10 // largest blob kept in memory
	cacheBudget = 16 << 20 // bytes of blobs kept in memory
)

// blobIndex is what memory knows about blobs: who works on them, when they were last asked for, and the bytes of the
// small ones.
type blobIndex struct {
	// A commit of a digest holds its stripe for reading around rename and record, the sweeper holds it for writing around
	// record and unlink: so they exclude each other, and commits do not. No transaction's function may take one.
	stripes   [disk.Shards]sync.RWMutex
	gate      gate
	touches   touches
	small     blobCache
	damages   damages
	rechecked recheckedFiles
}

func (s *blobIndex) init() {
	s.touches.last = make(map[[sha256.Size]byte]int64)
	s.small.init(cacheBudget)
}

func (s *blobIndex) stripe(d digest.Digest) *sync.RWMutex {
	return &s.stripes[d256(d)[0]]
}

// d256 is a sha256 digest as a map key a quarter of its text's size.
func d256(d digest.Digest) (k [sha256.Size]byte) {
	hex := d.Encoded()
	if len(hex) != 2*len(k) {
		return k
	}
	for i := range k {
		k[i] = nibble(hex[2*i])<<4 | nibble(hex[2*i+1])
	}
	return k
}

func nibble(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// touches remembers when a client was last told that a blob exists: it then skips the upload and relies on the blob.
type touches struct {
	mu   sync.Mutex
	last map[[sha256.Size]byte]int64 // Unix nanoseconds
}

func (t *touches) touch(d digest.Digest, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last[d256(d)] = now.UnixNano()
}

func (t *touches) at(d digest.Digest) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.last[d256(d)]; ok {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// forget drops what is older than cutoff, so that the map holds one grace period's worth.
func (t *touches) forget(cutoff time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for d, n := range t.last {
		if n < cutoff.UnixNano() {
			delete(t.last, d)
		}
	}
}

// Touch says that a client was told d exists: the sweeper waits another grace period from now. It costs no I/O and is
// forgotten by a restart. d is a sha256 digest, as in Blob; touching anything else does nothing.
func (s *Store) Touch(d digest.Digest) {
	if d.Algorithm() == digest.SHA256 {
		s.touches.touch(d, s.opt.Now())
	}
}

// lookup returns the record of d, resolving a sha512 alias. ErrInvalid, ErrNotFound.
func (s *Store) lookup(ctx context.Context, d digest.Digest) (b Blob, err error) {
	if d, err = ParseDigest(string(d)); err != nil {
		return Blob{}, err
	}
	err = s.View(ctx, func(tx *Tx) error {
		var ok bool
		if b, ok, err = tx.blob(d); err == nil && !ok {
			return ErrNotFound
		}
		return err
	})
	return b, err
}

// StatBlob says under which sha256 digest d is stored, and its size. ErrNotFound; it does not look at the file.
func (s *Store) StatBlob(ctx context.Context, d digest.Digest) (Blob, error) {
	b, err := s.lookup(ctx, d)
	if err != nil {
		return Blob{}, fmt.Errorf("stat blob %s: %w", d, err)
	}
	return b, nil
}

// OpenBlob opens the bytes of d, a sha256 digest or a sha512 alias of one. The file's offset is 0, it stays readable
// when the blob is swept meanwhile, and the caller closes it. ErrNotFound when there is no such blob; ErrDamaged when
// there is a record but the file is missing, has another size or is known to have other bytes.
func (s *Store) OpenBlob(ctx context.Context, d digest.Digest) (*os.File, Blob, error) {
	b, err := s.lookup(ctx, d)
	if err != nil {
		return nil, Blob{}, fmt.Errorf("open blob %s: %w", d, err)
	}
	f, err := s.openSound(ctx, b)
	if err != nil {
		return nil, Blob{}, fmt.Errorf("open blob %s: %w", d, err)
	}
	return f, b, nil
}

// ReadBlob returns the bytes of d, at most limit of them: ErrTooLarge above, ErrNotFound. Blobs up to 64 KiB come from
// memory after the first time, so the caller must not change what it gets. What comes from the disk is hashed:
// ErrDamaged.
func (s *Store) ReadBlob(ctx context.Context, d digest.Digest, limit int64) ([]byte, error) {
	b, err := s.lookup(ctx, d)
	if err == nil && b.Size > limit {
		err = fmt.Errorf("%d bytes, at most %d wanted: %w", b.Size, limit, ErrTooLarge)
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", d, err)
	}
	return s.BlobBytes(ctx, b)
}

// BlobBytes is ReadBlob for a blob that was looked up already, in the same request: it asks no record when the bytes
// are in memory. ErrNotFound, ErrDamaged, and a *budget.Busy when they are large and the memory is in use.
func (s *Store) BlobBytes(ctx context.Context, b Blob) ([]byte, error) {
	if p := s.small.get(b.Digest); p != nil {
		return p, nil
	}
	epoch := s.small.epoch.Load()
	f, b, err := s.OpenBlob(ctx, b.Digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if b.Size > cachedBlob {
		if err := budget.Take(ctx, b.Size); err != nil {
			return nil, err
		}
	}
	p, err := s.readWhole(ctx, f, b)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", b.Digest, err)
	}
	s.small.put(b.Digest, p, epoch)
	return p, nil
}

// readWhole reads the file of b and compares its bytes with the digest.
func (s *Store) readWhole(ctx context.Context, f *os.File, b Blob) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p := make([]byte, b.Size)
	_, err = io.ReadFull(f, p)
	switch {
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		err = fmt.Errorf("the file ended early: %w", disk.ErrWrongBytes)
	case err == nil:
		sum := sha256.Sum256(p)
		err = compareSum(b, sum[:])
	}
	if err != nil && isFileDamage(err) {
		err = s.reportDamage(ctx, b, err, markOf(st))
	}
	return p, err
}

// ReadSound reads the bytes of d as a stream and hashes them: if they are not those of d, the end is ErrDamaged.
// ErrNotFound.
func (s *Store) ReadSound(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	f, b, err := s.OpenBlob(ctx, d)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read blob %s: %w", d, err), f.Close())
	}
	return &soundReader{f: f, ctx: ctx, s: s, b: b, mark: markOf(st), sum: sha256.New()}, nil
}

// soundReader is the file of a blob whose end comes only when all of it was right. Of the file it has Read and Close
// alone: nobody must get past the hash.
type soundReader struct {
	f    *os.File
	ctx  context.Context
	s    *Store
	b    Blob
	mark fileMark
	sum  hash.Hash
}

func (r *soundReader) Read(p []byte) (int, error) {
	n, err := r.f.Read(p)
	r.sum.Write(p[:n])
	if err == io.EOF {
		if wrong := compareSum(r.b, r.sum.Sum(nil)); wrong != nil {
			err = fmt.Errorf("read blob %s: %w", r.b.Digest, r.s.reportDamage(r.ctx, r.b, wrong, r.mark))
		}
	}
	return n, err
}

func (r *soundReader) Close() error { return r.f.Close() }

// HeldBlob returns the blob d (or the one d is an alias of) if the package may read it, and touches it: a client that
// is told that a blob exists skips the upload. ErrNotFound otherwise: through a package that does not hold it, a blob
// does not exist.
func (s *Store) HeldBlob(ctx context.Context, k Kind, name string, d digest.Digest) (Blob, error) {
	b, err := s.heldBlob(ctx, k, name, d)
	if err != nil {
		return Blob{}, err
	}
	// Once more, while it cannot be swept: the answer and the touch must be one step for the sweeper.
	lock := s.stripe(b.Digest)
	lock.RLock()
	defer lock.RUnlock()
	if b, err = s.heldBlob(ctx, k, name, d); err == nil {
		s.Touch(b.Digest)
	}
	return b, err
}

// heldBlob remembers what it finds until the package changes or loses a hold, and of a package that is not here that it
// holds nothing: every hit on a copy asks this.
func (s *Store) heldBlob(ctx context.Context, k Kind, name string, d digest.Digest) (Blob, error) {
	s.touch(k, name)
	absent := func() error { return problem.Errorf(ErrNotFound, "blob %s is not in %s", d, name) }
	b, err := s.held.get(slot{k, name}, d, func() (b Blob, err error) {
		err = s.View(ctx, func(tx *Tx) error {
			if tx.get(bucketPackage, key(string(k), name)) == nil {
				return nil
			}
			b.Digest = tx.resolve(d)
			var row holderRow
			ok, err := tx.row(bucketHolder, key(string(b.Digest), string(k), name), &row)
			if err == nil && !ok {
				err = absent() // not remembered: a loose hold that comes does not move the generation
			}
			b.Size = row.Size
			return err
		})
		return b, err
	})
	if err == nil && b.Digest == "" {
		err = absent()
	}
	return b, err
}

// blobCache keeps the small blobs read or written last.
type blobCache struct {
	epoch atomic.Int64 // moves with every sweep of a digest, so that no reader puts back what was just swept

	mu     sync.Mutex
	budget int64
	used   int64
	byUse  *list.List // of *cached, latest first
	byKey  map[digest.Digest]*list.Element
}

type cached struct {
	d digest.Digest
	p []byte
}

func (c *blobCache) init(budget int64) {
	c.budget, c.byUse, c.byKey = budget, list.New(), make(map[digest.Digest]*list.Element)
}

func (c *blobCache) get(d digest.Digest) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[d]
	if e == nil {
		return nil
	}
	c.byUse.MoveToFront(e)
	return e.Value.(*cached).p
}

func (c *blobCache) put(d digest.Digest, p []byte, epoch int64) {
	if len(p) > cachedBlob || p == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch.Load() != epoch || c.byKey[d] != nil {
		return
	}
	c.byKey[d] = c.byUse.PushFront(&cached{d, p})
	c.used += cost(p)
	for c.used > c.budget {
		c.evict(c.byUse.Back())
	}
}

// cost counts the entry's own memory too: a million empty blobs are not free.
func cost(p []byte) int64 { return int64(len(p)) + 256 }

func (c *blobCache) evict(e *list.Element) {
	old := c.byUse.Remove(e).(*cached)
	delete(c.byKey, old.d)
	c.used -= cost(old.p)
}

func (c *blobCache) drop(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch.Add(1)
	if e := c.byKey[d]; e != nil {
		c.evict(e)
	}
}
