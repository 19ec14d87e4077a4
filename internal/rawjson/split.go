package rawjson

// This file takes apart JSON that is known to be valid, one level deep.

import (
	"bytes"
	"encoding/json"
)

// Split is Parse for text that is known to be JSON. It reads one level only and its values are slices of raw, so that a
// document of megabytes costs one pass and no copy. A duplicate key of that level is an error.
func Split(raw []byte) (Object, error) { return SplitInto(make(Object, 0, 16), raw) }

// SplitInto is Split that appends to out, which is empty, for many small objects one after the other.
func SplitInto(out Object, raw []byte) (Object, error) {
	s := splitter{raw: raw}
	var seen map[string]bool
	if !s.take('{') {
		return nil, Errorf("is no object")
	}
	for !s.take('}') {
		if len(out) > 0 && !s.take(',') {
			return nil, Errorf("is malformed")
		}
		key, ok := s.key()
		if !ok || !s.take(':') {
			return nil, Errorf("is malformed")
		}
		value := s.value()
		if len(value) == 0 {
			return nil, Errorf("ends early")
		}
		if seen == nil && len(out) >= fewKeys {
			seen = make(map[string]bool, 2*len(out))
			for _, m := range out {
				seen[m.Key] = true
			}
		}
		if key == "__proto__" || seen[key] || seen == nil && out.has(key) {
			return nil, Errorf("has the key %.100q twice, or one that is not allowed", key)
		}
		if seen != nil {
			seen[key] = true
		}
		out = append(out, Member{key, value})
	}
	return out, nil
}

// Members calls fn with each key and value of text that is known to be JSON, in one pass and without allocations. It
// returns false if the text is no object. Keys and values are slices of raw; duplicate keys are no error.
func Members(raw []byte, fn func(key, value []byte)) bool {
	s := splitter{raw: raw}
	if !s.take('{') {
		return false
	}
	for first := true; !s.take('}'); first = false {
		key, ok := []byte(nil), first || s.take(',')
		if ok {
			key, ok = s.bareKey()
		}
		if !ok || !s.take(':') {
			return false
		}
		value := s.value()
		if len(value) == 0 {
			return false
		}
		fn(key, value)
	}
	return true
}

// Elements is Members for a list.
func Elements(raw []byte, fn func(value []byte)) bool {
	s := splitter{raw: raw}
	if !s.take('[') {
		return false
	}
	for first := true; !s.take(']'); first = false {
		if !first && !s.take(',') {
			return false
		}
		value := s.value()
		if len(value) == 0 {
			return false
		}
		fn(value)
	}
	return true
}

// fewKeys is up to how many keys are compared one by one; more need a map.
const fewKeys = 64

func (o Object) has(key string) bool {
	for _, m := range o {
		if m.Key == key {
			return true
		}
	}
	return false
}

// splitter goes over valid JSON. In anything else it stops at some place within it.
type splitter struct {
	raw []byte
	at  int
}

func (s *splitter) space() {
	for s.at < len(s.raw) && (s.raw[s.at] == ' ' || s.raw[s.at] == '\n' || s.raw[s.at] == '\r' || s.raw[s.at] == '\t') {
		s.at++
	}
}

// take reads c if it is next.
func (s *splitter) take(c byte) bool {
	s.space()
	if s.at < len(s.raw) && s.raw[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *splitter) key() (key string, ok bool) {
	bare, ok := s.bareKey()
	return string(bare), ok
}

// bareKey reads a key. It is a slice of raw unless the key has escapes.
func (s *splitter) bareKey() (key []byte, ok bool) {
	s.space()
	from := s.at
	if from >= len(s.raw) || s.raw[from] != '"' || !s.text() {
		return nil, false
	}
	quoted := s.raw[from:s.at]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], true
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return []byte(text), err == nil
}

// text reads a string.
func (s *splitter) text() bool {
	for s.at++; s.at < len(s.raw); {
		i := bytes.IndexByte(s.raw[s.at:], '"')
		if i < 0 {
			break
		}
		end := s.at + i
		back := end
		for back > s.at && s.raw[back-1] == '\\' {
			back--
		}
		s.at = end + 1
		if (end-back)%2 == 0 {
			return true
		}
	}
	s.at = len(s.raw)
	return false
}

// value reads a value.
func (s *splitter) value() json.RawMessage {
	s.space()
	from, depth := s.at, 0
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case '"':
			if !s.text() {
				return nil
			}
			if depth == 0 {
				return s.raw[from:s.at:s.at]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return s.raw[from:s.at:s.at]
			}
			if depth--; depth == 0 {
				s.at++
				return s.raw[from:s.at:s.at]
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return s.raw[from:s.at:s.at]
			}
		}
		s.at++
	}
	return nil
}
