// Package sortedlist keeps a long sorted list of lines that is served as one document, such as all projects of an
// index. A change costs the same however long the list is: the document is joined from pieces, and only the pieces that
// changed are rendered and compressed again.
package sortedlist

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

// List is a list of lines, sorted by their keys. It is not safe for concurrent use.
type List struct {
	separator string
	pieces    []*piece // in order; none is empty
}

// piece is a run of lines. A line that is not the first of the whole list has the separator before it.
type piece struct {
	keys  []string
	lines []string
	fresh bool // body and packed are those of the lines
	first bool // body was rendered as the first piece
	body  []byte
	// packed is body as deflate blocks that end on a byte and refer to nothing before them: such pieces can be joined.
	packed []byte
}

// New returns an empty list whose lines are joined by separator.
func New(separator string) *List { return &List{separator: separator} }

// find returns the index of the piece that has the key, or into which the key belongs.
func (l *List) find(key string) int {
	compare := func(p *piece, key string) int { return strings.Compare(p.keys[0], key) }
	i, found := slices.BinarySearchFunc(l.pieces, key, compare)
	if !found && i > 0 {
		i--
	}
	return i
}

// Set adds a line under its key, or replaces the line that is there.
func (l *List) Set(key, line string) {
	if len(l.pieces) == 0 {
		l.pieces = []*piece{{keys: []string{key}, lines: []string{line}}}
		return
	}
	at := l.find(key)
	p := l.pieces[at]
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
	if len(p.keys) > maxPiece {
		half := len(p.keys) / 2
		rest := &piece{keys: slices.Clone(p.keys[half:]), lines: slices.Clone(p.lines[half:])}
		p.keys, p.lines = slices.Clone(p.keys[:half]), slices.Clone(p.lines[:half])
		l.pieces = slices.Insert(l.pieces, at+1, rest)
	}
}

// Delete removes a key's line, if there is one.
func (l *List) Delete(key string) {
	if len(l.pieces) == 0 {
		return
	}
	at := l.find(key)
	p := l.pieces[at]
	i, found := slices.BinarySearch(p.keys, key)
	if !found {
		return
	}
	p.fresh = false
	p.keys, p.lines = slices.Delete(p.keys, i, i+1), slices.Delete(p.lines, i, i+1)
	if len(p.keys) == 0 {
		l.pieces = slices.Delete(l.pieces, at, at+1)
	}
}

// Document returns head, the list and tail joined, in plain form and, where that is shorter, as gzip. Pieces that did
// not change since the last call are copied.
func (l *List) Document(head, tail, mediaType string) (*store.Document, error) {
	parts := make([]*piece, 0, len(l.pieces)+2)
	for _, text := range []string{head, tail} {
		p, err := pack([]byte(text))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	for i, p := range l.pieces {
		if err := p.render(l.separator, i == 0); err != nil {
			return nil, err
		}
	}
	return join(slices.Insert(parts, 1, l.pieces...), mediaType), nil
}

// render brings body and packed up to date.
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

// pack compresses text into deflate blocks that end on a byte.
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

// join puts the pieces one after the other; gzip's header and checksum go around the compressed ones.
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
