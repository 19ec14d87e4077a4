package gemspec

// This file reads specifications and indexes in Ruby's own format, as registries without a compact index have them.
// They are read as data: texts in a form that is not known are as if they were missing.

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"larder/internal/rubymarshal"
	"larder/rubygems/version"
)

// Limits of what an upstream has.
const (
	maxQuick  = 8 << 20   // bytes of a specification, unpacked
	maxTuples = 256 << 20 // bytes of an index, unpacked
)

// Places of what is read in the array of Gem::Specification#_dump.
const (
	atBuiltWith, atFormat, atName, atVersion, atDate, atSummary, atRuby, atRubygems, atPlatform, atDependencies = 0, 1, 2,
		3, 4, 5, 6, 7, 8, 9
	atAuthors, atDescription, atHomepage, atNewPlatform, atLicenses, atMetadata = 12, 13, 14, 16, 17, 18
)

// ReadQuick reads a gemspec.rz. ErrFormat or ErrLimit when it says no name, no version, or not what the gem needs.
func ReadQuick(p []byte) (*Specification, error) {
	z, err := zlib.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, malformed("it is not compressed")
	}
	raw, err := unpack(z, maxQuick)
	if err != nil {
		return nil, err
	}
	outer, err := rubymarshal.Unmarshal(raw, rubymarshal.Limits{})
	if err != nil {
		return nil, malformed("%v", err)
	}
	data, _ := outer.(rubymarshal.Data)
	if data.Class != "Gem::Specification" {
		return nil, malformed("it is no Gem::Specification")
	}
	inner, err := rubymarshal.Unmarshal(data.Raw, rubymarshal.Limits{})
	if err != nil {
		return nil, malformed("%v", err)
	}
	list, _ := inner.([]any)
	return readSpecification(list)
}

func readSpecification(list []any) (*Specification, error) {
	at := func(i int) any {
		if i < len(list) {
			return list[i]
		}
		return nil
	}
	s := &Specification{
		BuiltWith: asText(at(atBuiltWith)), Name: asText(at(atName)), Version: asVersion(at(atVersion)),
		Platform: asPlatform(at(atPlatform)), Summary: asOptional(at(atSummary)),
		Description: asOptional(at(atDescription)), Homepage: asOptional(at(atHomepage)),
		Authors: asTexts(at(atAuthors)), Licenses: asTexts(at(atLicenses)), Date: asDate(at(atDate)),
	}
	s.Format, _ = at(atFormat).(int)
	if s.Platform == version.Ruby {
		s.Platform = asPlatform(at(atNewPlatform))
	}
	pairs, _ := at(atMetadata).(rubymarshal.Hash)
	for _, p := range pairs {
		s.Metadata = append(s.Metadata, [2]string{asText(p.Key), asText(p.Value)})
	}
	if s.Name == "" || !version.Valid(s.Version) {
		return nil, malformed("it has no name or no version")
	}
	var err error
	if s.RubyVersion, err = asRequirement(at(atRuby)); err != nil {
		return nil, err
	}
	if s.RubygemsVersion, err = asRequirement(at(atRubygems)); err != nil {
		return nil, err
	}
	needed, ok := at(atDependencies).([]any)
	if !ok {
		return nil, malformed("it does not say what the gem needs")
	}
	for _, v := range needed {
		d, err := asDependency(v)
		if err != nil {
			return nil, err
		}
		s.Dependencies = append(s.Dependencies, d)
	}
	return s, nil
}

// ReadTuples reads specs.4.8.gz, or another index of the same form, unpacked or not. bad counts the rows that name no
// version of a gem; they are left out.
func ReadTuples(p []byte) (list []Tuple, bad int, err error) {
	if bytes.HasPrefix(p, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(p))
		if err != nil {
			return nil, 0, malformed("it is not compressed")
		}
		if p, err = unpack(z, maxTuples); err != nil {
			return nil, 0, err
		}
	}
	v, err := rubymarshal.Unmarshal(p, rubymarshal.Limits{Values: 64 << 20})
	rows, ok := v.([]any)
	if err != nil || !ok {
		return nil, 0, malformed("it is no list of versions")
	}
	for _, v := range rows {
		row, _ := v.([]any)
		if len(row) < 2 {
			bad++
			continue
		}
		t := Tuple{Name: asText(row[0]), Number: asVersion(row[1]), Platform: version.Ruby}
		if len(row) > 2 {
			t.Platform = asPlatform(row[2])
		}
		if t.Name == "" || !version.Valid(t.Number) {
			bad++
			continue
		}
		list = append(list, t)
	}
	return list, bad, nil
}

// unpack reads at most limit bytes.
func unpack(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, malformed("it is not compressed")
	case int64(len(raw)) > limit:
		return nil, fmt.Errorf("%w: it unpacks to more than %d bytes", ErrLimit, limit)
	}
	return raw, nil
}

// asText is a string of any encoding, valid UTF-8; "" for anything else.
func asText(v any) string {
	switch s := v.(type) {
	case string:
		return s
	case rubymarshal.ASCII:
		return strings.ToValidUTF8(string(s), "�")
	case rubymarshal.Binary:
		return strings.ToValidUTF8(string(s), "�")
	case rubymarshal.Symbol:
		return strings.ToValidUTF8(string(s), "�")
	}
	return ""
}

func asOptional(v any) *string {
	if s := asText(v); s != "" {
		return &s
	}
	return nil
}

// asTexts is a list of strings, or one.
func asTexts(v any) (out []string) {
	if s := asText(v); s != "" {
		return []string{s}
	}
	list, _ := v.([]any)
	for _, e := range list {
		if s := asText(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// asVersion is the number of a Gem::Version, in the form of marshal_dump or, of a very old RubyGems, of an object.
func asVersion(v any) string {
	switch v := v.(type) {
	case rubymarshal.User:
		if list, _ := v.Value.([]any); v.Class == classVersion && len(list) > 0 {
			return asText(list[0])
		}
	case rubymarshal.Object:
		if v.Class == classVersion {
			return asText(ivar(v, "@version"))
		}
	}
	return ""
}

func ivar(o rubymarshal.Object, name rubymarshal.Symbol) any {
	i := slices.IndexFunc(o.Ivars, func(v rubymarshal.Ivar) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return o.Ivars[i].Value
}

// asPlatform is a name or a Gem::Platform; a missing or empty one is ruby.
func asPlatform(v any) string {
	o, ok := v.(rubymarshal.Object)
	if !ok || o.Class != "Gem::Platform" {
		if s := asText(v); s != "" {
			return s
		}
		return version.Ruby
	}
	return version.Platform{
		CPU: asText(ivar(o, "@cpu")), OS: asText(ivar(o, "@os")), Version: asText(ivar(o, "@version")),
	}.String()
}

// asRequirement reads a Gem::Requirement, or what old ones are. None is none; one that cannot be read is an error, for
// it must not be lost.
func asRequirement(v any) (out Requirement, err error) {
	var rows []any
	switch v := v.(type) {
	case nil:
		return nil, nil
	case rubymarshal.User:
		if list, _ := v.Value.([]any); len(list) > 0 {
			rows, _ = list[0].([]any)
		}
	case rubymarshal.Object:
		rows, _ = ivar(v, "@requirements").([]any)
	}
	if rows == nil {
		return nil, malformed("it has a requirement in an unknown form")
	}
	for _, v := range rows {
		row, _ := v.([]any)
		if len(row) != 2 {
			return nil, malformed("it has a requirement in an unknown form")
		}
		out = append(out, Condition{Op: asText(row[0]), Version: asVersion(row[1])})
	}
	if c, bad := out.Bad(); bad {
		return nil, malformed("it has the requirement %.20q %.80q", c.Op, c.Version)
	}
	return out, nil
}

func asDependency(v any) (d Dependency, err error) {
	o, _ := v.(rubymarshal.Object)
	d.Name = asText(ivar(o, "@name"))
	if o.Class != "Gem::Dependency" || d.Name == "" {
		return d, malformed("it has a dependency in an unknown form")
	}
	own := ivar(o, "@requirement")
	if own == nil {
		own = ivar(o, "@version_requirements")
	}
	if d.Requirement, err = asRequirement(own); err != nil {
		return d, err
	}
	d.Development = asText(ivar(o, "@type")) == "development"
	d.Prerelease, _ = ivar(o, "@prerelease").(bool)
	return d, nil
}

// asDate is the day of a Time; see marshalDate.
func asDate(v any) time.Time {
	d, _ := v.(rubymarshal.Data)
	if d.Class != "Time" || len(d.Raw) != 8 || d.Raw[3]&0x80 == 0 {
		return time.Time{}
	}
	p := uint32(d.Raw[0]) | uint32(d.Raw[1])<<8 | uint32(d.Raw[2])<<16 | uint32(d.Raw[3])<<24
	return time.Date(int(p>>14&0xffff)+1900, time.Month(p>>10&0xf)+1, int(p>>5&0x1f), 0, 0, 0, 0, time.UTC)
}
