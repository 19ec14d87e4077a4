package pydist

// Metadata is read from wheels in parts.

import (
	stdzip "archive/zip"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"larder/internal/problem"
)

// TestReadMetadata: of a wheel only its directory and METADATA are read, and of a directory no more than is sane.
func TestReadMetadata(t *testing.T) {
	for _, c := range []struct {
		entries int
		good    bool
	}{{0, true}, {30, true}, {300, false}} {
		var b bytes.Buffer
		w := stdzip.NewWriter(&b)
		for i := range c.entries {
			if _, err := w.Create(fmt.Sprintf("%s/%d", strings.Repeat("x", 60_000), i)); err != nil {
				t.Fatal(err)
			}
		}
		f, err := w.Create("demo-1.0.dist-info/METADATA")
		if err == nil {
			_, err = f.Write([]byte("Name: demo\n"))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := ReadMetadata(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if c.good && (err != nil || string(raw) != "Name: demo\n") || !c.good && !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%d entries: %q %v", c.entries, raw, err)
		}
	}
}
