package rubygems

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store/storetest"
)

// golden publishes the gem of the golden documents.
func golden(t *testing.T) *rig {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	r := newRelease("demo", "1.0.0")
	r.more = "homepage: https://example.com/demo\ndescription: |-\n  It's \"quoted\" <ok>\n  é\nmetadata:\n  source_code_uri: https://example.com/src\n  changelog_uri: https://example.com/log\n  rubygems_mfa_required: 'true'\nrequirements:\n- libfoo\n"
	r.deps = []string{"rack >= 2.0, < 4", "dev rake ~> 13.0", "base >= 0"}
	g.want(g.push("ada", r), 200, "")
	clock.Advance(time.Hour)
	n := newRelease("demo", "1.0.0")
	n.platform = "x86_64-linux"
	g.want(g.push("ada", n), 200, "")
	clock.Advance(time.Hour)
	p := newRelease("demo", "2.0.0.rc1")
	p.more = requirementOf("", "required_ruby_version", ">= 3.0, < 5") + "licenses: []\nhomepage:\n"
	g.want(g.push("ada", p), 200, "")
	clock.Advance(time.Hour)
	g.publish("demo", "0.9")
	g.publish("zeta", "1.0")
	g.want(g.yank("ada", "demo", "0.9", ""), 200, "")
	return g
}

// sums hides what depends on the compressor.
var sums = regexp.MustCompile(`"(sha|spec_sha)":"[0-9a-f]{64}"`)

// TestGolden: the documents of one small registry in full.
func TestGolden(t *testing.T) {
	g := golden(t)
	for name, path := range map[string]string{
		"gem.json": "/api/v1/gems/demo.json", "versions.json": "/api/v1/versions/demo.json", "latest.json": "/api/v1/versions/demo/latest.json",
		"version.json": "/api/v2/rubygems/demo/versions/2.0.0.rc1.json", "native.json": "/api/v2/rubygems/demo/versions/1.0.0.json?platform=x86_64-linux",
	} {
		a := g.want(g.Do("GET", path, nil), 200, "")
		text := strings.ReplaceAll(sums.ReplaceAllString(a.Body, `"$1":"SUM"`), g.Base, "https://registry.example.com/rubygems")
		wiretest.Golden(t, name, text)
		if a.Header.Get("Content-Type") != "application/json; charset=utf-8" || a.Header.Get("ETag") == "" {
			t.Errorf("%v", a.Header)
		}
		g.want(g.Do("GET", path, nil, header("If-None-Match", a.Header.Get("ETag"))), 304, "")
	}
	info := regexp.MustCompile(`checksum:[0-9a-f]{64}`).ReplaceAllString(g.get("/info/demo").Body, "checksum:SUM")
	wiretest.Golden(t, "info", info)
	wiretest.Golden(t, "versions", regexp.MustCompile(`[0-9a-f]{32}`).ReplaceAllString(g.get("/versions").Body, "SUM"))
	wiretest.Golden(t, "names", g.get("/names").Body)
}

// TestA8_Latest: what stands for a gem: the newest release, the one for every platform first.
func TestA8_Latest(t *testing.T) {
	g := newRig(t)
	latest := func() string {
		return fmt.Sprint(g.Do("GET", "/api/v1/versions/demo/latest.json", nil).Object(t)["version"])
	}
	if latest() != "unknown" {
		t.Error(latest())
	}
	for _, c := range [][2]string{{"1.0.rc1", "1.0.rc1"}, {"0.9-java", "0.9"}, {"0.9", "0.9"}, {"1.10", "1.10"}, {"1.9", "1.10"}, {"2.0.a", "1.10"}} {
		g.publish("demo", c[0])
		if latest() != c[1] {
			t.Errorf("after %s: %s, want %s", c[0], latest(), c[1])
		}
	}
	if o := g.Do("GET", "/api/v1/gems/demo.json", nil).Object(t); o["version"] != "1.10" {
		t.Errorf("%v", o)
	}
	for _, c := range [][2]string{{"1.10", "1.9"}, {"1.9", "0.9"}, {"0.9", "0.9"}} {
		g.want(g.yank("ada", "demo", c[0], ""), 200, "")
		if latest() != c[1] {
			t.Errorf("without %s: %s, want %s", c[0], latest(), c[1])
		}
	}
	g.want(g.yank("ada", "demo", "0.9", "java"), 200, "")
	if latest() != "2.0.a" {
		t.Error(latest())
	}
	g.want(g.Do("GET", "/api/v2/rubygems/demo/versions/0.9.json", nil), 404, "This version could not be found.")
	g.want(g.Do("GET", "/api/v2/rubygems/demo/versions/9.json", nil), 404, "")
	g.publish("native", "1.0-java")
	if o := g.Do("GET", "/api/v2/rubygems/native/versions/1.0.json", nil).Object(t); o["platform"] != "java" {
		t.Errorf("%v", o)
	}
	for _, v := range []string{"1.0.rc1", "2.0.a"} {
		g.want(g.yank("ada", "demo", v, ""), 200, "")
	}
	g.want(g.Do("GET", "/api/v1/gems/demo.json", nil), 404, "This gem could not be found.")
	g.want(g.Do("GET", "/api/v1/versions/demo.json", nil), 404, "This gem could not be found.")
	if got := namesOf(t, g.Do("GET", "/api/v1/search.json?query=demo", nil)); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestA1_Search: by names, parts of names and summaries, in pages.
func TestA1_Search(t *testing.T) {
	g := newRig(t)
	for i := range 35 {
		g.publish(fmt.Sprintf("page-%02d", i), "1.0")
	}
	r := newRelease("net-http-persistent", "1.0")
	r.more = "summary: Keeps connections open\n"
	g.want(g.push("ada", r), 200, "")
	g.publish("RedCloth", "1.0")
	for query, want := range map[string][]string{
		"net-http-persistent": {"net-http-persistent"}, "persistent": {"net-http-persistent"}, "connections": {"net-http-persistent"}, "http%20open": {"net-http-persistent"},
		"redcloth": {"RedCloth"}, "RedC": {"RedCloth"}, "nothing": nil, "page-07": {"page-07"},
	} {
		if got := namesOf(t, g.Do("GET", "/api/v1/search.json?query="+query, nil)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", query, got)
		}
	}
	first, second := namesOf(t, g.Do("GET", "/api/v1/search.json?query=page", nil)), namesOf(t, g.Do("GET", "/api/v1/search.json?query=page&page=2", nil))
	if len(first) != 30 || len(second) != 5 || slices.Contains(first, second[0]) {
		t.Errorf("%q %q", first, second)
	}
	g.want(g.Do("GET", "/api/v1/search.json", nil), 400, "needs a text")
	g.want(g.Do("GET", "/api/v1/search.json?query=%20-%20", nil), 400, "needs a text")
	// A newer version's summary takes the older one's place.
	r = newRelease("net-http-persistent", "2.0")
	r.more = "summary: Quite different\n"
	g.want(g.push("ada", r), 200, "")
	if got := namesOf(t, g.Do("GET", "/api/v1/search.json?query=connections", nil)); got != nil {
		t.Errorf("%q", got)
	}
	g.want(g.yank("ada", "net-http-persistent", "2.0", ""), 200, "")
	if got := namesOf(t, g.Do("GET", "/api/v1/search.json?query=connections", nil)); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestA1_News: what came last, and what came between two times, oldest first in pages.
func TestA1_News(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	start := clock.Now()
	for i := range 40 {
		g.publish(fmt.Sprintf("gem%02d", i/2), fmt.Sprintf("1.%d", i))
		clock.Advance(time.Hour)
	}
	numbers := func(path string) (out []string) {
		var list []struct{ Name, Version string }
		g.want(g.Do("GET", path, nil), 200, "").Decode(t, &list)
		for _, x := range list {
			out = append(out, x.Name+" "+x.Version)
		}
		return out
	}
	if got := numbers("/api/v1/activity/latest.json"); len(got) != 20 || got[0] != "gem19 1.39" || got[19] != "gem00 1.1" {
		t.Errorf("%q", got)
	}
	if got := numbers("/api/v1/activity/just_updated.json"); len(got) != 40 || got[0] != "gem19 1.39" || got[1] != "gem19 1.38" {
		t.Errorf("%q", got)
	}
	window := func(from, to int, page string) []string {
		at := func(h int) string { return start.Add(time.Duration(h) * time.Hour).Format(time.RFC3339) }
		return numbers("/api/v1/timeframe_versions.json?from=" + at(from) + "&to=" + at(to) + page)
	}
	if got := window(3, 5, ""); !slices.Equal(got, []string{"gem01 1.3", "gem02 1.4", "gem02 1.5"}) {
		t.Errorf("%q", got)
	}
	if got := window(0, 100, "&page=2"); len(got) != 10 || got[0] != "gem15 1.30" {
		t.Errorf("%q", got)
	}
	if got := window(50, 60, ""); len(got) != 0 {
		t.Errorf("%q", got)
	}
	g.want(g.yank("ada", "gem01", "1.3", ""), 200, "")
	if got := window(3, 5, ""); len(got) != 2 {
		t.Errorf("%q", got)
	}
	for range 3 {
		g.publish("more", fmt.Sprintf("2.%d", clock.Now().Unix()))
		clock.Advance(time.Minute)
	}
}
