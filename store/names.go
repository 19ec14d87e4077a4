package store

// This file keeps the names that are ours. A name is ours from its first publish, or from an administrator's claim,
// until an administrator releases it: what a package was called must not become somebody else's package when it is
// deleted.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"larder/internal/problem"

	bolt "go.etcd.io/bbolt"
)

// OwnedName is a name that is ours.
type OwnedName struct {
	Kind    Kind      `json:"kind"`
	Name    string    `json:"name"`
	Since   time.Time `json:"since"`
	By      string    `json:"by,omitempty"`
	Claimed bool      `json:"claimed,omitempty"` // by an administrator, whether or not it was ever published
	Hosted  bool      `json:"hosted,omitempty"`  // there is a package of this name now
}

// nameRow is the value of a row of bucketName. The name of a package that is there needs none: a first publish writes
// the package's row in any case, and pages are what a publish costs. It gets one when the package goes, and by a claim.
type nameRow struct {
	Time    time.Time `json:"time"`
	By      string    `json:"by,omitempty"`
	Claimed bool      `json:"claimed,omitempty"`
}

// nameRow is what the package's row says of its name.
func (r *packageRow) nameRow() nameRow {
	since := r.Since
	if since.IsZero() {
		since = r.Created
	}
	return nameRow{Time: since, By: r.By}
}

// ownName notes that the package's name is ours, in the package's row, with the publish that makes the package.
func (p *pkg) ownName() error {
	if !slices.Contains(Kinds(), p.kind) {
		return nil
	}
	known := p.tx.get(bucketName, p.key()) != nil
	if err := p.refuseLookAlike(known); err != nil || known {
		return err
	}
	p.row.By = p.tx.actor.User
	if !p.row.Created.Equal(p.tx.now) {
		p.row.Since = p.tx.now
	}
	return nil
}

// keepName gives the name of a package that goes a row of its own.
func (p *pkg) keepName() error {
	row := p.row.nameRow()
	p.row.Since, p.row.By = time.Time{}, ""
	if !slices.Contains(Kinds(), p.kind) || p.tx.get(bucketName, p.key()) != nil {
		return nil
	}
	return p.tx.putRow(bucketName, p.key(), row)
}

// lookAlikeTable has rows: skeleton → name of the package that has it. A package whose name is its own skeleton needs
// none.
const lookAlikeTable = "alike"

// lookAlikeKinds are the kinds whose look-alikes are kept apart here. The others have rules of their own for that:
// PyPI's look-alikes are one name, npm, Cargo and RubyGems refuse them in their own ways.
var lookAlikeKinds = []Kind{OCI, Maven, Composer}

// skeleton is what two names share that people would mistake for each other: they differ in case or separators only.
func skeleton(name string) []byte {
	return []byte(strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name)))
}

// refuseLookAlike refuses a new name that looks like that of another package. A name that is ours already may be: an
// administrator claimed it, or it was here before.
func (p *pkg) refuseLookAlike(known bool) error {
	if !slices.Contains(lookAlikeKinds, p.kind) {
		return nil
	}
	skeleton := skeleton(p.name)
	alike := p.tx.kindIndex(p.kind, lookAlikeTable)
	other := string(alike.Get(skeleton))
	if other == "" && string(skeleton) != p.name {
		hosted, err := p.tx.hosted(key(string(p.kind), string(skeleton)))
		if err != nil {
			return err
		}
		if !hosted {
			return alike.Put(skeleton, []byte(p.name))
		}
		other = string(skeleton)
	}
	if other == "" || other == p.name || known {
		return nil
	}
	var row packageRow
	if _, err := p.tx.row(bucketPackage, key(string(p.kind), other), &row); err != nil {
		return err
	}
	if row.Private {
		other = "a name that is taken"
	}
	return problem.Errorf(
		ErrExists, "%s looks like %s. If both are meant, an administrator claims the new one: larder claim %s %s", p.name,
		other, p.kind, p.name,
	)
}

// afterDelete is called when the package goes: its name stays ours, but not its place among names that look alike.
func (p *pkg) afterDelete() error {
	if err := p.keepName(); err != nil {
		return err
	}
	alike := p.tx.kindIndex(p.kind, lookAlikeTable)
	if string(alike.Get(skeleton(p.name))) != p.name {
		return nil
	}
	return alike.Delete(skeleton(p.name))
}

// Owns reports whether the name is ours: whether it was ever published here or claimed, and not released since.
func (s *Store) Owns(ctx context.Context, k Kind, name string) (owned bool, err error) {
	if err := checkName("package name", name); err != nil {
		return false, err
	}
	err = s.View(ctx, func(tx *Tx) (err error) {
		_, owned, err = tx.ownedName(k, key(string(k), name))
		return err
	})
	return owned, err
}

// ClaimName makes a name ours that need not exist. Claiming what is claimed already changes nothing.
func (s *Store) ClaimName(ctx context.Context, k Kind, name string) error {
	if err := checkName("package name", name); err != nil {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error {
		at := key(string(k), name)
		var row nameRow
		if ok, err := tx.row(bucketName, at, &row); err != nil || ok && row.Claimed {
			return err
		}
		row = nameRow{Time: tx.now, By: tx.actor.User, Claimed: true}
		tx.touch(k, name)
		tx.Log(Entry{Kind: k, Package: name, Op: OpClaim})
		return tx.putRow(bucketName, at, row)
	})
}

// ReleaseName gives a name up: upstreams are asked for it again. A package of which nothing is left goes with its name:
// a repository without manifests, a gem whose versions are all yanked. ErrNotFound when the name is not ours,
// ErrReferenced while there is more of the package.
func (s *Store) ReleaseName(ctx context.Context, k Kind, name string) error {
	return s.Update(ctx, func(tx *Tx) error {
		at := key(string(k), name)
		own, ok, err := tx.ownedName(k, at)
		if err != nil {
			return err
		}
		if !ok {
			return problem.Errorf(
				ErrNotFound,
				"%s %.200q is not a name of this registry: it was never published here nor claimed, or is released already", k,
				name,
			)
		}
		if own.Hosted {
			if err := tx.deleteEmptied(k, name); err != nil {
				return err
			}
		}
		tx.touch(k, name)
		tx.Log(Entry{Kind: k, Package: name, Op: OpRelease})
		return tx.del(bucketName, at)
	})
}

// deleteEmptied deletes a package of which nothing is left. What is yanked is left to those who have locked it, but for
// a gem's. Numbers of versions are not free again.
func (tx *Tx) deleteEmptied(k Kind, name string) error {
	p, err := openPackage(tx, k, name)
	if err != nil {
		return err
	}
	var ids []string
	for id, err := range p.VersionIDs("") {
		if err != nil {
			return err
		}
		h, err := p.versionHead(id)
		if err != nil {
			return err
		}
		if k != RubyGems || !h.Yanked {
			return problem.Errorf(
				ErrReferenced, "%s %s is published here; only the name of a package that is deleted can be released", k, name,
			)
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		if err := p.Delete(id, true); err != nil {
			return err
		}
	}
	if err := p.DeletePackage(); err != nil {
		return err
	}
	return p.flush()
}

// hosted reports whether the package with the key is there now.
func (tx *Tx) hosted(at []byte) (bool, error) {
	var row packageRow
	_, err := tx.row(bucketPackage, at, &row)
	return row.Listed, err
}

// ownedName is what is known of the name with the key; false when it is not ours.
func (tx *Tx) ownedName(k Kind, at []byte) (n OwnedName, ok bool, err error) {
	var pkg packageRow
	var row nameRow
	if slices.Contains(Kinds(), k) {
		_, err = tx.row(bucketPackage, at, &pkg)
	}
	if err == nil {
		ok, err = tx.row(bucketName, at, &row)
	}
	if !ok {
		row = pkg.nameRow()
	}
	return OwnedName{
		Kind: k, Name: lastPart(at), Since: row.Time, By: row.By, Claimed: row.Claimed, Hosted: pkg.Listed,
	}, ok || pkg.Listed, err
}

// NamesQuery selects names that are ours.
type NamesQuery struct {
	Kind   Kind // "": all kinds, one after the other
	Hosted bool // those of packages that are there now as well
	// After and Limit cut the list into pages: names behind this one, at most so many (0: all). With After, Kind must be
	// set.
	After string
	Limit int
}

// Names lists names that are ours, by kind and name.
func (s *Store) Names(ctx context.Context, q NamesQuery) (out []OwnedName, err error) {
	kinds := Kinds()
	if q.Kind != "" {
		kinds = []Kind{q.Kind}
	}
	err = s.View(ctx, func(tx *Tx) error {
		for _, k := range kinds {
			for at := tx.nextName(q, k, key(string(k), q.After)); at != nil; at = tx.nextName(q, k, at) {
				if q.Limit > 0 && len(out) >= q.Limit {
					return nil
				}
				n, ok, err := tx.ownedName(k, at)
				if err != nil {
					return err
				}
				if ok && (q.Hosted || !n.Hosted) {
					out = append(out, n)
				}
			}
		}
		return nil
	})
	return out, err
}

// nextName is the next key after at that may be a name's which q selects; nil behind the last.
func (tx *Tx) nextName(q NamesQuery, k Kind, at []byte) (next []byte) {
	buckets := []string{bucketName}
	if q.Hosted {
		buckets = append(buckets, bucketPackage)
	}
	for _, bucket := range buckets {
		for key := range tx.scan(bucket, prefix(string(k)), at) {
			if next == nil || bytes.Compare(key, next) < 0 {
				next = key
			}
			break
		}
	}
	return next
}

// ownKnownNames is the migration of data folders from before names outlived packages: every name is ours that has a
// package, a version that was deleted for good, the history of a tag, or a line in the journal that says so.
func ownKnownNames(tx *bolt.Tx) error {
	names, err := tx.CreateBucketIfNotExists([]byte(bucketName))
	if err != nil {
		return err
	}
	own := func(kind Kind, name string, since time.Time, by string) error {
		at := key(string(kind), name)
		if !slices.Contains(Kinds(), kind) || name == "" || names.Get(at) != nil {
			return nil
		}
		raw, err := encode(nameRow{Time: since, By: by})
		if err != nil {
			return err
		}
		return names.Put(at, raw)
	}
	err = tx.Bucket([]byte(bucketJournal)).ForEach(func(_, v []byte) error {
		var e Entry
		if err := decode(v, &e); err != nil {
			return err
		}
		if e.Op != OpPublish && e.Op != OpDelete && e.Op != OpDeletePackage {
			return nil
		}
		return own(e.Kind, e.Package, e.Time, e.Actor.User)
	})
	if err != nil {
		return err
	}
	for _, bucket := range []string{bucketTombstone, bucketTagHistory, bucketPackage} {
		err := tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error {
			parts := bytes.SplitN(k, []byte{0}, 3)
			if len(parts) < 2 {
				return errors.New("a key without a name")
			}
			var row packageRow
			if bucket == bucketPackage {
				if err := decode(v, &row); err != nil || !row.Listed {
					return err
				}
			}
			kind, name := Kind(parts[0]), string(parts[1])
			if at := append(prefix(string(kind), "", lookAlikeTable), skeleton(name)...); row.Listed &&
				slices.Contains(lookAlikeKinds, kind) && string(skeleton(name)) != name {
				if err := tx.Bucket([]byte(bucketIndex)).Put(at, []byte(name)); err != nil {
					return err
				}
			}
			return own(kind, name, row.Created, "")
		})
		if err != nil {
			return fmt.Errorf("%s: %w", bucket, err)
		}
	}
	return nil
}
