package wiretest

// The matrix finds what it is there to find.

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
	"larder/store/storetest"
)

// toy is a protocol of two operations: GET and PUT /toy/NAME. What it forgets is up to the test.
type toy struct {
	open  bool // PUT asks for no right
	alias bool // PUT changes another package than the one whose right was asked
}

func (p toy) serve(d wire.Deps) wire.Protocol {
	need := wire.Write
	if p.open {
		need = wire.Open
	}
	e := wire.Endpoint[string]{
		Kind: store.NPM,
		Parse: func(method, path string, _ url.Values) (string, string, error) {
			return "toy." + strings.ToLower(method), strings.TrimPrefix(path, "/toy/"), nil
		},
		Routes: []wire.Route[string]{
			{Op: "toy.get", Need: wire.Read, Serve: echo},
			{Op: "toy.put", Need: need, Serve: p.put(d)},
		},
		Target: func(q string) (string, string) { return "package", q },
		Fail: func(w http.ResponseWriter, _ *http.Request, f wire.Failure) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(f.Status)
			_, _ = io.WriteString(w, f.Public) // who cannot be told has gone
		},
	}
	return wire.Protocol{Name: "toy", Prefixes: []string{"/toy"}, Handler: e.Handler(d)}
}

func (p toy) put(d wire.Deps) func(http.ResponseWriter, *http.Request, string) error {
	repo := store.NewRepo[struct{}](d.Store, store.NPM)
	return func(w http.ResponseWriter, r *http.Request, q string) error {
		if p.alias {
			q = "alias-of-" + q
		}
		err := repo.Update(r.Context(), q, func(pkg *store.PackageTx[struct{}]) error {
			pkg.Tx().Log(store.Entry{Kind: store.NPM, Package: q, Op: store.OpPublish})
			return nil
		})
		if err != nil {
			return err
		}
		return echo(w, r, q)
	}
}

func echo(w http.ResponseWriter, r *http.Request, _ string) error {
	_, err := io.Copy(w, r.Body)
	return err
}

// spy is a test that may fail without failing the test.
type spy struct {
	testing.TB
	failures []string
}

func (s *spy) Errorf(format string, args ...any) {
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}

func matrix(ops ...string) Matrix[string] {
	return Matrix[string]{
		Routes: []wire.Route[string]{{Op: "toy.get", Need: wire.Read}, {Op: "toy.put", Need: wire.Write}},
		Scope:  "npm:package",
		Name: func(private bool, n int) string {
			return fmt.Sprintf("%s%d", map[bool]string{true: "secret"}[private], n)
		},
		Prepare: func(*Rig, string) {},
		Cases: func(_ *Rig, name, _ string) map[string]Case {
			all := map[string]Case{}
			for _, op := range ops {
				all[op] = Case{Method: strings.ToUpper(op[4:]), Path: name, Status: 200}
			}
			return all
		},
	}
}

// TestMatrix: it passes what is right, and finds an operation that asks for no right, one that serves another name than
// the authorised one, one without a case, and a case without an operation.
func TestMatrix(t *testing.T) {
	o := Options{Under: "/toy/", Record: true, Auth: auth.Options{Private: []string{"npm:package:secret*"}}}
	run := func(p toy, m Matrix[string]) []string {
		s := &spy{TB: t}
		g := New(t, o, p.serve)
		g.T = s
		m.Run(g)
		return s.failures
	}
	if f := run(toy{}, matrix("toy.get", "toy.put")); len(f) > 0 {
		t.Errorf("%q", f)
	}
	for what, f := range map[string][]string{
		`toy.put as "", private true: PUT`:  run(toy{open: true}, matrix("toy.get", "toy.put")),
		`looked at ["npm alias-of-`:         run(toy{alias: true}, matrix("toy.get", "toy.put")),
		"toy.put has no case":               run(toy{}, matrix("toy.get")),
		"toy.delete, which is no operation": run(toy{}, matrix("toy.get", "toy.put", "toy.delete")),
	} {
		if !slices.ContainsFunc(f, func(s string) bool { return strings.Contains(s, what) }) {
			t.Errorf("%s is not found: %q", what, f)
		}
	}
}

func TestRig(t *testing.T) {
	clock, checked := storetest.NewClock(), 0
	o := Options{Under: "/toy/", Check: func(testing.TB, *http.Request, Answer) { checked++ }}
	o.WithClock(clock)
	g := New(t, o, toy{}.serve)
	g.Scoped("narrow", "ada", "npm:package:x:write")
	for _, as := range []Option{g.As("ada"), g.As("narrow"), Basic("ada", "secret"), Bearer(g.Keys["ada"])} {
		for body, want := range map[any]string{"text": "text", nil: "", strings.NewReader("stream"): "stream", 7: "7"} {
			g.Want(g.Do("PUT", "x", body, as), 200, want)
		}
	}
	g.Want(g.Do("PUT", "y", nil, g.As("narrow")), 403, "")
	g.Want(g.In(t).Do("PUT", g.Base+"x", []byte(`{"a":{"b":1}}`)), 401, "")
	a := g.Ada("PUT", "x", Fields{"a": Fields{"b": 1}}, Header("X-A", "1", "X-A", "2"))
	if At(a.Object(t), "a", "b") != 1.0 || At(a.Object(t), "a", "b", "c") != nil ||
		!slices.Equal(KeysOf(a.Object(t)["a"]), []string{"b"}) {
		t.Error(a)
	}
	if checked != 19 || !strings.Contains(g.Log.String(), "path=/toy/x") || g.Journal() < 17 {
		t.Errorf("%d answers checked, journal %d, log\n%s", checked, g.Journal(), g.Log)
	}
	clock.Advance(time.Hour)
	g.Ada("PUT", "x", nil)
	if tail, err := g.Store.JournalTail(t.Context(), 1); err != nil || !tail[0].Time.Equal(clock.Now()) {
		t.Errorf("%v %v", tail, err)
	}
	again := Serve(t, g.Store, o, toy{}.serve)
	again.KeepKeys(g)
	again.Want(again.Ada("GET", "x", nil), 200, "")
}

// TestLogKeepsNoToken: a token in the log fails the test that made it.
func TestLogKeepsNoToken(t *testing.T) {
	s := &spy{TB: t}
	g := New(t, Options{}, toy{}.serve)
	g.T = s
	g.checkLog()
	before := len(s.failures)
	kept := g.Log
	g.Log = &Log{}
	if _, err := g.Log.Write([]byte("token=" + g.Keys["ada"])); err != nil {
		t.Fatal(err)
	}
	if g.checkLog(); before != 0 || len(s.failures) != 1 {
		t.Errorf("%d, then %q", before, s.failures)
	}
	g.Log = kept
}
