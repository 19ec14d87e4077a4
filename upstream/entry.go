package upstream

// This file has the records of what is kept, and documents as protocols get them.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/budget"
	"larder/store"
)

// entry is what a record says beside the bytes of a document or file.
type entry struct {
	Upstream string `json:"upstream"`      // the key of its source
	URL      string `json:"url,omitempty"` // where it came from at last, after redirects
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"` // Last-Modified
	Type     string `json:"type,omitempty"`
	Next     string `json:"next,omitempty"` // Link, where lists come in pages
	// Ref, Accept and Scope are how a file was asked for; what was made here (Made) cannot be asked for.
	Ref    string `json:"ref,omitempty"`
	Accept string `json:"accept,omitempty"`
	Scope  string `json:"scope,omitempty"`
	Made   bool   `json:"made,omitempty"`
	// Pinned: no sum was known of the file when it was fetched; see pinned.go.
	Pinned  bool      `json:"pinned,omitempty"`
	Fetched time.Time `json:"fetched"`
	// Gone is since when the upstream says that it does not exist.
	Gone time.Time `json:"gone,omitzero"`
}

// kept is an entry and where its bytes are. It is shared: nobody changes it.
type kept struct {
	entry
	blob store.Blob
	sums map[string]string
	// confirmed is when the upstream said after Fetched that it is current, as far as that was written down.
	confirmed time.Time

	body []byte        // until it is stored
	done chan struct{} // closed then
}

// listings is the package of documents that belong to none.
const listings = "-"

func packageOf(name string) string {
	if name == "" {
		return listings
	}
	return name
}

// lookup finds the document called id; nil when there is none.
func (s *Set) lookup(ctx context.Context, pkg, id string) (*kept, error) {
	s.mu.Lock()
	var coming *kept
	if st := s.states[docID{pkg, id}]; st != nil {
		coming = st.coming
	}
	s.mu.Unlock()
	if coming != nil {
		return coming, nil
	}
	k, err := load(ctx, s.known, s.docs, pkg, id)
	return s.sound(k), err
}

// load reads a record through a memo. That there is none is remembered as well, until the package changes.
func load(ctx context.Context, m *store.Memo[string, *kept], repo *store.Repo[entry], pkg, id string) (*kept, error) {
	return m.Get(pkg, id, func() (k *kept, err error) {
		err = repo.View(ctx, pkg, func(tx *store.PackageTx[entry]) error {
			v, err := tx.Version(id)
			if errors.Is(err, store.ErrNotFound) || err == nil && len(v.Files) == 0 {
				return nil
			}
			if err != nil {
				return err
			}
			f := v.Files[0]
			k = &kept{entry: v.Meta, blob: store.Blob{Digest: f.Digest, Size: f.Size}, sums: f.Sums}
			k.confirmed = confirmedAt(tx.Tx(), useKey{repo.Kind(), pkg, id})
			return nil
		})
		return k, err
	})
}

// put writes a record inside the transaction that records its blob.
func put(tx *store.PackageTx[entry], id string, e entry, b store.Blob, sums map[string]string) error {
	v := store.Version[entry]{
		ID: id, Source: store.Cached, Published: tx.Tx().Now(), Meta: e,
		Files: []store.File{{Digest: b.Digest, Size: b.Size, Type: e.Type, Sums: sums}},
	}
	_, err := tx.Version(id)
	if errors.Is(err, store.ErrNotFound) {
		return tx.Publish(v)
	}
	if err != nil {
		return err
	}
	return tx.Replace(v, store.OpCache)
}

// indexSeen has a row for each version of a package: when it was first seen here, and when its upstream says that it
// was published.
const indexSeen = "seen"

// sight is one such row. A version that was there when the package was first fetched counts as old: Seen is zero.
type sight struct {
	Known     bool      `json:"-"`
	Seen      time.Time `json:"seen,omitzero"`
	Published time.Time `json:"published,omitzero"`
	Upstream  string    `json:"upstream"`
}

// Document is a document as its upstream sent it, decoded from transport encodings.
type Document struct {
	Upstream *Upstream
	// Digest is of the bytes: what is rendered from them is the same as long as it is.
	Digest digest.Digest
	Size   int64
	// URL is where it came from, after redirects: relative references in it start there.
	URL  string
	Type string
	// ETag and Modified are the upstream's validators.
	ETag, Modified string
	// Next is the Link header of a list that comes in pages, see NextPage.
	Next    string
	Fetched time.Time
	// Checked is when the upstream last said that this is current.
	Checked time.Time
	// Cache says how it was answered: HIT, MISS or STALE.
	Cache string

	set     *Set
	body    []byte // as long as it is not stored
	trouble error
}

// Lacks is what a client reads of something that the document does not name: absent, unless its upstream could not be
// asked whether the document is current. Then it may exist all the same, and the error is why it could not be asked.
func (d *Document) Lacks(absent error) error {
	if d.trouble != nil {
		return d.trouble
	}
	return absent
}

// in says why the document may not be current.
func (d *Document) in(trouble error) *Document {
	d.trouble = trouble
	return d
}

// Rendered names what a protocol makes of the document for clients that reach us at base. As long as no rule decides
// what may be shown, it depends on the document's bytes alone, and no change outdates it.
func (d *Document) Rendered(name, base, format string) store.DocKey {
	offline := d.set.Offline()
	k := store.DocKey{Kind: d.set.kind.Documents(), Package: name, Base: base,
		Format: fmt.Sprintf("%s %s %s %t", format, d.Digest, d.set.GateKey(), offline)}
	if !offline && !d.set.Gated() {
		k.Kind += " rendered"
	}
	return k
}

// madeOf is what a byte of a document is counted for, beside the byte itself, in the share of whoever reads it: what is
// parsed and rendered from it is about as large again.
const madeOf = 2

// Bytes reads the document; nobody changes them. They, and what is made of them, are of the share of ctx: a
// *budget.Busy when there is no memory.
func (d *Document) Bytes(ctx context.Context) ([]byte, error) {
	if err := budget.Take(ctx, madeOf*d.Size); err != nil {
		return nil, err
	}
	if d.body != nil {
		return d.body, nil
	}
	return d.set.r.store.ReadBlob(ctx, d.Digest, d.Size)
}

// Open reads the document as a stream, for one that is too large to be held. When its bytes on the disk are not right
// any more the end is an error.
func (d *Document) Open(ctx context.Context) (io.ReadCloser, error) {
	if d.body != nil {
		return io.NopCloser(bytes.NewReader(d.body)), nil
	}
	return d.set.r.store.ReadSound(ctx, d.Digest)
}
