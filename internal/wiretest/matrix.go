package wiretest

// Every operation of a protocol against every kind of user.

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"larder/auth"
	"larder/internal/wire"
)

// Case is a request that gets Status as its answer when whoever sends it may.
type Case struct {
	Method, Path string
	Body         any
	Status       int
	// Login: a user is needed, whatever the rights.
	Login bool
	// Whole: it is about the registry as a whole, so that a private package makes no difference.
	Whole bool
	Opts  []Option
}

// Matrix is every operation of a protocol against every kind of user, on packages everybody reads and on private ones.
// It is made from the operations table, so that no operation can be forgotten.
type Matrix[R any] struct {
	// Routes is the protocol's table.
	Routes []wire.Route[R]
	// Scope is kind and type of names in scopes: "npm:package".
	Scope string
	// Name is the nth package's name. The registry must be opened with a pattern for the private ones in Auth.Private.
	Name func(private bool, n int) string
	// Prepare publishes what the cases are about, with all rights.
	Prepare func(g *Rig, name string)
	// Cases has a case for each operation, about a package that is prepared; it may prepare more, as the actor.
	Cases func(g *Rig, name, actor string) map[string]Case
	// Want, if set, corrects the status that is expected by the general rules, for a protocol whose clients need another.
	Want func(q Question, status int) int
	// Also, if set, looks at every answer.
	Also func(g *Rig, q Question, a Answer)
	// Hide, if set, makes a package private by its own flag: to who is not among its owners it is then not there.
	Hide func(g *Rig, name string)
	// Creating are operations that make what is not there yet, beside those whose Need is Create.
	Creating []string
	// Listings are operations that look at what is there before they leave out what whoever asks may not see.
	Listings []string
	// Spellings, if set, are the forms in which a name stands in paths, bodies and answers.
	Spellings func(name string) []string
	// Actors, if set, makes more kinds of users and returns their actions, as actors does.
	Actors func(g *Rig) map[string]string
}

// Question is one cell of the matrix.
type Question struct {
	Op      string
	Need    wire.Need
	Actor   string
	Private bool // the package is
	May     bool // the actor has the right
	// Can has a letter for each action the actor has on all packages: r(ead), c(reate), w(rite), d(elete), a(dmin).
	Can string
}

// actors are the kinds of users, and the actions they have on all packages beside what everybody has.
// Beside ada and root they are tokens of root, who administers, so that it is the token that limits them;
// but for "guest", who is a user.
func actors() map[string]string {
	return map[string]string{
		"": "", "other kind": "", "other name": "", "reader": "r", "read-only": "r", "guest": "r", "creator": "rc",
		"writer": "rcw", "deleter": "rd", "ada": "rcwd", "root": "rcwda",
	}
}

func (m Matrix[R]) prepare(g *Rig) {
	g.User("root", nil, true)
	g.User("guest", []string{m.Scope + ":*:read"})
	g.Key("read-only", auth.TokenSpec{User: "root", ReadOnly: true})
	other := "cargo:crate:*:*"
	if m.Scope == "cargo:crate" {
		other = "npm:package:*:*"
	}
	g.Scoped("other kind", "root", other)
	g.Scoped("other name", "root", m.Scope+":zzz-other:*")
	for actor, actions := range map[string]string{
		"reader": "read", "creator": "read,create", "writer": "read,write", "deleter": "read,delete",
	} {
		g.Scoped(actor, "root", m.Scope+":*:"+actions)
	}
}

// Run asks every question, and then tries all Secrets. A request that is refused must leave no trace in the journal,
// and every 401 has a challenge.
func (m Matrix[R]) Run(g *Rig) {
	g.T.Helper()
	m.prepare(g)
	all := actors()
	if m.Actors != nil {
		maps.Copy(all, m.Actors(g))
	}
	n := 0
	for _, private := range []bool{false, true} {
		shared := m.Name(private, n)
		m.Prepare(g, shared)
		for _, op := range m.operations() {
			for _, actor := range slices.Sorted(maps.Keys(all)) {
				q := Question{Op: op.Op, Need: op.Need, Actor: actor, Private: private, Can: all[actor]}
				name := shared
				if q.May = q.may(); q.May && op.Need.Kind() > wire.Read {
					n++
					name = m.Name(private, n)
					m.Prepare(g, name)
				}
				m.ask(g, q, name)
			}
		}
		n++
	}
	m.checkCases(g, m.Name(false, 0))
	m.Secrets(g)
	g.User("outsider", nil)
	all["outsider"] = "rcwd"
	m.checkHidden(g, all)
	m.checkBrowsers(g)
	m.checkServed(g)
}

// operations are the routes, one for each operation.
func (m Matrix[R]) operations() []wire.Route[R] {
	var out []wire.Route[R]
	for _, r := range m.Routes {
		if !slices.ContainsFunc(out, func(o wire.Route[R]) bool { return o.Op == r.Op }) {
			out = append(out, r)
		}
	}
	return out
}

func (q Question) may() bool {
	letter := map[wire.Need]string{
		wire.Read: "r", wire.Create: "c", wire.Write: "w", wire.Delete: "d", wire.Admin: "a",
	}[q.Need.Kind()]
	return strings.Contains(q.Can, letter) || q.Need.Kind() == wire.Read && !q.Private
}

func (m Matrix[R]) ask(g *Rig, q Question, name string) {
	g.T.Helper()
	c, ok := m.Cases(g, name, q.Actor)[q.Op]
	if !ok {
		g.T.Errorf("operation %s has no case in the matrix", q.Op)
		return
	}
	if c.Whole {
		q.Private = false
		q.May = q.may()
	}
	want := expected(q, c)
	if m.Want != nil {
		want = m.Want(q, want)
	}
	before := g.Journal()
	a := g.Do(c.Method, c.Path, c.Body, append([]Option{g.As(q.Actor)}, c.Opts...)...)
	what := fmt.Sprintf("%s as %q, private %v", q.Op, q.Actor, q.Private)
	if a.Status != want {
		g.T.Errorf("%s: %v, want %d", what, a, want)
	}
	if a.Status == http.StatusUnauthorized && a.Header.Get("WWW-Authenticate") == "" {
		g.T.Errorf("%s: a 401 without a challenge", what)
	}
	if m.Also != nil {
		m.Also(g, q, a)
	}
	if a.Status >= 400 && g.Journal() != before {
		g.T.Errorf("%s: refused with %d, and something has changed", what, a.Status)
	}
}

// expected is the general rule (auth's package comment): who may not even read does not learn that there is something.
func expected(q Question, c Case) int {
	nobody := q.Actor == ""
	reads := !q.Private || q.Can != ""
	switch {
	case (q.May || q.Need.Kind() == wire.Read) && c.Login && nobody:
		return http.StatusUnauthorized
	case q.May:
		return c.Status
	case q.Need.Kind() == wire.Read, !nobody && !reads:
		return http.StatusNotFound
	case nobody:
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

// checkCases finds cases of operations that are not there.
func (m Matrix[R]) checkCases(g *Rig, name string) {
	g.T.Helper()
	for op := range m.Cases(g, name, "ada") {
		if !slices.ContainsFunc(m.operations(), func(o wire.Route[R]) bool { return o.Op == op }) {
			g.T.Errorf("the matrix has a case for %s, which is no operation", op)
		}
	}
}
