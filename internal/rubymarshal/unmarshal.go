package rubymarshal

// This file reads what this package writes, and what Ruby writes. Links to objects, which are never written here, are
// followed.

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// The errors of Unmarshal, beside ErrUnsupported.
var (
	ErrFormat = errors.New("not a Marshal stream of format 4.8")
	ErrLimit  = errors.New("a Marshal stream exceeds a limit")
)

// Limits bound what reading one stream may cost. A zero field means the default.
type Limits struct {
	Depth  int // of values within values; default 64
	Values int // in all, those behind links counted each time; default 4 million
}

// Unmarshal reads a stream that holds one value and nothing else. Its errors are ErrFormat, ErrLimit and
// ErrUnsupported. What it returns shares no memory with p.
func Unmarshal(p []byte, l Limits) (any, error) {
	if len(p) < 2 || p[0] != 4 || p[1] != 8 {
		return nil, fmt.Errorf("%w: no header", ErrFormat)
	}
	if l.Depth == 0 {
		l.Depth = 64
	}
	if l.Values == 0 {
		l.Values = 4 << 20
	}
	d := &decoder{in: p[2:], depth: l.Depth, left: l.Values}
	v, err := d.value()
	if err == nil && len(d.in) > 0 {
		err = fmt.Errorf("%w: %d bytes after the value", ErrFormat, len(d.in))
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

type decoder struct {
	in      []byte
	depth   int // levels left
	left    int // values left
	symbols []Symbol
	objects []entry // what links point at, in the order in which Ruby numbers it
}

// entry is an object of the stream; one that is not complete cannot be linked to: nothing RubyGems writes contains
// itself.
type entry struct {
	value    any
	size     int // values in it, itself included
	complete bool
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }

func (d *decoder) byte() (byte, error) {
	if len(d.in) == 0 {
		return 0, malformed("it ends early")
	}
	b := d.in[0]
	d.in = d.in[1:]
	return b, nil
}

func (d *decoder) int() (int, error) {
	b, err := d.byte()
	if err != nil {
		return 0, err
	}
	c := int(int8(b))
	switch {
	case c == 0:
		return 0, nil
	case c > 4:
		return c - 5, nil
	case c < -4:
		return c + 5, nil
	}
	n, count := 0, c
	if c < 0 {
		n, count = -1, -c
	}
	for i := range count {
		b, err := d.byte()
		if err != nil {
			return 0, err
		}
		n = n&^(0xff<<(8*i)) | int(b)<<(8*i)
	}
	if n < minInt || n > maxInt {
		return 0, malformed("an integer out of range")
	}
	return n, nil
}

// length reads a count of things that take at least one byte each.
func (d *decoder) length() (int, error) {
	n, err := d.int()
	if err == nil && (n < 0 || n > len(d.in)) {
		err = malformed("a length beyond its end")
	}
	return n, err
}

func (d *decoder) bytes() ([]byte, error) {
	n, err := d.length()
	if err != nil {
		return nil, err
	}
	p := d.in[:n:n]
	d.in = d.in[n:]
	return append([]byte{}, p...), nil
}

// begin numbers an object before what is in it, as Ruby does for everything but Data.
func (d *decoder) begin() int {
	d.objects = append(d.objects, entry{})
	return len(d.objects) - 1
}

// end makes object n, begun when left values were left, a target of links.
func (d *decoder) end(n, left int, v any) any {
	d.objects[n] = entry{value: v, size: left - d.left + 1, complete: true}
	return v
}

// value reads a value and what is in it.
func (d *decoder) value() (any, error) {
	if d.left--; d.left < 0 {
		return nil, fmt.Errorf("%w: too many values", ErrLimit)
	}
	if d.depth--; d.depth < 0 {
		return nil, fmt.Errorf("%w: too deep", ErrLimit)
	}
	defer func() { d.depth++ }()
	t, err := d.byte()
	if err != nil {
		return nil, err
	}
	switch t {
	case '0':
		return nil, nil
	case 'T':
		return true, nil
	case 'F':
		return false, nil
	case 'i':
		return asAny(d.int())
	case ':', ';':
		return asAny(d.symbol(t))
	case '@':
		return d.link()
	case 'I':
		return d.withIvars()
	}
	return d.object(t)
}

func asAny[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// symbolHere reads what must be a symbol.
func (d *decoder) symbolHere() (Symbol, error) {
	t, err := d.byte()
	if err != nil {
		return "", err
	}
	return d.symbol(t)
}

func (d *decoder) symbol(t byte) (Symbol, error) {
	switch t {
	case ':':
		p, err := d.bytes()
		if err != nil {
			return "", err
		}
		d.symbols = append(d.symbols, Symbol(p))
		return Symbol(p), nil
	case ';':
		n, err := d.int()
		if err != nil {
			return "", err
		}
		if n < 0 || n >= len(d.symbols) {
			return "", malformed("a link to no symbol")
		}
		return d.symbols[n], nil
	}
	return "", malformed("no symbol where one belongs")
}

func (d *decoder) link() (any, error) {
	n, err := d.int()
	if err != nil {
		return nil, err
	}
	if n < 0 || n >= len(d.objects) || !d.objects[n].complete {
		return nil, malformed("a link to no object")
	}
	if d.left -= d.objects[n].size; d.left < 0 {
		return nil, fmt.Errorf("%w: too many values behind links", ErrLimit)
	}
	return d.objects[n].value, nil
}

// object reads what links can point at.
func (d *decoder) object(t byte) (any, error) {
	left := d.left
	if t == 'u' {
		data, err := d.data()
		if err != nil {
			return nil, err
		}
		return d.end(d.begin(), left, data), nil
	}
	n := d.begin()
	var v any
	var err error
	switch t {
	case '"':
		v, err = asAny(d.bytes())
		if err == nil {
			v = Binary(v.([]byte))
		}
	case '[':
		v, err = asAny(d.array())
	case '{':
		v, err = asAny(d.hash())
	case 'o':
		v, err = asAny(d.plain())
	case 'U':
		v, err = asAny(d.user())
	default:
		return nil, fmt.Errorf("%w: type %q", ErrUnsupported, t)
	}
	if err != nil {
		return nil, err
	}
	return d.end(n, left, v), nil
}

// list reads a length and as many elements.
func list[T any](d *decoder, element func() (T, error)) ([]T, error) {
	n, err := d.length()
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, min(n, 16))
	for range n {
		v, err := element()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (d *decoder) array() ([]any, error) { return list(d, d.value) }

// pair reads a key and its value.
func pair[K any](d *decoder, key func() (K, error)) (k K, value any, err error) {
	if k, err = key(); err == nil {
		value, err = d.value()
	}
	return k, value, err
}

func (d *decoder) hash() (Hash, error) {
	return list(d, func() (p Pair, err error) {
		p.Key, p.Value, err = pair(d, d.value)
		return p, err
	})
}

func (d *decoder) plain() (o Object, err error) {
	if o.Class, err = d.symbolHere(); err == nil {
		o.Ivars, err = d.ivars()
	}
	return o, err
}

func (d *decoder) user() (u User, err error) {
	if u.Class, err = d.symbolHere(); err == nil {
		u.Value, err = d.value()
	}
	return u, err
}

func (d *decoder) data() (u Data, err error) {
	if u.Class, err = d.symbolHere(); err == nil {
		u.Raw, err = d.bytes()
	}
	return u, err
}

func (d *decoder) ivars() ([]Ivar, error) {
	all, err := list(d, func() (v Ivar, err error) {
		v.Name, v.Value, err = pair(d, d.symbolHere)
		return v, err
	})
	if len(all) == 0 {
		return nil, err
	}
	return all, err
}

// withIvars reads a string with its encoding, or a Data with instance variables.
func (d *decoder) withIvars() (any, error) {
	t, err := d.byte()
	if err != nil {
		return nil, err
	}
	left := d.left
	switch t {
	case '"':
		n := d.begin()
		p, err := d.bytes()
		if err != nil {
			return nil, err
		}
		list, err := d.ivars()
		if err != nil {
			return nil, err
		}
		v, err := encoded(p, list)
		if err != nil {
			return nil, err
		}
		return d.end(n, left, v), nil
	case 'u':
		u, err := d.data()
		if err != nil {
			return nil, err
		}
		if u.Ivars, err = d.ivars(); err != nil {
			return nil, err
		}
		return d.end(d.begin(), left, u), nil
	}
	return nil, fmt.Errorf("%w: instance variables of type %q", ErrUnsupported, t)
}

// encoded is a string whose only instance variable says its encoding.
func encoded(p []byte, list []Ivar) (any, error) {
	if len(list) != 1 || list[0].Name != "E" {
		return nil, fmt.Errorf("%w: a string of another encoding", ErrUnsupported)
	}
	switch list[0].Value {
	case true:
		if !utf8.Valid(p) {
			return nil, malformed("text that is not UTF-8")
		}
		return string(p), nil
	case false:
		return ASCII(p), nil
	}
	return nil, malformed("an encoding that is none")
}
