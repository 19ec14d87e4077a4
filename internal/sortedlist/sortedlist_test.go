package sortedlist

// Lists that change are compared with the plain joining of their lines.

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"larder/store"
)

// check compares the document with the plain joining of the lines, in both encodings.
func check(t *testing.T, l *List, want map[string]string) *store.Document {
	t.Helper()
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		lines = append(lines, want[k])
	}
	d, err := l.Document("<", ">", "text/x")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := d.Encoded(store.Identity)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := d.Encoded(store.Gzip)
	if err != nil {
		t.Fatal(err)
	}
	body := "<" + strings.Join(lines, ",") + ">"
	if string(plain) != body {
		t.Fatalf("the document of %d lines is %.200q, want %.200q", len(want), plain, body)
	}
	if d.Type != "text/x" {
		t.Fatalf("the document has the type %q, want text/x", d.Type)
	}
	if packed == nil {
		return d
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	if plain, err := io.ReadAll(z); err != nil || string(plain) != body {
		t.Fatalf("the compressed document has %d bytes when it is unpacked, %v; want the %d of the plain one",
			len(plain), err, len(body))
	}
	return d
}

// Lines come, change and go at random.
func TestDocumentHasTheLinesInOrder(t *testing.T) {
	l, want := New(","), map[string]string{}
	check(t, l, want)
	l.Delete("nothing")
	random := rand.New(rand.NewPCG(1, 2))
	tags := map[string]bool{}
	for round := range 60 {
		for range 100 {
			key := fmt.Sprint(random.IntN(3000))
			if random.IntN(3) == 0 {
				l.Delete(key)
				delete(want, key)
			} else {
				want[key] = fmt.Sprintf(`{"name":"%s","round":%d}`, key, round)
				l.Set(key, want[key])
			}
		}
		tags[check(t, l, want).ETag] = true
	}
	if len(l.pieces) < 3 {
		t.Errorf("the list has %d pieces, want 3 or more", len(l.pieces))
	}
	if len(tags) != 60 {
		t.Errorf("60 documents have %d tags", len(tags))
	}
	for key := range maps.Clone(want) {
		l.Delete(key)
		delete(want, key)
	}
	if check(t, l, want); len(l.pieces) != 0 {
		t.Errorf("the empty list has %d pieces", len(l.pieces))
	}
}

// The first line of all has no separator before it; the line that was the first gets one.
func TestNewFirstLine(t *testing.T) {
	l, want := New(","), map[string]string{}
	for i := range 2 * maxPiece {
		key := fmt.Sprintf("%05d", i+10)
		want[key] = key
		l.Set(key, key)
	}
	check(t, l, want)
	l.Set("00001", "first")
	want["00001"] = "first"
	check(t, l, want)
	for _, p := range slices.Clone(l.pieces[0].keys) {
		l.Delete(p)
		delete(want, p)
	}
	check(t, l, want)
}

func TestOnlyChangedPieceIsRendered(t *testing.T) {
	l := New(",")
	for i := range 4 * maxPiece {
		l.Set(fmt.Sprintf("%05d", i), "line")
	}
	first, err := l.Document("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	l.Set("00000", "line") // as it was
	fresh := 0
	l.Set("00001", "changed")
	for _, p := range l.pieces {
		if p.fresh {
			fresh++
		}
	}
	second, err := l.Document("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if fresh != len(l.pieces)-1 {
		t.Errorf("after one change %d of %d pieces are fresh, want all but one", fresh, len(l.pieces))
	}
	if first.ETag == second.ETag {
		t.Error("the changed document has the tag of the one before")
	}
}
