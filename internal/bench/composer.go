package main

// This file measures Composer: cached and fresh documents, and uploading into a long list of versions.

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

const (
	composerVersions = 2000
	composerMetadata = "/composer/p2/acme/big.json"
)

// composerPublish uploads one version.
func (c *registry) composerPublish(ctx context.Context, version string) error {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	pad := make([]byte, 100)
	_, _ = rand.Read(pad)
	for _, f := range []struct {
		name string
		body []byte
	}{
		{
			"composer.json",
			[]byte(`{"name":"acme/big","description":"a package of the benchmark","license":"MIT",` +
				`"require":{"php":">=8.1","acme/left":"^1.0","acme/right":"^2.0 || ^3.0"},` +
				`"autoload":{"psr-4":{"Acme\\":"src/"}}}`),
		},
		{"noise", pad},
	} {
		part, err := w.Create(f.name)
		if err != nil {
			return err
		}
		if _, err := part.Write(f.body); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	resp, err := c.do(ctx, "PUT", "/composer?version="+version, bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err == nil {
		drain(resp)
	}
	return err
}

// startComposer starts a larder with n versions of the package acme/big.
func (e *env) startComposer(ctx context.Context, n int) (*process, *registry, error) {
	return e.startFilled(ctx, "composer", n, publishComposer)
}

func publishComposer(ctx context.Context, c *registry, version string) error {
	return c.composerPublish(ctx, version)
}

// filledComposer returns the larder with 2,000 versions; the first call starts it.
func (e *env) filledComposer(ctx context.Context) (*process, *registry, error) {
	if e.composer == nil {
		fmt.Printf("(publishing %d versions)\n", composerVersions)
		var err error
		if e.composer, e.composerClient, err = e.startComposer(ctx, composerVersions); err != nil {
			return nil, nil, err
		}
	}
	return e.composer, e.composerClient, nil
}

// composerDocument reads the metadata of the package and its time.
func (c *registry) composerDocument(ctx context.Context) (body []byte, modified string, err error) {
	resp, err := c.do(ctx, "GET", composerMetadata, nil, 0)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return body, resp.Header.Get("Last-Modified"), err
}

// composerCached measures the metadata from memory, beside a bare handler with the same bytes.
func composerCached(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	p, c, err := e.filledComposer(ctx)
	if err != nil {
		return 0, 0, err
	}
	body, _, err := c.composerDocument(ctx)
	if err != nil {
		return 0, 0, err
	}
	file := filepath.Join(e.dir, "metadata")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return 0, 0, err
	}
	return e.compareBare(ctx, p, composerMetadata, c.auth, file)
}

// composerFresh measures 304 for the metadata, beside 10,000 per second.
func composerFresh(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	p, c, err := e.filledComposer(ctx)
	if err != nil {
		return 0, 0, err
	}
	_, modified, err := c.composerDocument(ctx)
	if err != nil {
		return 0, 0, err
	}
	ours, err = loadStatus(p.addr, composerMetadata, c.auth, http.StatusNotModified, "If-Modified-Since: "+modified+"\r\n")
	return ours, 10_000, err
}

// composerGrowth measures publishes per second into 2,000 versions, beside publishes into 10.
func composerGrowth(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	_, large, err := e.filledComposer(ctx)
	if err != nil {
		return 0, 0, err
	}
	p, small, err := e.startComposer(ctx, 10)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	return growth(ctx, large, small, publishComposer)
}
