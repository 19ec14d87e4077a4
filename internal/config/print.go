package config

// This file writes a configuration as a document with the keys of the file, without secrets.

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is a mapping in its order.
type document []entry

// entry is a key of a document and its value: a text, number, boolean, list of texts, document or list of documents.
type entry struct {
	key   string
	value any
}

// MarshalYAML returns the node of the mapping.
func (d document) MarshalYAML() (any, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range d {
		var key, value yaml.Node
		key.SetString(e.key)
		if err := value.Encode(e.value); err != nil {
			return nil, err
		}
		n.Content = append(n.Content, &key, &value)
	}
	return n, nil
}

// MarshalYAML is the file that sets what c has, all defaults written out.
func (c Config) MarshalYAML() (any, error) { return c.document(), nil }

// MarshalJSON is the same document as JSON.
func (c Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := writeJSON(&b, c.document())
	return b.Bytes(), err
}

// document has the settings of the file in the order of the rows.
func (c Config) document() document {
	var doc document
	c.Upstreams = append(c.furtherUpstreams(), c.Upstreams...)
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
func put(doc *document, path []string, v any) {
	if len(path) == 1 {
		*doc = append(*doc, entry{path[0], v})
		return
	}
	for i, item := range *doc {
		if item.key == path[0] {
			inner := item.value.(document)
			put(&inner, path[1:], v)
			(*doc)[i].value = inner
			return
		}
	}
	var inner document
	put(&inner, path[1:], v)
	*doc = append(*doc, entry{path[0], inner})
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
	var all []document
	for i := range *o.list {
		doc := document{}
		for _, f := range o.rows {
			v := valueOf(f.at(&(*o.list)[i]))
			if !f.secret && (f.required || v.String() != valueOf(f.at(new(T))).String()) {
				put(&doc, strings.Split(f.name, "."), printed(v))
			}
		}
		all = append(all, doc)
	}
	return all
}

// writeJSON writes what document returns; mappings keep their order.
func writeJSON(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case document:
		b.WriteByte('{')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, item.key); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeJSON(b, item.value); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case []document:
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
