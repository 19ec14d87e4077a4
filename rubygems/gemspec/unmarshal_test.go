package gemspec

// Reading what other registries have in Ruby's format.

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestQuickSpecificationIsReadAsItWasWritten(t *testing.T) {
	text := func(s string) *string { return &s }
	want := &Specification{
		Name: "demo", Version: "1.2.0", Platform: "x86_64-linux", Summary: text("s"), Description: text("d"),
		Homepage: text("https://example.com/demo"), Authors: []string{"ada"}, Licenses: []string{"MIT"},
		Metadata:    [][2]string{{"a", "b"}},
		RubyVersion: Requirement{{">=", "2.7"}}, RubygemsVersion: Requirement{{">=", "0"}},
		Dependencies: []Dependency{
			{Name: "dep", Requirement: Requirement{{"~>", "1.0"}, {"<", "1.9"}}},
			{Name: "dev", Requirement: Requirement{{">=", "0"}}, Development: true},
		},
		BuiltWith: "3.3.5", Format: 4, Date: time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC),
	}
	quick, err := want.Quick()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadQuick(quick)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Errorf("the specification is\n%s, want\n%s", g, w)
	}
}

func TestIndexIsReadPackedOrNot(t *testing.T) {
	want := []Tuple{{"demo", "1.0", "ruby"}, {"demo", "1.1.pre", "java"}}
	var packed bytes.Buffer
	if err := MarshalTuples(&packed, append(want, Tuple{"demo", "no-version", "ruby"})); err != nil {
		t.Fatal(err)
	}
	plain := []byte("\x04\b[\x06[\bI\"\x09demo\x06:\x06ETU:\x11Gem::Version[\x06I\"\x081.0\x06;\x00TI\"\x09ruby\x06;\x00T")
	for _, c := range []struct {
		index []byte
		want  []Tuple
		bad   int
	}{{packed.Bytes(), want, 1}, {plain, want[:1], 0}} {
		got, bad, err := ReadTuples(c.index)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("the index is %v, want %v", got, c.want)
		}
		if bad != c.bad {
			t.Errorf("%d rows are left out, want %d", bad, c.bad)
		}
	}
	for _, index := range []string{"", "<html>", "\x04\b0", "\x1f\x8b"} {
		if _, _, err := ReadTuples([]byte(index)); !errors.Is(err, ErrFormat) {
			t.Errorf("the index %q gives the error %v, want %v", index, err, ErrFormat)
		}
	}
}
