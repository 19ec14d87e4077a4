package budget

// This file reads streams into memory and counts their bytes.

import (
	"context"
	"errors"
	"io"
)

// ErrLimit is the error of Read if there are more bytes than the limit.
var ErrLimit = errors.New("more bytes than the limit")

// firstRead is the first size of a buffer when the length is unknown.
const firstRead = 4 << 10

// Read reads all of r; more than limit bytes are ErrLimit. hint is the announced length, -1 for none. The buffer, and
// with it the share of ctx, grows as bytes arrive and is never more than twice as large as these: a peer that announces
// much and sends slowly holds little.
func Read(ctx context.Context, r io.Reader, hint, limit int64) ([]byte, error) {
	s := From(ctx)
	size := int64(firstRead)
	if hint >= 0 {
		size = min(hint+1, Free) // one more than there is, to see the end
	}
	size = min(size, limit+1)
	if err := s.Grow(ctx, size); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, size)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, ErrLimit
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		case len(buf) < cap(buf):
			continue
		}
		size := int64(2 * cap(buf))
		if hint >= int64(len(buf)) {
			size = min(size, hint+1)
		}
		if buf, err = grow(ctx, s, buf, min(size, limit+1)); err != nil {
			return nil, err
		}
	}
}

// grow copies buf into a larger one; for a moment both are held.
func grow(ctx context.Context, s *Share, buf []byte, size int64) ([]byte, error) {
	if err := s.Grow(ctx, size); err != nil {
		return nil, err
	}
	larger := append(make([]byte, 0, size), buf...)
	s.Shrink(int64(cap(buf)))
	return larger, nil
}
