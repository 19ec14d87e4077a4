package wiretest

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"larder/internal/wire"
)

// OldDocTable compares the wire table of the present package's doc.go with its operations: what each row
// says, with sample in place of its letters, parses to the row's operation, and every operation has a row. It
// returns the operations' names.
func OldDocTable[R any](
	t *testing.T, ops []wire.Route[R], root string, sample *strings.Replacer,
	parse func(t testing.TB, method, path string) (string, R, error),
) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var p comment.Parser
	seen := map[string]bool{}
	for _, block := range p.Parse(file.Doc.Text()).Content {
		code, ok := block.(*comment.Code)
		if !ok {
			continue
		}
		for line := range strings.Lines(code.Text) {
			f := strings.Fields(line)
			if len(f) < 5 || !strings.HasPrefix(f[1], "/") {
				continue
			}
			if op, _, err := parse(t, f[0], root+sample.Replace(f[1])); err != nil || op != f[2] {
				t.Errorf("doc.go: %s %s is %s %v, not %s", f[0], f[1], op, err, f[2])
			}
			seen[f[2]] = true
		}
	}
	names := map[string]bool{}
	for _, o := range ops {
		if names[o.Op] = true; !seen[o.Op] {
			t.Errorf("operation %s is not in doc.go", o.Op)
		}
	}
	if len(seen) != len(names) {
		t.Errorf("%d operations in doc.go, %d in the table", len(seen), len(names))
	}
	return names
}
