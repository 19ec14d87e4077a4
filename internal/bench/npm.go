package main

// This file measures npm: a packument rendered, cached and fresh, and publishing into a long one.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// npmSeries is a package with 5,000 versions.
var npmSeries = series{kind: "npm", versions: 5000, document: "/npm/big", tag: "ETag", again: "If-None-Match",
	publish: publishNPM}

// npmTarball returns an archive with package.json and size bytes of noise.
func npmTarball(name, version string, size int) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	pad := make([]byte, size)
	_, _ = rand.Read(pad)
	for _, f := range []struct {
		name string
		body []byte
	}{{"package.json", fmt.Appendf(nil, `{"name":%q,"version":%q}`, name, version)}, {"noise", pad}} {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + f.name, Mode: 0o644, Size: int64(len(f.body))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

// npmPublish sends one version as npm does.
func (c *registry) npmPublish(ctx context.Context, name, version string, size int) error {
	tgz, err := npmTarball(name, version, size)
	if err != nil {
		return err
	}
	head := fmt.Sprintf(`{"_id":%[1]q,"name":%[1]q,"dist-tags":{"latest":%[2]q},`+
		`"versions":{%[2]q:{"name":%[1]q,"version":%[2]q,"description":"a package of the benchmark","license":"MIT",`+
		`"main":"index.js","dependencies":{"left":"^1.0.0","right":"^2.0.0","up":"~3.1.0"}}},`+
		`"_attachments":{"%[1]s-%[2]s.tgz":{"length":%[3]d,"data":"`, name, version, len(tgz))
	body := head + base64.StdEncoding.EncodeToString(tgz) + `"}}}`
	return c.send(ctx, "PUT", "/npm/"+name, strings.NewReader(body), int64(len(body)),
		"Content-Type", "application/json")
}

// startNPM starts a larder with n versions of the package big.
func (e *env) startNPM(ctx context.Context, n int, environ ...string) (*process, *registry, error) {
	return e.startFilled(ctx, "npm", n, publishNPM, environ...)
}

// publishNPM publishes a small version of the package big.
func publishNPM(ctx context.Context, c *registry, version string) error {
	return c.npmPublish(ctx, "big", version, 100)
}

// npmRender measures the first packument after a change, beside 150 ms.
func npmRender(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	f, err := npmSeries.filled(ctx, e)
	if err != nil {
		return 0, 0, err
	}
	if err := f.c.npmPublish(ctx, "big", fmt.Sprintf("900.0.%d", time.Now().UnixMilli()), 100); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if _, _, _, err := npmSeries.read(ctx, e); err != nil {
		return 0, 0, err
	}
	return 1 / time.Since(start).Seconds(), 1 / 0.150, nil
}

// npmMemory measures the largest resident size while a tarball of 100 MB is published, beside 150 MiB.
func npmMemory(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	p, c, err := e.startNPM(ctx, 1)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	if err := c.npmPublish(ctx, "large", "1.0.0", 100_000_000); err != nil {
		return 0, 0, err
	}
	peak, err := peakRSS(p.cmd.Process.Pid)
	return 1 / peak, 1.0 / 150, err
}
