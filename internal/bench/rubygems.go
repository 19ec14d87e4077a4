package main

// This file measures RubyGems: ranges and fresh answers of the list of versions, pushing into a long list, starting.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"larder/internal/miniclient"
)

// gems is the number of gems of the large registry.
const gems = 200_000

// rack is what the benchmark's gems depend on.
const rack = `
- !ruby/object:Gem::Dependency
  name: rack
  requirement: !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '2'
  type: :runtime
  prerelease: false`

// gemPush sends one version as gem push does.
func (c *registry) gemPush(ctx context.Context, name, version string) error {
	p, err := miniclient.Gem(name, version, rack,
		miniclient.Member{Name: "lib/x.rb", Body: []byte("# " + name + " " + version)})
	if err != nil {
		return err
	}
	return c.send(ctx, "POST", "/rubygems/api/v1/gems", bytes.NewReader(p), int64(len(p)),
		"Content-Type", "application/octet-stream")
}

// fillGems makes data folders with the given numbers of gems. A benchmark of the package rubygems writes them,
// thousands of gems in one transaction: pushed over HTTP, 200,000 gems would take almost an hour.
func (e *env) fillGems(ctx context.Context, counts ...int) (folders []string, err error) {
	var lines strings.Builder
	for _, n := range counts {
		dir, err := e.folder("gems")
		if err != nil {
			return nil, err
		}
		folders = append(folders, dir)
		fmt.Fprintf(&lines, "%s=%d\n", dir, n)
	}
	return folders, fillByBenchmark(ctx, "rubygems", lines.String())
}

// gemEnv has a large registry and a small one, which the benchmarks of gems share.
type gemEnv struct {
	large, small             *process
	largeClient, smallClient *registry
	largeData, smallData     string
}

func (e *env) filledGems(ctx context.Context) (*gemEnv, error) {
	if e.gems != nil {
		return e.gems, nil
	}
	fmt.Printf("(filling a registry with %d gems: about a minute)\n", gems)
	folders, err := e.fillGems(ctx, gems, 10)
	if err != nil {
		return nil, err
	}
	g := &gemEnv{largeData: folders[0], smallData: folders[1]}
	if g.large, g.largeClient, err = e.startAs(ctx, g.largeData); err != nil {
		return nil, err
	}
	if g.small, g.smallClient, err = e.startAs(ctx, g.smallData); err != nil {
		return nil, err
	}
	e.gems = g
	return g, nil
}

// gemGrowth measures pushes per second into 200,000 gems, beside pushes into 10. They take turns, so that other load of
// the disk affects both.
func gemGrowth(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	const turns, n = 10, 10
	stamp := time.Now().UnixMilli()
	var took [2]time.Duration
	for turn := range turns {
		for who, c := range []*registry{g.largeClient, g.smallClient} {
			start := time.Now()
			for i := range n {
				if err := c.gemPush(ctx, fmt.Sprintf("pushed-%d-%d-%d", stamp, turn, i), "1.0.0"); err != nil {
					return 0, 0, err
				}
			}
			took[who] += time.Since(start)
		}
	}
	return turns * n / took[0].Seconds(), turns * n / took[1].Seconds(), nil
}

// listSize returns the length and the ETag of /versions.
func (c *registry) listSize(ctx context.Context) (int64, string, error) {
	resp, err := c.do(ctx, "HEAD", "/rubygems/versions", nil, 0)
	if err != nil {
		return 0, "", err
	}
	drain(resp)
	return resp.ContentLength, resp.Header.Get("ETag"), nil
}

// gemRange measures the last hundred bytes of a list of 200,000 gems, beside those of a list of 10.
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
		return loadStatus(p.addr, "/rubygems/versions", c.auth, http.StatusPartialContent,
			fmt.Sprintf("If-None-Match: \"old\"\r\nRange: bytes=%d-\r\n", size-100))
	}
	if ours, err = rate(g.large, g.largeClient); err != nil {
		return 0, 0, err
	}
	yardstick, err = rate(g.small, g.smallClient)
	return ours, yardstick, err
}

// gemFresh measures 304 for the list of 200,000 gems, beside 10,000 per second.
func gemFresh(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	_, etag, err := g.largeClient.listSize(ctx)
	if err != nil {
		return 0, 0, err
	}
	ours, err = loadStatus(g.large.addr, "/rubygems/versions", g.largeClient.auth, http.StatusNotModified,
		"If-None-Match: "+etag+"\r\n")
	return ours, 10_000, err
}

// gemStart measures the time from a start on 200,000 gems to the first answer with their list, beside 200 ms. The time
// with 10 gems is a note.
func gemStart(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	again := func(p **process, c **registry, data string) (time.Duration, error) {
		(*p).kill()
		start := time.Now()
		if *p, *c, err = e.startAs(ctx, data); err != nil {
			return 0, err
		}
		_, _, err := (*c).listSize(ctx)
		return time.Since(start), err
	}
	large, err := again(&g.large, &g.largeClient, g.largeData)
	if err != nil {
		return 0, 0, err
	}
	small, err := again(&g.small, &g.smallClient, g.smallData)
	e.note("%d gems: %v, 10 gems: %v", gems, large.Round(time.Millisecond), small.Round(time.Millisecond))
	return 1 / large.Seconds(), 1 / 0.2, err
}

// gemIndex measures the first Marshal index after a push, beside one second.
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
