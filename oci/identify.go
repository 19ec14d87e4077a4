package oci

// This file tells a manifest from other bytes, for whoever looks at files that no record knows.

import (
	"cmp"
	"io"
	"slices"

	"larder/oci/manifest"
	"larder/store"
)

// Identify says what is known of a manifest: its digest is its version; the repository's name is not in it, except
// where an annotation has it. False for what is no manifest.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	const most = 4 << 20
	if size > most {
		return store.Found{}, false
	}
	body := make([]byte, size)
	if _, err := r.ReadAt(body, 0); err != nil && err != io.EOF {
		return store.Found{}, false
	}
	m, err := manifest.Parse("", body)
	if err != nil {
		return store.Found{}, false
	}
	f := store.Found{
		Kind: store.OCI, Name: m.Annotations["org.opencontainers.image.ref.name"],
		File: cmp.Or(m.MediaType, m.EffectiveType()), Confidence: store.Likely,
	}
	for _, d := range slices.Concat(m.References(), m.Children) {
		f.Parts = append(f.Parts, d.Digest)
	}
	return f, true
}
