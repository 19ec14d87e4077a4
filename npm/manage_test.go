package npm

// Changing what is published: deprecation, unpublishing, tags, owners, access, stars, advisories.

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wiretest"
	"larder/store"
)

// TestStarAndDeprecationChangeNothingElse: a star or a deprecation by PUT /:pkg changes nothing but what it is about.
func TestStarAndDeprecationChangeNothingElse(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0", "1.1.0")
	before := g.packument("ada", "demo")
	g.Want(g.Ada("PUT", "/demo", fields{"_id": "demo", "_rev": before["_rev"], "users": fields{"ada": true}}), 201, "")
	if doc := g.packument("ada", "demo"); !slices.Equal(wiretest.KeysOf(doc["versions"]), []string{"1.0.0", "1.1.0"}) ||
		wiretest.At(doc, "users", "ada") != true {
		t.Fatalf("a star: %v", doc)
	}
	doc := g.packument("ada", "demo")
	versions := doc["versions"].(map[string]any)
	versions["1.0.0"].(map[string]any)["deprecated"] = "use 1.1.0"
	versions["1.0.0"].(map[string]any)["dist"].(map[string]any)["integrity"] = "sha512-evil"
	versions["1.0.0"].(map[string]any)["dependencies"] = fields{"evil": "1"}
	versions["9.9.9"] = fields{"name": "demo", "version": "9.9.9", "deprecated": "new"}
	doc["dist-tags"] = fields{"latest": "9.9.9"}
	doc["maintainers"] = []any{fields{"name": "mallory"}}
	g.Want(g.Ada("PUT", "/demo", doc), 200, "")
	after := g.packument("ada", "demo")
	if wiretest.At(after, "versions", "1.0.0", "deprecated") != "use 1.1.0" ||
		wiretest.At(after, "versions", "1.1.0", "deprecated") != nil {
		t.Errorf("deprecate: %v", after["versions"])
	}
	short := g.Want(g.Do("GET", "/demo", nil, wiretest.Header("Accept", typeShort)), 200, "").Object(t)
	if wiretest.At(short, "versions", "1.0.0", "deprecated") != "use 1.1.0" {
		t.Error("the short form does not say it")
	}
	// pnpm 12 leaves _id out; an empty message takes it back.
	g.Want(g.Ada("PUT", "/demo", fields{
		"name": "demo", "versions": fields{"1.1.0": fields{}, "1.0.0": fields{"deprecated": ""}},
	}), 200, "")
	after = g.packument("ada", "demo")
	for _, v := range []string{"1.0.0", "1.1.0"} {
		if wiretest.At(after, "versions", v, "dist", "integrity") != wiretest.At(before, "versions", v, "dist",
			"integrity") || wiretest.At(after, "versions", v, "deprecated") != nil ||
			wiretest.At(after, "versions", v, "dependencies") != nil {
			t.Errorf("%s: %v", v, wiretest.At(after, "versions", v))
		}
	}
	if !slices.Equal(wiretest.KeysOf(after["versions"]), []string{"1.0.0", "1.1.0"}) ||
		wiretest.At(after, "dist-tags", "latest") != "1.1.0" ||
		wiretest.JSON(after["maintainers"]) != wiretest.JSON(before["maintainers"]) {
		t.Errorf("%v", after)
	}
	g.Want(g.Ada("PUT", "/absent", fields{"versions": fields{"1.0.0": fields{"deprecated": "x"}}}), 404, "")
}

// TestUnpublishAsNpmDoesIt is the dance of npm 10 to 12, with the doubled prefix of its last step.
func TestUnpublishAsNpmDoesIt(t *testing.T) {
	g := newRig(t)
	g.publish("@sc/p", "1.0.0", "1.1.0", "2.0.0-rc.1")
	g.Want(g.Ada("PUT", "/-/package/@sc%2fp/dist-tags/next", `"2.0.0-rc.1"`), 201, "")
	g.Want(g.Ada("PUT", "/-/package/@sc%2fp/dist-tags/latest", `"1.1.0"`), 201, "")
	doc := g.Want(g.Ada("GET", "/@sc%2fp?write=true", nil), 200, "").Object(t)
	old := fmt.Sprint(doc["_rev"])
	delete(doc["versions"].(map[string]any), "1.1.0")
	g.Want(g.Ada("PUT", "/@sc%2fp/-rev/1-other", doc), 409, "has changed")
	g.Want(g.Ada("PUT", "/@sc%2fp/-rev/undefined", doc), 409, "has changed")
	g.Want(g.Ada("PUT", "/@sc%2fp/-rev/"+old, doc), 201, "")
	now := g.packument("ada", "@sc/p")
	if !slices.Equal(wiretest.KeysOf(now["versions"]), []string{"1.0.0", "2.0.0-rc.1"}) ||
		wiretest.At(now, "dist-tags", "latest") != "1.0.0" || wiretest.At(now, "dist-tags", "next") != "2.0.0-rc.1" ||
		wiretest.At(now, "time", "1.1.0") != nil {
		t.Fatalf("%v", now)
	}
	for _, path := range []string{
		"/npm/@sc/p/-/p-1.1.0.tgz/-rev/" + g.rev("@sc/p"), "/@sc/p/-/p-1.1.0.tgz/-rev/x", "/@sc%2fp/-/p-1.1.0.tgz/-rev/x",
	} {
		g.Want(g.Ada("DELETE", path, nil), 200, "")
	}
	g.Want(g.Ada("DELETE", "/@sc/p/-/p-1.0.0.tgz/-rev/x", nil), 409, "still has this tarball")
	g.Want(g.Do("GET", "/@sc%2fp/1.1.0", nil), 404, "version not found")
	g.Want(g.Do("GET", "/@sc/p/-/p-1.1.0.tgz", nil), 404, "file not found")
	g.Want(g.Do("GET", "/@sc/p/-/p-1.0.0.tgz", nil), 200, "")
	// Gone for good, whatever the bytes.
	g.Want(g.put("ada", newRelease("@sc/p", "1.1.0")), 403, "was unpublished and cannot be published again")
	g.Want(g.Ada("PUT", "/@sc%2fp/-rev/"+g.rev("@sc/p"), fields{"versions": fields{}}), 400, "remove every version")
	g.Want(g.Ada("PUT", "/@sc%2fp/-rev/"+g.rev("@sc/p"), fields{"name": "@sc/p"}), 400, "changes neither")
	g.Want(g.Ada("PUT", "/@sc%2fp/-rev/x", newRelease("@sc/p", "3.0.0").document()), 400, "attachment where none belongs")
	// The whole package.
	g.Want(g.Ada("DELETE", "/@sc%2fp/-rev/"+old, nil), 409, "has changed")
	g.Want(g.Ada("PUT", "/-/user/package/@sc%2fp/star", nil), 200, "")
	g.Want(g.Ada("DELETE", "/@sc%2fp/-rev/"+g.rev("@sc/p"), nil), 200, "")
	g.Want(g.Do("GET", "/@sc%2fp", nil), 404, "package not found")
	if a := g.Ada("GET", `/-/_view/starredByUser?key="ada"`, nil); !strings.Contains(a.Body, `"rows":[]`) {
		t.Errorf("%v", a)
	}
	if a := g.search("p"); len(a) != 0 {
		t.Errorf("search still finds %q", a)
	}
	g.Want(g.put("ada", newRelease("@sc/p", "1.0.0")), 403, "was unpublished")
	g.publish("@sc/p", "3.0.0")
}

// TestUnpublishedVersionIsNeverGivenAgain: the number of a version that was taken away is never given again,
// not even to the same bytes.
func TestUnpublishedVersionIsNeverGivenAgain(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0", "1.1.0")
	same, other := newRelease("demo", "1.0.0"), newRelease("demo", "1.0.0", fields{"description": "not the same"})
	doc := g.packument("ada", "demo")
	delete(doc["versions"].(map[string]any), "1.0.0")
	g.Want(g.Ada("PUT", "/demo/-rev/"+g.rev("demo"), doc), 201, "")
	refused := func() {
		t.Helper()
		g.Want(g.put("ada", same), 403, "was unpublished")
		g.Want(g.put("ada", other), 403, "was unpublished")
	}
	refused()
	g.Want(g.Ada("DELETE", "/demo/-rev/"+g.rev("demo"), nil), 200, "")
	refused()
	g.publish("demo", "1.2.0")
	refused()
}

// TestClosedPackageIsGoneAtOnce: what was served to everybody is gone for them the moment the package
// is closed, from memory too.
func TestClosedPackageIsGoneAtOnce(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	paths := []string{"/demo", "/demo/1.0.0", "/demo/-/demo-1.0.0.tgz", "/-/package/demo/dist-tags"}
	etags := map[string]string{}
	for _, path := range paths {
		a := g.Want(g.Do("GET", path, nil), 200, "")
		etags[path] = a.Header.Get("ETag")
		if own := g.Want(g.Ada("GET", path, nil), 200, ""); !strings.HasPrefix(own.Header.Get("Cache-Control"), "private") ||
			strings.HasPrefix(a.Header.Get("Cache-Control"), "private") {
			t.Errorf("%s: %q for a user, %q for all", path, own.Header.Get("Cache-Control"), a.Header.Get("Cache-Control"))
		}
	}
	g.Want(g.Ada("POST", "/-/package/demo/access", fields{"access": "restricted"}), 200, "")
	for _, path := range paths {
		g.Want(g.Do("GET", path, nil), 404, "")
		g.Want(g.Do("GET", path, nil, wiretest.Header("If-None-Match", etags[path])), 404, "")
		g.Want(g.Ada("GET", path, nil), 200, "")
	}
}

// TestUnpublishNeedsDelete: the right to write is not the right to take away.
func TestUnpublishNeedsDelete(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0", "1.1.0")
	g.Scoped("writer", "ada", "npm:package:demo:read,write")
	doc := g.packument("ada", "demo")
	delete(doc["versions"].(map[string]any), "1.0.0")
	g.Want(g.Do("PUT", "/demo/-rev/"+g.rev("demo"), doc, g.As("writer")), 403, "scopes do not allow")
	g.Want(g.Do("GET", "/demo/1.0.0", nil), 200, "")
}

// TestDistTagsAreSetMovedAndRemoved: set, move, refuse, remove.
func TestDistTagsAreSetMovedAndRemoved(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0", "2.0.0")
	tags := "/-/package/demo/dist-tags"
	g.Want(g.Ada("PUT", tags+"/next%2Fx", `"1.0.0"`), 201, "")
	g.Want(g.Ada("PUT", tags+"/latest", "\"1.0.0\"\n"), 201, "")
	if a := g.Want(g.Do("GET", tags, nil), 200, ""); a.Body != `{"latest":"1.0.0","next/x":"1.0.0"}`+"\n" {
		t.Errorf("%s", a.Body)
	}
	if v := g.Want(g.Do("GET", "/demo/next%2Fx", nil), 200, "").Object(t); v["version"] != "1.0.0" {
		t.Errorf("%v", v)
	}
	g.Want(g.Ada("PUT", tags+"/beta", `"9.9.9"`), 404, "not found")
	g.Want(g.Ada("PUT", tags+"/beta", `9`), 400, "not a semantic version")
	g.Want(g.Ada("PUT", tags+"/1.x", `"1.0.0"`), 400, "taken for a version")
	g.Want(g.Ada("DELETE", tags+"/latest", nil), 403, "cannot be removed")
	g.Want(g.Ada("DELETE", tags+"/next%2Fx", nil), 200, "")
	g.Want(g.Ada("DELETE", tags+"/next%2Fx", nil), 404, "")
	g.Want(g.Do("GET", "/-/package/absent/dist-tags", nil), 404, "package not found")
}

// TestOwnersAreAddedAndRemoved: npm's list, pnpm's end points, and yarn 1, which would drop everybody else.
func TestOwnersAreAddedAndRemoved(t *testing.T) {
	g := newRig(t)
	g.User("bob", nil)
	g.User("cleo", nil)
	g.publish("demo", "1.0.0")
	owners := func() string { return wiretest.JSON(g.packument("ada", "demo")["maintainers"]) }
	g.Want(g.Ada("GET", "/-/user/org.couchdb.user:bob", nil), 200, `"name":"bob"`)
	g.Want(g.Ada("GET", "/-/user/org.couchdb.user:nobody", nil), 404, "")
	g.Want(g.Do("GET", "/-/user/org.couchdb.user:bob", nil), 401, "")
	g.Want(g.Ada("PUT", "/demo/-rev/undefined", fields{"maintainers": []any{fields{"name": "bob"}}}), 409, "has changed")
	g.Want(g.Ada("PUT", "/demo/-rev/"+g.rev("demo"), fields{
		"_id": "demo", "maintainers": []any{fields{"name": "ada", "email": ""}, "bob <b@example.com>"},
	}), 201, "")
	if o := owners(); o != `[{"email":"","name":"ada"},{"email":"","name":"bob"}]` {
		t.Error(o)
	}
	g.Want(g.Ada("PUT", "/demo/-rev/"+g.rev("demo"), fields{"maintainers": []any{}}), 400, "needs an owner")
	g.Want(g.Ada("PUT", "/-/package/demo/owners", fields{"user": "cleo"}), 201, "")
	g.Want(g.Ada("PUT", "/-/package/demo/owners", fields{"user": "nobody"}), 404, "")
	g.Want(g.Ada("DELETE", "/-/package/demo/owners/bob", nil), 200, "")
	if o := owners(); o != `[{"email":"","name":"ada"},{"email":"","name":"cleo"}]` {
		t.Error(o)
	}
	g.Want(g.Ada("DELETE", "/-/package/demo/owners/cleo", nil), 200, "")
	g.Want(g.Ada("DELETE", "/-/package/demo/owners/ada", nil), 400, "needs an owner")
	g.Want(g.Ada("GET", "/-/user/ada/package", nil), 200, `{"demo":"read-write"}`)
	g.Want(g.Ada("GET", "/-/user/cleo/package", nil), 200, `{}`)
	g.Want(g.Ada("GET", "/-/package/demo/collaborators", nil), 200, `{"ada":"write"}`)
}

// TestPrivatePackageLooksAbsent: a restricted package is seen by owners, administrators and those who were given it; to
// everybody else it is byte for byte one that does not exist.
func TestPrivatePackageLooksAbsent(t *testing.T) {
	g := newRig(t)
	g.User("bob", nil)
	g.User("root", nil, true)
	g.User("given", []string{"npm:package:@sc/*:read"})
	r := newRelease("@sc/p", "1.0.0", restricted)
	g.Want(g.put("ada", r), 201, "")
	paths := []string{
		"/@sc%2fp", "/@sc%2fp/1.0.0", "/@sc/p/-/p-1.0.0.tgz", "/-/package/@sc%2fp/dist-tags", "/-/package/@sc%2fp/visibility",
		"/-/npm/v1/attestations/@sc%2fp@1.0.0", "/-/package/@sc%2fp/collaborators",
	}
	for _, path := range paths {
		absent := strings.NewReplacer("@sc%2fp", "@sc%2fq", "@sc/p/-/p", "@sc/q/-/q").Replace(path)
		for _, actor := range []string{"", "bob"} {
			a, b := g.Do("GET", path, nil, g.As(actor)), g.Do("GET", absent, nil, g.As(actor))
			a.Header.Del("Date")
			b.Header.Del("Date")
			a.Request, b.Request = "", ""
			if a.Status != 404 || a.String() != b.String() {
				t.Errorf("%s as %q: %v, absent: %v", path, actor, a, b)
			}
		}
		for _, actor := range []string{"ada", "root", "given"} {
			if a := g.Do("GET", path, nil, g.As(actor)); a.Status != 200 && !strings.Contains(path, "attestations") ||
				strings.HasPrefix(a.Header.Get("Cache-Control"), "public") {
				t.Errorf("%s as %s: %v", path, actor, a)
			}
		}
	}
	if len(g.search("p", g.As("bob"))) != 0 || len(g.search("p")) != 0 || len(g.search("p", g.As("ada"))) != 1 {
		t.Error("search tells")
	}
	for _, path := range []string{"/-/user/ada/package", `/-/_view/starredByUser?key="ada"`} {
		if a := g.Do("GET", path, nil, g.As("bob")); strings.Contains(a.Body, "@sc/p") {
			t.Errorf("%s tells: %v", path, a)
		}
	}
	g.Want(g.put("bob", newRelease("@sc/p", "2.0.0")), 404, "")
	// yarn sends access public with each publish: that opens nothing.
	open := newRelease("@sc/p", "1.1.0")
	open.access = "public"
	g.Want(g.put("ada", open), 201, "")
	g.Want(g.Do("GET", "/@sc%2fp", nil), 404, "")
	g.Want(g.Ada("PUT", "/-/package/@sc%2fp/owners", fields{"user": "bob"}), 201, "")
	g.Want(g.Do("GET", "/@sc%2fp", nil, g.As("bob")), 200, "")
	g.Want(g.Ada("GET", "/-/package/@sc%2fp/visibility", nil), 200, `{"public":false}`)
	g.Want(g.Ada("POST", "/-/package/@sc%2fp/access", fields{"access": "public"}), 200, "")
	g.Want(g.Ada("GET", "/-/package/@sc%2fp/access", nil), 200, `"access":"public"`)
	g.Want(g.Do("GET", "/@sc%2fp", nil), 200, "")
	g.Want(g.Ada("POST", "/-/package/@sc%2fp/access", fields{"access": "restricted"}), 200, "")
	g.Want(g.Do("GET", "/@sc%2fp", nil), 404, "")
	g.Want(g.Ada("POST", "/-/package/@sc%2fp/access", fields{"publish_requires_tfa": true}), 400, "second factor")
}

// search returns the names found.
func (g *rig) search(query string, opts ...option) (names []string) {
	g.T.Helper()
	a := g.Want(g.Do("GET", "/-/v1/search?text="+strings.ReplaceAll(query, " ", "+"), nil, opts...), 200, "")
	for _, o := range a.Object(g.T)["objects"].([]any) {
		names = append(names, fmt.Sprint(wiretest.At(o, "package", "name")))
	}
	return names
}

// TestSearchRanksAndPages: ranking, qualifiers, shape, paging.
func TestSearchRanksAndPages(t *testing.T) {
	g := newRig(t)
	put := func(name, version, description string, keywords ...string) {
		r := newRelease(name, version, fields{
			"description": description, "keywords": keywords, "homepage": "javascript:alert(1)",
			"repository": fields{"url": "git+https://git.example.com/a/b.git"},
		})
		g.Want(g.put("ada", r), 201, "")
	}
	put("left-pad", "1.0.0", "String left pad", "pad", "string")
	put("pad", "0.1.0", "something")
	put("padding-tool", "1.0.0", "tool")
	put("@acme/strings", "1.0.0", "helps to pad words", "text")
	put("other", "1.0.0", "nothing to see")
	for query, want := range map[string]string{
		"pad": "[pad left-pad padding-tool @acme/strings]", "left pad": "[left-pad]", "leftp": "[left-pad]",
		"LEFT-PAD": "[left-pad]", "scope:acme": "[@acme/strings]", "@acme/": "[@acme/strings]",
		"@acme/strings": "[@acme/strings]", "keywords:pad": "[left-pad]",
		"pad not:unstable": "[left-pad padding-tool @acme/strings]", "maintainer:ada scope:acme": "[@acme/strings]",
		"maintainer:bob": "[]", "nonsense": "[]", "pad is:unstable": "[pad]",
	} {
		if got := fmt.Sprint(g.search(query)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	a := g.Want(g.Do("GET", "/-/v1/search?text=pad&size=1&from=1", nil), 200, "").Object(t)
	one := a["objects"].([]any)
	if len(one) != 1 || a["total"] != 4.0 || wiretest.At(one[0], "package", "name") != "left-pad" {
		t.Errorf("%v", a)
	}
	p := wiretest.At(one[0], "package").(map[string]any)
	if wiretest.JSON(p["maintainers"]) != `[{"email":"","username":"ada"}]` ||
		wiretest.JSON(p["links"]) != `{"repository":"https://git.example.com/a/b"}` || p["scope"] != "unscoped" ||
		p["version"] != "1.0.0" || wiretest.At(one[0], "score", "final") == nil {
		t.Errorf("%v", p)
	}
	g.Want(g.Do("GET", "/-/v1/search", nil), 400, "needs a text")
	g.Want(g.Do("GET", "/-/v1/search?text=pad&from=100", nil), 200, `"objects":[]`)
	// What is found follows latest.
	put("left-pad", "2.0.0", "renamed purpose")
	if got := fmt.Sprint(g.search("purpose")); got != "[left-pad]" {
		t.Error(got)
	}
	g.Want(g.Ada("PUT", "/-/package/left-pad/dist-tags/latest", `"1.0.0"`), 201, "")
	if got := fmt.Sprint(g.search("purpose")); got != "[]" {
		t.Error(got)
	}
}

// TestStars: npm's and pnpm's ways, and the list.
func TestStars(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	g.Want(g.Do("PUT", "/-/user/v1/star", nil), 401, "")
	g.Want(g.Ada("PUT", "/-/user/v1/star", fields{}), 200, "")
	g.Want(g.Ada("PUT", "/-/user/package/demo/star", fields{}), 200, "")
	g.Want(g.Do("PUT", "/-/user/package/demo/star", fields{}), 401, "")
	g.Want(g.Do("GET", `/-/_view/starredByUser?key=%22ada%22`, nil), 200, `"value":"demo"`)
	// pnpm then sends the whole document.
	doc := g.packument("ada", "demo")
	doc["users"] = fields{}
	g.Want(g.Ada("PUT", "/demo/-rev/"+g.rev("demo"), doc), 201, "")
	if p := g.packument("ada", "demo"); p["users"] != nil || len(wiretest.KeysOf(p["versions"])) != 1 {
		t.Errorf("%v", p)
	}
	g.Want(g.Ada("PUT", "/-/user/package/demo/star", fields{}), 200, "")
	g.Want(g.Ada("DELETE", "/-/user/package/demo/star", nil), 200, "")
	g.Want(g.Ada("PUT", "/-/user/package/absent/star", nil), 404, "")
	g.Key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	g.Want(g.Do("PUT", "/-/user/package/demo/star", nil, g.As("reader")), 403, "read-only")
}

// TestAudit: answers from what an operator has loaded, in both forms, from gzip and plain bodies.
func TestAudit(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	bulk := "/-/npm/v1/security/advisories/bulk"
	g.Want(g.Do("POST", bulk, fields{"demo": []string{"1.0.0"}}), 200, "{}")
	list := []fields{
		{
			"id": 7, "package": "demo", "title": "Bad", "url": "https://advisories.example.com/7", "severity": "high",
			"vulnerable_versions": "<1.2.0", "cwe": []string{"CWE-1"}, "cvss": fields{"score": 7.5},
		},
		{
			"id": "X-8", "package": "@sc/demo", "title": "Worse", "severity": "critical",
			"vulnerable_versions": ">=2.0.0 <2.1.0",
		},
	}
	g.Want(g.Ada("PUT", "/-/larder/advisories", list), 403, "")
	g.Want(g.Do("PUT", "/-/larder/advisories", list), 401, "")
	g.Want(g.Do("PUT", "/-/larder/advisories", list, g.As("root")), 200, `"advisories":2`)
	g.Want(g.Do("GET", "/-/larder/advisories", nil, g.As("root")), 200, `"package":"@sc/demo"`)
	for name, broken := range map[string]fields{
		"vulnerable_versions": {"vulnerable_versions": "^1"}, "severity": {"severity": "bad"}, "package": {"package": "../x"},
		"title": {"title": ""}, "url": {"url": "javascript:x"},
	} {
		one := fields{}
		for k, v := range list[0] {
			one[k] = v
		}
		for k, v := range broken {
			one[k] = v
		}
		g.Want(g.Do("PUT", "/-/larder/advisories", []fields{one}, g.As("root")), 400, name)
	}
	body := wiretest.JSON(fields{
		"demo": []string{"1.0.0", "1.2.0"}, "@sc/demo": []string{"2.1.0"}, "other": []string{"1.0.0"},
	})
	want := `{"demo":[{"id":7,"title":"Bad","url":"https://advisories.example.com/7","severity":"high",` +
		`"vulnerable_versions":"<1.2.0","cwe":["CWE-1"],"cvss":{"score":7.5}}]}` + "\n"
	for _, a := range []answer{
		g.Do("POST", bulk, body), g.Do("POST", bulk, wiretest.Gzip(body), wiretest.Header("Content-Encoding", "gzip")),
	} {
		if g.Want(a, 200, ""); a.Body != want {
			t.Errorf("%s", a.Body)
		}
	}
	g.Want(g.Do("POST", bulk, "no gzip", wiretest.Header("Content-Encoding", "gzip")), 400, "not gzip")
	g.Want(g.Do("POST", bulk, wiretest.Gzip(strings.Repeat(" ", 32<<20+1)), wiretest.Header("Content-Encoding", "gzip")),
		413, "unpacks to more")
	g.Want(g.Do("POST", bulk, "[]"), 400, "")
	tree := fields{
		"name":         "app",
		"dependencies": fields{"a": fields{"version": "1.0.0", "dependencies": fields{"demo": fields{"version": "1.1.0"}}}},
	}
	for _, path := range []string{"/-/npm/v1/security/audits/quick", "/-/npm/v1/security/audits"} {
		a := g.Want(g.Do("POST", path, tree), 200, "").Object(t)
		if wiretest.At(a, "metadata", "vulnerabilities", "high") != 1.0 ||
			wiretest.JSON(wiretest.At(a, "advisories", "7", "findings")) != `[{"paths":["a\u003edemo"],"version":"1.1.0"}]` {
			t.Errorf("%v", a)
		}
	}
	g.Want(g.Do("PUT", "/-/larder/advisories", []fields{}, g.As("root")), 200, "")
	g.Want(g.Do("POST", bulk, body), 200, "{}")
}

// TestPolicies: what the operator's rules refuse is a 403 with the rule's own words.
func TestPolicies(t *testing.T) {
	rules := store.NewRules(store.RulesConfig{
		Protected: []store.Protected{{Kind: store.NPM, Package: "@corp/*", Users: []string{"root"}}},
		Immutable: []store.Immutable{{Kind: store.NPM, Package: "demo"}},
	})
	g := newRig(t, withPolicies(rules))
	g.Want(g.put("ada", newRelease("@corp/x", "1.0.0")), 403, "protected")
	g.publish("demo", "1.0.0")
	g.Want(g.Ada("DELETE", "/demo/-rev/"+g.rev("demo"), nil), 403, "")
	g.Store.SetReadOnly("maintenance")
	g.Want(g.put("ada", newRelease("demo", "2.0.0")), 503, "read-only: maintenance")
	g.Want(g.Do("GET", "/demo", nil), 200, "")
}
