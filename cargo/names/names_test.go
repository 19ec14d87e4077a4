package names

// Tests of what crates, dependencies, features and targets may be called.

import (
	"fmt"
	"strings"
	"testing"
)

func TestCheckedNames(t *testing.T) {
	for name, want := range map[string][3]bool{ // crate, alias, feature
		"a": {true, true, true}, "A-b_9": {true, true, true}, "_a": {false, true, true}, "9a": {false, false, true}, "-a": {},
		"a.b": {false, false, true}, "a+b": {false, false, true}, "": {},
		"é": {false, false, true}, "a/b": {}, "a b": {}, "dep:a": {}, "<b>": {}, "a\n": {}, "+a": {},
		strings.Repeat("a", 64): {true, true, true}, strings.Repeat("a", 65): {false, false, true},
		strings.Repeat("a", 257): {}, "a\xff": {}, "ab": {true, true, true}, "c++": {false, false, true},
	} {
		got := [3]bool{Check(name) == nil, CheckAlias(name) == nil, CheckFeature(name) == nil}
		if got != want {
			t.Errorf("%.80q: %v, want %v", name, got, want)
		}
	}
}

func TestCheckTarget(t *testing.T) {
	for _, in := range []string{
		"x86_64-unknown-linux-gnu", "thumbv7em-none-eabihf", "cfg(unix)", "cfg( unix )", `cfg(target_os = "linux")`,
		`cfg(target_os="linux")`, "cfg(all())", "cfg(any(unix,))", "cfg(not(windows))",
		`cfg(any(all(unix, not(target_os = "macos")), target_env = "sgx", r#true))`, "cfg(true)",
		`cfg(target_vendor = "a>b")`,
	} {
		if err := CheckTarget(in); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, in := range []string{
		"", "cfg(", "cfg()", "cfg(unix", "cfg(unix))", "cfg(unix) x", "cfg(not())", "cfg(not(a, b))", "cfg(a b)", "cfg(a =)",
		"cfg(a = b)", `cfg(a = "b)`, "cfg(,)", "cfg(any(,))", "cfg(1a)",
		"a b", "é", "cfg" + strings.Repeat("(not", 40), "cfg(" + strings.Repeat("not(", 40) + "a" + strings.Repeat(")", 41),
		"cfg(" + strings.Repeat("a", 5000) + ")", strings.Repeat("a", 300),
	} {
		if CheckTarget(in) == nil {
			t.Errorf("%.80q was accepted", in)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"1.2.3", ">=1, <2", "1.*", "^1.0.0-rc.1+x", "cfg(any(unix, target_os = \"a\"))"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckTarget(s) == nil && strings.ContainsAny(fmt.Sprintf("%q", s), "<>;") && !strings.Contains(s, `"`) {
			t.Fatalf("%q is a target", s)
		}
	})
}

// TestSplitFile: a name may have dashes and digits, a version dashes after its first dot.
func TestSplitFile(t *testing.T) {
	for _, c := range []struct{ file, name, version string }{
		{"foo-1.0.0.crate", "foo", "1.0.0"}, {"foo-1-0.1.0-2.0.0+b.5.crate", "foo-1", "0.1.0-2.0.0+b.5"},
		{"a_1-1.0.0-rc-1.2.crate", "a_1", "1.0.0-rc-1.2"},
	} {
		if name, version, ok := SplitFile(c.file); !ok || name != c.name || version != c.version {
			t.Errorf("%s: got %q, %q, %t, want %q, %q", c.file, name, version, ok, c.name, c.version)
		}
		if got := File(c.name, c.version); got != c.file {
			t.Errorf("the file of %s %s: got %s, want %s", c.name, c.version, got, c.file)
		}
	}
	for _, file := range []string{"", "demo.crate", "demo-1.crate", "demo-1.0.0.tgz", ".crate"} {
		if name, version, ok := SplitFile(file); ok {
			t.Errorf("%q: got %q, %q, want none", file, name, version)
		}
	}
}

func TestIndexPath(t *testing.T) {
	for name, want := range map[string][2]string{
		"A": {"1/a", "1"}, "ab": {"2/ab", "2"}, "Abc": {"3/a/abc", "3/A"}, "SerDe": {"se/rd/serde", "Se/rD"}, "": {"", ""},
	} {
		if path, folder := IndexPath(name), Folder(name); path != want[0] || folder != want[1] {
			t.Errorf("%q: got %s, folder %s, want %s, folder %s", name, path, folder, want[0], want[1])
		}
	}
}
