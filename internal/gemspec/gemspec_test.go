package gemspec

// Specifications, versions, requirements and platforms, without Ruby.

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/rubymarshal"
	"larder/internal/rubymarshal/marshaltest"
)

// order is that of Gem::Version, oldest first; versions of one row are equal.
var order = [][]string{
	{"0", "0.0", "00"}, {"0.0.1"}, {"0.1.a"}, {"0.1.rc.1"}, {"0.1", "0.1.0"}, {"1.a", "1.0.a", "1.0.0.a"},
	{"1.a.1", "1.0.a1", "1.a1"}, {"1.a.2"}, {"1.a10"}, {"1.b"}, {"1.pre"}, {"1", "1.0", "1.0.0", "01.0", "1.0.00"},
	{"1.0.0.1"}, {"1.2.a"}, {"1.2"}, {"1.9"}, {"1.10", "1.10.0"}, {"2.0.A"}, {"2.0.a"}, {"2"}, {"10"},
	{"99999999999999999999"}, {"100000000000000000000"},
}

// eachPair calls fn with every two versions of order and how they compare.
func eachPair(fn func(a, b string, want int)) {
	for i, as := range order {
		for j, bs := range order {
			for _, a := range as {
				for _, b := range bs {
					fn(a, b, max(-1, min(1, i-j)))
				}
			}
		}
	}
}

func TestCompareOrdersAsRubyGems(t *testing.T) {
	eachPair(func(a, b string, want int) {
		if got := Compare(a, b); got != want {
			t.Errorf("%s against %s: %d, want %d", a, b, got, want)
		}
	})
}

func TestEqualVersionsHaveOneCanonicalSpelling(t *testing.T) {
	eachPair(func(a, b string, want int) {
		if x, y := Canonical(a), Canonical(b); (x == y) != (want == 0) {
			t.Errorf("%s is canonically %s, and %s is %s", a, x, b, y)
		}
	})
}

func TestGrammarOfVersions(t *testing.T) {
	for v, want := range map[string]bool{
		"1": true, "1.10": true, "1.0.0.rc1": true, "1.a.b": true, "0": true, strings.Repeat("1", 255): true,
		"": false, ".1": false, "1.": false, "1..2": false, "a": false, "1a": false, "1-1": false, "1.0-rc": false,
		"1 ": false, "1\n": false, "1.é": false, "v1": false, strings.Repeat("1", 256): false,
	} {
		if got := IsVersion(v); got != want {
			t.Errorf("%q is a version: %v, want %v", v, got, want)
		}
	}
}

func TestPrereleaseHasALetter(t *testing.T) {
	for v, want := range map[string]bool{"1.0": false, "1.0.a": true, "2.0.0.rc1": true} {
		if got := IsPrerelease(v); got != want {
			t.Errorf("%s is a prerelease: %v, want %v", v, got, want)
		}
	}
}

func TestGrammarOfPlatforms(t *testing.T) {
	for p, want := range map[string]bool{
		"ruby": true, "x86_64-linux-musl": true, "x86-mswin32-60": true, "": false, "-x": false, "x-": false, "../x": false,
		"a b": false, "x/y": false, strings.Repeat("x", 256): false,
	} {
		if got := IsPlatform(p); got != want {
			t.Errorf("%q is a platform: %v, want %v", p, got, want)
		}
	}
}

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
		outer, err := marshaltest.Unmarshal(raw, marshaltest.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		inner, err := marshaltest.Unmarshal(outer.(rubymarshal.Data).Raw, marshaltest.Limits{})
		if list, ok := inner.([]any); err != nil || !ok || len(list) != 19 || list[2] != s.Name {
			t.Fatalf("%#v %v", inner, err)
		}
	})
}

// Versions have an order, in which equal ones have one canonical spelling, and others have others.
func FuzzVersions(f *testing.F) {
	f.Add("1.0", "1.0.0", "1.0.a")
	f.Add("2.a1", "2.a.1", "0")
	f.Add("1.0.b0.0", "01.00", "1.B")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if !IsVersion(a) || !IsVersion(b) || !IsVersion(c) {
			return
		}
		list := []string{a, b, c}
		slices.SortFunc(list, Compare)
		if Compare(list[0], list[1]) > 0 || Compare(list[1], list[2]) > 0 || Compare(list[0], list[2]) > 0 {
			t.Fatalf("%q is not in order", list)
		}
		if Compare(a, b) != -Compare(b, a) || (Compare(a, b) == 0) != (Canonical(a) == Canonical(b)) {
			t.Fatalf("%s against %s: %d one way and %d the other; canonically they are %s and %s",
				a, b, Compare(a, b), Compare(b, a), Canonical(a), Canonical(b))
		}
		if Compare(Canonical(a), a) != 0 || IsPrerelease(a) != IsPrerelease(Canonical(a)) {
			t.Fatalf("%s is canonically %s", a, Canonical(a))
		}
	})
}

// BenchmarkTuples is a Marshal index of 200,000 gems.
func BenchmarkTuples(b *testing.B) {
	list := make([]Tuple, 200_000)
	for i := range list {
		list[i] = Tuple{
			fmt.Sprintf("gem-number-%06d", i), fmt.Sprintf("%d.%d.%d", rand.IntN(9), rand.IntN(20), rand.IntN(9)), Ruby,
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
