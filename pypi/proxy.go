package pypi

// Copies of remote indexes. Whatever form a project's page comes in, it becomes the page type that ours are rendered from;
// a file is called by the hash its page gave, and checked against it. Pages of upstreams never mix with ours.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	xhtml "golang.org/x/net/html"

	"larder/internal/pydist"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// freshPage is how long an upstream's page is not asked for again.
const freshPage = 10 * time.Minute

// acceptPage is what installers send; an index that knows only HTML answers with that.
const acceptPage = typeJSON + ", " + typeV1 + ";q=0.2, text/html;q=0.01"

// remote joins the server with the upstreams of its kind.
func (s *server) remote(r *upstream.Registry) {
	ours := store.NewMemo[struct{}, bool](s.store, store.PyPI)
	s.up = r.Set(store.PyPI, upstream.Protocol{
		Fold: foldName,
		Local: func(ctx context.Context, name string) (bool, error) {
			return ours.Get(name, struct{}{}, func() (here bool, err error) {
				err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
					_, err := tx.Package()
					if here = err == nil; errors.Is(err, store.ErrNotFound) {
						// A project that was deleted left its files' names behind.
						for range tx.KindIndex(tableGone).Scan(goneKey(name, ""), nil) {
							here = true
							break
						}
						return nil
					}
					return err
				})
				return here, err
			})
		},
		Probe: pageQuery,
	})
}

// foldName is the one spelling of a name, and of a pattern of names.
func foldName(pattern string) string {
	parts := strings.Split(pattern, "*")
	for i, p := range parts {
		lead, tail := "", ""
		if i > 0 && strings.HasPrefix(p, "-") {
			lead = "-"
		}
		if i < len(parts)-1 && len(p) > 1 && strings.HasSuffix(p, "-") {
			tail = "-"
		}
		parts[i] = lead + pydist.Normalise(strings.Trim(p, "-")) + tail
	}
	return strings.Join(parts, "*")
}

// elsewhere reports whether an upstream may have what is not here.
func (s *server) elsewhere(err error) bool {
	return s.up != nil && errors.Is(err, store.ErrNotFound) && !errors.Is(err, errGone)
}

// mayTake refuses the first upload of a name that an upstream has: it would hide a project people rely on.
func (s *server) mayTake(ctx context.Context, name string) error {
	if s.up == nil {
		return nil
	}
	if _, err := s.head(ctx, name); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.up.MayPublish(ctx, name)
}

func pageQuery(name string) upstream.Query {
	return upstream.Query{Package: name, Key: "page", Ref: name + "/", Accept: acceptPage, Fresh: freshPage, Check: checkPage, Versions: releaseTimes}
}

func checkPage(body []byte, _ string) error {
	_, err := readPage(body, "")
	return err
}

func releaseTimes(body []byte) map[string]time.Time {
	out := map[string]time.Time{}
	files, _ := readPage(body, "") // checked before it was kept
	for _, f := range files.list {
		if t, ok := out[f.version()]; !ok || f.Uploaded.Before(t) {
			out[f.version()] = f.Uploaded
		}
	}
	return out
}

// remotePage is what an upstream's page says, in either form.
type remotePage struct {
	versions []string
	status   status
	list     []remoteFile
}

// remoteFile is one file of an upstream's page.
type remoteFile struct {
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

// version is the release a file belongs to, "" when its name does not say.
func (f *remoteFile) version() string {
	name, err := pydist.ParseFilename(f.Name)
	if err != nil {
		return ""
	}
	return name.Version.String()
}

// readPage looks at the body, not at what the upstream calls it. Relative addresses begin at from.
func readPage(body []byte, from string) (p remotePage, err error) {
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
	p.list = slices.DeleteFunc(p.list, func(f remoteFile) bool { return len(f.Hashes["sha256"]) != 64 || strings.ContainsAny(f.Name, "/\\") })
	for i := range p.list {
		f := &p.list[i]
		at, err := base.Parse(f.URL)
		if err != nil {
			return p, fmt.Errorf("address of %.200q: %w", f.Name, err)
		}
		at.Fragment = ""
		f.URL = at.String()
	}
	return p, nil
}

func (p *remotePage) readJSON(body []byte) error {
	var doc struct {
		Meta     *struct{}       `json:"meta"`
		Versions []string        `json:"versions"`
		Status   json.RawMessage `json:"project-status"`
		Files    []remoteFile    `json:"files"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	if doc.Meta == nil || doc.Files == nil {
		return errors.New("not a page of the simple API")
	}
	if len(doc.Status) > 0 {
		// A marker of a form we do not know is none.
		_ = json.Unmarshal(doc.Status, &p.status)
	}
	p.versions, p.list = doc.Versions, doc.Files
	return nil
}

// readHTML reads the links of PEP 503, with the attributes of those that followed.
func (p *remotePage) readHTML(body []byte, base *url.URL) (*url.URL, error) {
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

func (p *remotePage) addLink(name string, attr map[string]string) {
	at, err := url.Parse(attr["href"])
	if err != nil || name == "" {
		return
	}
	alg, sum, _ := strings.Cut(at.Fragment, "=")
	f := remoteFile{Name: name, URL: attr["href"], Hashes: map[string]string{alg: sum}, Requires: attr["data-requires-python"]}
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
	p.list = append(p.list, f)
}

// core is the hash of the file's METADATA, "" when the upstream does not say; ok when it offers it.
func (f *remoteFile) core() (sum string, ok bool) {
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

// row is the file as our pages show it.
func (f *remoteFile) row() row {
	yanked, reason := len(f.Yanked) > 0 && string(f.Yanked) != "false" && string(f.Yanked) != "null", rawjson.TextOf(f.Yanked)
	sum, core := f.core()
	simple := []byte(`,"hashes":{"sha256":"` + f.Hashes["sha256"] + `"}`)
	attrs := ""
	if f.Requires != "" {
		simple = member(simple, "requires-python", f.Requires)
		attrs += ` data-requires-python="` + html.EscapeString(f.Requires) + `"`
	}
	if f.Size > 0 {
		simple = strconv.AppendInt(append(simple, `,"size":`...), f.Size, 10)
		attrs += fmt.Sprintf(` data-size="%d"`, f.Size)
	}
	if !f.Uploaded.IsZero() {
		simple = member(simple, "upload-time", f.Uploaded.UTC().Format(timeForm))
		attrs += ` data-upload-time="` + f.Uploaded.UTC().Format(timeForm) + `"`
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
		simple = member(simple, "yanked", reason)
	case yanked:
		simple = append(simple, `,"yanked":true`...)
	}
	if yanked {
		attrs += ` data-yanked="` + html.EscapeString(reason) + `"`
	}
	return row{Name: f.Name, Version: f.version(), Path: filePath(f.Hashes["sha256"], f.Name), Simple: string(simple), HTML: attrs}
}

// proxiedPage answers with an upstream's page in the form the client wants.
func (s *server) proxiedPage(w http.ResponseWriter, r *http.Request, q Request, mediaType string) error {
	d, err := s.up.Document(r.Context(), pageQuery(q.Name))
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	l, offline := s.linksFor(r, q.Alias), s.up.Offline()
	key := store.DocKey{Kind: store.PyPI.Documents(), Package: q.Name, Base: l.key(), Format: fmt.Sprintf("%s %s %s %t", mediaType, d.Digest, s.up.GateKey(), offline)}
	doc, err := s.store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		p, err := s.remotePage(ctx, q.Name, d, offline)
		if err != nil {
			return store.Rendered{}, err
		}
		if mediaType == typeJSON {
			return store.Rendered{Body: p.json(l), Type: mediaType}, nil
		}
		return store.Rendered{Body: p.html(l, mediaType), Type: mediaType}, nil
	})
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, revalidate(r))
}

// remotePage is a page without what is held back or, offline, not here.
func (s *server) remotePage(ctx context.Context, name string, d *upstream.Document, offline bool) (*page, error) {
	body, err := d.Bytes(ctx)
	if err != nil {
		return nil, err
	}
	remote, err := readPage(body, d.URL)
	if err != nil {
		return nil, err
	}
	p := &page{Name: name, Status: newStatus(remote.status)}
	shown := map[string]bool{}
	for i := range remote.list {
		f := &remote.list[i]
		here := true
		if offline {
			if here, err = s.up.Here(ctx, name, f.Name); err != nil {
				return nil, err
			}
		}
		switch err := s.up.Allowed(ctx, name, f.version()); {
		case errors.Is(err, store.ErrDenied):
			here = false
		case err != nil:
			return nil, err
		}
		if here {
			p.Rows = append(p.Rows, f.row())
			shown[f.version()] = true
		}
	}
	p.Versions = slices.DeleteFunc(remote.versions, func(v string) bool { return (offline || s.up.Gated()) && !shown[v] })
	return p, nil
}

// proxiedFile answers with a file of an upstream, or with its METADATA.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.Op == opSignature {
		return store.Refuse(store.ErrNotFound, "signatures of upstreams' files are not kept")
	}
	probe := remoteFile{Name: q.File}
	key := q.File
	if q.Op == opMetadata {
		key += ".metadata"
	}
	f, err := s.up.File(r.Context(), upstream.FileQuery{
		Package: q.Name, Version: probe.version(), Key: key, Head: r.Method == http.MethodHead,
		Find: func(ctx context.Context) (upstream.Place, error) { return s.place(ctx, q) },
	})
	if err != nil {
		return err
	}
	if q.Op == opFile && f.Digest != "" && f.Digest.Encoded() != q.SHA {
		return errors.Join(store.Refuse(store.ErrNotFound, "the file has another hash"), f.Close())
	}
	return wire.ServeCached(w, r, s.store, f, wire.BlobHead{Type: "application/octet-stream", CacheControl: forever(r)})
}

// place finds a file on its project's page. A lockfile's address works although nobody asked for the page before.
func (s *server) place(ctx context.Context, q Request) (upstream.Place, error) {
	query := pageQuery(q.Name)
	for _, again := range []bool{false, true} {
		if again {
			query.Fresh, query.Stale = -1, -1
		}
		d, err := s.up.Document(ctx, query)
		if err != nil {
			return upstream.Place{}, err
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			return upstream.Place{}, err
		}
		remote, err := readPage(body, d.URL)
		if err != nil {
			return upstream.Place{}, err
		}
		i := slices.IndexFunc(remote.list, func(f remoteFile) bool { return f.Name == q.File && f.Hashes["sha256"] == q.SHA })
		if i < 0 {
			continue
		}
		f := remote.list[i]
		p := upstream.Place{Upstream: d.Upstream, Ref: f.URL, Sums: map[string]string{"sha256": q.SHA}, Size: f.Size}
		if q.Op != opMetadata {
			return p, nil
		}
		sum, ok := f.core()
		if !ok {
			break
		}
		p.Ref, p.Size, p.Sums = f.URL+".metadata", 0, map[string]string{}
		if sum != "" {
			p.Sums["sha256"] = sum
		}
		return p, nil
	}
	return upstream.Place{}, store.Refuse(store.ErrNotFound, "%s has no such file", q.Name)
}
