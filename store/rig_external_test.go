package store_test

// This file is the rig of the tests that use this package as protocols do: package storetest opens their stores.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"larder/store"
)

// meta is a protocol's metadata in these tests.
type meta struct {
	Note string `json:"note,omitempty"`
}

type (
	packageTx = store.PackageTx[meta]
	version   = store.Version[meta]
)

// ctx is ada's.
var ctx = store.WithActor(context.Background(), store.Actor{User: "ada"})

func npm(s *store.Store) *store.Repo[meta] { return store.NewRepo[meta](s, store.NPM) }

// ver makes a version with one file per blob, named after the version.
func ver(id string, blobs ...store.Blob) version {
	v := version{ID: id}
	for i, b := range blobs {
		v.Files = append(v.Files, store.File{Name: fmt.Sprintf("%s-%d.tgz", id, i), Digest: b.Digest})
	}
	return v
}

func publish(t testing.TB, s *store.Store, name string, v version) {
	t.Helper()
	must(t, npm(s).Update(ctx, name, func(p *packageTx) error { return p.Publish(v) }))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func has(t testing.TB, s *store.Store, name, id string) bool {
	t.Helper()
	err := npm(s).View(ctx, name, func(p *packageTx) error { _, err := p.Version(id); return err })
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// body is what a client sends.
func body(text string) io.Reader { return strings.NewReader(text) }

// brokenBody ends with errMine.
type brokenBody struct{}

// Read implements io.Reader.
func (brokenBody) Read([]byte) (int, error) { return 0, errMine }
