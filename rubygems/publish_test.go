package rubygems

// Pushing: what is refused and accepted, names, owners, attestations, faults and costs.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wiretest"
	"larder/rubygems/archive"
	"larder/rubygems/form"
	"larder/rubygems/version"
	"larder/store"
	"larder/store/storetest"
)

// refusal is a push that is refused, and nothing of it is kept.
type refusal struct {
	what   string
	status int
	text   string
	change func(*release)
}

func (g *rig) wantRefused(list []refusal) {
	for _, c := range list {
		r := newRelease("demo", "1.0")
		c.change(r)
		a := g.Ada("POST", "/api/v1/gems", r.build())
		if a.Status != c.status || !strings.Contains(a.Body, c.text) {
			g.T.Errorf("%s: %v, want %d %s", c.what, a, c.status, c.text)
		}
		g.want(g.Do("GET", "/info/demo", nil), 404, "")
	}
	wiretest.EqualList(g.T, "/versions", lines(g.get("/versions")))
}

// more is a release whose specification has other lines.
func more(lines string) func(*release) { return func(r *release) { r.more = lines } }

// members is a release whose archive has other members.
func members(change func(l []member) []member) func(*release) {
	return func(r *release) { r.members = change }
}

func TestNamesAndVersionsThatAreRefused(t *testing.T) {
	name := func(s string) func(*release) { return func(r *release) { r.name = s } }
	number := func(s string) func(*release) { return func(r *release) { r.version = s } }
	platform := func(s string) func(*release) { return func(r *release) { r.platform = s } }
	newRig(t).wantRefused([]refusal{
		{"name with a space", 422, "not a name", name("de mo")},
		{"name of digits", 422, "not a name", name("1-2")},
		{"name with a dash first", 422, "not a name", name("-demo")},
		{"name with a dot last", 422, "not a name", name("demo.")},
		{"name of a file", 422, "not a name", name("demo.gem")},
		{"name of a document", 422, "not a name", name("demo.json")},
		{"name that leads outside", 422, "not a name", name("../demo")},
		{"long name", 422, "not a name", name("a" + strings.Repeat("b", 255))},
		{"version with a dash", 422, "not a version", number("1.0-beta")},
		{"version of words", 422, "not a version", number("beta")},
		{"empty version", 422, "not a version", number("")},
		{"long version", 422, "not a version", number(strings.Repeat("1.", 128) + "0")},
		{"version with a line", 422, "", number("1.0\\n2")},
		{"platform that leads out", 422, "not a platform", platform("../x")},
		{"platform with a space", 422, "not a platform", platform("x86 linux")},
	})
}

func TestSpecificationsThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", archive.MaxText+1)
	deps := func(s string) func(*release) { return func(r *release) { r.deps = []string{s} } }
	newRig(t).wantRefused([]refusal{
		{"long summary", 422, "summary has more", more("summary: " + long + "\n")},
		{"long description", 422, "description has more", more("description: " + long + "\n")},
		{"long authors", 422, "authors has more", more("authors: [" + long + "]\n")},
		{"no authors", 422, "names no authors", more("authors: []\n")},
		{"metadata key", 422, "metadata has at most", more("metadata:\n  " + long[:129] + ": x\n")},
		{"metadata value", 422, "metadata has at most", more("metadata:\n  a: " + long[:1025] + "\n")},
		{"metadata link", 422, "not an http or https URL", more("metadata:\n  source_code_uri: javascript:alert(1)\n")},
		{"homepage", 422, "not an http or https URL", more("homepage: javascript:alert(1)\n")},
		{"licenses", 422, "more than 64 licenses", more("licenses: [" + strings.Repeat("a,", 64) + "b]\n")},
		{"operator", 422, "is none", deps("rack => 1")},
		{"required version", 422, "is none", deps("rack >= 1;2")},
		{"dependency's name", 422, "not a name", deps("ra:ck >= 1")},
		{"foreign object", 422, "ruby/object:Gem::Installer",
			more("post_install_message: !ruby/object:Gem::Installer\n  i: x\n")},
		{"alias", 422, "aliases", more("homepage: &id001 https://example.com\nwiki: *id001\n")},
		{"no specification", 422, "no Gem::Specification",
			func(r *release) { r.yaml = "name: demo\nversion: '1.0'\n" }},
		{"two documents", 422, "after its end", more("x: y\n---\na: b\n")},
		{"key twice", 422, "is there twice", more("summary: a\nsummary: b\n")},
		{"deep", 422, "nested too deeply", more("x: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n")},
		{"heavy", 413, "lines and entries", more("x: [" + strings.Repeat(",", 300_000) + "]\n")},
	})
}

func TestArchivesThatAreRefused(t *testing.T) {
	add := func(m member) func(*release) {
		return members(func(l []member) []member { return append(l, m) })
	}
	content := func(i int, p []byte) func(*release) {
		return members(func(l []member) []member { l[i].content = p; return l })
	}
	file := func(name, content string) func(*release) {
		return func(r *release) { r.files[name] = content }
	}
	sums := func(change func(string) string) func(*release) {
		return func(r *release) { r.checksums = change }
	}
	newRig(t).wantRefused([]refusal{
		{"other member", 422, "does not belong", add(member{name: "evil.sh"})},
		{"a member twice", 422, "is twice", members(func(l []member) []member { return append(l, l[0]) })},
		{"a member that is a link", 422, "",
			members(func(l []member) []member { l[0].flag, l[0].content = '2', []byte("/etc/passwd"); return l })},
		{"no metadata", 422, "lacks metadata.gz", members(func(l []member) []member { return l[1:] })},
		{"no data", 422, "lacks", members(func(l []member) []member { return l[:1] })},
		{"wrong checksum", 422, "is not the one its checksums are of",
			sums(func(s string) string { return strings.Replace(s, "metadata.gz: ", "metadata.gz: 0", 1) })},
		{"checksum of half", 422, "checksums say nothing of",
			sums(func(s string) string { return "---\nSHA256:\n  metadata.gz: " + strings.Fields(s)[3] + "\n" })},
		{"signature of nobody", 422, "no certificates", members(signed)},
		{"file that leads out", 422, "leads outside", file("../../evil", "x")},
		{"absolute file", 422, "leads outside", file("/etc/evil", "x")},
		{"link that leads out", 422, "leads outside", file("a/link", "->../../evil")},
		{"absolute link", 422, "leads outside", file("link", "->/etc")},
		{"data that is no tar", 422, "data.tar.gz is damaged", content(1, []byte("x"))},
		{"metadata bomb", 413, "unpacks to too much", content(0, zipped(make([]byte, archive.MaxMember+1)))},
		{"large signature", 413, "has more than", members(func(l []member) []member {
			large := member{name: "metadata.gz.sig", content: make([]byte, archive.MaxMember+1)}
			return append([]member{large}, l...)
		})},
		{"metadata that is text", 422, "damaged", content(0, []byte("name: demo"))},
	})
}

func TestBytesThatAreNoGemAreRefused(t *testing.T) {
	g := newRig(t)
	p := newRelease("demo", "1.0").build()
	for what, body := range map[string][]byte{
		"text": []byte("x"), "nothing": nil, "gzip": zipped(p), "a gem and more": append(slices.Clone(p), "more"...),
	} {
		if a := g.Ada("POST", "/api/v1/gems", body); a.Status != 422 || !strings.Contains(a.Body, "damaged") {
			t.Errorf("%s: %v, want 422 damaged", what, a)
		}
		g.want(g.Do("GET", "/info/demo", nil), 404, "")
	}
}

// CVE-2013-0156 and others of that year: tags that make objects.
func TestTagsOfObjectsAreRefusedEverywhere(t *testing.T) {
	g := newRig(t)
	for _, tag := range []string{
		"!ruby/object:Gem::Requirement::Evil", "!ruby/object:ERB", "!ruby/regexp", "!ruby/struct:X", "!ruby/exception:X",
		"!ruby/hash:ActionController::Routing::RouteSet::NamedRouteCollection", "!!python/object:os.system",
		"!ruby/class", "!x",
	} {
		for _, lines := range []string{
			"summary: " + tag + " x\n", "x:\n- " + tag + "\n  a: b\n", "metadata: " + tag + "\n  a: b\n",
		} {
			r := newRelease("demo", "1.0")
			r.more = lines
			g.want(g.push("ada", r), 422, "a value of the kind")
		}
	}
}

func TestTagsOfSpecificationsAreAccepted(t *testing.T) {
	g := newRig(t)
	for _, tag := range []string{"!ruby/object:Gem::Version\n  version: '1'", "!binary aGVsbG8=", "!!str 1"} {
		r := newRelease("tagged", "1."+fmt.Sprint(len(tag)))
		r.more = "x: " + tag + "\n"
		g.want(g.push("ada", r), 200, "")
	}
}

func TestGemsOfOldBuildersAreAccepted(t *testing.T) {
	g := newRig(t)
	for i, change := range []func(*release){
		func(r *release) { r.platform = "" }, // RubyGems 3.6.1
		func(r *release) { r.files = nil },
		members(func(l []member) []member { return l[:2] }), // no checksums, before RubyGems 2.0
		members(func(l []member) []member { slices.Reverse(l); return l }),
		func(r *release) {
			r.checksums = func(s string) string { return strings.ToUpper(s[:4]) + s[4:] + "SHA1:\n  metadata.gz: x\n" }
		},
		more("email:\n- a@example.com\n- b@example.com\nsummary: |-\n  two\n  lines\nlicenses: []\n"),
		func(r *release) { r.more, r.members = "cert_chain:\n- x\n", signed },
		func(r *release) { r.deps = []string{"old != 1.0, ~> 1"}; r.files["link"] = "->lib" },
		func(r *release) {
			old := strings.NewReplacer("Gem::Requirement", "Gem::Version::Requirement", "platform: ruby\n", "")
			r.yaml = old.Replace(newRelease(r.name, r.version).specYAML())
		},
		more("summary: " + strings.Repeat("é", 20_000) + "\n"),
	} {
		r := newRelease(fmt.Sprintf("odd%d", i), "1.0")
		change(r)
		g.want(g.push("ada", r), 200, "(1.0)")
		g.want(g.Do("GET", fmt.Sprintf("/quick/Marshal.4.8/odd%d-1.0.gemspec.rz", i), nil), 200, "")
	}
	if want := "gem has no checksums of its own"; !strings.Contains(g.Log.String(), want) {
		t.Errorf("the log does not say that a %s", want)
	}
}

func TestSameBytesAgainAreASuccess(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0")
	g.want(g.push("ada", r), 200, "Successfully registered gem: demo (1.0)")
	before := g.Journal()
	g.want(g.push("ada", r), 200, "Gem was already pushed: demo (1.0)")
	wiretest.Equal(t, "newest entry of the journal", g.Journal(), before)
}

func TestOtherBytesOfAVersionAreAConflict(t *testing.T) {
	g := newRig(t)
	r, other := newRelease("demo", "1.0"), newRelease("demo", "1.0")
	other.files["x"] = "y"
	g.want(g.push("ada", r), 200, "")
	g.want(g.push("ada", other), 409, "Repushing of gem versions is not allowed")
	g.want(g.yank("ada", "demo", "1.0", ""), 200, "")
	g.want(g.push("ada", r), 409, "was yanked and cannot be pushed again")
	g.want(g.push("ada", other), 409, "was yanked")
}

// releaseOf is a release by its ID.
func releaseOf(name, id string) *release {
	r := newRelease(name, "")
	r.version, r.platform = version.Split(id)
	return r
}

// The end of a gem's name cannot be seen in a full name.
func TestFullNamesLeadToTheirGem(t *testing.T) {
	g := newRig(t)
	g.publish("foo-2", "1.0")
	g.publish("foo", "2", "1.0", "1.10")
	g.publish("a", "1.0-x86_64-linux-musl", "1.0-x86_64-linux")
	g.publish("foo-2-x", "1.0-java")
	for full, want := range map[string]*release{
		"foo-2-1.0": releaseOf("foo-2", "1.0"), "foo-2": releaseOf("foo", "2"), "foo-1.10": releaseOf("foo", "1.10"),
		"a-1.0-x86_64-linux-musl": releaseOf("a", "1.0-x86_64-linux-musl"),
		"foo-2-x-1.0-java":        releaseOf("foo-2-x", "1.0-java"),
	} {
		if a := g.want(g.Do("GET", "/gems/"+full+".gem", nil), 200, ""); a.Body != string(want.build()) {
			t.Errorf("%s is another gem than %s %s for %s", full, want.name, want.version, want.platform)
		}
	}
}

func TestVersionsThatAreEqualAreAConflict(t *testing.T) {
	g := newRig(t)
	g.publish("foo-2", "1.0")
	g.publish("foo", "2", "1.0", "1.10")
	g.publish("a", "1.0-x86_64-linux")
	g.publish("foo-2-x", "1.0-java")
	g.publish("mac", "1-x86_64-darwin19")
	for _, c := range []struct{ name, id, text string }{
		{"foo", "1.0.0", "equal to 1.0"}, {"foo", "1", "equal to 1.0"}, {"foo", "2.0", "equal to 2"},
		{"a", "1.0.0-x86_64-linux", "equal to 1.0-x86_64-linux"}, {"mac", "1-x86_64-darwin-19", "equal to 1-x86_64-darwin19"},
		{"Foo", "9.0", "another spelling"}, {"FOO-2", "9.0", "another spelling"},
	} {
		g.want(g.push("ada", releaseOf(c.name, c.id)), 409, c.text)
	}
	g.publish("foo-2-x-1.0", "9.0")
	g.publish("foo-1", "1.0")
	if a := g.get("/info/foo"); !strings.Contains(a.Body, "\n1.10 |") {
		t.Errorf("/info/foo has no line of 1.10: %q", a.Body)
	}
}

func TestFullNameOfAnotherGemIsAConflict(t *testing.T) {
	g := newRig(t)
	g.publish("b", "1-x")
	g.publish("b-1", "1")
	g.publish("b-1-x", "1")
	g.publish("foo-2", "1-java")
	g.want(g.push("ada", releaseOf("foo", "2-1-java")), 409, "is taken by another version or gem")
}

// The file is sent with any type and every way to send a key, to paths with a slash too many.
func TestWaysToPush(t *testing.T) {
	g := newRig(t)
	key := g.Keys["ada"]
	for i, c := range []struct {
		path string
		opt  option
	}{
		{"/api/v1/gems", header("Authorization", key)},
		{"//api/v1/gems", header("Authorization", key, "OTP", "123456")},
		{"/api/v1/gems/", wiretest.Bearer(key)},
		{"/api//v1/gems", wiretest.Basic("ada", key)},
		{"/api/v1/gems", wiretest.Basic(key, "")},
		{"/api/v1/gems", wiretest.Basic("ada", "secret")},
		{"/api/v1/gems", header("Authorization", key, "Content-Type", "text/plain")},
	} {
		r := newRelease("demo", fmt.Sprintf("1.%d", i))
		g.want(g.Do("POST", c.path, r.build(), c.opt), 200, "Successfully registered gem: demo")
	}
	p := newRelease("demo", "2.0").build()
	g.want(g.Do("POST", "/api/v1/gems?api_key="+key, p), 401, "Access Denied")
	g.WantHeader(g.want(g.Do("POST", "/api/v1/gems", p), 401, "gem signin"), "WWW-Authenticate", `Basic realm="larder"`)
}

// form sends parts as multipart/form-data.
func (g *rig) form(method, path string, parts ...[2]string) answer {
	g.T.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		part, err := w.CreateFormFile(p[0], p[0])
		if err != nil {
			g.T.Fatal(err)
		}
		if _, err := part.Write([]byte(p[1])); err != nil {
			g.T.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		g.T.Fatal(err)
	}
	return g.Ada(method, path, b.Bytes(), header("Content-Type", w.FormDataContentType()))
}

// bundles are attestations of a file, in both forms that bundles have.
func bundles(p []byte) string {
	sum := sha256.Sum256(p)
	statement := wiretest.JSON(fields{"subject": []fields{{"digest": fields{"sha256": hex.EncodeToString(sum[:])}}}})
	encode := base64.StdEncoding.EncodeToString
	return wiretest.JSON([]fields{
		{
			"mediaType":    "application/vnd.dev.sigstore.bundle.v0.3+json",
			"dsseEnvelope": fields{"payload": encode([]byte(statement))},
		},
		{
			"messageSignature": fields{"messageDigest": fields{"algorithm": "SHA2_256", "digest": encode(sum[:])}},
			"pad":              strings.Repeat("p", 20<<10),
		},
	})
}

func TestAttestationsAreServedAsTheyCame(t *testing.T) {
	g := newRig(t)
	p := string(newRelease("demo", "1.0").build())
	good := bundles([]byte(p))
	parts := [][2]string{{"attestations", good}, {"other", "x"}, {"gem", p}}
	g.want(g.form("POST", "/api/v1/gems", parts...), 200, "Successfully")
	a := g.want(g.Do("GET", "/api/v1/attestations/demo-1.0.json", nil), 200, "")
	wiretest.Equal(t, "the attestations", a.Body, good)
	g.WantHeader(a, "Content-Type", "application/json")
	g.publish("plain", "1.0")
	a = g.want(g.Do("GET", "/api/v1/attestations/plain-1.0.json", nil), 200, "")
	wiretest.Equal(t, "the attestations of a gem without any", a.Body, "[]")
	g.want(g.Do("GET", "/api/v1/attestations/plain-2.0.json", nil), 404, "This version could not be found.")
}

func TestAttestationsOfAnotherFileAreRefused(t *testing.T) {
	g := newRig(t)
	p := string(newRelease("demo", "1.0").build())
	for _, bad := range []string{
		"{}", "[]", "x", `[{"a":1}]`, bundles([]byte("other")), `[{"dsseEnvelope":{"payload":"eA=="}}]`,
	} {
		parts := [][2]string{{"gem", p}, {"attestations", bad}}
		g.want(g.form("POST", "/api/v1/gems", parts...), 422, "ttestation")
	}
	large := [][2]string{{"gem", p}, {"attestations", strings.Repeat("x", maxBundles+1)}}
	g.want(g.form("POST", "/api/v1/gems", large...), 413, "more than")
}

func TestFormsThatAreRefused(t *testing.T) {
	g := newRig(t)
	const path = "/api/v1/gems"
	p := string(newRelease("demo", "1.0").build())
	g.want(g.form("POST", path, [2]string{"attestations", bundles([]byte(p))}), 422, "no part called gem")
	g.want(g.form("POST", path, [2]string{"gem", p}, [2]string{"gem", p}), 422, "two gems")
	boundary := header("Content-Type", "multipart/form-data; boundary=x")
	g.want(g.Ada("POST", path, "x", boundary), 422, "no part called gem")
	g.want(g.Ada("POST", path, "--x\r\nA\r\n", boundary), 422, "cannot be read")
}

func TestBodiesBeyondTheLimitAreRefused(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.rubygems.MaxGem = 1 << 10 })
	g.want(g.push("ada", newRelease("demo", "1.0")), 413, "larger than")
	large := strings.Repeat("x", form.MaxBytes+1)
	g.want(g.Do("DELETE", "/api/v1/gems/yank", large, g.As("ada")), 413, "larger than")
}

func TestRulesOfTheStoreHold(t *testing.T) {
	rules := store.RulesConfig{Quotas: []store.Quota{{Kind: store.RubyGems, Bytes: 100}}}
	quota := newRig(t, withPolicies(store.NewRules(rules)))
	quota.want(quota.push("ada", newRelease("demo", "1.0")), 413, "")
	safe := store.Protected{Kind: store.RubyGems, Package: "safe*", Users: []string{"bob"}}
	rules = store.RulesConfig{Protected: []store.Protected{safe}}
	fixed := newRig(t, withPolicies(store.NewRules(rules)))
	fixed.want(fixed.push("ada", newRelease("safe-x", "1.0")), 403, "")
	fixed.publish("other", "1.0")
}

func TestUsersWithoutScopesChangeTheirOwnGemsOnly(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	g.User("bob", nil)
	g.User("team", []string{"rubygems:gem:demo:read,write,delete"})
	g.User("root", nil, true)
	g.want(g.push("bob", newRelease("demo", "2.0")), 403, "You do not have permission to push to this gem. "+
		"Ask an owner to add you with: gem owner demo --add bob")
	g.want(g.push("bob", newRelease("demo", "1.0")), 403, "do not have permission")
	g.want(g.yank("bob", "demo", "1.0", ""), 403, "do not have permission to delete")
	const owners = "/api/v1/gems/demo/owners"
	g.want(g.Do("POST", owners, body("email", "bob"), g.As("bob")), 403, "change the owners")
	g.want(g.push("team", newRelease("demo", "3.0")), 200, "")
	g.want(g.push("team", newRelease("other", "1.0")), 403, "")
	g.want(g.push("root", newRelease("demo", "4.0")), 200, "")
	g.want(g.Ada("POST", owners, body("email", "bob")), 200, "bob was added")
	g.want(g.push("bob", newRelease("demo", "2.0")), 200, "")
}

// CVE-2022-29176: a name with a dash led to the gem of somebody else.
func TestDashedNameLeadsToNoOtherGem(t *testing.T) {
	g := newRig(t)
	g.publish("rails-html-sanitizer", "1.0")
	g.publish("rails", "2.0-java")
	g.User("bob", nil)
	g.want(g.push("bob", newRelease("rails-html", "1.0")), 200, "")
	for _, c := range [][3]string{
		{"rails-html", "sanitizer-1.0", ""}, {"rails-html", "1.0", "sanitizer"}, {"rails-html-sanitizer", "1.0", ""},
		{"rails", "html-sanitizer-1.0", ""}, {"rails", "2.0", "java"},
	} {
		if a := g.yank("bob", c[0], c[1], c[2]); a.Status != 403 && a.Status != 404 {
			t.Errorf("yanking %q: %v, want a 403 or 404", c, a)
		}
	}
	g.wantAll(
		200, "", "/gems/rails-html-sanitizer-1.0.gem", "/gems/rails-2.0-java.gem", "/gems/rails-html-1.0.gem",
	)
	g.want(g.push("bob", releaseOf("rails-2.0", "1-x")), 200, "")
	// Its file would have the name of bob's.
	if a := g.push("bob", releaseOf("rails", "2.0-1-x")); a.Status != 403 && a.Status != 409 {
		t.Errorf("a full name of another gem: %v, want a 403 or 409", a)
	}
}

// CVE-2013-4287: versions that took a backtracking matcher minutes.
func TestLongVersionsCostNothing(t *testing.T) {
	g := newRig(t)
	for _, v := range []string{
		strings.Repeat("1", 255) + "!", strings.Repeat("1.", 120) + "!", "1" + strings.Repeat(".a", 100) + "-",
		strings.Repeat("9", 60_000),
	} {
		g.want(g.push("ada", newRelease("demo", v)), 422, "")
	}
	g.want(g.push("ada", newRelease("demo", strings.Repeat("9", 255))), 200, "")
	g.publish("demo", "1."+strings.Repeat("0", 250)+"1")
}

func TestRefusalsHaveNoControlCharacters(t *testing.T) {
	g := newRig(t)
	for _, r := range []*release{
		newRelease("de\x1b[31mmo", "1.0"), newRelease("demo", "1\x1b]0;x\x07"),
		{name: "demo", version: "1", platform: "x\u009b"},
	} {
		a := g.want(g.push("ada", r), 422, "")
		if strings.ContainsFunc(a.Body, func(c rune) bool { return c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 }) {
			t.Errorf("%v has a control character", a)
		}
	}
	a := g.want(g.Ada("DELETE", "/api/v1/gems/yank", body("gem_name", "demo", "version", "\x1b[2J")), 404, "")
	if strings.Contains(a.Body, "\x1b") {
		t.Errorf("%v has an escape", a)
	}
}

func TestTextsAreShownWithoutControlCharacters(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0")
	r.more = `summary: "red \e[31m\u009b2J"
description: "a\nb\e[1m"
authors:
- "A\ada"
licenses:
- "M\bIT"
metadata:
  "k\x7fey": "v\x1balue"
`
	if a := g.want(g.push("ada", r), 200, ""); strings.Contains(a.Body, "\x1b") {
		t.Errorf("%v has an escape", a)
	}
	for path, want := range map[string]string{
		"/api/v1/search.json?query=demo":          `"info":"a\nb[1m"`,
		"/api/v1/gems/demo.json":                  `"authors":"Ada"`,
		"/api/v1/versions/demo.json":              `"summary":"red [31m2J"`,
		"/api/v2/rubygems/demo/versions/1.0.json": `"metadata":{"key":"value"}`,
		"/api/v1/activity/just_updated.json":      `"licenses":["MIT"]`,
	} {
		a := g.want(g.Do("GET", path, nil), 200, want)
		if strings.Contains(a.Body, `\u00`) || strings.ContainsAny(a.Body, "\x1b\x7f\u009b") {
			t.Errorf("%s has a control character: %q", path, a.Body)
		}
	}
}

// The connection breaks after the commit, and the client asks again.
func TestPushWhoseAnswerWasLostSucceedsAgain(t *testing.T) {
	g := newRig(t)
	p := newRelease("demo", "1.0").build()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "POST", g.Base+"/api/v1/gems", bytes.NewReader(p))
	if err != nil {
		t.Fatal(err)
	}
	g.As("ada")(r)
	resp, err := g.Srv.Client().Do(r)
	if err == nil {
		resp.Body.Close()
	}
	cancel()
	g.want(g.Ada("POST", "/api/v1/gems", p), 200, "Gem was already pushed")
}

// Pushes of different versions at the same time all succeed; of those of one version with different bytes, one does.
func TestConcurrentPushes(t *testing.T) {
	g := newRig(t)
	const n = 12
	results := make(chan answer, 2*n)
	for i := range n {
		r := newRelease(fmt.Sprintf("gem%d", i%3), fmt.Sprintf("1.%d", i+1))
		go func() { results <- g.push("ada", r) }()
		go func() {
			r := newRelease("same", "1.0")
			r.files["x"] = fmt.Sprint(i)
			results <- g.push("ada", r)
		}()
	}
	got := map[int]int{}
	for range 2 * n {
		got[(<-results).Status]++
	}
	wiretest.Equal(t, "pushes that succeed", got[200], n+1)
	wiretest.Equal(t, "pushes that conflict", got[409], n-1)
	wiretest.Equal(t, "lines of /versions", len(lines(g.get("/versions"))), n+1)
}

// Every document is checked against its sums.
func TestReadersDuringPushesGetWholeLists(t *testing.T) {
	g := newRig(t)
	fill(t, g.Store, 0, 1500)
	g.User("root", nil, true)
	done := make(chan bool)
	go func() {
		defer close(done)
		for i := range 15 {
			g.push("ada", newRelease("demo", fmt.Sprintf("1.%d", i)))
			if i%7 == 3 {
				g.Do("POST", "/api/v1/larder/compact", nil, g.As("root"))
			}
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		a := g.get("/versions", header("Accept-Encoding", "identity"))
		if !strings.HasSuffix(a.Body, "\n") || len(lines(a)) < 1500 {
			t.Fatalf("the list has %d lines and ends with %q", len(lines(a)), a.Body[max(len(a.Body)-40, 0):])
		}
	}
}

// A durable step fails, with or without its effect; a second push always succeeds.
func TestPushSurvivesFaults(t *testing.T) {
	r := newRelease("demo", "1.0")
	r.more = "description: " + strings.Repeat("long ", 5000) + "\n"
	p := r.build()
	prepare := func(t *testing.T, s *store.Store) { serve(t, s).User("ada", nil) }
	push := func(t *testing.T, s *store.Store) error {
		a := serve(t, s).Do("POST", "/api/v1/gems", p, wiretest.Basic("ada", "secret"))
		if a.Status != 200 {
			return errors.New(a.String())
		}
		return nil
	}
	storetest.BrokenAt(t, prepare, push, func(t *testing.T, dir string, err error) {
		g := serve(t, storetest.Open(t, dir))
		g.Key("ada", auth.TokenSpec{User: "ada"})
		there := g.Do("GET", "/info/demo", nil).Status
		if err == nil && there != 200 {
			t.Errorf("a push that was confirmed is lost: %d", there)
		}
		if n := len(lines(g.get("/versions"))); (n == 1) != (there == 200) {
			t.Errorf("/info is a %d, and /versions has %d lines", there, n)
		}
		g.checkIndexes()
		g.want(g.Ada("POST", "/api/v1/gems", p), 200, "demo (1.0)")
		g.want(g.Do("GET", "/gems/demo-1.0.gem", nil), 200, "")
		wiretest.Equal(t, "lines of /versions after the second push", len(lines(g.get("/versions"))), 1)
		g.checkIndexes()
	})
}

func TestPushCostsTheSameInALargeRegistry(t *testing.T) {
	small, large := newRig(t), newRig(t)
	fill(t, large.Store, 0, 4_000)
	for i := range 300 {
		blob := storetest.Put(t, large.Store, "a gem")
		err := large.s.Repo.Update(context.Background(), "many", func(tx *store.PackageTx[Meta]) error {
			return fillGem(tx, "many", fmt.Sprintf("1.%d", i), blob)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	cost := func(g *rig) float64 {
		return testing.AllocsPerRun(10, func() {
			i++
			g.want(g.push("ada", newRelease("many", fmt.Sprintf("99.%d", i))), 200, "")
		})
	}
	cost(small)
	large.want(large.Ada("POST", "/api/v1/gems/many/owners", body("email", "ada")), 200, "")
	if s, l := cost(small), cost(large); l > 1.5*s {
		t.Errorf("%.0f allocations in an empty registry, %.0f among 4,000 gems and 300 versions", s, l)
	}
}
