package pydist

// Names of projects and of files.

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"larder/internal/problem"
)

func TestProjectNamesAreNormalised(t *testing.T) {
	for name, want := range map[string]string{
		"a": "a", "A": "a", "Foo_Bar": "foo-bar", "foo.bar": "foo-bar", "foo--bar__x..y": "foo-bar-x-y",
		"zope.interface": "zope-interface", "0": "0", "x-_.y": "x-y",
	} {
		if err := CheckName(name); err != nil {
			t.Errorf("CheckName(%q): %v", name, err)
		}
		if got := Normalise(name); got != want {
			t.Errorf("Normalise(%q) is %q, want %q", name, got, want)
		}
	}
}

// U+212A and U+017F fold to k and s in Unicode.
func TestOtherTextsAreNoProjectNames(t *testing.T) {
	for _, name := range []string{
		"", "-a", "a-", ".a", "a b", "a/b", "a\x00", "é", "\u212aeras", "\u017fetup", "a\u0301", "../x",
		strings.Repeat("a", 201),
	} {
		if err := CheckName(name); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("CheckName(%q) is %v, want %v", name, err, problem.ErrInvalid)
		}
	}
}

func TestFileNamesAreRead(t *testing.T) {
	for _, c := range []struct {
		name, kind, project, version, tags string
		strict                             bool
	}{
		{"demo-1.0-py3-none-any.whl", Wheel, "demo", "1.0", "|py3|none|any", true},
		{"Demo_Pkg-1.0.0-1a-cp39-cp39-win_amd64.whl", Wheel, "demo-pkg", "1.0.0", "1a|cp39|cp39|win_amd64", false},
		{"demo_pkg-1.0-py2.py3-none-any.whl", Wheel, "demo-pkg", "1.0", "|py2.py3|none|any", true},
		{
			"zope.interface-6.0-cp311-cp311-manylinux_2_5_x86_64.manylinux1_x86_64.whl", Wheel, "zope-interface", "6.0",
			"|cp311|cp311|manylinux_2_5_x86_64.manylinux1_x86_64", false,
		},
		{"torch-2.0+cpu-cp311-cp311-linux_x86_64.whl", Wheel, "torch", "2.0+cpu", "|cp311|cp311|linux_x86_64", true},
		{"demo-1!2.0-py3-none-any.whl", Wheel, "demo", "1!2.0", "|py3|none|any", true},
		{"demo-1.0_1-py3-none-any.whl", Wheel, "demo", "1.0.post1", "|py3|none|any", true},
		{"demo_pkg-1.0.tar.gz", Sdist, "demo-pkg", "1.0", "|||", true},
		{"My.Pkg-1.0.tar.gz", Sdist, "my-pkg", "1.0", "|||", false},
		{"demo-pkg-1.0.zip", Sdist, "demo-pkg", "1.0", "|||", false},
		{"demo-pkg-1.0-beta2.tar.gz", Sdist, "demo-pkg", "1.0b2", "|||", false},
		{"a-2-1.0.tar.gz", Sdist, "a-2", "1.0", "|||", false},
		{"demo-1.0+local.1.tar.gz", Sdist, "demo", "1.0+local.1", "|||", true},
	} {
		f, err := ParseFilename(c.name)
		if err != nil {
			t.Errorf("ParseFilename(%q): %v", c.name, err)
			continue
		}
		tags := strings.Join([]string{f.Build, f.Python, f.ABI, f.Platform}, "|")
		got := []string{f.Kind, f.Project, f.Version.String(), tags}
		if want := []string{c.kind, c.project, c.version, c.tags}; !slices.Equal(got, want) {
			t.Errorf("ParseFilename(%q) reads %q, want %q", c.name, got, want)
		}
		if got := f.Strict(); got != c.strict {
			t.Errorf("%q is strict: %v, want %v", c.name, got, c.strict)
		}
	}
}

func TestOtherTextsAreNoFileNames(t *testing.T) {
	for _, name := range []string{
		"", "demo", "demo-1.0.egg", "demo-1.0.exe", "demo-1.0.rpm", "demo-1.0.tar.bz2", "demo.tar.gz", "-1.0.tar.gz",
		"demo-.tar.gz", "demo-x.tar.gz", "_demo-1.0.tar.gz", "demo-1.0.whl", "demo-1.0-py3-none.whl",
		"demo-1.0-x1-py3-none-any.whl", "demo-1.0-1-2-py3-none-any.whl", "demo-1.0-py3--any.whl", "demo-1.0-py3-none-.whl",
		"de__mo-1.0-py3-none-any.whl", "-1.0-py3-none-any.whl", "demo-x-py3-none-any.whl", "../demo-1.0.tar.gz",
		`..\demo-1.0.tar.gz`, "demo-1.0\n.tar.gz", "dem\u00f6-1.0.tar.gz", "demo-1.0-py3-none-any\x00.whl",
		"a/demo-1.0.tar.gz", "demo:x-1.0.tar.gz", strings.Repeat("a", 300) + "-1.0.tar.gz", "demo+x-1.0-py3-none-any.whl",
		"demo-1.0-py3-none-any.WHL",
	} {
		if f, err := ParseFilename(name); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("ParseFilename(%q) is %+v, %v; want %v", name, f, err, problem.ErrInvalid)
		}
	}
}

func parse(t *testing.T, name string) Filename {
	t.Helper()
	f, err := ParseFilename(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSpellingsOfOneDistributionAreTheSame(t *testing.T) {
	for _, pair := range [][2]string{
		{"Demo-1.0-py3-none-any.whl", "demo-1.0.0-py3-none-any.whl"}, {"demo-1.0.tar.gz", "demo-1.0.zip"},
		{"a.b-1.0.tar.gz", "a_b-1.tar.gz"},
	} {
		a, b := parse(t, pair[0]), parse(t, pair[1])
		if a.Same() != b.Same() {
			t.Errorf("Same of %s is %q, of %s it is %q", pair[0], a.Same(), pair[1], b.Same())
		}
		if a.Project != b.Project {
			t.Errorf("the project of %s is %q, of %s it is %q", pair[0], a.Project, pair[1], b.Project)
		}
	}
}

func TestOtherDistributionsAreNotTheSame(t *testing.T) {
	const name = "demo-1.0-py3-none-any.whl"
	for _, other := range []string{
		"demo-1.0-1-py3-none-any.whl", "demo-1.1-py3-none-any.whl", "demo-1.0-py2-none-any.whl", "demo-1.0.tar.gz",
	} {
		if got := parse(t, other).Same(); got == parse(t, name).Same() {
			t.Errorf("Same of %s and of %s is %q", name, other, got)
		}
	}
}

// A name that passes has a normal form in ASCII, whose own normal form is the same.
func FuzzName(f *testing.F) {
	for _, s := range []string{"Foo.Bar_baz", "a", "\u212a", "a--b", "-", "../x", "A\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) != nil {
			return
		}
		n := Normalise(name)
		if Normalise(n) != n || CheckName(n) != nil || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			strings.Contains(n, "--") {
			t.Fatalf("%q is normalised to %q", name, n)
		}
	})
}

// A name that is read never leads out of a folder.
func FuzzFilename(f *testing.F) {
	for _, s := range []string{
		"demo-1.0-py3-none-any.whl", "My.Pkg-1.0b1.tar.gz", "a-1.zip", `..\x-1.0.tar.gz`, "demo-1.0_1-1-py3-none-any.whl",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n, err := ParseFilename(name)
		if err != nil {
			return
		}
		if strings.ContainsAny(name, "/\\\x00") || n.Text != name || CheckName(n.Project) != nil ||
			Normalise(n.Stem) != n.Project {
			t.Fatalf("ParseFilename(%q) is %+v", name, n)
		}
		if n.Kind == Wheel && strings.ContainsAny(n.Stem+n.Python+n.ABI+n.Platform, "- ") {
			t.Fatalf("ParseFilename(%q) is %+v", name, n)
		}
	})
}
