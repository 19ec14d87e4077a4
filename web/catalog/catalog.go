// Package catalog is what is here, over all kinds: searches, lists, what came lately, and how often it is fetched. The
// pages and the API ask it, so that both say the same. What a client may not see is left out, everywhere.
//
//	catalog.go   Catalog; counts, what came lately      find.go   searches, lists, rows
//	site.go      addresses, who may ask
package catalog

import (
	"cmp"
	"context"
	"slices"
	"time"

	"larder/internal/describe"
	"larder/internal/wire"
	"larder/store"
)

// Kind is a protocol that is switched on.
type Kind struct {
	Kind store.Kind
	// Path is where clients find it below the base URL.
	Path string
	// Describe answers for its packages; nil: nothing is shown of them.
	Describe describe.Kind
}

// Catalog asks the kinds that are switched on.
type Catalog struct {
	d     wire.Deps
	store *store.Store
	all   []Kind // in the order of store.Kinds
	now   func() time.Time
}

// New returns a catalog; now is the time up to which pulls are counted.
func New(d wire.Deps, kinds []Kind, now func() time.Time) *Catalog {
	kinds = slices.Clone(kinds)
	slices.SortStableFunc(kinds, func(a, b Kind) int {
		return cmp.Compare(slices.Index(store.Kinds(), a.Kind), slices.Index(store.Kinds(), b.Kind))
	})
	return &Catalog{d: d, store: d.Store, all: kinds, now: now}
}

// Kinds are the kinds that are switched on, in the order of store.Kinds.
func (c *Catalog) Kinds() []Kind { return c.all }

// Kind is a kind that is switched on; nil when it is not, or shows nothing.
func (c *Catalog) Kind(k store.Kind) *Kind {
	for i := range c.all {
		if c.all[i].Kind == k && c.all[i].Describe != nil {
			return &c.all[i]
		}
	}
	return nil
}

// Count is how much is here of a kind.
type Count struct {
	Kind store.Kind `json:"kind"`
	// Path is where clients find it below the base URL.
	Path string `json:"path"`
	// Hosted are packages that are published here, Copies those of which files of an upstream are kept.
	Hosted int64 `json:"hosted"`
	Copies int64 `json:"copies"`
	// Bytes is what both take, each blob once a package.
	Bytes int64 `json:"bytes"`
}

// Counts are those of all kinds, and the bytes of all blobs.
func (c *Catalog) Counts(ctx context.Context) (list []Count, bytes int64, err error) {
	stats, err := c.store.Stats(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, k := range c.all {
		own, files, docs := stats.Kinds[k.Kind], stats.Kinds[k.Kind.CachedFiles()], stats.Kinds[k.Kind.Documents()]
		list = append(list, Count{
			Kind: k.Kind, Path: k.Path, Hosted: own.Packages, Copies: stats.Kinds[k.Kind.Copies()].Packages,
			Bytes: own.Bytes + files.Bytes + docs.Bytes,
		})
	}
	return list, stats.BlobBytes, nil
}

// Recent is a package to which something happened.
type Recent struct {
	Kind store.Kind `json:"kind"`
	Name string     `json:"name"`
	// Version is the name of its latest version.
	Version string    `json:"version,omitempty"`
	Time    time.Time `json:"time"`
}

// recentRead is how many entries of the journal are looked at.
const recentRead = 200

// Lately are up to limit packages to which op, store.OpPublish or store.OpCache, happened last and that the client
// sees, each once.
func (c *Catalog) Lately(ctx context.Context, op store.Op, limit int) (out []Recent, err error) {
	entries, err := c.store.EntriesBefore(ctx, store.EntryFilter{Op: op}, 0, recentRead)
	if err != nil {
		return nil, err
	}
	seen := map[[2]string]bool{}
	for _, e := range entries {
		k, name := c.Named(e)
		if id := [2]string{string(e.Kind), name}; k == nil || seen[id] {
			continue
		} else {
			seen[id] = true
		}
		one, ok, err := k.recent(ctx, name, e.Time)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, one)
		}
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// Named is the kind and name of what an entry is about, nil when nothing is shown of it: copies of files have a kind of
// their own.
func (c *Catalog) Named(e store.Entry) (*Kind, string) {
	for i := range c.all {
		k := &c.all[i]
		switch {
		case k.Describe == nil:
		case e.Kind == k.Kind:
			return k, e.Package
		case e.Kind == k.Kind.CachedFiles():
			return k, k.Describe.KeptName(e.Package)
		}
	}
	return nil, ""
}

// recent is a package in a list of what happened, if it is still here and the client sees it.
func (k *Kind) recent(ctx context.Context, name string, at time.Time) (out Recent, ok bool, err error) {
	sees, err := k.Describe.Sees(ctx, name)
	if err != nil || !sees {
		return out, false, err
	}
	p, err := k.Describe.Package(ctx, name, false)
	if isGone(err) {
		return out, false, nil
	}
	return Recent{k.Kind, p.Name, p.Latest.Name, at}, err == nil, err
}
