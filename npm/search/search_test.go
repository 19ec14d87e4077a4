package search

// What a package is found by.

import (
	"slices"
	"testing"
	"time"

	"larder/internal/rawjson"
	"larder/store"
)

func TestParse(t *testing.T) {
	q := Parse("Left-Pad foo@bar scope:@acme keywords:cli,-old author:Ada not:unstable boost-exact:false @sc/")
	want := store.Query{
		Words: []string{"left-pad", "foo", "bar"}, Marks: []string{"scope:acme", "keyword:cli", "author:ada", "scope:sc"},
		Without: []string{"keyword:old", markUnstable},
	}
	if !slices.Equal(q.Words, want.Words) || !slices.Equal(q.Marks, want.Marks) || !slices.Equal(q.Without, want.Without) {
		t.Errorf("%+v", q)
	}
	if q := Parse("@sc/demo"); !slices.Equal(q.Words, []string{"@sc/demo"}) {
		t.Errorf("%+v", q)
	}
}

func manifest(t *testing.T, text string) rawjson.Object {
	t.Helper()
	m, err := rawjson.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLinksAreHTTPOrNothing: what a page would link to is an http address or nothing.
func TestLinksAreHTTPOrNothing(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.com": "https://example.com", "http://example.com/x": "http://example.com/x",
		"git+https://git.example.com/a.git": "https://git.example.com/a",
		"git://git.example.com/a.git":       "https://git.example.com/a", "javascript:alert(1)": "", "JAVASCRIPT:x": "",
		"data:text/html,x": "", "//example.com": "", "git+ssh://x": "", " https://x": "", "": "",
	} {
		if got := webURL(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	l := List("demo",
		manifest(t, `{"homepage":"javascript:x","repository":{"url":"data:x"},"bugs":"vbscript:x","description":"<script>"}`),
		Latest{Version: "1.0.0"})
	h, err := NewHit(store.Match{Name: "demo", Score: 1}, 1, l.Data, nil, "")
	if err != nil || len(h.Package.Links) > 0 {
		t.Errorf("%+v %v", h, err)
	}
}

func TestList(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := manifest(t,
		`{"description":"Pads Strings","keywords":["CLI"," text tool `+
			`"],"license":"MIT","author":{"name":"Al"},"repository":"https://git.example.com/a"}`)
	l := List("@Acme/left-pad", m, Latest{
		Version: "0.9.0", Published: at, By: "ada", Readme: true, Owners: []string{"ada"},
	})
	for word, weight := range map[string]int{
		"left-pad": weightName, "@acme/left-pad": weightName, "leftpad": weightPart, "left": weightPart, "cli": weightKeyword,
		"text tool": weightKeyword, "tool": weightKeyword, "strings": weightDescription, "absent": 0,
	} {
		if l.Words[word] != weight {
			t.Errorf("%q weighs %d, want %d", word, l.Words[word], weight)
		}
	}
	if want := []string{
		"keyword:cli", "keyword:text tool", "scope:acme", "author:al", markUnstable, "maintainer:ada",
	}; !slices.Equal(l.Marks, want) {
		t.Errorf("%q", l.Marks)
	}
	if SetOwners(&l, []string{"bob", "cleo"}); !slices.Equal(l.Marks[5:], []string{"maintainer:bob", "maintainer:cleo"}) ||
		OwnedBy("bob").Marks[0] != l.Marks[5] {
		t.Errorf("%q", l.Marks)
	}
	h, err := NewHit(store.Match{Name: "@acme/left-pad", Score: 5}, 10, l.Data, []string{"bob"}, "")
	p := h.Package
	if err != nil || p.Scope != "acme" || p.Version != "0.9.0" || p.Date != "2026-01-02T03:04:05.000Z" ||
		p.Maintainers[0].Username != "bob" || p.Publisher.Username != "ada" || !h.Flags.Unstable || h.Score.Final != 0.5 ||
		h.Score.Detail["quality"] != 1 {
		t.Errorf("%+v %v", h, err)
	}
	if _, err := NewHit(store.Match{}, 0, []byte("{"), nil, ""); err == nil {
		t.Error("half a summary is one")
	}
	if h, err := NewHit(store.Match{Name: "bare"}, 0, nil, nil, ""); err != nil || h.Package.Keywords == nil ||
		h.Package.Maintainers == nil || h.Package.Scope != "unscoped" {
		t.Errorf("%+v %v", h, err)
	}
}
