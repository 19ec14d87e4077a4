package advisory

import (
	"net/http/httptest"
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

func TestTable(t *testing.T) {
	s := storetest.New(t)
	table, other := NewTable[note](s, store.NPM), NewTable[note](s, store.Composer)
	get := func(of *Table[note]) string {
		w := httptest.NewRecorder()
		if err := of.Get(w, httptest.NewRequest("GET", "/", nil)); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(w.Body.String())
	}
	set := func(body string) error {
		w := httptest.NewRecorder()
		return table.Set(w, httptest.NewRequest("PUT", "/", strings.NewReader(body)))
	}
	if got := get(table); got != "[]" {
		t.Error(got)
	}
	loaded := `[{"Package":"a","Text":"1"},{"Package":"a","Text":"2"},{"Package":"a/b","Text":"3"},{"Package":"b","Text":"4"}]`
	if err := set(loaded); err != nil || get(table) != loaded || get(other) != "[]" {
		t.Errorf("%v: %s, other kind %s", err, get(table), get(other))
	}
	for body, text := range map[string]string{
		`{}`: "not a JSON array", `[`: "not a JSON array", `[{"Package":"a","Text":"x"},{"Package":"b"}]`: "Advisory 1: it says nothing.",
	} {
		if err := set(body); problem.Status(err) != 400 || !strings.Contains(problem.Public(err), text) || get(table) != loaded {
			t.Errorf("%s: %v", body, err)
		}
	}
	list, err := table.Of(t.Context(), []string{"b", "", "a", "absent"})
	if err != nil || len(list) != 3 || list[0].Text != "4" || list[2].Text != "2" {
		t.Errorf("%v %v", list, err)
	}
	if err := set(`[]`); err != nil || get(table) != "[]" {
		t.Errorf("%v: %s", err, get(table))
	}
	tail, err := s.JournalTail(t.Context(), 9)
	if err != nil || len(tail) != 2 || tail[1].Op != OpLoad || tail[1].Note != "4 advisories loaded" {
		t.Errorf("%+v %v", tail, err)
	}
}
