package cli

// Looking after a folder: archives of the journal, orphans, the database's size.

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
	"larder/web"
)

// TestArchivedEntriesAreShownAndBackedUp: what has left the database is shown with --archive, and with --since where
// that goes back so far; a backup has it only with --archives, and a restore brings it back.
func TestArchivedEntriesAreShownAndBackedUp(t *testing.T) {
	data := newFolder(t)
	year := func(y int) func() time.Time {
		return func() time.Time { return time.Date(y, 5, 6, 7, 8, 9, 0, time.UTC) }
	}
	s, err := store.Open(data, store.Options{Now: year(2020)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ClaimName(t.Context(), store.NPM, "oldest-name"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(data, store.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := s.IndexJournal(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = s.PruneJournal(t.Context(), 0)
	if cerr := s.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	dir := t.TempDir()
	must(t, "", "backup", filepath.Join(dir, "plain.tar"), "--data", data)
	must(t, "", "backup", filepath.Join(dir, "whole.tar"), "--archives", "--data", data)
	for _, name := range []string{"plain", "whole"} {
		must(t, "", "restore", filepath.Join(dir, name+".tar"), "--data", filepath.Join(dir, name))
	}
	for _, c := range []struct {
		data, args string
		shown      bool
	}{
		{data, "", false}, {data, "--archive", true}, {data, "--since 2020-01-01", true}, {data, "--since 2020-06-01", false},
		{data, "--archive --package other", false}, {data, "--archive --package oldest-name", true},
		{data, "--archive --operation user.add", false}, {data, "--archive --operation claim", true},
		{filepath.Join(dir, "plain"), "--archive", false}, {filepath.Join(dir, "whole"), "--archive", true},
	} {
		out := must(t, "", append([]string{"audit", "--data", c.data}, strings.Fields(c.args)...)...)
		if strings.Contains(out, "oldest-name") != c.shown {
			t.Errorf(
				"audit %s of %s printed %q; shows the old entry %t, want %t", c.args, filepath.Base(c.data), out, !c.shown, c.shown,
			)
		}
	}
}

// TestCompact: the database of a closed folder becomes no larger and keeps what it had; with a server it is refused,
// and so is a folder that is none.
func TestCompact(t *testing.T) {
	data := newFolder(t)
	if out := must(t, "", "compact", "--data", data); !strings.HasPrefix(out, "the database had ") {
		t.Errorf("compact printed %q", out)
	}
	if out := must(t, "", "user", "list", "--data", data); !strings.Contains(out, "ada") {
		t.Errorf("after compact the users are %q", out)
	}
	must(t, "", "check", "--data", data)
	if r := run(t, "", "compact", "--data", t.TempDir()); r.code != exitFailure ||
		!strings.Contains(r.err, "is not a data folder") {
		t.Errorf("compact of no folder: %+v", r)
	}
	startServer(t, data)
	if r := run(t, "", "compact", "--data", data); r.code != exitFailure ||
		!strings.Contains(r.err, "stop it, compact, and start it again") {
		t.Errorf("compact with a server: %+v", r)
	}
}

// TestOrphansAreMovedAside: gc --orphans moves files without a record to orphans/, on a closed folder and through a
// server.
func TestOrphansAreMovedAside(t *testing.T) {
	for _, open := range []bool{false, true} {
		data := newFolder(t)
		name := strings.TrimPrefix(putOrphan(t, data, []byte("stray")), "sha256:")
		blob := filepath.Join(data, "blobs", "sha256", name[:2], name)
		if err := os.Rename(filepath.Join(data, "orphans", name), blob); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-30 * 24 * time.Hour)
		if err := os.Chtimes(blob, old, old); err != nil {
			t.Fatal(err)
		}
		if open {
			startServer(t, data)
		}
		if out := must(t, "", "gc", "--orphans", "--data", data); !strings.HasPrefix(out, "moved 1 blob ") {
			t.Errorf("gc --orphans, served %t, printed %q", open, out)
		}
		if _, err := os.Stat(filepath.Join(data, "orphans", name)); err != nil {
			t.Errorf("gc --orphans, served %t: %v; want the file in orphans/", open, err)
		}
	}
}

func TestVersionSaysWhatItWasBuiltWith(t *testing.T) {
	out := must(t, "", "version")
	want := "larder " + web.Version() + " (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")\n"
	if out != want {
		t.Errorf("larder version says %q, want %q", out, want)
	}
	var b build
	err := json.Unmarshal([]byte(must(t, "", "version", "--json")), &b)
	if err != nil || b.Go != runtime.Version() || b.Version != web.Version() {
		t.Errorf("larder version --json is %+v, %v", b, err)
	}
}

func TestStatsCountWhatIsStored(t *testing.T) {
	data := newFolder(t)
	s, err := store.Open(data, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	blob := storetest.Put(t, s, "some bytes")
	err = store.NewRepo[int](s, store.NPM).Update(t.Context(), "left", func(p *store.PackageTx[int]) error {
		f := store.File{Name: "f", Digest: blob.Digest, Size: blob.Size}
		return p.Publish(store.Version[int]{ID: "1.0.0", Files: []store.File{f}})
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	out := must(t, "", "stats", "--data", data)
	for _, want := range []string{"KIND", "DATABASE", "10 B"} {
		if !strings.Contains(out, want) {
			t.Errorf("stats lacks %q:\n%s", want, out)
		}
	}
	for _, k := range store.Kinds() {
		if !strings.Contains(out, "\n"+string(k)) {
			t.Errorf("stats has no line for %s:\n%s", k, out)
		}
	}
	var stats store.Stats
	if err := json.Unmarshal([]byte(must(t, "", "stats", "--json", "--data", data)), &stats); err != nil {
		t.Fatal(err)
	}
	if n := stats.Kinds[store.NPM]; n.Packages != 1 || n.Versions != 1 || n.Bytes != 10 || stats.Blobs != 1 {
		t.Errorf("as JSON npm has %+v and there are %d blobs, want one of each and 10 bytes", n, stats.Blobs)
	}
}
