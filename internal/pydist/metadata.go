package pydist

// This file reads core metadata: METADATA of wheels and PKG-INFO of source archives.

import (
	"bytes"
	"strings"
)

// Metadata is a METADATA or PKG-INFO file: headers as in mail, then a body.
type Metadata struct {
	fields map[string][]string // lower-case key, "-" as in the file
	body   string
}

// ParseMetadata reads headers and body. It never fails, because twenty years of tools have written these files: a line
// that is no header begins the body, as in Python's own parser. Bytes that are not UTF-8 are replaced.
func ParseMetadata(raw []byte) *Metadata {
	m := &Metadata{fields: map[string][]string{}}
	text := strings.ToValidUTF8(string(bytes.TrimPrefix(raw, []byte("\ufeff"))), "\ufffd")
	key := ""
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			m.body = rest
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if values := m.fields[key]; key != "" && len(values) > 0 {
				values[len(values)-1] += "\n" + line
			}
			text = rest
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.ContainsAny(name, " \t") || name == "" {
			m.body = text
			break
		}
		key = strings.ToLower(name)
		m.fields[key] = append(m.fields[key], strings.TrimSpace(value))
		text = rest
	}
	return m
}

// Get returns the first value of a header, "" if it is missing or says UNKNOWN.
func (m *Metadata) Get(key string) string {
	values := m.fields[strings.ToLower(key)]
	if len(values) == 0 || values[0] == "UNKNOWN" {
		return ""
	}
	return unfold(values[0])
}

// All returns the values of a header that may be repeated.
func (m *Metadata) All(key string) []string {
	var out []string
	for _, v := range m.fields[strings.ToLower(key)] {
		if v = unfold(v); v != "" && v != "UNKNOWN" {
			out = append(out, v)
		}
	}
	return out
}

// Description returns the long text: the body, or in old files a header.
func (m *Metadata) Description() string {
	if strings.TrimSpace(m.body) != "" {
		return m.body
	}
	return m.Get("Description")
}

// unfold joins the lines of a value. Lines of a description are indented and begin with a bar.
func unfold(v string) string {
	if !strings.Contains(v, "\n") {
		return v
	}
	lines := strings.Split(v, "\n")
	for i, line := range lines[1:] {
		line = strings.TrimPrefix(line, "        ")
		if rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), "|"); ok {
			line = rest
		}
		lines[i+1] = line
	}
	return strings.Join(lines, "\n")
}
