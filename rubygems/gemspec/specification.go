// Package gemspec reads and writes the formats of RubyGems: specifications in YAML and in Ruby's binary form, and the
// requirements in them. The rules of the registry for what may be published are in package archive.
//
// Specifications are read as data: no tag creates an object. Tags that no specification has are refused, and so are
// aliases, with which a small file can have huge contents.
package gemspec

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"larder/rubygems/version"

	"go.yaml.in/yaml/v3"
)

// All errors of reading wrap ErrFormat or ErrLimit. Their texts are for users.
var (
	ErrFormat = errors.New("the specification cannot be used")
	ErrLimit  = errors.New("the specification is too large")
)

// Specification has the fields of a Gem::Specification that indexes, documents and gem install need.
type Specification struct {
	Name            string       `json:"name"`
	Version         string       `json:"version"`
	Platform        string       `json:"platform"` // as the gem spells it
	Summary         *string      `json:"summary,omitempty"`
	Description     *string      `json:"description,omitempty"`
	Homepage        *string      `json:"homepage,omitempty"`
	Authors         []string     `json:"authors,omitempty"`
	Emails          []string     `json:"emails,omitempty"`
	OneEmail        bool         `json:"one_email,omitempty"` // it is no list
	Licenses        []string     `json:"licenses,omitempty"`
	Metadata        [][2]string  `json:"metadata,omitempty"`
	Requirements    []string     `json:"requirements,omitempty"` // in words, of things that are no gems
	RubyVersion     Requirement  `json:"ruby_version,omitempty"`
	RubygemsVersion Requirement  `json:"rubygems_version,omitempty"`
	Dependencies    []Dependency `json:"dependencies,omitempty"`
	BuiltWith       string       `json:"built_with,omitempty"` // version of RubyGems
	Format          int          `json:"format,omitempty"`     // specification_version
	Date            time.Time    `json:"date"`
	Certificates    int          `json:"certificates,omitempty"`
}

// Dependency is a gem that another gem needs.
type Dependency struct {
	Name        string      `json:"name"`
	Requirement Requirement `json:"requirement"`
	Development bool        `json:"development,omitempty"`
	Prerelease  bool        `json:"prerelease,omitempty"`
	Twice       bool        `json:"twice,omitempty"` // the specification repeats the requirement, as most do
}

// Meta returns the value of a key of the metadata, "" if it is missing.
func (s *Specification) Meta(key string) string {
	for _, m := range s.Metadata {
		if m[0] == key {
			return m[1]
		}
	}
	return ""
}

// maxWeight bounds the nodes of a document before any is allocated.
const maxWeight = 250_000

// maxDepth bounds the nesting of a document; specifications have 8 levels.
const maxDepth = 32

// tags are the tags of specifications, old and new, and those of YAML itself.
var tags = []string{
	"!ruby/object:Gem::Specification", "!ruby/object:Gem::Version", "!ruby/object:Gem::Requirement",
	"!ruby/object:Gem::Version::Requirement", "!ruby/object:Gem::Dependency", "!ruby/object:Gem::Platform", "!binary",
	"!str", "!ruby/symbol", "!ruby/sym", "!!binary", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!seq", "!!map",
	"!!timestamp",
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// weight returns at least half of the number of nodes that p can have: each needs one of these marks.
func weight(p []byte) (n int) {
	for i, c := range p {
		switch c {
		case '\n', '\r', ',', '[', '{':
			n++
		case '-', ':', '?':
			if i+1 == len(p) || p[i+1] == ' ' || p[i+1] == '\t' {
				n++
			}
		}
	}
	return n
}

// readYAML parses one document without aliases, unknown tags or repeated keys.
func readYAML(p []byte) (*yaml.Node, error) {
	if !utf8.Valid(p) {
		return nil, malformed("it is not UTF-8")
	}
	if weight(p) > maxWeight {
		return nil, fmt.Errorf("%w: it has more than %d lines and entries", ErrLimit, maxWeight)
	}
	d := yaml.NewDecoder(bytes.NewReader(p))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, malformed("it is empty")
	case err != nil:
		return nil, malformed("it is not YAML")
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, malformed("it has something after its end")
	}
	return doc.Content[0], checkYAML(doc.Content[0], maxDepth)
}

func checkYAML(n *yaml.Node, depth int) error {
	switch {
	case depth == 0:
		return malformed("it is nested too deeply")
	case n.Kind == yaml.AliasNode:
		return malformed("it has aliases, which this registry does not accept; build the gem with a newer RubyGems")
	case n.Tag != "" && !slices.Contains(tags, n.Tag):
		return malformed("it has a value of the kind %.80q", n.Tag)
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode || seen[k.Value] {
				return malformed("the key %.80q is there twice, or is no text", k.Value)
			}
			seen[k.Value] = true
		}
	}
	for _, c := range n.Content {
		if err := checkYAML(c, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// reader reads values of a checked document and keeps the first error.
type reader struct{ err error }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed(format, args...)
	}
}

// member returns the value of a key, nil if it is missing or null.
func member(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i+1].Tag != "!!null" {
			return n.Content[i+1]
		}
	}
	return nil
}

// text returns a scalar as it was written, "" for nil.
func (r *reader) text(n *yaml.Node, of string) string {
	switch {
	case n == nil || n.Tag == "!!null":
		return ""
	case n.Kind != yaml.ScalarNode:
		r.fail("%s is no text", of)
		return ""
	case n.Tag == "!binary" || n.Tag == "!!binary":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
		if err != nil || !utf8.Valid(raw) {
			r.fail("%s is binary", of)
		}
		return string(raw)
	}
	return n.Value
}

// maybe tells a missing text from an empty one, as Ruby does.
func (r *reader) maybe(n *yaml.Node, of string) *string {
	if n == nil {
		return nil
	}
	s := r.text(n, of)
	return &s
}

// list reads a sequence of texts, or one text.
func (r *reader) list(n *yaml.Node, of string) (out []string, one bool) {
	switch {
	case n == nil:
		return nil, false
	case n.Kind == yaml.ScalarNode:
		return []string{r.text(n, of)}, true
	case n.Kind != yaml.SequenceNode:
		r.fail("%s is no list", of)
		return nil, false
	}
	for _, c := range n.Content {
		out = append(out, r.text(c, of))
	}
	return out, false
}

// version reads a Gem::Version, or the text of one.
func (r *reader) version(n *yaml.Node, of string) string {
	if n != nil && n.Kind == yaml.MappingNode {
		n = member(n, "version")
	}
	return r.text(n, of)
}

// requirement reads a Gem::Requirement: a list of pairs of operator and version.
func (r *reader) requirement(n *yaml.Node, of string) (out Requirement) {
	if n == nil {
		return Requirement{{">=", "0"}}
	}
	list := member(n, "requirements")
	if n.Kind != yaml.MappingNode || list == nil || list.Kind != yaml.SequenceNode {
		r.fail("%s is no requirement", of)
		return nil
	}
	for _, pair := range list.Content {
		if pair.Kind != yaml.SequenceNode || len(pair.Content) != 2 {
			r.fail("%s is no requirement", of)
			return nil
		}
		out = append(out, Condition{r.text(pair.Content[0], of), r.version(pair.Content[1], of)})
	}
	return out
}

func (r *reader) dependency(n *yaml.Node) (d Dependency) {
	d.Name = r.text(member(n, "name"), "the name of a dependency")
	again := member(n, "version_requirements")
	own := member(n, "requirement")
	if own == nil {
		own = again // before RubyGems 1.3
	}
	d.Requirement = r.requirement(own, "a dependency")
	d.Twice = again != nil
	switch kind := r.text(member(n, "type"), "the type of a dependency"); kind {
	case ":runtime", "runtime", "":
	case ":development", "development":
		d.Development = true
	default:
		r.fail("a dependency is of type %.20q", kind)
	}
	d.Prerelease = r.text(member(n, "prerelease"), "prerelease") == "true"
	return d
}

// platform reads a name or a Gem::Platform. A missing or empty one, which RubyGems 3.6.1 wrote, is ruby. Newer versions
// write the usual name as platform, and the spelling of the gem's author as original_platform.
func (r *reader) platform(n, original *yaml.Node) string {
	s := r.text(original, "the platform")
	usual := version.Ruby
	if n != nil && n.Kind == yaml.MappingNode {
		part := func(key string) string { return r.text(member(n, key), "the platform") }
		usual = version.Platform{CPU: part("cpu"), OS: part("os"), Version: part("version")}.String()
	} else if t := r.text(n, "the platform"); t != "" {
		usual = t
	}
	if s == "" {
		return usual
	}
	if version.ParsePlatform(s) != version.ParsePlatform(usual) {
		r.fail("it has two platforms, %.80q and %.80q", usual, s)
	}
	return s
}

// date reads the day on which the gem was built.
func (r *reader) date(n *yaml.Node) time.Time {
	s := r.text(n, "the date")
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, s[:min(len(s), len(time.DateOnly))])
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		r.fail("the date %.40q is none", s)
	}
	return t
}

func (r *reader) metadata(n *yaml.Node) (out [][2]string) {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.fail("metadata is no mapping")
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, [2]string{r.text(n.Content[i], "metadata"), r.text(n.Content[i+1], "metadata")})
	}
	return out
}

// Read reads the YAML of a specification. The caller checks names and versions. Its errors are ErrFormat and ErrLimit.
func Read(p []byte) (*Specification, error) {
	n, err := readYAML(p)
	if err != nil {
		return nil, err
	}
	if n.Kind != yaml.MappingNode || n.Tag != tags[0] {
		return nil, malformed("it is no Gem::Specification")
	}
	r := &reader{}
	s := &Specification{
		Name: r.text(member(n, "name"), "the name"), Version: r.version(member(n, "version"), "the version"),
		Platform:    r.platform(member(n, "platform"), member(n, "original_platform")),
		Summary:     r.maybe(member(n, "summary"), "the summary"),
		Description: r.maybe(member(n, "description"), "the description"),
		Homepage:    r.maybe(member(n, "homepage"), "the homepage"), Metadata: r.metadata(member(n, "metadata")),
		Date:            r.date(member(n, "date")),
		RubyVersion:     r.requirement(member(n, "required_ruby_version"), "required_ruby_version"),
		RubygemsVersion: r.requirement(member(n, "required_rubygems_version"), "required_rubygems_version"),
		BuiltWith:       r.text(member(n, "rubygems_version"), "rubygems_version"), Format: 4,
	}
	s.Authors, _ = r.list(member(n, "authors"), "authors")
	s.Emails, s.OneEmail = r.list(member(n, "email"), "email")
	s.Licenses, _ = r.list(member(n, "licenses"), "licenses")
	s.Requirements, _ = r.list(member(n, "requirements"), "requirements")
	if v := r.text(member(n, "specification_version"), "specification_version"); v != "" {
		if s.Format, err = strconv.Atoi(v); err != nil || s.Format < 0 || s.Format > 100 {
			r.fail("specification_version %.20q is none", v)
		}
	}
	if c := member(n, "cert_chain"); c != nil {
		s.Certificates = len(c.Content)
	}
	list := member(n, "dependencies")
	if list != nil && list.Kind != yaml.SequenceNode {
		r.fail("dependencies are no list")
		list = nil
	}
	if list != nil {
		for _, d := range list.Content {
			s.Dependencies = append(s.Dependencies, r.dependency(d))
		}
	}
	return s, r.err
}

// ReadChecksums reads checksums.yaml. It returns hexadecimal checksums by algorithm and member. Its errors
// are ErrFormat and ErrLimit.
func ReadChecksums(p []byte) (map[string]map[string]string, error) {
	n, err := readYAML(p)
	if err != nil {
		return nil, err
	}
	r := &reader{}
	out := map[string]map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		sums := map[string]string{}
		for j := 0; j+1 < len(n.Content[i+1].Content); j += 2 {
			sums[n.Content[i+1].Content[j].Value] = r.text(n.Content[i+1].Content[j+1], "a checksum")
		}
		out[n.Content[i].Value] = sums
	}
	return out, r.err
}

// Text returns *s, "" for nil.
func Text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
