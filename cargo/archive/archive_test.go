package archive

// Tests of what a crate's archive says of itself, and of what no archive may be.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/problem"
)

// entry is a member of a test's archive; a flag other than 0 makes something else than a file of it.
type entry struct {
	name, content string
	flag          byte
}

func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if e.flag != 0 {
			h.Typeflag, h.Linkname, h.Size = e.flag, e.content, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if e.flag == 0 {
			if _, err := w.Write([]byte(e.content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const someManifest = "[package]\nname = \"foo\"\nversion = \"0.0.1\"\n"

const folder = "foo-0.0.1/"

func read(p []byte, limit int64) (*Archive, error) {
	return Read(bytes.NewReader(p), "foo", "0.0.1", limit)
}

// TestLinksAreRefused, and what else is no file: one crate could overwrite another's sources in cargo's cache
// (CVE-2026-5223).
func TestLinksAreRefused(t *testing.T) {
	for name, flag := range map[string]byte{
		"symlink": tar.TypeSymlink, "hardlink": tar.TypeLink, "fifo": tar.TypeFifo, "char": tar.TypeChar,
		"block": tar.TypeBlock,
	} {
		_, err := read(pack(t, entry{folder + "Cargo.toml", someManifest, 0},
			entry{folder + "x", "../../other-1.0.0/src/lib.rs", flag}), 1<<20)
		if !errors.Is(err, problem.ErrInvalid) || !strings.Contains(problem.Public(err), "neither a file nor a folder") {
			t.Errorf("%s: %v", name, err)
		}
	}
	folders := pack(t, entry{folder, "", tar.TypeDir}, entry{folder + "src/", "", tar.TypeDir},
		entry{folder + "Cargo.toml", someManifest, 0})
	if _, err := read(folders, 1<<20); err != nil {
		t.Errorf("folders: %v", err)
	}
}

// TestCargoOKIsRefused: cargo marks with this file what it has unpacked whole (CVE-2022-36113).
func TestCargoOKIsRefused(t *testing.T) {
	for _, name := range []string{".cargo-ok", ".CARGO-OK", "a/.cargo-ok"} {
		_, err := read(pack(t, entry{folder + "Cargo.toml", someManifest, 0}, entry{folder + name, "ok", 0}), 1<<20)
		if !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEntriesOutsideAreRefused: every entry is below the version's own folder.
func TestEntriesOutsideAreRefused(t *testing.T) {
	for _, name := range []string{
		"bar-0.0.1/x", "foo-0.0.1x/x", "foo-0.0.1/../x", "../foo-0.0.1/x", "/foo-0.0.1/x", "x", `foo-0.0.1/a\..\..\x`,
		`foo-0.0.1\x`, "foo-0.0.1",
	} {
		_, err := read(pack(t, entry{folder + "Cargo.toml", someManifest, 0}, entry{name, "y", 0}), 1<<20)
		if !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReadArchives are the cases the public registry tests its own reader with, by name.
func TestReadArchives(t *testing.T) {
	toml := entry{folder + "Cargo.toml", someManifest, 0}
	file := func(name, content string) entry { return entry{folder + name, content, 0} }
	for name, c := range map[string]struct {
		entries []entry
		limit   int64
		refused string
		check   func(a *Archive) bool
	}{
		"tarball": {[]entry{toml}, 0, "",
			func(a *Archive) bool { return !a.HasLib() && a.Files == 1 && len(a.Bins()) == 0 }},
		"other prefix": {[]entry{{"bar-0.0.1/Cargo.toml", someManifest, 0}}, 0, "not below", nil},
		"size_limit":   {[]entry{toml}, 600, "unpacks to too much", nil},
		"incomplete_vcs": {[]entry{toml, file(".cargo_vcs_info.json", `{"unknown": "field"}`)}, 0, "",
			func(a *Archive) bool { return a.Commit == "" && a.Dir == "" }},
		"broken_vcs": {[]entry{toml, file(".cargo_vcs_info.json", `{`)}, 0, "",
			func(a *Archive) bool { return a.Commit == "" }},
		"vcs_info": {[]entry{toml, file(".cargo_vcs_info.json", `{"git":{"sha1":"0a"},"path_in_vcs":"path/in/vcs"}`)},
			0, "", func(a *Archive) bool { return a.Dir == "path/in/vcs" && a.Commit == "0a" }},
		"manifest": {[]entry{file("Cargo.toml", someManifest+"rust-version = \"1.59\"\nreadme = \"README.md\"\n")}, 0,
			"", func(a *Archive) bool { return a.Manifest.RustVersion == "1.59" }},
		"with_project": {[]entry{file("Cargo.toml",
			strings.Replace(someManifest, "package", "project", 1)+"rust-version = \"1.23\"\n")}, 0, "",
			func(a *Archive) bool { return a.Manifest.RustVersion == "1.23" }},
		"package, project": {[]entry{file("Cargo.toml", someManifest+strings.Replace(someManifest, "package", "project", 1))},
			0, "or two", nil},
		"default_readme": {[]entry{toml, file("README.md", "x")}, 0, "", func(a *Archive) bool { return a.Files == 2 }},
		"boolean_readme": {[]entry{file("Cargo.toml", someManifest+"readme = false\n")}, 0, "",
			func(a *Archive) bool { return a.Manifest.Name == "foo" }},
		"lowercase": {[]entry{file("cargo.toml", someManifest)}, 0, "",
			func(a *Archive) bool { return a.Manifest.Name == "foo" }},
		"casing, capitals": {[]entry{file("CARGO.TOML", someManifest)}, 0, "is called CARGO.TOML", nil},
		"casing, T":        {[]entry{file("Cargo.Toml", someManifest)}, 0, "is called Cargo.Toml", nil},
		"multiple":         {[]entry{file("cargo.toml", someManifest), toml}, 0, "two files", nil},
		"multiple, T":      {[]entry{toml, file("Cargo.Toml", someManifest)}, 0, "is called Cargo.Toml", nil},
		"none":             {[]entry{file("src/lib.rs", "")}, 0, "no Cargo.toml", nil},
		"lib": {[]entry{toml, file("src/lib.rs", "")}, 0, "",
			func(a *Archive) bool { return a.HasLib() && !a.ProcMacro() }},
		"lib_with_bins": {[]entry{toml, file("src/lib.rs", ""), file("src/bin/foo.rs", ""), file("src/bin/bar/main.rs", ""),
			file("src/bin/bar/x.rs", ""), file("examples/x.rs", "")}, 0, "",
			func(a *Archive) bool { return a.HasLib() && slices.Equal(a.Bins(), []string{"bar", "foo"}) }},
		"app": {[]entry{toml, file("src/main.rs", "")}, 0, "",
			func(a *Archive) bool { return !a.HasLib() && slices.Equal(a.Bins(), []string{"foo"}) }},
		"named bins": {[]entry{file("Cargo.toml", someManifest+"[[bin]]\nname = \"x\"\npath = \"y.rs\"\n"),
			file("src/main.rs", "")}, 0, "", func(a *Archive) bool { return slices.Equal(a.Bins(), []string{"x"}) }},
		"proc-macro": {[]entry{file("Cargo.toml", someManifest+"[lib]\nproc-macro = true\n")}, 0, "",
			func(a *Archive) bool { return a.HasLib() && a.ProcMacro() }},
		"build.rs": {[]entry{toml, file("build.rs", "")}, 0, "", func(a *Archive) bool { return a.BuildScript() }},
		"no build": {[]entry{file("Cargo.toml", someManifest+"build = false\n"), file("build.rs", "")}, 0, "",
			func(a *Archive) bool { return !a.BuildScript() }},
		"build path": {[]entry{file("Cargo.toml", someManifest+"build = \"x.rs\"\n")}, 0, "",
			func(a *Archive) bool { return a.BuildScript() }},
	} {
		limit := c.limit
		if limit == 0 {
			limit = 1 << 20
		}
		a, err := read(pack(t, c.entries...), limit)
		switch {
		case c.refused == "" && (err != nil || !c.check(a)):
			t.Errorf("%s: %+v %v", name, a, err)
		case c.refused != "" && (err == nil || !strings.Contains(problem.Public(err), c.refused)):
			t.Errorf("%s: %v, want %s", name, err, c.refused)
		}
	}
}

// TestCheckFeatures: features are accepted as cargo does when it reads a line.
func TestCheckFeatures(t *testing.T) {
	deps := []Dependency{{Name: "plain"}, {Name: "opt", Optional: true}, {Name: "real", Alias: "alias", Optional: true},
		{Name: "both"}, {Name: "both", Optional: true, Kind: "build"}}
	for text, want := range map[string]bool{
		"a=": true, "a=b;b=": true, "a=b": false, "a=opt": true, "a=plain": false, "a=dep:opt": true, "a=dep:plain": false,
		"a=dep:none": false, "a=dep:alias": true, "a=dep:real": false,
		"a=plain/x": true, "a=none/x": false, "a=opt/x": true, "a=opt?/x": true, "a=plain?/x": false, "a=both?/x": true,
		"a=plain/": false, "a=plain/x/y": false,
		"a=dep:opt;b=opt": false, "opt=": false, "opt=dep:opt": true, "opt=plain/x;z=opt/y": true, "a=a": true,
		"a=dep:": false, "a=/x": false, "a=?/x": false,
	} {
		features := map[string][]string{}
		for f := range strings.SplitSeq(text, ";") {
			name, values, _ := strings.Cut(f, "=")
			features[name] = strings.Fields(strings.ReplaceAll(values, ",", " "))
		}
		if err := CheckFeatures(features, deps, 300); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestTOMLNesting: the parser's time grows with the square of the depth, so no depth reaches it.
func TestTOMLNesting(t *testing.T) {
	const n = 200_000
	start := time.Now()
	for _, text := range []string{
		"a = " + strings.Repeat("[", n), "a = " + strings.Repeat("{a=", n), strings.Repeat("a.", n) + "a = 1",
		"[" + strings.Repeat("a.", n) + "a]", "a = " + strings.Repeat("[\n#]\n", n),
		"a = [" + strings.Repeat("']',[", n), `a = ["\"]",` + strings.Repeat("[", n),
		"a = \"\"\"]\"\"]\"\"\" \n b = " + strings.Repeat("[", n), strings.Repeat(`"a".`, n) + "a = 1",
	} {
		if _, err := ParseManifest([]byte(text)); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%.40s: %v", text, err)
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	flat := someManifest + "description = '''\n[[[[\n''' # [[[[[\nkeywords = [" + strings.Repeat(`"a.b.c.d[[", `, 1000) +
		"]\n[dependencies.x]\nversion = \"1.2.3\"\n"
	if m, err := ParseManifest([]byte(flat)); err != nil || len(m.Dependencies) != 1 {
		t.Errorf("flat text: got %v, want one dependency", err)
	}
}

// TestManifestDependencies: every way cargo has to write one, old ones included.
func TestManifestDependencies(t *testing.T) {
	m, err := ParseManifest([]byte(someManifest + `
[dependencies]
short = "1"
[dependencies.long]
version = "^2"
package = "real"
optional = true
default-features = false
features = ["b", "a"]
registry-index = "sparse+https://registry.example.com/"
[dev_dependencies]
dev = { version = "*", default_features = false }
[build-dependencies.build]
path = "../build"
[target."cfg(any(unix,windows,))".dependencies]
os = ">=1,<2"
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Agrees("foo", "0.0.1", "", []Dependency{
		{Name: "short", Req: "^1", DefaultFeatures: true}, {Name: "dev", Req: "*", Kind: "dev"},
		{Name: "build", Req: "*", Kind: "build", DefaultFeatures: true},
		{Name: "real", Alias: "long", Req: "^2", Optional: true, Features: []string{"a", "b"}},
		{Name: "os", Req: ">=1, <2", Target: "cfg(any(unix, windows))", DefaultFeatures: true, Kind: "normal",
			Registry: CratesIndex},
	}, nil); err != nil {
		t.Errorf("the same dependencies, written differently: %v", err)
	}
	for text, want := range map[string]string{
		"x = 1\n": "neither a version nor a table", "x = { workspace = true }\n": "inherited",
		"x = \"latest\"\n": "no requirement", "x = [\"1\"]\n": "neither a version nor a table",
	} {
		_, err := ParseManifest([]byte(someManifest + "[dependencies]\n" + text))
		if err == nil || !strings.Contains(problem.Public(err), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(pack(f, entry{folder + "Cargo.toml", someManifest + "[dependencies]\na = \"1\"\n[features]\nb = []\n", 0},
		entry{folder + "src/main.rs", "", 0}))
	f.Add(pack(f, entry{folder, "", tar.TypeDir}, entry{folder + "cargo.toml", "[project]\nname='x'", 0},
		entry{folder + ".cargo_vcs_info.json", `{"git":{"sha1":"ab"}}`, 0}))
	f.Add(pack(f, entry{folder + "a", "b", tar.TypeSymlink}))
	f.Add(pack(f, entry{"../x", "", 0})[:40])
	f.Add([]byte(someManifest))
	f.Fuzz(func(t *testing.T, p []byte) {
		const limit = 1 << 20
		a, err := read(p, limit)
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 413 {
				t.Fatalf("%v is a %d", err, s)
			}
		} else if a.Unpacked > limit || len(a.Bins()) > maxBins || a.Manifest == nil {
			t.Fatalf("%+v", a)
		}
		// The same bytes as a manifest.
		m, err := ParseManifest(p[:min(len(p), 64<<10)])
		if err != nil {
			if s := problem.Status(err); s != 400 {
				t.Fatalf("%v is a %d", err, s)
			}
			return
		}
		if err := m.Agrees(m.Name, m.Version, m.Links, m.Dependencies, m.Features); err != nil {
			t.Fatalf("a manifest does not agree with itself: %v", err)
		}
	})
}
