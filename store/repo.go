package store

// This file has the packages of one kind, and the row of a package.

import (
	"context"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
)

// Source says where a version came from.
type Source string

// The sources.
const (
	Hosted Source = "hosted" // published here
	Cached Source = "cached" // fetched from an upstream
)

// Version is one release of a package. M is what only the protocol understands; when its JSON can exceed 16 KiB, put
// it into a blob that is one of Files.
type Version[M any] struct {
	ID         string    `json:"id"`
	Published  time.Time `json:"published"`        // zero: the transaction's time
	Updated    time.Time `json:"updated,omitzero"` // of the last Replace
	By         string    `json:"by,omitempty"`     // user; "": the transaction's actor
	Entry      uint64    `json:"entry,omitempty"`  // of the journal, that it was published with; 0: not known
	Source     Source    `json:"source"`           // "": Hosted
	Yanked     bool      `json:"yanked,omitempty"`
	YankReason string    `json:"yank_reason,omitempty"`
	Files      []File    `json:"files,omitempty"`
	Meta       M         `json:"meta"`
}

// File is bytes of a version. A file with a name is unique within its package and found by PackageTx.File; one without
// (a layer, which many manifests share) is only held.
type File struct {
	Name   string            `json:"name,omitempty"`
	Digest digest.Digest     `json:"digest"`
	Size   int64             `json:"size"`
	Type   string            `json:"type,omitempty"` // media type
	Sums   map[string]string `json:"sums,omitempty"` // hex by algorithm, where the protocol needs more than Digest
}

// Package is a name and what is counted under it.
type Package struct {
	Name     string    `json:"-"`
	Display  string    `json:"display,omitempty"` // the name as its publisher spells it, where Name is normalised
	Private  bool      `json:"private,omitempty"` // anonymous users do not see it; with Owners, nobody else does
	Owners   []string  `json:"owners,omitempty"`  // users, where the protocol knows owners
	Gen      uint64    `json:"gen"`               // grows with every change
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
	Versions int       `json:"versions"`
	Tags     int       `json:"tags"`
	Bytes    int64     `json:"bytes"` // each blob once
}

// packageRow is the stored form. A row that is not Listed only counts blobs: of uploads that no version uses yet, or of
// deleted versions in their grace period. Nobody but Holds and the counters sees it.
type packageRow struct {
	Package
	Listed bool `json:"listed,omitempty"`
	// Since and By say when and through whom the name of a listed package became ours, unless it has a row of its own.
	// A zero Since is Created.
	Since time.Time `json:"since,omitzero"`
	By    string    `json:"by,omitempty"`
}

// Repo is the packages of one kind.
type Repo[M any] struct {
	s    *Store
	kind Kind
}

// NewRepo returns the packages of kind k in s.
func NewRepo[M any](s *Store, k Kind) *Repo[M] { return &Repo[M]{s: s, kind: k} }

// Kind returns the repository's kind.
func (r *Repo[M]) Kind() Kind { return r.kind }

// Update changes one package in one transaction; what Store.Update says of fn holds here too. When fn changed
// something, the package's generation grows with the commit, so that no cached document outlives Update.
func (r *Repo[M]) Update(ctx context.Context, name string, fn func(*PackageTx[M]) error) error {
	return r.s.Update(ctx, func(tx *Tx) error { return r.In(tx, name, fn) })
}

// View reads one package from one snapshot. The package need not exist.
func (r *Repo[M]) View(ctx context.Context, name string, fn func(*PackageTx[M]) error) error {
	return r.s.View(ctx, func(tx *Tx) error { return r.In(tx, name, fn) })
}

// touch tells a test which package is asked about.
func (s *Store) touch(k Kind, name string) {
	if s.opt.Touched != nil {
		s.opt.Touched(k, name)
	}
}

// In runs fn on a package inside a transaction that exists already, as Upload.Commit hands one out. Calls for the same
// package may follow each other, but must not be nested.
func (r *Repo[M]) In(tx *Tx, name string, fn func(*PackageTx[M]) error) error {
	if err := checkName("package name", name); err != nil {
		return err
	}
	r.s.touch(r.kind, name)
	p := &PackageTx[M]{pkg: pkg{tx: tx, kind: r.kind, name: name}}
	if tx.b.Writable() {
		if err := p.load(); err != nil {
			return fmt.Errorf("%s package %s: %w", r.kind, name, err)
		}
	}
	if err := fn(p); err != nil {
		return err
	}
	if err := p.flush(); err != nil {
		return fmt.Errorf("%s package %s: %w", r.kind, name, err)
	}
	return nil
}

// VersionIDs returns the IDs of all versions of a package, in bytewise order; none of a package that does not exist.
func (r *Repo[M]) VersionIDs(ctx context.Context, name string) (ids []string, err error) {
	err = r.View(ctx, name, func(tx *PackageTx[M]) error {
		ids = nil
		for id, err := range tx.VersionIDs("") {
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// KindIndex is PackageTx.KindIndex for what concerns no package.
func (r *Repo[M]) KindIndex(tx *Tx, name string) Table { return tx.kindIndex(r.kind, name) }

// Packages returns up to limit (0: all) packages whose name is bytewise greater than after, in that order.
func (r *Repo[M]) Packages(ctx context.Context, after string, limit int) (out []Package, err error) {
	return r.PackagesNamed(ctx, after, limit, func(string) (ok, stop bool) { return true, false })
}

// PackagesNamed is Packages of those whose names keep accepts, up to one at which it stops. No record of another one is
// read: a name costs 0.3 µs.
func (r *Repo[M]) PackagesNamed(
	ctx context.Context, after string, limit int, keep func(name string) (ok, stop bool),
) (out []Package, err error) {
	err = r.s.View(ctx, func(tx *Tx) error {
		out = nil
		for k, v := range tx.scan(bucketPackage, prefix(string(r.kind)), key(string(r.kind), after)) {
			name := lastPart(k)
			ok, stop := keep(name)
			if stop {
				return nil
			}
			if !ok {
				continue
			}
			var row packageRow
			if err := decode(v, &row); err != nil {
				return fmt.Errorf("%s packages: %w", r.kind, err)
			}
			if !row.Listed {
				continue
			}
			row.Name = name
			if out = append(out, row.Package); len(out) == limit {
				break
			}
		}
		return nil
	})
	return out, err
}

// Holders returns up to limit (0: all) packages of the kind that hold the blob, in name order after after.
func (s *Store) Holders(
	ctx context.Context, k Kind, d digest.Digest, after string, limit int,
) (names []string, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		d := string(tx.resolve(d))
		for row := range tx.scan(bucketHolder, prefix(d, string(k)), key(d, string(k), after)) {
			if names = append(names, lastPart(row)); len(names) == limit {
				break
			}
		}
		return nil
	})
	return names, err
}

// pkg is the part of a PackageTx that does not depend on M: one package in one transaction, its row loaded once and
// written back once.
type pkg struct {
	tx   *Tx
	kind Kind
	name string

	row     packageRow
	was     packageRow // as loaded; flush brings the kind's counters from it to row
	loaded  bool       // row and was are read: at once in a writing transaction, when asked for in a reading one
	dirty   bool       // row must be written
	changed bool       // something that documents show is different: the generation moves
}

// openPackage opens a package for code that does not know M: the sweeper and the check.
func openPackage(tx *Tx, k Kind, name string) (*pkg, error) {
	p := &pkg{tx: tx, kind: k, name: name}
	return p, p.load()
}

func (p *pkg) load() (err error) {
	if p.loaded {
		return nil
	}
	p.loaded = true
	_, err = p.tx.row(bucketPackage, p.key(), &p.row)
	p.row.Name = p.name
	p.was = p.row
	return err
}

// key is the key of a row of this package.
func (p *pkg) key(parts ...string) []byte {
	return key(append([]string{string(p.kind), p.name}, parts...)...)
}

// prefix is the start of the keys of this package's rows.
func (p *pkg) prefix(parts ...string) []byte { return append(p.key(parts...), 0) }

// change marks the package as changed: its generation moves and its row is written.
func (p *pkg) change() { p.dirty, p.changed = true, true }

// list makes the package visible.
func (p *pkg) list() {
	p.row.Listed = true
	p.change()
}

// flush writes the package's row and brings the kind's counters along.
func (p *pkg) flush() error {
	if !p.dirty {
		return nil
	}
	row, was, tx := &p.row, p.was, p.tx
	if p.changed {
		tx.touch(p.kind, p.name)
		row.Updated = tx.now
		row.Gen = max(uint64(tx.b.ID()), row.Gen+1)
	}
	if row.Created.IsZero() {
		row.Created = tx.now
		tx.touched = append(tx.touched, slot{p.kind, p.name}) // that it was not here may be remembered
	}
	if row.Listed && !was.Listed {
		if err := p.ownName(); err != nil {
			return err
		}
	} else if was.Listed && !row.Listed {
		if err := p.afterDelete(); err != nil {
			return err
		}
	}
	p.was, p.dirty, p.changed = *row, false, false
	if err := tx.count(statKindKey(p.kind), counter{
		Packages: listed(row) - listed(&was),
		Versions: int64(row.Versions - was.Versions),
		Tags:     int64(row.Tags - was.Tags),
		Bytes:    row.Bytes - was.Bytes,
	}); err != nil {
		return err
	}
	if !row.Listed && row.Bytes == 0 && !p.holdsAny() {
		return tx.del(bucketPackage, p.key())
	}
	return tx.putRow(bucketPackage, p.key(), row)
}

// holdsAny finds the zero-byte blob that Bytes does not show.
func (p *pkg) holdsAny() bool {
	for range p.tx.scan(bucketHold, p.prefix(), nil) {
		return true
	}
	return false
}

func statKindKey(k Kind) string { return string(key(statKind, string(k))) }

func listed(r *packageRow) int64 {
	if r.Listed {
		return 1
	}
	return 0
}
