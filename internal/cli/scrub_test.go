package cli

// This file scrubs folders, and heals what is damaged.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

// TestScrubNamesAndHeals: on a closed folder and through a server alike a scrub names the package of a file that went
// bad, fails as long as it is bad, and takes the right bytes from a file; wrong ones are refused.
func TestScrubNamesAndHeals(t *testing.T) {
	for _, served := range []bool{false, true} {
		data := newFolder(t)
		s, err := store.Open(data, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		blob := storetest.Put(t, s, "some bytes")
		err = store.NewRepo[int](s, store.NPM).Update(t.Context(), "left", func(p *store.PackageTx[int]) error {
			return p.Publish(store.Version[int]{ID: "1.0.0", Files: []store.File{{Name: "left-1.0.0.tgz", Digest: blob.Digest}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		storetest.Damage(t, data, blob.Digest, "flip")
		if served {
			startServer(t, data)
		}
		r := run(t, "", "scrub", "--data", data)
		if r.code != exitFailure || !strings.Contains(r.out, "npm left 1.0.0 left-1.0.0.tgz: "+string(blob.Digest)) ||
			!strings.Contains(r.err, "1 blob is damaged") {
			t.Errorf("scrub of a damaged folder, served %t: %+v; want the package's name and a failure", served, r)
		}
		other, right := filepath.Join(t.TempDir(), "other"), filepath.Join(t.TempDir(), "right")
		for name, body := range map[string]string{other: "other bytes", right: "some bytes"} {
			if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if r := run(t, "", "scrub", "--heal", other, "--data", data); r.code != exitFailure ||
			!strings.Contains(r.err, "nothing here has the bytes") {
			t.Errorf("healing with other bytes: %+v; want a refusal", r)
		}
		if out := must(t, "", "scrub", "--heal", right, "--data", data); !strings.Contains(
			out, "repaired "+string(blob.Digest),
		) {
			t.Errorf("healing printed %q", out)
		}
		if out := must(t, "", "scrub", "--data", data); !strings.Contains(out, "0 found damaged") {
			t.Errorf("scrub of the healed folder printed %q", out)
		}
	}
}
