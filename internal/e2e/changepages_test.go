package e2e

// A browser on the pages that change packages: buttons, what they ask, the history, dependants, uploads.

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"larder/internal/miniclient"
	"larder/npm"
)

// needing publishes an npm package that depends on another.
func (b *browser) needing(name, on, versions string) {
	b.t.Helper()
	manifest := `{"name":"` + name + `","version":"2.0.0","dependencies":{"` + on + `":"` + versions + `"}}`
	file, err := miniclient.Tgz(miniclient.Member{Name: "package/package.json", Body: []byte(manifest)})
	if err != nil {
		b.t.Fatal(err)
	}
	_, _, c, err := npm.Publish(bytes.NewReader(file), int64(len(file)), "latest")
	if err != nil {
		b.t.Fatal(err)
	}
	body, err := io.ReadAll(c.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.sent(admin(b.base), c.Method, c.Path, body, "Content-Type", c.Type)
}

// TestBrowserChangesVersionsWithoutScripts yanks a version and deletes one by the forms of the pages.
func TestBrowserChangesVersionsWithoutScripts(t *testing.T) {
	b := newBrowser(t)
	b.needing("@acme/shelf", "pantry", "^1.0.0")
	b.look([]seenPage{
		{name: "npm-buttons", path: "/ui/npm/pantry/-/versions", user: true},
		{name: "npm-version", path: "/ui/npm/pantry/-/v/1.1.0", user: true},
		{name: "npm-history", path: "/ui/npm/pantry/-/history", user: true},
		{name: "npm-dependants", path: "/ui/npm/pantry/-/dependants", user: true},
		{name: "oci-history", path: "/ui/oci/team/pantry/-/history", user: true},
		{name: "oci-manifests", path: "/ui/oci/team/pantry/-/versions", user: true},
		{name: "upload", path: "/-/upload", user: true},
		{name: "no-dependants", path: "/ui/cargo/pantry/-/dependants", user: true},
	})
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.press("/ui/cargo/pantry/-/v/1.0.0", "yank")
	b.picture("cargo-yank.png")
	get(b, "reason", chromedp.SendKeys(chromedp.CSS("#rs"), "broken build\r"))
	b.shows(".banner.ok", "1 version is yanked.")
	b.press("/ui/npm/pantry/-/v/1.0.0", "delete")
	b.picture("npm-delete.png")
	get(b, "name", chromedp.SendKeys(chromedp.CSS("#cf"), "pantries\r"))
	b.shows("#e", "That is not the name of the package.")
	get(b, "name", chromedp.SendKeys(chromedp.CSS("#cf"), "pantry\r"))
	b.shows(".banner.ok", "1 version is deleted.")
	b.open("/ui/npm/pantry/-/history")
	b.shows("table[aria-label=History]", `<span class="tag">delete</span>`)
}

// press opens a page and presses a button that changes something.
func (b *browser) press(path, op string) {
	b.t.Helper()
	b.open(path)
	get(b, op, chromedp.Click(chromedp.CSS("button[name=do][value="+op+"]")))
	get(b, "the page that asks", chromedp.WaitReady(chromedp.CSS("#ask")))
}

// shows waits for a part of the next page, and fails unless that page has a text.
func (b *browser) shows(part, text string) {
	b.t.Helper()
	get(b, text, chromedp.WaitReady(chromedp.CSS(part)))
	if page := get(b, text, chromedp.OuterHTML(chromedp.CSS("main"))); !strings.Contains(page, text) {
		b.t.Errorf("the page lacks %q:\n%s", text, page)
	}
}
