package store

// This file compares every record with those it depends on, and blobs with their files.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

// CheckOptions says how thorough Check is.
type CheckOptions struct {
	Deep     bool                    // also read and hash every blob
	Progress func(done, total int64) // blobs, or bytes when Deep; nil: silent
}

// Problem is one thing that should not be.
type Problem struct {
	Kind    Kind   `json:"kind,omitempty"`
	Package string `json:"package,omitempty"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest,omitempty"`
	What    string `json:"what"`
}

// String is one line for a person.
func (p Problem) String() string {
	var b bytes.Buffer
	for _, s := range []string{string(p.Kind), p.Package, p.Version, p.Digest} {
		if s != "" {
			b.WriteString(s + " ")
		}
	}
	return b.String() + p.What
}

// CheckReport is what Check found.
type CheckReport struct {
	Problems []Problem `json:"problems"`
	Blobs    int64     `json:"blobs"`
	Bytes    int64     `json:"bytes"`
	Packages int64     `json:"packages"`
	Versions int64     `json:"versions"`
	Orphans  int64     `json:"orphans"` // files without a record: what a crash may leave, and Reconcile removes
}

// Check looks at the pages of the database, then compares every record with those it depends on, the counters with a
// recount, and the records of blobs with the files. The store may be in use: reads happen in slices, and what a slice
// says is judged within it; only writers wait while the pages are looked at. With damaged pages it ends there.
func (s *Store) Check(ctx context.Context, o CheckOptions) (CheckReport, error) {
	c := &checker{s: s, ctx: ctx, o: o, bad: map[string]bool{}}
	err := c.pages()
	steps := []func() error{c.rows, c.counters, c.blobs, c.orphans}
	for _, step := range steps {
		if err == nil && !c.broken {
			err = step()
		}
	}
	if err != nil {
		return c.report, fmt.Errorf("check: %w", err)
	}
	return c.report, nil
}

type checker struct {
	s      *Store
	ctx    context.Context
	o      CheckOptions
	report CheckReport
	broken bool            // the pages are damaged: nothing else can be looked at
	bad    map[string]bool // rows that were reported as unreadable, by table and key
}

// checkSlice is how many rows one read transaction of a check looks at.
const checkSlice = 2000

// rowCheck looks at one row and at the rows it depends on.
type rowCheck func(tx *Tx, k []byte, v []byte) error

// rows runs the check of each table.
func (c *checker) rows() error {
	tables := []struct {
		bucket string
		check  rowCheck
	}{
		{bucketVersion, c.version},
		{bucketFile, c.file},
		{bucketTag, c.tag},
		{bucketTagged, c.tagged},
		{bucketHold, c.hold},
		{bucketHolder, c.holder},
		{bucketTombstone, c.tombstone},
		{bucketAlias, c.alias},
		{bucketPackage, decodes[packageRow]},
		{bucketTagHistory, decodes[TagEvent]},
		{bucketJournal, c.entry},
		{bucketReview, review},
		{bucketName, decodes[nameRow]},
		{bucketJournalIndex, c.indexRow},
	}
	for _, t := range tables {
		r := &slicer{s: c.s, ctx: c.ctx}
		if err := r.each(t.bucket, c.readable(t.bucket, t.check)); err != nil {
			return fmt.Errorf("%s: %w", t.bucket, err)
		}
	}
	return nil
}

// badRow reports something about a row whose key starts with kind, package and a third part, a version unless it is
// named otherwise in what.
func (c *checker) badRow(k []byte, format string, args ...any) {
	p := Problem{What: fmt.Sprintf(format, args...)}
	parts := append(splitKey(k), "", "", "")
	p.Kind, p.Package, p.Version = Kind(parts[0]), parts[1], parts[2]
	c.report.Problems = append(c.report.Problems, p)
}

func (c *checker) badBlob(d digest.Digest, format string, args ...any) {
	c.report.Problems = append(c.report.Problems, Problem{Digest: string(d), What: fmt.Sprintf(format, args...)})
}

// at opens the package of a row whose key starts with kind and package.
func at(tx *Tx, k []byte) (p *pkg, rest string, err error) {
	parts := bytes.SplitN(k, []byte{0}, 3)
	if len(parts) != 3 {
		return nil, "", fmt.Errorf("key %q: %w", k, ErrFormat)
	}
	p, err = openPackage(tx, Kind(parts[0]), string(parts[1]))
	return p, string(parts[2]), err
}

func (c *checker) version(tx *Tx, k, v []byte) error {
	p, id, err := at(tx, k)
	if err != nil {
		return err
	}
	var h versionHead
	if err := decode(v, &h); err != nil {
		c.badRow(k, "the record cannot be read: %v", err)
		return nil
	}
	if h.ID != id {
		c.badRow(k, "the record says it is version %q", h.ID)
	}
	if !p.row.Listed {
		c.badRow(k, "the package has no record")
	}
	for _, f := range h.Files {
		if f.Name != "" && string(tx.get(bucketFile, p.key(f.Name))) != id {
			c.badRow(k, "file %q cannot be found by its name", f.Name)
		}
		b, ok, err := tx.blob(f.Digest)
		switch {
		case err != nil:
			return err
		case !ok:
			c.badRow(k, "blob %s of file %q has no record", f.Digest, f.Name)
		case b.Size != f.Size:
			c.badRow(k, "file %q has %d bytes, its blob %d", f.Name, f.Size, b.Size)
		case tx.get(bucketHold, p.key(string(b.Digest), id)) == nil:
			c.badRow(k, "blob %s of file %q is not held", f.Digest, f.Name)
		}
	}
	return nil
}

func (c *checker) file(tx *Tx, k, v []byte) error {
	p, name, err := at(tx, k)
	if err != nil {
		return err
	}
	h, err := p.versionHead(string(v))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if !slices.ContainsFunc(h.Files, func(f File) bool { return f.Name == name }) {
		c.badRow(k, "the file's row names version %q, which does not have it", v)
	}
	return nil
}

func (c *checker) tag(tx *Tx, k, _ []byte) error {
	p, name, err := at(tx, k)
	if err != nil {
		return err
	}
	t, err := p.Tag(name)
	if err != nil {
		return err
	}
	if tx.get(bucketVersion, p.key(t.Version)) == nil {
		c.badRow(k, "the tag points at version %q, which does not exist", t.Version)
	}
	if tx.get(bucketTagged, p.key(t.Version, name)) == nil {
		c.badRow(k, "the tag is not listed at version %q", t.Version)
	}
	return nil
}

func (c *checker) tagged(tx *Tx, k, _ []byte) error {
	p, rest, err := at(tx, k)
	if err != nil {
		return err
	}
	parts := splitKey([]byte(rest))
	t, err := p.Tag(parts[len(parts)-1])
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if t.Version != parts[0] {
		c.badRow(k, "the version lists tag %q, which points at %q", parts[len(parts)-1], t.Version)
	}
	return nil
}

func (c *checker) hold(tx *Tx, k, v []byte) error {
	p, _, err := at(tx, k)
	if err != nil {
		return err
	}
	parts := splitKey(k)
	d, id := digest.Digest(parts[2]), parts[3]
	if _, held := p.Holds(d); !held {
		c.badRow(k, "the hold of version %q has no holder row", id)
	}
	if id == "" {
		return nil
	}
	h, err := p.versionHead(id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if !slices.ContainsFunc(h.Files, func(f File) bool { return tx.resolve(f.Digest) == d }) {
		c.badRow(k, "version %q holds a blob it does not have", id)
	}
	return nil
}

func (c *checker) holder(tx *Tx, k, v []byte) error {
	parts := splitKey(k)
	d := digest.Digest(parts[0])
	p, err := openPackage(tx, Kind(parts[1]), parts[2])
	if err != nil {
		return err
	}
	var row holderRow
	if err := decode(v, &row); err != nil {
		return err
	}
	held := false
	for range tx.scan(bucketHold, p.prefix(string(d)), nil) {
		held = true
		break
	}
	b, ok, err := tx.blob(d)
	switch {
	case err != nil:
		return err
	case !held:
		c.badRow(p.key(""), "the right to read %s has no reason", d)
	case !ok:
		c.badRow(p.key(""), "blob %s is held but has no record", d)
	case b.Size != row.Size:
		c.badRow(p.key(""), "blob %s counts %d bytes and has %d", d, row.Size, b.Size)
	case tx.get(bucketPackage, p.key()) == nil:
		c.badRow(p.key(""), "blob %s is held but the package counts nothing", d)
	}
	return nil
}

func (c *checker) tombstone(tx *Tx, k, _ []byte) error {
	if tx.get(bucketVersion, k) != nil {
		c.badRow(k, "the version exists and is deleted for good")
	}
	return nil
}

func (c *checker) alias(tx *Tx, k, v []byte) error {
	if bytes.IndexByte(k, 0) < 0 && tx.get(bucketBlob, v) == nil {
		c.badBlob(digest.Digest(k), "is an alias of %s, which has no record", v)
	}
	return nil
}

// blobs compares the records of blobs with the files.
func (c *checker) blobs() error {
	total := c.report.Blobs
	if c.o.Deep {
		total = c.report.Bytes
	}
	var done int64
	r := &slicer{s: c.s, ctx: c.ctx, outside: true}
	return r.each(bucketBlob, c.readable(bucketBlob, func(_ *Tx, k, v []byte) error {
		var row blobRow
		if err := decode(v, &row); err != nil {
			return fmt.Errorf("blob %s: %w", k, err)
		}
		if _, err := ParseDigest(string(k)); err != nil {
			return fmt.Errorf("blob %q: %w", k, ErrFormat)
		}
		b := Blob{Digest: digest.Digest(k), Size: row.Size}
		if what := c.bytes(b); what != "" && c.blobExists(b.Digest) {
			if err := c.damagedBlob(b, what); err != nil {
				return err
			}
		}
		if done++; c.o.Deep {
			done += b.Size - 1
		}
		if c.o.Progress != nil {
			c.o.Progress(done, max(done, total))
		}
		return c.ctx.Err()
	}))
}

// bytes says what is wrong with a blob's file, or "". What it finds is noted: nobody is given those bytes any more.
func (c *checker) bytes(b Blob) string {
	look := c.s.Sound
	if c.o.Deep {
		look = func(ctx context.Context, b Blob) error { return c.s.examine(ctx, b, nil) }
	}
	err := look(c.ctx, b)
	row, known := c.s.damages.get(b.Digest)
	switch {
	case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, ErrBusy):
		return ""
	case known:
		return "the file is damaged: " + row.What
	}
	return fmt.Sprintf("the file cannot be read: %v", err)
}

// damagedBlob reports a damaged blob at each place that needs it.
func (c *checker) damagedBlob(b Blob, what string) error {
	places, err := c.s.placesOf(c.ctx, b.Digest)
	if err != nil || len(places) == 0 {
		c.badBlob(b.Digest, "%s", what)
		return err
	}
	for _, p := range places {
		text := what
		if p.File != "" {
			text = p.File + ": " + what
		}
		c.report.Problems = append(
			c.report.Problems,
			Problem{Kind: p.Kind, Package: p.Package, Version: p.Version, Digest: string(b.Digest), What: text},
		)
	}
	return nil
}

// blobExists reports whether the blob has not been swept while its file was looked at.
func (c *checker) blobExists(d digest.Digest) bool {
	_, err := c.s.lookup(c.ctx, d)
	return err == nil
}

// orphans counts the files that no record knows.
func (c *checker) orphans() error {
	for i := range disk.Shards {
		entries, err := c.s.files.ReadShard(i)
		if err != nil {
			return fmt.Errorf("read %s: %w", disk.BlobsDir, err)
		}
		err = c.s.View(c.ctx, func(tx *Tx) error {
			for _, e := range entries {
				if tx.get(bucketBlob, []byte("sha256:"+e.Name())) == nil {
					c.report.Orphans++
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
