package store

// This file tests that the cost of an operation does not grow with what is stored.

import (
	"context"
	"fmt"
	"testing"
)

// fillVersions publishes n small versions in few transactions.
func fillVersions(t testing.TB, s *Store, name string, n int) {
	t.Helper()
	b, err := s.PutBytes(context.Background(), []byte("the same bytes"))
	if err != nil {
		t.Fatal(err)
	}
	const step = 5000
	for from := 0; from < n; from += step {
		err := NewRepo[string](s, NPM).Update(context.Background(), name, func(p *PackageTx[string]) error {
			for i := from; i < min(n, from+step); i++ {
				if err := p.Publish(small(i, b)); err != nil {
					return err
				}
			}
			return p.SetTag("latest", small(from, b).ID, TagCond{})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func small(i int, b Blob) Version[string] {
	id := fmt.Sprintf("1.%d.0", i)
	return Version[string]{ID: id, Meta: "something about it", Files: []File{{Name: id + ".tgz", Digest: b.Digest}}}
}

func openPlain(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), Options{Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// publishCost is the pages that one publish into a package of n versions writes.
func publishCost(t *testing.T, n int) int64 {
	s := openPlain(t)
	fillVersions(t, s, "a", n)
	b, err := s.PutBytes(context.Background(), []byte("the same bytes"))
	if err != nil {
		t.Fatal(err)
	}
	stats := s.db.Stats()
	before := stats.TxStats.GetPageCount()
	err = NewRepo[string](s, NPM).Update(context.Background(), "a", func(p *PackageTx[string]) error {
		return p.Publish(small(n, b))
	})
	if err != nil {
		t.Fatal(err)
	}
	stats = s.db.Stats()
	return stats.TxStats.GetPageCount() - before
}

// TestPublishCostIsFlat: version 10,000 costs what version 10 did. The tree of a bucket may be a level deeper, nothing
// else.
func TestPublishCostIsFlat(t *testing.T) {
	few, many := publishCost(t, 10), publishCost(t, 10_000)
	t.Logf("pages written: %d at version 10, %d at version 10,000", few, many)
	if few == 0 || many > few+int64(len(buckets())) {
		t.Errorf("a publish writes %d pages at version 10 and %d at version 10,000", few, many)
	}
}

// TestFirstPublishWritesNoRowsForItsName: each table that a transaction writes to costs it a page and more. Who owns a
// name, how it is spelled and where its journal entry is found are told by rows that a publish writes in any case.
func TestFirstPublishWritesNoRowsForItsName(t *testing.T) {
	s := openPlain(t)
	for _, k := range Kinds() {
		err := NewRepo[string](s, k).Update(context.Background(), "acme/demo", func(p *PackageTx[string]) error {
			return p.Publish(Version[string]{ID: "1"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := s.View(context.Background(), func(tx *Tx) error {
		for _, bucket := range []string{bucketName, bucketJournalIndex, bucketIndex} {
			for k := range tx.scan(bucket, nil, nil) {
				t.Errorf("the first publish of a package wrote the row %q of %s", k, bucket)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOpenReadsNoPackages: opening a big folder walks nothing.
func TestOpenReadsNoPackages(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		s, err := Open(dir, Options{Reserve: 1})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	fillVersions(t, s, "a", 20_000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	stats := s.db.Stats()
	if cursors := stats.TxStats.GetCursorCount(); cursors > 100 {
		t.Errorf("opening made %d cursors", cursors)
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openPlain(b)
			fillVersions(b, s, "a", n)
			blob, err := s.PutBytes(context.Background(), []byte("the same bytes"))
			if err != nil {
				b.Fatal(err)
			}
			r := NewRepo[string](s, NPM)
			for i := 0; b.Loop(); i++ {
				err := r.Update(context.Background(), "a", func(p *PackageTx[string]) error { return p.Publish(small(n+i, blob)) })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTag is the hot read: tag → version, in one View.
func BenchmarkTag(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openPlain(b)
			fillVersions(b, s, "a", n)
			r := NewRepo[string](s, NPM)
			b.ReportAllocs()
			for b.Loop() {
				err := r.View(context.Background(), "a", func(p *PackageTx[string]) error {
					t, err := p.Tag("latest")
					if err == nil {
						_, err = p.Version(t.Version)
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDocumentHit(b *testing.B) {
	s := openPlain(b)
	k := DocKey{Kind: NPM, Package: "a", Base: "http://registry.example.com", Format: "full"}
	render := func(context.Context) (Rendered, error) { return Rendered{Body: []byte("x")}, nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Document(context.Background(), k, render); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdateGroup is many writers at once: they share commits.
func BenchmarkUpdateGroup(b *testing.B) {
	s := openPlain(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := s.Update(context.Background(), func(tx *Tx) error { return tx.Table("test.t").Put([]byte("k"), []byte("v")) })
			if err != nil {
				b.Error(err)
			}
		}
	})
}
