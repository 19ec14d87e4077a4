// Package minify writes lists of versions as composer/metadata-minifier does, and reads them. Pure.
package minify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"larder/internal/rawjson"
)

// Unset is what a minified document says of a field that is gone; no field can have it as its value.
const Unset = "__unset"

// Field is a member of a version's entry, its value in the one spelling that documents give it.
type Field struct {
	Key   string
	Value []byte
}

// Writer writes entries as composer/metadata-minifier does: the first as it is, of each further one what differs from
// the one before, with "__unset" for what it does not have.
type Writer struct {
	keys  []string // in the order in which they first came
	state map[string]*cell
	n     int // entries
}

// cell is what a reader has under a key so far; nil: nothing.
type cell struct {
	value []byte
	seen  int // the last entry that had it
}

// Append writes one entry. It keeps the values, but not the slice of fields.
func (m *Writer) Append(out []byte, entry []Field) []byte {
	if m.state == nil {
		m.state = map[string]*cell{}
	}
	m.n++
	out = append(out, '{')
	first := len(out)
	member := func(key string, value []byte) {
		if len(out) > first {
			out = append(out, ',')
		}
		out = append(append(rawjson.AppendString(out, key), ':'), value...)
	}
	for _, x := range entry {
		c := m.state[x.Key]
		if c == nil {
			c = &cell{}
			m.state[x.Key] = c
			m.keys = append(m.keys, x.Key)
		}
		if c.value == nil || !bytes.Equal(c.value, x.Value) {
			member(x.Key, x.Value)
			c.value = x.Value
		}
		c.seen = m.n
	}
	for _, k := range m.keys {
		if c := m.state[k]; c.seen != m.n && c.value != nil {
			member(k, []byte(`"`+Unset+`"`))
			c.value = nil
		}
	}
	return append(out, '}')
}

// ErrAbsent: the document says nothing of the package.
var ErrAbsent = errors.New("the document is not about the package")

// Expand reads a document and its versions, minified or not, each with all its fields. Composer 1 has the versions in
// an object, by what they are called, and PHP writes an empty object as a list. ErrAbsent when it is not about name.
func Expand(body []byte, name string) (doc rawjson.Object, list []rawjson.Object, err error) {
	if len(body) < 16 && string(bytes.TrimSpace(body)) == "[]" {
		return nil, nil, fmt.Errorf("%s: %w", name, ErrAbsent)
	}
	if doc, err = rawjson.Parse(body); err != nil {
		return nil, nil, err
	}
	if packages := doc.Get("packages"); packages == nil || packages[0] != '{' && packages[0] != '[' {
		return nil, nil, errors.New("the document has no packages")
	}
	list, err = Versions(doc, name)
	return doc, list, err
}

// Versions are the versions of a package in a document that is parsed. ErrAbsent.
func Versions(doc rawjson.Object, name string) (list []rawjson.Object, err error) {
	entries, err := entriesOf(doc, name)
	if err != nil {
		return nil, err
	}
	minified, state := doc.Text("minified") != "", rawjson.Object{}
	for _, e := range entries {
		o, err := rawjson.Parse(e)
		if err != nil {
			return nil, err
		}
		if minified {
			state = append(rawjson.Object{}, state...)
			for _, m := range o {
				if rawjson.TextOf(m.Value) == Unset {
					m.Value = nil
				}
				state = state.Set(m.Key, m.Value)
			}
			o = state
		}
		list = append(list, o)
	}
	return list, nil
}

// entriesOf are the versions of a package as they stand in a document.
func entriesOf(doc rawjson.Object, name string) (entries []json.RawMessage, err error) {
	packages, i := doc.Sub("packages"), -1
	for j, m := range packages {
		if m.Key == name || i < 0 && strings.EqualFold(m.Key, name) {
			i = j
		}
	}
	if i < 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrAbsent)
	}
	if raw := packages[i].Value; raw[0] != '{' {
		return entries, json.Unmarshal(raw, &entries)
	}
	for _, m := range packages.Sub(packages[i].Key) {
		entries = append(entries, m.Value)
	}
	return entries, nil
}
