package browse

// The page of a directory.

import (
	"strings"
	"testing"
	"time"
)

// TestPageHasPlainLinks: plain relative links, and names that are never markup.
func TestPageHasPlainLinks(t *testing.T) {
	d := &Directory{Path: "com/acme/"}
	d.Add(Entry{Name: "lib/", Modified: time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)})
	d.Add(Entry{Name: `a"><script>.jar`, Size: 7})
	d.Add(Entry{Name: "lib/", Size: 9})
	text, err := d.Page()
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for part, n := range map[string]int{
		`<a href="lib/">lib/</a>`: 1, "2026-11-21 09:30": 1, `<a href="../">`: 1, "<script": 0, `class="n">7<`: 1,
		`class="n">9<`: 0,
	} {
		if got := strings.Count(page, part); got != n {
			t.Errorf("%s: %d times, want %d\n%s", part, got, n, page)
		}
	}
	d.Reset()
	if d.Add(Entry{Name: "lib/"}); len(d.Entries) != 1 {
		t.Errorf("%+v", d.Entries)
	}
}
