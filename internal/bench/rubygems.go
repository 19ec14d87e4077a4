package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"time"
)

// gems is how many the large registry has.
const gems = 200_000

const gemYAML = `--- !ruby/object:Gem::Specification
name: %s
version: !ruby/object:Gem::Version
  version: %s
platform: ruby
authors:
- Bench
date: 2026-01-02 00:00:00.000000000 Z
dependencies:
- !ruby/object:Gem::Dependency
  name: rack
  requirement: !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '2'
  type: :runtime
  prerelease: false
summary: A gem of the benchmark
rubygems_version: 3.6.7
specification_version: 4
`

// gemFile is a .gem with one small file.
func gemFile(name, version string) ([]byte, error) {
	metadata, err := gzipped(fmt.Appendf(nil, gemYAML, name, version))
	if err != nil {
		return nil, err
	}
	inner, err := tarOf("lib/x.rb", []byte("# "+name+" "+version))
	if err != nil {
		return nil, err
	}
	data, err := gzipped(inner)
	if err != nil {
		return nil, err
	}
	return tarOf("metadata.gz", metadata, "data.tar.gz", data)
}

func gzipped(p []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(p); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}

// tarOf is an archive of names and contents in turn.
func tarOf(files ...any) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		content := files[i+1].([]byte)
		if err := w.WriteHeader(&tar.Header{Name: files[i].(string), Mode: 0o644, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// gemPush sends one version as gem push does.
func (c *registry) gemPush(ctx context.Context, name, version string) error {
	p, err := gemFile(name, version)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, "POST", "/rubygems/api/v1/gems", bytes.NewReader(p), int64(len(p)), "Content-Type", "application/octet-stream")
	if err == nil {
		drain(resp)
	}
	return err
}

// startGems starts a larder with n gems of one version each.
func (e *env) startGems(ctx context.Context, n int) (*process, *registry, string, error) {
	data, err := e.folder("gems")
	if err != nil {
		return nil, nil, "", err
	}
	p, c, err := e.openGems(ctx, data)
	if err != nil {
		return nil, nil, "", err
	}
	const workers = 32
	err = parallel(workers, func(i int) error {
		for v := i; v < n; v += workers {
			if err := c.gemPush(ctx, fmt.Sprintf("gem-number-%06d", v), "1.0.0"); err != nil {
				return err
			}
		}
		return nil
	})
	return p, c, data, err
}

func (e *env) openGems(ctx context.Context, data string) (*process, *registry, error) {
	p, err := e.startLarder(ctx, data)
	if err != nil {
		return nil, nil, err
	}
	c := newRegistry(p.addr)
	c.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+adminPassword))
	return p, c, nil
}

// gemEnv is what the benchmarks of gems share: a large registry and a small one, started when first needed.
type gemEnv struct {
	large, small             *process
	largeClient, smallClient *registry
	data                     string // of the large one
}

func (e *env) filledGems(ctx context.Context) (*gemEnv, error) {
	if e.gems != nil {
		return e.gems, nil
	}
	fmt.Printf("(pushing %d gems)\n", gems)
	g := &gemEnv{}
	var err error
	if g.large, g.largeClient, g.data, err = e.startGems(ctx, gems); err != nil {
		return nil, err
	}
	if g.small, g.smallClient, _, err = e.startGems(ctx, 10); err != nil {
		return nil, err
	}
	e.gems = g
	return g, nil
}

// gemGrowth: pushes a second into 200,000 gems, beside pushes into 10.
func gemGrowth(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	const n = 100
	rate := func(c *registry) (float64, error) {
		start := time.Now()
		for i := range n {
			if err := c.gemPush(ctx, fmt.Sprintf("pushed-%d-%d", start.UnixMilli(), i), "1.0.0"); err != nil {
				return 0, err
			}
		}
		return n / time.Since(start).Seconds(), nil
	}
	if ours, err = rate(g.largeClient); err != nil {
		return 0, 0, err
	}
	yardstick, err = rate(g.smallClient)
	return ours, yardstick, err
}

// listSize is how long /versions is.
func (c *registry) listSize(ctx context.Context) (int64, string, error) {
	resp, err := c.do(ctx, "HEAD", "/rubygems/versions", nil, 0)
	if err != nil {
		return 0, "", err
	}
	drain(resp)
	return resp.ContentLength, resp.Header.Get("ETag"), nil
}

// gemRange: the last hundred bytes of a list of 200,000 gems, beside those of a list of 10.
func gemRange(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	rate := func(p *process, c *registry) (float64, error) {
		size, _, err := c.listSize(ctx)
		if err != nil {
			return 0, err
		}
		return loadStatus(p.addr, "/rubygems/versions", c.auth, http.StatusPartialContent, fmt.Sprintf("If-None-Match: \"old\"\r\nRange: bytes=%d-\r\n", size-100))
	}
	if ours, err = rate(g.large, g.largeClient); err != nil {
		return 0, 0, err
	}
	yardstick, err = rate(g.small, g.smallClient)
	return ours, yardstick, err
}

// gemFresh: nothing new in 200,000 gems, beside 10,000 a second.
func gemFresh(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	_, etag, err := g.largeClient.listSize(ctx)
	if err != nil {
		return 0, 0, err
	}
	ours, err = loadStatus(g.large.addr, "/rubygems/versions", g.largeClient.auth, http.StatusNotModified, "If-None-Match: "+etag+"\r\n")
	return ours, 10_000, err
}

// gemStart: from the start on 200,000 gems to the first answer about their list, beside 200 ms.
func gemStart(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	g.large.kill()
	start := time.Now()
	if g.large, g.largeClient, err = e.openGems(ctx, g.data); err != nil {
		return 0, 0, err
	}
	if _, _, err := g.largeClient.listSize(ctx); err != nil {
		return 0, 0, err
	}
	took := time.Since(start)
	return 1 / took.Seconds(), 1 / 0.2, nil
}

// gemIndex: the first Marshal index after a push, beside a second.
func gemIndex(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := g.largeClient.gemPush(ctx, fmt.Sprintf("index-%d", time.Now().UnixMilli()), "1.0.0"); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	resp, err := g.largeClient.do(ctx, "GET", "/rubygems/specs.4.8.gz", nil, 0)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return 1 / time.Since(start).Seconds(), 1, err
}
