// Package simple has the documents of the simple API (PEP 503, 691 and those that followed): how ours are written, and
// how those of other indexes are read; and what the JSON API beside it says of a release. Pure: rendering is copying
// rows, because a project can have tens of thousands of files and an upload must not cost more the more there are. Rows
// come in the order of versions, so nothing is sorted or parsed here.
package simple

import (
	"encoding/binary"
	"errors"
	"html"
	"net/url"
	"strconv"
	"strings"

	"larder/internal/rawjson"
)

// The media types of the simple API, the only ones its answers have.
const (
	JSON = "application/vnd.pypi.simple.v1+json"
	V1   = "application/vnd.pypi.simple.v1+html"
	HTML = "text/html; charset=utf-8"
)

// APIVersion is the simple API's; the HTML form stays at it for good (PEP 833).
const APIVersion = "1.4"

// Row is what documents show of one file, ready to be copied. It is derived from the release's record.
type Row struct {
	Name       string
	Version    string // the release's
	Path       string // below the files of the registry
	Simple     string // members of the JSON object after url
	HTML       string // attributes after the hash
	Full       string // members of the JSON API's object, but for the URL
	Provenance bool

	// Listed is a file of an upstream that is reached by its project and name: Path is below the packages of the registry.
	Listed bool
	// Hash is what links to an upstream's file say of it, as alg=hex; "" when nothing is known.
	Hash string
}

func (r *Row) fields() [7]string {
	provenance := ""
	if r.Provenance {
		provenance = "1"
	}
	return [7]string{r.Name, r.Version, r.Path, r.Simple, r.HTML, r.Full, provenance}
}

// Encode is the row's value: each field with its length before it.
func (r *Row) Encode() []byte {
	var out []byte
	for _, f := range r.fields() {
		out = append(binary.AppendUvarint(out, uint64(len(f))), f...)
	}
	return out
}

// DecodeRow reads a value of the table; the row keeps none of its bytes.
func DecodeRow(value []byte) (r Row, err error) {
	text := string(value)
	var parts [7]string
	for i := range parts {
		n, size := binary.Uvarint([]byte(text[:min(len(text), binary.MaxVarintLen64)]))
		if size <= 0 || n > uint64(len(text)-size) {
			return r, errors.New("the row of a file is cut off")
		}
		parts[i], text = text[size:size+int(n)], text[size+int(n):]
	}
	return Row{
		Name: parts[0], Version: parts[1], Path: parts[2], Simple: parts[3], HTML: parts[4], Full: parts[5],
		Provenance: parts[6] != "",
	}, nil
}

// TimeForm is how pages write times.
const TimeForm = "2006-01-02T15:04:05.000000Z"

// The markers of a project (PEP 792).
const (
	Active      = "active"
	Archived    = "archived"
	Quarantined = "quarantined"
	Deprecated  = "deprecated"
)

// Status is a project's marker; the zero value is an active project's.
type Status struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// Quarantined reports whether nothing of the project may be listed or served.
func (s Status) Quarantined() bool { return s.Status == Quarantined }

// Filled fills in what an active project's marker is.
func (s Status) Filled() Status {
	if s.Status == "" {
		s.Status = Active
	}
	return s
}

// Links say how a document's reader gets from it to files and attestations.
type Links struct {
	Files     string // base of files: absolute, or relative to the document; without a slash at the end
	Packages  string // base of files that are reached by their project and name, in the same way
	Integrity string // base of the registry for provenance, which must be a secure origin; "" for no such links
}

// Key tells documents with different links apart.
func (l Links) Key() string { return l.Files + " " + l.Integrity }

// base is what a file's path stands behind.
func (l Links) base(r *Row) string {
	if r.Listed {
		return l.Packages
	}
	return l.Files
}

// fragment is what a link to the file says of its bytes: that of ours is in its path.
func (r *Row) fragment() string {
	if r.Hash != "" {
		return "#" + r.Hash
	}
	if r.Listed {
		return ""
	}
	sha, _, _ := strings.Cut(r.Path[1:], "/")
	return "#sha256=" + sha
}

// Page is everything a project's page shows.
type Page struct {
	Name     string
	Serial   uint64
	Status   Status
	Versions []string // in order
	Rows     []Row    // in order
	// Basic is a page that lacks what later versions of the API promise: it says that it is of the first one.
	Basic bool
}

// JSON renders the page as PEP 691 has it.
func (p *Page) JSON(l Links) []byte {
	size := 512
	for i := range p.Rows {
		size += 2*len(p.Rows[i].Name) + len(p.Rows[i].Path) + len(p.Rows[i].Simple) + len(l.Files) + 200
	}
	version := APIVersion
	if p.Basic {
		version = "1.0"
	}
	out := append(make([]byte, 0, size+16*len(p.Versions)), `{"meta":{"api-version":"`+version+`","_last-serial":`...)
	out = strconv.AppendUint(out, p.Serial, 10)
	out = rawjson.AppendMember(append(out, '}'), "name", p.Name)
	out = append(out, `,"project-status":{"status":`...)
	out = rawjson.AppendString(out, p.Status.Status)
	if p.Status.Reason != "" {
		out = rawjson.AppendMember(out, "reason", p.Status.Reason)
	}
	out = append(out, `},"versions":[`...)
	for i, v := range p.Versions {
		out = rawjson.AppendString(rawjson.AppendComma(out, i), v)
	}
	out = append(out, `],"files":[`...)
	for i := range p.Rows {
		r := &p.Rows[i]
		out = rawjson.AppendString(append(rawjson.AppendComma(out, i), `{"filename":`...), r.Name)
		out = append(append(append(append(append(out, `,"url":"`...), l.base(r)...), r.Path...), '"'), r.Simple...)
		if r.Provenance && l.Integrity != "" {
			out = rawjson.AppendMember(out, "provenance", l.Integrity+ProvenancePath(p.Name, r.Version, r.Name))
		}
		out = append(out, '}')
	}
	return append(out, ']', '}', '\n')
}

// Head is the beginning of both kinds of page.
func Head(title string, s Status, mediaType string) string {
	var b strings.Builder
	b.WriteString(
		"<!DOCTYPE html>\n<html>\n<head>\n<meta name=\"pypi:repository-version\" content=\"" + APIVersion + "\">\n",
	)
	if s.Status != "" {
		b.WriteString(`<meta name="pypi:project-status" content="` + html.EscapeString(s.Status) + "\">\n")
	}
	if s.Reason != "" {
		b.WriteString(`<meta name="pypi:project-status-reason" content="` + html.EscapeString(s.Reason) + "\">\n")
	}
	if mediaType == V1 {
		// One page has two media types. Its bytes, and so its tag, must differ as well.
		b.WriteString("<meta charset=\"utf-8\">\n")
	}
	b.WriteString(
		"<title>" + html.EscapeString(title) + "</title>\n</head>\n<body>\n<h1>" + html.EscapeString(title) + "</h1>\n",
	)
	return b.String()
}

// Tail ends what Head began.
const Tail = "</body>\n</html>\n"

// HTML renders the page as PEP 503 has it: one link for each file, with the file's name as its text.
func (p *Page) HTML(l Links, mediaType string) []byte {
	var b strings.Builder
	b.WriteString(Head("Links for "+p.Name, p.Status, mediaType))
	for i := range p.Rows {
		r := &p.Rows[i]
		b.WriteString(`<a href="` + html.EscapeString(l.base(r)+r.Path) + r.fragment() + `"` + r.HTML)
		if r.Provenance && l.Integrity != "" {
			b.WriteString(` data-provenance="` + html.EscapeString(l.Integrity+ProvenancePath(p.Name, r.Version, r.Name)) + `"`)
		}
		b.WriteString(">" + html.EscapeString(r.Name) + "</a><br>\n")
	}
	b.WriteString(Tail)
	return []byte(b.String())
}

// FilePath is a file's path below the files of the registry, or with its project instead of a hash below the packages.
func FilePath(sha, file string) string { return "/" + sha + "/" + url.PathEscape(file) }

// ProvenancePath is the path of a file's attestations below the registry.
func ProvenancePath(name, version, file string) string {
	return "/integrity/" + name + "/" + url.PathEscape(version) + "/" + url.PathEscape(file) + "/provenance"
}
