package e2e

// This file publishes packages whose descriptions, licences, addresses and READMEs want to harm whoever reads their
// pages, and looks at them with a browser: those published here, and copies of them that another server keeps.

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"larder/internal/miniclient"
)

// poisons are texts that want to run, to load something, or to break a page, by the name of their package.
var poisons = map[string]string{
	"hostilescript": `<script>window.canary=1</script><img src=x onerror="window.canary=1"><svg onload=alert(1)>`,
	"hostilequote":  `"'><b onmouseover=alert(1) style="position:fixed;inset:0">x</b><a href='javascript:alert(1)'>`,
	"hostileurl":    "javascript:window.canary=1//https://tracker.example.net/%0aalert(1)",
	"hostileload": `https://tracker.example.net/x.png"><img src="https://tracker.example.net/x.png">` +
		`<iframe src="https://tracker.example.net/"></iframe><link rel=stylesheet href="//tracker.example.net/x.css">` +
		`<meta http-equiv="refresh" content="0;url=https://tracker.example.net/"><base href="https://tracker.example.net/">`,
	"hostilebidi":           "\u202egnp.exe\u202c \u2066left\u2069 \u200f\u061c\ufeff zero\u200bwidth",
	"hostilelong":           strings.Repeat("a<", 50_000),
	"hostilebytes":          "caf\xe9 \xff\xfe\x80\xed\xa0\x80 <script>window.canary=1</script>",
	"hostilesyntax":         "{{.}} ${7*7} <!-- --> ]]> <![CDATA[ </title></textarea></style></template>\u2028\u0000",
	strings.Repeat("w", 64): "a name without an end",
}

// badReadme is what follows a poison in a README.
const badReadme = "\n\n[a](javascript:window.canary=1) [b](data:text/html,<script>alert(1)</script>) " +
	"![c](https://tracker.example.net/c.png) <img src=\"https://tracker.example.net/d.png\" " +
	"onerror=\"window.canary=1\">\n\n" +
	"<style>main{display:none}</style><script>window.canary=1</script><form action=\"https://tracker.example.net\">\n" +
	"<input autofocus onfocus=alert(1)></form><div style=\"width:9999px\" class=\"top\" id=\"main\">x</div>\n\n" +
	"| a | b |\n|---|---|\n| wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww " +
	"| d |\n"

// hostileKind is how a kind's packages are poisoned.
type hostileKind struct {
	// fields are the places for the text, which stands for TEXT in them.
	fields []string
	// escape writes a text as the fields' format has it.
	escape func(string) string
	// publish publishes version 1.0.0 with these fields and this README.
	publish func(t *testing.T, s *miniclient.Server, name, fields, readme string) (miniclient.Answer, []byte)
	// between joins fields.
	between string
}

// jsonText escapes what has to be, and leaves bytes that are no UTF-8 as they are.
func jsonText(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\x00", "").Replace(s)
}

// lineText keeps a text in one line of a header.
func lineText(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\x00", "").Replace(s)
}

// edited is a server for clients whose requests are changed on their way.
func edited(s *miniclient.Server, edit func(method, path string, body []byte) []byte) *miniclient.Server {
	return &miniclient.Server{Base: s.Base, Auth: s.Auth, HTTP: &http.Client{Transport: editor(edit)}}
}

type editor func(method, path string, body []byte) []byte

func (e editor) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	body = e(r.Method, r.URL.Path, body)
	again := r.Clone(r.Context())
	again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return http.DefaultTransport.RoundTrip(again)
}

// publishAs publishes a file with the kind's miniature client.
func publishAs(
	t *testing.T, kind string, s *miniclient.Server, name string, file []byte, err error,
) (miniclient.Answer, []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	a, err := protocol(t, kind).Publish(t.Context(), s, miniclient.Release{Name: name, Version: "1.0.0", File: file})
	if err != nil {
		t.Fatal(err)
	}
	return a, file
}

func hostileKinds() map[string]hostileKind {
	jsonFields := func(names ...string) (list []string) {
		for _, n := range names {
			key, form, _ := strings.Cut(n, " ")
			if form == "" {
				form = `"TEXT"`
			}
			list = append(list, fmt.Sprintf("%q:%s", key, form))
		}
		return list
	}
	return map[string]hostileKind{
		"npm": {
			fields: jsonFields("description", "homepage", "license", `keywords ["TEXT"]`, `repository {"url":"TEXT"}`,
				`bugs {"url":"TEXT"}`, `author {"name":"TEXT"}`, "deprecated", `dependencies {"b":"TEXT"}`),
			escape: jsonText, between: ",",
			publish: func(t *testing.T, s *miniclient.Server, name, fields, readme string) (miniclient.Answer, []byte) {
				file, err := miniclient.Tgz(
					miniclient.Member{Name: "package/package.json", Body: fmt.Appendf(nil, `{"name":%q,"version":"1.0.0"}`, name)},
					miniclient.Member{Name: "package/README.md", Body: []byte(readme)})
				return publishAs(t, "npm", edited(s, func(_, _ string, body []byte) []byte {
					with := `"readme":"` + jsonText(readme) + `","versions":{"1.0.0":{` + fields
					return bytes.Replace(body, []byte(`"versions":{"1.0.0":{`), []byte(with), 1)
				}), name, file, err)
			},
		},
		"pypi": {
			fields: []string{"Summary: TEXT\n", "License: TEXT\n", "Home-page: TEXT\n", "Project-URL: TEXT, TEXT\n",
				"Keywords: TEXT\n", "Author: TEXT\n", "Classifier: TEXT\n", "Requires-Dist: b; extra == 'TEXT'\n"},
			escape: lineText,
			publish: func(t *testing.T, s *miniclient.Server, name, fields, readme string) (miniclient.Answer, []byte) {
				info := name + "-1.0.0.dist-info/"
				file, err := miniclient.Zip(miniclient.Member{Name: name + "/__init__.py"},
					miniclient.Member{Name: info + "METADATA", Body: fmt.Appendf(nil, "Metadata-Version: 2.1\nName: %s\n"+
						"Version: 1.0.0\n%sDescription-Content-Type: text/markdown\n\n%s", name, fields, readme)},
					miniclient.Member{Name: info + "WHEEL", Body: []byte("Wheel-Version: 1.0\nGenerator: x\n" +
						"Root-Is-Purelib: true\nTag: py3-none-any\n")},
					miniclient.Member{Name: info + "RECORD"})
				return publishAs(t, "pypi", s, name, file, err)
			},
		},
		"cargo": {
			fields: jsonFields("description", "homepage", "documentation", "repository", "license", `keywords ["TEXT"]`,
				`authors ["TEXT"]`, "readme_file", "links"),
			escape: jsonText, between: ",",
			publish: func(t *testing.T, s *miniclient.Server, name, fields, readme string) (miniclient.Answer, []byte) {
				file, err := miniclient.Tgz(
					miniclient.Member{Name: name + "-1.0.0/Cargo.toml", Body: fmt.Appendf(nil, "[package]\nname = %q\n"+
						"version = \"1.0.0\"\n", name)},
					miniclient.Member{Name: name + "-1.0.0/README.md", Body: []byte(readme)})
				if err != nil {
					t.Fatal(err)
				}
				head := fmt.Sprintf(`{%s"name":%q,"vers":"1.0.0","deps":[],"features":{},"badges":{},"readme":"%s"}`,
					fields, name, jsonText(readme))
				body := append(binary.LittleEndian.AppendUint32(nil, uint32(len(head))), head...)
				body = append(binary.LittleEndian.AppendUint32(body, uint32(len(file))), file...)
				a, err := s.Do(t.Context(), http.MethodPut, "/cargo/api/v1/crates/new", body)
				if err != nil {
					t.Fatal(err)
				}
				return a, file
			},
		},
		"maven": {
			fields: []string{"<name>TEXT</name>", "<description>TEXT</description>", "<url>TEXT</url>",
				"<licenses><license><name>TEXT</name><url>TEXT</url></license></licenses>", "<scm><url>TEXT</url></scm>"},
			escape: xmlText,
			publish: func(t *testing.T, s *miniclient.Server, name, fields, readme string) (miniclient.Answer, []byte) {
				file, err := protocol(t, "maven").Make(name, "1.0.0", []byte(readme))
				return publishAs(t, "maven", edited(s, func(_, path string, body []byte) []byte {
					if strings.HasSuffix(path, ".pom") {
						return bytes.Replace(body, []byte("</project>"), []byte(fields+"</project>"), 1)
					}
					return body
				}), name, file, err)
			},
		},
		"composer": {
			fields: jsonFields("description", "homepage", "license", `keywords ["TEXT"]`, `authors [{"name":"TEXT"}]`,
				`support {"source":"TEXT","issues":"TEXT"}`, "abandoned", "type"),
			escape: jsonText, between: ",",
			publish: func(t *testing.T, s *miniclient.Server, name, fields, readme string) (miniclient.Answer, []byte) {
				manifest := fmt.Sprintf(`{%s"name":"acme/%s","version":"1.0.0"}`, fields, name)
				file, err := miniclient.Zip(miniclient.Member{Name: "composer.json", Body: []byte(manifest)},
					miniclient.Member{Name: "README.md", Body: []byte(readme)})
				return publishAs(t, "composer", s, name, file, err)
			},
		},
		"rubygems": {
			fields: []string{"description: \"TEXT\"\n", "summary: \"TEXT\"\n", "homepage: \"TEXT\"\n", "licenses:\n- \"TEXT\"\n",
				"authors:\n- \"TEXT\"\n", "metadata:\n  source_code_uri: \"TEXT\"\n"},
			escape: jsonText,
			publish: func(t *testing.T, s *miniclient.Server, name, fields, readme string) (miniclient.Answer, []byte) {
				file, err := hostileGem(name, fields, readme)
				return publishAs(t, "rubygems", s, name, file, err)
			},
		},
		"oci": {
			fields: jsonFields("org.opencontainers.image.title", "org.opencontainers.image.description",
				"org.opencontainers.image.licenses", "org.opencontainers.image.url", "org.opencontainers.image.source",
				"org.opencontainers.image.documentation", "org.opencontainers.image.authors",
				"org.opencontainers.image.version"),
			escape: jsonText, between: ",",
			publish: func(t *testing.T, s *miniclient.Server, name, fields, readme string) (miniclient.Answer, []byte) {
				return publishAs(t, "oci", edited(s, func(_, path string, body []byte) []byte {
					if strings.Contains(path, "/manifests/") {
						with := `{"annotations":{` + fields + `"x":"` + jsonText(readme) + `"},`
						return bytes.Replace(body, []byte("{"), []byte(with), 1)
					}
					return body
				}), name, []byte(readme), nil)
			},
		},
	}
}

// hostileGem is a gem with lines of its specification.
func hostileGem(name, fields, readme string) ([]byte, error) {
	spec, err := miniclient.Gzip(fmt.Appendf(nil, `--- !ruby/object:Gem::Specification
name: %s
version: !ruby/object:Gem::Version
  version: 1.0.0
platform: ruby
dependencies: []
files: []
%s`, name, fields))
	if err != nil {
		return nil, err
	}
	data, err := miniclient.Tgz(miniclient.Member{Name: "README.md", Body: []byte(readme)})
	if err != nil {
		return nil, err
	}
	return miniclient.Tar(miniclient.Member{Name: "metadata.gz", Body: spec},
		miniclient.Member{Name: "data.tar.gz", Body: data})
}

// poison publishes a package with a text in every field in which the server takes it, and returns its file; nil if the
// server refuses it even without any.
func (k hostileKind) poison(t *testing.T, s *miniclient.Server, name, text string) []byte {
	t.Helper()
	try := func(name string, fields []string) (bool, []byte) {
		all := strings.Join(fields, k.between)
		if k.between != "" && all != "" {
			all += k.between
		}
		all = strings.ReplaceAll(all, "TEXT", k.escape(text))
		a, file := k.publish(t, s, name, all, "# Read\n\n"+text+badReadme)
		if a.Status >= 500 {
			t.Errorf("%s with %.80q answers %d %s", name, all, a.Status, a.Body)
		}
		return a.Status < 300, file
	}
	if ok, file := try(name, k.fields); ok {
		return file
	}
	var taken []string
	for i, field := range k.fields {
		if ok, _ := try(fmt.Sprintf("x%d%s", i, name[:min(len(name), 60)]), []string{field}); ok {
			taken = append(taken, field)
		}
	}
	if ok, file := try(name, taken); ok {
		return file
	}
	return nil
}

// harmless fails if a page has run anything of a stranger's, leads to what runs, or has lost its shape.
func (b *browser) harmless(path string) {
	b.t.Helper()
	b.open(path)
	state := get(b, path, chromedp.Evaluate[string](`JSON.stringify({
		canary: window.canary === undefined,
		wide: document.documentElement.scrollWidth,
		heads: document.querySelectorAll("main h1").length,
		foreign: [...document.querySelectorAll("script, style, iframe, object, embed, base, meta[http-equiv], link, img")]
			.map(e => e.src || e.href || e.outerHTML)
			.filter(s => !s.startsWith(location.origin + "/") && !s.startsWith("data:image/")),
		runs: [...document.querySelectorAll("[href], [src], [action]")].map(e => e.href || e.src || e.action)
			.filter(s => !/^(https?|mailto):/.test(s) && !s.startsWith("data:image/")),
	})`))
	var s struct {
		Canary        bool
		Wide, Heads   int
		Foreign, Runs []string
	}
	if err := json.Unmarshal([]byte(state), &s); err != nil {
		b.t.Fatal(err)
	}
	if !s.Canary || s.Wide > 375 || s.Heads != 1 || len(s.Foreign) > 0 || len(s.Runs) > 0 {
		b.t.Errorf("%s: a script of a stranger's has run: %t; %d px wide, %d first headings, loads %.500q, leads to %.500q",
			path, !s.Canary, s.Wide, s.Heads, s.Foreign, s.Runs)
	}
	b.calm(path)
}

func TestBrowserHostileTextsDoNothing(t *testing.T) {
	origin := startCrashServer(t, filepath.Join(t.TempDir(), "origin"))
	b := newBrowserWith(t, privateNames+upstreamsYAML("origin", "http://"+origin.addr))
	get(b, "a phone", chromedp.EmulateViewport(375, 900))
	call(b, page.Enable, page.EnableParams{})
	from := admin("http://" + origin.addr)
	for kind, k := range hostileKinds() {
		published := 0
		for name, text := range poisons {
			at := "/ui/" + kind + "/"
			if file := k.poison(t, admin(b.base), name, text); file != nil {
				published++
				b.harmless(at + kindName(kind, name))
				b.harmless(at + kindName(kind, name) + "/-/versions")
				if kind != "oci" {
					b.harmless(at + kindName(kind, name) + "/-/v/1.0.0")
				}
			}
			copied := "c" + name[1:]
			if file := k.poison(t, from, copied, text); file != nil {
				r, prefix := miniclient.Release{Name: copied, Version: "1.0.0", File: file}, ""
				if kind == "oci" {
					continue // the manifest is another one than the miniature client knows
				}
				if err := protocol(t, kind).Read(t.Context(), b.anonymous(), prefix, r); err != nil {
					t.Errorf("a copy: %v", err)
					continue
				}
				b.harmless(at + kindName(kind, copied))
				b.harmless(at + kindName(kind, copied) + "/-/v/1.0.0")
			}
		}
		if published < len(poisons)/2 {
			t.Errorf("%s: only %d of %d packages are published, the test sees too little", kind, published, len(poisons))
		}
		b.harmless("/ui/" + kind)
	}
	b.harmless("/")
	b.harmless("/ui/search?q=hostile")
	b.harmless("/ui/search?q=%3Cscript%3Ewindow.canary%3D1%3C%2Fscript%3E%E2%80%AE%FF")
}

// kindName is the name of a package of the miniature clients on its page.
func kindName(kind, name string) string {
	return map[string]string{"oci": "team/", "maven": "com.acme:", "composer": "acme/"}[kind] + name
}
