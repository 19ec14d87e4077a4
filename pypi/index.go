package pypi

// Records into documents. Pure: rendering is copying rows, because a project can have tens of thousands of files and an
// upload must not cost more the more there are. Rows come in the order of versions, so nothing is sorted or parsed here.

import (
	"encoding/binary"
	"fmt"
	"html"
	"strconv"
	"strings"

	"larder/internal/pep440"
	"larder/internal/pydist"
	"larder/internal/rawjson"
	"larder/store"
)

// The media types of the simple API, the only ones its answers have.
const (
	typeJSON = "application/vnd.pypi.simple.v1+json"
	typeV1   = "application/vnd.pypi.simple.v1+html"
	typeHTML = "text/html; charset=utf-8"
)

// apiVersion is the simple API's; the HTML form stays at it for good (PEP 833).
const apiVersion = "1.4"

// row is what documents show of one file, ready to be copied. It is derived from the release's record.
type row struct {
	Name       string
	Version    string // the release's
	Path       string // below the files of the registry
	Simple     string // members of the JSON object after url
	HTML       string // attributes after the hash
	Full       string // members of the JSON API's object, but for the URL
	Provenance bool
}

func (r *row) fields() [7]string {
	provenance := ""
	if r.Provenance {
		provenance = "1"
	}
	return [7]string{r.Name, r.Version, r.Path, r.Simple, r.HTML, r.Full, provenance}
}

// encode is the row's value: each field with its length before it.
func (r *row) encode() []byte {
	var out []byte
	for _, f := range r.fields() {
		out = append(binary.AppendUvarint(out, uint64(len(f))), f...)
	}
	return out
}

// decodeRow reads a value of the table; the row keeps none of its bytes.
func decodeRow(value []byte) (r row, err error) {
	text := string(value)
	var parts [7]string
	for i := range parts {
		n, size := binary.Uvarint([]byte(text[:min(len(text), binary.MaxVarintLen64)]))
		if size <= 0 || n > uint64(len(text)-size) {
			return r, fmt.Errorf("row of a file: %w", store.ErrFormat)
		}
		parts[i], text = text[size:size+int(n)], text[size+int(n):]
	}
	return row{parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6] != ""}, nil
}

// rowKey orders files by version, then name.
func rowKey(version pep440.Version, file string) []byte { return append(version.Key(), file...) }

const (
	timeForm  = "2006-01-02T15:04:05.000000Z"
	timeShort = "2006-01-02T15:04:05" // upload_time of the JSON API: UTC, without saying so
)

// rowOf derives a file's row.
func rowOf(v *store.Version[Meta], a *artifact) row {
	r := row{Name: a.Name, Version: v.ID, Path: filePath(a.Digest.Encoded(), a.Name), Provenance: a.Attestations != ""}
	y, reason := yankOf(v, a)
	r.Simple = simpleMembers(a, y, reason)
	r.HTML = htmlAttributes(a, y, reason)
	r.Full = fullMembers(a, y, reason)
	return r
}

func member(out []byte, key, value string) []byte {
	return rawjson.AppendString(append(append(append(out, ',', '"'), key...), '"', ':'), value)
}

// textOrNull is a member that is null without a value.
func textOrNull(out []byte, key, value string) []byte {
	if value == "" {
		return append(append(append(out, ',', '"'), key...), `":null`...)
	}
	return member(out, key, value)
}

// simpleMembers: the keys of PEP 691, 700, 714. Values are never null where a client cannot read null, and
// dist-info-metadata never appears: pip 22.3 to 23.1 dies of it in JSON.
func simpleMembers(a *artifact, yanked bool, reason string) string {
	out := []byte(`,"hashes":{"sha256":"` + a.Digest.Encoded() + `"},"size":`)
	out = strconv.AppendInt(out, a.Size, 10)
	out = member(out, "upload-time", a.Uploaded.UTC().Format(timeForm))
	out = textOrNull(out, "requires-python", a.Requires)
	out = append(out, coreMetadata(a)...)
	if a.Signature != "" {
		out = append(out, `,"gpg-sig":true`...)
	}
	switch {
	case !yanked:
		out = append(out, `,"yanked":false`...)
	case reason == "":
		out = append(out, `,"yanked":true`...)
	default:
		out = member(out, "yanked", reason)
	}
	return string(out)
}

func coreMetadata(a *artifact) string {
	if a.Kind != pydist.Wheel {
		return `,"core-metadata":false`
	}
	return `,"core-metadata":{"sha256":"` + a.Metadata.Encoded() + `"}`
}

// htmlAttributes: data-size and data-upload-time are not in the specification, and uv understands them.
func htmlAttributes(a *artifact, yanked bool, reason string) string {
	var b strings.Builder
	attribute := func(name, value string) { b.WriteString(" data-" + name + `="` + html.EscapeString(value) + `"`) }
	if a.Requires != "" {
		attribute("requires-python", a.Requires)
	}
	if a.Kind == pydist.Wheel {
		attribute("core-metadata", "sha256="+a.Metadata.Encoded())
	}
	if a.Signature != "" {
		attribute("gpg-sig", "true")
	}
	if yanked {
		attribute("yanked", reason)
	}
	attribute("size", strconv.FormatInt(a.Size, 10))
	attribute("upload-time", a.Uploaded.UTC().Format(timeForm))
	return b.String()
}

// fullMembers: a file in the JSON API. Here blake2b_256 is right; in the simple API it would break installers.
func fullMembers(a *artifact, yanked bool, reason string) string {
	out := rawjson.AppendString([]byte(`"filename":`), a.Name)
	out = append(out, `,"digests":{"sha256":"`+a.Digest.Encoded()+`"`...)
	if a.MD5 != "" {
		out = member(out, "md5", a.MD5)
	}
	if a.Blake2 != "" {
		out = member(out, "blake2b_256", a.Blake2)
	}
	out = textOrNull(append(out, '}'), "md5_digest", a.MD5)
	out = member(out, "packagetype", a.Kind)
	out = member(out, "python_version", a.Python)
	out = append(append(out, `,"size":`...), strconv.FormatInt(a.Size, 10)...)
	out = member(out, "upload_time", a.Uploaded.UTC().Format(timeShort))
	out = member(out, "upload_time_iso_8601", a.Uploaded.UTC().Format(timeForm))
	out = textOrNull(out, "requires_python", a.Requires)
	out = append(append(out, `,"yanked":`...), strconv.FormatBool(yanked)...)
	out = textOrNull(out, "yanked_reason", reason)
	out = append(out, coreMetadata(a)...)
	out = append(append(out, `,"has_sig":`...), strconv.FormatBool(a.Signature != "")...)
	out = member(out, "comment_text", a.Comment)
	return string(append(out, `,"downloads":-1`...))
}

// links say how a document's reader gets from it to files and attestations.
type links struct {
	files     string // base of files: absolute, or relative to the document; without a slash at the end
	integrity string // base of the registry for provenance, which must be a secure origin; "" for no such links
}

// key tells documents with different links apart.
func (l links) key() string { return l.files + " " + l.integrity }

// page is everything a project's page shows.
type page struct {
	Name     string
	Serial   uint64
	Status   status
	Versions []string // in order
	Rows     []row    // in order
}

// json renders the page as PEP 691 has it.
func (p *page) json(l links) []byte {
	size := 512
	for i := range p.Rows {
		size += 2*len(p.Rows[i].Name) + len(p.Rows[i].Path) + len(p.Rows[i].Simple) + len(l.files) + 200
	}
	out := append(make([]byte, 0, size+16*len(p.Versions)), `{"meta":{"api-version":"`+apiVersion+`","_last-serial":`...)
	out = strconv.AppendUint(out, p.Serial, 10)
	out = member(append(out, '}'), "name", p.Name)
	out = append(out, `,"project-status":{"status":`...)
	out = rawjson.AppendString(out, p.Status.Status)
	if p.Status.Reason != "" {
		out = member(out, "reason", p.Status.Reason)
	}
	out = append(out, `},"versions":[`...)
	for i, v := range p.Versions {
		out = rawjson.AppendString(comma(out, i), v)
	}
	out = append(out, `],"files":[`...)
	for i := range p.Rows {
		r := &p.Rows[i]
		out = rawjson.AppendString(append(comma(out, i), `{"filename":`...), r.Name)
		out = append(append(append(append(append(out, `,"url":"`...), l.files...), r.Path...), '"'), r.Simple...)
		if r.Provenance && l.integrity != "" {
			out = member(out, "provenance", l.integrity+provenancePath(p.Name, r.Version, r.Name))
		}
		out = append(out, '}')
	}
	return append(out, ']', '}', '\n')
}

func comma(out []byte, i int) []byte {
	if i > 0 {
		return append(out, ',')
	}
	return out
}

// htmlHead is the beginning of both kinds of page.
func htmlHead(title string, s status, mediaType string) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html>\n<head>\n<meta name=\"pypi:repository-version\" content=\"" + apiVersion + "\">\n")
	if s.Status != "" {
		b.WriteString(`<meta name="pypi:project-status" content="` + html.EscapeString(s.Status) + "\">\n")
	}
	if s.Reason != "" {
		b.WriteString(`<meta name="pypi:project-status-reason" content="` + html.EscapeString(s.Reason) + "\">\n")
	}
	if mediaType == typeV1 {
		// One page has two media types. Its bytes, and so its tag, must differ as well.
		b.WriteString("<meta charset=\"utf-8\">\n")
	}
	b.WriteString("<title>" + html.EscapeString(title) + "</title>\n</head>\n<body>\n<h1>" + html.EscapeString(title) + "</h1>\n")
	return b.String()
}

const htmlTail = "</body>\n</html>\n"

// html renders the page as PEP 503 has it: one link for each file, with the file's name as its text.
func (p *page) html(l links, mediaType string) []byte {
	var b strings.Builder
	b.WriteString(htmlHead("Links for "+p.Name, p.Status, mediaType))
	for i := range p.Rows {
		r := &p.Rows[i]
		sha, _, _ := strings.Cut(r.Path[1:], "/")
		b.WriteString(`<a href="` + html.EscapeString(l.files+r.Path) + "#sha256=" + sha + `"` + r.HTML)
		if r.Provenance && l.integrity != "" {
			b.WriteString(` data-provenance="` + html.EscapeString(l.integrity+provenancePath(p.Name, r.Version, r.Name)) + `"`)
		}
		b.WriteString(">" + html.EscapeString(r.Name) + "</a><br>\n")
	}
	b.WriteString(htmlTail)
	return []byte(b.String())
}

// newStatus fills in what an active project's marker is.
func newStatus(s status) status {
	if s.Status == "" {
		s.Status = statusActive
	}
	return s
}
