// Package rubymarshal writes and reads the part of Ruby's binary serialisation (Marshal, format 4.8) that the indexes
// and specifications of RubyGems are made of. Its values are:
//
//	nil, bool, int        immediate values; integers of 31 bits, as Ruby's own 'i'
//	Symbol                ':' and, when repeated, ';'
//	string                '"' with the instance variable E true: UTF-8
//	ASCII                 '"' with E false: US-ASCII
//	Binary                '"' without an encoding
//	[]any, Hash           '[' and '{'
//	Object                'o': instance variables by name
//	User                  'U': what marshal_dump returned
//	Data                  'u': what _dump returned, with instance variables if it has any
//
// Links to objects ('@') are never written: Ruby writes them only where one object is in two places, which nothing
// needs. They are read.
package rubymarshal

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Symbol is a Ruby symbol, such as :runtime or the name of a class.
type Symbol string

// ASCII is a string in the encoding US-ASCII.
type ASCII string

// Binary is a string in the encoding ASCII-8BIT.
type Binary []byte

// Pair is one entry of a Hash.
type Pair struct{ Key, Value any }

// Hash is a hash in its order.
type Hash []Pair

// Ivar is an instance variable; Name begins with "@", except in Data, where Ruby uses bare words.
type Ivar struct {
	Name  Symbol
	Value any
}

// Object is an object with its instance variables.
type Object struct {
	Class Symbol
	Ivars []Ivar
}

// User is an object of a class that defines marshal_dump.
type User struct {
	Class Symbol
	Value any
}

// Data is an object of a class that defines _dump.
type Data struct {
	Class Symbol
	Raw   []byte
	Ivars []Ivar
}

// ErrUnsupported is returned for a value that the table above does not have; compare with errors.Is.
var ErrUnsupported = errors.New("a value this package does not know")

// Integers outside these bounds are of another type in Ruby.
const (
	minInt = -1 << 30
	maxInt = 1<<30 - 1
)

// Encoder appends one stream to a slice. Its methods write what a stream is made of, so that large arrays need no
// values.
type Encoder struct {
	buf     []byte
	symbols map[Symbol]int
}

// NewEncoder starts a stream at the end of dst, which may be nil.
func NewEncoder(dst []byte) *Encoder {
	return &Encoder{buf: append(dst, 4, 8), symbols: map[Symbol]int{}}
}

// Marshal is a stream of one value; ErrUnsupported if Value cannot write it.
func Marshal(v any) ([]byte, error) {
	e := NewEncoder(nil)
	err := e.Value(v)
	return e.buf, err
}

// Bytes is what was written so far.
func (e *Encoder) Bytes() []byte { return e.buf }

// Array begins an array; its n elements must follow.
func (e *Encoder) Array(n int) {
	e.buf = append(e.buf, '[')
	e.int(n)
}

// User begins an object of a class that defines marshal_dump; what that returned must follow.
func (e *Encoder) User(class Symbol) {
	e.buf = append(e.buf, 'U')
	e.Symbol(class)
}

// String writes text in UTF-8.
func (e *Encoder) String(s string) { e.text(s, true) }

func (e *Encoder) text(s string, utf8 bool) {
	e.buf = append(e.buf, 'I', '"')
	e.int(len(s))
	e.buf = append(e.buf, s...)
	e.int(1)
	e.Symbol("E")
	e.Bool(utf8)
}

// Bool writes true or false.
func (e *Encoder) Bool(b bool) {
	if b {
		e.buf = append(e.buf, 'T')
		return
	}
	e.buf = append(e.buf, 'F')
}

// Symbol writes a symbol, or a link to where it stood first.
func (e *Encoder) Symbol(s Symbol) {
	if n, ok := e.symbols[s]; ok {
		e.buf = append(e.buf, ';')
		e.int(n)
		return
	}
	e.symbols[s] = len(e.symbols)
	e.buf = append(e.buf, ':')
	e.int(len(s))
	e.buf = append(e.buf, s...)
}

// int writes a number as lengths and integers are: small ones in one byte, others with a count of bytes before them.
func (e *Encoder) int(n int) {
	switch {
	case n == 0:
		e.buf = append(e.buf, 0)
	case n > 0 && n < 123:
		e.buf = append(e.buf, byte(n+5))
	case n < 0 && n > -124:
		e.buf = append(e.buf, byte(n-5))
	default:
		at := len(e.buf)
		e.buf = append(e.buf, 0)
		rest := n
		for rest != 0 && rest != -1 {
			e.buf = append(e.buf, byte(rest))
			rest >>= 8
		}
		count := len(e.buf) - at - 1
		if n < 0 {
			count = -count
		}
		e.buf[at] = byte(count)
	}
}

// Value writes any value of the package comment; ErrUnsupported for others.
func (e *Encoder) Value(v any) error {
	switch v := v.(type) {
	case nil:
		e.buf = append(e.buf, '0')
	case bool:
		e.Bool(v)
	case int:
		if v < minInt || v > maxInt {
			return fmt.Errorf("%w: integer %d", ErrUnsupported, v)
		}
		e.buf = append(e.buf, 'i')
		e.int(v)
	case Symbol:
		e.Symbol(v)
	case string:
		if !utf8.ValidString(v) {
			return fmt.Errorf("%w: text that is not UTF-8", ErrUnsupported)
		}
		e.String(v)
	case ASCII:
		e.text(string(v), false)
	case Binary:
		e.buf = append(e.buf, '"')
		e.raw(v)
	default:
		return e.compound(v)
	}
	return nil
}

func (e *Encoder) raw(p []byte) {
	e.int(len(p))
	e.buf = append(e.buf, p...)
}

// compound writes values that hold others.
func (e *Encoder) compound(v any) error {
	switch v := v.(type) {
	case []any:
		e.Array(len(v))
		return e.values(v...)
	case Hash:
		e.buf = append(e.buf, '{')
		e.int(len(v))
		for _, p := range v {
			if err := e.values(p.Key, p.Value); err != nil {
				return err
			}
		}
	case Object:
		e.buf = append(e.buf, 'o')
		e.Symbol(v.Class)
		return e.ivars(v.Ivars)
	case User:
		e.User(v.Class)
		return e.Value(v.Value)
	case Data:
		if len(v.Ivars) > 0 {
			e.buf = append(e.buf, 'I')
		}
		e.buf = append(e.buf, 'u')
		e.Symbol(v.Class)
		e.raw(v.Raw)
		if len(v.Ivars) > 0 {
			return e.ivars(v.Ivars)
		}
	default:
		return fmt.Errorf("%w: %T", ErrUnsupported, v)
	}
	return nil
}

func (e *Encoder) values(list ...any) error {
	for _, v := range list {
		if err := e.Value(v); err != nil {
			return err
		}
	}
	return nil
}

func (e *Encoder) ivars(list []Ivar) error {
	e.int(len(list))
	for _, i := range list {
		e.Symbol(i.Name)
		if err := e.Value(i.Value); err != nil {
			return err
		}
	}
	return nil
}
