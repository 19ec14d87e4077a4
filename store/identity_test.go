package store

// This file tests that folders and databases that do not belong together do not start, and say why.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"

	"larder/store/disk"
)

// idOf is the id of larder.id and that of the database of a closed folder.
func idOf(t testing.TB, dir string) (file, db string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, idName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	b, err := bolt.Open(filepath.Join(dir, dbName), 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if db, err = readID(b); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text)), db
}

func mustAgree(t testing.TB, dir string) (id string) {
	t.Helper()
	file, db := idOf(t, dir)
	if file == "" || file != db {
		t.Errorf("%s says %q, the database %q; want one id", idName, file, db)
	}
	return file
}

// withBlobs is a closed folder with n versions of one blob each.
func withBlobs(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := openBytes(t, dir, Options{})
	for i := range n {
		b := mustPut(t, s, fmt.Appendf(nil, "content %d", i))
		if err := publish(context.Background(), s, fmt.Sprintf("p%d", i), "1.0.0", b); err != nil {
			t.Fatal(err)
		}
	}
	closeChecked(t, s)
	return dir
}

// older makes a closed folder one of a Larder that knew no ids.
func older(t testing.TB, dir string) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, dbName), 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Delete(idKey) })
	if err = errors.Join(err, db.Close(), os.Remove(filepath.Join(dir, idName))); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	p, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, p, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFolderRefusesTheWrongDatabase: whatever took the database's place, the folder does not start, says what it found
// and what can be done, and all blobs are still there; with the flag it starts, and its own database can come back.
func TestFolderRefusesTheWrongDatabase(t *testing.T) {
	other := withBlobs(t, 1)
	for _, c := range []struct {
		what   string
		change func(db string) error
		want   string
	}{
		{"missing", os.Remove, "is missing"},
		{"empty", func(db string) error { return os.Truncate(db, 0) }, "is empty"},
		{"cut off", func(db string) error { return os.Truncate(db, 9000) }, "is damaged"},
		{"noise", func(db string) error { return os.WriteFile(db, bytes.Repeat([]byte("x"), 1<<16), 0o600) }, "is damaged"},
		{
			"another folder's", func(db string) error { copyFile(t, filepath.Join(other, dbName), db); return nil },
			"belongs to another data folder",
		},
		{"one without an id", func(db string) error {
			dir := withBlobs(t, 1)
			older(t, dir)
			copyFile(t, filepath.Join(dir, dbName), db)
			return nil
		}, "has no id"},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := withBlobs(t, 20)
			db := filepath.Join(dir, dbName)
			copyFile(t, db, db+".bak")
			id := mustAgree(t, dir)
			if err := c.change(db); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Options{Reserve: -1})
			text := OperatorMessage(err)
			if !errors.Is(err, ErrDatabase) {
				t.Fatalf("open: %v, want ErrDatabase", err)
			}
			for _, want := range []string{c.want, "larder restore", "larder check --rebuild", "larder serve " +
				"--accept-new-database"} {
				if !strings.Contains(text, want) {
					t.Errorf("the sentence lacks %q: %s", want, text)
				}
			}
			if c.want != "is damaged" && (!strings.Contains(text, "20 blobs") || !strings.Contains(text, id)) {
				t.Errorf("the sentence lacks the number of blobs or the id %s: %s", id, text)
			}
			s, err := Open(dir, Options{Reserve: -1, AcceptNewDatabase: true, AcceptMissingBlobs: true})
			if err != nil {
				t.Fatalf("open with the database accepted: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got := mustAgree(t, dir); got != id {
				t.Errorf("the folder's id became %s, want %s", got, id)
			}
			copyFile(t, db+".bak", db)
			mustBeSound(t, dir)
		})
	}
}

func TestNewAndOlderFoldersGetOneID(t *testing.T) {
	dir := withBlobs(t, 3)
	id := mustAgree(t, dir)
	mustBeSound(t, dir)
	if got := mustAgree(t, dir); got != id {
		t.Errorf("the second start changed the id from %s to %s", id, got)
	}
	older(t, dir)
	mustBeSound(t, dir)
	if got := mustAgree(t, dir); got == id {
		t.Errorf("an older folder got the id %s of another", got)
	}
	id = mustAgree(t, dir)
	if err := os.Remove(filepath.Join(dir, idName)); err != nil {
		t.Fatal(err)
	}
	mustBeSound(t, dir)
	if got := mustAgree(t, dir); got != id {
		t.Errorf("a folder whose start was cut off took the id %s, want its database's %s", got, id)
	}
}

// TestStartIsCutOffAnywhere fails every durable step of the first start of a new and of an older folder: the next start
// succeeds, with one id and every record.
func TestStartIsCutOffAnywhere(t *testing.T) {
	for _, c := range []struct {
		what    string
		prepare func(t *testing.T) string
		accept  bool
	}{
		{"new", func(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }, false},
		{"older", func(t *testing.T) string { dir := withBlobs(t, 2); older(t, dir); return dir }, false},
		{"accepted", func(t *testing.T) string {
			dir := withBlobs(t, 2)
			if err := os.WriteFile(filepath.Join(dir, dbName), []byte("noise, not a database"), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}, true},
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/persisted=%v", c.what, after), func(t *testing.T) {
				for n := 1; ; n++ {
					dir := c.prepare(t)
					h := &nth{n: n, after: after, armed: true}
					s, err := Open(dir, Options{Reserve: -1, Faults: h, AcceptNewDatabase: c.accept})
					if c.what == "new" && n == 8 {
						n = 256 // the shards are all alike
					}
					if err == nil {
						if err := s.Close(); err != nil {
							t.Fatal(err)
						}
					}
					if h.hit == "" {
						if err != nil {
							t.Fatalf("without a fault: %v", err)
						}
						return
					}
					s, err = Open(dir, Options{Reserve: -1, AcceptNewDatabase: c.accept})
					if err != nil {
						t.Fatalf("after a failed %s (step %d) the folder does not start: %v", h.hit, h.n, err)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					mustAgree(t, dir)
				}
			})
		}
	}
}

// TestMissingBlobsRefuseToStart: a folder whose blobs lie on another disk says so instead of serving errors.
func TestMissingBlobsRefuseToStart(t *testing.T) {
	remove := func(n int) func(dir string) error {
		return func(dir string) error {
			for i := range n {
				d := digest.FromString(fmt.Sprintf("content %d", i))
				if err := os.Remove(filepath.Join(dir, disk.BlobPath(d))); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, c := range []struct {
		what   string
		blobs  int
		lose   func(dir string) error
		refuse bool
	}{
		{"the folder blobs", 5, func(dir string) error { return os.RemoveAll(filepath.Join(dir, "blobs")) }, true},
		{"all of a few", 5, remove(5), true},
		{"some of a few", 5, remove(4), false},
		{"a hundred", 150, remove(100), false},
		{"more than a hundred", 150, remove(101), true},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := withBlobs(t, c.blobs)
			if err := c.lose(dir); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, Options{Reserve: -1})
			if c.refuse != errors.Is(err, ErrDatabase) {
				t.Fatalf("open: %v, refused is to be %v", err, c.refuse)
			}
			if c.refuse {
				if text := OperatorMessage(err); !strings.Contains(text, "are missing") ||
					!strings.Contains(text, "--accept-missing-blobs") {
					t.Errorf("the sentence is: %s", text)
				}
				if s, err = Open(dir, Options{Reserve: -1, AcceptMissingBlobs: true}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
