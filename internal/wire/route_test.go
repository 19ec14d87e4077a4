package wire

// The table of routes: a row says its right, and an operation that forgets to ask for one does not answer.

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/route"
	"larder/store"
)

// serveRow answers a request with a table of one row.
func serveRow(t *testing.T, need Need, serve Serve[struct{}]) *httptest.ResponseRecorder {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	local, err := auth.NewLocal(t.Context(), s, auth.Options{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	e := Endpoint[struct{}]{
		Kind: store.NPM, Grammar: route.Grammar[struct{}]{Root: "/toy"},
		Routes: []Route[struct{}]{GET("/list", "toy.list", need, serve, "tests")},
		Target: func(struct{}) (string, string) { return "package", "" },
		Fail:   func(w http.ResponseWriter, _ *http.Request, f Failure) { http.Error(w, f.Public, f.Status) },
	}
	w := httptest.NewRecorder()
	e.Handler(Deps{Store: s, Auth: local}).ServeHTTP(w, httptest.NewRequest("GET", "/toy/list", nil))
	return w
}

// TestForgettingToAskIsAnError: a row with List or Body whose operation asks for no right answers 500, and nothing of what
// it would have said.
func TestForgettingToAskIsAnError(t *testing.T) {
	forgetful := func(w http.ResponseWriter, _ *http.Request, _ struct{}) error {
		return JSON(w, http.StatusOK, []string{"secret"})
	}
	unmodified := func(w http.ResponseWriter, _ *http.Request, _ struct{}) error {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	asks := func(w http.ResponseWriter, r *http.Request, _ struct{}) error {
		Asked(r.Context())
		return JSON(w, http.StatusOK, []string{})
	}
	for _, need := range []Need{List, Body} {
		for _, f := range []Serve[struct{}]{forgetful, unmodified} {
			if w := serveRow(t, need, f); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%s: a forgetful operation answers %d %q, want 500", need, w.Code, w.Body)
			}
		}
		if w := serveRow(t, need, asks); w.Code != 200 {
			t.Errorf("%s: an operation that asks answers %d %q, want 200", need, w.Code, w.Body)
		}
	}
	if w := serveRow(t, Open, forgetful); w.Code != 200 {
		t.Errorf("open: %d %q, want 200", w.Code, w.Body)
	}
}

// TestRowWithoutNeedPanics: the zero Need is no right, so that a row cannot leave it out.
func TestRowWithoutNeedPanics(t *testing.T) {
	for what, rows := range map[string][]Route[struct{}]{
		"no need":         {{Method: "GET", Path: "/", Op: "toy", Serve: func(http.ResponseWriter, *http.Request, struct{}) error { return nil }}},
		"no operation":    {{Method: "GET", Path: "/", Op: "toy", Need: Open}},
		"different needs": {GET("/a", "toy", Open, noop, ""), GET("/b", "toy", Read, noop, "")},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			Endpoint[struct{}]{Routes: rows}.Handler(Deps{})
		}()
	}
}

func noop(http.ResponseWriter, *http.Request, struct{}) error { return nil }
