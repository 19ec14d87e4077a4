package web

// The API of packages: the rights of its rows, and that it says what is here.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"larder/cargo"
	"larder/composer"
	"larder/internal/describe"
	"larder/internal/miniclient"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/maven"
	"larder/npm"
	"larder/oci"
	"larder/pypi"
	"larder/rubygems"
	"larder/store"
	"larder/upstream"
)

// rig is all seven protocols and the API in one server.
type rig struct {
	*wiretest.Rig
	kinds map[store.Kind]describe.Kind
	api   *api
}

func newRig(t testing.TB, change ...func(*wiretest.Options)) *rig {
	t.Helper()
	var o wiretest.Options
	for _, f := range change {
		f(&o)
	}
	g, rt := &rig{kinds: map[store.Kind]describe.Kind{}}, wire.NewRouter(http.NotFoundHandler())
	deps := Deps{Version: "1.2.3", Spellings: upstream.Spellings{
		store.OCI: oci.Spelling(), store.NPM: npm.Spelling(), store.PyPI: pypi.Spelling(), store.Cargo: cargo.Spelling(),
		store.Maven: maven.Spelling(), store.Composer: composer.Spelling(), store.RubyGems: rubygems.Spelling(),
	}}
	g.Rig = wiretest.New(t, o, func(d wire.Deps) wire.Protocol {
		deps.Wire, deps.Log = d, d.Log
		all := wire.Protocol{Name: "all", Prefixes: []string{"/", "/api/v1"}, Handler: rt}
		for kind, p := range map[store.Kind]wire.Protocol{
			store.OCI: oci.New(d, oci.Options{}), store.NPM: npm.New(d, npm.Options{}),
			store.PyPI: pypi.New(d, pypi.Options{}, nil), store.Cargo: cargo.New(d, cargo.Options{}),
			store.Maven: maven.New(d, maven.Options{}), store.Composer: composer.New(d, composer.Options{}),
			store.RubyGems: rubygems.New(d, rubygems.Options{}),
		} {
			wire.Mount(rt, p)
			all.Prefixes = append(all.Prefixes, p.Prefixes...)
			g.kinds[kind] = p.Describe
			deps.Protocols = append(deps.Protocols, Protocol{Kind: kind, Path: p.Prefixes[0], Describe: p.Describe})
		}
		return all
	})
	deps.Auth, g.api = g.Auth, newAPI(deps)
	New(deps).Mount(rt)
	return g
}

// recordName is what a release of a minimal client is called in records.
func recordName(kind, name string) string {
	return map[string]string{"oci": "team/", "maven": "com.acme:", "composer": "acme/"}[kind] + name
}

// publish publishes a release of a kind as ada.
func (g *rig) publish(kind, name, version string) {
	g.T.Helper()
	for _, p := range miniclient.All() {
		if p.Kind != kind {
			continue
		}
		file, err := p.Make(name, version, []byte(name+version))
		if err != nil {
			g.T.Fatal(err)
		}
		s := &miniclient.Server{Base: g.Srv.URL, Auth: "Bearer " + g.Keys["ada"], HTTP: g.Srv.Client()}
		a, err := p.Publish(context.Background(), s, miniclient.Release{Name: name, Version: version, File: file})
		if err != nil || a.Status >= 300 {
			g.T.Fatalf("publish %s %s %s: %d %s %v", kind, name, version, a.Status, a.Body, err)
		}
	}
}

// get is an answer of the API, which must be one.
func (g *rig) get(actor, path string, into any) wiretest.Answer {
	g.T.Helper()
	a := g.Want(g.Do("GET", "/api/v1/"+path, nil, g.As(actor)), 200, "")
	if err := json.Unmarshal([]byte(a.Body), into); err != nil {
		g.T.Fatalf("%s: %v in %s", path, err, a.Body)
	}
	return a
}

// TestMatrixOfPackages asks for everything of every kind with every right, on public and on private packages.
func TestMatrixOfPackages(t *testing.T) {
	for _, p := range miniclient.All() {
		kind := p.Kind
		t.Run(kind, func(t *testing.T) {
			g := newRig(t, func(o *wiretest.Options) {
				o.Record = true
				for _, all := range miniclient.All() {
					o.Auth.Private = append(o.Auth.Private, all.Kind+":*:"+recordName(all.Kind, "secret*"))
				}
			})
			k := g.kinds[store.Kind(kind)]
			wiretest.Matrix[request]{
				Routes: routesOf(new(kindAPI).rows()), Scope: kind + ":" + k.Type(),
				Name: func(private bool, n int) string {
					return recordName(kind, fmt.Sprintf(map[bool]string{false: "open%d", true: "secret%d"}[private], n))
				},
				Prepare: func(_ *wiretest.Rig, name string) {
					g.publish(kind, strings.TrimPrefix(name, recordName(kind, "")), "1.0.0")
				},
				Cases: func(_ *wiretest.Rig, name, _ string) map[string]wiretest.Case {
					at := "/api/v1/packages/" + kind + "/" + name
					one := func(path string) wiretest.Case {
						return wiretest.Case{Method: "GET", Path: path, Status: 200, Opts: []wiretest.Option{
							wiretest.Header("X-Request-Id", "same"), // it stands in errors
						}}
					}
					version, readme := "1.0.0", one(at+"/-/readme")
					list, err := k.Versions(t.Context(), name, describe.Query{Limit: 1})
					if err == nil && len(list.List) > 0 {
						version = list.List[0].ID
						if text, err := k.Readme(t.Context(), name, version); err != nil || text.Body == "" {
							readme.Status = 404
						}
					}
					manifest := one(at + "/-/m/" + version)
					if kind != "oci" {
						manifest.Status = 404
					}
					return map[string]wiretest.Case{
						"api.dependants": one(at + "/-/dependants"),
						"api.history":    one(at + "/-/history"),
						"api.manifest":   manifest,

						"api.packages": {Method: "GET", Path: "/api/v1/packages/" + kind, Status: 200, Whole: true},
						"api.package":  one(at),
						"api.versions": one(at + "/-/versions"),
						"api.version":  one(at + "/-/v/" + version),
						"api.tags":     one(at + "/-/tags"),
						"api.readme":   readme,
						"api.pulls":    one(at + "/-/pulls"),
					}
				},
			}.Run(g.Rig)
		})
	}
}

// TestListsOfAllKindsLeaveOutWhatIsHidden: what belongs to no package is for whoever may see lists, without hidden
// names.
func TestListsOfAllKindsLeaveOutWhatIsHidden(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) { o.Auth.Private = []string{"*:*:*secret*"} })
	for _, p := range miniclient.All() {
		g.publish(p.Kind, "openone", "1.0.0")
		g.publish(p.Kind, "secretone", "1.0.0")
	}
	for _, path := range []string{"search?q=secretone", "search?q=openone", "recent", "kinds", "packages/npm"} {
		for actor, sees := range map[string]bool{"": false, "ada": strings.Contains(path, "q=secret")} {
			a := g.Want(g.Do("GET", "/api/v1/"+path, nil, g.As(actor)), 200, "")
			if sees != strings.Contains(a.Body, "secretone") && (sees || actor == "") {
				t.Errorf("%s as %q: %s; want secretone: %v", path, actor, a.Body, sees)
			}
		}
	}
	var found PackageList
	if g.get("", "search?q=openone", &found); found.Total != 7 {
		t.Errorf("%d packages are found, want one of each kind", found.Total)
	}
	for _, path := range []string{"packages/npm/secretone", "packages/npm/nothing", "packages/npm/secretone/-/readme"} {
		a := g.Do("GET", "/api/v1/"+path, nil)
		if a.Status != 404 || !strings.Contains(a.Body, `"error":"`+absentPackage+`"`) {
			t.Errorf("%s: %d %s; want 404 %s", path, a.Status, a.Body, absentPackage)
		}
	}
}

func TestListsAreReadPageByPage(t *testing.T) {
	g := newRig(t)
	for i := range 5 {
		g.publish("npm", fmt.Sprintf("demo%d", i), "1.0.0")
		g.publish("npm", "many", fmt.Sprintf("1.%d.0", i))
		g.publish("oci", "image", fmt.Sprintf("v%d", i))
	}
	for path, want := range map[string]int{
		"packages/npm?limit=2": 6, "packages/npm?limit=4&sort=updated": 6, "packages/npm?limit=2&filter=demo": 5,
		"search?q=demo&limit=2": 5, "packages/npm/many/-/versions?limit=2": 5, "packages/oci/team/image/-/tags?limit=3": 5,
		"packages/oci/team/image/-/tags?limit=3&sort=name": 5,
	} {
		var names []string
		at := path
		for at != "" {
			var list struct {
				Packages, Versions, Tags []struct{ Name string }
				Next                     string
			}
			a := g.get("ada", at, &list)
			for _, one := range slices.Concat(list.Packages, list.Versions, list.Tags) {
				names = append(names, one.Name)
			}
			link := regexp.MustCompile(`^<(\?.*)>; rel="next"$`).FindStringSubmatch(a.Header.Get("Link"))
			if (list.Next != "") != (link != nil) {
				t.Fatalf("%s: next %q, Link %q", at, list.Next, a.Header.Get("Link"))
			}
			if at = ""; link != nil {
				before, _, _ := strings.Cut(path, "?")
				at = before + link[1]
			}
		}
		slices.Sort(names)
		if len(slices.Compact(names)) != want {
			t.Errorf("%s: %q, want %d different ones", path, names, want)
		}
	}
	for _, path := range []string{
		"packages/npm?cursor=!", "packages/npm?limit=201", "search?cursor=eA", "packages/npm?origin=moon",
		"packages/npm?lmit=1", "packages/npm?sort=luck", "search?kind=deb",
	} {
		g.Want(g.Do("GET", "/api/v1/"+path, nil), 400, "error")
	}
}

func TestPackageSaysHowItIsInstalledAndFetched(t *testing.T) {
	g := newRig(t)
	g.publish("npm", "demo", "1.0.0")
	g.Want(g.Do("GET", "/npm/demo/-/demo-1.0.0.tgz", nil), 200, "")
	var p struct {
		Name     string
		Latest   struct{ Name string }
		Pulls    PullCount
		Installs []struct {
			ID       string
			Snippets []struct{ Text string }
		}
	}
	g.get("", "packages/npm/demo", &p)
	if p.Name != "demo" || p.Latest.Name != "1.0.0" || p.Pulls.Total != 1 || len(p.Pulls.Days) != 1 {
		t.Errorf("the package is %+v", p)
	}
	if len(p.Installs) == 0 || len(p.Installs[0].Snippets) == 0 ||
		!strings.Contains(p.Installs[0].Snippets[len(p.Installs[0].Snippets)-1].Text, "demo") {
		t.Errorf("the installs are %+v", p.Installs)
	}
	var v struct{ Files []struct{ URL, Name string } }
	g.get("", "packages/npm/demo/-/v/1.0.0", &v)
	if len(v.Files) != 1 || v.Files[0].URL != g.Srv.URL+"/npm/demo/-/demo-1.0.0.tgz" {
		t.Errorf("the files are %+v", v.Files)
	}
	var client struct {
		Sections []struct{ Snippets []struct{ Text string } }
	}
	g.get("", "setup/npm", &client)
	if len(client.Sections) == 0 || !strings.Contains(client.Sections[0].Snippets[0].Text, g.Srv.URL) {
		t.Errorf("the set-up is %+v", client)
	}
}

func TestOwnAccountNeedsALogin(t *testing.T) {
	g := newRig(t)
	g.Scoped("limited", "ada", "npm:package:demo:read")
	for path, want := range map[string]map[string]int{
		"me":          {"": 401, "ada": 200, "limited": 200},
		"me/tokens":   {"": 401, "ada": 200, "limited": 200},
		"me/sessions": {"": 401, "ada": 200, "limited": 403},
	} {
		for actor, status := range want {
			g.Want(g.Do("GET", "/api/v1/"+path, nil, g.As(actor)), status, "")
		}
	}
	var all, own TokenList
	g.get("ada", "me/tokens", &all)
	g.get("limited", "me/tokens", &own)
	if len(all.Tokens) < 2 || len(own.Tokens) != 1 {
		t.Errorf("ada's token sees %d tokens, one with limits %d; want all and one", len(all.Tokens), len(own.Tokens))
	}
}

// escaped is a name as it stands in a path.
func escaped(name string) string { return strings.ReplaceAll(url.PathEscape(name), "%2F", "/") }
