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
	} {
		if err := Check([]byte(body)); err == nil {
			t.Errorf("%s: %s", name, body)
		}
	}
	if p, err := Read([]byte("<html><h1>Links for demo</h1></html>"), from); err != nil || len(p.Files) != 0 {
		t.Errorf("a project without files: %+v %v", p, err)
	}
}

// TestHostilePagesAreHarmless: a page's file that has no SHA-256, or something else in its place, is passed over; what
// a page says reaches ours as text.
func TestHostilePagesAreHarmless(t *testing.T) {
	evil := `"><script>alert(1)</script>`
	long := evil + strings.Repeat("a", 64-len(evil))
	list := []string{long, "", strings.Repeat("g", 64), sum[:63], sum + "a"}
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
		Name: "demo", Status: Status{Status: evil, Reason: evil}, Versions: []string{evil}, Rows: []Row{f.Row(JSON)},
	}
	links := Links{Files: "../../files", Integrity: "https://index.example.com"}
	if body := page.JSON(links); !json.Valid(body) {
		t.Errorf("%s", body)
	}
	for _, mediaType := range []string{V1, HTML} {
		page.Rows[0] = f.Row(mediaType)
		if body := string(page.HTML(links, mediaType)); strings.Contains(body, "<script") || strings.Contains(body, `""`) {
			t.Error(body)
		}
	}
}

// TestRowIsReadAsWritten: a row is read as it was written; what is cut short is an error.
func TestRowIsReadAsWritten(t *testing.T) {
	want := Row{"a", "1", "/x/a", `,"size":1`, " data-x", strings.Repeat("f", 300), true}
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
			p.Rows = append(p.Rows, f.Row(JSON))
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
