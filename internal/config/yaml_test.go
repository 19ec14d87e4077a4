package config

// This file reads files of every form: what each type takes, which line is named, and what replaces what.

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"larder/store"
)

func TestEachTypeTakesItsOwnScalars(t *testing.T) {
	for _, c := range []struct {
		typ, key string
		good     []string
		bad      []string
		problem  string
	}{
		{"text", "data", []string{"x", `"8080"`, "'a b'", "|\n  x", ">\n  x"},
			[]string{"8080", "true", "1.5", "[a]", "{a: b}", "~", ""}, "data must be text"},
		{"true or false", "read-only", []string{"true", "false"},
			[]string{"yes", `"true"`, "1", "[true]", "~"}, "read-only must be true or false"},
		{"number", "cargo.max-features", []string{"1", "300"},
			[]string{`"300"`, "many", "true", "[1]"}, "cargo.max-features must be a number"},
		{"size", "memory", []string{"1GiB", "'1 GB'", "1073741824"},
			[]string{"true", "1.5", "[1GB]"}, "memory must be a size such as 512MiB"},
		{"duration", "grace", []string{"1h", `"90d"`}, []string{"60", "true", "[1h]"},
			"grace must be a duration such as 12h or 90d"},
		{"list", "private", []string{"[]", `["a:b:c"]`, "\n  - oci:repository:x", "~", ""},
			[]string{"a", "{a: b}", "1"}, "private must be a list"},
		{"list of texts", "private", nil, []string{"[1]", "[true]", "[[a]]", "[{a: b}]", "[~]"},
			"private must be a list of texts"},
	} {
		write := func(value string) string {
			if parent, key, nested := strings.Cut(c.key, "."); nested {
				return parent + ":\n  " + key + ": " + value + "\n"
			}
			return c.key + ": " + value + "\n"
		}
		for _, value := range c.good {
			config := Default()
			if problems := readYAML(&config, "f", []byte(write(value))); len(problems) > 0 {
				t.Errorf("%s %q: %q, want it read", c.typ, value, problems)
			}
		}
		for _, value := range c.bad {
			config := Default()
			problems := readYAML(&config, "f", []byte(write(value)))
			if len(problems) != 1 || !strings.HasPrefix(problems[0], "f:") || !strings.Contains(problems[0], c.problem) {
				t.Errorf("%s %q: %q, want one problem at its line that %q", c.typ, value, problems, c.problem)
			}
		}
	}
}

func TestProblemsNameTheirLine(t *testing.T) {
	text := `# a comment
data: /srv

log: xml
nmp:
  access: public
npm:
  acces: public
  access: [public]
private:
  - oci:repository:a
  - 5
policies:
  quotas:
    - kind: npm
      bytes: lots
    - kind: npm
      bytse: 1
upstreams:
  - kind: deb
    url: https://deb.example.com
`
	c := Default()
	got := readYAML(&c, "larder.yaml", []byte(text))
	want := Problems{
		`larder.yaml:5: unknown key "nmp"`,
		`larder.yaml:8: unknown key "npm.acces"`,
		`larder.yaml:9: npm.access must be text`,
		`larder.yaml:12: private must be a list of texts`,
		`larder.yaml:16: policies.quotas[0].bytes: "lots" is not a size; write bytes as 4096, 512MiB or 10GB`,
		`larder.yaml:18: unknown key "policies.quotas[1].bytse"`,
		`larder.yaml:20: upstreams[0].kind: "deb" is none of the kinds oci, npm, pypi, cargo, maven, composer, rubygems`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the problems are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFilesThatAreNoMapping(t *testing.T) {
	for text, want := range map[string]string{
		"- data\n":               "f:1: the file must hold keys and values",
		"data\n":                 "f:1: the file must hold keys and values",
		"5\n":                    "f:1: the file must hold keys and values",
		"npm: 5\n":               "f:1: npm must hold keys and values",
		"npm: [a]\n":             "f:1: npm must hold keys and values",
		"kinds: {npm: yes}\n":    "f:1: kinds.npm must hold keys and values",
		"policies: [1]\n":        "f:1: policies must hold keys and values",
		"policies: {quotas: 5}":  "f:1: policies.quotas must be a list",
		"upstreams: {kind: npm}": "f:1: upstreams must be a list",
		"upstreams: [5]":         "f:1: upstreams[0] must hold keys and values",
		"data: a\n---\ndata: b":  "f:3: the file may hold one document only",
	} {
		c := Default()
		if got := readYAML(&c, "f", []byte(text)); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestSectionsMayBeEmpty: an operator comments out all keys of one.
func TestSectionsMayBeEmpty(t *testing.T) {
	for _, text := range []string{
		"npm:\n  # access: restricted\n", "npm: ~\n", "npm: {}\n", "policies:\n", "policies:\n  quotas:\n", "upstreams:\n",
		"upstreams: []\n", "kinds:\n  npm:\n", "private:\n", "trusted-publishers: []\n",
	} {
		c := Default()
		if problems := readYAML(&c, "f", []byte(text)); len(problems) > 0 {
			t.Errorf("%q: %q", text, problems)
		}
		if asYAML(t, c) != asYAML(t, Default()) {
			t.Errorf("%q sets something", text)
		}
	}
}

func TestPoliciesOfTheFile(t *testing.T) {
	c := Default()
	problems := readYAML(&c, "f", []byte(`
policies:
  quotas:
    - {kind: oci, user: "*", package: "team/*", bytes: 50GB}
    - bytes: 4096
      user: ci
  protected:
    - {kind: npm, package: "@acme/*", users: [ada, ci]}
    - package: "*"
  immutable:
    - {kind: oci, package: "*", tag: "v*"}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := store.RulesConfig{
		Quotas:    []store.Quota{{Kind: store.OCI, User: "*", Package: "team/*", Bytes: 50e9}, {User: "ci", Bytes: 4096}},
		Protected: []store.Protected{{Kind: store.NPM, Package: "@acme/*", Users: []string{"ada", "ci"}}, {Package: "*"}},
		Immutable: []store.Immutable{{Kind: store.OCI, Package: "*", Tag: "v*"}},
	}
	if !reflect.DeepEqual(c.Policies, want) {
		t.Errorf("read as\n%+v, want\n%+v", c.Policies, want)
	}
	if err := c.Validate(); err != nil {
		t.Errorf("%v, want it accepted", err)
	}
}

func TestPoliciesThatSayTooLittle(t *testing.T) {
	for text, want := range map[string]string{
		"quotas: [{kind: npm}]":       "policies.quotas[0] needs bytes, larger than nothing",
		"quotas: [{bytes: 1GB}]":      "policies.quotas[0] needs a kind, a user or a package",
		"protected: [{users: [ada]}]": `policies.protected[0] needs a package pattern; "*" means every package`,
		"immutable: [{tag: v*}]":      `policies.immutable[0] needs a package pattern; "*" means every package`,
	} {
		if _, err := load(t, "policies: {"+text+"}\n", nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestListsReplaceThoseOfWeakerSources(t *testing.T) {
	c, err := load(t, "private: [\"oci:repository:a\", \"oci:repository:b\"]\n", []string{"LARDER_PRIVATE=npm:package:c"})
	if err != nil || !reflect.DeepEqual(c.Auth.Private, []string{"npm:package:c"}) {
		t.Errorf("%q, %v, want what the variable says alone", c.Auth.Private, err)
	}
	c, err = load(t, "private: [\"oci:repository:a\"]\n", []string{"LARDER_PRIVATE=npm:package:c"},
		"--private", "npm:package:d,npm:package:e", "--private=npm:package:f")
	want := []string{"npm:package:d", "npm:package:e", "npm:package:f"}
	if err != nil || !reflect.DeepEqual(c.Auth.Private, want) {
		t.Errorf("%q, %v, want %q", c.Auth.Private, err, want)
	}
}

// TestFileNamedByVariableOrFlag: the flag wins.
func TestFileNamedByVariableOrFlag(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{"variable", "flag"} {
		files[name] = writeFile(t, "data: /"+name+"\n")
	}
	getenv := func(name string) (string, bool) { return files["variable"], name == "LARDER_CONFIG" }
	for want, src := range map[string]Sources{
		"/variable": {Getenv: getenv}, "/flag": {Getenv: getenv, File: files["flag"]}, "./data": {},
	} {
		if c, err := Load(src); err != nil || c.Data != want {
			t.Errorf("%+v: the data is in %s, %v, want %s", src.File, c.Data, err, want)
		}
	}
}

// TestEveryKindHasItsSettings: what is there once for each kind, in the file and as a variable.
func TestEveryKindHasItsSettings(t *testing.T) {
	for _, k := range store.Kinds() {
		text := fmt.Sprintf("kinds:\n  %[1]s: {enabled: false, base: /at/%[1]s}\n", k) +
			fmt.Sprintf("upstream: {%s: \"https://x.example.com\"}\n", k)
		c, err := load(t, text, nil)
		if err != nil {
			t.Errorf("%s: %v", k, err)
			continue
		}
		if got := *c.Kinds[k]; got != (Kind{false, "/at/" + string(k)}) || c.Upstream[k] != "https://x.example.com" {
			t.Errorf("%s in the file is %+v with the upstream %s", k, got, c.Upstream[k])
		}
		name := strings.ToUpper(string(k))
		c, err = load(t, "", []string{"LARDER_KINDS_" + name + "_ENABLED=false", "LARDER_KINDS_" + name + "_BASE=/x",
			"LARDER_UPSTREAM_" + name + "=https://y.example.com"})
		if err != nil || *c.Kinds[k] != (Kind{false, "/x"}) || c.Upstream[k] != "https://y.example.com" {
			t.Errorf("%s by variables is %+v with the upstream %s, %v", k, c.Kinds[k], c.Upstream[k], err)
		}
	}
}

// TestDefaultsAreNotShared: two configurations of one process do not change each other.
func TestDefaultsAreNotShared(t *testing.T) {
	a, b := Default(), Default()
	a.Kinds[store.NPM].Enabled = false
	if !b.Kinds[store.NPM].Enabled || !Default().Kinds[store.NPM].Enabled {
		t.Error("switching npm off in one switches it off in another")
	}
}

// TestDefaultsOfTheProtocols: what stands in their packages is what an operator gets who sets nothing.
func TestDefaultsOfTheProtocols(t *testing.T) {
	c := Default()
	for what, pair := range map[string][2]any{
		"oci.max-manifest":       {c.OCI.MaxManifest, int64(4 << 20)},
		"npm.max-tarball":        {c.NPM.MaxTarball, int64(1 << 30)},
		"npm.access":             {c.NPM.Access, "public"},
		"pypi.max-file":          {c.PyPI.MaxFile, int64(4 << 30)},
		"cargo.max-crate":        {c.Cargo.MaxCrate, int64(10 << 20)},
		"cargo.max-unpacked":     {c.Cargo.MaxUnpacked, int64(512 << 20)},
		"cargo.max-features":     {c.Cargo.MaxFeatures, 300},
		"cargo.max-dependencies": {c.Cargo.MaxDependencies, 500},
		"maven.max-file":         {c.Maven.MaxFile, int64(16 << 30)},
		"maven.versions":         {c.Maven.Versions, "all"},
		"maven.realm":            {c.Maven.Realm, "Larder"},
		"maven.keep-incomplete":  {c.Maven.KeepIncomplete, 14 * 24 * time.Hour},
		"composer.max-archive":   {c.Composer.MaxArchive, int64(1 << 30)},
		"rubygems.max-gem":       {c.RubyGems.MaxGem, int64(1 << 30)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
}

func TestProblemsOfAllSourcesTogether(t *testing.T) {
	_, err := load(t, "grace: soon\nlisten: nowhere\n", []string{"LARDER_RESERVE=lots", "LARDER_MEMORY=x"})
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("%v, want the problem of the file and two of variables; limits are looked at when all can be read", err)
	}
	for i, want := range []string{"larder.yaml:1: grace", "LARDER_MEMORY: ", "LARDER_RESERVE: "} {
		if !strings.HasPrefix(problems[i], want) {
			t.Errorf("problem %d is %q, want it to begin with %q", i, problems[i], want)
		}
	}
}
