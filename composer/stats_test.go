package composer

// How often packages were installed, by themselves.

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
)

// wantStats is the answer about a package that was installed so many times today.
func wantStats(g *rig, name string, installs int, versions ...string) {
	g.T.Helper()
	want := fields{
		"downloads": fields{"total": installs, "monthly": installs, "daily": installs},
		"versions":  versions, "date": time.Now().UTC().Format(time.DateOnly),
	}
	for _, path := range []string{"/" + name + "/stats.json", "/packages/" + name + "/stats.json"} {
		wiretest.EqualJSON(g.T, path, g.Want(g.Do("GET", path, nil), 200, "").Object(g.T), want)
	}
}

// TestStatsOfPackages: those that were fetched, whoever fetched them. One that is not seen is absent.
func TestStatsOfPackages(t *testing.T) {
	g := newRig(t)
	g.publish("acme/demo", "v1.0.0", "1.1.0", "dev-main")
	g.publish("acme/dev", "dev-main")
	g.Want(g.Ada("PUT", "?version=1.0.0&private=1", newRelease("acme/closed", "").archive()), 201, "")
	wantStats(g, "acme/demo", 0, "1.1.0", "v1.0.0", "dev-main")
	for range 2 {
		dist := wiretest.At(g.versions("", "acme/demo", "")[0], "dist", "url").(string)
		g.Want(g.Do("GET", strings.TrimPrefix(dist, g.Base), nil), 200, "")
	}
	wantStats(g, "acme/demo", 2, "1.1.0", "v1.0.0", "dev-main")
	wantStats(g, "acme/dev", 0, "dev-main")
	g.Want(g.Ada("GET", "/acme/closed/stats.json", nil), 200, `"versions":["1.0.0"]`)
	hidden := g.Want(g.Do("GET", "/acme/closed/stats.json", nil), 404, "")
	absent := g.Want(g.Do("GET", "/acme/absent/stats.json", nil), 404, "")
	wiretest.Equal(t, "what is hidden", hidden.Body, absent.Body)
	wiretest.Equal(t, "headers of what is hidden", fmt.Sprint(hidden.Header), fmt.Sprint(absent.Header))
}

// TestStatsOfCopies: those that were fetched here, also of a package that has branches only.
func TestStatsOfCopies(t *testing.T) {
	const about = `,"description":"a demo",` +
		`"source":{"type":"git","url":"https://git.example.com/acme/demo","reference":""}`
	g := newRemote(t, map[string]string{
		"/zip/2.0.0":            string(newRelease("acme/demo", "1.0.0").archive()),
		"/p2/acme/demo.json":    document("acme/demo", entry("acme/demo", "2.0.0", about), entry("acme/demo", "1.0.0", "")),
		"/p2/acme/dev~dev.json": document("acme/dev", `{"name":"acme/dev","version":"dev-main"}`),
	}).cache(t)
	for range 2 {
		dist := wiretest.At(g.versions("", "acme/demo", "")[0], "dist", "url").(string)
		g.Want(g.Do("GET", strings.TrimPrefix(dist, g.Base), nil), 200, "")
	}
	wantStats(g, "acme/demo", 2, "2.0.0", "1.0.0")
	wantStats(g, "acme/dev", 0, "dev-main")
	got := g.Want(g.Do("GET", "/packages/acme/demo.json", nil), 200, "").Object(t)["package"]
	wiretest.WantMembers(t, "the package", got, fields{
		"name": "acme/demo", "description": "a demo", "type": "library", "repository": "https://git.example.com/acme/demo",
		"downloads/total": 2, "versions/1.0.0/version_normalized": "1.0.0.0",
	})
	wiretest.EqualList(t, "its versions", wiretest.KeysOf(wiretest.At(got, "versions")), "1.0.0", "2.0.0")
	dist, _ := wiretest.At(got, "versions", "1.0.0", "dist", "url").(string)
	wiretest.Equal(t, "the archive's address is here", strings.HasPrefix(dist, g.Base+"/dists/acme/demo/1.0.0.0/"), true)
	g.Want(g.Do("GET", "/packages/acme/dev.json", nil), 200, `"versions":{"dev-main":{`)
	for _, path := range []string{"/acme/absent/stats.json", "/packages/acme/absent.json"} {
		g.Want(g.Do("GET", path, nil), 404, "")
	}
}
