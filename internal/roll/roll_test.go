package roll

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
func check(t *testing.T, r *Roll, want map[string]string) *store.Document {
	t.Helper()
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		lines = append(lines, want[k])
	}
	d, err := r.Document("<", ">", "text/x")
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
	if string(plain) != body || r.Len() != len(want) || d.Type != "text/x" {
		t.Fatalf("%d lines: %.200q, want %.200q", r.Len(), plain, body)
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
		t.Fatalf("unpacked: %d bytes, %v", len(plain), err)
	}
	return d
}

func TestRoll(t *testing.T) {
	r, want := New(","), map[string]string{}
	check(t, r, want)
	r.Delete("nothing")
	random := rand.New(rand.NewPCG(1, 2))
	tags := map[string]bool{}
	for round := range 60 {
		for range 100 {
			key := fmt.Sprint(random.IntN(3000))
			if random.IntN(3) == 0 {
				r.Delete(key)
				delete(want, key)
			} else {
				want[key] = fmt.Sprintf(`{"name":"%s","round":%d}`, key, round)
				r.Set(key, want[key])
			}
		}
		tags[check(t, r, want).ETag] = true
	}
	if len(r.pieces) < 3 || len(tags) != 60 {
		t.Errorf("%d pieces, %d tags", len(r.pieces), len(tags))
	}
	for key := range maps.Clone(want) {
		r.Delete(key)
		delete(want, key)
	}
	if check(t, r, want); len(r.pieces) != 0 {
		t.Errorf("%d pieces without a line", len(r.pieces))
	}
}

// TestRollFirst: the line that becomes the first of all loses its separator, the one that was it gets one.
func TestRollFirst(t *testing.T) {
	r, want := New(","), map[string]string{}
	for i := range 2 * maxPiece {
		key := fmt.Sprintf("%05d", i+10)
		want[key] = key
		r.Set(key, key)
	}
	check(t, r, want)
	r.Set("00001", "first")
	want["00001"] = "first"
	check(t, r, want)
	for _, p := range slices.Clone(r.pieces[0].keys) {
		r.Delete(p)
		delete(want, p)
	}
	check(t, r, want)
}

// TestRollUnchanged: what did not change is not rendered again.
func TestRollUnchanged(t *testing.T) {
	r := New(",")
	for i := range 4 * maxPiece {
		r.Set(fmt.Sprintf("%05d", i), "line")
	}
	first, err := r.Document("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	r.Set("00000", "line") // as it was
	fresh := 0
	r.Set("00001", "changed")
	for _, p := range r.pieces {
		if p.fresh {
			fresh++
		}
	}
	second, err := r.Document("", "", "")
	if err != nil || fresh != len(r.pieces)-1 || first.ETag == second.ETag {
		t.Errorf("%d of %d pieces are fresh, %v", fresh, len(r.pieces), err)
	}
}
