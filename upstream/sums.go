package upstream

// This file compares sums, and keeps the last bytes back until they are right.

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
)

// tail is how many bytes are kept back until the sums are known to be right, so that nobody gets a complete wrong file.
const tail = 32 << 10

// hashes are those we have, by their names.
var hashes = map[string]func() hash.Hash{
	"sha256": sha256.New, "sha224": sha256.New224, "sha384": sha512.New384, "sha512": sha512.New, "sha1": sha1.New,
	"md5": md5.New,
}

// newHash returns the hash called alg, nil for one we do not have.
func newHash(alg string) hash.Hash {
	if new := hashes[alg]; new != nil {
		return new()
	}
	return nil
}

// heldBack reads a body and keeps its last bytes back until the sums are right.
type heldBack struct {
	body io.ReadCloser
	want map[string]string
	size int64
	sums map[string]hash.Hash
	n    int64
	buf  []byte // read, hashed, not given out
	done bool   // the body ended and was right
}

func newHeldBack(body io.ReadCloser, p Place) (*heldBack, error) {
	h := &heldBack{body: body, want: p.Sums, size: p.Size, sums: map[string]hash.Hash{}}
	for alg := range p.Sums {
		if h.sums[alg] = newHash(alg); h.sums[alg] == nil {
			return nil, fmt.Errorf("unknown sum %q", alg)
		}
	}
	return h, nil
}

func (h *heldBack) Read(p []byte) (int, error) {
	for !h.done && len(h.buf) <= tail {
		if err := h.fill(); err != nil {
			return 0, err
		}
	}
	free := len(h.buf)
	if !h.done {
		free -= tail
	}
	if free == 0 {
		return 0, io.EOF
	}
	n := copy(p, h.buf[:free])
	h.buf = h.buf[n:]
	return n, nil
}

// fill reads once and hashes what came.
func (h *heldBack) fill() error {
	chunk := make([]byte, tail)
	n, err := h.body.Read(chunk)
	for _, s := range h.sums {
		s.Write(chunk[:n])
	}
	h.n += int64(n)
	h.buf = append(h.buf, chunk[:n]...)
	if err != io.EOF {
		return err
	}
	got := map[string]string{}
	for alg, s := range h.sums {
		got[alg] = hex.EncodeToString(s.Sum(nil))
	}
	h.done = true
	return verify(h.want, func(alg string) string { return got[alg] }, h.size, h.n)
}

func (h *heldBack) Close() error { return h.body.Close() }

// verify is ErrBroken unless every sum is the one wanted, and the size, when it is known.
func verify(want map[string]string, got func(alg string) string, size, n int64) error {
	if size > 0 && size != n {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrBroken, n, size)
	}
	for alg, sum := range want {
		if !strings.EqualFold(got(alg), sum) {
			return fmt.Errorf("%w: its %s is %s, not %s", ErrBroken, alg, got(alg), sum)
		}
	}
	return nil
}
