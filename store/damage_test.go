package store_test

// This file tests blobs whose files went bad: nobody is given wrong bytes, and the right ones repair them.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

// damagedStore is a store with one small and one large blob in package a, both damaged in one way.
func damagedStore(
	t *testing.T, how string,
) (s *store.Store, dir string, blobs map[string]store.Blob, bodies map[string]string) {
	t.Helper()
	dir = t.TempDir()
	s = storetest.Open(t, dir)
	bodies = map[string]string{
		"small": strings.Repeat("a small blob ", 9), "large": strings.Repeat("a large blob ", 20_000),
	}
	blobs = map[string]store.Blob{}
	for name, body := range bodies {
		b := storetest.Put(t, s, body)
		publish(t, s, "a", version{ID: name, Files: []store.File{{Name: name + ".tgz", Digest: b.Digest}}})
		blobs[name] = b
	}
	for _, b := range blobs {
		storetest.Damage(t, dir, b.Digest, how)
	}
	return s, dir, blobs, bodies
}

// evenWithoutBlobs opens a folder that lacks all its blobs.
var evenWithoutBlobs = storetest.WithOptions(func(o *store.Options) { o.AcceptMissingBlobs = true })

// readers are the ways to get at a blob's bytes.
func readers(s *store.Store) map[string]func(store.Blob) error {
	return map[string]func(store.Blob) error{
		"OpenBlob": func(b store.Blob) error {
			f, _, err := s.OpenBlob(ctx, b.Digest)
			if err != nil {
				return err
			}
			return f.Close()
		},
		"ReadBlob":  func(b store.Blob) error { _, err := s.ReadBlob(ctx, b.Digest, 1<<20); return err },
		"BlobBytes": func(b store.Blob) error { _, err := s.BlobBytes(ctx, b); return err },
		"ReadSound": func(b store.Blob) error {
			r, err := s.ReadSound(ctx, b.Digest)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				err = errors.Join(err, r.Close())
			}
			return err
		},
		"Sound":   func(b store.Blob) error { return s.Sound(ctx, b) },
		"Damaged": func(b store.Blob) error { return s.Damaged(b.Digest) },
	}
}

// TestScrubFindsDamage: every way in which a file goes bad is found, named by package, version and file, and remembered
// over a restart; nobody is given the bytes any more, neither from the disk nor from memory.
func TestScrubFindsDamage(t *testing.T) {
	for _, how := range storetest.Damages() {
		t.Run(how, func(t *testing.T) {
			s, dir, blobs, bodies := damagedStore(t, how)
			report, err := s.Scrub(ctx, store.ScrubOptions{})
			must(t, err)
			if report.Found != 2 || report.Blobs != 2 || len(report.Damages) != 2 {
				t.Fatalf("the scrub says %+v; want 2 blobs read and 2 found", report)
			}
			for _, d := range report.Damages {
				if len(d.Where) != 1 || d.Where[0].Package != "a" || d.Where[0].File != d.Where[0].Version+".tgz" || d.What == "" {
					t.Errorf("damage is %+v; want package, version, file and what is wrong", d)
				}
			}
			must(t, s.Close())
			s = storetest.Open(t, dir, evenWithoutBlobs)
			for name, b := range blobs {
				for what, read := range readers(s) {
					if err := read(b); err == nil {
						t.Errorf("%s of the %s blob after a restart: no error, want ErrDamaged", what, name)
					} else {
						wantErr(t, err, store.ErrDamaged)
					}
				}
			}
			if n := s.DamagedBlobs(); n != 2 {
				t.Errorf("%d blobs are known to be damaged, want 2", n)
			}
			for _, body := range bodies {
				storetest.Put(t, s, body)
			}
		})
	}
}

// TestReadersFindDamage: whoever opens a file that is missing or has another size, or reads a blob whole, is the one
// who finds the damage.
func TestReadersFindDamage(t *testing.T) {
	for _, how := range storetest.Damages() {
		for _, reader := range []string{"OpenBlob", "ReadBlob", "BlobBytes", "ReadSound", "Sound"} {
			t.Run(how+" "+reader, func(t *testing.T) {
				s, dir, blobs, bodies := damagedStore(t, how)
				must(t, s.Close())
				s = storetest.Open(t, dir, evenWithoutBlobs) // nothing in memory
				for name, b := range blobs {
					err := readers(s)[reader](b)
					if how == "flip" && (reader == "OpenBlob" || reader == "Sound") {
						must(t, err) // nobody has read it
						continue
					}
					wantErr(t, err, store.ErrDamaged)
					if s.Damaged(b.Digest) == nil {
						t.Errorf("the damage of the %s blob is forgotten", name)
					}
				}
				for _, body := range bodies {
					storetest.Put(t, s, body)
				}
			})
		}
	}
}

// TestSameBytesRepair: the right bytes heal whatever way they come in, whether the damage was known or not.
func TestSameBytesRepair(t *testing.T) {
	ways := map[string]func(s *store.Store, dir, body string, b store.Blob) error{
		"PutBytes": func(s *store.Store, _, body string, _ store.Blob) error {
			_, err := s.PutBytes(ctx, []byte(body))
			return err
		},
		"Stage": func(s *store.Store, _, body string, _ store.Blob) error {
			st, err := s.Stage(ctx, store.StageOptions{})
			if err != nil {
				return err
			}
			defer st.Abort()
			if _, err := st.ReadFrom(strings.NewReader(body)); err != nil {
				return err
			}
			_, err = st.Commit(ctx)
			return err
		},
		"Upload": func(s *store.Store, _, body string, b store.Blob) error {
			id, err := s.StartUpload(ctx, store.NPM, "a")
			if err != nil {
				return err
			}
			u, err := s.ResumeUpload(ctx, store.NPM, "a", id)
			if err != nil {
				return err
			}
			defer u.Release()
			if _, err := u.Append(ctx, strings.NewReader(body), -1); err != nil {
				return err
			}
			_, err = u.Commit(ctx, b.Digest, nil)
			return err
		},
		"by hand": func(_ *store.Store, dir, body string, b store.Blob) error {
			path := storetest.BlobPath(dir, b.Digest)
			if err := os.WriteFile(path+".new", []byte(body), 0o440); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	}
	for _, how := range storetest.Damages() {
		for way, repair := range ways {
			for _, known := range []bool{true, false} {
				t.Run(how+" "+way+map[bool]string{true: " known", false: " unknown"}[known], func(t *testing.T) {
					s, dir, blobs, bodies := damagedStore(t, how)
					if known {
						_, err := s.Scrub(ctx, store.ScrubOptions{})
						must(t, err)
					}
					for name, b := range blobs {
						must(t, repair(s, dir, bodies[name], b))
						f, _, err := s.OpenBlob(ctx, b.Digest)
						must(t, err)
						got, err := io.ReadAll(f)
						must(t, err)
						must(t, f.Close())
						if !bytes.Equal(got, []byte(bodies[name])) {
							t.Errorf("the %s blob has %d bytes %.20q…, want those that came again", name, len(got), got)
						}
					}
					if n := s.DamagedBlobs(); n != 0 {
						t.Errorf("%d blobs are still damaged, want none", n)
					}
				})
			}
		}
	}
}

// TestScrubGoesOn: with a period a scrub reads what is due by now, goes on after a restart where it stopped, and has
// read everything before the period is over.
func TestScrubGoesOn(t *testing.T) {
	clock, dir := storetest.NewClock(), t.TempDir()
	open := func() *store.Store { return storetest.Open(t, dir, storetest.WithClock(clock)) }
	s := open()
	const blobs = 64
	for i := range blobs {
		publish(t, s, "a", ver(string(rune('A'+i)), storetest.Put(t, s, strings.Repeat("x", i+1))))
	}
	period := 30 * 24 * time.Hour
	read, most := int64(0), int64(0)
	for range 30 {
		r, err := s.Scrub(ctx, store.ScrubOptions{Period: period})
		must(t, err)
		read, most = read+r.Blobs, max(most, r.Blobs)
		must(t, s.Close())
		s = open()
		clock.Advance(24 * time.Hour)
	}
	if read < blobs || read > blobs*5/4 {
		t.Errorf("%d blobs were read in one period, want all %d about once", read, blobs)
	}
	if most > blobs/4 {
		t.Errorf("%d of %d blobs were read in one day, want about the same number each day", most, blobs)
	}
}

// TestScrubEnds: a scrub that is told to stop says so and goes on the next time.
func TestScrubEnds(t *testing.T) {
	s, _, _, bodies := damagedStore(t, "flip")
	stopped, cancel := context.WithCancel(ctx)
	_, err := s.Scrub(stopped, store.ScrubOptions{Progress: func(int64, int64) { cancel() }})
	wantErr(t, err, context.Canceled)
	r, err := s.Scrub(ctx, store.ScrubOptions{})
	must(t, err)
	if len(r.Damages) != 2 {
		t.Errorf("the second scrub knows %d damaged blobs, want 2", len(r.Damages))
	}
	for _, body := range bodies {
		storetest.Put(t, s, body)
	}
}

// TestDamageEndsWithTheBlob: a damaged blob that nobody needs any more is swept, and its damage with it.
func TestDamageEndsWithTheBlob(t *testing.T) {
	s, _, _, _ := damagedStore(t, "missing")
	_, err := s.Scrub(ctx, store.ScrubOptions{})
	must(t, err)
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.DeletePackage() }))
	none := time.Duration(0)
	_, err = s.Sweep(ctx, store.SweepOptions{Grace: &none})
	must(t, err)
	if d, err := s.Damages(ctx); err != nil || len(d) != 0 {
		t.Errorf("after the sweep damage is %+v (%v), want none", d, err)
	}
}

// TestCheckNamesDamage: a check names the package, version and file of what is damaged, also what only a scrub can
// find.
func TestCheckNamesDamage(t *testing.T) {
	for _, how := range storetest.Damages() {
		t.Run(how, func(t *testing.T) {
			s, _, _, bodies := damagedStore(t, how)
			_, err := s.Scrub(ctx, store.ScrubOptions{})
			must(t, err)
			r, err := s.Check(ctx, store.CheckOptions{})
			must(t, err)
			if len(r.Problems) != 2 {
				t.Fatalf("the check finds %v, want 2 problems", r.Problems)
			}
			for _, p := range r.Problems {
				if p.Kind != store.NPM || p.Package != "a" || !strings.Contains(p.What, p.Version+".tgz") {
					t.Errorf("the check says %q, want kind, package, version and file", p)
				}
			}
			for _, body := range bodies {
				storetest.Put(t, s, body)
			}
		})
	}
}

// TestFilesPutBackByHandAreSeen: who puts the right file back in its place needs to tell nobody; the next reader and
// the next scrub see it, and a wrong one stays wrong.
func TestFilesPutBackByHandAreSeen(t *testing.T) {
	for _, how := range storetest.Damages() {
		s, dir, blobs, bodies := damagedStore(t, how)
		_, err := s.Scrub(ctx, store.ScrubOptions{})
		must(t, err)
		at := time.Now()
		put := func(name, content string) {
			t.Helper()
			at = at.Add(time.Second) // clocks of file systems are coarse
			path := storetest.BlobPath(dir, blobs[name].Digest)
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			must(t, os.WriteFile(path, []byte(content), 0o440))
			must(t, os.Chtimes(path, at, at))
		}
		put("small", strings.Repeat("?", len(bodies["small"])))
		put("large", bodies["large"])
		wantErr(t, s.Sound(ctx, blobs["small"]), store.ErrDamaged)
		must(t, s.Sound(ctx, blobs["large"]))
		put("small", bodies["small"])
		r, err := s.Scrub(ctx, store.ScrubOptions{})
		if err != nil || r.Repaired != 1 || len(r.Damages) != 0 || s.DamagedBlobs() != 0 {
			t.Errorf("%s: the next scrub says %+v, %v; want one repaired and none damaged", how, r, err)
		}
		if got, err := s.ReadBlob(ctx, blobs["small"].Digest, 1000); err != nil || string(got) != bodies["small"] {
			t.Errorf("%s: the small blob is %q, %v", how, got, err)
		}
	}
}

// TestDamageNamesWhereItMatters: each version and file that has the blob, by hand and copied, and an upload that no
// version uses yet; in a form for people too.
func TestDamageNamesWhereItMatters(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, dir)
	b := storetest.Put(t, s, "shared")
	publish(t, s, "a", ver("1", b))
	must(t, store.NewRepo[meta](s, store.NPM.CachedFiles()).Update(ctx, "c", func(p *packageTx) error {
		return p.Publish(version{ID: "c-1.tgz", Source: store.Cached, Files: []store.File{{Digest: b.Digest}}})
	}))
	must(t, store.NewRepo[meta](s, store.OCI).Update(ctx, "app", func(p *packageTx) error { return p.Hold(b) }))
	storetest.Damage(t, dir, b.Digest, "flip")
	_, err := s.Scrub(ctx, store.ScrubOptions{})
	must(t, err)
	list, err := s.Damages(ctx)
	must(t, err)
	if len(list) != 1 || list[0].Size != b.Size || list[0].Found.IsZero() {
		t.Fatalf("known are %+v, want the one blob", list)
	}
	var got []string
	for _, p := range list[0].Where {
		got = append(got, p.String())
	}
	slices.Sort(got)
	if want := []string{"npm a 1 1-0.tgz", "npm c c-1.tgz (copy)", "oci app"}; !slices.Equal(got, want) {
		t.Errorf("it is said to be in %q, want %q", got, want)
	}
	storetest.Put(t, s, "shared")
}

// TestRepeatedBytesAreReadOnceInAWhile: a blob that comes again and again is read when its file has changed, or ten
// minutes later, and repaired then; not each time.
func TestRepeatedBytesAreReadOnceInAWhile(t *testing.T) {
	dir, clock := t.TempDir(), storetest.NewClock()
	s := storetest.Open(t, dir, storetest.WithClock(clock))
	const body = "the configuration that all images share"
	b := storetest.Put(t, s, body)
	publish(t, s, "a", version{ID: "1", Files: []store.File{{Digest: b.Digest}}})
	path := storetest.BlobPath(dir, b.Digest)
	right := func(when string, want bool) {
		t.Helper()
		storetest.Put(t, s, body)
		got, err := os.ReadFile(path)
		must(t, err)
		if (string(got) == body) != want {
			t.Errorf("%s, the bytes came again: the file has %q; want it repaired %t", when, got, want)
		}
	}
	right("intact", true)
	storetest.Damage(t, dir, b.Digest, "flip")
	right("changed", true)
	right("intact again", true)

	st, err := os.Stat(path)
	must(t, err)
	storetest.Damage(t, dir, b.Digest, "flip")
	must(t, os.Chtimes(path, st.ModTime(), st.ModTime()))
	right("changed without a trace", false)
	clock.Advance(10 * time.Minute)
	right("ten minutes later", true)
}
