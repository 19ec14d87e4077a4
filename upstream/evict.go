package upstream

// This file makes room: it notes what is used, and removes what is not.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"larder/store"
)

// uses remembers in memory when files were used last, what was missed, and what was confirmed, and writes it down now
// and then: a hit must not cost a transaction.
type uses struct {
	mu sync.Mutex // guards what follows
	pending
}

// pending is what is not written down yet.
type pending struct {
	last      map[useKey]int64 // size
	missed    map[useKey]int
	confirmed map[useKey]int64 // Unix seconds; the kind is that of the records
}

// useKey names a file that is kept.
type useKey struct {
	kind store.Kind
	pkg  string
	key  string
}

const (
	tableUses   = "upstream.uses"   // kind package key → Unix seconds of the last use, size
	tableMissed = "upstream.missed" // kind package key (reason) → how often it was missed
	maxPending  = 100_000           // names remembered between two flushes
)

func (u *uses) touch(k useKey, size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	set(&u.last, k, size)
}

func (u *uses) confirm(k useKey, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	set(&u.confirmed, k, at.Unix())
}

// set sets a number, unless there are too many.
func set[N int | int64](to *map[useKey]N, k useKey, n N) {
	if *to == nil {
		*to = map[useKey]N{}
	}
	if len(*to) < maxPending {
		(*to)[k] = n
	}
}

// miss returns how often it was missed since it was written down last.
func (u *uses) miss(kind store.Kind, name, key string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	k := useKey{kind, packageOf(name), key}
	n := u.missed[k] + 1
	set(&u.missed, k, n)
	return n
}

// take empties the memory.
func (u *uses) take() (all pending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	all, u.pending = u.pending, pending{}
	return all
}

// giveBack adds what could not be written down to what was noted since.
func (u *uses) giveBack(all pending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for k, size := range all.last {
		set(&u.last, k, size)
	}
	for k, n := range all.missed {
		set(&u.missed, k, u.missed[k]+n)
	}
	for k, at := range all.confirmed {
		set(&u.confirmed, k, max(at, u.confirmed[k]))
	}
}

func (k useKey) row() []byte { return []byte(string(k.kind) + "\x00" + k.pkg + "\x00" + k.key) }

func parseUse(row []byte) (k useKey, ok bool) {
	parts := strings.SplitN(string(row), "\x00", 3)
	if len(parts) != 3 {
		return k, false
	}
	return useKey{store.Kind(parts[0]), parts[1], parts[2]}, true
}

func number(raw []byte) int64 {
	if len(raw) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(raw))
}

func encodeNumber(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// Flush writes down what was used, missed, confirmed and not compared, in one transaction. It is a job. While the store
// takes no changes, it all stays in memory.
func (r *Registry) Flush(ctx context.Context) error {
	all, unsure := r.uses.take(), r.takeUnsure()
	if len(all.last)+len(all.missed)+len(all.confirmed)+len(unsure) == 0 {
		return nil
	}
	now := r.now().Unix()
	err := r.store.Update(ctx, func(tx *store.Tx) error {
		table := tx.Table(tableUses)
		for k, size := range all.last {
			if err := table.Put(k.row(), append(encodeNumber(now), encodeNumber(size)...)); err != nil {
				return err
			}
		}
		table = tx.Table(tableMissed)
		for k, n := range all.missed {
			if err := table.Put(k.row(), encodeNumber(number(table.Get(k.row()))+int64(n))); err != nil {
				return err
			}
		}
		table = tx.Table(tableConfirmed)
		for k, at := range all.confirmed {
			if err := table.Put(k.row(), encodeNumber(at)); err != nil {
				return err
			}
		}
		return writeUnsure(tx, unsure)
	})
	if err != nil {
		r.uses.giveBack(all)
		r.giveBackUnsure(unsure)
	}
	if errors.Is(err, store.ErrReadOnly) {
		return nil
	}
	return err
}

// Evict removes cached files, those that were not used for longest first, until the limits hold. What is hosted is
// never touched. It is a job.
func (r *Registry) Evict(ctx context.Context) error {
	if r.opt.CacheSize <= 0 && r.opt.CacheAge <= 0 {
		return nil
	}
	if err := r.Flush(ctx); err != nil {
		return err
	}
	total, err := r.Cached(ctx)
	if err != nil {
		return err
	}
	if r.opt.CacheAge <= 0 && total <= r.opt.CacheSize {
		return nil
	}
	list, err := r.oldest(ctx)
	if err != nil {
		return err
	}
	horizon := r.now().Add(-r.opt.CacheAge).Unix()
	for _, u := range list {
		full := r.opt.CacheSize > 0 && total > r.opt.CacheSize
		if !full && (r.opt.CacheAge <= 0 || u.last >= horizon) {
			break
		}
		freed, err := r.drop(ctx, u.useKey)
		if err != nil {
			return fmt.Errorf("evict %s %s %s: %w", u.kind, u.pkg, u.key, err)
		}
		total -= freed
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// Cached is how many bytes of files are kept. What was evicted does not count, although the disk has it until it is
// swept: otherwise each run would evict for it anew.
func (r *Registry) Cached(ctx context.Context) (total int64, err error) {
	list, err := r.oldest(ctx)
	for _, u := range list {
		total += u.size
	}
	return total, err
}

type use struct {
	useKey
	last, size int64
}

// oldest lists what is kept in the order of its last use.
func (r *Registry) oldest(ctx context.Context) (list []use, err error) {
	err = r.store.View(ctx, func(tx *store.Tx) error {
		list = list[:0]
		for k, v := range tx.Table(tableUses).Scan(nil, nil) {
			if key, ok := parseUse(k); ok {
				u := use{useKey: key, last: number(v)}
				if len(v) > 8 {
					u.size = number(v[8:])
				}
				list = append(list, u)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b use) int { return int(min(max(a.last-b.last, -1), 1)) })
	return list, err
}

// drop removes one file and its row; its bytes go with the next sweep.
func (r *Registry) drop(ctx context.Context, k useKey) (freed int64, err error) {
	repo := store.NewRepo[entry](r.store, k.kind.CachedFiles())
	err = r.store.Update(ctx, func(tx *store.Tx) error {
		freed = 0
		if err := tx.Table(tableUses).Delete(k.row()); err != nil {
			return err
		}
		if err := unconfirm(tx, repo.Kind(), k.pkg, k.key); err != nil {
			return err
		}
		err := repo.In(tx, k.pkg, func(tx *store.PackageTx[entry]) error {
			v, err := tx.Version(k.key)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			for _, f := range v.Files {
				freed += f.Size
			}
			return tx.Delete(k.key, false)
		})
		if err != nil {
			return err
		}
		return r.unlist(tx, k.kind, k.pkg)
	})
	return freed, err
}

// Purge drops what is kept of the packages of a kind whose names match, documents and files, so that they are fetched
// anew. It returns how many packages those were.
func (r *Registry) Purge(ctx context.Context, k store.Kind, pattern string) (n int, err error) {
	return r.purge(ctx, k, pattern, r.dropPackage)
}

// PurgeOrphans drops what is kept of packages whose names match if it is of registries that are not configured any
// more. It returns how many packages there was something of.
func (r *Registry) PurgeOrphans(ctx context.Context, k store.Kind, pattern string) (n int, err error) {
	return r.purge(ctx, k, pattern, r.dropOrphans)
}

// dropper drops what is to go of a package, and reports whether there was anything.
type dropper func(ctx context.Context, k store.Kind, repo *store.Repo[entry], name string) (bool, error)

func (r *Registry) purge(ctx context.Context, k store.Kind, pattern string, drop dropper) (n int, err error) {
	err = r.eachKept(ctx, k, pattern, func(repo *store.Repo[entry], p store.Package, name string) error {
		dropped, err := drop(ctx, k, repo, p.Name)
		if dropped {
			n++
		}
		if err == nil {
			r.sets[k].Forget(name)
		}
		return err
	})
	return n, err
}

// eachKept calls fn with what is kept of the packages of a kind whose names match: with the documents of all of them,
// then with the files.
func (r *Registry) eachKept(
	ctx context.Context, k store.Kind, pattern string,
	fn func(repo *store.Repo[entry], p store.Package, name string) error,
) error {
	// What is not stored yet is not listed.
	r.sets[k].settle(func(pkg string) bool { return store.Glob(pattern, r.sets[k].named(pkg)) })
	for _, kind := range []store.Kind{k.Documents(), k.CachedFiles()} {
		repo := store.NewRepo[entry](r.store, kind)
		for after := ""; ; {
			list, err := repo.Packages(ctx, after, 500)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			after = list[len(list)-1].Name
			for _, p := range list {
				name := r.sets[k].named(p.Name)
				if !store.Glob(pattern, name) {
					continue
				}
				if err := fn(repo, p, name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *Registry) dropPackage(ctx context.Context, k store.Kind, repo *store.Repo[entry], name string) (bool, error) {
	if repo.Kind() == k.Documents() {
		if err := r.sets[k].rememberAll(ctx, name); err != nil {
			return false, err
		}
	}
	err := r.change(ctx, k, repo, name, func(tx *store.PackageTx[entry]) error {
		if err := unconfirm(tx.Tx(), repo.Kind(), name); err != nil {
			return err
		}
		return errors.Join(tx.DeletePackage(), r.unpin(tx.Tx(), k, name))
	})
	if err == nil && repo.Kind() == k.CachedFiles() {
		err = r.forgetUses(ctx, k, name)
	}
	return err == nil, err
}

// change drops records of a package, and takes it off the list with the last one.
func (r *Registry) change(
	ctx context.Context, k store.Kind, repo *store.Repo[entry], pkg string, fn func(*store.PackageTx[entry]) error,
) error {
	return r.store.Update(ctx, func(tx *store.Tx) error {
		if err := repo.In(tx, pkg, fn); err != nil {
			return err
		}
		return r.unlist(tx, k, pkg)
	})
}

func (r *Registry) dropOrphans(ctx context.Context, k store.Kind, repo *store.Repo[entry], name string) (bool, error) {
	dropped := false
	keys, _, err := r.orphansOf(ctx, k, repo, name)
	for _, key := range keys {
		if repo.Kind() == k.CachedFiles() {
			_, err = r.drop(ctx, useKey{k, name, key})
		} else {
			err = r.dropDocument(ctx, k, repo, name, key)
		}
		if err != nil {
			return dropped, err
		}
		dropped = true
	}
	if dropped && r.sets[k] != nil {
		err = r.sets[k].relist(ctx, name)
	}
	return dropped, err
}

// orphansOf are the keys of what is kept of a package that is of no configured registry, and the bytes of the files.
func (r *Registry) orphansOf(
	ctx context.Context, k store.Kind, repo *store.Repo[entry], name string,
) (keys []string, size int64, err error) {
	err = repo.View(ctx, name, func(tx *store.PackageTx[entry]) error {
		keys, size = nil, 0
		for v, err := range tx.Versions("") {
			if err != nil {
				return err
			}
			if u := r.sets[k].source(v.Meta.Upstream); u == nil || u.gone {
				keys = append(keys, v.ID)
				for _, f := range v.Files {
					size += f.Size
				}
			}
		}
		return nil
	})
	return keys, size, err
}

// dropDocument removes one document.
func (r *Registry) dropDocument(
	ctx context.Context, k store.Kind, repo *store.Repo[entry], pkg, id string,
) error {
	return r.change(ctx, k, repo, pkg, func(tx *store.PackageTx[entry]) error {
		if err := unconfirm(tx.Tx(), repo.Kind(), pkg, id); err != nil {
			return err
		}
		return tx.Delete(id, false)
	})
}

// forgetUses drops the rows of a package's files.
func (r *Registry) forgetUses(ctx context.Context, k store.Kind, pkg string) error {
	if err := r.Flush(ctx); err != nil {
		return err
	}
	return r.store.Update(ctx, func(tx *store.Tx) error {
		table, first := tx.Table(tableUses), useKey{k, pkg, ""}.row()
		var rows [][]byte
		for row := range table.Scan(first, nil) {
			rows = append(rows, slices.Clone(row))
		}
		for _, row := range rows {
			if err := table.Delete(row); err != nil {
				return err
			}
		}
		return nil
	})
}

// How often the jobs Flush and Evict should run.
const (
	FlushEvery = time.Minute
	EvictEvery = 10 * time.Minute
)
