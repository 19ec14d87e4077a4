package main

// This file measures large blobs: pulled beside nginx, pushed beside sha256 and dd.

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	mib       = 1 << 20
	largeSize = 1 << 30
)

// noise writes a file of reproducible noise and returns its digest.
func noise(file string, size int64) (string, error) {
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{7}), size); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil)), f.Sync()
}

// largeBlob returns the input of the large benchmarks; the first call makes it.
func (e *env) largeBlob(size int64) (file, digest string, err error) {
	dir := filepath.Join(e.dir, fmt.Sprintf("noise-%d", size))
	file = filepath.Join(dir, "blob")
	if saved, err := os.ReadFile(file + ".digest"); err == nil {
		return file, string(saved), nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", err
	}
	if digest, err = noise(file, size); err != nil {
		return "", "", err
	}
	return file, digest, os.WriteFile(file+".digest", []byte(digest), 0o600)
}

func megabytes(size int64, d time.Duration) float64 {
	return float64(size) / 1e6 / d.Seconds()
}

// withBlob starts a larder and pushes the file into it.
func (e *env) withBlob(
	ctx context.Context, file, digest string, size int64, environ ...string,
) (*process, *registry, time.Duration, error) {
	p, err := e.startNew(ctx, "data", environ...)
	if err != nil {
		return nil, nil, 0, err
	}
	c := newRegistry(p.addr)
	if err := c.login(ctx, "repository:bench/large:pull,push"); err != nil {
		return p, nil, 0, err
	}
	f, err := os.Open(file)
	if err != nil {
		return p, nil, 0, err
	}
	defer f.Close()
	start := time.Now()
	err = c.pushBlob(ctx, "bench/large", digest, f, size)
	return p, c, time.Since(start), err
}

// largePulls is the number of turns of each server in one round.
const largePulls = 8

// pullLarge measures one stream of a large blob, beside nginx with sendfile. Both send the same file, so that it is
// cached for both or for neither, and take turns in changing order. Each pair of pulls gives a ratio.
func pullLarge(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	file, digest, err := e.largeBlob(largeSize)
	if err != nil {
		return 0, 0, err
	}
	p, c, _, err := e.withBlob(ctx, file, digest, largeSize)
	if p != nil {
		defer p.kill()
	}
	if err != nil {
		return 0, 0, err
	}
	hex := strings.TrimPrefix(digest, "sha256:")
	nginx, err := e.startNginx(ctx, filepath.Join(p.cmd.Args[3], "blobs", "sha256", hex[:2]))
	if err != nil {
		return 0, 0, err
	}
	defer nginx.kill()
	other := newRegistry(nginx.addr)
	buf := make([]byte, mib)
	pulls := []func() (float64, error){
		func() (float64, error) { return timedPull(ctx, c, "/v2/bench/large/blobs/"+digest, buf) },
		func() (float64, error) { return timedPull(ctx, other, "/"+hex, buf) },
	}
	for i := range largePulls + 1 {
		var got [2]float64
		for k := range pulls {
			if got[(i+k)%2], err = pulls[(i+k)%2](); err != nil {
				return 0, 0, err
			}
		}
		if i > 0 { // the first pair reads the file into memory
			e.add(got[0], got[1])
		}
	}
	_, mid, _ := middle(e.pairs)
	return mid.ours, mid.yardstick, nil
}

// timedPull reads an answer from the connection itself: with the client of net/http the client, not the
// server, would be the slower side.
func timedPull(ctx context.Context, c *registry, path string, buf []byte) (float64, error) {
	addr := strings.TrimPrefix(c.base, "http://")
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	start := time.Now()
	const request = "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nConnection: close\r\n\r\n"
	if _, err := fmt.Fprintf(conn, request, path, addr, c.auth); err != nil {
		return 0, err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, buf)
	if head := n - largeSize; err == nil && (head <= 0 || head > 4096) {
		err = fmt.Errorf("%s gave %d bytes with its header", path, n)
	}
	return megabytes(largeSize, time.Since(start)), err
}

// pushLarge measures one stream of a large blob until its 201, beside the slower of two: hashing the same bytes on one
// core, and writing them with dd conv=fsync.
func pushLarge(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	file, digest, err := e.largeBlob(largeSize)
	if err != nil {
		return 0, 0, err
	}
	hash, err := hashSpeed(file)
	if err != nil {
		return 0, 0, err
	}
	dd, err := e.ddSpeed(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	p, _, took, err := e.withBlob(ctx, file, digest, largeSize)
	if p != nil {
		p.kill()
		_ = os.RemoveAll(p.cmd.Args[3])
	}
	return megabytes(largeSize, took), min(hash, dd), err
}

func hashSpeed(file string) (float64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, mib)
	h := sha256.New()
	var spent time.Duration
	for {
		n, err := f.Read(buf)
		start := time.Now()
		h.Write(buf[:n])
		spent += time.Since(start)
		if err == io.EOF {
			return megabytes(largeSize, spent), nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func (e *env) ddSpeed(ctx context.Context, file string) (float64, error) {
	out := filepath.Join(e.dir, "dd")
	defer os.Remove(out)
	start := time.Now()
	dd := exec.CommandContext(ctx, "dd", "if="+file, "of="+out, "bs=1M", "conv=fsync")
	if text, err := dd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("dd: %w: %s", err, text)
	}
	return megabytes(largeSize, time.Since(start)), nil
}
