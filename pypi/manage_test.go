package pypi

// Changing what is there, and XML-RPC.

import (
	"fmt"
	"strings"
	"testing"

	"larder/internal/wiretest"
)

// latest is the version the JSON API shows.
func (g *rig) latest(name string) any {
	g.T.Helper()
	doc := g.Want(g.Do("GET", "/pypi/"+name+"/json", nil, g.As("ada")), 200, "").Object(g.T)
	return wiretest.At(doc, "info", "version")
}

// TestYankHidesReleaseOrFile: a release or one of its files, with a reason or without, and back; the latest release is
// another one meanwhile.
func TestYankHidesReleaseOrFile(t *testing.T) {
	g := newRig(t)
	g.publish("demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl", "demo-2.0.tar.gz", "demo-3.0rc1-py3-none-any.whl")
	yank := func(method, what string, body any) {
		t.Helper()
		g.Want(g.Ada(method, "/pypi/-/demo/"+what+"/yank", body), 204, "")
	}
	want := func(latest string, yanked map[string]any) {
		t.Helper()
		if got := g.latest("demo"); got != latest {
			t.Errorf("the latest release is %v, not %s", got, latest)
		}
		for name, e := range entries(g.project("demo")) {
			if y, ok := yanked[name]; (!ok && e["yanked"] != false) || (ok && e["yanked"] != y) {
				t.Errorf("%s: yanked %v, want %v", name, e["yanked"], yanked[name])
			}
		}
	}
	want("2.0", nil)
	yank("PUT", "2.0.0", fields{"reason": "broken"})
	want("1.0", map[string]any{"demo-2.0-py3-none-any.whl": "broken", "demo-2.0.tar.gz": "broken"})
	html := g.Do("GET", "/simple/demo/", nil).Body
	wiretest.Equal(t, "yanked files with the reason in the page", strings.Count(html, `data-yanked="broken"`), 2)
	wiretest.Equal(t, "yanked files in the page", strings.Count(html, "data-yanked"), 2)
	yank("PUT", "1.0", nil)
	want("3.0rc1", map[string]any{
		"demo-2.0-py3-none-any.whl": "broken", "demo-2.0.tar.gz": "broken", "demo-1.0-py3-none-any.whl": true,
	})
	g.Do("GET", "/simple/demo/", nil).WantBody(t, `data-yanked=""`)
	yank("DELETE", "2.0", nil)
	yank("PUT", "files/demo-2.0.tar.gz", fields{"reason": "no source"})
	want("2.0", map[string]any{"demo-2.0.tar.gz": "no source", "demo-1.0-py3-none-any.whl": true})
	yank("PUT", "files/demo-2.0-py3-none-any.whl", nil)
	want("3.0rc1", map[string]any{
		"demo-2.0.tar.gz": "no source", "demo-2.0-py3-none-any.whl": true, "demo-1.0-py3-none-any.whl": true,
	})
	yank("DELETE", "files/demo-2.0.tar.gz", nil)
	want("2.0", map[string]any{"demo-2.0-py3-none-any.whl": true, "demo-1.0-py3-none-any.whl": true})
	// A yanked file is still served.
	g.Want(g.Do("GET", g.url("demo", "demo-1.0-py3-none-any.whl"), nil), 200, "")
	for path, status := range map[string]int{"9.9": 404, "files/demo-9.9.tar.gz": 404} {
		g.Want(g.Ada("PUT", "/pypi/-/demo/"+path+"/yank", nil), status, "")
	}
	g.Want(g.Ada("PUT", "/pypi/-/demo/1.0/yank", fields{"reason": strings.Repeat("x", 1001)}), 400, "reason")
	g.Want(g.Ada("PUT", "/pypi/-/demo/1.0/yank", "{"), 400, "JSON")
	g.Want(g.Ada("PUT", "/pypi/-/absent/1.0/yank", nil), 404, "")
	// A file that comes later is yanked with its release.
	g.publish("demo-1.0.tar.gz")
	want("2.0", map[string]any{
		"demo-2.0-py3-none-any.whl": true, "demo-1.0-py3-none-any.whl": true, "demo-1.0.tar.gz": true,
	})
}

// TestNamesOfDeletedFilesStayTaken: a file, a release with its last file, a project; what stays is in order.
func TestNamesOfDeletedFilesStayTaken(t *testing.T) {
	g := newRig(t)
	shows := func(files, versions string) {
		t.Helper()
		page := g.project("demo")
		wiretest.Equal(t, "files of the page", strings.Join(order(page), " "), files)
		wiretest.Equal(t, "versions of the page", fmt.Sprint(page["versions"]), versions)
	}
	g.publish("demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-2.0-py3-none-any.whl", "demo-3.0.tar.gz")
	at := g.url("demo", "demo-1.0-py3-none-any.whl")
	g.Want(g.Ada("DELETE", "/pypi/-/demo/files/demo-1.0-py3-none-any.whl", nil), 204, "")
	g.Want(g.Do("GET", at, nil), 410, "This file was deleted.")
	shows("demo-1.0.tar.gz demo-2.0-py3-none-any.whl demo-3.0.tar.gz", "[1.0 2.0 3.0]")
	g.Want(g.Ada("DELETE", "/pypi/-/demo/files/demo-1.0.tar.gz", nil), 204, "")
	g.Want(g.Ada("DELETE", "/pypi/-/demo/3.0.0", nil), 204, "")
	shows("demo-2.0-py3-none-any.whl", "[2.0]")
	wiretest.Equal(t, "latest release", g.latest("demo"), "2.0")
	// A release can come back with other files, but not with those.
	g.Want(g.put("ada", newUpload("demo-3.0.tar.gz")), 409, "was deleted")
	g.publish("demo-3.0-py3-none-any.whl")
	g.Want(g.Ada("DELETE", "/pypi/-/demo", nil), 204, "")
	g.Want(g.Do("GET", "/simple/demo/", nil), 404, "")
	g.Want(g.Do("GET", "/pypi/demo/json", nil), 404, "")
	for _, path := range []string{"/pypi/-/demo", "/pypi/-/demo/2.0", "/pypi/-/demo/files/demo-2.0-py3-none-any.whl"} {
		g.Want(g.Ada("DELETE", path, nil), 404, "")
	}
	g.Want(g.put("ada", newUpload("demo-2.0-py3-none-any.whl")), 409, "was deleted")
	g.publish("demo-4.0-py3-none-any.whl")
	wiretest.Equal(t, "versions of the new project", fmt.Sprint(g.project("demo")["versions"]), "[4.0]")
}

// TestStatusShowsAndForbids: every marker of PEP 792, what it shows and what it forbids.
func TestStatusShowsAndForbids(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	g.publish(demoWheel)
	file := g.url("demo-pkg", demoWheel)
	set := func(actor, status, reason string, want int) {
		t.Helper()
		g.Want(g.Do("PUT", "/pypi/-/demo-pkg/status", fields{"status": status, "reason": reason}, g.As(actor)), want, "")
	}
	shown := func(status string, reason any) {
		t.Helper()
		wiretest.WantMembers(t, "page", g.project("demo-pkg"), fields{
			"project-status/status": status, "project-status/reason": reason,
		})
	}
	shown("active", nil)
	set("ada", "deprecated", "use other", 204)
	shown("deprecated", "use other")
	g.publish("demo_pkg-1.1-py3-none-any.whl")
	set("ada", "archived", "", 204)
	shown("archived", nil)
	g.Want(g.put("ada", newUpload("demo_pkg-1.2-py3-none-any.whl")), 403, "archived and takes no uploads")
	g.Want(g.Do("GET", file, nil), 200, "")
	set("ada", "quarantined", "", 403)
	shown("archived", nil)
	set("root", "quarantined", "malware", 204)
	shown("quarantined", "malware")
	page := g.project("demo-pkg")
	wiretest.Equal(t, "files of a project in quarantine", len(order(page)), 0)
	wiretest.Equal(t, "versions of a project in quarantine", fmt.Sprint(page["versions"]), "[]")
	// Lockfiles skip the index: the files themselves are closed.
	for _, u := range []string{
		file, file + ".metadata", file + ".asc", "/pypi/integrity/demo-pkg/1.0/" + demoWheel + "/provenance",
	} {
		g.Want(g.Do("GET", u, nil), 403, "The project demo-pkg is quarantined: malware.")
	}
	g.Want(g.Do("GET", "/pypi/demo-pkg/json", nil), 404, "")
	g.Do("GET", "/simple/", nil, asJSON).WantNot(t, "demo")
	g.Want(g.put("ada", newUpload("demo_pkg-1.2-py3-none-any.whl")), 403, "quarantined")
	set("ada", "active", "", 403)
	set("root", "active", "", 204)
	shown("active", nil)
	g.Want(g.Do("GET", file, nil), 200, "")
	set("ada", "x", "", 400)
	g.Want(g.Ada("PUT", "/pypi/-/demo-pkg/status", nil), 400, "")
	g.Want(g.Ada("PUT", "/pypi/-/absent/status", fields{"status": "active"}), 404, "")
	tail, err := g.Store.JournalTail(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	last := fmt.Sprint(tail[0].Op, " ", tail[0].Note, " ", tail[0].Actor.User)
	wiretest.Equal(t, "newest entry of the journal", last, "status active root")
}

// rpcCall sends a call.
func (g *rig) rpcCall(actor, path, method, params string) answer {
	g.T.Helper()
	body := `<?xml version='1.0'?><methodCall><methodName>` + method + `</methodName>` +
		`<params>` + params + `</params></methodCall>`
	return g.Do("POST", path, body, g.As(actor), wiretest.Header("Content-Type", "text/xml"))
}

// TestXMLRPCSearchAndChangeFeed: pip's search, and what mirrors follow.
func TestXMLRPCSearchAndChangeFeed(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"pypi:package:secret*"} })
	g.Want(g.put("ada", newUpload("acme_tools-1.0-py3-none-any.whl", func(u *upload) {
		u.headers = "Summary: hammers & nails\nKeywords: iron,steel\n"
	})), 200, "")
	g.Want(g.put("ada", newUpload("acme_tools-1.1rc1-py3-none-any.whl")), 200, "")
	g.publish("other-2.0.tar.gz", "secret_tools-1.0.tar.gz")
	search := func(word string) string {
		list := `<value><array><data><value><string>` + word + `</string></value></data></array></value>`
		return `<param><value><struct><member><name>name</name>` + list + `</member>` +
			`<member><name>summary</name>` + list + `</member></struct></value></param>` +
			`<param><value><string>or</string></value></param>`
	}
	for word, want := range map[string]int{
		"acme": 1, "tools": 1, "acme-tools": 1, "hammers": 1, "iron": 1, "ham": 1, "nothing": 0, "other": 1, "secret": 0,
	} {
		for _, path := range []string{"/pypi", "/pypi/", "/RPC2"} {
			a := g.Want(g.rpcCall("", path, "search", search(word)), 200, "<methodResponse><params>")
			a.WantHeader(t, "Content-Type", "text/xml; charset=utf-8")
			wiretest.Equal(t, "hits for "+word, strings.Count(a.Body, "<name>version</name>"), want)
		}
	}
	g.Want(g.rpcCall("", "/pypi", "search", search("acme")), 200, "<string>hammers &amp; nails</string>")
	g.Want(g.rpcCall("", "/pypi", "search", search("acme")), 200, "<string>1.0</string>")
	g.Want(g.rpcCall("ada", "/pypi", "search", search("secret")), 200, "secret-tools")
	g.Want(g.rpcCall("", "/pypi", "changelog_last_serial", ""), 200, "<int>11</int>")
	g.Want(g.rpcCall("", "/pypi", "list_packages_with_serial", ""), 200, "<name>acme_tools</name><value><int>5</int>")
	changes := func(actor string, since int) answer {
		number := fmt.Sprintf("<param><value><int>%d</int></value></param>", since)
		return g.rpcCall(actor, "/pypi", "changelog_since_serial", number)
	}
	all := changes("", 0).WantNot(t, "secret")
	all.WantBody(t, "<string>add py3 file acme_tools-1.0-py3-none-any.whl</string>")
	wiretest.Equal(t, "changes that everybody sees", strings.Count(all.Body, "<array>"), 1+8)
	g.Want(changes("ada", 8), 200, "secret")
	// Mirrors learn of deletions, too.
	g.Want(g.Ada("DELETE", "/pypi/-/other", nil), 204, "")
	g.Want(changes("", 11), 200, "remove project")
	g.rpcCall("", "/pypi", "list_packages_with_serial", "").WantNot(t, "other")
}

// TestSenselessCallsAreFaults: calls that make no sense are faults with status 200, large ones and document types are
// refused.
func TestSenselessCallsAreFaults(t *testing.T) {
	g := newRig(t)
	for name, c := range map[string][2]string{
		"unknown method":    {"system.listMethods", ""},
		"no serial":         {"changelog_since_serial", ""},
		"text as serial":    {"changelog_since_serial", "<param><value>x</value></param>"},
		"negative":          {"changelog_since_serial", "<param><value><int>-1</int></value></param>"},
		"no search":         {"search", ""},
		"search for a text": {"search", "<param><value>x</value></param>"},
		"no XML":            {"<", ""},
	} {
		for _, path := range []string{"/pypi", "/RPC2"} {
			a := g.rpcCall("", path, c[0], c[1])
			if a.Status != 200 || !strings.Contains(a.Body, "<fault>") || !strings.Contains(a.Body, "<int>400</int>") {
				t.Errorf("%s: %v", name, a)
			}
		}
	}
	xml := wiretest.Header("Content-Type", "text/xml")
	entity := `<!DOCTYPE x [<!ENTITY a "` + strings.Repeat("b", 100) + `">]>`
	g.Want(g.Do("POST", "/RPC2", entity+`<methodCall><methodName>&a;</methodName></methodCall>`, xml), 200, "<fault>")
	g.Do("POST", "/RPC2", strings.Repeat(" ", maxSmallBody+1), xml).WantBody(t, "<int>413</int>")
	closed := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	closed.rpcCall("", "/pypi", "changelog_last_serial", "").WantStatus(t, 401).
		WantHeader(t, "WWW-Authenticate", `Basic realm="larder"`)
}
