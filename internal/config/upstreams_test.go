package config

// This file reads upstreams from the file: every key, secrets, and what is wrong with them.

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"larder/store"
	"larder/upstream"
)

// remotes are the upstreams that text configures, as package upstream gets them.
func remotes(t *testing.T, text string, args ...string) []upstream.Config {
	t.Helper()
	c, err := load(t, text, nil, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	o, err := c.UpstreamOptions()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return o.Upstreams
}

func TestEveryKeyOfAnUpstream(t *testing.T) {
	got := remotes(t, `
upstreams:
  - kind: oci
    name: hub
    url: https://images.example.com
    was: ["https://old.example.com", "sparse+https://older.example.com"]
    include: ["library/*"]
    exclude: ["library/secret-*"]
    user: ada
    password: secret
    realms: ["https://auth.example.com"]
    hosts: ["*.example.com"]
    private: true
    ca: ca.pem
    cert: cert.pem
    key: key.pem
    proxy: http://proxy.example.com:3128
    fresh: 5m
    connections: {documents: 4, files: 8}
    timeout:
      documents: 20s
      files: 2m
    trusted: true
    offline: true
`)
	want := []upstream.Config{{
		Kind: store.OCI, Name: "hub", URL: "https://images.example.com",
		Was: []string{"https://old.example.com", "https://older.example.com"}, Include: []string{"library/*"},
		Exclude: []string{"library/secret-*"}, User: "ada", Password: "secret",
		Realms: []string{"https://auth.example.com"}, Hosts: []string{"*.example.com"}, Private: true,
		CA: "ca.pem", Cert: "cert.pem", Key: "key.pem", Proxy: "http://proxy.example.com:3128",
		Fresh: 5 * time.Minute, Trusted: true, Offline: true,
		Connections: upstream.Places{Documents: 4, Files: 8},
		Timeout:     upstream.Patience{Documents: 20 * time.Second, Files: 2 * time.Minute},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read as\n%+v, want\n%+v", got, want)
	}
}

// TestEveryFieldOfAnUpstreamCanBeSet: a field that is added to package upstream needs a key.
func TestEveryFieldOfAnUpstreamCanBeSet(t *testing.T) {
	settable := map[string]bool{
		"HeaderName": true, "HeaderValue": true, // by header
	}
	for _, f := range remoteFields() {
		name, _, _ := strings.Cut(f.name, ".")
		settable[strings.ReplaceAll(name, "-", "")] = true
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[upstream.Config]()) {
		if !settable[field.Name] && !settable[strings.ToLower(field.Name)] {
			t.Errorf("no key of an upstream sets %s", field.Name)
		}
	}
}

func TestSecretsOfUpstreams(t *testing.T) {
	t.Setenv("LARDER_TEST_SECRET", "from the environment")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("  from a file \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]upstream.Config{
		"token: plain":                                 {Token: "plain"},
		"token: $LARDER_TEST_SECRET":                   {Token: "from the environment"},
		"token-file: " + file:                          {Token: "from a file"},
		"{user: ada, password: $LARDER_TEST_SECRET}":   {User: "ada", Password: "from the environment"},
		"{user: ada, password-file: " + file + "}":     {User: "ada", Password: "from a file"},
		"header: \"X-Key:  abc \"":                     {HeaderName: "X-Key", HeaderValue: "abc"},
		"header: $LARDER_TEST_SECRET_HEADER":           {HeaderName: "X-Key", HeaderValue: "def"},
		"header: \"Authorization: Bearer a:b\"":        {HeaderName: "Authorization", HeaderValue: "Bearer a:b"},
		"{user: ada, password: \"\"}":                  {User: "ada"},
		"{user: ada, password: \"it costs 5$ a day\"}": {User: "ada", Password: "it costs 5$ a day"},
	} {
		t.Setenv("LARDER_TEST_SECRET_HEADER", "X-Key: def")
		text = strings.Trim(text, "{}")
		got := remotes(t, "upstreams:\n  - {kind: npm, name: x, url: \"https://npm.example.com\", "+text+"}\n")[0]
		want.Kind, want.Name, want.URL = store.NPM, "x", "https://npm.example.com"
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"token: $LARDER_TEST_ABSENT":       "the environment has no LARDER_TEST_ABSENT",
		"header: $LARDER_TEST_ABSENT":      "the environment has no LARDER_TEST_ABSENT",
		"token-file: /nonexistent/secret":  "read secret: open /nonexistent/secret",
		"user: a, password-file: /no/such": "read secret: open /no/such",
	} {
		c, err := load(t, "upstreams:\n  - {kind: npm, url: \"https://npm.example.com\", "+text+"}\n", nil)
		if err != nil {
			t.Errorf("%s: %v, want that secrets are read at the start only", text, err)
			continue
		}
		if _, err := c.UpstreamOptions(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestNamesAndOrderOfUpstreams(t *testing.T) {
	got := remotes(t, `
upstream: {cargo: "sparse+https://index.example.com/", maven: "https://maven.example.com:8443/repo"}
upstreams:
  - {kind: maven, url: "https://second.example.com"}
  - {kind: maven, name: third, url: "https://second.example.com/other"}
`)
	var names []string
	for _, u := range got {
		names = append(names, string(u.Kind)+" "+u.Name+" "+u.URL)
	}
	want := []string{
		"cargo index.example.com https://index.example.com/",
		"maven maven.example.com:8443 https://maven.example.com:8443/repo",
		"maven second.example.com https://second.example.com",
		"maven third https://second.example.com/other",
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("asked in the order %q, want %q", names, want)
	}
}

func TestUpstreamFlagReplacesTheShortForm(t *testing.T) {
	got := remotes(t, "upstream: {npm: \"https://file.example.com\", pypi: \"https://pypi.example.com\"}\n",
		"--upstream", "npm=https://flag.example.com", "--upstream", "cargo=https://index.example.com")
	var urls []string
	for _, u := range got {
		urls = append(urls, u.URL)
	}
	if want := []string{"https://index.example.com", "https://flag.example.com"}; !reflect.DeepEqual(urls, want) {
		t.Errorf("%q, want %q: what is given on the command line replaces all of the file's", urls, want)
	}
}

// TestUpstreamFlagsOfOneKindAllCount: they are asked in the order given, each under a name of its own, and what is
// printed as a file has them all.
func TestUpstreamFlagsOfOneKindAllCount(t *testing.T) {
	flags := []string{"--upstream", "maven=https://a.example.com/x", "--upstream", "npm=https://n.example.com",
		"--upstream", "maven=https://b.example.com", "--upstream", "maven=https://a.example.com/y/z"}
	want := []string{"maven a.example.com", "maven b.example.com", "maven a.example.com-y-z", "maven last",
		"npm n.example.com"}
	const file = "upstreams: [{kind: maven, name: last, url: \"https://c.example.com\"}]\n"
	called := func(list []upstream.Config) (names []string) {
		for _, u := range list {
			names = append(names, string(u.Kind)+" "+u.Name)
		}
		slices.SortStableFunc(names, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
		return names
	}
	if got := called(remotes(t, file, flags...)); !reflect.DeepEqual(got, want) {
		t.Errorf("%q are asked, want %q", got, want)
	}
	c, err := load(t, file, nil, flags...)
	if err != nil {
		t.Fatal(err)
	}
	printed, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := called(remotes(t, string(printed))); !reflect.DeepEqual(got, want) {
		t.Errorf("what is printed asks %q, want %q", got, want)
	}
}

func TestOptionsOfCopiesAreHandedOverWhole(t *testing.T) {
	c, err := load(t, `
offline: true
claims: ["npm:@acme/*"]
blocked: ["npm:x@1.0"]
min-age: 3d
allowed: ["npm:y"]
cache: {size: 1GB, age: 30d}
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.UpstreamOptions()
	want := upstream.Options{
		Offline: true, Claims: []string{"npm:@acme/*"}, Blocked: []string{"npm:x@1.0"}, MinAge: 72 * time.Hour,
		Allowed: []string{"npm:y"}, CacheSize: 1e9, CacheAge: 30 * 24 * time.Hour,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
