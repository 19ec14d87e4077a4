package rubygems

// The documents of one small registry, and the JSON APIs: the latest version, search, news.

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
	r.more = `homepage: https://example.com/demo
description: |-
  It's "quoted" <ok>
  é
metadata:
  source_code_uri: https://example.com/src
  changelog_uri: https://example.com/log
  rubygems_mfa_required: 'true'
requirements:
- libfoo
`
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

// sums are what depends on the compressor.
var sums = regexp.MustCompile(`"(sha|spec_sha)":"[0-9a-f]{64}"`)

func TestDocumentsAreThoseOfTheGoldenFiles(t *testing.T) {
	g := golden(t)
	for name, path := range map[string]string{
		"gem.json":      "/api/v1/gems/demo.json",
		"versions.json": "/api/v1/versions/demo.json",
		"latest.json":   "/api/v1/versions/demo/latest.json",
		"version.json":  "/api/v2/rubygems/demo/versions/2.0.0.rc1.json",
		"native.json":   "/api/v2/rubygems/demo/versions/1.0.0.json?platform=x86_64-linux",
	} {
		a := g.want(g.Do("GET", path, nil), 200, "")
		text := strings.ReplaceAll(a.Body, g.Base, "https://registry.example.com/rubygems")
		wiretest.Golden(t, name, sums.ReplaceAllString(text, `"$1":"SUM"`))
		g.WantHeader(a, "Content-Type", "application/json; charset=utf-8")
		if a.Header.Get("ETag") == "" {
			t.Errorf("%v has no ETag", a)
		}
		g.want(g.Do("GET", path, nil, header("If-None-Match", a.Header.Get("ETag"))), 304, "")
	}
	sha := regexp.MustCompile(`checksum:[0-9a-f]{64}`)
	wiretest.Golden(t, "info", sha.ReplaceAllString(g.get("/info/demo").Body, "checksum:SUM"))
	md5 := regexp.MustCompile(`[0-9a-f]{32}`)
	wiretest.Golden(t, "versions", md5.ReplaceAllString(g.get("/versions").Body, "SUM"))
	wiretest.Golden(t, "names", g.get("/names").Body)
}

func TestLatestIsTheNewestReleaseForEveryPlatform(t *testing.T) {
	g := newRig(t)
	want := func(after, number string) {
		t.Helper()
		a := g.want(g.Do("GET", "/api/v1/versions/demo/latest.json", nil), 200, "")
		wiretest.Equal(t, "the latest version "+after, a.Object(t)["version"], any(number))
	}
	want("of no gem", "unknown")
	for _, c := range [][2]string{
		{"1.0.rc1", "1.0.rc1"}, {"0.9-java", "0.9"}, {"0.9", "0.9"}, {"1.10", "1.10"}, {"1.9", "1.10"}, {"2.0.a", "1.10"},
	} {
		g.publish("demo", c[0])
		want("after "+c[0], c[1])
	}
	g.want(g.Do("GET", "/api/v1/gems/demo.json", nil), 200, `"version":"1.10"`)
	for _, c := range [][2]string{{"1.10", "1.9"}, {"1.9", "0.9"}, {"0.9", "0.9"}} {
		g.want(g.yank("ada", "demo", c[0], ""), 200, "")
		want("without "+c[0], c[1])
	}
	g.want(g.yank("ada", "demo", "0.9", "java"), 200, "")
	want("without a release", "2.0.a")
	g.want(g.Do("GET", "/api/v2/rubygems/demo/versions/0.9.json", nil), 404, "This version could not be found.")
	g.want(g.Do("GET", "/api/v2/rubygems/demo/versions/9.json", nil), 404, "")
	for _, v := range []string{"1.0.rc1", "2.0.a"} {
		g.want(g.yank("ada", "demo", v, ""), 200, "")
	}
	g.want(g.Do("GET", "/api/v1/gems/demo.json", nil), 404, "This gem could not be found.")
	g.want(g.Do("GET", "/api/v1/versions/demo.json", nil), 404, "This gem could not be found.")
	wiretest.EqualList(t, "what is found", namesOf(t, g.Do("GET", "/api/v1/search.json?query=demo", nil)))
}

func TestVersionWithoutAPlatformIsTheFirst(t *testing.T) {
	g := newRig(t)
	g.publish("native", "1.0-java")
	g.want(g.Do("GET", "/api/v2/rubygems/native/versions/1.0.json", nil), 200, `"platform":"java"`)
}

// found are the names that a search finds.
func (g *rig) found(query string) []string {
	g.T.Helper()
	return namesOf(g.T, g.Do("GET", "/api/v1/search.json?query="+query, nil))
}

func TestSearchFindsNamesAndSummaries(t *testing.T) {
	g := newRig(t)
	r := newRelease("net-http-persistent", "1.0")
	r.more = "summary: Keeps connections open\n"
	g.want(g.push("ada", r), 200, "")
	g.publish("RedCloth", "1.0")
	g.publish("page-07", "1.0")
	for query, want := range map[string][]string{
		"net-http-persistent": {"net-http-persistent"}, "persistent": {"net-http-persistent"},
		"connections": {"net-http-persistent"}, "http%20open": {"net-http-persistent"},
		"redcloth": {"RedCloth"}, "RedC": {"RedCloth"}, "nothing": nil, "page-07": {"page-07"},
	} {
		wiretest.EqualList(t, query, g.found(query), want...)
	}
	g.want(g.Do("GET", "/api/v1/search.json", nil), 400, "needs a text")
	g.want(g.Do("GET", "/api/v1/search.json?query=%20-%20", nil), 400, "needs a text")
	r = newRelease("net-http-persistent", "2.0")
	r.more = "summary: Quite different\n"
	g.want(g.push("ada", r), 200, "")
	wiretest.EqualList(t, "a word of a superseded summary", g.found("connections"))
	g.want(g.yank("ada", "net-http-persistent", "2.0", ""), 200, "")
	wiretest.EqualList(t, "a word of the summary after a yank", g.found("connections"), "net-http-persistent")
}

func TestSearchHasPages(t *testing.T) {
	g := newRig(t)
	for i := range 35 {
		g.publish(fmt.Sprintf("page-%02d", i), "1.0")
	}
	first, second := g.found("page"), g.found("page&page=2")
	wiretest.Equal(t, "gems of the first page", len(first), 30)
	wiretest.Equal(t, "gems of the second page", len(second), 5)
	if slices.Contains(first, second[0]) {
		t.Errorf("%s is on both pages", second[0])
	}
}

// versionsOf are the names and numbers of a list of gems.
func (g *rig) versionsOf(path string) (out []string) {
	g.T.Helper()
	var list []struct{ Name, Version string }
	g.want(g.Do("GET", path, nil), 200, "").Decode(g.T, &list)
	for _, x := range list {
		out = append(out, x.Name+" "+x.Version)
	}
	return out
}

func TestNewsAreByTime(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	start := clock.Now()
	var gems, versions []string // newest first
	for i := range 40 {
		g.publish(fmt.Sprintf("gem%02d", i/2), fmt.Sprintf("1.%d", i))
		clock.Advance(time.Hour)
		versions = append(versions, fmt.Sprintf("gem%02d 1.%d", i/2, i))
		if i%2 == 1 {
			gems = append(gems, versions[i])
		}
	}
	slices.Reverse(gems)
	slices.Reverse(versions)
	wiretest.EqualList(t, "the newest gems", g.versionsOf("/api/v1/activity/latest.json"), gems...)
	wiretest.EqualList(t, "the newest versions", g.versionsOf("/api/v1/activity/just_updated.json"), versions...)

	window := func(from, to int, page string) []string {
		t.Helper()
		at := func(h int) string { return start.Add(time.Duration(h) * time.Hour).Format(time.RFC3339) }
		return g.versionsOf("/api/v1/timeframe_versions.json?from=" + at(from) + "&to=" + at(to) + page)
	}
	wiretest.EqualList(t, "a window, oldest first", window(3, 5, ""), "gem01 1.3", "gem02 1.4", "gem02 1.5")
	second := window(0, 100, "&page=2")
	wiretest.Equal(t, "versions of the second page", len(second), 10)
	wiretest.Equal(t, "the first of the second page", second[0], "gem15 1.30")
	wiretest.EqualList(t, "a window without a version", window(50, 60, ""))
	g.want(g.yank("ada", "gem01", "1.3", ""), 200, "")
	wiretest.EqualList(t, "a window with a yanked version", window(3, 5, ""), "gem02 1.4", "gem02 1.5")
}
