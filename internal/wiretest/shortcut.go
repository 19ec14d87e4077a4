package wiretest

// The shortcut of a protocol's grammar, compared with its routes.

import (
	"reflect"
	"testing"

	"larder/internal/wire"
)

// Shortcut returns a function that compares what an end point's shortcut says of a request without parameters with what
// the routes say, and reports whether the shortcut was taken.
func Shortcut[R any](e wire.Endpoint[R]) func(t *testing.T, method, path string) (taken bool) {
	table := e.Table()
	return func(t *testing.T, method, path string) bool {
		t.Helper()
		op, q, taken := e.Shortcut(method, path)
		if !taken {
			return false
		}
		row, want, err := table.Parse(method, path, nil)
		if err != nil {
			t.Errorf("%s %q is %s %+v by the shortcut, and by the table %v", method, path, op, q, err)
		} else if wantOp := table.Row(row).Op; op != wantOp || !reflect.DeepEqual(q, want) {
			t.Errorf("%s %q is %s %+v by the shortcut, and %s %+v by the table", method, path, op, q, wantOp, want)
		}
		return true
	}
}

// Paths are all paths of up to n of the components below a root.
func Paths(root string, n int, components ...string) (paths []string) {
	last := []string{root}
	for range n {
		var longer []string
		for _, p := range last {
			for _, c := range components {
				longer = append(longer, p+"/"+c)
			}
		}
		paths, last = append(paths, longer...), longer
	}
	return paths
}

// BenchmarkParse measures the shortcut and the routes of an end point side by side, on GETs of paths by their names.
func BenchmarkParse[R any](b *testing.B, e wire.Endpoint[R], paths map[string]string) {
	table := e.Table()
	for name, path := range paths {
		b.Run("shortcut/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := e.Shortcut("GET", path); !ok {
					b.Fatal("not taken")
				}
			}
		})
		b.Run("table/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := table.Parse("GET", path, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
