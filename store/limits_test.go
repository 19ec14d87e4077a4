package store_test

// This file tests what names may be, how kinds and tables are kept apart, and who is said to have made a change.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

// TestNamesHaveLimits: a name of 1,024 bytes is stored and found, one more is refused, as is an empty one and one with
// a zero byte, wherever names are taken.
func TestNamesHaveLimits(t *testing.T) {
	s := storetest.New(t)
	b := storetest.Put(t, s, "x")
	longest := strings.Repeat("n", 1024)
	files := 0
	in := func(fn func(p *packageTx) error) error { return npm(s).Update(ctx, "a", fn) }
	takes := map[string]func(name string) error{
		"package": func(name string) error { return npm(s).Update(ctx, name, func(*packageTx) error { return nil }) },
		"version": func(name string) error {
			return in(func(p *packageTx) error { return p.Publish(version{ID: name}) })
		},
		"file": func(name string) error {
			return in(func(p *packageTx) error {
				files++
				return p.Publish(version{ID: fmt.Sprint("file ", files), Files: []store.File{{Name: name, Digest: b.Digest}}})
			})
		},
		"tag": func(name string) error {
			return in(func(p *packageTx) error { return p.SetTag(name, longest, store.TagCond{}) })
		},
		"upload": func(name string) error { _, err := s.StartUpload(ctx, store.OCI, name); return err },
		"cursor": func(name string) error {
			return s.Update(ctx, func(tx *store.Tx) error { return tx.SetCursor(name, 1) })
		},
	}
	for _, what := range []string{"package", "version", "file", "tag", "upload", "cursor"} {
		take := takes[what]
		if err := take(longest); err != nil {
			t.Errorf("%s of 1,024 bytes: %v", what, err)
		}
		for _, bad := range []string{longest + "n", "zero\x00byte"} {
			if err := take(bad); err == nil {
				t.Errorf("%s %.10q of %d bytes is accepted", what, bad, len(bad))
			} else {
				wantErr(t, err, store.ErrInvalid)
			}
		}
		if what != "file" { // a file without a name is only held
			wantErr(t, take(""), store.ErrInvalid)
		}
	}
	if !has(t, s, "a", longest) {
		t.Error("the version with the longest name is not found")
	}
}

// TestCopiesAreKeptApart: copies of an upstream's documents and files are kinds of their own: neither listed nor
// counted as what is hosted, and counted for themselves.
func TestCopiesAreKeptApart(t *testing.T) {
	s := storetest.New(t)
	b := storetest.Put(t, s, "12345")
	for _, k := range []store.Kind{store.NPM, store.NPM.Documents(), store.NPM.CachedFiles()} {
		must(t, store.NewRepo[meta](s, k).Update(ctx, "a", func(p *packageTx) error {
			if _, err := p.Version("of " + k.String()); err == nil {
				t.Errorf("%s has the version before it is published", k)
			}
			return p.Publish(ver("of "+k.String(), b))
		}))
		if slices.Contains(store.Kinds(), k) != (k == store.NPM) {
			t.Errorf("%s is a kind: %t", k, k != store.NPM)
		}
	}
	st, err := s.Stats(ctx)
	must(t, err)
	for _, k := range []store.Kind{store.NPM, store.NPM.Documents(), store.NPM.CachedFiles()} {
		if got, want := st.Kinds[k], (store.KindStats{Packages: 1, Versions: 1, Bytes: 5}); got != want {
			t.Errorf("%s counts %+v, want %+v", k, got, want)
		}
	}
	if st.Blobs != 1 || st.BlobBytes != 5 || st.Users["ada"] != 15 || st.Journal != 3 {
		t.Errorf("in all: %d blobs of %d bytes, ada brought %d, %d entries; want 1, 5, 15, 3",
			st.Blobs, st.BlobBytes, st.Users["ada"], st.Journal)
	}
}

// TestStatsCountWhatIsUnfinishedAndBroken: uploads under way, damaged blobs, room on the disk, size of the database.
func TestStatsCountWhatIsUnfinishedAndBroken(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	for range 2 {
		_, err := s.StartUpload(ctx, store.OCI, "app")
		must(t, err)
	}
	b := storetest.Put(t, s, "hello")
	storetest.Damage(t, dir, b.Digest, "missing")
	_, err := s.Scrub(ctx, store.ScrubOptions{})
	must(t, err)
	st, err := s.Stats(ctx)
	must(t, err)
	if st.Uploads != 2 || st.Damaged != 1 || st.Free <= 0 || st.Database <= 0 {
		t.Errorf("%d uploads, %d damaged, %d bytes free, %d in the database; want 2, 1 and more than 0",
			st.Uploads, st.Damaged, st.Free, st.Database)
	}
	for _, k := range store.Kinds() {
		if _, ok := st.Kinds[k]; !ok {
			t.Errorf("%s is missing from the statistics", k)
		}
	}
	if _, ok := st.Kinds[store.NPM.Documents()]; ok {
		t.Error("copies are counted though there are none")
	}
	storetest.Put(t, s, "hello") // right again
}

// TestTablesOfOthersAreTheirOwn: another package's table never is one of the store's, whatever it is called, and its
// rows begin with what was asked for only.
func TestTablesOfOthersAreTheirOwn(t *testing.T) {
	s := storetest.New(t)
	publish(t, s, "a", version{ID: "1"})
	must(t, s.Update(ctx, func(tx *store.Tx) error {
		for _, name := range []string{"version", "package", "meta", "journal"} {
			if v := tx.Table(name).Get([]byte("npm\x00a\x001")); v != nil {
				t.Errorf("Table(%q) reads the store's own row %q", name, v)
			}
			must(t, tx.Table(name).Put([]byte("npm\x00a\x001"), []byte("x")))
			must(t, tx.Table(name).Delete([]byte("npm\x00a\x001")))
			must(t, tx.Table(name).Delete([]byte("absent")))
		}
		return nil
	}))
	if !has(t, s, "a", "1") {
		t.Error("a version was deleted through another package's table")
	}
}

// TestActorOfTheContextIsTheAuthor of records and entries; without one nobody is.
func TestActorOfTheContextIsTheAuthor(t *testing.T) {
	if a := store.ActorFrom(context.Background()); a != (store.Actor{}) {
		t.Errorf("a context without an actor has %+v", a)
	}
	eve := store.Actor{User: "eve", Token: "tok-1", Addr: "192.0.2.1", Agent: "npm/11"}
	if a := store.ActorFrom(store.WithActor(ctx, eve)); a != eve {
		t.Errorf("the actor is %+v, want %+v: the innermost counts", a, eve)
	}
	s := storetest.New(t)
	must(t, npm(s).Update(store.WithActor(ctx, eve), "a", func(p *packageTx) error {
		if got := p.Tx().Actor(); got != eve {
			t.Errorf("in the transaction the actor is %+v, want %+v", got, eve)
		}
		return p.Publish(version{ID: "1"})
	}))
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
		v, err := p.Version("1")
		if v.By != "eve" {
			t.Errorf("the version is by %q, want eve", v.By)
		}
		return err
	}))
	entries, err := s.Journal(ctx, 0, 1)
	if err != nil || len(entries) != 1 || entries[0].Actor != eve {
		t.Errorf("the journal says %+v, %v; want %+v", entries, err, eve)
	}
}

// TestVersionsAndTagsInOrder: iteration begins after the given name, in bytewise order, and can end anywhere.
func TestVersionsAndTagsInOrder(t *testing.T) {
	s := storetest.New(t)
	for _, id := range []string{"10", "9", "1", "1.0", "2"} {
		publish(t, s, "a", version{ID: id})
		must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.SetTag("t"+id, id, store.TagCond{}) }))
	}
	publish(t, s, "ab", version{ID: "0"}) // the next package's rows follow at once
	for after, want := range map[string]string{"": "1 1.0 10 2 9", "1": "1.0 10 2 9", "1.5": "10 2 9", "9": ""} {
		must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
			var versions, ids, tags []string
			for v, err := range p.Versions(after) {
				must(t, err)
				versions = append(versions, v.ID)
			}
			for id, err := range p.VersionIDs(after) {
				must(t, err)
				ids = append(ids, id)
			}
			from := ""
			if after != "" {
				from = "t" + after
			}
			for tag, err := range p.Tags(from) {
				must(t, err)
				tags = append(tags, tag.Version)
			}
			for what, got := range map[string][]string{"Versions": versions, "VersionIDs": ids, "Tags": tags} {
				if strings.Join(got, " ") != want {
					t.Errorf("%s after %q: %q, want %q", what, after, got, want)
				}
			}
			for range p.Versions(after) {
				break
			}
			return nil
		}))
	}
}
