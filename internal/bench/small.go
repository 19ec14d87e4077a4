package main

// This file measures many small requests: manifests and blobs read, images pushed, a start on many of them.

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// getManifest measures an image's manifest by tag with a bearer token, beside a bare handler with the same bytes.
func getManifest(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	return e.smallGet(ctx, func(c *registry) (path string, body []byte, err error) {
		body, err = c.pushImage(ctx, "bench/small", "latest", random(16<<10), random(16<<10))
		return "/v2/bench/small/manifests/latest", body, err
	})
}

// getSmallBlob measures a 4 KiB blob with a bearer token, beside a bare handler.
func getSmallBlob(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	return e.smallGet(ctx, func(c *registry) (path string, body []byte, err error) {
		body = random(4 << 10)
		digest, err := c.pushBytes(ctx, "bench/small", body)
		return "/v2/bench/small/blobs/" + digest, body, err
	})
}

func random(n int) []byte {
	p := make([]byte, n)
	_, _ = crand.Read(p)
	return p
}

func (e *env) smallGet(
	ctx context.Context, prepare func(*registry) (string, []byte, error),
) (ours, yardstick float64, err error) {
	p, err := e.startNew(ctx, "data")
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	c := newRegistry(p.addr)
	if err := c.login(ctx, "repository:bench/small:pull,push"); err != nil {
		return 0, 0, err
	}
	path, body, err := prepare(c)
	if err != nil {
		return 0, 0, err
	}
	file := filepath.Join(e.dir, "small")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return 0, 0, err
	}
	return e.compareBare(ctx, p, path, c.auth, file)
}

// pushFor is how long images are pushed.
const pushFor = 6 * time.Second

// smallImages measures eight clients that push images with two layers of 16 KiB, beside distribution's registry on the
// same disk.
func smallImages(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	p, err := e.startNew(ctx, "data")
	if err != nil {
		return 0, 0, err
	}
	if ours, err = pushImages(ctx, p.addr, true); err != nil {
		p.kill()
		return 0, 0, err
	}
	p.kill()
	data, err := e.folder("registry")
	if err != nil {
		return 0, 0, err
	}
	other, err := e.startRegistry(ctx, data)
	if err != nil {
		fmt.Println(err)
		return ours, 0, nil
	}
	defer other.kill()
	yardstick, err = pushImages(ctx, other.addr, false)
	return ours, yardstick, err
}

// pushImages returns pushed images per second.
func pushImages(ctx context.Context, addr string, login bool) (float64, error) {
	var count atomic.Int64
	start := time.Now()
	err := parallel(8, func(i int) error {
		c := newRegistry(addr)
		repo := fmt.Sprintf("bench/pusher%d", i)
		if login {
			if err := c.login(ctx, "repository:"+repo+":pull,push"); err != nil {
				return err
			}
		}
		for n := 0; time.Since(start) < pushFor; n++ {
			if _, err := c.pushImage(ctx, repo, fmt.Sprintf("v%d", n), random(16<<10), random(16<<10)); err != nil {
				return err
			}
			count.Add(1)
		}
		return nil
	})
	return float64(count.Load()) / time.Since(start).Seconds(), err
}

// startLarge measures starts per second on a folder with 100,000 tags and blobs, until the address file exists, beside
// one in 200 ms.
func startLarge(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	if e.filled == "" {
		if e.filled, err = e.fill(ctx, 100_000); err != nil {
			return 0, 0, err
		}
	}
	start := time.Now()
	p, err := e.startLarder(ctx, e.filled)
	took := time.Since(start)
	if err != nil {
		return 0, 0, err
	}
	p.kill()
	return 1 / took.Seconds(), 5, nil
}

// fill pushes n tagged artifacts, each with a manifest of its own.
func (e *env) fill(ctx context.Context, n int) (string, error) {
	data, err := e.folder("filled")
	if err != nil {
		return "", err
	}
	p, err := e.startLarder(ctx, data)
	if err != nil {
		return "", err
	}
	defer p.kill()
	fmt.Printf("(pushing %d tags for start-100k: a few minutes)\n", n)
	var next atomic.Int64
	return data, parallel(32, func(i int) error {
		c := newRegistry(p.addr)
		repo := fmt.Sprintf("bench/fill%d", i)
		if err := c.login(ctx, "repository:"+repo+":pull,push"); err != nil {
			return err
		}
		if _, err := c.pushBytes(ctx, repo, []byte("{}")); err != nil {
			return err
		}
		for k := next.Add(1); k <= int64(n); k = next.Add(1) {
			if err := c.pushArtifact(ctx, repo, fmt.Sprintf("t%d", k)); err != nil {
				return err
			}
		}
		return nil
	})
}
