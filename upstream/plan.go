package upstream

// This file says what a purge would drop, before it does.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"larder/store"
)

// Plan is what a purge would drop.
type Plan struct {
	Names []string // of packages, in their order
	Files int      // documents are not counted
	Bytes int64    // of the files
}

// ID changes when the packages do, or what is kept of them: a purge of what was shown is one of a plan with this ID.
func (p Plan) ID() string {
	sum := sha256.New()
	for _, name := range p.Names {
		sum.Write([]byte(name + "\x00"))
	}
	sum.Write(append(encodeNumber(int64(p.Files)), encodeNumber(p.Bytes)...))
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// PlanPurge is what Purge would drop, or with orphans PurgeOrphans. It reads a row of every package of the kind of
// which something is kept, and with orphans one of every file.
func (r *Registry) PlanPurge(ctx context.Context, k store.Kind, pattern string, orphans bool) (p Plan, err error) {
	err = r.eachKept(ctx, k, pattern, func(repo *store.Repo[entry], pkg store.Package, name string) error {
		files, size := pkg.Versions, pkg.Bytes
		if orphans {
			keys, bytes, err := r.orphansOf(ctx, k, repo, pkg.Name)
			if err != nil || len(keys) == 0 {
				return err
			}
			files, size = len(keys), bytes
		}
		if repo.Kind() == k.CachedFiles() {
			p.Files, p.Bytes = p.Files+files, p.Bytes+size
		}
		p.Names = append(p.Names, name)
		return nil
	})
	slices.Sort(p.Names)
	p.Names = slices.Compact(p.Names)
	return p, err
}
