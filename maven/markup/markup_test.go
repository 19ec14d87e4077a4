package markup

// Reading the XML of strangers.

import (
	"errors"
	"strings"
	"testing"
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
