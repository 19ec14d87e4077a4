package config

// This file writes a configuration as a document with the keys of the file, without secrets.

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/goccy/go-yaml"
)

// MarshalYAML is the file that sets what c has, all defaults written out.
func (c Config) MarshalYAML() (any, error) { return c.document(), nil }

// MarshalJSON is the same document as JSON.
func (c Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := writeJSON(&b, c.document())
	return b.Bytes(), err
}

// document has the settings of the file in the order of the rows.
func (c Config) document() yaml.MapSlice {
	var doc yaml.MapSlice
	for _, s := range settings() {
		if !s.in(fromFile) {
			continue
		}
		v := s.value(&c)
		if _, short := v.(*upstreamURL); short && v.String() == "" {
			continue
		}
		put(&doc, strings.Split(s.name, "."), printed(v))
	}
	return doc
}

// put sets the value at path. Mappings on the way to it are made, or continued where they stand.
func put(doc *yaml.MapSlice, path []string, v any) {
	if len(path) == 1 {
		*doc = append(*doc, yaml.MapItem{Key: path[0], Value: v})
		return
	}
	for i, item := range *doc {
		if item.Key == path[0] {
			inner := item.Value.(yaml.MapSlice)
			put(&inner, path[1:], v)
			(*doc)[i].Value = inner
			return
		}
	}
	var inner yaml.MapSlice
	put(&inner, path[1:], v)
	*doc = append(*doc, yaml.MapItem{Key: path[0], Value: inner})
}

// printed is v as the file would have it.
func printed(v value) any {
	switch v := v.(type) {
	case *boolean:
		return bool(*v)
	case *number:
		return int(*v)
	case *texts:
		return []string(*v)
	case *prefixes:
		return v.items()
	case objectList:
		return v.printed()
	}
	return v.String()
}

// printed is the list with the keys of each mapping that say something.
func (o objects[T]) printed() any {
	var all []yaml.MapSlice
	for i := range *o.list {
		doc := yaml.MapSlice{}
		for _, f := range o.rows {
			v := valueOf(f.at(&(*o.list)[i]))
			if !f.secret && (f.required || v.String() != valueOf(f.at(new(T))).String()) {
				doc = append(doc, yaml.MapItem{Key: f.name, Value: printed(v)})
			}
		}
		all = append(all, doc)
	}
	return all
}

// writeJSON writes what document returns; mappings keep their order.
func writeJSON(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case yaml.MapSlice:
		b.WriteByte('{')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, item.Key); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeJSON(b, item.Value); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case []yaml.MapSlice:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b.Write(text)
	}
	return nil
}
