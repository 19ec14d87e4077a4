package store_test

// This file tests the listing of blobs without a database, and of files that no record knows.

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/store"
	"larder/store/storetest"
)

// strayFile puts content in a shard's folder behind the store's back.
func strayFile(t *testing.T, dir, content string) digest.Digest {
	t.Helper()
	d := digest.FromString(content)
	must(t, os.WriteFile(storetest.BlobPath(dir, d), []byte(content), 0o440))
	return d
}

// TestWalkBlobsFindsEveryFile, in blobs/ and in orphans/, without a database, and passes by what is no blob.
func TestWalkBlobsFindsEveryFile(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir, store.Options{Reserve: 1})
	must(t, err)
	b := storetest.Put(t, s, "recorded")
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, "larder.db")))
	orphan := digest.FromString("orphan")
	must(t, os.WriteFile(filepath.Join(dir, "orphans", orphan.Encoded()), []byte("orphan"), 0o440))
	must(t, os.WriteFile(filepath.Join(dir, "blobs/sha256/00/notes.txt"), []byte("not ours"), 0o440))
	must(t, os.WriteFile(filepath.Join(dir, "orphans/README"), []byte("not ours"), 0o440))

	got := map[digest.Digest]store.Found{}
	must(t, store.WalkBlobs(ctx, dir, func(f store.Found, path string) error {
		body, err := os.ReadFile(path)
		if err != nil || digest.FromBytes(body) != f.Digest || int64(len(body)) != f.Size {
			t.Errorf("%s has %d bytes, %v; it was said to be %+v", path, len(body), err, f)
		}
		got[f.Digest] = f
		return nil
	}))
	if len(got) != 2 || got[b.Digest].Orphan || !got[orphan].Orphan || got[orphan].Confidence != store.Unknown {
		t.Errorf("found %+v; want the blob and the orphan", got)
	}
	calls := 0
	wantErr(t, store.WalkBlobs(ctx, dir, func(store.Found, string) error { calls++; return errMine }), errMine)
	if calls != 1 {
		t.Errorf("the walk went on %d times after an error", calls-1)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	wantErr(t, store.WalkBlobs(gone, dir, func(store.Found, string) error { return nil }), context.Canceled)
	must(t, store.WalkBlobs(ctx, t.TempDir(), func(store.Found, string) error { return errMine })) // no folders: nothing
}

// TestIsDataFolderForWhatWasOne: a database, an id or blobs are signs of one; other files are not.
func TestIsDataFolderForWhatWasOne(t *testing.T) {
	for name, want := range map[string]bool{
		"larder.db": true, "larder.id": true, "blobs/sha256/x": true, "admin.sock": false, "uploads/x": false,
	} {
		dir := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
		if got := store.IsDataFolder(dir); got != want {
			t.Errorf("a folder with %s: IsDataFolder is %t, want %t", name, got, want)
		}
	}
	if store.IsDataFolder(filepath.Join(t.TempDir(), "absent")) {
		t.Error("a folder that is not there was a data folder")
	}
}

// TestUnrecordedFilesAreListed: those in both folders that no record knows, and no others.
func TestUnrecordedFilesAreListed(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	storetest.Put(t, s, "recorded")
	if got, err := s.Unrecorded(ctx); err != nil || len(got) != 0 {
		t.Errorf("in a sound folder %q are unrecorded, %v", got, err)
	}
	want := []digest.Digest{strayFile(t, dir, "one"), strayFile(t, dir, "two")}
	must(t, os.Rename(storetest.BlobPath(dir, want[1]), filepath.Join(dir, "orphans", want[1].Encoded())))
	got, err := s.Unrecorded(ctx)
	must(t, err)
	if !slices.Equal(got, want) && !slices.Equal(got, []digest.Digest{want[1], want[0]}) {
		t.Errorf("unrecorded are %q, want %q", got, want)
	}
}

// TestUnrecordedAgain: a blob whose publish was refused is a file without a record as before; one that a version holds
// keeps its record.
func TestUnrecordedAgain(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	refused, kept := storetest.Put(t, s, "refused"), storetest.Put(t, s, "kept")
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error {
		return errors.Join(p.Hold(refused), p.Publish(ver("1", kept)))
	}))
	for b, want := range map[store.Blob]bool{refused: false, kept: true} {
		must(t, s.DropRecord(ctx, b.Digest))
		if held, err := s.Held(ctx, b.Digest); held != want || err != nil {
			t.Errorf("%s is held: %t, %v; want %t", b.Digest, held, err, want)
		}
		if _, err := os.Stat(storetest.BlobPath(dir, b.Digest)); err != nil {
			t.Errorf("the file is gone: %v", err)
		}
	}
	_, err := s.StatBlob(ctx, refused.Digest)
	wantErr(t, err, store.ErrNotFound)
	_, err = s.StatBlob(ctx, kept.Digest)
	must(t, err)
	must(t, s.DropRecord(ctx, digest.FromString("never here")))
	must(t, os.Remove(storetest.BlobPath(dir, refused.Digest)))
}

// TestRepairTakesTheRightBytesOnly: somebody who still has the bytes of a blob brings them back; bytes that nothing
// here refers to are refused and leave nothing.
func TestRepairTakesTheRightBytesOnly(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	b := storetest.Put(t, s, "precious bytes")
	storetest.Damage(t, dir, b.Digest, "flip")
	wantErr(t, s.Damaged(b.Digest), nil)
	_, err := s.Scrub(ctx, store.ScrubOptions{})
	must(t, err)
	wantErr(t, s.Damaged(b.Digest), store.ErrDamaged)

	_, _, err = s.Repair(ctx, body("other bytes"))
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, s.Damaged(b.Digest), store.ErrDamaged)
	_, _, err = s.Repair(ctx, brokenBody{})
	wantErr(t, err, errMine)

	got, known, err := s.Repair(ctx, body("precious bytes"))
	if err != nil || got != b || !known {
		t.Errorf("Repair: %v, known %t, %v; want %v, known to be damaged", got, known, err, b)
	}
	must(t, s.Damaged(b.Digest))
	must(t, s.Sound(ctx, b))
	if _, known, err := s.Repair(ctx, body("precious bytes")); known || err != nil {
		t.Errorf("Repair of a sound blob: known %t, %v", known, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "uploads")); err != nil || len(left) != 0 {
		t.Errorf("left in uploads: %v, %v", left, err)
	}
}
