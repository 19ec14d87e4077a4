package advisory

// A table of advisories over HTTP, and what it refuses.

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/store"
	"larder/store/storetest"
)

type note struct{ Package, Text string }

func (n note) About() string { return n.Package }

func (n note) Fault() string {
	if n.Text == "" {
		return "it says nothing."
	}
	return ""
}

const loaded = `[{"Package":"a","Text":"1"},{"Package":"a","Text":"2"},` +
	`{"Package":"a/b","Text":"3"},{"Package":"b","Text":"4"}]`

func set(table *Table[note], body string) error {
	return table.Set(httptest.NewRecorder(), httptest.NewRequest("PUT", "/", strings.NewReader(body)))
}

func wantTable(t *testing.T, table *Table[note], want string) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := table.Get(w, httptest.NewRequest("GET", "/", nil)); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("the table is %s, want %s", got, want)
	}
}

func TestLoadReplacesTheTableOfItsKind(t *testing.T) {
	s := storetest.New(t)
	table, other := NewTable[note](s, store.NPM), NewTable[note](s, store.Composer)
	wantTable(t, table, "[]")
	if err := set(table, loaded); err != nil {
		t.Fatal(err)
	}
	wantTable(t, table, loaded)
	wantTable(t, other, "[]")
	if err := set(table, "[]"); err != nil {
		t.Fatal(err)
	}
	wantTable(t, table, "[]")
}

func TestRefusedLoadChangesNothing(t *testing.T) {
	table := NewTable[note](storetest.New(t), store.NPM)
	if err := set(table, loaded); err != nil {
		t.Fatal(err)
	}
	for body, text := range map[string]string{
		`{}`: "not a JSON array", `[`: "not a JSON array",
		`[{"Package":"a","Text":"x"},{"Package":"b"}]`: "Advisory 1: it says nothing.",
	} {
		err := set(table, body)
		if got := problem.Status(err); got != 400 {
			t.Errorf("%s is answered with %d, want 400", body, got)
		}
		if got := problem.Public(err); !strings.Contains(got, text) {
			t.Errorf("%s is answered with %q, want a sentence with %q", body, got, text)
		}
		wantTable(t, table, loaded)
	}
}

func TestAdvisoriesAreFoundByPackage(t *testing.T) {
	table := NewTable[note](storetest.New(t), store.NPM)
	if err := set(table, loaded); err != nil {
		t.Fatal(err)
	}
	got, err := table.Of(t.Context(), []string{"b", "", "a", "absent"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []note{{"b", "4"}, {"a", "1"}, {"a", "2"}}; !slices.Equal(got, want) {
		t.Errorf("of b and a there are %v, want %v", got, want)
	}
}

func TestLoadIsInTheJournal(t *testing.T) {
	s := storetest.New(t)
	if err := set(NewTable[note](s, store.NPM), loaded); err != nil {
		t.Fatal(err)
	}
	tail, err := s.JournalTail(t.Context(), 9)
	if err != nil {
		t.Fatal(err)
	}
	if len(tail) != 1 || tail[0].Op != OpLoad || tail[0].Note != "4 advisories loaded" {
		t.Errorf("the journal is %+v, want one entry %s with the note %q", tail, OpLoad, "4 advisories loaded")
	}
}
