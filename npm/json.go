package npm

// JSON as strangers send it. encoding/json matches field names whatever their case and takes the last of two equal
// keys, so what is checked here and what a client reads later could differ: this reader is exact and refuses duplicates.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"larder/internal/wire"
	"larder/store"
)

const (
	maxDepth = 64      // of nested values
	maxKeys  = 200_000 // of one object
	maxKey   = 1024    // bytes of one key
)

func badJSON(format string, args ...any) error {
	return wire.Errorf(store.ErrInvalid, "the request's JSON "+format, args...)
}

// scanner reads one JSON value from a stream, in memory that does not grow with it.
type scanner struct {
	r     *bufio.Reader
	depth int
}

func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, 64<<10)} }

// byteAfterSpace consumes blanks and one more byte.
func (s *scanner) byteAfterSpace() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, cut(err)
		}
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c, nil
		}
	}
}

// peek is the first byte of the next value.
func (s *scanner) peek() (byte, error) {
	c, err := s.byteAfterSpace()
	if err == nil {
		err = s.r.UnreadByte()
	}
	return c, err
}

func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return badJSON("ends early")
	}
	return err
}

func (s *scanner) expect(want byte) error {
	c, err := s.byteAfterSpace()
	if err == nil && c != want {
		err = badJSON("has %q where %q should be", c, want)
	}
	return err
}

// object calls fn for each key, which must consume the value. A key that occurs twice is an error.
func (s *scanner) object(fn func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return badJSON("is nested too deeply")
	}
	defer func() { s.depth-- }()
	if c, err := s.peek(); err != nil || c == '}' {
		return errors.Join(err, s.expect('}'))
	}
	seen := map[string]bool{}
	for {
		key, err := s.str(maxKey)
		if err != nil {
			return err
		}
		if seen[key] {
			return badJSON("has the key %q twice", key)
		}
		if seen[key] = true; len(seen) > maxKeys {
			return badJSON("has an object with more than %d keys", maxKeys)
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := fn(key); err != nil {
			return err
		}
		c, err := s.byteAfterSpace()
		switch {
		case err != nil:
			return err
		case c == '}':
			return nil
		case c != ',':
			return badJSON("has %q after a value", c)
		}
	}
}

// array calls fn before each element, which must consume it.
func (s *scanner) array(fn func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return badJSON("is nested too deeply")
	}
	defer func() { s.depth-- }()
	if c, err := s.peek(); err != nil || c == ']' {
		return errors.Join(err, s.expect(']'))
	}
	for {
		if err := fn(); err != nil {
			return err
		}
		c, err := s.byteAfterSpace()
		switch {
		case err != nil:
			return err
		case c == ']':
			return nil
		case c != ',':
			return badJSON("has %q after a value", c)
		}
	}
}

// text hands the decoded bytes of a string to fn, piece by piece; fn keeps none of them.
func (s *scanner) text(fn func([]byte) error) error {
	if err := s.expect('"'); err != nil {
		return err
	}
	for {
		if _, err := s.r.Peek(1); err != nil {
			return cut(err)
		}
		window, err := s.r.Peek(s.r.Buffered())
		if err != nil {
			return cut(err)
		}
		n := 0
		for n < len(window) && window[n] != '"' && window[n] != '\\' && window[n] >= ' ' {
			n++
		}
		if n > 0 {
			if err := fn(window[:n]); err != nil {
				return err
			}
		}
		if n == len(window) {
			s.discard(n)
			continue
		}
		c := window[n]
		s.discard(n + 1)
		if c < ' ' {
			return badJSON("has a control character in a string")
		}
		if c == '"' {
			return nil
		}
		if err := s.escape(fn); err != nil {
			return err
		}
	}
}

// discard drops bytes that are in the buffer.
func (s *scanner) discard(n int) { _, _ = s.r.Discard(n) }

// escape decodes what follows a backslash.
func (s *scanner) escape(fn func([]byte) error) error {
	c, err := s.r.ReadByte()
	if err != nil {
		return cut(err)
	}
	if c == 'u' {
		return s.unicode(fn)
	}
	i := bytes.IndexByte([]byte(`"\/bfnrt`), c)
	if i < 0 {
		return badJSON("has the unknown escape \\%c", c)
	}
	return fn([]byte{"\"\\/\b\f\n\r\t"[i]})
}

func (s *scanner) unicode(fn func([]byte) error) error {
	r, err := s.hex4()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		low := rune(utf8.RuneError)
		if next, err := s.r.Peek(2); err == nil && string(next) == `\u` {
			s.discard(2)
			if low, err = s.hex4(); err != nil {
				return err
			}
		}
		r = utf16.DecodeRune(r, low)
	}
	return fn(utf8.AppendRune(nil, r))
}

func (s *scanner) hex4() (rune, error) {
	var b [4]byte
	if _, err := io.ReadFull(s.r, b[:]); err != nil {
		return 0, cut(err)
	}
	n, err := strconv.ParseUint(string(b[:]), 16, 16)
	if err != nil {
		return 0, badJSON("has a malformed escape")
	}
	return rune(n), nil
}

// str reads a string of at most limit bytes.
func (s *scanner) str(limit int) (string, error) {
	var out []byte
	err := s.text(func(p []byte) error {
		if len(out)+len(p) > limit {
			return badJSON("has a string of more than %d bytes where a short one belongs", limit)
		}
		out = append(out, p...)
		return nil
	})
	if err == nil && !utf8.Valid(out) {
		err = badJSON("has a string that is not UTF-8")
	}
	return string(out), err
}

// raw captures a value of at most limit bytes and checks it.
func (s *scanner) raw(limit int) (json.RawMessage, error) {
	var out []byte
	err := s.copyValue(func(p []byte) error {
		if len(out)+len(p) > limit {
			return wire.Errorf(store.ErrTooLarge, "the request's JSON has a value of more than %d bytes", limit)
		}
		out = append(out, p...)
		return nil
	})
	if err == nil && !json.Valid(out) {
		err = badJSON("is malformed")
	}
	return out, err
}

// skip consumes a value nobody needs.
func (s *scanner) skip() error { return s.copyValue(func([]byte) error { return nil }) }

// copyValue passes one value on without the blanks between its tokens. Brackets and strings are matched; what they hold
// is not judged.
func (s *scanner) copyValue(fn func([]byte) error) error {
	for depth := s.depth; ; {
		c, err := s.peek()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			err = s.copyString(fn)
		case '{', '[':
			depth++
			err = s.copyByte(fn)
		case '}', ']':
			depth--
			err = s.copyByte(fn)
		case ',', ':':
			if depth == s.depth {
				return badJSON("has %q where a value should be", c)
			}
			if err := s.copyByte(fn); err != nil {
				return err
			}
			continue
		default:
			err = s.copyScalar(fn)
		}
		switch {
		case err != nil:
			return err
		case depth > maxDepth:
			return badJSON("is nested too deeply")
		case depth < s.depth:
			return badJSON("has %q where a value should be", c)
		case depth == s.depth:
			return nil
		}
	}
}

func (s *scanner) copyByte(fn func([]byte) error) error {
	b, err := s.r.ReadByte()
	if err != nil {
		return cut(err)
	}
	return fn([]byte{b})
}

// copyScalar passes a number or word on.
func (s *scanner) copyScalar(fn func([]byte) error) error {
	var word []byte
	for len(word) < maxKey {
		b, err := s.r.Peek(1)
		if err == io.EOF || err == nil && bytes.IndexByte([]byte(",:]}[{\" \n\t\r"), b[0]) >= 0 {
			return fn(word)
		}
		if err != nil {
			return err
		}
		word = append(word, b[0])
		s.discard(1)
	}
	return badJSON("has a number or word of more than %d bytes", maxKey)
}

func (s *scanner) copyString(fn func([]byte) error) error {
	b, _ := s.r.ReadByte()
	if err := fn([]byte{b}); err != nil {
		return err
	}
	for {
		part, err := s.r.ReadSlice('"')
		if err != nil && err != bufio.ErrBufferFull {
			return cut(err)
		}
		// The buffer may end between a backslash and what it escapes.
		open := oddBackslashes(part, err == nil)
		if err := fn(part); err != nil {
			return err
		}
		if err == nil && !open {
			return nil
		}
		if err != nil && open {
			c, err := s.r.ReadByte()
			if err != nil {
				return cut(err)
			}
			if err := fn([]byte{c}); err != nil {
				return err
			}
		}
	}
}

// oddBackslashes reports whether the run of backslashes at the end of part (before its quote) escapes what follows.
func oddBackslashes(part []byte, quoted bool) bool {
	end := len(part)
	if quoted {
		end--
	}
	n := 0
	for n < end && part[end-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// member is one key and value of an object.
type member struct {
	Key   string
	Value json.RawMessage
}

// object is a JSON object in its own order.
type object []member

// parseObject reads an object. Duplicate keys are an error at every depth, and so is __proto__, which some clients'
// merges would follow.
func parseObject(raw []byte) (object, error) {
	var out object
	s := &scanner{r: bufio.NewReaderSize(bytes.NewReader(raw), 4096)}
	err := s.object(func(key string) error {
		v, err := s.raw(len(raw))
		if err == nil {
			err = checkTree(key, v)
		}
		out = append(out, member{key, v})
		return err
	})
	if err == nil {
		err = s.end()
	}
	return out, err
}

// end is nil when nothing follows.
func (s *scanner) end() error {
	for {
		c, err := s.r.ReadByte()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case c != ' ' && c != '\n' && c != '\t' && c != '\r':
			return badJSON("goes on after its end with %q", c)
		}
	}
}

// checkTree refuses duplicate keys anywhere below a value.
func checkTree(key string, raw []byte) error {
	if key == "__proto__" {
		return badJSON("has the key __proto__")
	}
	if len(raw) == 0 || raw[0] != '{' && raw[0] != '[' {
		return nil
	}
	s := &scanner{r: bufio.NewReaderSize(bytes.NewReader(raw), 4096)}
	var walk func() error
	walk = func() error {
		c, err := s.peek()
		switch {
		case err != nil:
			return err
		case c == '{':
			return s.object(func(k string) error {
				if k == "__proto__" {
					return badJSON("has the key __proto__")
				}
				return walk()
			})
		case c == '[':
			return s.array(walk)
		}
		return s.skip()
	}
	return walk()
}

// get returns the value of a key, nil when it is absent or null.
func (o object) get(key string) json.RawMessage {
	for _, m := range o {
		if m.Key == key && string(m.Value) != "null" {
			return m.Value
		}
	}
	return nil
}

// text returns the value of a key if it is a string.
func (o object) text(key string) string { return textOf(o.get(key)) }

// textOf is the string in raw, "" for anything else.
func textOf(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// sub returns the object under a key, nil for anything else.
func (o object) sub(key string) object {
	v := o.get(key)
	if len(v) == 0 || v[0] != '{' {
		return nil
	}
	out, err := parseObject(v)
	if err != nil {
		return nil
	}
	return out
}

// set replaces or appends a key; a nil value removes it.
func (o object) set(key string, value json.RawMessage) object {
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
	return append(o, member{key, value})
}

// encode renders the object.
func (o object) encode() []byte {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, m.Key), ':')
		out = append(out, m.Value...)
	}
	return append(out, '}')
}

// appendString appends s as JSON.
func appendString(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= utf8.RuneSelf {
			return append(out, quoted(s)...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

// quoted is s as JSON.
func quoted(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return json.RawMessage(fmt.Sprintf("%+q", s)) // not reached: every string encodes
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// compact is raw without blanks.
func compact(raw []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
