package composer

// Rights: every operation against every kind of user, read-only tokens, and guessing.

import (
	"fmt"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wire"
	"larder/internal/wiretest"
)

// cases has a request for each operation, about a package of its own.
func (g *rig) cases(name string) map[string]wiretest.Case {
	g.T.Helper()
	pkg := "/packages/" + name
	all := map[string]wiretest.Case{}
	add := func(op, method, path string, body any, status int) {
		all[op] = wiretest.Case{
			Method: method, Path: path, Body: body, Status: status, Whole: !strings.Contains(path, name) && op != "composer.put",
		}
	}
	add("composer.root", "GET", "/packages.json", nil, 200)
	add("composer.metadata", "GET", "/p2/"+name+".json", nil, 200)
	add("composer.dist", "GET", distPath(name, "1.0.0.0", newRelease(name, "1.0.0").reference(), ""), nil, 200)
	add("composer.info", "GET", pkg+".json", nil, 200)
	add("composer.stats", "GET", "/"+name+"/stats.json", nil, 200)
	add("composer.list", "GET", "/list.json", nil, 200)
	add("composer.search", "GET", "/search.json?q=x", nil, 200)
	add("composer.providers", "GET", "/providers/psr/log.json", nil, 200)
	add("composer.notify", "POST", "/downloads/", fields{"downloads": []fields{{"name": "acme/none"}}}, 201)
	add("composer.audit", "POST", "/api/security-advisories/", "packages[]=acme/none", 200)
	add("composer.filter", "GET", "/filter-summary.json", nil, 200)
	add("composer.changes", "GET", "/metadata/changes.json?since=1", nil, 200)
	add("composer.put", "PUT", "?version=2.0.0", newRelease(name, "2.0.0").archive(), 201)
	add("composer.upload", "PUT", "/packages/upload/"+name+"/3.0.0", newRelease(name, "3.0.0").archive(), 201)
	add("composer.settings", "GET", pkg+"/settings", nil, 200)
	add("composer.settings.set", "PUT", pkg+"/settings", fields{"abandoned": true}, 200)
	add("composer.version.delete", "DELETE", pkg+"/versions/1.0.0", nil, 204)
	add("composer.package.delete", "DELETE", pkg, nil, 204)
	add("composer.advisories", "GET", "/api/advisories", nil, 200)
	add("composer.advisories.set", "PUT", "/api/advisories", "[]", 200)
	return all
}

// TestRightsOfEveryOperation: every operation of the table against every right, on public and on private packages. A
// right that is missing is refused before anything happens; one that is there is enough.
func TestRightsOfEveryOperation(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Record, o.Auth.Private = true, []string{"composer:package:secret/*"} })
	// put asks for no right of a name before it has read the archive, so that each of its requests needs a package that
	// has not got the version yet.
	n := 0
	wiretest.Matrix[Request]{
		Routes: (&server{}).routes(), Scope: "composer:package",
		Name: func(private bool, n int) string {
			return fmt.Sprintf(map[bool]string{false: "acme/pkg%d", true: "secret/pkg%d"}[private], n)
		},
		Prepare: func(w *wiretest.Rig, name string) { (&rig{w, g.s}).publish(name, "1.0.0") },
		Hide: func(w *wiretest.Rig, name string) {
			g.Want(g.Ada("PUT", "/packages/"+name+"/settings", fields{"private": true}), 200, "")
		},
		// What is named in a body is filtered once it is known what is here.
		Listings: []string{"composer.notify", "composer.audit"},
		Creating: []string{"composer.put"},
		Cases: func(w *wiretest.Rig, name, _ string) map[string]wiretest.Case {
			r := &rig{w, g.s}
			all := r.cases(name)
			n++
			put := all["composer.put"]
			put.Path = fmt.Sprintf("?version=2.0.%d", n)
			all["composer.put"] = put
			return all
		},
		Want: func(q wiretest.Question, status int) int {
			switch {
			case q.Op != "composer.put" || strings.Contains(q.Can, "c"):
				return status
			case q.Actor == "":
				return 401
			case q.Private && q.Can == "":
				return 404
			}
			return 403
		},
	}.Run(g.Rig)
}

// TestReadOnlyTokenChangesNothing: a read-only token changes nothing, whatever its user may.
func TestReadOnlyTokenChangesNothing(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0")
	g.Key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	all, before := g.cases("acme/demo"), g.Journal()
	for _, op := range (&server{}).routes() {
		if c := all[op.Op]; op.Need.Kind() > wire.Read || op.Op == "composer.put" {
			g.Want(g.Do(c.Method, c.Path, c.Body, g.As("reader")), 403, `"warning":`)
		}
	}
	if g.Journal() != before {
		t.Error("something has changed")
	}
}

// TestGuessingIsSlowedDown: guessing is slowed down, and the answer says for how long.
func TestGuessingIsSlowedDown(t *testing.T) {
	g := newRig(t)
	for i := range 200 {
		a := g.Do("GET", "/packages.json", nil, wiretest.Basic("ada", fmt.Sprint("guess", i)))
		if a.Status == 429 {
			if a.Header.Get("Retry-After") == "" || !strings.Contains(a.Body, `"warning":`) {
				t.Errorf("%v", a)
			}
			return
		}
		g.Want(a, 401, "")
	}
	t.Error("200 guesses")
}
