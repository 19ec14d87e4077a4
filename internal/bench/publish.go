package main

// This file has what the benchmarks of protocols have in common: packages of many versions, published into and read.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// publisher sends one version of a package.
type publisher func(ctx context.Context, c *registry, version string) error

// startFilled starts a larder on a folder of this name and publishes n versions, eight at once.
func (e *env) startFilled(
	ctx context.Context, name string, n int, publish publisher, environ ...string,
) (*process, *registry, error) {
	data, err := e.folder(name)
	if err != nil {
		return nil, nil, err
	}
	p, c, err := e.startAs(ctx, data, environ...)
	if err != nil {
		return nil, nil, err
	}
	return p, c, parallel(8, func(i int) error {
		for v := i; v < n; v += 8 {
			if err := publish(ctx, c, fmt.Sprintf("%d.%d.%d", v/100, v/10%10, v%10)); err != nil {
				return err
			}
		}
		return nil
	})
}

// series is a package of many versions, and its document, which names all of them.
type series struct {
	kind       string
	versions   int
	document   string // its path
	tag, again string // the document's header that a request for it repeats, and that request's
	publish    publisher
}

// filled is a larder with a series.
type filled struct {
	p *process
	c *registry
}

// filled returns the larder with all versions; the first call starts it.
func (s series) filled(ctx context.Context, e *env) (f filled, err error) {
	if f, ok := e.series[s.kind]; ok {
		return f, nil
	}
	fmt.Printf("(publishing %d versions)\n", s.versions)
	if f.p, f.c, err = e.startFilled(ctx, s.kind, s.versions, s.publish); err == nil {
		e.series[s.kind] = f
	}
	return f, err
}

// read reads the document, and returns with it the header line that asks for it again.
func (s series) read(ctx context.Context, e *env) (f filled, body []byte, again string, err error) {
	if f, err = s.filled(ctx, e); err != nil {
		return f, nil, "", err
	}
	resp, err := f.c.do(ctx, "GET", s.document, nil, 0)
	if err != nil {
		return f, nil, "", err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return f, body, s.again + ": " + resp.Header.Get(s.tag) + "\r\n", err
}

// cached measures the document from memory, beside a bare handler with the same bytes.
func (s series) cached(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	f, body, _, err := s.read(ctx, e)
	if err != nil {
		return 0, 0, err
	}
	file := filepath.Join(e.dir, s.kind+"-document")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return 0, 0, err
	}
	return e.compareBare(ctx, f.p, s.document, f.c.auth, file)
}

// fresh measures 304 for the document, beside 10,000 per second.
func (s series) fresh(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	f, _, again, err := s.read(ctx, e)
	if err != nil {
		return 0, 0, err
	}
	ours, err = loadStatus(f.p.addr, s.document, f.c.auth, http.StatusNotModified, again)
	return ours, 10_000, err
}

// growth measures publishes per second into the series, beside publishes into 10 versions.
func (s series) growth(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	large, err := s.filled(ctx, e)
	if err != nil {
		return 0, 0, err
	}
	p, small, err := e.startFilled(ctx, s.kind, 10, s.publish)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	return growth(ctx, large.c, small, s.publish)
}

// growth measures publishes per second into a large package, beside publishes into a small one. They take turns, so
// that other load of the machine affects both.
func growth(ctx context.Context, large, small *registry, publish publisher) (ours, yardstick float64, err error) {
	const n = 100
	var took [2]time.Duration
	for i := range n {
		for k, c := range []*registry{large, small} {
			start := time.Now()
			if err := publish(ctx, c, fmt.Sprintf("800.%d.%d", start.UnixMilli(), i)); err != nil {
				return 0, 0, err
			}
			took[k] += time.Since(start)
		}
	}
	return n / took[0].Seconds(), n / took[1].Seconds(), nil
}
