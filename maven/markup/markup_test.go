package markup

// Reading the XML of strangers.

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

type document struct {
	Name Text `xml:"name"`
}

// TestReadingHugeDocumentsEnds: whatever a document is, reading it ends, and nothing outside of it is read.
func TestReadingHugeDocumentsEnds(t *testing.T) {
	for what, c := range map[string]struct {
		text string
		want error
	}{
		"depth":    {"<project>" + strings.Repeat("<a>", MaxDepth), ErrDepth},
		"elements": {"<project>" + strings.Repeat("<a/>", 1000) + "</project>", ErrTokens},
		"entity":   {`<!DOCTYPE x [<!ENTITY a "ha">]><project><name>&a;</name></project>`, nil},
		"file":     {`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><project><name>&a;</name></project>`, nil},
		"root":     {"<html><name>x</name></html>", nil},
		"charset":  {`<?xml version="1.0" encoding="EBCDIC"?><project/>`, nil},
		"nothing":  {"", nil},
		"cut":      {"<project><name>", nil},
	} {
		if err := Decode([]byte(c.text), "project", 1000, new(document)); err == nil ||
			c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestText(t *testing.T) {
	var d document
	text := `<?xml version="1.0" encoding="ISO-8859-1"?>` +
		"\n<!-- x --><project xmlns=\"urn:x\"><name>\n J\xf6rg </name></project>"
	if err := Decode([]byte(text), "project", 100, &d); err != nil || d.Name != "Jörg" {
		t.Errorf("%q is read as %+v, %v; want the name Jörg", text, d, err)
	}
	for n, want := range map[int]string{0: "", 1: "J", 2: "J", 3: "Jö", 9: "Jörg"} {
		if got := Clip("Jörg", n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

// TestDocumentsInOtherEncodingsAreRead: Java reads UTF-16 with and without a mark of the byte order.
func TestDocumentsInOtherEncodingsAreRead(t *testing.T) {
	const text = `<?xml version="1.0" encoding="UTF-16"?><a><b>ü</b></a>`
	var little, big []byte
	for _, u := range utf16.Encode([]rune(text)) {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	for name, doc := range map[string][]byte{
		"UTF-16LE":               little,
		"UTF-16BE":               big,
		"UTF-16LE with its mark": append([]byte{0xff, 0xfe}, little...),
		"UTF-16BE with its mark": append([]byte{0xfe, 0xff}, big...),
		"ISO-8859-1":             []byte("<?xml version='1.0' encoding='ISO-8859-1'?><a><b>\xfc</b></a>"),
		"UTF-8 with its mark":    []byte("\ufeff<?xml version='1.0' encoding='UTF-8'?><a><b>\u00fc</b></a>"),
	} {
		var v struct {
			B Text `xml:"b"`
		}
		if err := Decode(doc, "a", 100, &v); err != nil || v.B != "\u00fc" {
			t.Errorf("%s: read %q, %v, want \u00fc", name, v.B, err)
		}
	}
}
