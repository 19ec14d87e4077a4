package pages

// The page of upstreams: what it shows of their trouble, and that its forms do what they say.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// copying is a rig with an npm registry upstream that has the packages, and can be taken down.
func copying(t *testing.T, change func(*upstream.Options), names ...string) (g *rig, down *atomic.Bool) {
	t.Helper()
	origin := newRig(t)
	for _, name := range names {
		origin.publish("npm", name, "1.0.0")
		origin.publish("npm", name, "2.0.0")
	}
	down = &atomic.Bool{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		origin.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return newRig(t, atNow, func(o *wiretest.Options) {
		o.Upstreams = &upstream.Options{
			Now:       func() time.Time { return now },
			Upstreams: []upstream.Config{{Kind: store.NPM, Name: "origin", URL: front.URL + "/npm", Private: true}},
			Spellings: spellings(),
		}
		if change != nil {
			change(o.Upstreams)
		}
	}), down
}

// atNow makes the time of everything that of the pages.
func atNow(o *wiretest.Options) {
	o.Auth.Now = func() time.Time { return now }
	o.Store = append(o.Store, storetest.WithOptions(func(o *store.Options) { o.Now = func() time.Time { return now } }))
}

// fetch makes a copy of a version.
func (g *rig) fetch(name string) {
	g.T.Helper()
	base := name[strings.LastIndex(name, "/")+1:]
	g.Want(g.Do("GET", "/npm/"+name+"/-/"+base+"-1.0.0.tgz", nil), 200, "")
}

func TestUpstreamsTroubleShowsWithinOneRequest(t *testing.T) {
	g, down := copying(t, nil, "demo")
	v := g.administrator()
	g.fetch("demo")
	g.has(v.read("/-/admin/upstreams"), ">healthy<", "origin")
	down.Store(true)
	g.Do("GET", "/npm/absent-name", nil)
	g.has(v.read("/-/admin/upstreams"), ">in trouble<", "answered 503", "1 failed")
	down.Store(false)
	a := v.send("/-/admin/upstreams", "/-/admin/upstreams/check", url.Values{"kind": {"npm"}, "name": {"origin"}})
	g.has(v.Want(a, 200, "tried just now").Body, ">passed<", "address")
}

func TestUpstreamsAreSwitchedOffAndOn(t *testing.T) {
	g, _ := copying(t, nil, "demo", "other")
	v := g.administrator()
	g.fetch("demo")
	one := url.Values{"kind": {"npm"}, "name": {"origin"}, "offline": {"1"}}
	g.has(v.done("/-/admin/upstreams", "/-/admin/upstreams/switch", one), "Switched off.", ">switched off<")
	g.fetch("demo")
	if a := g.Do("GET", "/npm/other", nil); a.Status == 200 {
		t.Errorf("%v: an upstream that is switched off was asked", a)
	}
	g.has(v.read("/-/admin/upstreams"), "other", "offline")
	one.Set("offline", "0")
	g.has(v.done("/-/admin/upstreams", "/-/admin/upstreams/switch", one), "Switched on", ">healthy<")
	g.fetch("other")
	all := url.Values{"offline": {"1"}}
	g.has(v.done("/-/admin/upstreams", "/-/admin/upstreams/switch", all), "All upstreams are switched off.")
	none := url.Values{"kind": {"npm"}, "name": {"no"}}
	if a := v.send("/-/admin/upstreams", "/-/admin/upstreams/switch", none); a.Status != 404 {
		t.Errorf("%v: want that there is no such upstream", a)
	}
}

// planned reads the fields of a question.
func planned(a wiretest.Answer) url.Values {
	form := url.Values{}
	field := regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]*)"`)
	for _, m := range field.FindAllStringSubmatch(a.Body, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

func TestPurgeDropsWhatItShowed(t *testing.T) {
	g, _ := copying(t, nil, "left-pad", "left-over", "right-pad", "left-late")
	g.publish("npm", "left-hosted", "1.0.0")
	v := g.administrator()
	for _, name := range []string{"left-pad", "left-over", "right-pad"} {
		g.fetch(name)
	}
	kept := func(name string) bool {
		return g.Do("GET", "/ui/npm/"+name, nil, browser()).Status == 200
	}
	ask := url.Values{"kind": {"npm"}, "pattern": {"left-*"}}
	first := v.send("/-/admin/upstreams", "/-/admin/upstreams/purge", ask)
	g.has(v.Want(first, 200, "Purge 2 packages of npm?").Body, "left-pad", "left-over", "2 files")
	g.lacks(first.Body, "right-pad", "left-hosted")
	if !kept("left-pad") {
		t.Fatal("asking has dropped it")
	}
	g.fetch("left-late")
	second := v.send("/-/admin/upstreams", "/-/admin/upstreams/purge", planned(first))
	g.has(v.Want(second, 200, "Purge 3 packages of npm?").Body, "has changed since", "left-late")
	if !kept("left-pad") {
		t.Fatal("something else than what was shown was dropped")
	}
	g.has(v.done("/-/admin/upstreams", "/-/admin/upstreams/purge", planned(second)), "What was shown is purged.")
	for name, want := range map[string]bool{
		"left-pad": false, "left-over": false, "left-late": false, "right-pad": true, "left-hosted": true,
	} {
		if got := kept(name); got != want {
			t.Errorf("%s is here: %t, want %t", name, got, want)
		}
	}
	again := v.send("/-/admin/upstreams", "/-/admin/upstreams/purge", url.Values{"kind": {"npm"}, "pattern": {"<b>left"}})
	g.has(v.Want(again, 400, "Nothing is kept").Body, "&lt;b&gt;left")
}

func TestMissesAreShownExportedAndForgotten(t *testing.T) {
	g, _ := copying(t, func(o *upstream.Options) { o.Offline = true })
	v := g.administrator()
	for i := range missesShown + 5 {
		g.Do("GET", fmt.Sprintf("/npm/gone-%03d", i), nil)
	}
	page := v.read("/-/admin/upstreams")
	g.has(page, "gone-000", "gone-049")
	g.lacks(page, "gone-050")
	next := regexp.MustCompile(`rel="next" href="([^"#]*)`).FindStringSubmatch(page)
	if next == nil {
		t.Fatalf("no next page: %s", page)
	}
	page = v.read(strings.ReplaceAll(next[1], "&amp;", "&"))
	g.has(page, "gone-050", "gone-054")
	g.lacks(page, "gone-049")
	a := v.do("GET", "/-/admin/upstreams/misses.csv", nil)
	g.Want(a, 200, "npm,gone-054,")
	if got := a.Header.Get("Content-Type"); got != "text/csv; charset=utf-8" {
		t.Errorf("the export is %q", got)
	}
	v.done("/-/admin/upstreams", "/-/admin/upstreams/misses/clear", url.Values{"sure": {"1"}})
	g.lacks(v.read("/-/admin/upstreams"), "gone-")
}

func TestCellsBeginNoFormula(t *testing.T) {
	for in, want := range map[string]string{"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@acme/kit": "@acme/kit", "": ""} {
		if got := cell(in); got != want {
			t.Errorf("cell(%q) is %q, want %q", in, got, want)
		}
	}
}

// TestTrafficOfPagesIsThatOfTheUpstream: the pages' figures are the counters of /metrics.
func TestTrafficOfPagesIsThatOfTheUpstream(t *testing.T) {
	g, _ := copying(t, nil, "demo")
	v := g.administrator()
	for range 10 {
		g.fetch("demo")
	}
	page := v.read("/-/admin/upstreams")
	st := g.Deps.Upstreams.Status()[0]
	ratio := decimal(100*float64(st.Hits+st.Stale)/float64(st.Hits+st.Stale+st.Misses)) + "\u00a0%"
	g.has(page, fmt.Sprintf(`data-l="saved"><data value="%d">`, st.Saved), ratio,
		fmt.Sprintf(`data-l="fetched"><data value="%d">`, st.Bytes))
	if st.Hits == 0 || st.Saved == 0 {
		t.Errorf("nothing was counted: %+v", st)
	}
	page = v.read("/-/admin")
	g.has(page, "Hit ratio <b>"+ratio, fmt.Sprintf(`<dt>saved in 30 days</dt><dd><data value="%d">`, st.Saved))
}
