package store

// This file tests that damaged pages of the database become sentences, never panics.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"larder/internal/problem"
)

// filled is a closed folder with enough records that its tables have branches, and its database's bytes.
func filled(t testing.TB) (dir string, db []byte) {
	t.Helper()
	dir = t.TempDir()
	s := openBytes(t, dir, Options{})
	ctx := context.Background()
	for i := range 12 {
		b := mustPut(t, s, fmt.Appendf(nil, "content %d", i))
		for j := range 25 {
			if err := publish(ctx, s, fmt.Sprintf("package-%02d", i), fmt.Sprintf("%d.0.0", j), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	closeChecked(t, s)
	db, err := os.ReadFile(filepath.Join(dir, dbName))
	if err != nil {
		t.Fatal(err)
	}
	x := &inspector{r: bytes.NewReader(db), size: int64(len(db))}
	if _, _, err := x.meta(); err != nil {
		t.Fatal(err)
	}
	return dir, db[:int64(x.pages)*x.pageSize] // what follows was allocated ahead and never used
}

// mustBeUsableOrSay opens the folder dir with db as its database and does everything that reads and writes it. Whatever
// is wrong with it must be an error with a sentence, soon.
func mustBeUsableOrSay(t *testing.T, what, dir string, db []byte) (opened bool) {
	t.Helper()
	done := make(chan error, 1)
	if err := os.Remove(filepath.Join(dir, dbName)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, dbName), db, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v", p)
			}
		}()
		var err error
		opened, err = exercise(dir)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: still not done", what)
	}
	return opened
}

// exercise returns an error for what no damage may lead to.
func exercise(dir string) (opened bool, err error) {
	ctx := context.Background()
	s, err := Open(dir, Options{Reserve: -1, AcceptMissingBlobs: true})
	if err != nil {
		text := OperatorMessage(err)
		if errors.Is(err, ErrDatabase) && (!strings.Contains(text, dbName) || !strings.Contains(text, "larder restore")) {
			return false, fmt.Errorf("the sentence names neither the file nor a way back: %v", err)
		}
		if !errors.Is(err, ErrDatabase) && !errors.Is(err, ErrFormat) {
			return false, fmt.Errorf("opening is refused without a sentence: %w", err)
		}
		return false, nil
	}
	if _, err := s.Check(ctx, CheckOptions{}); err != nil {
		return true, fmt.Errorf("check: %w", err)
	}
	_, err = s.PutBytes(ctx, []byte("new"))
	if err != nil && !errors.Is(err, ErrDatabase) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrReadOnly) {
		return true, fmt.Errorf("put: %w", err)
	}
	if _, err := s.Stats(ctx); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDatabase) {
		return true, fmt.Errorf("stats: %w", err)
	}
	if err := s.Close(); err != nil && !errors.Is(err, ErrDatabase) {
		return true, fmt.Errorf("close: %w", err)
	}
	return true, nil
}

// TestDamagedDatabaseIsASentence flips bits of a real database, overwrites pieces of it, swaps its pages and cuts it
// off.
func TestDamagedDatabaseIsASentence(t *testing.T) {
	dir, good := filled(t)
	r := rand.New(rand.NewPCG(1, 2))
	size := os.Getpagesize()
	page := func() int { return r.IntN(len(good)/size) * size }
	damages := []struct {
		what  string
		times int
		do    func(p []byte) []byte
	}{
		{"a flipped bit", 80, func(p []byte) []byte { p[r.IntN(len(p))] ^= 1 << r.IntN(8); return p }},
		{"a flipped bit of a page's header", 80, func(p []byte) []byte { p[page()+r.IntN(16)] ^= 1 << r.IntN(8); return p }},
		{"a flipped bit of an element", 80, func(p []byte) []byte { p[page()+16+r.IntN(256)] ^= 1 << r.IntN(8); return p }},
		{"zeros", 20, func(p []byte) []byte { at := page(); clear(p[at : at+1+r.IntN(size)]); return p }},
		{"noise", 20, func(p []byte) []byte {
			for i := range p[:r.IntN(64)] {
				p[(page()+i)%len(p)] = byte(r.Uint32())
			}
			return p
		}},
		{"a page in another's place", 30, func(p []byte) []byte { copy(p[page():], good[page():][:size]); return p }},
		{"cut off", 40, func(p []byte) []byte { return p[:r.IntN(len(p))] }},
		{"cut off at a page", 10, func(p []byte) []byte { return p[:page()] }},
		{"longer", 5, func(p []byte) []byte { return append(p, make([]byte, r.IntN(10*size))...) }},
	}
	opened := 0
	for _, d := range damages {
		for i := range d.times {
			if mustBeUsableOrSay(t, fmt.Sprintf("%s (%d)", d.what, i), dir, d.do(append([]byte(nil), good...))) {
				opened++
			}
		}
	}
	if opened == 0 {
		t.Error("no damaged database could be opened, not even one that is damaged where nothing is")
	}
}

// TestOpenFindsEveryKindOfDamagedPage breaks one thing after another that bbolt would follow blindly.
func TestOpenFindsEveryKindOfDamagedPage(t *testing.T) {
	dir, good := filled(t)
	size := os.Getpagesize()
	for _, c := range []struct {
		what string
		do   func(p []byte) []byte
		want string
	}{
		{"the end is missing", func(p []byte) []byte { return p[:len(p)-size] }, "its end is missing"},
		{"both metas", func(p []byte) []byte { clear(p[:2*size]); return p }, "first pages"},
		{"a branch that leads to itself", func(p []byte) []byte {
			for at := 2 * size; at < len(p); at += size {
				if p[at+8] == flagBranch {
					native.PutUint64(p[at+16+8:], uint64(at/size))
				}
			}
			return p
		}, "used twice"},
		{"a count that does not fit", func(p []byte) []byte {
			for at := 2 * size; at < len(p); at += size {
				native.PutUint16(p[at+10:], 0xFFFE)
			}
			return p
		}, "more than fit"},
		{"no flags", func(p []byte) []byte {
			for at := 2 * size; at < len(p); at += size {
				native.PutUint16(p[at+8:], 0)
			}
			return p
		}, "neither leaf nor branch"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, dbName), c.do(append([]byte(nil), good...)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Options{Reserve: -1, AcceptMissingBlobs: true})
			if !errors.Is(err, ErrDatabase) || !strings.Contains(OperatorMessage(err), c.want) {
				t.Errorf("open says %v, want a sentence with %q", err, c.want)
			}
		})
	}
}

// TestOpenFindsDamagedFreePages: the list of free pages decides where bbolt writes next; each mistake in it is found
// before that.
func TestOpenFindsDamagedFreePages(t *testing.T) {
	dir, good := filled(t)
	size := os.Getpagesize()
	x := &inspector{r: bytes.NewReader(good), size: int64(len(good))}
	root, list, err := x.meta()
	if err != nil || list == noFreelist {
		t.Fatalf("the list of free pages is at %d, %v", list, err)
	}
	count := func(p []byte) []byte { return p[int(list)*size+10:] }
	entry := func(p []byte, i int) []byte { return p[int(list)*size+pageHeader+8*i:] }
	if n := native.Uint16(count(good)); n < 2 {
		t.Fatalf("the database has %d free pages, the test needs two", n)
	}
	for _, c := range []struct {
		what string
		do   func(p []byte)
		want string
	}{
		{"another page in its place", func(p []byte) { native.PutUint16(p[int(list)*size+8:], flagLeaf) }, "is not the list"},
		{"more entries than fit", func(p []byte) { native.PutUint16(count(p), 0xFFFE) }, "more than fit"},
		{"far more entries than fit", func(p []byte) {
			native.PutUint16(count(p), 0xFFFF)
			native.PutUint64(entry(p, 0), 1<<60)
		}, "more than fit"},
		{"a page beyond the end", func(p []byte) { native.PutUint64(entry(p, 0), uint64(len(p)/size)) }, "is none of its"},
		{"the first page", func(p []byte) { native.PutUint64(entry(p, 0), 0) }, "is none of its"},
		{"a page in use", func(p []byte) { native.PutUint64(entry(p, 0), root) }, "in use and listed as free"},
		{"a page twice", func(p []byte) { copy(entry(p, 0)[:8], entry(p, 1)) }, "in use and listed as free"},
	} {
		p := bytes.Clone(good)
		c.do(p)
		if err := os.WriteFile(filepath.Join(dir, dbName), p, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, Options{Reserve: -1})
		if !errors.Is(err, ErrDatabase) || !strings.Contains(OperatorMessage(err), c.want) {
			t.Errorf("%s: open says %v, want a sentence with %q", c.what, err, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, dbName), good, 0o600); err != nil {
		t.Fatal(err)
	}
	mustBeSound(t, dir)
}

// TestSentencesAreForOperatorsOnly: OperatorMessage has one for a folder or database that cannot be used, and none for
// other errors.
func TestSentencesAreForOperatorsOnly(t *testing.T) {
	for _, err := range []error{nil, errFault, ErrDatabase, problem.Errorf(ErrNotFound, "no such package")} {
		if got := OperatorMessage(err); got != "" {
			t.Errorf("OperatorMessage(%v) is %q, want nothing", err, got)
		}
	}
	inner := damage("page 7 is used twice")
	public := &problem.Refusal{Err: inner, Text: "the server's database is damaged"}
	for _, err := range []error{inner, fmt.Errorf("open: %w", inner), public} {
		got := OperatorMessage(err)
		if !strings.Contains(got, "page 7 is used twice") || !strings.Contains(got, "larder restore") {
			t.Errorf("OperatorMessage(%v) is %q, want what was seen and the ways back", err, got)
		}
	}
}

// TestDamageAtRunTimeTurnsReadOnly damages pages of a database that is open: reads and writes that meet them are
// errors, the store takes no changes and says why, and it can still be closed.
func TestDamageAtRunTimeTurnsReadOnly(t *testing.T) {
	dir, good := filled(t)
	s, err := Open(dir, Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	size := int64(os.Getpagesize())
	f, err := os.OpenFile(filepath.Join(dir, dbName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at := 2 * size; at < int64(len(good)); at += size {
		if _, err := f.WriteAt(make([]byte, 16), at); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	if _, err := s.Stats(ctx); !errors.Is(err, ErrDatabase) {
		t.Errorf("a read: %v, want ErrDatabase", err)
	}
	if err := s.Health(); !errors.Is(err, ErrReadOnly) || !errors.Is(err, ErrDatabase) {
		t.Errorf("health: %v, want ErrReadOnly because of ErrDatabase", err)
	}
	if _, err := s.PutBytes(ctx, []byte("new")); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a write: %v, want ErrReadOnly", err)
	}
	r, err := s.Check(ctx, CheckOptions{})
	if err != nil || len(r.Problems) == 0 {
		t.Errorf("check: %v, %v; want the damage as a problem", r.Problems, err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil && !errors.Is(err, ErrDatabase) {
			t.Errorf("close: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("close hangs")
	}
}

// TestPanicOfACallerIsNoDamage: a mistake inside a transaction stays the caller's.
func TestPanicOfACallerIsNoDamage(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	ctx := context.Background()
	func() {
		defer func() {
			if p := recover(); p != "mine" {
				t.Errorf("recovered %v, want the caller's panic", p)
			}
		}()
		_ = s.View(ctx, func(*Tx) error { panic("mine") })
	}()
	if err := s.Update(ctx, func(*Tx) error { panic("mine") }); err == nil || errors.Is(err, ErrDatabase) {
		t.Errorf("update: %v, want an error that is not ErrDatabase", err)
	}
	if err := s.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
}

// TestCheckNamesUnreadableRows: a record that cannot be decoded is a problem with table and key, in every table, and
// the check goes on.
func TestCheckNamesUnreadableRows(t *testing.T) {
	for _, bucket := range buckets() {
		if bucket == bucketMeta || bucket == bucketIndex || bucket == bucketFile || bucket == bucketTagged ||
			bucket == bucketTombstone || bucket == bucketAlias {
			continue // rows without a record, or another package's
		}
		t.Run(bucket, func(t *testing.T) {
			s, _ := damaged(t)
			k := []byte("bad\xff")
			err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucket)).Put(k, []byte("\x01{")) })
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Check(context.Background(), CheckOptions{})
			found := false
			for _, p := range r.Problems {
				found = found || strings.Contains(p.What, "table "+bucket) && strings.Contains(p.What, "bad")
			}
			if err != nil || !found {
				t.Errorf("check says %v, %v; want the table and the key", r.Problems, err)
			}
			if r.Versions != 1 {
				t.Errorf("the check counted %d versions, want 1: it did not go on", r.Versions)
			}
		})
	}
}
