package e2e

// How files are written: their purpose first, lines that fit a screen, tests named after a behaviour.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// done are the folders, with everything below them, and files that are written to these rules.
var done = []string{
	"cargo",
	"internal/advisory", "internal/archive", "internal/bench", "internal/budget", "internal/cli", "internal/compress",
	"internal/config", "internal/e2e", "internal/ledger", "internal/miniclient",
	"internal/multiform", "internal/pep440", "internal/problem", "internal/pydist", "internal/rawjson",
	"internal/rebuild", "internal/registry", "internal/route", "internal/rubymarshal", "internal/semver",
	"internal/server", "internal/sortedlist", "internal/trust", "internal/wire", "internal/xmlrpc", "npm",
	"rubygems/gemspec", "rubygems/names", "rubygems/version", "store", "upstream", "web",
	"docs", "main.go", "CHANGELOG.md", "CONTRIBUTING.md", "README.md",
}

// isDone reports whether a file must keep the rules.
func isDone(path string) bool {
	return slices.ContainsFunc(done, func(d string) bool { return path == d || strings.HasPrefix(path, d+"/") })
}

// TestStyle fails for a Go file that does not begin with its purpose, for a line of a Go or Markdown file that ends
// after column 120, and for a test named after a row of a list instead of a behaviour.
func TestStyle(t *testing.T) {
	tree := os.DirFS(moduleRoot(t))
	seen := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipped(path) {
			return filepath.SkipDir
		}
		for _, entry := range done {
			seen[entry] = seen[entry] || path == entry
		}
		if ext := filepath.Ext(path); d.IsDir() || !isDone(path) || ext != ".go" && ext != ".md" {
			return nil
		}
		text, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		for _, problem := range styleProblems(path, string(text)) {
			t.Error(problem)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range done {
		if !seen[entry] {
			t.Errorf("done names %s, which does not exist", entry)
		}
	}
}

const maxColumns = 120

// rowName is a test named after a row of a list: TestA5_Fields.
var rowName = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\d*_`)

// styleProblems are the rules that one file breaks, each as a sentence that begins with the place.
func styleProblems(path, text string) []string {
	var out []string
	for i, line := range strings.Split(text, "\n") {
		if n := utf8.RuneCountInString(line); n > maxColumns {
			out = append(out, fmt.Sprintf("%s:%d ends at column %d, after %d", path, i+1, n, maxColumns))
		}
	}
	if filepath.Ext(path) != ".go" {
		return out
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments)
	if err != nil {
		return append(out, err.Error())
	}
	if !hasPurpose(file) {
		out = append(out, path+" does not begin with a comment that says what it is for")
	}
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && rowName.MatchString(fn.Name.Name) {
			out = append(out, fmt.Sprintf("%s: %s is named after a row, not after a behaviour", path, fn.Name.Name))
		}
	}
	return out
}

// hasPurpose reports whether the file's first comment stands above the package clause, or below it and above the first
// declaration without belonging to that. Directives as //go:build do not count.
func hasPurpose(file *ast.File) bool {
	for _, group := range file.Comments {
		if group.Text() == "" {
			continue
		}
		return group.Pos() < file.Package || len(file.Decls) == 0 || group.End() < start(file.Decls[0])
	}
	return false
}

// start is where a declaration begins, its comment included.
func start(decl ast.Decl) token.Pos {
	switch d := decl.(type) {
	case *ast.GenDecl:
		if d.Doc != nil {
			return d.Doc.Pos()
		}
	case *ast.FuncDecl:
		if d.Doc != nil {
			return d.Doc.Pos()
		}
	}
	return decl.Pos()
}

// TestStyleProblems shows which files the rules of TestStyle refuse.
func TestStyleProblems(t *testing.T) {
	wide := strings.Repeat("é", maxColumns)
	for _, c := range []struct {
		name, path, text string
		want             []string
	}{
		{"purpose below the clause", "a.go", "package a\n\n// What it is for.\n\nimport \"os\"\n", nil},
		{"purpose above the clause", "a.go", "// What it is for.\n\npackage a\n\nfunc f() {}\n", nil},
		{"package comment", "doc.go", "// Package a is one.\npackage a\n", nil},
		{"no comment", "a.go", "package a\n\nimport \"os\"\n",
			[]string{"a.go does not begin with a comment that says what it is for"}},
		{"comment of a declaration", "a.go", "package a\n\n// f is a function.\nfunc f() {}\n",
			[]string{"a.go does not begin with a comment that says what it is for"}},
		{"directive", "a.go", "//go:build linux\n\npackage a\n",
			[]string{"a.go does not begin with a comment that says what it is for"}},
		{"test of a row", "a_test.go", "// Tests.\n\npackage a\n\nfunc TestA5_Fields() {}\n",
			[]string{"a_test.go: TestA5_Fields is named after a row, not after a behaviour"}},
		{"test of a behaviour", "a_test.go", "// Tests.\n\npackage a\n\nfunc TestTokenIsNoPassword() {}\n", nil},
		{"widest line", "a.md", "a\n" + wide + "\n", nil},
		{"line too wide", "a.md", "a\n" + wide + "e\n", []string{"a.md:2 ends at column 121, after 120"}},
	} {
		if got := styleProblems(c.path, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
