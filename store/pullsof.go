package store

// This file reads the pulls of some packages or versions, without those of all others, and sums up those of a kind.

import (
	"context"
	"fmt"
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

// pulledPage is how many packages KindPulls reads in one transaction.
const pulledPage = 1000

// KindPulls counts the pulls of a kind's packages, deleted ones included: of those whose name sees accepts, or of all
// when sees is nil, which costs one row and not one for each version that was ever fetched. sees is called outside of
// transactions. What is not written down yet is counted.
func (s *Store) KindPulls(ctx context.Context, k Kind, sees func(name string) (bool, error)) (sum Pulls, err error) {
	if sees == nil {
		err = s.View(ctx, func(tx *Tx) error {
			sum, err = tx.kindPulls(k)
			return err
		})
		sees = func(string) (bool, error) { return true, nil }
	} else {
		sum, err = s.writtenPulls(ctx, k, sees)
	}
	if err != nil {
		return sum, err
	}
	for id, n := range s.pulls.ofKind(k) {
		ok, err := sees(id.name)
		if err != nil {
			return sum, err
		}
		if ok {
			sum.add(id.day, n)
		}
	}
	return sum, nil
}

// writtenPulls sums up the rows of the packages that sees accepts.
func (s *Store) writtenPulls(ctx context.Context, k Kind, sees func(name string) (bool, error)) (sum Pulls, err error) {
	sum = Pulls{Days: map[int64]int64{}, Months: map[int64]int64{}}
	start := prefix(string(k))
	for after := key(string(k), "", ""); after != nil; {
		var page map[string]Pulls
		err = s.View(ctx, func(tx *Tx) error {
			page, after, err = tx.pulledPackages(start, after)
			return err
		})
		if err != nil {
			return sum, err
		}
		for name, p := range page {
			ok, err := sees(name)
			if err != nil {
				return sum, err
			}
			if ok {
				sum.merge(p)
			}
		}
	}
	return sum, nil
}

// pulledPackages reads the pulls of the packages whose rows follow after, and the row to go on from; nil at the end.
func (tx *Tx) pulledPackages(start, after []byte) (page map[string]Pulls, next []byte, err error) {
	page = map[string]Pulls{}
	for row, v := range tx.scan(tablePulls, start, after) {
		if lastPart(row) != "" {
			continue // of a version
		}
		p, err := decodePulls(v)
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", row, err)
		}
		page[splitKey(row)[1]] = p
		if len(page) == pulledPage {
			return page, append(next, row...), nil
		}
	}
	return page, nil, nil
}

// merge adds the pulls of something else.
func (p *Pulls) merge(q Pulls) {
	p.Total += q.Total
	for day, n := range q.Days {
		p.Days[day] += n
	}
	for month, n := range q.Months {
		p.Months[month] += n
	}
	if q.Last.After(p.Last) {
		p.Last = q.Last
	}
}
