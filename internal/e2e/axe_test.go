package e2e

// This file asks axe-core what on the pages keeps people from using them. .ci/clients installs it; it is sent to the
// browser with the developer tools, to which the pages' own policy does not apply.

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// barrier is what axe-core objects to.
type barrier struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// axeRun is a promise of the objections, and of the number of rules that a page keeps.
const axeRun = `axe.run(document, {resultTypes: ["violations"]})
	.then(r => ({Bad: r.violations, Kept: r.passes.length}))`

// axeCore is the program that .ci/clients installs.
func axeCore() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(cache, "larder-clients/axe.js"))
	return string(text), err
}

// barriers fails if axe-core finds something serious or critical on the page.
func (b *browser) barriers(what string) {
	b.t.Helper()
	get(b, what, chromedp.Evaluate[chromedp.Void](b.axe))
	said := get(b, what, chromedp.Evaluate[struct {
		Bad  []barrier
		Kept int
	}](axeRun, chromedp.EvalAwaitPromise))
	if said.Kept < 10 {
		b.t.Errorf("%s: axe-core sees %d rules kept, so it has not seen the page", what, said.Kept)
	}
	for _, v := range said.Bad {
		if v.Impact != "serious" && v.Impact != "critical" {
			continue
		}
		for _, n := range v.Nodes {
			b.t.Errorf("%s: %s (%s): %s\n%s\n%s", what, v.ID, v.Impact, v.Help, n.HTML, strings.TrimSpace(n.FailureSummary))
		}
	}
}
