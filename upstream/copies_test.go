package upstream

// What is kept of upstreams in lists and searches.

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/store"
)

// listing is a protocol whose documents are "description\nversion version…".
func listing() Protocol {
	return Protocol{
		About: func(_, key string, body []byte) (a About, ok bool) {
			text, versions, _ := strings.Cut(string(body), "\n")
			return About{Description: text, Versions: strings.Fields(versions)}, key == "doc"
		},
		Listing: func(c Copy) store.Listing {
			return store.Listing{Words: map[string]int{c.Name: 60, c.Description: 2}, Data: []byte("{}")}
		},
	}
}

// found are the copies that a search for a word finds, described.
func (g *rig) found(word string) (list []Copy) {
	g.t.Helper()
	matches, err := g.set.FindCopies(context.Background(), store.Query{Words: []string{word}})
	if err == nil {
		list, err = g.set.DescribeCopies(context.Background(), matches)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return list
}

func (g *rig) copies() (names []string) {
	g.t.Helper()
	list, err := g.set.Copies(context.Background(), "", "", 100)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, c := range list {
		names = append(names, c.Name)
	}
	return names
}

// evict lets time pass until a file is evicted.
func (g *rig) evict(name, key string) {
	g.t.Helper()
	err := g.reg.Flush(context.Background())
	g.clock.Advance(2 * time.Hour)
	if err == nil {
		err = g.reg.Evict(context.Background())
	}
	if here, herr := g.set.Here(context.Background(), name, key); err != nil || herr != nil || here {
		g.t.Fatalf("%s of %s is here: %t, %v, %v", key, name, here, err, herr)
	}
}

func TestCopyIsFoundByWhatItsDocumentSays(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Blocked = []string{"npm:demo@2.0.0", "npm:hidden"} })
	g.set = g.reg.Set(store.NPM, listing())
	body := "pads\n2.0.0 1.0.0"
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	for _, want := range []struct{ word, body string }{{"pads", body}, {"quickly", "quickly\n2.0.0 1.1.0"}} {
		body = want.body
		if _, _, err := g.doc("demo"); err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(time.Hour)
		list := g.found(want.word)
		if len(list) != 1 || list[0].Name != "demo" || list[0].Upstream != "main" || list[0].Description != want.word {
			t.Fatalf("%s finds %+v, want demo of main", want.word, list)
		}
		latest, _, _ := strings.Cut(strings.Fields(want.body)[2], " ")
		if list[0].Latest != latest {
			t.Errorf("the latest version is %q, want %q: 2.0.0 is blocked", list[0].Latest, latest)
		}
	}
	if list := g.found("pads"); len(list) > 0 {
		t.Errorf("what it was found by before still finds %+v", list)
	}
}

// TestCopyIsListedAsLongAsSomethingIsKept: a document or a file, until the last record goes.
func TestCopyIsListedAsLongAsSomethingIsKept(t *testing.T) {
	g := newRig(t, func(o *Options) { o.CacheAge = time.Hour })
	g.set = g.reg.Set(store.NPM, listing())
	ctx := context.Background()
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("text\n1.0.0")) })
	want := func(when string, names ...string) {
		t.Helper()
		if got := g.copies(); !slices.Equal(got, names) {
			t.Errorf("%s: the list has %q, want %q", when, got, names)
		}
		stats, err := g.store.Stats(ctx)
		if got := stats.Kinds[store.NPM.Copies()].Packages; err != nil || got != int64(len(names)) {
			t.Errorf("%s: %d copies are counted, %v, want %d", when, got, err, len(names))
		}
	}
	want("nothing is kept")
	if f, err := g.file("f", nil); err != nil {
		t.Fatal(err)
	} else if _, err := g.read(f); err != nil {
		t.Fatal(err)
	}
	want("a file is kept", "demo")
	for _, name := range []string{"demo", "another"} {
		if _, _, err := g.doc(name); err != nil {
			t.Fatal(err)
		}
	}
	want("a file and documents are kept", "another", "demo")
	g.evict("demo", "f")
	want("the file is evicted", "another", "demo")
	if _, err := g.reg.Purge(ctx, store.NPM, "demo"); err != nil {
		t.Fatal(err)
	}
	want("one is purged", "another")
	if _, err := g.reg.Purge(ctx, store.NPM, "*"); err != nil {
		t.Fatal(err)
	}
	want("all are purged")
}

// TestCopiesFromBeforeAreListed: the job lists what was kept before there was a list, some packages at a time, and goes
// on where it was stopped.
func TestCopiesFromBeforeAreListed(t *testing.T) {
	g := newRig(t)
	g.set = g.reg.Set(store.NPM, listing())
	ctx := context.Background()
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("text\n1.0.0")) })
	var names []string
	for i := range listedAtOnce + 10 {
		names = append(names, fmt.Sprintf("demo-%03d", i))
		if _, _, err := g.doc(names[i]); err != nil {
			t.Fatal(err)
		}
	}
	err := g.store.Update(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			if err := tx.SetCopied(store.NPM, name, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.set.listMore(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if got := g.copies(); !slices.Equal(got, names[:listedAtOnce]) {
		t.Errorf("after one step the list has %d names, want %d", len(got), listedAtOnce)
	}
	if err := g.reg.ListCopies(ctx); err != nil {
		t.Fatal(err)
	}
	if got := g.copies(); !slices.Equal(got, names) {
		t.Errorf("the list has %d names, want %d", len(got), len(names))
	}
	if list := g.found("text"); len(list) != len(names) || list[0].Latest != "1.0.0" {
		t.Errorf("%d are found by what their documents say, want %d", len(list), len(names))
	}
}
