package store

// Data folders from before names outlived packages.

import (
	"context"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestFoldersFromBeforeOwnTheirNames: packages that are there, and those of which a tombstone, a tag's history or the
// journal is left; what is only a copy of an upstream's stays the upstream's.
func TestFoldersFromBeforeOwnTheirNames(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s := openBytes(t, dir, Options{})
	steps := map[string]func(p *PackageTx[int]) error{
		"here":    func(*PackageTx[int]) error { return nil },
		"tomb":    func(p *PackageTx[int]) error { return p.Delete("1", true) },
		"tagged":  func(p *PackageTx[int]) error { return p.SetTag("latest", "1", TagCond{}) },
		"journal": func(p *PackageTx[int]) error { return p.Delete("1", false) },
	}
	for name, then := range steps {
		for _, k := range []Kind{Maven, OCI} {
			err := NewRepo[int](s, k).Update(ctx, name, func(p *PackageTx[int]) error {
				if err := p.Publish(Version[int]{ID: "1"}); err != nil {
					return err
				}
				if err := then(p); err != nil || name == "here" {
					return err
				}
				return p.DeletePackage()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	err := NewRepo[int](
		s, Maven.Documents(),
	).Update(ctx, "theirs", func(p *PackageTx[int]) error { return p.Publish(Version[int]{ID: "1", Source: Cached}) })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(tx *bolt.Tx) error {
		if err := tx.DeleteBucket([]byte(bucketName)); err != nil {
			return err
		}
		return writeFormat(tx, 1)
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openBytes(t, dir, Options{})
	for name := range steps {
		for _, k := range []Kind{Maven, OCI} {
			if owned, err := s.Owns(ctx, k, name); !owned || err != nil {
				t.Errorf("%s %s is not ours after the migration: %v", k, name, err)
			}
		}
	}
	all, err := s.Names(ctx, NamesQuery{Hosted: true})
	if err != nil || len(all) != 8 {
		t.Errorf("after the migration %d names are ours (%+v, %v), want 8", len(all), all, err)
	}
}
