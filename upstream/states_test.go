package upstream

import (
	"fmt"
	"testing"
)

// TestStatesAreBounded: however many names are asked for, and what is under way is not forgotten.
func TestStatesAreBounded(t *testing.T) {
	g := newRig(t)
	working := docID{"working", "main doc"}
	g.set.with(working, func(st *state) { st.busy = true })
	for i := range 3 * maxStates {
		g.set.with(docID{fmt.Sprint("p", i), "main doc"}, func(*state) {})
		if len(g.set.states) > maxStates {
			t.Fatalf("%d states after %d names, want at most %d", len(g.set.states), i, maxStates)
		}
	}
	g.set.with(working, func(st *state) {
		if !st.busy {
			t.Error("what is under way was forgotten")
		}
	})
}
