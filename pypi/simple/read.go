package simple

// How pages of other indexes are read, in either form.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"time"

	xhtml "golang.org/x/net/html"

	"larder/internal/pydist"
	"larder/internal/rawjson"
)

// Listing is what an upstream's page says, in either form.
type Listing struct {
	Versions []string
	Status   Status
	Files    []File

	base *url.URL
	only string // the name of the only file that is looked for, "" for all
}

// File is one file of an upstream's page. Only files with a SHA-256 are listed.
type File struct {
	Name     string
	URL      string // as the page has it
	SHA256   string
	Requires string
	Size     int64     // 0: the page does not say
	Uploaded time.Time // zero: the page does not say
	Yanked   json.RawMessage
	Core     json.RawMessage
}

// Release is the release of the project that a file belongs to; see pydist.ReleaseOf.
func (f *File) Release(project string) string { return pydist.ReleaseOf(project, f.Name) }

// Check says why a body is no page of the simple API; nil for one that can be read.
func Check(body []byte) error {
	if text := trimmed(body); bytes.HasPrefix(text, []byte("{")) && !json.Valid(text) {
		return errors.New("not JSON")
	}
	_, _, err := Find(body, "", "\x00") // which is in no name
	return err
}

// Read reads a page that passed Check. It looks at the body, not at what the upstream calls it. Relative addresses
// begin at from.
func Read(body []byte, from string) (*Listing, error) {
	p := &Listing{}
	return p, p.read(body, from)
}

// Find reads one file of a page, in less time than all of them take; ok when the page has it.
func Find(body []byte, from, name string) (f File, ok bool, err error) {
	p := &Listing{only: name}
	if err := p.read(body, from); err != nil || len(p.Files) == 0 {
		return f, false, err
	}
	f = p.Files[0]
	at, err := p.base.Parse(f.URL)
	if err != nil {
		return f, false, fmt.Errorf("address of %.200q: %w", f.Name, err)
	}
	at.Fragment = ""
	f.URL = at.String()
	return f, true, nil
}

// Releases says when each release of a page that passed Check began, as far as the page does.
func Releases(project string, body []byte) map[string]time.Time {
	out := map[string]time.Time{}
	p, err := Read(body, "")
	if err != nil {
		return nil // not reached
	}
	for i := range p.Files {
		f := &p.Files[i]
		release := f.Release(project)
		if t, ok := out[release]; !ok || f.Uploaded.Before(t) {
			out[release] = f.Uploaded
		}
	}
	return out
}

func trimmed(body []byte) []byte { return bytes.TrimLeft(body, "\ufeff \t\r\n") }

func (p *Listing) read(body []byte, from string) (err error) {
	if p.base, err = url.Parse(from); err != nil {
		return err
	}
	text := trimmed(body)
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		return p.readJSON(text)
	case bytes.HasPrefix(text, []byte("<")):
		return p.readHTML(text)
	}
	return errors.New("neither JSON nor HTML")
}

// add lists a file that can be served.
func (p *Listing) add(f File) {
	if !isSHA256(f.SHA256) {
		f.SHA256 = strings.ToLower(f.SHA256)
	}
	if isSHA256(f.SHA256) && !strings.ContainsAny(f.Name, "/\\") && (p.only == "" || f.Name == p.only) {
		p.Files = append(p.Files, f)
	}
}

// isSHA256 reports whether a page's hash is one, as it is copied to pages: whatever else it is, it must not get there.
func isSHA256(sum string) bool {
	for i := range len(sum) {
		if c := sum[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(sum) == 64
}

func (p *Listing) readJSON(body []byte) error {
	var meta, files []byte
	rawjson.Members(body, func(key, value []byte) {
		switch string(key) {
		case "meta":
			meta = value
		case "files":
			files = value
		case "versions":
			p.Versions = nil
			rawjson.Elements(value, func(v []byte) { p.Versions = append(p.Versions, rawjson.TextOf(v)) })
		case "project-status":
			// A marker of a form we do not know is none.
			_ = json.Unmarshal(value, &p.Status)
		}
	})
	only := []byte(p.only)
	if len(meta) == 0 || meta[0] != '{' || !rawjson.Elements(files, func(raw []byte) {
		// A name may be written with escapes.
		if bytes.Contains(raw, only) || bytes.IndexByte(raw, '\\') >= 0 {
			p.add(fileOf(raw))
		}
	}) {
		return errors.New("not a page of the simple API")
	}
	return nil
}

// fileOf reads an entry of the list. What is not of the kind it should be is left out.
func fileOf(raw []byte) (f File) {
	var old []byte // metadata, as it was called before PEP 714
	rawjson.Members(raw, func(key, value []byte) {
		switch string(key) {
		case "filename":
			f.Name = rawjson.TextOf(value)
		case "url":
			f.URL = rawjson.TextOf(value)
		case "hashes":
			f.SHA256 = sha256Of(value)
		case "requires-python":
			f.Requires = rawjson.TextOf(value)
		case "size":
			f.Size, _ = strconv.ParseInt(string(value), 10, 64)
		case "upload-time":
			f.Uploaded, _ = time.Parse(time.RFC3339Nano, rawjson.TextOf(value))
		case "yanked":
			f.Yanked = value
		case "core-metadata":
			f.Core = value
		case "data-dist-info-metadata":
			old = value
		}
	})
	if f.Core == nil {
		f.Core = old
	}
	return f
}

// sha256Of is what an object of hashes has of that kind, "" for none.
func sha256Of(raw []byte) (sum string) {
	rawjson.Members(raw, func(key, value []byte) {
		if string(key) == "sha256" {
			sum = rawjson.TextOf(value)
		}
	})
	return sum
}

// readHTML reads the links of PEP 503, with the attributes of those that followed.
func (p *Listing) readHTML(body []byte) error {
	anchors := 0
	for z := xhtml.NewTokenizer(bytes.NewReader(body)); ; {
		switch z.Next() {
		case xhtml.ErrorToken:
			if anchors == 0 && !bytes.Contains(bytes.ToLower(body[:min(len(body), 4096)]), []byte("links for")) {
				return errors.New("a web page without links to files")
			}
			return nil
		case xhtml.StartTagToken:
			t := z.Token()
			attr := map[string]string{}
			for _, a := range t.Attr {
				attr[a.Key] = a.Val
			}
			switch t.Data {
			case "base":
				if to, err := p.base.Parse(attr["href"]); err == nil {
					p.base = to
				}
			case "a":
				anchors++
				if z.Next() == xhtml.TextToken {
					p.addLink(strings.TrimSpace(z.Token().Data), attr)
				}
			}
		}
	}
}

func (p *Listing) addLink(name string, attr map[string]string) {
	at, err := url.Parse(attr["href"])
	if err != nil || name == "" {
		return
	}
	f := File{Name: name, URL: attr["href"], Requires: attr["data-requires-python"]}
	if alg, sum, _ := strings.Cut(at.Fragment, "="); alg == "sha256" {
		f.SHA256 = sum
	}
	f.Size, _ = strconv.ParseInt(attr["data-size"], 10, 64)                // zero: unknown
	f.Uploaded, _ = time.Parse(time.RFC3339Nano, attr["data-upload-time"]) // zero: unknown
	if reason, ok := attr["data-yanked"]; ok {
		f.Yanked = rawjson.Quote(reason)
	}
	for _, key := range []string{"data-core-metadata", "data-dist-info-metadata"} {
		if v, ok := attr[key]; ok && f.Core == nil {
			if f.Core = json.RawMessage("true"); strings.HasPrefix(v, "sha256=") {
				f.Core = json.RawMessage(`{"sha256":` + string(rawjson.Quote(v[len("sha256="):])) + "}")
			}
		}
	}
	p.add(f)
}

// Wheel reports whether the file is one: METADATA is in it at least.
func (f *File) Wheel() bool { return strings.HasSuffix(f.Name, ".whl") }

// Offered is the hash of the file's METADATA, "" when the upstream does not say; ok when it has it beside the file.
func (f *File) Offered() (sum string, ok bool) {
	if sum := sha256Of(f.Core); sum != "" {
		return sum, true
	}
	return "", string(f.Core) == "true"
}

// Row is the file as our pages of a media type show it.
func (f *File) Row(mediaType string) Row {
	r := Row{Name: f.Name, Path: FilePath(f.SHA256, f.Name)}
	if mediaType == JSON {
		r.Simple = f.members()
	} else {
		r.HTML = f.attributes()
	}
	return r
}

func (f *File) yanked() (reason string, ok bool) {
	return rawjson.TextOf(f.Yanked), len(f.Yanked) > 0 && string(f.Yanked) != "false" && string(f.Yanked) != "null"
}

func (f *File) members() string {
	var room [512]byte
	out := append(append(append(room[:0], `,"hashes":{"sha256":"`...), f.SHA256...), `"}`...)
	if f.Requires != "" {
		out = rawjson.AppendMember(out, "requires-python", f.Requires)
	}
	if f.Size > 0 {
		out = strconv.AppendInt(append(out, `,"size":`...), f.Size, 10)
	}
	if !f.Uploaded.IsZero() {
		out = append(f.Uploaded.UTC().AppendFormat(append(out, `,"upload-time":"`...), TimeForm), '"')
	}
	switch sum, offered := f.Offered(); {
	case sum != "":
		out = append(rawjson.AppendString(append(out, `,"core-metadata":{"sha256":`...), sum), '}')
	case offered || f.Wheel():
		out = append(out, `,"core-metadata":true`...)
	}
	switch reason, yanked := f.yanked(); {
	case yanked && reason != "":
		out = rawjson.AppendMember(out, "yanked", reason)
	case yanked:
		out = append(out, `,"yanked":true`...)
	}
	return string(out)
}

func (f *File) attributes() string {
	var b strings.Builder
	attribute := func(name, value string) {
		b.WriteString(` data-` + name + `="` + html.EscapeString(value) + `"`)
	}
	if f.Requires != "" {
		attribute("requires-python", f.Requires)
	}
	if f.Size > 0 {
		attribute("size", strconv.FormatInt(f.Size, 10))
	}
	if !f.Uploaded.IsZero() {
		attribute("upload-time", f.Uploaded.UTC().Format(TimeForm))
	}
	switch sum, offered := f.Offered(); {
	case sum != "":
		attribute("core-metadata", "sha256="+sum)
	case offered || f.Wheel():
		attribute("core-metadata", "true")
	}
	if reason, yanked := f.yanked(); yanked {
		attribute("yanked", reason)
	}
	return b.String()
}
