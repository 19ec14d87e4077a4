package storetest

// This file checks that no record names a blob which nothing keeps.

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"larder/store"
)

var digestText = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// checkReferences fails the test when a version's record names a blob that is not one of its files: it would be
// collected while documents still need it. OCI's manifests name what others hold, and have a test of their own.
func checkReferences(t testing.TB, s *store.Store) {
	t.Helper()
	for _, k := range store.Kinds() {
		for _, kind := range []store.Kind{k, k.Documents(), k.CachedFiles()} {
			if kind == store.OCI {
				continue
			}
			repo := store.NewRepo[json.RawMessage](s, kind)
			list, err := repo.Packages(context.Background(), "", 1000)
			if err != nil {
				t.Errorf("packages of %s: %v", kind, err)
			}
			for _, p := range list {
				checkPackage(t, repo, p.Name)
			}
		}
	}
}

// references are the blobs that a record names. Where something came from may have a digest in its address, as lists of
// referrers do, and is no reference: nobody looks for that blob here.
func references(record json.RawMessage) []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(record, &members) != nil {
		return digestText.FindAllString(string(record), -1)
	}
	var list []string
	for name, value := range members {
		if name != "url" && name != "ref" && name != "next" {
			list = append(list, digestText.FindAllString(name+" "+string(value), -1)...)
		}
	}
	return list
}

func checkPackage(t testing.TB, repo *store.Repo[json.RawMessage], name string) {
	t.Helper()
	err := repo.View(context.Background(), name, func(p *store.PackageTx[json.RawMessage]) error {
		n := 0
		for v, err := range p.Versions("") {
			if err != nil {
				return err
			}
			for _, d := range references(v.Meta) {
				if !slices.ContainsFunc(v.Files, func(f store.File) bool { return string(f.Digest) == d }) {
					t.Errorf("%s %s %s refers to %s, which is none of its files", repo.Kind(), name, v.ID, d)
				}
			}
			if n++; n == 1000 {
				break
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s %s: %v", repo.Kind(), name, err)
	}
}
