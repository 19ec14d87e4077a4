package gemspec

// This file writes specifications and indexes in Ruby's own format, with the bytes that Marshal.dump writes.

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"

	"larder/internal/rubymarshal"
	"larder/rubygems/version"
)

// Quick returns the version's gemspec.rz, which gem install reads of every gem it selects.
func (s *Specification) Quick() ([]byte, error) {
	raw, err := s.marshal()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, err = z.Write(raw)
	if err == nil {
		err = z.Close()
	}
	return b.Bytes(), err
}

// marshal returns what Gem::Specification#_dump writes: an array in a stream of its own.
func (s *Specification) marshal() ([]byte, error) {
	var email any
	switch {
	case s.OneEmail && len(s.Emails) == 1:
		email = s.Emails[0]
	case s.Emails != nil:
		email = texts(s.Emails)
	}
	deps := make([]any, len(s.Dependencies))
	for i, d := range s.Dependencies {
		deps[i] = d.marshal()
	}
	metadata := make(rubymarshal.Hash, len(s.Metadata))
	for i, m := range s.Metadata {
		metadata[i] = rubymarshal.Pair{Key: m[0], Value: m[1]}
	}
	inner, err := rubymarshal.Marshal([]any{
		s.BuiltWith, s.Format, s.Name, marshalVersion(s.Version), marshalDate(s.Date), optional(s.Summary),
		s.RubyVersion.marshal(), s.RubygemsVersion.marshal(), s.Platform, deps, "", email, texts(s.Authors),
		optional(s.Description), optional(s.Homepage), true, marshalPlatform(s.Platform), texts(s.Licenses), metadata,
	})
	if err != nil {
		return nil, fmt.Errorf("specification of %s: %w", s.Name, err)
	}
	return rubymarshal.Marshal(rubymarshal.Data{Class: "Gem::Specification", Raw: inner})
}

func optional(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

const classVersion = "Gem::Version"

func marshalVersion(v string) any {
	return rubymarshal.User{Class: classVersion, Value: []any{v}}
}

func (r Requirement) marshal() any {
	list := make([]any, len(r))
	for i, c := range r {
		list[i] = []any{c.Op, marshalVersion(c.Version)}
	}
	return rubymarshal.User{Class: "Gem::Requirement", Value: []any{list}}
}

func (d *Dependency) marshal() any {
	kind := rubymarshal.Symbol("runtime")
	if d.Development {
		kind = "development"
	}
	o := rubymarshal.Object{Class: "Gem::Dependency", Ivars: []rubymarshal.Ivar{
		{Name: "@name", Value: d.Name}, {Name: "@requirement", Value: d.Requirement.marshal()}, {Name: "@type", Value: kind},
		{Name: "@prerelease", Value: d.Prerelease},
	}}
	if d.Twice {
		o.Ivars = append(o.Ivars, rubymarshal.Ivar{Name: "@version_requirements", Value: d.Requirement.marshal()})
	}
	return o
}

// marshalDate returns a Time: eight bytes with the fields of a UTC time, and its zone.
func marshalDate(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	day := uint32(t.Year()-1900)<<14 | uint32(t.Month()-1)<<10 | uint32(t.Day())<<5
	raw := binary.LittleEndian.AppendUint32(nil, 1<<31|1<<30|day)
	raw = binary.LittleEndian.AppendUint32(raw, 0)
	return rubymarshal.Data{
		Class: "Time", Raw: raw, Ivars: []rubymarshal.Ivar{{Name: "zone", Value: rubymarshal.ASCII("UTC")}},
	}
}

func marshalPlatform(s string) any {
	if s == version.Ruby {
		return s
	}
	p := version.ParsePlatform(s)
	part := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	return rubymarshal.Object{
		Class: "Gem::Platform",
		Ivars: []rubymarshal.Ivar{
			{Name: "@cpu", Value: part(p.CPU)}, {Name: "@os", Value: part(p.OS)}, {Name: "@version", Value: part(p.Version)},
		},
	}
}

// Tuple is one row of a Marshal index.
type Tuple struct{ Name, Number, Platform string }

// MarshalTuples writes specs.4.8.gz, or another index of the same form.
func MarshalTuples(w io.Writer, list []Tuple) error {
	e := rubymarshal.NewEncoder(nil)
	e.Array(len(list))
	for _, t := range list {
		e.Array(3)
		e.String(t.Name)
		e.User(classVersion)
		e.Array(1)
		e.String(t.Number)
		e.String(t.Platform)
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(e.Bytes())
	}
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return z.Close()
}
