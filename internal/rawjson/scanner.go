// Package rawjson reads JSON that strangers send. encoding/json ignores the case of field names and takes the last of
// two equal keys, so that a client could read something else than what was checked. This package compares keys exactly,
// refuses duplicates and keeps the order of objects. Scanner reads a stream that may be larger than memory, Parse a
// small value. Their errors are problem.ErrInvalid and problem.ErrTooLarge, with a sentence for the client's user.
package rawjson

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"larder/internal/problem"
)

// MaxKey bounds the bytes of a key, a number, or one of the words true, false and null.
const MaxKey = 1024

const (
	maxDepth = 64      // of nested values
	maxKeys  = 200_000 // of one object
)

const subject = "the request's JSON "

// Errorf returns problem.ErrInvalid with the sentence "the request's JSON " and the text.
func Errorf(format string, args ...any) error {
	return problem.Errorf(problem.ErrInvalid, subject+format, args...)
}

// Reason returns what is wrong with JSON that is only a part of a request, for a sentence of the caller's such as
// "package.json cannot be used: it " + Reason(err).
func Reason(err error) string {
	var refusal interface{ Public() string }
	if !errors.As(err, &refusal) {
		return "is malformed"
	}
	return strings.TrimPrefix(refusal.Public(), subject)
}

// Scanner reads one JSON value from a stream. Its memory does not grow with the stream.
type Scanner struct {
	r     *bufio.Reader
	depth int
	deep  int // how deep values may be nested; 0: maxDepth
}

// NewScanner returns a scanner of r. It may read more of r than the value.
func NewScanner(r io.Reader) *Scanner { return &Scanner{r: bufio.NewReaderSize(r, 64<<10)} }

// Deep allows n levels of nesting, for documents that are trees.
func (s *Scanner) Deep(n int) *Scanner {
	s.deep = n
	return s
}

func (s *Scanner) deepest() int { return cmp.Or(s.deep, maxDepth) }

// byteAfterSpace reads blanks and one more byte.
func (s *Scanner) byteAfterSpace() (byte, error) {
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

// Peek returns the first byte of the next value without reading it.
func (s *Scanner) Peek() (byte, error) {
	c, err := s.byteAfterSpace()
	if err == nil {
		err = s.r.UnreadByte()
	}
	return c, err
}

func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return Errorf("ends early")
	}
	return err
}

func (s *Scanner) expect(want byte) error {
	c, err := s.byteAfterSpace()
	if err == nil && c != want {
		err = Errorf("has %q where %q should be", c, want)
	}
	return err
}

// Object calls fn for each key; fn must read the value. A key that occurs twice is an error.
func (s *Scanner) Object(fn func(key string) error) error {
	seen := map[string]bool{}
	return s.Members(func(key string) error {
		if seen[key] {
			return Errorf("has the key %q twice", key)
		}
		if seen[key] = true; len(seen) > maxKeys {
			return Errorf("has an object with more than %d keys", maxKeys)
		}
		return fn(key)
	})
}

// Members is Object without the check for duplicate keys, which needs memory.
func (s *Scanner) Members(fn func(key string) error) error {
	empty, err := s.enter('{', '}')
	if err != nil || empty {
		return err
	}
	defer func() { s.depth-- }()
	for {
		key, err := s.Str(MaxKey)
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := fn(key); err != nil {
			return err
		}
		if last, err := s.next('}'); err != nil || last {
			return err
		}
	}
}

// enter reads the beginning of an object or array, and its end if it is empty; if it is not, it counts as one level.
func (s *Scanner) enter(begin, end byte) (empty bool, err error) {
	if err := s.expect(begin); err != nil {
		return false, err
	}
	if s.depth >= s.deepest() {
		return false, Errorf("is nested too deeply")
	}
	if c, err := s.Peek(); err != nil || c == end {
		return true, errors.Join(err, s.expect(end))
	}
	s.depth++
	return false, nil
}

// next reads what follows a value of an object or array: a comma, or with last the end.
func (s *Scanner) next(end byte) (last bool, err error) {
	c, err := s.byteAfterSpace()
	if err == nil && c != end && c != ',' {
		err = Errorf("has %q after a value", c)
	}
	return c == end, err
}

// Array calls fn for each element; fn must read it.
func (s *Scanner) Array(fn func() error) error {
	empty, err := s.enter('[', ']')
	if err != nil || empty {
		return err
	}
	defer func() { s.depth-- }()
	for {
		if err := fn(); err != nil {
			return err
		}
		if last, err := s.next(']'); err != nil || last {
			return err
		}
	}
}

// Text calls fn with the decoded bytes of a string, piece by piece. fn must not keep them.
func (s *Scanner) Text(fn func([]byte) error) error {
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
			return Errorf("has a control character in a string")
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
func (s *Scanner) discard(n int) { _, _ = s.r.Discard(n) }

// escape decodes what follows a backslash.
func (s *Scanner) escape(fn func([]byte) error) error {
	c, err := s.r.ReadByte()
	if err != nil {
		return cut(err)
	}
	if c == 'u' {
		return s.unicode(fn)
	}
	i := bytes.IndexByte([]byte(`"\/bfnrt`), c)
	if i < 0 {
		return Errorf("has the unknown escape \\%c", c)
	}
	return fn([]byte{"\"\\/\b\f\n\r\t"[i]})
}

func (s *Scanner) unicode(fn func([]byte) error) error {
	r, err := s.hex4()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		r = s.secondHalf(r)
	}
	return fn(utf8.AppendRune(nil, r))
}

// secondHalf reads the escape after a surrogate if both are one character. A surrogate alone is the replacement
// character.
func (s *Scanner) secondHalf(first rune) rune {
	next, err := s.r.Peek(len(`\u0000`))
	if err != nil || string(next[:2]) != `\u` {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(next[2:]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	r := utf16.DecodeRune(first, rune(n))
	if r != utf8.RuneError {
		s.discard(len(next))
	}
	return r
}

func (s *Scanner) hex4() (rune, error) {
	var b [4]byte
	if _, err := io.ReadFull(s.r, b[:]); err != nil {
		return 0, cut(err)
	}
	n, err := strconv.ParseUint(string(b[:]), 16, 16)
	if err != nil {
		return 0, Errorf("has a malformed escape")
	}
	return rune(n), nil
}

// Str reads a string of at most limit bytes.
func (s *Scanner) Str(limit int) (string, error) {
	var out []byte
	err := s.Text(func(p []byte) error {
		if len(out)+len(p) > limit {
			return Errorf("has a string of more than %d bytes where a short one belongs", limit)
		}
		out = append(out, p...)
		return nil
	})
	if err == nil && !utf8.Valid(out) {
		err = Errorf("has a string that is not UTF-8")
	}
	return string(out), err
}

// Optional reads a string of at most limit bytes; another value is skipped and reads as "".
func (s *Scanner) Optional(limit int) (string, error) {
	if c, err := s.Peek(); err != nil || c != '"' {
		return "", s.pass(err)
	}
	return s.Str(limit)
}

// Prefix reads a string and keeps its first limit bytes; another value is skipped and reads as "".
func (s *Scanner) Prefix(limit int) (string, error) {
	if c, err := s.Peek(); err != nil || c != '"' {
		return "", s.pass(err)
	}
	var out []byte
	err := s.Text(func(p []byte) error {
		out = append(out, p[:min(len(p), limit-len(out))]...)
		return nil
	})
	return strings.ToValidUTF8(string(out), ""), err
}

// OptionalObject is Object for an object, and skips any other value.
func (s *Scanner) OptionalObject(fn func(key string) error) error {
	if c, err := s.Peek(); err != nil || c != '{' {
		return s.pass(err)
	}
	return s.Object(fn)
}

// OptionalArray is Array for an array, and skips any other value.
func (s *Scanner) OptionalArray(fn func() error) error {
	if c, err := s.Peek(); err != nil || c != '[' {
		return s.pass(err)
	}
	return s.Array(fn)
}

// pass skips a value unless looking at it failed.
func (s *Scanner) pass(err error) error {
	if err != nil {
		return err
	}
	return s.Skip()
}

// Raw returns a value of at most limit bytes and checks it.
func (s *Scanner) Raw(limit int) (json.RawMessage, error) { return s.RawInto(nil, limit) }

// RawInto is Raw that appends to out, which is empty, for many values one after the other.
func (s *Scanner) RawInto(out json.RawMessage, limit int) (json.RawMessage, error) {
	err := s.copyValue(func(p []byte) error {
		if len(out)+len(p) > limit {
			return problem.Errorf(problem.ErrTooLarge, "the request's JSON has a value of more than %d bytes", limit)
		}
		out = append(out, p...)
		return nil
	})
	if err == nil && !json.Valid(out) {
		err = Errorf("is malformed")
	}
	return out, err
}

// Skip reads a value and drops it.
func (s *Scanner) Skip() error { return s.copyValue(func([]byte) error { return nil }) }

// copyValue calls fn with the bytes of one value, without the blanks between its tokens. It matches brackets and
// strings and checks nothing else.
func (s *Scanner) copyValue(fn func([]byte) error) error {
	word := false // the last token was a number or word, which only a blank can part from another
	for depth := s.depth; ; {
		c, err := s.Peek()
		if err != nil {
			return err
		}
		before := word
		word = false
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
				return Errorf("has %q where a value should be", c)
			}
			if err := s.copyByte(fn); err != nil {
				return err
			}
			continue
		default:
			if word = true; before {
				return Errorf("has %q after a value", c)
			}
			err = s.copyScalar(fn)
		}
		switch {
		case err != nil:
			return err
		case depth > s.deepest():
			return Errorf("is nested too deeply")
		case depth < s.depth:
			return Errorf("has %q where a value should be", c)
		case depth == s.depth:
			return nil
		}
	}
}

func (s *Scanner) copyByte(fn func([]byte) error) error {
	b, err := s.r.ReadByte()
	if err != nil {
		return cut(err)
	}
	return fn([]byte{b})
}

// copyScalar calls fn with a number or word.
func (s *Scanner) copyScalar(fn func([]byte) error) error {
	var word []byte
	for len(word) < MaxKey {
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
	return Errorf("has a number or word of more than %d bytes", MaxKey)
}

func (s *Scanner) copyString(fn func([]byte) error) error {
	b, _ := s.r.ReadByte()
	if err := fn([]byte{b}); err != nil {
		return err
	}
	for {
		part, err := s.r.ReadSlice('"')
		if err != nil && err != bufio.ErrBufferFull {
			return cut(err)
		}
		// The buffer may end between a backslash and the character that it escapes.
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

// oddBackslashes reports whether the backslashes at the end of part, or before its quote, escape what follows.
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

// End returns an error if anything but blanks follows.
func (s *Scanner) End() error {
	for {
		c, err := s.r.ReadByte()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case c != ' ' && c != '\n' && c != '\t' && c != '\r':
			return Errorf("goes on after its end with %q", c)
		}
	}
}
