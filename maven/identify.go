package maven

// This file tells POMs and jars from other bytes, for whoever looks at files that no record knows.

import (
	"io"
	"path"
	"strings"

	"larder/internal/archive"
	"larder/maven/pom"
	"larder/store"
)

const maxIdentify = 4 << 20

// Identify says which artifact and version a POM or a jar is. A jar says so only if Maven has put its pom.properties
// into it; whether it is the main one or one with a classifier is not known.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	if f, ok := identifyPOM(r, size); ok {
		return f, true
	}
	z, err := archive.OpenZip(r, size, archive.Limits{})
	if err != nil {
		return store.Found{}, false
	}
	var f store.Found
	for _, e := range z.Entries() {
		if !strings.HasPrefix(e.Name, "META-INF/maven/") || path.Base(e.Name) != "pom.properties" {
			continue
		}
		raw, err := e.Bytes(64 << 10)
		if err != nil || f.Name != "" {
			return store.Found{}, false // of several, as in jars that hold others
		}
		p, ext := properties(string(raw)), ".jar"
		if z.Entry("WEB-INF/web.xml") != nil || z.Entry("WEB-INF/") != nil {
			ext = ".war"
		}
		f = artifact(p["groupId"], p["artifactId"], p["version"], ext, store.Likely)
	}
	return f, f.Name != ""
}

func identifyPOM(r io.ReaderAt, size int64) (store.Found, bool) {
	if size > maxIdentify {
		return store.Found{}, false
	}
	text := make([]byte, size)
	if _, err := r.ReadAt(text, 0); err != nil && err != io.EOF {
		return store.Found{}, false
	}
	p, err := pom.Read(text)
	if err != nil {
		return store.Found{}, false
	}
	group, version := string(p.Group), string(p.Version)
	if p.Parent != nil && group == "" {
		group = string(p.Parent.Group)
	}
	if p.Parent != nil && version == "" {
		version = string(p.Parent.Version)
	}
	f := artifact(group, string(p.Artifact), version, ".pom", store.Certain)
	return f, f.Name != "" && !strings.Contains(f.Name+f.Version, "${")
}

func artifact(group, name, version, ext, confidence string) store.Found {
	if group == "" || name == "" || version == "" {
		return store.Found{}
	}
	return store.Found{
		Kind: store.Maven, Name: group + ":" + name, Version: version, File: name + "-" + version + ext,
		Confidence: confidence,
	}
}

// properties reads the lines of a pom.properties.
func properties(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			out[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return out
}
