package config

// This file reads the YAML file, strictly: every complaint has the file and the line.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fileReader walks the nodes of a configuration file. It does not decode into a struct, so that every complaint names
// its line and all of them are reported at once.
type fileReader struct {
	c        *Config
	file     string
	settings map[string]setting
	problems Problems
}

// readYAML merges the text src of file into c.
func readYAML(c *Config, file string, src []byte) Problems {
	r := &fileReader{c: c, file: file, settings: make(map[string]setting)}
	for _, s := range settings() {
		if s.in(fromFile) {
			r.settings[s.name] = s
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(src))
	for i := 0; ; i++ {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return r.problems
		}
		if err != nil {
			return Problems{r.syntax(err)}
		}
		body := doc.Content[0]
		if isNull(body) {
			continue
		}
		if i > 0 {
			r.complain(body, "the file may hold one document only")
			return r.problems
		}
		r.mapping("", body)
	}
}

// lineOf finds the line in an error of the parser.
var lineOf = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax writes the parser's error as all others are written.
func (r *fileReader) syntax(err error) string {
	text := err.Error()
	m := lineOf.FindStringSubmatch(text)
	if m == nil {
		return r.file + ": " + text
	}
	text = strings.TrimPrefix(text, m[0])
	if m[1] == "" {
		return r.file + ": " + text
	}
	return r.file + ":" + m[1] + ": " + text
}

// complain records a problem at the line of n.
func (r *fileReader) complain(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf("%s:%d: %s", r.file, n.Line, fmt.Sprintf(format, args...)))
}

// kindOf returns the kind of n. A node with an anchor has that of an alias, which no setting accepts.
func kindOf(n *yaml.Node) yaml.Kind {
	if n.Anchor != "" {
		return yaml.AliasNode
	}
	return n.Kind
}

func isNull(n *yaml.Node) bool { return kindOf(n) == yaml.ScalarNode && n.ShortTag() == "!!null" }

// mapping reads the keys of n, whose own path is prefix (empty, or ending in a dot).
func (r *fileReader) mapping(prefix string, n *yaml.Node) {
	for _, kv := range r.pairs(strings.TrimSuffix(prefix, "."), n) {
		path := prefix + kv.key.Value
		s, leaf := r.settings[path]
		switch {
		case leaf:
			r.leaf(path, s.value(r.c), kv.value)
		case r.isBranch(path):
			r.mapping(path+".", kv.value)
		default:
			r.complain(kv.key, "unknown key %q", path)
		}
	}
}

// isBranch reports whether settings lie below path.
func (r *fileReader) isBranch(path string) bool {
	for name := range r.settings {
		if strings.HasPrefix(name, path+".") {
			return true
		}
	}
	return false
}

// pair is an entry of a mapping.
type pair struct{ key, value *yaml.Node }

// pairs returns the entries of the mapping n. Nothing at all is an empty mapping, so that the keys of a section may be
// commented out.
func (r *fileReader) pairs(path string, n *yaml.Node) (out []pair) {
	switch {
	case isNull(n):
		return nil
	case kindOf(n) != yaml.MappingNode && path == "":
		r.complain(n, "the file must hold keys and values")
		return nil
	case kindOf(n) != yaml.MappingNode:
		r.complain(n, "%s must hold keys and values", path)
		return nil
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if line, ok := lines[key.Value]; ok {
			r.complain(key, "the key %q is there already, in line %d", key.Value, line)
			continue
		}
		lines[key.Value] = key.Line
		out = append(out, pair{key, n.Content[i+1]})
	}
	return out
}

// sequence returns the items of the list n.
func (r *fileReader) sequence(path string, n *yaml.Node) []*yaml.Node {
	switch {
	case isNull(n):
		return nil
	case kindOf(n) != yaml.SequenceNode:
		r.complain(n, "%s must be a list", path)
		return nil
	}
	return n.Content
}

// isText reports whether n is a text: one that is quoted, or that looks like nothing else.
func isText(n *yaml.Node) bool {
	return kindOf(n) == yaml.ScalarNode && (n.ShortTag() == "!!str" || n.ShortTag() == "!!timestamp")
}

// leaf sets v from the scalar or list n.
func (r *fileReader) leaf(path string, v value, n *yaml.Node) {
	if mappings, ok := v.(objectList); ok {
		mappings.read(r, path, n)
		return
	}
	list, ok := v.(listValue)
	if !ok {
		r.scalar(path, v, n)
		return
	}
	var items []string
	for _, item := range r.sequence(path, n) {
		if !isText(item) {
			r.complain(item, "%s must be a list of texts", path)
			return
		}
		items = append(items, item.Value)
	}
	if err := list.setAll(items); err != nil {
		r.complain(n, "%s: %s", path, err)
	}
}

// scalar sets v from n if n is of v's YAML type: true and "true" differ, as do 8080 and "8080".
func (r *fileReader) scalar(path string, v value, n *yaml.Node) {
	ok := false
	switch typ := v.Type(); {
	case kindOf(n) != yaml.ScalarNode:
	case isText(n) && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		ok = typ == "string"
	case isText(n):
		ok = typ != "bool" && typ != "int"
	case n.ShortTag() == "!!bool":
		ok = typ == "bool"
	case n.ShortTag() == "!!int":
		ok = typ == "size" || typ == "int"
	}
	if !ok {
		r.complain(n, "%s must be %s", path, typeWords(v.Type()))
		return
	}
	if err := v.Set(n.Value); err != nil {
		r.complain(n, "%s: %s", path, err)
	}
}

// typeWords describes a value's type to the author of a file.
func typeWords(typ string) string {
	switch typ {
	case "bool":
		return "true or false"
	case "int":
		return "a number"
	case "size":
		return "a size such as 512MiB"
	case "duration":
		return "a duration such as 12h or 90d"
	}
	return "text"
}

// read sets the list from the mappings of n.
func (o objects[T]) read(r *fileReader, path string, n *yaml.Node) {
	*o.list = nil
	for i, item := range r.sequence(path, n) {
		var v T
		o.object(r, &v, fmt.Sprintf("%s[%d]", path, i), "", item)
		*o.list = append(*o.list, v)
	}
}

// object sets the fields of v whose names begin with prefix from the mapping n at a path.
func (o objects[T]) object(r *fileReader, v *T, path, prefix string, n *yaml.Node) {
	for _, kv := range r.pairs(path, n) {
		at, name := path+"."+kv.key.Value, prefix+kv.key.Value
		f := slices.IndexFunc(o.rows, func(f field[T]) bool { return f.name == name })
		switch {
		case f >= 0:
			r.leaf(at, valueOf(o.rows[f].at(v)), kv.value)
		case slices.ContainsFunc(o.rows, func(f field[T]) bool { return strings.HasPrefix(f.name, name+".") }):
			o.object(r, v, at, name+".", kv.value)
		default:
			r.complain(kv.key, "unknown key %q", at)
		}
	}
}
