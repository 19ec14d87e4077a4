package oci

// Which repository a request is about when there are upstreams.

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/upstream"
)

// spelt are the ways to ask for what the upstream called hub knows as a repository.
func (h *hub) spelt(repo, rest string) []string {
	return []string{
		"/v2/hub/" + repo + rest, "/oci/hub/" + repo + rest, "/v2/" + repo + rest + "?ns=hub",
		"/v2/" + repo + rest + "?ns=" + strings.ToUpper(hostOf(h.front.URL)), "/v2/" + repo + rest,
	}
}

// tokenFor is a token of the token end point for pulling what stands in a path, as clients ask for it.
func (g *rig) tokenFor(actor, path string) option {
	g.T.Helper()
	name, _, _ := strings.Cut(strings.SplitN(path, "/", 3)[2], "/manifests/")
	name, _, _ = strings.Cut(name, "/blobs/")
	name, _, _ = strings.Cut(name, "/referrers/")
	name, _, _ = strings.Cut(name, "/tags/")
	a := g.want(g.Do("GET", "/v2/token?scope="+url.QueryEscape("repository:"+name+":pull"), nil, g.As(actor)), 200, "")
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		g.T.Fatal(err)
	}
	return wiretest.Bearer(answer.Token)
}

// TestServedNameIsAuthorised: whichever way a client spells an upstream's repository, the right is asked for the one
// name it has here, and who has that right can use each spelling, with the token that clients buy for what stands in
// the path.
func TestServedNameIsAuthorised(t *testing.T) {
	h := newHub(t)
	_, id := h.push("payroll/app", "v1", "layer")
	rests := []string{
		"/manifests/v1", "/manifests/" + id.String(), "/blobs/" + digest.FromString("layer").String(), "/tags/list",
		"/referrers/" + id.String(),
	}
	for _, policy := range []string{"read", "none"} {
		g := newRig(t, func(o *rigOptions) {
			o.Auth.Private, o.Auth.Anonymous = []string{"oci:repository:hub/*"}, policy
			o.Upstreams = &upstream.Options{Upstreams: []upstream.Config{h.config()}}
		})
		g.User("own", []string{"oci:repository:payroll/*:*"})
		g.User("copies", []string{"oci:repository:hub/payroll/*:read"})
		for _, warm := range []bool{false, true} { // what is kept already is no more open than what is fetched
			for _, rest := range rests {
				for _, path := range h.spelt("payroll/app", rest) {
					hidden := statusOfHidden(rest)
					ask := func(who string, want int, opts ...option) {
						t.Helper()
						a := g.Do("GET", path, nil, opts...)
						if a.Status != want || who != "copies" && strings.Contains(a.Body, "layer") {
							t.Errorf("policy %s, GET %s as %s, kept %t: %v, want %d", policy, path, who, warm, a, want)
						}
					}
					ask("nobody", 401)
					ask("own", hidden, g.As("own"))
					ask("copies", 200, g.As("copies"))
					ask("copies", 200, g.tokenFor("copies", path))
					if policy == "read" {
						ask("nobody with a token", hidden, g.tokenFor("", path))
					}
				}
			}
		}
	}
}

// statusOfHidden is what somebody with credentials gets for what is hidden: of referrers an empty list.
func statusOfHidden(rest string) int {
	if strings.Contains(rest, "referrers") {
		return 200
	}
	return 404
}

// TestOneCopyOfAllSpellings: what was fetched by one spelling is served by the others, and goes on when the upstream is
// down.
func TestOneCopyOfAllSpellings(t *testing.T) {
	h := newHub(t)
	image, _ := h.push("team/app", "v1", "layer")
	g, _ := newCopy(t, h)
	for _, path := range h.spelt("team/app", "/blobs/"+digest.FromString("layer").String()) {
		g.want(g.Ada("GET", path, nil), 200, "")
	}
	if n := h.blobs.Load(); n != 1 {
		t.Errorf("the layer was fetched %d times, want 1", n)
	}
	tags := h.spelt("team/app", "/manifests/v1")
	g.want(g.Ada("GET", tags[0], nil), 200, "")
	h.close()
	for _, path := range tags {
		g.want(g.Ada("GET", path, nil), 200, "").WantExactly(t, image)
	}
}

// TestRulesKnowBothNames: blocked, exclude and include hold for each spelling, with the upstream's name and without.
func TestRulesKnowBothNames(t *testing.T) {
	h := newHub(t)
	h.push("team/app", "v1", "layer")
	for _, name := range []string{"team/app", "hub/team/app", "hub/*"} {
		for rule, tt := range map[string]struct {
			change func(*upstream.Options)
			want   int
		}{
			"blocked": {func(o *upstream.Options) { o.Blocked = []string{"oci:" + name} }, 403},
			"exclude": {func(o *upstream.Options) { o.Upstreams[0].Exclude = []string{name} }, 404},
			"include": {func(o *upstream.Options) { o.Upstreams[0].Include = []string{name} }, 200},
		} {
			other := upstream.Config{
				Kind: "oci", Name: "other", URL: h.front.URL, Include: []string{"hub/team/app", "other/*"},
				Exclude: []string{"other/team/*"},
			}
			o := upstream.Options{Upstreams: []upstream.Config{h.config(), other}}
			tt.change(&o)
			g := newRig(t, func(r *rigOptions) { r.Upstreams = &o })
			for _, path := range h.spelt("team/app", "/manifests/v1") {
				if a := g.Ada("GET", path, nil); a.Status != tt.want {
					t.Errorf("%s %s, GET %s: %v, want %d", rule, name, path, a, tt.want)
				}
			}
		}
	}
}

// TestHereWins: a repository that is here is served under its own name, whatever an upstream has of the same name, and
// deleting and pushing with ?ns= do not reach it.
func TestHereWins(t *testing.T) {
	h := newHub(t)
	h.push("team/app", "v1", "theirs")
	before := newRig(t, func(o *rigOptions) { o.Dir = t.TempDir() })
	ours, id := before.push("team/app", "v1", "ours")
	g := &rig{
		wiretest.Serve(
			t, before.Store, wiretest.Options{Upstreams: &upstream.Options{Upstreams: []upstream.Config{h.config()}}},
			protocolOf(Options{}),
		),
	}
	g.Keys = before.Keys
	g.want(g.Ada("GET", "/v2/team/app/manifests/v1", nil), 200, "").WantExactly(t, ours)
	if a := g.want(g.Ada("GET", "/v2/team/app/manifests/v1?ns=hub", nil), 200, ""); a.Body == ours {
		t.Errorf("the upstream's, by ?ns=: %v", a)
	}
	g.want(g.Ada("DELETE", "/v2/team/app/manifests/"+id.String()+"?ns=hub", nil), 404, "")
	g.want(g.Ada("POST", "/v2/team/app/blobs/uploads/?ns=hub", nil), 405, codeUnsupported)
	g.want(g.Ada("GET", "/v2/team/app/manifests/v1", nil), 200, "")
}

// TestPushBesideUpstreams: what was pushed is read again before there is a manifest, and a page of a list leads to the
// next in the spelling that was asked.
func TestPushBesideUpstreams(t *testing.T) {
	h := newHub(t)
	h.push("team/app", "v1", "layer")
	h.push("team/app", "v2", "layer")
	g, _ := newCopy(t, h)
	d := g.blob("mine/app", "first layer")
	g.want(g.Ada("HEAD", "/v2/mine/app/blobs/"+d.String(), nil), 200, "")
	a := g.want(g.Ada("GET", "/v2/team/app/tags/list?n=1&ns=hub", nil), 200, "")
	next, _, _ := strings.Cut(strings.TrimPrefix(a.Header.Get("Link"), "<"), ">")
	if !strings.HasPrefix(next, "/v2/team/app/tags/list?") {
		t.Errorf("the next page is %s, want it in the client's spelling", next)
	}
	a.WantBody(t, `"name":"team/app"`)
	g.want(g.Ada("GET", next, nil), 200, "").WantBody(t, `["v2"]`)
}

// TestPrivateNamesDoNotFallBack: a private name that is not here is answered like one that is, even while the upstream
// is in trouble, and a JWT for one name opens no other.
func TestPrivateNamesDoNotFallBack(t *testing.T) {
	h := newHub(t)
	h.push("public/app", "v1", "layer")
	g := newRig(t, func(o *rigOptions) {
		o.Auth.Private = []string{"oci:repository:payroll/*"}
		o.Upstreams = &upstream.Options{Upstreams: []upstream.Config{h.config()}}
	})
	g.User("other", []string{"oci:repository:public/*:*"})
	g.push("payroll/here", "v1", "layer")
	h.status.Store(500)
	for _, opts := range [][]option{nil, {g.As("other")}, {g.tokenFor("other", "/v2/payroll/here/manifests/v1")}} {
		here := g.Do("GET", "/v2/payroll/here/manifests/v1", nil, opts...)
		gone := g.Do("GET", "/v2/payroll/gone/manifests/v1", nil, opts...)
		if here.Status != gone.Status || here.Body != gone.Body || here.Status == 200 {
			t.Errorf("hidden: %v, absent: %v", here, gone)
		}
	}
	h.status.Store(0)
	g.User("narrow", []string{"oci:repository:*:read"})
	const path = "/v2/payroll/here/manifests/v1"
	g.want(g.Do("GET", path, nil, g.tokenFor("narrow", "/v2/public/app/manifests/v1")), 401, "")
	g.want(g.Do("GET", path, nil, g.tokenFor("narrow", path)), 200, "")
}

// TestUpstreamNamedLikeRepositories: the start is refused with the repository that would be hidden.
func TestUpstreamNamedLikeRepositories(t *testing.T) {
	g := newRig(t)
	g.push("team/app", "v1", "layer")
	g.push("teams", "v1", "layer")
	for name, want := range map[string]string{"team": "team/app", "teams": "", "tea": ""} {
		r, err := upstream.New(
			g.Store, nil,
			upstream.Options{Upstreams: []upstream.Config{{Kind: "oci", Name: name, URL: "https://registry.example.com"}}},
		)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		err = CheckUpstreams(t.Context(), g.Store, r)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("upstream %s: %v, want it to name %q", name, err, want)
		}
	}
}

// TestCopiesAreLookedAtWithRight: before the right is asked no more is looked up than whether a repository here has the
// name.
func TestCopiesAreLookedAtWithRight(t *testing.T) {
	h := newHub(t)
	h.push("payroll/app", "v1", "layer")
	g := newRig(t, func(o *rigOptions) {
		o.Record, o.Auth.Private = true, []string{"oci:repository:hub/*"}
		o.Upstreams = &upstream.Options{Upstreams: []upstream.Config{h.config()}}
	})
	g.User("copies", []string{"oci:repository:hub/payroll/*:read"})
	for _, rest := range []string{"/manifests/v1", "/blobs/" + digest.FromString("layer").String(), "/tags/list"} {
		for _, path := range h.spelt("payroll/app", rest) {
			for _, actor := range []string{"", "copies"} {
				asked := func() int64 { return h.gets.Load() + h.heads.Load() + h.blobs.Load() + h.tokensAsked.Load() }
				requests := asked()
				for _, name := range g.Unjudged(func() { g.Do("GET", path, nil, g.As(actor)) }) {
					if name != "oci hub/payroll/app" && name != "oci payroll/app" {
						t.Errorf("GET %s as %q looked at %q", path, actor, name)
					}
				}
				if actor == "" && asked() != requests {
					t.Errorf("GET %s as nobody: the upstream was asked", path)
				}
			}
		}
	}
}
