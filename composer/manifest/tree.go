package manifest

// composer.json as a tree. PHP takes the last of two equal keys, at the place of the first; what is checked here must
// be what clients will read, so this reader does the same, and everything it hands on is written anew in one spelling:
// documents compare values byte by byte.

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"larder/internal/problem"
	"larder/internal/rawjson"
)

// maxDepth leaves room below PHP's limit of 512, which counts for the whole document a version is part of.
const maxDepth = 256

// The values of a tree are string, json.Number, bool, nil, []any and *object.
type object struct {
	keys   []string
	values map[string]any
}

func (o *object) set(key string, v any) {
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = v
}

// text returns the value of a key if it is a string.
func (o *object) text(key string) string {
	s, _ := o.values[key].(string)
	return s
}

// parseTree reads an object.
func parseTree(raw []byte) (*object, error) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if !utf8.Valid(raw) {
		return nil, badManifest("it is not UTF-8.")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := parseValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, badManifest("it goes on after its end.")
	}
	o, ok := v.(*object)
	if !ok {
		return nil, badManifest("it is not an object.")
	}
	return o, nil
}

func badManifest(format string, args ...any) error {
	return problem.Errorf(problem.ErrInvalid, "The archive's composer.json cannot be used: "+format, args...)
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	t, err := dec.Token()
	switch {
	case err != nil:
		return nil, badManifest("it is not JSON.")
	case depth > maxDepth:
		return nil, badManifest("it is nested too deeply.")
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return parseList(dec, depth)
		}
		return parseObject(dec, depth)
	case string:
		return Clean(t), nil
	case json.Number:
		// Composer could not write an infinite number into its cache.
		if _, err := t.Float64(); err != nil {
			return nil, badManifest("it has the number %.40s.", t)
		}
	}
	return t, nil
}

func parseList(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := parseValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, closing(dec)
}

func parseObject(dec *json.Decoder, depth int) (any, error) {
	o := &object{values: map[string]any{}}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, badManifest("it is not JSON.")
		}
		v, err := parseValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		o.set(Clean(key.(string)), v)
	}
	return o, closing(dec)
}

// closing reads the bracket that ends a list or object.
func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return badManifest("it is not JSON.")
	}
	return nil
}

// Clean takes control characters out of a text, because clients print what they get to terminals (CVE-2025-67746). Line
// breaks and tabs become blanks.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, s)
}

// encode appends a tree as JSON.
func encode(out []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return rawjson.AppendString(out, v)
	case json.Number:
		return append(out, v...)
	case bool:
		if v {
			return append(out, "true"...)
		}
		return append(out, "false"...)
	case []any:
		out = append(out, '[')
		for i, e := range v {
			out = encode(rawjson.AppendComma(out, i), e)
		}
		return append(out, ']')
	case *object:
		out = append(out, '{')
		for i, k := range v.keys {
			out = encode(append(rawjson.AppendString(rawjson.AppendComma(out, i), k), ':'), v.values[k])
		}
		return append(out, '}')
	}
	return append(out, "null"...)
}
