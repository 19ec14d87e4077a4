package store

// This file tests opening folders: formats, migrations, locks.

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func openBolt(t *testing.T, path string) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestMigrationsRunOnce runs them one by one, with a crash in the middle: what ran is not run again.
func TestMigrationsRunOnce(t *testing.T) {
	db := openBolt(t, filepath.Join(t.TempDir(), "x.db"))
	var ran []string
	broken := errors.New("broken")
	step := func(name string, err error) migration {
		return migration{name, func(tx *bolt.Tx) error {
			ran = append(ran, name)
			if _, e := tx.CreateBucket([]byte(name)); e != nil {
				return e
			}
			return err
		}}
	}
	if err := migrate(db, []migration{step("one", nil), step("two", broken)}); !errors.Is(err, broken) {
		t.Fatalf("a migration that fails: %v, want %v", err, broken)
	}
	if at, err := readFormat(db); at != 1 || err != nil {
		t.Errorf("format %d %v, want 1", at, err)
	}
	steps := []migration{step("one", nil), step("two", nil), step("three", nil)}
	if err := migrate(db, steps); err != nil {
		t.Fatal(err)
	}
	if err := migrate(db, steps); err != nil {
		t.Fatal(err)
	}
	if want := 4; len(ran) != want { // one, two (rolled back), two, three
		t.Errorf("%q ran, want one and two, then two again and three", ran)
	}
	if err := migrate(db, steps[:1]); !errors.Is(err, ErrFormat) {
		t.Errorf("a newer format: %v, want ErrFormat", err)
	}
}

func TestDatabaseOfAnotherProgramIsRefused(t *testing.T) {
	dir := t.TempDir()
	db := openBolt(t, filepath.Join(dir, dbName))
	err := db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("somebody else's"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrFormat) {
		t.Errorf("another program's database: %v, want ErrFormat", err)
	}
}

// TestRecordsOfAnotherFormatAreRefused refuses bytes of another format instead of guessing.
func TestRecordsOfAnotherFormatAreRefused(t *testing.T) {
	b, err := encode(blobRow{Size: 1})
	if err != nil || b[0] != recordFormat {
		t.Fatalf("a record is %q, %v; want it to begin with %d", b, err, recordFormat)
	}
	var row blobRow
	for _, bad := range [][]byte{nil, {}, {recordFormat}, append([]byte{recordFormat + 1}, b[1:]...), b[1:]} {
		if err := decode(bad, &row); !errors.Is(err, ErrFormat) {
			t.Errorf("decode(%q): %v, want ErrFormat", bad, err)
		}
	}
}

// TestGenerationsGrowAcrossRestarts: an ETag or cursor made from one is never valid again for something else.
func TestGenerationsGrowAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	var last uint64
	for range 3 {
		s, err := Open(dir, Options{Reserve: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Generation(NPM, "a"); got < last {
			t.Errorf("generation %d after %d", got, last)
		}
		err = NewRepo[int](s, NPM).Update(context.Background(), "a", func(p *PackageTx[int]) error {
			return p.SetPackage(func(*Package) {})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Generation(NPM, "a"); got <= last {
			t.Errorf("generation %d did not grow from %d", got, last)
		} else {
			last = got
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
