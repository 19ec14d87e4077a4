package pypi

// Files of other indexes that have no SHA-256 or no usual name: they are found by what their page lists.

import (
	"crypto/md5"
	"fmt"
	"strings"
	"testing"

	"larder/internal/wiretest"
	"larder/pypi/simple"
)

// onlyLink asks for a page as old installers do and returns the address of its only link.
func (g *rig) onlyLink(name string) (address, fragment string) {
	g.T.Helper()
	a := g.Want(g.Do("GET", "/simple/"+name+"/", nil), 200, `href="`)
	_, rest, _ := strings.Cut(a.Body, `href="`)
	href, more, _ := strings.Cut(rest, `"`)
	if strings.Contains(more, `href="`) {
		g.T.Errorf("%s: more than one link in %s", name, a.Body)
	}
	address, fragment, _ = strings.Cut(href, "#")
	return strings.TrimPrefix(address, "../.."), fragment
}

// TestFilesWithoutSHA256AreServed: a file that its index gives no SHA-256 of is listed and served; the sum that there
// is is checked, and what came first stays.
func TestFilesWithoutSHA256AreServed(t *testing.T) {
	const file = "demo_pkg-1.0-py3-none-any.whl"
	good, evil := newUpload(file).bytes(), newUpload("demo_pkg-1.1-py3-none-any.whl").bytes()
	for fragment, checked := range map[string]bool{
		"":                                   false,
		fmt.Sprintf("md5=%x", md5.Sum(good)): true,
		"blake2b=" + sumOf(good):             false,
	} {
		up := newIndex(t)
		up.at("/simple/demo-pkg/", says(`<html><a href="/f/`+file+"#"+fragment+`">`+file+`</a></html>`))
		up.at("/f/"+file, says(string(good)))
		g := newCache(t, []string{up.URL})
		at, shown := g.onlyLink("demo-pkg")
		if want := map[bool]string{true: fragment}[checked]; shown != want {
			t.Errorf("%q: the link says %q, want %q", fragment, shown, want)
		}
		page := g.project("demo-pkg")
		wiretest.EqualJSON(t, "versions", wiretest.At(page, "versions"), []string{"1.0"})
		wiretest.Equal(t, "api-version", wiretest.At(page, "meta", "api-version"), any("1.0"))
		if checked {
			up.at("/f/"+file, says(string(evil)))
			if a := g.Do("GET", at, nil); a.Status < 500 {
				t.Errorf("%s: other bytes became %v, want an error", fragment, a.Status)
			}
			up.at("/f/"+file, says(string(good)))
			g = newCache(t, []string{up.URL})
		}
		g.Want(g.Do("GET", at, nil), 200, string(good))
		g.Want(g.Do("GET", "/pypi/files/"+sumOf(good)+"/"+file, nil), 200, string(good))
		g.Want(g.Do("GET", "/pypi/files/"+sumOf(evil)+"/"+file, nil), 404, "")
		up.at("/f/"+file, says(string(evil)))
		g.Want(g.Do("GET", at, nil), 200, string(good))
		g.Want(g.Do("GET", at+".metadata", nil), 200, "Name: ")
	}
}

// TestFilesAreFoundByWhatIsListed: the name of a file need not lead back to its project, and may be of any form that
// installers ever read.
func TestFilesAreFoundByWhatIsListed(t *testing.T) {
	for _, file := range []string{
		"Demo-Pkg-17.9.0.tar.bz2", "demo-pkg-1.0.tgz", "demo-pkg-1.0.tar.xz", "demo-pkg-1.0-1.tar.gz",
		"demo_pkg-1.0-py2.7.egg", "other-1.0.tar.gz", "demo-pkg-1.0.win32.exe",
	} {
		up := newIndex(t)
		up.at("/simple/demo-pkg/", lists(file, "../../f/"+file, sumOf([]byte(file))))
		up.at("/f/"+file, says(file))
		g := newCache(t, []string{up.URL})
		at, fragment := g.onlyLink("demo-pkg")
		wiretest.Equal(t, file+": sum", fragment, "sha256="+sumOf([]byte(file)))
		g.Want(g.Do("GET", at, nil), 200, file)
		wiretest.Equal(t, file+": sum in JSON", wiretest.At(entries(g.project("demo-pkg"))[file], "hashes", "sha256"),
			any(sumOf([]byte(file))))
		up.Close()
		g.Want(g.Do("GET", at, nil), 200, file)
		g.Want(g.Do("GET", "/pypi/packages/other-project/"+file, nil), 503, "")
	}
}

// TestHostedFilesAreReachedByProjectAndName: the address is beside the one that pages give, in any spelling of the
// project, with the same rules.
func TestHostedFilesAreReachedByProjectAndName(t *testing.T) {
	g := newRig(t)
	g.publish("demo_pkg-1.0-py3-none-any.whl")
	want := g.Do("GET", g.url("demo-pkg", "demo_pkg-1.0-py3-none-any.whl"), nil).WantStatus(t, 200)
	for _, name := range []string{"demo-pkg", "Demo_Pkg"} {
		a := g.Want(g.Do("GET", "/pypi/packages/"+name+"/demo_pkg-1.0-py3-none-any.whl", nil), 200, want.Body)
		a.WantHeader(t, "ETag", want.Header.Get("ETag"))
	}
	g.Want(g.Do("GET", "/pypi/packages/demo-pkg/demo_pkg-1.0-py3-none-any.whl.metadata", nil), 200, "Name: ")
	for _, path := range []string{"demo-pkg/demo_pkg-2.0-py3-none-any.whl", "other/demo_pkg-1.0-py3-none-any.whl"} {
		g.Want(g.Do("GET", "/pypi/packages/"+path, nil), 404, "")
	}
}

// TestBrokenEntriesCostThemselves: the rest of a page is served.
func TestBrokenEntriesCostThemselves(t *testing.T) {
	const good = "demo_pkg-1.0.tar.gz"
	up := newIndex(t)
	up.at("/simple/demo-pkg/", says(`{"meta":{"api-version":"1.1"},"files":[17,{"filename":"demo_pkg-2.0.tar.gz"},
		{"filename":"`+good+`","url":"x","hashes":{"sha256":"`+sumOf(nil)+`"}}]}`))
	g := newCache(t, []string{up.URL})
	wiretest.EqualJSON(t, "files", order(g.project("demo-pkg")), []string{good})
	g.Want(g.Do("GET", "/simple/demo-pkg/", nil, wiretest.Header("Accept", simple.V1)), 200, good)
}
