package rawjson

// This file reads whole objects strictly, changes them and writes them.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Member is one key and value of an object.
type Member struct {
	Key   string
	Value json.RawMessage
}

// Object is a JSON object; its members are in the order of the text.
type Object []Member

// Parse reads an object. Duplicate keys are an error at every depth. So is the key __proto__, with which some clients
// would change other objects. Its errors are problem.ErrInvalid and problem.ErrTooLarge.
func Parse(raw []byte) (Object, error) {
	var out Object
	s := &Scanner{r: bufio.NewReaderSize(bytes.NewReader(raw), 4096)}
	err := s.Object(func(key string) error {
		v, err := s.Raw(len(raw))
		if err == nil {
			err = checkTree(key, v)
		}
		out = append(out, Member{key, v})
		return err
	})
	if err == nil {
		err = s.End()
	}
	return out, err
}

// checkTree refuses duplicate keys anywhere below a value.
func checkTree(key string, raw []byte) error {
	if key == "__proto__" {
		return Errorf("has the key __proto__")
	}
	if len(raw) == 0 || raw[0] != '{' && raw[0] != '[' {
		return nil
	}
	s := &Scanner{r: bufio.NewReaderSize(bytes.NewReader(raw), 4096)}
	var walk func() error
	walk = func() error {
		c, err := s.Peek()
		switch {
		case err != nil:
			return err
		case c == '{':
			return s.Object(func(k string) error {
				if k == "__proto__" {
					return Errorf("has the key __proto__")
				}
				return walk()
			})
		case c == '[':
			return s.Array(walk)
		}
		return s.Skip()
	}
	return walk()
}

// Get returns the value of a key, nil if it is missing or null.
func (o Object) Get(key string) json.RawMessage {
	for _, m := range o {
		if m.Key == key && string(m.Value) != "null" {
			return m.Value
		}
	}
	return nil
}

// Text returns the value of a key if that is a string, else "".
func (o Object) Text(key string) string { return TextOf(o.Get(key)) }

// TextOf returns the string that raw is, "" for anything else.
func TextOf(raw json.RawMessage) string {
	var s string
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if text := raw[1 : len(raw)-1]; raw[len(raw)-1] == '"' && plain(text) {
		return string(text)
	}
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// plain reports whether a string needs no escapes in JSON.
func plain[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Sub returns the object under a key, nil for anything else.
func (o Object) Sub(key string) Object {
	v := o.Get(key)
	if len(v) == 0 || v[0] != '{' {
		return nil
	}
	// Parse has checked all of o.
	out, err := Split(v)
	if err != nil {
		return nil
	}
	return out
}

// Add appends a member whose key o must not have.
func (o Object) Add(key string, value json.RawMessage) Object { return append(o, Member{key, value}) }

// Set replaces or appends a member and returns the object, which may share memory with o. A nil value removes the key.
func (o Object) Set(key string, value json.RawMessage) Object {
	for i, m := range o {
		if m.Key != key {
			continue
		}
		if value == nil {
			return append(o[:i:i], o[i+1:]...)
		}
		o[i].Value = value
		return o
	}
	if value == nil {
		return o
	}
	return o.Add(key, value)
}

// Encode returns the object as JSON.
func (o Object) Encode() []byte {
	size := 2
	for _, m := range o {
		size += len(m.Key) + len(m.Value) + 4
	}
	return o.Append(make([]byte, 0, size))
}

// Append appends the object as JSON.
func (o Object) Append(out []byte) []byte {
	out = append(out, '{')
	for i, m := range o {
		out = append(AppendString(AppendComma(out, i), m.Key), ':')
		out = append(out, m.Value...)
	}
	return append(out, '}')
}

// AppendString appends s as JSON.
func AppendString(out []byte, s string) []byte {
	if !plain(s) {
		return append(out, Quote(s)...)
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

// AppendPair adds the member of an object whose value is a string, and no comma.
func AppendPair(out []byte, key, value string) []byte {
	return AppendString(append(AppendString(out, key), ':'), value)
}

// AppendMember adds a comma and the member of an object whose value is a string.
func AppendMember(out []byte, key, value string) []byte {
	return AppendString(append(append(append(out, ',', '"'), key...), '"', ':'), value)
}

// AppendComma adds the comma before the element at i of a list.
func AppendComma(out []byte, i int) []byte {
	if i > 0 {
		return append(out, ',')
	}
	return out
}

// Quote returns s as JSON.
func Quote(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return json.RawMessage(fmt.Sprintf("%+q", s)) // not reached: every string encodes
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Compact returns raw without blanks, raw itself if that is not JSON.
func Compact(raw []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
