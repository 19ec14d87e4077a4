package simple

// How pages of other indexes are read, in either form.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"path"
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
	// Left is how many entries are not among the files, because no client could fetch them.
	Left int

	base  *url.URL
	found bool   // the page has links to files
	check bool   // every entry is looked at, though none may be the one that is looked for
	only  string // the name of the only file that is looked for, "" for all
}

// File is one file of an upstream's page.
type File struct {
	Name   string
	URL    string // as the page has it
	SHA256 string // "" when the page does not give it
	// Other is the best sum that the page gives instead of SHA-256, as alg=hex (sha512, sha384, sha224, sha1, md5); "" for
	// none.
	Other    string
	Requires string
	Size     int64     // 0: the page does not say
	Uploaded time.Time // zero: the page does not say
	Yanked   json.RawMessage
	Core     json.RawMessage
}

// Release is the release of the project that a file belongs to; see pydist.ReleaseOf.
func (f *File) Release(project string) string { return pydist.ReleaseOf(project, f.Name) }

// Sums are what the page says of the file's bytes: hex by algorithm, empty when it says nothing.
func (f *File) Sums() map[string]string {
	sums := map[string]string{}
	if f.SHA256 != "" {
		sums["sha256"] = f.SHA256
	} else if alg, sum, ok := strings.Cut(f.Other, "="); ok {
		sums[alg] = sum
	}
	return sums
}

// Listed reports whether a file of a project is reached by the project's name and its own: its hash is not known, or
// its name does not lead back to the project.
func (f *File) Listed(project string) bool {
	if f.SHA256 == "" {
		return true
	}
	name, err := pydist.ParseFilename(f.Name)
	return err != nil || name.Project != project
}

// Check says why a body is no page of the simple API; nil for one that can be read. left is how many of its entries
// are of no use to any client.
func Check(body []byte) (left int, err error) {
	if text := trimmed(body); bytes.HasPrefix(text, []byte("{")) && !json.Valid(text) {
		return 0, errors.New("not JSON")
	}
	p := &Listing{only: "\x00", check: true} // which is in no name
	err = p.read(body, "")
	return p.Left, err
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
	if f.URL, err = p.Address(&f); err != nil {
		return f, false, err
	}
	return f, true, nil
}

// Address is where a file of the page is, without a fragment.
func (p *Listing) Address(f *File) (string, error) {
	at, err := p.base.Parse(f.URL)
	if err != nil {
		return "", fmt.Errorf("address of %.200q: %w", f.Name, err)
	}
	at.Fragment = ""
	return at.String(), nil
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
	if f.Name == "" || f.URL == "" || len(f.Name) > MaxName || strings.ContainsAny(f.Name, "/\\\x00") ||
		f.SHA256 != "" && !isHex(f.SHA256, 64) {
		p.Left++
		return
	}
	if p.only == "" || f.Name == p.only {
		p.Files = append(p.Files, f)
	}
}

// MaxName is the length of the longest name of a file in bytes; a component of a path is no longer.
const MaxName = 255

// algorithms are those other than SHA-256 that clients read, the best one first, with the length of their hex.
var algorithms = []struct {
	name string
	hex  int
}{{"sha512", 128}, {"sha384", 96}, {"sha224", 56}, {"sha1", 40}, {"md5", 32}}

// sum takes a hash of the page into the file.
func (f *File) sum(alg, sum string) {
	alg, sum = strings.ToLower(alg), strings.ToLower(sum)
	if alg == "sha256" {
		f.SHA256 = sum
		return
	}
	best, _, _ := strings.Cut(f.Other, "=")
	for _, a := range algorithms {
		if a.name == best {
			return
		}
		if a.name == alg && isHex(sum, a.hex) {
			f.Other = alg + "=" + sum
			return
		}
	}
}

// isHex reports whether a page's hash is one, as it is copied to pages: whatever else it is, it must not get there.
func isHex(sum string, length int) bool {
	for i := range len(sum) {
		if c := sum[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(sum) == length
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
	if len(meta) > 0 && meta[0] != '{' || !rawjson.Elements(files, func(raw []byte) {
		// A name may be written with escapes.
		if p.check || bytes.Contains(raw, only) || bytes.IndexByte(raw, '\\') >= 0 {
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
			rawjson.Members(value, func(alg, sum []byte) { f.sum(string(alg), rawjson.TextOf(sum)) })
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
	if at, err := url.Parse(f.URL); f.Name == "" && err == nil && f.URL != "" {
		f.Name = path.Base(at.Path)
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

// readHTML reads the links of PEP 503, with the attributes of those that followed, and those of plain lists of files.
func (p *Listing) readHTML(body []byte) error {
	var form form
	for z := xhtml.NewTokenizer(bytes.NewReader(body)); ; {
		switch z.Next() {
		case xhtml.ErrorToken:
			if len(p.Files) == 0 && !p.found && !form.isIndex() {
				return errors.New("a web page without links to files")
			}
			return nil
		case xhtml.TextToken:
			form.text(z.Text())
		case xhtml.EndTagToken:
			form.end()
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			t := z.Token()
			attr := map[string]string{}
			for _, a := range t.Attr {
				attr[a.Key] = a.Val
			}
			form.start(t.Data, attr)
			switch t.Data {
			case "base":
				if to, err := p.base.Parse(attr["href"]); err == nil {
					p.base = to
				}
			case "a":
				text := ""
				if z.Next() == xhtml.TextToken {
					text = strings.TrimSpace(z.Token().Data)
				}
				p.addLink(text, attr)
			}
		}
	}
}

// addLink lists the file that a link leads to. As for installers, its name is the end of its address, whatever the text
// says, unless only the text is a file's name. A link without a sum may lead to anything: what has no ending of a
// distribution is a link to something else.
func (p *Listing) addLink(text string, attr map[string]string) {
	href := strings.TrimSpace(attr["href"])
	at, err := url.Parse(href)
	if err != nil {
		p.Left++
		return
	}
	f := File{Name: path.Base(at.Path), URL: href, Requires: attr["data-requires-python"]}
	for _, part := range strings.Split(at.Fragment, "&") {
		if alg, sum, ok := strings.Cut(part, "="); ok {
			f.sum(alg, sum)
		}
	}
	if !pydist.HasEnding(f.Name) && (pydist.HasEnding(text) || f.SHA256+f.Other != "" && text != "") {
		f.Name = text
	}
	if f.SHA256+f.Other == "" && !pydist.HasEnding(f.Name) {
		return
	}
	p.found = true
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
func (f *File) Row(project, mediaType string) Row {
	r := Row{Name: f.Name}
	if f.Listed(project) {
		r.Listed, r.Path = true, FilePath(project, f.Name)
	} else {
		r.Path = FilePath(f.SHA256, f.Name)
	}
	if r.Hash = f.Other; f.SHA256 != "" {
		r.Hash = "sha256=" + f.SHA256
	}
	if mediaType == JSON {
		r.Simple = f.members()
	} else {
		r.HTML = f.attributes()
	}
	return r
}

// Withdrawn reports whether the file is yanked (PEP 592), and why as far as the page says.
func (f *File) Withdrawn() (reason string, ok bool) {
	return rawjson.TextOf(f.Yanked), len(f.Yanked) > 0 && string(f.Yanked) != "false" && string(f.Yanked) != "null"
}

func (f *File) members() string {
	var room [512]byte
	out := append(room[:0], `,"hashes":{`...)
	if f.SHA256 != "" {
		out = append(append(append(out, `"sha256":"`...), f.SHA256...), '"')
	} else if alg, sum, ok := strings.Cut(f.Other, "="); ok {
		out = append(append(append(append(append(out, '"'), alg...), `":"`...), sum...), '"')
	}
	out = append(out, '}')
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
	case offered:
		out = append(out, `,"core-metadata":true`...)
	}
	switch reason, yanked := f.Withdrawn(); {
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
	case offered:
		attribute("core-metadata", "true")
	}
	if reason, yanked := f.Withdrawn(); yanked {
		attribute("yanked", reason)
	}
	return b.String()
}
