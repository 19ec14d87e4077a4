package cli

// Files without a record, over the command line: listed, copied out, published again.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"larder/web"
)

// tgz packs one file.
func tgz(t *testing.T, name, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// putOrphan puts a file into the folder that no record knows, and returns its digest.
func putOrphan(t *testing.T, data string, body []byte) string {
	t.Helper()
	d := fmt.Sprintf("%x", sha256.Sum256(body))
	if err := os.WriteFile(filepath.Join(data, "orphans", d), body, 0o440); err != nil {
		t.Fatal(err)
	}
	return "sha256:" + d
}

// lostFolder has a package's tarball and bytes that say nothing, both without a record, and the user admin.
func lostFolder(t *testing.T) (data, known, unknown string, tarball []byte) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	must(t, "correct horse battery\n", "user", "add", "admin", "--admin", "--password-stdin", "--data", data)
	tarball = tgz(t, "package/package.json", `{"name":"@acme/lib","version":"1.2.0"}`)
	return data, putOrphan(t, data, tarball), putOrphan(t, data, []byte("who knows")), tarball
}

// TestRebuildExports: files without a record are listed with what they are, and those that are known are copied out
// under the names they are published by, without a change to the folder; a second time nothing is overwritten.
func TestRebuildExports(t *testing.T) {
	data, known, unknown, tarball := lostFolder(t)
	out := must(t, "", "check", "--rebuild", "--data", data)
	for _, want := range []string{"@acme/lib", "1.2.0", "certain", known, unknown, "2 files without a record, 1 of them " +
		"known"} {
		if !strings.Contains(out, want) {
			t.Errorf("check --rebuild printed %q, want %q in it", out, want)
		}
	}
	dir := filepath.Join(t.TempDir(), "found")
	file := filepath.Join(dir, "npm", "@acme_lib", "acme-lib-1.2.0.tgz")
	must(t, "", "check", "--rebuild", "--export", dir, "--data", data)
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, tarball) {
		t.Errorf("%s: %d bytes, %v; want those of the file", file, len(got), err)
	}
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "", "check", "--rebuild", "--export", dir, "--data", data)
	if got, err := os.ReadFile(file); err != nil || string(got) != "mine" {
		t.Errorf("a file that was there is now %q, %v; want it as it was", got, err)
	}
	if after := must(t, "", "check", "--rebuild", "--data", data); after != out {
		t.Errorf("after the export check --rebuild printed %q, before %q", after, out)
	}
}

// TestRebuildWithoutADatabase: a folder whose database is gone is looked at all the same, and nothing can be published
// into it before it has one.
func TestRebuildWithoutADatabase(t *testing.T) {
	data, known, _, _ := lostFolder(t)
	if err := os.Remove(filepath.Join(data, "larder.db")); err != nil {
		t.Fatal(err)
	}
	r := run(t, "", "check", "--rebuild", "--data", data)
	if r.code != exitOK || !strings.Contains(r.out, known) || !strings.Contains(r.err, "larder.db is missing") {
		t.Errorf("check --rebuild: %+v; want the list, and the sentence on the database", r)
	}
	r = run(t, "", "check", "--rebuild", "--publish", "*", "--data", data)
	if r.code != exitFailure || !strings.Contains(r.err, "--accept-new-database") {
		t.Errorf("check --rebuild --publish: %+v; want a failure that says how to begin", r)
	}
}

// TestRebuildPublishes: on a closed folder and through a running server alike the chosen file is published, once; what
// is refused is a failure with its reason.
func TestRebuildPublishes(t *testing.T) {
	for _, open := range []bool{false, true} {
		data, known, _, tarball := lostFolder(t)
		var s *served
		if open {
			s = serve(t, "--data", data)
		}
		r := run(t, "", "check", "--rebuild", "--publish", "npm:@acme/*", "--as", "nobody", "--data", data)
		if r.code != exitFailure || !strings.Contains(r.err, "nobody") {
			t.Errorf("as a user who is not there, served %t: %+v; want a failure", open, r)
		}
		if r := run(t, "", "check", "--rebuild", "--publish", "npm:other", "--data", data); r.code != exitOK || r.err == "" {
			t.Errorf("nothing chosen, served %t: %+v; want a sentence", open, r)
		}
		out := must(t, "", "check", "--rebuild", "--publish", "npm:@acme/*", "--data", data)
		if !strings.Contains(out, "1 file published, 0 already there, 0 refused, 1 not chosen") {
			t.Errorf("check --rebuild --publish, served %t, printed %q", open, out)
		}
		var list []web.Rebuilt
		again := must(t, "", "check", "--rebuild", "--publish", "npm:@acme/*", "--json", "--data", data)
		if err := json.Unmarshal([]byte(again), &list); err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if string(f.Digest) == known && f.Outcome != web.RebuildHere {
				t.Errorf("a second time, served %t: %+v; want already there", open, f)
			}
		}
		putOrphan(t, data, tgz(t, "package/package.json", `{"name":"@acme/lib","version":"1.2.0","x":1}`))
		r = run(t, "", "check", "--rebuild", "--publish", "npm:@acme/*", "--data", data)
		if r.code != exitFailure || !strings.Contains(r.out, "refused: ") {
			t.Errorf("other bytes of a version that is here, served %t: %+v; want a refusal", open, r)
		}
		if !open {
			s = serve(t, "--data", data)
		}
		if status, body := get(t, s.url+"/npm/@acme/lib/-/lib-1.2.0.tgz", ""); status != 200 || body != string(tarball) {
			t.Errorf("the tarball, served %t: %d with %d bytes; want what was found", open, status, len(body))
		}
	}
}

// TestRebuildUsage: flags that make no sense together are errors of usage.
func TestRebuildUsage(t *testing.T) {
	data := newFolder(t)
	for _, args := range []string{
		"--export x", "--publish *", "--rebuild --as ada", "--rebuild --export x --publish *", "--rebuild --publish oci:*",
		"--rebuild --publish nonsense", "--rebuild --publish npm:",
	} {
		r := run(t, "", append([]string{"check", "--data", data}, strings.Fields(args)...)...)
		if r.code != exitUsage || r.err == "" {
			t.Errorf("check %s: %+v; want an error of usage", args, r)
		}
	}
}
