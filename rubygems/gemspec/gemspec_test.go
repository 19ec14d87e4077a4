package gemspec

// Specifications and requirements, without Ruby.

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"larder/internal/rubymarshal"
	"larder/rubygems/version"
)

func TestRequirements(t *testing.T) {
	for _, c := range []struct {
		r            Requirement
		text         string
		trivial, bad bool
	}{
		{r: nil, text: ">= 0", trivial: true},
		{r: Requirement{{">=", "0"}}, text: ">= 0", trivial: true},
		{r: Requirement{{">=", "2.0"}, {"<", "4"}}, text: "< 4&>= 2.0"},
		{r: Requirement{{"~>", "1.2.a"}}, text: "~> 1.2.a"},
		{r: Requirement{{"=>", "1"}}, text: "=> 1", bad: true},
		{r: Requirement{{">", "1-2"}}, text: "> 1-2", bad: true},
	} {
		if got := c.r.Join("&"); got != c.text {
			t.Errorf("%v joined is %q, want %q", c.r, got, c.text)
		}
		if got := c.r.Trivial(); got != c.trivial {
			t.Errorf("%v is trivial: %v, want %v", c.r, got, c.trivial)
		}
		if _, bad := c.r.Bad(); bad != c.bad {
			t.Errorf("%v is bad: %v, want %v", c.r, bad, c.bad)
		}
	}
}

const plain = `--- !ruby/object:Gem::Specification
name: demo
version: !ruby/object:Gem::Version
  version: 1.10
platform: ruby
authors:
- Ada
date: 2010-02-03 00:00:00.000000000 -05:00
dependencies:
- !ruby/object:Gem::Dependency
  name: rack
  version_requirement: 
  version_requirements: !ruby/object:Gem::Version::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: "0"
    version: 
- !ruby/object:Gem::Dependency
  name: rake
  prerelease: false
  requirement: &id001 !ruby/object:Gem::Requirement
    none: false
    requirements:
    - - ~>
      - !ruby/object:Gem::Version
        version: "13"
  type: :development
description: !binary |-
  ZMOpasOg
email:
- a@example.com
summary: About
metadata:
  b: 'yes'
  a: '1'
licenses: []
requirements: libfoo
cert_chain:
- x
specification_version: 3
rubygems_version: 1.2.0
`

func mustRead(t *testing.T, text string) *Specification {
	t.Helper()
	s, err := Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plain has the spellings of many years.
func TestSpecificationIsRead(t *testing.T) {
	s := mustRead(t, plain)
	text := func(s string) *string { return &s }
	want := &Specification{
		Name: "demo", Version: "1.10", Platform: "ruby", Summary: text("About"), Description: text("déjà"),
		Authors: []string{"Ada"}, Emails: []string{"a@example.com"}, Metadata: [][2]string{{"b", "yes"}, {"a", "1"}},
		Requirements: []string{"libfoo"}, RubyVersion: Requirement{{">=", "0"}}, RubygemsVersion: Requirement{{">=", "0"}},
		Dependencies: []Dependency{
			{Name: "rack", Requirement: Requirement{{">=", "0"}}, Twice: true},
			{Name: "rake", Requirement: Requirement{{"~>", "13"}}, Development: true},
		},
		BuiltWith: "1.2.0", Format: 3, Date: time.Date(2010, 2, 3, 0, 0, 0, 0, time.UTC), Certificates: 1,
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("the specification is\n%+v\nwant\n%+v", s, want)
	}
}

func TestMetadataIsFoundByKey(t *testing.T) {
	s := mustRead(t, plain)
	for key, want := range map[string]string{"a": "1", "c": ""} {
		if got := s.Meta(key); got != want {
			t.Errorf("metadata %s is %q, want %q", key, got, want)
		}
	}
}

func TestSpellingsOfPlatforms(t *testing.T) {
	for platform, want := range map[string]string{
		"platform: !ruby/object:Gem::Platform\n  cpu: x86\n  os: mswin32\n  version: '60'\n": "x86-mswin32-60",
		"platform: ''\n": "ruby", "platform:\n": "ruby", "": "ruby",
		"platform: x86_64-darwin-19\noriginal_platform: x86_64-darwin19\n": "x86_64-darwin19",
	} {
		s := mustRead(t, strings.Replace(plain, "platform: ruby\n", platform, 1))
		if s.Platform != want {
			t.Errorf("%q is read as the platform %q, want %q", platform, s.Platform, want)
		}
	}
}

// with returns plain with a part of it replaced.
func with(t *testing.T, old, text string) string {
	t.Helper()
	if !strings.Contains(plain, old) {
		t.Fatalf("plain has no %q", old)
	}
	return strings.Replace(plain, old, text, 1)
}

func TestUnusableDocumentIsRefused(t *testing.T) {
	for _, c := range []struct{ yaml, text string }{
		{"", "is empty"},
		{"a: [", "not YAML"},
		{"a: \xff", "not UTF-8"},
		{plain + "---\na: b\n", "something after its end"},
		{"name: demo", "no Gem::Specification"},
		{plain + "x: *id001\n", "aliases"},
		{plain + "name: other\n", "there twice"},
		{plain + "x: !ruby/object:Evil\n  a: b\n", `kind "!ruby/object:Evil"`},
		{plain + "x:\n  <<: {}\n", `kind "!!merge"`},
		{plain + "x: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n", "nested"},
		{plain + "x:\n  ? [a]\n  : b\n", `the key "" is there twice, or is no text`},
	} {
		wantFormatError(t, c.yaml, c.text)
	}
}

func TestFieldOfAnotherTypeIsRefused(t *testing.T) {
	const requirement = "    - - \">=\"\n      - !ruby/object:Gem::Version\n        version: \"0\"\n    version: "
	for _, c := range []struct{ yaml, text string }{
		{with(t, "name: demo", "name: [demo]"), "the name is no text"},
		{with(t, "authors:\n- Ada", "authors: {a: b}"), "authors is no list"},
		{with(t, requirement, "    - a\n"), "a dependency is no requirement"},
		{with(t, "dependencies:", "dependencies: {}\nolder:"), "dependencies are no list"},
		{with(t, ":development", ":evil"), `of type ":evil"`},
		{with(t, "2010-02-03 00:00:00.000000000 -05:00", "soon"), `date "soon"`},
		{with(t, "platform: ruby", "platform: java\noriginal_platform: ruby"), "two platforms"},
		{with(t, "metadata:\n  b: 'yes'\n  a: '1'\n", "metadata: [a]\n"), "metadata is no mapping"},
		{with(t, "specification_version: 3", "specification_version: three"), "specification_version"},
		{with(t, "ZMOpasOg", "/w=="), "the description is binary"},
	} {
		wantFormatError(t, c.yaml, c.text)
	}
}

func wantFormatError(t *testing.T, yaml, text string) {
	t.Helper()
	_, err := Read([]byte(yaml))
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), text) {
		t.Errorf("the error is %v, want %v with %q", err, ErrFormat, text)
	}
}

func TestHugeDocumentIsRefused(t *testing.T) {
	for _, yaml := range []string{
		"a: [" + strings.Repeat(",", maxWeight), strings.Repeat("- ", maxWeight+1), strings.Repeat("a: b\n", maxWeight),
		strings.Repeat("?\n", maxWeight+1), strings.Repeat("\r", maxWeight+1),
	} {
		if _, err := Read([]byte(yaml)); !errors.Is(err, ErrLimit) {
			t.Errorf("%.20q… gives the error %v, want %v", yaml, err, ErrLimit)
		}
	}
}

func TestChecksumsAreRead(t *testing.T) {
	got, err := ReadChecksums([]byte("---\nSHA256:\n  metadata.gz: ab\n  data.tar.gz: 12\nSHA512: {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{"SHA256": {"metadata.gz": "ab", "data.tar.gz": "12"}, "SHA512": {}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the checksums are %v, want %v", got, want)
	}
}

func TestMalformedChecksumsAreRefused(t *testing.T) {
	for _, bad := range []string{"", "a: *x", "SHA256:\n  a: [b]\n"} {
		if _, err := ReadChecksums([]byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q gives the error %v, want %v", bad, err, ErrFormat)
		}
	}
}

func FuzzSpecification(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(strings.ReplaceAll(plain, "\n", "\r\n")))
	f.Add([]byte("--- !ruby/object:Gem::Specification\n? a\n: b\n...\n"))
	f.Add([]byte("%YAML 1.1\n--- !ruby/object:Gem::Specification {name: x, version: 1, x: |+2\n   a\n}"))
	f.Add([]byte("--- !ruby/object:Gem::Specification\nname: !!str &a \"\\u263a\"\nx: *a\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := Read(p)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
				t.Fatalf("%q: %v", p, err)
			}
			return
		}
		quick, err := s.Quick()
		if err != nil || len(quick) == 0 {
			t.Fatalf("%+v was read and cannot be written: %v", s, err)
		}
		raw, err := s.marshal()
		if err != nil {
			t.Fatal(err)
		}
		outer, err := rubymarshal.Unmarshal(raw, rubymarshal.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		inner, err := rubymarshal.Unmarshal(outer.(rubymarshal.Data).Raw, rubymarshal.Limits{})
		if list, ok := inner.([]any); err != nil || !ok || len(list) != 19 || list[2] != s.Name {
			t.Fatalf("%#v %v", inner, err)
		}
	})
}

// BenchmarkTuples is a Marshal index of 200,000 gems.
func BenchmarkTuples(b *testing.B) {
	list := make([]Tuple, 200_000)
	for i := range list {
		list[i] = Tuple{
			fmt.Sprintf("gem-number-%06d", i), fmt.Sprintf("%d.%d.%d", rand.IntN(9), rand.IntN(20), rand.IntN(9)), version.Ruby,
		}
	}
	for b.Loop() {
		var out bytes.Buffer
		if err := MarshalTuples(&out, list); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(out.Len()))
	}
}
