package upstream

// Copies under old names: what is remembered of their use goes with them.

import (
	"context"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

func TestMovedFilesAreEvictedInTheirTurn(t *testing.T) {
	ctx := context.Background()
	g := newRig(t)
	repo := store.NewRepo[entry](g.store, store.OCI.CachedFiles())
	rows := map[useKey]int64{}
	for i, pkg := range []string{"x", "hub/x"} {
		for _, name := range []string{"one", "two"} {
			b := storetest.Put(t, g.store, name)
			err := repo.Update(ctx, pkg, func(tx *store.PackageTx[entry]) error {
				return put(tx, name, entry{Upstream: "hub"}, b, nil)
			})
			if err != nil {
				t.Fatal(err)
			}
			rows[useKey{store.OCI, pkg, name}] = int64(10*i + len(rows) + 1)
		}
	}
	delete(rows, useKey{store.OCI, "hub/x", "two"})
	err := g.store.Update(ctx, func(tx *store.Tx) error {
		for k, n := range rows {
			if err := tx.Table(tableUses).Put(k.row(), append(encodeNumber(n), encodeNumber(3)...)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same := func(_, path string) string { return path }
	g.again(Options{
		Upstreams: []Config{{Kind: store.OCI, Name: "hub", URL: g.origin.URL}},
		Spellings: Spellings{store.OCI: {Path: same}},
	})
	list, err := g.reg.oldest(ctx)
	want := []use{
		{useKey{store.OCI, "hub/x", "two"}, rows[useKey{store.OCI, "x", "two"}], 3},
		{useKey{store.OCI, "hub/x", "one"}, rows[useKey{store.OCI, "hub/x", "one"}], 3},
	}
	if err != nil || len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Errorf("the files used last are %v, %v, want %v", list, err, want)
	}
}
