package config

// This file prints configurations and reads them again.

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"larder/store"
	"larder/upstream"
)

// full has a value that is not the default in every part that is printed.
func full(t *testing.T) Config {
	t.Helper()
	c := Default()
	c.Policies = store.RulesConfig{
		Quotas:    []store.Quota{{Kind: store.OCI, Package: "team/*", Bytes: 50e9}, {User: "ci", Bytes: 4096}},
		Protected: []store.Protected{{Package: "@acme/*", Users: []string{"ada"}}},
		Immutable: []store.Immutable{{Kind: store.OCI, Package: "*", Tag: "v*"}},
	}
	c.Kinds[store.Maven].Base = "/repo"
	c.Kinds[store.PyPI].Enabled = false
	c.ImmutableTags = []string{"prod/*:*"}
	c.NPM.MaxTarball, c.Cargo.MaxFeatures, c.PyPI.CloseReleases = 2<<30, 7, 14*day
	c.AdminPassword = "admin's secret"
	c.Upstream = map[store.Kind]string{store.Cargo: "https://index.example.com"}
	c.Upstreams = []Upstream{{
		Config: upstream.Config{
			Kind: store.NPM, Name: "team", URL: "https://npm.example.com", Token: "npm's secret", Include: []string{"@team/*"},
			Private: true, Fresh: time.Minute, Connections: upstream.Places{Files: 3}, Password: "another secret",
		},
		TokenFile: "/etc/larder/token", Header: "X-Key: a third secret",
	}}
	c.TrustedPublishers = []TrustedPublisher{{
		Issuer: "https://gitlab.example.com", Claims: []string{"a=b"}, Packages: []string{"pypi:package:x"}, User: "ci",
	}}
	return c
}

func TestPrintedFileHasNoSecret(t *testing.T) {
	text := asYAML(t, full(t))
	asJSON, err := json.Marshal(full(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{text, string(asJSON)} {
		if strings.Contains(printed, "secret") {
			t.Errorf("a secret is printed:\n%s", printed)
		}
		if !strings.Contains(printed, "/etc/larder/token") {
			t.Errorf("the file that has the secret is not printed:\n%s", printed)
		}
	}
}

func TestPrintedFileSetsTheSame(t *testing.T) {
	c := full(t)
	c.AdminPassword, c.Upstreams[0].Token, c.Upstreams[0].Password, c.Upstreams[0].Header = "", "", "", ""
	text := asYAML(t, c)
	again, err := load(t, text, nil)
	if err != nil {
		t.Fatalf("what is printed cannot be read: %v\n%s", err, text)
	}
	if got := asYAML(t, again); got != text {
		t.Errorf("printed and read again it is\n%s\nwant\n%s", got, text)
	}
	if got := again.Upstreams[0]; got.Fresh != time.Minute || got.Connections.Files != 3 || !got.Private ||
		got.TokenFile != "/etc/larder/token" {
		t.Errorf("the upstream is %+v, want what was printed", got)
	}
	if *again.Kinds[store.Maven] != (Kind{true, "/repo"}) || again.NPM.MaxTarball != 2<<30 ||
		again.PyPI.CloseReleases != 14*day {
		t.Errorf("Maven is %+v, npm takes %d bytes, PyPI closes after %s",
			again.Kinds[store.Maven], again.NPM.MaxTarball, again.PyPI.CloseReleases)
	}
}

// TestPrintedJSONHasTheKeysOfTheFile: the two forms say the same.
func TestPrintedJSONHasTheKeysOfTheFile(t *testing.T) {
	var fromYAML, fromJSON map[string]any
	if err := yaml.Unmarshal([]byte(asYAML(t, full(t))), &fromYAML); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(full(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &fromJSON); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	a, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(fromJSON)
	if err != nil {
		t.Fatal(err)
	}
	// An empty list of the file is null in JSON.
	if got, want := string(b), strings.ReplaceAll(string(a), "[]", "null"); strings.ReplaceAll(got, "[]", "null") != want {
		t.Errorf("as JSON\n%s\nas YAML\n%s", got, want)
	}
	for _, want := range []string{`"npm":{"max-tarball":"2GiB","any-name":false`,
		`"maven":{"enabled":true,"base":"/repo"}`,
		`"quotas":[{"kind":"oci","package":"team/*","bytes":"50GB"},{"user":"ci","bytes":"4KiB"}]`, `"upstream":{"cargo":`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the JSON lacks %s:\n%s", want, text)
		}
	}
}

func TestPrintedObjectsHaveNoEmptyKeys(t *testing.T) {
	c := Default()
	c.Policies.Quotas = []store.Quota{{User: "ci", Bytes: 1}}
	c.Policies.Protected = []store.Protected{{Package: "x"}}
	text := asYAML(t, c)
	for _, key := range []string{"kind:", "users:", "tag:"} {
		if strings.Contains(text, key) {
			t.Errorf("an empty %s is printed:\n%s", key, text)
		}
	}
	if !strings.Contains(text, "bytes: 1B") || !strings.Contains(text, "package: x") {
		t.Errorf("what is set is not printed:\n%s", text)
	}
}

func TestRulesHaveTheImmutableTags(t *testing.T) {
	c := full(t)
	before := len(c.Policies.Immutable)
	rules := c.Rules()
	want := store.Immutable{Kind: store.OCI, Package: "prod/*", Tag: "*"}
	if len(rules.Immutable) != before+1 || rules.Immutable[before] != want {
		t.Errorf("what is immutable is %+v, want %+v as well", rules.Immutable, want)
	}
	if len(c.Policies.Immutable) != before || len(c.Rules().Immutable) != before+1 {
		t.Error("asking for the rules changes the configuration")
	}
	if len(rules.Quotas) != 2 || len(rules.Protected) != 1 {
		t.Errorf("the other rules are %+v, %+v", rules.Quotas, rules.Protected)
	}
}
