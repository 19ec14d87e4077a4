package pydist

// Wheels, source archives, metadata and attestations: what is read, warned about and refused.

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"larder/internal/problem"
)

const demoWheel = "demo_pkg-1.0-py3-none-any.whl"

func wantNoWarnings(t *testing.T, d *Distribution) {
	t.Helper()
	if len(d.Warnings) > 0 {
		t.Errorf("it is read with the warnings %q, want none", d.Warnings)
	}
}

func TestWheelIsRead(t *testing.T) {
	d, err := read(t, demoWheel, zipOf(t, demo(nil)), true)
	if err != nil {
		t.Fatal(err)
	}
	wantNoWarnings(t, d)
	if string(d.Raw) != demoMetadata {
		t.Errorf("the metadata is %q, want %q", d.Raw, demoMetadata)
	}
	if got, want := d.Metadata.Get("Requires-Python"), ">=3.8"; got != want {
		t.Errorf("Requires-Python is %q, want %q", got, want)
	}
}

func TestWheelOfAnOlderToolIsRead(t *testing.T) {
	old := map[string]string{}
	for name, content := range demo(map[string]string{
		"demo_pkg-1.0.dist-info/entry_points.txt": "[console_scripts]\n# c\ndemo = demo_pkg:main\n[other]\na/b = c\n",
	}) {
		spelled := strings.NewReplacer("demo_pkg-1.0.", "Demo.Pkg-1.0.0.")
		old[spelled.Replace(name)] = spelled.Replace(content)
	}
	d, err := read(t, demoWheel, zipOf(t, old), false)
	if err != nil {
		t.Fatal(err)
	}
	wantNoWarnings(t, d)
}

// wantRefusal checks that an upload is refused with a sentence.
func wantRefusal(t *testing.T, what string, err error, text string) {
	t.Helper()
	var refusal *problem.Refusal
	if !errors.As(err, &refusal) {
		t.Errorf("%s: the error is %v, want a refusal", what, err)
	} else if got := refusal.Public(); !strings.Contains(got, text) {
		t.Errorf("%s: the refusal is %q, want one with %q", what, got, text)
	}
}

func TestWheelWithUnusableFilesIsRefused(t *testing.T) {
	const info = "demo_pkg-1.0.dist-info/"
	for name, c := range map[string]struct {
		files map[string]string
		text  string
	}{
		"no metadata": {map[string]string{info + "METADATA": "-"}, "no file demo_pkg-1.0.dist-info/METADATA"},
		"no WHEEL":    {map[string]string{info + "WHEEL": "-"}, "no file demo_pkg-1.0.dist-info/WHEEL"},
		"no RECORD":   {map[string]string{info + "RECORD": "-"}, "no file demo_pkg-1.0.dist-info/RECORD"},
		"two folders": {map[string]string{"other-1.0.dist-info/METADATA": "x"}, "two folders"},
		"other name": {
			map[string]string{info + "METADATA": strings.Replace(demoMetadata, "Demo.Pkg", "other", 1)}, "metadata is that of",
		},
		"other version": {
			map[string]string{info + "METADATA": strings.Replace(demoMetadata, "1.0", "1.1", 1)}, "metadata is that of version",
		},
		"no name": {
			map[string]string{info + "METADATA": "Metadata-Version: 2.1\nVersion: 1.0\n"}, "metadata is that of",
		},
		"metadata 3": {
			map[string]string{info + "METADATA": strings.Replace(demoMetadata, "2.1", "3.0", 1)}, "versions 1 and 2",
		},
		"metadata too big": {
			map[string]string{info + "METADATA": demoMetadata + strings.Repeat("x", maxMetadata)}, "unpacks to more",
		},
		"entry point path": {
			map[string]string{info + "entry_points.txt": "[console_scripts]\n../../bin/sh = a:b\n"}, "entry point",
		},
		"entry point dots": {map[string]string{info + "entry_points.txt": "[gui_scripts]\n.. = a:b\n"}, "entry point"},
		"parent":           {map[string]string{"../x": "y"}, "leads outside"},
		"backslash":        {map[string]string{`a\x`: "y"}, "leads outside"},
		"absolute":         {map[string]string{"/x": "y"}, "leads outside"},
	} {
		_, err := read(t, demoWheel, zipOf(t, demo(c.files)), false)
		wantRefusal(t, name, err, c.text)
	}
}

func TestDamagedWheelIsRefused(t *testing.T) {
	whole := zipOf(t, demo(nil))
	for name, p := range map[string][]byte{
		"empty":      nil,
		"no archive": []byte("hello"),
		"cut":        whole[:len(whole)/2],
		"prefix":     append([]byte("#!x\n"), whole...),
		"suffix":     append(slices.Clone(whole), 'x'),
		"comment":    append(slices.Clone(whole[:len(whole)-2]), 3, 0, 'a', 'b', 'c'),
		"no folder":  zipOf(t, map[string]string{"a": "b"}),
		"tar":        tgzOf(t, demo(nil)),
	} {
		if _, err := read(t, demoWheel, p, false); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: the error is %v, want %v", name, err, problem.ErrInvalid)
		}
	}
}

func TestWheelUnderAnotherNameIsRefused(t *testing.T) {
	whole := zipOf(t, demo(nil))
	for _, name := range []string{"other-1.0-py3-none-any.whl", "demo_pkg-1.1-py3-none-any.whl"} {
		if _, err := read(t, name, whole, false); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: the error is %v, want %v", name, err, problem.ErrInvalid)
		}
	}
}

func TestStrictTurnsWarningsIntoRefusals(t *testing.T) {
	const info = "demo_pkg-1.0.dist-info/"
	for name, c := range map[string]struct {
		files map[string]string
		text  string
	}{
		"not listed": {
			map[string]string{info + "RECORD": info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "empty.txt,,\n"},
			"does not list",
		},
		"not there": {
			map[string]string{
				info + "RECORD": "demo_pkg/__init__.py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info +
					"empty.txt,,\n\"a,b\",,\n",
			},
			"does not hold",
		},
		"licences": {
			map[string]string{info + "METADATA": "License: x\nLicense-Expression: MIT\n" + demoMetadata}, "both License",
		},
		"address": {
			map[string]string{info + "METADATA": "Requires-Dist: a @ https://example.com/a.whl\n" + demoMetadata},
			"by its address",
		},
	} {
		p := zipOf(t, demo(c.files))
		d, err := read(t, demoWheel, p, false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], c.text) {
			t.Errorf("%s: the warnings are %q, want one with %q", name, d.Warnings, c.text)
		}
		if _, err := read(t, demoWheel, p, true); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: with strict the error is %v, want %v", name, err, problem.ErrInvalid)
		}
	}
}

func TestStrictRefusesAnUnusualFileName(t *testing.T) {
	_, err := read(t, "Demo_Pkg-1.0-py3-none-any.whl", zipOf(t, demo(nil)), true)
	if !errors.Is(err, problem.ErrInvalid) {
		t.Errorf("the error is %v, want %v", err, problem.ErrInvalid)
	}
}

// demoSource are the files of a source archive; info is the path of PKG-INFO.
func demoSource(info string) map[string]string {
	return map[string]string{
		info: demoMetadata, "demo_pkg-1.0/setup.py": "x", "demo_pkg-1.0/demo_pkg.egg-info/PKG-INFO": "other",
	}
}

func wantMetadata(t *testing.T, d *Distribution, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if string(d.Raw) != demoMetadata {
		t.Errorf("the metadata is %q, want %q", d.Raw, demoMetadata)
	}
}

func TestSourceArchiveIsRead(t *testing.T) {
	files := demoSource("./demo_pkg-1.0/PKG-INFO")
	global := &tar.Header{
		Name: "pax_global_header", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "0123"},
	}
	for _, headers := range [][]*tar.Header{nil, {global}, {{Name: "demo_pkg-1.0/", Typeflag: tar.TypeDir}}} {
		d, err := read(t, "demo_pkg-1.0.tar.gz", tgzOf(t, files, headers...), true)
		wantMetadata(t, d, err)
		wantNoWarnings(t, d)
	}
}

func TestSourceArchiveMayBeAZip(t *testing.T) {
	d, err := read(t, "demo-pkg-1.0.zip", zipOf(t, demoSource("demo_pkg-1.0/PKG-INFO")), false)
	wantMetadata(t, d, err)
}

func TestUnusableSourceArchiveIsRefused(t *testing.T) {
	files := demoSource("demo_pkg-1.0/PKG-INFO")
	for name, c := range map[string]struct {
		file string
		p    []byte
	}{
		"no PKG-INFO":      {"demo_pkg-1.0.tar.gz", tgzOf(t, map[string]string{"demo_pkg-1.0/setup.py": "x"})},
		"no PKG-INFO, zip": {"demo_pkg-1.0.zip", zipOf(t, map[string]string{"demo_pkg-1.0/setup.py": "x"})},
		"two folders":      {"demo_pkg-1.0.tar.gz", tgzOf(t, map[string]string{"a/PKG-INFO": demoMetadata, "b/x": ""})},
		"two folders, zip": {"demo_pkg-1.0.zip", zipOf(t, map[string]string{"a/PKG-INFO": demoMetadata, "b/x": ""})},
		"no folder":        {"demo_pkg-1.0.tar.gz", tgzOf(t, map[string]string{"PKG-INFO": demoMetadata})},
		"plain tar":        {"demo_pkg-1.0.tar.gz", []byte(strings.Repeat("\x00", 1024))},
		"zip as tar":       {"demo_pkg-1.0.tar.gz", zipOf(t, files)},
		"tar as zip":       {"demo_pkg-1.0.zip", tgzOf(t, files)},
		"cut":              {"demo_pkg-1.0.tar.gz", tgzOf(t, files)[:100]},
		"parent": {
			"demo_pkg-1.0.tar.gz",
			tgzOf(t, map[string]string{"demo_pkg-1.0/PKG-INFO": demoMetadata, "demo_pkg-1.0/../../x": ""}),
		},
		"other name": {"other-1.0.tar.gz", tgzOf(t, files)},
		"PKG-INFO twice": {
			"demo_pkg-1.0.tar.gz", tgzOf(t, files, &tar.Header{Name: "demo_pkg-1.0/PKG-INFO", Typeflag: tar.TypeReg}),
		},
		"PKG-INFO a link": {
			"demo_pkg-1.0.tar.gz",
			tgzOf(t, nil, &tar.Header{Name: "demo_pkg-1.0/PKG-INFO", Typeflag: tar.TypeSymlink, Linkname: "x"}),
		},
	} {
		if _, err := read(t, c.file, c.p, false); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: the error is %v, want %v", name, err, problem.ErrInvalid)
		}
	}
}

func TestSparseFilesAreRefused(t *testing.T) {
	sparse, err := os.ReadFile(filepath.Join("testdata", "sparse.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = read(t, "demo_pkg-1.0.tar.gz", sparse, false)
	if !errors.Is(err, problem.ErrInvalid) || !strings.Contains(err.Error(), "sparse") {
		t.Errorf("the error is %v, want %v with the word sparse", err, problem.ErrInvalid)
	}
}

func wantHeader(t *testing.T, m *Metadata, key, want string) {
	t.Helper()
	if got := m.Get(key); got != want {
		t.Errorf("header %s is %q, want %q", key, got, want)
	}
}

func TestHeadersOfMetadata(t *testing.T) {
	m := ParseMetadata([]byte("\ufeffMetadata-Version: 2.1\r\nName: a\r\nname: b\nSummary: UNKNOWN\nClassifier: x\n" +
		"Classifier:  y \nClassifier: UNKNOWN\nDescription: one\n        |two\n        three\nLicense:\nKeywords: k\n\n" +
		"The\nbody\n"))
	wantHeader(t, m, "NAME", "a")
	wantHeader(t, m, "Summary", "")
	wantHeader(t, m, "Absent", "")
	wantHeader(t, m, "License", "")
	wantHeader(t, m, "Description", "one\ntwo\nthree")
	if got, want := m.All("classifier"), []string{"x", "y"}; !slices.Equal(got, want) {
		t.Errorf("the classifiers are %q, want %q", got, want)
	}
	wantDescription(t, m, "The\nbody\n")
}

func wantDescription(t *testing.T, m *Metadata, want string) {
	t.Helper()
	if got := m.Description(); got != want {
		t.Errorf("the description is %q, want %q", got, want)
	}
}

func TestDescriptionMayBeAHeader(t *testing.T) {
	wantDescription(t, ParseMetadata([]byte("Name: a\nDescription: one\n        two\n")), "one\ntwo")
}

func TestLineThatIsNoHeaderBeginsTheBody(t *testing.T) {
	m := ParseMetadata([]byte("Name: a\nthis is text: really\nVersion: 1\n"))
	wantHeader(t, m, "Version", "")
	wantDescription(t, m, "this is text: really\nVersion: 1\n")
}

func TestMalformedHeadersAreRead(t *testing.T) {
	wantHeader(t, ParseMetadata([]byte("Name: a\xff\n continued\n")), "Name", "a\ufffd\n continued")
	wantHeader(t, ParseMetadata([]byte(" continued\nName: a")), "Name", "a")
}

// attested is an attestation of a file; change edits it before it is rendered.
func attested(name, sha string, change func(a, statement map[string]any)) string {
	st := map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1", "predicate": nil,
		"subject": []any{map[string]any{"name": name, "digest": map[string]string{"sha256": sha}}},
	}
	a := map[string]any{
		"version": 1,
		"verification_material": map[string]any{
			"certificate": "Y2VydA==", "transparency_entries": []any{map[string]any{"logIndex": "1"}},
		},
	}
	if change != nil {
		change(a, st)
	}
	payload, err := json.Marshal(st)
	if err != nil {
		panic(err)
	}
	if a["envelope"] == nil {
		a["envelope"] = map[string]any{"statement": base64.StdEncoding.EncodeToString(payload), "signature": "c2ln"}
	}
	out, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return string(out)
}

const demoSum = "aa"

func demoFile(t *testing.T) Filename {
	t.Helper()
	return parse(t, demoWheel)
}

func TestProvenanceHasTheAttestationsAsTheyWereSent(t *testing.T) {
	f := demoFile(t)
	one := attested("Demo_Pkg-1.0.0-py3-none-any.whl", demoSum, func(_, st map[string]any) {
		st["predicateType"] = "https://docs.example.com/attestations/publish/v1"
	})
	two := attested(f.Text, demoSum, nil)
	p, err := Provenance("["+one+","+two+"]", f, demoSum)
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Version int `json:"version"`
		Bundles []struct {
			Publisher    map[string]any    `json:"publisher"`
			Attestations []json.RawMessage `json:"attestations"`
		} `json:"attestation_bundles"`
	}
	if err := json.Unmarshal(p, &object); err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	if object.Version != 1 || len(object.Bundles) != 1 {
		t.Fatalf("the provenance has version %d and %d bundles, want 1 and 1", object.Version, len(object.Bundles))
	}
	bundle := object.Bundles[0]
	if got := bundle.Attestations; len(got) != 2 || string(got[0]) != one || string(got[1]) != two {
		t.Errorf("the attestations are %s, want %s and %s", got, one, two)
	}
	if got := bundle.Publisher["kind"]; got != "unverified" {
		t.Errorf("the kind of the publisher is %v, want unverified", got)
	}
}

func TestNoAttestationsMakeNoProvenance(t *testing.T) {
	if p, err := Provenance("", demoFile(t), demoSum); p != nil || err != nil {
		t.Errorf("the provenance is %s, %v; want none", p, err)
	}
}

func TestMalformedAttestationsAreRefused(t *testing.T) {
	f, sha := demoFile(t), demoSum
	list := func(change func(a, st map[string]any)) string { return "[" + attested(f.Text, sha, change) + "]" }
	for name, sent := range map[string]string{
		"no JSON": "x", "object": "{}", "empty": "[]", "many": "[" + strings.Repeat("{},", 8) + "{}]", "no object": "[1]",
		"duplicate keys": `[{"version":1,"version":1}]`,
		"version":        list(func(a, _ map[string]any) { a["version"] = 2 }),
		"no certificate": list(func(a, _ map[string]any) { a["verification_material"].(map[string]any)["certificate"] = "" }),
		"no log": list(func(a, _ map[string]any) {
			a["verification_material"].(map[string]any)["transparency_entries"] = []any{}
		}),
		"no signature": list(func(a, _ map[string]any) { a["envelope"] = map[string]any{"statement": "e30="} }),
		"no statement": list(func(a, _ map[string]any) {
			a["envelope"] = map[string]any{"statement": "!", "signature": "c2ln"}
		}),
		"other type":     list(func(_, st map[string]any) { st["_type"] = "x" }),
		"predicate":      list(func(_, st map[string]any) { st["predicateType"] = "https://example.com/x" }),
		"no subject":     list(func(_, st map[string]any) { st["subject"] = []any{} }),
		"two subjects":   list(func(_, st map[string]any) { st["subject"] = []any{map[string]any{}, map[string]any{}} }),
		"other file":     "[" + attested("other-1.0-py3-none-any.whl", sha, nil) + "]",
		"other platform": "[" + attested("demo_pkg-1.0-py2-none-any.whl", sha, nil) + "]",
		"no file":        "[" + attested("x", sha, nil) + "]",
		"other bytes":    "[" + attested(f.Text, "bb", nil) + "]",
	} {
		if p, err := Provenance(sent, f, sha); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: the provenance is %s, %v; want %v", name, p, err, problem.ErrInvalid)
		}
	}
}

// Whatever is uploaded, reading it ends within the limits, with metadata of the name or a sentence.
func FuzzArchive(f *testing.F) {
	f.Add(demoWheel, zipOf(f, demo(nil)))
	f.Add("demo_pkg-1.0.tar.gz", tgzOf(f, map[string]string{"demo_pkg-1.0/PKG-INFO": demoMetadata}))
	f.Add("demo_pkg-1.0.zip", zipOf(f, map[string]string{"demo_pkg-1.0/PKG-INFO": demoMetadata}))
	f.Fuzz(func(t *testing.T, name string, p []byte) {
		n, err := ParseFilename(name)
		if err != nil {
			return
		}
		d, err := Read(bytes.NewReader(p), int64(len(p)), n, false)
		var refusal *problem.Refusal
		switch {
		case err != nil && !errors.As(err, &refusal):
			t.Fatalf("the error has no sentence: %v", err)
		case err == nil && (Normalise(d.Metadata.Get("Name")) != n.Project || len(d.Raw) > maxMetadata):
			t.Fatalf("%s is read as %+v", name, d)
		}
	})
}

// Parsing ends and invents no names.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(demoMetadata))
	f.Add([]byte("Name: a\n b\n\t|c\nX:\n\n\nbody"))
	f.Fuzz(func(t *testing.T, p []byte) {
		m := ParseMetadata(p)
		if len(m.Get("Name")) > 3*len(p) || len(m.Description()) > 3*len(p) || len(m.All("Classifier")) > len(p) {
			t.Fatalf("%q", p)
		}
	})
}
