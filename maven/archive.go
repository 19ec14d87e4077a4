package maven

// What uploaded files say of themselves. Pure, over io.ReaderAt and bytes; every reader has limits, and what cannot be
// read is only not known: the layout asks of no file that it be readable.

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"larder/internal/archive"
	"larder/maven/layout"
	"larder/maven/markup"
)

// Limits of looking into a jar. An archive with more entries costs too much to look into while a client waits.
const (
	maxJarEntries = 20_000
	maxJarBytes   = 8 << 30
	maxJarEntry   = 1 << 20
)

// jarFacts is what the main jar of a version says.
type jarFacts struct {
	Prefix     string `json:"prefix,omitempty"`      // a plugin's goal prefix
	PluginName string `json:"plugin_name,omitempty"` // and name
	Archetype  bool   `json:"archetype,omitempty"`
	Module     string `json:"module,omitempty"` // Automatic-Module-Name, or "module-info" for a modular jar
	Bundle     string `json:"bundle,omitempty"` // Bundle-SymbolicName
	Classes    int    `json:"classes,omitempty"`
	Java       int    `json:"java,omitempty"` // the release its first class needs
}

// readJar looks into a jar. A plugin descriptor counts only if it is about these coordinates: Maven itself checks that,
// and another one would claim a prefix in somebody else's group.
func readJar(r io.ReaderAt, size int64, group, artifact string) (*jarFacts, string) {
	z, err := archive.OpenZip(r, size, archive.Limits{Entries: maxJarEntries, Bytes: maxJarBytes})
	if err != nil {
		return nil, unread("jar", err)
	}
	facts, warning := &jarFacts{}, ""
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
func (f *jarFacts) addClass(e *archive.ZipEntry) {
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
func (f *jarFacts) readManifest(e *archive.ZipEntry) {
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

func (f *jarFacts) readPlugin(e *archive.ZipEntry, group, artifact string) (warning string) {
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
	case p.Prefix == "" || strings.Trim(string(p.Prefix), layout.CoordinateChars) != "":
		return "the jar's plugin descriptor has no usable prefix"
	}
	f.Prefix, f.PluginName = markup.Clip(string(p.Prefix), 200), markup.Clip(string(p.Name), 200)
	return ""
}

// moduleFacts is what Gradle's metadata says of a version.
type moduleFacts struct {
	Variants []string     `json:"variants,omitempty"`
	Files    []moduleFile `json:"files,omitempty"`
}

// moduleFile is a file that a variant has, with its checksums.
type moduleFile struct {
	Name string            `json:"name"`
	Size int64             `json:"size"`
	Sums map[string]string `json:"sums,omitempty"`
}

// maxModuleFacts bounds variants and files that are kept of a module.
const maxModuleFacts = 200

// readModule reads Gradle module metadata 1.0 and 1.1.
func readModule(text []byte) (*moduleFacts, string) {
	var m struct {
		FormatVersion string `json:"formatVersion"`
		Variants      []struct {
			Name  string `json:"name"`
			Files []struct {
				URL    string `json:"url"`
				Size   int64  `json:"size"`
				MD5    string `json:"md5"`
				SHA1   string `json:"sha1"`
				SHA256 string `json:"sha256"`
				SHA512 string `json:"sha512"`
			} `json:"files"`
		} `json:"variants"`
	}
	if err := json.Unmarshal(text, &m); err != nil || !strings.HasPrefix(m.FormatVersion, "1.") {
		return nil, "the Gradle module metadata cannot be read"
	}
	facts, seen := &moduleFacts{}, map[string]bool{}
	for _, v := range m.Variants[:min(len(m.Variants), maxModuleFacts)] {
		facts.Variants = append(facts.Variants, markup.Clip(v.Name, 100))
		for _, f := range v.Files {
			// A path of another directory is the module's own business.
			if seen[f.URL] || strings.Contains(f.URL, "/") || len(facts.Files) == maxModuleFacts {
				continue
			}
			seen[f.URL] = true
			file := moduleFile{Name: markup.Clip(f.URL, maxSegment), Size: f.Size, Sums: map[string]string{}}
			for alg, sum := range map[string]string{"md5": f.MD5, "sha1": f.SHA1, "sha256": f.SHA256, "sha512": f.SHA512} {
				if sum != "" {
					file.Sums[alg] = strings.ToLower(markup.Clip(sum, 128))
				}
			}
			facts.Files = append(facts.Files, file)
		}
	}
	return facts, ""
}

// signature is what an OpenPGP signature says of itself; nobody has verified it.
type signature struct {
	Key     string    `json:"key,omitempty"` // fingerprint or key id, in hex
	Created time.Time `json:"created,omitzero"`
}

// readSignature reads the first signature packet of a detached signature (RFC 9580 5.2.3), armoured or not.
func readSignature(text []byte) (sig signature, ok bool) {
	p := dearmour(text)
	if len(p) < 2 || p[0]&0x80 == 0 {
		return sig, false
	}
	body, ok := packet(p)
	if !ok || len(body) < 6 || body[0] != 4 && body[0] != 6 {
		return sig, false
	}
	wide, at := 2, 4 // version, type, two algorithms
	if body[0] == 6 {
		wide = 4
	}
	for range 2 { // hashed, then unhashed subpackets
		n, ok := number(body, at, wide)
		if !ok || n > len(body)-at-wide {
			return sig, false
		}
		sig.take(body[at+wide : at+wide+n])
		at += wide + n
	}
	return sig, sig.Key != "" || !sig.Created.IsZero()
}

// dearmour decodes the base64 between header and checksum; what is not armoured is returned as it is.
func dearmour(text []byte) []byte {
	_, rest, found := bytes.Cut(text, []byte("-----BEGIN PGP SIGNATURE-----"))
	if !found {
		return text
	}
	rest = bytes.ReplaceAll(rest, []byte("\r"), nil)
	if _, after, ok := bytes.Cut(rest, []byte("\n\n")); ok {
		rest = after
	}
	rest, _, _ = bytes.Cut(rest, []byte("-----END"))
	if i := bytes.LastIndex(rest, []byte("\n=")); i >= 0 && len(rest)-i < 10 {
		rest = rest[:i]
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(rest)))
	n, err := base64.StdEncoding.Decode(out, bytes.ReplaceAll(rest, []byte("\n"), nil))
	if err != nil {
		return nil
	}
	return out[:n]
}

// packet returns the body of p's first packet if it is a signature (tag 2).
func packet(p []byte) ([]byte, bool) {
	at, n, ok := 1, 0, false
	if p[0]&0x40 != 0 {
		n, at, ok = length(p, 1)
		ok = ok && p[0]&0x3f == 2
	} else {
		wide := 1 << (p[0] & 3)
		n, ok = number(p, 1, wide)
		at, ok = 1+wide, ok && wide < 8 && p[0]>>2&0xf == 2
	}
	if !ok || n > len(p)-at {
		return nil, false
	}
	return p[at : at+n], true
}

// length reads the length of a packet or subpacket in the new format.
func length(p []byte, at int) (n, next int, ok bool) {
	switch {
	case at >= len(p):
		return 0, 0, false
	case p[at] < 192:
		return int(p[at]), at + 1, true
	case p[at] < 255 && at+1 < len(p):
		return (int(p[at])-192)<<8 + int(p[at+1]) + 192, at + 2, true
	}
	n, ok = number(p, at+1, 4)
	return n, at + 5, ok
}

// number reads a big-endian number of wide bytes.
func number(p []byte, at, wide int) (n int, ok bool) {
	if at+wide > len(p) || wide > 4 {
		return 0, false
	}
	for _, b := range p[at : at+wide] {
		n = n<<8 | int(b)
	}
	return n, true
}

// take reads creation time (2), issuer key id (16) and issuer fingerprint (33).
func (s *signature) take(p []byte) {
	for at := 0; at < len(p); {
		n, next, ok := length(p, at)
		if !ok || n < 1 || n > len(p)-next {
			return
		}
		body := p[next+1 : next+n]
		switch kind := p[next] & 0x7f; {
		case kind == 2 && len(body) == 4:
			s.Created = time.Unix(int64(binary.BigEndian.Uint32(body)), 0).UTC()
		case kind == 16 && len(body) == 8 && s.Key == "":
			s.Key = hex.EncodeToString(body)
		case kind == 33 && len(body) > 20 && len(body) <= 33:
			s.Key = hex.EncodeToString(body[1:])
		}
		at = next + n
	}
}
