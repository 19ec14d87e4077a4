package pages

// READMEs that are looked for in archives, of what is published here and of copies; and what rules keep from clients.

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/internal/miniclient"
	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// withReadme is a release of a kind with a README in its archive.
func withReadme(t *testing.T, kind, name, text string) []byte {
	t.Helper()
	var file []byte
	var err error
	readme := miniclient.Member{Name: "README.md", Body: []byte(text)}
	within := func(folder string, m miniclient.Member) miniclient.Member {
		return miniclient.Member{Name: folder + "/" + m.Name, Body: m.Body}
	}
	switch kind {
	case "rubygems":
		file, err = miniclient.Gem(name, "1.0.0", "[]", miniclient.Member{Name: "lib/README.md", Body: []byte("not this")},
			readme)
	case "composer":
		file, err = miniclient.Zip(miniclient.Member{
			Name: "composer.json", Body: fmt.Appendf(nil, `{"name":"acme/%s","version":"1.0.0"}`, name),
		}, readme, within("docs/more", readme))
	case "npm":
		file, err = miniclient.Tgz(miniclient.Member{
			Name: "package/package.json", Body: fmt.Appendf(nil, `{"name":%q,"version":"1.0.0"}`, name),
		}, within("package", readme))
	case "cargo":
		file, err = miniclient.Tgz(miniclient.Member{
			Name: name + "-1.0.0/Cargo.toml", Body: fmt.Appendf(nil, "[package]\nname = %q\nversion = \"1.0.0\"\n", name),
		}, within(name+"-1.0.0", readme))
	case "pypi":
		info := name + "-1.0.0.dist-info/"
		file, err = miniclient.Zip(miniclient.Member{Name: info + "METADATA", Body: fmt.Appendf(nil,
			"Metadata-Version: 2.1\nName: %s\nVersion: 1.0.0\nDescription-Content-Type: text/markdown\n\n%s", name, text)},
			miniclient.Member{Name: info + "WHEEL", Body: []byte("Wheel-Version: 1.0\nTag: py3-none-any\n")},
			miniclient.Member{Name: info + "RECORD"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// copyOf is a server that keeps copies of g's packages of a kind; the name of its upstream is "origin".
func copyOf(t *testing.T, g *rig, kind store.Kind, change ...func(*wiretest.Options)) *rig {
	t.Helper()
	registry := ""
	for _, p := range miniclient.All() {
		if p.Kind == string(kind) {
			registry = p.Registry
		}
	}
	change = append([]func(*wiretest.Options){func(o *wiretest.Options) {
		o.Upstreams = &upstream.Options{Spellings: spellings(), Upstreams: []upstream.Config{{
			Kind: kind, Name: "origin", URL: g.Srv.URL + registry, Private: true,
		}}}
	}}, change...)
	return newRig(t, change...)
}

// obtain fetches a release as its client does: the document, and with file also the file.
func (g *rig) obtain(kind string, r miniclient.Release, file bool) {
	g.T.Helper()
	for _, p := range miniclient.All() {
		if p.Kind != kind {
			continue
		}
		prefix := ""
		if kind == "oci" {
			prefix = "origin/"
		}
		s := &miniclient.Server{Base: g.Srv.URL, HTTP: g.Srv.Client()}
		document, err := p.Listed(g.T.Context(), s, prefix, r)
		if err != nil {
			g.T.Fatal(err)
		}
		if !file {
			return
		}
		path, err := p.File(prefix, document, r)
		if err != nil {
			g.T.Fatal(err)
		}
		if a, err := s.Do(g.T.Context(), "GET", path, nil); err != nil || a.Status != http.StatusOK {
			g.T.Fatalf("%s: %d %v", path, a.Status, err)
		}
	}
}

// TestReadmesAreReadFromArchives of gems and Composer's packages, and of the copies of every kind whose archives have
// one; hostile ones do nothing.
func TestReadmesAreReadFromArchives(t *testing.T) {
	texts := []string{"# Read me\n\nIt is *here*.", "# Read me\n\n<b>here</b>\n\n" + strings.Join(hostile[:19], "\n\n")}
	for _, kind := range []string{"rubygems", "composer", "npm", "cargo", "pypi"} {
		t.Run(kind, func(t *testing.T) {
			g := newRig(t)
			c := copyOf(t, g, store.Kind(kind))
			var list []miniclient.Release
			for i, text := range texts {
				r := miniclient.Release{Name: fmt.Sprintf("readme%d", i), Version: "1.0.0"}
				r.File = withReadme(t, kind, r.Name, text)
				g.release(kind, r)
				list = append(list, r)
			}
			for _, r := range list {
				name := r.Name
				c.obtain(kind, r, true)
				for what, rig := range map[string]*rig{"published": g, "a copy": c} {
					page := rig.page("", "/ui/"+kind+"/"+recordName(kind, name))
					if kind == "cargo" && rig == g {
						continue // cargo sends the text beside the crate
					}
					if !strings.Contains(page, "<h3>Read me</h3>") || strings.Contains(page, "not this") {
						t.Errorf("%s, %s: the page lacks the readme: %s", name, what, page)
					}
					g.lacks(page, "<script>", "<img", "<iframe", "<style", "<form action=\"https", "onerror=alert(1)>", `href="jav`)
				}
			}
		})
	}
}

// release publishes a file as ada.
func (g *rig) release(kind string, r miniclient.Release) {
	g.T.Helper()
	for _, p := range miniclient.All() {
		if p.Kind != kind {
			continue
		}
		s := &miniclient.Server{Base: g.Srv.URL, Auth: "Bearer " + g.Keys["ada"], HTTP: g.Srv.Client()}
		a, err := p.Publish(g.T.Context(), s, r)
		if err != nil || a.Status >= 300 {
			g.T.Fatalf("publish %s %s: %d %s %v", kind, r.Name, a.Status, a.Body, err)
		}
	}
}

// TestCopiesWithoutFilesHavePages: what a document says is shown before anybody has fetched a file.
func TestCopiesWithoutFilesHavePages(t *testing.T) {
	for _, p := range miniclient.All() {
		t.Run(p.Kind, func(t *testing.T) {
			g := newRig(t)
			c := copyOf(t, g, store.Kind(p.Kind), func(o *wiretest.Options) {
				o.Upstreams.Blocked = []string{"npm:another"} // with rules a document is stored before it is sent
			})
			file, err := p.Make("demo", "1.0.0", []byte("demo"))
			if err != nil {
				t.Fatal(err)
			}
			r := miniclient.Release{Name: "demo", Version: "1.0.0", File: file}
			g.release(p.Kind, r)
			c.obtain(p.Kind, r, false)
			name := recordName(p.Kind, "demo")
			if p.Kind == "oci" {
				name = "origin/" + name
			}
			at := "/ui/" + p.Kind + "/" + name
			page := c.page("", at)
			g.has(page, "copy of")
			g.lacks(page, "tag hosted")
			if p.Kind != "oci" { // the document of an image is the image's manifest
				g.has(page, "no file kept yet")
			}
			c.page("", at+"/-/versions")
			g.has(c.page("", "/ui/"+p.Kind), "demo")
			g.has(c.page("", "/ui/search?q=demo"), "copy of")
			if page := c.page("", "/ui/search?q=demo&origin=hosted"); strings.Contains(page, "copy of") {
				t.Errorf("a search for what is hosted finds the copy: %s", page)
			}
			g.has(c.page("", "/ui/search?q=demo&origin=copy"), "copy of")
			g.has(c.page("", "/ui/"+p.Kind+"?origin=copy"), "demo")
			g.has(c.page("", "/ui/"+p.Kind+"?origin=hosted"), "No such name")
			g.has(g.page("", "/ui/"+p.Kind+"?origin=copy"), "No such name")
			g.has(g.page("", "/ui/"+p.Kind+"?origin=hosted&filter=dem"), "tag hosted")
		})
	}
}

// TestBannersSayWhatClientsAreTold: a page has the very sentence of the 403.
func TestBannersSayWhatClientsAreTold(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t)
	c := copyOf(t, g, store.NPM, func(o *wiretest.Options) {
		o.WithClock(clock)
		o.Upstreams.Now, o.Upstreams.MinAge, o.Upstreams.Blocked = clock.Now, 72*time.Hour, []string{"npm:demo@1.0.1"}
	})
	for _, version := range []string{"1.0.0", "1.0.1"} {
		g.publish("npm", "demo", version)
	}
	c.obtain("npm", miniclient.Release{Name: "demo", Version: "1.0.0"}, true)
	g.publish("npm", "demo", "1.1.0")
	clock.Advance(time.Hour)
	c.obtain("npm", miniclient.Release{Name: "demo", Version: "1.0.0"}, true)
	page, versions := c.page("", "/ui/npm/demo"), c.page("", "/ui/npm/demo/-/versions")
	g.has(versions, `<span class="tag warn">held</span>`, `<span class="tag bad">blocked</span>`)
	for _, version := range []string{"1.0.1", "1.1.0"} {
		a := c.Do("GET", "/npm/demo/-/demo-"+version+".tgz", nil)
		var said struct{ Error string }
		if err := json.Unmarshal([]byte(a.Body), &said); err != nil || a.Status != 403 {
			t.Fatalf("%s: %v, want a refusal", version, a)
		}
		sentence := template.HTMLEscapeString(said.Error)
		g.has(page, sentence)
		g.has(c.page("", "/ui/npm/demo/-/v/"+version), sentence)
	}
	g.lacks(page, "demo@1.1.0")
	if a := c.Do("GET", "/ui/npm/demo/-/v/9.9.9", nil, browser()); a.Status != 404 {
		t.Errorf("%v: want a version that nobody knows", a)
	}
}

// TestAdvisoriesAreBanners of the versions that they are about, of what is published here and of copies.
func TestAdvisoriesAreBanners(t *testing.T) {
	g := newRig(t)
	c := copyOf(t, g, store.NPM)
	for _, version := range []string{"1.0.0", "1.1.0"} {
		g.publish("npm", "demo", version)
	}
	for _, version := range []string{"1.0.0", "1.1.0"} {
		c.obtain("npm", miniclient.Release{Name: "demo", Version: version}, true)
	}
	for _, rig := range []*rig{g, c} {
		rig.User("root", nil, true)
		rig.Want(rig.Do("PUT", "/npm/-/larder/advisories", []map[string]any{{
			"id": "ADV-1", "package": "demo", "title": "It <b>leaks</b>", "url": "https://adv.example.com/1",
			"severity": "high", "vulnerable_versions": "<1.1.0", "cwe": []string{},
		}}, rig.As("root")), 200, "")
		rig.has(rig.page("", "/ui/npm/demo/-/v/1.0.0"), "ADV-1", "It &lt;b&gt;leaks", `href="https://adv.example.com/1"`)
		rig.lacks(rig.page("", "/ui/npm/demo/-/v/1.1.0"), "ADV-1")
		rig.lacks(rig.page("", "/ui/npm/demo"), "ADV-1")
	}
}

// TestBlockedPackageIsRefusedAsItsClientsAre in the same words, and is on no list.
func TestBlockedPackageIsRefusedAsItsClientsAre(t *testing.T) {
	g := newRig(t)
	g.publish("npm", "demo", "1.0.0")
	open := copyOf(t, g, store.NPM)
	open.obtain("npm", miniclient.Release{Name: "demo", Version: "1.0.0"}, true)
	open.has(open.page("", "/"), "/ui/npm/demo")
	blocked := copyOf(t, g, store.NPM, func(o *wiretest.Options) { o.Upstreams.Blocked = []string{"npm:demo"} })
	a := blocked.Do("GET", "/ui/npm/demo", nil, browser())
	if a.Status != 403 {
		t.Errorf("%v, want a refusal", a)
	}
	blocked.has(a.Body, template.HTMLEscapeString("demo is blocked by this registry's rules."))
	blocked.lacks(blocked.page("", "/"), "/ui/npm/demo")
}
