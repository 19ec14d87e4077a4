package wiretest

// The wire table in a package's documentation: it is made from the routes, so that it cannot be wrong.

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"strings"
	"testing"

	"larder/internal/wire"
)

// wireTitle is the heading in doc.go below which the table is the first indented block.
const wireTitle = "// # Wire table\n"

// DocTable compares the wire table in the present package's doc.go with its routes. With
// LARDER_GOLDEN=write in the environment it writes it.
func DocTable[R any](t *testing.T, routes []wire.Route[R]) {
	t.Helper()
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := bytes.Cut(source, []byte(wireTitle))
	if !found {
		t.Fatalf("doc.go has no line %q", wireTitle)
	}
	before, old, after := cutTable(string(rest))
	want := wireTable(routes)
	if old == want {
		return
	}
	if os.Getenv("LARDER_GOLDEN") != "write" {
		t.Errorf("doc.go's wire table is not that of the routes; LARDER_GOLDEN=write go test -run %s writes it. It has\n"+
			"%swant\n%s",
			t.Name(), old, want)
		return
	}
	doc, err := format.Source([]byte(string(head) + wireTitle + before + want + after))
	if err == nil {
		err = os.WriteFile("doc.go", doc, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cutTable finds the first indented block of a comment.
func cutTable(text string) (before, table, after string) {
	var part int
	for line := range strings.Lines(text) {
		indented := strings.HasPrefix(line, "//\t")
		if part == 0 && indented || part == 1 && !indented {
			part++
		}
		switch part {
		case 0:
			before += line
		case 1:
			table += line
		default:
			after += line
		}
	}
	return before, table, after
}

// wireTable has a line for each route: method, path, operation and need. Who asks for it stands with the route.
func wireTable[R any](routes []wire.Route[R]) string {
	path, op := 0, 0
	for _, r := range routes {
		path, op = max(path, len(r.Path)), max(op, len(r.Op))
	}
	var b strings.Builder
	for _, r := range routes {
		fmt.Fprintf(&b, "//\t%-6s  %-*s  %-*s  %s\n", r.Method, path, r.Path, op, r.Op, r.Need)
	}
	return b.String()
}
