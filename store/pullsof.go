package store

// This file reads the pulls of some packages or versions, without those of all others.

import (
	"context"
)

// PullsOf counts the pulls of versions of a package; an empty version is the package as a whole, deleted versions
// included. What is not written down yet is counted.
func (s *Store) PullsOf(ctx context.Context, k Kind, name string, versions ...string) ([]Pulls, error) {
	keys := make([][2]string, len(versions))
	for i, v := range versions {
		keys[i] = [2]string{name, v}
	}
	return s.pullsOf(ctx, k, keys)
}

// PackagePulls counts the pulls of packages, deleted versions included. What is not written down yet is counted.
func (s *Store) PackagePulls(ctx context.Context, k Kind, names []string) ([]Pulls, error) {
	keys := make([][2]string, len(names))
	for i, name := range names {
		keys[i] = [2]string{name, ""}
	}
	return s.pullsOf(ctx, k, keys)
}

// pullsOf counts by name and version.
func (s *Store) pullsOf(ctx context.Context, k Kind, keys [][2]string) (out []Pulls, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out = make([]Pulls, len(keys))
		for i, id := range keys {
			if out[i], err = tx.pulls(key(string(k), id[0], id[1])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := map[[2]string][]int{}
	for i, id := range keys {
		at[id] = append(at[id], i)
	}
	shards := map[*pullShard]bool{}
	for _, id := range keys {
		shards[s.pulls.of(id[0])] = true
	}
	for shard := range shards {
		shard.Lock()
		for id, n := range shard.counts {
			if id.kind != k {
				continue
			}
			for _, row := range [][2]string{{id.name, id.version}, {id.name, ""}} {
				for _, i := range at[row] {
					out[i].add(id.day, n)
				}
			}
		}
		shard.Unlock()
	}
	return out, nil
}
