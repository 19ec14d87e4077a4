package server

// Which names and versions a rule means, in every kind.

import (
	"strings"
	"testing"

	"larder/store"
	"larder/upstream"
)

const someDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000001"

// TestRulesMeanTheSameVersionInEverySpelling: the left version is what a rule says; those in meant are the same version
// to the kind's own clients, those in others are not.
func TestRulesMeanTheSameVersionInEverySpelling(t *testing.T) {
	for _, c := range []struct {
		kind          store.Kind
		rule          string
		meant, others string
	}{
		{store.NPM, "1.0.0", "1.0.0 1.0.0+b7 v1.0.0 =1.0.0", "1.0.1 1.0.0-rc.1 11.0.0 1.0.0.0"},
		{store.NPM, "v1.0.0", "1.0.0 1.0.0+b7", "1.0.1"},
		{store.NPM, "1.0", "1.0.0", "1.0.1 1.1.0"},
		{store.NPM, "1.0.0-RC.1", "1.0.0-RC.1 1.0.0-RC.1+x", "1.0.0-rc.1 1.0.0"},
		{store.NPM, "1.0.*", "1.0.0 1.0.7 1.0.7+x v1.0.7", "1.1.0 11.0.0"},
		{store.NPM, "*", "1.0.0 next", ""},
		{store.Cargo, "1.0.0", "1.0.0 1.0.0+b7", "1.0.1 1.0.0-b7"},
		{store.Cargo, "1.0.0+b7", "1.0.0 1.0.0+b8", "1.0.1"},
		{store.Cargo, "v1.0.0", "1.0.0", "1.0.1"},
		{store.Cargo, "1.0.*", "1.0.0+b7", "1.1.0"},
		{store.PyPI, "1.0", "1.0 1.0.0 1 v1.0 1.0+cpu 01.0 0!1.0", "1.0.1 1.0rc1 1.0.post1 1!1.0"},
		{store.PyPI, "1.0.0+cpu", "1.0+cpu 1.0+CPU", "1.0 1.0+cu118"},
		{store.PyPI, "1.0-RC.1", "1.0rc1 1.0.0c1", "1.0 1.0rc2"},
		{store.PyPI, "1.0-1", "1.0.post1", "1.0"},
		{store.PyPI, "1.0.*", "1 1.0 1.0.0 1.0.9 1.0.9+x", "1.1 11.0"},
		{store.PyPI, "2004D", "2004d", "2004e"},
		{store.RubyGems, "1.0", "1.0.0 1 1.0.0-java 1.0-x86_64-linux", "1.0.1 1.0.0.pre"},
		{store.RubyGems, "1.0.0-java", "1.0-java", "1.0.0 1.0.0-x86_64-linux"},
		{store.RubyGems, "v1.0", "1.0.0", "1.1"},
		{store.RubyGems, "1.0.*", "1 1.0.0 1.0.3-java", "1.1.0"},
		{store.Composer, "1.0.0", "1.0.0 v1.0.0 1.0 1.0.0.0 1.0.0+b", "1.0.1 1.0.0-beta1 dev-main"},
		{store.Composer, "1.0.0-RC1", "1.0.0.0-RC1 v1.0.0rc1", "1.0.0"},
		{store.Composer, "1.x-dev", "1.9999999.9999999.9999999-dev", "1.0.0 2.x-dev"},
		{store.Composer, "dev-main", "dev-main", "dev-other"},
		{store.Composer, "1.0.*", "1.0.0.0 v1.0.9 1.0.3.0", "1.1.0.0"},
		{store.Maven, "1.0", "1.0 1.0.0 1 1.0-ga 1.0.FINAL", "1.0.1 1.0-rc1 1.0-SNAPSHOT v1.0"},
		{store.Maven, "1.0-RC1", "1.0-rc-1 1.0.0-cr1", "1.0"},
		{store.Maven, "1.0.*", "1.0 1.0.7", "1.1"},
		{store.NPM, "=1.*", "1.0.0 1.2.0+b", "2.0.0"},
		{store.PyPI, "v1.0RC*", "1.0rc1 1.0.0rc2", "1.0 1.0b1"},
		{store.RubyGems, "v1.*", "1.0.0 1.2-java", "2.0"},
		{store.Composer, "1.0.0-RC*", "1.0.0-RC1 v1.0.0rc2 1.0.0.0-RC3", "1.0.0 1.0.0-beta1"},
		{store.Maven, "1.0-rc*", "1.0-RC1 1.0-rc2", "1.0"},
		{store.OCI, "1.0", "1.0", "1.0.0 v1.0 " + someDigest},
		{store.OCI, someDigest, someDigest, "1.0"},
		{store.OCI, "1.0*", "1.0 1.0-alpine", "1 1.1 " + someDigest},
		{store.OCI, "*", "1.0 " + someDigest, ""},
	} {
		s := Spellings()[c.kind]
		for want, list := range map[bool]string{true: c.meant, false: c.others} {
			for v := range strings.FieldsSeq(list) {
				if got := s.Covers(c.rule, v); got != want {
					t.Errorf("%s: the rule %s means %s: %t, want %t", c.kind, c.rule, v, got, want)
				}
			}
		}
	}
}

// TestNamesHaveOneSpelling: what a claim writes down is what packages are recorded by.
func TestNamesHaveOneSpelling(t *testing.T) {
	for _, c := range []struct {
		kind       store.Kind
		name, want string // "": no name
	}{
		{store.NPM, "JSONStream", "JSONStream"}, {store.NPM, "@acme/lib", "@acme/lib"}, {store.NPM, "@acme", ""},
		{store.NPM, "a b", ""},
		{store.PyPI, "Acme.Lib_X", "acme-lib-x"}, {store.PyPI, "-x", ""}, {store.PyPI, "a/b", ""},
		{store.Cargo, "Serde-JSON", "serde-json"}, {store.Cargo, "serde_json", "serde_json"}, {store.Cargo, "1x", ""},
		{store.Maven, "com.acme:Lib", "com.acme:Lib"}, {store.Maven, "com.acme", ""}, {store.Maven, "com acme:lib", ""},
		{store.Maven, "a:b:c", ""},
		{store.Composer, "Acme/Lib", "acme/lib"}, {store.Composer, "acme", ""},
		{store.RubyGems, "RedCloth", "RedCloth"}, {store.RubyGems, "a/b", ""},
		{store.OCI, "acme/img", "acme/img"}, {store.OCI, "acme/img:1.0", ""}, {store.OCI, "Acme/img", ""},
	} {
		got, err := Spellings().Name(c.kind, c.name)
		if (err == nil) != (c.want != "") || err == nil && got != c.want {
			t.Errorf("the name of %s %s is %q, %v; want %q", c.kind, c.name, got, err, c.want)
		}
	}
}

// TestPatternsThatNeverMatchAreRefused: with the sentence that their operator reads, and nothing that may match.
func TestPatternsThatNeverMatchAreRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		"npm:left pad":           `blocked: "npm:left pad" can never match: "left pad" is not a package name`,
		"npm:a@1.0 beta":         `no version has the character " "`,
		"npm:a@1/2":              `no version has the character "/"`,
		"nothing:a":              `is not a kind of package`,
		"npm:a@":                 "has no version behind its @",
		"pypi:a/b":               "is not a project name",
		"pypi:a b*":              `no name has the character " "`,
		"cargo:a.b@1.0.0":        "is not a crate name",
		"maven:com.acme.lib@1.0": "is not of the form group:artifact",
		"maven:a:b@1@2":          "@",
		"composer:acme@1.0":      "is not a package name such as acme/demo",
		"rubygems:a b":           "is not a name for a gem",
		"oci:acme/img:1.0":       "a tag or digest stands behind an @",
		"*:left pad":             "can never match",
		"npm:a@1.x":              `"1.x" is no semantic version; write a star for any, as in 1.*`,
		"npm:a@latest":           "is no semantic version",
		"cargo:a@1.2.3.4":        "is no semantic version",
		"pypi:a@latest":          "is no version",
		"rubygems:a@latest":      "is no gem's version",
		"composer:a/b@latest":    "is no version that Composer reads",
		"maven:a:b@RELEASE":      "no artifact's version",
		"oci:a@sha256:abc":       "is neither a tag nor a digest",
		"oci:Acme/*":             "no name has capitals",
	} {
		err := upstream.CheckRules(upstream.Options{Spellings: Spellings(), Blocked: []string{pattern}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is answered with %v, want %q", pattern, err, want)
		}
	}
	may := []string{
		"npm:@acme/*", "npm:left-pad@1.3.0", "npm:a@0.1.2beta",
		"pypi:Acme_*@2.*", "cargo:serde*@1.0.0+b7", "maven:com.acme.*",
		"maven:com.acme:lib@1.0-SNAPSHOT",
		"composer:acme/*@dev-feature/x", "rubygems:nokogiri@1.0-x86_64-linux", "oci:acme/img@" + someDigest, "oci:*@latest",
		"*:private", "*:*@*",
	}
	if err := upstream.CheckRules(upstream.Options{Spellings: Spellings(), Blocked: may, Allowed: may}); err != nil {
		t.Errorf("patterns that may match are refused: %v", err)
	}
	if err := upstream.CheckRules(upstream.Options{Spellings: Spellings(), Claims: []string{"npm:a@1.0.0"}}); err == nil ||
		!strings.Contains(err.Error(), "a claim is about a name") {
		t.Errorf("a claim of a version is answered with %v", err)
	}
}
