// Package compress compresses whole documents in memory, and decompresses what it made.
package compress

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// writers are reused: each has a megabyte of tables.
var writers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Gzip returns p in gzip, nil if that is no smaller.
func Gzip(p []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(p)/4 + 512)
	w := writers.Get().(*gzip.Writer)
	defer writers.Put(w)
	w.Reset(&b)
	if _, err := w.Write(p); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return smaller(b.Bytes(), p), nil
}

// Zstd returns p in zstd, nil if that is no smaller. Every client accepts its window (RFC 9659).
func Zstd(p []byte) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	out := w.EncodeAll(p, nil)
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return smaller(out, p), nil
}

// Gunzip returns the size bytes that Gzip made z of.
func Gunzip(z []byte, size int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(size) + bytes.MinRead)
	r, err := gzip.NewReader(bytes.NewReader(z))
	if err == nil {
		_, err = b.ReadFrom(r)
	}
	if err != nil {
		return nil, fmt.Errorf("gunzip: %w", err)
	}
	return b.Bytes(), nil
}

// Unzstd is Gunzip for Zstd.
func Unzstd(z []byte, size int64) ([]byte, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	defer r.Close()
	return r.DecodeAll(z, make([]byte, 0, size))
}

// smaller returns z in a slice of its own size, nil if it is no smaller than p.
func smaller(z, p []byte) []byte {
	if len(z) >= len(p) {
		return nil
	}
	return bytes.Clone(z)
}
