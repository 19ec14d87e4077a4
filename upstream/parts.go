package upstream

// This file reads pieces of files that are not kept.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// ErrNoParts is an upstream that gives whole files only, or a file that changes.
var ErrNoParts = errors.New("upstream gives no parts of the file")

// Parts reads pieces of a file that is not kept, without keeping them or knowing whether they are right. It is for
// what an archive says at its end, when nobody may ever want the rest. One goroutine uses it at a time.
type Parts struct {
	ctx    context.Context
	place  Place
	size   int64
	etag   string
	pieces []piece
}

type piece struct {
	from  int64
	bytes []byte
}

const (
	lastPart = 256 << 10 // asked for at first: the directory of most archives and what stands before it
	somePart = 64 << 10  // asked for at least
)

// Parts opens the file at p. ErrNoParts, or what a request ends with.
func (s *Set) Parts(ctx context.Context, p Place) (*Parts, error) {
	if s.off(p.Upstream) {
		return nil, ErrOffline
	}
	out := &Parts{ctx: ctx, place: p, size: -1}
	return out, out.ask("-"+strconv.Itoa(lastPart), lastPart)
}

// GivesParts asks for the first byte of the file at p. ErrNoParts, or what a request ends with.
func (s *Set) GivesParts(ctx context.Context, p Place) error {
	if s.off(p.Upstream) {
		return ErrOffline
	}
	return (&Parts{ctx: ctx, place: p, size: -1}).ask("0-0", 1)
}

// Size is the whole file's.
func (p *Parts) Size() int64 { return p.size }

// ReadAt asks for what is not here yet.
func (p *Parts) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && off < p.size {
		have := p.at(off)
		if have == nil {
			to := min(max(off+int64(len(b)-n), off+somePart), p.size)
			if err := p.ask(fmt.Sprintf("%d-%d", off, to-1), to-off); err != nil {
				return n, err
			}
			if have = p.at(off); have == nil {
				return n, ErrNoParts
			}
		}
		c := copy(b[n:], have)
		n, off = n+c, off+int64(c)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// at is what is here from off on, nil for nothing.
func (p *Parts) at(off int64) []byte {
	for _, have := range p.pieces {
		if i := off - have.from; i >= 0 && i < int64(len(have.bytes)) {
			return have.bytes[i:]
		}
	}
	return nil
}

// ask fetches one range, in the words of a Range header after "bytes=", and takes at most so many bytes.
func (p *Parts) ask(spec string, most int64) error {
	h := p.place.header()
	h.Set("Range", "bytes="+spec)
	part := p.place.request(h)
	part.small, part.idle = true, idleDocument
	resp, err := p.place.Upstream.do(p.ctx, part)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if Absent(resp.StatusCode) {
		return p.place.absent(resp)
	}
	var from, to, size int64
	if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size); err != nil ||
		resp.StatusCode != http.StatusPartialContent || codingOf(resp.Header) != "" {
		return ErrNoParts
	}
	etag := resp.Header.Get("ETag")
	if p.size < 0 {
		p.size, p.etag = size, etag
	}
	switch {
	case p.size != size, p.etag != etag, from < 0, from > to, to >= size, p.place.Size > 0 && p.place.Size != size:
		return ErrNoParts
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return p.place.Upstream.unavailable(err, 0)
	}
	p.pieces = append(p.pieces, piece{from, body})
	return nil
}

// ask asks for the file, or makes it.
func (p Place) ask(ctx context.Context, s *Set, q request) (*http.Response, error) {
	if p.Make == nil && s.off(p.Upstream) {
		return nil, ErrOffline
	}
	if p.Make == nil {
		return p.Upstream.do(ctx, q)
	}
	body, err := p.Make(ctx)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(p.Ref)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(body)), Request: &http.Request{URL: at},
		Body: &place{ReadCloser: io.NopCloser(bytes.NewReader(body)), leave: func() {}},
	}, nil
}
