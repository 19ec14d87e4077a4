package store

// This file changes and reads one package inside a transaction.

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// PackageTx is one package inside a transaction. Besides its own methods it has those of the embedded part that do not
// depend on M: Package, tags, holds, tombstones, files and index tables.
type PackageTx[M any] struct {
	pkg
}

// versionHead is what the store itself needs of a version's record, whatever its M.
type versionHead struct {
	ID        string    `json:"id"`
	Published time.Time `json:"published"`
	By        string    `json:"by"`
	Entry     uint64    `json:"entry"`
	Source    Source    `json:"source"`
	Yanked    bool      `json:"yanked"`
	Files     []File    `json:"files"`
}

// Tx returns the transaction the package is read or changed in.
func (p *pkg) Tx() *Tx { return p.tx }

// Name returns the package's name.
func (p *pkg) Name() string { return p.name }

// Package returns the package's own record; ErrNotFound when nothing was ever published under the name. Counts include
// what this transaction changed, Gen and Updated do not.
func (p *pkg) Package() (Package, error) {
	if err := p.load(); err != nil {
		return Package{}, fmt.Errorf("%s package %.200q: %w", p.kind, p.name, err)
	}
	if !p.row.Listed {
		return Package{}, fmt.Errorf("%s package %.200q: %w", p.kind, p.name, ErrNotFound)
	}
	return p.row.Package, nil
}

// SetPackage changes Display, Private and Owners, and makes the package when it does not exist. Other fields are the
// store's.
func (p *pkg) SetPackage(fn func(*Package)) error {
	c := p.row.Package
	c.Owners = slices.Clone(c.Owners)
	fn(&c)
	p.row.Display, p.row.Private, p.row.Owners = c.Display, c.Private, c.Owners
	p.list()
	return nil
}

// Version returns the version called id; ErrNotFound.
func (p *PackageTx[M]) Version(id string) (v Version[M], err error) {
	ok, err := p.tx.row(bucketVersion, p.key(id), &v)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return Version[M]{}, fmt.Errorf("%s %s: version %.200q: %w", p.kind, p.name, id, err)
	}
	return v, nil
}

// Versions yields the versions whose ID is bytewise greater than after, in that order. An error ends the loop.
func (p *PackageTx[M]) Versions(after string) iter.Seq2[Version[M], error] {
	return func(yield func(Version[M], error) bool) {
		for k, b := range p.tx.scan(bucketVersion, p.prefix(), p.key(after)) {
			var v Version[M]
			err := decode(b, &v)
			if err != nil {
				err = fmt.Errorf("%s %s: version %s: %w", p.kind, p.name, lastPart(k), err)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// VersionIDs is Versions without reading the records.
func (p *pkg) VersionIDs(after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for k := range p.tx.scan(bucketVersion, p.prefix(), p.key(after)) {
			if !yield(lastPart(k), nil) {
				return
			}
		}
	}
}

// versionHead reads what the store needs of a version; ErrNotFound.
func (p *pkg) versionHead(id string) (h versionHead, err error) {
	ok, err := p.tx.row(bucketVersion, p.key(id), &h)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return h, fmt.Errorf("%s %s: version %.200q: %w", p.kind, p.name, id, err)
	}
	return h, nil
}

// head is a version's first file, the one that stands for it in a tag's history; zero when it has none.
func (p *pkg) head(id string) (File, error) {
	h, err := p.versionHead(id)
	if err != nil || len(h.Files) == 0 {
		return File{}, err
	}
	return h.Files[0], nil
}

// Publish adds a version: record, files, holds, counters and journal entry. ErrExists when the ID or a file name is
// taken or tombstoned, ErrNotFound when a file's blob is not committed, ErrInvalid, and what policies say of OpPublish
// (OpCache for a cached version).
func (p *PackageTx[M]) Publish(v Version[M]) error {
	if err := checkName("version", v.ID); err != nil {
		return err
	}
	if err := p.checkFree(v.ID); err != nil {
		return err
	}
	if err := p.tx.NeedRoom(); err != nil {
		return err
	}
	if v.Source == "" {
		v.Source = Hosted
	}
	if v.By == "" {
		v.By = p.tx.actor.User
	}
	if v.Published.IsZero() {
		v.Published = p.tx.now
	}
	v.Files = slices.Clone(v.Files)
	blobs, added, err := p.resolveFiles(v.ID, v.Files)
	if err != nil {
		return err
	}
	op := OpPublish
	if v.Source == Cached {
		op = OpCache
	}
	if err := p.ask(Change{Op: op, Version: v.ID, Bytes: added}); err != nil {
		return err
	}
	p.row.Versions++
	p.list()
	if err := p.link(v.ID, v.Files, blobs, v.By); err != nil {
		return err
	}
	note, _ := p.tx.ctx.Value(NoteKey{}).(string)
	v.Entry = p.tx.Log(Entry{Kind: p.kind, Package: p.name, Version: v.ID, Op: op, Bytes: added, Note: note})
	return p.tx.putRow(bucketVersion, p.key(v.ID), v)
}

// checkFree is nil when the version's name was never used, or used and given back.
func (p *pkg) checkFree(id string) error {
	if p.tx.get(bucketVersion, p.key(id)) != nil {
		return problem.Errorf(ErrExists, "version %s of %s exists already", id, p.name)
	}
	if p.Tombstone(id) {
		return problem.Errorf(ErrExists, "version %s of %s was deleted and cannot be published again", id, p.name)
	}
	return nil
}

// resolveFiles checks the files of version id and fills in their sizes. It returns the distinct blobs behind them and
// the bytes of those the package does not hold yet.
func (p *pkg) resolveFiles(id string, files []File) (blobs []Blob, added int64, err error) {
	names := make(map[string]bool, len(files))
	seen := make(map[digest.Digest]bool, len(files))
	for i := range files {
		f := &files[i]
		if err := p.fileName(id, f.Name, names); err != nil {
			return nil, 0, err
		}
		b, ok, err := p.tx.blob(f.Digest)
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			return nil, 0, fmt.Errorf("%s %s %s: blob %s of file %q: %w", p.kind, p.name, id, f.Digest, f.Name, ErrNotFound)
		}
		if f.Size != 0 && f.Size != b.Size {
			return nil, 0, problem.Errorf(ErrInvalid, "file %q has %d bytes, not %d", f.Name, b.Size, f.Size)
		}
		f.Size = b.Size
		if seen[b.Digest] {
			continue
		}
		seen[b.Digest] = true
		blobs = append(blobs, b)
		if _, held := p.Holds(b.Digest); !held {
			added += b.Size
		}
	}
	return blobs, added, nil
}

// fileName checks that a file's name is free for version id.
func (p *pkg) fileName(id, name string, names map[string]bool) error {
	if name == "" {
		return nil
	}
	if err := checkName("file name", name); err != nil {
		return err
	}
	owner := p.tx.get(bucketFile, p.key(name))
	if names[name] || (owner != nil && string(owner) != id) {
		return problem.Errorf(ErrExists, "file %s of %s exists already", name, p.name)
	}
	names[name] = true
	return nil
}

// link writes the file rows and holds of version id; a version's hold takes over from a loose one.
func (p *pkg) link(id string, files []File, blobs []Blob, by string) error {
	for _, f := range files {
		if f.Name == "" {
			continue
		}
		if err := p.tx.put(bucketFile, p.key(f.Name), []byte(id)); err != nil {
			return err
		}
	}
	for _, b := range blobs {
		if err := p.hold(b, id, by); err != nil {
			return err
		}
		if p.tx.get(bucketHold, p.key(string(b.Digest), "")) == nil {
			continue
		}
		if err := p.drop(b.Digest, ""); err != nil {
			return err
		}
	}
	return nil
}

// Replace changes metadata or files of an existing version; op says why, for policies and the journal. A zero
// Published, By or Source keeps what was, and Entry always does. ErrNotFound for the version or a new file's blob,
// ErrExists for a file name that another version has, and what policies say.
func (p *PackageTx[M]) Replace(v Version[M], op Op) error {
	old, err := p.versionHead(v.ID)
	if err != nil {
		return err
	}
	v.keep(old, p.tx.now)
	v.Files = slices.Clone(v.Files)
	blobs, added, err := p.resolveFiles(v.ID, v.Files)
	if err != nil {
		return err
	}
	if added > 0 || op == OpCache || op == OpPublish {
		if err := p.tx.NeedRoom(); err != nil {
			return err
		}
	}
	c := Change{Op: op, Version: v.ID, Bytes: added}
	if losesFile(old.Files, v.Files) {
		c.Replaces = v.ID
	}
	if err := p.ask(c); err != nil {
		return err
	}
	p.list()
	if err := p.link(v.ID, v.Files, blobs, p.tx.actor.User); err != nil {
		return err
	}
	if err := p.unlinkExcept(old, v.Files, blobs); err != nil {
		return err
	}
	p.tx.Log(Entry{Kind: p.kind, Package: p.name, Version: v.ID, Op: op, Bytes: added})
	return p.tx.putRow(bucketVersion, p.key(v.ID), v)
}

// keep takes over from the old record what the new one leaves open.
func (v *Version[M]) keep(old versionHead, now time.Time) {
	if v.Published.IsZero() {
		v.Published = old.Published
	}
	if v.By == "" {
		v.By = old.By
	}
	if v.Source == "" {
		v.Source = old.Source
	}
	v.Entry, v.Updated = old.Entry, now
}

// losesFile reports whether a file of old is gone or has other bytes in files.
func losesFile(old, files []File) bool {
	return slices.ContainsFunc(old, func(o File) bool {
		return !slices.ContainsFunc(files, func(f File) bool { return f.Name == o.Name && f.Digest == o.Digest })
	})
}

// unlinkExcept removes the file rows and holds of the old record that the new files and blobs do not need.
func (p *pkg) unlinkExcept(old versionHead, files []File, keep []Blob) error {
	for _, f := range old.Files {
		if f.Name != "" && !slices.ContainsFunc(files, func(n File) bool { return n.Name == f.Name }) {
			if err := p.tx.del(bucketFile, p.key(f.Name)); err != nil {
				return err
			}
		}
		b := Blob{Digest: p.tx.resolve(f.Digest), Size: f.Size}
		if slices.Contains(keep, b) || p.tx.get(bucketHold, p.key(string(b.Digest), old.ID)) == nil {
			continue
		}
		if err := p.loosen(b, old.ID); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes a version and every tag that points at it; its blobs stay readable for the grace period. With
// tombstone the ID can never be published again. ErrNotFound; ErrImmutable and ErrProtected from policies.
func (p *pkg) Delete(id string, tombstone bool) error {
	h, err := p.versionHead(id)
	if err != nil {
		return err
	}
	if err := p.ask(Change{Op: OpDelete, Version: id, Replaces: id}); err != nil {
		return err
	}
	if tombstone {
		if err := p.tx.putRow(bucketTombstone, p.key(id), tombstoneRow{Time: p.tx.now, By: p.tx.actor.User}); err != nil {
			return err
		}
	}
	if err := p.remove(h); err != nil {
		return err
	}
	p.tx.Log(Entry{Kind: p.kind, Package: p.name, Version: id, Op: OpDelete})
	return nil
}

// tombstoneRow says when and by whom an ID was taken out of use.
type tombstoneRow struct {
	Time time.Time `json:"time"`
	By   string    `json:"by,omitempty"`
}

// remove takes a version out of every table.
func (p *pkg) remove(h versionHead) error {
	var head File
	if len(h.Files) > 0 {
		head = h.Files[0]
	}
	for _, name := range slices.Collect(p.TagsOf(h.ID)) {
		t, err := p.Tag(name)
		if err != nil {
			return err
		}
		if err := p.ask(Change{Op: OpUntag, Version: h.ID, Tag: name, Replaces: h.ID}); err != nil {
			return err
		}
		if err := p.untag(t, head); err != nil {
			return err
		}
	}
	if err := p.unlinkExcept(h, nil, nil); err != nil {
		return err
	}
	p.row.Versions--
	p.change()
	return p.tx.del(bucketVersion, p.key(h.ID))
}

// Tombstone reports whether the ID was deleted for good.
func (p *pkg) Tombstone(id string) bool { return p.tx.get(bucketTombstone, p.key(id)) != nil }

// DeletePackage removes every version, tag, index row and listing, and the package itself. Tombstones and tag history
// stay, and its blobs stay readable for the grace period. ErrNotFound, and what policies say of any of it.
func (p *pkg) DeletePackage() error {
	if _, err := p.Package(); err != nil {
		return err
	}
	if err := p.ask(Change{Op: OpDeletePackage}); err != nil {
		return err
	}
	for id := range p.VersionIDs("") {
		h, err := p.versionHead(id)
		if err != nil {
			return err
		}
		if err := p.ask(Change{Op: OpDelete, Version: id, Replaces: id}); err != nil {
			return err
		}
		if err := p.remove(h); err != nil {
			return err
		}
	}
	for k := range p.tx.scan(bucketIndex, p.prefix(), nil) {
		if err := p.tx.del(bucketIndex, slices.Clone(k)); err != nil {
			return err
		}
	}
	if err := p.SetListing(nil); err != nil {
		return err
	}
	p.row.Listed, p.row.Private, p.row.Display, p.row.Owners = false, false, "", nil
	p.change()
	p.tx.Log(Entry{Kind: p.kind, Package: p.name, Op: OpDeletePackage})
	return nil
}

// File finds the version that has a file, and the file; ErrNotFound.
func (p *pkg) File(name string) (version string, f File, err error) {
	id := string(p.tx.get(bucketFile, p.key(name)))
	if id == "" {
		return "", File{}, fmt.Errorf("%s %s: file %.200q: %w", p.kind, p.name, name, ErrNotFound)
	}
	h, err := p.versionHead(id)
	if err != nil {
		return "", File{}, err
	}
	i := slices.IndexFunc(h.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return "", File{}, fmt.Errorf("%s %s: version %s lost file %q: %w", p.kind, p.name, id, name, ErrNotFound)
	}
	return id, h.Files[i], nil
}

// Index returns the protocol's own rows called name under this package; writing to them changes the package.
func (p *pkg) Index(name string) Table {
	return Table{tx: p.tx, bucket: bucketIndex, prefix: p.prefix(name), changed: p.change}
}

// KindIndex returns the protocol's own rows called name under the kind; writing to them drops the kind's documents.
func (p *pkg) KindIndex(name string) Table { return p.tx.kindIndex(p.kind, name) }

func (tx *Tx) kindIndex(k Kind, name string) Table {
	return Table{tx: tx, bucket: bucketIndex, prefix: prefix(string(k), "", name), changed: func() {
		tx.touched = append(tx.touched, slot{k, ""})
	}}
}
