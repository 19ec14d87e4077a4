// Package metadata is maven-metadata.xml, both ways, and the lists at the repository's root: what clients send is only
// read for what it announces; what they get is rendered from rows, whose types are here. Pure.
package metadata

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/maven/markup"
	"larder/maven/names"
	"larder/maven/version"
)

// State is what the metadata of an artifact says beside its versions.
type State struct {
	Updated int64  `json:"updated"` // Unix seconds; grows with every change
	Release string `json:"release,omitempty"`
	Latest  string `json:"latest,omitempty"`
	Count   int    `json:"count"` // versions listed
}

// Take lets a version be the latest or the release, if it is higher. A fix of an old line never is.
func (st *State) Take(v string) {
	if st.Latest == "" || version.Compare(v, st.Latest) > 0 {
		st.Latest = v
	}
	if !names.IsSnapshot(v) && (st.Release == "" || version.Compare(v, st.Release) > 0) {
		st.Release = v
	}
}

// Base is what the metadata of a snapshot says beside its files.
type Base struct {
	Updated int64  `json:"updated"`
	Build   string `json:"build,omitempty"` // ID of the newest
	Count   int    `json:"count"`           // builds
	Prune   int64  `json:"prune,omitempty"` // when old ones will be removed, Unix seconds
}

// Newest is the latest build's file of a classifier and extension.
type Newest struct {
	ID   string `json:"id"`
	File string `json:"file"`
	Time int64  `json:"time"` // Unix seconds
}

// Plugin is a row of a group's metadata.
type Plugin struct {
	Artifact string `json:"-"`
	Name     string `json:"name,omitempty"`
	Prefix   string `json:"prefix"`
}

func formatTime(unix int64) string { return time.Unix(unix, 0).UTC().Format(names.TimeForm) }

// Sent is what a client says in a maven-metadata.xml.
type Sent struct {
	Group     markup.Text   `xml:"groupId"`
	Artifact  markup.Text   `xml:"artifactId"`
	Version   markup.Text   `xml:"version"`
	Versions  []markup.Text `xml:"versioning>versions>version"`
	Release   markup.Text   `xml:"versioning>release"`
	Latest    markup.Text   `xml:"versioning>latest"`
	Timestamp markup.Text   `xml:"versioning>snapshot>timestamp"`
	Build     markup.Text   `xml:"versioning>snapshot>buildNumber"`
	Files     []markup.Text `xml:"versioning>snapshotVersions>snapshotVersion>value"`
	Updated   markup.Text   `xml:"versioning>lastUpdated"`
	Plugins   []SentPlugin  `xml:"plugins>plugin"`
}

// SentPlugin is a plugin of a group as others write it.
type SentPlugin struct {
	Artifact markup.Text `xml:"artifactId"`
	Name     markup.Text `xml:"name"`
	Prefix   markup.Text `xml:"prefix"`
}

// Read reads what a client sends.
func Read(text []byte) (*Sent, error) {
	var m Sent
	if err := markup.Decode(text, "metadata", markup.MetadataTokens, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// Names is every version, or build of a snapshot, that the document announces.
func (m *Sent) Names() map[string]bool {
	out := map[string]bool{}
	for _, v := range append(append(m.Versions, m.Files...), m.Release, m.Latest, m.Version) {
		out[string(v)] = true
	}
	if m.Timestamp != "" {
		out[strings.TrimSuffix(string(m.Version), names.Snapshot)+string(m.Timestamp)+"-"+string(m.Build)] = true
	}
	delete(out, "")
	return out
}

// Listed is every version that the document of an artifact lists. Some name only the newest.
func (m *Sent) Listed() []string {
	out, seen := make([]string, 0, len(m.Versions)), map[markup.Text]bool{"": true}
	for _, v := range append(slices.Clone(m.Versions), m.Release, m.Latest) {
		if !seen[v] {
			seen[v] = true
			out = append(out, string(v))
		}
	}
	return out
}

// Changed is when the document says that it changed, in Unix seconds; 0 when it says nothing that can be read.
func (m *Sent) Changed() int64 {
	at, err := time.Parse(names.TimeForm, strings.ReplaceAll(string(m.Updated), ".", ""))
	if err != nil {
		return 0
	}
	return max(at.Unix(), 0)
}

// Newer reports whether the document of a snapshot names a later build than that of another registry.
func (m *Sent) Newer(than *Sent) bool {
	if m.Timestamp != than.Timestamp {
		return m.Timestamp > than.Timestamp
	}
	return m.Changed() > than.Changed()
}

// AddVersion adds a version that is not listed yet. Sort brings them into Maven's order at the end.
func (m *Artifact) AddVersion(v string) {
	m.Versions = append(m.Versions, v)
	m.State.Take(v)
}

// AddPlugin adds a plugin, unless the document has one of its prefix already: clients take the first.
func (m *Artifact) AddPlugin(p Plugin) {
	if !slices.ContainsFunc(m.Plugins, func(have Plugin) bool { return have.Prefix == p.Prefix }) {
		m.Plugins = append(m.Plugins, p)
	}
}

// Artifact is the document of an artifact, of a group, or of both when their paths are the same.
type Artifact struct {
	Group, Artifact string
	State           State
	Versions        []string // in Maven's order; none: the artifact has no part in the document
	Plugins         []Plugin
}

// xmlWriter renders indented elements in the form clients write.
type xmlWriter struct {
	buf   bytes.Buffer
	depth int
}

func newXML(attributes string) *xmlWriter {
	w := &xmlWriter{}
	w.buf.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<metadata" + attributes + ">\n")
	w.depth = 1
	return w
}

func (w *xmlWriter) indent() {
	for range w.depth {
		w.buf.WriteString("  ")
	}
}

// open starts an element that holds others.
func (w *xmlWriter) open(name string) {
	w.indent()
	w.buf.WriteString("<" + name + ">\n")
	w.depth++
}

func (w *xmlWriter) close(name string) {
	w.depth--
	w.indent()
	w.buf.WriteString("</" + name + ">\n")
}

// leaf writes an element with text; an empty one not at all.
func (w *xmlWriter) leaf(name, text string) {
	if text == "" {
		return
	}
	w.indent()
	w.buf.WriteString("<" + name + ">")
	if strings.ContainsAny(text, `<>&"'`) || !isASCII(text) {
		// Escaping into memory cannot fail.
		_ = xml.EscapeText(&w.buf, []byte(text))
	} else {
		w.buf.WriteString(text)
	}
	w.buf.WriteString("</" + name + ">\n")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func (w *xmlWriter) end() []byte {
	w.buf.WriteString("</metadata>\n")
	return w.buf.Bytes()
}

// Render writes the document.
func (m *Artifact) Render() []byte {
	w := newXML("")
	if len(m.Versions) > 0 {
		w.leaf("groupId", m.Group)
		w.leaf("artifactId", m.Artifact)
		w.open("versioning")
		w.leaf("latest", m.State.Latest)
		w.leaf("release", m.State.Release)
		w.open("versions")
		for _, v := range m.Versions {
			w.leaf("version", v)
		}
		w.close("versions")
		if m.State.Updated > 0 {
			w.leaf("lastUpdated", formatTime(m.State.Updated))
		}
		w.close("versioning")
	}
	if len(m.Plugins) > 0 {
		w.open("plugins")
		for _, p := range m.Plugins {
			w.open("plugin")
			w.leaf("name", p.Name)
			w.leaf("prefix", p.Prefix)
			w.leaf("artifactId", p.Artifact)
			w.close("plugin")
		}
		w.close("plugins")
	}
	return w.end()
}

// File is one line of a snapshot's metadata.
type File struct {
	Classifier, Ext string
	Newest
}

// Snapshot is the document of a snapshot.
type Snapshot struct {
	Group, Artifact, Version string
	Base                     Base
	Files                    []File // in the order of classifier and extension
}

// Render writes the document. Without timestamped builds there is none: clients then ask for the plain names.
func (m *Snapshot) Render() []byte {
	timestamp, number, _ := names.SplitBuild(m.Version, m.Base.Build)
	if n, err := strconv.Atoi(number); err == nil {
		number = strconv.Itoa(n)
	}
	w := newXML(` modelVersion="1.1.0"`)
	w.leaf("groupId", m.Group)
	w.leaf("artifactId", m.Artifact)
	w.open("versioning")
	w.leaf("lastUpdated", formatTime(m.Base.Updated))
	w.open("snapshot")
	w.leaf("timestamp", timestamp)
	w.leaf("buildNumber", number)
	w.close("snapshot")
	w.open("snapshotVersions")
	for _, f := range m.Files {
		w.open("snapshotVersion")
		w.leaf("classifier", f.Classifier)
		w.leaf("extension", f.Ext)
		w.leaf("value", f.ID)
		w.leaf("updated", formatTime(f.Time))
		w.close("snapshotVersion")
	}
	w.close("snapshotVersions")
	w.close("versioning")
	w.leaf("version", m.Version)
	return w.end()
}

// Archetype is an archetype of the catalog.
type Archetype struct {
	Group, Artifact, Version, Description string
}

// Archetypes writes archetype-catalog.xml.
func Archetypes(entries []Archetype) []byte {
	w := &xmlWriter{depth: 1}
	w.buf.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<archetype-catalog>\n")
	w.open("archetypes")
	for _, e := range entries {
		w.open("archetype")
		w.leaf("groupId", e.Group)
		w.leaf("artifactId", e.Artifact)
		w.leaf("version", e.Version)
		w.leaf("description", e.Description)
		w.close("archetype")
	}
	w.close("archetypes")
	w.buf.WriteString("</archetype-catalog>\n")
	return w.buf.Bytes()
}

// PrefixHeader is the first line of prefixes.txt; clients ignore a file without it.
const PrefixHeader = "## repository-prefixes/2.0"

// Prefixes writes the paths below which something can be found.
func Prefixes(prefixes []string) []byte {
	var b bytes.Buffer
	b.WriteString(PrefixHeader + "\n")
	for _, p := range prefixes {
		b.WriteString("/" + p + "\n")
	}
	return b.Bytes()
}
