package store

// Names that are ours. A name is ours from its first publish, or from an administrator's word, until an administrator
// releases it: what a package was called must not become somebody else's package when it is deleted.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// OwnedName is a name that is ours.
type OwnedName struct {
	Kind    Kind      `json:"kind"`
	Name    string    `json:"name"`
	Since   time.Time `json:"since"`
	By      string    `json:"by,omitempty"`
	Claimed bool      `json:"claimed,omitempty"` // by an administrator's word, whether or not it was ever published
	Hosted  bool      `json:"hosted,omitempty"`  // there is a package of this name now
}

// nameRow is the value of a row of bucketName.
type nameRow struct {
	Time    time.Time `json:"time"`
	By      string    `json:"by,omitempty"`
	Claimed bool      `json:"claimed,omitempty"`
}

// own writes down that the package's name is ours, with the publish that makes the package.
func (p *pkg) own() error {
	if !slices.Contains(Kinds(), p.kind) || p.tx.get(bucketName, p.key()) != nil {
		return nil
	}
	return p.tx.putRow(bucketName, p.key(), nameRow{Time: p.tx.now, By: p.tx.actor.User})
}

// Owns reports whether the name is ours: whether it was ever published here or claimed, and not released since.
func (s *Store) Owns(ctx context.Context, k Kind, name string) (owned bool, err error) {
	if err := checkName("package name", name); err != nil {
		return false, err
	}
	err = s.View(ctx, func(tx *Tx) error {
		owned = tx.get(bucketName, key(string(k), name)) != nil
		return nil
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

// ReleaseName gives a name up: upstreams are asked for it again. ErrNotFound when it is not ours, ErrReferenced while there
// is a package of the name.
func (s *Store) ReleaseName(ctx context.Context, k Kind, name string) error {
	return s.Update(ctx, func(tx *Tx) error {
		at := key(string(k), name)
		if tx.get(bucketName, at) == nil {
			return Refuse(ErrNotFound, "%s %.200q is not a name of this registry: it was never published here nor claimed, or is released already", k, name)
		}
		hosted, err := tx.hosted(at)
		if err != nil {
			return err
		}
		if hosted {
			return Refuse(ErrReferenced, "%s %s is published here; only the name of a package that is deleted can be released", k, name)
		}
		tx.touch(k, name)
		tx.Log(Entry{Kind: k, Package: name, Op: OpRelease})
		return tx.del(bucketName, at)
	})
}

// hosted reports whether the package with the key is there now.
func (tx *Tx) hosted(at []byte) (bool, error) {
	var row packageRow
	_, err := tx.row(bucketPackage, at, &row)
	return row.Listed, err
}

// NamesQuery selects names that are ours.
type NamesQuery struct {
	Kind   Kind // "": all kinds, one after the other
	Hosted bool // those of packages that are there now as well
	// After and Limit cut the list into pages: names behind this one, at most so many (0: all). With After, Kind must be set.
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
			for at, raw := range tx.scan(bucketName, prefix(string(k)), key(string(k), q.After)) {
				if q.Limit > 0 && len(out) >= q.Limit {
					return nil
				}
				hosted, err := tx.hosted(at)
				if err != nil {
					return err
				}
				if hosted && !q.Hosted {
					continue
				}
				var row nameRow
				if err := decode(raw, &row); err != nil {
					return fmt.Errorf("name %q: %w", at, err)
				}
				out = append(out, OwnedName{Kind: k, Name: lastPart(at), Since: row.Time, By: row.By, Claimed: row.Claimed, Hosted: hosted})
			}
		}
		return nil
	})
	return out, err
}

// ownKnownNames is the migration of data folders from before names outlived packages: every name is ours that has a package,
// a version that was deleted for good, the history of a tag, or a line in the journal that says so.
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
			return own(Kind(parts[0]), string(parts[1]), row.Created, "")
		})
		if err != nil {
			return fmt.Errorf("%s: %w", bucket, err)
		}
	}
	return nil
}
