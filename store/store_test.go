package store_test

// This file tests packages, versions, tags, holds, tables and the journal, as protocols use them.

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
	"larder/store/storetest"
)

func TestPublishedVersionCanBeRead(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	b := storetest.Put(t, s, "hello")
	v := ver("1.0.0", b)
	v.Meta.Note = "first"
	publish(t, s, "left-pad", v)

	err := npm(s).View(ctx, "left-pad", func(p *packageTx) error {
		got, err := p.Version("1.0.0")
		must(t, err)
		if got.By != "ada" || got.Source != store.Hosted || !got.Published.Equal(clock.Now()) {
			t.Errorf("the version is by %q, %s, of %v; want ada, hosted, %v", got.By, got.Source, got.Published, clock.Now())
		}
		if got.Meta.Note != "first" {
			t.Errorf("its metadata says %q, want first", got.Meta.Note)
		}
		if got.Files[0].Size != b.Size {
			t.Errorf("its file has %d bytes, want %d filled in", got.Files[0].Size, b.Size)
		}
		id, f, err := p.File("1.0.0-0.tgz")
		if err != nil || id != "1.0.0" || f.Digest != b.Digest {
			t.Errorf("File: version %q, %s, %v; want 1.0.0, %s", id, f.Digest, err, b.Digest)
		}
		if size, ok := p.Holds(b.Digest); !ok || size != b.Size {
			t.Errorf("Holds: %d, %t; want %d, true", size, ok, b.Size)
		}
		row, err := p.Package()
		if err != nil || row.Versions != 1 || row.Bytes != 5 || row.Name != "left-pad" || row.Gen == 0 {
			t.Errorf("Package: %+v, %v; want left-pad with one version, 5 bytes and a generation", row, err)
		}
		_, err = p.Version("2.0.0")
		wantErr(t, err, store.ErrNotFound)
		_, _, err = p.File("none")
		wantErr(t, err, store.ErrNotFound)
		return nil
	})
	must(t, err)
	err = npm(s).View(ctx, "other", func(p *packageTx) error {
		if _, ok := p.Holds(b.Digest); ok {
			t.Error("a digest is not a right to read")
		}
		_, err := p.Package()
		return err
	})
	wantErr(t, err, store.ErrNotFound)
}

func TestPublishRefuses(t *testing.T) {
	s := storetest.New(t)
	b := storetest.Put(t, s, "hello")
	publish(t, s, "a", ver("1", b))
	missing := store.Blob{Digest: digest.FromString("never committed")}
	wrongSize := ver("2", b)
	wrongSize.Files[0].Size = 7
	twice := ver("2", b, b)
	twice.Files[1].Name = twice.Files[0].Name
	taken := ver("2", b)
	taken.Files[0].Name = "1-0.tgz"
	for _, c := range []struct {
		what string
		v    version
		want error
	}{
		{"the same version", ver("1", b), store.ErrExists},
		{"no blob", ver("2", missing), store.ErrNotFound},
		{"wrong size", wrongSize, store.ErrInvalid},
		{"two files of one name", twice, store.ErrExists},
		{"another version's file", taken, store.ErrExists},
		{"no ID", ver("", b), store.ErrInvalid},
		{"zero byte in the ID", ver("1\x00", b), store.ErrInvalid},
	} {
		t.Run(c.what, func(t *testing.T) {
			wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Publish(c.v) }), c.want)
		})
	}
	wantErr(t, npm(s).Update(ctx, "", func(*packageTx) error { return nil }), store.ErrInvalid)
	st, err := s.Stats(ctx)
	must(t, err)
	if st.Journal != 1 {
		t.Errorf("refused changes are in the journal: %d entries", st.Journal)
	}
}

func TestDeleteKeepsBlobsForGrace(t *testing.T) {
	s := storetest.New(t)
	b := storetest.Put(t, s, "hello")
	publish(t, s, "a", ver("1", b))
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		must(t, p.SetTag("latest", "1", store.TagCond{}))
		return p.Delete("1", true)
	}))
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
		_, err := p.Version("1")
		wantErr(t, err, store.ErrNotFound)
		_, err = p.Tag("latest")
		wantErr(t, err, store.ErrNotFound)
		_, _, err = p.File("1-0.tgz")
		wantErr(t, err, store.ErrNotFound)
		if _, ok := p.Holds(b.Digest); !ok {
			t.Error("the blob is gone before the grace period")
		}
		if !p.Tombstone("1") {
			t.Error("no tombstone")
		}
		return nil
	}))
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Publish(ver("1", b)) }), store.ErrExists)
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Delete("1", false) }), store.ErrNotFound)
}

func TestSweepAfterDelete(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	b := storetest.Put(t, s, "hello")
	publish(t, s, "a", ver("1", b))
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.DeletePackage() }))
	no := time.Duration(0)
	clock.Advance(3 * time.Hour)
	_, err := s.Sweep(ctx, store.SweepOptions{Grace: &no})
	must(t, err)
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
		if _, ok := p.Holds(b.Digest); ok {
			t.Error("a loose hold outlived the sweep")
		}
		return nil
	}))
	st, err := s.Stats(ctx)
	must(t, err)
	if st.Kinds[store.NPM] != (store.KindStats{}) || st.Users["ada"] != 0 {
		t.Errorf("after the deletion npm counts %+v and ada %d bytes, want nothing", st.Kinds[store.NPM], st.Users["ada"])
	}
}

func TestReplaceMovesHoldsWithFiles(t *testing.T) {
	s := storetest.New(t)
	one, two := storetest.Put(t, s, "one"), storetest.Put(t, s, "number two")
	publish(t, s, "a", ver("1", one))
	publish(t, s, "a", ver("2", two))
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		v, err := p.Version("1")
		must(t, err)
		v.Yanked, v.YankReason = true, "broken"
		v.Files = append(v.Files, store.File{Name: "extra", Digest: two.Digest})
		return p.Replace(v, store.OpYank)
	}))
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
		v, err := p.Version("1")
		must(t, err)
		if !v.Yanked || v.Updated.IsZero() || len(v.Files) != 2 || v.By != "ada" {
			t.Errorf("the version is %+v, want it yanked and updated, with two files, still by ada", v)
		}
		return nil
	}))
	// The first file goes, so its blob becomes loose; a name of another version cannot be taken.
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		return p.Replace(version{ID: "1", Files: []store.File{{Name: "extra", Digest: two.Digest}}}, store.OpReplace)
	}))
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		return p.Replace(version{ID: "1", Files: []store.File{{Name: "2-0.tgz", Digest: one.Digest}}}, store.OpReplace)
	}), store.ErrExists)
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		return p.Replace(ver("3", one), store.OpReplace)
	}), store.ErrNotFound)
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Unhold(one.Digest) }))
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Unhold(two.Digest) }), store.ErrReferenced)
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Unhold(one.Digest) }), store.ErrNotFound)
}

func TestTagsMoveUnderTheirConditions(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	b := storetest.Put(t, s, "x")
	for _, id := range []string{"1", "2", "3"} {
		publish(t, s, "a", ver(id, b))
	}
	set := func(name, id string, c store.TagCond) error {
		clock.Advance(time.Minute)
		return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.SetTag(name, id, c) })
	}
	for i, c := range []struct {
		name, id string
		cond     store.TagCond
		want     error
	}{
		{"latest", "9", store.TagCond{}, store.ErrNotFound},
		{"latest", "1", store.TagCond{IfMatch: "1"}, store.ErrConflict},
		{"latest", "1", store.TagCond{IfMatch: "*"}, store.ErrConflict},
		{"latest", "1", store.TagCond{IfNoneMatch: "*", Create: true}, nil},
		{"latest", "1", store.TagCond{Create: true}, nil},
		{"latest", "1", store.TagCond{IfNoneMatch: "*"}, store.ErrConflict},
		{"latest", "2", store.TagCond{Create: true}, store.ErrDenied},
		{"latest", "2", store.TagCond{IfMatch: "2"}, store.ErrConflict},
		{"latest", "2", store.TagCond{IfNoneMatch: "1"}, store.ErrConflict},
		{"latest", "2", store.TagCond{IfMatch: "1"}, nil},
		{"latest", "3", store.TagCond{}, nil},
		{"next", "3", store.TagCond{}, nil},
		{"", "3", store.TagCond{}, store.ErrInvalid},
	} {
		if err := set(c.name, c.id, c.cond); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("row %d: got %v, want %v", i, err, c.want)
		}
	}
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.DeleteTag("latest") }))
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.DeleteTag("latest") }), store.ErrNotFound)
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
		var names, history []string
		for tag, err := range p.Tags("") {
			must(t, err)
			names = append(names, tag.Name+"="+tag.Version)
		}
		if !slices.Equal(names, []string{"next=3"}) {
			t.Errorf("tags are %q, want next=3 alone", names)
		}
		for e, err := range p.TagHistory("latest") {
			must(t, err)
			history = append(history, e.Event+" "+e.Version)
			if e.Digest != b.Digest || e.By != "ada" {
				t.Errorf("event %+v, want it by ada with the digest %s", e, b.Digest)
			}
		}
		if want := []string{"deleted 3", "created 3", "created 2", "created 1"}; !slices.Equal(history, want) {
			t.Errorf("history %q, want %q", history, want)
		}
		for range p.TagHistory("latest-but-not-this") {
			t.Error("a tag that never was has a history, want none")
		}
		if of := slices.Collect(p.TagsOf("3")); !slices.Equal(of, []string{"next"}) {
			t.Errorf("tags of version 3 are %q, want next alone", of)
		}
		return nil
	}))
}

func TestHoldGivesTheRightToRead(t *testing.T) {
	s := storetest.New(t)
	b := storetest.Put(t, s, "layer")
	r := store.NewRepo[meta](s, store.OCI)
	must(t, r.Update(ctx, "app", func(p *packageTx) error { return p.Hold(b) }))
	wantErr(t, r.Update(ctx, "app", func(p *packageTx) error {
		return p.Hold(store.Blob{Digest: "sha256:00"})
	}), store.ErrNotFound)
	must(t, r.Update(ctx, "zoo", func(p *packageTx) error { return p.Publish(ver("1", b)) }))

	names, err := s.Holders(ctx, store.OCI, b.Digest, "", 0)
	if err != nil || !slices.Equal(names, []string{"app", "zoo"}) {
		t.Errorf("holders are %q, %v; want app and zoo", names, err)
	}
	names, _ = s.Holders(ctx, store.OCI, b.Digest, "app", 1)
	if !slices.Equal(names, []string{"zoo"}) {
		t.Errorf("holders after app are %q, want zoo", names)
	}
	if names, _ = s.Holders(ctx, store.NPM, b.Digest, "", 0); len(names) != 0 {
		t.Errorf("holders of another kind are %q, want none", names)
	}
	list, err := r.Packages(ctx, "", 0)
	if err != nil || len(list) != 1 || list[0].Name != "zoo" {
		t.Errorf("listed are %+v, %v; want zoo without app, which only holds a blob", list, err)
	}
	must(t, r.Update(ctx, "app", func(p *packageTx) error { return p.Unhold(b.Digest) }))
	st, err := s.Stats(ctx)
	must(t, err)
	if got := st.Kinds[store.OCI]; got != (store.KindStats{Packages: 1, Versions: 1, Bytes: b.Size}) {
		t.Errorf("the kind counts %+v, want one package, one version, %d bytes", got, b.Size)
	}
}

func TestPackagesComeInPages(t *testing.T) {
	s := storetest.New(t)
	b := storetest.Put(t, s, "x")
	for _, n := range []string{"b", "a", "a-b", "c", "ab"} {
		publish(t, s, n, ver("1", b))
	}
	var got []string
	for after := ""; ; {
		page, err := npm(s).Packages(ctx, after, 2)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			got = append(got, p.Name)
		}
		after = got[len(got)-1]
	}
	if want := []string{"a", "a-b", "ab", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestIndexRowsGoWithTheirPackage(t *testing.T) {
	s := storetest.New(t)
	before := s.Generation(store.NPM, "a")
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		must(t, p.SetPackage(func(row *store.Package) { row.Display = "A" }))
		must(t, p.KindIndex("names").Put([]byte("a"), []byte("1")))
		x := p.Index("owners")
		for _, k := range []string{"x1", "x2", "x3", "y"} {
			must(t, x.Put([]byte(k), []byte("v"+k)))
		}
		for k := range x.Scan([]byte("x"), nil) { // deleting while scanning
			must(t, x.Delete(slices.Clone(k)))
		}
		return nil
	}))
	if s.Generation(store.NPM, "a") <= before {
		t.Error("the generation did not move")
	}
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
		var keys []string
		for k, v := range p.Index("owners").Scan(nil, nil) {
			keys = append(keys, string(k)+"="+string(v))
		}
		if !slices.Equal(keys, []string{"y=vy"}) {
			t.Errorf("rows left are %q, want y=vy alone", keys)
		}
		if v := p.KindIndex("names").Get([]byte("a")); string(v) != "1" {
			t.Errorf("the kind's row is %q, want 1", v)
		}
		if p.Index("own").Get([]byte("ers")) != nil {
			t.Error("tables overlap")
		}
		return nil
	}))
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.DeletePackage() }))
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
		if p.Index("owners").Get([]byte("y")) != nil {
			t.Error("index rows outlive the package")
		}
		return nil
	}))
}

func TestTableScanBeginsAfterTheGivenKey(t *testing.T) {
	s := storetest.New(t)
	must(t, s.Update(ctx, func(tx *store.Tx) error {
		for _, k := range []string{"a", "b1", "b2", "b3", "c"} {
			must(t, tx.Table("auth.users").Put([]byte(k), []byte(k)))
		}
		return nil
	}))
	for _, c := range []struct{ prefix, after, want string }{
		{"", "", "a b1 b2 b3 c"}, {"b", "", "b1 b2 b3"}, {"b", "b1", "b2 b3"}, {"b", "b11", "b2 b3"}, {"", "b3", "c"},
		{"b", "a", "b1 b2 b3"}, {"b", "c", ""}, {"z", "", ""},
	} {
		must(t, s.View(ctx, func(tx *store.Tx) error {
			var got []string
			var after []byte
			if c.after != "" {
				after = []byte(c.after)
			}
			for k := range tx.Table("auth.users").Scan([]byte(c.prefix), after) {
				got = append(got, string(k))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("Scan(%q, %q) = %q, want %q", c.prefix, c.after, got, c.want)
			}
			if tx.Table("auth.none").Get([]byte("x")) != nil {
				t.Error("a row of a bucket that does not exist")
			}
			return nil
		}))
	}
}

func TestFolderIsOpenedOnce(t *testing.T) {
	dir := t.TempDir()
	storetest.Open(t, dir)
	_, err := store.Open(dir, store.Options{LockTimeout: 10 * time.Millisecond})
	wantErr(t, err, store.ErrLocked)
}

func TestFileThatIsNoDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "larder.db"), []byte(strings.Repeat("not a database ", 2000)), 0o600))
	_, err := store.Open(dir, store.Options{})
	wantErr(t, err, store.ErrFormat)
}

func TestReadOnlySwitchSaysWhy(t *testing.T) {
	s := storetest.New(t)
	s.SetReadOnly("we are moving house")
	err := s.Update(ctx, func(*store.Tx) error { return nil })
	wantErr(t, err, store.ErrReadOnly)
	wantErr(t, s.Health(), store.ErrReadOnly)
	wantErr(t, s.Admit(ctx, store.NPM, "a", 1), store.ErrReadOnly)
	var pub *problem.Refusal
	if !errors.As(err, &pub) || !strings.Contains(pub.Public(), "moving house") {
		t.Errorf("the refusal is %v, want the reason in its public text", err)
	}
	if _, err := s.Secret(ctx, "jwt", 32); err != nil {
		t.Errorf("Secret: %v; want success, since a server that only serves has to sign", err)
	}
	s.SetReadOnly("")
	must(t, s.Update(ctx, func(*store.Tx) error { return nil }))
	must(t, s.Health())
}

func TestFullDiskRefusesPublishesAndLetsRead(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	publish(t, s, "a", version{ID: "1"})
	must(t, s.Close())
	s = storetest.Open(t, dir, storetest.WithOptions(func(o *store.Options) { o.Reserve = 1 << 60 }))
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Publish(version{ID: "2"}) }), store.ErrFull)
	wantErr(t, s.Health(), store.ErrFull)
	wantErr(t, s.Admit(ctx, store.NPM, "a", 1), store.ErrFull)
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error { _, err := p.Version("1"); return err }))
}

func TestSecretStaysTheSame(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	one, err := s.Secret(ctx, "jwt", 32)
	must(t, err)
	other, err := s.Secret(ctx, "cookie", 32)
	must(t, err)
	must(t, s.Close())
	s = storetest.Open(t, dir)
	again, err := s.Secret(ctx, "jwt", 32)
	must(t, err)
	if len(one) != 32 || !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Errorf("secrets %x %x %x", one, again, other)
	}
	_, err = s.Secret(ctx, "jwt", 16)
	wantErr(t, err, store.ErrFormat)
}

func TestJournalHasEveryChangeInOrder(t *testing.T) {
	s := storetest.New(t)
	woken := s.WatchJournal()
	b := storetest.Put(t, s, "hello")
	publish(t, s, "a", ver("1", b))
	select {
	case <-woken:
	default:
		t.Error("the watcher was not woken by the time Update returned")
	}
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		must(t, p.SetTag("latest", "1", store.TagCond{}))
		p.Tx().Log(store.Entry{Op: store.OpMount, Note: "by hand"})
		return nil
	}))
	all, err := s.Journal(ctx, 0, 10)
	must(t, err)
	var ops []string
	for i, e := range all {
		ops = append(ops, string(e.Op))
		if e.Seq != uint64(i+1) || e.Actor.User != "ada" || e.Time.IsZero() {
			t.Errorf("entry %d is %+v, want it numbered %d, by ada, with a time", i, e, i+1)
		}
	}
	if !slices.Equal(ops, []string{"publish", "tag", "mount"}) || all[0].Bytes != 5 {
		t.Errorf("the journal has %q with %d bytes first; want publish, tag, mount and 5", ops, all[0].Bytes)
	}
	rest, err := s.Journal(ctx, 1, 1)
	if err != nil || len(rest) != 1 || rest[0].Seq != 2 {
		t.Errorf("Journal(after 1, limit 1): %+v, %v; want entry 2", rest, err)
	}
	tail, err := s.JournalTail(ctx, 2)
	if err != nil || len(tail) != 2 || tail[0].Seq != 3 {
		t.Errorf("JournalTail(2): %+v, %v; want two entries, number 3 first", tail, err)
	}
}
