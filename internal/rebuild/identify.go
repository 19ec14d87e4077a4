// Package rebuild identifies files that no record knows, and publishes them again as the clients of their protocols
// would. It is for larder check --rebuild.
package rebuild

// This file identifies files by asking every protocol.

import (
	"cmp"
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/cargo"
	"larder/composer"
	"larder/maven"
	"larder/npm"
	"larder/oci"
	"larder/pypi"
	"larder/rubygems"
	"larder/store"
)

// identifiers are asked in order; the first that knows the file decides. Composer is last, because jars and wheels are
// ZIP archives as well and may have a composer.json.
func identifiers() []func(io.ReaderAt, int64) (store.Found, bool) {
	return []func(io.ReaderAt, int64) (store.Found, bool){
		oci.Identify, rubygems.Identify, cargo.Identify, pypi.Identify, npm.Identify, maven.Identify, composer.Identify,
	}
}

// Identify looks at each wanted file of the folder data once, and then finds out which of the unknown ones belong to a
// manifest. The result is sorted by kind, name and version.
func Identify(ctx context.Context, data string, wanted func(store.Found) bool) ([]store.Found, error) {
	found := []store.Found{}
	parts, seen := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	err := store.WalkBlobs(ctx, data, func(f store.Found, path string) error {
		if seen[f.Digest] || !wanted(f) {
			return nil
		}
		seen[f.Digest] = true
		known, err := identify(path, f)
		if err == nil {
			found = append(found, known)
		}
		for _, d := range known.Parts {
			parts[d] = true
		}
		return err
	})
	for i, f := range found {
		if f.Confidence == store.Unknown && parts[f.Digest] {
			found[i].Kind, found[i].Confidence = store.OCI, store.Part
		}
	}
	slices.SortFunc(found, func(x, y store.Found) int {
		return cmp.Or(strings.Compare(string(x.Kind), string(y.Kind)), strings.Compare(x.Name, y.Name),
			strings.Compare(x.Version, y.Version), strings.Compare(string(x.Digest), string(y.Digest)))
	})
	return found, err
}

// identify asks the protocols about one file. A damaged file is unknown.
func identify(path string, f store.Found) (store.Found, error) {
	file, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer file.Close()
	for _, ask := range identifiers() {
		known, ok := ask(file, f.Size)
		if !ok {
			continue
		}
		known.Digest, known.Size, known.Orphan = f.Digest, f.Size, f.Orphan
		if known.Kind == store.OCI {
			known.Version = string(f.Digest)
		}
		return known, nil
	}
	return f, nil
}
