package upstream

// This file tests how a registry is tried out for its operator.

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder/store"
)

// wantFinding looks for a step of a check and compares what it says.
func wantFinding(t *testing.T, found []Finding, step string, ok bool, text string) {
	t.Helper()
	for _, f := range found {
		if f.Step == step {
			if f.OK != ok || !strings.Contains(f.String(), text) {
				t.Errorf("%s is %t %q, want %t and %q", step, f.OK, f, ok, text)
			}
			return
		}
	}
	t.Errorf("found is %+v, want a step %s", found, step)
}

// TestCheckAsksWhatEveryRegistryOfTheKindHas: whoever answers anything but trouble is there.
func TestCheckAsksWhatEveryRegistryOfTheKindHas(t *testing.T) {
	for kind, path := range map[store.Kind]string{
		store.OCI: "/at/v2/", store.Cargo: "/at/config.json", store.Composer: "/at/packages.json",
		store.RubyGems: "/at/names", store.NPM: "/at/", store.PyPI: "/at/", store.Maven: "/at/",
	} {
		origin := newOrigin(t)
		var asked atomic.Value
		origin.answer(func(w http.ResponseWriter, r *http.Request) {
			asked.Store(r.Method + " " + r.URL.Path)
			http.NotFound(w, r)
		})
		g := newRig(t, func(o *Options) {
			o.Upstreams[0] = Config{Kind: kind, Name: "main", URL: origin.URL + "/at/"}
		})
		found := g.reg.Check(t.Context(), g.reg.Find(kind, "main")[0], "")
		wantFinding(t, found, "address", true, "answered 404")
		if got := asked.Load(); got != "GET "+path {
			t.Errorf("%s is asked for %v, want GET %s", kind, got, path)
		}
	}
}

// sampledSet makes the rig's registry one that can be tried out: the document of a package is at its name, and what
// the document says is where its file is.
func sampledSet(g *rig) {
	g.set = g.reg.Set(store.NPM, Protocol{
		Probe: func(name string) Query { return Query{Package: name, Key: "doc", Ref: name} },
		Sample: Sample{Package: "usual", File: func(
			_ context.Context, _ string, d *Document, body []byte, _ Ask,
		) (Place, error) {
			return Place{Upstream: d.Upstream, Ref: string(body)}, nil
		}},
	})
}

func TestCheckFailsOnTrouble(t *testing.T) {
	t.Parallel()
	for code, step := range map[int]string{
		401: "document", 403: "document", 429: "address", 500: "address", 503: "address",
	} {
		g := newRig(t)
		sampledSet(g)
		g.origin.answer(status(code))
		wantFinding(t, g.reg.Check(t.Context(), g.set.list[0], ""), step, false, fmt.Sprint("answered ", code))
	}
	g := newRig(t)
	g.origin.Close()
	wantFinding(t, g.reg.Check(t.Context(), g.set.list[0], ""), "address", false, "cannot be reached")
}

// TestCheckSaysWhereFilesAre and what to set: on a host that gets no credentials, on one that is not allowed, on one
// that may have them.
func TestCheckSaysWhereFilesAre(t *testing.T) {
	files := newOrigin(t)
	files.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" && r.URL.Path == "/guarded" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "a file")
	})
	host := strings.TrimPrefix(files.URL, "http://")
	for _, c := range []struct {
		file  string
		hosts []string
		ok    bool
		want  string
	}{
		{"/guarded", []string{"127.0.0.1"}, false, "are not sent there: name the host " + host + " in `hosts`"},
		{"/guarded", []string{"files.example.com"}, false, "name the host in `hosts`"},
		{"/guarded", []string{host}, true, "it needs the login, which is sent there"},
		{"/open", []string{host}, true, "the login is sent there, and not needed"},
		{"/open", []string{"127.0.0.1"}, true, "the login is not sent there, and not needed"},
	} {
		g := newRig(t, func(o *Options) {
			o.Upstreams[0].Token, o.Upstreams[0].Hosts = "t", c.hosts
			o.Upstreams[0].Paths = []string{"/registry"}
		})
		sampledSet(g)
		g.origin.says(files.URL+c.file, "")
		found := g.reg.Check(t.Context(), g.set.list[0], "demo")
		wantFinding(t, found, "document", true, "that of demo is right")
		wantFinding(t, found, "file", c.ok, c.want)
	}
}

// TestCheckKeepsNothing: no copy, and no breaker that would hear of it.
func TestCheckKeepsNothing(t *testing.T) {
	g := newRig(t)
	sampledSet(g)
	g.origin.says("files/f", "a file")
	wantFinding(t, g.reg.Check(t.Context(), g.set.list[0], "demo"), "file", true, "6 bytes")
	if g.set.Knows(t.Context(), Query{Package: "demo", Key: "doc"}) {
		t.Error("the document is kept")
	}
	g.origin.fails()
	for range 20 {
		g.reg.Check(t.Context(), g.set.list[0], "demo")
	}
	if open, _, _ := g.set.list[0].breaker.state(); open {
		t.Error("the upstream is not asked any more, because of checks")
	}
}

// TestCheckAsksForNothingThatIsOurs: whoever runs it names a package, and that is not given away.
func TestCheckAsksForNothingThatIsOurs(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Claims = []string{"npm:secret"} })
	sampledSet(g)
	var asked []string
	g.origin.answer(func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.Path) })
	wantFinding(t, g.reg.Check(t.Context(), g.set.list[0], "secret"), "document", false, "is not asked for here")
	if strings.Contains(fmt.Sprint(asked), "secret") {
		t.Errorf("the upstream was asked for %q", asked)
	}
}

// TestCheckChoosesAPackage that the registry is likely to have: one that it is only for, one that is kept, the usual.
func TestCheckChoosesAPackage(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Upstreams[0].Include = []string{"only", "ke*", "us*"} })
	sampledSet(g)
	g.origin.says("kept", "")
	q := Query{Package: "kept", Key: "doc", Ref: "kept", Fresh: time.Minute}
	if _, err := g.set.Document(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/usual") {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "files/f")
	})
	found := g.reg.Check(t.Context(), g.set.list[0], "")
	wantFinding(t, found, "document", true, "that of usual is right")
	g.origin.answer(http.NotFound)
	found = g.reg.Check(t.Context(), g.set.list[0], "")
	wantFinding(t, found, "document", true, "it has no kept, only, usual; name a package that it has")
	found = g.reg.Check(t.Context(), g.set.list[0], "only")
	wantFinding(t, found, "document", false, "it has no only")
}

// TestCheckSaysWhereTokensComeFrom: a password goes to a realm that the operator has named, and to no other.
func TestCheckSaysWhereTokensComeFrom(t *testing.T) {
	realm := newOrigin(t)
	realm.answer(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		fmt.Fprintf(w, `{"token":"of %s"}`, user)
	})
	for _, c := range []struct {
		named []string
		ok    bool
		want  string
	}{
		{nil, false, "its tokens come from " + realm.URL + ", which `realms` does not name"},
		{[]string{realm.URL}, true, "accepted: without it"},
	} {
		g := newImages(t, func(u *Config) {
			u.Realms, u.Hosts = c.named, []string{strings.TrimPrefix(realm.URL, "http://")}
		})
		g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer of ada" {
				fmt.Fprint(w, `{"tags":["v1"]}`)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm.URL+`/token",service="images"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
		g.reg.Set(store.OCI, Protocol{Probe: func(string) Query {
			return Query{Package: "team/app", Key: "tags", Ref: "v2/team/app/tags/list", Scope: "repository:team/app:pull"}
		}})
		found := g.reg.Check(t.Context(), g.reg.Find(store.OCI, "")[0], "team/app")
		wantFinding(t, found, "login", c.ok, c.want)
	}
	g := newImages(t, func(*Config) {})
	g.origin.answer(demands(func() string { return realm.URL + "/token" }))
	found := g.reg.Check(t.Context(), g.reg.Find(store.OCI, "")[0], "")
	wantFinding(t, found, "address", false, "tokens from "+realm.URL+", which is at an address that is not public; name "+
		"that in `realms`")
}
