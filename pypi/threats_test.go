package pypi

// What an attacker tries: names, paths, archives, races.

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"larder/internal/wiretest"
)

// TestUploadedFileNameMustBePlain: the file's name is data. However it is written, nothing but a plain name comes in.
func TestUploadedFileNameMustBePlain(t *testing.T) {
	g := newRig(t)
	content := newUpload(demoWheel)
	for _, name := range []string{
		"../" + demoWheel, `..\\` + demoWheel, `..\\..\\x\\` + demoWheel, "/etc/" + demoWheel, "C:" + demoWheel,
		demoWheel + "\x00", "a\tb-1.0.tar.gz", "%2e%2e%2f" + demoWheel, ".." + demoWheel, "",
		"demo_pkg-1.0-py3-none-any.whl/", "~/" + demoWheel, "demo_pkg-1.0-py3-none-any.whl.metadata",
		"demo_pkg-1.0-py3-none-any.whl.asc",
	} {
		u := newUpload(demoWheel)
		u.content, u.file = content.bytes(), name
		if a := g.put("ada", u); a.Status != 400 {
			t.Errorf("%q: %v", name, a)
		}
	}
	if a := g.Do("GET", "/simple/demo-pkg/", nil); a.Status != 404 {
		t.Error(a)
	}
}

// TestEscapedSlashesLeadNowhere: net/http hands escaped slashes on decoded; here they lead nowhere.
func TestEscapedSlashesLeadNowhere(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel)
	sum := newUpload(demoWheel).fields()["sha256_digest"]
	for _, path := range []string{
		"/pypi/files/" + sum + "/..%2f..%2f..%2fetc%2fpasswd", "/pypi/files/..%2f" + sum + "/" + demoWheel,
		"/pypi/files/" + sum + "/%2e%2e/" + demoWheel, "/simple/..%2fdemo-pkg/", "/pypi/demo-pkg%2fjson",
		"/pypi/files/" + sum + "/..%5c" + demoWheel, "/pypi/files/" + sum + "/" + demoWheel + "%00",
	} {
		if a := g.Do("GET", path, nil); a.Status != 400 && a.Status != 404 {
			t.Errorf("%s: %v", path, a)
		}
	}
}

// TestHomoglyphsAreNoNames: letters that Unicode folds to those of another name are no letters of a name.
func TestHomoglyphsAreNoNames(t *testing.T) {
	g := newRig(t)
	g.publish("keras-1.0-py3-none-any.whl")
	for _, name := range []string{"\u212aeras", "ker\u0430s", "kera\u017f", "ker\u00e4s", "keras\u200b", "ｋeras"} {
		if a := g.Do("GET", "/simple/"+name+"/", nil); a.Status != http.StatusNotFound {
			t.Errorf("%q: %v", name, a)
		}
		u := newUpload("keras-2.0-py3-none-any.whl")
		u.bytes()
		u.form["name"] = name
		if a := g.put("ada", u); a.Status != 400 {
			t.Errorf("%q: %v", name, a)
		}
	}
	// The same name in another spelling is the same project.
	g.publish("Keras-1.1-py3-none-any.whl")
	wiretest.Equal(t, "number of files", len(order(g.project("keras"))), 2)
}

// TestQuarantinedProjectIsClosed: what is quarantined is neither listed nor served, whatever address a lockfile has;
// only an administrator lifts it.
func TestQuarantinedProjectIsClosed(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	g.prepare("demo-pkg")
	all := g.cases("demo-pkg")
	g.Want(g.Do("PUT", "/pypi/-/demo-pkg/status", fields{"status": "quarantined"}, g.As("root")), 204, "")
	for _, op := range []string{"pypi.file", "pypi.metadata", "pypi.signature", "pypi.provenance"} {
		for _, method := range []string{"GET", "HEAD"} {
			if a := g.Do(method, all[op].Path, nil, g.As("root")); a.Status != 403 {
				t.Errorf("%s %s: %v", method, op, a)
			}
		}
	}
	page := g.project("demo-pkg")
	wiretest.Equal(t, "number of files", len(order(page)), 0)
	wiretest.WantMembers(t, "page", page, fields{"project-status/status": "quarantined"})
	// Deleting it and uploading anew does not lift it: the name's owner could do that.
	g.Want(g.put("ada", newUpload("demo_pkg-9.0-py3-none-any.whl")), 403, "quarantined")
	g.Want(g.Ada("DELETE", "/pypi/-/demo-pkg", nil), 403, "")
	g.Want(g.Ada("DELETE", "/pypi/-/demo-pkg/1.0", nil), 403, "")
}

// TestDeletedNameNeverGetsOtherBytes: a file that is deleted while it is uploaded again is gone, or was never deleted;
// its name never gets other bytes.
func TestDeletedNameNeverGetsOtherBytes(t *testing.T) {
	g := newRig(t)
	u, other := newUpload(demoWheel), newUpload(demoWheel, func(u *upload) { u.files["x"] = "y" })
	g.Want(g.put("ada", u), 200, "")
	g.publish("demo_pkg-2.0-py3-none-any.whl")
	done := make(chan string)
	go func() {
		done <- fmt.Sprint("delete ", g.Ada("DELETE", "/pypi/-/demo-pkg/files/"+demoWheel, nil).Status)
	}()
	for range 4 {
		go func() { done <- fmt.Sprint("same ", g.put("ada", u).Status) }()
		go func() { done <- fmt.Sprint("other ", g.put("ada", other).Status) }()
	}
	seen := map[string]int{}
	for range 9 {
		seen[<-done]++
	}
	wiretest.Equal(t, "deletes that succeeded", seen["delete 204"], 1)
	wiretest.Equal(t, "uploads of other bytes that are conflicts", seen["other 409"], 4)
	wiretest.Equal(t, "uploads of the same bytes, done or refused", seen["same 200"]+seen["same 409"], 4)
	wiretest.EqualJSON(t, "files", order(g.project("demo-pkg")), []string{"demo_pkg-2.0-py3-none-any.whl"})
}

// TestReleaseHasOneSourceArchive: some tools take the first source archive of a release, so there is one.
func TestReleaseHasOneSourceArchive(t *testing.T) {
	g := newRig(t)
	g.publish("demo_pkg-1.0.tar.gz")
	for _, file := range []string{"demo_pkg-1.0.zip", "Demo.Pkg-1.0.0.tar.gz"} {
		if a := g.put("ada", newUpload(file)); a.Status < 400 || a.Status >= 500 {
			t.Errorf("%s: %v", file, a)
		}
	}
}

// TestAttestationsOfOthersAreRefused: a bundle that is not about this file, or of a form nobody could check, refuses
// the upload, and nothing stays; one that is kept is never called verified.
func TestAttestationsOfOthersAreRefused(t *testing.T) {
	g := newRig(t)
	u := newUpload(demoWheel)
	one := attestation(demoWheel, u.bytes())
	for name, sent := range map[string]string{
		"no list": one, "empty": "[]", "no JSON": "[",
		"other file":  "[" + attestation("other-1.0-py3-none-any.whl", u.bytes()) + "]",
		"other bytes": "[" + attestation(demoWheel, []byte("x")) + "]",
		"version":     "[" + strings.Replace(one, `"version":1`, `"version":2`, 1) + "]",
		"one of two":  "[" + one + "," + attestation(demoWheel, nil) + "]",
	} {
		bad := newUpload(demoWheel)
		bad.more = [][2]string{{"attestations", sent}}
		if a := g.put("ada", bad); a.Status != 400 {
			t.Errorf("%s: %v", name, a)
		}
	}
	g.Want(g.Do("GET", "/simple/demo-pkg/", nil), 404, "")
	u.more = [][2]string{{"attestations", "[" + one + "]"}}
	g.Want(g.put("ada", u), 200, "")
	g.Want(g.Do("GET", "/pypi/integrity/demo-pkg/1.0/"+demoWheel+"/provenance", nil), 200, `"kind":"unverified"`)
	// A page does not point at what nobody has verified.
	g.Do("GET", "/simple/demo-pkg/", nil, asJSON).WantNot(t, "provenance")
}

// TestSparseArchiveIsRefused: a member that takes no room in the archive and any amount where it is unpacked.
func TestSparseArchiveIsRefused(t *testing.T) {
	g := newRig(t)
	content, err := os.ReadFile("../internal/pydist/testdata/sparse.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	u := newUpload("demo_pkg-1.0.tar.gz")
	u.content = content
	g.Want(g.put("ada", u), 400, "sparse")
}

// TestSecretsAreNotLogged: whatever way a client sends a token or a password, the log does not have it.
func TestSecretsAreNotLogged(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel)
	token := g.Keys["ada"]
	for _, opt := range []option{
		wiretest.Basic("__token__", token), wiretest.Basic(token, ""), wiretest.Bearer(token),
		wiretest.Basic("ada", "secret-wrong"), wiretest.Basic(token+"x", "secret-wrong"),
	} {
		g.Do("GET", "/simple/demo-pkg/", nil, opt)
		g.put("", newUpload(demoWheel, func(u *upload) { u.files["x"] = "y" }), opt)
	}
	g.Do("GET", "/simple/"+token+"/", nil)
	text := g.Log.String()
	if strings.Contains(text, token) || strings.Contains(text, "secret-wrong") {
		t.Errorf("a secret is in the log:\n%s", text)
	}
	if !strings.Contains(text, "/simple/demo-pkg/") {
		t.Errorf("what was asked for is not in the log:\n%s", text)
	}
}
