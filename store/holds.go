package store

// This file says which packages need which blobs, and so who may read them.

import (
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
)

// A hold row says that a version of a package (or, with version "", the package itself for a while) needs a blob. A
// holder row exists for each (blob, package) with at least one hold: it is the right to read the blob through that
// package, what byte counters count, and what the sweeper looks for.

// holdRow is the value of a hold.
type holdRow struct {
	Size    int64  `json:"size"`
	By      string `json:"by,omitempty"`
	Touched int64  `json:"touched,omitempty"` // Unix seconds; loose holds only
}

// holderRow is the value of a holder; the user pays for the bytes in quotas.
type holderRow struct {
	Size int64  `json:"size"`
	By   string `json:"by,omitempty"`
}

// holder returns the package's holder row for the sha256 digest d.
func (p *pkg) holder(d digest.Digest) (row holderRow, ok bool, err error) {
	ok, err = p.tx.row(bucketHolder, key(string(d), string(p.kind), p.name), &row)
	return row, ok, err
}

// hold makes version (or "", the package) hold b.
func (p *pkg) hold(b Blob, version, by string) error {
	if version != "" && p.tx.get(bucketHold, p.key(string(b.Digest), version)) != nil {
		return nil
	}
	p.dirty = true
	row := holdRow{Size: b.Size, By: by}
	if version == "" {
		row.Touched = p.tx.now.Unix()
	}
	if err := p.tx.putRow(bucketHold, p.key(string(b.Digest), version), row); err != nil {
		return err
	}
	if _, ok, err := p.holder(b.Digest); ok || err != nil {
		return err
	}
	p.row.Bytes += b.Size
	if err := p.countUser(by, b.Size); err != nil {
		return err
	}
	return p.tx.putRow(bucketHolder, key(string(b.Digest), string(p.kind), p.name), holderRow{Size: b.Size, By: by})
}

// drop removes a hold, and with the last one the holder.
func (p *pkg) drop(d digest.Digest, version string) error {
	p.dirty = true
	if err := p.tx.del(bucketHold, p.key(string(d), version)); err != nil {
		return err
	}
	for range p.tx.scan(bucketHold, p.prefix(string(d)), nil) {
		return nil
	}
	row, ok, err := p.holder(d)
	if !ok || err != nil {
		return err
	}
	p.row.Bytes -= row.Size
	p.tx.touch(p.kind, p.name) // the right to read the blob is gone: remembered answers are outdated
	if err := p.countUser(row.By, -row.Size); err != nil {
		return err
	}
	return p.tx.del(bucketHolder, key(string(d), string(p.kind), p.name))
}

// loosen turns a version's hold into a loose one, so that a client that has just read the version still gets its blobs.
func (p *pkg) loosen(b Blob, version string) error {
	row, ok, err := p.holder(b.Digest)
	if !ok || err != nil {
		return err
	}
	if err := p.hold(b, "", row.By); err != nil {
		return err
	}
	if err := p.drop(b.Digest, version); err != nil {
		return err
	}
	return p.tx.queueReview(b.Digest)
}

// heldByVersion reports whether a version holds d.
func (p *pkg) heldByVersion(d digest.Digest) bool {
	loose := p.key(string(d), "")
	for range p.tx.scan(bucketHold, p.prefix(string(d)), loose) {
		return true
	}
	return false
}

func (p *pkg) countUser(user string, n int64) error {
	if user == "" {
		return nil
	}
	return p.tx.count(string(key(statUser, user)), counter{Bytes: n})
}

// Holds tells the size of a blob the package may read; false when no row gives it that right.
func (p *pkg) Holds(d digest.Digest) (size int64, ok bool) {
	row, ok, err := p.holder(p.tx.resolve(d))
	return row.Size, ok && err == nil
}

// Hold keeps a committed blob readable through the package before a version uses it: after an upload or a mount. It
// ends one grace period after the last Hold or Touch; when a version holds the blob already it changes nothing.
// ErrNotFound when the blob is not committed, and what policies say of OpUpload.
func (p *pkg) Hold(b Blob) error {
	got, ok, err := p.tx.blob(b.Digest)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("hold %s: %w", b.Digest, ErrNotFound)
	}
	holder, held, err := p.holder(got.Digest)
	if err != nil {
		return err
	}
	if held && p.heldByVersion(got.Digest) {
		return nil
	}
	if err := p.tx.NeedRoom(); err != nil {
		return err
	}
	by := holder.By
	if !held {
		by = p.tx.actor.User
		if err := p.ask(Change{Op: OpUpload, Bytes: got.Size}); err != nil {
			return err
		}
	}
	if err := p.hold(got, "", by); err != nil {
		return err
	}
	return p.tx.queueReview(got.Digest)
}

// Unhold ends a loose hold: the package can no longer read the blob. ErrNotFound without a hold, ErrReferenced while a
// version holds the blob.
func (p *pkg) Unhold(d digest.Digest) error {
	d = p.tx.resolve(d)
	_, ok, err := p.holder(d)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("unhold %s: %w", d, ErrNotFound)
	case p.heldByVersion(d):
		return fmt.Errorf("unhold %s: %w", d, ErrReferenced)
	}
	if err := p.drop(d, ""); err != nil {
		return err
	}
	return p.tx.queueReview(d)
}

// expireLoose drops the loose holds of the sha256 digest d that were last touched before t, for the sweeper. It returns
// how many packages still hold the blob.
func (tx *Tx) expireLoose(d digest.Digest, t time.Time) (left int, err error) {
	for k := range tx.scan(bucketHolder, prefix(string(d)), nil) {
		parts := splitKey(k)
		p, err := openPackage(tx, Kind(parts[1]), parts[2])
		if err != nil {
			return 0, err
		}
		var row holdRow
		loose, err := tx.row(bucketHold, p.key(string(d), ""), &row)
		if err != nil {
			return 0, err
		}
		if loose && row.Touched < t.Unix() {
			if err := p.drop(d, ""); err != nil {
				return 0, err
			}
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
		if _, held := p.Holds(d); held {
			left++
		}
	}
	return left, nil
}
