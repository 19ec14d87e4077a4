package openapi

// Values as JSON.

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// Encode is a value as JSON by the rule of this package.
func Encode(v any) ([]byte, error) { return json.Marshal(encodable(reflect.ValueOf(v))) }

// member is one of an object.
type member struct {
	name  string
	value any
}

// object is written in the order of its members.
type object []member

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encodable is a value that encoding/json writes by the rule.
func encodable(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if whole(v.Type()) {
		return v.Interface()
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return encodable(v.Elem())
	case reflect.Struct:
		o := object{}
		for _, f := range fieldsOf(v.Type()) {
			one := v.FieldByIndex(f.index)
			switch {
			case f.optional && empty(one):
			default:
				o = append(o, member{f.name, encodable(one)})
			}
		}
		return o
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Interface()
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = encodable(v.Index(i))
		}
		return list
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			return v.Interface()
		}
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()] = encodable(v.MapIndex(k))
		}
		return m
	}
	return v.Interface()
}

// empty reports whether an optional field is left out.
func empty(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Slice || k == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}
