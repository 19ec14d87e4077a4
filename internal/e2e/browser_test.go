package e2e

// This file looks at the pages with a browser: Debian's Chromium, driven by chromedp. Without one the tests are
// skipped; with LARDER_CLIENTS=all that is a failure. With LARDER_SHOTS=DIR a picture of every page is left in DIR.

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"larder/internal/miniclient"
)

// browser is a Chromium on the pages of a server that has a package of each kind, and a private one of each.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string
	axe  string // axe-core's program

	mu sync.Mutex // guards what follows
	// troubles are what went wrong on pages: errors of scripts, what the policy forbids, requests to elsewhere.
	troubles []string
}

// privateNames keeps the names that the tests take for private from everybody.
const privateNames = "private: [\"*:*:*secret*\"]\n"

func newBrowser(t *testing.T) *browser {
	t.Helper()
	return newBrowserWith(t, privateNames)
}

// newBrowserWith is newBrowser with a configuration.
func newBrowserWith(t *testing.T, settings string) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		without(t, "chromium", err)
	}
	axe, err := axeCore()
	if err != nil {
		without(t, "axe-core", err)
	}
	config := filepath.Join(t.TempDir(), "larder.yaml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startCrashServer(t, t.TempDir(), "--config", config)
	b := &browser{t: t, base: "http://" + s.addr, axe: axe}
	b.publish()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program),
		chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Listen(b.ctx, b.watch); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	return b
}

// call sends one command to the browser.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatalf("a command to Chromium: %v", err)
	}
}

// get runs an action and returns its result.
func get[T any](b *browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute) // or what never comes is waited for
	defer cancel()
	out, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	return out
}

// anonymous is the server for a client of nobody in particular.
func (b *browser) anonymous() *miniclient.Server {
	return &miniclient.Server{Base: b.base, HTTP: http.DefaultClient}
}

// publish publishes what the pages show.
func (b *browser) publish() {
	b.t.Helper()
	s := admin(b.base)
	for _, p := range miniclient.All() {
		for _, name := range []string{"pantry", "secret" + strings.Repeat("long", 10)} {
			for _, version := range []string{"1.0.0", "1.1.0"} {
				file, err := p.Make(name, version, bytes.Repeat([]byte(version), 100))
				if err != nil {
					b.t.Fatal(err)
				}
				a, err := p.Publish(b.t.Context(), s, miniclient.Release{Name: name, Version: version, File: file})
				if err != nil || a.Status >= 300 {
					b.t.Fatalf("publish %s %s: %d %s %v", p.Kind, name, a.Status, a.Body, err)
				}
			}
		}
	}
}

// watch notes what a page must not do.
func (b *browser) watch(event any) {
	trouble := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		trouble = "error of a script: " + e.ExceptionDetails.Text
	case *page.EventJavascriptDialogOpening:
		trouble = "a dialog: " + e.Message
	case *log.EventEntryAdded:
		if s := string(e.Entry.Source); s == "security" || s == "violation" {
			trouble = "forbidden: " + e.Entry.Text
		}
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.base+"/") && !strings.HasPrefix(u, "data:") {
			trouble = "a request to " + u
		}
	}
	if trouble != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.troubles = append(b.troubles, trouble)
	}
}

// open goes to a page.
func (b *browser) open(path string) {
	b.t.Helper()
	get(b, path, chromedp.Navigate(b.base+path))
}

// calm fails if a page did what it must not do.
func (b *browser) calm(what string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, trouble := range b.troubles {
		b.t.Errorf("%s: %s", what, trouble)
	}
	b.troubles = nil
}

// seenPage is a page that the browser looks at.
type seenPage struct {
	name, path string // the name is that of pictures
	user       bool   // it is shown to whoever has logged in
}

// pagesToSee are the pages of every sort, those for everybody first.
func pagesToSee() []seenPage {
	pages := []seenPage{
		{name: "home", path: "/"},
		{name: "search", path: "/ui/search?q=pantry"},
		{name: "search-none", path: "/ui/search?q=nothing"},
		{name: "not-found", path: "/ui/npm/nothing-of-that-name"},
		{name: "login", path: "/-/login"},
		{name: "setup", path: "/ui/setup"},
	}
	for _, client := range []string{"docker", "npm", "yarn", "pip", "cargo", "mvn", "composer", "gem"} {
		pages = append(pages, seenPage{name: "setup-" + client, path: "/ui/setup/" + client})
	}
	for kind, name := range map[string]string{
		"oci": "team/pantry", "npm": "pantry", "pypi": "pantry", "cargo": "pantry", "maven": "com.acme:pantry",
		"composer": "acme/pantry", "rubygems": "pantry",
	} {
		at := "/ui/" + kind + "/" + name
		pages = append(pages,
			seenPage{name: kind, path: "/ui/" + kind},
			seenPage{name: kind + "-package", path: at},
			seenPage{name: kind + "-versions", path: at + "/-/versions"})
		if kind == "oci" {
			pages = append(pages, seenPage{name: "oci-tags", path: at + "/-/tags"})
		} else {
			pages = append(pages, seenPage{name: kind + "-version", path: at + "/-/v/1.1.0"})
		}
	}
	return append(pages,
		seenPage{name: "me", path: "/-/me", user: true},
		seenPage{name: "me-sessions", path: "/-/me/sessions", user: true},
	)
}

// each opens every page in both schemes, on a phone and wide.
func (b *browser) each(pages []seenPage, look func(p seenPage, what, scheme string, width int64)) {
	b.t.Helper()
	known := false
	for _, p := range pages {
		if p.user && !known {
			b.login()
			known = true
		}
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{375, 1280} {
				what := fmt.Sprintf("%s, %s, %d px", p.path, scheme, width)
				get(b, what, chromedp.EmulateViewport(width, 900))
				call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
				})
				b.open(p.path)
				look(p, what, scheme, width)
			}
		}
	}
}

// look opens pages on a phone and wide, in both schemes, and asks axe-core what keeps people from using them.
func (b *browser) look(pages []seenPage) {
	b.t.Helper()
	b.each(pages, func(p seenPage, what, scheme string, width int64) {
		wide := get(b, what, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
		headings := get(b, what, chromedp.Evaluate[int]("document.querySelectorAll('main h1').length"))
		b.calm(what)
		if wide > width {
			b.t.Errorf("%s: the page is %d px wide", what, wide)
		}
		if headings != 1 {
			b.t.Errorf("%s: the page has %d first headings", what, headings)
		}
		if (width == 375) == (scheme == "light") {
			b.barriers(what) // once in each scheme and each width
		}
		b.picture(fmt.Sprintf("%s-%s-%d.png", p.name, scheme, width))
	})
}

func TestBrowserPagesFitAPhone(t *testing.T) {
	b := newBrowser(t)
	b.look(pagesToSee())
}

// picture leaves a picture of the page where LARDER_SHOTS says.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("LARDER_SHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), get(b, name, chromedp.FullScreenshot(100)), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func TestBrowserSearchesWithoutScripts(t *testing.T) {
	b := newBrowser(t)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open("/")
	get(b, "type", chromedp.SendKeys(chromedp.CSS("#qq"), "pantry\r"))
	get(b, "results", chromedp.WaitReady(chromedp.CSS(".hits")))
	at, text := get(b, "address", chromedp.Location()), get(b, "text", chromedp.OuterHTML(chromedp.CSS("main")))
	if want := b.base + "/ui/search?q=pantry"; at != want {
		t.Errorf("the form leads to %s, want %s", at, want)
	}
	if !strings.Contains(text, "7 packages for") {
		t.Errorf("the search finds %q, want a package of each kind", text)
	}
}

func TestBrowserShowsAnonymousNoPrivateName(t *testing.T) {
	b := newBrowser(t)
	for _, p := range append(pagesToSee(), seenPage{path: "/ui/search?q=secretlong"}) {
		b.open(p.path)
		page := get(b, p.path, chromedp.OuterHTML(chromedp.CSS("html")))
		if strings.Contains(page, "secretlonglong") {
			t.Errorf("%s has the private name: %s", p.path, page)
		}
	}
}
