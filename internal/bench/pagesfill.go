package main

// This file makes the data folders of which pages are measured: one with a hundred thousand packages, and a small one.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"larder/store"
)

// filling is what a folder is filled with.
type filling struct {
	packages map[string]int // by the folder of the protocol; OCI repositories have a tag each
	versions int            // of the npm package "long"
	tags     int            // of the OCI repository "bench/long"
	journal  int            // entries
}

// The large folder has 100,000 packages. In the small one, lists and tables fill a page as they do in the large one.
var (
	largeFilling = filling{
		packages: map[string]int{
			"npm": 20_000, "pypi": 20_000, "cargo": 15_000, "maven": 15_000, "composer": 10_000, "rubygems": 15_000, "oci": 5000,
		},
		versions: 10_000, tags: 20_000, journal: 1_000_000,
	}
	smallFilling = filling{
		packages: map[string]int{
			"npm": 100, "pypi": 100, "cargo": 100, "maven": 100, "composer": 100, "rubygems": 100, "oci": 100,
		},
		versions: 500, tags: 300, journal: 2000,
	}
)

const (
	longPackage    = "long"
	longRepository = "bench/long"
	fillPushers    = 32
)

// fill writes a data folder. Benchmarks of the protocols' packages write the packages, a thousand in one transaction,
// and images are pushed.
func (f filling) fill(ctx context.Context, e *env, data string) error {
	for _, kind := range []string{"npm", "pypi", "cargo", "maven", "composer", "rubygems"} {
		lines := fmt.Sprintf("%s=%d\n", data, f.packages[kind])
		if kind == "npm" {
			lines += fmt.Sprintf("%s=%s*%d\n", data, longPackage, f.versions)
		}
		if err := fillByBenchmark(ctx, kind, lines); err != nil {
			return err
		}
	}
	if err := f.push(ctx, e, data); err != nil {
		return err
	}
	return f.log(ctx, data)
}

// fillByBenchmark runs the benchmark of a protocol's package that fills folders; lines are its LARDER_BENCH_FILL.
func fillByBenchmark(ctx context.Context, kind, lines string) error {
	return fillBy(ctx, "BenchmarkFill", kind, lines)
}

// fillBy is fillByBenchmark with the benchmark's name.
func fillBy(ctx context.Context, name, kind, lines string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "./"+kind, "-run", "^$", "-bench", "^"+name+"$", "-benchtime", "1x")
	cmd.Env = append(os.Environ(), "LARDER_BENCH_FILL="+lines)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fill with %s (run it from the project's folder): %w\n%s", kind, err, out)
	}
	return nil
}

// push uploads the images: repositories with a tag each, and one with many.
func (f filling) push(ctx context.Context, e *env, data string) error {
	b, err := e.startBuildOn(ctx, e.larder, data)
	if err != nil {
		return err
	}
	defer b.p.kill()
	c, empty := newRegistry(b.p.addr), []byte("{}")
	c.auth = b.client.Auth // a login for each repository would take most of the time
	if _, err := c.pushBytes(ctx, longRepository, empty); err != nil {
		return err
	}
	var next atomic.Int64
	return parallel(fillPushers, func(int) error {
		for k := next.Add(1); k <= int64(f.tags+f.packages["oci"]); k = next.Add(1) {
			repo, tag := longRepository, fmt.Sprintf("v%d.%d.%d", k/1000, k/10%100, k%10)
			if k > int64(f.tags) {
				repo, tag = "bench/"+fillName(int(k)), "latest"
				if _, err := c.pushBytes(ctx, repo, empty); err != nil {
					return err
				}
			}
			if err := c.pushArtifact(ctx, repo, tag); err != nil {
				return err
			}
		}
		return nil
	})
}

// fillName is the name of an image.
func fillName(k int) string {
	words := []string{"web", "api", "worker", "proxy", "cache", "builder"}
	return fmt.Sprintf("%s-%06d", words[k%len(words)], k)
}

// log adds entries to the journal until there are as many as were asked for, and lets them be found.
func (f filling) log(ctx context.Context, data string) error {
	s, err := store.Open(data, store.Options{Reserve: 1})
	if err != nil {
		return err
	}
	tail, err := s.JournalTail(ctx, 1)
	if err != nil || len(tail) == 0 {
		return fmt.Errorf("the journal is empty: %w", err)
	}
	ops := []store.Op{store.OpYank, store.OpUnyank, store.OpTag, store.OpTag, store.OpDeprecate}
	for n := int(tail[0].Seq); n < f.journal && err == nil; {
		actor := store.Actor{User: fmt.Sprintf("user%d", n/20_000%20), Addr: "192.0.2.7", Agent: "client/1.0"}
		end := min(n+20_000, f.journal)
		err = s.Update(store.WithActor(ctx, actor), func(tx *store.Tx) error {
			for i := n; i < end; i++ {
				tx.Log(store.Entry{
					Kind: store.NPM, Package: fmt.Sprintf("changed-%d", i%5000), Version: "1.0.0", Op: ops[i%len(ops)],
				})
			}
			return nil
		})
		n = end
	}
	if err == nil {
		err = s.IndexJournal(ctx)
	}
	if e := s.Close(); err == nil {
		err = e
	}
	return err
}

// filledPages returns the large folder and the small one; the first call fills them.
func (e *env) filledPages(ctx context.Context) (large, small string, err error) {
	for i, f := range []filling{largeFilling, smallFilling} {
		data := filepath.Join(e.pages, []string{"large", "small"}[i])
		if _, err := os.Stat(data + ".filled"); err != nil {
			start := time.Now()
			fmt.Printf("(filling %s: a few minutes)\n", data)
			if err := errors.Join(os.RemoveAll(data), os.MkdirAll(data, 0o700)); err != nil {
				return "", "", err
			}
			if err := f.fill(ctx, e, data); err != nil {
				return "", "", err
			}
			if err := os.WriteFile(data+".filled", nil, 0o600); err != nil {
				return "", "", err
			}
			fmt.Printf("(filled in %s)\n", time.Since(start).Round(time.Second))
		}
	}
	return filepath.Join(e.pages, "large"), filepath.Join(e.pages, "small"), nil
}
