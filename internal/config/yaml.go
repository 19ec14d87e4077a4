package config

// This file reads the YAML file, strictly: every complaint has the file and the line.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// fileReader walks the syntax tree of a configuration file. The tree, not a struct decoder, is read,
// so that every complaint names its line and all of them are reported at once.
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
	tree, err := parser.ParseBytes(src, 0)
	if err != nil {
		return Problems{r.syntax(err)}
	}
	for i, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		if i > 0 {
			r.complain(doc.Body, "the file may hold one document only")
			break
		}
		r.mapping("", doc.Body)
	}
	return r.problems
}

// syntax turns the parser's error, a drawing of several lines, into one line.
func (r *fileReader) syntax(err error) string {
	if e, ok := err.(yaml.Error); ok && e.GetToken() != nil && e.GetToken().Position != nil {
		return fmt.Sprintf("%s:%d: %s", r.file, e.GetToken().Position.Line, e.GetMessage())
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return r.file + ": " + first
}

// complain records a problem at the line of n.
func (r *fileReader) complain(n ast.Node, format string, args ...any) {
	line := 0
	if t := n.GetToken(); t != nil && t.Position != nil {
		line = t.Position.Line
	}
	r.problems = append(r.problems, fmt.Sprintf("%s:%d: %s", r.file, line, fmt.Sprintf(format, args...)))
}

// mapping reads the keys of n, whose own path is prefix (empty, or ending in a dot).
func (r *fileReader) mapping(prefix string, n ast.Node) {
	for _, kv := range r.pairs(strings.TrimSuffix(prefix, "."), n) {
		path := prefix + kv.Key.GetToken().Value
		s, leaf := r.settings[path]
		switch {
		case leaf:
			r.leaf(path, s.value(r.c), kv.Value)
		case r.isBranch(path):
			r.mapping(path+".", kv.Value)
		default:
			r.complain(kv.Key, "unknown key %q", path)
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

// pairs are the entries of the mapping n; nothing at all is an empty mapping, so that a section may be commented out.
func (r *fileReader) pairs(path string, n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return nil
	}
	if path == "" {
		r.complain(n, "the file must hold keys and values")
	} else {
		r.complain(n, "%s must hold keys and values", path)
	}
	return nil
}

// sequence are the items of the list n.
func (r *fileReader) sequence(path string, n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.SequenceNode:
		return n.Values
	case *ast.NullNode:
		return nil
	}
	r.complain(n, "%s must be a list", path)
	return nil
}

// leaf sets v from the scalar or list n.
func (r *fileReader) leaf(path string, v value, n ast.Node) {
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
		s, ok := item.(*ast.StringNode)
		if !ok {
			r.complain(item, "%s must be a list of texts", path)
			return
		}
		items = append(items, s.Value)
	}
	if err := list.setAll(items); err != nil {
		r.complain(n, "%s: %s", path, err)
	}
}

// scalar sets v from n if n is of v's YAML type: true and "true" differ, as do 8080 and "8080".
func (r *fileReader) scalar(path string, v value, n ast.Node) {
	text, ok := "", false
	switch n := n.(type) {
	case *ast.StringNode:
		text, ok = n.Value, v.Type() != "bool" && v.Type() != "int"
	case *ast.LiteralNode:
		text, ok = n.Value.Value, v.Type() == "string"
	case *ast.BoolNode:
		text, ok = n.Token.Value, v.Type() == "bool"
	case *ast.IntegerNode:
		text, ok = n.Token.Value, v.Type() == "size" || v.Type() == "int"
	}
	if !ok {
		r.complain(n, "%s must be %s", path, typeWords(v.Type()))
		return
	}
	if err := v.Set(text); err != nil {
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
func (o objects[T]) read(r *fileReader, path string, n ast.Node) {
	*o.list = nil
	for i, item := range r.sequence(path, n) {
		var v T
		at := fmt.Sprintf("%s[%d]", path, i)
		for _, kv := range r.pairs(at, item) {
			key := kv.Key.GetToken().Value
			f := slices.IndexFunc(o.rows, func(f field[T]) bool { return f.name == key })
			if f < 0 {
				r.complain(kv.Key, "unknown key %q", at+"."+key)
				continue
			}
			r.leaf(at+"."+key, valueOf(o.rows[f].at(&v)), kv.Value)
		}
		*o.list = append(*o.list, v)
	}
}
