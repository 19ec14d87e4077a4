package cargo

// Tests of publishing: what is refused, what a publish leaves behind, and what it costs.

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"larder/auth"
	"larder/cargo/names"
	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

// TestPublishedVersionCanBeReadAtOnce: what is published can be read, in every way, before the answer is written.
func TestPublishedVersionCanBeReadAtOnce(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0.0")
	a := g.Want(g.put("ada", r), 200, "")
	if want := `{"warnings":{"invalid_badges":[],"invalid_categories":[],"other":[]}}` + "\n"; a.Body != want {
		t.Errorf("publish: got %s, want %s", a.Body, want)
	}
	sum := sumOf(r.tarball)
	if line := g.line("demo"); line["cksum"] != sum {
		t.Errorf("the line: got %v, want the checksum %s", line, sum)
	}
	for _, path := range []string{"/api/v1/crates/demo/1.0.0/download", "/dl/" + sum + "/demo-1.0.0.crate"} {
		a := g.Want(g.Do("GET", path, nil), 200, "")
		if a.Body != string(r.tarball) || a.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: other bytes", path)
		}
	}
	// A body without an announced length, in pieces of one byte.
	r = newRelease("demo", "1.0.1")
	g.Want(g.Do("PUT", pathNew, io.Reader(oneByte{bytes.NewReader(r.body())}), g.As("ada")), 200, "")
	// The token as cargo sends it, and in the forms people store.
	for i, form := range []string{"%s", "Bearer %s", "bearer  %s"} {
		r := newRelease("demo", fmt.Sprintf("2.0.%d", i))
		g.Want(g.Do("PUT", pathNew, r.body(), wiretest.Header("Authorization", fmt.Sprintf(form, g.Keys["ada"]))), 200, "")
	}
	g.Want(g.Do("PUT", pathNew, newRelease("demo", "3.0.0").body(), wiretest.Basic("ada", g.Keys["ada"])), 200, "")
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

// refusal is a publish that must be refused.
type refusal struct {
	status int
	text   string
	change func(*release)
}

func tarballOf(files map[string]string) func(*release) {
	return func(r *release) { r.tarball = pack("demo-1.0.0", files) }
}

const plainToml = "[package]\nname = \"demo\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"

// TestRefusedPublishLeavesNothing: what a publish may not be; nothing of it stays, neither in the index nor among the
// blobs.
func TestRefusedPublishLeavesNothing(t *testing.T) {
	base := func(key string, value any) func(*release) {
		return func(r *release) {
			r.deps = newRelease("", "", fields{"name": "base"}).deps
			r.manifestNow()
			r.deps[0][key] = value
		}
	}
	g := newRig(t)
	g.publish("base", "1.0.0")
	for name, c := range map[string]refusal{
		"name with a digit first": {400, "not a crate name", func(r *release) { r.name = "1demo" }},
		"name with a dot":         {400, "not a crate name", func(r *release) { r.name = "de.mo" }},
		"name a/../b":             {400, "not a crate name", func(r *release) { r.name = "a/../b" }},
		"name empty":              {400, "not a crate name", func(r *release) { r.name = "" }},
		"name with an umlaut":     {400, "not a crate name", func(r *release) { r.name = "dämo" }},
		"name of 65":              {400, "not a crate name", func(r *release) { r.name = strings.Repeat("a", 65) }},
		"name nul":                {400, "reserved", func(r *release) { r.name = "nul" }},
		"name LPT1":               {400, "reserved", func(r *release) { r.name = "LPT1" }},
		"name new":                {400, "reserved", func(r *release) { r.name = "new" }},
		"name proc-macro":         {400, "reserved", func(r *release) { r.name = "proc-macro" }},
		"name std":                {400, "reserved", func(r *release) { r.name = "std" }},
		"version 1.0":             {400, "not a semantic version", func(r *release) { r.version = "1.0" }},
		"version of 151": {400, "not a semantic version",
			func(r *release) { r.version = "1.0.0-" + strings.Repeat("a", 145) }},
		"homepage javascript": {400, "not an http", func(r *release) { r.json["homepage"] = "javascript:alert(1)" }},
		"repository a path":   {400, "not an http", func(r *release) { r.json["repository"] = "/etc/passwd" }},
		"long description": {400, "description has 1001",
			func(r *release) { r.json["description"] = strings.Repeat("a", 1001) }},
		"six keywords": {400, "at most 5 keywords",
			func(r *release) { r.json["keywords"] = []string{"a", "b", "c", "d", "e", "f"} }},
		"a long keyword": {400, "not a keyword",
			func(r *release) { r.json["keywords"] = []string{strings.Repeat("a", 21)} }},
		"a keyword with a blank": {400, "not a keyword", func(r *release) { r.json["keywords"] = []string{"a b"} }},
		"six categories": {400, "at most 5",
			func(r *release) { r.json["categories"] = []string{"a", "b", "c", "d", "e", "f"} }},
		"license with a newline": {400, "do not print", func(r *release) { r.json["license"] = "MIT\nX" }},
		"301 features":           {400, "301 features", func(r *release) { r.many(301, 0) }},
		"301 values":             {400, "switches on 301", func(r *release) { r.many(1, 301) }},
		"501 dependencies": {400, "501 dependencies",
			func(r *release) { r.deps = make([]fields, 501); r.manifestNow() }},
		"feature with a slash": {400, "not the name of a feature", func(r *release) { r.features["a/b"] = []string{} }},
		"feature with a script": {400, "not the name of a feature",
			func(r *release) { r.features["<script>"] = []string{} }},
		"weak on a plain one": {400, "neither a feature nor",
			func(r *release) { base("x", 1)(r); r.features["a"] = []string{"base?/std"} }},
		"dep: of a plain one": {400, "neither a feature nor",
			func(r *release) { base("x", 1)(r); r.features["a"] = []string{"dep:base"} }},
		"optional dev-dependency": {400, "is optional",
			func(r *release) { base("kind", "dev")(r); r.deps[0]["optional"] = true }},
		"alias with a dot":        {400, "not a name for a dependency", base("explicit_name_in_toml", "a.b")},
		"dependency without name": {400, "not a crate name", base("name", "")},
		"password in a registry":  {400, "not the address", base("registry", "sparse+https://u:p@registry.example.com/")},
		"JSON of another type":    {400, "wrong type: vers is a number", func(r *release) { r.json["vers"] = 1 }},
		"JSON twice the same key": {400, "twice",
			func(r *release) { r.change = func(j fields) {}; r.json["x"] = rawTwice{} }},
		"Cargo.toml: other name": {400, "Cargo.toml about other 1.0.0",
			tarballOf(map[string]string{"Cargo.toml": strings.Replace(plainToml, "demo", "other", 1)})},
		"Cargo.toml: version": {400, "Cargo.toml about demo 2.0.0",
			tarballOf(map[string]string{"Cargo.toml": strings.Replace(plainToml, "1.0.0", "2.0.0", 1)})},
		"Cargo.toml: inherited": {400, "inherited from a workspace",
			tarballOf(map[string]string{"Cargo.toml": plainToml + "license.workspace = true\n"})},
		"Cargo.toml: no package": {400, "no [package]", tarballOf(map[string]string{"Cargo.toml": "[workspace]\n"})},
		"Cargo.toml: no TOML":    {400, "line 2 is not TOML", tarballOf(map[string]string{"Cargo.toml": "[package]\n= 1"})},
		"Cargo.toml: bomb": {400, "nested more than",
			tarballOf(map[string]string{"Cargo.toml": plainToml + "x = " + strings.Repeat("[", 100_000)})},
		"Cargo.toml: dependency": {400, "differ in the dependency evil",
			tarballOf(map[string]string{"Cargo.toml": plainToml + "[dependencies]\nevil = \"1\"\n"})},
		"Cargo.toml: feature": {400, "differ in the feature std",
			tarballOf(map[string]string{"Cargo.toml": plainToml + "[features]\nstd = []\n"})},
		"Cargo.toml: links": {400, "differ in links",
			tarballOf(map[string]string{"Cargo.toml": plainToml + "links = \"z\"\n"})},
		"JSON: more dependencies": {400, "differ in the dependency base",
			func(r *release) { r.manifestNow(); r.deps = newRelease("", "", fields{"name": "base"}).deps }},
		"JSON: other requirement": {400, "differ in the dependency base", base("version_req", "^2")},
		"JSON: other kind":        {400, "differ in the dependency base", base("kind", "build")},
		"JSON: other target":      {400, "differ in the dependency base", base("target", "cfg(unix)")},
		"JSON: other features":    {400, "differ in the dependency base", base("features", []string{"x"})},
		"JSON: optional":          {400, "differ in the dependency base", base("optional", true)},
		"JSON: default features":  {400, "differ in the dependency base", base("default_features", false)},
		"JSON: other registry": {400, "differ in the dependency base",
			base("registry", "sparse+https://evil.example.com/")},
		"JSON: renamed":          {400, "differ in the dependency", base("explicit_name_in_toml", "other")},
		"no Cargo.toml":          {400, "has no Cargo.toml", tarballOf(map[string]string{"src/lib.rs": ""})},
		"Cargo.toml in a folder": {400, "has no Cargo.toml", tarballOf(map[string]string{"src/Cargo.toml": plainToml})},
		"two Cargo.toml": {400, "two files Cargo.toml",
			tarballOf(map[string]string{"Cargo.toml": plainToml, "cargo.toml": plainToml})},
		"CARGO.TOML": {400, "called CARGO.TOML", tarballOf(map[string]string{"CARGO.TOML": plainToml})},
		"foreign folder": {400, "not below demo-1.0.0/",
			tarballOf(map[string]string{"Cargo.toml": plainToml, "!other-1.0.0/x": ""})},
		"folder of another": {400, "not below demo-1.0.0/",
			tarballOf(map[string]string{"Cargo.toml": plainToml, "!demo-1.0.00/x": ""})},
		"out of the folder": {400, "leads outside", tarballOf(map[string]string{"Cargo.toml": plainToml, "../x": ""})},
		"absolute": {400, "leads outside",
			tarballOf(map[string]string{"Cargo.toml": plainToml, "!/etc/passwd": ""})},
		"backslash": {400, "leads outside", tarballOf(map[string]string{"Cargo.toml": plainToml, `a\b`: ""})},
		".cargo-ok": {400, ".cargo-ok",
			tarballOf(map[string]string{"Cargo.toml": plainToml, ".cargo-ok": "ok"})},
		"no archive":    {400, "damaged", func(r *release) { r.tarball = []byte("no archive at all") }},
		"empty archive": {400, "damaged", func(r *release) { r.tarball = []byte{} }},
		"cut archive": {400, "damaged",
			func(r *release) { r.crate(); r.tarball = r.tarball[:len(r.tarball)-20] }},
		"bytes after the archive": {400, "damaged",
			func(r *release) { r.crate(); r.tarball = append(r.tarball, "more"...) }},
		"two archives in one file": {400, "damaged",
			func(r *release) { r.crate(); r.tarball = append(r.tarball, r.tarball...) }},
	} {
		t.Run(name, func(t *testing.T) {
			g := g.in(t)
			r := newRelease("demo", "1.0.0")
			c.change(r)
			before, journal := g.blobs(), g.Journal()
			body := bytes.Replace(r.body(), []byte(`"twice"`), []byte(`1,"x":2`), 1)
			if a := g.put1(body, len(r.crate())); a.Status != c.status || !strings.Contains(detail(a), c.text) {
				t.Errorf("%v, want %d %s", a, c.status, c.text)
			}
			if g.blobs() != before || g.Journal() != journal {
				t.Error("something is stored")
			}
			if path := names.IndexPath(r.name); !strings.ContainsAny(path, ".ä") && r.name != "" && len(r.name) < 65 {
				g.Want(g.Do("GET", "/index/"+path, nil), 404, "")
			}
		})
	}
}

// rawTwice becomes a key that is there twice.
type rawTwice struct{}

func (rawTwice) MarshalJSON() ([]byte, error) { return []byte(`"twice"`), nil }

// put1 sends a body whose JSON may have changed its length.
func (g *rig) put1(body []byte, crate int) answer {
	binary.LittleEndian.PutUint32(body, uint32(len(body)-crate-8))
	return g.Do("PUT", pathNew, body, g.As("ada"))
}

// manifestNow packs the archive before the request is changed.
func (r *release) manifestNow() { r.crate() }

// many gives the release features, each with values.
func (r *release) many(features, values int) {
	for i := range features {
		list := []string{}
		for j := range values {
			list = append(list, fmt.Sprintf("dep:d%d", j))
		}
		r.features[fmt.Sprintf("f%d", i)] = list
	}
}

// TestFrameLengthsAreChecked: both lengths are the client's word, and no more.
func TestFrameLengthsAreChecked(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0.0")
	good := r.body()
	meta := int(binary.LittleEndian.Uint32(good))
	with := func(at int, n uint32) []byte {
		p := bytes.Clone(good)
		binary.LittleEndian.PutUint32(p[at:], n)
		return p
	}
	for name, c := range map[string]struct {
		body   []byte
		status int
		text   string
	}{
		"empty":                 {nil, 400, "it ends within JSON"},
		"three bytes":           {good[:3], 400, "it ends within JSON"},
		"JSON of 4 GiB":         {with(0, 1<<32-1), 400, "more than the body has"},
		"JSON over the limit":   {append(with(0, maxUpload+1), make([]byte, maxUpload)...), 413, "at most 1048576"},
		"JSON cut":              {good[:meta], 400, "more than the body has"},
		"JSON too short":        {with(0, uint32(meta-1)), 400, ""},
		"crate of 4 GiB":        {with(4+meta, 1<<32-1), 400, "more than the body has"},
		"crate too short":       {with(4+meta, uint32(len(r.tarball)-1)), 400, "1 bytes follow"},
		"crate too long":        {with(4+meta, uint32(len(r.tarball)+1)), 400, "more than the body has"},
		"no crate":              {good[:4+meta], 400, "it ends within crate"},
		"bytes after the crate": {append(bytes.Clone(good), 0), 400, "1 bytes follow"},
		"BOM":                   {frameOf([]byte("\ufeff{}"), r.tarball), 400, "its JSON"},
		"no UTF-8":              {frameOf([]byte("{\"name\":\"\xff\"}"), r.tarball), 400, "not UTF-8"},
		"JSON in JSON":          {frameOf([]byte("{} {}"), r.tarball), 400, "its JSON"},
		"an array":              {frameOf([]byte("[]"), r.tarball), 400, "its JSON"},
		"deep":                  {frameOf([]byte(`{"x":`+strings.Repeat("[", 1000)), r.tarball), 400, "nested"},
	} {
		for _, streamed := range []bool{false, true} {
			var body any = c.body
			if streamed {
				body = io.Reader(bytes.NewReader(c.body))
			}
			a := g.Do("PUT", pathNew, body, g.As("ada"))
			if a.Status != c.status && !(streamed && a.Status == 413) || !streamed && !strings.Contains(detail(a), c.text) {
				t.Errorf("%s, streamed %t: %v", name, streamed, a)
			}
		}
	}
	if g.blobs() != newRig(t).blobs() {
		t.Error("something is stored")
	}
}

// TestUnpackedSizeIsLimited: sizes hold whatever an archive says of itself, and limits can be set (CVE-2022-36114).
func TestUnpackedSizeIsLimited(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.cargo.MaxCrate, o.cargo.MaxUnpacked = 64<<10, 1<<20 })
	bomb := newRelease("demo", "1.0.0")
	bomb.files["zeros"] = strings.Repeat("\x00", 2<<20)
	g.Want(g.put("ada", bomb), 413, "unpacks to too much")
	big := newRelease("demo", "1.0.0")
	big.tarball = bytes.Repeat([]byte("x"), 65<<10)
	g.Want(g.put("ada", big), 413, "at most 65536")
	quota := newRig(t, func(o *rigOptions) {
		rules := store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Kind: store.Cargo, Bytes: 100}}})
		o.Store = append(o.Store, storetest.WithPolicies(rules))
	})
	quota.Want(quota.put("ada", newRelease("demo", "1.0.0")), 413, "")
}

// TestConfusableNamesAreRefused: one crate for each canonical name; the refusal names the other to whoever may see it,
// and nothing to others.
func TestConfusableNamesAreRefused(t *testing.T) {
	g := newRig(t)
	g.publish("foo-bar", "1.0.0")
	for _, name := range []string{"foo_bar", "Foo-Bar", "FOO_bar"} {
		g.Want(g.put("ada", newRelease(name, "2.0.0")), 400, "previously named foo-bar")
	}
	g.publish("foobar", "1.0.0")
	g.publish("secret-one", "1.0.0")
	g.Want(g.Ada("PATCH", "/api/v1/crates/secret-one", fields{"crate": fields{"private": true}}), 200, "")
	g.User("bob", nil)
	a := g.Want(g.put("bob", newRelease("secret_one", "1.0.0")), 400, "too similar to one that is taken")
	if strings.Contains(a.Body, "secret-one") {
		t.Errorf("%v names a crate that bob may not see", a)
	}
	g.Want(g.put("bob", newRelease("secret-one", "2.0.0")), 403, "may not publish")
	// A name that was given up is free.
	g.Want(g.Ada("DELETE", "/api/v1/crates/foo-bar", nil), 200, "")
	g.publish("foo_bar", "3.0.0")
}

// TestVersionIsPublishedOnce: a version is published once, and never again after it was deleted.
func TestVersionIsPublishedOnce(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0+a")
	g.Want(g.put("ada", newRelease("demo", "1.0.0+a")), 409, "published already and cannot be changed")
	g.Want(g.put("ada", newRelease("demo", "1.0.0+b")), 409, "differ in more than build metadata")
	g.Want(g.put("ada", newRelease("demo", "1.0.0")), 409, "1.0.0+a of demo is published already")
	g.Want(g.Ada("DELETE", "/api/v1/crates/demo/1.0.0", nil), 404, "version not found")
	g.Want(g.Ada("DELETE", "/api/v1/crates/demo/1.0.0+a", nil), 200, "")
	g.Want(g.Do("GET", "/index/de/mo/demo", nil), 404, "")
	g.Want(g.put("ada", newRelease("demo", "1.0.0+c")), 409, "was deleted")
	g.publish("demo", "1.0.1")
	g.Want(g.Ada("DELETE", "/api/v1/crates/demo", nil), 200, "")
	g.Want(g.put("ada", newRelease("demo", "1.0.1")), 409, "was deleted")
	g.publish("demo", "1.0.2")
}

// TestPublisherIsWarned: what a publisher should know although the publish succeeds, and what the operator says to
// everyone.
func TestPublisherIsWarned(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.cargo.Notice = "Use the staging registry for experiments." })
	r := newRelease("demo", "1.0.0", fields{"name": "far", "registry": "sparse+https://registry.example.com/index/"},
		fields{"name": "any", "version_req": "*"},
		fields{"name": "serde", "registry": "https://github.com/rust-lang/crates.io-index"})
	var reply struct {
		Warnings struct{ Other []string }
	}
	g.Want(g.put("ada", r), 200, "").Decode(t, &reply)
	other := strings.Join(reply.Warnings.Other, "|")
	if len(reply.Warnings.Other) != 3 || !strings.Contains(other, "any accepts every version") ||
		!strings.Contains(other, "far comes from the registry at registry.example.com") ||
		!strings.HasSuffix(other, "experiments.") {
		t.Errorf("got the warnings %q, want one of far, one of any and the notice", reply.Warnings.Other)
	}
	strict := newRig(t, func(o *rigOptions) { o.cargo.RequireMetadata = true })
	bare := newRelease("demo", "1.0.0")
	bare.json["license"] = nil
	strict.Want(strict.put("ada", bare), 400, "wants a description and a license")
	strict.publish("demo", "1.0.0")
}

// TestOwnRegistryIsLeftOutOfLines: cargo writes the address into Cargo.toml and leaves it out of the request; others
// say it in both.
func TestOwnRegistryIsLeftOutOfLines(t *testing.T) {
	g := newRig(t)
	g.publish("base", "1.0.0")
	for i, own := range []string{"/index/", "/index", "/", "", "/private/index/", "/private/"} {
		own = "sparse+" + g.Base + own
		for j, said := range []any{nil, own} {
			r := newRelease("demo", fmt.Sprintf("1.%d.%d", i, j), fields{"name": "base", "registry": own})
			r.crate()
			r.deps[0]["registry"] = said
			g.Want(g.put("ada", r), 200, `"other":[]`)
		}
	}
	for _, l := range g.lines("demo") {
		if strings.Contains(l, "registry") {
			t.Errorf("a line names this registry: %s", l)
		}
	}
}

// TestConcurrentPublishes: different versions at the same time all survive; of the same version, or of names that may
// not both exist, exactly one does.
func TestConcurrentPublishes(t *testing.T) {
	g := newRig(t)
	const n = 8
	for what, c := range map[string]struct {
		release func(i int) *release
		ok      int
	}{
		"versions":    {func(i int) *release { return newRelease("many", fmt.Sprintf("1.0.%d", i)) }, n},
		"one version": {func(int) *release { return newRelease("same", "1.0.0") }, 1},
		"one number":  {func(i int) *release { return newRelease("build", fmt.Sprintf("1.0.0+%d", i)) }, 1},
		"alike names": {func(i int) *release {
			return newRelease([]string{"a-b", "a_b", "A-b", "A_B"}[i%4], fmt.Sprintf("1.0.%d", i))
		}, n / 4},
		"other crates": {func(i int) *release { return newRelease(fmt.Sprintf("crate%d", i), "1.0.0") }, n},
	} {
		results := make(chan answer, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { results <- g.put("ada", c.release(i)) })
		}
		wg.Wait()
		close(results)
		ok := 0
		for a := range results {
			switch a.Status {
			case 200:
				ok++
			case 400, 409:
			default:
				t.Errorf("%s: %v", what, a)
			}
		}
		if ok != c.ok {
			t.Errorf("%s: %d published, want %d", what, ok, c.ok)
		}
	}
	if got := len(g.lines("many")); got != n {
		t.Errorf("%d lines", got)
	}
}

// TestPublishFaults: at each durable step "failed" and "failed, but persisted"; afterwards the version is there whole,
// with its line, or not at all, and can then be published.
func TestPublishFaults(t *testing.T) {
	r := newRelease("demo", "1.0.0")
	r.json["readme"] = strings.Repeat("read me ", 4<<10)
	body := r.body()
	publish := func(t *testing.T, s *store.Store) error {
		if a := serve(t, s).Do("PUT", pathNew, body, wiretest.Basic("ada", "secret")); a.Status != 200 {
			return errors.New(a.String())
		}
		return nil
	}
	prepare := func(t *testing.T, s *store.Store) { serve(t, s).User("ada", nil) }
	storetest.BrokenAt(t, prepare, publish, func(t *testing.T, dir string, err error) {
		g := serve(t, storetest.Open(t, dir))
		g.Key("ada2", auth.TokenSpec{User: "ada"})
		there := g.Do("GET", "/index/de/mo/demo", nil).Status
		if err == nil && there != 200 {
			t.Errorf("a publish that was confirmed is lost: %d", there)
		}
		want := map[int]int{200: 409, 404: 200}[there]
		if a := g.Do("PUT", pathNew, body, g.As("ada2")); a.Status != want {
			t.Errorf("the second try: %v, want %d", a, want)
		}
		a := g.Want(g.Do("GET", "/index/de/mo/demo", nil), 200, "")
		if strings.Count(a.Body, "\n") != 1 {
			t.Errorf("the index: got %q, want one line", a.Body)
		}
		g.Want(g.Do("GET", "/dl/"+sumOf(r.tarball)+"/demo-1.0.0.crate", nil), 200, "")
		g.Want(g.Do("GET", "/api/v1/crates/demo/1.0.0/readme", nil), 200, "read me")
		g.Want(g.Do("GET", "/api/v1/crates?q=demo", nil), 200, `"total":1`)
		g.checkLines()
	})
}

// TestPublishCost: what a publish allocates does not depend on how many versions there are.
func TestPublishCost(t *testing.T) {
	g := newRig(t)
	fillCrate(t, g.Store, "small", 10)
	fillCrate(t, g.Store, "large", 2000)
	i := 0
	cost := func(name string) float64 {
		return testing.AllocsPerRun(10, func() {
			i++
			g.Want(g.put("ada", newRelease(name, fmt.Sprintf("99.0.%d", i))), 200, "")
		})
	}
	cost("small")
	if small, large := cost("small"), cost("large"); large > 1.5*small {
		t.Errorf("%.0f allocations with 10 versions, %.0f with 2000", small, large)
	}
}

// fillCrate writes n versions without their way through HTTP.
func fillCrate(t testing.TB, s *store.Store, name string, n int) {
	t.Helper()
	repo := store.NewRepo[Meta](s, store.Cargo)
	storetest.FillWith(t, s, n, func(tx *store.Tx, i int, file store.Blob) error {
		return repo.In(tx, name, func(tx *store.PackageTx[Meta]) error {
			return fillVersion(tx, file, fmt.Sprintf("%d.%d.%d", i/400, i/20%20, i%20))
		})
	})
}

func fillVersion(tx *store.PackageTx[Meta], blob store.Blob, id string) error {
	u := &upload{Name: tx.Name(), Vers: id, Description: "a crate of a test",
		Features: map[string][]string{"default": {"std"}, "std": {}}}
	for i := range 12 {
		u.Deps = append(u.Deps, uploadDep{Name: fmt.Sprintf("dependency-%d", i), Req: "^1.2.3", Kind: "normal",
			DefaultFeatures: true})
	}
	deps, err := u.check(Options{}.WithDefaults(), func(string) bool { return false })
	if err != nil {
		return err
	}
	head, err := lineHead{Name: u.Name, Vers: id, Deps: deps, Cksum: blob.Digest.Encoded(), Features: u.Features}.encode()
	if err != nil {
		return err
	}
	p := &publication{up: u, deps: deps, row: row{ID: id, Head: head}, record: store.Version[Meta]{ID: id, Meta: u.meta()}}
	p.record.Files = []store.File{{Name: names.File(u.Name, id), Digest: blob.Digest, Size: blob.Size}}
	p.ctx = context.Background()
	return p.commit(tx)
}

func FuzzFrame(f *testing.F) {
	good := newRelease("demo", "1.0.0", fields{"name": "base"}).body()
	f.Add(good, true)
	f.Add(good[:len(good)-1], false)
	const withArtifact = `{"name":"a","vers":"1.0.0","features":{"x":["dep:b"]},
		"deps":[{"name":"b","version_req":"*","artifact":"bin","target":"cfg(any(unix))"}]}`
	f.Add(frameOf([]byte(withArtifact), nil), true)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, false)
	f.Fuzz(func(t *testing.T, p []byte, announced bool) {
		read := func(r io.Reader) (*upload, []byte, error) {
			fr := &frame{r: r, left: -1}
			if announced {
				fr.left = int64(len(p))
			}
			u, err := fr.metadata()
			if err != nil {
				return nil, nil, err
			}
			var crate bytes.Buffer
			err = fr.crate(1<<20, func(size int64) (io.Writer, error) { return &crate, nil })
			return u, crate.Bytes(), err
		}
		u, crate, err := read(bytes.NewReader(p))
		_, again, err2 := read(oneByte{bytes.NewReader(p)})
		if (err == nil) != (err2 == nil) || err == nil && !bytes.Equal(crate, again) {
			t.Fatalf("whole: %v, in pieces: %v", err, err2)
		}
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 413 {
				t.Fatalf("%v is a %d", err, s)
			}
			return
		}
		deps, err := u.check(Options{}.WithDefaults(), func(string) bool { return false })
		if err != nil {
			if s := problem.Status(err); s != 400 {
				t.Fatalf("%v is a %d", err, s)
			}
			return
		}
		// Whatever passes makes a line that cargo reads.
		features := map[string][]string{}
		for name, values := range u.Features {
			features[name] = append([]string{}, values...)
		}
		head, err := lineHead{Name: u.Name, Vers: u.Vers, Deps: deps, Cksum: someSum, Features: features}.encode()
		if err != nil {
			t.Fatal(err)
		}
		tail, err := lineTail{Links: u.Links, RustVersion: u.RustVersion, Pubtime: "2026-01-02T03:04:05Z"}.encode()
		if err != nil {
			t.Fatal(err)
		}
		r := row{Head: head, Tail: tail}
		if problem := lineProblem(string(r.appendLine(nil)), u.Name); problem != "" {
			t.Fatalf("%s: %s", problem, r.appendLine(nil))
		}
	})
}

// TestArchiveAndRequestMustAgree: what is resolved, the request, and what is built, the archive, are the same
// dependencies and features, or nothing is published.
func TestArchiveAndRequestMustAgree(t *testing.T) {
	g := newRig(t)
	g.publish("good", "1.0.0")
	hidden := newRelease("demo", "1.0.0", fields{"name": "good"})
	hidden.toml["dependencies"] = fields{"evil": "1"}
	g.Want(g.put("ada", hidden), 400, "differ in the dependency")
	extra := newRelease("demo", "1.0.0", fields{"name": "good"})
	extra.toml["build-dependencies"] = fields{"evil": "1"}
	g.Want(g.put("ada", extra), 400, "differ in the dependency evil")
	feature := newRelease("demo", "1.0.0", fields{"name": "good", "optional": true})
	feature.toml["features"] = fields{"default": []string{"dep:good"}}
	g.Want(g.put("ada", feature), 400, "differ in the feature default")
	g.Want(g.Do("GET", "/index/de/mo/demo", nil), 404, "")
}

// TestFeatureNamesHaveNoMarkup: names end up in reports that people open in a browser (CVE-2023-40030).
func TestFeatureNamesHaveNoMarkup(t *testing.T) {
	g := newRig(t)
	for _, name := range []string{"<img src=x>", `a"b`, "a b", "a&b", "a;b", "a\x00b", "-a", ""} {
		r := newRelease("demo", "1.0.0")
		r.crate()
		r.features[name] = []string{}
		g.Want(g.put("ada", r), 400, "")
	}
	r := newRelease("demo", "1.0.0")
	r.features = map[string]any{"std": []string{}, "c++20": []string{"v1.2"}, "v1.2": []string{}, "_x": []string{},
		"3d": []string{}}
	g.Want(g.put("ada", r), 200, "")
}

// TestAmbiguousArchivesAreRefused: archives that two readers would unpack differently (the class of CVE-2025-62518).
func TestAmbiguousArchivesAreRefused(t *testing.T) {
	g := newRig(t)
	good := pack("demo-1.0.0", map[string]string{"Cargo.toml": plainToml})
	other := pack("demo-1.0.0", map[string]string{"Cargo.toml": plainToml, "src/lib.rs": "compile_error!(\"other\");"})
	for name, tarball := range map[string][]byte{
		"a second gzip member": append(bytes.Clone(good), other...), "bytes after it": append(bytes.Clone(good), 0),
		"a second archive inside": doubled(t, good, other),
	} {
		r := newRelease("demo", "1.0.0")
		r.tarball = tarball
		if a := g.put("ada", r); a.Status != 400 || !strings.Contains(detail(a), "all readers understand alike") {
			t.Errorf("%s: %v", name, a)
		}
	}
}

// doubled is one gzip member that holds two tar archives.
func doubled(t *testing.T, archives ...[]byte) []byte {
	t.Helper()
	var plain bytes.Buffer
	for _, p := range archives {
		z, err := gzip.NewReader(bytes.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&plain, z); err != nil {
			t.Fatal(err)
		}
	}
	return wiretest.Gzip(plain.String())
}
