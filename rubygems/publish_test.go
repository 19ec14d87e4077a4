package rubygems

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

// TestA7_Refused: what a push may not be, and that nothing of it stays.
func TestA7_Refused(t *testing.T) {
	g := newRig(t)
	long := strings.Repeat("x", archive.MaxText+1)
	text := func(s string) func(*release) { return func(r *release) { r.more = s } }
	for name, c := range map[string]struct {
		status int
		text   string
		change func(*release)
	}{
		"name with a space":       {422, "not a name", func(r *release) { r.name = "de mo" }},
		"name of digits":          {422, "not a name", func(r *release) { r.name = "1-2" }},
		"name with a dash first":  {422, "not a name", func(r *release) { r.name = "-demo" }},
		"name with a dot last":    {422, "not a name", func(r *release) { r.name = "demo." }},
		"name of a file":          {422, "not a name", func(r *release) { r.name = "demo.gem" }},
		"name of a document":      {422, "not a name", func(r *release) { r.name = "demo.json" }},
		"name that leads outside": {422, "not a name", func(r *release) { r.name = "../demo" }},
		"long name":               {422, "not a name", func(r *release) { r.name = "a" + strings.Repeat("b", 255) }},
		"version with a dash":     {422, "not a version", func(r *release) { r.version = "1.0-beta" }},
		"version of words":        {422, "not a version", func(r *release) { r.version = "beta" }},
		"empty version":           {422, "not a version", func(r *release) { r.version = "" }},
		"long version":            {422, "not a version", func(r *release) { r.version = strings.Repeat("1.", 128) + "0" }},
		"version with a line":     {422, "", func(r *release) { r.version = "1.0\\n2" }},
		"platform that leads out": {422, "not a platform", func(r *release) { r.platform = "../x" }},
		"platform with a space":   {422, "not a platform", func(r *release) { r.platform = "x86 linux" }},
		"long summary":            {422, "summary has more", text("summary: " + long + "\n")},
		"long description":        {422, "description has more", text("description: " + long + "\n")},
		"long authors":            {422, "authors has more", text("authors: [" + long + "]\n")},
		"no authors":              {422, "names no authors", text("authors: []\n")},
		"metadata key":            {422, "metadata has at most", text("metadata:\n  " + long[:129] + ": x\n")},
		"metadata value":          {422, "metadata has at most", text("metadata:\n  a: " + long[:1025] + "\n")},
		"metadata link":           {422, "not an http or https URL", text("metadata:\n  source_code_uri: javascript:alert(1)\n")},
		"homepage":                {422, "not an http or https URL", text("homepage: javascript:alert(1)\n")},
		"licenses":                {422, "more than 64 licenses", text("licenses: [" + strings.Repeat("a,", 64) + "b]\n")},
		"operator":                {422, "is none", func(r *release) { r.deps = []string{"rack => 1"} }},
		"required version":        {422, "is none", func(r *release) { r.deps = []string{"rack >= 1;2"} }},
		"dependency's name":       {422, "not a name", func(r *release) { r.deps = []string{"ra:ck >= 1"} }},
		"no tar":                  {422, "damaged", nil},
		"nothing":                 {422, "damaged", nil},
		"gzip":                    {422, "damaged", nil},
		"other member":            {422, "does not belong", func(r *release) { r.members = func(l []member) []member { return append(l, member{name: "evil.sh"}) } }},
		"a member twice":          {422, "is twice", func(r *release) { r.members = func(l []member) []member { return append(l, l[0]) } }},
		"a member that is a link": {422, "", func(r *release) {
			r.members = func(l []member) []member { l[0].flag, l[0].content = '2', []byte("/etc/passwd"); return l }
		}},
		"no metadata":        {422, "lacks metadata.gz", func(r *release) { r.members = func(l []member) []member { return l[1:] } }},
		"no data":            {422, "lacks", func(r *release) { r.members = func(l []member) []member { return l[:1] } }},
		"more after the end": {422, "damaged", nil},
		"wrong checksum": {422, "is not the one its checksums are of", func(r *release) {
			r.checksums = func(s string) string { return strings.Replace(s, "metadata.gz: ", "metadata.gz: 0", 1) }
		}},
		"checksum of half": {422, "checksums say nothing of", func(r *release) {
			r.checksums = func(s string) string { return "---\nSHA256:\n  metadata.gz: " + strings.Fields(s)[3] + "\n" }
		}},
		"signature of nobody": {422, "no certificates", func(r *release) {
			r.members = func(l []member) []member { return append(l, member{name: "data.tar.gz.sig", content: []byte("x")}) }
		}},
		"file that leads out": {422, "leads outside", func(r *release) { r.files["../../evil"] = "x" }},
		"absolute file":       {422, "leads outside", func(r *release) { r.files["/etc/evil"] = "x" }},
		"link that leads out": {422, "leads outside", func(r *release) { r.files["a/link"] = "->../../evil" }},
		"absolute link":       {422, "leads outside", func(r *release) { r.files["link"] = "->/etc" }},
		"data that is no tar": {422, "data.tar.gz is damaged", func(r *release) {
			r.members = func(l []member) []member { l[1].content = []byte("x"); return l }
			r.checksums = nil
		}},
		"metadata bomb": {413, "unpacks to too much", func(r *release) {
			r.members = func(l []member) []member { l[0].content = zipped(make([]byte, archive.MaxMember+1)); return l }
		}},
		"large signature": {413, "has more than", func(r *release) {
			r.members = func(l []member) []member {
				return append([]member{{name: "metadata.gz.sig", content: make([]byte, archive.MaxMember+1)}}, l...)
			}
		}},
		"metadata that is text": {422, "damaged", func(r *release) {
			r.members = func(l []member) []member { l[0].content = []byte("name: demo"); return l }
		}},
		"foreign object":   {422, "ruby/object:Gem::Installer", text("post_install_message: !ruby/object:Gem::Installer\n  i: x\n")},
		"alias":            {422, "aliases", text("homepage: &id001 https://example.com\nwiki: *id001\n")},
		"no specification": {422, "no Gem::Specification", func(r *release) { r.yaml = "name: demo\nversion: '1.0'\n" }},
		"two documents":    {422, "after its end", text("x: y\n---\na: b\n")},
		"key twice":        {422, "is there twice", text("summary: a\nsummary: b\n")},
		"deep":             {422, "nested too deeply", text("x: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n")},
		"heavy":            {413, "lines and entries", text("x: [" + strings.Repeat(",", 300_000) + "]\n")},
	} {
		t.Run(name, func(t *testing.T) {
			g := g.in(t)
			r := newRelease("demo", "1.0")
			if c.change != nil {
				c.change(r)
			}
			p := r.build()
			switch name {
			case "no tar":
				p = []byte("x")
			case "nothing":
				p = nil
			case "gzip":
				p = zipped(p)
			case "more after the end":
				p = append(p, "more"...)
			}
			g.want(g.Ada("POST", "/api/v1/gems", p), c.status, c.text)
			g.want(g.Do("GET", "/info/demo", nil), 404, "")
		})
	}
	if a := g.get("/versions"); lines(a) != nil {
		t.Errorf("%q", lines(a))
	}
}

// TestE_2013_YAMLInjection: tags of objects are refused wherever they stand, and nothing is ever made of one.
func TestE_2013_YAMLInjection(t *testing.T) {
	g := newRig(t)
	for _, tag := range []string{"!ruby/object:Gem::Requirement::Evil", "!ruby/hash:ActionController::Routing::RouteSet::NamedRouteCollection", "!ruby/object:ERB", "!ruby/regexp", "!ruby/struct:X", "!ruby/exception:X", "!!python/object:os.system", "!ruby/class", "!x"} {
		for _, at := range []string{"summary: " + tag + " x\n", "x:\n- " + tag + "\n  a: b\n", "metadata: " + tag + "\n  a: b\n"} {
			r := newRelease("demo", "1.0")
			r.more = at
			g.want(g.push("ada", r), 422, "a value of the kind")
		}
	}
	for _, tag := range []string{"!ruby/object:Gem::Version\n  version: '1'", "!binary aGVsbG8=", "!!str 1"} {
		r := newRelease("tagged", "1."+fmt.Sprint(len(tag)))
		r.more = "x: " + tag + "\n"
		g.want(g.push("ada", r), 200, "")
	}
}

// TestA7_Accepted: what old and odd builders write is a gem all the same.
func TestA7_Accepted(t *testing.T) {
	g := newRig(t)
	for i, change := range []func(*release){
		func(r *release) { r.platform = "" },                                                       // RubyGems 3.6.1
		func(r *release) { r.files = nil },                                                         // no files
		func(r *release) { r.members = func(l []member) []member { return l[:2] } },                // no checksums, before RubyGems 2.0
		func(r *release) { r.members = func(l []member) []member { slices.Reverse(l); return l } }, // another order
		func(r *release) {
			r.checksums = func(s string) string { return strings.ToUpper(s[:4]) + s[4:] + "SHA1:\n  metadata.gz: x\n" }
		},
		func(r *release) {
			r.more = "email:\n- a@example.com\n- b@example.com\nsummary: |-\n  two\n  lines\nlicenses: []\n"
		},
		func(r *release) {
			r.more = "cert_chain:\n- x\n"
			r.members = func(l []member) []member { return append(l, member{name: "data.tar.gz.sig", content: []byte("x")}) }
		},
		func(r *release) { r.deps = []string{"old != 1.0, ~> 1"}; r.files["link"] = "->lib" },
		func(r *release) {
			r.yaml = strings.ReplaceAll(strings.ReplaceAll(newReleaseOf(r).specYAML(), "Gem::Requirement", "Gem::Version::Requirement"), "platform: ruby\n", "")
		},
		func(r *release) { r.more = "summary: " + strings.Repeat("é", 20_000) + "\n" },
	} {
		r := newRelease(fmt.Sprintf("odd%d", i), "1.0")
		change(r)
		g.want(g.push("ada", r), 200, "(1.0)")
		g.want(g.Do("GET", fmt.Sprintf("/quick/Marshal.4.8/odd%d-1.0.gemspec.rz", i), nil), 200, "")
	}
	if !strings.Contains(g.Log.String(), "gem has no checksums of its own") {
		t.Error("nobody was warned")
	}
}

func newReleaseOf(r *release) *release { return newRelease(r.name, r.version) }

// TestA7_Republish: the same bytes again are a success, others a conflict, and a yanked number stays taken.
func TestA7_Republish(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0")
	g.want(g.push("ada", r), 200, "Successfully registered gem: demo (1.0)")
	before := g.Journal()
	g.want(g.push("ada", r), 200, "Gem was already pushed: demo (1.0)")
	if g.Journal() != before {
		t.Error("pushing the same again has changed something")
	}
	other := newRelease("demo", "1.0")
	other.files["x"] = "y"
	g.want(g.push("ada", other), 409, "Repushing of gem versions is not allowed")
	g.want(g.yank("ada", "demo", "1.0", ""), 200, "")
	g.want(g.push("ada", r), 409, "was yanked and cannot be pushed again")
	g.want(g.push("ada", other), 409, "was yanked")
}

// TestH5_Names: the full name is looked up, never cut; versions are compared, not spelled; names have one spelling.
func TestH5_Names(t *testing.T) {
	g := newRig(t)
	g.publish("foo-2", "1.0")
	g.publish("foo", "2", "1.0", "1.10")
	g.publish("a", "1.0-x86_64-linux-musl", "1.0-x86_64-linux")
	g.publish("foo-2-x", "1.0-java")
	for full, want := range map[string]string{"foo-2-1.0": "foo-2 1.0", "foo-2": "foo 2", "foo-1.10": "foo 1.10", "a-1.0-x86_64-linux-musl": "a 1.0", "foo-2-x-1.0-java": "foo-2-x 1.0"} {
		a := g.want(g.Do("GET", "/gems/"+full+".gem", nil), 200, "")
		name, number, _ := strings.Cut(want, " ")
		if !bytes.Equal(sliceOf(a.Body, name, number), []byte(a.Body)) {
			t.Errorf("%s is another gem", full)
		}
	}
	for _, c := range []struct{ name, id, text string }{
		{"foo", "1.0.0", "equal to 1.0"}, {"foo", "1", "equal to 1.0"}, {"foo", "2.0", "equal to 2"}, {"a", "1.0.0-x86_64-linux", "equal to 1.0-x86_64-linux"},
		{"Foo", "9.0", "another spelling"}, {"FOO-2", "9.0", "another spelling"}, {"foo-2-x-1.0", "9.0", ""}, {"foo-1", "1.0", ""},
	} {
		r := newRelease(c.name, "")
		r.version, r.platform = version.Split(c.id)
		if c.text == "" {
			g.want(g.push("ada", r), 200, "")
			continue
		}
		g.want(g.push("ada", r), 409, c.text)
	}
	// A full name that another gem has: a-b of version 1 is a of version b-1, or of 1 for platform x.
	g.publish("b", "1-x")
	r := newRelease("b-1", "0")
	r.version = "1"
	g.want(g.push("ada", r), 200, "")
	clash := newRelease("b-1-x", "1")
	g.want(g.push("ada", clash), 200, "")
	twin := newRelease("foo-2", "")
	twin.version, twin.platform = "1", "java"
	g.want(g.push("ada", twin), 200, "")
	other := newRelease("foo", "")
	other.version, other.platform = "2", "1-java"
	g.want(g.push("ada", other), 409, "is taken by another version or gem")
	if a := g.get("/info/foo"); !strings.Contains(a.Body, "\n1.10 |") {
		t.Errorf("%s", a.Body)
	}
	// Two spellings of one platform.
	mac := newRelease("mac", "")
	mac.version, mac.platform = "1", "x86_64-darwin19"
	g.want(g.push("ada", mac), 200, "")
	mac.platform = "x86_64-darwin-19"
	g.want(g.push("ada", mac), 409, "equal to 1-x86_64-darwin19")
}

// sliceOf is the file that publish made for a version.
func sliceOf(got, name, number string) []byte {
	for _, platform := range []string{"ruby", "java", "x86_64-linux", "x86_64-linux-musl"} {
		r := newRelease(name, "")
		r.version, r.platform = number, platform
		if p := r.build(); string(p) == got {
			return p
		}
	}
	return nil
}

// TestH4_Push: the file as it is or in a form, with any type and every way to send the key; paths with a slash too
// many.
func TestH4_Push(t *testing.T) {
	g := newRig(t)
	key := g.Keys["ada"]
	for i, c := range []struct {
		path string
		opts []option
	}{
		{"/api/v1/gems", []option{header("Authorization", key)}}, {"//api/v1/gems", []option{header("Authorization", key, "OTP", "123456")}},
		{"/api/v1/gems/", []option{wiretest.Bearer(key)}}, {"/api//v1/gems", []option{wiretest.Basic("ada", key)}}, {"/api/v1/gems", []option{wiretest.Basic(key, "")}},
		{"/api/v1/gems", []option{wiretest.Basic("ada", "secret")}}, {"/api/v1/gems", []option{header("Authorization", key, "Content-Type", "text/plain")}},
	} {
		r := newRelease("demo", fmt.Sprintf("1.%d", i))
		g.want(g.Do("POST", c.path, r.build(), c.opts...), 200, "Successfully registered gem: "+"demo")
	}
	g.want(g.Do("POST", "/api/v1/gems?api_key="+key, newRelease("demo", "2.0").build()), 401, "Access Denied")
	a := g.want(g.Do("POST", "/api/v1/gems", newRelease("demo", "2.0").build()), 401, "gem signin")
	if a.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%v", a.Header)
	}
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

// bundles are attestations of a file, in both forms there are.
func bundles(p []byte) string {
	sum := sha256.Sum256(p)
	statement := wiretest.JSON(fields{"subject": []fields{{"digest": fields{"sha256": hex.EncodeToString(sum[:])}}}})
	return wiretest.JSON([]fields{
		{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": fields{"payload": base64.StdEncoding.EncodeToString([]byte(statement))}},
		{"messageSignature": fields{"messageDigest": fields{"algorithm": "SHA2_256", "digest": base64.StdEncoding.EncodeToString(sum[:])}}, "pad": strings.Repeat("p", 20<<10)},
	})
}

// TestA2_Attestations: they come with the file in a form, are about it, and are served as they came.
func TestA2_Attestations(t *testing.T) {
	g := newRig(t)
	p := string(newRelease("demo", "1.0").build())
	good := bundles([]byte(p))
	for _, bad := range []string{"{}", "[]", "x", `[{"a":1}]`, bundles([]byte("other")), `[{"dsseEnvelope":{"payload":"eA=="}}]`} {
		g.want(g.form("POST", "/api/v1/gems", [2]string{"gem", p}, [2]string{"attestations", bad}), 422, "ttestation")
	}
	g.want(g.form("POST", "/api/v1/gems", [2]string{"attestations", good}), 422, "no part called gem")
	g.want(g.form("POST", "/api/v1/gems", [2]string{"gem", p}, [2]string{"gem", p}), 422, "two gems")
	g.want(g.Ada("POST", "/api/v1/gems", "x", header("Content-Type", "multipart/form-data; boundary=x")), 422, "no part called gem")
	g.want(g.Ada("POST", "/api/v1/gems", "--x\r\nA\r\n", header("Content-Type", "multipart/form-data; boundary=x")), 422, "cannot be read")
	g.want(g.form("POST", "/api/v1/gems", [2]string{"gem", p}, [2]string{"attestations", strings.Repeat("x", maxBundles+1)}), 413, "more than")
	g.want(g.form("POST", "/api/v1/gems", [2]string{"attestations", good}, [2]string{"other", "x"}, [2]string{"gem", p}), 200, "Successfully")
	if a := g.want(g.Do("GET", "/api/v1/attestations/demo-1.0.json", nil), 200, ""); a.Body != good || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", a)
	}
	g.publish("plain", "1.0")
	if a := g.want(g.Do("GET", "/api/v1/attestations/plain-1.0.json", nil), 200, ""); a.Body != "[]" {
		t.Errorf("%v", a)
	}
	g.want(g.Do("GET", "/api/v1/attestations/plain-2.0.json", nil), 404, "This version could not be found.")
}

// TestE_Limits: bodies beyond the limit are a 413, and so is a quota.
func TestE_Limits(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.rubygems.MaxGem = 1 << 10 })
	g.want(g.push("ada", newRelease("demo", "1.0")), 413, "larger than")
	g.want(g.Do("DELETE", "/api/v1/gems/yank", strings.Repeat("x", form.MaxBytes+1), g.As("ada")), 413, "larger than")
	quota := newRig(t, withPolicies(store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Kind: store.RubyGems, Bytes: 100}}})))
	quota.want(quota.push("ada", newRelease("demo", "1.0")), 413, "")
	fixed := newRig(t, withPolicies(store.NewRules(store.RulesConfig{Protected: []store.Protected{{Kind: store.RubyGems, Package: "safe*", Users: []string{"bob"}}}})))
	fixed.want(fixed.push("ada", newRelease("safe-x", "1.0")), 403, "")
	fixed.publish("other", "1.0")
}

// TestE_Owners: users without scopes keep to their own gems; an administrator's scopes are enough by themselves.
func TestE_Owners(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	g.User("bob", nil)
	g.User("team", []string{"rubygems:gem:demo:read,write,delete"})
	g.User("root", nil, true)
	g.want(g.push("bob", newRelease("demo", "2.0")), 403, "You do not have permission to push to this gem. Ask an owner to add you with: gem owner demo --add bob")
	g.want(g.push("bob", newRelease("demo", "1.0")), 403, "do not have permission")
	g.want(g.yank("bob", "demo", "1.0", ""), 403, "do not have permission to delete")
	g.want(g.Do("POST", "/api/v1/gems/demo/owners", body("email", "bob"), g.As("bob")), 403, "change the owners")
	g.want(g.push("team", newRelease("demo", "3.0")), 200, "")
	g.want(g.push("team", newRelease("other", "1.0")), 403, "")
	g.want(g.push("root", newRelease("demo", "4.0")), 200, "")
	g.want(g.Ada("POST", "/api/v1/gems/demo/owners", body("email", "bob")), 200, "bob was added")
	g.want(g.push("bob", newRelease("demo", "2.0")), 200, "")
}

// TestE_CVE_2022_29176: a dashed name leads nobody to another one's gem: neither yank nor push.
func TestE_CVE_2022_29176(t *testing.T) {
	g := newRig(t)
	g.publish("rails-html-sanitizer", "1.0")
	g.publish("rails", "2.0-java")
	g.User("bob", nil)
	g.want(g.push("bob", newRelease("rails-html", "1.0")), 200, "")
	for _, c := range [][3]string{{"rails-html", "sanitizer-1.0", ""}, {"rails-html", "1.0", "sanitizer"}, {"rails-html-sanitizer", "1.0", ""}, {"rails", "html-sanitizer-1.0", ""}, {"rails", "2.0", "java"}} {
		a := g.yank("bob", c[0], c[1], c[2])
		if a.Status != 403 && a.Status != 404 {
			t.Errorf("%q: %v", c, a)
		}
	}
	for _, full := range []string{"rails-html-sanitizer-1.0", "rails-2.0-java", "rails-html-1.0"} {
		g.want(g.Do("GET", "/gems/"+full+".gem", nil), 200, "")
	}
	// Nor is a file name to be had that another version answers to.
	r := newRelease("rails-2.0", "")
	r.version, r.platform = "1", "x"
	g.want(g.push("bob", r), 200, "")
	evil := newRelease("rails", "")
	evil.version, evil.platform = "2.0", "1-x"
	if a := g.push("bob", evil); a.Status != 403 && a.Status != 409 {
		t.Error(a)
	}
}

// TestE_CVE_2013_4287: versions that cost a backtracking matcher minutes cost nothing here.
func TestE_CVE_2013_4287(t *testing.T) {
	g := newRig(t)
	for _, v := range []string{strings.Repeat("1", 255) + "!", strings.Repeat("1.", 120) + "!", "1" + strings.Repeat(".a", 100) + "-", strings.Repeat("9", 60_000)} {
		r := newRelease("demo", v)
		g.want(g.push("ada", r), 422, "")
	}
	r := newRelease("demo", strings.Repeat("9", 255))
	g.want(g.push("ada", r), 200, "")
	g.publish("demo", "1."+strings.Repeat("0", 250)+"1")
}

// TestE_Escapes: what a terminal would obey never comes out of an answer.
func TestE_Escapes(t *testing.T) {
	g := newRig(t)
	for _, r := range []*release{newRelease("de\x1b[31mmo", "1.0"), newRelease("demo", "1\x1b]0;x\x07"), {name: "demo", version: "1", platform: "x\u009b"}} {
		a := g.push("ada", r)
		if strings.ContainsFunc(a.Body, func(c rune) bool { return c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 }) || a.Status != 422 {
			t.Errorf("%v", a)
		}
	}
	a := g.Ada("DELETE", "/api/v1/gems/yank", body("gem_name", "demo", "version", "\x1b[2J"))
	if a.Status != 404 || strings.Contains(a.Body, "\x1b") {
		t.Errorf("%v", a)
	}
	r := newRelease("demo", "1.0")
	r.more = "summary: \"red \\e[31m\\u009b2J\"\ndescription: \"a\\nb\\e[1m\"\nauthors:\n- \"A\\ada\"\nlicenses:\n- \"M\\bIT\"\nmetadata:\n  \"k\\x7fey\": \"v\\x1balue\"\n"
	if a := g.want(g.push("ada", r), 200, ""); strings.Contains(a.Body, "\x1b") {
		t.Errorf("%v", a)
	}
	for path, want := range map[string]string{
		"/api/v1/search.json?query=demo": `"info":"a\nb[1m"`, "/api/v1/gems/demo.json": `"authors":"Ada"`, "/api/v1/versions/demo.json": `"summary":"red [31m2J"`,
		"/api/v2/rubygems/demo/versions/1.0.json": `"metadata":{"key":"value"}`, "/api/v1/activity/just_updated.json": `"licenses":["MIT"]`,
	} {
		a := g.want(g.Do("GET", path, nil), 200, want)
		if strings.Contains(a.Body, `\u00`) || strings.ContainsAny(a.Body, "\x1b\x7f\u009b") {
			t.Errorf("%s: %q", path, a.Body)
		}
	}
}

// TestH4_LostAnswer: the connection breaks after the commit; the client asks again and learns that it has worked.
func TestH4_LostAnswer(t *testing.T) {
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

// TestConcurrentPushes: different versions and gems at the same time all survive, in one list; of one number, one does.
func TestConcurrentPushes(t *testing.T) {
	g := newRig(t)
	const n = 12
	results := make(chan answer, 2*n)
	for i := range n {
		go func() { results <- g.push("ada", newRelease(fmt.Sprintf("gem%d", i%3), fmt.Sprintf("1.%d", i+1))) }()
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
	if got[200] != n+1 || got[409] != n-1 {
		t.Errorf("%v", got)
	}
	if l := lines(g.get("/versions")); len(l) != n+1 {
		t.Errorf("%q", l)
	}
}

// TestConcurrentReaders: whoever reads while others push gets a list that is whole and sums that are its own.
func TestConcurrentReaders(t *testing.T) {
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
			t.Fatal("half a line")
		}
	}
}

// TestPublishFaults: at each durable step "failed" and "failed, but persisted"; a second try always ends well.
func TestPublishFaults(t *testing.T) {
	r := newRelease("demo", "1.0")
	r.more = "description: " + strings.Repeat("long ", 5000) + "\n"
	p := r.build()
	prepare := func(t *testing.T, s *store.Store) { serve(t, s).User("ada", nil) }
	push := func(t *testing.T, s *store.Store) error {
		if a := serve(t, s).Do("POST", "/api/v1/gems", p, wiretest.Basic("ada", "secret")); a.Status != 200 {
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
			t.Errorf("/info is %d, /versions has %d lines", there, n)
		}
		g.checkIndexes()
		g.want(g.Ada("POST", "/api/v1/gems", p), 200, "demo (1.0)")
		g.want(g.Do("GET", "/gems/demo-1.0.gem", nil), 200, "")
		if l := lines(g.get("/versions")); len(l) != 1 {
			t.Errorf("%q", l)
		}
		g.checkIndexes()
	})
}

// TestPushCost: what a push allocates and writes depends neither on the number of gems nor on that of versions.
func TestPushCost(t *testing.T) {
	small, large := newRig(t), newRig(t)
	fill(t, large.Store, 0, 4_000)
	for i := range 300 {
		blob := storetest.Put(t, large.Store, "a gem")
		err := large.s.Repo.Update(context.Background(), "many", func(tx *store.PackageTx[Meta]) error { return fillGem(tx, "many", fmt.Sprintf("1.%d", i), blob) })
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
