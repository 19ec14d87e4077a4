package store_test

// This file tests backups, and what a restore makes of whole, damaged and hostile ones.

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

// TestBackupWhileWriting takes a backup under publishes, deletes and sweeps; the restored store is consistent and has
// all that was published before the backup began.
func TestBackupWhileWriting(t *testing.T) {
	s := storetest.New(t)
	for i := range 20 {
		publish(t, s, "before", ver(fmt.Sprint(i), storetest.Put(t, s, strings.Repeat(fmt.Sprint(i), 1000))))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			publish(t, s, "during", ver(fmt.Sprint(i), storetest.Put(t, s, fmt.Sprintf("content %d", i))))
			must(t, npm(s).Update(ctx, "during", func(p *packageTx) error { return p.Delete(fmt.Sprint(i), false) }))
		}
	})
	wg.Go(func() {
		now := time.Duration(0)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := s.Sweep(ctx, store.SweepOptions{Grace: &now}); err != nil {
					t.Error(err)
				}
			}
		}
	})
	var buf bytes.Buffer
	var last int64
	rep, err := s.Backup(ctx, &slow{w: &buf}, func(done, total int64) { last = done })
	close(stop)
	wg.Wait()
	must(t, err)
	if rep.Blobs < 20 || last != rep.Bytes {
		t.Errorf("the backup says %+v and came to %d; want 20 blobs or more, and their bytes", rep, last)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	got, err := store.Restore(ctx, dir, bytes.NewReader(buf.Bytes()), nil)
	must(t, err)
	if got != rep {
		t.Errorf("restored are %+v, want what was backed up: %+v", got, rep)
	}
	r := storetest.Open(t, dir)
	for i := range 20 {
		if !has(t, r, "before", fmt.Sprint(i)) {
			t.Errorf("version %d is missing", i)
		}
	}
	publish(t, r, "after", version{ID: "1"})
	left, err := os.ReadDir(filepath.Join(dir, "uploads"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in uploads/: %v, %v; want nothing", left, err)
	}
}

// slow lets other goroutines run between the chunks.
type slow struct{ w io.Writer }

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(200 * time.Microsecond)
	return s.w.Write(p)
}

// entry is one file of a backup.
type entry struct {
	name string
	data []byte
}

func readTar(t *testing.T, p []byte) (all []entry) {
	t.Helper()
	tr := tar.NewReader(bytes.NewReader(p))
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return all
		}
		must(t, err)
		data, err := io.ReadAll(tr)
		must(t, err)
		all = append(all, entry{h.Name, data})
	}
}

func writeTar(t *testing.T, all []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, e := range all {
		must(t, tw.WriteHeader(&tar.Header{Name: e.name, Size: int64(len(e.data)), Mode: 0o600}))
		_, err := tw.Write(e.data)
		must(t, err)
	}
	must(t, tw.Close())
	return buf.Bytes()
}

func TestRestoreRefuses(t *testing.T) {
	s := storetest.New(t)
	publish(t, s, "a", ver("1", storetest.Put(t, s, "one"), storetest.Put(t, s, "two")))
	var buf bytes.Buffer
	_, err := s.Backup(ctx, &buf, nil)
	must(t, err)
	good := readTar(t, buf.Bytes())
	if good[0].name != "larder.db" || len(good) != 3 {
		t.Fatalf("a backup of %d entries starts with %s", len(good), good[0].name)
	}
	for _, c := range []struct {
		what string
		tar  []byte
		want error
	}{
		{"nothing", nil, store.ErrFormat},
		{"blobs first", writeTar(t, good[1:]), store.ErrFormat},
		{"a blob is missing", writeTar(t, good[:2]), store.ErrNotFound},
		{"a blob has other bytes", writeTar(t, []entry{good[0], good[1], {good[2].name, []byte("three")}}), store.ErrDigest},
		{"a path that leads out", writeTar(t, []entry{good[0], {"../../evil", nil}}), store.ErrFormat},
		{"a path into uploads", writeTar(t, []entry{good[0], {"uploads/x", nil}}), store.ErrFormat},
		{"damaged records", writeTar(t, []entry{{"larder.db", bytes.Repeat([]byte("x"), 100_000)}}), store.ErrFormat},
		{"cut short", buf.Bytes()[:len(good[0].data)+1024], io.ErrUnexpectedEOF},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			_, err := store.Restore(ctx, dir, bytes.NewReader(c.tar), nil)
			wantErr(t, err, c.want)
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v, want an empty folder", left)
			}
		})
	}
	full := t.TempDir()
	must(t, os.WriteFile(filepath.Join(full, "precious"), nil, 0o600))
	_, err = store.Restore(ctx, full, bytes.NewReader(buf.Bytes()), nil)
	wantErr(t, err, store.ErrExists)
	if _, err := os.Stat(filepath.Join(full, "precious")); err != nil {
		t.Error(err)
	}
}
