package wiretest

// What is served is what was asked for: no operation looks at another name.

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"larder/auth"
	"larder/store"
)

// recorder notes which names were authorised and which packages the store was asked about, so that a test can compare
// them. It is for one request at a time.
type recorder struct {
	mu       sync.Mutex // guards what follows
	on       bool
	judging  int // calls of Authorize under way: what they look at is theirs
	allowed  map[string]bool
	unjudged map[string]bool // packages that were looked at before their name was authorised
}

// recordedAuth is the users of a rig, heard by its recorder.
type recordedAuth struct {
	*auth.Local
	r *recorder
}

func (a recordedAuth) Authorize(ctx context.Context, id auth.Identity, access auth.Access) error {
	a.r.with(func() { a.r.judging++ })
	err := a.Local.Authorize(ctx, id, access)
	a.r.with(func() {
		a.r.judging--
		if err == nil && a.r.on {
			a.r.allowed[string(access.Kind)+" "+access.Name] = true
		}
	})
	return err
}

func (r *recorder) with(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// touched hears the store. What is kept of upstreams counts as the kind it is of.
func (r *recorder) touched(k store.Kind, name string) {
	r.with(func() {
		for _, own := range store.Kinds() {
			if k == own.Documents() || k == own.CachedFiles() || k == own.Copies() {
				k = own
			}
		}
		if what := string(k) + " " + name; r.on && r.judging == 0 && !r.allowed[what] {
			r.unjudged[what] = true
		}
	})
}

// Unjudged returns the packages that the store was asked about during f although whoever asked was not allowed to, or
// nobody had looked whether they were. The rig must have been opened with Options.Record.
func (g *Rig) Unjudged(f func()) []string {
	g.T.Helper()
	if g.recorder == nil {
		g.T.Fatal("the rig does not record: set Options.Record")
	}
	g.recorder.with(func() {
		g.recorder.on, g.recorder.allowed, g.recorder.unjudged = true, map[string]bool{}, map[string]bool{}
	})
	f()
	var names []string
	g.recorder.with(func() { g.recorder.on, names = false, slices.Sorted(maps.Keys(g.recorder.unjudged)) })
	return names
}

// checkServed asks every operation about a package in many spellings, as a user with all rights to that package alone
// and as one who has none: no package may be looked at whose name was not authorised.
func (m Matrix[R]) checkServed(g *Rig) {
	g.T.Helper()
	// Each operation has a package of its own, since the one before may have deleted it.
	own := func(i int) string { return m.Name(true, 70_000+i) }
	foreign := m.Name(true, 80_000)
	m.Prepare(g, foreign)
	var scopes []string
	for i := range m.operations() {
		scopes = append(scopes, m.Scope+":"+own(i)+":*")
	}
	g.User("narrow", scopes)
	theirs := m.Cases(g, foreign, "root")
	for i, op := range m.operations() {
		m.Prepare(g, own(i))
		m.askServed(g, op.Op, own(i), m.Cases(g, own(i), "root")[op.Op])
		for _, a := range m.askServed(g, op.Op, foreign, theirs[op.Op]) {
			if a.Status < 300 && strings.Contains(a.Body, foreign) && !theirs[op.Op].Whole {
				g.T.Errorf("%s about %s, who may not read it: %v", op.Op, foreign, a)
			}
		}
	}
}

func (m Matrix[R]) askServed(g *Rig, op, name string, c Case) (answers []Answer) {
	g.T.Helper()
	for _, path := range respelt(c.Path, name) {
		var a Answer
		names := g.Unjudged(func() { a = g.Do(c.Method, path, c.Body, append([]Option{g.As("narrow")}, c.Opts...)...) })
		if len(names) > 0 && !slices.Contains(m.Listings, op) {
			g.T.Errorf("%s, %s %s: looked at %q without a right (%d)", op, c.Method, path, names, a.Status)
		}
		answers = append(answers, a)
	}
	return answers
}

// respelt are the path and other ways to write the name in it.
func respelt(path, name string) []string {
	out := []string{path}
	for _, part := range []string{name, name[strings.LastIndexAny(name, "/:")+1:]} {
		if !strings.Contains(path, part) {
			continue
		}
		for _, other := range []string{
			strings.ToUpper(part), fmt.Sprintf("%%%02x", part[0]) + part[1:], strings.ReplaceAll(part, "-", "_"),
			strings.ReplaceAll(part, "-", "."), strings.ReplaceAll(part, "/", "%2f"), "./" + part, "/" + part, part + "/.",
			part + "/../" + part, part + "%20", part + "%00",
		} {
			if p := strings.ReplaceAll(path, part, other); !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}
