// Package roll keeps a long sorted list as a document: all projects of an index, say. A change costs the same however long
// the list is, and the document is put together from pieces that are rendered and compressed already.
package roll

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"

	"larder/store"
)

// maxPiece is the number of lines from which a piece is cut in two: rendering one takes less than a millisecond.
const maxPiece = 512

// Roll is a sorted list of lines. One goroutine uses it at a time.
type Roll struct {
	separator string
	pieces    []*piece // never empty ones, in order
	length    int
}

// piece is a run of lines. A line that is not the first of the whole list has the separator before it.
type piece struct {
	keys  []string
	lines []string
	fresh bool // body and packed are those of the lines
	first bool // was rendered as the first piece
	body  []byte
	// packed is body as deflate blocks that end on a byte and refer to nothing before them: so pieces can be joined.
	packed []byte
}

// New returns an empty list whose lines are joined by separator.
func New(separator string) *Roll { return &Roll{separator: separator} }

// Len is the number of lines.
func (r *Roll) Len() int { return r.length }

// find is the piece that has or would have the key.
func (r *Roll) find(key string) int {
	i, found := slices.BinarySearchFunc(r.pieces, key, func(p *piece, key string) int { return strings.Compare(p.keys[0], key) })
	if !found && i > 0 {
		i--
	}
	return i
}

// Set puts a line in its key's place, instead of the one that is there.
func (r *Roll) Set(key, line string) {
	if len(r.pieces) == 0 {
		r.pieces, r.length = []*piece{{keys: []string{key}, lines: []string{line}}}, 1
		return
	}
	at := r.find(key)
	p := r.pieces[at]
	i, found := slices.BinarySearch(p.keys, key)
	if found && p.lines[i] == line {
		return
	}
	p.fresh = false
	if found {
		p.lines[i] = line
		return
	}
	p.keys, p.lines = slices.Insert(p.keys, i, key), slices.Insert(p.lines, i, line)
	r.length++
	if len(p.keys) > maxPiece {
		half := len(p.keys) / 2
		rest := &piece{keys: slices.Clone(p.keys[half:]), lines: slices.Clone(p.lines[half:])}
		p.keys, p.lines = slices.Clone(p.keys[:half]), slices.Clone(p.lines[:half])
		r.pieces = slices.Insert(r.pieces, at+1, rest)
	}
}

// Delete removes a key's line, if there is one.
func (r *Roll) Delete(key string) {
	if len(r.pieces) == 0 {
		return
	}
	at := r.find(key)
	p := r.pieces[at]
	i, found := slices.BinarySearch(p.keys, key)
	if !found {
		return
	}
	p.fresh = false
	p.keys, p.lines = slices.Delete(p.keys, i, i+1), slices.Delete(p.lines, i, i+1)
	r.length--
	if len(p.keys) == 0 {
		r.pieces = slices.Delete(r.pieces, at, at+1)
	}
}

// Document joins head, the list and tail. What did not change since the last time is copied.
func (r *Roll) Document(head, tail, mediaType string) (*store.Document, error) {
	parts := make([]*piece, 0, len(r.pieces)+2)
	for _, text := range []string{head, tail} {
		p, err := pack([]byte(text))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	for i, p := range r.pieces {
		if err := p.render(r.separator, i == 0); err != nil {
			return nil, err
		}
	}
	return join(slices.Insert(parts, 1, r.pieces...), mediaType), nil
}

func (p *piece) render(separator string, first bool) error {
	if p.fresh && p.first == first {
		return nil
	}
	var body bytes.Buffer
	for i, line := range p.lines {
		if i > 0 || !first {
			body.WriteString(separator)
		}
		body.WriteString(line)
	}
	packed, err := pack(body.Bytes())
	if err != nil {
		return err
	}
	p.body, p.packed, p.fresh, p.first = packed.body, packed.packed, true, first
	return nil
}

func pack(body []byte) (*piece, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	return &piece{body: body, packed: b.Bytes()}, nil
}

// gzipHead says deflate, no name, no time, unknown system (RFC 1952).
const gzipHead = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// lastBlock is an empty deflate block with fixed codes that is marked as the last.
const lastBlock = "\x03\x00"

func join(parts []*piece, mediaType string) *store.Document {
	size, packed := 0, len(gzipHead)+len(lastBlock)+8
	for _, p := range parts {
		size += len(p.body)
		packed += len(p.packed)
	}
	body, gz := make([]byte, 0, size), make([]byte, 0, packed)
	gz = append(gz, gzipHead...)
	for _, p := range parts {
		body = append(body, p.body...)
		gz = append(gz, p.packed...)
	}
	gz = append(gz, lastBlock...)
	gz = binary.LittleEndian.AppendUint32(gz, crc32.ChecksumIEEE(body))
	gz = binary.LittleEndian.AppendUint32(gz, uint32(len(body)))
	if len(gz) >= len(body) {
		gz = nil
	}
	return store.NewDocument(store.Rendered{Body: body, Gzip: gz, Type: mediaType, Packed: true})
}
