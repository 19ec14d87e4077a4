package upstream

// This file takes in documents that are too large to be held in memory: they go to the disk while they are checked.

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"larder/internal/budget"
	"larder/store"
)

// scannedFrom is the size from which a document is not held in memory, when its query can check it as it comes.
const scannedFrom = 1 << 20

// content is what an upstream answered with: bytes in memory, or a blob that is stored already.
type content struct {
	body     []byte
	blob     store.Blob
	versions map[string]time.Time // of a blob, see Query.Versions
	about    *About               // what a blob says of its package
}

// Scanned is what a document says that is read as a stream.
type Scanned struct {
	Versions map[string]time.Time // as Query.Versions
	About    *About               // as Protocol.About, nil for nothing
}

// content reads the body of an answer, decodes it and looks whether it is what was asked for.
func (s *Set) content(ctx context.Context, resp *http.Response, q Query) (c content, err error) {
	if q.Scan == nil {
		c.body, err = readDocument(ctx, resp, q)
		return c, err
	}
	r, length, err := decoded(resp, q.Ref, false)
	if err != nil {
		return c, fmt.Errorf("%w: %w", errBody, err)
	}
	if length >= scannedFrom {
		return s.scan(ctx, resp, q, r)
	}
	c.body, err = readBody(ctx, io.LimitReader(r, scannedFrom), length, scannedFrom)
	switch {
	case err != nil:
		return c, err
	case len(c.body) == scannedFrom:
		return s.scan(ctx, resp, q, io.MultiReader(bytes.NewReader(c.body), r))
	}
	return c, checkBody(resp, q, c.body)
}

// remembering is a reader that remembers what it failed with.
type remembering struct {
	io.Reader
	err error
}

func (r *remembering) Read(p []byte) (n int, err error) {
	n, err = r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// scan checks a document on its way to the disk. A store that takes nothing has it in memory all the same.
func (s *Set) scan(ctx context.Context, resp *http.Response, q Query, from io.Reader) (c content, err error) {
	stage, err := s.r.store.Stage(ctx, store.StageOptions{Limit: q.limit()})
	if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrReadOnly) {
		if c.body, err = readBody(ctx, from, -1, q.limit()); err == nil {
			err = checkBody(resp, q, c.body)
		}
		return c, err
	}
	if err != nil {
		return c, err
	}
	defer stage.Abort()
	r := &remembering{Reader: io.TeeReader(from, stage)}
	start := &head{Reader: r}
	scanned, err := q.Scan(start)
	c.versions, c.about = scanned.Versions, scanned.About
	switch {
	case r.err != nil:
		return c, fmt.Errorf("%w: %w", errBody, r.err)
	case errors.Is(err, store.ErrNotFound):
		return c, err
	case err != nil:
		return c, fmt.Errorf("%w: %w", errBody, misformed(start.seen, err))
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return c, fmt.Errorf("%w: %w", errBody, err)
	}
	drop(resp)
	c.blob, err = stage.Commit(ctx)
	return c, err
}

// grown is what we have with what came behind it; an error when that is not what the upstream has now.
func (s *Set) grown(ctx context.Context, resp *http.Response, q Query, have *kept) (c content, err error) {
	more, _, err := decoded(resp, q.Ref, false)
	if err != nil {
		return c, err
	}
	old, err := s.r.store.ReadSound(ctx, have.blob.Digest)
	if err != nil {
		return c, err
	}
	defer old.Close()
	stage, err := s.r.store.Stage(ctx, store.StageOptions{Limit: q.limit()})
	if err != nil {
		return c, err
	}
	defer stage.Abort()
	if _, err := io.CopyN(stage, old, have.blob.Size-1); err != nil {
		return c, err
	}
	last, err := io.ReadAll(old)
	if err != nil {
		return c, err
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(more, first); err != nil || !bytes.Equal(first, last) {
		return c, errors.Join(errBody, err)
	}
	if _, err := io.Copy(stage, io.MultiReader(bytes.NewReader(first), more)); err != nil {
		return c, err
	}
	drop(resp)
	sum, err := hex.DecodeString(stage.Digest().Encoded())
	if err != nil {
		return c, err
	}
	want := base64.StdEncoding.EncodeToString(sum)
	if !strings.Contains(resp.Header.Get("Repr-Digest"), "sha-256=:"+want+":") &&
		!strings.Contains(resp.Header.Get("Digest"), want) {
		return c, errBody
	}
	c.blob, err = stage.Commit(ctx)
	return c, err
}

// head is a reader that remembers its first bytes.
type head struct {
	io.Reader
	seen []byte
}

func (h *head) Read(p []byte) (n int, err error) {
	n, err = h.Reader.Read(p)
	if room := 512 - len(h.seen); room > 0 {
		h.seen = append(h.seen, p[:min(room, n)]...)
	}
	return n, err
}

// readBody reads a body into memory. The error is errBody, or a *budget.Busy.
func readBody(ctx context.Context, r io.Reader, length, limit int64) ([]byte, error) {
	body, err := budget.Read(ctx, r, length, limit)
	var busy *budget.Busy
	switch {
	case errors.As(err, &busy):
		return nil, err // ours, not the upstream's
	case err == budget.ErrLimit:
		return nil, fmt.Errorf("%w: more than %d bytes", errBody, limit)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	return body, nil
}

// checkBody ends an answer and looks whether it is what was asked for.
func checkBody(resp *http.Response, q Query, body []byte) error {
	// Its place is for the next request: what comes now is ours to do.
	drop(resp)
	if q.Check != nil {
		if err := q.Check(body, resp.Header.Get("Content-Type")); err != nil {
			return fmt.Errorf("%w: %w", errBody, misformed(body, err))
		}
	}
	return nil
}
