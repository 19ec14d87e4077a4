package pages

// Strangers' texts: nothing in them runs, loads anything, leaves its place or turns what stands beside it around.

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	xhtml "golang.org/x/net/html"

	"larder/internal/describe"
)

// hostile are texts that would do something if they were markup.
var hostile = []string{
	`<script>alert(1)</script>`,
	`<img src=x onerror=alert(1)>`,
	`<img src="https://track.example.com/p.png" srcset="https://track.example.com/q.png 2x">`,
	`![a](https://track.example.com/p.png)`,
	`[![a](https://track.example.com/p.png)](javascript:alert(1))`,
	`[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,<script>alert(1)</script>)`,
	`[x](vbscript:a) [y](//elsewhere.example.com/x) [z](/-/theme) <a href="jav&#x09;ascript:alert(1)">w</a>`,
	`<a href="https://a.example.com" style="position:fixed" onclick="alert(1)" target="_blank">cover</a>`,
	`<iframe src="https://a.example.com"></iframe><object data=x></object><embed src=x>`,
	`<form action="https://a.example.com"><input name=password><button>Log in</button></form>`,
	`<style>body{display:none}</style><link rel=stylesheet href="https://a.example.com/x.css">`,
	`<meta http-equiv=refresh content="0;url=https://a.example.com"><base href="https://a.example.com/">`,
	`<svg onload=alert(1)><use href="https://a.example.com/x.svg#a"/></svg><math><mtext></mtext></math>`,
	`<video src="https://a.example.com/v"></video><audio src=x></audio><source src=x><track src=x>`,
	`</div></section></main></body></html><h1>not here</h1>`,
	`<div id="main" class="banner bad" name="q">clobbered</div>`,
	"```\n</code></pre><script>alert(1)</script>\n```",
	"<!-- --><!--><script>alert(1)</script>-->",
	"\u202egnp.exe\u202c and \u2066more\u2069",
	strings.Repeat("<div>", 5000),
	strings.Repeat("> ", 3000) + "deep",
	strings.Repeat("a", 100_000),
	strings.Repeat("[", 20_000),
	"bad \xff\xfe utf-8 \xc3\x28",
	"| a |\n|---|\n" + strings.Repeat("| <img src=x onerror=alert(1)> |\n", 100),
}

// allowed are the elements that a README may have become.
var allowed = map[string]bool{}

func init() {
	for _, name := range strings.Fields(`p br hr h3 h4 h5 h6 ul ol li dl dt dd pre code kbd samp var em strong b i s del
		ins sub sup small q cite abbr blockquote table thead tbody tfoot tr th td caption details summary div span mark a`) {
		allowed[name] = true
	}
}

// attributes are those that it may have.
var attributes = regexp.MustCompile(`^(href|rel|class|role|aria-label|tabindex|colspan|rowspan|start)$`)

func checkHarmless(t *testing.T, what string, body []byte) {
	t.Helper()
	if strings.Count(string(body), "</div>") != strings.Count(string(body), "<div") {
		t.Errorf("%.60q: the divisions are not closed as they are opened: %.300s", what, body)
	}
	z := xhtml.NewTokenizer(strings.NewReader(string(body)))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return
		case xhtml.CommentToken, xhtml.DoctypeToken:
			t.Errorf("%.60q: has %s", what, z.Token())
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			token := z.Token()
			if !allowed[token.Data] {
				t.Errorf("%.60q: has the element %s", what, token)
			}
			for _, a := range token.Attr {
				switch {
				case !attributes.MatchString(a.Key):
					t.Errorf("%.60q: has the attribute %s", what, token)
				case a.Key == "href" && !outward(a.Val):
					t.Errorf("%.60q: leads to %q", what, a.Val)
				case a.Key == "class" && a.Val != "ctl" && a.Val != "scroll" && a.Val != "plain":
					t.Errorf("%.60q: has the class %q", what, a.Val)
				}
			}
		case xhtml.TextToken:
			if strings.ContainsFunc(string(z.Text()), isTurning) {
				t.Errorf("%.60q: a control is in the text", what)
			}
		}
	}
}

func TestHostileReadmesDoNothing(t *testing.T) {
	for _, text := range hostile {
		for _, markdown := range []bool{true, false} {
			checkHarmless(t, text, renderReadme(describe.Text{Body: text, Markdown: markdown}))
		}
	}
}

func FuzzReadme(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkHarmless(t, text, renderReadme(describe.Text{Body: text, Markdown: true}))
	})
}

func TestImagesBecomeLinks(t *testing.T) {
	for text, want := range map[string]string{
		"![logo](https://img.example.com/x.png)": `<a href="https://img.example.com/x.png" rel="nofollow ` +
			`noreferrer">logo</a> ` +
			`<small>(image, not loaded)</small>`,
		"[![ok](https://ci.example.com/b.svg)](https://ci.example.com)": `<a href="https://ci.example.com" ` +
			`rel="nofollow noreferrer">ok <small>(image, not loaded)</small></a>`,
		"![](docs/x.png)": "image <small>(image, not loaded)</small>",
	} {
		if got := string(renderReadme(describe.Text{Body: text, Markdown: true})); !strings.Contains(got, want) {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

func TestHeadingsStandBelowThoseOfThePage(t *testing.T) {
	got := string(renderReadme(describe.Text{Body: "# One\n\n## Two\n\n###### Six\n", Markdown: true}))
	for _, want := range []string{"<h3>One</h3>", "<h4>Two</h4>", "<h6>Six</h6>"} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks %s: %s", want, got)
		}
	}
}

// TestHostileMetadataIsText: names, descriptions, licences, keywords and addresses of publishers are never markup.
func TestHostileMetadataIsText(t *testing.T) {
	g := newRig(t)
	for i, text := range hostile {
		if len(text) > 900 {
			text = text[:900]
		}
		name, link := fmt.Sprintf("hostile-%d", i), "javascript:alert(1)//"+text
		manifest := map[string]any{
			"name": name, "version": "1.0.0", "description": text, "license": text, "keywords": []string{text},
			"homepage": link, "repository": map[string]string{"url": link}, "bugs": link,
			"engines": map[string]string{text: text}, "dependencies": map[string]string{"left-" + name: text},
		}
		g.publishManifest(name, manifest, text)
		for _, below := range []string{"", "/-/versions", "/-/v/1.0.0"} {
			page := g.page("", "/ui/npm/"+name+below)
			g.lacks(page, "<script>", "<img", "<iframe", "<style", "<form action=\"https", "onerror=alert(1)>", "href=\"jav")
			if n := strings.Count(page, "</main>"); n != 1 {
				t.Errorf("%s%s: main is closed %d times", name, below, n)
			}
		}
	}
	page := g.page("", "/ui/search?q=hostile")
	g.lacks(page, "<script>", "<img", "<iframe", "<style")
	page = g.page("", "/ui/search?q="+`%22%3E%3Cscript%3Ealert(1)%3C/script%3E`)
	g.lacks(page, "<script>")
}
