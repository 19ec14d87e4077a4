package pypi

// Reading: forms, links, caching, ranges, the JSON API and the list of all projects.

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/pypi/simple"
	"larder/store"
	"larder/store/storetest"
)

// TestClientsGetTheFormTheyAskFor is the table of what clients send as Accept, and what they must get.
func TestClientsGetTheFormTheyAskFor(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel)
	for _, c := range []struct{ client, accept, want string }{
		{"pip to 22.1", "text/html", simple.HTML},
		{"pip from 22.2, pdm", simple.JSON + ", " + simple.V1 + "; q=0.1, text/html; q=0.01", simple.JSON},
		{"uv", simple.JSON + ", " + simple.V1 + ";q=0.2, text/html;q=0.01", simple.JSON},
		{"poetry 2", "application/vnd.pypi.simple.v1+json, */*;q=0.1", simple.JSON},
		{"poetry 1, hatch, requests, curl", "*/*", simple.HTML},
		{"urllib", "", simple.HTML},
		{"browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", simple.HTML},
		{"latest", "application/vnd.pypi.simple.latest+json", simple.JSON},
		{"latest html", "application/vnd.pypi.simple.latest+html", simple.V1},
		{"v1 html", simple.V1, simple.V1},
		{"a tie of types", "text/html, " + simple.JSON + ", " + simple.V1, simple.JSON},
		{"a tie without JSON", "text/html, application/vnd.pypi.simple.v1+html", simple.V1},
		{"a tie of wildcards", "application/*, text/*", simple.HTML},
		{"HTML by weight", "application/vnd.pypi.simple.v1+json;q=0.5, text/html", simple.HTML},
		{"named before wildcard", "application/vnd.pypi.simple.v1+json;q=0.8, */*;q=0.8", simple.JSON},
		{"no JSON", "application/vnd.pypi.simple.v1+json;q=0, */*", simple.HTML},
		{"application/*", "application/*", simple.V1},
		{"capitals", "APPLICATION/VND.PYPI.SIMPLE.V1+JSON", simple.JSON},
		{"nothing", "application/json", ""},
		{"image", "image/png", ""},
		{"nothing at all", "text/html;q=0", ""},
	} {
		for _, path := range []string{"/simple/demo-pkg/", "/simple/", "/pypi/simple/demo-pkg/"} {
			var opts []option
			if c.accept != "" {
				opts = append(opts, wiretest.Header("Accept", c.accept))
			}
			a := g.Do("GET", path, nil, opts...)
			if c.want == "" {
				g.Want(a, 406, "text/html")
				continue
			}
			a.WantStatus(t, 200)
			what := path + " for " + c.client
			wiretest.Equal(t, "type of "+what, a.Header.Get("Content-Type"), c.want)
			wiretest.Equal(t, "Vary of "+what, strings.Join(a.Header.Values("Vary"), ", "), "Accept, Accept-Encoding")
		}
	}
	for format, want := range map[string]string{
		simple.JSON: simple.JSON, "text/html": simple.HTML, "application/vnd.pypi.simple.latest+json": simple.JSON,
	} {
		a := g.Do("GET", "/simple/demo-pkg/?format="+url.QueryEscape(format), nil, wiretest.Header("Accept", "image/png"))
		a.WantStatus(t, 200).WantHeader(t, "Content-Type", want)
	}
	g.Want(g.Do("GET", "/simple/demo-pkg/?format=x", nil), 406, "")
}

// TestPagesPromiseOnlyWhatIsThere: whatever a page advertises is there, escaped as clients escape it, with the hash
// that was advertised.
func TestPagesPromiseOnlyWhatIsThere(t *testing.T) {
	g := newRig(t)
	g.publish(
		demoWheel, "demo_pkg-1.1+local.2-py3-none-any.whl", "demo_pkg-1!2.0-py3-none-any.whl", "demo_pkg-1.0.tar.gz",
		"demo_pkg-1.0-1-py2.py3-none-any.whl",
	)
	for name, e := range entries(g.project("demo-pkg")) {
		at := g.url("demo-pkg", name)
		escaped := strings.NewReplacer("+", "%2B", "!", "%21").Replace(at)
		for _, u := range []string{at, escaped} {
			a := g.Want(g.Do("GET", u, nil), 200, "")
			wiretest.Equal(t, "sum of "+u, any(sumOf([]byte(a.Body))), wiretest.At(e, "hashes", "sha256"))
			wiretest.Equal(t, "size of "+u, any(float64(len(a.Body))), e["size"])
			want, isWheel := wiretest.At(e, "core-metadata", "sha256").(string)
			side := g.Do("GET", u+".metadata", nil)
			if !isWheel {
				side.WantStatus(t, 404)
				continue
			}
			side.WantStatus(t, 200)
			wiretest.Equal(t, "sum of the metadata of "+u, sumOf([]byte(side.Body)), want)
		}
	}
}

// TestPagesAreRevalidatedAndFilesKept: pages are asked for each time, files never again.
func TestPagesAreRevalidatedAndFilesKept(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel)
	file := g.url("demo-pkg", demoWheel)
	const immutable = "public, max-age=31536000, immutable"
	for path, want := range map[string]map[string]string{
		"/simple/demo-pkg/":   {"Cache-Control": "no-cache", "X-Pypi-Last-Serial": "3", "Last-Modified": ""},
		"/simple/":            {"Cache-Control": "no-cache", "X-Pypi-Last-Serial": "3"},
		"/pypi/demo-pkg/json": {"Cache-Control": "no-cache", "X-Pypi-Last-Serial": "3", "Content-Type": "application/json"},
		file: {
			"Cache-Control": immutable, "Accept-Ranges": "bytes",
			"Content-Type": "application/octet-stream", "Content-Encoding": "", "Content-Disposition": "",
			"X-Content-Type-Options": "nosniff", "Vary": "",
		},
		file + ".metadata": {"Cache-Control": immutable, "Content-Type": "application/octet-stream"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := g.Do(method, path, nil, wiretest.Header("Accept-Encoding", "gzip, deflate"))
			a.WantStatus(t, 200)
			for name, value := range want {
				a.WantHeader(t, name, value)
			}
			if etag := a.Header.Get("ETag"); etag == "" || strings.HasPrefix(etag, "W/") {
				t.Errorf("%v: its tag is %q, want a strong one", a, etag)
			}
			if method == "HEAD" && a.Header.Get("Content-Length") == "" {
				t.Errorf("%v: it has no length", a)
			}
		}
	}
	g.Ada("GET", file, nil).WantHeader(t, "Cache-Control", "private, max-age=31536000, immutable")
}

// TestFormsAndEncodingsHaveTheirOwnTags: encodings and forms differ in their tags, 304 holds, and a publish is seen at
// once.
func TestFormsAndEncodingsHaveTheirOwnTags(t *testing.T) {
	g := newRig(t)
	for i := range 20 {
		g.publish(fmt.Sprintf("demo_pkg-1.%d-py3-none-any.whl", i))
	}
	tags := map[string]string{}
	for _, accept := range []string{simple.JSON, simple.V1, "text/html"} {
		var plain string
		for _, encoding := range []string{"identity", "gzip", "zstd"} {
			get := func(opts ...option) answer {
				form := wiretest.Header("Accept", accept, "Accept-Encoding", encoding)
				return g.Do("GET", "/simple/demo-pkg/", nil, append(opts, form)...)
			}
			a := g.Want(get(), 200, "")
			body := decoded(t, a)
			if plain == "" {
				plain = body
			}
			if tag := a.Header.Get("ETag"); tags[tag] != "" || body != plain {
				t.Errorf("%s %s has the tag of %s", accept, encoding, tags[tag])
			} else {
				tags[tag] = accept + " " + encoding
				fresh := get(wiretest.Header("If-None-Match", tag, "Cache-Control", "max-age=0"))
				fresh.WantStatus(t, 304).WantHeader(t, "ETag", tag)
				wiretest.Equal(t, "body of a 304", fresh.Body, "")
				wiretest.Equal(t, "values of Vary of a 304", len(fresh.Header.Values("Vary")), 2)
			}
		}
	}
	tag := g.Do("GET", "/simple/demo-pkg/", nil, asJSON).Header.Get("ETag")
	root := g.Do("GET", "/simple/", nil, asJSON).Header.Get("ETag")
	g.publish("demo_pkg-2.0-py3-none-any.whl")
	g.Want(g.Do("GET", "/simple/demo-pkg/", nil, asJSON, wiretest.Header("If-None-Match", tag)), 200, "demo_pkg-2.0")
	g.Want(g.Do("GET", "/simple/", nil, asJSON, wiretest.Header("If-None-Match", root)), 200, "")
}

func decoded(t testing.TB, a answer) string {
	t.Helper()
	var r io.Reader = strings.NewReader(a.Body)
	var err error
	switch a.Header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRangesOfFiles: what lazy wheels and resumed downloads ask for, also of who offers gzip.
func TestRangesOfFiles(t *testing.T) {
	g := newRig(t)
	big := newUpload(demoWheel, func(u *upload) { u.files["demo_pkg/data"] = strings.Repeat("0123456789", 20_000) })
	g.Want(g.put("ada", big), 200, "")
	g.publish("demo_pkg-1.0.tar.gz")
	for _, name := range []string{demoWheel, "demo_pkg-1.0.tar.gz"} {
		at := g.url("demo-pkg", name)
		whole := g.Do("GET", at, nil).Body
		n := len(whole)
		etag := g.Do("HEAD", at, nil).Header.Get("ETag")
		for _, c := range []struct {
			header string
			opts   []option
			status int
			body   string
		}{
			{"bytes=0-9", nil, 206, whole[:10]}, {fmt.Sprintf("bytes=%d-", n-5), nil, 206, whole[n-5:]},
			{"bytes=-16", nil, 206, whole[n-16:]}, {fmt.Sprintf("bytes=-%d", n+9), nil, 206, whole},
			{fmt.Sprintf("bytes=%d-", n), nil, 416, ""},
			{"bytes=10-19", []option{wiretest.Header("If-Range", etag)}, 206, whole[10:20]},
			{"bytes=10-19", []option{wiretest.Header("If-Range", `"other"`)}, 200, whole},
			{"bytes=10-19", []option{wiretest.Header("If-Range", "W/"+etag)}, 200, whole},
			{"bytes=10-19", []option{wiretest.Header("Accept-Encoding", "gzip, deflate, br")}, 206, whole[10:20]},
		} {
			a := g.Do("GET", at, nil, append(c.opts, wiretest.Header("Range", c.header))...)
			a.WantStatus(t, c.status).WantHeader(t, "Content-Encoding", "")
			if c.status != 416 && a.Body != c.body {
				t.Errorf("%s %s: %d bytes, want %d others", name, c.header, len(a.Body), len(c.body))
			}
		}
		g.Do("HEAD", at, nil).WantHeader(t, "Content-Length", fmt.Sprint(n)).WantHeader(t, "Accept-Ranges", "bytes")
	}
}

// TestEveryIndexLeadsToTheFiles: the same page under every address, with links that lead to the files from each.
func TestEveryIndexLeadsToTheFiles(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel)
	for _, alias := range indexes {
		page := g.Want(g.Do("GET", alias+"/demo-pkg/", nil, asJSON), 200, "").Object(t)
		base, err := url.Parse(g.Base + alias + "/demo-pkg/")
		if err != nil {
			t.Fatal(err)
		}
		at, err := base.Parse(entries(page)[demoWheel]["url"].(string))
		if err != nil {
			t.Fatal(err)
		}
		g.Want(g.Do("GET", at.String(), nil), 200, "")
		g.Want(g.Do("GET", alias+"/", nil, asJSON), 200, "demo")
		g.Do("GET", alias+"/Demo.Pkg", nil).WantStatus(t, 301).WantHeader(t, "Location", "demo-pkg/")
		g.Want(g.Do("GET", alias+"/absent/", nil), 404, "project not found")
	}
}

// TestLinksAreAbsoluteWithPublicURL: with a known address links are absolute, which newer installers read faster.
func TestLinksAreAbsoluteWithPublicURL(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel)
	base, err := wire.NewBase("https://registry.example.com/larder", nil)
	if err != nil {
		t.Fatal(err)
	}
	d, r := g.Deps, httptest.NewRequest("GET", "/", nil)
	d.Base, d.Path = base, "/py"
	s := newServer(d, Options{Provenance: true})
	const public = "https://registry.example.com/larder/py"
	wiretest.Equal(t, "links", s.linksFor(r, 0), simple.Links{
		Files: public + "/files", Packages: public + "/packages", Integrity: public,
	})
	s.base = g.s.base
	for alias, want := range []string{
		"../../files", "../../py/files", "../../../files", "../../files", "../../../py/files", "../../../files",
	} {
		s.opt.Provenance = false
		wiretest.Equal(t, "links of "+indexes[alias], s.linksFor(r, alias).Files, want)
	}
}

// TestJSONDocumentsOfProjectAndRelease: the documents of a project and of a release.
func TestJSONDocumentsOfProjectAndRelease(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	sdist := newUpload("demo_pkg-1.0.tar.gz", func(u *upload) { u.headers = "Summary: from the archive\n" })
	g.Want(g.put("ada", sdist), 200, "")
	wheel := newUpload(demoWheel, func(u *upload) {
		u.name = "Demo_Pkg"
		u.headers = "Summary: from the wheel\nAuthor: A <b>\n" +
			"Project-URL: Docs, https://example.com/docs\nProject-URL: no label\n" +
			"Classifier: a\nClassifier: b\nRequires-Dist: x>=1\nProvides-Extra: e\nKeywords: a,b\n" +
			"License-Expression: MIT\nLicense-File: L\nRequires-Python: >=3.8\n" +
			"Description-Content-Type: text/markdown\nDynamic: version\n"
		u.body = "# Text <script>\n"
	})
	g.Want(g.put("ada", wheel), 200, "")
	g.publish("demo_pkg-2.0rc1-py3-none-any.whl", "demo_pkg-1.5-py3-none-any.whl")
	g.Want(g.Ada("PUT", "/pypi/-/demo-pkg/1.5/yank", fields{"reason": "broken"}), 204, "")
	a := g.Want(g.Do("GET", "/pypi/demo-pkg/json", nil), 200, "")
	doc := a.Object(t)
	keys := strings.Join(wiretest.KeysOf(doc), " ")
	wiretest.Equal(t, "keys", keys, "info last_serial ownership releases urls vulnerabilities")
	wiretest.WantMembers(t, "project", doc, fields{
		"info/classifiers": []string{"a", "b"}, "info/requires_dist": []string{"x>=1"},
		"info/version": "1.0", "info/name": "Demo_Pkg", "info/summary": "from the wheel", "info/author": "A <b>",
		"info/license_expression": "MIT", "info/requires_python": ">=3.8",
		"info/description": "# Text <script>\n", "info/description_content_type": "text/markdown",
		"info/project_urls/Docs": "https://example.com/docs", "info/keywords": "a,b", "info/yanked": false,
		"info/home_page": nil, "info/downloads/last_day": -1.0, "last_serial": 9.0, "info/docs_url": nil,
	})
	wiretest.Equal(t, "releases", strings.Join(wiretest.KeysOf(doc["releases"]), " "), "1.0 1.5 2.0rc1")
	urls, _ := doc["urls"].([]any)
	if len(urls) != 2 {
		t.Fatalf("urls: %v, want two files", urls)
	}
	wiretest.WantMembers(t, "first file", urls[0], fields{"packagetype": "bdist_wheel"})
	wiretest.WantMembers(t, "second file", urls[1], fields{"python_version": "source"})
	file := urls[0].(fields)
	all := wheel.fields()
	wiretest.WantMembers(t, "file", file, fields{
		"digests/sha256": all["sha256_digest"], "digests/md5": all["md5_digest"],
		"digests/blake2b_256": all["blake2_256_digest"], "md5_digest": all["md5_digest"],
		"upload_time":          clock.Now().Format("2006-01-02T15:04:05"),
		"upload_time_iso_8601": clock.Now().Format("2006-01-02T15:04:05.000000Z"), "size": float64(len(wheel.bytes())),
		"filename": demoWheel, "has_sig": false, "downloads": -1.0, "yanked_reason": nil,
	})
	g.Want(g.Do("GET", file["url"].(string), nil), 200, "")
	one := g.Want(g.Do("GET", "/pypi/demo-pkg/1.5.0/json", nil), 200, "").Object(t)
	wiretest.WantMembers(t, "release", one, fields{
		"releases": nil, "info/yanked_reason": "broken", "info/version": "1.5",
	})
	for path, status := range map[string]int{
		"/pypi/absent/json": 404, "/pypi/demo-pkg/9.9/json": 404, "/pypi/demo-pkg/x/json": 404, "/pypi/Demo_Pkg/json": 301,
	} {
		g.Want(g.Do("GET", path, nil), status, "")
	}
}

// TestListOfAllShowsWhatMayBeSeen: the list of all projects follows what happens, for everybody what they may see.
func TestListOfAllShowsWhatMayBeSeen(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"pypi:package:secret-*"} })
	g.User("root", nil, true)
	g.User("guest", []string{"pypi:package:secret-a:read"})
	names := func(actor string) []string {
		t.Helper()
		var doc struct {
			Meta struct {
				Version string `json:"api-version"`
				Serial  int    `json:"_last-serial"`
			}
			Projects []struct {
				Name   string
				Serial int `json:"_last-serial"`
			}
		}
		a := g.Want(g.Do("GET", "/simple/", nil, g.As(actor), asJSON), 200, "")
		a.Decode(t, &doc)
		out := []string{}
		for _, p := range doc.Projects {
			out = append(out, p.Name)
			if p.Serial == 0 || p.Serial > doc.Meta.Serial || doc.Meta.Version != "1.4" {
				t.Errorf("%s", a.Body)
			}
		}
		html := g.Want(g.Do("GET", "/simple/", nil, g.As(actor)), 200, "")
		if strings.Count(html.Body, "<a href=") != len(out) {
			t.Errorf("%v in JSON, but\n%s", out, html.Body)
		}
		return out
	}
	if got := names(""); len(got) != 0 {
		t.Errorf("%q", got)
	}
	g.publish("b-1.0.tar.gz", "a_x-1.0.tar.gz", "secret_a-1.0.tar.gz", "secret_b-1.0.tar.gz", "c-1.0.tar.gz")
	for actor, want := range map[string]string{
		"": "a_x b c", "guest": "a_x b c secret_a", "root": "a_x b c secret_a secret_b", "ada": "a_x b c secret_a secret_b",
	} {
		if got := strings.Join(names(actor), " "); got != want {
			t.Errorf("%q sees %s", actor, got)
		}
	}
	g.Want(g.Ada("DELETE", "/pypi/-/b", nil), 204, "")
	g.Want(g.Ada("DELETE", "/pypi/-/c/1.0", nil), 204, "")
	if got := strings.Join(names("root"), " "); got != "a_x secret_a secret_b" {
		t.Errorf("%s", got)
	}
	g.Want(g.Do("GET", "/simple/c/", nil), 404, "")
	// Another process with the same folder reads the same list.
	again := serve(t, g.Store)
	again.Do("GET", "/simple/", nil, asJSON).WantBody(t, `"name":"a_x"`).WantNot(t, `"name":"b"`)
	closed := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	closed.Do("GET", "/simple/", nil).WantStatus(t, 401).WantHeader(t, "WWW-Authenticate", `Basic realm="larder"`)
}

// TestListOfAllIsNotRenderedForEachRequest: with many projects a request is answered from memory, and after an upload
// from pieces.
func TestListOfAllIsNotRenderedForEachRequest(t *testing.T) {
	const n = 20_000
	g := newRig(t)
	fillProjects(t, g, n)
	first := g.Want(g.Do("GET", "/simple/", nil, asJSON), 200, "")
	if got := strings.Count(first.Body, `"name"`); got != n {
		t.Fatalf("%d projects", got)
	}
	doc := func() any {
		d, _, err := g.s.all.document(t.Context(), simple.JSON)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	once := doc()
	if doc() != once {
		t.Error("the list was put together twice without a change")
	}
	g.publish(demoWheel)
	if doc() == once {
		t.Error("the list does not have the new project")
	}
	allocs := testing.AllocsPerRun(3, func() {
		g.s.all.mu.Lock()
		g.s.all.docs = map[string]*store.Document{}
		g.s.all.mu.Unlock()
		doc()
	})
	if allocs > 2000 {
		t.Errorf("putting the list together takes %.0f allocations", allocs)
	}
}

// TestCredentialsOfEveryClient: the ways in which clients send a token, and what closed indexes answer.
func TestCredentialsOfEveryClient(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	g.publish(demoWheel)
	token := g.Keys["ada"]
	for name, c := range map[string]struct {
		opt    option
		status int
	}{
		"nobody":         {g.As(""), 401},
		"__token__":      {wiretest.Basic("__token__", token), 200},
		"any user":       {wiretest.Basic("x", token), 200},
		"token as user":  {wiretest.Basic(token, ""), 200},
		"bearer":         {wiretest.Bearer(token), 200},
		"password":       {wiretest.Basic("ada", "secret"), 200},
		"wrong":          {wiretest.Basic("__token__", "larder_x"), 401},
		"wrong password": {wiretest.Basic("ada", "x"), 401},
	} {
		a := g.Do("GET", "/simple/demo-pkg/", nil, c.opt)
		wiretest.Equal(t, "status for "+name, a.Status, c.status)
		if c.status == 401 {
			a.WantHeader(t, "WWW-Authenticate", `Basic realm="larder"`)
		}
	}
	g.Want(g.Do("GET", "/simple/absent/", nil), 401, "")
	g.Want(g.Ada("GET", "/simple/absent/", nil), 404, "")
}

// TestHashInPathIsNoRight: the hash of a private file opens nothing, with its name or another.
func TestHashInPathIsNoRight(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"pypi:package:secret*"} })
	g.publish("secret-1.0-py3-none-any.whl", "open-1.0-py3-none-any.whl")
	at := g.url("secret", "secret-1.0-py3-none-any.whl")
	g.Want(g.Ada("GET", at, nil), 200, "")
	g.Want(g.Ada("GET", at+".metadata", nil), 200, "")
	for _, u := range []string{
		at, at + ".metadata", at + ".asc", "/simple/secret/", "/pypi/secret/json",
		"/pypi/integrity/secret/1.0/secret-1.0-py3-none-any.whl/provenance",
	} {
		hidden, absent := g.Do("GET", u, nil), g.Do("GET", strings.ReplaceAll(u, "secret", "absent"), nil)
		hidden.WantStatus(t, 404)
		wiretest.Equal(t, "body of "+u, hidden.Body, absent.Body)
		wiretest.EqualJSON(t, "header of "+u, hidden.Header, absent.Header)
	}
	other := strings.Replace(at, "secret-1.0", "open-1.0", 1)
	g.Want(g.Do("GET", other, nil), 404, "")
	otherSum := strings.Replace(at, "/files/"+strings.Split(at, "/")[5], "/files/"+strings.Repeat("0", 64), 1)
	g.Want(g.Ada("GET", otherSum, nil), 404, "")
}

// TestNothingUploadedIsMarkup: nothing an uploader wrote is markup in a page.
func TestNothingUploadedIsMarkup(t *testing.T) {
	g := newRig(t)
	const evil = `"><script>alert(1)</script>`
	g.Want(g.put("ada", newUpload(demoWheel, func(u *upload) {
		u.headers = "Requires-Python: " + evil + "\nSummary: " + evil + "\n"
		u.form["comment"] = evil
	})), 200, "")
	g.Want(g.Ada("PUT", "/pypi/-/demo-pkg/1.0/yank", fields{"reason": evil}), 204, "")
	g.Want(g.Ada("PUT", "/pypi/-/demo-pkg/status", fields{"status": "deprecated", "reason": evil}), 204, "")
	for _, path := range []string{"/simple/demo-pkg/", "/simple/"} {
		g.Want(g.Do("GET", path, nil), 200, "").WantNot(t, "<script")
	}
	a := g.Do("GET", "/pypi/demo-pkg/json", nil)
	a.WantHeader(t, "Content-Type", "application/json").WantHeader(t, "X-Content-Type-Options", "nosniff")
	wiretest.Equal(t, "validity of the JSON", json.Valid([]byte(a.Body)), true)
}

// TestNoPathReachesHeaders: no path puts a line into a header.
func TestNoPathReachesHeaders(t *testing.T) {
	g := newRig(t)
	for _, path := range []string{
		"/simple/a%0d%0aX-Evil:1", "/simple/A%0d%0aX", "/pypi/A%0D%0AX/json", "/pypi/Ab/%0d%0aX-Evil:%201/json",
		"/simple?format=%0d%0aX-Evil:1",
	} {
		a := g.Do("GET", path, nil)
		if a.Header.Get("X-Evil") != "" || strings.ContainsAny(a.Header.Get("Location"), "\r\n") {
			t.Errorf("%s: %v", path, a)
		}
	}
}

// TestDocumentsAreGolden: whole pages of both forms and the JSON documents, as they go to clients.
func TestDocumentsAreGolden(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	for i, u := range []*upload{
		newUpload("Golden.Pkg-1.0.tar.gz"), newUpload("golden_pkg-1.0-py2.py3-none-any.whl", func(u *upload) {
			u.name, u.headers = "Golden.Pkg", "Requires-Python: >=3.8\nSummary: all \"that\" glitters\n"
		}),
		newUpload("golden_pkg-1!1.0+cpu.1-cp311-cp311-manylinux_2_17_x86_64.whl"),
		newUpload("golden_pkg-1.1rc1-py3-none-any.whl"),
	} {
		clock.Advance(time.Duration(i) * 1234567 * time.Microsecond)
		if i == 1 {
			u.more = [][2]string{{"gpg_signature", "-----BEGIN PGP SIGNATURE-----\n"}, {"comment", "hi"}}
		}
		g.Want(g.put("ada", u), 200, "")
	}
	g.Want(g.Ada("PUT", "/pypi/-/golden-pkg/1.1rc1/yank", fields{"reason": "<bad>"}), 204, "")
	g.Want(g.Ada("PUT", "/pypi/-/golden-pkg/files/Golden.Pkg-1.0.tar.gz/yank", nil), 204, "")
	g.Want(g.Ada("PUT", "/pypi/-/golden-pkg/status", fields{"status": "deprecated", "reason": "use silver"}), 204, "")
	for name, get := range map[string]func() answer{
		"project.json": func() answer { return g.Do("GET", "/simple/golden-pkg/", nil, asJSON) },
		"project.html": func() answer { return g.Do("GET", "/simple/golden-pkg/", nil) },
		"project.v1.html": func() answer {
			return g.Do("GET", "/simple/golden-pkg/", nil, wiretest.Header("Accept", simple.V1))
		},
		"root.json":        func() answer { return g.Do("GET", "/simple/", nil, asJSON) },
		"root.html":        func() answer { return g.Do("GET", "/simple/", nil) },
		"api.json":         func() answer { return g.Do("GET", "/pypi/golden-pkg/json", nil) },
		"api-version.json": func() answer { return g.Do("GET", "/pypi/golden-pkg/1.0/json", nil) },
	} {
		body := strings.ReplaceAll(g.Want(get(), 200, "").Body, g.Srv.URL, "https://registry.example.com")
		if strings.HasSuffix(name, ".json") {
			var b bytes.Buffer
			if err := json.Indent(&b, []byte(body), "", " "); err != nil {
				t.Fatal(err)
			}
			body = b.String()
		}
		wiretest.Golden(t, name, body)
	}
}

// TestRecordsAreReadOnceForEachChange: what requests ask each time is read once for each change.
func TestRecordsAreReadOnceForEachChange(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel)
	if _, err := g.s.servable(t.Context(), "demo-pkg", demoWheel); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(10, func() {
		if f, err := g.s.servable(t.Context(), "demo-pkg", demoWheel); err != nil || f.File.Digest == "" {
			t.Fatal(err)
		}
	}); got > 10 {
		t.Errorf("%.0f allocations", got)
	}
}
