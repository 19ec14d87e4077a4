package config

// This file goes to the limits of every setting, and one step beyond.

import (
	"errors"
	"strings"
	"testing"
)

// limit is what a setting must accept, and what it must refuse with a sentence.
type limit struct {
	name    string
	good    []string
	bad     []string
	problem string // what the sentence says of the bad ones
}

// limits are those of all settings that have some. Values are as a variable has them.
var limits = []limit{
	{"listen", []string{"127.0.0.1:0", ":8080", "[::1]:65535", "registry.example.com:443"},
		[]string{"8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http", "::1:80"},
		"it must be host:port such as 127.0.0.1:8080"},
	{"public-url", []string{"http://registry.example.com", "https://registry.example.com:8443/larder"},
		[]string{"registry.example.com", "ftp://registry.example.com", "https://", "https://x/?a=b", "https://x/#a",
			"https://%zz"},
		"it must be http://host or https://host, with a path if the server is behind one"},
	{"public-url", nil, []string{"https://ada@registry.example.com", "http://ada:secret@x"},
		"public-url must not contain a user or password"},
	{"anonymous", []string{"read", "none"}, []string{"write", "Read", "all"}, "it must be read or none"},
	{"private", []string{"oci:repository:secret/*", "*:*:x", "npm:package:@acme/*"},
		[]string{"secret", "oci:secret", "deb:package:x", "oci:repository:"},
		"is not kind:type:name such as oci:repository:secret/*"},
	{"log", []string{"text", "json"}, []string{"xml", "JSON"}, "it must be text or json"},
	{"log-level", []string{"debug", "info", "warn", "error"}, []string{"loud", "INFO"},
		"it must be debug, info, warn or error"},
	{"memory", []string{"32MiB", "1TiB"}, []string{"33554431", "1099511627777", "0"},
		"it must lie between 32MiB and 1TiB"},
	{"reserve", []string{"1", "1TiB"}, []string{"0"}, "reserve must be larger than nothing"},
	{"grace", []string{"1s", "90d"}, []string{"0", "0s"}, "grace must be longer than nothing"},
	{"scrub-period", []string{"0", "1h"}, nil, ""},
	{"scrub-rate", []string{"1"}, []string{"0"}, "scrub-rate must be larger than nothing"},
	{"journal.keep", []string{"0", "7d", "1000d"}, []string{"1s", "6d23h59m59s"},
		"it must be 0 (keep all) or at least 7d: clients' feeds read back for days"},
	{"shutdown-timeout", []string{"1ms"}, []string{"0"}, "shutdown-timeout must be longer than nothing"},
	{"kinds.npm.base", []string{"/js", "/a/b.c", "/~x_-"},
		[]string{"js", "/js/", "/", "//js", "/a/../b", "/.well-known", "/a b", "/a%20b"},
		"it must be a path such as /npm without a final slash"},
	{"kinds.npm.base", nil, []string{"/v2", "/v2/x", "/api", "/healthz", "/readyz", "/metrics", "/simple", "/_", "/RPC2"},
		"belongs to the server itself"},
	{"kinds.npm.base", nil, []string{"/npm.git"}, "it must not end in .git"},
	{"kinds.npm.base", nil, []string{"/pypi", "/pypi/x", "/maven/npm"}, "overlap"},
	{"oci.immutable-tags", []string{"*:v*", "prod/*:*"}, []string{"v1", ":v1", "prod:"},
		"is not repository:tag such as prod/*:v*"},
	{"oci.max-manifest", []string{"64KiB", "64MiB"}, []string{"65535", "67108865"}, "it must lie between 64KiB and 64MiB"},
	{"npm.max-tarball", []string{"1MiB", "1TiB"}, []string{"1048575", "1025GiB"}, "it must lie between 1MiB and 1TiB"},
	{"npm.access", []string{"public", "restricted", "client"}, []string{"private", ""},
		"it must be public, restricted or client"},
	{"pypi.max-file", []string{"1MiB", "1TiB"}, []string{"1048575", "1025GiB"}, "it must lie between 1MiB and 1TiB"},
	{"cargo.max-crate", []string{"64KiB", "4GiB"}, []string{"65535", "5GiB"}, "it must lie between 64KiB and 4GiB"},
	{"cargo.max-unpacked", []string{"1MiB", "1TiB"}, []string{"1048575", "1025GiB"}, "it must lie between 1MiB and 1TiB"},
	{"cargo.max-features", []string{"1", "100000"}, []string{"0", "100001"}, "it must lie between 1 and 100000"},
	{"cargo.max-dependencies", []string{"1", "100000"}, []string{"0", "100001"}, "it must lie between 1 and 100000"},
	{"maven.max-file", []string{"1MiB", "1TiB"}, []string{"1048575", "1025GiB"}, "it must lie between 1MiB and 1TiB"},
	{"maven.versions", []string{"all", "releases", "snapshots"}, []string{"none"},
		"it must be all, releases or snapshots"},
	{"maven.realm", []string{"Larder", "Sonatype Nexus Repository Manager"},
		[]string{`a "quote"`, `back\slash`, "Lärder"},
		"it must be plain text without quotes"},
	{"maven.snapshot-builds", []string{"0", "2", "1000"}, []string{"1"}, "it must be 0 (keep all) or at least 2"},
	{"maven.keep-incomplete", []string{"1h"}, []string{"0"}, "maven.keep-incomplete must be longer than nothing"},
	{"composer.max-archive", []string{"1MiB", "1TiB"}, []string{"1048575", "1025GiB"},
		"it must lie between 1MiB and 1TiB"},
	{"rubygems.max-gem", []string{"1MiB", "1TiB"}, []string{"1048575", "1025GiB"}, "it must lie between 1MiB and 1TiB"},
	{"trusted-audience", []string{"larder"}, nil, ""},
	{"claims", []string{"npm:@acme/*", "*:x"}, []string{"acme", "deb:x"}, "claims: "},
	{"shared", []string{"maven:org.example:*"}, []string{"org.example", "deb:x"}, "shared: "},
	{"blocked", []string{"npm:x@1.*"}, []string{"x@1", "npm:x@"}, "blocked: "},
	{"allowed", []string{"npm:x@1.*", "npm:x"}, []string{"x", "npm:"}, "allowed: "},
	{"upstream.npm", []string{"https://npm.example.com"}, []string{"npm.example.com", "ftp://x", "https://u:p@x"},
		"upstream.npm: "},
}

// settingTo sets the named setting in a fresh configuration and validates it.
func settingTo(t *testing.T, name, text string) error {
	t.Helper()
	for _, s := range settings() {
		if s.name != name {
			continue
		}
		c := Default()
		if err := s.value(&c).Set(text); err != nil {
			t.Fatalf("%s cannot be set to %q: %v", name, text, err)
		}
		return c.Validate()
	}
	t.Fatalf("there is no setting %s", name)
	return nil
}

func TestLimitsOfSettings(t *testing.T) {
	for _, l := range limits {
		for _, text := range l.good {
			if err := settingTo(t, l.name, text); err != nil {
				t.Errorf("%s %q: %v, want it accepted", l.name, text, err)
			}
		}
		for _, text := range l.bad {
			err := settingTo(t, l.name, text)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Errorf("%s %q is accepted, want that %q", l.name, text, l.problem)
				continue
			}
			if !strings.Contains(err.Error(), l.problem) || !strings.Contains(err.Error(), strings.SplitN(l.name, ".", 2)[0]) {
				t.Errorf("%s %q: %v, want the setting's name and %q", l.name, text, err, l.problem)
			}
		}
	}
}

// TestEveryCheckedSettingIsInTheTable: a limit that is added to a row needs its cases.
func TestEveryCheckedSettingIsInTheTable(t *testing.T) {
	tested := map[string]bool{"data": true, "trusted-audience": true} // by TestSettingsThatMustSaySomething
	for _, l := range limits {
		tested[l.name] = true
	}
	for _, s := range settings() {
		if s.must.find != nil && !tested[s.name] {
			t.Errorf("%s has a limit, and no cases here", s.name)
		}
	}
}

func TestSettingsThatMustSaySomething(t *testing.T) {
	for name, want := range map[string]string{
		"data": "data must name a folder", "trusted-audience": "trusted-audience must say something",
	} {
		if err := settingTo(t, name, ""); err == nil || err.Error() != want {
			t.Errorf("%s empty: %v, want %q", name, err, want)
		}
	}
}

func TestCertificateAndKeyGoTogether(t *testing.T) {
	for _, c := range []struct {
		cert, key string
		ok        bool
	}{{"", "", true}, {"c", "k", true}, {"c", "", false}, {"", "k", false}} {
		config := Default()
		config.TLSCert, config.TLSKey = c.cert, c.key
		err := config.Validate()
		if (err == nil) != c.ok || err != nil && err.Error() != "tls-cert and tls-key must be set together" {
			t.Errorf("certificate %q and key %q: %v, want accepted %t", c.cert, c.key, err, c.ok)
		}
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	c := Default()
	c.Data, c.Log, c.Store.Reserve, c.Maven.SnapshotBuilds = "", "xml", 0, 1
	var problems Problems
	if err := c.Validate(); !errors.As(err, &problems) || len(problems) != 4 {
		t.Errorf("%q, want 4 problems", problems)
	}
	if got := problems.Error(); strings.Count(got, "; ") < 3 {
		t.Errorf("as one error they are %q, want all four", got)
	}
}
