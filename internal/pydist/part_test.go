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

// wheelOf is a wheel with a number of entries whose names are 60 kB long each.
func wheelOf(t *testing.T, entries int) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	w := stdzip.NewWriter(&b)
	for i := range entries {
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
	return bytes.NewReader(b.Bytes())
}

func TestMetadataOfAWheelIsRead(t *testing.T) {
	for _, entries := range []int{0, 30} {
		wheel := wheelOf(t, entries)
		raw, err := ReadMetadata(wheel, wheel.Size())
		if err != nil {
			t.Errorf("%d entries: %v", entries, err)
		}
		if got, want := string(raw), "Name: demo\n"; got != want {
			t.Errorf("%d entries: the metadata is %q, want %q", entries, got, want)
		}
	}
}

func TestWheelWithAHugeDirectoryIsRefused(t *testing.T) {
	wheel := wheelOf(t, 300)
	if raw, err := ReadMetadata(wheel, wheel.Size()); !errors.Is(err, problem.ErrInvalid) {
		t.Errorf("the metadata is %q, %v; want %v", raw, err, problem.ErrInvalid)
	}
}
