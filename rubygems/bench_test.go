package rubygems

import (
	"context"
	"fmt"
	"testing"

	"larder/internal/gemspec"
	"larder/store"
	"larder/store/storetest"
)

// fill writes gems, one version each, without their files' way through HTTP.
func fill(t testing.TB, s *store.Store, from, to int) {
	t.Helper()
	repo := store.NewRepo[Meta](s, store.RubyGems)
	blob := storetest.Put(t, s, "a gem")
	for ; from < to; from += 1000 {
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			for i := from; i < min(to, from+1000); i++ {
				name := fmt.Sprintf("gem-number-%07d", i)
				if err := repo.In(tx, name, func(tx *store.PackageTx[Meta]) error { return fillGem(tx, name, "1.0.0", blob) }); err != nil {
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
	spec := &gemspec.Specification{Name: name, Version: number, Platform: "ruby", Summary: &summary, Authors: []string{"Ada"}}
	p := &publication{gem: &gem{spec: spec}, id: number}
	if err := p.claim(tx); err != nil {
		return err
	}
	v := store.Version[Meta]{ID: number, Published: tx.Tx().Now(), Files: []store.File{{Name: fullName(name, number) + ".gem", Digest: blob.Digest}}}
	v.Meta = Meta{Number: number, Platform: "ruby", Summary: summary, Spec: part{JSON: []byte(`{"name":"` + name + `"}`)}, Line: infoLine(spec, blob.Digest.Encoded(), v.Published)}
	if err := tx.Publish(v); err != nil {
		return err
	}
	return enlist(tx, v)
}
