package config

// This file loads configurations from each source, and keeps every sentence that an operator may be told.

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"larder/store"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// load runs Load as a command would: text is the file's content ("" for no file), env NAME=VALUE pairs, args the
// command line.
func load(t *testing.T, text string, env []string, args ...string) (Config, error) {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	src := Sources{Flags: AddFlags(fs), Getenv: func(name string) (string, bool) {
		for _, e := range env {
			if k, v, _ := strings.Cut(e, "="); k == name {
				return v, true
			}
		}
		return "", false
	}}
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	if text != "" {
		t.Chdir(t.TempDir())
		src.File = "larder.yaml"
		if err := os.WriteFile(src.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(src)
}

func TestDefaultIsValid(t *testing.T) {
	got, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, Default()) {
		t.Errorf("nothing set gives %+v", got)
	}
	if len(got.Kinds) != len(store.Kinds()) {
		t.Errorf("%d kinds have an entry", len(got.Kinds))
	}
}

// TestPrecedence sets every scalar setting in each source and expects the strongest one to win.
func TestPrecedence(t *testing.T) {
	samples := map[string][3]string{ // file, variable, flag
		"data":                   {"f", "e", "c"},
		"listen":                 {"h:1", "h:2", "h:3"},
		"addr-file":              {"f", "e", "c"},
		"public-url":             {"http://f", "http://e", "http://c"},
		"trusted-proxies":        {"10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"},
		"read-only":              {"true", "false", "true"},
		"anonymous":              {"none", "read", "none"},
		"private":                {"oci:repository:f", "oci:repository:e", "oci:repository:c"},
		"log":                    {"json", "text", "json"},
		"log-level":              {"warn", "error", "debug"},
		"metrics":                {"false", "true", "false"},
		"memory":                 {"64MB", "1GiB", "2GB"},
		"reserve":                {"1GB", "2GB", "3GB"},
		"grace":                  {"1d", "2d", "3d"},
		"shutdown-timeout":       {"1m", "2m", "3m"},
		"scrub-period":           {"10d", "20d", "0s"},
		"scrub-rate":             {"1MiB", "2MiB", "3MiB"},
		"journal.keep":           {"30d", "60d", ""},
		"oci.immutable-tags":     {"a:f", "a:e", ""},
		"oci.strict-indexes":     {"true", "false", ""},
		"oci.sparse-images":      {"true", "false", ""},
		"oci.no-delete":          {"true", "false", ""},
		"h2c":                    {"false", "true", "false"},
		"oci.max-manifest":       {"1MiB", "2MiB", ""},
		"npm.max-tarball":        {"2MiB", "3MiB", ""},
		"npm.any-name":           {"true", "false", ""},
		"npm.access":             {"restricted", "client", ""},
		"npm.strict-manifests":   {"true", "false", ""},
		"cargo.auth-required":    {"true", "false", ""},
		"cargo.max-crate":        {"2MiB", "3MiB", ""},
		"cargo.max-unpacked":     {"2MiB", "3MiB", ""},
		"cargo.max-features":     {"5", "6", ""},
		"cargo.max-dependencies": {"5", "6", ""},
		"cargo.require-metadata": {"true", "false", ""},
		"cargo.notice":           {"f", "e", ""},
		"maven.max-file":         {"2MiB", "3MiB", ""},
		"maven.versions":         {"releases", "snapshots", ""},
		"maven.redeploy":         {"true", "false", ""},
		"maven.strict-poms":      {"true", "false", ""},
		"maven.any-script":       {"true", "false", ""},
		"maven.realm":            {"f", "e", ""},
		"maven.snapshot-builds":  {"5", "6", ""},
		"maven.snapshot-age":     {"1d", "2d", ""},
		"maven.drop-released":    {"1d", "2d", ""},
		"maven.keep-incomplete":  {"1d", "2d", ""},
		"offline":                {"true", "false", "true"},
		"claims":                 {"npm:f", "npm:e", "npm:c"},
		"shared":                 {"maven:f", "maven:e", "maven:c"},
		"blocked":                {"npm:f", "npm:e", "npm:c"},
		"allowed":                {"npm:f", "npm:e", "npm:c"},
		"pypi.max-file":          {"2MiB", "3MiB", ""},
		"pypi.strict":            {"true", "false", ""},
		"pypi.close-releases":    {"1d", "2d", ""},
		"pypi.provenance":        {"true", "false", ""},
		"trusted-audience":       {"f", "e", "c"},
		"min-age":                {"1d", "2d", "3d"},
		"cache.size":             {"1GB", "2GB", ""},
		"cache.age":              {"1d", "2d", ""},
		"composer.max-archive":   {"2MiB", "3MiB", ""},
		"tls-cert":               {"f", "e", "c"},
		"tls-key":                {"f", "e", "c"},
		"rubygems.max-gem":       {"2MiB", "3MiB", ""},
		"rubygems.serve-yanked":  {"true", "false", ""},
		"kinds.npm.enabled":      {"false", "true", ""},
		"kinds.npm.base":         {"/f", "/e", ""},
	}
	for _, s := range settings() {
		if strings.HasPrefix(s.name, "upstream") || s.only != 0 {
			continue // see TestUpstreams and TestSettingsOfOneSource
		}
		sample, ok := samples[s.name]
		if !ok && strings.HasPrefix(s.name, "kinds.") {
			continue // one kind stands for all
		}
		if !ok {
			t.Errorf("no sample for %s", s.name)
			continue
		}
		t.Run(s.name, func(t *testing.T) { checkPrecedence(t, s, sample) })
	}
}

func checkPrecedence(t *testing.T, s setting, sample [3]string) {
	both := []string{} // TLS needs its other half
	if other, ok := map[string]string{"tls-cert": "LARDER_TLS_KEY", "tls-key": "LARDER_TLS_CERT"}[s.name]; ok {
		both = append(both, other+"=x")
	}
	expect := func(source, want string, c Config, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		fresh := Default()
		if err := s.value(&fresh).Set(want); err != nil {
			t.Fatal(err)
		}
		if got, want := s.value(&c).String(), s.value(&fresh).String(); got != want {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
	text := yamlOf(s, sample[0])
	c, err := load(t, text, both)
	expect("file", sample[0], c, err)
	env := append(both, s.env()+"="+sample[1])
	c, err = load(t, text, env)
	expect("variable over file", sample[1], c, err)
	c, err = load(t, "", env)
	expect("variable over default", sample[1], c, err)
	c, err = load(t, text, append(both, s.env()+"="))
	expect("empty variable", sample[0], c, err)
	if sample[2] != "" {
		c, err = load(t, text, env, "--"+s.name+"="+sample[2])
		expect("flag over all", sample[2], c, err)
	}
}

// TestSettingsOfOneSource: what is a flag only, or a variable only, is read nowhere else.
func TestSettingsOfOneSource(t *testing.T) {
	for _, s := range settings() {
		var v value
		if c := Default(); s.only == 0 {
			continue
		} else if v = s.value(&c); v.Type() == "objects" || v.Type() == "kind=url" {
			continue // see TestWholeFile and TestUpstreams
		}
		text := map[string]string{"bool": "true", "string": "x"}[v.Type()]
		shown := func(c Config, err error) string {
			if err != nil {
				return err.Error()
			}
			return s.value(&c).String()
		}
		unset := shown(load(t, "", nil))
		if got := shown(load(t, s.name+": "+text+"\n", nil)); !strings.Contains(got, "unknown key") {
			t.Errorf("%s in the file gives %q, wanted a complaint about an unknown key", s.name, got)
		}
		if got := shown(load(t, "", []string{s.env() + "=" + text})); (got == text) != s.in(fromVariable) {
			t.Errorf("%s from a variable gives %q, unset %q", s.name, got, unset)
		}
		fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
		AddFlags(fs)
		if (fs.Lookup(s.name) != nil) != s.in(fromFlag) {
			t.Errorf("%s has a flag: %v, wanted %v", s.name, fs.Lookup(s.name) != nil, s.in(fromFlag))
		}
	}
}

// yamlOf writes one setting as a file.
func yamlOf(s setting, v string) string {
	c := Default()
	if _, list := s.value(&c).(listValue); list {
		v = "[\"" + v + "\"]"
	}
	text, depth := "", 0
	for part := range strings.SplitSeq(s.name, ".") {
		text += "\n" + strings.Repeat("  ", depth) + part + ":"
		depth++
	}
	return text + " " + v + "\n"
}

func TestListsFromEverySource(t *testing.T) {
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32"),
		netip.MustParsePrefix("2001:db8::/32")}
	for name, run := range map[string]func() (Config, error){
		"file": func() (Config, error) {
			return load(t, "trusted-proxies:\n  - 10.1.2.3/8\n  - 192.0.2.1\n  - 2001:db8::/32\n", nil)
		},
		"variable": func() (Config, error) {
			return load(t, "", []string{"LARDER_TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.1,2001:db8::/32,"})
		},
		"flags": func() (Config, error) {
			return load(t, "", nil, "--trusted-proxies=10.0.0.0/8,192.0.2.1", "--trusted-proxies", "2001:db8::/32")
		},
	} {
		if c, err := run(); err != nil || !reflect.DeepEqual(c.TrustedProxies, want) {
			t.Errorf("%s: %v, %v", name, c.TrustedProxies, err)
		}
	}
}

func TestWholeFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "whole.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := load(t, string(text), []string{"LARDER_ADMIN_PASSWORD=hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	want := store.RulesConfig{
		Quotas: []store.Quota{{Kind: store.NPM, Bytes: 10e9}, {User: "ci", Bytes: 1 << 30},
			{Kind: store.OCI, Package: "team/*", Bytes: 4096}},
		Protected: []store.Protected{{Kind: store.NPM, Package: "@acme/*", Users: []string{"ada", "ci"}}},
		Immutable: []store.Immutable{{Package: "*", Tag: "v*"}},
	}
	if !reflect.DeepEqual(c.Policies, want) {
		t.Errorf("policies: %+v", c.Policies)
	}
	if got := *c.Kinds[store.Maven]; got != (Kind{Enabled: true, Base: "/repo/maven2"}) {
		t.Errorf("maven: %+v", got)
	}
	if got := *c.Kinds[store.PyPI]; got != (Kind{Base: "/pypi"}) {
		t.Errorf("pypi: %+v", got)
	}
	if c.Store.Grace != 2*time.Hour || c.OCI.MaxManifest != 8<<20 || !c.OCI.SparseImages || c.AdminPassword != "hunter2" {
		t.Errorf("%+v", c)
	}
	printed, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(printed), "hunter2") {
		t.Error("the password is printed")
	}
	again, err := load(t, string(printed), []string{"LARDER_ADMIN_PASSWORD=hunter2"})
	if err != nil {
		t.Fatalf("what is printed cannot be read: %v\n%s", err, printed)
	}
	if a, b := asYAML(t, again), string(printed); a != b {
		t.Errorf("printed and read again differs:\n%s\n%s", a, b)
	}
}

func asYAML(t *testing.T, c Config) string {
	t.Helper()
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"\n", "# nothing\n", "---\n", "policies:\nkinds:\n  npm:\noci:\nprivate:\n"} {
		if c, err := load(t, text, nil); err != nil || asYAML(t, c) != asYAML(t, Default()) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestProblems keeps every sentence an operator may be told in testdata/problems.golden.
func TestProblems(t *testing.T) {
	cases, err := os.ReadFile(filepath.Join("testdata", "problems.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for block := range strings.SplitSeq(string(cases), "\n====\n") {
		text, env := "", []string{}
		for line := range strings.Lines(block) {
			if v, ok := strings.CutPrefix(line, "$ "); ok {
				env = append(env, strings.TrimSpace(v))
			} else {
				text += line
			}
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		_, err := load(t, text, env)
		var all Problems
		if !errors.As(err, &all) {
			t.Errorf("no problem found in %q: %v", block, err)
		}
		got.WriteString(strings.TrimSpace(block) + "\n")
		for _, p := range all {
			if strings.ContainsAny(p, "\n\r") {
				t.Errorf("%q is not one line", p)
			}
			got.WriteString("    => " + p + "\n")
		}
	}
	golden(t, "problems.golden", got.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(home, "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	line, has, wants := 1, strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for line <= min(len(has), len(wants)) && has[line-1] == wants[line-1] {
		line++
	}
	t.Errorf("%s differs from line %d on (run with -update and read the diff):\ngot  %q\nwant %q",
		name, line, slices.Concat(has, []string{""})[line-1], slices.Concat(wants, []string{""})[line-1])
}

// home is the package's folder; the tests that load a file leave it.
var home, _ = os.Getwd()

func TestFileCannotBeRead(t *testing.T) {
	_, err := Load(Sources{Getenv: func(n string) (string, bool) { return "absent.yaml", n == "LARDER_CONFIG" }})
	if err == nil || !strings.Contains(err.Error(), "cannot read the configuration: open absent.yaml") {
		t.Errorf("got %v", err)
	}
}

func TestFlagErrorsAreFoundWhenParsing(t *testing.T) {
	for arg, want := range map[string]string{
		"--reserve=lots":          "is not a size",
		"--grace=90":              "is not a duration",
		"--read-only=maybe":       "is neither true nor false",
		"--trusted-proxies=proxy": "is neither an address nor a range",
		"--upstream=npm":          "is not KIND=URL",
		"--upstream=deb=http://x": "is not KIND=URL with one of the kinds oci, npm",
		"--oci.max-manifest=1MiB": "unknown flag",
	} {
		fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
		AddFlags(fs)
		if err := fs.Parse([]string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

// TestTrustedPublishers: the rules as package trust gets them, and a sentence for each that makes no sense.
func TestTrustedPublishers(t *testing.T) {
	c, err := load(t, `
trusted-audience: box
trusted-publishers:
  - issuer: https://gitlab.example.com
    claims: [project_path=acme/tools, "ref=refs/tags/*"]
    packages: ["pypi:package:acme-*", "npm:package:@acme/*"]
    user: ci
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := c.TrustRules()
	if err != nil || len(rules) != 1 || c.TrustedAudience != "box" {
		t.Fatalf("%+v %v", rules, err)
	}
	r := rules[0]
	if r.Issuer != "https://gitlab.example.com" || r.User != "ci" || r.Claims["ref"] != "refs/tags/*" ||
		r.Claims["project_path"] != "acme/tools" {
		t.Errorf("%+v", r)
	}
	if got := r.Scopes.String(); got != "pypi:package:acme-*:read,create npm:package:@acme/*:read,create" {
		t.Errorf("%s", got)
	}
	for text, want := range map[string]string{
		"{issuer: x, claims: [a=b], packages: ['pypi:package:x'], user: ci}":                 "issuer is",
		"{issuer: 'https://a', claims: [a], packages: ['pypi:package:x'], user: ci}":         "is not name=pattern",
		"{issuer: 'https://a', claims: ['a=*'], packages: ['pypi:package:x'], user: ci}":     "is not name=pattern",
		"{issuer: 'https://a', claims: [a=b], packages: [x], user: ci}":                      "is not kind:type:name",
		"{issuer: 'https://a', claims: [a=b], packages: ['pypi:package:x']}":                 "needs claims",
		"{issuer: 'https://a', packages: ['pypi:package:x'], user: ci}":                      "needs claims",
		"{issuer: 'https://a', claims: [a=b], user: ci}":                                     "needs claims",
		"{issuer: 'https://a', claims: [a=b], packages: ['pypi:package:x'], user: ci, x: y}": "unknown key",
	} {
		if _, err := load(t, "trusted-publishers: ["+text+"]\n", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestUpstreams(t *testing.T) {
	t.Setenv("NPM_SECRET", "s3cret")
	c, err := load(t, `
upstream: {cargo: "sparse+https://index.example.com/"}
upstreams:
  - {kind: npm, url: "https://npm.example.com/", token: $NPM_SECRET, include: ["@acme/*"], fresh: 1m}
  - {kind: npm, name: rest, url: "https://npm.example.com/all", header: "X-Key: abc"}
claims: ["npm:@mine/*"]
`, nil, "--upstream", "pypi=https://pypi.example.com/simple")
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.UpstreamOptions()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range o.Upstreams {
		got = append(got, strings.Join([]string{string(u.Kind), u.Name, u.URL, u.Token, u.HeaderName, u.HeaderValue,
			u.Fresh.String()}, " "))
	}
	want := []string{
		"pypi pypi.example.com https://pypi.example.com/simple    0s",
		"npm npm.example.com https://npm.example.com/ s3cret   1m0s",
		"npm rest https://npm.example.com/all  X-Key abc 0s",
	}
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(o.Claims, []string{"npm:@mine/*"}) {
		t.Errorf("%q %q", got, o.Claims)
	}
	if text, err := yaml.Marshal(c); err != nil || strings.Contains(string(text), "NPM_SECRET") ||
		strings.Contains(string(text), "abc") {
		t.Errorf("a secret is shown: %s %v", text, err)
	}
}

func TestUpstreamProblems(t *testing.T) {
	for text, want := range map[string]string{
		"upstreams: [{kind: npm, url: \"ftp://x\"}]": "upstreams[0]: \"ftp://x\" is not an http or https URL",
		"upstreams: [{kind: npm, url: \"https://x\", was: [\"ftp://y\"]}]": "is not a URL it can have had " +
			"before",
		"upstreams: [{kind: npm, url: \"https://u:p@x\"}]":                                "has a user in it",
		"upstreams: [{url: \"https://x\"}]":                                               "upstreams[0] needs a kind",
		"upstreams: [{kind: npm, url: \"https://x\"}, {kind: npm, url: \"https://x/y\"}]": "two upstreams of npm called x",
		"upstreams: [{kind: npm, url: \"https://x\", user: u, token: t}]":                 "only one of user, token",
		"upstreams: [{kind: npm, url: \"https://x\", token: t, token-file: f}]":           "both token and token-file",
		"upstreams: [{kind: npm, url: \"https://x\", colour: red}]":                       "\"upstreams[0].colour\"",
		"claims: [acme]": "is not a pattern kind:name",
	} {
		if _, err := load(t, text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestAddFlagsTakesSome(t *testing.T) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(fs, "data")
	n := 0
	fs.VisitAll(func(*pflag.Flag) { n++ })
	if f := fs.Lookup("data"); n != 1 || f == nil || f.DefValue != "./data" || f.Value.Type() != "string" {
		t.Errorf("%d flags, data %+v", n, f)
	}
}

// FuzzYAML reads arbitrary files: no panic, and every complaint is one line.
func FuzzYAML(f *testing.F) {
	whole, err := os.ReadFile(filepath.Join("testdata", "whole.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(whole))
	for _, s := range []string{"a", "- a", "? a\n: b", "data: *x", "data: &x y\nlisten: *x", "<<: {data: x}",
		"kinds: {npm: {enabled: yes}}", "1: 2", "[a]: b", "policies: {quotas: [1]}", "data: |\n  x\n", "data: !!int 3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := Default()
		for _, p := range readYAML(&c, "f", []byte(text)) {
			if strings.ContainsAny(p, "\n\r") {
				t.Fatalf("%q is not one line", p)
			}
		}
	})
}
