package e2e

// The rules of the source tree: which package may import which, who writes files, and how long things are.

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// protocols are the seven packages; none may import another. What lies in a folder of one is imported there only.
var protocols = []string{"oci", "npm", "pypi", "cargo", "maven", "composer", "rubygems"}

// layers is the order of imports: a package may import what stands further down, and leaves. In one row only the parts
// of one folder (npm and npm/…) import each other, and no part imports the package that it is a part of.
var layers = [][]string{
	{"larder", "larder/internal/e2e"},
	{"larder/internal/cli", "larder/internal/bench"},
	{"larder/internal/server"},
	{"larder/internal/config", "larder/internal/rebuild"},
	{
		"larder/web", "larder/web/pages", "larder/web/catalog", "larder/internal/wiretest", "larder/oci",
		"larder/npm", "larder/npm/account", "larder/npm/audit", "larder/npm/names", "larder/npm/putdoc",
		"larder/npm/search", "larder/npm/archive", "larder/npm/version",
		"larder/pypi", "larder/pypi/sidecar", "larder/pypi/simple",
		"larder/cargo", "larder/cargo/archive", "larder/cargo/version",
		"larder/maven", "larder/maven/browse", "larder/maven/archive", "larder/maven/metadata",
		"larder/maven/pom", "larder/maven/recent", "larder/maven/search",
		"larder/composer", "larder/composer/archive", "larder/composer/manifest", "larder/composer/minify",
		"larder/rubygems", "larder/rubygems/archive", "larder/rubygems/compactindex", "larder/rubygems/form",
		"larder/rubygems/gemspec",
	},
	{"larder/internal/registry", "larder/internal/advisory", "larder/internal/multiform"},
	{"larder/internal/wire", "larder/internal/pydist", "larder/internal/trust"},
	{
		"larder/upstream", "larder/auth", "larder/internal/ledger", "larder/internal/rawjson",
		"larder/internal/sortedlist", "larder/store/storetest",
	},
	{"larder/store", "larder/store/disk"},
}

// leaves import nothing of this module but internal/problem; all others may import them.
var leaves = []string{
	"larder/internal/problem", "larder/internal/route",
	"larder/internal/archive", "larder/internal/budget", "larder/internal/compress", "larder/internal/miniclient",
	"larder/internal/pep440", "larder/internal/rubymarshal", "larder/internal/semver", "larder/internal/xmlrpc",
	"larder/internal/describe", "larder/internal/setup", "larder/internal/openapi",
	"larder/cargo/names", "larder/composer/names", "larder/composer/version", "larder/npm/sign",
	"larder/maven/checksum", "larder/maven/markup", "larder/maven/names", "larder/maven/version",
	"larder/oci/manifest", "larder/oci/names",
	"larder/rubygems/names", "larder/rubygems/version",
}

// folderOf is the first folder of a package's path: npm of larder/npm/search.
func folderOf(pkg string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(pkg, "larder/"), "/")
	return first
}

// protocolOf is the protocol that a package is or is a part of, "" for all others.
func protocolOf(pkg string) string {
	if folder := folderOf(pkg); slices.Contains(protocols, folder) {
		return folder
	}
	return ""
}

// forTests reports whether only tests may import a package of this module.
func forTests(pkg string) bool { return strings.HasSuffix(pkg, "test") }

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = moduleRoot(t)
	out, err := list.Output()
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

// layerOf is the row of layers that a package stands in, len(layers) for a leaf, -1 for a package that is in neither.
func layerOf(pkg string) int {
	if slices.Contains(leaves, pkg) {
		return len(layers)
	}
	return slices.IndexFunc(layers, func(row []string) bool { return slices.Contains(row, pkg) })
}

// below reports whether a package of this module may import another one.
func below(pkg, imp string) bool {
	own, other := layerOf(pkg), layerOf(imp)
	if own != other {
		return own < other
	}
	if own == len(layers) {
		return imp == "larder/internal/problem"
	}
	return folderOf(pkg) == folderOf(imp) && folderOf(pkg) != "internal" && !strings.HasPrefix(pkg, imp+"/")
}

// TestImports keeps imports pointing down, bbolt and files inside store, HTTP outside it, and the rigs of tests in
// tests.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		if layerOf(p.ImportPath) < 0 {
			t.Errorf("%s is in no layer: add it to layers or leaves in rules_test.go", p.ImportPath)
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, "larder/") && !below(p.ImportPath, imp) {
				t.Errorf("%s imports %s, which is not below it", p.ImportPath, imp)
			}
			if of := protocolOf(imp); of != "" && of != protocolOf(p.ImportPath) && imp != "larder/"+of {
				t.Errorf("%s imports %s, which is a part of %s", p.ImportPath, imp, of)
			}
			if strings.HasPrefix(imp, "larder/") && forTests(imp) && !forTests(p.ImportPath) {
				t.Errorf("%s imports %s, which is for tests", p.ImportPath, imp)
			}
			if imp == "go.etcd.io/bbolt" && p.ImportPath != "larder/store" {
				t.Errorf("%s imports bbolt: only store may", p.ImportPath)
			}
			if imp == "larder/store/disk" && p.ImportPath != "larder/store" {
				t.Errorf("%s imports store/disk: only store may", p.ImportPath)
			}
			if imp == "net/http" && slices.Contains([]string{"auth", "store"}, folderOf(p.ImportPath)) {
				t.Errorf("%s imports net/http: HTTP belongs to internal/wire and above", p.ImportPath)
			}
		}
	}
}

// TestImportsPointDown shows what below permits: rows, the parts of one folder, and leaves.
func TestImportsPointDown(t *testing.T) {
	for _, c := range []struct {
		pkg, imp string
		want     bool
	}{
		{"larder/npm", "larder/store", true},
		{"larder/store", "larder/npm", false},
		{"larder/npm", "larder/npm/search", true},
		{"larder/npm/search", "larder/npm/names", true},
		{"larder/npm/search", "larder/npm", false},
		{"larder/npm", "larder/web", false},
		{"larder/internal/wire", "larder/internal/trust", false},
		{"larder/store", "larder/internal/budget", true},
		{"larder/internal/route", "larder/internal/problem", true},
		{"larder/internal/problem", "larder/internal/route", false},
		{"larder/internal/semver", "larder/store", false},
	} {
		if got := below(c.pkg, c.imp); got != c.want {
			t.Errorf("may %s import %s: got %v, want %v", c.pkg, c.imp, got, c.want)
		}
	}
}

// skipped reports whether a folder of the tree has no source files of ours.
func skipped(path string) bool {
	name := filepath.Base(path)
	return name == "testdata" || name == "data" || strings.HasPrefix(name, ".") && path != "."
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
	tree := os.DirFS(moduleRoot(t))
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipped(path) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			return c.add(tree, path)
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
	t.Logf("files: median %d, p90 %d, max %d lines",
		quantile(c.files, 50), quantile(c.files, 90), quantile(c.files, 100))
	for _, pkg := range slices.Sorted(maps.Keys(c.packages)) {
		t.Logf("package %s: %d lines", pkg, c.packages[pkg])
	}
}

func (c *census) add(tree fs.FS, path string) error {
	text, err := fs.ReadFile(tree, path)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments)
	if err != nil {
		return err
	}
	lines := set.File(file.Pos()).LineCount()
	if strings.HasSuffix(path, "_test.go") || forTests(filepath.Dir(path)) {
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

// fileCalls are the calls that make, move or remove files; in the data folder only store/disk/durable.go may
// do so.
var fileCalls = []string{
	"os.Rename", "os.WriteFile", "os.Create", "os.OpenFile", "os.Remove", "os.RemoveAll", "os.Mkdir", "os.MkdirAll",
	"os.CreateTemp", "os.Link",
}

// loggerCalls use the process's own logger.
var loggerCalls = []string{"slog.Info", "slog.Warn", "slog.Error", "slog.Debug", "slog.Default"}

// mayWriteFiles names the files, and with a slash at the end the folders, that call fileCalls, and why.
var mayWriteFiles = map[string]string{
	"store/disk/durable.go":      "the one place for files of the data folder",
	"internal/server/listen.go":  "--addr-file and the admin socket",
	"internal/cli/backup.go":     "the backup file an operator names",
	"internal/cli/rebuild.go":    "the folder that check --rebuild --export names",
	"internal/cli/setupwrite.go": "files of clients in a home, and what they were before",
	"internal/bench/":            "scratch files of the benchmark",
}

// TestDurable keeps file writes in one place and loggers passed in.
func TestDurable(t *testing.T) {
	for path, file := range sources(t) {
		mayWrite := mayWriteFiles[path] != "" || mayWriteFiles[filepath.Dir(path)+"/"] != ""
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := callName(call)
			if slices.Contains(fileCalls, name) && !mayWrite {
				t.Errorf("%s calls %s: files of the data folder are made in store/disk/durable.go", path, name)
			}
			if strings.HasPrefix(name, "log.") || slices.Contains(loggerCalls, name) {
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
	tree := os.DirFS(moduleRoot(t))
	set := token.NewFileSet()
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipped(path) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || forTests(filepath.Dir(path)) {
			return nil
		}
		text, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		out[path], err = parser.ParseFile(set, path, text, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
