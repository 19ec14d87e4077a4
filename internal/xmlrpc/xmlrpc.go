// Package xmlrpc reads calls and writes responses of XML-RPC, as far as package indexes use it.
package xmlrpc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ErrCall is the error of a body that is no call. Parse wraps it with what is wrong.
var ErrCall = errors.New("not an XML-RPC call")

// maxDepth bounds the nesting of values.
const maxDepth = 16

// Call is a decoded call. Its parameters are string, int64, float64, bool, nil, []any and map[string]any.
type Call struct {
	Method string
	Params []any
}

// Parse reads a call. Its error is ErrCall. It refuses a document type, with which a small body could become large.
func Parse(body []byte) (Call, error) {
	p := &parser{dec: xml.NewDecoder(bytes.NewReader(body))}
	c, err := p.call()
	if err != nil {
		return Call{}, fmt.Errorf("%w: %w", ErrCall, err)
	}
	return c, nil
}

type parser struct {
	dec *xml.Decoder
}

// next returns the next token that is not space, comment or declaration.
func (p *parser) next() (xml.Token, error) {
	for {
		t, err := p.dec.Token()
		if err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, errors.New("text between elements")
			}
		case xml.Directive:
			return nil, errors.New("a document type")
		case xml.Comment, xml.ProcInst:
		default:
			return t, nil
		}
	}
}

// open reads the start of an element and returns its name, "" if an element ends instead.
func (p *parser) open() (string, error) {
	t, err := p.next()
	if err != nil {
		return "", err
	}
	if start, ok := t.(xml.StartElement); ok {
		return start.Name.Local, nil
	}
	return "", nil
}

// expect reads the start of an element called name.
func (p *parser) expect(name string) error {
	got, err := p.open()
	if err == nil && got != name {
		err = fmt.Errorf("no %s", name)
	}
	return err
}

// close reads the end of an element.
func (p *parser) close() error {
	t, err := p.next()
	if _, ok := t.(xml.EndElement); err == nil && !ok {
		err = errors.New("an element too many")
	}
	return err
}

// text reads the rest of an element that has only text, and its end.
func (p *parser) text() (string, error) {
	var b strings.Builder
	for {
		t, err := p.dec.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		case xml.Comment:
		default:
			return "", errors.New("an element inside a text")
		}
	}
}

func (p *parser) call() (c Call, err error) {
	if err = p.expect("methodCall"); err != nil {
		return c, err
	}
	if err = p.expect("methodName"); err != nil {
		return c, err
	}
	if c.Method, err = p.text(); err != nil {
		return c, err
	}
	c.Method = strings.TrimSpace(c.Method)
	name, err := p.open()
	if err != nil || name == "" {
		return c, err
	}
	if name != "params" {
		return c, errors.New("no params")
	}
	err = p.each("param", "no param", func() error {
		if err := p.expect("value"); err != nil {
			return err
		}
		v, err := p.value(0)
		if err != nil {
			return err
		}
		c.Params = append(c.Params, v)
		return p.close()
	})
	if err != nil {
		return c, err
	}
	return c, p.close()
}

// each calls read in each element called name, until the end of the element around them. missing says that another one
// is there.
func (p *parser) each(name, missing string, read func() error) error {
	for {
		switch got, err := p.open(); {
		case err != nil:
			return err
		case got == "":
			return nil
		case got != name:
			return errors.New(missing)
		}
		if err := read(); err != nil {
			return err
		}
	}
}

// value reads the content of an element value, and its end. Without a type it is a string.
func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("values too deep")
	}
	var text strings.Builder
	for {
		t, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			return text.String(), nil
		case xml.StartElement:
			v, err := p.typed(t.Name.Local, depth)
			if err != nil {
				return nil, err
			}
			return v, p.close()
		case xml.Comment:
		default:
			return nil, errors.New("no value")
		}
	}
}

func (p *parser) typed(name string, depth int) (any, error) {
	switch name {
	case "array":
		return p.array(depth)
	case "struct":
		return p.structure(depth)
	}
	s, err := p.text()
	if err != nil {
		return nil, err
	}
	switch name {
	case "string", "dateTime.iso8601", "base64":
		return s, nil
	case "int", "i4", "i8":
		return strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	case "double":
		return strconv.ParseFloat(strings.TrimSpace(s), 64)
	case "boolean":
		return strings.TrimSpace(s) == "1", nil
	case "nil":
		return nil, nil
	}
	return nil, fmt.Errorf("a value of type %.20q", name)
}

func (p *parser) array(depth int) (any, error) {
	if err := p.expect("data"); err != nil {
		return nil, err
	}
	list := []any{}
	err := p.each("value", "no value in an array", func() error {
		v, err := p.value(depth + 1)
		list = append(list, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, p.close()
}

func (p *parser) structure(depth int) (any, error) {
	m := map[string]any{}
	err := p.each("member", "no member in a struct", func() error {
		if err := p.expect("name"); err != nil {
			return err
		}
		key, err := p.text()
		if err != nil {
			return err
		}
		if err := p.expect("value"); err != nil {
			return err
		}
		if m[key], err = p.value(depth + 1); err != nil {
			return err
		}
		return p.close()
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

const head = `<?xml version="1.0"?>` + "\n<methodResponse>"

// Response returns a response with the value v, which has the types of Call, int and []string.
func Response(v any) []byte {
	out := append([]byte(head), "<params><param>"...)
	return append(appendValue(out, v), "</param></params></methodResponse>\n"...)
}

// Fault returns a response with an error.
func Fault(code int, text string) []byte {
	out := append([]byte(head), "<fault>"...)
	return append(appendValue(out, map[string]any{"faultCode": code, "faultString": text}),
		"</fault></methodResponse>\n"...)
}

func appendValue(out []byte, v any) []byte {
	out = append(out, "<value>"...)
	switch v := v.(type) {
	case nil:
		out = append(out, "<nil/>"...)
	case bool:
		bit := "0"
		if v {
			bit = "1"
		}
		out = append(out, "<boolean>"+bit+"</boolean>"...)
	case int:
		out = appendInt(out, int64(v))
	case int64:
		out = appendInt(out, v)
	case float64:
		out = append(strconv.AppendFloat(append(out, "<double>"...), v, 'f', -1, 64), "</double>"...)
	case string:
		out = append(appendText(append(out, "<string>"...), v), "</string>"...)
	case []string:
		out = append(out, "<array><data>"...)
		for _, each := range v {
			out = appendValue(out, each)
		}
		out = append(out, "</data></array>"...)
	case []any:
		out = append(out, "<array><data>"...)
		for _, each := range v {
			out = appendValue(out, each)
		}
		out = append(out, "</data></array>"...)
	case map[string]any:
		out = appendStruct(out, v)
	}
	return append(out, "</value>"...)
}

// appendInt writes a number. One of more than 32 bits is an i8, an extension that Python's library reads.
func appendInt(out []byte, n int64) []byte {
	tag := "int"
	if n != int64(int32(n)) {
		tag = "i8"
	}
	return append(strconv.AppendInt(append(out, "<"+tag+">"...), n, 10), "</"+tag+">"...)
}

func appendStruct(out []byte, m map[string]any) []byte {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out = append(out, "<struct>"...)
	for _, key := range keys {
		out = append(appendText(append(out, "<member><name>"...), key), "</name>"...)
		out = append(appendValue(out, m[key]), "</member>"...)
	}
	return append(out, "</struct>"...)
}

// appendText escapes s and replaces characters that XML cannot have.
func appendText(out []byte, s string) []byte {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return out // not reached: a buffer takes everything
	}
	return append(out, b.Bytes()...)
}
