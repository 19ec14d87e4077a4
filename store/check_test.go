package store

// This file tests what a check finds, and that it finds nothing in a sound store.

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

// damaged is a small store that every row of the table breaks in one way.
func damaged(t *testing.T) (*Store, Blob) {
	t.Helper()
	s, err := Open(t.TempDir(), Options{Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := WithActor(context.Background(), Actor{User: "ada"})
	b, err := s.PutBytes(ctx, []byte("some bytes"))
	if err != nil {
		t.Fatal(err)
	}
	err = NewRepo[int](s, NPM).Update(ctx, "a", func(p *PackageTx[int]) error {
		if err := p.Publish(Version[int]{ID: "1", Files: []File{{Name: "f", Digest: b.Digest}}}); err != nil {
			return err
		}
		return p.SetTag("latest", "1", TagCond{})
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func TestCheckFindsDamage(t *testing.T) {
	del := func(bucket string, parts ...string) func(*Tx, Blob) error {
		return func(tx *Tx, b Blob) error {
			for i, p := range parts {
				if p == "DIGEST" {
					parts[i] = string(b.Digest)
				}
			}
			return tx.del(bucket, key(parts...))
		}
	}
	for _, c := range []struct {
		what   string
		damage func(*Tx, Blob) error
		want   string
	}{
		{"nothing", func(*Tx, Blob) error { return nil }, ""},
		{"version", del(bucketVersion, "npm", "a", "1"), "does not exist"},
		{"file row", del(bucketFile, "npm", "a", "f"), "cannot be found by its name"},
		{"tag", del(bucketTag, "npm", "a", "latest"), "lists tag"},
		{"tagged", del(bucketTagged, "npm", "a", "1", "latest"), "is not listed"},
		{"hold", del(bucketHold, "npm", "a", "DIGEST", "1"), "is not held"},
		{"holder", del(bucketHolder, "DIGEST", "npm", "a"), "has no holder row"},
		{"blob row", del(bucketBlob, "DIGEST"), "has no record"},
		{"package", del(bucketPackage, "npm", "a"), "the package has no record"},
		{"kind counter", del(bucketStat, "kind", "npm"), "is missing"},
		{"user counter", del(bucketStat, "user", "ada"), "is missing"},
		{
			"blob counter", func(tx *Tx, _ Blob) error { return tx.count(statBlobs, counter{Bytes: 1}) },
			"counter \"blobs\" says",
		},
		{"package counter", func(tx *Tx, _ Blob) error {
			p, err := openPackage(tx, NPM, "a")
			p.row.Tags++
			p.dirty = true
			if err == nil {
				err = p.flush()
			}
			return err
		}, "the package counts"},
		{"stray hold", func(tx *Tx, b Blob) error {
			return tx.putRow(bucketHold, key("npm", "a", string(b.Digest), "9"), holdRow{})
		}, "holds a blob it does not have"},
		{"alias", func(tx *Tx, _ Blob) error {
			return tx.put(bucketAlias, []byte(digest.SHA512.FromString("x")), []byte(digest.FromString("x")))
		}, "is an alias of"},
		{"tombstone", func(tx *Tx, _ Blob) error {
			return tx.putRow(bucketTombstone, key("npm", "a", "1"), tombstoneRow{Time: time.Now()})
		}, "deleted for good"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s, b := damaged(t)
			if err := s.Update(context.Background(), func(tx *Tx) error { return c.damage(tx, b) }); err != nil {
				t.Fatal(err)
			}
			wantProblem(t, s, CheckOptions{}, c.want)
		})
	}
}

func TestCheckFindsDamagedFiles(t *testing.T) {
	for _, c := range []struct {
		what   string
		broken func(path string) error
		deep   bool
		want   string
	}{
		{"missing", os.Remove, false, "the file is damaged"},
		{"shorter", func(p string) error { return os.Truncate(p, 3) }, false, "the file is damaged"},
		{"other bytes", rot, true, "other bytes"},
		{"other bytes, quick look", rot, false, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			s, b := damaged(t)
			path := s.files.Path(disk.BlobPath(b.Digest))
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := c.broken(path); err != nil {
				t.Fatal(err)
			}
			wantProblem(t, s, CheckOptions{Deep: c.deep}, c.want)
		})
	}
}

func rot(path string) error { return os.WriteFile(path, []byte("same bytes"), 0o600) }

func wantProblem(t *testing.T, s *Store, o CheckOptions, want string) {
	t.Helper()
	r, err := s.Check(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range r.Problems {
		all = append(all, p.String())
	}
	if text := strings.Join(all, "\n"); (want == "") != (text == "") || !strings.Contains(text, want) {
		t.Errorf("problems %q, want one with %q", all, want)
	}
}

// TestCheckCountsOrphans counts files that no record knows, without calling them a problem.
func TestCheckCountsOrphans(t *testing.T) {
	s, _ := damaged(t)
	if err := os.WriteFile(s.files.Path(disk.BlobPath(digest.FromString("orphan"))), []byte("orphan"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := s.Check(context.Background(), CheckOptions{})
	if err != nil || r.Orphans != 1 || len(r.Problems) != 0 || r.Blobs != 1 || r.Versions != 1 || r.Packages != 1 {
		t.Errorf("the check says %+v, %v; want one orphan, one blob, one version, one package, no problem", r, err)
	}
}

// TestCheckRunsWhileOthersWrite walks more rows than one slice has, while others write.
func TestCheckRunsWhileOthersWrite(t *testing.T) {
	s, b := damaged(t)
	r := NewRepo[int](s, NPM)
	ctx := context.Background()
	add := func(p *PackageTx[int], id string) error {
		return p.Publish(Version[int]{ID: id, Files: []File{{Digest: b.Digest}}})
	}
	err := r.Update(ctx, "many", func(p *PackageTx[int]) error {
		for i := range 2*checkSlice + 7 {
			if err := add(p, time.Unix(int64(i), 0).Format(time.RFC3339)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			id := time.Now().Format(time.RFC3339Nano)
			if err := r.Update(ctx, "busy", func(p *PackageTx[int]) error { return add(p, id) }); err != nil {
				stopped <- err
				return
			}
		}
	}()
	wantProblem(t, s, CheckOptions{Deep: true}, "")
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
