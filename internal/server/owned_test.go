package server

// Names that are ours, and versions that are blocked, over every route of every kind.

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
	"larder/web"
)

// deleteSpecimen deletes a specimen's package whole.
func deleteSpecimen(t *testing.T, kind store.Kind, base string) {
	t.Helper()
	switch kind {
	case store.NPM:
		_, body, err := fetchURL(t, base+"/npm/demo", nil)
		var doc struct {
			Rev string `json:"_rev"`
		}
		if err == nil {
			err = json.Unmarshal([]byte(body), &doc)
		}
		if err != nil {
			t.Fatal(err)
		}
		send(t, "DELETE", base+"/npm/demo/-rev/"+doc.Rev, "", "", 200)
	case store.PyPI:
		send(t, "DELETE", base+"/pypi/-/demo", "", "", 204)
	case store.Cargo:
		send(t, "DELETE", base+"/cargo/api/v1/crates/demo", "", "", 200)
	case store.Maven:
		send(t, "DELETE", base+"/maven/com/acme/demo/1.0/", "", "", 204)
	case store.Composer:
		send(t, "DELETE", base+"/composer/packages/acme/demo?purge=1", "", "", 204)
	case store.RubyGems:
		send(
			t, "DELETE", base+"/rubygems/api/v1/gems/yank", "gem_name=demo&version=1.0.0", "application/x-www-form-urlencoded",
			200,
		)
	case store.OCI:
		resp := send(t, "GET", base+ociManifest, "", "", 200, "Accept", "application/vnd.oci.image.manifest.v1+json")
		send(t, "DELETE", base+"/v2/team/app/manifests/"+resp.Header.Get("Docker-Content-Digest"), "", "", 202)
	}
}

const ociManifest = "/v2/team/app/manifests/v1"

// storedNames are the specimens' packages.
var storedNames = map[store.Kind]string{
	store.NPM: "demo", store.PyPI: "demo", store.Cargo: "demo", store.Maven: "com.acme:demo", store.Composer: "acme/demo",
	store.RubyGems: "demo", store.OCI: "team/app",
}

// searches are the routes where a kind shows names of upstreams without being asked for one.
var searches = map[store.Kind][]string{
	store.NPM:      {"/npm/-/v1/search?text=keywords:x", "/npm/-/v1/search?text=de"},
	store.Cargo:    {"/cargo/api/v1/crates?q=de"},
	store.Composer: {"/composer/search.json?q=de", "/composer/list.json", "/composer/packages.json"},
	store.RubyGems: {"/rubygems/versions", "/rubygems/names", "/rubygems/specs.4.8.gz", "/rubygems/latest_specs.4.8.gz"},
	store.PyPI:     {"/simple/"},
	store.OCI:      {"/v2/_catalog"},
}

// owned is a cache of one kind, and what its clients get.
type owned struct {
	specimen
	t    *testing.T
	base string
}

func (o *owned) newCache(up *origin, change func(*config.Config)) {
	o.t.Helper()
	cfg := testConfig(o.t)
	if err := os.CopyFS(cfg.Data, os.DirFS(up.folder)); err != nil {
		o.t.Fatal(err)
	}
	cfg.Upstreams = []config.Upstream{
		{Config: upstream.Config{Kind: o.kind, Name: "origin", URL: up.url + up.upstream, Fresh: time.Nanosecond}},
	}
	change(&cfg)
	o.base = "http://" + start(o.t, cfg, nil).addr
}

// want compares statuses of the document and the file, by GET, HEAD and Range.
func (o *owned) want(when string, statuses ...int) {
	o.t.Helper()
	for _, path := range []string{o.meta, o.file} {
		for _, how := range []string{"GET", "HEAD", "Range"} {
			method := how
			head := o.head.Clone()
			if head == nil {
				head = http.Header{}
			}
			if how == "Range" {
				method = "GET"
				head.Set("Range", "bytes=0-9")
			}
			r, err := http.NewRequest(method, o.base+path, nil)
			if err != nil {
				o.t.Fatal(err)
			}
			r.Header = head
			r.SetBasicAuth("admin", "correct-horse")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				o.t.Fatal(err)
			}
			resp.Body.Close()
			got := resp.StatusCode
			if got == http.StatusPartialContent {
				got = http.StatusOK
			}
			if !strings.Contains(fmt.Sprint(statuses), fmt.Sprint(got)) {
				o.t.Errorf("%s, %s: %s of %s is %d, want one of %v", o.kind, when, how, path, resp.StatusCode, statuses)
			}
		}
	}
}

// mentions are the lists and searches that name the specimen.
func (o *owned) mentions() (where []string) {
	o.t.Helper()
	for _, path := range searches[o.kind] {
		resp, body, err := fetchURL(
			o.t, o.base+path,
			http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("admin:correct-horse"))}},
		)
		if err != nil || resp.StatusCode != http.StatusOK {
			o.t.Errorf("%s: GET %s is %d, %v", o.kind, path, resp.StatusCode, err)
		}
		if z, err := gzip.NewReader(strings.NewReader(body)); err == nil {
			plain, err := io.ReadAll(z)
			if err != nil {
				o.t.Fatal(err)
			}
			body = string(plain)
		}
		// A copy that is called by its upstream's name is not what the claim is about.
		body = strings.ReplaceAll(body, "origin/team/app", "")
		if strings.Contains(body, "demo") || strings.Contains(body, "team/app") {
			where = append(where, path)
		}
	}
	return where
}

// TestNamesStayOurs: in each kind a name of the upstream's is not taken by accident; claimed, it is nobody's until it
// is published; deleted, it does not become the upstream's again; released, it does.
func TestNamesStayOurs(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			up := newOrigin(t, sp)
			o := &owned{specimen: sp, t: t}
			o.newCache(up, func(*config.Config) {})
			name := storedNames[sp.kind]
			o.want("the upstream has it", 200)
			claim := web.Claim{Kind: sp.kind, Name: name}
			o.claim(claim, 200)
			o.want("claimed, after copies were served", 404)
			if where := o.mentions(); len(where) > 0 {
				t.Errorf("claimed: %v name it", where)
			}
			sp.publish(t, o.base)
			o.want("published", 200)
			claim.Release = true
			o.claim(claim, 409)
			deleteSpecimen(t, sp.kind, o.base)
			switch sp.kind {
			case store.RubyGems: // a gem whose versions are yanked has a document without them
				o.meta = o.file
			case store.OCI: // a layer stays readable for a while
				o.file = o.meta
			}
			o.want("deleted", 404, 403, 410)
			if where := o.mentions(); len(where) > 0 && sp.kind != store.OCI && sp.kind != store.RubyGems {
				t.Errorf("deleted: %v name it", where)
			}
			o.claim(claim, 200)
			o.claim(claim, 404)
			o.specimen = sp
			o.want("released", 200, 410) // 410: names of files are never given twice
		})
	}
}

// claim asks the admin API.
func (o *owned) claim(c web.Claim, want int) {
	o.t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		o.t.Fatal(err)
	}
	send(o.t, "POST", o.base+"/api/v1/claims", string(body), "application/json", want)
}

// TestBlockedVersionsAreOnNoRoute: whatever spelling the rule has that the kind takes for the specimen's version.
func TestBlockedVersionsAreOnNoRoute(t *testing.T) {
	rules := map[store.Kind][]string{
		store.NPM: {"demo@v1.0.0", "demo@1.0.0+x"}, store.PyPI: {"Demo@1", "demo@v1.0"}, store.Cargo: {"demo@1.0.0+x"},
		store.Maven: {
			"com.acme:demo@1.0.0", "com.acme:demo@1",
		}, store.Composer: {"Acme/Demo@v1.0", "acme/demo@1.0.*"}, store.RubyGems: {"demo@1.0"},
		store.OCI: {"team/app@v1", "origin/team/app@v1", "team/*@v*"},
	}
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			up := newOrigin(t, sp)
			for _, rule := range rules[sp.kind] {
				o := &owned{specimen: sp, t: t}
				o.newCache(up, func(c *config.Config) { c.Copies.Blocked = []string{string(sp.kind) + ":" + rule} })
				o.wantBlocked(rule)
			}
		})
	}
}

// wantBlocked: the file is refused, and the document does not have the version, or is not there without it.
func (o *owned) wantBlocked(rule string) {
	o.t.Helper()
	for _, method := range []string{"GET", "HEAD"} {
		r, err := http.NewRequest(method, o.base+o.file, nil)
		if err != nil {
			o.t.Fatal(err)
		}
		for k, v := range o.head {
			r.Header[k] = v
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			o.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden && o.kind != store.OCI { // layers are not versions
			o.t.Errorf("%s: with the rule %s, %s of %s is %d", o.kind, rule, method, o.file, resp.StatusCode)
		}
	}
	resp, body, err := fetchURL(o.t, o.base+o.meta, o.head)
	if err != nil {
		o.t.Fatal(err)
	}
	version := map[store.Kind]string{store.Maven: "<version>1.0<", store.OCI: "schemaVersion",
		store.RubyGems: "\n1.0.0 "}[o.kind]
	if version == "" {
		version = "1.0.0"
	}
	if resp.StatusCode == http.StatusOK && strings.Contains(body, version) {
		o.t.Errorf("%s: with the rule %s, %s still has the version: %.300s", o.kind, rule, o.meta, body)
	}
}

// TestBlockedTagIsBlockedByDigest: what the tag points at is refused by its digest, as manifest and as blob, below the
// upstream's name, and under another tag; lists do not have the tag. Other images stay.
func TestBlockedTagIsBlockedByDigest(t *testing.T) {
	up := newOrigin(t, ociSpecimen())
	const accept = "application/vnd.oci.image.manifest.v1+json"
	resp, body, err := fetchURL(t, up.url+ociManifest, http.Header{"Accept": {accept}})
	if err != nil {
		t.Fatal(err)
	}
	digest := resp.Header.Get("Docker-Content-Digest")
	send(t, "PUT", up.url+"/v2/team/app/manifests/latest", body, accept, 201)
	send(
		t, "PUT", up.url+"/v2/team/app/manifests/other", strings.Replace(body, "{", `{"annotations":{"a":"b"},`, 1), accept,
		201,
	)
	for _, rule := range []string{"oci:team/app@v1", "oci:origin/team/app@v1", "oci:team/app@" + digest} {
		o := &owned{specimen: up.specimen, t: t}
		o.newCache(up, func(c *config.Config) { c.Copies.Blocked = []string{rule} })
		for _, name := range []string{"team/app", "origin/team/app"} {
			for path, want := range map[string]int{
				"/manifests/" + digest: 403, "/manifests/latest": 403, "/manifests/v1": 403, "/blobs/" + digest: 403,
				"/manifests/other": 200,
			} {
				resp, _, err := fetchURL(t, o.base+"/v2/"+name+path, http.Header{"Accept": {accept}})
				if err != nil || resp.StatusCode != want {
					t.Errorf("with the rule %s, /v2/%s%s is %d, %v; want %d", rule, name, path, resp.StatusCode, err, want)
				}
			}
			_, list, err := fetchURL(t, o.base+"/v2/"+name+"/tags/list", nil)
			if err != nil || !strings.Contains(list, `"other"`) ||
				strings.HasSuffix(rule, "@v1") && strings.Contains(list, `"v1"`) {
				t.Errorf(
					"with the rule %s, the tags of %s are %s, %v; want other, and not the one that is blocked", rule, name, list, err,
				)
			}
		}
	}
}
