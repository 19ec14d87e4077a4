package rubygems

// /versions: the list of every version of every gem, in the order of the changes (A3). Clients hold a copy and ask for what
// follows their last byte, so bytes that were served never change; only compaction starts a new list, under a new epoch.
//
// A list is rows of chunkSize bytes in the kind's index, and a head with its size and the states of its sums. A publish adds
// its line in its own transaction: it writes the last chunk and the head, however long the list is. The list is derived: the
// records, which the journal's entries made, hold all that compaction needs to write it anew.

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
	"strings"
	"time"

	"larder/store"
)

const (
	chunkSize = 1 << 10
	batchSize = 512 << 10 // bytes of a list read in one transaction
)

// The kind's rows of this file.
const (
	chunksTable = "versions"      // epoch and number of the chunk → bytes
	headTable   = "versions.head" // headKey → listHead
)

var headKey = []byte("head")

// tables opens the kind's rows, in whatever transaction.
type tables func(name string) store.Table

// listHead is what is known of a list without reading it.
type listHead struct {
	Epoch   uint64    `json:"epoch"`
	Created time.Time `json:"created"` // what created_at says
	Changed time.Time `json:"changed"` // when the last line was added
	Size    int64     `json:"size"`
	Lines   int64     `json:"lines"`
	MD5     []byte    `json:"md5"`    // state of the sum over all bytes
	SHA256  []byte    `json:"sha256"` // the same
	CRC     uint32    `json:"crc"`    // gzip's sum
}

// preamble is what a list begins with.
func preamble(created time.Time) []byte {
	return []byte("created_at: " + created.UTC().Format(time.RFC3339) + "\n---\n")
}

// newHead is the head of a list that holds its preamble alone.
func newHead(epoch uint64, created time.Time) (h listHead, err error) {
	h = listHead{Epoch: epoch, Created: created, Changed: created}
	err = h.add(preamble(created))
	return h, err
}

// emptyHead stands for the list of a registry in which nothing was ever published.
func emptyHead() (listHead, error) { return newHead(0, time.Unix(0, 0).UTC()) }

// readHead returns the present head; the second result is false as long as nothing was published.
func readHead(t tables) (h listHead, ok bool, err error) {
	row := t(headTable).Get(headKey)
	if row == nil {
		h, err = emptyHead()
		return h, false, err
	}
	if err := json.Unmarshal(row, &h); err != nil {
		return h, false, fmt.Errorf("head of /versions: %w: %w", store.ErrFormat, err)
	}
	return h, true, nil
}

func (h *listHead) write(t tables) error {
	row, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return t(headTable).Put(headKey, row)
}

// sums are the hashes in the state they were left in.
func (h *listHead) sums() (m, s hash.Hash, err error) {
	if m, err = resume(md5.New(), h.MD5); err == nil {
		s, err = resume(sha256.New(), h.SHA256)
	}
	return m, s, err
}

// resume brings a hash into a state that save returned; nil is that of no bytes.
func resume(h hash.Hash, state []byte) (hash.Hash, error) {
	if state == nil {
		return h, nil
	}
	u, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, errors.New("the hash has no state to resume")
	}
	return h, u.UnmarshalBinary(state)
}

func save(h hash.Hash) ([]byte, error) {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("the hash has no state to save")
	}
	return m.MarshalBinary()
}

// add brings the head to the end of p.
func (h *listHead) add(p []byte) error {
	m, s, err := h.sums()
	if err != nil {
		return fmt.Errorf("sums of /versions: %w", err)
	}
	m.Write(p)
	s.Write(p)
	h.CRC = crc32.Update(h.CRC, crc32.IEEETable, p)
	h.Size += int64(len(p))
	h.Lines += int64(bytes.Count(p, []byte{'\n'}))
	if h.MD5, err = save(m); err == nil {
		h.SHA256, err = save(s)
	}
	return err
}

// appendList adds lines to the list, which begins with the first of them.
func appendList(t tables, now time.Time, lines []byte) error {
	h, ok, err := readHead(t)
	if err != nil {
		return err
	}
	if !ok {
		if h, err = startList(t, 1, now); err != nil {
			return err
		}
	}
	h.Changed = now
	if err := h.extend(t, lines); err != nil {
		return err
	}
	return h.write(t)
}

// startList writes the preamble of an epoch.
func startList(t tables, epoch uint64, now time.Time) (listHead, error) {
	h := listHead{Epoch: epoch, Created: now, Changed: now}
	return h, h.extend(t, preamble(now))
}

// extend writes bytes to the end of the head's list; the head itself is the caller's to write.
func (h *listHead) extend(t tables, p []byte) error {
	chunks := t(chunksTable)
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
				return fmt.Errorf("/versions at %d: %w", size, store.ErrFormat)
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

// readList returns the bytes of an epoch from one offset to another.
func readList(t tables, epoch uint64, from, to int64) ([]byte, error) {
	out := make([]byte, 0, to-from)
	chunks := t(chunksTable)
	for at := from; at < to; {
		row := chunks.Get(chunkKey(epoch, at/chunkSize))
		first := at % chunkSize
		n := min(int64(len(row))-first, to-at)
		if n <= 0 {
			return nil, fmt.Errorf("/versions of epoch %d at %d: %w", epoch, at, store.ErrNotFound)
		}
		out = append(out, row[first:first+n]...)
		at += n
	}
	return out, nil
}

// versionsLine is what a change of a gem adds to the list: the version, with a dash before it when it was yanked, and
// the md5 of what /info answers from now on.
func versionsLine(name, versions, sum string) []byte {
	return []byte(name + " " + versions + " " + sum + "\n")
}

// tablesOf opens the kind's rows in tx.
func (s *server) tablesOf(tx *store.Tx) tables {
	return func(name string) store.Table { return s.repo.KindIndex(tx, name) }
}

// head is the present head, from memory unless something has changed.
func (s *server) head(ctx context.Context) (*listHead, error) {
	// Read first: a change that comes between only has it read again.
	gen := s.store.Generation(store.RubyGems, "")
	if h := s.heads.Load(); h != nil && h.gen == gen {
		return &h.listHead, nil
	}
	h := &cachedHead{gen: gen}
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		h.listHead, _, err = readHead(s.tablesOf(tx))
		return err
	})
	if err != nil {
		return nil, err
	}
	s.heads.Store(h)
	return &h.listHead, nil
}

type cachedHead struct {
	listHead
	gen uint64
}

// stored is the list as content to serve: nothing of it is read before it is sent.
func (s *server) stored(h *listHead) (content, error) {
	m, sha, err := h.sums()
	if err != nil {
		return content{}, err
	}
	return content{
		size: h.Size, etag: `"` + hex.EncodeToString(m.Sum(nil)) + `"`, digest: base64.StdEncoding.EncodeToString(sha.Sum(nil)),
		write: func(ctx context.Context, w io.Writer, from, to int64) error { return s.copyList(ctx, w, h, from, to) },
		gzip:  func(ctx context.Context) (*packed, error) { return s.packer.pack(ctx, s, h) },
	}, nil
}

// copyList writes a part of the list, read in batches: no transaction waits for a client.
func (s *server) copyList(ctx context.Context, w io.Writer, h *listHead, from, to int64) error {
	for from < to {
		p, err := s.listBytes(ctx, h, from, min(to, from+batchSize))
		if err != nil {
			return err
		}
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("write /versions: %w", err)
		}
		from += int64(len(p))
	}
	return nil
}

func (s *server) listBytes(ctx context.Context, h *listHead, from, to int64) (p []byte, err error) {
	if h.Epoch == 0 {
		return preamble(h.Created)[from:to], nil
	}
	err = s.store.View(ctx, func(tx *store.Tx) error {
		p, err = readList(s.tablesOf(tx), h.Epoch, from, to)
		return err
	})
	return p, err
}

// filtered is the list for those who may not read every gem: the lines of those they may, and so still a list that only
// grows. It is rendered anew after each change, which costs as much as the registry is large.
func filtered(base []byte, visible func(name string) (bool, error)) ([]byte, error) {
	var out bytes.Buffer
	body := false
	for line := range bytes.Lines(base) {
		if !body {
			body = string(line) == "---\n"
			out.Write(line)
			continue
		}
		name, _, _ := strings.Cut(string(line), " ")
		ok, err := visible(name)
		if err != nil {
			return nil, err
		}
		if ok {
			out.Write(line)
		}
	}
	return out.Bytes(), nil
}
