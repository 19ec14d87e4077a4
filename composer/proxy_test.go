package composer

// Copies of remote repositories: what is rewritten, left out and refused.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

// remote is a repository of others: documents by path, in which BASE stands for its address.
type remote struct {
	*httptest.Server

	mu    sync.Mutex // guards the rest
	files map[string]string
	asked []string
}

func newRemote(t *testing.T, files map[string]string) *remote {
	o := &remote{files: files}
	o.Server = httptest.NewServer(http.HandlerFunc(o.answer))
	t.Cleanup(o.Close)
	if files["/packages.json"] == "" {
		o.put(
			"/packages.json",
			`{"packages":[],"metadata-url":"/p2/%package%.json","search":"/search.json?q=%query%&type=%type%"}`,
		)
	}
	return o
}

func (o *remote) answer(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r.URL.String())
	body, ok := o.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(strings.ReplaceAll(body, "BASE", o.URL)))
}

func (o *remote) put(path, body string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files[path] = body
}

func (o *remote) was(part string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.asked, func(path string) bool { return strings.Contains(path, part) })
}

// cache opens a repository that keeps copies of o.
func (o *remote) cache(t *testing.T, claims ...string) *rig {
	t.Helper()
	up := upstream.Options{Upstreams: []upstream.Config{{Kind: store.Composer, Name: "main", URL: o.URL}}, Claims: claims}
	return newRig(t, func(r *rigOptions) { r.Upstreams = &up })
}

// document is a package's metadata with versions as they are.
func document(name string, versions ...string) string {
	return `{"packages":{"` + name + `":[` + strings.Join(versions, ",") + `]},"minified":"composer/2.0"}`
}

// entry is a version with an archive, and more members.
func entry(name, version, more string) string {
	return fmt.Sprintf(
		`{"name":%q,"version":%q,"version_normalized":"%s.0","dist":{"type":"zip","url":"BASE/zip/%s","reference":"",`+
			`"shasum":""}%s}`,
		name, version, version, version, more,
	)
}

// TestRemoteVersionsInheritFields: a version that says nothing of its archive has that of the one before, at an address
// of its own; what is unset there is unset here; and each address yields its bytes.
func TestRemoteVersionsInheritFields(t *testing.T) {
	const ref = "0123456789abcdef0123456789abcdef01234567"
	archive := string(newRelease("acme/demo", "1.0.0").archive())
	o := newRemote(t, map[string]string{"/zip/x": archive, "/p2/acme/demo.json": document("acme/demo",
		`{"name":"acme/demo","version":"v2.0.1","version_normalized":"2.0.1.0","require":{"acme/extra":"^1.0"},`+
			`"time":"2026-01-02T00:00:00+00:00","notification-url":"BASE/downloads/","dist":{"type":"zip","url":"BASE/zip/x",`+
			`"reference":"`+ref+`","shasum":"","mirrors":[{"url":"BASE/m"}]}}`,
		`{"version":"v2.0.0","version_normalized":"2.0.0.0"}`,
		`{"version":"v1.0.0","version_normalized":"1.0.0.0","require":"__unset"}`)})
	g := o.cache(t)
	list := g.versions("", "acme/demo", "")
	if len(list) != 3 {
		t.Fatalf("%v", list)
	}
	for i, normal := range []string{"2.0.1.0", "2.0.0.0", "1.0.0.0"} {
		v := list[i]
		url, _ := wiretest.At(v, "dist", "url").(string)
		wiretest.WantMembers(t, normal, v, fields{
			"dist/url":     g.Base + "/dists/acme/demo/" + normal + "/" + ref + ".zip",
			"dist/mirrors": nil, "notification-url": nil,
		})
		wiretest.Equal(t, normal+": it requires nothing", v["require"] == nil, i == 2)
		g.Want(g.Do("GET", url, nil), 200, "").WantExactly(t, archive)
	}
}

// TestRemotePoliciesAreKept: what clients decide by passes: times of publishing, advisories, lists of malware.
func TestRemotePoliciesAreKept(t *testing.T) {
	doc := strings.TrimSuffix(
		document(
			"acme/demo",
			entry("acme/demo", "1.0.0", `,"published-time":"2026-01-02T03:04:05+00:00","time":"2020-01-01T00:00:00+00:00"`),
		),
		"}",
	) +
		`,"security-advisories":[{"advisoryId":"X-1","affectedVersions":"<2"}],` +
		`"filter":{"malware":[{"constraint":"1.0.0","id":"M-1"}]}}`
	g := newRemote(t, map[string]string{"/p2/acme/demo.json": doc}).cache(t)
	a := g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 200, `"published-time":"2026-01-02T03:04:05+00:00"`)
	for _, want := range []string{
		`"security-advisories":[{"advisoryId":"X-1","affectedVersions":"<2"}]`,
		`"filter":{"malware":[{"constraint":"1.0.0","id":"M-1"}]}`,
	} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("no %s in %s", want, a.Body)
		}
	}
}

// TestOwnNamesAreNeverAskedFor: a name that is ours is ours everywhere, and the other repository does not hear of it.
func TestOwnNamesAreNeverAskedFor(t *testing.T) {
	o := newRemote(t, map[string]string{
		"/p2/mine/demo.json": document("mine/demo", entry("mine/demo", "9.0.0", "")),
		"/p2/acme/lib.json":  document("acme/lib", entry("acme/lib", "9.0.0", "")),
		"/p2/other/lib.json": document("other/lib", entry("other/lib", "1.0.0", "")),
		"/search.json": `{"results":[{"name":"mine/demo","description":"theirs"},{"name":"acme/lib",` +
			`"description":"theirs"},{"name":"Acme/Lib","description":"theirs"},{"name":"other/lib","description":"theirs"}` +
			`],"total":4}`,
	})
	g := o.cache(t, "composer:mine/*", "composer:acme/*")
	g.publish("mine/demo", "1.0.0")
	if got := g.normals("mine/demo", ""); got != "1.0.0.0" {
		t.Error(got)
	}
	for _, path := range []string{
		"/p2/mine/secret.json", "/p2/acme/lib.json", "/p2/Acme/Lib.json", "/p2/acme/lib~dev.json",
		"/dists/mine/demo/9.0.0.0/0123456789abcdef0123456789abcdef01234567.zip",
		"/dists/acme/lib/9.0.0.0/0123456789abcdef0123456789abcdef01234567.zip",
	} {
		g.Want(g.Do("GET", path, nil), 404, "")
	}
	a := g.Want(g.Do("GET", "/search.json?q=lib", nil), 200, `"other/lib"`)
	a.WantNot(t, "acme/lib", "Acme/Lib", `"mine/demo","description":"theirs"`)
	g.Want(g.Do("GET", "/p2/other/lib.json", nil), 200, "1.0.0")
	for _, own := range []string{"mine", "acme", "Acme"} {
		if o.was(own) {
			t.Errorf("the upstream was asked for %s: %q", own, o.asked)
		}
	}
	g.Want(g.put("ada", newRelease("other/lib", "2.0.0")), 409, "claim")
}

// TestRemoteVersionsThatLeadOutAreLeftOut: a version of another repository that would lead clients out of the package's
// folder, or hand an option to a program, is left out, and the log says so; the others stay as they are.
func TestRemoteVersionsThatLeadOutAreLeftOut(t *testing.T) {
	good := []string{
		entry(
			"acme/demo", "9.0.0",
			`,"bin":["bin/x","a/..b"],"autoload":{"psr-4":{"A\\":["src/","lib"],"..\\":""},"classmap":["x"]},`+
				`"target-dir":"A/B","source":{"type":"git","url":"https://example.com/x","reference":"abc"},"extra":{"x":"../y"}`,
		),
		entry("acme/demo", "1.0.0", `,"description":"a\nb"`),
	}
	bad := []string{}
	for i, more := range []string{
		`"bin":["../../x"]`, `"bin":"a/../x"`, `"bin":["..\\x"]`, `"bin":["C:x"]`, `"target-dir":"../x"`,
		`"include-path":["lib","../.."]`, `"autoload":{"psr-4":{"A\\":"../src"}}`, `"autoload":{"files":["a","b/../../c"]}`,
		`"source":{"type":"git","url":"--upload-pack=x","reference":"a"}`,
		`"source":{"type":"hg","url":"https://example.com","reference":"--config=x"}`,
		`"source":{"type":"p4","url":"x -y","reference":"a"}`, `"name":"acme/other"`,
		`"dist":{"type":"zip","url":"-x","reference":"","shasum":""}`,
	} {
		bad = append(bad, fmt.Sprintf(`{"version":"2.0.%d","version_normalized":"2.0.%d.0",%s}`, i, i, more))
	}
	doc := `{"packages":{"acme/demo":[` + strings.Join(slices.Concat(good, bad), ",") + `]}}`
	g := newRemote(t, map[string]string{"/p2/acme/demo.json": doc}).cache(t)
	if got := g.normals("acme/demo", ""); got != "9.0.0.0 1.0.0.0" {
		t.Error(got)
	}
	g.Do("GET", "/p2/acme/demo.json", nil).WantBody(t, `"bin":["bin/x","a/..b"]`, `"description":"a\nb"`)
	if n := strings.Count(g.Log.String(), "an upstream's version is left out"); n != len(bad) {
		t.Errorf("%d of %d in the log", n, len(bad))
	}
}

// TestRemoteTextsHaveNoControlCharacters: what a terminal would obey is taken out of what others say, in metadata and
// in searches (CVE-2025-67746).
func TestRemoteTextsHaveNoControlCharacters(t *testing.T) {
	o := newRemote(t, map[string]string{
		"/p2/acme/demo.json": strings.TrimSuffix(
			document(
				"acme/demo",
				entry(
					"acme/demo", "1.0.0",
					`,"description":"red \u001b[31m \u009b2J\u007f","keywords":["\b"],"abandoned":"x\u0000y",`+
						`"suggest":{"a/\u001bb":"c\\back"}`,
				),
			),
			"}",
		) +
			`,"security-advisories":[{"advisoryId":"X\u001b-1","affectedVersions":"<2"}]}`,
		"/search.json": `{"results":[{"name":"acme/demo","description":"red \u001b[31m"}],"total":1}`,
	})
	g := o.cache(t)
	for path, want := range map[string]string{
		"/p2/acme/demo.json": `"description":"red [31m 2J"`, "/search.json?q=x": `"description":"red [31m"`,
	} {
		g.Want(g.Do("GET", path, nil), 200, want).WantNot(t, `\u00`, `\b"`)
	}
	g.Do("GET", "/p2/acme/demo.json", nil).WantBody(t, `"advisoryId":"X-1"`, `"suggest":{"a/b":"c\\back"}`)
}

// TestFirstCopyOfAnArchiveCounts: without a checksum the first copy counts for good; with one no other bytes are
// served.
func TestFirstCopyOfAnArchiveCounts(t *testing.T) {
	first, second := string(newRelease("acme/demo", "1.0.0").archive()), string(newRelease("acme/demo", "2.0.0").archive())
	o := newRemote(
		t,
		map[string]string{
			"/zip/1.0.0": first, "/zip/2.0.0": second,
			"/p2/acme/demo.json": document(
				"acme/demo",
				strings.Replace(
					entry("acme/demo", "2.0.0", ""), `"shasum":""`, `"shasum":"`+newRelease("acme/demo", "1.0.0").reference()+`"`, 1,
				),
				entry("acme/demo", "1.0.0", ""),
			),
		},
	)
	g := o.cache(t)
	list := g.versions("", "acme/demo", "")
	wrong, right := wiretest.At(list[0], "dist", "url").(string), wiretest.At(list[1], "dist", "url").(string)
	for range 2 {
		if a := g.Want(g.Do("GET", right, nil), 200, ""); a.Body != first {
			t.Error("other bytes")
		}
		o.put("/zip/1.0.0", second)
		if a := g.Do("GET", wrong, nil); a.Status != 502 && a.Status != 503 {
			t.Errorf("%v", a)
		}
	}
}

// TestRemoteArchivesAreAskedForByHTTPOnly: an archive's address is one of the web, whatever a document says.
func TestRemoteArchivesAreAskedForByHTTPOnly(t *testing.T) {
	for _, at := range []string{
		"file:///etc/passwd", "ftp://127.0.0.1/x.zip", "gopher://127.0.0.1/x", "/etc/passwd\u0000", "php://filter/x",
	} {
		doc := document("acme/demo", strings.Replace(entry("acme/demo", "1.0.0", ""), "BASE/zip/1.0.0", at, 1))
		g := newRemote(t, map[string]string{"/p2/acme/demo.json": doc}).cache(t)
		a := g.Do("GET", "/p2/acme/demo.json", nil)
		if a.Status != 200 {
			continue // nothing is left of it
		}
		url, _ := wiretest.At(g.versions("", "acme/demo", "")[0], "dist", "url").(string)
		if a := g.Do("GET", url, nil); a.Status < 400 {
			t.Errorf("%s: %v", at, a)
		}
	}
}
