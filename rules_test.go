package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// protocols are the seven packages; none may import another. What lies in a folder of one is imported there only.
var protocols = []string{"oci", "npm", "pypi", "cargo", "maven", "composer", "rubygems"}

// layers is the order of imports: a package may import only what stands
// further down. Packages of one row do not import each other.
var layers = [][]string{
	{"larder"},
	{"larder/internal/cli", "larder/internal/bench"},
	{"larder/internal/server"},
	{"larder/internal/rebuild", "larder/internal/config"},
	append(under("larder/", protocols), "larder/web"),
	{"larder/npm/account", "larder/npm/audit", "larder/npm/putdoc", "larder/npm/search", "larder/npm/sign", "larder/npm/tarball", "larder/maven/search", "larder/maven/browse", "larder/pypi/sidecar"},
	{"larder/maven/pom", "larder/maven/inside", "larder/maven/metadata", "larder/maven/recent"},
	{"larder/composer/manifest", "larder/cargo/crate", "larder/oci/manifest", "larder/pypi/simple", "larder/rubygems/compactindex", "larder/rubygems/gemfile", "larder/rubygems/form"},
	{"larder/npm/naming", "larder/composer/naming", "larder/maven/layout", "larder/rubygems/naming", "larder/composer/minify"},
	{"larder/internal/wiretest", "larder/internal/advisory", "larder/internal/multiform"},
	{"larder/internal/wire", "larder/internal/pydist", "larder/internal/roll", "larder/internal/trust"},
	{"larder/upstream", "larder/auth", "larder/internal/rawjson", "larder/internal/ledger"},
	{"larder/store/storetest"},
	{"larder/store"},
	{"larder/internal/gemspec"},
	{
		"larder/internal/archive", "larder/internal/budget", "larder/internal/compress", "larder/internal/semver",
		"larder/internal/pep440", "larder/internal/xmlrpc", "larder/composer/semver", "larder/internal/rubymarshal",
		"larder/maven/order", "larder/maven/markup", "larder/maven/checksum", "larder/internal/miniclient",
	},
	{"larder/internal/problem"},
}

func under(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}

// protocolOf is the protocol that a package is or is a part of, "" for all others.
func protocolOf(pkg string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(pkg, "larder/"), "/")
	if slices.Contains(protocols, first) {
		return first
	}
	return ""
}

// forTests reports whether a path lies in a package that only tests import.
func forTests(path string) bool {
	return strings.Contains(path, "storetest/") || strings.Contains(path, "wiretest/")
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []listedPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listedPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

func layerOf(pkg string) int {
	return slices.IndexFunc(layers, func(row []string) bool { return slices.Contains(row, pkg) })
}

// TestImports keeps imports pointing down, bbolt inside store, HTTP outside it, and the rigs of tests in tests.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		own := layerOf(p.ImportPath)
		if own < 0 {
			t.Errorf("%s is in no layer: add it to layers in rules_test.go", p.ImportPath)
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, "larder/") && layerOf(imp) <= own {
				t.Errorf("%s imports %s, which is not below it", p.ImportPath, imp)
			}
			if of := protocolOf(imp); of != "" && of != protocolOf(p.ImportPath) && imp != "larder/"+of {
				t.Errorf("%s imports %s, which is a part of %s", p.ImportPath, imp, of)
			}
			if forTests(imp+"/") && !forTests(p.ImportPath+"/") {
				t.Errorf("%s imports %s, which is for tests", p.ImportPath, imp)
			}
			if imp == "go.etcd.io/bbolt" && p.ImportPath != "larder/store" {
				t.Errorf("%s imports bbolt: only store may", p.ImportPath)
			}
			if imp == "net/http" && (p.ImportPath == "larder/store" || p.ImportPath == "larder/auth") {
				t.Errorf("%s imports net/http: HTTP belongs to internal/wire and above", p.ImportPath)
			}
		}
	}
}

// census is what TestSizes counts.
type census struct {
	funcs, files []int
	code, tests  int
	comments     int
	packages     map[string]int
}

// TestSizes prints the figures of the tree: numbers to look at. It fails on nothing.
func TestSizes(t *testing.T) {
	c := census{packages: map[string]int{}}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "data" || (strings.HasPrefix(d.Name(), ".") && path != ".")) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			return c.add(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("code %d lines in %d files, tests %d lines (%.2f per line of code), %d%% comments",
		c.code, len(c.files), c.tests, float64(c.tests)/float64(max(c.code, 1)), 100*c.comments/max(c.code, 1))
	t.Logf("functions: median %d, p90 %d, p99 %d, max %d lines",
		quantile(c.funcs, 50), quantile(c.funcs, 90), quantile(c.funcs, 99), quantile(c.funcs, 100))
	t.Logf("files: median %d, p90 %d, max %d lines", quantile(c.files, 50), quantile(c.files, 90), quantile(c.files, 100))
	for _, pkg := range slices.Sorted(maps.Keys(c.packages)) {
		t.Logf("package %s: %d lines", pkg, c.packages[pkg])
	}
}

func (c *census) add(path string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	lines := set.File(file.Pos()).LineCount()
	if strings.HasSuffix(path, "_test.go") || forTests(path) {
		c.tests += lines
		return nil
	}
	c.code += lines
	c.files = append(c.files, lines)
	c.packages[filepath.Dir(path)] += lines
	for _, group := range file.Comments {
		c.comments += set.Position(group.End()).Line - set.Position(group.Pos()).Line + 1
	}
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			c.funcs = append(c.funcs, set.Position(fn.End()).Line-set.Position(fn.Pos()).Line+1)
		}
	}
	return nil
}

func quantile(values []int, percent int) int {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*percent/100]
}

// fileCalls are the calls that make, move or remove files; in the data folder
// only store/durable.go may do so.
var fileCalls = []string{"os.Rename", "os.WriteFile", "os.Create", "os.OpenFile", "os.Remove", "os.RemoveAll", "os.Mkdir", "os.MkdirAll", "os.CreateTemp", "os.Link"}

// outsideData names the files that write outside the data folder, and why.
var outsideData = map[string]string{
	"store/durable.go":          "the one place",
	"internal/server/listen.go": "--addr-file and the admin socket",
	"internal/cli/backup.go":    "the backup file an operator names",
	"internal/cli/rebuild.go":   "the folder that check --rebuild --export names",
	"internal/bench/main.go":    "scratch files of the benchmark",
}

// TestDurable keeps file writes in one place and loggers passed in.
func TestDurable(t *testing.T) {
	for path, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := callName(call)
			if slices.Contains(fileCalls, name) && outsideData[path] == "" && !strings.HasPrefix(path, "internal/bench/") {
				t.Errorf("%s calls %s: files of the data folder are made in store/durable.go", path, name)
			}
			if strings.HasPrefix(name, "log.") || slices.Contains([]string{"slog.Info", "slog.Warn", "slog.Error", "slog.Debug", "slog.Default"}, name) {
				t.Errorf("%s calls %s: loggers are passed in", path, name)
			}
			return true
		})
	}
}

func callName(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok || x.Obj != nil {
		return ""
	}
	return x.Name + "." + sel.Sel.Name
}

// sources parses every non-test Go file of the tree.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	out := map[string]*ast.File{}
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || forTests(path) {
			return err
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		out[path] = file
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
