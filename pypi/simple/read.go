package simple

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"slices"
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
}

// File is one file of an upstream's page.
type File struct {
	Name     string `json:"filename"`
	URL      string `json:"url"`
	Hashes   map[string]string
	Requires string          `json:"requires-python"`
	Size     int64           `json:"size"`
	Uploaded time.Time       `json:"upload-time"`
	Yanked   json.RawMessage `json:"yanked"`
	Core     json.RawMessage `json:"core-metadata"`
	Old      json.RawMessage `json:"data-dist-info-metadata"` // the same before PEP 714
}

// Release is the release a file belongs to, "" when its name does not say.
func (f *File) Release() string {
	name, err := pydist.ParseFilename(f.Name)
	if err != nil {
		return ""
	}
	return name.Version.String()
}

// Read looks at the body, not at what the upstream calls it. Relative addresses begin at from.
func Read(body []byte, from string) (p Listing, err error) {
	base, err := url.Parse(from)
	if err != nil {
		return p, err
	}
	text := bytes.TrimLeft(body, "\ufeff \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		err = p.readJSON(text)
	case bytes.HasPrefix(text, []byte("<")):
		base, err = p.readHTML(text, base)
	default:
		err = errors.New("neither JSON nor HTML")
	}
	if err != nil {
		return p, err
	}
	p.Files = slices.DeleteFunc(p.Files, func(f File) bool {
		sum := strings.ToLower(f.Hashes["sha256"])
		if !isSHA256(sum) || strings.ContainsAny(f.Name, "/\\") {
			return true
		}
		f.Hashes["sha256"] = sum
		return false
	})
	for i := range p.Files {
		f := &p.Files[i]
		at, err := base.Parse(f.URL)
		if err != nil {
			return p, fmt.Errorf("address of %.200q: %w", f.Name, err)
		}
		at.Fragment = ""
		f.URL = at.String()
	}
	return p, nil
}

// isSHA256 reports whether a page's hash is one, as it is copied to pages: whatever else it is, it must not get there.
func isSHA256(sum string) bool {
	return len(sum) == 64 && strings.Trim(sum, "0123456789abcdef") == ""
}

func (p *Listing) readJSON(body []byte) error {
	var doc struct {
		Meta     *struct{}       `json:"meta"`
		Versions []string        `json:"versions"`
		Status   json.RawMessage `json:"project-status"`
		Files    []File          `json:"files"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	if doc.Meta == nil || doc.Files == nil {
		return errors.New("not a page of the simple API")
	}
	if len(doc.Status) > 0 {
		// A marker of a form we do not know is none.
		_ = json.Unmarshal(doc.Status, &p.Status)
	}
	p.Versions, p.Files = doc.Versions, doc.Files
	return nil
}

// readHTML reads the links of PEP 503, with the attributes of those that followed.
func (p *Listing) readHTML(body []byte, base *url.URL) (*url.URL, error) {
	anchors := 0
	for z := xhtml.NewTokenizer(bytes.NewReader(body)); ; {
		switch z.Next() {
		case xhtml.ErrorToken:
			if anchors == 0 && !bytes.Contains(bytes.ToLower(body[:min(len(body), 4096)]), []byte("links for")) {
				return base, errors.New("a web page without links to files")
			}
			return base, nil
		case xhtml.StartTagToken:
			t := z.Token()
			attr := map[string]string{}
			for _, a := range t.Attr {
				attr[a.Key] = a.Val
			}
			switch t.Data {
			case "base":
				if to, err := base.Parse(attr["href"]); err == nil {
					base = to
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
	alg, sum, _ := strings.Cut(at.Fragment, "=")
	f := File{Name: name, URL: attr["href"], Hashes: map[string]string{alg: sum}, Requires: attr["data-requires-python"]}
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
	p.Files = append(p.Files, f)
}

// Metadata is the hash of the file's METADATA, "" when the upstream does not say; ok when it offers it.
func (f *File) Metadata() (sum string, ok bool) {
	raw := f.Core
	if raw == nil {
		raw = f.Old
	}
	var hashes map[string]string
	if json.Unmarshal(raw, &hashes) == nil && hashes["sha256"] != "" {
		return hashes["sha256"], true
	}
	return "", string(raw) == "true"
}

// Row is the file as our pages show it.
func (f *File) Row() Row {
	yanked, reason := len(f.Yanked) > 0 && string(f.Yanked) != "false" && string(f.Yanked) != "null", rawjson.TextOf(f.Yanked)
	sum, core := f.Metadata()
	simple := []byte(`,"hashes":{"sha256":"` + f.Hashes["sha256"] + `"}`)
	attrs := ""
	if f.Requires != "" {
		simple = rawjson.AppendMember(simple, "requires-python", f.Requires)
		attrs += ` data-requires-python="` + html.EscapeString(f.Requires) + `"`
	}
	if f.Size > 0 {
		simple = strconv.AppendInt(append(simple, `,"size":`...), f.Size, 10)
		attrs += fmt.Sprintf(` data-size="%d"`, f.Size)
	}
	if !f.Uploaded.IsZero() {
		simple = rawjson.AppendMember(simple, "upload-time", f.Uploaded.UTC().Format(TimeForm))
		attrs += ` data-upload-time="` + f.Uploaded.UTC().Format(TimeForm) + `"`
	}
	switch {
	case sum != "":
		simple = append(append(append(simple, `,"core-metadata":{"sha256":`...), rawjson.Quote(sum)...), '}')
		attrs += ` data-core-metadata="sha256=` + html.EscapeString(sum) + `"`
	case core:
		simple = append(simple, `,"core-metadata":true`...)
		attrs += ` data-core-metadata="true"`
	}
	switch {
	case yanked && reason != "":
		simple = rawjson.AppendMember(simple, "yanked", reason)
	case yanked:
		simple = append(simple, `,"yanked":true`...)
	}
	if yanked {
		attrs += ` data-yanked="` + html.EscapeString(reason) + `"`
	}
	return Row{Name: f.Name, Version: f.Release(), Path: FilePath(f.Hashes["sha256"], f.Name), Simple: string(simple), HTML: attrs}
}
