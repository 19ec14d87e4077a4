package oci

// Pushing manifests, with the tags that point at them, and restoring tags.

import (
	"context"
	_ "crypto/sha512" // go-digest looks the algorithm up
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/oci/manifest"
	"larder/store"
)

// putManifest is end-7a and end-7b. Manifest, references, referrers row, tags and their history are one transaction.
func (s *server) putManifest(w http.ResponseWriter, r *http.Request, q Request) error {
	if err := checkFullName(r.Host, q.Name); err != nil {
		return err
	}
	if err := s.mayPush(r, q); err != nil {
		return err
	}
	body, err := wire.ReadBody(r, s.opt.MaxManifest)
	if errors.Is(err, store.ErrTooLarge) {
		return faultf(codeManifestInvalid, store.ErrTooLarge, "the manifest is larger than %d bytes", s.opt.MaxManifest)
	}
	if err != nil {
		return err
	}
	d, tags := q.Digest, q.Tags
	if !q.byDigest() {
		d, tags = digest.FromBytes(body), []string{q.Tag}
	} else if got := d.Algorithm().FromBytes(body); got != d {
		return faultf(codeDigestInvalid, store.ErrDigest, "provided digest did not match uploaded content, which has %s", got)
	}
	m, err := manifest.Parse(r.Header.Get("Content-Type"), body)
	if err != nil {
		return err
	}
	p := &push{
		s: s, name: q.Name, digest: d, manifest: m, tags: tags, match: matchOf(r),
		create: !s.mayOverwrite(r.Context(), q.Name),
	}
	if err := p.commit(r.Context(), body); err != nil {
		return err
	}
	h := w.Header()
	if m.Subject != nil {
		h.Set("OCI-Subject", m.Subject.Digest.String())
	}
	for _, t := range q.Tags {
		h.Add("OCI-Tag", t)
	}
	if p.sparse > 0 {
		wire.Warn(h, fmt.Sprintf("the manifest refers to %d objects that %s does not have", p.sparse, q.Name))
	}
	return created(w, s.manifestPath(q, d), d)
}

// mayOverwrite reports whether the identity may move existing tags, or only make new ones.
func (s *server) mayOverwrite(ctx context.Context, name string) bool {
	return s.May(ctx, auth.Write, name) == nil
}

// push is a manifest that is being pushed to a repository.
type push struct {
	s        *server
	name     string
	digest   digest.Digest // under which the client pushed it
	manifest manifest.Manifest
	tags     []string
	match    match
	create   bool // existing tags must not move

	sparse int             // number of references that the repository does not have and need not have
	wanted []digest.Digest // blobs that the repository does not have: they belong to the manifest when they come
}

// commit stores the bytes, then everything about them in one transaction.
func (p *push) commit(ctx context.Context, body []byte) error {
	_, err := p.s.Store.PutBytesWith(ctx, body, func(tx *store.Tx, b store.Blob) error {
		return p.s.Repo.In(tx, p.name, func(tx *store.PackageTx[Meta]) error { return p.link(tx, b) })
	})
	return err
}

// link gives the repository the manifest and its tags.
func (p *push) link(tx *store.PackageTx[Meta], b store.Blob) error {
	if err := p.record(tx, b); err != nil {
		return err
	}
	for _, t := range p.tags {
		if err := p.setTag(tx, t); err != nil {
			return err
		}
	}
	return nil
}

// record makes the manifest a version of the repository, unless it is one.
func (p *push) record(tx *store.PackageTx[Meta], b store.Blob) error {
	files, err := p.files(tx, b)
	if err != nil {
		return err
	}
	known, exists := decodeManifestRow(tx.Index(indexManifests).Get([]byte(p.digest)))
	if len(p.tags) == 0 {
		if err := p.match.check(p.digest.String(), p.digest.String(), exists); err != nil {
			return err
		}
	}
	if exists {
		if known.mediaType != p.manifest.MediaType {
			return faultf(
				codeManifestInvalid, store.ErrInvalid, "the manifest is stored as %s already and cannot become %s", known.mediaType,
				p.manifest.MediaType,
			)
		}
		return p.complete(tx, files)
	}
	if err := tx.Tx().SetAlias(p.digest, b); err != nil {
		return err
	}
	v := store.Version[Meta]{ID: p.digest.String(), Files: files, Meta: metaOf(&p.manifest, b.Size)}
	if err := tx.Publish(v); err != nil {
		return err
	}
	row := manifestRow{size: b.Size, blob: b.Digest, mediaType: p.manifest.MediaType}
	if err := tx.Index(indexManifests).Put([]byte(p.digest), row.encode()); err != nil {
		return err
	}
	if err := p.addWanted(tx); err != nil {
		return err
	}
	return p.addReferrer(tx, b.Size)
}

// addWanted notes which blobs become part of the manifest when they come.
func (p *push) addWanted(tx *store.PackageTx[Meta]) error {
	for _, d := range p.wanted {
		if err := tx.Index(indexWanted).Put(referrerKey(d, p.digest), []byte{1}); err != nil {
			return err
		}
	}
	return nil
}

// complete adds to a manifest that is here already the blobs that have come since, in whatever way.
func (p *push) complete(tx *store.PackageTx[Meta], files []store.File) error {
	v, err := tx.Version(p.digest.String())
	if err != nil {
		return err
	}
	was := len(v.Files)
	for _, f := range files {
		if !slices.ContainsFunc(v.Files, func(o store.File) bool { return o.Digest == f.Digest }) {
			v.Files = append(v.Files, f)
		}
	}
	if len(v.Files) == was {
		return nil
	}
	return tx.Replace(v, store.OpReplace)
}

// adopt makes a blob part of the manifests that were pushed before it.
func adopt(tx *store.PackageTx[Meta], blob digest.Digest) error {
	wanted := tx.Index(indexWanted)
	for k := range wanted.Scan(referrerKey(blob, ""), nil) {
		id := string(k[len(blob)+1:])
		if err := wanted.Delete([]byte(blob.String() + "\x00" + id)); err != nil {
			return err
		}
		v, err := tx.Version(id)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		v.Files = append(v.Files, store.File{Digest: blob})
		if err := tx.Replace(v, store.OpReplace); err != nil {
			return err
		}
	}
	return nil
}

// addReferrer writes the row by which the subject's referrers are listed.
func (p *push) addReferrer(tx *store.PackageTx[Meta], size int64) error {
	if p.manifest.Subject == nil {
		return nil
	}
	row, err := encodeReferrer(&p.manifest, p.digest, size)
	if err != nil {
		return err
	}
	return tx.Index(indexReferrers).Put(referrerKey(p.manifest.Subject.Digest, p.digest), row)
}

// files lists what the version holds: the manifest first, then its blobs, each of which this repository must have.
func (p *push) files(tx *store.PackageTx[Meta], b store.Blob) ([]store.File, error) {
	files := []store.File{{Digest: b.Digest, Size: b.Size, Type: p.manifest.MediaType}}
	seen := map[digest.Digest]bool{}
	var missing []string
	p.sparse, p.wanted = 0, nil
	for _, d := range p.manifest.References() {
		if seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		if _, ok := tx.Holds(d.Digest); ok {
			files = append(files, store.File{Digest: d.Digest, Type: d.MediaType})
			continue
		}
		p.wanted = append(p.wanted, d.Digest)
		switch {
		case d.Foreign():
		case p.s.opt.SparseImages:
			p.sparse++
		default:
			missing = append(missing, d.Digest.String())
		}
	}
	for _, d := range p.manifest.Children {
		if p.hasOther(tx, d.Digest, d.MediaType, seen, &files) {
			continue
		}
		p.sparse++
		if p.s.opt.StrictIndexes {
			missing = append(missing, d.Digest.String())
		}
	}
	for _, d := range p.manifest.Others {
		p.hasOther(tx, d, "", seen, &files)
	}
	if len(missing) > 0 {
		return nil, faultf(
			codeManifestBlobUnknown, store.ErrInvalid, "manifest references a manifest or blob unknown to this repository",
		).with(missing...)
	}
	return files, nil
}

// hasOther reports whether the repository has what an index lists, or a manifest names in another field. It is usually
// a manifest, which is a version of its own. BuildKit's caches list layers: they are held like an image's, also when
// they come later.
func (p *push) hasOther(
	tx *store.PackageTx[Meta], d digest.Digest, mediaType string, seen map[digest.Digest]bool, files *[]store.File,
) bool {
	if tx.Index(indexManifests).Get([]byte(d)) != nil {
		return true
	}
	_, held := tx.Holds(d)
	if seen[d] {
		return held
	}
	seen[d] = true
	if !held {
		if _, err := store.ParseDigest(d.String()); err == nil {
			p.wanted = append(p.wanted, d)
		}
		return false
	}
	*files = append(*files, store.File{Digest: d, Type: mediaType})
	return true
}

// setTag moves a tag. The checks are the same for a tag in the path, in a parameter and in a restore.
func (p *push) setTag(tx *store.PackageTx[Meta], tag string) error {
	current, err := tx.Tag(tag)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := p.match.check(tag, current.Version, err == nil); err != nil {
		return err
	}
	return tx.SetTag(tag, p.digest.String(), store.TagCond{Create: p.create})
}

// match is a precondition on what a tag points at: compare-and-set with the ETag that GET and HEAD return.
type match struct {
	is, not []string // entity tags without quotes; "*" stands for anything
}

func matchOf(r *http.Request) match {
	return match{is: entityTags(r.Header.Values("If-Match")), not: entityTags(r.Header.Values("If-None-Match"))}
}

// entityTags splits a list of entity tags; bare digests are accepted as well.
func entityTags(values []string) (out []string) {
	for _, v := range values {
		for e := range strings.SplitSeq(v, ",") {
			e = strings.Trim(strings.TrimPrefix(strings.TrimSpace(e), "W/"), `"`)
			if e != "" {
				out = append(out, e)
			}
		}
	}
	return out
}

// check compares the preconditions with what name points at inside the transaction that is to change it.
func (m match) check(name, current string, exists bool) error {
	holds := func(list []string) bool {
		for _, e := range list {
			if exists && (e == "*" || e == current) {
				return true
			}
		}
		return false
	}
	switch {
	case len(m.is) > 0 && !exists:
		return faultf(codeDenied, store.ErrConflict, "precondition failed: %s does not exist", name)
	case len(m.is) > 0 && !holds(m.is):
		return faultf(codeDenied, store.ErrConflict, "precondition failed: %s has changed, it is now %s", name, current)
	case holds(m.not):
		return faultf(codeDenied, store.ErrConflict, "precondition failed: %s exists already, it is %s", name, current)
	}
	return nil
}

// restore makes a tag point at a manifest of its history: ?digest=, or the one before its last change. A manifest that
// was deleted is restored as well while its blobs are there.
func (s *server) restore(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	row, d, stored, err := s.restorable(ctx, q)
	if err != nil {
		return err
	}
	body, err := s.Store.ReadBlob(ctx, row.blob, row.size)
	if err != nil {
		return err
	}
	m, err := manifest.Parse(row.mediaType, body)
	if err != nil {
		return err
	}
	p := &push{
		s: s, name: q.Name, digest: d, manifest: m, tags: []string{q.Tag}, match: matchOf(r),
		create: !s.mayOverwrite(ctx, q.Name),
	}
	if err := p.commit(ctx, body); err != nil {
		return err
	}
	w.Header().Set("OCI-Tag", q.Tag)
	if !stored {
		wire.Warn(w.Header(), "the manifest had been deleted and is back")
	}
	return created(w, s.manifestPath(q, d), d)
}

// restorable finds what restore restores. store.ErrNotFound if the history has nothing, or the bytes are gone.
func (s *server) restorable(ctx context.Context, q Request) (row manifestRow, d digest.Digest, stored bool, err error) {
	err = s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		current, err := p.Tag(q.Tag)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		for e, err := range p.TagHistory(q.Tag) {
			if err != nil {
				return err
			}
			if e.Version == current.Version || (q.Digest != "" && e.Version != q.Digest.String()) {
				continue
			}
			h := historyOf(e)
			row, d = h.row, h.digest
			if _, held := p.Holds(row.blob); held {
				stored = p.Index(indexManifests).Get([]byte(d)) != nil
				return nil
			}
			break
		}
		return problem.Errorf(store.ErrNotFound, "the history of %s has nothing that can be restored", q.Tag)
	})
	return row, d, stored, err
}
