// Package markup reads XML that strangers wrote, within limits. Pure.
package markup

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// Limits: elements within elements, and elements, texts and comments of a POM and of metadata.
const (
	MaxDepth       = 100
	POMTokens      = 500_000
	MetadataTokens = 2_000_000
)

// What is wrong with a document beyond the limits.
var (
	ErrDepth  = errors.New("the XML is nested too deeply")
	ErrTokens = errors.New("the XML has too many elements")
)

// Decode reads a document into v. Entities other than XML's own are an error, so none can grow; the root must be
// called as said.
func Decode(text []byte, rootName string, tokens int, v any) error {
	raw := xml.NewDecoder(bytes.NewReader(toUTF8(text)))
	raw.CharsetReader = charset
	d := xml.NewTokenDecoder(&limited{raw: raw, left: tokens})
	for {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("read XML: %w", err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name.Local != rootName {
			return fmt.Errorf("the root element is %.80q, not %q", start.Name.Local, rootName)
		}
		if err := d.DecodeElement(v, &start); err != nil {
			return fmt.Errorf("read XML: %w", err)
		}
		return nil
	}
}

// limited passes tokens on as long as they are few and not too deep.
type limited struct {
	raw         *xml.Decoder
	depth, left int
}

func (l *limited) Token() (xml.Token, error) {
	t, err := l.raw.Token()
	if l.left--; l.left < 0 {
		return nil, ErrTokens
	}
	switch t.(type) {
	case xml.StartElement:
		if l.depth++; l.depth > MaxDepth {
			return nil, ErrDepth
		}
	case xml.EndElement:
		l.depth--
	}
	return t, err
}

// toUTF8 is the document in UTF-8 when its first bytes say that it is in UTF-16: with a mark of the byte order, or
// without one before the first "<".
func toUTF8(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}), bytes.HasPrefix(text, []byte{0, '<'}):
		order = binary.BigEndian
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}), bytes.HasPrefix(text, []byte{'<', 0}):
		order = binary.LittleEndian
	default:
		return text
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 0; i+1 < len(text); i += 2 {
		units = append(units, order.Uint16(text[i:]))
	}
	return []byte(strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff"))
}

// charset reads the encodings old POMs are written in, beside UTF-8.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be":
		return in, nil // Decode has made UTF-8 of it
	case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin-1", "latin1", "iso-8859-15", "windows-1252", "cp1252":
		b, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		for _, c := range b {
			out.WriteRune(rune(c))
		}
		return &out, nil
	}
	return nil, fmt.Errorf("unknown encoding %.40q", label)
}

// Text is an element's text without the white space around it.
type Text string

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Text) UnmarshalText(p []byte) error {
	*t = Text(strings.TrimSpace(string(p)))
	return nil
}

// Clip cuts a text to at most n bytes.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
