package rubygems

// Large registries for benchmarks and tests of cost, written without HTTP.

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"larder/internal/registry"
	"larder/rubygems/archive"
	"larder/rubygems/compactindex"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// BenchmarkFill writes large registries for internal/bench.
func BenchmarkFill(b *testing.B) {
	storetest.Fill(b, func(s *store.Store, tx *store.Tx, name, version string, file store.Blob) error {
		repo := store.NewRepo[Meta](s, store.RubyGems)
		return repo.In(tx, name, func(tx *store.PackageTx[Meta]) error { return fillGem(tx, name, version, file) })
	})
}

// BenchmarkFillCopies lists gems of an upstream of which copies are kept, as BenchmarkFill does with those that are
// published.
func BenchmarkFillCopies(b *testing.B) {
	storetest.Fill(b, func(_ *store.Store, tx *store.Tx, name, version string, _ store.Blob) error {
		c := upstream.Copy{Name: name, About: upstream.About{Description: "About " + name, Versions: []string{version}}}
		data, err := json.Marshal(struct {
			Upstream string    `json:"upstream"`
			Changed  time.Time `json:"changed"`
			upstream.About
		}{"main", tx.Now(), c.About})
		if err != nil {
			return err
		}
		l := copyListing(c)
		l.Data = data
		return tx.SetCopied(store.RubyGems, name, &l)
	})
}

// fill writes gems of one version each, whose files are the same.
func fill(t testing.TB, s *store.Store, from, to int) {
	t.Helper()
	repo := store.NewRepo[Meta](s, store.RubyGems)
	storetest.FillWith(t, s, to-from, func(tx *store.Tx, i int, file store.Blob) error {
		name := fmt.Sprintf("gem-number-%07d", from+i)
		return repo.In(tx, name, func(tx *store.PackageTx[Meta]) error { return fillGem(tx, name, "1.0.0", file) })
	})
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
