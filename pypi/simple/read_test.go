package simple

// Pages of other indexes in every form, hostile ones too, and rows.

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const sum = "50aa83ff220dc09b9fb3e9827307b8290761c661922580cec2173f41b950aca7"

// TestEveryFormOfPageIsRead: one page in the forms that indexes have it in says the same.
func TestEveryFormOfPageIsRead(t *testing.T) {
	const from = "https://index.example.com/simple/demo/"
	attributes := `data-requires-python="&gt;=3.8" data-core-metadata="sha256=` + sum + `" data-yanked="bad" ` +
		`data-size="7" data-upload-time="2024-01-02T03:04:05.600000Z"`
	js := `{"meta":{"api-version":"1.1"},"versions":["1.0"],"files":[{"filename":"demo-1.0-py3-none-any.whl",
		"url":"../../f/demo-1.0-py3-none-any.whl","hashes":{"sha256":"` + strings.ToUpper(sum) + `"},
		"requires-python":">=3.8","core-metadata":{"sha256":"` + sum + `"},"yanked":"bad","size":7,
		"upload-time":"2024-01-02T03:04:05.600000Z"}]}`
	link := func(href string) string {
		return `<a href="` + href + "#sha256=" + sum + `" ` + attributes + ">demo-1.0-py3-none-any.whl</a>"
	}
	for name, body := range map[string]string{
		"JSON":         js,
		"HTML":         "\ufeff<!DOCTYPE html><html><body>" + link("../../f/demo-1.0-py3-none-any.whl") + "</body></html>",
		"HTML, base":   `<html><head><base href="/f/"></head>` + link("demo-1.0-py3-none-any.whl"),
		"HTML, whole":  "<html>" + link("https://index.example.com/f/demo-1.0-py3-none-any.whl"),
		"PEP 658 HTML": "<html>" + strings.Replace(link("/f/demo-1.0-py3-none-any.whl"), "core", "dist-info", 1),
	} {
		p, err := Read([]byte(body), from)
		if err != nil || len(p.Files) != 1 {
			t.Errorf("%s: %+v %v", name, p, err)
			continue
		}
		f, ok, err := Find([]byte(body), from, p.Files[0].Name)
		if err != nil || !ok {
			t.Errorf("%s: not found: %v", name, err)
		}
		core, offered := f.Offered()
		got := fmt.Sprintln(f.URL, f.SHA256, f.Requires, core, offered, string(f.Yanked), f.Size,
			f.Uploaded.Format(TimeForm), f.Release("demo"))
		want := "https://index.example.com/f/demo-1.0-py3-none-any.whl " + sum + " >=3.8 " + sum + ` true "bad" 7 ` +
			"2024-01-02T03:04:05.600000Z 1.0\n"
		if got != want {
			t.Errorf("%s: got\n%s, want\n%s", name, got, want)
		}
	}
	for name, body := range map[string]string{
		"cut off": `{"meta":{},"files":[`, "no list": `{"meta":{},"files":{}}`, "text": "no", "nothing": "",
		"sign in": "<html><title>Please sign in</title></html>", "other JSON": `{"message":"x"}`, "no files": `{"meta":{}}`,
		"sign in, with a form": `<html><title>Index of sign-ins</title><body><form action="/"><input name=user></form>`,
		"sign in, with a link": `<html><title>Portal</title><body>Welcome <a href="/help.html">help</a></body>`,
		"moved":                `<html><head><meta http-equiv="refresh" content="0; url=/login"></head><body></body></html>`,
		"a program":            `<!DOCTYPE html><html><body><script src="/app.js"></script></body></html>`,
	} {
		if _, err := Check([]byte(body)); err == nil {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// TestIndexWithoutFilesIsKnownByItsForm: programs that list files say so when there are none.
func TestIndexWithoutFilesIsKnownByItsForm(t *testing.T) {
	for _, body := range []string{
		"<html><h1>Links for demo</h1></html>",
		"<!DOCTYPE html><html><head><title>Simple Index</title></head><body></body></html>",
		"<html><head><title>Index of /simple/demo/</title></head><body><pre><a href=\"../\">../</a></pre></body></html>",
		`<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0"></head><body></body></html>`,
		"<!DOCTYPE html>\n<html>\n<body>\n</body>\n</html>\n",
		`{"files":[]}`,
	} {
		if p, err := Read([]byte(body), ""); err != nil || len(p.Files) != 0 {
			t.Errorf("%s: %+v, %v; want no file and no error", body, p, err)
		}
	}
}

// TestPlainListsOfFilesAreRead: servers of directories give no sums, and call links as they like. What a link leads to
// is called as the end of its address; links to other things are no files.
func TestPlainListsOfFilesAreRead(t *testing.T) {
	const body = `<html><head><title>Index of /whl/</title></head><body><pre><a href="?C=N;O=D">Name</a>
<a href="../">../</a> <a href="old/">old/</a> <a href="readme.html">readme.html</a>
<a href="demo-1.0.tar.bz2">demo-1.0.tar..&gt;</a> <a href="/f/demo-1.1%2Bcpu-py3-none-any.whl"><b>wheel</b></a>
<a href="/get?id=7#sha384=x">demo-1.2.zip</a>
<a href="/f/demo-1.3.egg#md5=` + "D41D8CD98F00B204E9800998ECF8427E" + `">x</a>
<a href="demo-1.0.tar.bz2.asc">demo-1.0.tar.bz2.asc</a></pre></body></html>`
	p, err := Read([]byte(body), "https://index.example.com/whl/")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for i := range p.Files {
		at, err := p.Address(&p.Files[i])
		got += fmt.Sprintln(p.Files[i].Name, at, p.Files[i].Other, p.Files[i].Listed("demo"), err)
	}
	want := `demo-1.0.tar.bz2 https://index.example.com/whl/demo-1.0.tar.bz2  true <nil>
demo-1.1+cpu-py3-none-any.whl https://index.example.com/f/demo-1.1%2Bcpu-py3-none-any.whl  true <nil>
demo-1.2.zip https://index.example.com/get?id=7  true <nil>
demo-1.3.egg https://index.example.com/f/demo-1.3.egg md5=d41d8cd98f00b204e9800998ecf8427e true <nil>
`
	if got != want || p.Left != 0 {
		t.Errorf("%d left out, files\n%s, want\n%s", p.Left, got, want)
	}
}

// TestBestSumIsTaken: of several sums the one that clients trust most counts; those that clients cannot read do not.
func TestBestSumIsTaken(t *testing.T) {
	md5, sha512 := strings.Repeat("a", 32), strings.Repeat("b", 128)
	for hashes, want := range map[string]string{
		`{"md5":"` + md5 + `","sha512":"` + sha512 + `"}`: "sha512=" + sha512,
		`{"sha512":"` + sha512 + `","md5":"` + md5 + `"}`: "sha512=" + sha512,
		`{"md5":"` + md5 + `","sha256":"` + sum + `"}`:    "sha256=" + sum,
		`{"blake2b":"` + sha512 + `"}`:                    "",
		`{"sha256":null}`:                                 "",
		`{}`:                                              "",
	} {
		p, err := Read([]byte(`{"files":[{"filename":"demo-1.0.tar.gz","url":"x","hashes":`+hashes+`}]}`), "")
		if err != nil || len(p.Files) != 1 {
			t.Errorf("%s: %+v %v", hashes, p, err)
			continue
		}
		r := p.Files[0].Row("demo", HTML)
		if r.Hash != want || r.Listed != !strings.HasPrefix(want, "sha256=") {
			t.Errorf("%s: hash %q, reached by its name: %t; want %q", hashes, r.Hash, r.Listed, want)
		}
	}
}

// TestUnusableEntriesAreCounted: one broken entry costs itself and is counted.
func TestUnusableEntriesAreCounted(t *testing.T) {
	const body = `{"meta":{},"files":[7,null,{"filename":"demo-1.0.tar.gz"},{"filename":"a/b","url":"x"},
		{"filename":"demo-1.0.tar.gz","url":"x","hashes":{"sha256":"zz"}},{"filename":"demo-1.1.tar.gz","url":"x"}]}`
	p, err := Read([]byte(body), "")
	if err != nil || len(p.Files) != 1 || p.Left != 5 {
		t.Errorf("%d files and %d left out, %v; want 1 and 5", len(p.Files), p.Left, err)
	}
	if left, err := Check([]byte(body)); err != nil || left != 5 {
		t.Errorf("Check counts %d, %v; want 5", left, err)
	}
}

// TestHostilePagesAreHarmless: a page's file that has something else in the place of its SHA-256 is passed over; what a
// page says reaches ours as text.
func TestHostilePagesAreHarmless(t *testing.T) {
	evil := `"><script>alert(1)</script>`
	long := evil + strings.Repeat("a", 64-len(evil))
	list := []string{long, strings.Repeat("g", 64), sum[:63], sum + "a"}
	for _, hash := range list {
		file := map[string]any{"filename": "demo-1.0.tar.gz", "url": "x", "hashes": map[string]string{"sha256": hash}}
		raw, err := json.Marshal(map[string]any{"meta": map[string]any{}, "files": []any{file}})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := Read(raw, ""); err != nil || len(p.Files) != 0 {
			t.Errorf("%q: %+v %v", hash, p, err)
		}
	}
	f := File{
		Name: evil, SHA256: sum, Requires: evil, Yanked: json.RawMessage(`"\"><script>"`),
		Core: json.RawMessage(`{"sha256":"\"><script>"}`),
	}
	page := Page{
		Name: "demo", Status: Status{Status: evil, Reason: evil}, Versions: []string{evil}, Rows: []Row{f.Row("demo", JSON)},
	}
	links := Links{Files: "../../files", Integrity: "https://index.example.com"}
	if body := page.JSON(links); !json.Valid(body) {
		t.Errorf("%s", body)
	}
	for _, mediaType := range []string{V1, HTML} {
		page.Rows[0] = f.Row("demo", mediaType)
		if body := string(page.HTML(links, mediaType)); strings.Contains(body, "<script") || strings.Contains(body, `""`) {
			t.Error(body)
		}
	}
}

// TestRowIsReadAsWritten: a row is read as it was written; what is cut short is an error.
func TestRowIsReadAsWritten(t *testing.T) {
	want := Row{
		Name: "a", Version: "1", Path: "/x/a", Simple: `,"size":1`, HTML: " data-x", Full: strings.Repeat("f", 300),
		Provenance: true,
	}
	raw := want.Encode()
	if got, err := DecodeRow(raw); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	for n := range len(raw) - 1 {
		if got, err := DecodeRow(raw[:n]); err == nil {
			t.Errorf("%d bytes: %+v", n, got)
		}
	}
}

// FuzzRead: whatever an upstream sends, reading it ends, and what is made of it is JSON.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"meta":{},"files":[{"filename":"demo-1.0.tar.gz","url":"x","hashes":{"sha256":"` + sum + `"},` +
		`"yanked":true,"core-metadata":true}]}`))
	f.Add([]byte(`<html><base href="/x/"><a href="y#sha256=` + sum + `" data-yanked data-core-metadata="true">` +
		`demo-1.0.tar.gz</a>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		listing, err := Read(body, "https://index.example.com/simple/demo/")
		if err != nil {
			return
		}
		p := Page{Name: "demo", Versions: listing.Versions, Status: listing.Status}
		for i := range listing.Files {
			f := &listing.Files[i]
			p.Rows = append(p.Rows, f.Row("demo", JSON))
			found, ok, err := Find(body, "https://index.example.com/simple/demo/", f.Name)
			if err == nil && (!ok || found.Name != f.Name) {
				t.Errorf("%q is listed and not found", f.Name)
			}
		}
		if out := p.JSON(Links{Files: "/files"}); !json.Valid(out) {
			t.Errorf("%q", out)
		}
	})
}
