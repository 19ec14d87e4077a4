package upstream

// This file looks at what is remembered of documents.

import (
	"fmt"
	"testing"
)

// TestStatesAreBounded: however many names are asked for, and what is under way is not forgotten.
func TestStatesAreBounded(t *testing.T) {
	g := newRig(t)
	working := docID{"working", "main doc"}
	g.set.with(working, func(st *state) { st.coming = &kept{} })
	for i := range 3 * maxStates {
		g.set.with(docID{fmt.Sprint("p", i), "main doc"}, func(*state) {})
		if len(g.set.states) > maxStates {
			t.Fatalf("%d states after %d names, want at most %d", len(g.set.states), i, maxStates)
		}
	}
	g.set.with(working, func(st *state) {
		if st.coming == nil {
			t.Error("what is under way was forgotten")
		}
	})
}

// TestLaterDocumentStays: what was stored after a document that was answered early is found at once, although the work
// for the early one has not quite ended.
func TestLaterDocumentStays(t *testing.T) {
	g := newRig(t)
	g.origin.says("later", "")
	early := &kept{body: []byte("early"), done: make(chan struct{})}
	close(early.done) // it is stored
	g.set.with(docID{"demo", g.set.list[0].key + " doc"}, func(st *state) { st.coming = early })
	for _, cache := range []string{"MISS", "HIT"} {
		if d, got, err := g.doc("demo"); err != nil || got != "later" || d.Cache != cache {
			t.Errorf("%q %+v, %v, want later as %s", got, d, err, cache)
		}
	}
}
