package main

// This file measures copies: one cold artifact for many clients from a slow upstream.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The upstream is as slow as one far away: it sends its artifact within slowFor.
const (
	slowSize   = 20_000_000
	slowFor    = 2 * time.Second
	slowPieces = 100
	manyOthers = 64
)

// slowOrigin is an upstream with one blob under any name.
type slowOrigin struct {
	*httptest.Server
	body    []byte
	fetches atomic.Int64
	flip    atomic.Bool

	mu    sync.Mutex // guards began
	began time.Time  // of the last answer's first byte
}

func newSlowOrigin() *slowOrigin {
	o := &slowOrigin{body: make([]byte, slowSize)}
	_, _ = io.ReadFull(rand.NewChaCha8([32]byte{9}), o.body) // never fails
	o.Server = httptest.NewServer(o)
	return o
}

func (o *slowOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "/blobs/") {
		http.NotFound(w, r)
		return
	}
	o.fetches.Add(1)
	body := o.body
	if o.flip.Load() {
		body = bytes.Clone(body)
		body[slowSize/2] ^= 1
	}
	w.Header().Set("Content-Length", strconv.Itoa(slowSize))
	o.mu.Lock()
	o.began = time.Now()
	o.mu.Unlock()
	start := time.Now()
	for i := range slowPieces {
		_, _ = w.Write(body[i*slowSize/slowPieces : (i+1)*slowSize/slowPieces]) // a client that left shows in the next one
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Until(start.Add(slowFor * time.Duration(i+1) / slowPieces)))
	}
}

// reader has the times of one client.
type reader struct {
	first time.Time
	n     int64
	err   error
}

func (o *slowOrigin) read(ctx context.Context, c *registry, path string, right *atomic.Int64) (out reader) {
	resp, err := c.do(ctx, "GET", path, nil, 0)
	if err != nil {
		return reader{err: err}
	}
	defer resp.Body.Close()
	buf := make([]byte, 256<<10)
	same := true
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 && out.n == 0 {
			out.first = time.Now()
		}
		same = same && out.n+int64(n) <= slowSize && bytes.Equal(buf[:n], o.body[out.n:out.n+int64(n)])
		out.n += int64(n)
		if err == io.EOF {
			if same && out.n == slowSize {
				right.Add(1)
			}
			return out
		}
		if err != nil {
			out.err = err
			return out
		}
	}
}

// copyOf starts a larder that keeps copies of another registry.
func (e *env) copyOf(ctx context.Context, kind, url string) (*process, error) {
	return e.startNew(ctx, "copy", "LARDER_UPSTREAM="+kind+"="+url)
}

// crowd has the times of many clients of one cold artifact, and of one client alone.
type crowd struct {
	alone, total, first time.Duration // first: the latest first byte after the origin's
	grown               float64       // MiB of the server
}

// fanOut reads a cold artifact with one client, and another one with many clients of which the first one leaves. It
// fails unless the upstream was asked once for each.
func (e *env) fanOut(ctx context.Context) (c crowd, err error) {
	o := newSlowOrigin()
	defer o.Close()
	p, err := e.copyOf(ctx, "oci", o.URL)
	if err != nil {
		return c, err
	}
	defer p.kill()
	client := newRegistry(p.addr)
	digest := digestOf(o.body)
	path := func(repo string) string { return "/v2/" + repo + "/blobs/" + digest }
	var right atomic.Int64
	start := time.Now()
	if r := o.read(ctx, client, path("bench/alone"), &right); r.err != nil {
		return c, r.err
	}
	c.alone = time.Since(start)
	before, err := rss(p.cmd.Process.Pid)
	if err != nil {
		return c, err
	}
	leaving, leave := context.WithTimeout(ctx, slowFor/6)
	defer leave()
	go o.read(leaving, client, path("bench/many"), new(atomic.Int64))
	time.Sleep(20 * time.Millisecond)
	start = time.Now()
	err = parallel(manyOthers, func(int) error {
		r := o.read(ctx, client, path("bench/many"), &right)
		o.mu.Lock()
		defer o.mu.Unlock()
		c.first = max(c.first, r.first.Sub(o.began))
		return r.err
	})
	c.total = time.Since(start)
	if err != nil {
		return c, err
	}
	if n, got := o.fetches.Load(), right.Load(); n != 2 || got != manyOthers+1 {
		return c, fmt.Errorf("%d fetches instead of 2, %d right bodies instead of %d", n, got, manyOthers+1)
	}
	peak, err := peakRSS(p.cmd.Process.Pid)
	c.grown = max(peak-before, 0.1)
	if err != nil {
		return c, err
	}
	return c, o.flipped(ctx, client, path("bench/flipped"))
}

// flipped checks that with one wrong byte nobody gets a complete body, and nothing is kept.
func (o *slowOrigin) flipped(ctx context.Context, client *registry, path string) error {
	o.flip.Store(true)
	var right atomic.Int64
	err := parallel(manyOthers, func(int) error {
		if r := o.read(ctx, client, path, &right); r.err == nil || r.n >= slowSize {
			return fmt.Errorf("%d bytes of a wrong body, %v", r.n, r.err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	asked := o.fetches.Load()
	o.flip.Store(false)
	if r := o.read(ctx, client, path, &right); r.err != nil || right.Load() != 1 || o.fetches.Load() != asked+1 {
		err := fmt.Errorf("afterwards %d fetches and %d right bodies", o.fetches.Load()-asked, right.Load())
		return errors.Join(err, r.err)
	}
	return nil
}

// upstreamTotal measures the time until 64 clients have a cold artifact, beside 1.3 times that of one alone.
func upstreamTotal(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	c, err := e.fanOut(ctx)
	return 1 / c.total.Seconds(), 1 / (1.3 * c.alone.Seconds()), err
}

// upstreamFirst measures the delay of the last of 64 first bytes after that of the upstream, beside 200 ms.
func upstreamFirst(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	c, err := e.fanOut(ctx)
	return 1 / max(c.first.Seconds(), 1e-3), 1 / 0.2, err
}

// upstreamMemory measures how much the server grew meanwhile, beside 32 MiB.
func upstreamMemory(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	c, err := e.fanOut(ctx)
	return 1 / c.grown, 1.0 / 32, err
}

// warmCopy measures the same address at a copy that has it and at its origin.
func warmCopy(ctx context.Context, e *env, path string) (ours, yardstick float64, err error) {
	origin, c, err := e.startNPM(ctx, 200)
	if err != nil {
		return 0, 0, err
	}
	defer origin.kill()
	p, err := e.copyOf(ctx, "npm", c.base+"/npm")
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	if _, err := newRegistry(p.addr).pull(ctx, path, make([]byte, 32<<10)); err != nil {
		return 0, 0, err
	}
	// Each twice, because of other load of the machine.
	for range 2 {
		a, err := load(p.addr, path, "")
		if err != nil {
			return 0, 0, err
		}
		b, err := load(origin.addr, path, "")
		if err != nil {
			return 0, 0, err
		}
		ours, yardstick = ours+a/2, yardstick+b/2
	}
	return ours, yardstick, nil
}

func upstreamFile(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	return warmCopy(ctx, e, "/npm/big/-/big-1.0.0.tgz")
}

func upstreamDocument(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	return warmCopy(ctx, e, "/npm/big")
}
