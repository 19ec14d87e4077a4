package pypi

// Benchmarks of uploads and pages by how much there is, and archives that only tests make.

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"testing"

	"larder/internal/pep440"
	"larder/internal/pydist"
	"larder/internal/wiretest"
	"larder/pypi/simple"
	"larder/store"
	"larder/store/storetest"
)

// fill makes a project of n releases without uploading them one by one.
func fill(t testing.TB, g *rig, name string, n int) {
	t.Helper()
	storetest.FillWith(t, g.Store, n, func(tx *store.Tx, i int, file store.Blob) error {
		return g.s.Repo.In(tx, name, func(tx *store.PackageTx[Meta]) error {
			return fillRelease(tx, fmt.Sprintf("%d.%d", i/100, i%100), file)
		})
	})
	err := g.s.Repo.Update(t.Context(), name, electLatest)
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkFill writes large registries for internal/bench.
func BenchmarkFill(b *testing.B) {
	storetest.Fill(b, func(s *store.Store, tx *store.Tx, name, id string, file store.Blob) error {
		return store.NewRepo[Meta](s, store.PyPI).In(tx, name, func(tx *store.PackageTx[Meta]) error {
			if err := fillRelease(tx, id, file); err != nil {
				return err
			}
			return setLatest(tx, release{ID: id, About: about{Summary: "what " + name + " does"}})
		})
	})
}

// fillRelease publishes one wheel.
func fillRelease(tx *store.PackageTx[Meta], id string, file store.Blob) error {
	name := tx.Name()
	if err := tx.SetPackage(func(pkg *store.Package) { pkg.Display = name }); err != nil {
		return err
	}
	a := artifact{
		Name: name + "-" + id + "-py3-none-any.whl", Kind: pydist.Wheel, Python: "py3", Version: id,
		Digest: file.Digest, Size: file.Size, Metadata: file.Digest, Requires: ">=3.8", Uploaded: tx.Tx().Now(),
	}
	v := store.Version[Meta]{ID: id, Meta: Meta{Files: []artifact{a}}}
	v.Files = v.Meta.files()
	if err := tx.Publish(v); err != nil {
		return err
	}
	if err := putRow(tx, &v, &a); err != nil {
		return err
	}
	parsed, err := pep440.Parse(id)
	if err != nil {
		return err
	}
	if err := putJSON(tx.Index(indexReleases), parsed.Key(), release{ID: id}); err != nil {
		return err
	}
	return note(tx, "", "fill")
}

// fillProjects makes n projects as far as the list of all is concerned.
func fillProjects(t testing.TB, g *rig, n int) {
	t.Helper()
	for from := 0; from < n; from += 5000 {
		err := g.Store.Update(t.Context(), func(tx *store.Tx) error {
			table, changes := g.s.Repo.KindIndex(tx, tableProjects), g.s.Repo.KindIndex(tx, tableChanges)
			for i := from; i < min(n, from+5000); i++ {
				name := fmt.Sprintf("project-%06d", i)
				if err := putJSON(table, []byte(name), listed{Display: name, Serial: uint64(i + 1)}); err != nil {
					return err
				}
				if err := putJSON(changes, key64(uint64(i+1)), change{Name: name, Action: "create"}); err != nil {
					return err
				}
			}
			return g.s.Repo.KindIndex(tx, tableSerial).Put([]byte(keySerial), key64(uint64(min(n, from+5000))))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// attestation is one that is about a file.
func attestation(name string, content []byte) string {
	sum := sha256.Sum256(content)
	st := wiretest.JSON(fields{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
		"subject": []any{fields{"name": name, "digest": fields{"sha256": hexOf(sum[:])}}},
	})
	return wiretest.JSON(fields{
		"version":               1,
		"verification_material": fields{"certificate": "Y2VydA==", "transparency_entries": []any{fields{"logIndex": "1"}}},
		"envelope":              fields{"statement": base64.StdEncoding.EncodeToString([]byte(st)), "signature": "c2ln"},
	})
}

// streamed is an archive written anew, with sizes behind the data.
func streamed(t testing.TB, p []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(p), int64(len(p)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Create(f.Name)
		if err == nil {
			_, err = io.Copy(out, in)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb is an archive of a few kilobytes that unpacks to so many zeros.
func bomb(t testing.TB, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	out, err := w.Create("demo_pkg/zeros")
	if err == nil {
		_, err = io.CopyN(out, zeros{}, size)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func BenchmarkUpload(b *testing.B) {
	for _, n := range []int{10, 1000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newRig(b)
			fill(b, g, "demo", n)
			i := 0
			for b.Loop() {
				i++
				g.publish(fmt.Sprintf("demo-9999.%d-py3-none-any.whl", i))
			}
		})
	}
}

func BenchmarkPage(b *testing.B) {
	for _, n := range []int{10, 1000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newRig(b)
			fill(b, g, "demo", n)
			for b.Loop() {
				p, err := g.s.page(b.Context(), "demo")
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(p.JSON(simple.Links{Files: "../../pypi/files"}))))
			}
		})
	}
}

func BenchmarkRootAfterUpload(b *testing.B) {
	for _, n := range []int{10, 1000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newRig(b)
			fillProjects(b, g, n)
			i := 0
			for b.Loop() {
				i++
				g.publish(fmt.Sprintf("demo-9999.%d-py3-none-any.whl", i))
				g.Want(g.Do("GET", "/simple/", nil, asJSON), 200, "")
			}
		})
	}
}
