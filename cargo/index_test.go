package cargo

// Tests of the lines of the index, and the golden files of every document.

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/wiretest"
	"larder/store/storetest"
)

var (
	pubtime     = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	rustVersion = regexp.MustCompile(`^\d+(\.\d+){0,2}$`)
	cksum       = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// lineProblem says what cargo would hold against a line: it loses such a version (Cargo Book, Registry Index).
func lineProblem(line, display string) string {
	if !strings.HasSuffix(line, "}\n") || strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "{") {
		return "it is not one line"
	}
	if strings.Contains(line, `\u003`) {
		return "characters are escaped that need not be"
	}
	var l map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		return err.Error()
	}
	text := func(key string) string {
		var s string
		_ = json.Unmarshal(l[key], &s) // "" for anything else, which every rule below refuses
		return s
	}
	_, parsed := version.Parse(text("vers"))
	yanked := string(l["yanked"])
	switch {
	case text("name") != display:
		return "the name is " + text("name")
	case !parsed:
		return "the version is " + text("vers")
	case l["deps"] == nil || l["deps"][0] != '[', l["features"] == nil || l["features"][0] != '{':
		return "deps or features are missing"
	case !cksum.MatchString(text("cksum")):
		return "the checksum is " + text("cksum")
	case yanked != "true" && yanked != "false":
		return "yanked is " + yanked
	case !pubtime.MatchString(text("pubtime")):
		return "the pubtime is " + text("pubtime")
	case l["rust_version"] != nil && !rustVersion.MatchString(text("rust_version")):
		return "the rust_version is " + text("rust_version")
	case l["links"] != nil && text("links") == "":
		return "links is empty"
	case l["v"] != nil && string(l["v"]) != "3" || l["features2"] != nil:
		return "v or features2"
	case strings.Contains(string(l["features"]), "null"):
		return "features have null"
	}
	return depsProblem(l["deps"])
}

func depsProblem(raw json.RawMessage) string {
	var deps []map[string]any
	if err := json.Unmarshal(raw, &deps); err != nil {
		return err.Error()
	}
	for _, d := range deps {
		name, _ := d["name"].(string)
		req, _ := d["req"].(string)
		target, hasTarget := d["target"].(string)
		_, list := d["features"].([]any)
		_, optional := d["optional"].(bool)
		_, defaults := d["default_features"].(bool)
		_, plain := version.CanonicalRequirement(req)
		switch {
		case names.CheckAlias(name) != nil, !plain, !list, !optional, !defaults:
			return fmt.Sprint("the dependency ", d)
		case !slices.Contains([]any{"normal", "build", "dev"}, d["kind"]):
			return fmt.Sprint("the kind ", d["kind"])
		case hasTarget && names.CheckTarget(target) != nil:
			return "the target " + target
		}
		for _, key := range []string{"registry", "package"} {
			if v, ok := d[key]; ok && (v == nil || v == "") {
				return key + " is empty"
			}
		}
	}
	return ""
}

// matrixCase is one row of the index matrix: what is sent, and either the words of the refusal or what the line must
// have.
type matrixCase struct {
	name    string // of the crate
	what    string
	change  func(r *release)
	refused string
	want    fields // of the line; a key with nil must be absent
	dep     fields // of the line's only dependency, likewise
	foreign bool   // not for a real cargo: it would ask another registry, or needs a nightly
}

// dep sets a field of the only dependency in the request, and leaves Cargo.toml as it was if hidden.
func dep(key string, value any) func(*release) {
	return func(r *release) {
		if len(r.deps) == 0 {
			r.deps = newRelease("", "", fields{"name": "base"}).deps
		}
		if value == "absent" {
			delete(r.deps[0], key)
			return
		}
		r.deps[0][key] = value
	}
}

func request(key string, value any) func(*release) {
	return func(r *release) { r.json[key] = value }
}

func pkgToo(key, tomlKey string, value any) func(*release) {
	return func(r *release) { r.json[key], r.pkg[tomlKey] = value, value }
}

func numbered(v string) func(*release) { return func(r *release) { r.version = v } }

func without(key string) func(*release) {
	return func(r *release) { r.change = func(j fields) { delete(j, key) } }
}

// indexMatrix has every field of a publish with every value that clients were seen to send, each as a request that
// tries to get there.
func indexMatrix(base string) []matrixCase {
	own := "sparse+" + base + "/index/"
	other := "sparse+https://registry.example.com/index/"
	return []matrixCase{
		{name: "CamelLow", what: "published case", want: fields{"name": "CamelLow"}},
		{name: "under_score", what: "underscore", want: fields{"name": "under_score"}},
		{name: "v-zero", what: "leading zeros", change: numbered("01.0.0"), refused: "not a semantic version"},
		{name: "v-v", what: "v before it", change: numbered("v1.0.0"), refused: "not a semantic version"},
		{name: "v-two", what: "two numbers", change: numbered("1.0"), refused: "not a semantic version"},
		{name: "v-pre", what: "prerelease", change: numbered("1.0.0-rc.1"), want: fields{"vers": "1.0.0-rc.1"}},
		{name: "v-pre-zero", what: "prerelease with zeros", change: numbered("1.0.0-01"), refused: "not a semantic version"},
		{name: "v-build", what: "build metadata", change: numbered("1.0.0+b.1"), want: fields{"vers": "1.0.0+b.1"}},
		{name: "deps-null", what: "deps null", change: request("deps", nil), want: fields{"deps": []any{}}},
		{name: "deps-absent", what: "deps absent", change: without("deps"), want: fields{"deps": []any{}}},
		{name: "features-null", what: "features null", change: request("features", nil), want: fields{"features": fields{}}},
		{name: "features-absent", what: "features absent", change: without("features"), want: fields{"features": fields{}}},
		{name: "feature-null", what: "a feature's values null", change: func(r *release) {
			r.features["a"] = []string{}
			r.change = func(j fields) { j["features"] = fields{"a": nil} }
		}, want: fields{"features": fields{"a": []any{}}}},
		{name: "feature-unknown", what: "a feature that names nothing",
			change: func(r *release) { r.features["a"] = []string{"b"} }, refused: "neither a feature nor"},
		{name: "feature-dep", what: "dep: of nothing", change: func(r *release) { r.features["a"] = []string{"dep:b"} },
			refused: "neither a feature nor"},
		{name: "feature-case", what: "features2 sent",
			change: func(r *release) { r.change = func(j fields) { j["features2"] = fields{"a": []string{}} } },
			want:   fields{"features2": nil}},
		{name: "cksum-sent", what: "a checksum sent", change: request("cksum", strings.Repeat("A", 64))},
		{name: "yanked-sent", what: "yanked sent", change: request("yanked", true), want: fields{"yanked": false}},
		{name: "links-null", what: "links null", change: request("links", nil), want: fields{"links": nil}},
		{name: "links-empty", what: "links empty", change: request("links", ""), want: fields{"links": nil}},
		{name: "links-set", what: "links", change: func(r *release) {
			pkgToo("links", "links", "native")(r)
			r.pkg["build"] = "build.rs"
			r.files["build.rs"] = "fn main() {}"
		}, want: fields{"links": "native"}},
		{name: "rust-null", what: "rust_version null", change: request("rust_version", nil),
			want: fields{"rust_version": nil}},
		{name: "rust-empty", what: "rust_version empty", change: request("rust_version", ""),
			want: fields{"rust_version": nil}},
		{name: "rust-set", what: "rust_version", change: pkgToo("rust_version", "rust-version", "1.70"),
			want: fields{"rust_version": "1.70"}},
		{name: "rust-archive", what: "rust-version of the archive counts",
			change: func(r *release) { r.json["rust_version"], r.pkg["rust-version"] = "1.60", "1.70" },
			want:   fields{"rust_version": "1.70"}},
		{name: "rust-caret", what: "rust_version ^1.70", change: request("rust_version", "^1.70"),
			refused: "not a rust-version"},
		{name: "rust-nightly", what: "rust_version 1.70.0-nightly", change: request("rust_version", "1.70.0-nightly"),
			refused: "not a rust-version"},
		{name: "rust-nightly-toml", what: "rust-version 1.70.0-nightly in Cargo.toml",
			change: func(r *release) { r.pkg["rust-version"] = "1.70.0-nightly" }, refused: "not a rust-version"},
		{name: "pubtime-sent", what: "pubtime sent", change: request("pubtime", "2020-01-01T00:00:00.5+00:00")},
		{name: "v-sent", what: "v sent", change: request("v", 9), want: fields{"v": nil}},
		{name: "v-artifact", what: "artifact dependencies", change: dep("artifact", []string{"bin"}), want: fields{"v": 3.0},
			foreign: true},
		{name: "req-plain", what: "req without operator", change: dep("version_req", "1.0"), dep: fields{"req": "1.0"}},
		{name: "req-range", what: "req >=1, <2", change: dep("version_req", ">=1, <2"), dep: fields{"req": ">=1, <2"}},
		{name: "req-star", what: "req *", change: dep("version_req", "*"), dep: fields{"req": "*"}},
		{name: "req-empty", what: "req empty", change: dep("version_req", ""), refused: "not a version requirement"},
		{name: "req-word", what: "req latest", change: dep("version_req", "latest"), refused: "not a version requirement"},
		{name: "req-or", what: "req of another language", change: dep("version_req", "^1 || ^2"),
			refused: "not a version requirement"},
		{name: "kind-null", what: "kind null", change: dep("kind", nil), dep: fields{"kind": "normal"}},
		{name: "kind-absent", what: "kind absent", change: dep("kind", "absent"), dep: fields{"kind": "normal"}},
		{name: "kind-dev", what: "kind dev", change: dep("kind", "dev"), dep: fields{"kind": "dev"}},
		{name: "kind-build", what: "kind build", change: dep("kind", "build"), dep: fields{"kind": "build"}},
		{name: "kind-word", what: "an unknown kind", change: dep("kind", "weird"), refused: "unknown kind"},
		{name: "target-null", what: "target null", change: dep("target", nil)},
		{name: "target-empty", what: "target empty", change: dep("target", "")},
		{name: "target-triple", what: "a triple", change: dep("target", "x86_64-pc-windows-msvc"),
			dep: fields{"target": "x86_64-pc-windows-msvc"}},
		{name: "target-cfg", what: "a cfg", change: dep("target", `cfg(not(any(unix, target_os = "a>b")))`),
			dep: fields{"target": `cfg(not(any(unix, target_os = "a>b")))`}},
		{name: "target-broken", what: "cfg(", change: dep("target", "cfg("), refused: "neither a target triple nor"},
		{name: "registry-null", what: "registry null", change: dep("registry", nil), dep: fields{"registry": nil}},
		{name: "registry-empty", what: "registry empty", change: dep("registry", ""), dep: fields{"registry": nil}},
		{name: "registry-own", what: "our own registry", change: dep("registry", own), dep: fields{"registry": nil}},
		{name: "registry-other", what: "another registry", change: dep("registry", other), dep: fields{"registry": other},
			foreign: true},
		{name: "registry-no-url", what: "a registry that is no address", change: dep("registry", "box"),
			refused: "not the address"},
		{name: "package-null", what: "alias null", change: dep("explicit_name_in_toml", nil),
			dep: fields{"name": "base", "package": nil}},
		{name: "package-empty", what: "alias empty", change: dep("explicit_name_in_toml", ""),
			dep: fields{"name": "base", "package": nil}},
		{name: "package-same", what: "alias is the name", change: dep("explicit_name_in_toml", "base"),
			dep: fields{"name": "base", "package": nil}},
		{name: "package-alias", what: "alias", change: dep("explicit_name_in_toml", "alias"),
			dep: fields{"name": "alias", "package": "base"}},
		{name: "dep-features-null", what: "a dependency's features null", change: dep("features", nil),
			dep: fields{"features": []any{}}},
		{name: "dep-minimal", what: "a dependency with name and req alone", change: func(r *release) {
			r.deps = []fields{{"name": "base", "version_req": "^1"}}
			r.change = func(j fields) { j["deps"] = []fields{{"name": "base", "version_req": "^1"}} }
			r.toml["dependencies"] = fields{"base": fields{"version": "1", "default-features": false}}
		}, dep: fields{"kind": "normal", "optional": false, "default_features": false}},
		{name: "dup", what: "a version twice", change: numbered("9.0.0"), refused: "already"},
		{name: "dup-build", what: "a version with other build metadata", change: numbered("9.0.0+b"),
			refused: "more than build metadata"},
	}
}

// TestEveryLineIsOneThatCargoReads: nothing that is sent makes a line that cargo cannot read; it is refused, or comes
// out right.
func TestEveryLineIsOneThatCargoReads(t *testing.T) {
	g := newRig(t)
	cases := indexMatrix(g.Base)
	if len(cases) < 47 {
		t.Errorf("%d cases", len(cases))
	}
	g.publishMatrix(cases)
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			g := g.in(t)
			if c.refused != "" {
				return
			}
			line := g.line(c.name)
			compareFields(t, line, c.want)
			if c.dep != nil {
				deps, _ := line["deps"].([]any)
				if len(deps) != 1 {
					t.Fatalf("%v", line)
				}
				compareFields(t, deps[0].(fields), c.dep)
			}
		})
	}
}

// publishMatrix publishes what the cases depend on, and them.
func (g *rig) publishMatrix(cases []matrixCase) {
	g.T.Helper()
	g.publish("base", "1.0.0")
	g.publish("dup", "9.0.0")
	g.publish("dup-build", "9.0.0+a")
	for _, c := range cases {
		r := newRelease(c.name, "1.0.0")
		if c.change != nil {
			c.change(r)
		}
		before := g.blobs()
		a := g.put("ada", r)
		switch {
		case c.refused == "" && a.Status != 200:
			g.T.Errorf("%s: %v", c.what, a)
		case c.refused != "" && (a.Status != 400 && a.Status != 409 || !strings.Contains(detail(a), c.refused)):
			g.T.Errorf("%s: %v, want %q", c.what, a, c.refused)
		case c.refused != "" && g.blobs() != before:
			g.T.Errorf("%s: refused, and something is stored", c.what)
		}
	}
}

func compareFields(t *testing.T, got, want fields) {
	t.Helper()
	for key, v := range want {
		have, ok := got[key]
		if v == nil && ok || v != nil && wiretest.JSON(have) != wiretest.JSON(v) {
			t.Errorf("%s is %v, want %v", key, have, v)
		}
	}
}

// goldenRig has a crate with every kind of dependency and several versions, at fixed times.
func goldenRig(t *testing.T) *rig {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	r := newRelease("CamelLow", "1.0.0",
		fields{"name": "dep-a", "explicit_name_in_toml": "alias", "optional": true, "default_features": false,
			"version_req": "^0.1"},
		fields{"name": "serde", "optional": true, "features": []string{"derive"},
			"registry": "https://github.com/rust-lang/crates.io-index"},
		fields{"name": "libc", "version_req": ">=0.2.50, <0.3", "target": `cfg(all(unix, not(target_os = "macos")))`},
		fields{"name": "cc", "kind": "build", "version_req": "1.*"}, fields{"name": "cc", "kind": "dev"},
		fields{"name": "far", "registry": "sparse+https://registry.example.com/index/"})
	r.features = map[string]any{"default": []string{"std"}, "std": []string{"dep:alias", "serde?/std"},
		"serde": []string{"dep:serde"}}
	r.json = fields{
		"description": "A <b> & \"quotes\" – and more", "homepage": "https://example.com/home",
		"documentation": "https://example.com/doc", "repository": "https://git.example.com/camel",
		"readme": "# Camel\n", "readme_file": "README.md", "keywords": []string{"camel", "low"},
		"categories": []string{"api-bindings"}, "authors": []string{"Ada <ada@example.com>"},
		"links": "camel", "rust_version": "1.60",
	}
	r.pkg = fields{"links": "camel", "rust-version": "1.70", "build": "build.rs"}
	r.toml = fields{"bin": []fields{{"name": "camel", "path": "src/camel.rs"}},
		"lib": fields{"name": "camel", "proc-macro": true}}
	r.files["src/camel.rs"], r.files["build.rs"] = "fn main() {}", "fn main() {}"
	r.files[".cargo_vcs_info.json"] = `{
		"git":{"sha1":"0123456789abcdef0123456789abcdef01234567"},"path_in_vcs":"crates/camel"}`
	g.Want(g.put("ada", r), 200, "registry.example.com")
	for _, v := range []string{"1.1.0-rc.1", "1.0.1+b.5", "0.9.0"} {
		clock.Advance(90 * time.Minute)
		g.publish("CamelLow", v)
	}
	clock.Advance(time.Hour)
	g.Want(g.Ada("DELETE", "/api/v1/crates/CamelLow/0.9.0/yank", nil), 200, `{"ok":true}`)
	return g
}

// TestGolden: the index, config.json and the JSON of crates, versions, owners and searches, reviewed as files.
func TestGolden(t *testing.T) {
	g := goldenRig(t)
	sums := regexp.MustCompile(`("cksum":|"checksum":)"[0-9a-f]{64}"`)
	sizes := regexp.MustCompile(`"(crate_size|unpacked_size)":\d+`)
	for name, path := range map[string]string{
		"config.json": "/index/config.json", "private-config.json": "/private/index/config.json",
		"index.txt": "/index/ca/me/camellow", "crate.json": "/api/v1/crates/CamelLow",
		"versions.json": "/api/v1/crates/camellow/versions", "version.json": "/api/v1/crates/CamelLow/1.0.0",
		"dependencies.json": "/api/v1/crates/CamelLow/1.0.0/dependencies",
		"owners.json":       "/api/v1/crates/CamelLow/owners", "search.json": "/api/v1/crates?q=camel",
		"dependents.json": "/api/v1/crates/CamelLow/reverse_dependencies",
	} {
		body := g.Want(g.Do("GET", path, nil, g.As("ada")), 200, "").Body
		body = strings.ReplaceAll(body, g.Base, "https://larder.example.com/cargo")
		body = sizes.ReplaceAllString(sums.ReplaceAllString(body, `$1"SUM"`), `"$1":0`)
		if strings.HasSuffix(name, ".json") {
			var v any
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				t.Fatal(err)
			}
			pretty, err := json.MarshalIndent(v, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			body = string(pretty) + "\n"
		}
		wiretest.Golden(t, name, body)
	}
}

// TestLinesOfOldVersionsStay: of what was published nothing changes but the word behind yanked, whatever happens later.
func TestLinesOfOldVersionsStay(t *testing.T) {
	g := goldenRig(t)
	before := g.lines("CamelLow")
	g.publish("CamelLow", "2.0.0", "2.0.1")
	g.Want(g.Ada("PUT", "/api/v1/crates/CamelLow/owners", fields{"users": []string{"ada"}}), 400, "changes nothing")
	g.Want(g.Ada("DELETE", "/api/v1/crates/CamelLow/1.0.0/yank", nil), 200, "")
	after := g.lines("CamelLow")
	if len(after) != len(before)+2 || !slices.Equal(after[1:len(before)], before[1:]) {
		t.Errorf("lines before: %q\nafter two publishes and a yank: %q", before, after)
	}
	if want := strings.Replace(before[0], `"yanked":false`, `"yanked":true`, 1); after[0] != want {
		t.Errorf("the yanked line:\ngot  %s\nwant %s", after[0], want)
	}
	g.Want(g.Ada("PUT", "/api/v1/crates/CamelLow/1.0.0/unyank", nil), 200, "")
	if again := g.lines("CamelLow"); again[0] != before[0] {
		t.Errorf("the line that is yanked no more:\ngot  %s\nwant %s", again[0], before[0])
	}
}

// TestLargeLineLivesInBlob: features that fill more than a row live in a blob and come back whole.
func TestLargeLineLivesInBlob(t *testing.T) {
	g := newRig(t)
	r := newRelease("huge", "1.0.0")
	for i := range 300 {
		r.features[fmt.Sprintf("%060d", i)] = []string{fmt.Sprintf("%060d", (i+1)%300)}
	}
	r.json["readme"] = strings.Repeat("read me ", 40<<10)
	g.Want(g.put("ada", r), 200, "")
	g.publish("huge", "1.0.1")
	lines := g.lines("huge")
	if len(lines) != 2 || len(lines[0]) < 300*120 || lineProblem(lines[0]+"\n", "huge") != "" {
		t.Errorf("%.300s", lines[0])
	}
	if a := g.Want(g.Do("GET", "/api/v1/crates/huge/1.0.0/readme", nil), 200, ""); a.Body != r.json["readme"] {
		t.Errorf("a readme of %d bytes", len(a.Body))
	}
	for _, path := range []string{"", "/1.0.0", "/1.0.0/dependencies", "/versions"} {
		g.Want(g.Do("GET", "/api/v1/crates/huge"+path, nil), 200, "")
	}
	g.Want(g.Ada("DELETE", "/api/v1/crates/huge/1.0.1/yank", nil), 200, "")
}

func TestRowIsReadBack(t *testing.T) {
	r := row{ID: "1.0.0-a", Published: time.UnixMilli(1_700_000_000_123).UTC(), Yanked: true, Head: []byte("head"),
		HeadBlob: "sha256:x", Tail: []byte("tail")}
	again, err := decodeRow(r.key(), r.encode())
	if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
		t.Errorf("read back: got %v, %v, want %v", again, err, r)
	}
	for _, bad := range [][2][]byte{{nil, r.encode()}, {r.key(), nil}, {r.key(), r.encode()[:5]}, {r.key(), {1, 200}}} {
		if _, err := decodeRow(bad[0], bad[1]); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
