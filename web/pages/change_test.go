package pages

// Buttons that change versions, and what becomes of it.

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"larder/internal/describe"
	"larder/internal/miniclient"
	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

// operations are the changes that each kind has.
var operations = map[string]string{
	"npm": "deprecate tag delete", "pypi": "yank unyank delete", "cargo": "yank unyank delete", "maven": "delete",
	"composer": "yank delete", "rubygems": "yank unyank", "oci": "tag delete",
}

// versionOf is the ID of a version that people call so.
func (g *rig) versionOf(kind, name, version string) string {
	g.T.Helper()
	list, err := g.pages.kinds[store.Kind(kind)].describe.Versions(g.T.Context(), name, describe.Query{Limit: 10})
	if err != nil {
		g.T.Fatal(err)
	}
	for _, v := range list.List {
		if v.Name == version || kind == "oci" {
			return v.ID
		}
	}
	g.T.Fatalf("%s %s has no version %s: %+v", kind, name, version, list)
	return ""
}

// ops are the operations that the journal has of a package, oldest first.
func (g *rig) ops(kind, name string) (out []string) {
	g.T.Helper()
	f := store.EntryFilter{Kind: store.Kind(kind), Package: name}
	list, _, err := g.Store.Entries(g.T.Context(), f, 0, 100)
	if err != nil {
		g.T.Fatal(err)
	}
	for _, e := range list {
		out = append(out, string(e.Op))
	}
	return out
}

var button = regexp.MustCompile(`<button name="do" value="([a-z]+)"`)

// buttons are the changes that a page offers.
func buttons(page string) string {
	var out []string
	for _, m := range button.FindAllStringSubmatch(page, -1) {
		out = append(out, m[1])
	}
	return strings.Join(out, " ")
}

func TestEveryKindHasTheButtonsOfItsOperations(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	v := g.visit()
	for _, p := range miniclient.All() {
		g.publish(p.Kind, "demo", "1.0.0")
		name := recordName(p.Kind, "demo")
		page := v.do("GET", "/ui/"+p.Kind+"/"+name+"/-/versions", nil).Body
		want := strings.TrimSpace(strings.ReplaceAll(" "+operations[p.Kind], " tag", ""))
		if got := buttons(page); got != want {
			t.Errorf("versions of %s offer %q, want %q", p.Kind, got, want)
		}
		at := "/ui/" + p.Kind + "/" + name + "/-/v/" + g.versionOf(p.Kind, name, "1.0.0")
		if p.Kind == "oci" {
			at = strings.Replace(at, "/-/v/", "/-/m/", 1)
		}
		want = strings.ReplaceAll(want, "unyank", "")
		if p.Kind == "npm" {
			want = operations["npm"]
		}
		if got := buttons(v.do("GET", at, nil).Body); strings.Join(strings.Fields(want), " ") != got {
			t.Errorf("a version of %s offers %q, want %q", p.Kind, got, want)
		}
		g.has(g.page("root", at), "Seen by owners", "Go-http-client")
		base := "/ui/" + p.Kind + "/" + name + "/-/"
		for _, path := range []string{at, base + "versions", base + "history"} {
			g.lacks(g.page("", path), "-/change", "Seen by owners", "Go-http-client")
		}
	}
}

// change presses a button of the versions' page and fills in what it asks.
func (v *visitor) change(kind, name, op, version string, more url.Values) wiretest.Answer {
	v.T.Helper()
	at := "/ui/" + kind + "/" + name + "/-/"
	form := url.Values{"do": {op}, "v": {version}, "sure": {"1"}, "confirm": {name}}
	for key, values := range more {
		form[key] = values
	}
	return v.send(at+"versions", at+"change", form)
}

// TestButtonsDoWhatClientsDo: each change is the entry of the journal that the client's own request makes.
func TestButtonsDoWhatClientsDo(t *testing.T) {
	want := map[string]string{
		"npm":   "publish tag publish tag deprecate untag delete tag",
		"pypi":  "publish publish yank unyank delete",
		"cargo": "publish publish yank unyank delete", "maven": "publish add list publish add list delete",
		"composer": "publish publish yank yank delete", "rubygems": "publish publish yank unyank",
	}
	for _, p := range miniclient.All() {
		if p.Kind == "oci" {
			continue // see TestTagsAreMovedAndPutBack
		}
		t.Run(p.Kind, func(t *testing.T) {
			g := newRig(t)
			v := g.visit()
			name := recordName(p.Kind, "demo")
			for _, version := range []string{"1.0.0", "1.1.0"} {
				g.publish(p.Kind, "demo", version)
			}
			ids := []string{g.versionOf(p.Kind, name, "1.0.0"), g.versionOf(p.Kind, name, "1.1.0")}
			for _, op := range strings.Fields(operations[p.Kind]) {
				if op == "tag" {
					continue
				}
				id := ids[0]
				if op == "delete" {
					id = ids[1]
				}
				a := v.change(p.Kind, name, op, id, url.Values{"reason": {"broken build"}})
				if to := a.Header.Get("Location"); a.Status != 303 || !strings.Contains(to, "done="+op) {
					t.Fatalf("%s: %v to %q, want 303 to the versions", op, a, to)
				}
				g.has(v.do("GET", a.Header.Get("Location"), nil).Body, "1 version is ")
			}
			if got := strings.Join(g.ops(p.Kind, name), " "); got != want[p.Kind] {
				t.Errorf("the journal has %q, want %q", got, want[p.Kind])
			}
		})
	}
}

func TestReasonsAreKept(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	for kind, op := range map[string]string{"npm": "deprecate", "pypi": "yank", "cargo": "yank"} {
		g.publish(kind, "demo", "1.0.0")
		v.change(kind, "demo", op, "1.0.0", url.Values{"reason": {"broken <build>"}})
		g.has(g.page("", "/ui/"+kind+"/demo/-/v/1.0.0"), "broken &lt;build&gt;")
	}
}

func TestDeletionsNeedTheTypedName(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	g.publish("npm", "demo", "1.0.0")
	g.publish("npm", "demo", "1.1.0")
	for _, typed := range []string{"", "Demo", "demo "} {
		a := v.change("npm", "demo", "delete", "1.0.0", url.Values{"confirm": {typed}})
		g.Want(a, 422, "That is not the name of the package.")
	}
	a := v.change("npm", "demo", "delete", "1.0.0", url.Values{"sure": {""}})
	g.has(g.Want(a, 200, "Delete").Body, "<strong><bdi>1.0.0", `name="confirm"`, `value="1.0.0"`)
	if got := g.ops("npm", "demo"); len(got) != 4 {
		t.Errorf("the journal has %v, want what was published alone", got)
	}
}

func TestTheLastVersionTakesThePackageAlong(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	g.publish("npm", "demo", "1.0.0")
	g.publish("npm", "demo", "1.1.0")
	a := v.change("npm", "demo", "delete", "1.0.0", url.Values{"v": {"1.0.0", "1.1.0"}})
	if to := a.Header.Get("Location"); a.Status != 303 || to != "/ui/npm" {
		t.Errorf("%v to %q, want 303 to the list", a, to)
	}
	g.Want(v.do("GET", "/ui/npm/demo", nil), 404, "")
}

func TestRefusalsOfChangesAreTheProtocols(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) {
		o.Store = append(o.Store, storetest.WithPolicies(refusal{}))
	})
	v := g.visit()
	g.publish("cargo", "demo", "1.0.0")
	a := v.change("cargo", "demo", "yank", "1.0.0", nil)
	g.has(g.Want(a, 409, "1 version was not changed").Body, "1.0.0", "Nothing is withdrawn here.")
	a = v.change("cargo", "demo", "yank", "9.9.9", nil)
	g.has(g.Want(a, 409, "1 version was not changed").Body, "9.9.9")
}

// refusal is a policy.
type refusal struct{}

func (refusal) Check(_ *store.Tx, c store.Change) error {
	if c.Op == store.OpYank {
		return problem.Errorf(store.ErrProtected, "Nothing is withdrawn here.")
	}
	return nil
}

// TestButtonsAreThoseOfWhoMay: who is shown a button may press it, and nobody else.
func TestButtonsAreThoseOfWhoMay(t *testing.T) {
	for _, p := range miniclient.All() {
		t.Run(p.Kind, func(t *testing.T) {
			g := newRig(t)
			k := g.pages.kinds[store.Kind(p.Kind)]
			scope := p.Kind + ":" + k.describe.Type() + ":*:"
			who := map[string]string{"reads": "read", "writes": "read,create,write", "deletes": "read,delete"}
			for user, actions := range who {
				g.User(user, []string{scope + actions})
			}
			for user := range who {
				v := &visitor{rig: g}
				v.do("POST", "/-/login", url.Values{"user": {user}, "password": {"secret"}})
				for _, op := range strings.Fields(operations[p.Kind]) {
					if op == "tag" || op == "unyank" {
						continue
					}
					name := recordName(p.Kind, user+op)
					g.publish(p.Kind, user+op, "1.0.0")
					id := g.versionOf(p.Kind, name, "1.0.0")
					at := "/ui/" + p.Kind + "/" + name + "/-/"
					shown := strings.Contains(v.do("GET", at+"versions", nil).Body, `name="do" value="`+op+`"`)
					form := url.Values{"do": {op}, "v": {id}, "sure": {"1"}, "confirm": {name}, "reason": {"old"}}
					a := v.send("/-/me", at+"change", form)
					if shown != (a.Status == 303) || !shown && a.Status != 403 {
						t.Errorf("%s is shown %s: %t, and gets %v", user, op, shown, a)
					}
					if may := user == "deletes" || user == "writes" && op != "delete"; shown && !may {
						t.Errorf("%s may %s", user, op)
					}
				}
			}
		})
	}
}
