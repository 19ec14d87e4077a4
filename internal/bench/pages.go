package main

// This file measures the pages for people on a registry with a hundred thousand packages.

import (
	"compress/gzip"
	"context"
	"io"
	"regexp"
	"slices"
	"time"
)

const (
	pageGoal   = 100 * time.Millisecond
	pageViews  = 20 // of each page after the first
	weightGoal = 60_000
)

// pagePaths are the pages that are measured, with the largest package and repository there are.
var pagePaths = []string{
	"/", "/ui/search?q=parser", "/ui/search?q=json+parser", "/ui/search?q=json-yaml-000021", "/ui/search?q=a",
	"/ui/search?q=nothing-of-that-name", "/ui/search?q=parser&from=1000", "/ui/npm", "/ui/pypi", "/ui/cargo", "/ui/maven",
	"/ui/composer", "/ui/rubygems", "/ui/oci", "/ui/npm?after=m", "/ui/npm?filter=parser", "/ui/npm?sort=updated",
	"/ui/npm?sort=pulls", "/ui/oci?filter=worker", "/ui/npm/long", "/ui/npm/long/-/versions",
	"/ui/npm/long/-/versions?from=400", "/ui/npm/long/-/versions?filter=1.1", "/ui/npm/long/-/v/0.0.1",
	"/ui/oci/bench/long", "/ui/oci/bench/long/-/tags", "/ui/oci/bench/long/-/tags?sort=name",
	"/ui/oci/bench/long/-/tags?from=200", "/ui/oci/bench/long/-/tags?filter=.9", "/ui/setup", "/ui/setup/npm", "/-/login",
}

// pageCost is what one page costs.
type pageCost struct {
	path          string
	first, middle time.Duration // until the answer is whole, of the first view and of later ones
	cpu           time.Duration // of the server, for a later view
	weight        int           // bytes of the answer, compressed
	assets        []string      // that it loads
}

// viewPages measures each page of a server.
func viewPages(ctx context.Context, p *process) (out []pageCost, err error) {
	c := newRegistry(p.addr)
	for _, path := range pagePaths {
		cost := pageCost{path: path}
		start := time.Now()
		body, err := c.page(ctx, path)
		if err != nil {
			return nil, err
		}
		cost.first, cost.weight = time.Since(start), body.compressed
		for _, m := range assetRE.FindAllStringSubmatch(body.text, -1) {
			cost.assets = append(cost.assets, m[1])
		}
		before, err := processorTime(p.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		var took []time.Duration
		for range pageViews {
			start := time.Now()
			if _, err := c.page(ctx, path); err != nil {
				return nil, err
			}
			took = append(took, time.Since(start))
		}
		after, err := processorTime(p.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		slices.Sort(took)
		cost.middle, cost.cpu = took[pageViews/2], (after-before)/pageViews
		out = append(out, cost)
	}
	return out, ctx.Err()
}

// assetRE finds the stylesheet and the script of a page.
var assetRE = regexp.MustCompile(`(?:href|src)="(/-/assets/[^"]+)"`)

// answered is a page as it came.
type answered struct {
	text       string
	compressed int
}

// page reads a page as a browser does that has seen nothing yet.
func (c *registry) page(ctx context.Context, path string) (out answered, err error) {
	resp, err := c.do(ctx, "GET", path, nil, 0, "Accept", "text/html", "Accept-Encoding", "gzip")
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	count := &counted{r: resp.Body}
	body := io.Reader(count)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(count); err != nil {
			return out, err
		}
	}
	text, err := io.ReadAll(body)
	return answered{string(text), count.n}, err
}

// counted counts the bytes that are read.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// viewed are the costs of all pages of the large folder and of the small one; the first call measures them.
func (e *env) viewed(ctx context.Context) ([2][]pageCost, error) {
	if e.views[0] != nil {
		return e.views, nil
	}
	large, small, err := e.filledPages(ctx)
	if err != nil {
		return e.views, err
	}
	var out [2][]pageCost
	for i, data := range []string{large, small} {
		p, err := e.startLarder(ctx, data)
		if err != nil {
			return e.views, err
		}
		out[i], err = viewPages(ctx, p)
		p.kill()
		if err != nil {
			return e.views, err
		}
	}
	e.views = out
	return out, nil
}

// pagesLoad measures the slowest view of a page, be it the first one after the start, beside 100 ms.
func pagesLoad(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	e.views = [2][]pageCost{} // measured anew in each round
	views, err := e.viewed(ctx)
	if err != nil {
		return 0, 0, err
	}
	slowest := time.Duration(0)
	e.notes = nil
	e.note("%-44s %9s %9s %9s %11s %7s", "page (ms)", "first", "median", "processor", "of few", "kB")
	for i, v := range views[0] {
		slowest = max(slowest, v.first, v.middle)
		e.note("%-44s %9.2f %9.2f %9.2f %11.2f %7.1f", v.path, millis(v.first), millis(v.middle), millis(v.cpu),
			millis(views[1][i].cpu), float64(v.weight)/1000)
	}
	return 1 / slowest.Seconds(), 1 / pageGoal.Seconds(), nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pagesGrowth measures what the same page costs with a hundred packages of each kind: the ratio is that of the page
// whose cost has grown most.
func pagesGrowth(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	views, err := e.viewed(ctx)
	if err != nil {
		return 0, 0, err
	}
	worst, which := 0.0, 0
	for i, v := range views[0] {
		if grown := float64(v.cpu) / float64(max(views[1][i].cpu, time.Microsecond)); grown > worst {
			worst, which = grown, i
		}
	}
	e.note("%s", pagePaths[which])
	return 1 / millis(views[0][which].cpu), 1 / millis(views[1][which].cpu), nil
}

// pagesWeight measures the bytes of the heaviest first view, with its stylesheet and script, beside 60 kB.
func pagesWeight(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	views, err := e.viewed(ctx)
	if err != nil {
		return 0, 0, err
	}
	large, _, err := e.filledPages(ctx)
	if err != nil {
		return 0, 0, err
	}
	p, err := e.startLarder(ctx, large)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	heaviest := pageCost{}
	for _, v := range views[0] {
		for _, path := range v.assets {
			body, err := newRegistry(p.addr).page(ctx, path)
			if err != nil {
				return 0, 0, err
			}
			v.weight += body.compressed
		}
		if v.weight > heaviest.weight {
			heaviest = v
		}
	}
	e.note("%s: %d bytes with %d assets", heaviest.path, heaviest.weight, len(heaviest.assets))
	return 1000 / float64(heaviest.weight), 1000.0 / weightGoal, nil
}
