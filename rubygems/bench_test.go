package rubygems

// Large registries for benchmarks and tests of cost, written without HTTP.

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"larder/internal/registry"
	"larder/rubygems/archive"
	"larder/rubygems/compactindex"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
	"larder/store/storetest"
)

// BenchmarkFill fills the data folders that LARDER_BENCH_FILL lists as FOLDER=GEMS, one a line. internal/bench runs it
// to have large registries within a minute: through HTTP, each gem would wait until its file is on the disk.
func BenchmarkFill(b *testing.B) {
	for line := range strings.Lines(os.Getenv("LARDER_BENCH_FILL")) {
		dir, n, _ := strings.Cut(strings.TrimSpace(line), "=")
		gems, err := strconv.Atoi(n)
		if err != nil {
			b.Fatal(err)
		}
		s, err := store.Open(dir, store.Options{Reserve: 1})
		if err != nil {
			b.Fatal(err)
		}
		fill(b, s, 0, gems)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// fill writes gems of one version each, whose files are the same.
func fill(t testing.TB, s *store.Store, from, to int) {
	t.Helper()
	repo := store.NewRepo[Meta](s, store.RubyGems)
	blob := storetest.Put(t, s, "a gem")
	const together = 5000
	for ; from < to; from += together {
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			for i := from; i < min(to, from+together); i++ {
				name := fmt.Sprintf("gem-number-%07d", i)
				err := repo.In(tx, name, func(tx *store.PackageTx[Meta]) error { return fillGem(tx, name, "1.0.0", blob) })
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func fillGem(tx *store.PackageTx[Meta], name, number string, blob store.Blob) error {
	summary := "About " + name
	spec := &gemspec.Specification{
		Name: name, Version: number, Platform: version.Ruby, Summary: &summary, Authors: []string{"Ada"},
	}
	p := &publication{gem: &archive.Gem{Spec: spec}, id: number}
	if err := p.claim(tx); err != nil {
		return err
	}
	v := store.Version[Meta]{
		ID: number, Published: tx.Tx().Now(),
		Files: []store.File{{Name: names.FullName(name, number) + suffixGem, Digest: blob.Digest}},
	}
	v.Meta = Meta{
		Number: number, Platform: version.Ruby, Summary: summary,
		Spec: registry.Part{JSON: []byte(`{"name":"` + name + `"}`)},
		Line: compactindex.Line(spec, blob.Digest.Encoded(), v.Published),
	}
	if err := tx.Publish(v); err != nil {
		return err
	}
	return enlist(tx, v)
}
