package wire

// The table of routes: a row says its right, and an operation that forgets to ask for one does not answer.

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// TestForgettingToAskIsAnError: a row with List or Body whose operation asks for no right answers 500, and nothing
// of what it would have said.
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
		"no need": {
			{
				Method: "GET", Path: "/", Op: "toy", Serve: func(http.ResponseWriter, *http.Request, struct{}) error { return nil },
			},
		},
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

// TestOwnRuleForLists: it is asked with the operation, and instead of the usual one.
func TestOwnRuleForLists(t *testing.T) {
	asks := func(w http.ResponseWriter, r *http.Request, _ struct{}) error {
		Asked(r.Context())
		return JSON(w, http.StatusOK, []string{})
	}
	e := Endpoint[struct{}]{
		Grammar: route.Grammar[struct{}]{Root: "/toy"},
		Routes:  []Route[struct{}]{GET("/open", "toy.open", List, asks, ""), GET("/closed", "toy.closed", List, asks, "")},
		Target:  func(struct{}) (string, string) { return "package", "" },
		MayList: func(_ context.Context, op string) error {
			if op == "toy.closed" {
				return auth.ErrDenied
			}
			return nil
		},
		Fail: func(w http.ResponseWriter, _ *http.Request, f Failure) { http.Error(w, f.Public, f.Status) },
	}
	h := e.Handler(Deps{})
	for path, want := range map[string]int{"/toy/open": 200, "/toy/closed": 403} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest("GET", path, nil)); w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
}

// TestQueryBehindAShortcut: the path is read by the shortcut, the parameters by the table.
func TestQueryBehindAShortcut(t *testing.T) {
	type request struct{ Path, Page string }
	var got request
	e := Endpoint[request]{
		Grammar: route.Grammar[request]{Root: "/toy", Queries: map[string]route.Query[request]{
			"toy.list": {Parse: func(q *request, v url.Values) error { q.Page = v.Get("page"); return nil }},
		}},
		Routes: []Route[request]{GET("/list", "toy.list", Open,
			func(_ http.ResponseWriter, _ *http.Request, q request) error { got = q; return nil }, "")},
		Shortcut: func(_, path string) (string, request, bool) {
			return "toy.list", request{Path: path}, path == "/toy/list"
		},
		Target: func(request) (string, string) { return "package", "" },
	}
	e.Handler(Deps{}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/toy/list?page=3", nil))
	if want := (request{"/toy/list", "3"}); got != want {
		t.Errorf("the operation gets %+v, want %+v", got, want)
	}
}

func noop(http.ResponseWriter, *http.Request, struct{}) error { return nil }
