package openapi

// The rule by which fields of structs become members of objects.

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"unicode"
)

// field is a member of the object that a struct becomes.
type field struct {
	name  string
	typ   reflect.Type
	index []int
	// optional: it is left out when it is empty.
	optional bool
}

// fieldsOf are the members of a struct, in the order of its fields. Of two with one name the outer one counts.
func fieldsOf(t reflect.Type) (out []field) {
	at := map[string]int{}
	add := func(f field) {
		if i, known := at[f.name]; known {
			if len(f.index) < len(out[i].index) {
				out[i] = f
			}
			return
		}
		at[f.name], out = len(out), append(out, f)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || f.Type.Kind() == reflect.Func:
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && !whole(f.Type):
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				add(inner)
			}
		case f.IsExported():
			one := field{name: name, typ: f.Type, index: []int{i}}
			if name == "" {
				one.name = f.Name
				if !tagged {
					one.name = underscored(f.Name)
				}
			}
			one.optional = !tagged || strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
			add(one)
		}
	}
	return out
}

// underscored is ReadmeOf as readme_of and URLPath as url_path.
func underscored(name string) string {
	var b strings.Builder
	letters := []rune(name)
	for i, c := range letters {
		starts := i > 0 && unicode.IsUpper(c) &&
			(!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]))
		if starts {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// whole reports whether a type says itself what it becomes.
func whole(t reflect.Type) bool { return t.Implements(marshaler) || t.Implements(textMarshaler) }
