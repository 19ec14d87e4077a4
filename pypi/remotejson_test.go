package pypi

// The JSON API for projects of upstreams: with the upstream's own document, and without one.

import (
	"strings"
	"testing"

	"larder/internal/wiretest"
	"larder/upstream"
)

// TestJSONOfCopiesIsTheUpstreams: what the origin says of a project is said here, with addresses of ours.
func TestJSONOfCopiesIsTheUpstreams(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo_pkg-1.0-py3-none-any.whl", "demo_pkg-2.0-py3-none-any.whl", "demo_pkg-3.0rc1.tar.gz")
	g := newCache(t, []string{origin.Base})
	for path, version := range map[string]string{"": "2.0", "/1.0": "1.0", "/1": "1.0", "/3.0rc1": "3.0rc1"} {
		at := "/pypi/demo-pkg" + path + "/json"
		a := g.Want(g.Do("GET", at, nil), 200, "").WantNot(t, origin.Base+"/")
		got, want := a.Object(t), origin.Do("GET", at, nil).WantStatus(t, 200).Object(t)
		wiretest.Equal(t, at+": version", wiretest.At(got, "info", "version"), any(version))
		for _, member := range []string{"summary", "requires_python", "author"} {
			wiretest.EqualJSON(t, at+": "+member, wiretest.At(got, "info", member), wiretest.At(want, "info", member))
		}
		wiretest.EqualJSON(t, at+": vulnerabilities", got["vulnerabilities"], []any{})
		wiretest.Equal(t, at+": releases are shown", got["releases"] != nil, path == "")
		file := got["urls"].([]any)[0].(map[string]any)
		theirs := want["urls"].([]any)[0].(map[string]any)
		for _, member := range []string{"filename", "packagetype", "size", "upload_time_iso_8601", "yanked"} {
			wiretest.EqualJSON(t, at+": "+member+" of the file", file[member], theirs[member])
		}
		g.Want(g.Do("GET", strings.TrimPrefix(file["url"].(string), g.Srv.URL), nil), 200, "")
	}
	g.Want(g.Do("GET", "/pypi/demo-pkg/9.0/json", nil), 404, "")
	g.Want(g.Do("GET", "/pypi/other/json", nil), 404, "")
}

// TestJSONOfCopiesInventsNothing: of an index without such documents what the page and METADATA say is answered; an
// audit of a release, of which nobody knows whether it has vulnerabilities, is not told that it has none.
func TestJSONOfCopiesInventsNothing(t *testing.T) {
	const file = "demo_pkg-1.0-py3-none-any.whl"
	u := newUpload(file, func(u *upload) { u.headers = "Summary: what it does\n" })
	up := newIndex(t)
	up.at("/simple/demo-pkg/", lists(file, "../../f/"+file, sumOf(u.bytes()), `,"size":`, wiretest.JSON(len(u.bytes()))))
	up.at("/f/"+file, says(string(u.bytes())))
	up.at("/simple/old/", says(`<html><a href="/f/old-0.1.tgz">old-0.1.tgz</a></html>`))
	g := newCache(t, []string{up.URL})
	got := g.Want(g.Do("GET", "/pypi/demo-pkg/json", nil), 200, "").Object(t)
	wiretest.Equal(t, "version", wiretest.At(got, "info", "version"), any("1.0"))
	wiretest.Equal(t, "summary", wiretest.At(got, "info", "summary"), any("what it does"))
	if _, said := got["vulnerabilities"]; said {
		t.Errorf("it says %v of vulnerabilities; nobody knows", got["vulnerabilities"])
	}
	why := "demo-pkg 1.0 is here, but the upstream registry up0 "
	g.Want(g.Do("GET", "/pypi/demo-pkg/1.0/json", nil), 404, why+"answered that it has no /pypi/demo-pkg/1.0/json.")
	g.Want(g.Do("GET", "/pypi/demo-pkg/9.0/json", nil), 404, `"release not found"`)
	g.Want(g.Do("GET", "/pypi/other/1.0/json", nil), 404, `"release not found"`)
	g.Deps.Upstreams.SetOffline(true)
	g.Want(g.Do("GET", "/pypi/demo-pkg/1.0/json", nil), 404, why+"was not asked for it, since this registry is offline")
	g.Deps.Upstreams.SetOffline(false)
	a := g.Want(g.Do("GET", "/pypi/old/json", nil), 200, "/old-0.1.tgz").WantNot(t, `"size"`, `"upload_time`)
	wiretest.Equal(t, "version of an old archive", wiretest.At(a.Object(t), "info", "version"), any("0.1"))
	up.at("/pypi/demo-pkg/1.0/json", fails(503))
	g = newCache(t, []string{up.URL})
	g.Want(g.Do("GET", "/pypi/demo-pkg/1.0/json", nil), 503, "")
}

// TestJSONOfCopiesKeepsTheRules: a release that is blocked is neither the latest nor found.
func TestJSONOfCopiesKeepsTheRules(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo_pkg-1.0-py3-none-any.whl", "demo_pkg-2.0-py3-none-any.whl")
	g := newCache(t, []string{origin.Base}, func(o *upstream.Options) { o.Blocked = []string{"pypi:demo-pkg@2"} })
	got := g.Want(g.Do("GET", "/pypi/demo-pkg/json", nil), 200, "").WantNot(t, "demo_pkg-2.0").Object(t)
	wiretest.Equal(t, "version", wiretest.At(got, "info", "version"), any("1.0"))
	g.Want(g.Do("GET", "/pypi/demo-pkg/2.0/json", nil), 404, "")
}
