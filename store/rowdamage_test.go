package store

// This file tests that a record which cannot be decoded is an error that says so, to each reader of it, and that the
// store goes on.

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"
)

// TestDamagedRowsAreErrors damages one row of a table and asks everybody who reads it. Nobody makes something up, and
// nobody panics.
func TestDamagedRowsAreErrors(t *testing.T) {
	ctx := WithActor(context.Background(), Actor{User: "ada"})
	b := Blob{Digest: digest.FromString("x"), Size: 1}
	repo := func(s *Store) *Repo[meta] { return NewRepo[meta](s, NPM) }
	view := func(fn func(p *PackageTx[meta]) error) func(*Store) error {
		return func(s *Store) error { return repo(s).View(ctx, "a", fn) }
	}
	update := func(fn func(p *PackageTx[meta]) error) func(*Store) error {
		return func(s *Store) error { return repo(s).Update(ctx, "a", fn) }
	}
	version := view(func(p *PackageTx[meta]) error { _, err := p.Version("1"); return err })
	for _, c := range []struct {
		bucket string
		key    []byte
		reads  map[string]func(*Store) error
	}{
		{bucketPackage, key("npm", "a"), map[string]func(*Store) error{
			"Package":  view(func(p *PackageTx[meta]) error { _, err := p.Package(); return err }),
			"Packages": func(s *Store) error { _, err := repo(s).Packages(ctx, "", 0); return err },
			"Update":   update(func(*PackageTx[meta]) error { return nil }),
		}},
		{bucketVersion, key("npm", "a", "1"), map[string]func(*Store) error{
			"Version": version,
			"Versions": view(func(p *PackageTx[meta]) (failed error) {
				for _, err := range p.Versions("") {
					failed = errors.Join(failed, err)
				}
				return failed
			}),
			"File":          view(func(p *PackageTx[meta]) error { _, _, err := p.File("1.tgz"); return err }),
			"SetTag":        update(func(p *PackageTx[meta]) error { return p.SetTag("next", "1", TagCond{}) }),
			"Replace":       update(func(p *PackageTx[meta]) error { return p.Replace(Version[meta]{ID: "1"}, OpYank) }),
			"Delete":        update(func(p *PackageTx[meta]) error { return p.Delete("1", false) }),
			"DeletePackage": update(func(p *PackageTx[meta]) error { return p.DeletePackage() }),
		}},
		{bucketTag, key("npm", "a", "latest"), map[string]func(*Store) error{
			"Tag": view(func(p *PackageTx[meta]) error { _, err := p.Tag("latest"); return err }),
			"Tags": view(func(p *PackageTx[meta]) (failed error) {
				for _, err := range p.Tags("") {
					failed = errors.Join(failed, err)
				}
				return failed
			}),
			"SetTag":    update(func(p *PackageTx[meta]) error { return p.SetTag("latest", "1", TagCond{}) }),
			"DeleteTag": update(func(p *PackageTx[meta]) error { return p.DeleteTag("latest") }),
		}},
		{bucketHolder, key(string(b.Digest), "npm", "a"), map[string]func(*Store) error{
			"HeldBlob": func(s *Store) error { _, err := s.HeldBlob(ctx, NPM, "a", b.Digest); return err },
			"Hold":     update(func(p *PackageTx[meta]) error { return p.Hold(b) }),
			"Delete":   update(func(p *PackageTx[meta]) error { return p.Delete("1", false) }),
		}},
		{bucketBlob, []byte(b.Digest), map[string]func(*Store) error{
			"StatBlob": func(s *Store) error { _, err := s.StatBlob(ctx, b.Digest); return err },
			"OpenBlob": func(s *Store) error { _, _, err := s.OpenBlob(ctx, b.Digest); return err },
			"PutBytes": func(s *Store) error { _, err := s.PutBytes(ctx, []byte("x")); return err },
			"Publish": update(func(p *PackageTx[meta]) error {
				return p.Publish(Version[meta]{ID: "2", Files: []File{{Digest: b.Digest}}})
			}),
			"Scrub":     func(s *Store) error { _, err := s.Scrub(ctx, ScrubOptions{}); return err },
			"Reconcile": func(s *Store) error { return s.Reconcile(ctx) },
			"Backup":    func(s *Store) error { _, err := s.Backup(ctx, io.Discard, nil); return err },
		}},
		{bucketStat, []byte(statBlobs), map[string]func(*Store) error{
			"Stats":    func(s *Store) error { _, err := s.Stats(ctx); return err },
			"PutBytes": func(s *Store) error { _, err := s.PutBytes(ctx, []byte("other")); return err },
		}},
		{bucketJournal, be64(1), map[string]func(*Store) error{
			"Journal":      func(s *Store) error { _, err := s.Journal(ctx, 0, 10); return err },
			"JournalTail":  func(s *Store) error { _, err := s.JournalTail(ctx, 10); return err },
			"PruneJournal": func(s *Store) error { _, err := s.PruneJournal(ctx, -1); return err },
		}},
		{bucketIndex, key("npm", "", searchListings, "a"), map[string]func(*Store) error{
			"Listings":   func(s *Store) error { _, err := s.Listings(ctx, NPM, []string{"a"}); return err },
			"Listing":    view(func(p *PackageTx[meta]) error { _, err := p.Listing(); return err }),
			"SetListing": update(func(p *PackageTx[meta]) error { return p.SetListing(nil) }),
		}},
	} {
		for what, read := range c.reads {
			t.Run(c.bucket+"/"+what, func(t *testing.T) {
				t.Parallel()
				s := openPlain(t)
				fillOne(t, s)
				must := func(err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
				}
				must(s.db.Update(func(tx *bolt.Tx) error {
					if tx.Bucket([]byte(c.bucket)).Get(c.key) == nil {
						t.Fatalf("there is no row %q", c.key)
					}
					return tx.Bucket([]byte(c.bucket)).Put(c.key, []byte("\x01{"))
				}))
				if err := read(s); !errors.Is(err, ErrFormat) {
					t.Errorf("%s with a damaged row of %s: %v, want ErrFormat", what, c.bucket, err)
				}
				if err := s.Update(ctx, func(tx *Tx) error { return tx.Table("test.t").Put([]byte("x"), nil) }); err != nil {
					t.Errorf("the next change of something else: %v", err)
				}
			})
		}
	}
}

// fillOne makes a package with one version, file, tag and listing.
func fillOne(t *testing.T, s *Store) {
	t.Helper()
	b := mustPut(t, s, []byte("x"))
	err := NewRepo[meta](s, NPM).Update(context.Background(), "a", func(p *PackageTx[meta]) error {
		v := Version[meta]{ID: "1", Files: []File{{Name: "1.tgz", Digest: b.Digest}}}
		return errors.Join(p.Publish(v), p.SetTag("latest", "1", TagCond{}),
			p.SetListing(&Listing{Words: map[string]int{"a": 1}, Data: json.RawMessage("{}")}))
	})
	if err != nil {
		t.Fatal(err)
	}
}
