package server

// What is kept of upstreams in the lists and searches of every kind.

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/config"
	"larder/store"
)

// listedAt are the lists and searches that name a copy of the specimen.
var listedAt = map[store.Kind][]string{
	store.NPM:   {"/npm/-/v1/search?text=demo"},
	store.PyPI:  {"/simple/"},
	store.Cargo: {"/cargo/api/v1/crates?q=demo", "/cargo/api/v1/crates"},
	store.Maven: {
		"/maven/solrsearch/select?q=a:demo&wt=json", "/maven/solrsearch/select?q=a:demo&core=gav&wt=json", "/maven/com/acme/",
		"/maven/com/acme/demo/", "/maven/com/acme/demo/1.0/",
	},
	store.Composer: {
		"/composer/search.json?q=demo", "/composer/list.json", "/composer/list.json?filter=acme/*",
		"/composer/list.json?vendor=acme",
	},
	store.RubyGems: {"/rubygems/api/v1/search.json?query=demo"},
	store.OCI:      {"/v2/_catalog", "/v2/_oci/repositories", "/v1/search?q=app"},
}

// scopeType is the type of a kind's names in scopes and private patterns.
func scopeType(k store.Kind) string {
	return cmp.Or(map[store.Kind]string{
		store.OCI: "repository", store.Cargo: "crate", store.Maven: "artifact", store.RubyGems: "gem",
	}[k], "package")
}

// listed is the lists that name the specimen, for an administrator or anybody.
func (o *owned) listed(admin bool) (where []string) {
	o.t.Helper()
	for _, path := range listedAt[o.kind] {
		var head http.Header
		if admin {
			head = http.Header{"Authorization": {"Basic YWRtaW46Y29ycmVjdC1ob3JzZQ=="}}
		}
		_, body, err := fetchURL(o.t, o.base+path, head)
		if err != nil {
			o.t.Fatal(err)
		}
		if mentions(o.kind, body) {
			where = append(where, path)
		}
	}
	return where
}

// mentions reports whether a list names the specimen, and nothing twice.
func mentions(k store.Kind, body string) bool {
	for _, name := range map[store.Kind][]string{
		store.NPM: {`"name":"demo"`}, store.PyPI: {">demo<"}, store.Cargo: {`"name":"demo"`},
		store.Maven: {`"a":"demo"`, `"demo/"`, `"1.0/"`, `>demo-1.0.txt<`}, store.Composer: {`"acme/demo"`},
		store.RubyGems: {`"name":"demo"`}, store.OCI: {`"origin/team/app"`},
	}[k] {
		if containsOnce(body, name) {
			return true
		}
	}
	return false
}

// TestCopiesAreListed: in each kind, a package of which a document or file is kept is in the lists, for those who may
// read it, and counted; offline as well, which is when nobody else can say what there is. It leaves them with a claim,
// and with the last of what is kept.
func TestCopiesAreListed(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := &owned{specimen: sp, t: t}
			typ := scopeType(sp.kind)
			name := storedNames[sp.kind]
			copied := name
			if sp.kind == store.OCI {
				copied = "origin/" + name
			}
			o.newCache(newOrigin(t, sp), func(c *config.Config) {
				c.Auth.Private = []string{string(sp.kind) + ":" + typ + ":" + copied}
			})
			post := func(path, body string) {
				t.Helper()
				send(t, "POST", o.base+"/api/v1/"+path, body, "application/json", 200)
			}
			offline := func(off bool) {
				t.Helper()
				body := fmt.Sprintf(`{"offline":%t}`, off)
				send(t, "POST", o.base+"/api/v1/upstreams/switch", body, "application/json", 204)
			}
			want := func(when string, admin bool, want []string) {
				t.Helper()
				if got := o.listed(admin); !slices.Equal(got, want) {
					t.Errorf("%s, administrator %t: it is named at %q, want %q", when, admin, got, want)
				}
			}
			offline(true)
			want("nothing is kept", true, nil)
			offline(false)
			o.want("asked for", 200)
			offline(true)
			want("kept", true, listedAt[sp.kind])
			want("kept", false, nil)
			o.wantCopies(1)
			post("claims", `{"kind":"`+string(sp.kind)+`","name":"`+copied+`"}`)
			want("claimed", true, nil)
			post("claims", `{"kind":"`+string(sp.kind)+`","name":"`+copied+`","release":true}`)
			want("released", true, listedAt[sp.kind])
			post("upstreams/purge", `{"kind":"`+string(sp.kind)+`","package":"*"}`)
			want("purged", true, nil)
			o.wantCopies(0)
		})
	}
}

// wantCopies compares the number of copies in the statistics.
func (o *owned) wantCopies(want int64) {
	o.t.Helper()
	_, body, err := fetchURL(o.t, o.base+"/api/v1/stats", http.Header{
		"Authorization": {"Basic YWRtaW46Y29ycmVjdC1ob3JzZQ=="},
	})
	var stats store.Stats
	if err == nil {
		err = json.Unmarshal([]byte(body), &stats)
	}
	if got := stats.Kinds[o.kind.Copies()].Packages; err != nil || got != want {
		o.t.Errorf("%s: %d copies are counted, %v, want %d", o.kind, got, err, want)
	}
}

// TestTrafficOfCopiesAndOurs: the hour's figures tell what came from an upstream from what is published here.
func TestTrafficOfCopiesAndOurs(t *testing.T) {
	sp := npmSpecimen()
	o := &owned{specimen: sp, t: t}
	up := newOrigin(t, sp)
	o.newCache(up, func(*config.Config) {})
	o.want("asked for", 200)
	ours := "/npm/-/ping"
	if _, _, err := fetchURL(t, o.base+ours, nil); err != nil {
		t.Fatal(err)
	}
	admin := http.Header{"Authorization": {"Basic YWRtaW46Y29ycmVjdC1ob3JzZQ=="}}
	_, body, err := fetchURL(t, o.base+"/api/v1/traffic?by=total&since="+
		time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339), admin)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Traffic []struct {
			Kind                           store.Kind
			Upstream                       string
			Requests, Hits, Misses, Absent int64
			Sent, Fetched, Saved           int64
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, r := range list.Traffic {
		found[r.Upstream] = true
		switch {
		case r.Kind != store.NPM || r.Requests == 0:
			t.Errorf("%+v: want requests of npm", r)
		case r.Upstream == "origin" && (r.Misses == 0 || r.Hits == 0 || r.Fetched == 0):
			t.Errorf("%+v: want hits, misses and bytes fetched", r)
		case r.Upstream == "" && (r.Hits+r.Misses+r.Fetched+r.Saved > 0):
			t.Errorf("%+v: what is published here comes from no upstream", r)
		}
	}
	if !found["origin"] || !found[""] {
		t.Errorf("the answer is %s, want a row of the upstream and one of ours", body)
	}
	_, metrics, err := fetchURL(t, o.base+"/metrics", admin)
	if err != nil || !containsOnce(metrics, `larder_hosted_requests_total{kind="npm"}`) {
		t.Errorf("/metrics lacks the requests for what is published here, %v", err)
	}
}

func containsOnce(text, part string) bool { return strings.Count(text, part) == 1 }
