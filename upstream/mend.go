package upstream

// This file mends copies whose bytes went bad on disk: where they came from they can be had again.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"larder/store"
)

// sound is k unless its bytes are known to be damaged: then it counts as not kept, and is fetched again.
func (s *Set) sound(k *kept) *kept {
	if k == nil || k.body != nil || s.r.store.Damaged(k.blob.Digest) == nil {
		return k
	}
	return nil
}

// lost is err of an attempt to fetch a file anew, unless nobody has it any more: then the truth is that what is here is
// damaged.
func (s *Set) lost(k *kept, err error) error {
	if k == nil || err == nil || !errors.Is(err, ErrOffline) && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if damaged := s.r.store.Damaged(k.blob.Digest); damaged != nil {
		return damaged
	}
	return err
}

// Mend fetches again the copied files that the store knows to be damaged, and drops damaged documents, so that the next
// request fetches them. It returns how many were fetched. Trouble with an upstream is logged and leaves the damage as
// it is. It is a job's part.
func (r *Registry) Mend(ctx context.Context) (fetched int, err error) {
	if r == nil || r.store.DamagedBlobs() == 0 {
		return 0, nil
	}
	damages, err := r.store.Damages(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range damages {
		for _, at := range d.Where {
			if !at.Copy || r.store.Damaged(d.Digest) == nil {
				continue
			}
			done, err := r.sets[at.Kind].mend(ctx, at, d)
			if done {
				fetched++
			}
			if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrReadOnly) || ctx.Err() != nil {
				return fetched, err
			}
			if err != nil {
				r.log.WarnContext(ctx, "a damaged copy cannot be fetched again", "copy", at.String(), "error", err)
			}
		}
	}
	return fetched, nil
}

// mend fetches or drops one copy; done says that its bytes are right again.
func (s *Set) mend(ctx context.Context, at store.Place, d store.Damage) (done bool, err error) {
	if s == nil {
		return false, nil
	}
	if k, err := load(ctx, s.bytes, s.files, at.Package, at.Version); err != nil || k != nil && k.blob.Digest == d.Digest {
		if err != nil {
			return false, err
		}
		return s.mendFile(ctx, at, k)
	}
	k, err := load(ctx, s.known, s.docs, at.Package, at.Version)
	if err != nil || k == nil || k.blob.Digest != d.Digest {
		return false, err
	}
	if u := s.source(k.Upstream); u == nil || s.off(u) {
		return false, nil
	}
	err = s.r.dropDocument(ctx, s.kind, s.docs, at.Package, at.Version)
	if errors.Is(err, store.ErrNotFound) {
		err = nil // somebody fetched it meanwhile
	}
	return false, err
}

// mendFile fetches a file from where it came from; only the same bytes count.
func (s *Set) mendFile(ctx context.Context, at store.Place, k *kept) (bool, error) {
	u := s.source(k.Upstream)
	if u == nil || s.off(u) || k.Made {
		return false, nil
	}
	name := s.named(at.Package)
	if name == listings {
		name = ""
	}
	if _, err := s.chain(ctx, name); err != nil {
		return false, fmt.Errorf("it may not be asked for: %w", err)
	}
	place := Place{
		Upstream: u, Ref: cmp.Or(k.Ref, k.URL), Accept: k.Accept, Scope: k.Scope, Type: k.Type, Size: k.blob.Size,
	}
	place.Sums = maps.Clone(k.sums)
	if place.Sums == nil {
		place.Sums = map[string]string{}
	}
	place.Keep = slices.Sorted(maps.Keys(k.sums))
	place.Sums["sha256"] = k.blob.Digest.Encoded()
	f, err := s.join(
		ctx,
		FileQuery{
			Package: s.named(at.Package), Key: at.Version, Find: func(context.Context) (Place, error) { return place, nil },
		},
	)
	if err != nil {
		return false, err
	}
	_, err = f.Wait(ctx)
	return err == nil, errors.Join(err, f.Close())
}
