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

func TestWheel(t *testing.T) {
	d, err := read(t, "demo_pkg-1.0-py3-none-any.whl", zipOf(t, demo(nil)), true)
	if err != nil || len(d.Warnings) != 0 || string(d.Raw) != demoMetadata ||
		d.Metadata.Get("Requires-Python") != ">=3.8" {
		t.Fatalf("%+v %v", d, err)
	}
	// The folder may be spelled as older tools did, and hold entry points.
	old := map[string]string{}
	for name, content := range demo(map[string]string{
		"demo_pkg-1.0.dist-info/entry_points.txt": "[console_scripts]\n# c\ndemo = demo_pkg:main\n[other]\na/b = c\n",
	}) {
		old[strings.ReplaceAll(name, "demo_pkg-1.0.", "Demo.Pkg-1.0.0.")] = strings.ReplaceAll(content, "demo_pkg-1.0.",
			"Demo.Pkg-1.0.0.")
	}
	if d, err = read(t, "demo_pkg-1.0-py3-none-any.whl", zipOf(t, old), false); err != nil || len(d.Warnings) != 0 {
		t.Errorf("%+v %v", d, err)
	}
}

func TestWheelRefuses(t *testing.T) {
	const info = "demo_pkg-1.0.dist-info/"
	whole := zipOf(t, demo(nil))
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
		_, err := read(t, "demo_pkg-1.0-py3-none-any.whl", zipOf(t, demo(c.files)), false)
		var refusal *problem.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Public(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, p := range map[string][]byte{
		"empty": nil, "no archive": []byte("hello"), "cut": whole[:len(whole)/2], "prefix": append([]byte("#!x\n"), whole...),
		"suffix":    append(slices.Clone(whole), 'x'),
		"comment":   append(slices.Clone(whole[:len(whole)-2]), 3, 0, 'a', 'b', 'c'),
		"no folder": zipOf(t, map[string]string{"a": "b"}), "tar": tgzOf(t, demo(nil)),
	} {
		if _, err := read(t, "demo_pkg-1.0-py3-none-any.whl", p, false); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read(t, "other-1.0-py3-none-any.whl", whole, false); !errors.Is(err, problem.ErrInvalid) {
		t.Errorf("other project: %v", err)
	}
	if _, err := read(t, "demo_pkg-1.1-py3-none-any.whl", whole, false); !errors.Is(err, problem.ErrInvalid) {
		t.Errorf("other version: %v", err)
	}
}

// TestWarnings: each is a word for the uploader, or with strict a refusal.
func TestWarnings(t *testing.T) {
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
		d, err := read(t, "demo_pkg-1.0-py3-none-any.whl", p, false)
		if err != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], c.text) {
			t.Errorf("%s: %+v %v", name, d, err)
		}
		if _, err := read(t, "demo_pkg-1.0-py3-none-any.whl", p, true); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s, strict: %v", name, err)
		}
	}
	if _, err := read(t, "Demo_Pkg-1.0-py3-none-any.whl", zipOf(t, demo(nil)), true); !errors.Is(err, problem.ErrInvalid) {
		t.Errorf("file name, strict: %v", err)
	}
}

func TestSdist(t *testing.T) {
	files := map[string]string{
		"./demo_pkg-1.0/PKG-INFO": demoMetadata, "demo_pkg-1.0/setup.py": "x",
		"demo_pkg-1.0/demo_pkg.egg-info/PKG-INFO": "other",
	}
	global := &tar.Header{
		Name: "pax_global_header", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "0123"},
	}
	for _, headers := range [][]*tar.Header{nil, {global}, {{Name: "demo_pkg-1.0/", Typeflag: tar.TypeDir}}} {
		d, err := read(t, "demo_pkg-1.0.tar.gz", tgzOf(t, files, headers...), true)
		if err != nil || string(d.Raw) != demoMetadata || len(d.Warnings) != 0 {
			t.Errorf("%+v %v", d, err)
		}
	}
	delete(files, "./demo_pkg-1.0/PKG-INFO")
	files["demo_pkg-1.0/PKG-INFO"] = demoMetadata
	if d, err := read(t, "demo-pkg-1.0.zip", zipOf(t, files), false); err != nil || string(d.Raw) != demoMetadata {
		t.Errorf("%+v %v", d, err)
	}
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
			t.Errorf("%s: %v", name, err)
		}
	}
	sparse, err := os.ReadFile(filepath.Join("testdata", "sparse.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, "demo_pkg-1.0.tar.gz", sparse, false); !errors.Is(err, problem.ErrInvalid) ||
		!strings.Contains(err.Error(), "sparse") {
		t.Errorf("sparse: %v", err)
	}
}

func TestMetadata(t *testing.T) {
	m := ParseMetadata([]byte("\ufeffMetadata-Version: 2.1\r\nName: a\r\nname: b\nSummary: UNKNOWN\nClassifier: x\n" +
		"Classifier:  y \nClassifier: UNKNOWN\nDescription: one\n        |two\n        three\nLicense:\nKeywords: k\n\n" +
		"The\nbody\n"))
	if m.Get("NAME") != "a" || m.Get("Summary") != "" || m.Get("Absent") != "" || m.Get("License") != "" {
		t.Errorf("%+v", m)
	}
	if got := m.All("classifier"); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("%q", got)
	}
	if m.Description() != "The\nbody\n" || m.Get("Description") != "one\ntwo\nthree" {
		t.Errorf("%q, %q", m.Description(), m.Get("Description"))
	}
	m = ParseMetadata([]byte("Name: a\nDescription: one\n        two\n"))
	if m.Description() != "one\ntwo" {
		t.Errorf("%q", m.Description())
	}
	// No header: a body, as in mail.
	m = ParseMetadata([]byte("Name: a\nthis is text: really\nVersion: 1\n"))
	if m.Get("Version") != "" || !strings.HasPrefix(m.Description(), "this is") {
		t.Errorf("%+v", m)
	}
	if m = ParseMetadata([]byte("Name: a\xff\n continued\n")); m.Get("Name") != "a\ufffd\n continued" {
		t.Errorf("%q", m.Get("Name"))
	}
	if m = ParseMetadata([]byte(" continued\nName: a")); m.Get("Name") != "a" {
		t.Errorf("%+v", m)
	}
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

func TestProvenance(t *testing.T) {
	f, err := ParseFilename("demo_pkg-1.0-py3-none-any.whl")
	if err != nil {
		t.Fatal(err)
	}
	const sha = "aa"
	one := attested("Demo_Pkg-1.0.0-py3-none-any.whl", sha, func(_, st map[string]any) {
		st["predicateType"] = "https://docs.example.com/attestations/publish/v1"
	})
	p, err := Provenance("["+one+","+attested(f.Text, sha, nil)+"]", f, sha)
	var object struct {
		Version int `json:"version"`
		Bundles []struct {
			Publisher    map[string]any    `json:"publisher"`
			Attestations []json.RawMessage `json:"attestations"`
		} `json:"attestation_bundles"`
	}
	if err != nil || json.Unmarshal(p, &object) != nil || object.Version != 1 || len(object.Bundles) != 1 ||
		len(object.Bundles[0].Attestations) != 2 || string(object.Bundles[0].Attestations[0]) != one {
		t.Errorf("%s %v", p, err)
	}
	if object.Bundles[0].Publisher["kind"] != "unverified" {
		t.Errorf("%v", object.Bundles[0].Publisher)
	}
	if p, err := Provenance("", f, sha); p != nil || err != nil {
		t.Errorf("%s %v", p, err)
	}
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
			t.Errorf("%s: %s %v", name, p, err)
		}
	}
}

// FuzzArchive: whatever is uploaded, reading it ends, in memory that is bounded, with metadata of
// the name or a sentence.
func FuzzArchive(f *testing.F) {
	f.Add("demo_pkg-1.0-py3-none-any.whl", zipOf(f, demo(nil)))
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
			t.Fatalf("no sentence: %v", err)
		case err == nil && (Normalise(d.Metadata.Get("Name")) != n.Project || len(d.Raw) > maxMetadata):
			t.Fatalf("%+v", d)
		}
	})
}

// FuzzMetadata: parsing ends and does not invent names.
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
