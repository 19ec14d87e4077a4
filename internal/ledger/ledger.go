// Package ledger keeps a text that only grows, such as RubyGems' list of all versions. Clients hold a copy and ask for
// what follows their last byte, so bytes that were served never change. Only a new text, under another epoch, can lack
// some.
//
// A text is rows of chunkSize bytes in a kind's index, and a head with its size and the states of its hashes. Adding a
// line writes the last chunk and the head, in the transaction of the change that the line is about, however long the
// text is. Reading a part reads its chunks only. Content serves a text over HTTP.
package ledger

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"larder/store"
)

const (
	chunkSize = 1 << 10
	batchSize = 512 << 10 // bytes of a text read in one transaction
)

// Tables opens rows of the kind in the caller's transaction.
type Tables func(name string) store.Table

// List says where a text is kept and how it begins.
type List struct {
	// Name names the rows: Name maps epoch and number of a chunk to its bytes, Name.head holds the head.
	Name string
	// Preamble returns the first bytes of a text that is made at created.
	Preamble func(created time.Time) []byte
}

var headKey = []byte("head")

// Head is what is known of a text without reading it.
type Head struct {
	Epoch   uint64    `json:"epoch"`
	Created time.Time `json:"created"` // what created_at says
	Changed time.Time `json:"changed"` // when the last line was added
	Size    int64     `json:"size"`
	Lines   int64     `json:"lines"`
	MD5     []byte    `json:"md5"`    // state of the sum over all bytes
	SHA256  []byte    `json:"sha256"` // the same
	CRC     uint32    `json:"crc"`    // gzip's sum
}

// empty returns the head of a text to which nothing was added.
func (l List) empty() (h Head, err error) {
	h.Created = time.Unix(0, 0).UTC()
	h.Changed = h.Created
	err = h.add(l.Preamble(h.Created))
	return h, err
}

// Head returns the present head. ok is false until something is added.
func (l List) Head(t Tables) (h Head, ok bool, err error) {
	row := t(l.Name + ".head").Get(headKey)
	if row == nil {
		h, err = l.empty()
		return h, false, err
	}
	if err := json.Unmarshal(row, &h); err != nil {
		return h, false, fmt.Errorf("head of %s: %w: %w", l.Name, store.ErrFormat, err)
	}
	return h, true, nil
}

// Write makes h the present head.
func (l List) Write(t Tables, h Head) error {
	row, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return t(l.Name+".head").Put(headKey, row)
}

// Sums returns the md5 and the sha256 of the text so far, ready for more bytes.
func (h *Head) Sums() (m, s hash.Hash, err error) {
	if m, err = Resume(md5.New(), h.MD5); err == nil {
		s, err = Resume(sha256.New(), h.SHA256)
	}
	return m, s, err
}

// Resume sets a hash to a state that Save returned; nil is the state of no bytes.
func Resume(h hash.Hash, state []byte) (hash.Hash, error) {
	if state == nil {
		return h, nil
	}
	u, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, errors.New("the hash has no state to resume")
	}
	return h, u.UnmarshalBinary(state)
}

// Save returns the state of a hash.
func Save(h hash.Hash) ([]byte, error) {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("the hash has no state to save")
	}
	return m.MarshalBinary()
}

// add counts and hashes p, which follows the text.
func (h *Head) add(p []byte) error {
	m, s, err := h.Sums()
	if err != nil {
		return fmt.Errorf("sums of a text: %w", err)
	}
	m.Write(p)
	s.Write(p)
	h.CRC = crc32.Update(h.CRC, crc32.IEEETable, p)
	h.Size += int64(len(p))
	h.Lines += int64(bytes.Count(p, []byte{'\n'}))
	if h.MD5, err = Save(m); err == nil {
		h.SHA256, err = Save(s)
	}
	return err
}

// Append adds lines to the text. The first call starts it.
func (l List) Append(t Tables, now time.Time, lines []byte) error {
	h, ok, err := l.Head(t)
	if err == nil && !ok {
		h, err = l.Start(t, 1, now)
	}
	if err != nil {
		return err
	}
	h.Changed = now
	if err := l.Extend(t, &h, lines); err != nil {
		return err
	}
	return l.Write(t, h)
}

// Start begins the text of an epoch. It is not served before its head is written with Write.
func (l List) Start(t Tables, epoch uint64, now time.Time) (Head, error) {
	h := Head{Epoch: epoch, Created: now, Changed: now}
	return h, l.Extend(t, &h, l.Preamble(now))
}

// Extend writes bytes to the end of the text of h and updates h. The caller writes h itself.
func (l List) Extend(t Tables, h *Head, p []byte) error {
	chunks := t(l.Name)
	size := h.Size
	if err := h.add(p); err != nil {
		return err
	}
	for len(p) > 0 {
		key := chunkKey(h.Epoch, size/chunkSize)
		used := size % chunkSize
		take := min(chunkSize-used, int64(len(p)))
		row := make([]byte, 0, chunkSize)
		if used > 0 {
			old := chunks.Get(key)
			if int64(len(old)) != used {
				return fmt.Errorf("%s at %d: %w", l.Name, size, store.ErrFormat)
			}
			row = append(row, old...)
		}
		if err := chunks.Put(key, append(row, p[:take]...)); err != nil {
			return err
		}
		size, p = size+take, p[take:]
	}
	return nil
}

func chunkKey(epoch uint64, n int64) []byte {
	return binary.BigEndian.AppendUint64(epochKey(epoch), uint64(n))
}

func epochKey(epoch uint64) []byte { return binary.BigEndian.AppendUint64(nil, epoch) }

// Read returns the bytes of an epoch's text from one offset to another. ErrNotFound if some are missing.
func (l List) Read(t Tables, epoch uint64, from, to int64) ([]byte, error) {
	out := make([]byte, 0, to-from)
	chunks := t(l.Name)
	for at := from; at < to; {
		row := chunks.Get(chunkKey(epoch, at/chunkSize))
		first := at % chunkSize
		n := min(int64(len(row))-first, to-at)
		if n <= 0 {
			return nil, fmt.Errorf("%s of epoch %d at %d: %w", l.Name, epoch, at, store.ErrNotFound)
		}
		out = append(out, row[first:first+n]...)
		at += n
	}
	return out, nil
}

// DropOthers deletes up to limit chunks of epochs other than the given one, and reports whether there are more.
func (l List) DropOthers(t Tables, epoch uint64, limit int) (more bool, err error) {
	chunks, n := t(l.Name), 0
	for key := range chunks.Scan(nil, nil) {
		if bytes.HasPrefix(key, epochKey(epoch)) {
			continue
		}
		if n++; n > limit {
			return true, nil
		}
		if err := chunks.Delete(slices.Clone(key)); err != nil {
			return false, err
		}
	}
	return false, nil
}

// Reader serves one text of a kind.
type Reader struct {
	store *store.Store
	kind  store.Kind
	list  List
	open  func(tx *store.Tx) Tables

	heads  atomic.Pointer[cachedHead]
	packer packer
}

// NewReader returns a reader of l; open opens its rows in a transaction.
func NewReader(s *store.Store, k store.Kind, l List, open func(tx *store.Tx) Tables) *Reader {
	return &Reader{store: s, kind: k, list: l, open: open}
}

// Head returns the present head, from memory unless the kind has changed.
func (r *Reader) Head(ctx context.Context) (*Head, error) {
	// The generation is read first: a change in between only causes another read.
	gen := r.store.Generation(r.kind, "")
	if h := r.heads.Load(); h != nil && h.gen == gen {
		return &h.Head, nil
	}
	h := &cachedHead{gen: gen}
	err := r.store.View(ctx, func(tx *store.Tx) (err error) {
		h.Head, _, err = r.list.Head(r.open(tx))
		return err
	})
	if err != nil {
		return nil, err
	}
	r.heads.Store(h)
	return &h.Head, nil
}

type cachedHead struct {
	Head
	gen uint64
}

// Content returns the text up to h. Its bytes are read while they are sent.
func (r *Reader) Content(h *Head) (Content, error) {
	m, sha, err := h.Sums()
	if err != nil {
		return Content{}, err
	}
	return Content{
		size: h.Size, etag: `"` + hex.EncodeToString(m.Sum(nil)) + `"`,
		digest: base64.StdEncoding.EncodeToString(sha.Sum(nil)),
		write:  func(ctx context.Context, w io.Writer, from, to int64) error { return r.Copy(ctx, w, h, from, to) },
		gzip:   func(ctx context.Context) (*packed, error) { return r.packer.pack(ctx, r, h) },
	}, nil
}

// Copy writes a part of the text to w. It reads in batches, so that no transaction waits for a client.
func (r *Reader) Copy(ctx context.Context, w io.Writer, h *Head, from, to int64) error {
	for from < to {
		p, err := r.Bytes(ctx, h, from, min(to, from+batchSize))
		if err != nil {
			return err
		}
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("write %s: %w", r.list.Name, err)
		}
		from += int64(len(p))
	}
	return nil
}

// Bytes returns a part of the text.
func (r *Reader) Bytes(ctx context.Context, h *Head, from, to int64) (p []byte, err error) {
	if h.Epoch == 0 {
		return r.list.Preamble(h.Created)[from:to], nil
	}
	err = r.store.View(ctx, func(tx *store.Tx) error {
		p, err = r.list.Read(r.open(tx), h.Epoch, from, to)
		return err
	})
	return p, err
}
