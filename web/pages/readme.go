package pages

// READMEs as HTML. They are strangers' texts: what they may have is listed, everything else falls away, nothing is
// loaded from elsewhere, and the result is a tree that cannot close a tag of the page around it.

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"larder/internal/describe"
	"larder/store"
)

// maxReadme is how many bytes of a README are shown.
const maxReadme = 512 << 10

var (
	// Raw HTML is let through here, because half of all READMEs have some, and cleaned by the policy.
	markdown = goldmark.New(
		goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()),
	)
	policy = readmePolicy()
)

// readmePolicy is the elements and attributes that a README may have. Images are let through for tidy,
// which makes links of them.
func readmePolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "pre", "code",
		"kbd", "samp", "var", "em", "strong", "b", "i", "s", "del", "ins", "sub", "sup", "small", "q", "cite", "abbr",
		"blockquote", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "details", "summary", "div", "span",
		"mark")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src", "alt").OnElements("img")
	p.AllowAttrs("colspan", "rowspan").Matching(bluemonday.Integer).OnElements("td", "th")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	return p
}

// readme is a version's README as HTML, "" without one. It is kept until the package changes, and one that was found in
// an archive for as long as there is room: no change outdates that.
func (k *kindPages) readme(ctx context.Context, name string, v *describe.Version) (template.HTML, error) {
	key := store.DocKey{Kind: k.kind, Package: name, Format: "readme " + v.ID}
	if v.ReadmeOf != "" {
		key = store.DocKey{Kind: k.kind + " readme", Format: v.ReadmeOf}
	}
	doc, err := k.d.Wire.Store.Document(ctx, key, func(ctx context.Context) (store.Rendered, error) {
		text, err := k.describe.Readme(ctx, name, v.ID)
		if err != nil {
			return store.Rendered{}, err
		}
		return store.Rendered{Body: renderReadme(text), Type: "text/html"}, nil
	})
	if err != nil {
		return "", err
	}
	body, err := doc.Encoded(store.Identity)
	return template.HTML(body), err
}

// renderReadme makes HTML of a text. One that cannot be read as Markdown is shown as it is written.
func renderReadme(t describe.Text) []byte {
	if len(t.Body) > maxReadme {
		t.Body = t.Body[:maxReadme]
	}
	t.Body = strings.ToValidUTF8(t.Body, "\ufffd")
	if strings.TrimSpace(t.Body) == "" {
		return nil
	}
	if !t.Markdown {
		return plainReadme(t.Body)
	}
	var out bytes.Buffer
	if err := markdown.Convert([]byte(t.Body), &out); err != nil {
		return plainReadme(t.Body)
	}
	body, err := tidy(policy.SanitizeBytes(out.Bytes()))
	if err != nil {
		return plainReadme(t.Body)
	}
	return body
}

func plainReadme(s string) []byte {
	var b strings.Builder
	b.WriteString(`<pre tabindex="0" class="plain">`)
	for _, r := range s {
		if isControl(r) && r != '\n' && r != '\t' && r != '\r' {
			fmt.Fprintf(&b, `<span class="ctl">U+%04X</span>`, r)
			continue
		}
		b.WriteString(template.HTMLEscapeString(string(r)))
	}
	return []byte(b.String() + "</pre>")
}

// tidy reads clean HTML as a tree and fits it into a page: images become links to them, headings go below the page's
// own, links lead out without saying where from, wide things scroll.
func tidy(clean []byte) ([]byte, error) {
	root := &xhtml.Node{Type: xhtml.ElementNode, DataAtom: atom.Div, Data: "div"}
	nodes, err := xhtml.ParseFragment(bytes.NewReader(clean), root)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	fit(root, false)
	var out bytes.Buffer
	for n := root.FirstChild; n != nil; n = n.NextSibling {
		if err := xhtml.Render(&out, n); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// fit changes the children of n; inLink says that n is in a link.
func fit(n *xhtml.Node, inLink bool) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		if child.Type == xhtml.TextNode {
			fitText(n, child)
		} else {
			fitElement(n, child, inLink)
		}
		child = next
	}
}

// fitText shows the controls in a text that would turn what stands beside it around.
func fitText(parent, n *xhtml.Node) {
	if !strings.ContainsFunc(n.Data, isTurning) {
		return
	}
	rest := n.Data
	for {
		at := strings.IndexFunc(rest, isTurning)
		if at < 0 {
			break
		}
		r := []rune(rest[at:])[0]
		parent.InsertBefore(textNode(rest[:at]), n)
		parent.InsertBefore(element("span", fmt.Sprintf("U+%04X", r), "class", "ctl"), n)
		rest = rest[at+len(string(r)):]
	}
	n.Data = rest
}

func isTurning(r rune) bool { return isControl(r) && r != '\n' && r != '\t' && r != '\r' }

func fitElement(parent, n *xhtml.Node, inLink bool) {
	switch n.DataAtom {
	case atom.Img:
		fitImage(parent, n, inLink)
		return
	case atom.A:
		href := attribute(n, "href")
		if !outward(href) {
			fit(n, inLink)
			unwrap(parent, n)
			return
		}
		n.Attr = []xhtml.Attribute{{Key: "href", Val: href}, {Key: "rel", Val: "nofollow noreferrer"}}
		fit(n, true)
		return
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		// The page has the first two levels.
		level := min(n.Data[1]-'0'+2, 6)
		n.Data = "h" + string('0'+rune(level))
		n.DataAtom = atom.Lookup([]byte(n.Data))
	case atom.Pre:
		n.Attr = append(n.Attr, xhtml.Attribute{Key: "tabindex", Val: "0"})
	case atom.Table:
		scroll := element("div", "", "class", "scroll", "role", "region", "aria-label", "Table in the readme", "tabindex",
			"0")
		parent.InsertBefore(scroll, n)
		parent.RemoveChild(n)
		scroll.AppendChild(n)
	}
	fit(n, inLink)
}

// fitImage puts a link to an image in its place: nothing is loaded from elsewhere.
func fitImage(parent, n *xhtml.Node, inLink bool) {
	alt, src := strings.TrimSpace(attribute(n, "alt")), attribute(n, "src")
	if alt == "" {
		alt = "image"
	}
	if outward(src) && !inLink {
		parent.InsertBefore(element("a", alt, "href", src, "rel", "nofollow noreferrer"), n)
	} else {
		parent.InsertBefore(textNode(alt), n)
	}
	parent.InsertBefore(textNode(" "), n)
	parent.InsertBefore(element("small", "(image, not loaded)"), n)
	parent.RemoveChild(n)
}

// outward reports whether an address leads somewhere by itself: one that is relative leads to where
// the text was written.
func outward(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") ||
		strings.HasPrefix(address, "mailto:")
}

func attribute(n *xhtml.Node, key string) string {
	i := slices.IndexFunc(n.Attr, func(a xhtml.Attribute) bool { return a.Key == key })
	if i < 0 {
		return ""
	}
	return n.Attr[i].Val
}

// unwrap puts the children of n in its place.
func unwrap(parent, n *xhtml.Node) {
	for child := n.FirstChild; child != nil; child = n.FirstChild {
		n.RemoveChild(child)
		parent.InsertBefore(child, n)
	}
	parent.RemoveChild(n)
}

func textNode(s string) *xhtml.Node { return &xhtml.Node{Type: xhtml.TextNode, Data: s} }

// element is an element with a text and attributes, each a key and a value.
func element(name, text string, attributes ...string) *xhtml.Node {
	n := &xhtml.Node{Type: xhtml.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name))}
	for pair := range slices.Chunk(attributes, 2) {
		n.Attr = append(n.Attr, xhtml.Attribute{Key: pair[0], Val: pair[1]})
	}
	if text != "" {
		n.AppendChild(textNode(text))
	}
	return n
}
