package archive

// Jars: plugins, archetypes, modules, and the Java release they need.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"larder/internal/archive"
	"larder/maven/markup"
	"larder/maven/names"
)

// Limits of looking into a jar. An archive with more entries costs too much to look into while a client waits.
const (
	maxJarEntries = 20_000
	maxJarBytes   = 8 << 30
	maxJarEntry   = 1 << 20
)

// Jar is what the main jar of a version says.
type Jar struct {
	Prefix     string `json:"prefix,omitempty"`      // a plugin's goal prefix
	PluginName string `json:"plugin_name,omitempty"` // and name
	Archetype  bool   `json:"archetype,omitempty"`
	Module     string `json:"module,omitempty"` // Automatic-Module-Name, or "module-info" for a modular jar
	Bundle     string `json:"bundle,omitempty"` // Bundle-SymbolicName
	Classes    int    `json:"classes,omitempty"`
	Java       int    `json:"java,omitempty"` // the release its first class needs
}

// ReadJar looks into a jar. A plugin descriptor counts only if it is about these coordinates: Maven itself checks that,
// and another one would claim a prefix in somebody else's group.
func ReadJar(r io.ReaderAt, size int64, group, artifact string) (*Jar, string) {
	z, err := archive.OpenZip(r, size, archive.Limits{Entries: maxJarEntries, Bytes: maxJarBytes})
	if err != nil {
		return nil, unread("jar", err)
	}
	facts, warning := &Jar{}, ""
	for _, e := range z.Entries() {
		switch {
		case !e.Regular:
		case strings.HasSuffix(e.Name, ".class"):
			facts.addClass(e)
		case e.Name == "META-INF/MANIFEST.MF":
			facts.readManifest(e)
		case e.Name == "META-INF/maven/plugin.xml":
			warning = facts.readPlugin(e, group, artifact)
		case e.Name == "META-INF/maven/archetype-metadata.xml", e.Name == "META-INF/maven/archetype.xml":
			facts.Archetype = true
		}
	}
	return facts, warning
}

func unread(what string, err error) string {
	if errors.Is(err, archive.ErrLimit) {
		return "the " + what + " is too large to look into"
	}
	return "the " + what + " cannot be read"
}

// addClass counts a class and reads the first one's version: a magic number, then minor and major.
func (f *Jar) addClass(e *archive.ZipEntry) {
	f.Classes++
	if e.Name == "module-info.class" {
		f.Module = "module-info"
	}
	var head [8]byte
	if f.Java != 0 || e.Size < int64(len(head)) {
		return
	}
	if _, err := io.ReadFull(e.Open(), head[:]); err == nil && binary.BigEndian.Uint32(head[:]) == 0xcafebabe {
		f.Java = max(int(binary.BigEndian.Uint16(head[6:]))-44, 0)
	}
}

// readManifest takes the names by which module systems know the jar. Lines are folded after 72 bytes.
func (f *Jar) readManifest(e *archive.ZipEntry) {
	text, err := e.Bytes(maxJarEntry)
	if err != nil {
		return
	}
	unfolded := strings.NewReplacer("\r\n ", "", "\n ", "", "\r", "").Replace(string(text))
	for line := range strings.SplitSeq(unfolded, "\n") {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case line == "":
			return // what follows is about single files
		case strings.EqualFold(key, "Automatic-Module-Name") && f.Module == "":
			f.Module = markup.Clip(value, 200)
		case strings.EqualFold(key, "Bundle-SymbolicName"):
			name, _, _ := strings.Cut(value, ";")
			f.Bundle = markup.Clip(strings.TrimSpace(name), 200)
		}
	}
}

func (f *Jar) readPlugin(e *archive.ZipEntry, group, artifact string) (warning string) {
	text, err := e.Bytes(maxJarEntry)
	if err != nil {
		return unread("plugin descriptor", err)
	}
	var p struct {
		Name       markup.Text `xml:"name"`
		GroupID    markup.Text `xml:"groupId"`
		ArtifactID markup.Text `xml:"artifactId"`
		Prefix     markup.Text `xml:"goalPrefix"`
	}
	switch err := markup.Decode(text, "plugin", markup.POMTokens, &p); {
	case err != nil:
		return unread("plugin descriptor", err)
	case string(p.GroupID) != group || string(p.ArtifactID) != artifact:
		return fmt.Sprintf("the jar's plugin descriptor is about %.200s:%.200s", p.GroupID, p.ArtifactID)
	case p.Prefix == "" || strings.Trim(string(p.Prefix), names.CoordinateChars) != "":
		return "the jar's plugin descriptor has no usable prefix"
	}
	f.Prefix, f.PluginName = markup.Clip(string(p.Prefix), 200), markup.Clip(string(p.Name), 200)
	return ""
}
