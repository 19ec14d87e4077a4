package npm

// Who sees a package, and that no publish changes it afterwards.

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"larder/internal/wiretest"
	"larder/store"
)

// agents are what clients call themselves, the first ones of those who say "restricted" unasked.
var agents = []struct {
	agent string
	own   bool // what they say of access is the publisher's word
}{
	{"yarn/4.18.1 npm/? node/v22.0.0 linux x64", false}, {"yarn/1.22.22 npm/? node/v22.0.0 linux x64", false},
	{"npm/8.19.4 node/v18.0.0 linux x64 workspaces/false", false}, {"npm/6.14.18 node/v14.0.0 linux x64", false},
	{
		"npm/9.0.0 node/v18.0.0 linux x64 workspaces/false", true,
	}, {"npm/11.19.1 node/v22.0.0 linux x64 workspaces/false", true},
	{
		"pnpm/10.34.9 npm/? node/v22.0.0 linux x64", false,
	}, {"Bun/1.3.14", false}, {"", false}, {"npm/", false}, {"npm/x", false},
}

// TestNewPackageIsAsPublicAsTheOperatorSays: each client, each setting, with and without the author's own word.
func TestNewPackageIsAsPublicAsTheOperatorSays(t *testing.T) {
	for _, setting := range []string{"", AccessPublic, AccessRestricted, AccessClient} {
		g := newRig(t, func(o *rigOptions) { o.npm.Access = setting })
		for i, c := range agents {
			for j, access := range []any{nil, "public", "restricted", "private"} {
				asked := access == "restricted" || access == "private"
				private := setting == AccessRestricted || asked && (setting == AccessClient || c.own)
				name := fmt.Sprintf("@team/p%d-%d", i, j)
				r := newRelease(name, "1.0.0")
				r.access = access
				g.Want(g.putBy(c.agent, r), 201, "")
				g.WantSeen(name, !private, setting+" "+c.agent)
			}
		}
	}
}

// TestPublishNeverChangesAccess: whatever a client says with the next release, and whatever the operator's setting.
func TestPublishNeverChangesAccess(t *testing.T) {
	for _, setting := range []string{AccessPublic, AccessRestricted, AccessClient} {
		g := newRig(t, func(o *rigOptions) { o.npm.Access = setting })
		for _, name := range []string{"@team/open", "@team/closed"} {
			g.Want(g.put("ada", newRelease(name, "1.0.0")), 201, "")
			g.Want(g.Ada("POST", "/-/package/"+escapeName(name)+"/access", fields{"access": "public"}), 200, "")
		}
		g.Want(g.Ada("POST", "/-/package/@team%2fclosed/access", fields{"access": "restricted"}), 200, "")
		before := g.accessChanges()
		for i, c := range agents {
			for j, access := range []any{nil, "public", "restricted", "private"} {
				for _, name := range []string{"@team/open", "@team/closed"} {
					r := newRelease(name, fmt.Sprintf("1.%d.%d", i+1, j), restricted)
					r.access = access
					g.Want(g.putBy(c.agent, r), 201, "")
				}
				g.WantSeen("@team/open", true, c.agent)
				g.WantSeen("@team/closed", false, c.agent)
			}
		}
		if after := g.accessChanges(); after != before {
			t.Errorf(
				"with npm.access %s the journal has %d changes of access after the publishes, %d before", setting, after, before,
			)
		}
	}
}

// TestRestrictedThatIsNotDoneIsSaid: the publisher learns that a package is more public than asked, and how to change
// it.
func TestRestrictedThatIsNotDoneIsSaid(t *testing.T) {
	g := newRig(t)
	r := newRelease("@team/lib", "1.0.0")
	r.access = "restricted"
	a := g.Want(g.putBy("yarn/4.18.1", r), 201, "")
	want := "@team/lib is public, as new packages are here; npm access set status=private @team/lib changes that."
	if a.Header.Get("npm-notice") != want {
		t.Errorf("a publish by yarn answers with the notice %q, want %q", a.Header.Get("npm-notice"), want)
	}
	a = g.Want(g.putBy("npm/11.0.0", newRelease("@team/lib", "1.0.1", restricted)), 201, "")
	if want := "@team/lib exists and stays public; npm access set status=private @team/lib changes that."; a.Header.Get(
		"npm-notice",
	) != want {
		t.Errorf("a second publish answers with the notice %q, want %q", a.Header.Get("npm-notice"), want)
	}
	g.Want(g.putBy("npm/11.0.0", newRelease("@team/secret", "1.0.0", restricted)), 201, "")
	if n := g.accessChanges(); n != 1 {
		t.Errorf("the journal has %d entries of access, want 1: of the package that began restricted", n)
	}
}

func (g *rig) putBy(agent string, r *release) answer {
	g.T.Helper()
	return g.Do(
		"PUT", "/"+escapeName(r.name), r.document(), g.As("ada"), wiretest.Header("Content-Type", "application/json"),
		wiretest.Header("User-Agent", agent),
	)
}

// WantSeen compares what anonymous sees of a package on its routes.
func (g *rig) WantSeen(name string, public bool, when string) {
	g.T.Helper()
	want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[public]
	for _, path := range []string{"/" + escapeName(name), "/-/package/" + escapeName(name) + "/dist-tags"} {
		if a := g.Do("GET", path, nil); a.Status != want {
			g.T.Errorf("%s: anonymous gets %d for %s, want %d", when, a.Status, path, want)
		}
	}
}

// accessChanges counts the journal's entries of access.
func (g *rig) accessChanges() (n int) {
	g.T.Helper()
	entries, err := g.Store.Journal(context.Background(), 0, 10_000)
	if err != nil {
		g.T.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind == store.NPM && e.Op == opJournalAccess {
			n++
		}
	}
	return n
}
