package store_test

// This file tests what a store still does when it takes no changes, or when its disk is nearly full.

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
	"larder/store/storetest"
)

// brought are the changes that bring something in from outside: they may not touch the disk's reserve.
func brought(s *store.Store, b store.Blob) map[string]func() error {
	return map[string]func() error{
		"PutBytes":    func() error { _, err := s.PutBytes(ctx, []byte("new")); return err },
		"Stage":       func() error { _, err := s.Stage(ctx, store.StageOptions{}); return err },
		"StartUpload": func() error { _, err := s.StartUpload(ctx, store.OCI, "app"); return err },
		"Admit":       func() error { return s.Admit(ctx, store.NPM, "a", 1) },
		"Publish": func() error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Publish(ver("9", b)) })
		},
		"Hold": func() error { return npm(s).Update(ctx, "other", func(p *packageTx) error { return p.Hold(b) }) },
		"a copy that grows": func() error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Replace(ver("1", b), store.OpCache) })
		},
		"what another package declares": func() error {
			return s.Update(ctx, func(tx *store.Tx) error {
				return errors.Join(tx.NeedRoom(), tx.Table("feed.rows").Put([]byte("x"), []byte("y")))
			})
		},
	}
}

// operated are the changes that an operator makes to get out of trouble, in the order in which they can be made.
func operated(s *store.Store) []struct {
	what string
	do   func() error
} {
	now := time.Duration(0)
	return []struct {
		what string
		do   func() error
	}{
		{"yank", func() error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error {
				v, err := p.Version("1")
				v.Yanked = true
				return errors.Join(err, p.Replace(v, store.OpYank))
			})
		}},
		{"tag", func() error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.SetTag("latest", "1", store.TagCond{}) })
		}},
		{"delete a tag", func() error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.DeleteTag("latest") })
		}},
		{"delete a version", func() error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Delete("1", true) })
		}},
		{"delete a package", func() error {
			return npm(s).Update(ctx, "a", func(p *packageTx) error { return p.DeletePackage() })
		}},
		{"change a user", func() error {
			return s.Update(ctx, func(tx *store.Tx) error { return tx.Table("auth.users").Put([]byte("eve"), []byte("off")) })
		}},
		{"expire uploads", func() error { return s.ExpireUploads(ctx) }},
		{"prune the journal", func() error { _, err := s.PruneJournal(ctx, 0); return err }},
		{"reconcile", func() error { return s.Reconcile(ctx) }},
		{"sweep", func() error { _, err := s.Sweep(ctx, store.SweepOptions{Grace: &now}); return err }},
	}
}

// TestReserveIsTheOperators: on a nearly full disk nothing is brought in, and everything that makes room works.
func TestReserveIsTheOperators(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	b := storetest.Put(t, s, "hello")
	publish(t, s, "a", ver("1", b))
	must(t, s.Close())
	s = storetest.Open(t, dir, storetest.WithOptions(func(o *store.Options) { o.Reserve = 1 << 60 }))
	for what, do := range brought(s, b) {
		if err := do(); !errors.Is(err, store.ErrFull) || problem.Status(err) != 507 {
			t.Errorf("%s: %v, status %d; want ErrFull, 507", what, err, problem.Status(err))
		}
	}
	wantErr(t, s.Health(), store.ErrFull)
	if !has(t, s, "a", "1") {
		t.Error("the version that was there cannot be read")
	}
	for _, step := range operated(s) {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v, want success", step.what, err)
		}
	}
	_, err := s.StatBlob(ctx, b.Digest)
	wantErr(t, err, store.ErrNotFound) // room was made
}

// TestReadOnlyRefusesEveryChange with the reason that was given, answers every reader, and goes on afterwards.
func TestReadOnlyRefusesEveryChange(t *testing.T) {
	s := storetest.New(t)
	b := storetest.Put(t, s, "hello")
	publish(t, s, "a", ver("1", b))
	id, err := s.StartUpload(ctx, store.OCI, "app")
	must(t, err)
	s.SetReadOnly("it moves to another disk")
	changes := brought(s, b)
	for _, step := range operated(s) {
		if step.what != "expire uploads" { // which touches no record
			changes[step.what] = step.do
		}
	}
	changes["ResumeUpload"] = func() error { _, err := s.ResumeUpload(ctx, store.OCI, "app", id); return err }
	changes["MoveOrphans"] = func() error { _, err := s.MoveOrphans(ctx); return err }
	for what, do := range changes {
		err := do()
		if !errors.Is(err, store.ErrReadOnly) || problem.Public(err) != "the store is read-only: it moves to another disk" {
			t.Errorf("%s: %v, the user reads %q; want ErrReadOnly with the reason", what, err, problem.Public(err))
		}
	}
	for what, read := range map[string]func() error{
		"a version": func() error { return wantThere(s, "a", "1") },
		"a blob":    func() error { _, err := s.ReadBlob(ctx, b.Digest, 10); return err },
		"the offset of an upload": func() error {
			_, err := s.UploadOffset(ctx, store.OCI, "app", id)
			return err
		},
		"the statistics": func() error { _, err := s.Stats(ctx); return err },
		"the journal":    func() error { _, err := s.Journal(ctx, 0, 10); return err },
		"a check":        func() error { _, err := s.Check(ctx, store.CheckOptions{Deep: true}); return err },
		"a scrub":        func() error { _, err := s.Scrub(ctx, store.ScrubOptions{}); return err },
		"a backup":       func() error { _, err := s.Backup(ctx, io.Discard, nil); return err },
	} {
		if err := read(); err != nil {
			t.Errorf("%s of a store that is read-only: %v", what, err)
		}
	}
	s.SetReadOnly("")
	for _, step := range operated(s) {
		if err := step.do(); err != nil {
			t.Errorf("afterwards, %s: %v", step.what, err)
		}
	}
}

func wantThere(s *store.Store, name, id string) error {
	return npm(s).View(ctx, name, func(p *packageTx) error { _, err := p.Version(id); return err })
}

// TestDamageOnAReadOnlyStoreIsRemembered by this process: nobody is given the bytes, though no record can be written.
func TestDamageOnAReadOnlyStoreIsRemembered(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	b := storetest.Put(t, s, "hello")
	s.SetReadOnly("for a look")
	storetest.Damage(t, dir, b.Digest, "truncate")
	_, _, err := s.OpenBlob(ctx, b.Digest)
	wantErr(t, err, store.ErrDamaged)
	wantErr(t, s.Damaged(b.Digest), store.ErrDamaged)
	if list, err := s.Damages(ctx); err != nil || len(list) != 1 || list[0].Digest != b.Digest {
		t.Errorf("known are %+v, %v; want the blob", list, err)
	}
	s.SetReadOnly("")
	storetest.Put(t, s, "hello")
	must(t, s.Damaged(b.Digest))
}

// TestClosedStoreSaysSo: a call after Close is an error of its own, not a panic.
func TestClosedStoreSaysSo(t *testing.T) {
	s, err := store.Open(t.TempDir(), store.Options{Reserve: 1})
	must(t, err)
	must(t, s.Close())
	wantErr(t, s.View(ctx, func(*store.Tx) error { return nil }), store.ErrClosed)
	wantErr(t, s.Update(ctx, func(*store.Tx) error { return nil }), store.ErrClosed)
	_, err = s.StatBlob(ctx, digest.FromString("x"))
	wantErr(t, err, store.ErrClosed)
	_, err = s.JournalTail(ctx, 1)
	wantErr(t, err, store.ErrClosed)
}
