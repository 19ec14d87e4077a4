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

// TestCompare: the order of Gem::Version, oldest first; versions of one row are equal.
func TestCompare(t *testing.T) {
	rows := [][]string{
		{"0", "0.0", "00"}, {"0.0.1"}, {"0.1.a"}, {"0.1.rc.1"}, {"0.1", "0.1.0"}, {"1.a", "1.0.a", "1.0.0.a"},
		{"1.a.1", "1.0.a1", "1.a1"}, {"1.a.2"}, {"1.a10"}, {"1.b"}, {"1.pre"}, {"1", "1.0", "1.0.0", "01.0", "1.0.00"},
		{"1.0.0.1"}, {"1.2.a"}, {"1.2"}, {"1.9"}, {"1.10", "1.10.0"}, {"2.0.A"}, {"2.0.a"}, {"2"}, {"10"},
		{"99999999999999999999"}, {"100000000000000000000"},
	}
	for i, a := range rows {
		for j, b := range rows {
			for _, x := range a {
				for _, y := range b {
					want := 0
					if i < j {
						want = -1
					} else if i > j {
						want = 1
					}
					if got := Compare(x, y); got != want {
						t.Errorf("%s and %s: %d, want %d", x, y, got, want)
					}
					if (Canonical(x) == Canonical(y)) != (i == j) {
						t.Errorf("%s is %s, %s is %s", x, Canonical(x), y, Canonical(y))
					}
				}
			}
		}
	}
}

// TestIsVersion: the grammar, and which versions are no releases.
func TestIsVersion(t *testing.T) {
	for v, want := range map[string]bool{
		"1": true, "1.10": true, "1.0.0.rc1": true, "1.a.b": true, "0": true, strings.Repeat("1", 255): true,
		"": false, ".1": false, "1.": false, "1..2": false, "a": false, "1a": false, "1-1": false, "1.0-rc": false,
		"1 ": false, "1\n": false, "1.é": false, "v1": false, strings.Repeat("1", 256): false,
	} {
		if IsVersion(v) != want {
			t.Errorf("%q: %t", v, !want)
		}
	}
	for v, want := range map[string]bool{"1.0": false, "1.0.a": true, "2.0.0.rc1": true} {
		if IsPrerelease(v) != want {
			t.Errorf("%s: %t", v, !want)
		}
	}
	for p, want := range map[string]bool{
		"ruby": true, "x86_64-linux-musl": true, "x86-mswin32-60": true, "": false, "-x": false, "x-": false, "../x": false,
		"a b": false, "x/y": false, strings.Repeat("x", 256): false,
	} {
		if IsPlatform(p) != want {
			t.Errorf("%q: %t", p, !want)
		}
	}
}

// TestRequirement: what is left out, how conditions are joined, which cannot be parsed.
func TestRequirement(t *testing.T) {
	for _, c := range []struct {
		r       Requirement
		text    string
		trivial bool
		bad     bool
	}{
		{nil, ">= 0", true, false}, {Requirement{{">=", "0"}}, ">= 0", true, false},
		{Requirement{{">=", "2.0"}, {"<", "4"}}, "< 4&>= 2.0", false, false},
		{Requirement{{"~>", "1.2.a"}}, "~> 1.2.a", false, false}, {Requirement{{"=>", "1"}}, "=> 1", false, true},
		{Requirement{{">", "1-2"}}, "> 1-2", false, true},
	} {
		_, bad := c.r.Bad()
		if c.r.Join("&") != c.text || c.r.Trivial() != c.trivial || bad != c.bad {
			t.Errorf("%v: %q %t %t", c.r, c.r.Join("&"), c.r.Trivial(), bad)
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

// TestRead: the spellings of many years.
func TestRead(t *testing.T) {
	s, err := Read([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
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
		t.Errorf("%+v\n%+v", s, want)
	}
	if s.Meta("a") != "1" || s.Meta("c") != "" {
		t.Error("metadata")
	}
	for platform, want := range map[string]string{
		"platform: !ruby/object:Gem::Platform\n  cpu: x86\n  os: mswin32\n  version: '60'\n": "x86-mswin32-60",
		"platform: ''\n": "ruby", "platform:\n": "ruby", "": "ruby",
		"platform: x86_64-darwin-19\noriginal_platform: x86_64-darwin19\n": "x86_64-darwin19",
	} {
		s, err := Read([]byte(strings.Replace(plain, "platform: ruby\n", platform, 1)))
		if err != nil || s.Platform != want {
			t.Errorf("%q: %+v %v", platform, s, err)
		}
	}
}

// Everything but data of the right shape.
func TestMalformedSpecificationIsRefused(t *testing.T) {
	replace := func(old, with string) string {
		if !strings.Contains(plain, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(plain, old, with, 1)
	}
	for text, yaml := range map[string]string{
		"is empty": "", "not YAML": "a: [", "not UTF-8": "a: \xff", "something after its end": plain + "---\na: b\n",
		"no Gem::Specification": "name: demo", "aliases": plain + "x: *id001\n", "there twice": plain + "name: other\n",
		`kind "!ruby/object:Evil"`: plain + "x: !ruby/object:Evil\n  a: b\n", `kind "!!merge"`: plain + "x:\n  <<: {}\n",
		"nested": plain + "x: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n",
		"the key \"\" is there twice, or is no text": plain + "x:\n  ? [a]\n  : b\n",
		"the name is no text":                        replace("name: demo", "name: [demo]"),
		"authors is no list":                         replace("authors:\n- Ada", "authors: {a: b}"),
		"a dependency is no requirement": replace("    - - \">=\"\n      - !ruby/object:Gem::Version\n"+
			"        version: \"0\"\n    version: ", "    - a\n"),
		"dependencies are no list": replace("email:", "x: y\nemail:")[:0] + strings.Replace(plain, "dependencies:",
			"dependencies: {}\nolder:", 1),
		"of type \":evil\"":         replace(":development", ":evil"),
		"date \"soon\"":             replace("2010-02-03 00:00:00.000000000 -05:00", "soon"),
		"two platforms":             replace("platform: ruby", "platform: java\noriginal_platform: ruby"),
		"metadata is no mapping":    replace("metadata:\n  b: 'yes'\n  a: '1'\n", "metadata: [a]\n"),
		"specification_version":     replace("specification_version: 3", "specification_version: three"),
		"the description is binary": replace("ZMOpasOg", "/w=="),
	} {
		if _, err := Read([]byte(yaml)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, yaml := range []string{
		"a: [" + strings.Repeat(",", maxWeight), strings.Repeat("- ", maxWeight+1), strings.Repeat("a: b\n", maxWeight),
		strings.Repeat("?\n", maxWeight+1), strings.Repeat("\r", maxWeight+1),
	} {
		if _, err := Read([]byte(yaml)); !errors.Is(err, ErrLimit) {
			t.Errorf("%.20q…: %v", yaml, err)
		}
	}
}

// TestReadChecksums: hex by member by algorithm.
func TestReadChecksums(t *testing.T) {
	got, err := ReadChecksums([]byte("---\nSHA256:\n  metadata.gz: ab\n  data.tar.gz: 12\nSHA512: {}\n"))
	want := map[string]map[string]string{"SHA256": {"metadata.gz": "ab", "data.tar.gz": "12"}, "SHA512": {}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"", "a: *x", "SHA256:\n  a: [b]\n"} {
		if _, err := ReadChecksums([]byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", bad, err)
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

// FuzzVersions: an order, in which equal versions have one spelling, and nothing else has.
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
			t.Fatalf("%s and %s: %d %d, %s %s", a, b, Compare(a, b), Compare(b, a), Canonical(a), Canonical(b))
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
