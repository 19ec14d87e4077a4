package composer

// Documents, lists, archives, counts and audits as clients read them, and who sees what.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store/storetest"
)

// get asks for a document as Composer does, with the time it has of it, and returns the new time.
func (g *rig) get(path, since string, status int) (modified string, a answer) {
	g.T.Helper()
	o := wiretest.Header()
	if since != "" {
		o = wiretest.Header("If-Modified-Since", since)
	}
	a = g.Want(g.Do("GET", path, nil, o), status, "")
	if a.Header.Get("Last-Modified") == "" {
		g.T.Fatalf("%v has no Last-Modified", a)
	}
	if status == http.StatusNotModified {
		a.WantExactly(g.T, "")
	}
	return a.Header.Get("Last-Modified"), a
}

// TestLastModifiedMovesOn: each document's time grows by a second at least with every change, however close the changes
// are, also across deletion and with a clock that stands or goes back; without a change everything is a 304.
func TestLastModifiedMovesOn(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	last := time.Time{}
	modified := ""
	step := func(what string, change func()) {
		t.Helper()
		change()
		now, _ := g.get("/p2/acme/demo.json", modified, 200)
		at, err := http.ParseTime(now)
		if err != nil || !at.After(last) {
			t.Errorf("%s: %s is not after %s (%v)", what, at, last, err)
		}
		last, modified = at, now
		g.get("/p2/acme/demo.json", modified, 304)
	}
	step("first", func() { g.publish("acme/demo", "1.0.0") })
	dev, _ := g.get("/p2/acme/demo~dev.json", "", 200)
	step("within the same second", func() { g.publish("acme/demo", "1.0.1") })
	step("again", func() { g.publish("acme/demo", "1.0.2") })
	g.get("/p2/acme/demo~dev.json", dev, 304) // it has not changed
	step("delete a version", func() { g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.0.2", nil), 204, "") })
	step("settings", func() { g.Want(g.Ada("PUT", "/packages/acme/demo/settings", fields{"abandoned": true}), 200, "") })
	g.User("root", nil, true)
	step("advisories", func() {
		g.Want(
			g.Do("PUT", "/api/advisories", []fields{sampleAdvisory("acme/demo", "LSA-1", "<1.0.1")}, g.As("root")), 200, "",
		)
	})
	step("advisories gone", func() { g.Want(g.Do("PUT", "/api/advisories", "[]", g.As("root")), 200, "") })
	clock.Advance(-time.Hour)
	step("the clock goes back", func() { g.publish("acme/demo", "1.0.3") })
	step("deleted and made again", func() {
		g.Want(g.Ada("DELETE", "/packages/acme/demo?purge=1", nil), 204, "")
		g.Want(g.Do("GET", "/p2/acme/demo.json", nil, wiretest.Header("If-Modified-Since", modified)), 404, "")
		g.publish("acme/demo", "2.0.0")
	})
	clock.Advance(time.Hour * 48)
	g.get("/p2/acme/demo.json", modified, 304)
	// Any other time is that of another document, also a later one: a restored backup has younger clients.
	g.get("/p2/acme/demo.json", clock.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 200)
	g.get("/p2/acme/demo.json", "yesterday", 200)
	// A branch moves its own document only.
	dev, _ = g.get("/p2/acme/demo~dev.json", "", 200)
	g.publish("acme/demo", "dev-main")
	g.get("/p2/acme/demo.json", modified, 304)
	g.get("/p2/acme/demo~dev.json", dev, 200)
}

// TestSecondRunIsNotModified: what composer update asks for the second time is all 304, packages.json included.
func TestSecondRunIsNotModified(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0", "dev-main")
	for _, path := range []string{"/packages.json", "/p2/acme/demo.json", "/p2/acme/demo~dev.json"} {
		modified, a := g.get(path, "", 200)
		again, b := g.get(path, modified, 304)
		if at, err := http.ParseTime(modified); err != nil || at.After(time.Now().Add(2*time.Second)) || again != modified {
			t.Errorf("%s: %s, then %s", path, modified, again)
		}
		for _, name := range []string{"ETag", "Cache-Control", "Vary"} {
			if a.Header.Get(name) == "" || a.Header.Get(name) != b.Header.Get(name) {
				t.Errorf("%s: %s is %q, then %q", path, name, a.Header.Get(name), b.Header.Get(name))
			}
		}
	}
	root, _ := g.get("/packages.json", "", 200)
	g.publish("acme/next", "1.0.0")
	g.get("/packages.json", root, 200)
}

// TestAddressesInDocumentsAreAbsolute: every URL in every document is absolute, holds no credentials, and has the
// origin and prefix the client knows.
func TestAddressesInDocumentsAreAbsolute(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0", "dev-main")
	proxied, err := wire.NewBase("", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	public, err := wire.NewBase("https://registry.example.com/larder", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		base   *wire.Base
		header []string
		path   string
		want   string
	}{
		{proxied, nil, "", "http://one.example.com/composer"},
		{
			proxied,
			[]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "two.example.com", "X-Forwarded-Prefix", "/repo"}, "",
			"https://two.example.com/repo/composer",
		},
		{public, []string{"X-Forwarded-Host", "evil.example.com"}, "/php", "https://registry.example.com/larder/php"},
	} {
		h := New(wire.Deps{Store: g.Store, Auth: g.Auth, Base: c.base, Path: c.path}, Options{}).Handler
		for path, urls := range map[string]int{
			"packages.json": 8, "p2/acme/demo.json": 1, "p2/acme/demo~dev.json": 1, "search.json?q=demo": 1,
			"packages/acme/demo.json": 2,
		} {
			r := httptest.NewRequest("GET", "http://ada:secret@one.example.com/composer/"+path, nil)
			r.RemoteAddr = "127.0.0.1:1"
			wiretest.Header(c.header...)(r)
			r.SetBasicAuth("ada", "secret")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			body := w.Body.String()
			what := path + " below " + c.want
			wiretest.Equal(t, what+": the status", w.Code, 200)
			wiretest.Equal(t, what+": how many addresses begin so", strings.Count(body, `"`+c.want+"/"), urls)
			wiretest.Equal(t, what+": how many addresses there are", strings.Count(body, "http"), urls)
			wiretest.Equal(t, what+": it has the password", strings.Contains(body, "secret"), false)
			wiretest.Equal(t, what+": it has the user", strings.Contains(body, "ada:"), false)
		}
	}
	root := g.Want(g.Do("GET", "/packages.json", nil), 200, "").Object(t)
	for _, key := range []string{
		"metadata-url", "list", "search", "providers-api", "notify-batch", "metadata-changes-url",
	} {
		if u, _ := root[key].(string); !strings.HasPrefix(u, "http://127.0.0.1:") {
			t.Errorf("%s: %v", key, root[key])
		}
	}
	if u := fmt.Sprint(wiretest.At(root, "security-advisories", "api-url")); !strings.HasPrefix(u, "http://127.0.0.1:") {
		t.Errorf("the address of audits is %s", u)
	}
	wiretest.WantMembers(t, "packages.json", root, fields{"security-advisories/metadata": true})
	if p, ok := root["packages"].([]any); !ok || len(p) != 0 {
		t.Errorf("inline packages would hide the others: %v", root["packages"])
	}
}

// TestDocumentsRepeatNoCredentials: no document repeats what a request came with; Composer writes addresses from them
// into its lock.
func TestDocumentsRepeatNoCredentials(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0", "dev-main")
	token := g.Keys["ada"]
	for _, path := range []string{
		"/packages.json", "/p2/acme/demo.json", "/p2/acme/demo~dev.json", "/packages/acme/demo.json",
		"/search.json?q=demo&per_page=1", "/list.json", "/providers/a/b.json", "/filter-summary.json",
		"/metadata/changes.json", "/p2/acme/none.json",
	} {
		for _, o := range []option{wiretest.Bearer(token), wiretest.Basic("ada", token), wiretest.Basic(token, "")} {
			a := g.Do("GET", path+"?token="+token, nil, o).WantNot(t, token, "@127")
			if strings.Contains(fmt.Sprint(a.Header), token) {
				t.Errorf("%s: the token is in %v", path, a.Header)
			}
		}
	}
}

// TestOddHostIsNotRepeated: an odd Host gets no place in a document.
func TestOddHostIsNotRepeated(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0")
	for _, host := range []string{`evil"host`, "a b", "x/y", "ada:secret@b"} {
		r := httptest.NewRequest("GET", "/composer/packages.json", nil)
		r.Host = host
		w := httptest.NewRecorder()
		New(g.Deps, Options{}).Handler.ServeHTTP(w, r)
		a := answer{Status: w.Code, Header: w.Header(), Body: w.Body.String(), Request: "GET from the host " + host}
		a.WantNot(t, host).WantBody(t, `"http://localhost/composer/p2/`)
	}
}

// TestAvailablePackages: packages.json names what the client may read, so that Composer asks for nothing else; a login
// after an anonymous run must not be told that nothing has changed.
func TestAvailablePackages(t *testing.T) {
	g := newRig(t)
	g.publish("acme/open", "1.0.0")
	g.Want(g.Ada("PUT", "?version=1.0.0&private=1", newRelease("acme/closed", "1.0.0").archive()), 201, "")
	g.User("bob", nil)
	g.User("guest", []string{"composer:package:acme/closed:read"})
	names := func(actor string) string {
		doc := g.Want(g.Do("GET", "/packages.json", nil, g.As(actor)), 200, "").Object(t)
		return wiretest.JSON(doc["available-packages"])
	}
	modified, _ := g.get("/packages.json", "", 200)
	for actor, want := range map[string]string{
		"": `["acme/open"]`, "bob": `["acme/open"]`, "ada": `["acme/closed","acme/open"]`,
		"guest": `["acme/closed","acme/open"]`,
	} {
		if got := names(actor); got != want {
			t.Errorf("%q: %s", actor, got)
		}
	}
	g.Want(g.Ada("GET", "/packages.json", nil, wiretest.Header("If-Modified-Since", modified)), 200, "acme/closed")
	if a := g.Ada("GET", "/packages.json", nil); a.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%v", a.Header)
	}
	g.Want(g.Ada("PUT", "/packages/acme/closed/settings", fields{"private": false}), 200, "")
	if got := names(""); got != `["acme/closed","acme/open"]` {
		t.Error(got)
	}
	empty := newRig(t)
	if a := empty.Want(empty.Do("GET", "/packages.json", nil), 200, ""); strings.Contains(a.Body, "available-packages") {
		t.Error("an empty list is no list to Composer")
	}
}

// TestMetadata: a package that has only branches has an empty document of releases, so that Composer can say what is
// wrong; what is not here is a 404 without a warning.
func TestMetadata(t *testing.T) {
	g := newRig(t)
	g.publish("acme/dev", "dev-main")
	g.Want(g.Do("GET", "/p2/acme/dev.json", nil), 200, `{"packages":{"acme/dev":[]}`)
	g.publish("acme/rel", "1.0.0")
	g.Want(g.Do("GET", "/p2/acme/rel~dev.json", nil), 200, `{"packages":{"acme/rel":[]}`)
	g.Want(g.Do("GET", "/p2/Acme/Rel.json", nil), 200, `"acme/rel"`)
	g.Want(g.Do("HEAD", "/p2/acme/rel.json", nil), 200, "")
	for _, path := range []string{"/p2/acme/none.json", "/p2/acme/none~dev.json", "/p2/symfony/console.json"} {
		g.Want(g.Do("GET", path, nil), 404, "package not found").WantNot(t, "warning").WantHeader(t, "Location", "")
	}
	tags := map[string]bool{}
	g.publish("acme/rel", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0")
	for _, enc := range []string{"gzip", "zstd", "deflate, gzip, br, zstd", "br"} {
		a := g.Want(g.Do("GET", "/p2/acme/rel.json", nil, wiretest.Header("Accept-Encoding", enc)), 200, "")
		tags[a.Header.Get("Content-Encoding")] = true
	}
	if len(tags) != 3 {
		t.Errorf("encodings %v", tags)
	}
}

// TestArchives: the bytes that were uploaded, for ever, whole or in part.
func TestArchives(t *testing.T) {
	g := newRig(t)
	r := newRelease("acme/demo", "dev-feature/x")
	g.Want(g.put("ada", r), 201, "")
	dist := g.versions("", "acme/demo", "~dev")[0]["dist"].(fields)
	wiretest.WantMembers(t, "dist", dist, fields{"shasum": r.reference(), "type": "zip"})
	path := dist["url"].(string)
	a := g.Want(g.Do("GET", path, nil, wiretest.Header("Accept-Encoding", "gzip, zstd")), 200, "")
	size := fmt.Sprint(len(r.archive()))
	a.WantExactly(t, string(r.archive())).WantHeader(t, "Content-Type", "application/zip").
		WantHeader(t, "Content-Encoding", "").WantHeader(t, "Content-Length", size).
		WantHeader(t, "Cache-Control", "public, max-age=31536000, immutable")
	if tag := a.Header.Get("ETag"); !strings.HasPrefix(tag, `"sha256:`) {
		t.Errorf("the archive's ETag is %s", tag)
	}
	g.Ada("GET", path, nil).WantHeader(t, "Cache-Control", "private, max-age=31536000, immutable")
	g.Want(g.Do("HEAD", path, nil), 200, "").WantExactly(t, "").WantHeader(t, "Content-Length", size)
	g.Want(g.Do("GET", path, nil, wiretest.Header("If-None-Match", a.Header.Get("ETag"))), 304, "")
	for _, wrong := range []string{
		strings.Replace(path, "feature/x", "feature/y", 1), strings.Replace(path, "acme/demo", "acme/other", 1),
		strings.Replace(path, r.reference(), strings.Repeat("0", 40), 1),
	} {
		g.Want(g.Do("GET", wrong, nil), 404, "archive not found")
	}
}

// TestLists: list and search with every parameter clients send, in every case without what the client may not see.
func TestLists(t *testing.T) {
	g := newRig(t)
	g.Want(
		g.put(
			"ada",
			newRelease(
				"acme/log-writer", "1.0.0",
				fields{
					"description": "Writes lines", "keywords": []string{"Logging", "PSR-3"}, "type": "library",
					"provide": fields{"psr/log-implementation": "1.0"}, "support": fields{"source": "https://git.example.com/a"},
				},
			),
		),
		201, "",
	)
	g.Want(
		g.put(
			"ada",
			newRelease("acme/theme", "1.0.0", fields{"description": "A theme that writes nothing", "type": "wordpress-theme"}),
		),
		201, "",
	)
	g.Want(
		g.put("ada", newRelease("zeta/log", "dev-main", fields{"provide": fields{"psr/log-implementation": "3.0"}})), 201, "",
	)
	g.Want(
		g.Ada(
			"PUT", "?version=1.0.0&private=1",
			newRelease(
				"acme/secret-log", "", fields{"provide": fields{"psr/log-implementation": "1.0"}, "keywords": []string{"logging"}},
			).archive(),
		),
		201, "",
	)
	for query, want := range map[string]string{
		"": "acme/log-writer acme/theme zeta/log", "?filter=acme/*": "acme/log-writer acme/theme",
		"?filter=ACME/T*": "acme/theme", "?filter=*log*": "acme/log-writer zeta/log", "?filter=acme/log": "",
		"?filter=*/log": "zeta/log",
		"?vendor=acme":  "acme/log-writer acme/theme", "?vendor=acme&filter=acme/t*": "acme/theme",
		"?type=wordpress-theme": "acme/theme", "?vendor=none": "", "?filter=a.me/*": "", "?filter=%5B": "",
	} {
		var doc struct{ PackageNames []string }
		g.Want(g.Do("GET", "/list.json"+query, nil), 200, `"packageNames":[`).Decode(t, &doc)
		if got := strings.Join(doc.PackageNames, " "); got != want {
			t.Errorf("list%s: %s", query, got)
		}
	}
	all := g.Want(g.Ada("GET", "/list.json", nil), 200, "acme/secret-log")
	_ = all
	g.Want(
		g.Do("GET", "/list.json?filter=acme/*&fields[]=type&fields[]=abandoned&fields[]=secret", nil), 200,
		`{"packages":{"acme/log-writer":{"abandoned":false,"type":"library"},"acme/theme":{"abandoned":false,`+
			`"type":"wordpress-theme"}}}`,
	)
	search := func(actor, query string) string {
		var doc struct {
			Results []struct{ Name string }
			Total   int
		}
		g.Want(g.Do("GET", "/search.json?"+query, nil, g.As(actor)), 200, `"results":[`).Decode(t, &doc)
		var names []string
		for _, r := range doc.Results {
			names = append(names, r.Name)
		}
		return fmt.Sprintf("%s %d", strings.Join(names, " "), doc.Total)
	}
	for query, want := range map[string]string{
		"q=log&type=": "zeta/log acme/log-writer 2", "q=acme/log-writer": "acme/log-writer 1",
		"q=writes+lines": "acme/log-writer 1", "q=writes": "acme/log-writer acme/theme 2",
		"q=&type=wordpress-theme": "acme/theme 1",
		"q=&tags=psr-3":           "acme/log-writer 1", "q=&tags[]=logging": "acme/log-writer 1", "q=nothing-at-all": " 0",
		"q=%22%3Cx": " 0", "q=&per_page=2": "acme/log-writer acme/theme 3", "q=&per_page=2&page=2": "zeta/log 3",
		"q=&page=9": " 3", "q=secret": " 0",
	} {
		if got := search("", query); got != want {
			t.Errorf("search %s: %s", query, got)
		}
	}
	if got := search("ada", "q=secret"); got != "acme/secret-log 1" {
		t.Error(got)
	}
	next := g.Want(g.Do("GET", "/search.json?q=&per_page=2", nil), 200, "").Object(t)["next"].(string)
	g.Want(g.Do("GET", next, nil), 200, "zeta/log")
	for name, want := range map[string]string{
		"psr/log-implementation": "acme/log-writer zeta/log", "PSR/Log-Implementation": "acme/log-writer zeta/log",
		"acme/theme": "", "ext-json": "",
	} {
		var doc struct{ Providers []struct{ Name string } }
		g.Want(g.Do("GET", "/providers/"+name+".json", nil), 200, `{"providers":[`).Decode(t, &doc)
		var names []string
		for _, p := range doc.Providers {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("providers of %s: %s", name, got)
		}
	}
	g.Want(g.Do("GET", "/packages/acme/log-writer.json", nil), 200, `"description":"Writes lines"`)
	g.Want(g.Do("GET", "/packages/acme/log-writer.json", nil), 200, `"repository":"https://git.example.com/a"`)
}

// TestPackagePage: a package's page is JSON in the public registry's form, counts included.
func TestPackagePage(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "v1.0.0", "1.1.0", "dev-main")
	for _, n := range []string{"acme/demo", "acme/none", "acme/demo"} {
		g.Want(g.Do("POST", "/downloads/", fields{"downloads": []fields{{"name": n, "version": "1.0.0.0"}}}), 201, "success")
	}
	doc := g.Want(g.Do("GET", "/packages/acme/demo.json", nil), 200, "").Object(t)["package"]
	if got := wiretest.KeysOf(wiretest.At(doc, "versions")); !slices.Equal(got, []string{"1.1.0", "dev-main", "v1.0.0"}) {
		t.Errorf("%q", got)
	}
	for path, want := range map[string]any{
		"name": "acme/demo", "type": "library", "downloads/total": 2.0, "downloads/monthly": 2.0, "downloads/daily": 2.0,
		"versions/v1.0.0/version_normalized": "1.0.0.0", "versions/dev-main/default-branch": true,
	} {
		if got := wiretest.At(doc, strings.Split(path, "/")...); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	if wiretest.JSON(wiretest.At(doc, "maintainers")) != `[{"name":"ada"}]` {
		t.Errorf("%v", doc)
	}
	g.Want(g.Do("HEAD", "/packages/acme/demo.json", nil), 200, "")
	// Fetched without Composer, or by one that tells nothing.
	dist := wiretest.At(doc, "versions", "v1.0.0", "dist", "url").(string)
	for range 3 {
		g.Want(g.Do("GET", strings.TrimPrefix(dist, g.Base), nil), 200, "")
	}
	g.Want(g.Do("GET", "/packages/acme/demo.json", nil), 200, `"downloads":{"total":3,"monthly":3,"daily":3}`)
	g.Want(g.Do("GET", "/search.json?q=demo", nil), 200, `"downloads":3`)
	g.publish("acme/dev", "dev-main")
	g.Want(g.Do("GET", "/packages/acme/dev.json", nil), 200, `"dev-main"`)
}

// TestNotificationsAreCounted: counts cannot be flooded, and tell nothing about names.
func TestNotificationsAreCounted(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0")
	g.Want(g.Ada("PUT", "?version=1.0.0&private=1", newRelease("acme/closed", "").archive()), 201, "")
	before := g.Journal()
	one := func(n string) fields { return fields{"downloads": []fields{{"name": n, "version": "1.0.0.0"}}} }
	for _, n := range []string{"acme/closed", "acme/none", "../x", ""} {
		a := g.Want(g.Do("POST", "/downloads/", one(n)), 201, "")
		if a.Body != `{"status":"success"}`+"\n" {
			t.Errorf("%s: %v", n, a)
		}
	}
	many := []fields{}
	for range maxListParameter + 1 {
		many = append(many, fields{"name": "a/b"})
	}
	for _, body := range []any{"", "{", "[]", `{"downloads":7}`, fields{"downloads": many}} {
		if a := g.Do("POST", "/downloads/", body); a.Status != 400 && body != "" {
			t.Errorf("%.40v: %v", body, a)
		}
	}
	partial := 0
	for range 2 * notifyRate {
		if a := g.Do("POST", "/downloads/", one("acme/demo")); strings.Contains(a.Body, "partial") {
			partial++
		}
	}
	if partial < notifyRate-10 {
		t.Errorf("%d of %d were left out", partial, 2*notifyRate)
	}
	modified, _ := g.get("/p2/acme/demo.json", "", 200)
	g.Want(
		g.Ada(
			"POST", "/downloads/",
			fields{"downloads": []fields{{"name": "acme/closed"}, {"name": "acme/closed"}, {"name": "acme/demo"}}},
		),
		201, "",
	)
	g.get("/p2/acme/demo.json", modified, 304)
	if n := wiretest.At(
		g.Want(g.Ada("GET", "/packages/acme/closed.json", nil), 200, "").Object(t), "package", "downloads", "total",
	); n != 1.0 {
		t.Errorf("%v downloads", n)
	}
	if g.Journal() != before {
		t.Error("a count is no change")
	}
}

// TestCounts: days are forgotten after a month, the total never.
func TestCounts(t *testing.T) {
	var c counts
	day := time.Now().UTC().AddDate(0, 0, -40)
	for range 41 {
		c.add(day)
		day = day.AddDate(0, 0, 1)
	}
	if c.Total != 41 || len(c.Days) > countedDays+1 || c.since(1) != 1 || c.since(30) != 30 {
		t.Errorf("%+v: %d today, %d in 30 days", c, c.since(1), c.since(30))
	}
	l := newLimiter()
	now := time.Now()
	for i := range maxNotifiers + 10 {
		l.admit(fmt.Sprint(i), now)
	}
	if len(l.seen) > maxNotifiers || !l.admit("later", now.Add(2*time.Minute)) || len(l.seen) != 1 {
		t.Errorf("%d remembered", len(l.seen))
	}
}

func sampleAdvisory(name, id, affected string) fields {
	return fields{
		"advisoryId": id, "packageName": name, "title": "Shelves fall", "affectedVersions": affected,
		"link": "https://advisories.example.com/" + id, "cve": "CVE-2026-1", "severity": "high",
		"reportedAt": "2026-01-02 03:04:05", "composerRepository": "https://registry.example.com",
		"sources": []fields{{"name": "Larder", "remoteId": id}},
	}
}

// TestAudit: by form, by query and since a time; known names without advisories have an empty list, unknown and
// hidden ones are absent.
func TestAudit(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	g.publish("acme/demo", "1.0.0")
	g.publish("acme/clean", "1.0.0")
	g.Want(g.Ada("PUT", "?version=1.0.0&private=1", newRelease("acme/closed", "").archive()), 201, "")
	list := []fields{
		sampleAdvisory("Acme/Demo", "LSA-1", "<1.2.0"), sampleAdvisory("symfony/console", "LSA-2", ">=2.0,<2.1|3.0"),
		sampleAdvisory("acme/closed", "LSA-3", "*"), sampleAdvisory("acme/demo", "LSA-4", "1.0.0"),
	}
	list[3]["reportedAt"] = "2026-03-04T05:06:07+02:00"
	list[3]["title"] = "Red \x1b[31malert\x1b[0m"
	list[3]["link"], list[3]["cve"] = nil, nil
	g.Want(g.Ada("PUT", "/api/advisories", list), 403, "")
	g.Want(g.Do("PUT", "/api/advisories", list, g.As("root")), 200, `"advisories":4`)
	g.Want(g.Do("GET", "/api/advisories", nil, g.As("root")), 200, `"packageName":"symfony/console"`)
	ids := func(a answer) string {
		var doc struct{ Advisories map[string][]advised }
		g.Want(a, 200, `"advisories":{`).Decode(t, &doc)
		var out []string
		for name, list := range doc.Advisories {
			one := name
			for _, a := range list {
				one += " " + a.ID
				wiretest.Equal(t, a.ID+": its package", a.Package, name)
				wiretest.Equal(t, a.ID+": it has no sources", a.Sources == nil, false)
				wiretest.Equal(t, a.ID+": it has no time", a.Reported == "", false)
			}
			out = append(out, one)
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	const path = "/api/security-advisories/"
	all := "packages%5B0%5D=acme%2Fdemo&packages%5B1%5D=acme%2Fclean&packages%5B2%5D=acme%2Fclosed&packages%5B3%5D=acme" +
		"%2Fnone&packages%5B4%5D=symfony%2Fconsole&packages%5B5%5D=..%2Fx"
	form := wiretest.Header("Content-Type", "application/x-www-form-urlencoded")
	for what, c := range map[string]struct {
		got  answer
		want string
	}{
		"form": {g.Do("POST", path, all, form), "acme/clean, acme/demo LSA-1 LSA-4, symfony/console LSA-2"},
		"ada": {
			g.Ada("POST", path, all, form), "acme/clean, acme/closed LSA-3, acme/demo LSA-1 LSA-4, symfony/console LSA-2",
		},
		"query": {
			g.Do("GET", path+"?packages[]=acme/demo&packages[]=ACME/clean", nil), "acme/clean, acme/demo LSA-1 LSA-4",
		},
		"since":     {g.Do("GET", path+"?updatedSince=1770000000", nil), "acme/demo LSA-4"},
		"from zero": {g.Do("GET", path+"?updatedSince=0", nil), "acme/demo LSA-1 LSA-4, symfony/console LSA-2"},
		"both": {
			g.Do("GET", path+"?updatedSince=1770000000&packages[]=symfony/console&packages[]=acme/demo", nil), "acme/demo LSA-4",
		},
	} {
		if got := ids(c.got); got != c.want {
			t.Errorf("%s: %s", what, got)
		}
	}
	g.Want(g.Do("POST", path, ""), 400, "neither packages nor updatedSince")
	g.Want(g.Do("POST", path, "%zz"), 400, "not a form")
	g.Want(
		g.Do("GET", "/p2/acme/demo.json", nil), 200,
		`"security-advisories":[{"advisoryId":"LSA-1","affectedVersions":"<1.2.0"},{"advisoryId":"LSA-4",`+
			`"affectedVersions":"1.0.0"}]`,
	)
	g.Want(g.Do("GET", "/p2/acme/clean.json", nil), 200, `"security-advisories":[]`)
	for text, change := range map[string]fields{
		"packageName": {"packageName": "x"}, "affectedVersions": {"affectedVersions": "~>1"}, "title": {"title": ""},
		"reportedAt": {"reportedAt": "soon"}, "link": {"link": "javascript:x"}, "JSON array": {"sources": 7},
	} {
		broken := sampleAdvisory("a/b", "x", "*")
		for k, v := range change {
			broken[k] = v
		}
		g.Want(g.Do("PUT", "/api/advisories", []fields{broken}, g.As("root")), 400, text)
	}
	g.Want(g.Do("PUT", "/api/advisories", "[]", g.As("root")), 200, "")
	if got := ids(g.Do("POST", path, all, form)); got != "acme/clean, acme/demo" {
		t.Error(got)
	}
}

// TestAuditLimit: a request has a thousand names at most, in a body of a megabyte at most.
func TestAuditLimit(t *testing.T) {
	g := newRig(t)
	const path = "/api/security-advisories/"
	many := "packages[]=a/b"
	for i := range maxListParameter {
		many += fmt.Sprintf("&packages[]=a/b%d", i)
	}
	g.Want(g.Do("POST", path, many), 413, "at most 1000")
	g.Want(g.Do("GET", path+"?"+many, nil), 413, "at most 1000")
	g.Want(g.Do("POST", path, strings.Repeat("x", maxForm+1)), 413, "")
}

// TestEveryFormOfCredentials: every form in which Composer and scripts send them, wrong ones refused also where none
// are needed.
func TestEveryFormOfCredentials(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"composer:package:closed/*"} })
	g.publish("closed/demo", "1.0.0")
	token := g.Keys["ada"]
	for what, o := range map[string]option{
		"Bearer": wiretest.Bearer(token), "password": wiretest.Basic("ada", "secret"),
		"token as password": wiretest.Basic("ada", token), "any user": wiretest.Basic("token", token),
		"token as user":        wiretest.Basic(token, ""),
		"token as user with x": wiretest.Basic(token, "x-oauth-basic"),
	} {
		for _, path := range []string{"/p2/closed/demo.json", "/packages.json"} {
			if a := g.Do("GET", path, nil, o); a.Status != 200 || !strings.Contains(a.Body, "closed/demo") {
				t.Errorf("with %s: %v, want a 200 with closed/demo", what, a)
			}
		}
	}
	g.Want(g.Do("GET", "/p2/closed/demo.json", nil), 404, "package not found")
	for what, o := range map[string]option{
		"wrong token": wiretest.Bearer("larder_bad"), "wrong password": wiretest.Basic("ada", "wrong"),
		"no scheme": wiretest.Header("Authorization", "Digest x"),
	} {
		for _, path := range []string{"/packages.json", "/p2/closed/demo.json"} {
			t.Log("with", what)
			g.Want(g.Do("GET", path, nil, o), 401, `"warning":`).
				WantHeader(t, "WWW-Authenticate", `Basic realm="larder"`)
		}
	}
	g.Key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	g.Want(g.Do("GET", "/p2/closed/demo.json", nil, g.As("reader")), 200, "")
	g.Want(g.put("reader", newRelease("acme/demo", "1.0.0")), 403, "read-only")
	g.Want(g.Do("PUT", "?version=1.0", newRelease("acme/demo", "").archive(), g.As("reader")), 403, "read-only")
}

// TestAnonymousNone: with reading closed, everything asks for credentials.
func TestAnonymousNone(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	r := newRelease("acme/demo", "1.0.0")
	g.Want(g.put("ada", r), 201, "")
	for _, path := range []string{
		"/packages.json", "/p2/acme/demo.json", "/p2/acme/none.json", distPath("acme/demo", "1.0.0.0", r.reference(), ""),
		"/list.json", "/search.json?q=x", "/providers/a/b.json", "/packages/acme/demo.json", "/metadata/changes.json?since=1",
		"/api/security-advisories?updatedSince=1",
	} {
		if a := g.Want(g.Do("GET", path, nil), 401, "login"); a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %v", path, a)
		}
		if s := g.Ada("GET", path, nil).Status; s != 200 && path != "/p2/acme/none.json" {
			t.Errorf("%s: %d for a user", path, s)
		}
	}
	g.Want(g.Do("POST", "/downloads/", fields{}), 401, "")
	g.Want(g.Do("POST", "/api/security-advisories/", "packages[]=a/b"), 401, "")
}

// TestHiddenPackageAnswersAsAbsent: a package that must not be seen answers as one that does not exist, by no byte
// different.
func TestHiddenPackageAnswersAsAbsent(t *testing.T) {
	g := newRig(t)
	r := newRelease("acme/closed", "1.0.0")
	g.Want(g.Ada("PUT", "/packages/upload/acme/closed/1.0.0?private=1", r.archive()), 201, "")
	g.User("bob", nil)
	for _, actor := range []string{"", "bob"} {
		for _, path := range []string{
			"/p2/%s.json", "/p2/%s~dev.json", "/dists/%s/1.0.0.0/" + r.reference() + ".zip", "/packages/%s.json",
			"/packages/%s/settings", "/providers/%s.json",
		} {
			hidden := g.Do("GET", fmt.Sprintf(path, "acme/closed"), nil, g.As(actor))
			absent := g.Do("GET", fmt.Sprintf(path, "acme/absent"), nil, g.As(actor))
			what := fmt.Sprintf("%s as %q", path, actor)
			wiretest.Equal(t, what+": the status", hidden.Status, absent.Status)
			wiretest.Equal(t, what+": the body", hidden.Body, absent.Body)
			wiretest.Equal(t, what+": the header", fmt.Sprint(hidden.Header), fmt.Sprint(absent.Header))
			if hidden.Status == 200 && !strings.Contains(path, "providers") {
				t.Errorf("%s: %v, want a refusal", what, hidden)
			}
		}
		for _, path := range []string{
			"/packages.json", "/list.json", "/search.json?q=closed",
			"/metadata/changes.json?since=" + fmt.Sprint(ticks(time.Now().Add(-time.Hour))),
		} {
			g.Want(g.Do("GET", path, nil, g.As(actor)), 200, "").WantNot(t, "acme/closed")
		}
	}
	// A wrong name is found out at the upload as well: the refusal is that of any name bob may not use.
	g.Want(g.Do("PUT", "/packages/upload/acme/closed/2.0.0", r.archive(), g.As("bob")), 404, "package not found")
	g.Want(g.Do("PUT", "?version=2.0.0", r.archive(), g.As("bob")), 404, "package not found")
}

// TestErrors: bodies and challenges of every sentinel, as a golden file.
func TestErrors(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0")
	zip := newRelease("acme/demo", "", fields{"version": "2.0.0"}).archive()
	var out strings.Builder
	for _, c := range []struct {
		what, method, path string
		body               any
		opts               []option
	}{
		{"no credentials", "PUT", "", zip, nil},
		{"no credentials, with a name", "PUT", "/packages/upload/acme/demo/2.0.0", zip, nil},
		{"bad token", "GET", "/packages.json", nil, []option{wiretest.Bearer("larder_bad")}},
		{"wrong password", "GET", "/packages.json", nil, []option{wiretest.Basic("ada", "wrong")}},
		{"absent package", "GET", "/p2/acme/absent.json", nil, nil},
		{"absent archive", "GET", "/dists/acme/demo/1.0.0.0/00.zip", nil, nil},
		{"absent version", "DELETE", "/packages/acme/demo/versions/9.9", nil, []option{g.As("ada")}},
		{"unknown address", "GET", "/p/acme/demo.json", nil, nil},
		{"wrong method", "PATCH", "/packages.json", nil, nil},
		{"bad path", "GET", "/p2/a%5Cb.json", nil, nil},
		{
			"over a version", "PUT", "?version=1.0.0", newRelease("acme/demo", "", fields{"description": "x"}).archive(),
			[]option{g.As("ada")},
		},
		{"bad archive", "PUT", "?version=1.0.0", "x", []option{g.As("ada")}},
		{"bad settings", "PUT", "/packages/acme/demo/settings", "[]", []option{g.As("ada")}},
		{"no admin", "GET", "/api/advisories", nil, []option{g.As("ada")}},
	} {
		a := g.Do(c.method, c.path, c.body, c.opts...)
		g.Want(a, max(a.Status, 400), "")
		fmt.Fprintf(
			&out, "%s: %d %s %q\n%s", c.what, a.Status, a.Header.Get("Cache-Control"), a.Header.Get("WWW-Authenticate"), a.Body,
		)
	}
	wiretest.Golden(t, "errors.txt", out.String())
}

// TestDocumentsHaveAdvisories: documents carry what clients of 2.9 and later read from them.
func TestDocumentsHaveAdvisories(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	g.Want(g.Do("PUT", "/api/advisories", []fields{sampleAdvisory("acme/demo", "LSA-1", "<2")}, g.As("root")), 200, "")
	g.publish("acme/demo", "1.0.0")
	var doc struct {
		Advisories []json.RawMessage `json:"security-advisories"`
	}
	g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 200, "").Decode(t, &doc)
	if len(doc.Advisories) != 1 {
		t.Errorf("%s", doc.Advisories)
	}
	if a := g.Want(g.Do("GET", "/p2/acme/demo~dev.json", nil), 200, ""); strings.Contains(a.Body, "security-advisories") {
		t.Error("branches have none")
	}
	// What is malware is refused also from a lock file: the summary says for whom to look, the document which versions.
	if a := g.Want(g.Do("GET", "/filter-summary.json", nil), 200, ""); a.Body != `{"filter":{"malware":{}}}` {
		t.Error(a)
	}
	old, _ := g.get("/filter-summary.json", "", 200)
	g.get("/filter-summary.json", old, 304)
	bad, worse, hidden := sampleAdvisory("acme/demo", "LSA-2", "1.0.0"), sampleAdvisory(
		"acme/demo", "LSA-3", ">=3,<4",
	), sampleAdvisory("acme/closed", "LSA-4", "*")
	bad["malware"], worse["malware"], hidden["malware"] = true, true, true
	worse["link"] = nil
	g.Want(g.Ada("PUT", "?version=1.0.0&private=1", newRelease("acme/closed", "").archive()), 201, "")
	g.Want(
		g.Do(
			"PUT", "/api/advisories", []fields{bad, sampleAdvisory("acme/demo", "LSA-1", "<2"), worse, hidden}, g.As("root"),
		),
		200, "",
	)
	_, a := g.get("/filter-summary.json", old, 200)
	a.WantExactly(t, `{"filter":{"malware":{"acme/demo":"1.0.0||\u003e=3,\u003c4"}}}`)
	g.Want(g.Ada("GET", "/filter-summary.json", nil), 200, `"acme/closed":"*"`)
	g.Want(
		g.Do("GET", "/p2/acme/demo.json", nil), 200,
		`"filter":{"malware":[{"constraint":"1.0.0","reason":"Shelves fall","url":"https://advisories.example.com/LSA-2",`+
			`"id":"LSA-2"},{"constraint":">=3,<4","reason":"Shelves fall","id":"LSA-3"}]}`,
	)
}
