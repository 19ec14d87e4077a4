// Package names says what crates, dependencies, features and targets may be called, and where a crate's files are.
package names

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"larder/internal/problem"
)

// MaxLen is the most bytes a crate's name has, as on the public registry.
const MaxLen = 64

// maxFeature is the most bytes a feature's name has, as on the public registry.
const maxFeature = 256

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// consists reports whether s has only letters, digits and bytes of others.
func consists(s, others string) bool {
	for i := range len(s) {
		if c := s[i]; !letter(c) && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// Check accepts the names that crates may have. Its error is problem.ErrInvalid.
func Check(name string) error {
	if name == "" || len(name) > MaxLen || !letter(name[0]) || !consists(name, "-_") {
		return problem.Errorf(problem.ErrInvalid,
			"%.80q is not a crate name: it begins with a letter and has letters, digits, - and _, at most %d.",
			name, MaxLen)
	}
	return nil
}

// reserved are canonical names that belong to the compiler, the operating system or this registry's own paths.
var reserved = []string{
	"new", "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
	"alloc", "core", "std", "test", "proc_macro", "macro", "macros", "rust", "rustc", "rustdoc", "unicode", "syntax",
	"arena", "ast", "builtins", "collections", "compiler_builtins", "compiler_rt", "compiletest", "coretest", "debug",
	"driver", "rust_installer", "rustbook", "rustc_driver", "rustc_llvm", "rustc_resolve", "rustc_typeck", "rustllvm",
}

// CheckNew is the rule for names that do not exist yet; Check holds for them too. Its error is problem.ErrInvalid.
func CheckNew(name string) error {
	if slices.Contains(reserved, Canonical(name)) {
		return problem.Errorf(problem.ErrInvalid, "The name %s is reserved; choose another one.", name)
	}
	return nil
}

// CheckAlias accepts the names that Cargo.toml may give to dependencies. Its error is problem.ErrInvalid.
func CheckAlias(name string) error {
	if name == "" || len(name) > MaxLen || !letter(name[0]) && name[0] != '_' || !consists(name, "-_") {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a name for a dependency.", name)
	}
	return nil
}

// CheckFeature accepts the names of features (Cargo Book, Features). Its error is problem.ErrInvalid.
func CheckFeature(name string) error {
	for i, r := range name {
		first := unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || unicode.Is(unicode.Other_ID_Start, r)
		further := unicode.IsMark(r) || unicode.Is(unicode.Pc, r) || unicode.Is(unicode.Other_ID_Continue, r) ||
			strings.ContainsRune("+-.", r)
		if !first && (i == 0 || !further) || r == unicode.ReplacementChar {
			return problem.Errorf(problem.ErrInvalid, "%.80q is not the name of a feature.", name)
		}
	}
	if name == "" || len(name) > maxFeature {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not the name of a feature.", name)
	}
	return nil
}

// Key is the name by which the store knows a crate. The spelling it was published under is the package's Display.
func Key(name string) string { return strings.ToLower(name) }

// Canonical is what no two crates may have in common: the name in lower case, with underscores for dashes.
func Canonical(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

// IndexPath is where the index has a crate (Cargo Book, Index Format).
func IndexPath(name string) string {
	n := strings.ToLower(name)
	switch len(n) {
	case 0:
		return ""
	case 1, 2:
		return strconv.Itoa(len(n)) + "/" + n
	case 3:
		return "3/" + n[:1] + "/" + n
	}
	return n[:2] + "/" + n[2:4] + "/" + n
}

// Folder is the folder of IndexPath, with the name's own capitals (Cargo Book, Registry Index: {prefix}).
func Folder(name string) string {
	switch len(name) {
	case 0:
		return ""
	case 1, 2:
		return strconv.Itoa(len(name))
	case 3:
		return "3/" + name[:1]
	}
	return name[:2] + "/" + name[2:4]
}

// File is the name of a version's archive; cargo's own cache uses it too.
func File(name, version string) string { return name + "-" + version + ".crate" }

// SplitFile reads NAME-VERSION.crate; false for other forms. It checks neither part. A name has no dots and a version
// begins with a number and a dot, so the dash between them is the last one before the first dot.
func SplitFile(file string) (name, version string, ok bool) {
	base, ok := strings.CutSuffix(file, ".crate")
	dash := strings.LastIndexByte(base[:max(strings.IndexByte(base, '.'), 0)], '-')
	if !ok || dash < 0 {
		return "", "", false
	}
	return base[:dash], base[dash+1:], true
}

// Clip shortens s to at most n bytes.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
