// Package minify writes lists of versions as composer/metadata-minifier does, and reads them. Pure.
package minify

import (
	"bytes"
	"encoding/json"
	"fmt"

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

// Expand reads a document and its versions, minified or not, each with all its fields.
func Expand(body []byte, name string) (doc rawjson.Object, list []rawjson.Object, err error) {
	if doc, err = rawjson.Parse(body); err != nil {
		return nil, nil, err
	}
	packages := doc.Sub("packages")
	raw := packages.Get(name)
	if raw == nil {
		return nil, nil, fmt.Errorf("the document is not about %s", name)
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, nil, err
	}
	minified, state := doc.Text("minified") != "", rawjson.Object{}
	for _, e := range entries {
		o, err := rawjson.Parse(e)
		if err != nil {
			return nil, nil, err
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
	return doc, list, nil
}
