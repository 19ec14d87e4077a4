package registry

// JSON that belongs to a version: in its record while it is small, else in a blob.

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// MaxInline is the most bytes of JSON that stand in a record themselves: a transaction reads and writes records whole.
const MaxInline = 16 << 10

// Part is JSON in a version's record, or in a blob that is one of the version's files. The zero value is none.
type Part struct {
	JSON json.RawMessage `json:"json,omitempty"`
	Blob digest.Digest   `json:"blob,omitempty"`
}

// Keep sets to, a part of v's record, to raw. What is large is stored as a blob, and becomes a file of v.
func (g *Registry[M]) Keep(ctx context.Context, v *store.Version[M], to *Part, raw []byte) error {
	if len(raw) <= MaxInline {
		to.JSON = raw
		return nil
	}
	b, err := g.Store.PutBytes(ctx, raw)
	if err != nil {
		return err
	}
	to.Blob = b.Digest
	if !slices.ContainsFunc(v.Files, func(f store.File) bool { return f.Digest == b.Digest }) {
		v.Files = append(v.Files, store.File{Digest: b.Digest, Size: b.Size, Type: "application/json"})
	}
	return nil
}

// ReadPart reads what Keep has kept, at most limit bytes of it; nil when there is none.
func (g *Registry[M]) ReadPart(ctx context.Context, p Part, limit int64) ([]byte, error) {
	if p.Blob == "" {
		return p.JSON, nil
	}
	return g.Store.ReadBlob(ctx, p.Blob, limit)
}
