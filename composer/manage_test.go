package composer

// Deletion, purging, settings, and the feed of changes.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

// TestDeleteVersion: out of documents and lists at once, but the archive stays for lock files; the same bytes bring it
// back.
func TestDeleteVersion(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0", "1.1.0", "2.0.0-beta1", "dev-main", "dev-feature/x")
	r := newRelease("acme/demo", "1.1.0")
	path := distPath("acme/demo", "1.1.0.0", r.reference(), "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/v1.1", nil), 204, "")
	if got := g.normals("acme/demo", ""); got != "2.0.0.0-beta1 1.0.0.0" {
		t.Error(got)
	}
	g.Want(g.Do("GET", path, nil), 200, "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.1.0", nil), 404, "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/9.0", nil), 404, "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/foo", nil), 404, "")
	g.Want(g.Ada("DELETE", "/packages/acme/none/versions/1.0", nil), 404, "")
	// Other bytes may not take the number, the same may.
	g.Want(g.put("ada", newRelease("acme/demo", "1.1.0", fields{"description": "x"})), 409, "")
	g.Want(g.put("ada", r), 201, "")
	if got := g.normals("acme/demo", ""); got != "2.0.0.0-beta1 1.1.0.0 1.0.0.0" {
		t.Error(got)
	}
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/dev-feature/x", nil), 204, "")
	if got := g.normals("acme/demo", "~dev"); got != "dev-main" {
		t.Error(got)
	}
	g.Want(
		g.Do("GET", distPath("acme/demo", "dev-feature/x", newRelease("acme/demo", "dev-feature/x").reference(), ""), nil),
		200,
		"",
	)
	g.publish("acme/demo", "dev-feature/x")
	// The best that is left stands for the package.
	for _, c := range [][2]string{
		{"1.1.0", "1.0.0.0"}, {"1.0.0", "2.0.0.0-beta1"}, {"2.0.0-beta1", "dev-main"}, {"dev-main", "dev-feature/x"},
		{"dev-feature/x", ""},
	} {
		g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/"+c[0], nil), 204, "")
		g.checkRows()
	}
	g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 404, "")
	g.Want(g.Do("GET", "/packages/acme/demo.json", nil), 404, "")
	g.Want(g.Do("GET", "/list.json", nil), 200, `{"packageNames":[]}`)
	g.Want(g.Do("GET", path, nil), 200, "")
}

// TestPurge: the bytes go, and the number of a release is never given again; a branch may come back.
func TestPurge(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0", "1.1.0", "1.2.0", "dev-main", "dev-main-2")
	g.Want(g.put("ada", newRelease("acme/demo", "dev-main", fields{"description": "next"})), 201, "")
	purged := func(normalized string, r *release) {
		t.Helper()
		g.Want(g.Do("GET", distPath("acme/demo", normalized, r.reference(), ""), nil), 404, "")
	}
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.1.0?purge=1", nil), 204, "")
	purged("1.1.0.0", newRelease("acme/demo", "1.1.0"))
	g.Want(g.put("ada", newRelease("acme/demo", "1.1.0")), 409, "deleted for good")
	// One that was only hidden so far.
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.2.0", nil), 204, "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.2.0?purge=1", nil), 204, "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.2.0?purge=1", nil), 404, "")
	purged("1.2.0.0", newRelease("acme/demo", "1.2.0"))
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/dev-main?purge=1", nil), 204, "")
	purged("dev-main", newRelease("acme/demo", "dev-main"))
	purged("dev-main", newRelease("acme/demo", "dev-main", fields{"description": "next"}))
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/dev-main?purge=1", nil), 404, "")
	if got := g.normals("acme/demo", "~dev"); got != "dev-main-2" {
		t.Error(got)
	}
	g.publish("acme/demo", "dev-main")
	if err := g.Store.Update(context.Background(), func(tx *store.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	zero := time.Duration(0)
	if _, err := g.Store.Sweep(context.Background(), store.SweepOptions{Grace: &zero}); err != nil {
		t.Fatal(err)
	}
	storetest.Check(t, g.Store)
}

// TestDeletePackage: all versions go out of sight, or with purge for good.
func TestDeletePackage(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "1.0.0", "1.1.0", "dev-main")
	path := distPath("acme/demo", "1.0.0.0", newRelease("acme/demo", "1.0.0").reference(), "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo", nil), 204, "")
	g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 404, "")
	g.Want(g.Do("GET", "/p2/acme/demo~dev.json", nil), 404, "")
	g.Want(g.Do("GET", path, nil), 200, "")
	g.Want(g.Ada("DELETE", "/packages/acme/demo", nil), 404, "")
	g.publish("acme/demo", "1.1.0")
	if got := g.normals("acme/demo", ""); got != "1.1.0.0" {
		t.Error(got)
	}
	for range 2 {
		g.Want(g.Do("POST", "/downloads/", fields{"downloads": []fields{{"name": "acme/demo"}}}), 201, "")
	}
	g.Want(g.Ada("DELETE", "/packages/acme/demo?purge=1", nil), 204, "")
	g.Want(g.Do("GET", path, nil), 404, "")
	g.Want(g.Ada("GET", "/packages/acme/demo/settings", nil), 404, "")
	g.Want(g.put("ada", newRelease("acme/demo", "1.0.0")), 409, "deleted for good")
	g.publish("acme/demo", "3.0.0", "dev-main")
	if n := wiretest.At(
		g.Want(g.Do("GET", "/packages/acme/demo.json", nil), 200, "").Object(t), "package", "downloads", "total",
	); n != 1.0 {
		t.Errorf("%v downloads, want the one that was fetched: what Composer told went with the package", n)
	}
	g.Want(g.Ada("DELETE", "/packages/acme/none", nil), 404, "")
	g.Want(g.Ada("DELETE", "/packages/acme/none?purge=1", nil), 404, "")
}

// TestSettings: private and abandoned, each by itself; what the registry is told of abandonment counts for every
// version.
func TestSettings(t *testing.T) {
	g := newRig(t)
	g.Want(g.put("ada", newRelease("acme/demo", "1.0.0", fields{"abandoned": "acme/own"})), 201, "")
	g.publish("acme/demo", "1.1.0", "dev-main")
	path := "/packages/acme/demo/settings"
	g.Want(g.Do("GET", path, nil), 200, `{"private":false,"owners":["ada"]}`)
	abandoned := func(suffix string) string {
		var out []string
		for _, v := range g.versions("ada", "acme/demo", suffix) {
			out = append(out, fmt.Sprint(v["abandoned"]))
		}
		return strings.Join(out, " ")
	}
	if got := abandoned(""); got != "<nil> acme/own" {
		t.Error(got)
	}
	g.Want(g.Ada("PUT", path, fields{"abandoned": "Acme/Other"}), 200, `"abandoned":"acme/other"`)
	if got := abandoned("") + " " + abandoned("~dev"); got != "acme/other acme/other acme/other" {
		t.Error(got)
	}
	g.Want(g.Do("GET", "/search.json?q=demo", nil), 200, `"abandoned":"acme/other"`)
	g.Want(g.Do("GET", "/list.json?fields[]=abandoned", nil), 200, `"abandoned":"acme/other"`)
	g.publish("acme/demo", "1.2.0")
	g.Want(g.Do("GET", "/search.json?q=demo", nil), 200, `"abandoned":"acme/other"`)
	g.Want(g.Ada("PUT", path, fields{"abandoned": true}), 200, `"abandoned":true`)
	g.Want(g.Ada("PUT", path, fields{"abandoned": false}), 200, `"abandoned":false`)
	if got := abandoned(""); got != "<nil> <nil> <nil>" {
		t.Error(got)
	}
	if a := g.Want(g.Do("GET", "/search.json?q=demo", nil), 200, ""); strings.Contains(a.Body, "abandoned") {
		t.Error(a)
	}
	before := g.Journal()
	g.Want(g.Ada("PUT", path, fields{"abandoned": false, "private": false}), 200, "")
	g.Want(g.Ada("PUT", path, fields{}), 200, "")
	if g.Journal() != before {
		t.Error("nothing was changed, and it is in the journal")
	}
	g.Want(g.Ada("PUT", path, fields{"private": true}), 200, `"private":true`)
	g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 404, "")
	for _, body := range []any{
		"", "[]", fields{"abandoned": "x"}, fields{"abandoned": 7}, fields{"private": "yes"},
		fields{"owners": []string{"bob"}},
	} {
		g.Want(g.Ada("PUT", path, body), 400, "")
	}
	g.Want(g.Ada("PUT", "/packages/acme/none/settings", fields{"private": true}), 404, "")
}

// TestChangesFeed: what mirrors follow: one line for each document, and a resync for who comes late.
func TestChangesFeed(t *testing.T) {
	g := newRig(t)
	start := ticks(time.Now().Add(-time.Second))
	feed := func(since int64) (lines []string, stamp int64) {
		var doc struct {
			Actions   []change
			Timestamp int64
		}
		g.Want(g.Do("GET", "/metadata/changes.json?since="+fmt.Sprint(since), nil), 200, `"actions":[`).Decode(t, &doc)
		for _, a := range doc.Actions {
			if a.Time < time.Now().Unix()-60 {
				t.Errorf("%+v", a)
			}
			lines = append(lines, a.Type+" "+a.Package)
		}
		slices.Sort(lines)
		return lines, doc.Timestamp
	}
	first := g.Want(g.Do("GET", "/metadata/changes.json", nil), 400, `"timestamp":`).Object(t)
	if stamp := int64(first["timestamp"].(float64)); stamp < start || stamp > ticks(time.Now()) {
		t.Errorf("%v", first)
	}
	g.publish("acme/demo", "1.0.0", "1.1.0", "dev-main", "dev-x")
	got, next := feed(start)
	if want := []string{"update acme/demo", "update acme/demo~dev"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, _ := feed(next); len(got) != 0 {
		t.Errorf("%q", got)
	}
	time.Sleep(2 * time.Millisecond)
	g.Want(g.Ada("DELETE", "/packages/acme/demo/versions/1.0.0", nil), 204, "")
	if got, _ := feed(next); !slices.Equal(got, []string{"update acme/demo"}) {
		t.Errorf("%q", got)
	}
	g.Want(g.Ada("PUT", "/packages/acme/demo/settings", fields{"abandoned": true}), 200, "")
	g.publish("acme/other", "1.0.0")
	if got, _ := feed(next); !slices.Equal(
		got, []string{"update acme/demo", "update acme/demo~dev", "update acme/other"},
	) {
		t.Errorf("%q", got)
	}
	g.Want(g.Ada("DELETE", "/packages/acme/demo?purge=1", nil), 204, "")
	if got, _ := feed(next); !slices.Equal(
		got, []string{"delete acme/demo", "delete acme/demo~dev", "update acme/other"},
	) {
		t.Errorf("%q", got)
	}
	g.User("root", nil, true)
	g.Want(
		g.Do(
			"PUT", "/api/advisories",
			[]fields{sampleAdvisory("acme/other", "LSA-1", "*"), sampleAdvisory("acme/none", "LSA-2", "*")}, g.As("root"),
		),
		200, "",
	)
	got, _ = feed(ticks(time.Now().Add(-time.Second)))
	wiretest.Equal(t, "the feed has acme/other", slices.Contains(got, "update acme/other"), true)
	wiretest.Equal(t, "the feed has acme/none", slices.Contains(got, "update acme/none"), false)
	if got, _ := feed(ticks(time.Now().Add(-25 * time.Hour))); !slices.Equal(got, []string{"resync *"}) {
		t.Errorf("%q", got)
	}
}

// TestRestart: what was published is there after the store is opened anew, with the same times.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := serve(t, s)
	g.User("ada", nil)
	g.publish("acme/demo", "1.0.0", "dev-main")
	g.publish("acme/demo", "1.0.1")
	before, _ := g.get("/p2/acme/demo.json", "", 200)
	g.Srv.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := serve(t, storetest.Open(t, dir))
	again.KeepKeys(g.Rig)
	again.get("/p2/acme/demo.json", before, 304)
	again.Want(again.put("ada", newRelease("acme/demo", "1.0.1")), 200, "")
	again.publish("acme/demo", "1.0.2")
	again.get("/p2/acme/demo.json", before, 200)
	again.checkRows()
}

// TestShortAddresses: a package is published, listed and deleted below packages/ as well, with the same rules.
func TestShortAddresses(t *testing.T) {
	g := newRig(t)
	r := newRelease("acme/demo", "1.0.0", fields{"version": "1.0.0"})
	g.Want(g.Do("PUT", "/packages/acme/demo", r.archive()), 401, "")
	g.Want(g.Ada("PUT", "/packages/acme/demo", r.archive()), 201, `"version_normalized":"1.0.0.0"`)
	g.Want(g.Ada("PUT", "/packages/acme/demo?version=2.0.0", newRelease("acme/demo", "").archive()), 201, "2.0.0.0")
	g.Want(g.Ada("PUT", "/packages/acme/other", r.archive()), 422, "acme/other")
	g.Want(g.Do("GET", "/packages/list.json?vendor=acme", nil), 200, `{"packageNames":["acme/demo"]}`)
	g.Want(g.Ada("DELETE", "/packages/acme/demo/v2.0", nil), 204, "")
	wiretest.Equal(t, "versions", g.normals("acme/demo", ""), "1.0.0.0")
	g.Want(g.Ada("DELETE", "/packages/acme/demo", nil), 204, "")
	g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 404, "")
}
