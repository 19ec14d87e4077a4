package pages

// Buttons that change versions, and what becomes of it.

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"larder/internal/describe"
	"larder/internal/miniclient"
	"larder/internal/wiretest"
	"larder/store"
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
		want = strings.ReplaceAll(want, "unyank", "")
		if p.Kind == "npm" {
			want = operations["npm"]
		}
		if got := buttons(v.do("GET", at, nil).Body); strings.Join(strings.Fields(want), " ") != got {
			t.Errorf("a version of %s offers %q, want %q", p.Kind, got, want)
		}
		for _, path := range []string{at, "/ui/" + p.Kind + "/" + name + "/-/versions", "/ui/" + p.Kind + "/" + name + "/-/history"} {
			g.lacks(g.page("", path), "-/change", "Seen by owners", "Go-http-client")
		}
	}
}

var _ = url.Values{}
var _ = wiretest.Header
