package names

// The media types of files, by their extension.

import "strings"

// Media types of their own. XML may hold scripts for browsers, as HTML does.
const (
	TypeXML    = "application/xml"
	TypeText   = "text/plain; charset=utf-8"
	TypeBinary = "application/octet-stream"
	typeJava   = "application/java-archive"
)

// mediaTypes is by extension.
var mediaTypes = map[string]string{
	"pom": TypeXML, "xml": TypeXML,
	"jar": typeJava, "war": typeJava, "ear": typeJava, "aar": typeJava,
	"module": "application/vnd.org.gradle.module+json", "json": "application/json",
	"zip": "application/zip", "gz": "application/gzip", "asc": "application/pgp-signature",
	"html": "text/html", "htm": "text/html", "xhtml": "application/xhtml+xml", "svg": "image/svg+xml",
	"txt": TypeText, "md": TypeText,
}

// active are those a browser would run.
var active = map[string]bool{TypeXML: true, "text/html": true, "application/xhtml+xml": true, "image/svg+xml": true}

// Active reports whether a browser would run what has this media type.
func Active(mediaType string) bool { return active[mediaType] }

// MediaType is that of a file, by its extension.
func MediaType(file string) string {
	if t, ok := mediaTypes[file[strings.LastIndexByte(file, '.')+1:]]; ok {
		return t
	}
	return TypeBinary
}
