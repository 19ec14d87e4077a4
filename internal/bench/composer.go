package main

// This file measures Composer: cached and fresh documents, and uploading into a long list of versions.

import (
	"bytes"
	"context"
	"crypto/rand"

	"larder/internal/miniclient"
)

// composerSeries is a package with 2,000 versions.
var composerSeries = series{kind: "composer", versions: 2000, document: "/composer/p2/acme/big.json",
	tag: "Last-Modified", again: "If-Modified-Since", publish: publishComposer}

// composerPublish uploads one version.
func (c *registry) composerPublish(ctx context.Context, version string) error {
	pad := make([]byte, 100)
	_, _ = rand.Read(pad)
	p, err := miniclient.Zip(
		miniclient.Member{Name: "composer.json", Body: []byte(`{"name":"acme/big","license":"MIT",` +
			`"description":"a package of the benchmark",` +
			`"require":{"php":">=8.1","acme/left":"^1.0","acme/right":"^2.0 || ^3.0"},` +
			`"autoload":{"psr-4":{"Acme\\":"src/"}}}`)},
		miniclient.Member{Name: "noise", Body: pad},
	)
	if err != nil {
		return err
	}
	return c.send(ctx, "PUT", "/composer?version="+version, bytes.NewReader(p), int64(len(p)))
}

func publishComposer(ctx context.Context, c *registry, version string) error {
	return c.composerPublish(ctx, version)
}
