package openapi

// Types as schemas of JSON Schema 2020-12, which OpenAPI 3.1 uses.

import (
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"time"
)

// Schema is a schema as it is written.
type Schema map[string]any

// schemas are those of named structs, by their names in the document.
type schemas map[string]Schema

// of is the schema of a type; named structs are noted, and referred to.
func (s schemas) of(t reflect.Type) Schema {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return Schema{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return Schema{}
	case t.Implements(marshaler):
		return Schema{}
	case t.Implements(textMarshaler), reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return Schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Bool:
		return Schema{"type": "boolean"}
	case reflect.String:
		return Schema{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return Schema{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Schema{"type": "integer"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return Schema{"type": "string", "contentEncoding": "base64"}
		}
		return Schema{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return Schema{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.ofStruct(t)
	}
	return Schema{}
}

func (s schemas) ofStruct(t reflect.Type) Schema {
	if t.Name() == "" {
		return s.object(t)
	}
	name := path.Base(t.PkgPath()) + "." + t.Name()
	if _, known := s[name]; !known {
		s[name] = nil // a struct may have itself in it
		s[name] = s.object(t)
	}
	return Schema{"$ref": "#/components/schemas/" + name}
}

func (s schemas) object(t reflect.Type) Schema {
	members, required := Schema{}, []string{}
	for _, f := range fieldsOf(t) {
		members[f.name] = s.of(f.typ)
		if !f.optional {
			required = append(required, f.name)
		}
	}
	o := Schema{"type": "object", "properties": members}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}
