package e2e

// This file does what people come for with a browser in which scripts are off.

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"larder/internal/miniclient"
)

// reads fails if what a reader sees of the page lacks a text.
func (b *browser) reads(what, text string) {
	b.t.Helper()
	if main := get(b, what, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(main, text) {
		b.t.Errorf("%s: the page at %s lacks %q:\n%s", what, get(b, what, chromedp.Location()), text, main)
	}
}

// follow clicks what a selector finds, and waits for the page with what another one finds.
func (b *browser) follow(what, click, then string) {
	b.t.Helper()
	get(b, what, chromedp.Click(chromedp.CSS(click)))
	get(b, what, chromedp.WaitReady(chromedp.CSS(then)))
}

func TestBrowserTasksNeedNoScripts(t *testing.T) {
	origin := startCrashServer(t, filepath.Join(t.TempDir(), "origin"))
	from := admin("http://" + origin.addr)
	publishNPM(t, from, "jam", "", "")
	b := newBrowserWith(t, privateNames+"min-age: 3d\n"+
		"upstreams: [{kind: npm, name: origin, url: \"http://"+origin.addr+"/npm\", trusted: true}]\n")
	publishNPM(t, admin(b.base), "pickles", `"description":"Cucumbers and time",`, "# Pickles\n\nKeep them *cool*.\n")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})

	// Find a package, read what it is, take the line that installs it.
	b.open("/")
	get(b, "type", chromedp.SendKeys(chromedp.CSS("#qq"), "cucumbers\r"))
	get(b, "results", chromedp.WaitReady(chromedp.CSS(".hits")))
	b.follow("the package", ".hits a", ".readme")
	b.reads("the package", "Keep them cool.")
	b.follow("another client", ".pick a[data-client=pnpm]", ".pick a[data-client=pnpm][aria-current]")
	line := get(b, "the line", chromedp.Evaluate[string](`(() => {
		getSelection().selectAllChildren(document.querySelector("[data-client=pnpm] .snip code"));
		return getSelection().toString();
	})()`))
	if want := "pnpm add --registry " + b.base + "/npm/ pickles@1.0.0"; line != want {
		t.Errorf("what a reader selects and copies is %q, want %q", line, want)
	}

	// See why a version does not come.
	if a, err := b.anonymous().Do(t.Context(), "GET", "/npm/jam", nil); err != nil {
		t.Fatalf("%v %v", a, err)
	}
	b.open("/ui/npm/jam")
	b.reads("a young version", "is held back until")

	// Log in, make a token that works, log out.
	b.open("/")
	b.follow("log in", ".main-nav a[href*='/-/login']", "#u")
	get(b, "user", chromedp.SendKeys(chromedp.CSS("#u"), "admin"))
	get(b, "password", chromedp.SendKeys(chromedp.CSS("#p"), crashPassword+"\r"))
	get(b, "logged in", chromedp.WaitReady(chromedp.CSS(".main-nav a[href$='/-/me']")))
	b.follow("own page", ".main-nav a[href$='/-/me']", "#tn")
	get(b, "label", chromedp.SendKeys(chromedp.CSS("#tn"), "laptop\r"))
	get(b, "the token", chromedp.WaitReady(chromedp.CSS(".snip code")))
	token := get(b, "the token", chromedp.Text(chromedp.CSS(".snip code")))
	s := &miniclient.Server{Base: b.base, Auth: "Bearer " + token, HTTP: http.DefaultClient}
	a, err := s.Do(t.Context(), "GET", "/npm/-/whoami", nil)
	if err != nil || !strings.Contains(string(a.Body), "admin") {
		t.Errorf("the token that the page shows answers %d %s, %v", a.Status, a.Body, err)
	}
	b.open("/-/me")
	b.reads("own tokens", "laptop")
	b.follow("log out", "form[action$='/-/logout'] button", ".main-nav a[href*='/-/login'], #u")
	b.calm("without scripts")
}

// publishNPM publishes version 1.0.0 of a package of npm's with fields of a manifest and a README.
func publishNPM(t *testing.T, s *miniclient.Server, name, fields, readme string) {
	t.Helper()
	if a, _ := hostileKinds()["npm"].publish(t, s, name, fields, readme); a.Status >= 300 {
		t.Fatalf("publish %s: %d %s", name, a.Status, a.Body)
	}
}
